"""The leaderboard as Markdown, and the words that its page shares."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from reports import _escape
from reports._board import Block, ClipSet, Line, Part
from reports._table import Cell

MADE = "Made by `hvbench leaderboard` from the records below {records}; do not edit: CI compares it byte for byte."
HOW = (
    "A number stands together with its protocol, clips, weights, interval and code. Numbers of other protocols, of other clips or of other weights never "
    "share a column.",
    "Best in bold, second underlined, among complete rows only: every clip of the split scored, every primary variant asked for, and a value of each that "
    "anyone in the table has. "
    "Incomplete rows follow, unranked.",
    "`clips from` says who made the clips. `finished clips` were handed in as files: nobody but their author knows how they were made.",
)
DRAWN = "These are procedural people: drawn figures, not comparable with published numbers."
EMPTY = ("Nothing has been submitted yet.",)
SUBMIT = ("hvbench submit RUN", "hvbench leaderboard --validate reports/records/NAME", "hvbench leaderboard")
RULES = (
    "A submission is one small folder of numbers, sent by pull request: pack a finished run, validate the folder, write the leaderboard anew, and commit the "
    "folder with both pages.",
    "Refused, with the reason: a run that is not finished, seeded weights, tiny checkpoints, code with changes or of an unknown revision, and a record whose "
    "hashes do not match or whose scores do not follow from its own journal.",
)
HEADS = ("clips", "failed", "clips from", "code", "finished", "record")


def tail(line: Line) -> list[str]:
    """What stands behind a row's numbers, without the link to the record."""
    return [line.clips, str(line.failed), line.made, line.code, line.date]


def set_name(one: ClipSet, digest: str) -> str:
    """What a set of clips is called; where it is a part of a published split, of how many. digest: as it is to be written."""
    of = f" of {one.of}" if one.clips < one.of else ""
    return f"{one.clips}{of} clip{'' if of == '' and one.clips == 1 else 's'}, set {digest}"


def markdown(parts: Sequence[Part], records: str) -> str:
    """The whole page. records: the folder of the records as seen from the page."""
    escape = _escape.markdown
    lines = ["# Leaderboard", "", MADE.format(records=f"`{records}`"), ""]
    for title, some in (("", [part for part in parts if not part.banner]), ("Procedural people", [part for part in parts if part.banner])):
        if some and title:
            lines += [f"## {title}", "", f"**{DRAWN}**", ""]
        for part in some:
            lines += [f"{'###' if title else '##'} {escape(part.name)}, version {part.version}: {escape(part.title)}", ""]
            for one in part.sets:
                for block in one.blocks:
                    lines += [
                        f"**{escape(block.protocol)}** on {set_name(one, f'`{one.digest}`')}: {escape(block.title)}",
                        "",
                        *_table(block, records),
                        "",
                    ]
    if not parts:
        lines += [*EMPTY, ""]
    else:
        lines += ["## How to read it", "", *(f"- {line}" for line in HOW), ""]
    return "\n".join(
        [
            *lines,
            "## How to submit",
            "",
            RULES[0],
            "",
            "```sh",
            *SUBMIT,
            "```",
            "",
            RULES[1],
            "More: [docs/leaderboard.md](docs/leaderboard.md).",
            "",
        ]
    )


def _inside(text: str) -> str:
    """For the text of a link, which ends at a bracket."""
    return "".join({"[": "&#91;", "]": "&#93;"}.get(c) or _escape.markdown(c) for c in text)


def _table(block: Block, records: str) -> list[str]:
    escape = _escape.markdown
    marks = {0: "{}", 1: "**{}**", 2: "<u>{}</u>"}

    def cell(one: Cell) -> str:
        return marks[one.rank].format(escape(one.text)) + _escape.visible(one.note)

    lines = ["| " + " | ".join(["method", *map(escape, block.columns), *HEADS]) + " |"]
    lines.append("|" + " --- |" + " ---: |" * (len(block.columns) + 2) + " --- |" * (len(HEADS) - 2))
    for line in block.lines:
        name = f"[{_inside(line.method)}](<{line.url}>)" if line.url else escape(line.method)
        whole = "" if line.complete else " (incomplete)"
        link = f"[{escape(line.record)}]({quote(f'{records}/{line.record}')})"
        lines.append("| " + " | ".join([f"{name}{whole}", *map(cell, line.cells), *map(escape, tail(line)), link]) + " |")
    return [*lines, "", *(f"{_escape.markdown_line(note)}  " for note in block.notes)]
