"""HKC: hand keypoint confidence. How sure a detector is of the hands it finds; a high value means hands that look like hands."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import NO_HAND, Reader, mediapipe


def _by_hand(read: Reader, found: Found) -> Values:
    """(n,) mean score of the hands that are there, NaN where none is."""
    hands = read(found.generated)
    count = hands.seen.sum(axis=1)
    values: Values = np.where(count > 0, (hands.score * hands.seen).sum(axis=1) / np.maximum(count, 1), np.nan)
    return values


_NAMED = "the name and the idea are CyberHost's (arXiv:2409.01876), which publishes no definition: this one is this project's"

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
    ),
)
