"""Inputs of the audio and face tests by closed formula: sound, embeddings, face boxes. No file, no random generator.

Noise comes from tests/formula.py; the sines make it platform dependent in the last bit of float64, which rounding to int16 removes. The
fixtures hold the hashes of the sounds; the numbers in them were measured on exactly these inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.formula import hashed

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


def uniform(key: str, shape: Sequence[int]) -> Doubles:
    """float64 in [0, 1) on a grid of 24 bits, filled in C order."""
    size = int(np.prod(shape, dtype=np.int64))
    return ((hashed(key, size) >> np.uint64(40)).astype(np.float64) / 2.0**24).reshape(tuple(shape))


def _signed(key: str, shape: Sequence[int]) -> Doubles:
    """float64 in [-1, 1)."""
    return 2.0 * uniform(key, shape) - 1.0


def waveform(n: int, rate: int = 16000, name: str = "speech") -> NDArray[np.int16]:
    """(n,) int16 mono: three sines, the second swelling at 3 Hz, and noise; below 0.65 of full scale."""
    time = np.arange(n, dtype=np.float64) / rate
    low = 0.30 * np.sin(2 * np.pi * 220.0 * time)
    swelling = 0.20 * np.sin(2 * np.pi * 447.0 * time + 0.5) * (0.5 + 0.5 * np.sin(2 * np.pi * 3.0 * time))
    high = 0.10 * np.sin(2 * np.pi * 1310.0 * time + 1.0)
    return np.round((low + swelling + high + 0.05 * _signed(f"wave {name}", (n,))) * 32767.0).astype(np.int16)


def lagged_features(n: int, d: int, lag: int, noise: float = 0.5) -> tuple[Floats, Floats]:
    """Video and audio rows, each (n, d) float32, with audio[i + lag] = video[i] + noise: for lag > 0 the sound is late."""
    rows = _signed("feature rows", (n + 64, d))
    added = noise * _signed("feature noise", (n, d))
    return rows[32 : 32 + n].astype(np.float32), (rows[32 - lag : 32 - lag + n] + added).astype(np.float32)


def face_boxes(
    name: str, frames: Iterable[int], cx: float, cy: float, side: float, jitter: float = 2.0, vx: float = 0.0, vy: float = 0.0
) -> list[list[float]]:
    """One [x1, y1, x2, y2] a frame number: `side` wide and 1.2 * side high about a centre that drifts by (vx, vy) a frame; centre, width and
    height are each moved by noise in [-jitter, jitter)."""
    found = []
    for frame in frames:
        right, down, wider, higher = jitter * _signed(f"box {name} {int(frame)}", (4,))
        x, y, w, h = cx + vx * frame + right, cy + vy * frame + down, side + wider, 1.2 * side + higher
        found.append([float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2)])
    return found
