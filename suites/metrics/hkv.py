"""HKV: hand keypoint variance. How much the hands move over a clip; neither much nor little is better without a truth to hold it against."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import Reader, mediapipe, scale, some
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
    return some(variance((hands.points - hands.points[:, :, :1]) / unit, hands.seen))


def _displacement(read: Reader, found: Found) -> float:
    hands = read(found.generated)
    return some(displacement(hands.points * scale(found), hands.seen), "no hand is seen in 8 frames on end")


_NAMED = "the name and the idea are CyberHost's (arXiv:2409.01876), which publishes no definition: this one is this project's"
_OVER = (
    f"keypoints of a hand that MediaPipe sees (presence 0.5) in at least {FEWEST} frames; mean over keypoints, then over the hands; no such hand leaves "
    "the clip unscored"
)

SPEC = Metric(
    name="hkv",
    title="HKV",
    higher_is_better=None,
    unit="px2",
    decimals=1,
    variants=(
        ClipVariant(
            id="mediapipe-px512",
            extractor="mediapipe-holistic",
            score=partial(_absolute, mediapipe),
            summary=f"var_t x + var_t y (ddof 0) in pixels at a short side of 512, over the {_OVER}",
            source=_NAMED,
        ),
        ClipVariant(
            id="mediapipe-wrist",
            extractor="mediapipe-holistic",
            score=partial(_wrist, mediapipe),
            unit="shoulders2",
            decimals=4,
            summary="as mediapipe-px512, but positions relative to the wrist, in the clip's median distance between the shoulders: how much the fingers "
            f"move, wherever the arm is and however large the person; over the {_OVER}",
            source=_NAMED,
        ),
        ClipVariant(
            id="mediapipe-displacement",
            extractor="mediapipe-holistic",
            score=partial(_displacement, mediapipe),
            unit="px/frame",
            decimals=2,
            summary="mean way of a keypoint between neighbouring frames in pixels at a short side of 512: the displacement that some papers mean by the same "
            f"name; over the {_OVER}",
            source=_NAMED,
        ),
    ),
)
