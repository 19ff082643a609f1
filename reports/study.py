"""What people see: a blind study from a run, its answers as tables, and how far metrics agree with people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import InputError
from benchmark.record import load
from benchmark.registry import Verb
from reports._escape import visible
from reports._table import FORMATS, Table


def _configure(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="make | score | agree", required=True)
    _configure_make(verbs.add_parser("make", help="a blind page of a run's clips, which works from disk"))
    _configure_score(verbs.add_parser("score", help="tables of the files that raters saved"))
    _configure_agree(verbs.add_parser("agree", help="do the metrics of a run agree with people?"))


def _configure_make(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory whose clips are still where they were")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="DIR/page goes to raters, DIR/key.json does not")
    parser.add_argument(
        "--kind", choices=("rating", "pairs"), default="rating", help="0 to 10 a clip, or which of two is better (default: rating)"
    )
    parser.add_argument("--dimension", action="append", default=[], metavar="NAME[=question]", help="what is asked; repeatable")
    parser.add_argument("--methods", action="append", default=[], metavar="NAME", help="only these; repeatable")
    parser.add_argument("--with-truth", action="store_true", help="the truth competes too")
    parser.add_argument("--clips", type=int, metavar="N", help="cases, drawn by the seed (default: all, at most 20)")
    parser.add_argument("--per-rater", type=int, metavar="N", help="clips or pairs of each rater (default: all, at most 40)")
    parser.add_argument("--raters", type=int, default=24, metavar="N", help="numbers that can be given out (default: 24)")
    parser.add_argument(
        "--attention", type=int, default=4, metavar="N", help="checks a rater: degraded copies and repeats by turns (default: 4)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="shorter side of the clips (default: 512)")
    parser.add_argument("--title", default="Video study", metavar="TEXT", help="what raters read at the top; must not tell the methods")
    parser.add_argument("--copy", action="store_true", help="clips as they are (.mp4 only): files may then tell their method")
    parser.set_defaults(part=_make)


def _make(arguments: argparse.Namespace) -> int:
    from reports._study_make import Plan, make

    for name, least in (("clips", 1), ("per_rater", 1), ("raters", 1), ("attention", 0), ("seed", 0), ("size", 32)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise InputError(f"--{name.replace('_', '-')} is too small", code="usage", found=str(value), expected=f"at least {least}")
    plan = Plan(
        arguments.kind,
        tuple(arguments.dimension),
        tuple(arguments.methods),
        arguments.clips,
        arguments.per_rater,
        arguments.raters,
        arguments.seed,
        arguments.attention,
        arguments.with_truth,
        arguments.size,
        arguments.copy,
        arguments.title,
    )
    made = make(load(arguments.run), arguments.out, plan, lambda case: print(f"clips of case {visible(case)}", file=sys.stderr))
    for note in made.notes:
        print(f"note: {visible(note)}", file=sys.stderr)
    shown = "clips" if plan.kind == "rating" else "pairs"
    size = f"{len(made.methods)} methods, {len(made.cases)} clips, {plan.raters} raters"
    print(f"study {made.study}: {size}, each {made.per_rater} {shown} and {made.checks} checks")
    print(f"for raters:  {made.page}  (open index.html?rater=1, 2, 3 ...)")
    print(f"for you:     {made.key}  (tells which clip is whose: keep it)")
    print(f"next:        hvbench study score answers/*.json --key {made.key}")
    return 0


def _configure_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="what raters saved, JSON or CSV")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the study's key.json")
    parser.add_argument("--keep-failed", action="store_true", help="count raters who failed the attention checks too")
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.set_defaults(part=_score)


def _score(arguments: argparse.Namespace) -> int:
    from reports._study_answers import read
    from reports._study_tables import tables

    study = read(arguments.files, arguments.key)
    for path, why in study.refused:
        print(f"hvbench: left out: {visible(f'{path}: {why}')}", file=sys.stderr)
    show(tables(study, arguments.keep_failed, flat=arguments.format in ("csv", "json")), arguments.format)
    return 2 if study.refused else 0


def _configure_agree(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--ratings", type=Path, required=True, metavar="FILE", help="CSV: case, method, aspect, score")
    parser.add_argument(
        "--metric", action="append", default=[], metavar="M@V=ASPECT", help="which metric speaks of which aspect; repeatable"
    )
    parser.add_argument("--map", type=Path, metavar="FILE", help="the same as TOML: a table [aspects] of M@V = ASPECT")
    parser.add_argument("--protocol", metavar="NAME", help="default: the first that has the metric")
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.set_defaults(part=_agree)


def _agree(arguments: argparse.Namespace) -> int:
    from reports._agree_tables import agree

    flat = arguments.format in ("csv", "json")
    show(agree(load(arguments.run), arguments.ratings, arguments.metric, arguments.map, arguments.protocol, flat=flat), arguments.format)
    return 0


def show(shown: Sequence[Table], form: str) -> None:
    """Print tables one below the other; JSON as a list."""
    blocks = [table.render(form, colour=form == "terminal" and sys.stdout.isatty()) for table in shown]
    print(f"[{', '.join(blocks)}]" if form == "json" and len(blocks) > 1 else "\n\n".join(blocks))


def _run(arguments: argparse.Namespace) -> int:
    return int(arguments.part(arguments))


VERB = Verb(name="study", summary="people: a blind study of a run, its tables, and metrics against people", configure=_configure, run=_run)
