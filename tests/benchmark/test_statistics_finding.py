"""What clips can find, ranks, and slowdowns: against closed forms, SciPy's tests, brute force and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from benchmark.statistics import (
    Comparison,
    Ratio,
    clips_needed,
    detectable,
    detectable_difference,
    jackknife_difference,
    paired,
    ranks,
    slowdown,
    smallest_p,
)

# ------------------------------------------------------------------------------------------------- what so many clips can find


@pytest.mark.parametrize("n", [6, 10, 30])
def test_detectable_follows_from_the_spread_of_the_differences(n: int) -> None:
    """Identity: the spread read back from the interval is numpy's, so the result is `detectable_difference` of it."""
    a, b = np.random.default_rng(n).standard_normal((2, n))
    found = detectable(paired(a, b, True))
    sd = float((a - b).std(ddof=1))
    assert found.sd == pytest.approx(sd, rel=1e-12)
    assert found.difference == pytest.approx(detectable_difference(sd, n), rel=1e-9)
    assert (found.n, found.why, found.smallest_p) == (n, "", smallest_p(n))


def test_ten_clips_cannot_tell_two_hundredths_of_ssim() -> None:
    """SciPy's non-central t: at n = 10, sd 0.03, the power for 0.02 is below, for the difference found exactly 0.8."""
    d = 0.02 + 0.03 * scipy.stats.zscore(np.arange(10.0), ddof=1)
    found = detectable(paired(0.8 + d, np.full(10, 0.8), True))
    assert found.difference is not None

    def power(difference: float, n: int) -> float:
        critical = scipy.stats.t.ppf(0.975, n - 1)
        return float(1 - scipy.stats.nct.cdf(critical, n - 1, difference / 0.03 * math.sqrt(n)))

    assert power(0.02, 10) < 0.8
    assert power(found.difference, 10) == pytest.approx(0.8, abs=1e-6)
    needed = clips_needed(0.02, 0.03)
    assert needed is not None
    assert power(0.02, needed - 1) < 0.8 <= power(0.02, needed)


def test_no_difference_is_large_enough_for_four_clips() -> None:
    """2 / 2^4 = 0.125 > 0.05; six clips reach 0.03125, but not a fifth of 0.05."""
    rng = np.random.default_rng(0)
    four = detectable(paired(rng.standard_normal(4), rng.standard_normal(4), True))
    assert (four.difference, four.why, four.smallest_p) == (None, "floor", 0.125)
    six = paired(rng.standard_normal(6), rng.standard_normal(6), True)
    assert detectable(six).difference is not None
    assert detectable(six, alpha=0.01).why == "floor"
    assert detectable(paired([1.0], [2.0], True)).why == "one clip"


def test_detectable_of_a_set_metric() -> None:
    """Closed form: the jackknife of a mean is its standard error, so a mean as a set metric finds what the mean of clips does."""
    a, b = np.random.default_rng(3).standard_normal((2, 12))
    sets = detectable(jackknife_difference(lambda kept: float(a[kept].mean()), lambda kept: float(b[kept].mean()), 12, True))
    assert sets.difference == pytest.approx(detectable(paired(a, b, True)).difference, rel=1e-9)


def test_clips_needed_at_the_floor_and_beyond_reach() -> None:
    """No spread: only the sign flip limits, 2 / 2^6 < 0.05. A difference of a millionth sd needs more than 2^20 clips."""
    assert clips_needed(1.0, 0.0) == 6
    assert clips_needed(-1e-6, 1.0) is None
    with pytest.raises(ValueError, match="not 0"):
        clips_needed(0.0, 1.0)
    with pytest.raises(ValueError, match="no number of clips"):
        clips_needed(1.0, 1.0, alpha=1e-6)


# ------------------------------------------------------------------------------------------------------------------------ ranks


def pairs(values: np.ndarray) -> dict[tuple[int, int], Comparison]:
    return {(i, j): paired(values[i], values[j], True) for i, j in itertools.combinations(range(len(values)), 2)}


def test_ranks_of_certain_and_of_open_orders() -> None:
    """By hand. 12 clips, three methods: 0 far ahead, 1 and 2 apart by signs that cancel. Places 1, {2, 3}, {2, 3}; lower is better mirrors them."""
    noise = np.resize([1.0, -1.0], 12)
    values = np.array([np.full(12, 10.0) + 0.1 * noise, noise + 0.01, -noise])
    found = ranks([10.0, 0.01, 0.0], pairs(values), True)
    assert [(r.rank, r.low, r.high) for r in found] == [(1, 1, 1), (2, 2, 3), (3, 2, 3)]
    mirrored = {key: paired(values[key[0]], values[key[1]], False) for key in pairs(values)}
    assert [(r.rank, r.low, r.high) for r in ranks([10.0, 0.01, 0.0], mirrored, False)] == [(3, 3, 3), (2, 1, 2), (1, 1, 2)]


def test_ranks_with_too_few_clips_and_with_ties() -> None:
    """Four clips tell no pair: every place is open. Equal values share the better place."""
    values = np.arange(12.0).reshape(3, 4)
    assert [(r.rank, r.low, r.high) for r in ranks([2, 2, 1], pairs(values), True)] == [(1, 1, 3), (1, 1, 3), (3, 1, 3)]
    assert ranks([1.0], {}, True)[0].high == 1
    with pytest.raises(ValueError, match="no comparison of 0 and 1"):
        ranks([1, 2], {}, True)


