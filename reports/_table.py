"""One Table, rendered to the terminal, Markdown, LaTeX, HTML, CSV or JSON: best bold, second underlined, a dash with its reason where nothing was scored."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from reports import _escape

FORMATS = ("terminal", "markdown", "latex", "html", "csv", "json")


@dataclass(frozen=True)
class Cell:
    """What stands in one place. rank: 1 = best of its column, 2 = second, 0 = unranked. note: footnote mark. value: the number behind the text. name: words
    of somebody's own, in which a dash is a dash."""

    text: str
    rank: int = 0
    note: str = ""
    value: float | None = None
    name: bool = False


@dataclass(frozen=True)
class Table:
    """A titled table. rows: one per method, first cell its name. footnotes: printed below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    footnotes: Sequence[str] = ()

    def render(self, form: str, *, colour: bool = False) -> str:
        """form: one of FORMATS. LaTeX wants booktabs; HTML is a fragment."""
        if form == "terminal":
            return self._terminal(colour)
        return {"markdown": self._markdown, "latex": self._latex, "html": self._html, "csv": self._csv, "json": self._json}[form]()

    def _terminal(self, colour: bool) -> str:
        grid = [[Cell(c) for c in self.columns], *self.rows]
        texts = [[_escape.visible(cell.text + cell.note) for cell in row] for row in grid]
        widths = [max(_width(row[i]) for row in texts) for i in range(len(self.columns))]
        lines = [_escape.visible(self.title)] if self.title else []
        for number, (row, words) in enumerate(zip(grid, texts, strict=True)):
            parts = []
            for i, (cell, word) in enumerate(zip(row, words, strict=True)):
                space = " " * (widths[i] - _width(word))
                marked = _ansi(word, cell.rank) if colour else word
                parts.append(marked + space if i == 0 else space + marked)
            lines.append("  " + "  ".join(parts).rstrip())
            if number == 0:
                lines.append("  " + "  ".join("-" * w for w in widths))
        return "\n".join([*lines, *(f"  {_escape.visible(note)}" for note in self.footnotes)])

    def _markdown(self) -> str:
        escape = _escape.markdown
        marks = {0: "{}", 1: "**{}**", 2: "<u>{}</u>"}

        def marked(cell: Cell) -> str:
            # stars beside white space, or around nothing, are stars
            text = escape(cell.text).strip()
            return marks[cell.rank].format(text) if text else ""

        lines = [f"**{title}**", ""] if (title := escape(self.title).strip()) else []
        lines.append("| " + " | ".join(escape(c) for c in self.columns) + " |")
        lines.append("|" + "|".join([" --- "] + [" ---: "] * (len(self.columns) - 1)) + "|")
        lines += ["| " + " | ".join(marked(c) + _escape.visible(c.note) for c in row) + " |" for row in self.rows]
        return "\n".join([*lines, *([""] if self.footnotes else []), *(f"{_escape.markdown_line(note)}  " for note in self.footnotes)])

    def _latex(self) -> str:
        escape = _escape.latex
        layout = "l" + "r" * (len(self.columns) - 1) if len(self.columns) > 1 else "p{0.9\\linewidth}"
        marks = {0: "{}", 1: "\\textbf{{{}}}", 2: "\\underline{{{}}}"}

        def line(cells: Sequence[str]) -> str:
            return "  " + " & ".join(cells) + " \\\\"

        rows = [
            line([marks[c.rank].format(escape(c.text)) + (f"\\textsuperscript{{{escape(c.note)}}}" if c.note else "") for c in row])
            for row in self.rows
        ]
        lines = ["% \\usepackage{booktabs,textcomp}", "\\begin{table}", "\\centering"]
        lines += [f"\\caption{{{escape(self.title)}}}"] if self.title else []
        lines += [
            f"\\begin{{tabular}}{{{layout}}}",
            "\\toprule",
            line([escape(c) for c in self.columns]),
            "\\midrule",
            *rows,
        ]
        lines += ["\\bottomrule", "\\end{tabular}"]
        if self.footnotes:
            lines += ["", "\\par\\smallskip\\raggedright\\footnotesize", *(f"{escape(note)}\\par" for note in self.footnotes)]
        return "\n".join([*lines, "\\end{table}"])

    def _html(self) -> str:
        escape = _escape.to_html
        marks = {0: "{}", 1: "<strong>{}</strong>", 2: "<u>{}</u>"}
        names = {0: "", 1: ' class="best"', 2: ' class="second"'}

        def inside(cell: Cell) -> str:
            return marks[cell.rank].format(escape(cell.text)) + (f"<sup>{escape(cell.note)}</sup>" if cell.note else "")

        lines = ['<figure class="hvb-table">', "<table>"]
        lines += [f"<caption>{escape(self.title)}</caption>"] if self.title else []
        lines += [
            "<thead>",
            "<tr>" + "".join(f'<th scope="col">{_escape.html_head(c)}</th>' for c in self.columns) + "</tr>",
            "</thead>",
            "<tbody>",
        ]
        for row in self.rows:
            data = "".join(
                f"<td{names[c.rank]}" + (f' data-value="{c.value!r}"' if c.value is not None else "") + f">{inside(c)}</td>"
                for c in row[1:]
            )
            lines.append(f'<tr><th scope="row">{inside(row[0])}</th>{data}</tr>')
        lines += ["</tbody>", "</table>"]
        if self.footnotes:
            lines += ['<figcaption><ul class="footnotes">', *(f"<li>{escape(note)}</li>" for note in self.footnotes), "</ul></figcaption>"]
        return "\n".join([*lines, "</figure>"])

    def _csv(self) -> str:
        lines = [self.columns]
        for row in self.rows:
            # a dash is an empty field; a method may be called "-"
            lines.append(
                ["" if i and c.text == "-" and not c.name else repr(c.value) if c.value is not None else c.text for i, c in enumerate(row)]
            )
        return "\n".join(",".join(map(_field, line)) for line in lines)

    def _json(self) -> str:
        heads = _distinct(self.columns)
        rows = [
            {head: cell.value if cell.value is not None else cell.text for head, cell in zip(heads, row, strict=True)} for row in self.rows
        ]
        data = {"title": self.title, "rows": rows, "footnotes": list(self.footnotes)}
        return _escape.encodable(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1))


def _field(text: str) -> str:
    """RFC 4180. The csv module leaves a lone carriage return bare, which readers take for a line's end."""
    text = _escape.encodable(text)
    return '"' + text.replace('"', '""') + '"' if not text.isprintable() or text.strip() != text or set(text) & set(',"') else text


