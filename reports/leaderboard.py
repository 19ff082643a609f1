"""The leaderboard: two pages made from committed records, a check that they are, and the validation of one submission."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmark.errors import InputError
from benchmark.paths import write_atomic
from benchmark.registry import Verb
from reports import _board
from reports import _board_files as files
from reports._escape import visible
from reports._rows import name_of
from reports.submit import REFUSED, refuse


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--records", type=Path, default=files.RECORDS, metavar="DIR", help=f"one folder a submission (default {files.RECORDS})"
    )
    parser.add_argument("--markdown", type=Path, default=files.MARKDOWN, metavar="FILE", help=f"default {files.MARKDOWN}")
    parser.add_argument("--html", type=Path, default=files.HTML, metavar="FILE", help=f"default {files.HTML}")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="write nothing; exit 4 when the files are not what the records give, or a record is refused"
    )
    what.add_argument("--validate", type=Path, metavar="FOLDER", help="one submission: exit 4 and the reasons when it is refused")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.validate:
        return _validate(arguments.validate)
    records, markdown, html = arguments.records, arguments.markdown, arguments.html
    if arguments.check:
        looked = files.check(records, markdown, html)
        for one in (one for one in looked if one.problem):
            print(f"hvbench: {one.name}: {one.problem}", file=sys.stderr)
        bad = sum(bool(one.problem) for one in looked)
        print(
            f"{len(looked) - 2} submission{'' if len(looked) == 3 else 's'}, 2 pages: "
            + (f"{bad} wrong" if bad else "as the records give them")
        )
        return REFUSED if bad else 0
    found = files.submissions(records)
    refused = [one for one in found if one.problems]
    for left_out in refused:
        refuse(left_out.folder, left_out.problems)
    if refused and len(refused) == len(found):
        raise InputError("no record below it may stand in the leaderboard", code="refused", path=records, found="the reasons above")
    for path, content in files.pages(found, records, markdown, html).items():
        write_atomic(path, content)
        print(path)
    left = f"; {len(refused)} left out" if refused else ""
    print(f"{len(found) - len(refused)} submission{'' if len(found) - len(refused) == 1 else 's'}{left}")
    return 2 if refused else 0


def _validate(folder: Path) -> int:
    if not folder.is_dir():
        raise InputError("no such folder", code="absent", path=folder, expected="what hvbench submit wrote", hint="hvbench submit RUN")
    found = _board.read(folder)
    if found.problems or found.record is None:
        return refuse(folder, found.problems)
    header, rows = found.record.header, found.record.scores
    scored = [row for row in rows if row["value"] is not None]
    sides = {
        "submission": str(folder),
        "suite": f"{header['suite']['id']}/{header['split']['id']} (version {header['suite']['version']}), {len(header['spec']['cases'])} clips",
        "protocols": ", ".join(f"{one['id']} (version {one['version']})" for one in header["protocols"]),
        "methods": ", ".join(dict.fromkeys(row["adapter"] for row in rows)),
        "code": header["git"]["revision"],
        "files": f"{len(found.manifest['files'])}, sha256 as listed; {found.manifest['paths']}",
        "scores": f"{len(scored) - len(found.stated)} recomputed from the journal, {len(rows) - len(scored)} unscored with their reasons",
    }
    if found.stated:
        names = ", ".join(dict.fromkeys(name_of(row) for row in scored if any(one.endswith(f" {name_of(row)}") for one in found.stated)))
        sides["as stated"] = f"{len(found.stated)} that a folder without frames and features cannot give again: {names}"
    print("\n".join(f"{name + ':':12}{visible(text)}" for name, text in sides.items()))
    print("valid")
    return 0


VERB = Verb(name="leaderboard", summary="the leaderboard from committed records; --check, --validate", configure=_configure, run=_run)
