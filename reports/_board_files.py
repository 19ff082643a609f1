"""The leaderboard's two files, made from the records and compared with what is committed. A gate calls `check`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import InputError
from reports import _board, _board_html, _board_text
from reports._submission import Submission

RECORDS, MARKDOWN, HTML = Path("reports/records"), Path("leaderboard.md"), Path("reports/leaderboard.html")


@dataclass(frozen=True)
class Looked:
    """One thing a check looked at: a file or a submission. problem: empty when all is well."""

    name: str
    problem: str = ""


def submissions(records: Path) -> list[Submission]:
    """All below the folder, valid or not. Raises InputError (`absent`) where it is no folder, or is itself a run."""
    if not records.is_dir():
        hint = "type this in the checkout, or --records DIR"
        raise InputError("no such folder of records", code="absent", path=records, expected="one folder a submission", hint=hint)
    if (records / "run.json").exists():
        hint = f"hvbench leaderboard --records {records.parent}"
        raise InputError("is one record, not a folder of them", code="usage", path=records, expected="one folder a submission", hint=hint)
    return _board.below(records)


def pages(found: Sequence[Submission], records: Path, markdown: Path, html: Path) -> dict[Path, bytes]:
    """{file: what it must hold}. Links to records are relative, so that the same records give the same bytes wherever the checkout lies."""
    parts = _board.parts([one for one in found if not one.problems])
    return {
        markdown: _board_text.markdown(parts, _seen_from(markdown, records)).encode(),
        html: _board_html.page(parts, _seen_from(html, records)).encode(),
    }


def _seen_from(page: Path, records: Path) -> str:
    return Path(os.path.relpath(records.resolve(), page.resolve().parent)).as_posix()


def check(records: Path = RECORDS, markdown: Path = MARKDOWN, html: Path = HTML) -> list[Looked]:
    """What is wrong with committed records and pages; writes nothing. Raises InputError as `submissions`."""
    found = submissions(records)
    looked = [Looked(str(one.folder), "refused: " + "; ".join(one.problems) if one.problems else "") for one in found]
    for path, content in pages(found, records, markdown, html).items():
        if not path.is_file():
            looked.append(Looked(str(path), f"is not there; type: {command(records, markdown, html)}"))
        elif (there := path.read_bytes()) != content:
            line = next((i for i, (a, b) in enumerate(zip(there.splitlines(), content.splitlines(), strict=False), 1) if a != b), None)
            at = f"line {line} differs" if line else "one is longer"
            looked.append(Looked(str(path), f"is not what the records give ({at}); type: {command(records, markdown, html)}"))
        else:
            looked.append(Looked(str(path)))
    return looked


def command(records: Path, markdown: Path, html: Path) -> str:
    """What writes these files."""
    given = ((records, RECORDS, "--records"), (markdown, MARKDOWN, "--markdown"), (html, HTML, "--html"))
    return " ".join(["hvbench leaderboard", *(f"{option} {path}" for path, usual, option in given if path != usual)])
