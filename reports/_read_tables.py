"""A user's own table, CSV or LaTeX, as a Paper: first column the rows' names, directions from arrows or known metric names, bold where the file says so."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import InputError, unreadable
from reports._papers import NUMBER, Column, Direction, Paper, PaperTable, Row, load, metric_of

ARROWS: dict[str, Direction] = {"↑": "up", "⬆": "up", "\\uparrow": "up", "↓": "down", "⬇": "down", "\\downarrow": "down"}
EMPTY = {"", "-", "--", "---", "–", "—", "n/a", "na", "none", "/", "×", "-{}-", "-{}-{}-"}
UNSEEN = re.compile(
    r"\\(?:cite[a-z]*|ref|label|footnote|textsuperscript|vspace|hspace|cellcolor|rowcolor|color|textcolor|"
    r"multirow\{[^}]*\}(?:\[[^\]]*\])?)(?:\[[^\]]*\])?\{"
)
RULES = re.compile(
    r"\\(?:top|mid|bottom)rule(?:\[[^\]]*\])?|\\hline|\\c(?:mid)?(?:rule|line)(?:\([^)]*\))?\{[^}]*\}|\\addlinespace(?:\[[^\]]*\])?"
)
NESTED = re.compile(r"\\begin\{tabular\}(?:\[[^\]]*\])?(?:\{(?:[^{}]|\{[^}]*\})*\})?(.*?)\\end\{tabular\}", re.DOTALL)
MARKUP = re.compile(r"\\[a-zA-Z]+\s*[{$\s]|\\[&%$#_{}]|\\\\|\$|\{.*\}|~|\\[a-zA-Z]+$")
SIGNS = {"pm": "±", "times": "×", "leq": "≤", "geq": "≥", "neq": "≠"}
LARGEST = 16 * 2**20
"""Bytes of a table file at most."""
SUFFIXES = (".toml", ".csv", ".tsv", ".tex")


def read(path: Path, clips: int | None = None, frames: int | None = None) -> Paper:
    """A file of tables: .toml as the shipped papers, .csv, .tsv or .tex. clips, frames: how many stand behind each value, if known.

    Raises InputError: absent, unreadable, no table in it, an unknown suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            "no kind of table this reads", code="bad-table", path=path, found=path.suffix or "no suffix", expected=", ".join(SUFFIXES)
        )
    if path.suffix.lower() == ".toml":
        return load(path)
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(
                "too large for a table", code="bad-table", path=path, found=f"{path.stat().st_size} bytes", expected=f"<= {LARGEST}"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", code="absent", path=path, hint=f"ls {path.parent}") from None
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", code="bad-table", path=path, found=str(error)) from None
    except OSError as error:
        raise unreadable(path, error) from None
    grids = from_latex(text) if path.suffix.lower() == ".tex" else [("1", from_csv(text, "\t" if path.suffix.lower() == ".tsv" else None))]
    tables = [t for name, grid in grids if (t := _table(name, grid, clips, frames)) is not None]
    if not tables:
        expected = "\\begin{tabular} with a head and a row of numbers" if path.suffix.lower() == ".tex" else "a head and a row of numbers"
        raise InputError("no table of numbers found", code="bad-table", path=path, expected=expected)
    return Paper(id=path.stem, title=path.name, table=tuple(tables), file=str(path))


def from_csv(text: str, separator: str | None = None) -> list[list[str]]:
    """Lines of fields. separator: None = the one of comma, semicolon and tab that the first line has most of."""
    first = text.split("\n", 1)[0]
    separator = separator or max(",;\t", key=first.count)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(field.strip() for field in row)]
    except csv.Error as error:
        raise InputError("is not valid CSV", code="bad-table", found=str(error)) from None


def from_latex(text: str) -> list[tuple[str, list[list[str]]]]:
    """(running number, lines of cells still in LaTeX) of every tabular; head lines are joined into one."""
    text = re.sub(r"(?<!\\)((?:\\\\)*)%.*", r"\1", text)
    found: list[tuple[str, list[list[str]]]] = []
    for kind, inside in _environments(text):
        body = _without_arguments(inside, 2 if kind in ("tabular*", "tabularx", "tabulary") else 1)
        grid: list[list[str]] = []
        heads = 0
        for line in _split(body.replace("\\tabularnewline", "\\\\"), "\\\\"):
            if grid and not heads and re.search(r"\\midrule|\\hline", line):
                heads = len(grid)
            cells = _cells(RULES.sub("", re.sub(r"^\s*\[[^\]]*\]", "", line)))
            if any(cell.strip() for cell in cells):
                grid.append(cells)
        found.append((str(len(found) + 1), _one_head(grid, heads)))
    return found


def _environments(text: str) -> list[tuple[str, str]]:
    """(kind, inside) of the outermost tabulars; one inside a cell is laid out flat."""
    found, depth, start, kind = [], 0, 0, ""
    for match in re.finditer(r"\\(begin|end)\{(tabular[*xy]?|longtable)\}", text):
        if match[1] == "begin":
            depth += 1
            if depth == 1:
                start, kind = match.end(), match[2]
        elif depth:
            depth -= 1
            if depth == 0:
                found.append((kind, NESTED.sub(_flat, text[start : match.start()])))
    return found


def _flat(match: re.Match[str]) -> str:
    return match[1].replace("\\\\", " ").replace("&", " ")


def _split(text: str, mark: str) -> list[str]:
    """At every `mark` outside braces that no backslash escapes."""
    pieces, start, depth, i = [], 0, 0, 0
    while i < len(text):
        if depth == 0 and text.startswith(mark, i):
            pieces.append(text[start:i])
            i += len(mark)
            start = i
        elif text[i] == "\\":
            i += 2  # what follows a backslash neither opens nor closes
        else:
            depth += {"{": 1, "}": -1}.get(text[i], 0)
            i += 1
    return [*pieces, text[start:]]


