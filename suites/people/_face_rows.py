"""How the rows of `mediapipe-face` are laid out, and which of the 468 points are the mouth and the eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POINTS = 468
WIDTH = 1 + 2 * POINTS
"""Numbers a frame: the face's presence 0..1, then 468 times x, y in pixels; noughts where there is none."""
SURE = 0.5
MOUTH = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
"""The outer line of the lips."""
EYES = (
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
)
"""The lids of the person's left and right eye."""


def pack(faces: list[tuple[float, Floats]]) -> NDArray[np.float32]:
    """(WIDTH,) of one frame: of (presence, (468, 2) points) the face whose points reach farthest."""
    row = np.zeros(WIDTH, np.float32)
    if faces:
        presence, points = max(faces, key=lambda face: float(np.ptp(face[1], axis=0).max()))
        row[0], row[1:] = presence, points.ravel()
    return row


def unpack(rows: NDArray[np.floating]) -> tuple[NDArray[np.bool_], Floats]:
    """(n, WIDTH) -> ((n,) is a face there, (n, 468, 2) its points). ValueError for rows of another width."""
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    made = np.asarray(rows, np.float64)
    return made[:, 0] >= SURE, made[:, 1:].reshape(len(made), POINTS, 2)