def _distinct(names: Sequence[str]) -> list[str]:
    """Two columns of one name would be one key: the later gets a number."""
    found: list[str] = []
    for name in names:
        number, told = 1, name
        while told in found:
            number += 1
            told = f"{name} ({number})"
        found.append(told)
    return found


def _ansi(text: str, rank: int) -> str:
    codes = {1: "1", 2: "4"}
    return f"\x1b[{codes[rank]}m{text}\x1b[0m" if rank in codes else text


def _width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def banner(text: str, form: str) -> str:
    """A line that stands above tables and must not be missed."""
    if form == "latex":
        return f"\\textbf{{{_escape.latex(text)}}}"
    if form == "html":
        return f'<p class="hvb-banner"><strong>{_escape.to_html(text)}</strong></p>'
    return f"*** {_escape.visible(text)} ***" if form == "terminal" else f"**{_escape.markdown(text)}**"


def number(value: float, decimals: int) -> str:
    """Fixed digits after the point; negative decimals = digits of scientific notation."""
    return f"{value:.{decimals}f}" if decimals >= 0 else f"{value:.{-decimals - 1}e}"


def signed(value: float, decimals: int) -> str:
    """With its sign, and none where it prints as zero."""
    text = number(value, decimals)
    return text.removeprefix("-") if float(text) == 0 else "+" + text if value > 0 else text
