"""profile.json read back: what every run of every row cost, and the arithmetic of a row. And the scores of the same rows, as curves over NFE."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark import statistics
from benchmark.errors import InputError
from benchmark.record import SCORES

FILE, SCHEMA = "profile.json", 1
PARTS = ("denoiser", "vae", "text")
"""What a clip's seconds are split into; the rest is schedulers, resizing, Python."""
FEW = 3
"""Quartiles of fewer runs than this are no measure of noise."""


@dataclass(frozen=True)
class Run:
    """One making of one clip. seconds: `total` and by part. nfe: counted. frames: kept. made: with those that are cut. peak_bytes: None where not told."""

    case: str
    seconds: Mapping[str, float]
    nfe: float
    nominal: float
    frames: int
    made: int
    peak_bytes: int | None
    same_frames: bool | None


@dataclass(frozen=True)
class Row:
    """A generator at one NFE. generator: whose levels belong together. nominal: the NFE asked for."""

    name: str
    generator: str
    nominal: int
    rehearsal: bool
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> list[float]:
        """Of every run."""
        return [run.seconds["total"] for run in self.runs]

    @property
    def nfe(self) -> float:
        """The median of what was counted."""
        return statistics.times([run.nfe for run in self.runs]).median


@dataclass(frozen=True)
class Profile:
    """facts: machine, packages, git, suite, split, warm_up, repeats as they stand in the file."""

    path: Path
    facts: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def generators(self) -> dict[str, list[Row]]:
        """{generator: its rows}, in the file's order."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.generator, []).append(row)
        return found


@dataclass(frozen=True)
class Line:
    """What a row comes to. q1, q3: quartiles of the seconds. per_nfe: median seconds / counted NFE. shares: of all seconds, by part, None where it was not
    timed. rest: what is left. fps: made frames a second, the median over runs. noise: `overlap` (quartile ranges of both rows do), `few` (runs), or empty.
    """

    name: str
    generator: str
    rehearsal: bool
    nfe: float
    nfe_low: float
    nfe_high: float
    nominal: int
    as_stated: bool
    runs: int
    median: float
    q1: float
    q3: float
    per_nfe: float
    shares: Mapping[str, float | None]
    rest: float
    fps: float
    peak_bytes: int | None
    speed_up: float
    against: str
    noise: str
    same_clips: bool


def read(run: Path) -> Profile:
    """The profile of a run folder. Raises InputError: `no-profile`, `damaged`, `newer`, `no-machine` where it does not say on what it was timed."""
    path = run / FILE
    hint = "hvbench profile --adapter NAME --nfe 100,50,30"
    if not path.is_file():
        raise InputError("has no profile", code="no-profile", path=run, expected=FILE, hint=hint)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["schema"] > SCHEMA:
            raise InputError(
                "the profile is of a newer version", code="newer", path=path, found=str(facts["schema"]), expected=f"<= {SCHEMA}"
            )
        machine = facts.get("machine")
        rows = tuple(_row(row) for row in facts["rows"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "the profile is damaged", code="damaged", path=path, found=repr(error)[:200], hint=f"hvbench validate {run}"
        ) from None
    if not isinstance(machine, dict) or not any(machine.values()):
        raise InputError(
            "seconds without their machine say nothing", code="no-machine", path=path, found="no machine", expected="machine", hint=hint
        )
    if not rows or not all(row.runs for row in rows) or len({row.name for row in rows}) < len(rows):
        found = (
            f"{len(rows)} rows, {len({row.name for row in rows})} names, {min((len(row.runs) for row in rows), default=0)} runs at least"
        )
        raise InputError(
            "the profile is damaged", code="damaged", path=path, found=found, expected="rows with names of their own, each with runs"
        )
    return Profile(path, facts, rows)


def _row(row: Mapping[str, Any]) -> Row:
    runs = tuple(
        Run(
            str(run["case"]),
            {name: float(value) for name, value in run["seconds"].items()} | {"total": float(run["seconds"]["total"])},
            float(run["nfe"]),
            float(run["nominal_nfe"]),
            int(run["frames"]),
            int(run["made"]),
            None if run["peak_bytes"] is None else int(run["peak_bytes"]),
            run.get("same_frames"),
        )
        for run in row["runs"]
    )
    return Row(str(row["name"]), str(row.get("method", row["adapter"])), int(row["nfe"]), bool(row["rehearsal"]), runs)


def lines(profile: Profile, against: str | None = None) -> list[Line]:
    """Every row's arithmetic. against: the row that all are compared with; None: of each generator the row with the largest counted NFE.

    Raises InputError (`bad-row`) for a row that is not there, `bad-seconds` for seconds that are none.
    """
    found = []
    for rows in profile.generators.values():
        named = against or max(rows, key=lambda row: row.nfe).name
        base = next((row for row in profile.rows if row.name == named), None)
        seconds = {row.name: row.seconds for row in profile.rows if row in rows or row is base}
        if base is None:
            known = ", ".join(row.name for row in profile.rows)
            raise InputError("the row to compare with is not there", code="bad-row", path=profile.path, found=named, expected=known)
        ratios = statistics.speed_up(seconds, named)
        found += [_line(row, base, ratios[row.name]) for row in rows]
    return found


def _line(row: Row, base: Row, ratio: float) -> Line:
    took, other = statistics.times(row.seconds), statistics.times(base.seconds)
    counted = [run.nfe for run in row.runs]
    shares = {part: _share(row.runs, part) for part in PARTS}
    peaks = [run.peak_bytes for run in row.runs if run.peak_bytes is not None]
    noise = ""
    if row is not base:
        noise = "few" if min(took.runs, other.runs) < FEW else "overlap" if took.low <= other.high and other.low <= took.high else ""
    return Line(
        name=row.name,
        generator=row.generator,
        rehearsal=row.rehearsal,
        nfe=row.nfe,
        nfe_low=min(counted),
        nfe_high=max(counted),
        nominal=row.nominal,
        as_stated=all(run.nfe == run.nominal == row.nominal for run in row.runs),
        runs=took.runs,
        median=took.median,
        q1=took.low,
        q3=took.high,
        per_nfe=took.median / row.nfe,
        shares=shares,
        rest=1 - sum(share for share in shares.values() if share is not None),
        fps=statistics.times([run.made / run.seconds["total"] for run in row.runs]).median,
        peak_bytes=max(peaks, default=None),
        speed_up=ratio,
        against=base.name,
        noise=noise,
        same_clips={run.case for run in row.runs} == {run.case for run in base.runs},
    )


def _share(runs: Sequence[Run], part: str) -> float | None:
    """Of the seconds of all runs that this part took; None where no run timed it."""
    if not any(part in run.seconds for run in runs):
        return None
    return sum(run.seconds.get(part, 0.0) for run in runs) / sum(run.seconds["total"] for run in runs)


def fits(profile: Profile) -> dict[str, statistics.Fit]:
    """{generator: seconds = base + each * counted NFE over all its runs}, of those with two different NFE or more."""
    found = {}
    for name, rows in profile.generators.items():
        points = [(run.nfe, run.seconds["total"]) for row in rows for run in row.runs]
        if len({nfe for nfe, _ in points}) > 1:
            found[name] = statistics.fit(*zip(*points, strict=True))
    return found


@dataclass(frozen=True)
class Point:
    """A level's score, with its interval where it has one."""

    row: str
    nfe: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Panel:
    """One variant under one protocol. curves: by generator, in order of NFE. knees: by generator, the level behind which quality flattens."""

    protocol: str
    name: str
    unit: str
    higher_is_better: bool | None
    decimals: int
    curves: Mapping[str, tuple[Point, ...]]
    knees: Mapping[str, Point]


