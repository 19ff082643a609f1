"""Paired comparisons, against brute force, hand-worked examples and SciPy."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from benchmark.statistics import Comparison, Judged, family, holm, jackknife_difference, paired, paired_all, sign_flip, verdict

Kept = NDArray[np.intp]


def comparison(**changes: Any) -> Comparison:
    """A difference of 1 +- 0.5 over 10 clips."""
    parts: dict[str, Any] = {
        "difference": 1.0, "low": 0.5, "high": 1.5, "p": 0.01, "smallest_p": 2 / 2**10, "effect": 1.0, "n": 10,
        "test": "sign-flip", "higher_is_better": True,
    }  # fmt: skip
    return Comparison(**(parts | changes))


def brute_force(differences: list[int]) -> float:
    """All sign patterns, in exact integers."""
    observed = abs(sum(differences))
    patterns = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in patterns]
    return sum(value >= observed for value in sums) / len(sums)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("seed", range(5))
def test_exact_against_brute_force(n: int, seed: int) -> None:
    """Expected: itertools over all patterns, in integers; small ones, so that ties and zeros abound."""
    d = np.random.default_rng([n, seed]).integers(-3, 5, n).tolist()
    found = sign_flip(d)
    assert found.p == brute_force(d)
    assert (found.smallest_p, found.n, found.exact) == (2 / 2**n, n, True)


@pytest.mark.parametrize("seed", range(40))
def test_rounding_does_not_break_ties(seed: int) -> None:
    """Expected: brute force on the integers; as tenths, and as differences at a level of 30, their sums round differently in every order."""
    n = 4 + seed % 5
    tenths = np.random.default_rng([n, seed]).integers(-5, 6, n)
    level = 30.0 + np.arange(n) / 7
    for d in (tenths / 10, (level + tenths / 10) - level):
        assert sign_flip(d).p == sign_flip(d[::-1]).p == brute_force(tenths.tolist())


def test_exact_at_twenty_clips() -> None:
    """Closed form: 20 equal differences of which k oppose: binomial tail, both sides."""
    for k in (0, 1, 4):
        d = np.ones(20)
        d[:k] = -1
        expected = 2 * sum(math.comb(20, i) for i in range(k + 1)) / 2**20
        assert sign_flip(d).p == expected
    assert sign_flip(np.ones(20)).smallest_p == 2 / 2**20


def test_against_scipy() -> None:
    """Expected: scipy.stats.permutation_test with flipped signs, exact."""
    d = np.array([0.3, -0.1, 0.45, 0.2, 0.05, 0.6, -0.02, 0.11])

    def reach(x: NDArray[np.float64], axis: int) -> Any:
        return np.abs(x.sum(axis=axis))

    peer = scipy.stats.permutation_test((d,), reach, permutation_type="samples", alternative="greater", n_resamples=np.inf)
    assert sign_flip(d).p == pytest.approx(float(peer.pvalue), rel=1e-12)


def test_zeros_and_signs() -> None:
    """By hand: all zero, every pattern ties, p = 1; p does not depend on direction or unit (identities)."""
    assert sign_flip([0.0, 0.0, 0.0]).p == 1
    assert sign_flip([0.0, 0.0, 5.0]).p == 1
    d = np.array([1.0, 2, -0.5, 3, 0, 2.2])
    assert sign_flip(d).p == sign_flip(-d).p == sign_flip(1e-9 * d).p == sign_flip(1e9 * d).p


@pytest.mark.parametrize("n", [21, 64, 65, 130])
def test_sampled_near_the_exact_value(n: int) -> None:
    """Expected: the binomial tail of n equal differences with k opposed (closed form), within five Monte-Carlo errors."""
    k = n // 2 - 3
    d = np.ones(n)
    d[:k] = -1
    exact = float(Fraction(2 * sum(math.comb(n, i) for i in range(k + 1)), 2**n))
    found = sign_flip(d, flips=50_000)
    assert not found.exact
    assert found.smallest_p == 1 / 50_001
    assert abs(found.p - exact) < 5 * math.sqrt(exact * (1 - exact) / 50_000)


def test_sampled_is_seeded_and_never_zero() -> None:
    """Identity: the same seed gives the same p. By hand: nothing drawn reaches 60 equal differences, so p = 1 / (B + 1)."""
    d = np.sin(np.arange(30.0)) + 0.2
    assert sign_flip(d, seed=3).p == sign_flip(d, seed=3).p
    assert sign_flip(d, seed=3).p != sign_flip(d, seed=4).p
    assert sign_flip(np.ones(60)).p == 1 / 100_001


def test_sampled_stream_is_frozen() -> None:
    """Expected: the count from signs taken bit by bit from the raw PCG64 stream, lowest bit first within bytes as unpackbits has it."""
    d = np.cos(np.arange(24.0)) + 0.1
    raw = np.random.PCG64(0).random_raw(200)
    reached = 0
    for word in raw.tolist():
        bits = "".join(f"{byte:08b}" for byte in word.to_bytes(8, "little"))[:24]
        reached += abs(sum(value if bit == "0" else -value for value, bit in zip(d, bits, strict=True))) >= abs(d.sum()) - 1e-9
    assert sign_flip(d, flips=200).p == (1 + reached) / 201


@pytest.mark.parametrize("bad", [[], [math.nan, 1.0], [[1.0]], [math.inf]])
def test_sign_flip_refuses(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"differences (must hold|holds)"):
        sign_flip(bad)
    with pytest.raises(ValueError, match="flip"):
        sign_flip([1.0], flips=0)


def test_holm_by_hand() -> None:
    """By hand: sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, made monotone .04 .06 .06 .06."""
    assert holm([0.02, 0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.06, 0.04, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([0.0, 1.0]) == [0.0, 1.0]


@pytest.mark.parametrize("seed", range(20))
def test_holm_properties(seed: int) -> None:
    """Never below the raw p, at most m times it (Bonferroni), order kept, independent of the order given, equal ps stay equal."""
    rng = np.random.default_rng(seed)
    p = rng.choice([0.001, 0.01, 0.02, 0.04, 0.2, 0.7], 6).tolist()
    adjusted = holm(p)
    for raw, new in zip(p, adjusted, strict=True):
        assert raw <= new <= min(1.0, 6 * raw) + 1e-15
    order = rng.permutation(6).tolist()
    assert holm([p[i] for i in order]) == [adjusted[i] for i in order]
    for (a, x), (b, y) in itertools.combinations(zip(p, adjusted, strict=True), 2):
        assert (a < b) <= (x <= y)
        assert (a == b) <= (x == y)


@pytest.mark.parametrize("bad", [[], [0.1, math.nan], [-0.1], [1.1]])
def test_holm_refuses(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="p value"):
        holm(bad)


def test_paired_against_scipy() -> None:
    """Expected: SciPy's paired t interval; the effect by its formula with SciPy's gamma; p from brute force."""
    a = np.array([28.3, 26.9, 30.0, 27.4, 29.9])
    b = np.array([27.9, 26.5, 29.1, 27.6, 29.1])
    found = paired(a, b, True)
    d = a - b
    low, high = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.difference, found.low, found.high) == pytest.approx((d.mean(), low, high), rel=1e-9)
    correction = math.gamma(2) / (math.sqrt(2) * math.gamma(1.5))
    assert found.effect == pytest.approx(d.mean() / d.std(ddof=1) * correction, rel=1e-12)
    assert found.p == brute_force([4, 4, 9, -2, 8])
    assert (found.n, found.test, found.smallest_p) == (5, "sign-flip", 2 / 2**5)


def test_effect_is_missing_where_it_has_no_meaning() -> None:
    """Two clips leave Hedges' correction at 0; constant differences (30.1 - 30.0, rounding included) have no spread."""
    assert paired([1.0, 2.0], [0.5, 1.0], True).effect is None
    assert paired(np.array([30.1, 25.1, 27.1]), np.array([30.0, 25.0, 27.0]), True).effect is None
    assert paired([1.0], [0.5], True).low is None


