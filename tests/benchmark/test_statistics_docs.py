"""docs/statistics.md tells the truth: a shorter simulation with another seed agrees with its coverage table within Monte-Carlo error."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.statistics import COVERAGE, coverage

DOCS = Path(__file__).parent.parent.parent / "docs"
SIGMAS = 4.0
"""Of the difference of two simulated shares: 1 chance in 16,000 a comparison, were the seeds not fixed."""


def load() -> ModuleType:
    """docs/make_statistics.py; docs is no package."""
    spec = importlib.util.spec_from_file_location("make_statistics", DOCS / "make_statistics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MAKE = load()
TEXT = (DOCS / "statistics.md").read_text(encoding="utf-8")
CASES = [(shape, n) for shape in ("normal", "skewed") for n in (4, 10, 40)]


def row(shape: str, n: int, table: int) -> list[str]:
    """Cells after the first two of a row of the page: table 0 is coverage, 1 false alarms."""
    lines = [line for line in TEXT.splitlines() if line.startswith(f"| {shape} | {n} |")]
    return [cell.strip() for cell in lines[table].strip("|").split("|")][2:]


def share(cell: str) -> float:
    return float(cell.removesuffix(" %")) / 100


def agree(found: float, repeats: int, printed: float, printed_repeats: int) -> None:
    """Two shares within SIGMAS of their pooled Monte-Carlo error, plus the printed digit."""
    pooled = (found * repeats + printed * printed_repeats) / (repeats + printed_repeats)
    error = math.sqrt(pooled * (1 - pooled) * (1 / repeats + 1 / printed_repeats))
    assert abs(found - printed) <= SIGMAS * error + 0.0005


@pytest.mark.parametrize(("shape", "n"), CASES)
def test_coverage_of_means(shape: str, n: int) -> None:
    """Expected: the page. For normal clips the t interval is exact, so there also the closed form 95 %."""
    repeats = 2_000
    found = MAKE.mean_rates(shape, n, repeats, seed=99).of_mean
    agree(found, repeats, share(row(shape, n, 0)[0]), MAKE.MEANS)
    if shape == "normal":
        agree(found, repeats, 0.95, 10**9)


@pytest.mark.parametrize(("shape", "n"), CASES)
def test_coverage_of_set_metrics(shape: str, n: int) -> None:
    """Expected: the page."""
    repeats = 300 if n < 40 else 120
    found, cells = MAKE.set_rates(shape, n, repeats, seed=99), row(shape, n, 0)
    agree(found.of_average, repeats, share(cells[1]), MAKE.SETS)
    agree(found.of_limit, repeats, share(cells[2]), MAKE.SETS)
    assert found.ratio == pytest.approx(float(cells[3]), rel=0.15)


@pytest.mark.parametrize(("shape", "n"), [("normal", 4), ("skewed", 10)])
def test_coverage_of_wide_set_metrics(shape: str, n: int) -> None:
    """Expected: the page."""
    found, cells = MAKE.set_rates(shape, n, 100, 99, MAKE.WIDE), row(shape, n, 0)
    agree(found.of_average, 100, share(cells[4]), MAKE.WIDE_SETS)
    agree(found.of_limit, 100, share(cells[5]), MAKE.WIDE_SETS)
    assert found.ratio == pytest.approx(float(cells[6]), rel=0.15)


@pytest.mark.parametrize(("shape", "n"), [("normal", 4), ("skewed", 10)])
def test_false_alarms(shape: str, n: int) -> None:
    """Expected: the page; the sign flip is exact, so at four clips it never raises one (2 / 2^4 > 0.05)."""
    flips, sets = MAKE.false_alarms(shape, n, 200, seed=99)
    agree(flips, 200, share(row(shape, n, 1)[0]), MAKE.ALARMS)
    agree(sets, 200, share(row(shape, n, 1)[1]), MAKE.ALARMS)
    assert n > 4 or flips == 0


@pytest.mark.parametrize("n", [4, 10, 40])
def test_footnotes_say_what_the_page_says(n: int) -> None:
    """Expected: the page's cells; the footnotes of tables print `COVERAGE`."""
    for column, method in ((0, "t"), (1, "jackknife")):
        cells = [float(row(shape, n, 0)[column].rstrip(" %")) for shape in ("normal", "skewed")]
        assert list(COVERAGE[method][n]) == cells
        assert coverage(method, n) == (n, *cells)
    assert coverage("jackknife-40", 400) == coverage("jackknife", 40)
    assert coverage("t", 3) is None
    assert coverage("none", 1) is None


@pytest.mark.parametrize("part", ["smallest_table", "detectable_table", "example", "bias_example"])
def test_computed_parts_are_fresh(part: str) -> None:
    """Expected: what the functions say today. The simulated tables are compared by `make_statistics.py --check`."""
    assert getattr(MAKE, part)() in TEXT


@pytest.mark.slow
def test_page_is_fresh() -> None:
    """The whole page, simulation included (a minute)."""
    assert MAKE.page() == TEXT
