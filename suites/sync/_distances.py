"""From frames and sound to SyncNet's 31 mean distances, and from these to Sync-D, Sync-C and the offset.

After joonson/syncnet_python@6efbb1c SyncNetInstance.py: SyncNetInstance.evaluate, calc_pdist. Two things in it are easily overlooked. The last
whole window, which starts five frames before the end, is never used. And the sound's embeddings are continued by zeros on both sides, so at every
offset but 0 some lips are compared with nothing: a short clip gets a high Sync-C for that alone. `padded=False` leaves those comparisons out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from suites.networks._syncnet import WINDOW
from suites.sync._mfcc import SAMPLES, windows_of

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Forward = Callable[[NDArray[Any]], Floats]

SHIFT = 15
"""Offsets to either side, in frames at 25 a second."""
EPS = np.float32(1e-6)
"""Added to every difference of two embeddings (torch's pairwise_distance)."""
BATCH = 20


@dataclass(frozen=True)
class Sync:
    """What one track scores. distance (Sync-D, LSE-D) and confidence (Sync-C, LSE-C) are in units of the embedding, 0 or more."""

    distance: float
    """The smallest mean distance: it is taken at the best offset, so a constant delay costs nothing."""
    confidence: float
    """The median mean distance less the smallest."""
    offset: int
    """Frames at 25 a second; above 0 the sound is early, below it is late. The first of equal ones, from early to late."""
    at_zero: float
    """The mean distance at offset 0, sound and picture as they are."""
    means: NDArray[np.float64]
    """(2 * shift + 1,) mean distances at offset shift, ..., -shift."""


def count_windows(frames: int, samples: int) -> int:
    """How many windows are compared: min(frames, whole frames of sound at 16 kHz) - 5. Unscored (`too-short`) where that is below 1.

    The original fails there in torch.cat; one window is enough for it, six frames.
    """
    count = min(frames, samples // SAMPLES) - WINDOW
    if count < 1:
        raise Unscored("too-short", f"{frames} frames and {samples} samples at 16 kHz; six frames and 3,840 samples are the least")
    return count


def batches(count: int, size: int = BATCH) -> Iterator[tuple[Indices, int]]:
    """Starts of windows 0..count-1 in batches of one shape: (size,) starts, and how many of them count. The last start fills the last batch.

    ValueError for a count or a size below 1.
    """
    if min(count, size) < 1:
        raise ValueError(f"{count} windows in batches of {size}: both must be 1 at least")
    for first in range(0, count, size):
        yield np.minimum(np.arange(first, first + size), count - 1), min(size, count - first)


def lip_windows(frames: NDArray[np.uint8], starts: Indices) -> Floats:
    """(n, 224, 224, 3) uint8 RGB and starts (b,) -> (b, 5, 224, 224, 3) float32, blue, green, red on 0..255. IndexError beyond the last frame."""
    picked: Floats = frames[np.asarray(starts)[:, None] + np.arange(WINDOW)][..., ::-1].astype(np.float32)
    return picked


def embed(
    lip: Forward, aud: Forward, frames: NDArray[np.uint8], cepstra: NDArray[np.float64], count: int, size: int = BATCH
) -> tuple[Floats, Floats]:
    """The embeddings of windows 0..count-1, lips and sound, each (count, 1024) float32.

    lip, aud: `forward_lip` and `forward_aud` of suites.networks._syncnet. frames: (n, 224, 224, 3) uint8 RGB. cepstra: of `mfcc`. size: windows a
    batch; every batch has the same shape, so the last bits of a row do not depend on the length of the clip.
    """
    rows: tuple[list[Floats], list[Floats]] = [], []
    for starts, counted in batches(count, size):
        rows[0].append(lip(lip_windows(frames, starts))[:counted])
        rows[1].append(aud(windows_of(cepstra, starts))[:counted])
    return np.concatenate(rows[0]), np.concatenate(rows[1])


def distances(lips: Floats, sounds: Floats, shift: int = SHIFT, padded: bool = True) -> Floats:
    """Embeddings (n, d) and (n, d) -> (n, 2 * shift + 1) float32: row i, column k is between lips[i] and sounds[i + k - shift] (calc_pdist).

    Euclidean, with 1e-6 added to every difference: equal embeddings of length d are sqrt(d) * 1e-6 apart. padded: rows before the first and
    after the last sound are zeros; otherwise such a comparison is NaN. ValueError for arrays that are not of one shape.
    """
    if lips.shape != sounds.shape or lips.ndim != 2:
        raise ValueError(f"lips and sounds must be rows of one shape, not {lips.shape} and {sounds.shape}")
    n, width = len(lips), 2 * shift + 1
    around = np.pad(sounds, ((shift, shift), (0, 0)), constant_values=0.0 if padded else np.nan)
    found = np.empty((n, width), np.float32)
    for column in range(width):
        found[:, column] = np.sqrt(np.square(lips - around[column : column + n] + EPS).sum(axis=1))
    return found


def padded_share(count: int, shift: int = SHIFT) -> float:
    """The share of comparisons with zeros among all those of `count` windows, 0..1."""
    return 2 * sum(min(offset, count) for offset in range(1, shift + 1)) / (count * (2 * shift + 1))


def summarise(found: Floats) -> Sync:
    """Distances (n, 2 * shift + 1), NaN where nothing is compared -> the scores.

    Means in float64. The median is the lower one of an even number (torch.median): of 31 the 16th smallest. Unscored (`too-short`) where an
    offset has no comparison, which without padding needs more windows than the shift.
    """
    compared = ~np.isnan(found)
    if not len(found) or not compared.any(axis=0).all():
        raise Unscored("too-short", f"{len(found)} windows: at some offset no sound is there to compare with")
    means = np.where(compared, found, 0).sum(axis=0, dtype=np.float64) / compared.sum(axis=0)
    shift, best = len(means) // 2, int(means.argmin())
    median = np.sort(means)[(len(means) - 1) // 2]
    return Sync(float(means[best]), float(median - means[best]), shift - best, float(means[shift]), means)
