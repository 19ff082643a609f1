"""What a generator's clips cost at several numbers of function evaluations: made again and again, every run kept, beside a record of the same clips.

The levels of a generator are methods of one ordinary run (`NAME-NFE`), so that its scores and its clips are those of the levels. What is timed is what the
adapter's own facts say of a clip (`cost`): the pipeline's call without preparing its inputs or writing its frames.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmark import machine, making, paths, runs, spec
from benchmark.data import plain
from benchmark.errors import InputError
from benchmark.generating import EVERY, Generating
from benchmark.methods import Method
from benchmark.model import Case, Unit
from benchmark.record import Record, safe_name, to_text
from benchmark.request import Request
from benchmark.statistics import steps_of

FILE = "profile.json"
SCHEMA = 1


@dataclass(frozen=True)
class Level:
    """One row: a generator at one number of evaluations."""

    name: str
    method: Method
    nfe: int
    steps: int
    passes: int


def profile(
    request: Request,
    nfe: Sequence[int],
    *,
    repeats: int = 3,
    warm_up: int = 1,
    quality: bool = False,
    reporter: runs.Reporter | None = None,
) -> Record:
    """Run and time every generator of the request at every NFE; the record, with profile.json in its folder.

    quality: score the clips too. repeats: timed makings of every clip. warm_up: untimed ones before them. Raises InputError for a method that is no generator
    with steps, an NFE that its steps do not give, a case that cannot be made, and as `runs.run` does.
    """
    reporter = reporter or runs.Quiet()
    if repeats < 1 or warm_up < 0 or not nfe or min(nfe) < 1:
        raise InputError(
            "nothing can be timed",
            code="usage",
            found=f"NFE {list(nfe)}, {repeats} repeats, {warm_up} to warm up",
            expected="1 or more of each",
        )
    settled = spec.resolve(spec.rooted_request(request))
    levels = [level for method in settled.methods for level in _levels(method, settled.cases, nfe)]
    asked = replace(
        request,
        offsets=_by_level(request.offsets, levels),
        crops=_by_level(request.crops, levels),
        ignores=_by_level(request.ignores, levels),
        fps=_by_level(request.fps, levels),
        ranges=_by_level(request.ranges, levels),
        reference_frames=_by_level(request.reference_frames, levels),
        adapters=tuple(f"{level.name}={level.method.adapter.id}" for level in levels if level.method.adapter),
        settings={EVERY: request.settings.get(EVERY, {})} | {level.name: _told(request, level) for level in levels},
        seeds=request.seeds[:1],
        bare=not quality,
    )
    record = runs.run(asked, reporter).record
    done = spec.resolve(spec.rooted_request(asked))
    rows: list[dict[str, Any]] = []
    try:
        for _, group in groupby(zip(levels, done.methods, strict=True), key=lambda pair: pair[0].method.name):
            rows += _timed(record, list(group), done.cases, asked.seeds[0], repeats, warm_up, reporter)
    finally:
        making.free(level.method.adapter for level in levels)
    data = {
        "schema": SCHEMA,
        "machine": machine.describe(settled.device, settled.backend),
        "packages": machine.packages(),
        "git": machine.git(),
        "suite": done.suite.id,
        "split": done.split.id,
        "cases": [case.id for case in done.cases],
        "warm_up": warm_up,
        "repeats": repeats,
        "rows": rows,
    }
    paths.write_atomic(record.path / FILE, to_text(plain(data)))
    return record


def _by_level(said: Mapping[str, Any], levels: Sequence[Level]) -> dict[str, Any]:
    """What is said of a method, said of its levels."""
    methods = {level.method.name for level in levels}
    kept = {name: value for name, value in said.items() if name not in methods}
    return kept | {level.name: said[level.method.name] for level in levels if level.method.name in said}


def _told(request: Request, level: Level) -> dict[str, Any]:
    return {**request.settings.get(level.method.name, {}), "steps": level.steps}


def _levels(method: Method, cases: Sequence[Case], nfe: Sequence[int]) -> Iterator[Level]:
    adapter = method.adapter
    if not isinstance(adapter, Generating) or adapter.passes is None:
        raise InputError(
            "has no function evaluations that could be counted",
            code="usage",
            found=method.name,
            expected="a generator with denoising steps",
            hint="hvbench ls adapters",
        )
    found = {adapter.passes(making.shown(case, method), method.settings) for case in cases}
    if len(found) > 1:
        raise InputError(
            "cases differ in the evaluations that a step makes (longer ones are made in more pieces)",
            code="bad-nfe",
            found=", ".join(map(str, sorted(found))),
            hint="--case ID, or --length N",
        )
    passes = found.pop()
    for wanted in dict.fromkeys(nfe):
        yield Level(f"{method.name}-{wanted}", method, wanted, steps_of(wanted, passes), passes)


def _timed(
    record: Record,
    levels: Sequence[tuple[Level, Method]],
    cases: Sequence[Case],
    seed: int,
    repeats: int,
    warm_up: int,
    reporter: runs.Reporter,
) -> list[dict[str, Any]]:
    """The rows of one generator: all levels by turns, again and again, so that a machine that becomes slower does so for all of them.

    Raises InputError where one of the record's clips was not made.
    """
    adapter = levels[0][1].adapter
    assert isinstance(adapter, Generating)
    clips = {(level.name, case.id): _clip(record, level, case, seed) for level, _ in levels for case in cases}
    found: dict[str, list[dict[str, Any]]] = {level.name: [] for level, _ in levels}
    with tempfile.TemporaryDirectory(prefix="hvbench-") as folder:
        for number in range(-warm_up, repeats):
            for level, method in levels:
                for case in cases if number >= 0 else cases[:1]:
                    stem = Path(folder) / f"{safe_name(case.id)}-{seed}"
                    made = making.call(adapter, making.shown(case, method), replace(method.settings, seed=seed), stem)
                    if number >= 0:
                        same = _same_frames(made, clips[level.name, case.id])
                        found[level.name].append(_run(adapter.facts(made), case, number, same))
                    made.unlink()
            reporter.note(f"{levels[0][0].method.name}: " + (f"round {number + 1} of {repeats}" if number >= 0 else "warming up"))
    return [
        {
            "name": level.name,
            "adapter": adapter.id,
            "method": level.method.name,
            "nfe": level.nfe,
            "steps": level.steps,
            "passes": level.passes,
            "rehearsal": bool((method.identity or {}).get("rehearsal")),
            "settings": plain(method.identity or {}),
            "runs": sorted(found[level.name], key=lambda run: (run["case"], run["repeat"])),
        }
        for level, method in levels
    ]


def _clip(record: Record, level: Level, case: Case, seed: int) -> Path:
    """The record's own clip. Raises InputError where it was not made."""
    entry = record.journal[Unit(level.name, case.id, seed)]
    if "generation" not in entry:
        error = entry.get("error", {})
        raise InputError(
            f"{level.name}, case {case.id}: the clip could not be made",
            code=str(error.get("code", "no-clip")),
            found=str(error.get("what")),
            hint=error.get("hint") or f"hvbench explain {level.method.name}",
        )
    return record.path / str(entry["generated"]["path"])


def _run(facts: Mapping[str, Any], case: Case, number: int, same: bool) -> dict[str, Any]:
    cost = facts["cost"]
    return {
        "case": case.id,
        "repeat": number,
        "seconds": cost["seconds"],
        "nfe": cost["nfe"],
        "nominal_nfe": facts["nominal_nfe"],
        "calls": cost["calls"],
        "frames": facts["frames"]["kept"],
        "made": facts["frames"]["made"],
        "peak_bytes": cost["peak_bytes"],
        "same_frames": same,
    }


def _same_frames(one: Path, other: Path) -> bool:
    """Is a clip made again the record's own, to the bit?"""
    return hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
