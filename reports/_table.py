"""One Table, rendered to the terminal, Markdown, CSV or JSON: best bold, second underlined, a dash with its reason where nothing was scored."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """What stands in one place. rank: 1 = best of its column, 2 = second, 0 = unranked. note: footnote mark. value: the number behind the text."""

    text: str
    rank: int = 0
    note: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A titled table. rows: one per method, first cell its name. footnotes: printed below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    footnotes: Sequence[str] = ()

    def render(self, form: str, *, colour: bool = False) -> str:
        """form: terminal, markdown, csv or json."""
        return {"terminal": lambda: self._terminal(colour), "markdown": self._markdown, "csv": self._csv, "json": self._json}[form]()

    def _terminal(self, colour: bool) -> str:
        grid = [[Cell(c) for c in self.columns], *self.rows]
        texts = [[cell.text + cell.note for cell in row] for row in grid]
        widths = [max(_width(row[i]) for row in texts) for i in range(len(self.columns))]
        lines = [self.title] if self.title else []
        for number, (row, words) in enumerate(zip(grid, texts, strict=True)):
            parts = []
            for i, (cell, word) in enumerate(zip(row, words, strict=True)):
                space = " " * (widths[i] - _width(word))
                marked = _ansi(word, cell.rank) if colour else word
                parts.append(marked + space if i == 0 else space + marked)
            lines.append("  " + "  ".join(parts).rstrip())
            if number == 0:
                lines.append("  " + "  ".join("-" * w for w in widths))
        return "\n".join([*lines, *(f"  {note}" for note in self.footnotes)])

    def _markdown(self) -> str:
        def escape(text: str) -> str:
            return text.replace("|", "\\|").replace("\n", " ")

        marks = {0: "{}", 1: "**{}**", 2: "<u>{}</u>"}
        lines = [f"**{escape(self.title)}**", ""] if self.title else []
        lines.append("| " + " | ".join(escape(c) for c in self.columns) + " |")
        lines.append("|" + "|".join([" --- "] + [" ---: "] * (len(self.columns) - 1)) + "|")
        lines += ["| " + " | ".join(marks[c.rank].format(escape(c.text)) + c.note for c in row) + " |" for row in self.rows]
        return "\n".join([*lines, *([""] if self.footnotes else []), *(f"{escape(note)}  " for note in self.footnotes)])

    def _csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if c.text == "-" else repr(c.value) if c.value is not None else c.text for c in row] for row in self.rows])
        return out.getvalue().rstrip("\n")

    def _json(self) -> str:
        rows = [
            {column: cell.value if cell.value is not None else cell.text for column, cell in zip(self.columns, row, strict=True)}
            for row in self.rows
        ]
        return json.dumps({"title": self.title, "rows": rows, "footnotes": list(self.footnotes)}, ensure_ascii=False, indent=1)


def _ansi(text: str, rank: int) -> str:
    codes = {1: "1", 2: "4"}
    return f"\x1b[{codes[rank]}m{text}\x1b[0m" if rank in codes else text


def _width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def number(value: float, decimals: int) -> str:
    """Fixed digits after the point; negative decimals = digits of scientific notation."""
    return f"{value:.{decimals}f}" if decimals >= 0 else f"{value:.{-decimals - 1}e}"
