"""One Table in six formats: what goes in comes out again, whatever the names hold.

Read back by html.parser, csv and json of the standard library; LaTeX by the un-escaper below, written from the LaTeX manual's list of special characters.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reports import _escape
from reports._read_tables import from_latex, plain
from reports._table import FORMATS, Cell, Table, banner

NASTY = [
    "<script>alert(1)</script>",
    "a & b < c > d \"e\" 'f'",
    "$HOME; rm -rf `x` $(y) #{z} 100% _a^b~c \\textbf{d}",
    "| **bold** _it_ [x](javascript:y) `c` ~s~ <!-- -->",
    "-", "--", "*", "[x]", "  two  spaces ", "=1+1", "a,b;\tc", 'q"q', "line\nbreak\r\n", "\x1b[31mred", "\u202eevil", "名前 ü é", "\udcff", "",
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(NASTY), st.text(max_size=30))
MARKED = Table(
    "t",
    ["method", "psnr ↑ (dB)", "l1 ↓"],
    [
        [Cell("one"), Cell("30.00", 1, "", 30.0), Cell("0.1", 2, "[a]", 0.1)],
        [Cell("two"), Cell("20.00 ±1.00", 2, "", 20.0), Cell("-", note="[b]")],
    ],
    ["[a] incomplete", "[b] unscored, truncated: ends early"],
)


def table_of(names: list[str]) -> Table:
    rows = [[Cell(name), Cell(name, rank=i % 3), Cell("1.50", value=1.5)] for i, name in enumerate(names)]
    return Table(names[0], ["method", names[-1], "x"], rows, names)


class Reader(HTMLParser):
    """Text of every cell, and every element's attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.cells: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag in ("td", "th", "caption", "li"):
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in ("td", "th", "caption", "li"):
            if tag in self.open:
                self.texts[tag][-1] += data


def unescaped(text: str) -> str:
    """LaTeX text mode back to characters. Fails on a special character that stands bare."""
    words = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">", "textbar": "|", "textquotedbl": '"',
        "textquotesingle": "'", "textasciigrave": "`", "uparrow": "↑", "downarrow": "↓", "pm": "±", "leq": "≤", "geq": "≥", "neq": "≠", "times": "×",
    }  # fmt: skip
    found, i = "", 0
    while i < len(text):
        if match := re.match(r"\$\\([a-z]+)\$|\\([a-zA-Z]+)\{\}", text[i:]):
            found += words[match[1] or match[2]]
            i += match.end()
        elif match := re.match(r"\\([&%$#_{}])|\{([\[\]*])\}|(-)\{\}", text[i:]):
            found += match[1] or match[2] or match[3]
            i += match.end()
        else:
            assert text[i] not in "\\{}&%$#_~^<>", text[i:]
            found += text[i]
            i += 1
    return found


