"""Boxes of persons as DWPose finds them: what YOLOX is fed, and what its output means.

All of it after IDEA-Research/DWPose@3dca5db ControlNet-v1-1-nightly/annotator/dwpose/onnxdet.py; antgroup/echomimic_v2@a312dec
src/models/dwpose/onnxdet.py gives the same bits. The network is a function of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 640
"""Pixels a side of the network's input."""
FILL = 114
"""Grey level around the picture."""
STRIDES = (8, 16, 32)
ANCHORS = sum((SIDE // stride) ** 2 for stride in STRIDES)
PERSON = 0
"""The class of persons among COCO's 80."""
CANDIDATE = 0.1
"""Scores must be above it before boxes suppress each other,"""
SCORE = 0.3
"""and above this one in the end."""
OVERLAP = 0.45
"""Of two boxes that share more than this part of their union, the one of lower score goes."""

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Detector = Callable[[Floats], Floats]
"""(1, 3, 640, 640) grey levels -> (1, 8400, 5 + classes): per anchor centre, logarithm of size, objectness, class scores."""


def letterbox(picture: Picture) -> tuple[Floats, float]:
    """(h, w, 3) uint8 -> ((3, 640, 640) float32 on 0..255, ratio): enlarged or reduced by `ratio`, at the top left of a grey square.

    The larger side becomes 640, the other is cut off to whole pixels; bilinear (OpenCV), rounded to grey levels. Channels stay in their order:
    DWPose's example passes blue first, EchoMimicV2 red first. ValueError for anything but (h, w, 3) uint8, and where a side would vanish.
    """
    import cv2

    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture is (h, w, 3) uint8, not {picture.shape} {picture.dtype}")
    height, width = picture.shape[:2]
    ratio = min(SIDE / height, SIDE / width)
    size = (int(width * ratio), int(height * ratio))
    if min(size) < 1:
        raise ValueError(f"{height}x{width} is too narrow for a square of {SIDE}")
    square = np.full((SIDE, SIDE, 3), FILL, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(square.transpose(2, 0, 1), np.float32), ratio


@cache
def _grid() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """((8400, 2) x and y of each anchor's cell, (8400, 1) its stride): strides 8, 16, 32, rows from the top."""
    cells, strides = [], []
    for stride in STRIDES:
        n = SIDE // stride
        y, x = np.divmod(np.arange(n * n, dtype=np.int64), n)
        cells.append(np.stack([x, y], axis=1))
        strides.append(np.full((n * n, 1), stride, np.int64))
    return np.concatenate(cells), np.concatenate(strides)


def decode(raw: Floats) -> Floats:
    """(1, 8400, 5 + classes) of the network -> (8400, 5 + classes): centre and size in pixels of the 640 square; scores as they are.

    ValueError for another shape.
    """
    if raw.ndim != 3 or raw.shape[:2] != (1, ANCHORS) or raw.shape[2] < 6:
        raise ValueError(f"the detector gives (1, {ANCHORS}, 5 + classes), not {raw.shape}")
    cells, strides = _grid()
    decoded: NDArray[Any] = raw[0].astype(np.float32)
    decoded[:, :2] = (decoded[:, :2] + cells) * strides
    decoded[:, 2:4] = np.exp(decoded[:, 2:4]) * strides
    result: Floats = decoded
    return result


def boxes_and_scores(decoded: Floats, ratio: float) -> tuple[Floats, Floats]:
    """((8400, 4) x1, y1, x2, y2 in pixels of the picture, not clipped to it; (8400, classes) objectness times class score)."""
    centre, half = decoded[:, :2], decoded[:, 2:4] / np.float32(2)
    boxes: Floats = (np.concatenate([centre - half, centre + half], axis=1) / np.float32(ratio)).astype(np.float32, copy=False)
    scores: Floats = decoded[:, 4:5] * decoded[:, 5:]
    return boxes, scores


def suppress(boxes: Floats, scores: Floats) -> NDArray[np.intp]:
    """Which of (n, 4) boxes of one class remain, best (n,) score first: every box removes those that share more than 0.45 of the union.

    Sizes are counted with one pixel more, as if corners were pixels.
    """
    left, top, right, bottom = boxes.T
    areas = (right - left + 1) * (bottom - top + 1)
    order = scores.argsort(kind="stable")[::-1]
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest]) + 1
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest]) + 1
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        order = rest[shared / (areas[best] + areas[rest] - shared) <= OVERLAP]
    return np.array(kept, np.intp)


def candidates(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """((n, 4) boxes, (n,) scores) of one class above 0.1 that are left by suppression, best first."""
    above = scores > CANDIDATE
    boxes, scores = boxes[above], scores[above]
    kept = suppress(boxes, scores)
    return boxes[kept], scores[kept]


def persons(raw: Floats, ratio: float) -> Floats:
    """(n, 4) x1, y1, x2, y2 of the persons in the network's output, in pixels of the picture, best first; (0, 4) where there are none.

    A person is a box of class 0 that is left among the candidates and scores above 0.3. Boxes may reach beyond the picture.
    """
    boxes, scores = boxes_and_scores(decode(raw), ratio)
    found, score = candidates(boxes, scores[:, PERSON])
    return found[score > SCORE]


def or_whole(boxes: Floats, height: int, width: int) -> NDArray[np.floating[Any]]:
    """(n, 4) boxes, n > 0: those given, or, where there are none, one that is the whole picture: a picture without a person is posed as if it were one.

    Rule of onnxpose.py `preprocess`. Who must know that nobody was found asks `persons`.
    """
    return boxes if len(boxes) else np.array([[0, 0, width, height]], np.float64)


def detect(picture: Picture, network: Detector) -> Floats:
    """(n, 4) boxes of the persons in a (h, w, 3) uint8 picture; (0, 4) where there are none."""
    pixels, ratio = letterbox(picture)
    return persons(network(pixels[None]), ratio)
