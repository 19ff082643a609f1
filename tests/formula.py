"""Inputs that need no file and no random generator: clips and network weights that follow from a name.

Everything is integer arithmetic up to a single float64 product, so the same bits come out on every platform. tests/fixtures/inputs.json
holds their hashes; the numbers in the other fixtures were measured on exactly these inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

VARIANTS = ("truth", "blur", "shifted", "noisy")
Ints = NDArray[np.int64]


def hashed(key: str, size: int) -> NDArray[np.uint64]:
    """(size,) well mixed 64-bit numbers: the SplitMix64 sequence whose state starts at the first 8 bytes of sha256(key)."""
    start = np.frombuffer(hashlib.sha256(key.encode()).digest()[:8], "<u8").astype(np.uint64)
    state: NDArray[np.uint64] = start + np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))


def _small(key: str, size: int, modulus: int) -> Ints:
    """(size,) hashed numbers in 0..modulus-1."""
    return (hashed(key, size) % np.uint64(modulus)).astype(np.int64)


def _top24(key: str, size: int) -> Ints:
    """(size,) the upper 24 bits of hashed numbers."""
    bits: Ints = (hashed(key, size) >> np.uint64(40)).astype(np.int64)
    return bits


def _wave(phase: Ints) -> Ints:
    """Triangle between 0 and 512, one period is 1024."""
    return np.abs(phase % 1024 - 512)


def _picture(n: int, h: int, w: int, scene: int, right: int, down: int) -> Ints:
    """(n, h, w, 3) in 0..255: per channel a drifting wave and a wandering disk, on all three the same stripes, and fixed grain.

    Coordinates run over 0..1023 across the picture; the camera is moved by `right` and `down` of these units.
    """
    time = np.arange(n, dtype=np.int64)[:, None, None]
    down_axis = (512 * (2 * np.arange(h, dtype=np.int64) + 1) // h + down)[None, :, None]
    right_axis = (512 * (2 * np.arange(w, dtype=np.int64) + 1) // w + right)[None, None, :]
    dice = [int(value) for value in _small(f"scene {scene}", 32, 1024)]

    centre_x = 256 + _wave((20 + dice[0] % 50) * time + dice[1])
    centre_y = 256 + _wave((20 + dice[2] % 50) * time + dice[3])
    area = (150 + dice[4] % 200) ** 2
    disk = ((area - (right_axis - centre_x) ** 2 - (down_axis - centre_y) ** 2) * 90 // area).clip(0, 60)
    stripes = _wave((5 + dice[5] % 8) * right_axis + (5 + dice[6] % 8) * down_axis + (10 + dice[7] % 40) * time) * 36 // 512

    channels = []
    for horizontal, vertical, speed, phase, sign in zip(*(dice[i : i + 3] for i in (8, 11, 14, 17, 20)), strict=True):
        drift = (1 + horizontal % 3) * right_axis + (1 + vertical % 3) * down_axis + (8 + speed % 40) * time + phase
        channels.append(60 + _wave(drift) * 100 // 512 + (-disk if sign % 2 else disk) + stripes)
    grain = _small(f"grain {scene}", h * w * 3, 13).reshape(h, w, 3) - 6
    return (np.stack(channels, axis=-1) + grain).clip(0, 255)


def _box(clip: Ints) -> Ints:
    """Rounded mean of 5x5 pixels, the edge repeated."""
    for axis in (1, 2):
        size = clip.shape[axis]
        padded = clip.take(np.arange(-2, size + 2).clip(0, size - 1), axis=axis)
        clip = sum((padded.take(np.arange(i, i + size), axis=axis) for i in range(1, 5)), padded.take(np.arange(size), axis=axis))
    return (clip + 12) // 25


def _noise(shape: Sequence[int], scene: int) -> Ints:
    """Uniform in -a..a, where a is 1 on frame 0 and 7 more on each further one up to 78, then starts again."""
    a = 1 + 7 * (np.arange(shape[0], dtype=np.int64) % 12)[:, None, None, None]
    return _top24(f"noise {scene}", int(np.prod(shape))).reshape(shape) % (2 * a + 1) - a


def frames(name: str, n: int, h: int, w: int, scene: int = 0) -> NDArray[np.uint8]:
    """(n, h, w, 3) uint8 RGB. name: `truth`, `blur` (about 27 dB at 64x64), `shifted` (about 25 dB) or `noisy` (50 falling to 15 dB within
    twelve frames, then again). scene: which clip. ValueError for another name."""
    if name not in VARIANTS:
        raise ValueError(f"name must be one of {VARIANTS}, not {name!r}")
    clip = _picture(n, h, w, scene, *((40, -24) if name == "shifted" else (0, 0)))
    if name == "blur":
        clip = _box(clip)
    if name == "noisy":
        clip = (clip + _noise(clip.shape, scene)).clip(0, 255)
    return clip.astype(np.uint8)


def weight(name: str, shape: Sequence[int]) -> NDArray[Any]:
    """One tensor of a state dict, float32 (counters int64), from its name and shape.

    Filters (two dimensions or more): each output's weights sum to 0 and spread evenly to about +-3 / sqrt(fan_in). Norm weights are
    near 1 (near 0.25 in `bn3`), biases and running means small, running variances 0.6 .. 1.6, `num_batches_tracked` 0.
    """
    shape = tuple(shape)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    bits = _top24(name, int(np.prod(shape, dtype=np.int64)))
    centred = bits / 2.0**23 - 1  # -1 .. 1
    if len(shape) >= 2:
        bits = bits.reshape(shape[0], -1)
        fan_in = bits.shape[1]
        value = (bits * fan_in - bits.sum(axis=1, keepdims=True)) * (3 / np.sqrt(np.float64(fan_in)) / (fan_in * 2.0**23))
    elif name.endswith("running_var"):
        value = 0.6 + bits / 2.0**24
    elif name.endswith("running_mean"):
        value = 0.1 * centred
    elif name.endswith("weight"):
        value = (1 + 0.1 * centred) * (0.25 if "bn3" in name else 1)
    else:
        value = 0.05 * centred
    tensor: NDArray[np.float32] = value.reshape(shape).astype(np.float32)
    return tensor


def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, NDArray[Any]]:
    """A whole state dict: {tensor name: shape} -> {tensor name: array}."""
    return {name: weight(name, shape) for name, shape in shapes.items()}
