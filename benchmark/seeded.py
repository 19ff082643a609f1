"""Weights by formula, for rehearsal and parity: the same on every platform."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hashed(key: str, size: int) -> NDArray[np.uint64]:
    """(size,) well mixed 64-bit integers of a stream named by `key`: SplitMix64 (Steele et al. 2014) seeded with sha256(key). Same on every platform."""
    state = np.uint64(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little"))
    z = state + np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def seeded_tensor(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """A tensor drawn from its own name (`seeded-1`): filters centred and uniform within 3/sqrt(fan_in), norm weights near 1 (a quarter in `bn3`),
    biases and running means small, running variances 0.6..1.6, counters 0. Integers up to one float64 product, so equal to the bit everywhere."""
    count = int(np.prod(shape, dtype=np.int64))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    bits = (hashed(name, count) >> np.uint64(40)).astype(np.int64)
    signed = bits / 2.0**23 - 1
    if len(shape) >= 2:
        fan_in = count // shape[0]
        rows = bits.reshape(shape[0], fan_in)
        values = (rows * fan_in - rows.sum(axis=1, keepdims=True)) * (3 / np.sqrt(np.float64(fan_in)) / (fan_in * 2.0**23))
    elif name.endswith("running_var"):
        values = 0.6 + bits / 2.0**24
    elif name.endswith("running_mean"):
        values = 0.1 * signed
    elif name.endswith("weight"):
        values = (1 + 0.1 * signed) * (0.25 if "bn3" in name else 1)
    else:
        values = 0.05 * signed
    drawn: NDArray[np.float32] = values.reshape(shape).astype(np.float32)
    return drawn
