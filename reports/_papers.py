"""Published tables as data: papers/*.toml, checked strictly. A value is what is printed, as text; its number is an exact decimal with its rounding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Literal

from benchmark.data import from_mapping, load_toml
from benchmark.errors import InputError

FOLDER = Path(__file__).parent / "papers"
NAMES = Path(__file__).parent / "metric_names.toml"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DASH, UNPUBLISHED = "-", ""
"""Printed as a dash; not known to us."""
Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Printed:
    """A number as printed. value: exact. half: half a unit of its last printed digit."""

    text: str
    value: Decimal
    half: Decimal

    @property
    def low(self) -> Decimal:
        """The least that rounds to it."""
        return self.value - self.half

    @property
    def high(self) -> Decimal:
        """The most that rounds to it."""
        return self.value + self.half

    @property
    def digits(self) -> int:
        """Significant digits."""
        return len(self.value.as_tuple().digits)

    @property
    def decimals(self) -> int:
        """Digits behind the point."""
        return max(0, -int(self.value.as_tuple().exponent))


@lru_cache(maxsize=1 << 16)
def printed(text: str) -> Printed | None:
    """None for a dash or nothing. Raises ValueError for anything else that is no number."""
    if text in (DASH, UNPUBLISHED):
        return None
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    value = Decimal(text)
    return Printed(text, value, Decimal((0, (5,), int(value.as_tuple().exponent) - 1)))


@dataclass(frozen=True)
class Column:
    """direction: what is better, absent where unknown. ours: `metric@variant`s that could stand beside it, possibly none."""

    name: str
    direction: Direction | None = None
    unit: str = ""
    ours: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """values: as printed, one a column; `-` = printed as a dash, empty = not published or not known. bold: columns printed in bold, absent = not known."""

    name: str
    values: tuple[str, ...]
    bold: tuple[str, ...] | None = None
    note: str = ""


@dataclass(frozen=True)
class PaperTable:
    """set: the test set's name. task: `pose`, `talking`, `people`, `judge` or unknown. protocol: what is known of it, in words. known: whether it can be run
    as it was (`code`) or only read (`text`). follows: ids of ours that come nearest. suites: ids of ours, `suite` or `suite/split`, that hold the same set.
    clips, frames: counts, where stated. second_hand: copied by somebody else than its authors. partial: some of what the paper has is missing here.
    """

    id: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    set: str = ""
    task: str = ""
    protocol: str = ""
    known: Literal["code", "text"] = "text"
    follows: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    clips: int | None = None
    frames: int | None = None
    second_hand: bool = False
    partial: bool = False

    def number(self, row: Row, column: Column) -> Printed | None:
        """What stands there."""
        return printed(row.values[self.columns.index(column)])

    def column(self, name: str) -> Column:
        """By name; names are checked when loaded."""
        return next(c for c in self.columns if c.name == name)

    def row(self, name: str) -> Row:
        """By name."""
        return next(r for r in self.rows if r.name == name)

    def cells(self, column: Column) -> Iterator[tuple[Row, Printed]]:
        """Rows with a number in this column."""
        for row in self.rows:
            if (found := self.number(row, column)) is not None:
                yield row, found


@dataclass(frozen=True)
class Claim:
    """A sentence of the text. gain: `row` is `printed` % better than `over` in `column`; strongest: and `over` is said to be the best of the others.
    leads: `row` is the best in `columns` (all, where absent). ratio: a / b, both exact, is `printed`."""

    kind: Literal["gain", "leads", "ratio"]
    text: str = ""
    table: str = ""
    row: str = ""
    column: str = ""
    columns: tuple[str, ...] = ()
    over: str = ""
    strongest: bool = False
    a: str = ""
    b: str = ""
    printed: str = ""


@dataclass(frozen=True)
class Paper:
    """notes: facts that no table shows, and what is missing."""

    id: str
    title: str
    source: str = ""
    notes: tuple[str, ...] = ()
    table: tuple[PaperTable, ...] = ()
    claim: tuple[Claim, ...] = ()
    file: str = ""

    def find(self, table: str) -> PaperTable:
        """A table by id. Raises InputError that lists them."""
        for found in self.table:
            if found.id == table:
                return found
        known = ", ".join(repr(t.id) for t in self.table) or "none: the paper has no table here"
        raise InputError("the paper has no such table", code="unknown-name", path=self.file, found=repr(table), expected=known)


def load(path: Path) -> Paper:
    """A paper's file. Raises InputError that names the file and the key."""
    raw = load_toml(path)
    if "file" in raw:
        raise InputError(f"{path}: unknown key", code="unknown-key", found="file")
    paper = from_mapping(Paper, {**raw, "file": str(path)}, where=str(path))
    _check(paper)
    return paper


