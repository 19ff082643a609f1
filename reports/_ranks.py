"""Places of all methods of a run, with the places that the clips leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.record import Record
from reports._pairs import deleted, replicate, set_comparison
from reports._table import Cell, Table, number


@dataclass(frozen=True)
class _Asked:
    """A variant to be ranked. values: one a method. clips: (methods, n) clip values, or None where pairs are compared already. n: clips."""

    row: Mapping[str, Any]
    name: str
    values: list[float]
    n: int
    clips: NDArray[np.float64] | None
    pairs: Mapping[tuple[int, int], statistics.Comparison]


def rank_table(record: Record, protocol: str) -> Table:
    """One row a method, one column a variant: place, and the interval of places. Only clips that all of the methods have count."""
    rows = [row for row in record.scores if row["protocol"] == protocol]
    methods = list(dict.fromkeys(row["adapter"] for row in rows))
    asked: list[_Asked] = []
    notes = []
    for row in (row for row in rows if row["adapter"] == methods[0]):
        name = f"{row['metric']}@{row['variant']}"
        if row["higher_is_better"] is None:
            notes.append(f"{name}: not ranked, neither direction is better")
            continue
        found = _asked(record, protocol, methods, name, row)
        if isinstance(found, str):
            notes.append(f"{name}: not ranked, {found}")
            continue
        asked.append(found)
        notes.append(f"{name}: {found.n} clips that all methods have") if found.n < len(record.header["spec"]["cases"]) else None
    # all variants at once: the sign patterns are drawn once
    tested = iter(statistics.paired_all([(one.clips, one.row["higher_is_better"], None) for one in asked if one.clips is not None]))
    heads, columns = [], []
    for one in asked:
        higher = one.row["higher_is_better"]
        places = statistics.ranks(one.values, one.pairs if one.clips is None else next(tested), higher)
        heads.append(f"{one.name} {'↑' if higher else '↓'}")
        columns.append(
            [
                Cell(f"{p.rank} ({p.low}-{p.high}) {number(v, one.row['decimals'])}", value=float(p.rank))
                for v, p in zip(one.values, places, strict=True)
            ]
        )
    foot = [
        "place (places left open) mean over clips: intervals hold all at once, 95 %, from all pairs by sign flip (set metrics: jackknife) and Holm",
        *notes,
    ]
    cells = [[Cell(method), *(column[i] for column in columns)] for i, method in enumerate(methods)]
    return Table(f"{record.header['suite']['id']}/{record.header['split']['id']} : {protocol} : ranks", ["method", *heads], cells, foot)


def _asked(record: Record, protocol: str, methods: list[str], name: str, row: Mapping[str, Any]) -> _Asked | str:
    """What is to be ranked, or why it is not."""
    sets = [replicate(record, method, protocol, name) for method in methods]
    if any(sets):
        pairs: dict[tuple[int, int], statistics.Comparison] = {}
        for i, j in combinations(range(len(methods)), 2):
            one, other = sets[i], sets[j]
            compared = set_comparison(one, other, row["higher_is_better"]) if one and other else None
            if compared is None:
                return f"{methods[i]} and {methods[j]} are not scored on the same clips"
            pairs[i, j] = compared
        whole = [item for item in sets if item]
        return _Asked(row, name, [deleted(item)[()] for item in whole], len(whole[0]["clips"]), None, pairs)
    clips = [record.clip_values(method, protocol, name) for method in methods]
    shared = [case["id"] for case in record.header["spec"]["cases"] if all(case["id"] in found for found in clips)]
    if not shared:
        return "no clip is scored for all methods"
    arrays = np.array([[found[case] for case in shared] for found in clips])
    return _Asked(row, name, [float(array.mean()) for array in arrays], len(shared), arrays, {})