def test_paired_refuses() -> None:
    with pytest.raises(ValueError, match="both have"):
        paired([1.0, 2.0], [1.0], True)
    with pytest.raises(ValueError, match="margin"):
        paired([1.0, 2.0], [1.0, 3.0], True, margin=0.0)
    with pytest.raises(ValueError, match="b holds a NaN"):
        paired([1.0, 2.0], [1.0, math.nan], True)


A = np.array([3.0, 2.5, 4.1, 3.7, 2.2, 5.0])
B = np.array([2.1, 2.4, 3.0, 3.2, 2.3, 3.9])


def mean_of(values: NDArray[np.float64]) -> Any:
    return lambda kept: float(values[kept].mean())


def test_jackknife_difference_of_means_is_the_paired_t_test() -> None:
    """Identity: for means the jackknife of the difference is the paired t test. Expected: scipy.stats.ttest_rel."""
    found, peer = jackknife_difference(mean_of(A), mean_of(B), 6, False), scipy.stats.ttest_rel(A, B)
    assert found.p == pytest.approx(float(peer.pvalue), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(peer.confidence_interval(0.95)), rel=1e-9)
    assert (found.test, found.smallest_p, found.effect, found.n) == ("jackknife", None, None, 6)


def test_jackknife_difference_deletes_the_same_clip_on_both_sides() -> None:
    seen: dict[str, list[tuple[int, ...]]] = {"a": [], "b": []}

    def watch(side: str, values: NDArray[np.float64]) -> Any:
        def statistic(kept: Kept) -> float:
            seen[side].append(tuple(kept.tolist()))
            return float(values[kept].var())

        return statistic

    jackknife_difference(watch("a", A), watch("b", B), 6, False)
    assert seen["a"] == seen["b"]
    assert len(seen["a"]) == 7


