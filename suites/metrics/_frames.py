"""What the frame metrics share: checking a pair of frame arrays, and counting or taking their differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Counted, Frames, Values

SQUARES = np.arange(256, dtype=np.int64) ** 2
"""(256,) square of a difference of 0..255 grey levels."""


def check(generated: Frames, truth: Frames, counted: Counted | None, smallest: int = 1) -> None:
    """Refuse what no variant can score.

    Raises ValueError where the shapes are not equal (n, h, w, 3), a side is shorter than `smallest` or `counted` is not (h, w);
    Unscored `all-ignored` where `counted` leaves no pixel.
    """
    if generated.shape != truth.shape or truth.ndim != 4 or truth.shape[3] != 3:
        raise ValueError(f"both sides must share one shape (n, h, w, 3), not {generated.shape} and {truth.shape}")
    height, width = truth.shape[1:3]
    if min(height, width) < smallest:
        raise ValueError(f"frames of {width}x{height} pixels are too small: the shorter side must have {smallest}")
    if counted is not None and counted.shape != (height, width):
        raise ValueError(f"counted must have the shape {(height, width)} of the frames, not {counted.shape}")
    if counted is not None and not counted.any():
        raise Unscored("all-ignored", "no pixel of the picture is counted")


def levels(frames: Frames) -> NDArray[np.uint8]:
    """The frames in whole grey levels: uint8 as they are, float32 rounded half to even."""
    return frames if frames.dtype == np.uint8 else np.rint(frames).astype(np.uint8)  # type: ignore[return-value]


def histogram(generated: NDArray[np.uint8], truth: NDArray[np.uint8], counted: Counted | None) -> NDArray[np.int64]:
    """(n, 256) how many samples of each frame differ by 0, 1, ... 255 grey levels; only the pixels that count.

    Integers: what is computed from it cannot depend on the order of pixels, of frames or of the two sides.
    """
    rows = np.zeros((len(truth), 256), np.int64)
    for row, a, b in zip(rows, generated, truth, strict=True):
        difference = np.maximum(a, b) - np.minimum(a, b)
        row[:] = np.bincount((difference if counted is None else difference[counted]).ravel(), minlength=256)
    return rows


def mean_of_powers(generated: Frames, truth: Frames, counted: Counted | None, power: int) -> Values:
    """(n,) mean of |generated - truth| ** power over the pixels that count and all three channels, in grey levels ** power; power 1 or 2.

    uint8 on both sides: exact integer sums. Otherwise each frame's differences are taken and added in float64.
    """
    check(generated, truth, counted)
    values = np.empty(len(truth))
    if generated.dtype == truth.dtype == np.uint8:
        import cv2

        norm, mask = cv2.NORM_L2SQR if power == 2 else cv2.NORM_L1, None if counted is None else counted.astype(np.uint8)
        samples = truth.shape[1] * truth.shape[2] * 3 if counted is None else 3 * int(counted.sum())
        for i, (a, b) in enumerate(zip(generated, truth, strict=True)):
            # OpenCV adds integers, but may square a root it took: rounding makes that exact again (sums stay far below 2^51)
            values[i] = round(cv2.norm(a, b, norm, mask)) / samples
        return values
    for i, (a, b) in enumerate(zip(generated, truth, strict=True)):
        difference = a.astype(np.float64) - b
        if counted is not None:
            difference = difference[counted]
        values[i] = np.mean(np.square(difference) if power == 2 else np.abs(difference))
    return values
