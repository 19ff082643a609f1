"""What a page shows of a run, as scripts that a browser loads from disk: `HVB.index({...})` once, `HVB.clip({...})` for every clip.

Arrays travel as base64 of little-endian numbers: a tenth of the time and half of the size of their digits.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.record import Record
from reports import _escape

Key = tuple[str, str, str]
"""(method, view, metric@variant)."""
NO_RATE = Fraction(25)
"""Frames a second of a clip whose rate is not known: for playing only."""


def packed(values: NDArray[Any], kind: str) -> str:
    """Base64 of little-endian numbers, kind `<f4` or `<i4`."""
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode("ascii")


def script(call: str, data: object) -> str:
    """A script that hands data over. No text of it can end the script or open a comment, whichever way it is loaded."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c")
    return f"HVB.{call}({safe});\n"


@dataclass(frozen=True)
class Column:
    """A variant under a protocol. number: its place in the page's list."""

    number: int
    protocol: str
    view: str
    name: str
    facts: Mapping[str, Any]


@dataclass
class Run:
    """A record as the page needs it: who, what, and every clip's value."""

    record: Record
    number: int
    seed: int = 0
    methods: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)

    def __post_init__(self) -> None:
        record = self.record
        self.methods = [m["name"] for m in record.header["spec"]["methods"]]
        self.cases = [c["id"] for c in record.header["spec"]["cases"]]
        seeds = record.header["spec"].get("seeds") or [0]
        self.seed = int(seeds[0])
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in record.scores:
            key = (row["protocol"], f"{row['metric']}@{row['variant']}")
            if key not in found or (found[key]["value"] is None and row["value"] is not None):
                found[key] = row
        for (protocol, name), row in found.items():
            if row["value"] is not None:
                self.columns.append(Column(len(self.columns), protocol, record.view_of(protocol), name, row))

    @property
    def title(self) -> str:
        """suite/split."""
        return f"{self.record.header['suite']['id']}/{self.record.header['split']['id']}"

    @cached_property
    def units(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(method, case) -> its journal line, of the first seed."""
        return {(u.adapter, u.case): entry for u, entry in self.record.journal.items() if u.seed == self.seed}

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """(columns, methods, cases): each clip's value, mean over seeds; NaN where it has none."""
        where = {name: number for number, name in enumerate(self.methods)}
        places = {name: number for number, name in enumerate(self.cases)}
        total = np.zeros((len(self.columns), len(self.methods), len(self.cases)))
        count = np.zeros_like(total)
        for unit, entry in self.record.journal.items():
            if unit.adapter not in where or unit.case not in places:
                continue
            m, c = where[unit.adapter], places[unit.case]
            for column in self.columns:
                found = entry.get("values", {}).get(column.view, {}).get(column.name, {})
                if "value" in found:
                    total[column.number, m, c] += found["value"]
                    count[column.number, m, c] += 1
        with np.errstate(invalid="ignore"):
            made: NDArray[np.float64] = np.where(count > 0, total / count, np.nan)
        return made

    @property
    def name(self) -> str:
        """Of the record's folder, however it was called (`.` too)."""
        return self.record.path.resolve().name

    def score(self, method: str, column: Column) -> Mapping[str, Any]:
        """The row of scores.json; KeyError where there is none."""
        return self._rows[method, column.protocol, column.name]

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str], Mapping[str, Any]]:
        return {(r["adapter"], r["protocol"], f"{r['metric']}@{r['variant']}"): r for r in self.record.scores}

    def shard(self, case: str) -> str:
        """The file of a clip, below the page."""
        return f"data/{self.number}/{self._places[case]:05d}.js"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.cases)}

    def to_index(self) -> dict[str, Any]:
        """What every sheet of the page knows of the run."""
        header = self.record.header
        return {
            "title": self.title,
            "spec": header["spec_sha256"],
            "banner": header["suite"].get("banner", ""),
            "methods": [_escape.visible(m) for m in self.methods],
            "cases": [_escape.visible(c) for c in self.cases],
            "columns": [
                {
                    "protocol": c.protocol,
                    "name": c.name,
                    "unit": c.facts["unit"],
                    "up": c.facts["higher_is_better"],
                    "decimals": c.facts["decimals"],
                    "primary": bool(c.facts["primary"]),
                    "clips": bool(np.isfinite(self.values[c.number]).any()),
                }
                for c in self.columns
            ],
            "values": packed(self.values.ravel(), "<f4"),
        }


@dataclass(frozen=True)
class Series:
    """Values by frame of one clip. frames: numbers of the truth's frames (the output's own where there is no truth); generated: those of the output."""

    frames: NDArray[np.int32]
    generated: NDArray[np.int32]
    values: NDArray[np.float32]


def series(run: Run) -> dict[str, dict[Key, Series]]:
    """{case: {(method, view, metric): Series}} of the first seed. 12 bytes a value in memory."""
    parts: dict[str, dict[Key, list[Series]]] = {}
    for adapter, case, seed, view, metric, piece in _pieces(run.record):
        if seed == run.seed:
            parts.setdefault(case, {}).setdefault((adapter, view, metric), []).append(piece)
    return {case: {key: _joined(found) for key, found in by.items()} for case, by in parts.items()}


def readable(record: Record) -> None:
    """Raises what reading its values by frame leads to, where not even the first of them can be read."""
    next(_pieces(record), None)


def _joined(parts: Sequence[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    return Series(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("frames", "generated", "values")))


def _pieces(record: Record) -> Iterator[tuple[str, str, int, str, str, Series]]:
    """Rows of frame values, cut where unit, view or metric changes."""
    for table in record.value_pieces():
        if not len(table):
            continue
        columns, words = [], []
        for name in ("adapter", "case", "view", "metric"):
            column = table[name].combine_chunks().unify_dictionaries() if table[name].num_chunks > 1 else table[name]
            array = column.chunk(0) if hasattr(column, "chunk") else column
            columns.append(array.indices.to_numpy(zero_copy_only=False))
            words.append(array.dictionary.to_pylist())
        seeds = table["seed"].to_numpy()
        changed = np.zeros(len(table), bool)
        changed[0] = True
        for column in [*columns, seeds]:
            changed[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(changed)
        frames, generated = table["frame"].to_numpy().astype(np.int32), table["generated"].to_numpy().astype(np.int32)
        values = table["value"].to_numpy().astype(np.float32)  # null becomes NaN
        for start, stop in zip(starts, [*starts[1:], len(table)], strict=True):
            adapter, case, view, metric = (word[column[start]] for word, column in zip(words, columns, strict=True))
            cut = slice(start, stop)
            yield adapter, case, int(seeds[start]), view, metric, Series(frames[cut].copy(), generated[cut].copy(), values[cut].copy())


def rate(facts: Mapping[str, Any]) -> Fraction:
    """Frames a second of a clip, as its journal line says; 25 where that is not known."""
    return Fraction(facts["fps"]) if facts.get("fps") else NO_RATE
