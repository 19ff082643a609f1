"""Names of methods and clips with HTML, LaTeX and shell characters through whole reports of a record: what goes in comes out again, in every format.

Read back by the readers of test_table_formats (html.parser, csv, json, an un-escaper for LaTeX)."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.record import Record
from reports import _escape, _figures, _plot_style, _rosetta, compare, show
from reports._figures_data import blocks
from reports._ranks import rank_table
from reports._table import FORMATS, Table
from tests.benchmarks.large_record import write
from tests.make import call
from tests.reports.test_table_formats import NASTY, Reader, unescaped

NAMES = st.one_of(
    st.sampled_from([name for name in NASTY if name and name.isprintable()]),
    st.text("<>&\"'`$\\{}%#_^~|*[]();!-=+@:,./ \t\n\u202e名ü", min_size=1, max_size=12),
    st.text(min_size=1, max_size=12),
)
TWO = st.lists(NAMES, min_size=2, max_size=2, unique=True)
FEW = {"strict-1": ("psnr@float", "ssim@gaussian"), "disco-2024": ("psnr@cap100",)}


def record(folder: Path, methods: list[str], cases: list[str]) -> Record:
    return write(folder / "run", methods, cases, 2, protocols=FEW, failed=[(methods[0], cases[0])])


def shown(found: Record, methods: list[str]) -> list[Table]:
    first, second = methods
    return [
        *show.tables(found),
        show.clip_table(found, "strict-1"),
        compare.table(found, first, second, "strict-1", {}),
        rank_table(found, "strict-1"),
        *_rosetta.tables(found),
        _rosetta.flat([found]),
    ]


def said(table: Table, form: str) -> list[str]:
    """Every cell's text, read back by the format's own reader; control characters are shown as escapes everywhere but in CSV and JSON."""
    text = table.render(form)
    text.encode("utf-8")
    if form == "html":
        reader = Reader()
        reader.feed(text)
        reader.close()
        assert not reader.open
        assert {tag for tag, *_ in reader.attributes} <= {"figure", "th", "td", "ul", "abbr"}
        return [*reader.texts.get("th", []), *reader.texts.get("td", [])]
    if form == "latex":
        body = text.partition("\\toprule\n")[2].partition("\\bottomrule")[0]
        lines = [line.removesuffix(" \\\\") for line in body.splitlines() if line not in ("\\midrule",)]
        cells = [cell.strip() for line in lines for cell in re.split(r" (?<!\\)& ", line.removeprefix("  "))]
        return [unescaped(re.sub(r"\\(?:textbf|underline)\{(.*)\}", r"\1", cell.partition("\\textsuperscript")[0])) for cell in cells]
    if form == "csv":
        return [cell for line in csv.reader(io.StringIO(text)) for cell in line]
    if form == "json":
        data = json.loads(text)
        return [*(key for row in data["rows"] for key in row), *(str(value) for row in data["rows"] for value in row.values())]
    return [text]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TWO, TWO)
@example(["<script>alert(1)</script>", "$HOME; rm -rf `x` $(y) #{z} 100% _a^b~c \\textbf{d}"], ["a | b", "'\"><img src=x>"])
@example(["-", "--"], ["\n", "\r"])
def test_tables(methods: list[str], cases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for table in shown(record(Path(folder), methods, cases), methods):
            inside = [
                *table.columns,
                *(row[0].text for row in table.rows),
                *(row[1].text for row in table.rows if table.columns[1] == "method"),
            ]
            for form in FORMATS:
                read = said(table, form)
                for method in methods:
                    if method not in inside:
                        continue
                    name = _escape.encodable(method) if form in ("csv", "json") else _escape.visible(method)
                    if form in ("html", "latex", "csv", "json"):
                        assert name.strip() in [cell.strip() for cell in read], (form, method, table.title)
                    elif form == "terminal":
                        assert name in read[0]
                        # one line a row: no name opens another
                        assert len(read[0].splitlines()) == 3 + len(table.rows) + len(table.footnotes), (method, cases)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TWO, TWO)
@example(["<b>&", "$x_1$"], ["\\frac{", "…"])
def test_figures(methods: list[str], cases: list[str]) -> None:
    """Each is drawn and laid out; nothing raises and no character is left that no font has (matplotlib warns of those, which is an error here)."""
    pytest.importorskip("matplotlib")
    import warnings

    with tempfile.TemporaryDirectory() as folder, _plot_style.style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        (first, _) = blocks(record(Path(folder), methods, cases), [], [], None)
        for name in ("dots", "curves", "distributions", "scatter"):
            figure = _figures.DRAWN[name](first)
            assert not isinstance(figure, str), figure
            figure.draw_without_rendering()  # type: ignore[attr-defined]


def test_whole_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The commands as they are typed, in every format."""
    methods, cases = ["<i>$(x)`y`", "a&b|c\\d{e}"], ["<td>", "$z$"]
    path = record(tmp_path, methods, cases).path
    for form in FORMATS:
        for words in (
            ["show", path, "--clips"],
            ["compare", path, "--of", methods[0], "--over", methods[1]],
            ["report", "--protocols", path],
        ):
            told = call(capfd, *words, "--format", form)
            assert told.code == 0, told.err
            if form == "html":
                assert "<i>$" not in told.out
                assert "&lt;i&gt;$(x)`y`" in told.out
            elif form not in ("latex", "markdown"):
                assert methods[0] in told.out or words[0] == "compare"
