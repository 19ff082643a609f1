"""Rank correlations. Values: scipy.stats. Intervals: closed forms of rho and tau of a bivariate normal distribution, and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.statistics import average_ranks, kendall, spearman


def _pairs(n: int, seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=n)
    y = 0.5 * x + generator.normal(size=n)
    return (np.round(x), np.round(y)) if ties else (x, y)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [3, 4, 17, 64, 257, 1000])
def test_values_are_scipys(n: int, ties: bool) -> None:
    stats = pytest.importorskip("scipy.stats")
    x, y = _pairs(n, n, ties)
    for ours, theirs in ((spearman, stats.spearmanr), (kendall, stats.kendalltau)):
        found = ours(x, y).value
        assert found is not None
        assert found == pytest.approx(theirs(x, y).statistic, abs=1e-12)
    assert average_ranks(x) == pytest.approx(stats.rankdata(x), abs=0)


def test_what_is_not_defined_says_why() -> None:
    for measure in (spearman, kendall):
        assert measure([1, 2], [2, 1]).why == "too-few"
        assert measure([], []).value is None
        assert measure([1, 1, 1, 1], [1, 2, 3, 4]).why == "constant"
        found = measure([1, 2, 3, 4], [10, 20, 30, 40])
        # the closed form of a monotone pair; no deletion moves it, so nothing is known of its spread
        assert (found.value, found.low, found.high, found.why) == (1.0, None, None, "no-spread")
        assert measure([1, 2, 3, 4], [4, 3, 2, 1]).value == -1.0
        assert measure([1, 2, 3, 4], [1, 3, 2, 4], ["a"] * 4).why == "one-cluster"
        assert measure([1, 1, 1, 2], [1, 3, 2, 4]).why == "undefined-without-one"
        for x, y, clusters in (([1, 2, math.nan], [1, 2, 3], None), ([1, 2, 3], [1, 2], None), ([1, 2, 3], [1, 2, 3], ["a"])):
            with pytest.raises(ValueError, match=r"NaN|one length"):
                measure(x, y, clusters)


def test_interval_lies_inside_and_turns_with_a_column() -> None:
    x, y = _pairs(12, 1, ties=False)
    for measure in (spearman, kendall):
        one, other = measure(x, y), measure(x, -y)
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert -1 < one.low < one.value < one.high < 1
        assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-12)
        # ranks are all that counts, and every point by itself is a cluster by itself
        assert measure(np.exp(x), y, list(range(12))) == one


@pytest.mark.parametrize("each", [1, 4])
def test_intervals_hold_what_they_should(each: int) -> None:
    """rho_s = 6 / pi asin(r / 2), tau = 2 / pi asin(r) of a bivariate normal (Kruskal 1958). 200 experiments: a true 95 % lies within 90 .. 99 % but
    twice in a thousand. Points of a cluster share half their variance."""
    r, count, experiments = 0.6, 30, 200
    truth = {spearman: 6 / math.pi * math.asin(r / 2), kendall: 2 / math.pi * math.asin(r)}
    generator = np.random.default_rng(7)
    held = dict.fromkeys(truth, 0)
    ignored = 0
    names = np.repeat(np.arange(count), each).tolist()
    mix = np.linalg.cholesky([[1, r], [r, 1]])
    for _ in range(experiments):
        shared = np.repeat(generator.normal(size=(count, 2)), each, axis=0)
        own = generator.normal(size=(count * each, 2))
        x, y = (mix @ (math.sqrt(0.5) * (shared + own)).T) if each > 1 else mix @ own.T
        for measure, value in truth.items():
            found = measure(x, y, names)
            assert found.low is not None
            assert found.high is not None
            held[measure] += found.low <= value <= found.high
        if each > 1:
            alone = spearman(x, y)
            assert alone.low is not None
            assert alone.high is not None
            ignored += alone.low <= truth[spearman] <= alone.high
    assert all(0.90 * experiments <= n <= 0.995 * experiments for n in held.values()), held
    if each > 1:
        assert ignored < min(held.values())
