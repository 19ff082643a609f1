"""What figures draw: one protocol of a run, with its methods in the record's order, so that a method looks the same in each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.record import VALUES, Record
from reports._plot_style import Look, looks, names, told

Values = NDArray[np.float64]
Curve = tuple[NDArray[np.float64], Values]
"""Frames of the truth, and the value of each (NaN = left out)."""


@dataclass(frozen=True)
class Block:
    """One protocol of a run. rows: its scores. variants: those shown. clip: asked for, or none."""

    record: Record
    protocol: str
    rows: tuple[Mapping[str, Any], ...]
    variants: tuple[str, ...]
    clip: str | None = None
    _clips: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def heading(self) -> str:
        """suite/split : protocol."""
        return f"{self.record.header['suite']['id']}/{self.record.header['split']['id']} : {self.protocol}"

    @cached_property
    def methods(self) -> list[str]:
        """In the order of the run; all protocols have the same."""
        return [str(m["name"]) for m in self.record.header["spec"]["methods"]]

    @cached_property
    def look(self) -> dict[str, Look]:
        """The same in every figure of the run."""
        return looks(self.methods)

    @cached_property
    def said(self) -> dict[str, str]:
        """Method -> how it is told."""
        return names(self.methods)

    @cached_property
    def cases(self) -> list[str]:
        """In the order of the run."""
        return [str(case["id"]) for case in self.record.header["spec"]["cases"]]

    @cached_property
    def by(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """(method, variant) -> its row."""
        return {(row["adapter"], named(row)): row for row in self.rows}

    def some(self, name: str) -> Mapping[str, Any]:
        """A row of the variant, for what all of its rows share."""
        return next(row for row in self.rows if named(row) == name)

    def clips(self, method: str, name: str) -> dict[str, float]:
        """{case: value}."""
        key = (method, name)
        if key not in self._clips:
            self._clips[key] = self.record.clip_values(method, self.protocol, name)
        return self._clips[key]

    @cached_property
    def with_clips(self) -> list[str]:
        """Variants with a value a clip."""
        return [name for name in self.variants if any(self.clips(method, name) for method in self.methods)]

    @property
    def loud(self) -> list[str]:
        """What must not be missed: that people are drawn, that a stand-in made the clips."""
        rehearsed = sorted({self.said[row["adapter"]] for row in self.rows if "rehearsal" in row["flags"]})
        banner = told(str(self.record.header["suite"].get("banner") or ""), None)
        said = f"REHEARSAL, no result: a stand-in for the model made the clips of {', '.join(rehearsed)}" if rehearsed else ""
        return [line for line in (banner, said) if line]

    def weights(self, name: str) -> str:
        """What is not simply real about a variant's networks."""
        others = sorted({str(row.get("weights", "none")) for row in self.rows if named(row) == name} - {"none", "real"})
        return f"weights: {', '.join(others)}" if others else ""


def named(row: Mapping[str, Any]) -> str:
    """`metric@variant`."""
    return f"{row['metric']}@{row['variant']}"


def blocks(record: Record, protocols: Sequence[str], metrics: Sequence[str], clip: str | None) -> list[Block]:
    """One a protocol of the run that has scores. Raises InputError for a name that the run has not."""
    for protocol in protocols:
        record.view_of(protocol)
    there = list(dict.fromkeys(named(row) for row in record.scores))
    for name in metrics:
        if not any(name in (one, one.partition("@")[0]) for one in there):
            raise InputError("the run has no such metric", code="unknown-name", path=record.path, found=name, expected=", ".join(there))
    cases = [str(case["id"]) for case in record.header["spec"]["cases"]]
    if clip is not None and clip not in cases:
        shown = ", ".join(cases[:12]) + (f", ... ({len(cases)} in all)" if len(cases) > 12 else "")
        raise InputError("the run has no such clip", code="unknown-name", path=record.path, found=clip, expected=shown)
    found = []
    for protocol in (str(p["id"]) for p in record.header["protocols"]):
        rows = tuple(row for row in record.scores if row["protocol"] == protocol)
        if not rows or (protocols and protocol not in protocols):
            continue
        variants = list(dict.fromkeys(named(row) for row in rows))
        if metrics:
            variants = [name for name in variants if name in metrics or name.partition("@")[0] in metrics]
        found.append(Block(record, protocol, rows, tuple(variants), clip))
    return found


def curves(block: Block, case: str) -> dict[tuple[str, str], Curve]:
    """{(method, variant): its frames of one clip}, of the lowest seed. Of a large record only the row groups are read that hold the clip."""
    path = block.record.path / VALUES
    if not path.exists():
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    view = block.record.view_of(block.protocol)
    columns = ["adapter", "seed", "metric", "frame", "value"]
    try:
        table = pq.read_table(path, columns=columns, filters=[("case", "=", case), ("view", "=", view)])
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "the values by frame are damaged", code="damaged", path=path, found=str(error)[:200], hint=f"hvbench validate {path.parent}"
        ) from None
    texts = {name: table[name].to_pylist() for name in ("adapter", "metric")}
    keys = list(zip(texts["adapter"], texts["metric"], table["seed"].to_pylist(), strict=True))
    frames = np.array(table["frame"].to_pylist(), np.float64)
    values = np.array([np.nan if v is None else v for v in table["value"].to_pylist()], np.float64)
    first: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str, int], list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
        first[key[:2]] = min(key[2], first.get(key[:2], key[2]))
    found = {}
    for pair, seed in first.items():
        at = np.array(places[*pair, seed])
        order = np.argsort(frames[at], kind="stable")
        found[pair] = (frames[at][order], values[at][order])
    return found
