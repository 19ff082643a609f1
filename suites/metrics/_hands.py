"""What the hand metrics share: where the hands are, by detector, in pixels of a picture whose short side is 512."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.rows import Found, Rows
from suites.people._mediapipe_rows import SHOULDERS, SURE, unpack

Floats = NDArray[np.float64]
SHORT_SIDE = 512.0
"""Positions are carried to this short side before they are compared, so that a clip's size is no matter."""
NO_HAND = "no-hand"


@dataclass(frozen=True)
class Hands:
    """points: (n, 2, k, 2) left and right, pixels of the compared picture. seen: (n, 2). score: (n, 2) of the whole hand. shoulders: (n,) pixels
    between them, NaN where they are not seen. body: (n, b, 2) further points, body_seen: (n, b)."""

    points: Floats
    seen: NDArray[np.bool_]
    score: Floats
    shoulders: Floats
    body: Floats
    body_seen: NDArray[np.bool_]


def mediapipe(rows: Rows) -> Hands:
    """Rows of `mediapipe-holistic`."""
    found = unpack(rows)
    left, right = (found.pose[:, k] for k in SHOULDERS)
    apart = np.sqrt(((left - right)[:, :2] ** 2).sum(axis=1))
    there = (found.person >= SURE) & (left[:, 2] >= SURE) & (right[:, 2] >= SURE)
    visible = (found.pose[..., 2] >= SURE) & (found.person >= SURE)[:, None]
    return Hands(found.hands, found.seen, found.presence, np.where(there, apart, np.nan), found.pose[..., :2], visible)


Reader = Callable[[Rows], Hands]


def scale(found: Found) -> float:
    """Factor that brings the compared picture to the short side of 512."""
    return SHORT_SIDE / min(found.size)


def some(value: float | None, why: str = "no hand is seen in 8 frames") -> float:
    """The value; Unscored(`no-hand`) where there is none."""
    if value is None:
        raise Unscored(NO_HAND, why)
    return value
