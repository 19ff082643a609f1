"""Do raters agree with one another? Krippendorff's alpha with an interval over units. And the exact interval of a share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Level = Literal["nominal", "ordinal", "interval"]
Numbers = NDArray[np.float64]
RESAMPLES = 2000
FEWEST = 5
"""Fewer units than this give no bootstrap interval: a resample is then one or two units too often."""


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha.

    value: 1 = all agree, 0 = as chance would, below 0 = less than that; None where it does not exist. low, high: percentile bootstrap over units; None
    where there is none. why: `too-few` (no unit with two values) or `constant` (only one value occurs) where there is no value, `few-units` or
    `constant-resamples` where there is no interval. units: those with two values or more; values: how many stand in them; raters: who gave them.
    """

    value: float | None
    low: float | None
    high: float | None
    level: Level
    units: int
    values: int
    raters: int
    why: str = ""


def krippendorff(ratings: ArrayLike, level: Level, *, resamples: int = RESAMPLES, seed: int = 0, coverage: float = 0.95) -> Alpha:
    """Alpha = 1 - observed / expected disagreement (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).

    ratings: (raters, units) numbers; NaN = not rated. level: how two values differ: `nominal` equal or not, `ordinal` by how many values lie between,
    `interval` by the square of their difference. Interval: units are drawn with replacement (seeded, the raters stay), which holds for other clips
    judged by these raters, not for other raters. ValueError: not 2-D, infinite, an unknown level, resamples < 100, coverage outside 0..1.
    """
    table = np.asarray(ratings, np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise ValueError(f"ratings must be finite or NaN, (raters, units), not of shape {table.shape}")
    if level not in DISTANCES:
        raise ValueError(f"level is one of {', '.join(DISTANCES)}, not {level!r}")
    if resamples < 100 or not 0 < coverage < 1:
        raise ValueError(f"at least 100 resamples and a coverage between 0 and 1 are needed, not {resamples} and {coverage}")
    table = table[:, (~np.isnan(table)).sum(0) >= 2]
    there = ~np.isnan(table)
    units, count, raters = table.shape[1], int(there.sum()), int(there.any(1).sum())
    if not units:
        return Alpha(None, None, None, level, 0, 0, raters, "too-few")
    known, codes = np.unique(table[there], return_inverse=True)
    counts = np.zeros((units, len(known)))
    np.add.at(counts, (np.nonzero(there)[1], codes), 1)
    # A unit of m values adds each ordered pair of them with weight 1 / (m - 1).
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(known))
    pairs = (pairs / (counts.sum(1) - 1)[:, None, None]).reshape(units, -1)

    def alpha(weights: Numbers) -> float | None:
        totals = weights @ counts
        distance = DISTANCES[level](known, totals)
        n = totals.sum()
        expected = float(totals @ distance @ totals) / (n - 1)
        return float(1 - (weights @ pairs) @ distance.ravel() / expected) if expected > 0 else None

    value = alpha(np.ones(units))
    if value is None:
        return Alpha(None, None, None, level, units, count, raters, "constant")
    if units < FEWEST:
        return Alpha(value, None, None, level, units, count, raters, "few-units")
    drawn: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(resamples * units).reshape(resamples, units) % np.uint64(units)
    found = [alpha(np.bincount(row.astype(np.intp), minlength=units).astype(np.float64)) for row in drawn]
    told = [one for one in found if one is not None]
    if len(told) < 0.95 * resamples:
        return Alpha(value, None, None, level, units, count, raters, "constant-resamples")
    low, high = np.quantile(told, [0.5 - coverage / 2, 0.5 + coverage / 2])
    return Alpha(value, float(low), float(high), level, units, count, raters)


def _nominal(values: Numbers, totals: Numbers) -> Numbers:
    return 1 - np.eye(len(values))


def _ordinal(values: Numbers, totals: Numbers) -> Numbers:
    """The ranks between two values: all values from one to the other, the two ends counted by half."""
    middle = np.cumsum(totals) - totals / 2
    distance: Numbers = (middle[:, None] - middle[None, :]) ** 2
    return distance


def _interval(values: Numbers, totals: Numbers) -> Numbers:
    distance: Numbers = (values[:, None] - values[None, :]) ** 2
    return distance


DISTANCES: dict[str, Callable[[Numbers, Numbers], Numbers]] = {"nominal": _nominal, "ordinal": _ordinal, "interval": _interval}
"""Squared difference of any two values: (k,) values, (k,) how often each occurs -> (k, k)."""


def exact_share(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval (1934) of a share of n independent trials: never covers less than its level.

    ValueError: not 0 <= successes <= n, n < 1, a level outside 0..1.
    """
    if not 0 <= successes <= n or n < 1 or not 0 < level < 1:
        raise ValueError(f"0 <= successes <= n, n >= 1 and a level between 0 and 1 are needed, not {successes}, {n} and {level}")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else _root(lambda p: _at_least(successes, n, p) - tail)
    high = 1.0 if successes == n else _root(lambda p: tail - _at_least(n - successes, n, 1 - p))
    return low, high


def _at_least(k: int, n: int, p: float) -> float:
    """P(X >= k) of a binomial, in logarithms, so that thousands of trials do not overflow."""
    if p <= 0:
        return float(k <= 0)
    if p >= 1:
        return 1.0
    whole = math.lgamma(n + 1)
    terms = [whole - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p) for i in range(k, n + 1)]
    return math.fsum(map(math.exp, terms))


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function of 0..1 crosses 0, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
