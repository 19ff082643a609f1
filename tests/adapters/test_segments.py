"""Timestep segments: which expert acts at which step, from one table, for any number of steps.

Expected numbers: on the even grid t_i = 1000 (1 - i / N) exactly ceil(N (1 - s / 1000)) steps lie above a split s; on a shifted grid
t = 1000 m u / (1 + (m - 1) u) they are those with u above s' = s / (1000 m - (m - 1) s), by solving for u. Schedules of a library: diffusers.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from adapters._segments import Segment, Table, active, plan, table
from benchmark.errors import InputError
from benchmark.statistics import steps_of

TWO = [(1000, 700, "motion"), (700, 0, "fidelity")]


def even(n: int) -> list[float]:
    return [float(Fraction(1000 * (n - i), n)) for i in range(n)]


@pytest.mark.parametrize("nfe", [100, 50, 30])
@pytest.mark.parametrize("split", [100, 333, 500, 700, 901])
@pytest.mark.parametrize("shift", [1, 3, 5])
def test_one_table_serves_every_nfe(nfe: int, split: int, shift: int) -> None:
    n = steps_of(nfe, passes=2)
    grid = [Fraction(n - i, n) for i in range(n)]
    steps = [float(1000 * shift * u / (1 + (shift - 1) * u)) for u in grid]
    border = Fraction(split, 1000 * shift - (shift - 1) * split)
    early = ceil(n * (1 - border))
    assert active(table([(1000, split, "motion"), (split, 0, "fidelity")]), steps) == ["motion"] * early + ["fidelity"] * (n - early)


def test_the_three_schedules_of_one_table_by_hand() -> None:
    # t > 700 on the even grid: 50 steps 1000, 980, .., 720 (15); 25 steps 1000, 960, .., 720 (8); 15 steps 1000, 933.3, .., 733.3 (5).
    # An index would not do: step 8 is motion's in 50 steps and fidelity's in 25 and 15.
    for n, early in ((50, 15), (25, 8), (15, 5)):
        found = active(table(TWO), even(n))
        assert found.count("motion") == early
        assert found[:early] == ["motion"] * early
        assert plan(table(TWO), even(n)).arm_after == {early - 1: "fidelity"}


def test_borders_belong_to_the_segment_below_and_zero_to_the_last() -> None:
    segments = table([(1000, 700, "a"), (700, 300, None), (300, 0, "c")])
    assert active(segments, [1000, 700.0001, 700, 300.0001, 300, 0.5, 0]) == ["a", "a", None, None, "c", "c", "c"]


def test_scale_one_says_the_same() -> None:
    thousand, one = table(TWO), table([(1, 0.7, "motion"), (0.7, 0, "fidelity")], scale=1)
    for n in (50, 25, 15):
        assert active(one, [i / n for i in range(n, 0, -1)]) == active(thousand, even(n))


def test_any_number_of_segments_in_any_order() -> None:
    # Ten segments of 100 and 1000 steps 1000, 999, .., 1: a hundred steps each, in order of t.
    rows = [(100.0 * (k + 1), 100.0 * k, f"e{k}") for k in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]
    assert active(table(rows), even(1000)) == [f"e{k}" for k in range(9, -1, -1) for _ in range(100)]
    assert table([(1000, 0, "only")]) == Table((Segment(1000, 0, "only"),), 1000)


def test_a_callback_arms_what_the_next_step_needs() -> None:
    # The loop of a pipeline, played: arm, run step 0, callback 0, run step 1, ... Every step must meet its own expert.
    segments = table([(1000, 800, "a"), (800, 500, None), (500, 200, "b"), (200, 0, "a")])
    for n in (50, 25, 15, 3, 1):
        made = plan(segments, even(n))
        armed, met = made.arm_first, []
        for i in range(n):
            met.append(armed)
            armed = made.arm_after.get(i, armed)
        assert met == active(segments, even(n)) == list(made.experts)
        assert n - 1 not in made.arm_after


def test_skipped_steps() -> None:
    # Above 700 on the even grid of 50: 15 steps are not run; what remains is fidelity's, armed at once, never switched.
    made = plan(table(TWO), even(50), skip_above=700)
    assert (made.first, len(made.experts), made.arm_first, dict(made.arm_after)) == (15, 35, "fidelity", {})
    part = plan(table(TWO), even(50), skip_above=800)
    assert (part.first, part.arm_first, dict(part.arm_after)) == (10, "motion", {4: "fidelity"})
    assert plan(table(TWO), even(50), skip_above=1000) == plan(table(TWO), even(50))
    with pytest.raises(InputError, match=r"skip above t = 10[\s\S]*20 or more"):
        plan(table(TWO), even(50), skip_above=10)


def test_timesteps_given_twice() -> None:
    assert active(table(TWO), [1000, 700, 700, 300, 300]) == ["motion", *["fidelity"] * 4]


@pytest.mark.parametrize(
    ("rows", "scale", "names"),
    [
        ([], 1000, "no segment"),
        ([(1000, 700, "a"), (600, 0, "b")], 1000, r"600 < t <= 700 is nobody's: a \(700, 1000\], b \(0, 600\]"),
        ([(1000, 600, "a"), (700, 0, "b")], 1000, r"overlap[\s\S]*a \(600, 1000\], b \(0, 700\]"),
        ([(1000, 0, "a"), (1000, 0, "b")], 1000, r"overlap[\s\S]*a \(0, 1000\], b \(0, 1000\]"),
        ([(900, 0, "a")], 1000, r"900 < t <= 1000 is nobody's"),
        ([(1000, 10, None)], 1000, r"0 <= t <= 10 is nobody's; last: base"),
        ([(1000, 500, "a"), (500, 500, "b"), (500, 0, "c")], 1000, r"b \(500, 500\]"),
        ([(700, 1000, "a")], 1000, r"a \(1000, 700\]"),
        ([(1000, -5, "a")], 1000, r"a \(-5, 1000\]"),
        ([(1000, float("nan"), "a")], 1000, "nan"),
        (TWO, 1, "leaves the range"),
        (TWO, 500, "scale 500"),
    ],
)
def test_tables_that_are_none(rows: list[tuple[float, float, str | None]], scale: float, names: str) -> None:
    with pytest.raises(InputError, match=names) as error:
        table(rows, scale)
    assert error.value.code == "bad-segments"


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ([], "no timestep"),
        ([900, 950], "900 at step 0, 950 at step 1"),
        ([1001, 5], "t = 1001"),
        ([5, -1], "t = -1"),
        ([float("nan")], "t = nan"),
        ([1.0, 0.5], "a table of scale 1"),
    ],
)
def test_schedules_that_are_none(steps: list[float], names: str) -> None:
    with pytest.raises(InputError, match=names) as error:
        active(table(TWO), steps)
    assert error.value.code == "bad-timestep"


@pytest.mark.peers
def test_schedules_of_diffusers() -> None:
    # The library's own timesteps; what is expected is counted by comparing each with the border.
    diffusers = pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")
    schedulers = [
        diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0),
        diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0),
        diffusers.CogVideoXDDIMScheduler(),
    ]
    for scheduler in schedulers:
        for n in (50, 25, 15):
            scheduler.set_timesteps(n)
            steps = [float(t) for t in scheduler.timesteps]
            early = sum(t > 700 for t in steps)
            assert 0 < early < n
            assert active(table(TWO), steps) == ["motion"] * early + ["fidelity"] * (n - early)
