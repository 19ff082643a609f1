"""HKV: hand keypoint variance. How much the hands move over a clip; neither much nor little is better without a truth to hold it against."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import DETECTORS, By, Reader, scale, some
from suites.people._spread import FEWEST, displacement, variance


def _absolute(read: Reader, found: Found) -> float:
    hands = read(found.generated)
    return some(variance(hands.points * scale(found), hands.seen))


def _wrist(read: Reader, found: Found) -> float:
    """Relative to the wrist (the first of a hand's points), in the clip's median distance of the shoulders."""
    hands = read(found.generated)
    if np.isfinite(hands.shoulders).sum() < FEWEST:
        raise Unscored("no-shoulders", f"both shoulders are seen in {int(np.isfinite(hands.shoulders).sum())} frames, {FEWEST} are needed")
    unit = float(np.nanmedian(hands.shoulders))
    # The wrist itself cannot move against itself and does not count.
    return some(variance((hands.points - hands.points[:, :, :1])[:, :, 1:] / unit, (hands.seen & hands.seen[:, :, :1])[:, :, 1:]))


def _displacement(read: Reader, found: Found) -> float:
    hands = read(found.generated)
    return some(displacement(hands.points * scale(found), hands.seen), "no hand is seen in 8 frames on end")


_NAMED = "the name and the idea are CyberHost's (arXiv:2409.01876), which publishes no definition: this one is this project's"


def _variants(by: By) -> tuple[ClipVariant, ...]:
    over = (
        f"keypoints {by.words} in at least {FEWEST} frames; mean over keypoints, then over the hands; no such hand leaves the clip unscored"
    )
    return (
        ClipVariant(
            id=f"{by.name}-px512",
            extractor=by.extractor,
            score=partial(_absolute, by.read),
            summary=f"var_t x + var_t y (ddof 0) in pixels at a short side of 512, over the {over}",
            source=_NAMED,
        ),
        ClipVariant(
            id=f"{by.name}-wrist",
            extractor=by.extractor,
            score=partial(_wrist, by.read),
            unit="shoulders2",
            decimals=4,
            summary=f"as {by.name}-px512, but positions of the 20 others relative to the wrist, in the clip's median distance between the shoulders: how "
            f"much the fingers move, wherever the arm is and however large the person; over the {over}",
            source=_NAMED,
        ),
        ClipVariant(
            id=f"{by.name}-displacement",
            extractor=by.extractor,
            score=partial(_displacement, by.read),
            unit="px/frame",
            decimals=2,
            summary="mean way of a keypoint between neighbouring frames in pixels at a short side of 512: the displacement that some papers mean by the same "
            f"name; over the {over}",
            source=_NAMED,
        ),
    )


SPEC = Metric(
    name="hkv",
    title="HKV",
    higher_is_better=None,
    unit="px2",
    decimals=1,
    variants=tuple(variant for by in DETECTORS for variant in _variants(by)),
)
