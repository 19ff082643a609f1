"""Intervals over clips: Student-t for means, delete-one-clip jackknife for metrics of a whole set, and the bias of a small set.

Frames of one clip are not independent, so the clip is what is counted everywhere. A percentile bootstrap is not used: at 4 clips its 95 %
interval of a mean covers 80 %, and for a set metric, which grows when clips repeat, it does not even contain its own value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.student import t_quantile

Clips = NDArray[np.intp]
"""(k,) ascending indices of the clips that are kept, out of 0..n-1."""
Statistic = Callable[[Clips], float]
"""A metric of a whole set of clips: indices of the kept clips -> one finite number."""

BLOCKS = 40
"""Beyond this many clips the jackknife deletes this many blocks in case order: set metrics cost too much for hundreds of deletions."""


COVERAGE = {
    "t": {4: (95.0, 87.5), 10: (95.2, 88.6), 40: (94.6, 92.2)},
    "jackknife": {4: (93.4, 94.5), 10: (94.3, 93.5), 40: (94.5, 93.5)},
}
"""Simulated coverage in % of the nominal 95 %: method -> clips -> (normal, skewed clip values); of a set metric, of its average at that many clips.
Copied from the table of docs/statistics.md, which a test compares."""


def coverage(method: str, n: int) -> tuple[int, float, float] | None:
    """(clips simulated, normal, skewed): what was simulated for the largest number of clips not above n. None below 4 clips or for `none`."""
    table = COVERAGE.get(method.partition("-")[0], {})
    sizes = [size for size in table if size <= n]
    return (max(sizes), *table[max(sizes)]) if sizes else None


@dataclass(frozen=True)
class Interval:
    """A value with its interval.

    low, high: None exactly where method is `none` (one clip has no spread). method: `t` (Student-t over clips), `jackknife` (one clip
    deleted at a time), `jackknife-40` (that many blocks) or `none`. n: clips. se: standard error, None where method is `none`.
    """

    value: float
    low: float | None
    high: float | None
    method: str
    n: int
    se: float | None = None


@dataclass(frozen=True)
class SampleBias:
    """How a set metric moves with the number of clips.

    value: at all n clips. limit: the straight line in 1/size, carried to 1/size = 0. bias: value - limit. sizes: numbers of clips tried,
    ascending; means: the metric at each, averaged over its subsets.
    """

    value: float
    limit: float
    bias: float
    sizes: tuple[int, ...]
    means: tuple[float, ...]


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of clip values with its Student-t interval, mean +- t(n - 1) sd / sqrt(n), sd with n - 1.

    values: (n,) one finite number a clip, n >= 1. level: nominal coverage, between 0 and 1. n = 1 gives no interval (method `none`).
    Real coverage for few or skewed clips stands in docs/statistics.md. ValueError: empty, not 1-D, NaN or infinite, level outside 0..1.
    """
    clips = clip_values(values, "values")
    _check_level(level)
    n = len(clips)
    mean = float(clips.mean())
    if n == 1:
        return Interval(mean, None, None, "none", 1)
    return _around(mean, float(clips.std(ddof=1)) / math.sqrt(n), n - 1, level, "t", n)


def jackknife(statistic: Statistic, n: int, level: float = 0.95, blocks: int = BLOCKS) -> Interval:
    """A set metric at all n clips, +- t times its jackknife standard error.

    statistic: is called with ascending clip indices, first all n, then with one clip left out at a time; beyond `blocks` clips with one of
    `blocks` runs of neighbours (case order) left out. t has one degree of freedom less than there are deletions. Blocks of unequal size are
    weighted after Busing, Meijer and van der Leeden 1999 (delete-m_j jackknife), which for single clips is Tukey's. The value is the metric
    itself, not bias-corrected: see `small_sample_bias`. n = 1 gives no interval (method `none`).

    The interval is one for what n clips give on average; the metric's own small-sample bias is not in it.
    ValueError: n < 1, blocks < 2, level outside 0..1, the statistic is NaN or infinite on some subset.
    """
    _check_level(level)
    value, se, groups = deletions(statistic, n, blocks)
    if se is None:
        return Interval(value, None, None, "none", n)
    return _around(value, se, groups - 1, level, "jackknife" if groups == n else f"jackknife-{groups}", n)


