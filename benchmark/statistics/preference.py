"""What people prefer: means and win rates with errors clustered by rater and clip, and Bradley-Terry strengths."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.errors import Unscored
from benchmark.statistics.agreement import exact_share
from benchmark.statistics.student import t_quantile

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
FEW = 10
"""Clusters. Below it the interval leans on votes being near normal (docs/study.md has simulated coverage), and whoever prints it says so."""
STEPS = 10_000


@dataclass(frozen=True)
class Clustered:
    """A mean with an interval over clusters.

    low, high: None exactly where method is `none`. se: standard error, None there too. method: `two-way` (rater and clip), `raters` or `clips` (the
    other is one only), `exact` (a share of 0 or 1, whose spread is 0: Clopper and Pearson with the smaller number of clusters as trials), `none`
    (nothing to tell a spread from). raters, clips: clusters of either kind. few: the smaller number of clusters in use is below 10.
    """

    value: float
    low: float | None
    high: float | None
    se: float | None
    method: str
    n: int
    raters: int
    clips: int
    few: bool


@dataclass(frozen=True)
class Strengths:
    """Bradley-Terry strengths of k methods: logarithms, their mean 0; P(i beats j) = 1 / (1 + exp(values[j] - values[i])).

    low, high: (k,) interval, None without a spread (`method` is then `none`, otherwise as in Clustered). wins: (k, k), row over column, ties by half.
    """

    values: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    wins: tuple[tuple[float, ...], ...]
    method: str
    n: int
    few: bool


def clustered_mean(
    values: ArrayLike, raters: Sequence[Hashable], clips: Sequence[Hashable], *, level: float = 0.95, share: bool = False
) -> Clustered:
    """Mean of votes with a standard error clustered two ways: raters differ, clips differ, and a vote belongs to one of each.

    values: (n,) finite votes, n >= 1. raters, clips: (n,) who voted on what. The variance is that of Cameron, Gelbach and Miller 2011: clustered by
    rater + by clip - by both, each times G / (G - 1); as that sum can fall below its parts, and below 0, it is never taken below the larger of the
    two (MacKinnon, Nielsen and Webb 2024 recommend the same). Interval: +- Student's t with one degree of freedom less than the smaller number of
    clusters. share: the votes are 0, 1/2 and 1; the interval stays inside 0..1. ValueError: lengths, NaN, a level outside 0..1, a share outside 0..1.
    """
    votes = np.asarray(values, np.float64)
    if votes.ndim != 1 or not len(votes) or len(raters) != len(votes) or len(clips) != len(votes):
        raise ValueError(f"votes, raters and clips must be of one length, not {votes.shape}, {len(raters)} and {len(clips)}")
    if not np.isfinite(votes).all() or not 0 < level < 1:
        raise ValueError(f"votes must be finite and the level between 0 and 1, not {level}")
    if share and not (votes.min() >= 0 and votes.max() <= 1):
        raise ValueError("votes of a share lie between 0 and 1")
    by_rater, by_clip = _codes(raters), _codes(clips)
    n, mean = len(votes), float(votes.mean())
    variance, method, clusters = _two_ways((votes - mean)[:, None] / n, by_rater, by_clip)
    counts = (int(by_rater.max()) + 1, int(by_clip.max()) + 1)
    if method == "none":
        return Clustered(mean, None, None, None, method, n, *counts, True)
    few, se = clusters < FEW, math.sqrt(float(variance[0, 0]))
    if share and se < 1e-12 and mean in (0.0, 1.0):
        low, high = exact_share(clusters if mean else 0, clusters, level)
        return Clustered(mean, low, high, se, "exact", n, *counts, few)
    reach = t_quantile(0.5 + level / 2, clusters - 1) * se
    low, high = mean - reach, mean + reach
    return Clustered(mean, max(0.0, low) if share else low, min(1.0, high) if share else high, se, method, n, *counts, few)


def bradley_terry(wins: ArrayLike, names: Sequence[str] | None = None) -> Numbers:
    """(k, k) wins of row over column (ties half on each side) -> (k,) log strengths, mean 0: maximum likelihood by Hunter's MM algorithm (2004).

    Exists exactly where every method can be reached from every other along wins (Ford 1957). Raises Unscored: `one-method`, `unconnected` (two groups
    were never compared), `separated` (a group never lost a vote to the rest: its strength is without bound); the detail tells which, by `names`, else by index.
    ValueError: not square, negative, a diagonal that is not 0.
    """
    table = np.asarray(wins, np.float64)
    if (
        table.ndim != 2
        or table.shape[0] != table.shape[1]
        or not np.isfinite(table).all()
        or table.min(initial=0) < 0
        or np.diag(table).any()
    ):
        raise ValueError("wins must be a square table of numbers >= 0 with an empty diagonal")
    _connected(table, names or [str(i) for i in range(len(table))])
    games, won = table + table.T, table.sum(1)
    strength = np.ones(len(table))
    for _ in range(STEPS):
        new = won / (games / (strength[:, None] + strength[None, :])).sum(1)
        new /= math.exp(float(np.log(new).mean()))
        moved = float(np.abs(np.log(new / strength)).max())
        strength = new
        if moved < 1e-13:
            break
    log = np.log(strength)
    return np.asarray(_newton(games, won, log - log.mean()))


def strengths(
    first: Sequence[int],
    second: Sequence[int],
    outcome: ArrayLike,
    raters: Sequence[Hashable],
    clips: Sequence[Hashable],
    names: Sequence[str],
    *,
    level: float = 0.95,
) -> Strengths:
    """Bradley-Terry strengths of votes, with intervals clustered by rater and clip.

    first, second: (n,) indices in names of the two methods of a vote. outcome: (n,) 1 = first, 0 = second, 1/2 = the same. The error is the sandwich
    of the information matrix around the scores of the votes, summed within raters, within clips and within both (Cameron, Gelbach and Miller 2011,
    section 2.3, for maximum likelihood), as in `clustered_mean`. Raises as `bradley_terry`.
    """
    k = len(names)
    a, b, y = np.asarray(first, np.intp), np.asarray(second, np.intp), np.asarray(outcome, np.float64)
    if not len(a) == len(b) == len(y) == len(raters) == len(clips):
        raise ValueError("votes must have one length")
    if len(y) and not (np.isin(y, (0.0, 0.5, 1.0)).all() and (a != b).all() and min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) < k):
        raise ValueError("a vote is 0, 1/2 or 1 between two methods of 0..k-1")
    wins = np.zeros((k, k))
    np.add.at(wins, (a, b), y)
    np.add.at(wins, (b, a), 1 - y)
    log = bradley_terry(wins, names)
    chance = 1 / (1 + np.exp(log[b] - log[a]))
    scores = np.zeros((len(y), k))
    scores[np.arange(len(y)), a] += y - chance
    scores[np.arange(len(y)), b] -= y - chance
    bread = np.linalg.pinv(_information(wins + wins.T, log))
    variance, method, clusters = _two_ways(scores @ bread, _codes(raters), _codes(clips))
    table = tuple(tuple(map(float, row)) for row in wins)
    if method == "none":
        return Strengths(tuple(map(float, log)), None, None, table, method, len(y), True)
    reach = t_quantile(0.5 + level / 2, clusters - 1) * np.sqrt(np.diag(variance))
    low, high = (tuple(map(float, log + sign * reach)) for sign in (-1, 1))
    return Strengths(tuple(map(float, log)), low, high, table, method, len(y), clusters < FEW)


def _two_ways(parts: Numbers, by_rater: Codes, by_clip: Codes) -> tuple[Numbers, str, int]:
    """(variance of the sum of (n, k) parts of mean 0, which ways, the smaller number of clusters)."""
    both = _codes(list(zip(by_rater.tolist(), by_clip.tolist(), strict=True)))
    g_raters, g_clips = int(by_rater.max()) + 1, int(by_clip.max()) + 1
    if g_raters < 2 and g_clips < 2:
        return np.zeros((parts.shape[1],) * 2), "none", 1
    if g_raters < 2:
        return _one_way(parts, by_clip), "clips", g_clips
    if g_clips < 2:
        return _one_way(parts, by_rater), "raters", g_raters
    one, other = _one_way(parts, by_rater), _one_way(parts, by_clip)
    total = one + other - _one_way(parts, both)
    least = np.maximum(np.diag(one), np.diag(other))
    total[np.diag_indices_from(total)] = np.maximum(np.diag(total), least)
    return total, "two-way", min(g_raters, g_clips)


def _one_way(parts: Numbers, codes: Codes) -> Numbers:
    groups = int(codes.max()) + 1
    sums = np.zeros((groups, parts.shape[1]))
    np.add.at(sums, codes, parts)
    found: Numbers = groups / (groups - 1) * sums.T @ sums
    return found


def _codes(names: Sequence[Hashable]) -> Codes:
    """0, 1, 2 ... in order of first appearance."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.intp)


