"""Does one method truly beat another? Paired by clip, Holm over the protocol's primary variants."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import statistics
from benchmark.errors import InputError
from benchmark.record import Record
from benchmark.registry import Verb
from reports._pairs import deleted, replicate, set_comparison
from reports._ranks import rank_table
from reports._runs import guarded, opened
from reports._table import FORMATS, Cell, Table, number


@dataclass(frozen=True)
class Row:
    """One variant's comparison: a and b are the means over the clips both methods have."""

    protocol: str
    name: str
    primary: bool
    a: float
    b: float
    decimals: int
    judged: statistics.Judged
    left_out: tuple[str, ...]


def rows(record: Record, of: str, over: str, protocol: str, margins: Mapping[str, float]) -> tuple[list[Row], list[str]]:
    """Comparisons of every variant both methods have clip values for, and notes. The family for Holm is the primary variants; others are unadjusted."""
    found: list[tuple[dict[str, Any], statistics.Comparison | None, float, float, tuple[str, ...]]] = []
    waiting: list[tuple[Any, bool | None, float | None]] = []
    notes = []
    cases = [case["id"] for case in record.header["spec"]["cases"]]
    for score in (row for row in record.scores if row["protocol"] == protocol and row["adapter"] == of):
        name = f"{score['metric']}@{score['variant']}"
        if (as_sets := _sets(record, of, over, protocol, name, score["higher_is_better"], margins.get(name))) is not None:
            found.append((score, *as_sets, ()))
            continue
        ours, theirs = record.clip_values(of, protocol, name), record.clip_values(over, protocol, name)
        shared = [case for case in cases if case in ours and case in theirs]
        if not shared:
            notes.append(f"{name}: no clip is scored for both")
            continue
        left = tuple(case for case in cases if case not in ours or case not in theirs)
        both = np.array([[ours[c] for c in shared], [theirs[c] for c in shared]])
        waiting.append((both, score["higher_is_better"], margins.get(name)))
        found.append((score, None, float(both[0].mean()), float(both[1].mean()), left))
    # all of them at once: the sign patterns are drawn once for all variants
    tested = iter(statistics.paired_all(waiting))
    compared = [done if done is not None else next(tested)[0, 1] for _, done, *_ in found]
    judged = iter(statistics.family([c for c, (score, *_) in zip(compared, found, strict=True) if score["primary"]]))
    result = []
    for c, (score, _, a_mean, b_mean, left) in zip(compared, found, strict=True):
        primary = score["primary"]
        verdict = next(judged) if primary else statistics.Judged(c, c.p, statistics.verdict(c, c.p))
        result.append(Row(protocol, f"{score['metric']}@{score['variant']}", primary, a_mean, b_mean, score["decimals"], verdict, left))
    return result, notes


def _sets(
    record: Record, of: str, over: str, protocol: str, name: str, higher_is_better: bool | None, margin: float | None
) -> tuple[statistics.Comparison, float, float] | None:
    """A set metric by the jackknife of the difference, the same clip deleted on both sides; None where the two were not scored on the same clips."""
    ours, theirs = replicate(record, of, protocol, name), replicate(record, over, protocol, name)
    compared = set_comparison(ours, theirs, higher_is_better, margin) if ours and theirs else None
    return (compared, deleted(ours)[()], deleted(theirs)[()]) if compared and ours and theirs else None


def table(record: Record, of: str, over: str, protocol: str, margins: Mapping[str, float]) -> Table:
    """The comparison as a Table."""
    found, notes = rows(record, of, over, protocol, margins)
    asked = sum(row.primary for row in found)
    cells = []
    for row in found:
        c = row.judged.comparison
        interval = f"[{number(c.low, row.decimals)}, {number(c.high, row.decimals)}]" if c.low is not None and c.high is not None else "-"
        p = "-" if row.judged.p is None else f"{row.judged.p:.3g}"
        floor = "-" if c.smallest_p is None else f"{c.smallest_p:.3g}"
        effect = "-" if c.effect is None else f"{c.effect:.2f}"
        mark = "" if row.primary else "[n]"
        cells.append(
            [
                Cell(row.name, note=mark),
                Cell(number(row.a, row.decimals), value=row.a),
                Cell(number(row.b, row.decimals), value=row.b),
                Cell(number(c.difference, row.decimals), value=c.difference),
                Cell(interval),
                Cell(p, value=row.judged.p),
                Cell(floor, value=c.smallest_p),
                Cell(effect, value=c.effect),
                _finds(row, asked),
                Cell(str(c.n), value=float(c.n)),
                Cell(row.judged.verdict),
            ]
        )
    left = sorted({case for row in found for case in row.left_out})
    foot = [
        "p: exact sign-flip over clips (100,000 seeded flips beyond 20), Holm-adjusted over the protocol's primary variants",
        "interval of the difference: Student-t over clips, nominal 95 %; effect: Cohen's d of the pairs with Hedges' correction",
        "can find: the smallest true difference that so many clips of this spread tell apart four times out of five, at p 0.05"
        + (f" / {asked} for primary variants (Holm's first step)" if asked > 1 else "")
        + "; none: the smallest p is above that",
    ]
    if any(not row.primary for row in found):
        foot.append("[n] not primary: p is not adjusted, read it as description")
    if left:
        foot.append(f"clips not scored for both and left out: {', '.join(left)}")
    pooling = next(p["pooling"] for p in record.header["protocols"] if p["id"] == protocol)
    if pooling == "frames":
        foot.append("means here are over clips (pairs are clips), so they differ slightly from the protocol's mean over all frames")
    rehearsed = [name for name in (of, over) if any("rehearsal" in row["flags"] for row in record.scores if row["adapter"] == name)]
    if rehearsed:
        foot.append(f"a rehearsal, no result: a stand-in for the model made the clips of {', '.join(rehearsed)}")
    heads = ["variant", of, over, "difference", "interval", "p", "smallest p", "effect", "can find", "clips", "verdict"]
    return Table(
        f"{record.header['suite']['id']}/{record.header['split']['id']} : {protocol} : {of} over {over}", heads, cells, [*foot, *notes]
    )