def _apart(one: Point, other: Point) -> bool:
    """Do two levels differ by more than their intervals? A flat curve's knee would be noise. Where there are no intervals nothing can be said against it."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return True
    return one.high < other.low or other.high < one.low


def panels(profile: Profile) -> list[Panel]:
    """The scores of the profile's rows, from scores.json beside it; none without that file. Rows without a value are left out."""
    path = profile.path.with_name(SCORES)
    if not path.is_file():
        return []
    known = {row.name: row for row in profile.rows}
    by: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for score in json.loads(path.read_text(encoding="utf-8"))["scores"]:
        if score["adapter"] in known and score["value"] is not None:
            by.setdefault((score["protocol"], f"{score['metric']}@{score['variant']}"), []).append(score)
    found = []
    for (protocol, name), scores in by.items():
        curves: dict[str, list[Point]] = {}
        for score in scores:
            row = known[score["adapter"]]
            curves.setdefault(row.generator, []).append(Point(row.name, row.nfe, score["value"], score["ci_low"], score["ci_high"]))
        ordered = {generator: tuple(sorted(points, key=lambda p: p.nfe)) for generator, points in curves.items()}
        better = scores[0]["higher_is_better"]
        at = {g: statistics.knee([p.nfe for p in points], [p.value for p in points], better) for g, points in ordered.items()}
        knees = {g: ordered[g][index] for g, index in at.items() if index is not None and _apart(ordered[g][0], ordered[g][-1])}
        found.append(Panel(protocol, name, scores[0]["unit"], better, scores[0]["decimals"], ordered, knees))
    return found