def known() -> dict[str, Path]:
    """{id: file} of the papers that are shipped."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def find(name: str) -> Paper:
    """By id, or by the path of a file of one's own."""
    shipped = known()
    if name in shipped:
        return load(shipped[name])
    if name.endswith(".toml"):
        return load(Path(name))
    raise InputError(
        "no such paper", code="unknown-name", found=repr(name), expected=f"{', '.join(shipped)}, or a .toml file", hint="hvbench report"
    )


def _check(paper: Paper) -> None:
    """What types cannot say. Raises InputError with the key."""

    def wrong(key: str, what: str, found: str, expected: str) -> InputError:
        return InputError(f"{key}: {what}", code="bad-value", path=paper.file, found=found, expected=expected)

    def unique(names: list[str], key: str) -> None:
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise wrong(key, "the same name twice", repr(twice), "names of their own")

    unique([t.id for t in paper.table], "table.id")
    for table in paper.table:
        key = f"table {table.id!r}"
        heads = [c.name for c in table.columns]
        unique(heads, f"{key}: columns")
        unique([r.name for r in table.rows], f"{key}: rows")
        for row in table.rows:
            if len(row.values) != len(heads):
                raise wrong(f"{key}: row {row.name!r}: values", "one a column is expected", str(len(row.values)), str(len(heads)))
            for head, text in zip(heads, row.values, strict=True):
                try:
                    printed(text)
                except ValueError:
                    raise wrong(
                        f"{key}: row {row.name!r}: {head}", "not a number", repr(text), "digits as printed, `-` or nothing"
                    ) from None
            for name in row.bold or ():
                if name not in heads:
                    raise wrong(f"{key}: row {row.name!r}: bold", "no such column", repr(name), ", ".join(heads))
    for i, claim in enumerate(paper.claim):
        _check_claim(paper, claim, f"claim[{i}]")


def _check_claim(paper: Paper, claim: Claim, key: str) -> None:
    def bad(name: str, found: str, expected: str) -> InputError:
        return InputError(f"{key}: {name}: cannot be used", code="bad-value", path=paper.file, found=repr(found), expected=expected)

    numbers = {"gain": ("printed",), "ratio": ("a", "b", "printed"), "leads": ()}[claim.kind]
    for name in numbers:
        text = getattr(claim, name)
        if not NUMBER.fullmatch(text) or (name == "b" and Decimal(text) == 0):
            raise bad(name, text, "a number as printed")
    if claim.kind == "ratio":
        return
    tables = [t.id for t in paper.table]
    if claim.table not in tables:
        raise bad("table", claim.table, ", ".join(tables) or "a table of this file")
    table = paper.find(claim.table)
    heads, rows = [c.name for c in table.columns], [r.name for r in table.rows]
    if claim.row not in rows:
        raise bad("row", claim.row, ", ".join(rows))
    for name in (claim.column,) if claim.kind == "gain" else claim.columns:
        if name not in heads:
            raise bad("column", name, ", ".join(heads))
    if claim.kind == "gain":
        if claim.over not in rows or claim.over == claim.row:
            raise bad("over", claim.over, "another row of the table")
        for name in (claim.row, claim.over):
            if table.number(table.row(name), table.column(claim.column)) is None:
                raise bad("row", name, f"a row with a number in {claim.column}")
        if table.column(claim.column).direction is None:
            raise bad("column", claim.column, "a column with a direction")


@dataclass(frozen=True)
class Metric:
    """What a name in a table's head says. low, high: bounds that no value passes. dimensions of the feature; sample: what is counted against them."""

    id: str
    names: tuple[str, ...]
    direction: Direction | None = None
    low: float | None = None
    high: float | None = None
    dimensions: int | None = None
    sample: Literal["clips", "frames"] | None = None


@dataclass(frozen=True)
class _Names:
    metric: tuple[Metric, ...]


def plain_name(head: str) -> str:
    """A head without what is beside the name: arrows, units in brackets, stars, case, separators."""
    head = re.sub(r"\([^)]*\)|\[[^\]]*\]|[↑↓*]|\s[eE]-?\d+", "", head)
    return re.sub(r"[^a-z0-9]", "", head.casefold())


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Metric]:
    names = from_mapping(_Names, load_toml(NAMES), where=str(NAMES))
    return {plain_name(name): metric for metric in names.metric for name in metric.names}


def metric_of(head: str) -> Metric | None:
    """The metric a column's head names, if it is one that is known."""
    return _by_name().get(plain_name(head))
