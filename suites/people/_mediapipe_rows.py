"""How the rows of `mediapipe-holistic` are laid out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POSE, HAND = 33, 21
WIDTH = 1 + 3 * POSE + 2 * (1 + 2 * HAND)
"""Numbers a frame: the pose's presence, 33 times x, y, visibility; then for the left and the right hand presence and 21 times x, y."""
SURE = 0.5
"""A person, a landmark of the body or a hand counts from this presence or visibility on."""
SHOULDERS = (11, 12)


@dataclass(frozen=True)
class Holistic:
    """pose: (n, 33, 3) x, y in pixels and visibility 0..1; person: (n,) presence; hands: (n, 2, 21, 2) left and right in pixels; presence: (n, 2) of
    each hand, 0 where none was looked for."""

    person: Floats
    pose: Floats
    hands: Floats
    presence: Floats

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n, 2) is a hand there?"""
        found: NDArray[np.bool_] = self.presence >= SURE
        return found


def pack(pose: tuple[float, Floats] | None, hands: tuple[tuple[float, Floats] | None, tuple[float, Floats] | None]) -> NDArray[np.float32]:
    """(WIDTH,) of one frame: (presence, (33, 3)) of the person, (presence, (21, 2)) of the left and right hand; None = nothing there, all noughts."""
    row = np.zeros(WIDTH, np.float32)
    if pose is not None:
        row[0], row[1 : 1 + 3 * POSE] = pose[0], pose[1].ravel()
    for side, hand in enumerate(hands):
        start = 1 + 3 * POSE + side * (1 + 2 * HAND)
        if hand is not None:
            row[start], row[start + 1 : start + 1 + 2 * HAND] = hand[0], hand[1].ravel()
    return row


def unpack(rows: NDArray[np.floating]) -> Holistic:
    """(n, WIDTH) -> its parts in float64."""
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    made = np.asarray(rows, np.float64)
    n, end = len(made), 1 + 3 * POSE
    hands = made[:, end:].reshape(n, 2, 1 + 2 * HAND)
    return Holistic(made[:, 0], made[:, 1:end].reshape(n, POSE, 3), hands[..., 1:].reshape(n, 2, HAND, 2), hands[..., 0])
