"""How far our numbers are from the originals: the parity tests record it here, and docs/deviations.md is written from what they record.

A pytest plugin. A test takes the fixture `record_deviation` and hands it what it measured; the fixture fails the test where that is beyond
the tolerance. At the end of a run the rows are compared with the page: a row that the page lacks, or a row of the page that its test did
not record, fails the run. `--write-deviations` writes the page instead; rows of tests that were not run stay as they are.
"""

from __future__ import annotations

import importlib.metadata
import math
import platform
import tempfile
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import ArrayLike

PAGE = Path("docs") / "deviations.md"
_KEY = "deviation"
_HEADER = "| what | against | largest deviation | tolerance | unit | test |"
_INTRO = """# Deviations

How far this package's numbers are from the code they stand for, measured by the tests named in the last column. The numbers of the other
side are frozen (`tests/fixtures/`, with repository, commit and library versions) or closed forms. The largest deviation over all cases of a
test is printed, rounded up to one digit; `0` is equality to the bit. `relative` is divided by the expected value.

This page is written by

    python -m pytest -m parity --write-deviations

and by nothing else. Every run of the tests fails where a row is missing here, is no longer measured, or is beyond its tolerance.
"""


@dataclass(frozen=True, order=True)
class Row:
    """One line of the page. (what, against, test) is its identity; measured and tolerance are in `unit`."""

    what: str
    against: str
    test: str
    measured: float
    tolerance: float
    unit: str

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.what, self.against, self.test

    @property
    def claim(self) -> tuple[str, str, str, float, str]:
        """Everything that must agree between a run and the page: all but the digits measured, which differ between machines."""
        return (*self.identity, self.tolerance, self.unit)


class Recorder(Protocol):
    """What the fixture `record_deviation` gives."""

    def __call__(self, what: str, against: str, measured: ArrayLike, *, tolerance: float, unit: str = "") -> None:
        """Record the largest |measured| of `what` (a variant, an extractor, ...); fail where it is NaN or beyond the tolerance."""


def rounded_up(value: float) -> str:
    """A value >= 0 with one significant digit, never smaller than it is."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(value))
    digit = math.ceil(round(value / 10.0**exponent, 9))
    return f"1e{exponent + 1}" if digit == 10 else f"{digit}e{exponent}"


def largest(rows: Iterable[Row]) -> list[Row]:
    """One row for each identity, with the largest deviation of its cases; sorted."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        kept = found.setdefault(row.identity, row)
        if kept.claim != row.claim:
            raise ValueError(f"two cases of {row.identity} state different tolerances or units")
        found[row.identity] = replace(kept, measured=max(kept.measured, row.measured))
    return sorted(found.values())


def render(rows: Iterable[Row]) -> str:
    """The page."""
    lines = [_INTRO, f"Last written with {_versions()}.", "", _HEADER, "|---|---|---|---|---|---|"]
    for row in largest(rows):
        shown = min(float(rounded_up(row.measured)), row.tolerance)
        lines.append(f"| {row.what} | {row.against} | {shown:g} | {row.tolerance:g} | {row.unit} | `{row.test}` |")
    return "\n".join(lines) + "\n"


def parse(page: str) -> list[Row]:
    """The rows of a page."""
    rows = []
    for line in page.partition(_HEADER)[2].splitlines()[2:]:
        what, against, measured, tolerance, unit, test = (cell.strip() for cell in line.strip().strip("|").split("|"))
        rows.append(Row(what, against, test.strip("`"), float(measured), float(tolerance), unit))
    return rows


def merged(page: Iterable[Row], measured: Iterable[Row], ran: Iterable[str]) -> list[Row]:
    """The rows of a new page: what was measured, and from the old page the rows of tests that did not run."""
    done = set(ran)
    return largest([*measured, *(row for row in page if row.test not in done)])


def disagreements(page: Iterable[Row], measured: Iterable[Row], ran: Iterable[str]) -> list[str]:
    """What is wrong with the page after a run, one sentence a row; `ran` are the tests that passed in full."""
    expected = {row.identity: row for row in page}
    found = {row.identity: row for row in largest(measured)}
    done = set(ran)
    missing = [f"{row.what} against {row.against} is not on the page" for key, row in found.items() if key not in expected]
    stale = [f"{row.what} against {row.against} is on the page, but {row.test} did not measure it" for key, row in expected.items()
             if row.test in done and key not in found]  # fmt: skip
    changed = [f"{row.what} against {row.against}: the page states another tolerance or unit" for key, row in found.items()
               if key in expected and expected[key].claim != row.claim]  # fmt: skip
    return missing + stale + changed


def _versions() -> str:
    found = [f"Python {platform.python_version()} on {platform.machine()}"]
    for name in ("numpy", "scipy", "opencv-python-headless", "torch"):
        found += [f"{name} {package.version}" for package in list(importlib.metadata.distributions(name=name))[:1]]
    return ", ".join(found)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False, suffix=".tmp") as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


@pytest.fixture
def record_deviation(request: pytest.FixtureRequest) -> Recorder:
    """A function that records one deviation of the running test and holds it against its tolerance; see `Recorder`."""
    test = request.node.nodeid.partition("[")[0]

    def record(what: str, against: str, measured: ArrayLike, *, tolerance: float, unit: str = "") -> None:
        if "|" in f"{what}{against}{unit}":
            raise ValueError("a cell of the table cannot hold a vertical bar")
        value = float(np.max(np.abs(np.asarray(measured, np.float64))))
        request.node.user_properties.append((_KEY, astuple(Row(what, against, test, value, tolerance, unit))))
        assert value <= tolerance, f"{what} against {against}: {value:.3g} {unit} is beyond {tolerance:g}"

    return record


class _Collector:
    """Collects rows and outcomes from the reports, which reach it from worker processes too."""

    def __init__(self, config: pytest.Config) -> None:
        self.page = config.rootpath / PAGE
        self.writes = bool(config.getoption("--write-deviations"))
        self.rows: list[Row] = []
        self.ran: set[str] = set()
        self.incomplete: set[str] = set()
        self.problems: list[str] = []

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.incomplete |= {item.nodeid.partition("[")[0] for item in items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        if report.outcome != "passed":
            self.incomplete.add(test)
        elif report.when == "call":
            self.ran.add(test)
            self.rows += [Row(*value) for key, value in report.user_properties if key == _KEY]  # type: ignore[misc]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus != pytest.ExitCode.OK:
            return
        old = parse(self.page.read_text(encoding="utf-8")) if self.page.exists() else []
        done = self.ran - self.incomplete
        if self.writes:
            _write(self.page, render(merged(old, [row for row in self.rows if row.test in done], done)))
            return
        self.problems = disagreements(old, self.rows, done)
        if self.problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.problems:
            terminalreporter.section(f"{PAGE.as_posix()} does not agree", red=True)
            for problem in self.problems:
                terminalreporter.line(problem)
            terminalreporter.line("to write it anew: python -m pytest -m parity --write-deviations")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-deviations", action="store_true", help=f"write {PAGE.as_posix()} from the deviations this run measures")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(config), "deviations-page")
