"""VBench's dynamic degree against frozen numbers of its code (tests/fixtures/vbench_dynamic_degree.json): sampled frames, padding, the length of
a flow field, thresholds, decisions.

No flow network runs: fields follow from a formula (tests/formula_people.py). Tolerances are those stated in the fixture.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.people import _dynamic_degree
from tests.deviations import Recorder
from tests.formula import frames
from tests.formula_people import flow

pytestmark = pytest.mark.parity

FROZEN = json.loads((Path(__file__).resolve().parent.parent / "fixtures" / "vbench_dynamic_degree.json").read_text(encoding="utf-8"))
OUT = FROZEN["outputs"]
HEAD = "VBench 45e79ec"
LENGTH = {"tolerance": FROZEN["tolerance"]["get_score_relative"], "unit": "relative"}
TINY = "get_score_tiny (null = mean of nothing, NaN)"
NINE = OUT["infer_9_frames_37x53"]["results"]


def sides(text: str) -> tuple[int, int]:
    """Height and width of `37x53`."""
    height, width = text.split("x")
    return int(height), int(width)


@pytest.mark.parametrize("case", OUT["get_score"])
def test_length_of_a_field(case: str, record_deviation: Recorder) -> None:
    """The mean of the longest twentieth, and how many vectors that are."""
    name, *rest = case.removeprefix("flow(").removesuffix(")").split(", ")
    field = flow(ast.literal_eval(name), int(rest[0]), int(rest[1]), float(rest[2]))
    expected = OUT["get_score"][case]
    assert _dynamic_degree.counted(*field.shape[1:]) == expected["n_top"]
    record_deviation("dynamic degree, length", HEAD, _dynamic_degree.largest_mean(field) / expected["top5"] - 1, **LENGTH)


@pytest.mark.parametrize("case", OUT[TINY])
def test_length_of_a_tiny_field(case: str, record_deviation: Recorder) -> None:
    """flow('t', h, w, 3.0), a name and scale that the fixture does not state. Where VBench's mean of nothing is NaN, ours is an error."""
    field, expected = flow("t", *sides(case), 3.0), OUT[TINY][case]
    if expected is None:
        with pytest.raises(ValueError, match="no twentieth"):
            _dynamic_degree.largest_mean(field)
        return
    record_deviation("dynamic degree, length", HEAD, _dynamic_degree.largest_mean(field) / expected - 1, **LENGTH)


@pytest.mark.parametrize("case", OUT["set_params"])
def test_thresholds(case: str) -> None:
    height, width, count = (int(part.split("=")[1]) for part in case.split(", "))
    assert {"thres": _dynamic_degree.threshold(height, width), "count_num": _dynamic_degree.needed(count)} == OUT["set_params"][case]


@pytest.mark.parametrize("case", OUT["check_move"])
def test_decisions(case: str) -> None:
    size, count, scores = case.split(", ", 2)
    above, pairs = _dynamic_degree.threshold(*sides(size)), _dynamic_degree.needed(int(count.removeprefix("frames=")))
    expected = OUT["check_move"][case]
    assert {"thres": above, "count_num": pairs} == expected["params"]
    moves = _dynamic_degree.moves(ast.literal_eval(scores.removeprefix("pair scores=")), above, pairs)
    assert moves is expected["moves"]


@pytest.mark.parametrize("case", OUT["get_frames"])
def test_sampled_frames(case: str) -> None:
    words = case.split()
    count, fps = int(words[0]), float(words[3])
    sampled, expected = _dynamic_degree.sampled(count, fps), OUT["get_frames"][case]
    found = {
        "interval": _dynamic_degree.interval(fps),
        "extracted": len(sampled),
        "first_indices": list(sampled[:4]),
        "last": sampled[-1],
        "count_num": _dynamic_degree.needed(len(sampled)),
    }
    assert found == expected


@pytest.mark.parametrize("case", OUT["InputPadder"])
def test_padding(case: str) -> None:
    height, width = sides(case)
    expected = OUT["InputPadder"][case]
    left, right, top, bottom = _dynamic_degree.pads(height, width)
    assert [left, right, top, bottom] == expected["left_right_top_bottom"]
    picture = frames("truth", 1, height, width)[0]
    padded = _dynamic_degree.pad(picture)
    assert list(padded.shape[:2]) == expected["padded"]
    assert np.array_equal(padded[top : top + height, left : left + width], picture)
    rows, columns = (
        np.arange(-before, size + after).clip(0, size - 1) for before, size, after in ((top, height, bottom), (left, width, right))
    )
    assert np.array_equal(padded, picture[rows][:, columns])


@cache
def clip() -> NDArray[np.uint8]:
    """Nine frames of 37x53 that differ in their first level, by which a given flow knows its pair."""
    made = frames("truth", 9, 37, 53)
    made[:, 0, 0, 0] = np.arange(9)
    return made


@pytest.mark.parametrize("case", NINE)
def test_a_whole_clip(case: str, record_deviation: Recorder) -> None:
    """Pairs in order, padded to 40x56, lengths not cropped back, the decision."""
    amplitude, expected = float(case.split("=")[1]), NINE[case]

    def given(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        assert first.shape == second.shape == (40, 56, 3)
        assert int(second[0, 0, 0]) == int(first[0, 0, 0]) + 1
        k = int(second[0, 0, 0])
        return flow(f"r{k}", 40, 56, amplitude * k)

    lengths = _dynamic_degree.lengths(clip(), given)
    assert len(lengths) == len(expected["pair_scores"])
    off = [ours / frozen - 1 for ours, frozen in zip(lengths, expected["pair_scores"], strict=True)]
    record_deviation("dynamic degree, lengths of a clip", HEAD, off, **LENGTH)
    assert {"thres": _dynamic_degree.threshold(37, 53), "count_num": _dynamic_degree.needed(9)} == expected["params"]
    assert _dynamic_degree.dynamic(clip(), given) is expected["moves"]


# ----------------------------------------------------------------------------------------------------- rules that are not frozen


def test_a_still_clip_does_not_move() -> None:
    """Closed form: flow of length 0; and a constant flow (3, 4) has length 5 whatever is counted."""

    def still(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros((2, *first.shape[:2]), np.float32)

    def steady(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.broadcast_to(np.array([3, 4], np.float32)[:, None, None], (2, *first.shape[:2]))

    assert not _dynamic_degree.dynamic(clip(), still)
    assert _dynamic_degree.lengths(clip(), steady) == [5.0] * 8
    assert _dynamic_degree.dynamic(clip(), steady)
    assert not _dynamic_degree.dynamic(clip()[:1], steady)
    assert _dynamic_degree.dynamic(clip()[:2], still)


def test_the_share_of_clips() -> None:
    assert _dynamic_degree.degree([True, False, True, True]) == 0.75
    with pytest.raises(ValueError, match="no clips"):
        _dynamic_degree.degree([])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: _dynamic_degree.interval(0),
        lambda: _dynamic_degree.sampled(8, -1),
        lambda: _dynamic_degree.largest_mean(np.zeros((3, 8, 8), np.float32)),
        lambda: _dynamic_degree.lengths(clip(), lambda first, second: np.zeros((2, 37, 53), np.float32)),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="not "):
        wrong()
