"""Leakage: does the clip open with the picture its method was given? A frame that was handed over is no result, and lifts every paired score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Frames, Metric
from benchmark.rows import OpeningVariant

NEAR = 30.0
"""dB. Copies that went through H.264 (crf 18) have 33 to 50, on drawn people and 60 filmed clips; first frames that a diffusion method made anew, at a
pose of their own, 13 to 15 (MimicMotion's four showcases)."""


def _errors(opening: Frames, reference: Frames) -> NDArray[np.float64]:
    """(k,) root mean squared difference of each frame and the reference, in grey levels."""
    difference = opening.astype(np.float64) - reference.astype(np.float64)
    found: NDArray[np.float64] = np.sqrt((difference * difference).mean(axis=(1, 2, 3)))
    return found


def first(opening: Frames, reference: Frames) -> float:
    """Grey levels between the first frame and the reference; 0 = the reference itself."""
    return float(_errors(opening, reference)[0])


def step(opening: Frames, reference: Frames) -> float:
    """How much farther from the reference the second frame is than the first, in grey levels. Raises Unscored(`too-short`) without a second."""
    errors = _errors(opening, reference)
    if len(errors) < 2:
        raise Unscored("too-short", "there is no second frame")
    return float(errors[1] - errors[0])


def near(opening: Frames, reference: Frames) -> float:
    """1 where the first frame's PSNR against the reference is at least NEAR, else 0."""
    return float(first(opening, reference) <= 255 / 10 ** (NEAR / 20))


_WHERE = "the reference is the case's picture, or the truth's frame known to be it (--reference-frame), both at the compared size"

SPEC = Metric(
    name="leakage",
    title="leakage",
    higher_is_better=None,
    unit="levels",
    decimals=2,
    variants=(
        OpeningVariant(
            id="rmse0",
            score=first,
            summary=f"root mean squared difference in grey levels between the clip's first frame and its reference picture, 0 = the picture itself; {_WHERE}",
            source="this project",
        ),
        OpeningVariant(
            id="step0",
            score=step,
            summary="how much farther from its reference picture the clip's second frame is than its first, in root mean squared grey levels: near 0 where "
            f"both were made, large where the first was handed over; {_WHERE}",
            source="this project",
            deviation="a scene that hardly moves has a small step whatever was handed over",
        ),
        OpeningVariant(
            id="near30",
            score=near,
            unit="share",
            summary=f"share of clips whose first frame has 30 dB or more against its reference picture: a copy, as far as PSNR can tell; {_WHERE}",
            source="this project",
            deviation="copies through H.264 have 33 to 50 dB, first frames of a diffusion method 13 to 15; but neighbouring frames of filmed clips reach 30 "
            "too where little moves: read it with step0",
        ),
    ),
)
