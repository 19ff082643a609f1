"""Findings of the linter as text or as a Table."""

from __future__ import annotations

from collections.abc import Sequence

from reports import _escape
from reports._lint import Finding
from reports._table import Cell, Table


def to_text(found: Sequence[Finding], looked_at: int) -> str:
    """A block a finding: rule and place, what, arithmetic; and a line that counts."""
    lines = []
    for f in found:
        place = ", ".join(
            part for part in (f.table and f"table {f.table}", f.row and f"row {f.row}", f.column and f"column {f.column}") if part
        )
        lines += [f"{f.severity}  {f.rule}  {f.file}: {place or 'text'}", f"    {f.what}", f"    {f.arithmetic}"]
    errors = sum(f.severity == "error" for f in found)
    count = (
        f"{errors} error(s), {len(found) - errors} warning(s) in {looked_at} file(s)" if found else f"nothing found in {looked_at} file(s)"
    )
    return "\n".join(_escape.visible(line) for line in [*lines, *([""] if lines else []), count])


def table(found: Sequence[Finding]) -> Table:
    """One row a finding."""
    heads = ["rule", "severity", "file", "table", "row", "column", "what", "arithmetic"]
    rows = [[Cell(text) for text in (f.rule, f.severity, f.file, f.table, f.row, f.column, f.what, f.arithmetic)] for f in found]
    return Table("findings", heads, rows)