def _without_arguments(body: str, count: int) -> str:
    """What follows the options and braces behind \\begin{tabular}."""
    for _ in range(count):
        body = re.sub(r"^\s*\[[^\]]*\]", "", body)
        if not body.lstrip().startswith("{"):
            break
        body = body.lstrip()
        body = body[_closing(body, 0) + 1 :]
    return body


def _closing(text: str, start: int) -> int:
    """Index of the brace that closes the one at `start`; the last index where none does."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] in "{}" and (i == 0 or text[i - 1] != "\\"):
            depth += 1 if text[i] == "{" else -1
            if depth == 0:
                return i
    return len(text) - 1


def _cells(line: str) -> list[str]:
    cells: list[str] = []
    for cell in _split(line, "&"):
        many = re.match(r"\s*\\multicolumn\{(\d+)\}\{[^}]*\}\{(.*)\}\s*$", cell, re.DOTALL)
        cells += [many[2]] * min(int(many[1]), 100) if many else [cell]
    return cells


def _unseen(cell: str) -> str:
    """Without the macros whose argument is no text of the cell."""
    while match := UNSEEN.search(cell):
        cell = cell[: match.start()] + cell[_closing(cell, match.end() - 1) + 1 :]
    return cell


def _one_head(grid: list[list[str]], heads: int) -> list[list[str]]:
    if heads < 2:
        return grid
    width = max(map(len, grid[:heads]))
    joined = [" ".join(row[i].strip() for row in grid[:heads] if i < len(row) and row[i].strip()) for i in range(width)]
    return [joined, *grid[heads:]]


def plain(cell: str) -> tuple[str, bool]:
    """A cell's text without markup, and whether it is bold (LaTeX's \\textbf, \\bf, \\mathbf; Markdown's **)."""
    bold = bool(re.search(r"\\(textbf|mathbf|bm|boldsymbol|bfseries|bf)\b|\*\*.+\*\*", cell))
    if not MARKUP.search(cell):  # a CSV's own text: underscores, backslashes and braces are its own
        return " ".join(cell.replace("**", "").split()), bold
    cell = re.sub(r"\\(pm|times|leq|geq|neq)\b", lambda m: SIGNS[m[1]], _unseen(cell).replace("\\\\", " "))
    for mark, way in ARROWS.items():
        cell = cell.replace(mark, "↑" if way == "up" else "↓")
    words = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">", "textbar": "|"}
    words |= {"textquotedbl": '"', "textquotesingle": "'", "textasciigrave": "`"}
    kept: list[str] = []

    def keep(text: str) -> str:
        kept.append(text)
        return f"\0{len(kept) - 1}\0"

    cell = re.sub(r"\\([a-z]+)\{\}", lambda m: keep(words[m[1]]) if m[1] in words else m[0], cell)
    cell = re.sub(r"\\([&%$#_{}])", lambda m: keep(m[1]), cell)
    cell = re.sub(r"\\[a-zA-Z]+\*?|[{}$~]|\*\*", lambda m: " " if m[0] == "~" else "", cell)
    cell = re.sub(r"\0(\d+)\0", lambda m: kept[int(m[1])], cell)
    return " ".join(cell.split()), bold


def _table(name: str, grid: Sequence[Sequence[str]], clips: int | None, frames: int | None) -> PaperTable | None:
    if len(grid) < 2:
        return None
    heads = [plain(cell)[0] for cell in grid[0]]
    taken = [i for i in range(1, len(heads)) if any(_number(row, i) for row in grid[1:])]
    columns, seen = [], dict.fromkeys([""], 0)
    for i in taken:
        head = heads[i] or f"column {i + 1}"
        seen[head] = seen.get(head, 0) + 1
        told = head if seen[head] == 1 else f"{head} ({seen[head]})"
        columns.append(Column(told, _direction(head), "%" if "%" in head else ""))
    rows: list[Row] = []
    names: dict[str, int] = {}
    some_bold = any(plain(cell)[1] for row in grid[1:] for cell in row[1:])
    for row in grid[1:]:
        values = tuple(_number(row, i) for i in taken)
        if not any(v not in ("", "-") for v in values):
            continue
        label = plain(row[0])[0] or f"row {len(rows) + 1}"
        names[label] = names.get(label, 0) + 1
        told = label if names[label] == 1 else f"{label} ({names[label]})"
        bold = tuple(c.name for c, i in zip(columns, taken, strict=True) if i < len(row) and plain(row[i])[1])
        rows.append(Row(told, values, bold if some_bold else None))
    return PaperTable(id=name, columns=tuple(columns), rows=tuple(rows), clips=clips, frames=frames) if columns and rows else None


def _direction(head: str) -> Direction | None:
    for arrow, way in (("↑", "up"), ("↓", "down")):
        if arrow in head:
            return "up" if way == "up" else "down"
    metric = metric_of(head)
    return metric.direction if metric else None


def _number(row: Sequence[str], i: int) -> str:
    """The number of a cell as printed, `-` where there is none: what stands before a ± or a bracket."""
    text = plain(row[i])[0] if i < len(row) else ""
    if text.casefold() in EMPTY:
        return "-"
    match = re.match(
        r"([+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%|dB|[_^]?\s*±.*|\(.*|\[.*|\*+|†|‡)?$", text
    )
    if not match:
        return "-"
    number = match[1].replace(",", "")
    return number if NUMBER.fullmatch(number) else "-"
