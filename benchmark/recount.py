"""Do a record's scores follow from a small copy of it: header, journal, and what set metrics come to without single clips?

`validate` recomputes a whole run from its frames and features. A copy that is small enough to be committed has neither, but every mean over clips, every
interval and every count follow from the journal, and set metrics' intervals from their stored replicates.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data import canonical, plain
from benchmark.errors import BenchmarkError
from benchmark.model import REAL, SetVariant, Unit, Variant, mean
from benchmark.record import HEADER, JOURNAL, SCORES, Record, read_journal
from benchmark.registry import registry
from benchmark.rows import ClipVariant, OpeningVariant, extractors
from benchmark.scores import FEW, Below, Outcomes, Reduced, jackknifed, over_clips, reduce_all
from benchmark.validate import against

CLOSE = 1e-9
"""Relative: the same sums in another order, on another processor. Half a digit that was changed by hand is far above it."""


def recount(record: Record) -> tuple[list[str], list[str]]:
    """(findings, names of numbers that had to be taken as stated). Findings are one line each and empty when all is well; never raises for bad content.

    Taken as stated are set metrics that kept no replicates (they may have no interval then), and metrics that pool frames by another formula than a mean,
    under protocols in which every frame weighs the same. Files must be there; the record's reader tells where one is not JSON.
    """
    try:
        findings = list(_layout(record)) or list(_bound(record))
        return (findings, []) if findings else _scores(record)
    except BenchmarkError as error:
        return [" ".join(str(error).split())], []
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        return [f"{record.path}: the scores cannot be recomputed: {type(error).__name__}: {error}"[:300]], []


def networks(record: Record, name: str) -> dict[str, Mapping[str, Any]]:
    """{network: its weights' label and sha256 ...} of those that `metric@variant` rests on, as the record's plan has them."""
    planned = record.header["plan"]["networks"]
    return {one: planned[one] for one in extractors(registry().variant(name)[1]) if one in planned}


def _layout(record: Record) -> Iterator[str]:
    yield from against("run", record.header, record.path / HEADER)
    for number, entry in enumerate(read_journal(record.path / JOURNAL), 1):
        yield from against("journal", entry, record.path / f"{JOURNAL}:{number}")
    yield from against("scores", json.loads((record.path / SCORES).read_text(encoding="utf-8")), record.path / SCORES)


def _bound(record: Record) -> Iterator[str]:
    """Header, journal and scores must be of one spec, and the spec the one its hash names."""
    header, spec = record.header, record.header["spec"]
    found = hashlib.sha256(canonical(spec).encode()).hexdigest()
    if found != header["spec_sha256"]:
        yield f"{record.path / HEADER}: the spec hashes to {found[:8]}, the header says {header['spec_sha256'][:8]}"
    stored = json.loads((record.path / SCORES).read_text(encoding="utf-8"))["spec_sha256"]
    if stored != header["spec_sha256"]:
        yield f"{record.path / SCORES}: belongs to spec {stored[:8]}, the header says {header['spec_sha256'][:8]}"
    sides = {
        "suite": (spec["suite"], {key: header["suite"][key] for key in ("id", "version")}),
        "split": (spec["split"], header["split"]["id"]),
        "protocols": (spec["protocols"], header["protocols"]),
    }
    yield from (
        f"{record.path / HEADER}: {part}: the header has another than the spec" for part, (one, other) in sides.items() if one != other
    )
    for part in ("cases", "methods"):
        names = [one["id" if part == "cases" else "name"] for one in spec[part]]
        yield from (f"{record.path / HEADER}: {part}: {name} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1)
    yield from _planned(record)
    yield from _units(record)


def _planned(record: Record) -> Iterator[str]:
    """Every protocol reads the view that its own rules make, and every number names the networks that it rests on, with the catalogue's weights."""
    header, where = record.header, record.path / HEADER
    for protocol in header["protocols"]:
        rules = hashlib.sha256(canonical([protocol[part] for part in ("frames", "size", "time")]).encode()).hexdigest()[:8]
        views = [view for view, facts in header["plan"]["views"].items() if protocol["id"] in facts["protocols"]]
        if views != [rules] and any(header["spec"]["variants"].values()):
            yield f"{where}: {protocol['id']}: its numbers come from view {', '.join(views) or 'none'}, its rules make {rules}"
    planned = header["plan"]["networks"]
    for extractor, network in planned.items():
        known = registry().extractors.get(extractor)
        listed = [registry().weights[name].item.sha256 for name in known.item.files if name in registry().weights] if known else []
        if known and known.item.files and network["weights"] == "none":
            yield f"{where}: {extractor}: weights none, it has files of weights"
        if network["weights"] == "real" and listed and all(listed) and known and len(listed) == len(known.item.files):
            whole = listed[0] if len(listed) == 1 else hashlib.sha256(" ".join(map(str, listed)).encode()).hexdigest()
            if whole != network["sha256"]:
                yield f"{where}: {extractor}: real weights of sha256 {network['sha256'][:12]}..., the catalogue has {str(whole)[:12]}..."
    for name in dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in record.scores if row["value"] is not None):
        if lacking := [one for one in extractors(registry().variant(name)[1]) if one not in planned]:
            yield f"{where}: {name} has a value and rests on {', '.join(lacking)}, of which the plan says nothing"


