"""Bringing frames to another size, frame by frame: results cannot depend on how frames are grouped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Frames


def bicubic(frames: Frames, height: int, width: int) -> Frames:
    """(n, h, w, 3) on 0..255 -> (n, height, width, 3) float32: antialiased bicubic (a = -0.5), clipped to 0..255, not rounded.

    Pillow's kernel in mode F, channel by channel, as clean-fid's `build_resizer("clean")` does (GaParmar/clean-fid @e88c4d6,
    cleanfid/resize.py). Frames of that size already are returned as they are, dtype included. ValueError for a size below 1.
    """
    if _fits(frames, height, width):
        return frames
    out = bicubic_unclipped(frames, height, width)
    return np.clip(out, 0, 255, out=out)


def bicubic_unclipped(frames: Frames, height: int, width: int) -> NDArray[np.float32]:
    """As `bicubic`, but what the kernel overshoots at edges stays below 0 and above 255; always float32.

    Wangt-CN/DisCo@c4fa48a, tool/metrics/resize.py: make_resizer("PIL", False, "bicubic", (width, height)).
    """
    from PIL import Image

    if _fits(frames, height, width):
        return frames.astype(np.float32)
    out = np.empty((len(frames), height, width, 3), np.float32)
    for i, frame in enumerate(frames):
        for c in range(3):
            plane = Image.fromarray(np.ascontiguousarray(frame[..., c], dtype=np.float32))
            out[i, ..., c] = np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC))
    return out


def cv2_bilinear(frames: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(n, h, w, 3) uint8 -> (n, height, width, 3) uint8 by OpenCV's INTER_LINEAR: four neighbours, no antialiasing, fixed point.

    What `cv2.resize(frame, (width, height))` gives by default; the order of channels does not matter. Fixed-point kernels may differ by
    one level between OpenCV builds. Frames of that size already are returned as they are. ValueError for a size below 1 or frames that
    are not uint8.
    """
    import cv2

    if frames.dtype != np.uint8:
        raise ValueError(f"cv2_bilinear is defined on uint8, not {frames.dtype}")
    if _fits(frames, height, width):
        return frames
    out = np.empty((len(frames), height, width, 3), np.uint8)
    for i, frame in enumerate(frames):
        out[i] = cv2.resize(np.ascontiguousarray(frame), (width, height), interpolation=cv2.INTER_LINEAR)
    return out


def to_size(frames: NDArray[np.uint8], size: tuple[int, int], method: str) -> Frames:
    """(n, h, w, 3) uint8 at (width, height) by a size rule's filter: `bicubic` or `cv2-bilinear`."""
    width, height = size
    return bicubic(frames, height, width) if method == "bicubic" else cv2_bilinear(frames, height, width)


def short_side(width: int, height: int, side: int) -> tuple[int, int]:
    """(width, height) whose shorter side is `side` pixels; the longer one is long * side / short rounded to the nearest integer, halves
    upwards.
    """
    if min(width, height, side) < 1:
        raise ValueError(f"sizes must be at least 1, not {width}x{height} to {side}")
    short = min(width, height)
    longer = (2 * max(width, height) * side + short) // (2 * short)
    return (side, longer) if width <= height else (longer, side)


def _fits(frames: Frames, height: int, width: int) -> bool:
    """Are the frames of that size already? ValueError for what cannot be frames or a size."""
    if frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(f"frames must be (n, h, w, 3), not {frames.shape}")
    if height < 1 or width < 1:
        raise ValueError(f"a picture of {width}x{height} cannot be")
    return frames.shape[1:3] == (height, width)
