"""A gate for CI: is a run worse than its baseline? Exit code 4 says so."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

from benchmark.data import canonical
from benchmark.errors import InputError
from benchmark.record import SCORES, Record, load
from benchmark.registry import Verb
from reports import _baseline as baselines
from reports import _gate_files as files
from reports._gate import judge

GATE = 4
"""Exit code of a gate that said no."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument(
        "--baseline", type=Path, required=True, metavar="FILE", help="what the run is held against (JSON, made by --update)"
    )
    parser.add_argument("--fail-on", choices=["worse", "cannot-tell"], default="worse", help="cannot-tell: exit 4 on it too")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML, one test case a number")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for the job's page")
    parser.add_argument("--update", action="store_true", help="make the run the new baseline of its suite; needs --reason")
    parser.add_argument("--reason", metavar="TEXT", help="why the baseline changes; kept in the file")
    parser.add_argument("--metric", action="append", default=[], metavar="M@V", help="with --update: only these variants; repeatable")


def _run(arguments: argparse.Namespace) -> int:
    record = _whole(arguments.run)
    if arguments.update:
        return _update(record, arguments)
    for option, given in (("--reason", arguments.reason), ("--metric", arguments.metric)):
        if given:
            raise InputError(f"{option} goes with --update", code="usage", found=option, expected="--update, or none of both")
    baseline = baselines.of(arguments.baseline, record)
    findings, notes = judge(record, baseline)
    failing = ["worse"] if arguments.fail_on == "worse" else ["worse", "cannot tell"]
    sides = [
        ("run", f"{record.path} (spec {record.header['spec_sha256'][:8]}, revision {_revision(record.header.get('git'))})"),
        ("baseline", f"{baseline.label}, revision {_revision(baseline.section.get('git'))}"),
        ("its reason", next((str(item["reason"]) for item in reversed(baseline.history) if item.get("section") == baseline.name), "-")),
    ]
    if arguments.junit:
        baselines.write(arguments.junit, files.junit(baseline.name, sides, findings, failing))
    if arguments.markdown:
        baselines.write(arguments.markdown, files.markdown(f"{baseline.name} against its baseline", sides, findings, baseline.alpha, notes))
    print("\n".join(f"{name + ':':12}{value}" for name, value in sides))
    print(files.table(f"{baseline.name} : {files.summary(findings)}", findings, baseline.alpha, notes).render("terminal"))
    no = [finding for finding in findings if finding.verdict in failing]
    if no:
        print(f"hvbench check: {files.summary(no)}: {', '.join(finding.full_name for finding in no)}", file=sys.stderr)
    return GATE if no else 0


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


VERB = Verb(name="check", summary="a gate: is a run worse than its baseline?", configure=_configure, run=_run)
