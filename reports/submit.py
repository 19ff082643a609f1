"""A finished run, packed into one small folder for the leaderboard."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmark.errors import InputError
from benchmark.record import safe_name
from benchmark.registry import Verb
from reports import _board_files as board
from reports import _submission as submissions
from reports._runs import guarded, opened

REFUSED = 4
"""Exit code of a run that the leaderboard would refuse."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a finished run directory")
    parser.add_argument("--to", type=Path, default=board.RECORDS, metavar="DIR", help="where the folder goes (default reports/records)")
    parser.add_argument("--name", metavar="NAME", help="the folder's name (default SUITE-SPEC)")
    parser.add_argument("--method-url", action="append", default=[], metavar="METHOD=URL", help="where a method is described; repeatable")
    parser.add_argument("--note", default="", metavar="TEXT", help="a sentence that stands beside the rows")


def _run(arguments: argparse.Namespace) -> int:
    record = opened(arguments.run)
    problems, _ = guarded(record, submissions.refusals)
    if problems:
        return refuse(arguments.run, problems)
    methods = [method["name"] for method in record.header["spec"]["methods"]]
    urls = {}
    for word in arguments.method_url:
        method, _, url = word.rpartition("=") if word.rpartition("=")[0] in methods else word.partition("=")
        if method not in methods:
            raise InputError("--method-url takes METHOD=URL", code="usage", found=word, expected=", ".join(methods))
        submissions.check_url(url, method)
        urls[method] = url
    name = arguments.name or f"{safe_name(record.header['suite']['id']).lower().replace('%', '-')}-{record.header['spec_sha256'][:8]}"
    if not submissions.NAME.fullmatch(name):
        raise InputError("--name is no folder's name", code="usage", found=name, expected="lower case letters, digits, `.`, `_` and `-`")
    packed = submissions.pack(record, arguments.to / name, urls, " ".join(arguments.note.split()))
    if packed.problems:
        return refuse(arguments.run, packed.problems)
    size = sum(path.stat().st_size for path in packed.folder.iterdir())
    print(f"{packed.folder}: {', '.join(methods)}; {len(record.scores)} rows, {size / 1024:.0f} KiB; {packed.manifest['paths']}")
    print(f"next:   hvbench leaderboard --validate {packed.folder}\n        {board.command(arguments.to, board.MARKDOWN, board.HTML)}")
    return 0


def refuse(path: Path, problems: list[str] | tuple[str, ...]) -> int:
    """Say why, and exit as a gate does."""
    print(f"hvbench: {path}: refused", file=sys.stderr)
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    return REFUSED


VERB = Verb(name="submit", summary="a finished run as one small folder for the leaderboard", configure=_configure, run=_run)
