"""run, resume, plan."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.commands import arguments as shared
from benchmark.commands.progress import reporter

if TYPE_CHECKING:
    from benchmark.runs import Outcome


def configure(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs."""
    run = verbs.add_parser(
        "run", help="score clips and write a record", description="Score clips under one or more protocols and write a record."
    )
    shared.inputs(run)
    shared.scoring(run)
    run.add_argument("--dry-run", action="store_true", help="show the plan and do nothing (= hvbench plan)")
    run.set_defaults(call=_run)
    plan = verbs.add_parser(
        "plan",
        help="what a run would decode, resize and compute",
        description="What the same arguments of `run` would do, without doing it.",
    )
    shared.inputs(plan)
    shared.scoring(plan)
    plan.set_defaults(call=_plan)
    resume = verbs.add_parser(
        "resume", help="finish an interrupted run", description="Do what is missing of a run; everything else stands in its record."
    )
    resume.add_argument("run", type=Path)
    resume.add_argument("--workers", type=int, default=1, metavar="N")
    resume.add_argument("--pull", action="store_true")
    resume.add_argument("--offline", action="store_true")
    resume.add_argument("--require", choices=["all"])
    resume.add_argument("--json", action="store_true")
    shared.licence(resume)
    resume.set_defaults(call=_resume)


def _run(arguments: argparse.Namespace) -> int:
    from benchmark.runs import run

    if arguments.dry_run:
        return _plan(arguments)
    _accept(arguments)
    return _finish(run(shared.request(arguments), reporter()), arguments.json)


def _accept(arguments: argparse.Namespace) -> None:
    for text in shared.accept(arguments):
        print(text, file=sys.stderr)


def _resume(arguments: argparse.Namespace) -> int:
    from benchmark.request import Request
    from benchmark.runs import resume

    _accept(arguments)
    wanted = Request(workers=arguments.workers, pull=arguments.pull, offline=arguments.offline, require_all=arguments.require == "all")
    return _finish(resume(arguments.run, wanted, reporter()), arguments.json)


def _finish(outcome: Outcome, as_json: bool) -> int:
    from benchmark.registry import find, registry

    record = outcome.record
    if as_json:
        print(json.dumps(record.scores, ensure_ascii=False, allow_nan=False, indent=1))
    else:
        find(registry().verbs, "show", "verb").run(
            argparse.Namespace(run=record.path, protocol=[], format="terminal", clips=False, next=True)
        )
    for complaint in outcome.complaints:
        print(f"hvbench: {complaint}", file=sys.stderr)
    return int(outcome.exit_code)


def _plan(arguments: argparse.Namespace) -> int:
    from benchmark.plan_text import describe

    _accept(arguments)
    for line in describe(shared.request(arguments)):
        print(line)
    return 0
