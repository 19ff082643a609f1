"""The recorder behind docs/deviations.md, and the committed page itself. Expected values follow from the definitions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.deviations import PAGE, Recorder, Row, disagreements, largest, merged, parse, render, rounded_up

ROOT = Path(__file__).resolve().parent.parent
A = Row("psnr@float", "the original", "tests/a.py::test_a", 2e-15, 1e-10, "dB")
B = Row("l1@unit", "the original", "tests/b.py::test_b", 0.0, 1e-12, "relative")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1e-10, "1e-10"), (1.01e-10, "2e-10"), (9.4e-5, "1e-4"), (3.0, "3e0"), (2.1e-15, "3e-15")]
)
def test_rounded_up(value: float, text: str) -> None:
    assert rounded_up(value) == text


def test_largest_deviation_of_all_cases() -> None:
    assert largest([A, replace(A, measured=5e-15), B]) == [B, replace(A, measured=5e-15)]
    with pytest.raises(ValueError, match="different tolerances"):
        largest([A, replace(A, tolerance=1e-9)])


def test_page_keeps_its_rows() -> None:
    assert parse(render([A, B])) == [B, A]
    assert parse(render([])) == []


def test_rows_of_tests_that_did_not_run_are_kept() -> None:
    assert merged([A, B], [replace(A, measured=0.0)], [A.test]) == [B, replace(A, measured=0.0)]
    assert merged([A, B], [], [A.test]) == [B]


def test_a_page_that_lies_is_told() -> None:
    assert disagreements([A, B], [A], [A.test]) == []
    assert "not on the page" in disagreements([], [A], [A.test])[0]
    assert "did not measure it" in disagreements([A], [], [A.test])[0]
    assert "another tolerance" in disagreements([A], [replace(A, tolerance=1e-9)], [A.test])[0]
    assert disagreements([A], [replace(A, measured=9e-11)], [A.test]) == []


@pytest.mark.parametrize("measured", [2.0, float("nan"), [0.0, -3.0]])
def test_beyond_the_tolerance_fails(request: pytest.FixtureRequest, record_deviation: Recorder, measured: float | list[float]) -> None:
    with pytest.raises(AssertionError, match="is beyond"):
        record_deviation("this test", "nothing", measured, tolerance=1.0)
    request.node.user_properties.clear()


def test_committed_page() -> None:
    """Every row is within its tolerance and names a test that exists."""
    rows = parse((ROOT / PAGE).read_text(encoding="utf-8"))
    assert rows == sorted(rows)
    assert rows
    for row in rows:
        assert row.measured <= row.tolerance, row
        path, _, name = row.test.rpartition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), row
