"""SSIM of the hands: the whole picture's SSIM map, averaged over the hands only."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Metric
from benchmark.rows import RegionVariant
from suites.metrics._hands import DETECTORS, NO_HAND
from suites.metrics._region_scores import WHERE, over_hands
from suites.metrics.ssim import gaussian_maps
from suites.people._regions import Mask

_BORDER = 5


def _over(generated: NDArray[np.generic], truth: NDArray[np.generic], mask: Mask) -> float:
    """Mean of the map over the region's positions whose window lies in the picture; NaN where there is none."""
    inner = mask[_BORDER:-_BORDER, _BORDER:-_BORDER]
    if not inner.any():
        return float("nan")
    rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
    # Only what the windows of the region reach is filtered: the same numbers as of the whole map.
    part = np.s_[rows[0] : rows[-1] + 1 + 2 * _BORDER, columns[0] : columns[-1] + 1 + 2 * _BORDER]
    chosen = inner[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return float(np.mean([mapped[chosen].mean() for mapped in gaussian_maps(generated[part], truth[part])]))


_MAP = "SSIM's map as in ssim@gaussian, averaged over the region and R, G, B; each hand one sample, then the frame, then the clip"
SPEC = Metric(
    name="ssim-hand",
    title="SSIM hand",
    higher_is_better=True,
    decimals=4,
    variants=tuple(
        RegionVariant(
            id=f"{by.name}-{rule}",
            extractor=by.extractor,
            score=partial(over_hands, _over, by.read, rule),
            left_out=NO_HAND,
            summary=f"{_MAP}; the region is {where}; the keypoints {by.words}; frames in whose truth there is no hand are left out and counted",
            source="IPA (arXiv:2605.07545) names the metric and publishes no definition: this one is this project's",
        )
        for by in DETECTORS
        for rule, where in WHERE.items()
    ),
)
