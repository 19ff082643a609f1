"""Student's t and the intervals over clips, against SciPy, closed forms and identities."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from numpy.typing import NDArray

from benchmark.statistics import detectable_difference, jackknife, small_sample_bias, t_interval, t_quantile, t_tail
from benchmark.statistics.student import gamma_ratio

Kept = NDArray[np.intp]
VALUES = np.array([3.1, 2.7, 4.4, 3.9, 2.2, 5.1, 3.3])


@pytest.mark.parametrize("df", [1, 2, 3, 5, 9, 20, 39, 40, 99, 100, 1000, 123_456, 10_000_000])
@pytest.mark.parametrize("p", [1e-12, 1e-6, 0.005, 0.025, 0.05, 0.3, 0.499, 0.5, 0.6, 0.9, 0.95, 0.975, 0.995, 0.999999])
def test_quantile_against_scipy(df: int, p: float) -> None:
    """Expected: scipy.stats.t, a different algorithm."""
    assert t_quantile(p, df) == pytest.approx(float(scipy.stats.t.ppf(p, df)), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("df", [1, 2, 7, 39, 1000, 10_000_000])
@pytest.mark.parametrize("t", [-40.0, -2.0, -1e-3, 0.0, 1e-9, 0.1, 0.7, 1.0, 2.5, 8.0, 40.0, 1e6])
def test_tail_against_scipy(df: int, t: float) -> None:
    """Expected: scipy.stats.t, a different algorithm; for df = 1 arccot(t) / pi, of which SciPy is 6e-10 off near 0."""
    if df == 1:
        expected = math.atan2(1, t) / math.pi
    else:
        expected = float(scipy.stats.t.sf(t, df))
    assert t_tail(t, df) == pytest.approx(expected, rel=1e-10 if df < 10**6 else 1e-9, abs=1e-300)


def test_closed_forms_of_t() -> None:
    """df = 1 is Cauchy: tan(pi (p - 1/2)); df = 2: (2p - 1) / sqrt(2 p (1 - p))."""
    for p in (0.6, 0.9, 0.975, 0.9995):
        assert t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-11)
        assert t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-11)
    assert t_tail(math.inf, 3) == 0


@pytest.mark.parametrize("a", [0.5, 1.0, 3.5, 29.9, 30.0, 100.0])
def test_gamma_ratio_recurrence(a: float) -> None:
    """Identity: Gamma(a + 1/2) / Gamma(a) times Gamma(a + 1) / Gamma(a + 1/2) = a. Crosses the two formulas at 30."""
    assert gamma_ratio(a) * gamma_ratio(a + 0.5) == pytest.approx(a, rel=1e-13)


def test_t_interval_against_scipy() -> None:
    """Expected: scipy.stats.t.interval."""
    for level in (0.5, 0.9, 0.95, 0.999):
        found = t_interval(VALUES, level)
        low, high = scipy.stats.t.interval(level, len(VALUES) - 1, VALUES.mean(), scipy.stats.sem(VALUES))
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-10)
        assert (found.value, found.method, found.n) == (pytest.approx(VALUES.mean()), "t", 7)


def test_no_spread_and_one_clip() -> None:
    """Closed forms: equal values have an interval of length 0; one clip has none."""
    flat = t_interval([2.0, 2.0, 2.0])
    assert (flat.low, flat.high, flat.method) == (2.0, 2.0, "t")
    one = t_interval([2.0])
    assert (one.value, one.low, one.high, one.method, one.se) == (2.0, None, None, "none", None)
    single = jackknife(lambda kept: 5.0, 1)
    assert (single.value, single.low, single.high, single.method) == (5.0, None, None, "none")


@pytest.mark.parametrize("bad", [[], [1.0, math.nan], [math.inf], [[1.0, 2.0]]])
def test_t_interval_refuses(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"values (must hold|holds)"):
        t_interval(bad)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan])
def test_level_is_checked(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        t_interval([1.0, 2.0], level)
    with pytest.raises(ValueError, match="level"):
        jackknife(lambda kept: 1.0, 3, level)


@pytest.mark.parametrize("n", [2, 7, 40])
def test_jackknife_of_a_mean_is_the_t_interval(n: int) -> None:
    """Identity: for a mean, Tukey's jackknife gives s / sqrt(n)."""
    values = np.linspace(0, 3, n) ** 2
    found, expected = jackknife(lambda kept: float(values[kept].mean()), n), t_interval(values)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high), rel=1e-10)
    assert found.method == "jackknife"


def test_jackknife_against_its_formula() -> None:
    """Expected: sqrt((n - 1) / n sum (theta_i - mean theta)^2) written out, for a statistic that is no mean."""

    def statistic(kept: Kept) -> float:
        return float(np.log(VALUES[kept].var()))

    left = np.array([statistic(np.delete(np.arange(7), i)) for i in range(7)])
    se = math.sqrt(6 / 7 * ((left - left.mean()) ** 2).sum())
    assert jackknife(statistic, 7).se == pytest.approx(se, rel=1e-12)


def test_jackknife_beyond_40_deletes_blocks_in_case_order() -> None:
    """80 clips: 40 blocks of 2 neighbours. For a mean, that is the t interval of the 40 block means (identity)."""
    values = np.sin(np.arange(80.0))
    seen: list[Kept] = []

    def statistic(kept: Kept) -> float:
        seen.append(kept)
        return float(values[kept].mean())

    found, expected = jackknife(statistic, 80), t_interval(values.reshape(40, 2).mean(axis=1))
    assert found.method == "jackknife-40"
    assert found.n == 80
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-10)
    assert np.array_equal(seen[0], np.arange(80))
    assert [sorted(set(range(80)) - set(kept.tolist())) for kept in seen[1:]] == [[2 * i, 2 * i + 1] for i in range(40)]


