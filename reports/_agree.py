"""Do metrics say what people say? Accuracy on pairs of clips that people told apart, and rank correlations: the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.statistics import Clustered

Scores = Mapping[tuple[str, str], float]
"""{(case, method): value}."""
SHUFFLES = 1000
NORMAL = (1.959963984540054, 0.8416212335729143)
"""Quantiles of the normal distribution at 0.975 and 0.8: two-sided level 0.05, power 0.8."""


@dataclass(frozen=True)
class Pair:
    """Two clips of a case that people told apart. difference: metric of the first - of the second, positive = the metric prefers the first."""

    case: str
    difference: float
    first: bool


@dataclass(frozen=True)
class Agreement:
    """One metric against one aspect.

    plain: share of pairs on which the sign of the difference is right (a difference of 0 is half right). fitted: the same for the threshold that is best
    on these very pairs; held: for thresholds chosen on the other cases. guess: what always answering the more frequent side gives; random: mean of
    `fitted` for a metric that knows nothing. ties: pairs that people did not tell apart; missing: clips rated and not scored.
    """

    name: str
    aspect: str
    pairs: int
    ties: int
    missing: int
    votes: int
    cases: int
    plain: Clustered
    fitted: float
    threshold: float
    held: Clustered | None
    guess: float
    random: float
    spearman: statistics.Association
    kendall: statistics.Association
    reversed: bool | None


def compare(name: str, aspect: str, values: Scores, people: Scores, higher: bool | None) -> Agreement | None:
    """One metric against one aspect; None where no pair is left.

    values: the metric, people: scores, higher is better. higher: direction of the metric; None = higher taken as better. A pair is two methods of one case,
    in the order in which the metric's values name them. Threshold t: the first is preferred where the difference exceeds t.
    """
    sign = -1.0 if higher is False else 1.0
    cases = list(dict.fromkeys(case for case, _ in people))
    methods = list(dict.fromkeys(method for _, method in values))
    pairs, ties = [], 0
    for case in cases:
        there = [m for m in methods if (case, m) in people and (case, m) in values]
        for a, b in combinations(there, 2):
            if people[case, a] == people[case, b]:
                ties += 1
            else:
                pairs.append(Pair(case, sign * (values[case, a] - values[case, b]), people[case, a] > people[case, b]))
    if not pairs:
        return None
    rated = [key for key in people if key in values]
    d, first, of = _arrays(pairs)
    threshold, fitted = best_threshold(d, first)
    held = _held_out(d, first, of)
    x, y = [sign * values[key] for key in rated], [people[key] for key in rated]
    clusters = [case for case, _ in rated]
    names = [pair.case for pair in pairs]
    return Agreement(
        name,
        aspect,
        len(pairs),
        ties,
        len(people) - len(rated),
        len(rated),
        len(set(names)),
        _share(_right(d, first, 0.0), names),
        fitted,
        threshold,
        None if held is None else _share(held, names),
        max(float(first.mean()), 1 - float(first.mean())),
        _by_chance(d, of),
        statistics.spearman(x, y, clusters),
        statistics.kendall(x, y, clusters),
        None if higher is None else not higher,
    )


def _arrays(pairs: Sequence[Pair]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    order = {case: i for i, case in enumerate(dict.fromkeys(pair.case for pair in pairs))}
    return np.array([p.difference for p in pairs]), np.array([p.first for p in pairs]), np.array([order[p.case] for p in pairs], np.intp)


def _share(right: NDArray[np.float64], cases: Sequence[str]) -> Clustered:
    """Pairs of one case share their clips, so cases are counted."""
    return statistics.clustered_mean(right, ["people"] * len(cases), cases, share=True)


def _right(d: NDArray[np.float64], first: NDArray[np.bool_], threshold: float) -> NDArray[np.float64]:
    """(n,) 1 where the rule `d > threshold` names the clip that people preferred, 1/2 at the threshold itself."""
    right: NDArray[np.float64] = np.where(d == threshold, 0.5, (d > threshold) == first)
    return right


def best_threshold(d: NDArray[np.float64], first: NDArray[np.bool_]) -> tuple[float, float]:
    """(threshold, accuracy): the best on these pairs; candidates lie midway between neighbouring differences and beyond both ends. Of several the one
    nearest to 0, the smaller first."""
    known = np.unique(d)
    reach = 1.0 + abs(known).max()
    candidates = np.concatenate([[-reach], (known[1:] + known[:-1]) / 2, [reach]])
    accuracy = ((d[None, :] > candidates[:, None]) == first).mean(1)
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    chosen = min(best.tolist(), key=lambda i: (abs(float(candidates[i])), float(candidates[i])))
    return float(candidates[chosen]), float(accuracy[chosen])


def _held_out(d: NDArray[np.float64], first: NDArray[np.bool_], of: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """(n,) right or wrong, each case judged by the threshold of the others; None with one case."""
    if of.max() == 0:
        return None
    right = np.empty(len(d))
    for case in range(int(of.max()) + 1):
        out = of == case
        right[out] = _right(d[out], first[out], best_threshold(d[~out], first[~out])[0])
    return right


def _by_chance(d: NDArray[np.float64], of: NDArray[np.intp], seed: int = 0) -> float:
    """Mean accuracy of the best threshold when the answers of each case are turned round or not by a coin: what choosing on the test set is worth to a
    metric that knows nothing. The answers start from the metric's own, so that they stay consistent within a case."""
    coins: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(SHUFFLES * (int(of.max()) + 1)).reshape(SHUFFLES, -1)
    turned = (coins >> np.uint64(63)).astype(bool)[:, of]
    return float(np.mean([best_threshold(d, (d > 0) ^ turn)[1] for turn in turned]))


def detectable_accuracy(found: Clustered) -> float | None:
    """The smallest true accuracy above 0.5 that a t test over as many cases of this spread finds four times out of five; None where none up to 1 does."""
    if found.clips < 2 or not found.se:
        return None
    above = statistics.detectable_difference(found.se * math.sqrt(found.clips), found.clips)
    return 0.5 + above if above <= 0.5 else None


def detectable_rank_correlation(n: int) -> float | None:
    """The smallest true rank correlation that n independent points find four times out of five: Fisher's z, variance 1.06 / (n - 3) (Fieller, Hartley and
    Pearson 1957). None below 5 points."""
    return math.tanh(sum(NORMAL) * math.sqrt(1.06 / (n - 3))) if n >= 5 else None
