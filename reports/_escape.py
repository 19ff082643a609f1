"""Text of any kind, made safe for a terminal, Markdown, LaTeX and HTML. Names come from files and folders, so nothing about them is taken for granted."""

from __future__ import annotations

import html
import re
import unicodedata

LATEX = {
    "\\": "\\textbackslash{}",
    "{": "\\{",
    "}": "\\}",
    "&": "\\&",
    "%": "\\%",
    "$": "\\$",
    "#": "\\#",
    "_": "\\_",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "\\textquotedbl{}",
    "'": "\\textquotesingle{}",
    "`": "\\textasciigrave{}",
    # TeX joins two hyphens, ?` and !` to other signs; [ and * after a line's end are its arguments
    "-": "-{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "↑": "$\\uparrow$",
    "↓": "$\\downarrow$",
    "±": "$\\pm$",
    "≤": "$\\leq$",
    "≥": "$\\geq$",
    "≠": "$\\neq$",
    "×": "$\\times$",
}
MARKDOWN = {c: "\\" + c for c in "\\`*_{}|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
ARROWS = {"↑": "higher is better", "↓": "lower is better"}


def visible(text: str) -> str:
    r"""Control and direction-changing characters and lone surrogates as \x1b, \u202e ..., so that no name can paint the terminal or break a row."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_told(c) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co") else c for c in text)


FOLDERS = re.compile(r"""(?<![^\s'"`(\[=,;])(?:[A-Za-z]:)?[\\/](?:[^\\/'"`\n:\s][^\\/'"`\n:]*[\\/])+""")


def without_folders(text: str) -> str:
    """A message whose absolute paths keep their last part only: where a file lies is of one machine, and who reads a page need not know it."""
    return FOLDERS.sub("", text)


def _told(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 127 else ascii(character)[1:-1]


def encodable(text: str) -> str:
    """The text itself, save lone surrogates (undecodable bytes of file names), which no file can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def latex(text: str) -> str:
    """For text mode; hyphens stand alone only beside another, so that 0.1-0.2 stays readable in the source."""
    said = visible(text)
    return "".join("-" if c == "-" and not said.startswith("-", i + 1) else LATEX.get(c, c) for i, c in enumerate(said))


def markdown(text: str) -> str:
    """For a cell or a line of CommonMark with tables. A bracket is escaped where it could end a link's text, so that marks as [a] stay as they are."""
    return re.sub(r"\](?=[(\[:])", r"\\]", "".join(MARKDOWN.get(c, c) for c in visible(text)))


def markdown_line(text: str) -> str:
    """For a line of its own, which must not become a heading, a list or a rule."""
    said = markdown(text).lstrip()
    return "\\" + said if said.startswith(("#", "+", "-", "=")) else said


def to_html(text: str) -> str:
    """For an element's text or a quoted attribute."""
    return html.escape(visible(text), quote=True)


def html_head(text: str) -> str:
    """A column's head: its arrow is told to a screen reader in words."""
    said = to_html(text)
    for arrow, words in ARROWS.items():
        said = said.replace(arrow, f'<abbr title="{words}">{arrow}</abbr>')
    return said