def test_jackknife_difference_without_spread() -> None:
    """By hand: equal methods differ by 0 with p = 1; a difference that no deletion moves (rounding aside) has no p; one clip neither."""
    same = jackknife_difference(mean_of(A), mean_of(A), 6, False)
    assert (same.difference, same.p) == (0.0, 1.0)
    shifted = jackknife_difference(mean_of(A + 0.1), mean_of(A), 6, False)
    assert shifted.p is None
    one = jackknife_difference(mean_of(A), mean_of(B), 1, False)
    assert (one.p, one.low, one.high) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "p", "expected"),
    [
        ({}, 0.01, "better"),
        ({}, 0.05, "better"),
        ({}, 0.0501, "cannot tell (10 clips)"),
        ({}, None, "cannot tell (10 clips)"),
        ({"n": 1}, None, "cannot tell (1 clip)"),
        ({"higher_is_better": False}, 0.01, "worse"),
        ({"difference": -1.0, "low": -1.5, "high": -0.5}, 0.01, "worse"),
        ({"difference": -1.0, "low": -1.5, "high": -0.5, "higher_is_better": False}, 0.01, "better"),
        ({"higher_is_better": None}, 0.01, "differs"),
        ({"higher_is_better": None}, 0.2, "cannot tell (10 clips)"),
        ({"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}, 1.0, "cannot tell (10 clips)"),
        ({"margin": 2.0}, 0.4, "same"),
        ({"margin": 2.0}, 0.01, "same"),
        ({"margin": 1.5}, 0.4, "cannot tell (10 clips)"),
        ({"margin": 1.5}, 0.01, "better"),
        ({"margin": 2.0, "low": None, "high": None, "n": 1}, None, "cannot tell (1 clip)"),
    ],
)
def test_verdicts(changes: dict[str, Any], p: float | None, expected: str) -> None:
    """Expected: the rules in the docstring, case by case."""
    assert verdict(comparison(**changes), p) == expected


def test_verdict_refuses() -> None:
    with pytest.raises(ValueError, match="alpha"):
        verdict(comparison(), 0.1, alpha=0)
    with pytest.raises(ValueError, match="p value"):
        verdict(comparison(), math.nan)


def test_family_adjusts_before_judging() -> None:
    """By hand: .03 alone is `better`; in a family of two with .04 it becomes .06 and cannot tell."""
    assert family([comparison(p=0.03)])[0] == Judged(comparison(p=0.03), 0.03, "better")
    judged = family([comparison(p=0.03), comparison(p=0.04)])
    assert [j.p for j in judged] == pytest.approx([0.06, 0.06])
    assert {j.verdict for j in judged} == {"cannot tell (10 clips)"}
    assert family([]) == []


def test_family_counts_comparisons_without_a_test() -> None:
    """By hand: .03 beside one without p is multiplied by 2, and the one without p keeps none."""
    judged = family([comparison(p=None), comparison(p=0.03)])
    assert judged[0].p is None
    assert judged[1].p == pytest.approx(0.06)


@pytest.mark.parametrize("n", range(2, 6))
def test_few_clips_never_decide(n: int) -> None:
    """2 / 2^n is above 0.05 up to five clips: no difference, however large and certain, gives a verdict."""
    a = 100.0 + np.arange(n)
    assert family([paired(a, a - 50 + 0.01 * np.arange(n), True)])[0].verdict == f"cannot tell ({n} clips)"


@pytest.mark.parametrize("n", [8, 20, 21, 130])
def test_all_pairs_at_once_are_the_pairs_by_themselves(n: int) -> None:
    """Identity: the same comparison, bit for bit, with equal rows, opposite signs, ties in tenths, differences far below the values, and groups of other n."""
    generator = np.random.default_rng(n)
    base = generator.integers(-5, 6, n) / 10
    noise = generator.normal(size=(3, n))
    one = np.stack([30 + base, 30 - base, 30 + base, 30 + noise[0], 30 + noise[1]])
    tiny = np.stack([1e6 + noise[0], 1e6 + noise[0] + 1e-9 * noise[1], 1e6 + noise[2]])
    groups = [(one, True, None), (tiny, None, 0.5), (noise[:2, : n // 2 + 1], False, None), (noise[:1], True, None)]
    found = paired_all(groups)
    for (rows, higher, margin), of in zip(groups, found, strict=True):
        assert list(of) == list(itertools.combinations(range(len(rows)), 2))
        for (i, j), compared in of.items():
            assert compared == paired(rows[i], rows[j], higher, margin=margin)
