"""Hand rate: in how many frames is there a hand? What HKC and HKV cannot say, because they look only where hands are."""

from __future__ import annotations

from functools import partial

from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import DWPOSE, GIVEN, MEDIAPIPE, MOST, By, Reader


def _any(read: Reader, found: Found) -> Values:
    """(n,) 1 where a hand is there, else 0."""
    values: Values = read(found.generated).there.any(axis=1).astype(float)
    return values


def _variant(by: By, when: str) -> ClipVariant:
    return ClipVariant(
        id=f"{by.name}-hand",
        extractor=by.extractor,
        score=partial(_any, by.read),
        summary=f"share of frames in which {when}",
        source="this project",
    )


SPEC = Metric(
    name="hand-rate",
    title="hand rate",
    higher_is_better=True,
    decimals=3,
    variants=(
        _variant(MEDIAPIPE, "MediaPipe finds at least one hand with a presence of 0.5"),
        _variant(DWPOSE, f"DWPose sees at least {MOST} of the 21 points of one of the main person's hands (raw score at least 0.3)"),
        _variant(GIVEN, f"the file beside the clip has at least {MOST} of the 21 points of a hand"),
    ),
)
