"""A gate for CI: is a run worse than its baseline, a table wrong in itself, the leaderboard stale? Exit code 4 says so."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from benchmark.data import canonical
from benchmark.errors import InputError
from benchmark.record import SCORES, Record, load
from benchmark.registry import Verb
from reports import _baseline as baselines
from reports import _board_files as board
from reports import _checks as checks
from reports import _gate_files as files
from reports._escape import visible
from reports._gate import judge

GATE = 4
"""Exit code of a gate that said no."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", type=Path, nargs="?", help="a run directory; not needed where only --leaderboard or --lint is asked (RUN goes first)"
    )
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="what the run is held against (JSON, made by --update)")
    parser.add_argument(
        "--leaderboard",
        type=Path,
        nargs="?",
        const=board.RECORDS,
        metavar="DIR",
        help=f"are the leaderboard's pages what the records below DIR give? (default {board.RECORDS})",
    )
    parser.add_argument(
        "--lint", type=Path, nargs="*", metavar="FILE", help="is anything wrong inside these tables? (default: the shipped papers)"
    )
    parser.add_argument("--fail-on", choices=["worse", "cannot-tell"], default="worse", help="cannot-tell: exit 4 on it too")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML, one test case a number")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for the job's page")
    parser.add_argument("--update", action="store_true", help="make the run the new baseline of its suite; needs --reason")
    parser.add_argument("--reason", metavar="TEXT", help="why the baseline changes; kept in the file")
    parser.add_argument("--metric", action="append", default=[], metavar="M@V", help="with --update: only these variants; repeatable")


def _run(arguments: argparse.Namespace) -> int:
    more = arguments.leaderboard is not None or arguments.lint is not None
    if arguments.run is None and (arguments.baseline or arguments.update or not more):
        hint = "hvbench check RUN --baseline FILE --lint a.csv"
        raise InputError("a gate needs a RUN", code="usage", expected="RUN first, or --leaderboard, or --lint alone", hint=hint)
    if arguments.run is not None and arguments.baseline is None:
        raise InputError(
            "a RUN is held against a baseline", code="usage", found="no --baseline", hint=f"hvbench check {arguments.run} --baseline FILE"
        )
    if arguments.update and more:
        raise InputError("--update looks at nothing else", code="usage", expected="--leaderboard and --lint in a call of their own")
    if arguments.update:
        return _update(_whole(arguments.run), arguments)
    for option, given in (("--reason", arguments.reason), ("--metric", arguments.metric)):
        if given:
            raise InputError(f"{option} goes with --update", code="usage", found=option, expected="--update, or none of both")
    metrics = [_against_baseline(arguments)] if arguments.run is not None else []
    asked = [*checks.of_leaderboard(arguments.leaderboard), *checks.of_tables(arguments.lint)]
    if arguments.junit:
        baselines.write(arguments.junit, files.junit([*(one.junit for one in metrics), *checks.junit(asked)]))
    if arguments.markdown:
        baselines.write(arguments.markdown, "\n".join([*(one.markdown for one in metrics), *checks.markdown(asked)]))
    print("\n\n".join([*(one.text for one in metrics), *checks.text(asked)]))
    said = [*(one.complaint for one in metrics if one.complaint), *checks.complaints(asked)]
    for line in said:
        print(f"hvbench check: {visible(line)}", file=sys.stderr)
    return GATE if said else 0


@dataclass(frozen=True)
class _Judged:
    """What the gate of metrics says in each format. complaint: empty where it says yes."""

    text: str
    markdown: str
    junit: ET.Element
    complaint: str


def _against_baseline(arguments: argparse.Namespace) -> _Judged:
    record = _whole(arguments.run)
    baseline = baselines.of(arguments.baseline, record)
    findings, notes = judge(record, baseline)
    failing = ["worse"] if arguments.fail_on == "worse" else ["worse", "cannot tell"]
    sides = [
        ("run", f"{record.path} (spec {record.header['spec_sha256'][:8]}, revision {_revision(record.header.get('git'))})"),
        ("baseline", f"{baseline.label}, revision {_revision(baseline.section.get('git'))}"),
        ("its reason", next((str(item["reason"]) for item in reversed(baseline.history) if item.get("section") == baseline.name), "-")),
    ]
    table = files.table(f"{baseline.name} : {files.summary(findings)}", findings, baseline.alpha, notes).render("terminal")
    no = [finding for finding in findings if finding.verdict in failing]
    return _Judged(
        "\n".join([*(f"{name + ':':12}{visible(value)}" for name, value in sides), table]),
        files.markdown(f"{baseline.name} against its baseline", sides, findings, baseline.alpha, notes),
        files.suite(baseline.name, sides, findings, failing),
        f"{files.summary(no)}: {', '.join(finding.full_name for finding in no)}" if no else "",
    )


def _update(record: Record, arguments: argparse.Namespace) -> int:
    reason = (arguments.reason or "").strip()
    if not reason:
        raise InputError(
            "a baseline changes for a reason",
            code="usage",
            found="no --reason",
            expected="--reason TEXT",
            hint='--reason "new default guidance"',
        )
    if record.status != "success":
        raise InputError(
            "the run is not finished",
            code="unfinished",
            path=record.path,
            found=f"status {record.status}",
            hint=f"hvbench resume {record.path}",
        )
    for name in arguments.metric:
        known = list(dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in record.scores))
        if name not in known:
            raise InputError("--metric names a variant that the run has not", code="unknown-name", found=name, expected=", ".join(known))
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    section = baselines.update(arguments.baseline, record, reason, date, tuple(arguments.metric))
    speed = len(section.get("speed", {}).get("rows", ()))
    print(
        f"{arguments.baseline}: {baselines.section_name(record)}: {len(section['entries'])} numbers"
        + (f", {speed} rows of seconds" if speed else "")
    )
    return 0


def _whole(path: Path) -> Record:
    """The record, its files read and its spec hashed. Raises InputError (`damaged`)."""
    record = load(path)
    try:
        _ = record.scores, record.replicates, record.journal
        found = hashlib.sha256(canonical(record.header["spec"]).encode()).hexdigest()
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the record is damaged", code="damaged", path=path / SCORES, found=repr(error)[:200], hint=f"hvbench validate {path}"
        ) from None
    if found != record.header["spec_sha256"]:
        raise InputError(
            "the record is not what its header says",
            code="damaged",
            path=path,
            found=f"the spec hashes to {found[:8]}",
            expected=str(record.header["spec_sha256"])[:8],
            hint=f"hvbench validate {path}",
        )
    stored = json.loads((path / SCORES).read_text(encoding="utf-8"))["spec_sha256"] if record.scores else found
    if stored != found:
        raise InputError("the scores belong to another spec", code="damaged", path=path / SCORES, found=stored[:8], expected=found[:8])
    return record


def _revision(git: dict[str, object] | None) -> str:
    if not git or not git.get("revision"):
        return "unknown"
    return str(git["revision"])[:8] + (" with changes" if git.get("dirty") else "")


VERB = Verb(
    name="check", summary="a gate: is a run worse than its baseline, a table wrong, the leaderboard stale?", configure=_configure, run=_run
)
