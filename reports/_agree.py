"""Do metrics say what people say? Accuracy on pairs of clips that people told apart, and rank correlations: the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.statistics import Clustered

Scores = Mapping[tuple[str, str], float]
"""{(case, method): value}."""
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
ORIENTATIONS, SHUFFLES, FOLDS = 100, 1000, 10
NORMAL = (1.959963984540054, 0.8416212335729143)
"""Quantiles of the normal distribution at 0.975 and 0.8: two-sided level 0.05, power 0.8."""


@dataclass(frozen=True)
class Agreement:
    """One metric against one aspect.

    plain: share of pairs on which the sign of the difference is right (a difference of 0 is half right). fitted: the same for the threshold on the
    difference that is best on these very pairs; held: for thresholds chosen on other cases, at most 10 folds. Which clip of a pair comes first decides what a
    threshold does, so both are means over 100 drawn orders. random: `fitted` of a metric that knows nothing: people's scores shuffled within each case.
    ties: pairs that people did not tell apart; missing: clips rated and not scored.
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
    held: Clustered | None
    random: float
    spearman: statistics.Association
    kendall: statistics.Association
    reversed: bool | None


def compare(name: str, aspect: str, values: Scores, people: Scores, higher: bool | None) -> Agreement | None:
    """One metric against one aspect; None where no pair is left.

    values: the metric, people: scores, higher is better. higher: direction of the metric; None = higher taken as better. A pair is two methods of one case.
    Seeded: the same input, the same numbers.
    """
    rated = [key for case in dict.fromkeys(case for case, _ in people) for key in people if key[0] == case and key in values]
    if not rated:
        return None
    sign = -1.0 if higher is False else 1.0
    x, y = np.array([sign * values[key] for key in rated]), np.array([people[key] for key in rated])
    order = {case: i for i, case in enumerate(dict.fromkeys(case for case, _ in rated))}
    of = np.array([order[case] for case, _ in rated], np.intp)
    groups = [np.flatnonzero(of == case) for case in range(len(order))]
    every = np.array([pair for group in groups for pair in combinations(group.tolist(), 2)], np.intp).reshape(-1, 2)
    pairs = every[y[every[:, 0]] != y[every[:, 1]]]
    if not len(pairs):
        return None
    d, first, case = x[pairs[:, 0]] - x[pairs[:, 1]], y[pairs[:, 0]] > y[pairs[:, 1]], of[pairs[:, 0]]
    words = np.random.PCG64(0)
    fitted, held = _thresholds(d, first, case, words)
    clusters = [key[0] for key in rated]
    return Agreement(
        name,
        aspect,
        len(pairs),
        len(every) - len(pairs),
        len(people) - len(rated),
        len(rated),
        len(set(case.tolist())),
        _share(right(d, first, 0.0), case),
        fitted,
        None if held is None else _share(held, case),
        _knowing_nothing(x, y, of, every, words),
        statistics.spearman(x, y, clusters),
        statistics.kendall(x, y, clusters),
        None if higher is None else not higher,
    )


def _share(rights: Numbers, case: Codes) -> Clustered:
    """Pairs of one case share their clips, so cases are counted."""
    return statistics.clustered_mean(rights, ["people"] * len(case), case.tolist(), share=True)


def right(d: Numbers, first: Flags, threshold: float) -> Numbers:
    """(n,) 1 where the rule `d > threshold` names the clip that people preferred, 1/2 at the threshold itself."""
    found: Numbers = np.where(d == threshold, 0.5, (d > threshold) == first)
    return found


def best_threshold(d: Numbers, first: Flags) -> tuple[float, float]:
    """(threshold, accuracy): the best on these pairs; candidates lie midway between neighbouring differences and beyond both ends. Of several the one
    nearest to 0, the smaller first."""
    order = np.argsort(d, kind="stable")
    ascending, wins = d[order], first[order]
    # above the threshold a win is right, below it a loss
    correct = np.concatenate([[0], np.cumsum(~wins)]) + (wins.sum() - np.concatenate([[0], np.cumsum(wins)]))
    reach = 1.0 + float(np.abs(ascending).max())
    candidates = np.concatenate([[-reach], (ascending[1:] + ascending[:-1]) / 2, [reach]])
    between = np.concatenate([[True], ascending[1:] > ascending[:-1], [True]])
    best = np.flatnonzero(between & (correct == correct[between].max()))
    chosen = best[np.lexsort((candidates[best], np.abs(candidates[best])))[0]]
    return float(candidates[chosen]), float(correct[chosen]) / len(d)


def _coins(words: np.random.PCG64, n: int) -> Flags:
    raw: NDArray[np.uint64] = words.random_raw(n)
    return (raw >> np.uint64(63)).astype(bool)


def _thresholds(d: Numbers, first: Flags, case: Codes, words: np.random.PCG64) -> tuple[float, Numbers | None]:
    """(accuracy of thresholds chosen on the same pairs, (n,) share of orders in which one chosen on other cases is right; None with one case)."""
    _, fold = np.unique(case, return_inverse=True)
    several = bool(fold.max() > 0)
    fold = fold % FOLDS
    fitted, held = 0.0, np.zeros(len(d))
    for _ in range(ORIENTATIONS):
        turned = _coins(words, len(d))
        shown, wins = np.where(turned, -d, d), first ^ turned
        fitted += best_threshold(shown, wins)[1] / ORIENTATIONS
        for one in range(int(fold.max()) + 1) if several else ():
            out = fold == one
            held[out] += right(shown[out], wins[out], best_threshold(shown[~out], wins[~out])[0]) / ORIENTATIONS
    return fitted, held.clip(0, 1) if several else None


def _knowing_nothing(x: Numbers, y: Numbers, of: Codes, every: Codes, words: np.random.PCG64) -> float:
    """Mean accuracy of the best threshold when people's scores are shuffled within each case: what choosing on the test set is worth to a metric that
    knows nothing. As many pairs are tied as before."""
    shuffles, total = SHUFFLES if len(every) <= 1000 else SHUFFLES // 10, 0.0
    for _ in range(shuffles):
        keys: NDArray[np.uint64] = words.random_raw(len(y))
        dealt = y[np.lexsort((keys, of))]
        turned = _coins(words, len(every))
        one, other = np.where(turned, every[:, 1], every[:, 0]), np.where(turned, every[:, 0], every[:, 1])
        told = dealt[one] != dealt[other]
        total += best_threshold((x[one] - x[other])[told], (dealt[one] > dealt[other])[told])[1]
    return total / shuffles


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