def _units(record: Record) -> Iterator[str]:
    """There is one journal line for every method, clip and seed of the spec and for nothing else, and it saw the files that the spec pins."""
    spec = record.header["spec"]
    cases = {one["id"]: one for one in spec["cases"]}
    # finished outputs have one seed, whatever the adapters beside them were given
    seeds = {one["name"]: [0] if one["kind"] == "outputs" else spec["seeds"] for one in spec["methods"]}
    asked = [Unit(method, case, seed) for method, some in seeds.items() for case in cases for seed in some]
    told: set[Unit] = set()
    for number, entry in enumerate(read_journal(record.path / JOURNAL), 1):
        where, unit = f"{record.path / JOURNAL}:{number}", Unit(entry["adapter"], entry["case"], entry["seed"])
        if unit in told:
            yield f"{where}: {unit.adapter} {unit.case} {unit.seed} stands twice"
        told.add(unit)
        if unit.adapter == REAL:
            continue
        if unit.case not in cases or unit.seed not in seeds.get(unit.adapter, ()):
            yield f"{where}: {unit.adapter} {unit.case} {unit.seed} is not in the spec"
            continue
        pinned = {"truth": cases[unit.case].get("truth"), "generated": cases[unit.case].get("outputs", {}).get(unit.adapter)}
        compared = any("pairing" in view for view in entry["views"].values())
        for side, clip in pinned.items():
            seen = entry.get(side, {}).get("sha256")
            if clip and clip.get("sha256") not in (None, seen) and (seen or compared):
                yield f"{where}: {unit.adapter} {unit.case}: {side} has sha256 {str(seen)[:12]}..., the spec pins {clip['sha256'][:12]}..."
    if lost := [unit for unit in asked if unit not in told]:
        first = f"{lost[0].adapter} {lost[0].case} {lost[0].seed}"
        yield f"{record.path / JOURNAL}: {len(lost)} of the {len(asked)} lines that the spec asks for are not there, {first} the first"


def _scores(record: Record) -> tuple[list[str], list[str]]:
    where, spec = record.path / SCORES, record.header["spec"]
    names = [(row["adapter"], row["protocol"], f"{row['metric']}@{row['variant']}") for row in record.scores]
    asked = [
        (one["name"], protocol["id"], name)
        for one in spec["methods"]
        for protocol in spec["protocols"]
        for name in spec["variants"][protocol["id"]]
    ]
    if names != asked:
        first = next((" ".join(want) for want, have in zip_longest(asked, names) if want != have and want), "none more")
        return [f"{where}: {len(names)} rows, the spec asks for {len(asked)}; the first that differs should be {first}"], []
    below = _Stored(record)
    again, _ = reduce_all(record, below)
    findings = list(_biases(record))
    for old, row in zip(record.scores, again, strict=True):
        new = plain(row)
        size = max((abs(new[key]) for key in ("value", "ci_low", "ci_high") if isinstance(new[key], float)), default=0.0)
        # Fields that came later are absent in older records.
        if keys := [key for key in new if key in old and not _same(old[key], new[key], size)]:
            said = ", ".join(f"{key} is {old[key]!r}, the journal gives {new[key]!r}" for key in keys)
            findings.append(f"{where}: {old['adapter']} {old['protocol']} {old['metric']}@{old['variant']}: {said}"[:400])
    return findings, below.taken


def _same(old: object, new: object, size: float) -> bool:
    if isinstance(new, float) and isinstance(old, int | float) and not isinstance(old, bool):
        return math.isclose(old, new, rel_tol=CLOSE, abs_tol=CLOSE * size)
    return bool(old == new)


