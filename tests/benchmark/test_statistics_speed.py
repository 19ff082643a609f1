"""NFE and time: whole-number arithmetic by hand, the line against numpy.polyfit, R2 against the squared correlation, quartiles and knees by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.statistics import fit, knee, speed_up, steps_of, times


@pytest.mark.parametrize(
    ("nfe", "passes", "per_step", "expected"),
    [(100, 2, 1, 50), (50, 2, 1, 25), (30, 2, 1, 15), (30, 1, 1, 30), (150, 3, 1, 50), (100, 2, 2, 25), (1, 1, 1, 1)],
)
def test_steps(nfe: int, passes: int, per_step: int, expected: int) -> None:
    assert steps_of(nfe, passes, per_step) == expected


@pytest.mark.parametrize(
    ("nfe", "passes", "per_step", "names"),
    [
        (31, 2, 1, r"NFE 30 \(15 steps\) or NFE 32 \(16 steps\)"),
        (100, 3, 1, r"NFE 99 \(33 steps\) or NFE 102 \(34 steps\)"),
        (1, 2, 1, r"expected: NFE 2 \(1 steps\)"),
        (30, 2, 2, r"NFE 28 \(7 steps\) or NFE 32 \(8 steps\)"),
        (0, 2, 1, "nfe must be 1 or more"),
        (4, 0, 1, "passes must be 1 or more"),
        (4, 2, 0, "per_step must be 1 or more"),
    ],
)
def test_a_remainder_names_the_nearest(nfe: int, passes: int, per_step: int, names: str) -> None:
    with pytest.raises(InputError, match=names) as error:
        steps_of(nfe, passes, per_step)
    assert error.value.code == "bad-nfe"


def test_an_exact_line_is_found() -> None:
    # seconds = 3 + 0.5 NFE, all in whole halves: exact in float64.
    found = fit([100, 50, 30, 10], [53, 28, 18, 8])
    assert (found.base, found.each, found.r2) == (pytest.approx(3, abs=1e-13), pytest.approx(0.5, abs=1e-15), pytest.approx(1, abs=1e-15))
    assert (found.points, found.levels) == (4, 4)


@pytest.mark.parametrize("seed", range(5))
def test_the_line_is_polyfits_and_r2_the_squared_correlation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nfe = rng.choice([10, 30, 50, 100], 24)
    seconds = 4 + 0.3 * nfe + rng.standard_normal(24)
    found = fit(nfe.tolist(), seconds.tolist())
    each, base = np.polyfit(nfe, seconds, 1)
    assert (found.each, found.base) == (pytest.approx(each, rel=1e-10), pytest.approx(base, rel=1e-10))
    assert found.r2 == pytest.approx(np.corrcoef(nfe, seconds)[0, 1] ** 2, rel=1e-10)
    assert (found.points, found.levels) == (24, len(set(nfe.tolist())))


def test_r2_of_a_constant_is_missing_and_of_no_relation_zero() -> None:
    flat = fit([10, 20, 30], [0.1, 0.1, 0.1])
    assert flat.r2 is None
    assert (flat.base, flat.each) == (pytest.approx(0.1), pytest.approx(0))
    # Symmetric about the middle: slope 0 by cancellation.
    assert fit([1, 2, 3], [1, 5, 1]).r2 == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("nfe", "seconds", "names"),
    [
        ([30, 30], [1, 2], "1 different in 2 points"),
        ([], [], "0 different"),
        ([1, 2], [1], "do not pair"),
        ([1, 2], [1, float("nan")], "not finite"),
    ],
)
def test_points_without_a_line(nfe: list[float], seconds: list[float], names: str) -> None:
    with pytest.raises(InputError, match=names):
        fit(nfe, seconds)


def test_median_and_spread() -> None:
    # 1, 2, 3, 4, 10: quartiles of the linear rule at places 1 and 3. Of 1, 2: 1.25 and 1.75.
    found = times([10, 1, 3, 2, 4])
    assert (found.median, found.low, found.high, found.least, found.most, found.runs) == (3, 2, 4, 1, 10, 5)
    assert (times([1, 2]).low, times([1, 2]).median, times([1, 2]).high) == (1.25, 1.5, 1.75)
    assert times([7]).median == times([7]).low == 7


def test_speed_up_is_a_ratio_of_medians() -> None:
    # 100 NFE against 30: 50 s / 15 s.
    found = speed_up({"100": [50, 49, 90], "30": [15, 15, 14], "1000": [500]}, "100")
    assert found == {"100": 1.0, "30": pytest.approx(50 / 15), "1000": pytest.approx(0.1)}


def test_speed_up_without_its_row_or_seconds() -> None:
    with pytest.raises(InputError, match=r"found: +100[\s\S]*expected: 30, 50"):
        speed_up({"30": [1], "50": [1]}, "100")
    for seconds in ([], [0.0], [-1.0], [float("inf")]):
        with pytest.raises(InputError, match="finite and above 0"):
            speed_up({"30": [1.0], "50": seconds}, "30")


def test_the_knee_by_hand() -> None:
    # Scaled NFE 0, 0.25, 0.5, 0.75, 1; values 0, 0.6, 0.8, 0.9, 1: above the chord by 0.35, 0.3, 0.15.
    nfe, values = [10, 20, 30, 40, 50], [20.0, 26.0, 28.0, 29.0, 30.0]
    assert knee(nfe, values, True) == 1
    assert knee(nfe[::-1], values[::-1], True) == 3
    assert knee(nfe, [-v for v in values], False) == 1
    # Uneven levels count by their NFE: 10, 30, 50, 100 scaled are 0, 2/9, 4/9, 1; 0.5, 0.9, 1 less these: 0.28, 0.46.
    assert knee([10, 30, 50, 100], [0.0, 0.5, 0.9, 1.0], True) == 2
    # An overshoot is above a chord that ends below it: scaled values 0, 1, 0.5.
    assert knee([1, 2, 3], [5.0, 7.0, 6.0], True) == 1


def test_of_equal_distances_the_cheaper() -> None:
    # Scaled: (0, 0), (1/4, 1/2), (3/4, 1), (1, 1): 1/4 above the chord twice.
    assert knee([0, 1, 3, 4], [0.0, 1.0, 2.0, 2.0], True) == 1


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_knee_knows_no_units(scale: float) -> None:
    assert knee([10 * scale, 20 * scale, 50 * scale], [3 * scale, 5 * scale, 6 * scale], True) == 1


@pytest.mark.parametrize(
    ("nfe", "values", "better"),
    [
        ([10, 50], [1.0, 2.0], True),  # two levels
        ([10, 30, 50], [2.0, 2.0, 2.0], True),  # no change
        ([10, 30, 50], [2.0, 3.0, 1.9], True),  # ends worse than it begins
        ([10, 30, 50], [1.0, 2.0, 3.0], True),  # the chord itself
        ([10, 30, 50], [0.1, 0.2, 0.3], True),  # and where its points are not exact in binary
        ([10, 30, 50], [1.0, 1.1, 3.0], True),  # does not flatten
        ([10, 30, 50], [1.0, 2.5, 3.0], False),  # the other side is the better one
        ([10, 30, 50], [1.0, 2.5, 3.0], None),  # no better side
        ([10, 10, 50], [1.0, 2.5, 3.0], True),  # no curve
    ],
)
def test_curves_without_a_knee(nfe: list[float], values: list[float], better: bool | None) -> None:
    assert knee(nfe, values, better) is None


def test_points_of_no_curve() -> None:
    with pytest.raises(InputError, match="do not pair"):
        knee([1, 2, 3], [1, 2], True)
    with pytest.raises(InputError, match="not finite"):
        knee([1, 2, 3], [1, 2, float("nan")], True)