def _finds(row: Row, asked: int) -> Cell:
    """The smallest difference that these clips could have told."""
    found = statistics.detectable(row.judged.comparison, alpha=0.05 / asked if row.primary else 0.05)
    if found.difference is None:
        return Cell("none" if found.why == "floor" else "-")
    return Cell(number(found.difference, row.decimals), value=found.difference)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--of", metavar="A", help="the method that is claimed to be better")
    parser.add_argument("--over", metavar="B", help="its baseline")
    parser.add_argument("--ranks", action="store_true", help="places of all methods, with the places that the clips leave open")
    parser.add_argument("--protocol", action="append", default=[], metavar="NAME")
    parser.add_argument(
        "--margin",
        action="append",
        default=[],
        metavar="M@V=X",
        help="equivalence margin: `same` when the interval of the difference lies within +-X",
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal")


def _run(arguments: argparse.Namespace) -> int:
    shown: int = guarded(opened(arguments.run), lambda record: _compare(record, arguments))
    return shown


def _compare(record: Record, arguments: argparse.Namespace) -> int:
    if not record.scores:
        raise InputError(
            "the run is not finished",
            code="unfinished",
            path=arguments.run,
            found=f"status {record.status}",
            hint=f"hvbench resume {arguments.run}",
        )
    protocols = arguments.protocol or [p["id"] for p in record.header["protocols"]]
    for protocol in protocols:
        record.view_of(protocol)
    if arguments.ranks:
        shown = [rank_table(record, protocol) for protocol in protocols]
    else:
        margins = _asked(record, arguments)
        if arguments.format == "json":
            data = [asdict(row) for protocol in protocols for row in rows(record, arguments.of, arguments.over, protocol, margins)[0]]
            print(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1))
            return 0
        shown = [table(record, arguments.of, arguments.over, protocol, margins) for protocol in protocols]
    print("\n\n".join(t.render(arguments.format, colour=sys.stdout.isatty() and arguments.format == "terminal") for t in shown))
    return 0


def _asked(record: Record, arguments: argparse.Namespace) -> dict[str, float]:
    """The margins, after a look at what was named."""
    known = [m["name"] for m in record.header["spec"]["methods"]]
    for option, name in (("--of", arguments.of), ("--over", arguments.over)):
        if name is None:
            raise InputError(
                f"{option} is missing", code="usage", found="no method", expected=", ".join(map(str, known)), hint="or --ranks for all"
            )
        if name not in known:
            raise InputError("the run has no such method", code="unknown-name", path=arguments.run, found=name, expected=", ".join(known))
    if arguments.of == arguments.over:
        raise InputError("--of and --over name the same method", code="usage", found=arguments.of)
    margins = _margins(arguments.margin)
    scored = list(dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in record.scores))
    for name in margins:
        if name not in scored:
            raise InputError("--margin names a variant that the run has not", code="unknown-name", found=name, expected=", ".join(scored))
    return margins


def _margins(words: list[str]) -> dict[str, float]:
    margins = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            margins[name] = float(value)
        except ValueError:
            margins[name] = -1.0
        if not equals or not 0 < margins[name] < float("inf"):
            raise InputError("--margin takes METRIC@VARIANT=X with X above 0", code="usage", found=word)
    return margins


VERB = Verb(name="compare", summary="does one method of a run beat another?", configure=_configure, run=_run)
