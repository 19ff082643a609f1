"""Hand rate: in how many frames is there a hand? What HKC and HKV cannot say, because they look only where hands are."""

from __future__ import annotations

from functools import partial

from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import Reader, mediapipe


def _any(read: Reader, found: Found) -> Values:
    """(n,) 1 where a hand is there, else 0."""
    values: Values = read(found.generated).seen.any(axis=1).astype(float)
    return values


SPEC = Metric(
    name="hand-rate",
    title="hand rate",
    higher_is_better=True,
    decimals=3,
    variants=(
        ClipVariant(
            id="mediapipe-hand",
            extractor="mediapipe-holistic",
            score=partial(_any, mediapipe),
            summary="share of frames in which MediaPipe finds at least one hand with a presence of 0.5",
            source="this project",
        ),
    ),
)
