"""Krippendorff's alpha and the exact interval of a share.

Expected: the worked example of Krippendorff 2011 (four observers, twelve units: nominal .743, ordinal .815, interval .849), closed forms, and live the
packages `krippendorff` and SciPy.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.statistics.agreement import DISTANCES, Level, exact_share, krippendorff

NAN = math.nan
EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")


@pytest.mark.parametrize(("level", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_own_example(level: Level, printed: float) -> None:
    """Unit 12 has one value only, so 11 units and 40 values count, as the paper says."""
    found = krippendorff(EXAMPLE, level)
    assert found.value == pytest.approx(printed, abs=0.0005)
    assert (found.units, found.values, found.raters) == (11, 40, 4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < printed < found.high


@pytest.mark.peers
@pytest.mark.parametrize("level", LEVELS)
def test_alpha_is_that_of_the_package(level: Level) -> None:
    peer = pytest.importorskip("krippendorff")
    generator = np.random.default_rng(5)
    for raters, units, holes in ((2, 6, 0.0), (5, 30, 0.3), (12, 40, 0.7)):
        table = generator.integers(0, 11, (raters, units)).astype(float)
        table[generator.random(table.shape) < holes] = NAN
        expected = peer.alpha(reliability_data=table, level_of_measurement=level)
        assert krippendorff(table, level).value == pytest.approx(expected, abs=1e-12)


def test_alpha_of_two_raters_and_two_values_by_hand() -> None:
    """2 x 4 units, of which one differs: 8 values, 5 zeros and 3 ones; observed 2, expected 2 * 5 * 3 / 7: alpha = 1 - 14 / 30."""
    for level in LEVELS:
        assert krippendorff([[0, 0, 1, 0], [0, 0, 1, 1]], level).value == pytest.approx(1 - 14 / 30, abs=1e-15)


def test_alpha_says_why_there_is_none() -> None:
    assert krippendorff([[1, NAN], [NAN, 2]], "nominal").why == "too-few"
    constant = krippendorff([[3, 3], [3, 3]], "interval")
    assert (constant.value, constant.why) == (None, "constant")
    few = krippendorff([[1, 2, 3], [1, 2, 4]], "interval")
    assert few.value is not None
    assert (few.low, few.why) == (None, "few-units")


def test_alpha_of_full_agreement_is_one_with_its_interval() -> None:
    found = krippendorff([list(range(10)), list(range(10))], "interval")
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_the_interval_is_the_same_each_time_and_moves_with_the_seed() -> None:
    assert krippendorff(EXAMPLE, "interval", seed=1) == krippendorff(EXAMPLE, "interval", seed=1)
    assert krippendorff(EXAMPLE, "interval", seed=1).low != krippendorff(EXAMPLE, "interval", seed=2).low


def test_the_interval_is_numpys_percentile_of_resampled_units() -> None:
    """An independent bootstrap: alpha of the resampled table itself, with another generator. Both have a Monte-Carlo error of about 0.01 at 2,000 resamples."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 11, 40)
    table = np.clip(truth + generator.integers(-2, 3, (6, 40)), 0, 10).astype(float)
    found = krippendorff(table, "interval")
    other = [krippendorff(table[:, generator.integers(0, 40, 40)], "interval", resamples=100).value for _ in range(400)]
    assert [found.low, found.high] == pytest.approx(np.quantile(np.array(other, float), [0.025, 0.975]).tolist(), abs=0.03)


@pytest.mark.parametrize(("ratings", "level"), [([1, 2], "nominal"), ([[math.inf, 1], [1, 1]], "nominal"), ([[1, 1], [1, 2]], "ratio")])
def test_alpha_refuses(ratings: object, level: Level) -> None:
    with pytest.raises(ValueError, match=r"ratings must|level is one of"):
        krippendorff(ratings, level)  # type: ignore[arg-type]


def test_levels_are_the_three_that_are_told() -> None:
    assert tuple(DISTANCES) == LEVELS


def test_exact_share_by_closed_form_and_scipy() -> None:
    """All of n: the lower limit is 0.025^(1/n); none: the mirror image. Others: quantiles of the beta distribution."""
    assert exact_share(10, 10) == pytest.approx((0.025**0.1, 1.0), abs=1e-14)
    assert exact_share(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1), abs=1e-14)
    stats = pytest.importorskip("scipy.stats")
    for k, n in ((3, 10), (1, 2), (70, 100), (900, 2000)):
        expected = (stats.beta.ppf(0.025, k, n - k + 1), stats.beta.ppf(0.975, k + 1, n - k))
        assert exact_share(k, n) == pytest.approx(expected, abs=1e-10)
    with pytest.raises(ValueError, match="successes"):
        exact_share(3, 2)
