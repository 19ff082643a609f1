"""The file that a gate holds a run against: clip values, tolerances, and why it was last changed. Made from a record, edited by hand, read with care."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import statistics
from benchmark.data import canonical
from benchmark.errors import InputError
from benchmark.record import Record, to_text
from benchmark.registry import registry
from reports._pairs import deleted, replicate, set_comparison
from reports._profile import FILE as PROFILE
from reports._profile import Profile, read

KIND, SCHEMA = "human-video-benchmark baseline", 1
ALPHA = 0.05
SHARE = 0.1
"""Default tolerance of a metric: this share of the standard deviation over the baseline's clips."""
SLACK = 0.1
"""Default tolerance of seconds: how much slower the same code may be on another day of the same machine."""


@dataclass(frozen=True)
class Baseline:
    """path: the file. name: `suite/split`. section: its part of the file. history: reasons, oldest first. alpha: of the whole gate."""

    path: Path
    name: str
    section: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    alpha: float

    @property
    def label(self) -> str:
        """What the other side is called: the file, and what it was made from."""
        return f"{self.path} (spec {self.section['spec_sha256'][:8]}, {self.section['date'][:10]})"


def section_name(record: Record) -> str:
    """`suite/split` of a record."""
    return f"{record.header['suite']['id']}/{record.header['split']['id']}"


