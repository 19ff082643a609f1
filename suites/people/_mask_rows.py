"""How a person's mask is kept as a row of numbers, and what the background is. Definitions of this project."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
SIDE = 256
"""Pixels a side of the mask: that of MediaPipe's network."""
WIDTH = SIDE * SIDE // 16
"""Numbers a frame: sixteen pixels each, row by row, the first one the highest bit. Whole numbers below 2^16, which float32 holds exactly."""
GROW = 0.02
"""The person is dilated by this part of the picture's short side, at least by four pixels, before the rest is called background."""
LEAST = 0.005
"""A person of less than this share of the picture is none."""


def pack(mask: Mask) -> NDArray[np.float32]:
    """(SIDE, SIDE) -> (WIDTH,). ValueError for another shape."""
    if mask.shape != (SIDE, SIDE):
        raise ValueError(f"expected {(SIDE, SIDE)}, found {mask.shape}")
    return np.packbits(mask.astype(np.bool_)).view(">u2").astype(np.float32)


def unpack(rows: NDArray[np.floating]) -> Mask:
    """(n, WIDTH) -> (n, SIDE, SIDE). ValueError for rows of another width."""
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    bits = np.unpackbits(np.ascontiguousarray(np.asarray(rows).astype(">u2")).view(np.uint8), axis=1)
    return bits.reshape(len(rows), SIDE, SIDE).astype(np.bool_)


def grown(mask: Mask, width: int, height: int) -> Mask:
    """(SIDE, SIDE) -> (height, width): each pixel as the cell its centre lies in, then dilated by a disc as GROW says."""
    import cv2

    large = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    radius = max(4, round(GROW * min(width, height)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    found: Mask = cv2.dilate(large, disc) > 0
    return found
