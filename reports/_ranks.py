"""Places of all methods of a run, with the places that the clips leave open."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from benchmark import statistics
from benchmark.record import Record
from reports._pairs import deleted, replicate, set_comparison
from reports._table import Cell, Table, number


def rank_table(record: Record, protocol: str) -> Table:
    """One row a method, one column a variant: place, and the interval of places. Only clips that all of the methods have count."""
    rows = [row for row in record.scores if row["protocol"] == protocol]
    methods = list(dict.fromkeys(row["adapter"] for row in rows))
    heads, columns, notes = [], [], []
    for row in (row for row in rows if row["adapter"] == methods[0]):
        name = f"{row['metric']}@{row['variant']}"
        if row["higher_is_better"] is None:
            notes.append(f"{name}: not ranked, neither direction is better")
            continue
        found = _places(record, protocol, methods, name, row["higher_is_better"])
        if isinstance(found, str):
            notes.append(f"{name}: not ranked, {found}")
            continue
        values, places, n = found
        heads.append(f"{name} {'↑' if row['higher_is_better'] else '↓'}")
        columns.append(
            [
                Cell(f"{p.rank} ({p.low}-{p.high}) {number(v, row['decimals'])}", value=float(p.rank))
                for v, p in zip(values, places, strict=True)
            ]
        )
        notes.append(f"{name}: {n} clips that all methods have") if n < len(record.header["spec"]["cases"]) else None
    foot = [
        "place (places left open) mean over clips: intervals hold all at once, 95 %, from all pairs by sign flip (set metrics: jackknife) and Holm",
        *notes,
    ]
    cells = [[Cell(method), *(column[i] for column in columns)] for i, method in enumerate(methods)]
    return Table(f"{record.header['suite']['id']}/{record.header['split']['id']} : {protocol} : ranks", ["method", *heads], cells, foot)


def _places(
    record: Record, protocol: str, methods: list[str], name: str, higher: bool
) -> tuple[list[float], list[statistics.Rank], int] | str:
    sets = [replicate(record, method, protocol, name) for method in methods]
    pairs: dict[tuple[int, int], statistics.Comparison] = {}
    if any(sets):
        for i, j in combinations(range(len(methods)), 2):
            one, other = sets[i], sets[j]
            compared = set_comparison(one, other, higher) if one and other else None
            if compared is None:
                return f"{methods[i]} and {methods[j]} are not scored on the same clips"
            pairs[i, j] = compared
        whole = [item for item in sets if item]
        values, n = [deleted(item)[()] for item in whole], len(whole[0]["clips"])
    else:
        clips = [record.clip_values(method, protocol, name) for method in methods]
        shared = [case["id"] for case in record.header["spec"]["cases"] if all(case["id"] in found for found in clips)]
        if not shared:
            return "no clip is scored for all methods"
        arrays = [np.array([found[case] for case in shared]) for found in clips]
        values, n = [float(array.mean()) for array in arrays], len(shared)
        pairs = {(i, j): statistics.paired(arrays[i], arrays[j], higher) for i, j in combinations(range(len(methods)), 2)}
    return values, statistics.ranks(values, pairs, higher), n
