"""SD: subject dynamics. How fast the person in the foreground moves; a still picture has none, and more is better only up to the truth's."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.networks.selfie_flow import RATE
from suites.people._dynamics import LEAST


def _speed(column: int, per_second: bool, found: Found) -> float:
    """Mean over the pairs of frames that show a person."""
    there = found.generated[:, 0] >= LEAST
    if not there.any():
        raise Unscored("no-person", "no frame shows a person")
    value = float(found.generated[there, column].astype(np.float64).mean())
    return value * min(found.fps or RATE, RATE) if per_second else value


_HOW = (
    "mean length of the optical flow inside the person's mask, pixels at a short side of 512 from one frame to the next at 8 frames a second (slower "
    "clips at their own rate); mean over pixels, pairs, clips; pairs without a person do not count"
)
_SOURCE = "FantasyTalking2 (arXiv:2508.11255) names SAM's mask times RAFT's flow and publishes no definition: this one is this project's"
_COST = "On two CPU cores a pair of frames takes SAM about {sam} s and RAFT 5: a GPU's work"


def _variants(stem: str, extractor: str, note: str, deviation: str) -> tuple[ClipVariant, ...]:
    """Pixels a pair, pixels a second, and without the camera, on the rows of one extractor."""
    source = f"{_SOURCE}{note}"
    return (
        ClipVariant(
            id=stem,
            extractor=extractor,
            score=partial(_speed, 1, False),
            summary=_HOW,
            source=source,
            deviation=deviation,
        ),
        ClipVariant(
            id=f"{stem}-second",
            extractor=extractor,
            score=partial(_speed, 1, True),
            unit="px/s",
            decimals=1,
            summary=f"as {stem}, times the rate: pixels a second; {_HOW}",
            source=source,
        ),
        ClipVariant(
            id=f"{stem}-camfree",
            extractor=extractor,
            score=partial(_speed, 2, False),
            summary=f"as {stem}, after the background's median flow is taken off: what is left when the camera moves; {_HOW}",
            source=source,
        ),
    )


SPEC = Metric(
    name="sd",
    title="SD",
    higher_is_better=True,
    unit="px",
    decimals=2,
    variants=(
        *_variants(
            "selfie-dis",
            "selfie-dis",
            ", with light networks",
            "DIS sees fast limbs slower than they are: on ten drawn people with exact masks and flow 0.61 to 1.08 of the true speed, 0.85 on average",
        ),
        *_variants("sam-raft-1", "sam-raft", "", _COST.format(sam=85)),
        *_variants("sam-b-raft-1", "sam-b-raft", ", with the smallest SAM", _COST.format(sam=20)),
    ),
)
