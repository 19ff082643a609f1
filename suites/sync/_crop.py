"""The face that SyncNet sees: a smoothed square about a track's boxes, cut out of every frame and resized to 224 x 224 pixels.

After joonson/syncnet_python@6efbb1c run_pipeline.py, crop_video; bytedance/LatentSync@a229c39 eval/syncnet_detect.py, crop_video, and
congwei1230/MoChaBench@043908d eval-lipsync/script/syncnet_pipeline.py, SyncNetPipeline._crop, cut the same pixels. Here nothing is compressed:
the originals write the crops as a video and read them back from JPEGs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suites.networks._syncnet import SIDE

SCALE = 0.40
"""The crop reaches 1 + SCALE half sides to the left and right, and 1 + 2 * SCALE below the centre; one half side above it."""
GREY = 110
"""Fills what lies outside the frame."""
MEDIAN = 13
"""Frames over which positions and sizes are smoothed."""
Doubles = NDArray[np.float64]


class Rectangle(NamedTuple):
    """A crop in the coordinates of a frame with `margin` pixels added on every side: rows top..bottom-1, columns left..right-1."""

    margin: int
    top: int
    bottom: int
    left: int
    right: int


def median_filter(values: Doubles, size: int = MEDIAN) -> Doubles:
    """(n,) -> (n,) running median of an odd number of values, with zeros before and after (scipy.signal.medfilt).

    The zeros pull the ends down: for 13 the first value becomes the smallest of the first seven. ValueError for an even size.
    """
    if size % 2 == 0:
        raise ValueError(f"the median is taken over an odd number of values, not {size}")
    around = np.pad(np.asarray(values, np.float64), size // 2)
    return np.sort(np.lib.stride_tricks.sliding_window_view(around, size), axis=1)[:, size // 2]


def smoothed(boxes: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Boxes (n, 4) x1, y1, x2, y2 -> x and y of the centre and half the longer side, each (n,) in pixels and filtered on its own."""
    x1, y1, x2, y2 = np.asarray(boxes, np.float64).T
    return median_filter((x1 + x2) / 2), median_filter((y1 + y2) / 2), median_filter(np.maximum(y2 - y1, x2 - x1) / 2)


def rectangle(x: float, y: float, half: float) -> Rectangle:
    """Where to cut for a centre and half side in pixels. Every edge is rounded towards zero, so the sides can differ by a pixel."""
    margin = int(half * (1 + 2 * SCALE))
    middle, across = y + margin, x + margin
    reach = half * (1 + SCALE)
    return Rectangle(margin, int(middle - half), int(middle + half * (1 + 2 * SCALE)), int(across - reach), int(across + reach))


def cut(frame: NDArray[np.uint8], where: Rectangle) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 -> the rectangle's pixels as they are, grey 110 outside the frame; cut short where it ends beyond the margin.

    ValueError for a rectangle that starts outside the margin or has no pixels, on which the original fails too.
    """
    margin, top, bottom, left, right = where
    around = np.pad(frame, ((margin, margin), (margin, margin), (0, 0)), constant_values=GREY)
    found: NDArray[np.uint8] = around[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if min(top, left) < 0 or not found.size:
        raise ValueError(f"the face at {where} lies outside the frame of {frame.shape[1]}x{frame.shape[0]} pixels")
    return found


def crops(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], boxes: Doubles) -> NDArray[np.uint8]:
    """Frames n x (h, w, 3) uint8 of a track and its boxes (n, 4) -> (n, 224, 224, 3) uint8, in the frames' own order of channels.

    OpenCV's bilinear resize on uint8, without antialiasing, aspect not kept. ValueError where their numbers differ or as of `cut`.
    """
    if len(frames) != len(boxes):
        raise ValueError(f"{len(frames)} frames and {len(boxes)} boxes: a track has one box a frame")
    return np.stack([square(frame, where) for frame, where in zip(frames, rectangles(boxes), strict=True)])


def rectangles(boxes: Doubles) -> list[Rectangle]:
    """Where to cut in every frame of a track with these boxes (n, 4)."""
    return [rectangle(x, y, half) for x, y, half in zip(*smoothed(boxes), strict=True)]


def square(frame: NDArray[np.uint8], where: Rectangle) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 -> (224, 224, 3) uint8 of the rectangle; errors as of `cut`."""
    import cv2

    made: NDArray[np.uint8] = np.asarray(cv2.resize(cut(frame, where), (SIDE, SIDE)), np.uint8)
    return made