@settings(max_examples=70, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
@example(NASTY)
def test_html_gives_every_name_back_and_nothing_else(names: list[str]) -> None:
    text = table_of(names).render("html")
    text.encode("utf-8")
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    shown = [_escape.visible(name) for name in names]
    assert reader.texts["th"] == ["method", shown[-1], "x", *shown]
    assert reader.texts["td"] == [part for name in shown for part in (name, "1.50")]
    assert reader.texts.get("li", []) == shown
    assert {tag for tag, _, _ in reader.attributes} <= {"figure", "th", "td", "ul", "abbr"}
    assert {name for _, name, _ in reader.attributes} <= {"class", "scope", "title", "data-value"}


@settings(max_examples=70, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
@example(NASTY)
def test_csv_gives_every_name_back_to_the_character(names: list[str]) -> None:
    text = table_of(names).render("csv")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    kept = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    assert rows[0] == ["method", kept[-1], "x"]
    assert rows[1:] == [[name, "" if name == "-" else name, "1.5"] for name in kept]


@settings(max_examples=70, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
@example(NASTY)
def test_json_gives_every_name_back(names: list[str]) -> None:
    data = json.loads(table_of(names).render("json"))
    assert [list(row.values()) for row in data["rows"]] == [[name, name, 1.5] for name in names]
    assert data["footnotes"] == names


@settings(max_examples=70, deadline=None)
@given(NAMES)
def test_latex_escapes_undo(name: str) -> None:
    assert unescaped(_escape.latex(name)) == _escape.visible(name)


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
@example(NASTY)
def test_latex_rows_are_lines_with_their_cells(names: list[str]) -> None:
    """No name adds a row, a cell or a comment; and our own reader of LaTeX tables finds each name (it folds white space, as TeX does)."""
    text = table_of(names).render("latex")
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].split("\n")
    assert len(body) == len(names)
    for line, name in zip(body, names, strict=True):
        cells = line.removeprefix("  ").removesuffix(" \\\\").split(" & ")
        assert unescaped(cells[0]) == _escape.visible(name)
        assert cells[2] == "1.50"
    ((_, grid),) = from_latex(text)
    assert [plain(row[0])[0] for row in grid[1:]] == [" ".join(_escape.visible(name).split()) for name in names]


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
@example(NASTY)
def test_terminal_and_markdown_keep_their_lines(names: list[str]) -> None:
    """One line a row, and no control character reaches the terminal."""
    table = table_of(names)
    for form in ("terminal", "markdown"):
        text = table.render(form)
        assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cs", "Cf") for c in text)
        titled = bool(names[0] if form == "terminal" else _escape.markdown(names[0]).strip())
        before, after = {"terminal": (titled + 2, 0), "markdown": (2 * titled + 2, 1)}[form]
        assert len(text.split("\n")) == before + len(names) + after + len(names)
    for line in table.render("markdown").split("\n")[2 * bool(_escape.markdown(names[0]).strip()) + 2 :][: len(names)]:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 4


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
@example(NASTY)
def test_markdown_gives_every_name_back(names: list[str]) -> None:
    """Read by markdown-it, a CommonMark parser; white space is folded, as browsers do."""
    parser = (
        pytest.importorskip("markdown_it", reason="markdown-it-py reads Markdown back")
        .MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
    )
    reader = Reader()
    reader.feed(parser.render(table_of(names).render("markdown")))
    expected = [part for name in names for part in (_escape.visible(name), _escape.visible(name), "1.50")]
    assert [" ".join(cell.split()) for cell in reader.texts["td"]] == [" ".join(cell.split()) for cell in expected]
    assert not {"script", "a", "img", "code", "em"} & {tag for tag, _, _ in reader.attributes}


def test_ranks_notes_and_arrows_in_every_format() -> None:
    """Best bold, second underlined; a dash keeps the mark of its reason."""
    assert "**30.00**" in MARKED.render("markdown")
    assert "<u>0.1</u>[a]" in MARKED.render("markdown")
    latex = MARKED.render("latex")
    assert "one & \\textbf{30.00} & \\underline{0.1}\\textsuperscript{{[}a{]}} \\\\" in latex
    assert "two & \\underline{20.00 $\\pm$1.00} & -\\textsuperscript{{[}b{]}} \\\\" in latex
    assert "method & psnr $\\uparrow$ (dB) & l1 $\\downarrow$ \\\\" in latex
    assert latex.index("\\toprule") < latex.index("\\midrule") < latex.index("\\bottomrule")
    page = MARKED.render("html")
    assert '<td class="best" data-value="30.0"><strong>30.00</strong></td>' in page
    assert '<td class="second" data-value="0.1"><u>0.1</u><sup>[a]</sup></td>' in page
    assert '<th scope="col">psnr <abbr title="higher is better">↑</abbr> (dB)</th>' in page
    assert "<caption>t</caption>" in page
    assert "\x1b[1m30.00\x1b[0m" in MARKED.render("terminal", colour=True)
    assert all("unscored, truncated" in MARKED.render(form) for form in FORMATS if form != "csv")


def test_two_columns_of_one_name_are_two_keys() -> None:
    data = json.loads(Table("", ["a", "a"], [[Cell("1"), Cell("2")]]).render("json"))
    assert data["rows"] == [{"a": "1", "a (2)": "2"}]


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "html"])
def test_a_banner_is_escaped(form: str) -> None:
    assert "<b>" not in banner("<b> & #", form).replace("*** <b>", "")
