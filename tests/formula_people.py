"""Inputs of the people metrics that need no file and no random generator: detector output, keypoint responses, face boxes and flow from a name.

The numbers in tests/fixtures/{dwpose,qalign,vbench_dynamic_degree}.json were measured on exactly these inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.formula import hashed

ANCHORS = 8400
PLANTED = (
    (8400 - 400 + 130, 1.9, 2.4, 0.95, 0, 0.90),
    (8400 - 400 + 131, 1.9, 2.4, 0.90, 0, 0.90),
    (6400 + 530, 2.2, 2.9, 0.80, 0, 0.70),
    (6400 + 1100, 2.2, 2.9, 0.60, 0, 0.45),
    (6400 + 1200, 2.0, 2.0, 0.90, 16, 0.90),
    (3000, 2.5, 3.0, 0.70, 0, 0.85),
)
"""Detections in `yolox_raw`: anchor, logarithms of width and height in strides, objectness, class, its score. By rows: a person at stride 32; its
neighbour, which suppression removes; a person at stride 16; one of score 0.27; another class; a person at stride 8."""


def uniform(key: str, shape: Sequence[int]) -> NDArray[np.float64]:
    """Multiples of 2**-24 in [0, 1), in C order."""
    bits = hashed(key, int(np.prod(shape, dtype=np.int64))) >> np.uint64(40)
    return (bits.astype(np.float64) / 2.0**24).reshape(tuple(shape))


def face_boxes(
    name: str, frames: Iterable[int], cx: float, cy: float, side: float, jitter: float = 2.0, vx: float = 0.0, vy: float = 0.0
) -> list[list[float]]:
    """One [x1, y1, x2, y2] a frame number: `side` wide, 1.2 times as tall, the centre moved by (vx, vy) a frame; centre, width and height
    trembling within +-jitter."""
    found = []
    for frame in frames:
        shake = jitter * (2.0 * uniform(f"box {name} {int(frame)}", (4,)) - 1.0)
        x, y, w, h = cx + vx * frame + shake[0], cy + vy * frame + shake[1], side + shake[2], 1.2 * side + shake[3]
        found.append([float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2)])
    return found


def simcc(name: str, k: int, width: int, peaks: ArrayLike) -> NDArray[np.float32]:
    """(1, k, width) responses of k points along one axis: noise below 0.05 and, at a hashed place, a triangle of height peaks[i] that ends 6 away."""
    noise = 0.05 * uniform(f"simcc noise {name}", (k, width))
    place = (hashed(f"simcc at {name}", k) % np.uint64(width)).astype(np.int64)
    away = np.abs(np.arange(width)[None] - place[:, None])
    made = noise + np.asarray(peaks, np.float64)[:, None] * np.maximum(0.0, 1.0 - away / 6.0)
    return made[None].astype(np.float32)


def yolox_raw(name: str = "yolox", classes: int = 80) -> NDArray[np.float32]:
    """(1, 8400, 5 + classes) output of a detector at 640x640: scores below 0.2 everywhere but at the `PLANTED` anchors."""
    raw = np.concatenate(
        [
            2.0 * uniform(f"{name} xy", (ANCHORS, 2)) - 0.5,
            3.0 * uniform(f"{name} wh", (ANCHORS, 2)) + 1.0,
            0.2 * uniform(f"{name} scores", (ANCHORS, 1 + classes)),
        ],
        axis=1,
    )
    for anchor, w, h, objectness, label, score in PLANTED:
        raw[anchor, 2:5] = w, h, objectness
        raw[anchor, 5 + label] = score
    return raw[None].astype(np.float32)


def flow(name: str, h: int, w: int, scale: float) -> NDArray[np.float32]:
    """(2, h, w) flow in pixels: hashed in +-1, times a ramp from 0 at the left edge to `scale` at the right one."""
    return ((2.0 * uniform(f"flow {name}", (2, h, w)) - 1.0) * scale * np.arange(w) / (w - 1)).astype(np.float32)