def small_sample_bias(statistic: Statistic, n: int, steps: int = 5, repeats: int = 4, seed: int = 0) -> SampleBias | None:
    """A set metric against the number of clips, extrapolated linearly in 1/clips to infinitely many.

    statistic: as for `jackknife`. steps: sizes tried, evenly spaced in 1/size between about n/4 (at least 2) and n. repeats: seeded random
    subsets a size (without replacement; all n clips once). Deterministic: the subsets follow from n, steps, repeats and seed alone.
    None for n < 4: fewer than three sizes make no line. Source: Chong and Forsyth 2020, arXiv:1911.07023, whose FID-infinity does this over
    images. The line is a fair description only where every size has enough rows; it is printed beside the value, never instead of it.
    ValueError: n < 1, steps < 3, repeats < 1, a value that is NaN or infinite.
    """
    if n < 1 or steps < 3 or repeats < 1:
        raise ValueError(f"n >= 1, steps >= 3 and repeats >= 1 are needed, not {n}, {steps}, {repeats}")
    if n < 4:
        return None
    smallest = max(2, math.ceil(n / 4))
    sizes = sorted({round(1 / inverse) for inverse in np.linspace(1 / smallest, 1 / n, steps)})
    generator = np.random.PCG64(seed)
    means: list[float] = []
    for size in sizes:
        subsets = [np.arange(n, dtype=np.intp)] if size == n else [_subset(generator, n, size) for _ in range(repeats)]
        means.append(math.fsum(_call(statistic, subset) for subset in subsets) / len(subsets))
    inverse_sizes = 1 / np.asarray(sizes, np.float64)
    offset = inverse_sizes - inverse_sizes.mean()
    slope = float(offset @ np.asarray(means)) / float(offset @ offset)
    limit = float(np.mean(means)) - slope * float(inverse_sizes.mean())
    return SampleBias(means[-1], limit, means[-1] - limit, tuple(sizes), tuple(means))


def clip_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """(n,) float64 clip values, checked: ValueError when empty, not 1-D, NaN or infinite. Missing clips are the caller's to leave out."""
    clips = np.asarray(values, np.float64)
    if clips.ndim != 1 or not len(clips):
        raise ValueError(f"{name} must hold one number a clip, at least one, not an array of shape {clips.shape}")
    if not np.isfinite(clips).all():
        raise ValueError(f"{name} holds a NaN or an infinity, first at clip {int(np.argmin(np.isfinite(clips)))}")
    return clips


def deletions(statistic: Statistic, n: int, blocks: int) -> tuple[float, float | None, int]:
    """(value at all clips, jackknife standard error or None for one clip, number of deletions)."""
    if n < 1 or blocks < 2:
        raise ValueError(f"at least 1 clip and 2 blocks are needed, not {n} and {blocks}")
    clips = np.arange(n, dtype=np.intp)
    value = _call(statistic, clips)
    if n == 1:
        return value, None, 1
    groups: Sequence[Clips] = np.array_split(clips, min(n, blocks))
    left = np.array([_call(statistic, np.delete(clips, group)) for group in groups])
    size = np.array([len(group) for group in groups], np.float64)
    # Pseudo-values about the value: h theta - (h - 1) theta_left = theta + (h - 1)(theta - theta_left), h = n / size.
    lever = n / size - 1
    pseudo = lever * (value - left)
    centre = float(((1 - size / n) * (value - left)).sum())
    return value, math.sqrt(float(((pseudo - centre) ** 2 / lever).mean())), len(groups)


def _call(statistic: Statistic, clips: Clips) -> float:
    value = float(statistic(clips))
    if not math.isfinite(value):
        raise ValueError(f"the metric is {value} on {len(clips)} clips: no interval can be made from it")
    return value


def _around(value: float, se: float, df: int, level: float, method: str, n: int) -> Interval:
    reach = t_quantile(0.5 + level / 2, df) * se
    return Interval(value, value - reach, value + reach, method, n, se)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")


def _subset(generator: np.random.PCG64, n: int, size: int) -> Clips:
    """Ascending random subset: the `size` smallest of n raw 64-bit draws, whose stream NumPy guarantees (that of `choice` it does not)."""
    draws: NDArray[np.uint64] = generator.random_raw(n)
    return np.sort(np.argsort(draws, kind="stable")[:size]).astype(np.intp)
