"""What is wrong inside published tables: rules that know no paper and no method, each with the arithmetic behind it.

`error`: the printed numbers contradict one another. `warning`: they can be right, and most often are not what they seem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import log10
from pathlib import Path

from reports._papers import Column, Metric, Paper, PaperTable, Row, metric_of

BESIDE = Decimal(3)
"""A value this many times beyond all others of its column belongs to another column, if it fits one."""
MARGIN = Decimal("0.25")
"""Of a column's range, to both sides: still fits."""
CHANCE = 0.01
"""Equal values that chance would bring more often than this say nothing."""
DIGITS = 8
"""Significant digits that two rows must share before a permutation is one."""
OVERFLOW = (27.9, 32.0)
"""dB. Differences squared in 8 bits average 105.5 where all values are equally likely."""
TOLD_APART = 0.85
"""SSIM below which a picture of 28 dB and more would be odd."""


@dataclass(frozen=True)
class Finding:
    """rule: id. what: the contradiction in a sentence. arithmetic: the numbers it rests on."""

    rule: str
    severity: str
    file: str
    table: str
    row: str
    column: str
    what: str
    arithmetic: str


Rule = Callable[[Paper], Iterator[Finding]]


def lint(paper: Paper) -> list[Finding]:
    """All findings of a paper or of a user's tables, errors first, then in the order of rules and tables."""
    from reports._lint_claims import CLAIMS

    found = [finding for rule in (*TABLES, *CLAIMS) for finding in rule(paper)]
    return sorted(found, key=lambda f: f.severity != "error")


def said(paper: Paper, rule: str, table: str, row: str, column: str, what: str, arithmetic: str, severity: str = "error") -> Finding:
    """A Finding of a paper's file."""
    return Finding(rule, severity, Path(paper.file).name, table, row, column, what, arithmetic)


def columns_swapped(paper: Paper) -> Iterator[Finding]:
    """A row that stands in two tables of a paper with the same values in other columns."""
    values = {t.id: [(row, {p.value for c in t.columns if (p := t.number(row, c))}) for row in t.rows] for t in paper.table}
    for one, two in combinations(paper.table, 2):
        heads = [c.name for c in one.columns if c.name in {d.name for d in two.columns}]
        for first, mine in values[one.id]:
            for second, others in values[two.id]:
                if len(mine & others) > 1:  # what changes places is at least two values
                    yield from _swapped(paper, one, first, two, second, heads)


def _swapped(paper: Paper, one: PaperTable, first: Row, two: PaperTable, second: Row, heads: Sequence[str]) -> Iterator[Finding]:
    pairs = {h: (one.number(first, one.column(h)), two.number(second, two.column(h))) for h in heads}
    both = {h: (a, b) for h, (a, b) in pairs.items() if a is not None and b is not None}
    moved = [h for h, (a, b) in both.items() if a.value != b.value]
    digits = sum(a.digits for a, _ in both.values())
    if len(moved) < 2 or digits < DIGITS or sorted(both[h][0].value for h in moved) != sorted(both[h][1].value for h in moved):
        return
    here = ", ".join(f"{h} {both[h][1].text}" for h in moved)
    there = ", ".join(f"{h} {both[h][0].text}" for h in moved)
    source = {h: next(o for o in moved if both[o][1].value == both[h][0].value) for h in moved}
    read = "; ".join(f"{h} {' / '.join(p.text if (p := two.number(r, two.column(source[h]))) else '-' for r in two.rows)}" for h in moved)
    yield said(
        paper,
        "columns-swapped",
        two.id,
        second.name,
        ", ".join(moved),
        f"the values of row {first.name!r} of table {one.id}, in other columns: one of both heads is wrong",
        f"{here} here; {there} there; {len(both) - len(moved)} other values are equal. Read by table {one.id}'s head: {read}",
    )


def row_disagrees(paper: Paper) -> Iterator[Finding]:
    """One row, one test set, one column, two values in two tables."""
    for one, two in combinations(paper.table, 2):
        if not one.set or one.set != two.set or one.protocol != two.protocol:
            continue
        for first in one.rows:
            for second in (r for r in two.rows if r.name == first.name):
                for column in (c for c in one.columns if c.name in {d.name for d in two.columns}):
                    a, b = one.number(first, column), two.number(second, two.column(column.name))
                    if a and b and (a.high < b.low or b.high < a.low):
                        what = f"another value than in table {one.id} on the same set"
                        yield said(paper, "row-disagrees", two.id, second.name, column.name, what, f"{b.text} here, {a.text} there")