def _biases(record: Record) -> Iterator[str]:
    """What is said of a small set's bias must be the line through its own means."""
    for item in record.replicates:
        bias, whole = item["bias"], next((value for gone, value in item["values"] if not gone), None)
        if bias is None:
            continue
        inverse = 1 / np.asarray(bias["sizes"], np.float64)
        offset, means = inverse - inverse.mean(), np.asarray(bias["means"], np.float64)
        limit = float(means.mean()) - float(offset @ means) / float(offset @ offset) * float(inverse.mean())
        given = [
            (bias["limit"], limit),
            (bias["bias"], bias["value"] - bias["limit"]),
            (bias["value"], whole),
            (bias["value"], bias["means"][-1]),
        ]
        size = max(map(abs, bias["means"]))
        if not all(_same(old, new, size) for old, new in given):
            yield f"{record.path / SCORES}: {item['adapter']} {item['protocol']} {item['metric']}@{item['variant']}: its bias is not what its own means give"


class _Stored(Below):
    """The two reductions that need more than clip values, from what is stored of their outcome."""

    def __init__(self, record: Record) -> None:
        super().__init__(record, Path())
        self._rows = {(row["adapter"], row["protocol"], f"{row['metric']}@{row['variant']}"): row for row in record.scores}
        self._sets = {(one["adapter"], one["protocol"], f"{one['metric']}@{one['variant']}"): one for one in record.replicates}
        self.taken: list[str] = []

    def of_set(self, full_name: tuple[str, str, str], variant: SetVariant, scored: Outcomes, view: str, seeds: Sequence[int]) -> Reduced:
        """The jackknife of the stored values without single clips. Whether rows are fewer than features, and seeds apart, is taken as stated."""
        stored, row = self._sets.get(full_name), self._rows[full_name]
        if stored is None:
            # an interval is made of such values, and the engine keeps what it made one of
            return replace(self._as_stated(full_name), low=None, high=None, method="none", sd_clips=None)
        if stored["clips"] != list(scored):
            raise ValueError(f"{' '.join(full_name)}: replicates of other clips than the journal's scored ones")
        values = {tuple(gone): value for gone, value in stored["values"]}
        n = len(scored)

        def value(kept: NDArray[np.intp]) -> float:
            return float(values[tuple(np.setdiff1d(np.arange(n), kept).tolist())])

        flags = [*(flag for flag in row["flags"] if flag == "rank-deficient"), *(["few clips"] if n < FEW else [])]
        reduced = jackknifed(value, n, tuple(flags))
        return Reduced(reduced.value, reduced.low, reduced.high, reduced.method, flags=reduced.flags, sd_seeds=row.get("sd_seeds"))

    def over_frames(self, full_name: tuple[str, str, str], variant: Variant, scored: Outcomes, view: str, seeds: Sequence[int]) -> Reduced:
        """The mean over frames, from clip means and numbers of frames."""
        row = self._rows[full_name]
        if getattr(variant, "pool", mean) is not mean:
            return self._as_stated(full_name)
        if isinstance(variant, ClipVariant | OpeningVariant) and row["ci_method"] == "t":
            # One number a clip: nothing to pool. Only the frames' file knows it, and `t` is what it then gives.
            return over_clips(scored)
        told = np.array([[(one["value"] * one["n_frames"], one["n_frames"]) for _, one in outcomes] for outcomes in scored.values()])

        def by_seed(kept: NDArray[np.intp]) -> NDArray[np.float64]:
            sums: NDArray[np.float64] = told[kept].sum(axis=0)
            return sums[:, 0] / sums[:, 1]

        reduced = jackknifed(lambda kept: float(by_seed(kept).mean()), len(told))
        values = by_seed(np.arange(len(told)))
        return replace(reduced, replicates=(), sd_seeds=float(values.std(ddof=1)) if len(values) > 1 else None)

    def _as_stated(self, full_name: tuple[str, str, str]) -> Reduced:
        row = self._rows[full_name]
        if row["value"] is not None:
            self.taken.append(" ".join(full_name))
        flags = tuple(flag for flag in row["flags"] if flag in ("rank-deficient", "few clips"))
        return Reduced(
            row["value"], row["ci_low"], row["ci_high"], row["ci_method"], row["reason"], row["detail"], flags,
            sd_clips=row.get("sd_clips"), sd_seeds=row.get("sd_seeds"),
        )  # fmt: skip
