"""Do two columns of numbers order the same things alike? Rank correlations with intervals over clusters (clips, cases, raters)."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.intervals import BLOCKS, deletions
from benchmark.statistics.student import t_quantile

Numbers = NDArray[np.float64]
FEWEST = 3
"""Two points always lie on a line."""


@dataclass(frozen=True)
class Association:
    """A rank correlation of n points.

    value: -1 .. 1, None where it does not exist. low, high: its interval, nominal 95 %, inside -1 .. 1; None where there is none. why: `too-few`
    (fewer than 3 points), `constant` (a column of equal numbers); with a value but no interval: `one-cluster`, `no-spread` (no deletion moves the
    value, as at +-1), `undefined-without-one` (without one of the clusters a column is constant). clusters: how many were deleted in turn.
    """

    n: int
    value: float | None
    low: float | None = None
    high: float | None = None
    clusters: int = 0
    why: str = ""


def spearman(x: ArrayLike, y: ArrayLike, clusters: Sequence[Hashable] | None = None, *, level: float = 0.95) -> Association:
    """Spearman's rho: Pearson's correlation of average ranks (Spearman 1904; ties as Kendall 1970, Rank Correlation Methods, chapter 3).

    x, y: (n,) finite numbers of the same things. clusters: (n,) names of what the points belong to, as points of one clip are not independent; None:
    each point on its own. Interval: one cluster is deleted at a time (beyond 40 clusters 40 blocks in order of first appearance), the jackknife's
    standard error is carried to Fisher's z = atanh(value) by its slope 1 / (1 - value^2), +- Student's t with one degree of freedom less than there
    are deletions, and back (z for rank correlations: Fieller, Hartley and Pearson 1957). Nothing is random. ValueError: not 1-D, unequal lengths,
    NaN or infinite, level outside 0..1.
    """
    return _association(x, y, clusters, _rho, level)


def kendall(x: ArrayLike, y: ArrayLike, clusters: Sequence[Hashable] | None = None, *, level: float = 0.95) -> Association:
    """Kendall's tau-b: (concordant - discordant pairs) / sqrt(pairs untied in x * pairs untied in y) (Kendall 1945, The treatment of ties).

    Arguments, interval and errors as `spearman`. Discordant pairs are counted in n log^2 n steps.
    """
    return _association(x, y, clusters, _tau_b, level)


def average_ranks(values: ArrayLike) -> Numbers:
    """(n,) ranks from 1; equal values share the mean of their places."""
    _, codes, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    places: Numbers = (last - (counts - 1) / 2)[codes]
    return places


def _association(
    x: ArrayLike, y: ArrayLike, clusters: Sequence[Hashable] | None, measure: Callable[[Numbers, Numbers], float | None], level: float
) -> Association:
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.ndim != 1 or a.shape != b.shape or (clusters is not None and len(clusters) != len(a)):
        named = "" if clusters is None else f" and {len(clusters)} clusters"
        raise ValueError(f"x, y and clusters must be of one length, not of shapes {a.shape}, {b.shape}{named}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("x or y holds a NaN or an infinity")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    n = len(a)
    if n < FEWEST:
        return Association(n, None, why="too-few")
    whole = measure(a, b)
    if whole is None:
        return Association(n, None, why="constant")
    order: dict[Hashable, int] = {}
    of = np.arange(n) if clusters is None else np.array([order.setdefault(one, len(order)) for one in clusters])
    count = int(of.max()) + 1
    if count < 2:
        return Association(n, whole, clusters=count, why="one-cluster")

    def without(kept: NDArray[np.intp]) -> float:
        inside = np.zeros(count, bool)
        inside[kept] = True
        rows = inside[of]
        found = measure(a[rows], b[rows]) if rows.sum() > 1 else None
        if found is None:
            raise _UndefinedError
        return found

    try:
        _, se, groups = deletions(without, count, BLOCKS)
    except _UndefinedError:
        return Association(n, whole, clusters=count, why="undefined-without-one")
    room = 1 - whole * whole
    if not se or se < 1e-12 or room < 1e-12:
        return Association(n, whole, clusters=groups, why="no-spread")
    reach = t_quantile(0.5 + level / 2, groups - 1) * se / room
    z = math.atanh(whole)
    return Association(n, whole, math.tanh(z - reach), math.tanh(z + reach), groups)


class _UndefinedError(Exception):
    """A deletion leaves nothing to correlate."""


def _rho(x: Numbers, y: Numbers) -> float | None:
    a, b = average_ranks(x), average_ranks(y)
    a, b = a - a.mean(), b - b.mean()
    spread = float(a @ a) * float(b @ b)
    return min(1.0, max(-1.0, float(a @ b) / math.sqrt(spread))) if spread else None


def _tau_b(x: Numbers, y: Numbers) -> float | None:
    _, a, a_counts = np.unique(x, return_inverse=True, return_counts=True)
    _, b, b_counts = np.unique(y, return_inverse=True, return_counts=True)
    _, both = np.unique(a.astype(np.int64) * len(b_counts) + b, return_counts=True)
    n = len(x)
    pairs = n * (n - 1) // 2
    tied_x, tied_y, tied_both = (int((c * (c - 1) // 2).sum()) for c in (a_counts, b_counts, both))
    if tied_x == pairs or tied_y == pairs:
        return None
    discordant = _inversions(b[np.lexsort((b, a))])
    agreement = pairs - tied_x - tied_y + tied_both - 2 * discordant
    return min(1.0, max(-1.0, agreement / math.sqrt((pairs - tied_x) * (pairs - tied_y))))


def _inversions(codes: NDArray[np.intp]) -> int:
    """Pairs i < j with codes[i] > codes[j]. Two codes differ first at one bit: count there the ones before zeros among codes with the same higher bits."""
    found = 0
    for bit in range(int(codes.max()).bit_length()):
        order = np.argsort(codes >> (bit + 1), kind="stable")
        group, ones = (codes >> (bit + 1))[order], (codes >> bit & 1)[order]
        before = np.cumsum(ones) - ones
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        inside = before - np.repeat(before[starts], np.diff(np.r_[starts, len(group)]))
        found += int(inside[ones == 0].sum())
    return found
