"""HKC: hand keypoint confidence. How sure a detector is of the hands it finds; a high value means hands that look like hands."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import NO_HAND, Flags, Floats, Reader, dwpose, mediapipe


def _mean(score: Floats, counted: Flags) -> Values:
    """(n,) mean of (n, ...) scores that count, NaN where none does."""
    axes = tuple(range(1, score.ndim))
    count = counted.sum(axis=axes)
    values: Values = np.where(count > 0, (score * counted).sum(axis=axes) / np.maximum(count, 1), np.nan)
    return values


def _by_hand(read: Reader, found: Found) -> Values:
    """(n,) mean score of the hands that are there."""
    hands = read(found.generated)
    return _mean(hands.score[..., 0], hands.there)


def _visible(read: Reader, found: Found) -> Values:
    """(n,) mean score of the hand points that are seen."""
    hands = read(found.generated)
    return _mean(hands.score, hands.seen)


def _all(read: Reader, found: Found) -> Values:
    """(n,) mean score of all 42 hand points of the person."""
    hands = read(found.generated)
    return _mean(hands.score, np.broadcast_to(hands.person[:, None, None], hands.score.shape))


_NAMED = "the name and the idea are CyberHost's (arXiv:2409.01876), which publishes no definition: this one is this project's"
_DWPOSE = "of the main person's hand points by DWPose, both hands; the lower of two raw responses, no probability, and not bounded by 1"

SPEC = Metric(
    name="hkc",
    title="HKC",
    higher_is_better=True,
    decimals=3,
    variants=(
        ClipVariant(
            id="mediapipe-hand",
            extractor="mediapipe-holistic",
            score=partial(_by_hand, mediapipe),
            left_out=NO_HAND,
            summary="mean over the hands of a frame of MediaPipe's presence score (0..1, one number for a whole hand: it gives none by keypoint), hands "
            "below 0.5 do not count; then mean over the frames with a hand; frames without one are left out and counted, see hand-rate",
            source=_NAMED,
        ),
        ClipVariant(
            id="dwpose-visible",
            extractor="dwpose",
            score=partial(_visible, dwpose),
            left_out=NO_HAND,
            summary=f"mean score {_DWPOSE}; points below 0.3 do not count; then mean over frames; frames without such a point are left out and counted",
            source=_NAMED,
        ),
        ClipVariant(
            id="dwpose-all",
            extractor="dwpose",
            score=partial(_all, dwpose),
            left_out="no-person",
            summary=f"mean score {_DWPOSE}; all 42 points count, hidden ones too; then mean over frames; frames without a person are left out and counted",
            source=_NAMED,
        ),
    ),
)
