"""Frame metrics over a region: each thing (a hand, a mouth) one sample, then the frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Frames, Metric, Values
from benchmark.rows import RegionVariant, Rows
from suites.metrics.ssim import gaussian_maps
from suites.people._regions import Mask, Rule, region

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
BORDER = 5
"""Pixels of the picture's edge at which SSIM's map has no value."""


@dataclass(frozen=True)
class Groups:
    """points: (n, g, k, 2) pixels of the compared picture. seen: (n, g, k) by point. there: (n, g) is the thing as a whole there?"""

    points: Floats
    seen: Flags
    there: Flags


Read = Callable[[Rows], Groups]


WHERE: Mapping[str, str] = {
    "box": "the extent of the truth's keypoints enlarged by 1.25 to a square of at least 16 pixels, clipped",
    "mask": "the convex hull of the truth's keypoints, dilated by 0.05 of the box's side and at least 2 pixels",
    "union": "the box of the truth's keypoints and that of the generated frame's together",
}
"""What a region of keypoints is, in words."""
Regions = Callable[[Rows, Rows, int, int], Iterator[list[Mask]]]
"""(rows of generated, rows of truth, width, height) -> for each frame the (h, w) masks of what the truth's frame shows, none where it shows nothing."""
OneFrame = Callable[[NDArray[np.generic], NDArray[np.generic], Mask], float]
"""(generated (h, w, 3), truth, region (h, w)) -> a number, NaN where there is none."""


def of_points(read: Read, rule: Rule, ours: Rows, theirs: Rows, width: int, height: int) -> Iterator[list[Mask]]:
    """Regions by the keypoints of things."""
    mine, real = read(ours), read(theirs)
    for k in range(len(theirs)):
        found = []
        for g in np.flatnonzero(real.there[k]):
            other = mine.points[k, g][mine.seen[k, g]] if mine.there[k, g] else None
            found.append(region(rule, real.points[k, g][real.seen[k, g]], other, width, height))
        yield found


@dataclass(frozen=True)
class Part:
    """Something whose region is scored. name: of one of it. by: (detector, extractor, reader of its rows, what it sees in words) each. where: the rules
    in words. regions(reader, rule, ...): as Regions. absent: what a frame without a region lacks (empty = the thing itself). within: a window that
    touches anything outside the region does not count.
    """

    name: str
    by: tuple[tuple[str, str, Callable[[Rows], Any], str], ...]
    source: str
    where: Mapping[str, str] = field(default_factory=lambda: WHERE)
    regions: Callable[[Any, Any, Rows, Rows, int, int], Iterator[list[Mask]]] = of_points
    absent: str = ""
    within: bool = False

    @property
    def lacking(self) -> str:
        """What a frame that is left out does not show."""
        return self.absent or self.name


def over(score: OneFrame, regions: Regions, generated: Frames, truth: Frames, ours: Rows, theirs: Rows) -> Values:
    """(n,) mean over the things of the truth's frame; NaN where the truth shows none, or none of them has a value."""
    height, width = truth.shape[1:3]
    values = np.full(len(truth), np.nan)
    for k, masks in enumerate(regions(ours, theirs, width, height)):
        found = [score(generated[k], truth[k], mask) for mask in masks]
        known = [value for value in found if not np.isnan(value)]
        if known:
            values[k] = float(np.mean(known))
    return values


def ssim(generated: NDArray[np.generic], truth: NDArray[np.generic], mask: Mask) -> float:
    """Mean of ssim@gaussian's map over the region's positions whose window lies in the picture; NaN where there is none."""
    inner = mask[BORDER:-BORDER, BORDER:-BORDER]
    if not inner.any():
        return float("nan")
    rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
    # Only what the windows of the region reach is filtered: the same numbers as of the whole map.
    part = np.s_[rows[0] : rows[-1] + 1 + 2 * BORDER, columns[0] : columns[-1] + 1 + 2 * BORDER]
    chosen = inner[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return float(np.mean([mapped[chosen].mean() for mapped in gaussian_maps(generated[part], truth[part])]))


def ssim_within(generated: NDArray[np.generic], truth: NDArray[np.generic], mask: Mask) -> float:
    """`ssim` over the positions whose whole window lies in the region."""
    import cv2

    side = 2 * BORDER + 1
    return ssim(generated, truth, cv2.erode(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def psnr(generated: NDArray[np.generic], truth: NDArray[np.generic], mask: Mask) -> float:
    """dB of the region's squared error, peak 255; NaN where nothing differs or the region is empty."""
    if not mask.any():
        return float("nan")
    difference = generated[mask].astype(np.float64) - truth[mask].astype(np.float64)
    mse = float((difference * difference).mean())
    return float(20 * np.log10(255 / np.sqrt(mse))) if mse > 0 else float("nan")


def _variants(part: Part, score: OneFrame, computed: str, left_out: str, gone: str) -> tuple[RegionVariant, ...]:
    return tuple(
        RegionVariant(
            id=f"{detector}-{rule}",
            extractor=extractor,
            score=partial(over, score, partial(part.regions, read, rule)),
            left_out=left_out,
            both=rule == "union",
            summary=f"{computed} {where}; each {part.name} one sample, then the frame, then the clip; {words}; frames in whose truth there is "
            f"no {part.lacking}{gone} are left out and counted",
            source=part.source,
        )
        for detector, extractor, read, words in part.by
        for rule, where in part.where.items()
    )


def ssim_of(part: Part) -> Metric:
    """The metric `ssim-PART`."""
    windows = ", windows that reach out of it left out" if part.within else ""
    computed = f"SSIM's map as in ssim@gaussian, averaged over R, G, B and over the region{windows}:"
    return Metric(
        name=f"ssim-{part.name}",
        title=f"SSIM {part.name}",
        higher_is_better=True,
        decimals=4,
        variants=_variants(part, ssim_within if part.within else ssim, computed, f"no-{part.lacking}", ""),
    )


def psnr_of(part: Part) -> Metric:
    """The metric `psnr-PART`."""
    return Metric(
        name=f"psnr-{part.name}",
        title=f"PSNR {part.name}",
        higher_is_better=True,
        unit="dB",
        decimals=2,
        variants=_variants(
            part,
            psnr,
            "20 log10(255 / sqrt(mse)) over the pixels of",
            f"no-{part.lacking}-or-identical",
            ", or where nothing differs there,",
        ),
    )
