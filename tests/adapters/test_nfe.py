"""NFE and time: whole-number arithmetic by hand, the line against numpy.polyfit, R2 against the squared correlation, quartiles by hand."""

from __future__ import annotations

import numpy as np
import pytest

from adapters._nfe import Call, counted, fit, speed_up, steps, times
from benchmark.errors import InputError


@pytest.mark.parametrize(
    ("nfe", "passes", "per_step", "expected"),
    [(100, 2, 1, 50), (50, 2, 1, 25), (30, 2, 1, 15), (30, 1, 1, 30), (150, 3, 1, 50), (100, 2, 2, 25), (1, 1, 1, 1)],
)
def test_steps(nfe: int, passes: int, per_step: int, expected: int) -> None:
    assert steps(nfe, passes, per_step) == expected


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
        steps(nfe, passes, per_step)
    assert error.value.code == "bad-nfe"


@pytest.mark.parametrize("clips", [1, 3])
def test_batched_and_unbatched_guidance_count_the_same(clips: int) -> None:
    # 50 steps under guidance are 100 evaluations of each clip, as one call of twice the clips or as two calls.
    batched = [Call("transformer", 2 * clips)] * 50
    unbatched = [Call("transformer", clips)] * 100
    assert counted(batched, clips) == counted(unbatched, clips) == {"transformer": 100}
    assert steps(100, passes=2) == 50


def test_two_denoisers_are_counted_together() -> None:
    # Wan2.2, 40 steps under guidance, 13 of them above the border: 26 + 54 = 80 evaluations.
    found = counted([Call("transformer", 1)] * 26 + [Call("transformer_2", 1)] * 54)
    assert found == {"transformer": 26, "transformer_2": 54}
    assert sum(found.values()) == 80


def test_guidance_in_a_part_of_the_steps() -> None:
    # Ten steps with guidance in one batch, 20 without: 10 * 2 + 20 = 40, which no number of passes gives.
    assert counted([Call("transformer", 2)] * 10 + [Call("transformer", 1)] * 20) == {"transformer": 40}


@pytest.mark.parametrize(
    ("calls", "clips", "names"),
    [
        ([], 1, "no denoiser was called"),
        ([Call("transformer", 3)], 2, r"`transformer`[\s\S]*a batch of 3, 2 clips[\s\S]*a multiple of 2"),
        ([Call("transformer", 0)], 1, "a batch of 0"),
        ([Call("transformer", 1)], 0, "one clip or more"),
    ],
)
def test_calls_that_do_not_count(calls: list[Call], clips: int, names: str) -> None:
    with pytest.raises(InputError, match=names):
        counted(calls, clips)


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
