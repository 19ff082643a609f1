"""Rows of faces: what a face detector finds in one frame, at most `FACES` of them, in the order in which it lists them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FACES = 16
WIDTH = 1 + 5 * FACES
"""Numbers a frame: how many faces, then x1, y1, x2, y2 in pixels and the score of each; noughts after the last."""


def pack(faces: NDArray[np.floating]) -> NDArray[np.float32]:
    """(faces, 5) x1, y1, x2, y2, score, best first -> (WIDTH,); those after the sixteenth are left out."""
    row = np.zeros(WIDTH, np.float32)
    kept = np.asarray(faces, np.float32).reshape(-1, 5)[:FACES]
    row[0], row[1 : 1 + kept.size] = len(kept), kept.ravel()
    return row


def unpack(rows: NDArray[np.floating]) -> list[NDArray[np.float64]]:
    """(n, WIDTH) -> for every frame its boxes (faces, 4). ValueError for rows of another width."""
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    return [np.asarray(row[1 : 1 + 5 * int(row[0])], np.float64).reshape(-1, 5)[:, :4] for row in rows]


def listed(rows: NDArray[np.floating]) -> list[Sequence[NDArray[np.float64]]]:
    """As `unpack`, the boxes of a frame one by one."""
    return [list(boxes) for boxes in unpack(rows)]