def wrong_column(paper: Paper) -> Iterator[Finding]:
    """A value far from its column that fits another one in which its row has none."""
    for table in paper.table:
        for column in table.columns:
            for row, number in table.cells(column):
                others = [p.value for r, p in table.cells(column) if r is not row]
                if len(others) < 4 or number.value <= 0 or min(others) <= 0:
                    continue
                times = max(number.value / max(others), min(others) / number.value)
                for home in (c for c in table.columns if table.number(row, c) is None):
                    values = [p.value for _, p in table.cells(home)]
                    if times < BESIDE or len(values) < 3:
                        continue
                    low, high = min(values), max(values)
                    if low - MARGIN * (high - low) <= number.value <= high + MARGIN * (high - low):
                        yield said(
                            paper,
                            "wrong-column",
                            table.id,
                            row.name,
                            column.name,
                            f"belongs in {home.name} by its size, where the row has no value",
                            f"{number.text}: {float(times):.1f} times beyond the other {len(others)} values of {column.name} "
                            f"({min(others)} to {max(others)}); {home.name} runs from {low} to {high}",
                        )


def out_of_range(paper: Paper) -> Iterator[Finding]:
    """A value that the metric cannot take."""
    for table, column, metric in _metrics(paper):
        for row, number in table.cells(column):
            value = float(number.value)
            if (metric.low is not None and value < metric.low) or (metric.high is not None and value > metric.high):
                percent = metric.high is not None and value > metric.high and value <= 100 and "%" in column.unit + column.name
                if not percent:
                    bounds = f"{'' if metric.low is None else f'{metric.low:g}'} .. {'' if metric.high is None else f'{metric.high:g}'}"
                    what = f"{metric.names[0]} cannot be that"
                    yield said(paper, "out-of-range", table.id, row.name, column.name, what, f"{number.text}; possible: {bounds.strip()}")


def repeated_value(paper: Paper) -> Iterator[Finding]:
    """Two rows with one value to more digits than chance would give."""
    for table in paper.table:
        for column in table.columns:
            cells = list(table.cells(column))
            if len(cells) < 3:
                continue
            span = max(p.value for _, p in cells) - min(p.value for _, p in cells)
            for (first, a), (second, b) in combinations(cells, 2):
                step = 2 * max(a.half, b.half)
                expected = len(cells) * (len(cells) - 1) / 2 * float(step / span) if span else 1.0
                if a.value == b.value and min(a.digits, b.digits) >= 4 and expected < CHANCE and not _same_rows(table, first, second):
                    yield said(
                        paper,
                        "repeated-value",
                        table.id,
                        f"{first.name}, {second.name}",
                        column.name,
                        "the same value for two rows: one is likely a copy",
                        f"{b.text} twice; {len(cells)} values over {int(span / step)} steps of {step.normalize():f} would have "
                        f"{expected:.2g} equal pairs by chance",
                    )


def _same_rows(table: PaperTable, one: Row, two: Row) -> bool:
    """All values they both have are equal, more than one: the same method twice, not a slip."""
    pairs = [(table.number(one, c), table.number(two, c)) for c in table.columns]
    both = [(a, b) for a, b in pairs if a and b]
    return len(both) > 1 and all(a.value == b.value for a, b in both)


def bold_not_best(paper: Paper) -> Iterator[Finding]:
    """Bold print on a value that another one beats. Only where it is known what is bold."""
    for table in paper.table:
        for column in table.columns:
            cells = [(row, number) for row, number in table.cells(column) if row.bold is not None]
            bold = [(row, number) for row, number in cells if column.name in (row.bold or ())]
            if not bold or column.direction is None or len(bold) > len(cells) / 2:
                continue
            best_row, best = max(cells, key=lambda c: c[1].value if column.direction == "up" else -c[1].value)
            for row, number in bold:
                if (number.high < best.low) if column.direction == "up" else (number.low > best.high):
                    better = "higher" if column.direction == "up" else "lower"
                    what = f"bold, and not the best: {best_row.name} is"
                    yield said(
                        paper,
                        "bold-not-best",
                        table.id,
                        row.name,
                        column.name,
                        what,
                        f"{number.text} against {best.text}; {better} is better",
                    )


