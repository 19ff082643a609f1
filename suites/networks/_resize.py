"""Bringing pictures to Inception's 299 x 299 as the FID packages do, frame by frame: results cannot depend on how frames are grouped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def bilinear(pixels: Floats, side: int, antialias: bool) -> Floats:
    """(n, h, w, 3) float32 on any range -> (n, side, side, 3): torch's bilinear `interpolate`, align_corners=False.

    Without antialiasing each output pixel weighs four neighbours whatever the size; with it, the triangle widens with the reduction.
    """
    import torch

    out = np.empty((len(pixels), side, side, 3), np.float32)
    for i, picture in enumerate(pixels):
        planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
        made = torch.nn.functional.interpolate(planes, size=(side, side), mode="bilinear", align_corners=False, antialias=antialias)
        out[i] = made[0].permute(1, 2, 0).numpy()
    return out


def tf1_bilinear(pixels: Floats, side: int) -> Floats:
    """(n, h, w, 3) float32 -> (n, side, side, 3): bilinear as TensorFlow 1 with align_corners=False, which is not centred.

    Output pixel j sits at j * size / side of the input, in float32, and weighs that pixel and the next; the last one is repeated. No
    antialiasing. First along rows, then along columns, as torch-fidelity does it.
    """
    out = np.empty((len(pixels), side, side, 3), np.float32)
    (top, bottom, down), (left, right, along) = (_places(size, side) for size in pixels.shape[1:3])
    for i, picture in enumerate(pixels):
        first = picture[:, left]
        rows = first + (picture[:, right] - first) * along[:, None]
        upper = rows[top]
        out[i] = upper + (rows[bottom] - upper) * down[:, None, None]
    return out


def _places(size: int, side: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """(side,) index of the pixel before and after each place, and how far the place is between them."""
    place = np.arange(side, dtype=np.float32) * np.float32(size / side)
    before = place.astype(np.intp)
    between: Floats = (place - before.astype(np.float32)).astype(np.float32)
    return before, np.minimum(before + 1, size - 1), between