def key(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """(method, protocol, metric@variant): what a number of a section is called."""
    return entry["method"], entry["protocol"], entry["name"]


RULES = ("frames", "size", "time", "pooling")


def meaning(record: Record, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a score means, part by part: equal parts are the same question. The networks are those of its protocol's view, by sha256, where it has weights."""
    header, spec = record.header, record.header["spec"]
    protocol = next(p for p in header["protocols"] if p["id"] == row["protocol"])
    view = record.view_of(row["protocol"])
    known = {} if row["weights"] == "none" else header["plan"].get("networks", {})
    used = {network for entry in record.journal.values() for network in entry.get("features", {}).get(view, {})}
    return {
        "protocol": f"version {protocol.get('version')}, rules {_digest({part: protocol.get(part) for part in RULES})}",
        "weights": row["weights"],
        "frames at once": spec.get("max_frames"),
        "real set": _digest(spec.get("real")),
        "networks": {network: str(known[network]["sha256"])[:16] for network in sorted(used) if network in known},
    }


def case_meanings(record: Record) -> dict[str, str]:
    """{case: what it is, without what methods made of it}: inputs by sha256.

    Clips of a suite that draws its own are known by suite, version and id alone: their frames were checked when they were drawn (other frames go by another
    suite's id), while the bytes of their files follow the encoder's version.
    """
    header = record.header
    request = header.get("request", {})
    suite = registry().suites.get(header["suite"]["id"])
    drawn = suite is not None and bool(suite.item.make) and not any(request.get(where) for where in ("truth", "data", "cases_file"))
    out = {"outputs", "truth", "reference"} if drawn else {"outputs"}
    return {case["id"]: _digest({field: value for field, value in case.items() if field not in out}) for case in header["spec"]["cases"]}


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def make(record: Record, date: str, kept: Mapping[tuple[str, str, str], float], only: tuple[str, ...] = ()) -> dict[str, Any]:
    """A section from a finished record. kept: tolerances that somebody set before, which stay. only: these variants alone."""
    entries = []
    for row in record.scores:
        name = f"{row['metric']}@{row['variant']}"
        if row["value"] is None or (only and name not in only):
            continue
        at = (row["adapter"], row["protocol"], name)
        clips, sets = record.clip_values(*at), replicate(record, *at)
        suggested, said = _tolerance(row, clips, sets)
        entry: dict[str, Any] = {
            "method": row["adapter"],
            "protocol": row["protocol"],
            "name": name,
            "value": row["value"],
            "unit": row["unit"],
            "higher_is_better": row["higher_is_better"],
            "decimals": row["decimals"],
            "flags": [flag for flag in row["flags"] if flag != "incomplete"],
            "meaning": meaning(record, row),
            "tolerance": kept.get(at, suggested),
            "tolerance_from": "kept from the file before" if at in kept and kept[at] != suggested else said,
        }
        if sets:
            entry["replicates"] = {"clips": list(sets["clips"]), "values": [[list(gone), value] for gone, value in sets["values"]]}
        else:
            entry["clips"] = clips
        entries.append(entry)
    timed = (record.path / PROFILE).exists()
    if not entries and not timed:
        raise InputError(
            "nothing to hold others against", code="unscored", path=record.path, found="no score", expected="one or more of the variants"
        )
    section: dict[str, Any] = {
        "suite_version": record.header["suite"]["version"],
        "spec_sha256": record.header["spec_sha256"],
        "date": date,
        "git": record.header.get("git"),
        "seeds": record.header["spec"].get("seeds"),
        "cases": case_meanings(record),
        "entries": entries,
    }
    if timed:
        section["speed"] = speed_section(read(record.path), kept)
    return section


def speed_section(profile: Profile, kept: Mapping[tuple[str, str, str], float]) -> dict[str, Any]:
    """Seconds of every run of every row, by clip, with the machine they are of."""
    rows = []
    for row in profile.rows:
        seconds: dict[str, list[float]] = {}
        for run in row.runs:
            seconds.setdefault(run.case, []).append(run.seconds["total"])
        rows.append(
            {
                "name": row.name,
                "nfe": row.nfe,
                "made": sorted({run.made for run in row.runs}),
                "rehearsal": row.rehearsal,
                "tolerance": kept.get((row.name, "speed", "seconds"), SLACK),
                "seconds": seconds,
            }
        )
    return {"machine": dict(profile.facts["machine"]), "packages": dict(profile.facts["packages"]), "rows": rows}


def _tolerance(row: Mapping[str, Any], clips: Mapping[str, float], sets: Mapping[str, Any] | None) -> tuple[float, str]:
    """Less than this does not matter: a tenth of what clips differ by themselves, and not less than half the last digit that is printed."""
    printed = 0.5 * 10.0 ** -row["decimals"] if row["decimals"] >= 0 else 0.5 * abs(row["value"]) * 10.0 ** (row["decimals"] + 1)
    sd, said = 0.0, "standard deviation over clips"
    if sets:
        said = "jackknife standard error times the root of the clips"
        nothing = {**sets, "values": [[list(gone), 0.0] for gone in deleted(sets)]}
        compared = set_comparison(sets, nothing, None)
        found = statistics.detectable(compared) if compared else None
        sd = found.sd if found and found.sd is not None else 0.0
    elif len(clips) > 1:
        sd = float(np.std(list(clips.values()), ddof=1))
    if SHARE * sd > printed:
        return float(f"{SHARE * sd:.3g}"), f"{SHARE:g} x {said}"
    return float(f"{printed:.3g}"), "half the last printed digit"


def tolerances(data: Mapping[str, Any], name: str) -> dict[tuple[str, str, str], float]:
    """What stands in a file's section already."""
    section = data["sections"].get(name, {})
    found = {key(entry): float(entry["tolerance"]) for entry in section.get("entries", ())}
    return found | {(row["name"], "speed", "seconds"): float(row["tolerance"]) for row in section.get("speed", {}).get("rows", ())}


def load(path: Path) -> dict[str, Any]:
    """The whole file. Raises InputError: `absent`, `damaged`, `foreign`, `newer`, each naming the file and the place."""
    hint = f"hvbench check RUN --update --baseline {path} --reason TEXT"
    if not path.is_file():
        raise InputError("no such baseline", code="absent", path=path, found="no file", expected="a baseline file", hint=hint)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError("the baseline is damaged", code="damaged", path=path, found=str(error)[:200], expected="JSON", hint=hint) from None
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind != KIND:
        raise InputError("is no baseline", code="foreign", path=path, found=f"kind {kind!r}"[:80], expected=f"kind {KIND!r}", hint=hint)
    if not isinstance(data.get("schema"), int) or data["schema"] > SCHEMA:
        raise InputError(
            "the baseline is of a newer version",
            code="newer",
            path=path,
            found=f"schema {data.get('schema')!r}",
            expected=f"<= {SCHEMA}",
            hint="update this package",
        )
    where = "the file"
    try:
        if not 0 < float(data["alpha"]) < 1:
            raise ValueError(f"alpha is {data['alpha']}, not between 0 and 1")
        if not data["history"] or not all(isinstance(item["reason"], str) and item["reason"] for item in data["history"]):
            raise ValueError("no reason in its history")
        for name, section in data["sections"].items():
            where = name
            _ = section["spec_sha256"][:8], section["date"][:10], section["suite_version"], dict(section["cases"])
            names = [key(entry) for entry in section["entries"]]
            if len(set(names)) < len(names):
                raise ValueError("an entry stands twice")
            for entry in section["entries"]:
                where = f"{name}: {' : '.join(key(entry))}"
                _entry(entry)
            for row in section.get("speed", {"rows": ()})["rows"]:
                where = f"{name}: speed of {row['name']}"
                _ = dict(section["speed"]["machine"]), row["made"], row["nfe"]
                numbers = [row["tolerance"], *(second for seconds in row["seconds"].values() for second in seconds)]
                if not all(_number(value) and value >= 0 for value in numbers) or not all(map(min, row["seconds"].values())):
                    raise ValueError("seconds or a tolerance that are none")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            "the baseline is damaged", code="damaged", path=path, found=f"{where}: {said}"[:300], expected="what --update writes", hint=hint
        ) from None
    return dict(data)


def _entry(entry: Mapping[str, Any]) -> None:
    if entry["higher_is_better"] not in (True, False, None) or not isinstance(entry["decimals"], int):
        raise ValueError("higher_is_better or decimals is wrong")
    _ = dict(entry["meaning"]["networks"]), entry["unit"] + entry["meaning"]["weights"], list(entry["flags"])
    numbers = [entry["value"], entry["tolerance"]]
    if "replicates" in entry:
        values = deleted(entry["replicates"])
        numbers += values.values()
        if () not in values or not entry["replicates"]["clips"]:
            raise ValueError("replicates without their whole")
    else:
        numbers += dict(entry["clips"]).values()
    if not all(map(_number, numbers)) or entry["tolerance"] < 0:
        raise ValueError("a value or tolerance that is no finite number")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def of(path: Path, record: Record) -> Baseline:
    """The part of the file that speaks of the record's suite and split. Raises InputError (`foreign`) where there is none, and as `load`."""
    data, name = load(path), section_name(record)
    if name not in data["sections"]:
        raise InputError(
            "the baseline does not speak of this run's suite",
            code="foreign",
            path=path,
            found=", ".join(data["sections"]) or "nothing",
            expected=name,
            hint=f"hvbench check {record.path} --update --baseline {path} --reason TEXT",
        )
    return Baseline(path, name, data["sections"][name], tuple(data["history"]), float(data["alpha"]))


def update(path: Path, record: Record, reason: str, date: str, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write the record's section, keep the others, the tolerances and all earlier reasons. Returns the section."""
    data: dict[str, Any] = load(path) if path.exists() else {"kind": KIND, "schema": SCHEMA, "alpha": ALPHA, "history": [], "sections": {}}
    name = section_name(record)
    section = make(record, date, tolerances(data, name), only)
    spec = record.header["spec_sha256"]
    data["history"].append({"date": date, "section": name, "reason": reason, "spec_sha256": spec, "git": record.header.get("git")})
    data["sections"][name] = section
    write(path, to_text(data))
    return section


def write(path: Path, text: str) -> None:
    """Write beside and move into place: the file is the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError("cannot be written", code="unwritable", path=path, found=str(error), hint="name another file") from None
