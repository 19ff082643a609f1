"""Ranks with their uncertainty: which places a method may hold, given which pairs could be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmark.statistics.comparisons import Comparison, family


@dataclass(frozen=True)
class Rank:
    """rank: place by value, 1 = best, equal values share the better place. low, high: the places that the pairwise verdicts leave open."""

    rank: int
    low: int
    high: int


def ranks(
    values: Sequence[float], pairs: Mapping[tuple[int, int], Comparison], higher_is_better: bool, *, alpha: float = 0.05
) -> list[Rank]:
    """Places of methods in one metric, with simultaneous intervals.

    values: (k,) one number a method. pairs: {(i, j): comparison of i over j} for every i < j. All k (k - 1) / 2 pairs are one family under Holm; a
    method surely beaten by b others and surely ahead of w others holds a place in 1 + b .. k - w. Where none of the pairs is falsely told apart, which
    holds in 1 - alpha of all experiments at least, every interval holds the true place, all at once (Al Mohamad, Goeman and van Zwet 2022,
    Biometrics, on ranking institutions). No resampling: nothing is random here. Few clips give wide intervals, 1..k where no pair can be told.
    ValueError: a pair that lacks, as `family`.
    """
    order = list(combinations(range(len(values)), 2))
    if lacking := [pair for pair in order if pair not in pairs]:
        raise ValueError(f"no comparison of {lacking[0][0]} and {lacking[0][1]}")
    beaten, ahead = [0] * len(values), [0] * len(values)
    for (i, j), judged in zip(order, family([pairs[pair] for pair in order], alpha), strict=True):
        if judged.verdict in ("better", "worse"):
            winner, loser = (i, j) if judged.verdict == "better" else (j, i)
            ahead[winner] += 1
            beaten[loser] += 1
    k = len(values)
    better = [sum((other > value) if higher_is_better else (other < value) for other in values) for value in values]
    return [Rank(1 + better[i], 1 + beaten[i], k - ahead[i]) for i in range(k)]
