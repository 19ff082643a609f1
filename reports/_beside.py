"""A paper's tables, alone or with what was measured beside them. A measured number is marked unless it was made exactly as the paper's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmark.errors import InputError
from benchmark.record import Record
from reports._papers import UNPUBLISHED, Column, Paper, PaperTable, Printed, Row
from reports._table import Cell, Table, number, signed

ARROW = {"up": " ↑", "down": " ↓", None: ""}
SECOND_HAND = "2"
HEADS = ("row", "metric", "paper", "measured", "difference", "interval", "protocol")
WORDS = {
    "x": "another protocol than the paper's, or the paper's is not known: the difference is no verdict on anybody",
    "r": "our reading of the paper's words: its own code cannot be run",
    "s": "another test set than the paper's, or not known to be the same",
    "i": "not every clip was scored",
    "h": "a rehearsal: a stand-in for the model made the clips",
    SECOND_HAND: "second-hand: copied by somebody else than the authors",
    "m": "not known here: published in part",
}


@dataclass(frozen=True)
class Line:
    """One paper value with at most one measured number beside it. reason: why there is none. marks: keys of WORDS."""

    table: PaperTable
    row: Row
    column: Column
    paper: Printed | None
    score: Mapping[str, Any] | None = None
    where: str = ""
    reason: str = ""
    marks: str = ""


def head(column: Column) -> str:
    """Name, unit, arrow."""
    return f"{column.name}{f' ({column.unit})' if column.unit else ''}{ARROW[column.direction]}"


def _about(paper: Paper, table: PaperTable) -> list[str]:
    counts = ", ".join(f"{n} {what}" for n, what in ((table.clips, "clips"), (table.frames, "frames a clip")) if n)
    lines = [f"set: {table.set or 'not known'}{f' ({counts})' if counts else ''}", f"protocol: {table.protocol or 'not known'}"]
    lines += [f"{row.name}: {row.note}" for row in table.rows if row.note]
    return [*lines, f"source: {paper.source}" if paper.source else ""]


def wide(paper: Paper, table: PaperTable) -> Table:
    """As printed, ranked by the printed values. A mark for what is not published and for second-hand numbers."""
    ranks = {column: _ranks(table, column) for column in table.columns}
    cells, marks = [], ""
    for row in table.rows:
        line = [Cell(row.name)]
        for column, text in zip(table.columns, row.values, strict=True):
            found = table.number(row, column)
            mark = "m" if text == UNPUBLISHED else SECOND_HAND if found and table.second_hand else ""
            marks += mark
            value = None if found is None else float(found.value)
            line.append(Cell("-" if found is None else text, ranks[column].get(row.name, 0), f"[{mark}]" if mark else "", value))
        cells.append(line)
    foot = [*_about(paper, table), *(f"[{m}] {WORDS[m]}" for m in WORDS if m in marks)]
    title = f"{paper.title}, table {table.id}: {table.caption}"
    return Table(title, ["row", *map(head, table.columns)], cells, [note for note in foot if note])


def _ranks(table: PaperTable, column: Column) -> dict[str, int]:
    found = {row.name: p.value for row, p in table.cells(column)}
    if column.direction is None or len(found) < 2:
        return {}
    best = sorted(set(found.values()), reverse=column.direction == "up")[:2]
    return {name: best.index(value) + 1 for name, value in found.items() if value in best}


def long(paper: Paper, tables: Sequence[PaperTable]) -> Table:
    """One row a value, for a spreadsheet: everything that is known of it."""
    heads = [
        "paper",
        "table",
        "row",
        "column",
        "printed",
        "value",
        "direction",
        "unit",
        "decimals",
        "bold",
        "second-hand",
        "set",
        "protocol",
    ]
    rows = []
    for table in tables:
        for row in table.rows:
            for column, text in zip(table.columns, row.values, strict=True):
                found = table.number(row, column)
                bold = "" if row.bold is None else "yes" if column.name in row.bold else "no"
                words = [paper.id, table.id, row.name, column.name, text if text else "not published"]
                more = [
                    column.direction or "",
                    column.unit,
                    str(found.decimals) if found else "",
                    bold,
                    "yes" if table.second_hand else "no",
                ]
                value = Cell("-") if found is None else Cell(found.text, value=float(found.value))
                rows.append([*map(Cell, words), value, *map(Cell, [*more, table.set, table.protocol])])
    return Table(f"{paper.title}: values as printed", heads, rows, paper.notes)


def lines(table: PaperTable, records: Sequence[Record], named: Mapping[str, str]) -> Iterator[Line]:
    """Every value of a table with all that was measured of it. named: {paper row: method}; rows without one are taken by their name, in any case."""
    for row in table.rows:
        for column in table.columns:
            paper = table.number(row, column)
            found = list(_measured(table, row, column, records, named))
            if found:
                yield from (Line(table, row, column, paper, score, where, "", marks) for score, where, marks in found)
            else:
                yield Line(table, row, column, paper, reason=_reason(row, column, records, named))


def method_of(row: Row, record: Record, named: Mapping[str, str]) -> str | None:
    """The run's method that stands for a paper's row."""
    methods = [str(m["name"]) for m in record.header["spec"]["methods"]]
    if row.name in named:
        return named[row.name] if named[row.name] in methods else None
    return next((m for m in methods if m.casefold() == row.name.casefold()), None)


def _measured(
    table: PaperTable, row: Row, column: Column, records: Sequence[Record], named: Mapping[str, str]
) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """(score, its full name, marks)."""
    for record in records:
        method = method_of(row, record, named)
        # what a run was asked for beyond a protocol's own variants is none of that protocol's numbers
        own = {p["id"]: p.get("variants", ()) for p in record.header["protocols"]}
        suite, split = str(record.header["suite"]["id"]), str(record.header["split"]["id"])
        for score in record.scores:
            name = f"{score['metric']}@{score['variant']}"
            if score["adapter"] == method and name in column.ours and score["value"] is not None:
                same = score["protocol"] in table.follows and name in own.get(score["protocol"], ())
                marks = ("" if table.known == "code" else "r") if same else "x"
                marks += "" if {suite, f"{suite}/{split}"} & set(table.suites) else "s"
                marks += "i" if "incomplete" in score["flags"] else ""
                marks += "h" if "rehearsal" in score["flags"] else ""
                yield score, f"{suite}/{split} : {score['protocol']} : {name}", marks


def _reason(row: Row, column: Column, records: Sequence[Record], named: Mapping[str, str]) -> str:
    methods = [m for record in records if (m := method_of(row, record, named)) is not None]
    if not methods:
        return "not run"
    if not column.ours:
        return "nothing here measures it"
    for record in records:
        for score in record.scores:
            if score["adapter"] in methods and f"{score['metric']}@{score['variant']}" in column.ours:
                return f"unscored, {score['reason']}"
    return f"not measured: {', '.join(column.ours)}"


def _cells(line: Line) -> tuple[list[Cell], str]:
    """row, metric, paper, measured, difference, interval, protocol; and all marks of the line."""
    second = SECOND_HAND if line.table.second_hand and line.paper else ""
    missing = "m" if line.row.values[line.table.columns.index(line.column)] == UNPUBLISHED else ""
    printed = Cell("-", note=f"[{missing}]" if missing else "")
    if line.paper is not None:
        printed = Cell(line.paper.text, note=f"[{second}]" if second else "", value=float(line.paper.value))
    cells = [Cell(line.row.name), Cell(head(line.column)), printed]
    if line.score is None:
        cells += [Cell("-"), Cell("-"), Cell("-"), Cell(line.reason)]
    else:
        cells += [*_numbers(line, "".join(f"[{m}]" for m in line.marks)), Cell(line.where)]
    return cells, line.marks + second + missing


def beside(paper: Paper, table: PaperTable, records: Sequence[Record], named: Mapping[str, str]) -> Table:
    """paper | measured | difference | interval | protocol."""
    rows, seen = [], ""
    for line in lines(table, records, named):
        cells, marks = _cells(line)
        rows.append(cells)
        seen += marks
    foot = [note for note in _about(paper, table) if note]
    foot += ["difference: measured - paper, of the printed digits; interval: of the measured value, over clips, nominal 95 %"]
    foot += [f"[{m}] {told}" for m, told in WORDS.items() if m in seen]
    return Table(f"{paper.title}, table {table.id}: {table.caption}", HEADS, rows, foot)


def flat(paper: Paper, tables: Sequence[PaperTable], records: Sequence[Record], named: Mapping[str, str]) -> Table:
    """The same of all tables in one, the marks in words in a column of their own, for a spreadsheet."""
    rows = []
    for table in tables:
        for line in lines(table, records, named):
            cells, marks = _cells(line)
            cells[2] = cells[2] if line.paper is None else Cell(line.paper.text)
            rows.append([Cell(paper.id), Cell(table.id), *cells, Cell("; ".join(WORDS[m] for m in marks))])
    heads = ["paper", "table", *("printed" if h == "paper" else h for h in HEADS), "marks"]
    return Table(f"{paper.title}: beside measured numbers", heads, rows, paper.notes)


def _numbers(line: Line, note: str) -> list[Cell]:
    score = line.score
    assert score is not None
    value, decimals = float(score["value"]), int(score["decimals"])
    measured = Cell(number(value, decimals), note=note, value=value)
    difference = Cell("-")
    if line.paper is not None:
        gap = float(Decimal(repr(value)) - line.paper.value)
        difference = Cell(signed(gap, decimals), note=note, value=gap)
    low, high = score["ci_low"], score["ci_high"]
    return [measured, difference, Cell("-" if low is None else f"[{number(low, decimals)}, {number(high, decimals)}]")]


def check_names(paper: Paper, records: Sequence[Record], named: Mapping[str, str]) -> None:
    """--as ROW=METHOD must name a row of the paper and a method of a run."""
    rows = list(dict.fromkeys(row.name for table in paper.table for row in table.rows))
    methods = list(dict.fromkeys(str(m["name"]) for record in records for m in record.header["spec"]["methods"]))
    for row, method in named.items():
        if row not in rows:
            raise InputError(
                "--as names a row that the paper has not", code="unknown-name", found=repr(row), expected=", ".join(map(repr, rows))
            )
        if method not in methods:
            raise InputError(
                "--as names a method that no run has", code="unknown-name", found=repr(method), expected=", ".join(methods) or "a RUN"
            )
