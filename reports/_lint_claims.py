"""Sentences of a paper against its own tables. All numbers are exact decimals; a claim stands as long as rounding can explain it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reports._lint import Finding, Rule, said
from reports._papers import Claim, Column, Paper, PaperTable, Printed, Row, printed

HUNDRED = Decimal(100)


def _must(found: Printed | None) -> Printed:
    assert found is not None  # claims are checked when they are loaded
    return found


def _gain(new: Decimal, old: Decimal, up: bool) -> Decimal:
    """Percent of the old value."""
    return HUNDRED * ((new - old) if up else (old - new)) / abs(old)


def _reach(new: Printed, old: Printed, up: bool) -> tuple[Decimal, Decimal]:
    """Least and largest gain of values that round to these."""
    ends = [_gain(n, o, up) for n in (new.low, new.high) for o in (old.low, old.high) if o]
    return min(ends), max(ends)


def _meets(claim: Printed, reach: tuple[Decimal, Decimal]) -> bool:
    return claim.low <= reach[1] and reach[0] <= claim.high


def _best(table: PaperTable, column: Column, but: Row) -> tuple[Row, Printed]:
    others = [(row, number) for row, number in table.cells(column) if row is not but]
    return max(others, key=lambda c: c[1].value if column.direction == "up" else -c[1].value)


def gain(paper: Paper) -> Iterator[Finding]:
    """`x % over the baseline`: recomputed from the table; and whether that baseline is the strongest, where it is called so."""
    for claim in (c for c in paper.claim if c.kind == "gain"):
        table = paper.find(claim.table)
        column, row, over = table.column(claim.column), table.row(claim.row), table.row(claim.over)
        up, told = column.direction == "up", _must(printed(claim.printed))
        new, old = _must(table.number(row, column)), _must(table.number(over, column))
        here = _gain(new.value, old.value, up)
        sums = f"{new.text} against {old.text} ({over.name}): {here:+.{told.decimals}f} %"
        if not _meets(told, _reach(new, old, up)):
            yield said(
                paper,
                "gain",
                table.id,
                row.name,
                column.name,
                f"the text says {told.value:+} % over {over.name}, the table gives {here:+.{told.decimals}f} %",
                sums + _instead(table, column, row, over, new, told, up),
            )
        if claim.strongest:
            yield from _strongest(paper, table, column, row, over, new, old, told, sums)


def _instead(table: PaperTable, column: Column, row: Row, over: Row, new: Printed, told: Printed, up: bool) -> str:
    """The rows over which the printed gain would be right."""
    hits = [(r, p) for r, p in table.cells(column) if r not in (row, over) and _meets(told, _reach(new, p, up))]
    return "".join(f"; {told.value:+} % is the gain over {r.name} ({p.text})" for r, p in hits)


def _strongest(
    paper: Paper, table: PaperTable, column: Column, row: Row, over: Row, new: Printed, old: Printed, told: Printed, sums: str
) -> Iterator[Finding]:
    up = column.direction == "up"
    best_row, best = _best(table, column, row)
    if best_row is not over and ((best.low > old.high) if up else (best.high < old.low)):
        real = _gain(new.value, best.value, up)
        what = f"{over.name} is not the strongest: {best_row.name} is, and the gain over it is {real:+.{told.decimals}f} %, not {told.value:+} %"
        sums += f" (printed {told.value:+} %); {new.text} against {best.text} ({best_row.name}): {real:+.{told.decimals}f} %"
        yield said(paper, "gain-strongest", table.id, row.name, column.name, what, sums)


def leads(paper: Paper) -> Iterator[Finding]:
    """`best in every column`."""
    for claim in (c for c in paper.claim if c.kind == "leads"):
        table = paper.find(claim.table)
        row = table.row(claim.row)
        for column in (c for c in table.columns if not claim.columns or c.name in claim.columns):
            mine = table.number(row, column)
            if mine is None or column.direction is None:
                continue
            up = column.direction == "up"
            ahead = [(r, p) for r, p in table.cells(column) if r is not row and ((p.low > mine.high) if up else (p.high < mine.low))]
            if ahead:
                sums = ", ".join(f"{r.name} {p.text}" for r, p in ahead) + f" {'>' if up else '<'} {mine.text}"
                what = f"said to lead; {', '.join(r.name for r, _ in ahead)} {'is' if len(ahead) == 1 else 'are'} ahead"
                yield said(paper, "leads", table.id, row.name, column.name, what, sums)


def ratio(paper: Paper) -> Iterator[Finding]:
    """`a to b, x times`: both counts are exact."""
    for claim in (c for c in paper.claim if c.kind == "ratio"):
        told, real = _must(printed(claim.printed)), Decimal(claim.a) / Decimal(claim.b)
        if not told.low <= real <= told.high:
            what = f"printed as {claim.printed}x"
            yield said(paper, "ratio", claim.table, claim.row, claim.column, what, f"{claim.a} / {claim.b} = {real:.{told.decimals + 1}f}")


CLAIMS: tuple[Rule, ...] = (gain, leads, ratio)

__all__ = ["CLAIMS", "Claim"]