def arrow(paper: Paper) -> Iterator[Finding]:
    """A head whose arrow is not the way its metric goes."""
    for table, column, metric in _metrics(paper):
        if column.direction and metric.direction and column.direction != metric.direction:
            words = {"up": "higher", "down": "lower"}
            what = f"the arrow is turned: of {metric.names[0]} {words[metric.direction]} is better"
            yield said(paper, "arrow", table.id, "", column.name, what, f"the head says {words[column.direction]}")


def psnr_overflow(paper: Paper) -> Iterator[Finding]:
    """PSNR in the band that 8-bit squares give, beside an SSIM that says otherwise; or a pose table whose PSNR are all in it."""
    wrapped = sum(d * d % 256 for d in range(256)) / 256
    floor = 20 * log10(255) - 10 * log10(wrapped)
    why = f"uint8 squares, (d*d) mod 256, average {wrapped:.1f} whatever the error: {floor:.2f} dB"
    for table in paper.table:
        if table.task not in ("", "pose"):
            continue
        named = {m.id: c for c in table.columns if (m := metric_of(c.name))}
        for psnr, ssim in (("psnr", "ssim"), ("psnr-hand", "ssim-hand")):
            if psnr not in named:
                continue
            inside = {r.name: p for r, p in table.cells(named[psnr]) if OVERFLOW[0] <= p.value <= OVERFLOW[1]}
            if ssim in named:
                structure = {r.name: s for r, s in table.cells(named[ssim])}
                hit = [name for name in inside if name in structure and 0 < structure[name].value < Decimal(str(TOLD_APART))]
                if hit:
                    worst = min(hit, key=lambda name: structure[name].value)
                    level = 255 / 10 ** (float(inside[worst].value) / 20)
                    sums = f"{worst}: {inside[worst].text} dB is an error of {level:.1f} grey levels RMS, SSIM {structure[worst].text} is not; {why}"
                    what = "suspect overflow: PSNR is too high for its SSIM"
                    yield said(paper, "psnr-overflow", table.id, ", ".join(hit), named[psnr].name, what, sums, "warning")
            elif table.task == "pose" and len(inside) >= 4 and len(inside) == sum(1 for _ in table.cells(named[psnr])):
                values = [p.value for p in inside.values()]
                sums = f"all {len(values)} rows within {min(values)} to {max(values)} dB; {why}"
                what = "suspect overflow: every method in the band that uint8 squares give"
                yield said(paper, "psnr-overflow", table.id, ", ".join(inside), named[psnr].name, what, sums, "warning")


def few_clips(paper: Paper) -> Iterator[Finding]:
    """A Frechet distance from fewer samples than its feature has dimensions."""
    for table, column, metric in _metrics(paper):
        if table.clips is None or metric.dimensions is None or not any(True for _ in table.cells(column)):
            continue
        if metric.sample == "frames":
            if table.frames is None or (n := table.clips * table.frames) >= metric.dimensions:
                continue
            counted = f"{table.clips} clips x {table.frames} frames = {n} pictures"
        else:
            n = table.clips
            if n >= metric.dimensions:
                continue
            windows = "" if table.frames is None else f" ({n * (table.frames // 16)} windows of 16 frames that do not overlap)"
            counted = f"{n} clips{windows}"
        yield said(
            paper,
            "few-clips",
            table.id,
            "",
            column.name,
            "fewer samples than dimensions: the small-sample bias is in every value, and differs with their number",
            f"{counted} < {metric.dimensions} dimensions: the covariance has rank {n - 1} at most, one sample a clip",
            "warning",
        )


def _metrics(paper: Paper) -> Iterator[tuple[PaperTable, Column, Metric]]:
    for table in paper.table:
        for column in table.columns:
            if (metric := metric_of(column.name)) is not None:
                yield table, column, metric


TABLES: tuple[Rule, ...] = (
    columns_swapped,
    row_disagrees,
    wrong_column,
    out_of_range,
    repeated_value,
    bold_not_best,
    arrow,
    psnr_overflow,
    few_clips,
)