def test_intervals_of_ranks_hold_all_at_once() -> None:
    """Simulation: 4 methods, two of them equal, 10 clips. At nominal 95 % no more than 5 % + 4 Monte-Carlo sigmas of 300 experiments may miss any place."""
    rng, missed = np.random.default_rng(1), 0
    truth = np.array([1.0, 0.5, 0.5, 0.0])
    for _ in range(300):
        values = truth[:, None] + rng.standard_normal((4, 10)) * 0.6 + rng.standard_normal(10)
        found = ranks(values.mean(axis=1).tolist(), pairs(values), True)
        places = [(1, 1), (2, 3), (2, 3), (4, 4)]
        missed += any(r.low > best or r.high < worst for r, (best, worst) in zip(found, places, strict=True))
    assert missed <= 300 * 0.05 + 4 * math.sqrt(300 * 0.05 * 0.95)


# ---------------------------------------------------------------------------------------------------------------------- seconds


@pytest.mark.parametrize(("m", "n"), [(4, 4), (5, 7), (3, 10)])
def test_one_clip_is_mann_whitney(m: int, n: int) -> None:
    """SciPy's exact one-sided Mann-Whitney test, and the Hodges-Lehmann estimate from all pairs."""
    rng = np.random.default_rng([m, n])
    a, b = np.exp(rng.standard_normal(m) + 0.5), np.exp(rng.standard_normal(n))
    found = slowdown({"x": a.tolist()}, {"x": b.tolist()})
    assert found.p_slower == pytest.approx(scipy.stats.mannwhitneyu(a, b, alternative="greater", method="exact").pvalue, rel=1e-12)
    assert found.p_faster == pytest.approx(scipy.stats.mannwhitneyu(a, b, alternative="less", method="exact").pvalue, rel=1e-12)
    assert found.smallest_p == pytest.approx(1 / math.comb(m + n, m))
    assert found.ratio == pytest.approx(math.exp(np.median(np.log(a)[:, None] - np.log(b))))


def test_several_clips_against_brute_force() -> None:
    """All ways to share out each clip's runs between the sides: the share of them whose count of slower pairs is at least the one seen."""
    sides = {"x": ([1.1, 1.3], [1.0, 1.2, 0.9]), "y": ([4.4, 4.1], [4.0, 4.2])}
    counts = []
    for a, b in sides.values():
        pool = a + b
        whole = []
        for chosen in itertools.combinations(range(len(pool)), len(a)):
            rest = [pool[i] for i in range(len(pool)) if i not in chosen]
            whole.append(sum(pool[i] > other for i in chosen for other in rest))
        counts.append(whole)
    seen = sum(one > other for a, b in sides.values() for one in a for other in b)
    sums = [x + y for x in counts[0] for y in counts[1]]
    found = slowdown({k: a for k, (a, _) in sides.items()}, {k: b for k, (_, b) in sides.items()})
    assert found.p_slower == pytest.approx(sum(s >= seen for s in sums) / len(sums), rel=1e-12)
    assert (found.runs, found.clips) == ((4, 5), 2)


def interval(seed: int, m: int) -> Ratio:
    """Two clips of other lengths, noise with a tail, a 1.3 times slower."""
    rng = np.random.default_rng(seed)

    def side(factor: float) -> dict[str, list[float]]:
        return {clip: (factor * length * np.exp(0.1 * rng.exponential(size=m))).tolist() for clip, length in (("x", 1.0), ("y", 7.0))}

    return slowdown(side(1.3), side(1.0))


@pytest.mark.parametrize("m", [3, 5])
def test_the_interval_covers_what_it_says(m: int) -> None:
    """An exact rank interval is conservative: of 400 simulated ones at least 95 % - 4 Monte-Carlo sigmas hold the true 1.3."""
    found = [interval(seed, m) for seed in range(400)]
    assert all(r.low is not None and r.high is not None and r.low <= r.ratio <= r.high for r in found)
    held = sum(r.low <= 1.3 <= r.high for r in found if r.low is not None and r.high is not None)
    assert held >= 400 * 0.95 - 4 * math.sqrt(400 * 0.95 * 0.05)


def test_few_runs_have_no_interval_and_slack_is_in_the_question() -> None:
    """3 against 3 of one clip: 2 / C(6, 3) = 0.1 > 0.05. A factor of 1.2 is no slower than a slack of 1.3."""
    few = slowdown({"x": [2.0, 2.1, 2.2]}, {"x": [1.0, 1.1, 1.2]})
    assert (few.low, few.high, few.smallest_p) == (None, None, 0.05)
    a, b = {"x": [1.2 + 0.001 * i for i in range(8)]}, {"x": [1.0 + 0.001 * i for i in range(8)]}
    assert slowdown(a, b).p_slower == pytest.approx(1 / math.comb(16, 8))
    assert slowdown(a, b, slack=1.3).p_slower == pytest.approx(1)
    assert slowdown(a, a).ratio == 1


ONE = {"x": [1.0]}


@pytest.mark.parametrize(
    ("a", "b", "more"),
    [({}, {}, {}), (ONE, {"y": [1.0]}, {}), ({"x": []}, ONE, {}), ({"x": [0.0]}, ONE, {}), (ONE, ONE, {"slack": 0.9})],
)
def test_what_cannot_be_timed(a: dict[str, list[float]], b: dict[str, list[float]], more: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"seconds|clips|slack"):
        slowdown(a, b, **more)