def _information(games: Numbers, log: Numbers) -> Numbers:
    """(k, k) Fisher information of the strengths; its null space is what adds the same to all."""
    chance = 1 / (1 + np.exp(log[None, :] - log[:, None]))
    weight = games * chance * chance.T
    found: Numbers = np.diag(weight.sum(1)) - weight
    return found


def _newton(games: Numbers, won: Numbers, log: Numbers) -> Numbers:
    """A few Newton steps from where MM stopped: MM is slow where a strength is large, and safe everywhere."""
    for _ in range(20):
        chance = 1 / (1 + np.exp(log[None, :] - log[:, None]))
        step = np.linalg.pinv(_information(games, log)) @ (won - (games * chance).sum(1))
        log = log + np.clip(step, -1, 1)
        if float(np.abs(step).max()) < 1e-14:
            break
    centred: Numbers = log - log.mean()
    return centred


def _connected(wins: Numbers, names: Sequence[str]) -> None:
    """Unscored where the likelihood has no maximum."""
    k = len(wins)
    if k < 2:
        raise Unscored("one-method", "strengths are between two methods at least")
    compared, beats = _reach(wins + wins.T > 0), _reach(wins > 0)
    if not compared[0].all():
        named = ", ".join(names[i] for i in np.flatnonzero(compared[0]).tolist())
        raise Unscored("unconnected", f"{named}: never compared with the others")
    for i in range(k):
        # whoever beats somebody of the group belongs to it in the end: nobody outside ever won a vote against it
        group = beats[:, i]
        if not group.all():
            raise Unscored("separated", f"{', '.join(names[i] for i in np.flatnonzero(group).tolist())}: never lost a vote to the others")


def _reach(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who can be reached from whom along edges, oneself included (Warshall 1962)."""
    found = edges | np.eye(len(edges), dtype=bool)
    for middle in range(len(edges)):
        found |= found[:, middle : middle + 1] & found[middle : middle + 1]
    return found