def test_jackknife_unequal_blocks() -> None:
    """Expected: Busing, Meijer and van der Leeden 1999, equations for pseudo-values and variance, written out for n = 7 in 3 blocks."""

    def statistic(kept: Kept) -> float:
        return float(VALUES[kept].var())

    groups = [[0, 1, 2], [3, 4], [5, 6]]
    theta, left = statistic(np.arange(7)), np.array([statistic(np.delete(np.arange(7), group)) for group in groups])
    m = np.array([3.0, 2.0, 2.0])
    h = 7 / m
    centre = 3 * theta - ((1 - m / 7) * left).sum()
    pseudo = h * theta - (h - 1) * left
    expected = math.sqrt(((pseudo - centre) ** 2 / (h - 1)).sum() / 3)
    found = jackknife(statistic, 7, blocks=3)
    assert found.se == pytest.approx(expected, rel=1e-10)
    assert found.high == pytest.approx(theta + float(scipy.stats.t.ppf(0.975, 2)) * expected, rel=1e-9)


def test_jackknife_refuses() -> None:
    with pytest.raises(ValueError, match="no interval"):
        jackknife(lambda kept: math.nan if len(kept) < 3 else 1.0, 3)
    with pytest.raises(ValueError, match="at least 1 clip"):
        jackknife(lambda kept: 1.0, 0)
    with pytest.raises(ValueError, match="2 blocks"):
        jackknife(lambda kept: 1.0, 5, blocks=1)


@pytest.mark.parametrize("n", [4, 5, 13, 40, 100])
def test_bias_line_is_recovered(n: int) -> None:
    """Closed form: a statistic 2 + 3 / clips has limit 2 and bias 3 / n, whatever the subsets."""
    found = small_sample_bias(lambda kept: 2 + 3 / len(kept), n)
    assert found is not None
    assert (found.limit, found.bias, found.value) == pytest.approx((2, 3 / n, 2 + 3 / n), rel=1e-9)
    assert found.sizes[-1] == n
    assert len(found.sizes) >= 3
    assert found.sizes[0] >= 2


def test_bias_is_deterministic_and_seeded() -> None:
    """Identity: the same seed asks for the same subsets, another for others; all are ascending and without repetition."""

    def run(seed: int) -> list[tuple[int, ...]]:
        seen: list[tuple[int, ...]] = []

        def statistic(kept: Kept) -> float:
            seen.append(tuple(kept.tolist()))
            return float(VALUES[kept % 7].var())

        small_sample_bias(statistic, 20, seed=seed)
        return seen

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert all(list(kept) == sorted(set(kept)) for kept in run(1))
    assert len(set(run(1))) == len(run(1))


def test_bias_of_few_clips_is_not_given() -> None:
    assert small_sample_bias(lambda kept: 1.0, 3) is None
    with pytest.raises(ValueError, match="n >= 1"):
        small_sample_bias(lambda kept: 1.0, 0)


@pytest.mark.parametrize("n", [2, 3, 4, 10, 40, 300])
@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.9)])
def test_detectable_difference_has_that_power(n: int, alpha: float, power: float) -> None:
    """Expected: the power at the difference returned, integrated the other way round, over the normal, with SciPy's chi and quadrature.

    SciPy's own non-central t is 1e-6 off at n = 300 and NaN at n = 4, alpha 0.01.
    """
    sd, df = 0.7, n - 1
    shift = detectable_difference(sd, n, alpha, power) * math.sqrt(n) / sd
    critical = float(scipy.stats.t.ppf(1 - alpha / 2, df))

    def density(z: float) -> float:
        below = (math.sqrt(df) * max(side, 0.0) / critical for side in (z + shift, -z - shift))
        return float(scipy.stats.norm.pdf(z)) * sum(float(scipy.stats.chi.cdf(at, df)) for at in below)

    found = scipy.integrate.quad(density, -10, 10, points=[-shift] if shift < 10 else None, epsabs=1e-11, limit=200)[0]
    assert found == pytest.approx(power, abs=1e-9)


def test_detectable_difference_scales_with_sd() -> None:
    """Identity: linear in sd, 0 without spread."""
    assert detectable_difference(2.0, 8) == pytest.approx(2 * detectable_difference(1.0, 8), rel=1e-12)
    assert detectable_difference(0.0, 8) == 0


@pytest.mark.parametrize(
    ("sd", "n", "alpha", "power"),
    [(-1, 5, 0.05, 0.8), (math.nan, 5, 0.05, 0.8), (1, 1, 0.05, 0.8), (1, 5, 0.8, 0.05)],
)
def test_detectable_difference_refuses(sd: float, n: int, alpha: float, power: float) -> None:
    with pytest.raises(ValueError, match=r"sd|clips|alpha"):
        detectable_difference(sd, n, alpha, power)


@pytest.mark.parametrize(("p", "df"), [(0.0, 3), (1.0, 3), (0.9, 0), (0.9, -1), (math.nan, 3)])
def test_quantile_refuses(p: float, df: float) -> None:
    with pytest.raises(ValueError, match="must"):
        t_quantile(p, df)


def test_numpy_is_all_it_needs() -> None:
    """A fresh interpreter imports neither SciPy nor torch with it."""
    code = "import sys, benchmark.statistics; sys.exit(bool({'scipy', 'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent.parent, check=False).returncode == 0
