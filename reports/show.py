"""The table of a run: one block a protocol, one row a method."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median as middle
from typing import Any

from benchmark.record import Record
from benchmark.registry import Verb
from reports._rows import POOLING, Rows, arrow, half, intervals, mark, places, remarks, why, worth_a_column
from reports._runs import guarded, opened
from reports._table import FORMATS, Cell, Table, number


def tables(record: Record, protocols: list[str] | None = None) -> list[Table]:
    """A Table per protocol, in the order of the run."""
    there = {row["protocol"] for row in record.scores}  # none where a run only made clips
    names = [p["id"] for p in record.header["protocols"] if p["id"] in (protocols or there) and p["id"] in there]
    return [_table(record, name) for name in names]


def _table(record: Record, protocol: str) -> Table:
    rows = [row for row in record.scores if row["protocol"] == protocol]
    methods = list(dict.fromkeys(row["adapter"] for row in rows))
    variants = list(dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in rows))
    by = {(row["adapter"], f"{row['metric']}@{row['variant']}"): row for row in rows}
    notes: dict[str, str] = {}
    cells: list[list[Cell]] = []
    variants, absent = worth_a_column(variants, methods, by)
    ranks = {name: _ranks([by[m, name] for m in methods]) for name in variants}
    for method in methods:
        line = [Cell(method)]
        for name in variants:
            line.append(_cell(by[method, name], ranks[name].get(method, 0), notes))
        some = by[method, variants[0]]
        counts = [by[method, name] for name in variants]
        clips = sorted({row["n_clips"] for row in counts})
        failed = max(row["n_failed"] for row in counts)
        line.append(Cell("/".join(map(str, clips)), value=float(some["n_clips"])))
        line.append(Cell(str(failed) if failed else "0", value=float(failed)))
        cells.append(line)
    heads = [_head(name, next(row for row in rows if f"{row['metric']}@{row['variant']}" == name)) for name in variants]
    pooling = POOLING[next(p["pooling"] for p in record.header["protocols"] if p["id"] == protocol)]
    foot = [pooling, *intervals(rows)]
    foot += [f"unscored: {', '.join(names)} ({why})" for why, names in absent.items()] + _biases(record, protocol, by)
    foot += _seeds(rows, variants)
    foot += [f"{mark} {text}" for text, mark in notes.items()]
    suite = record.header["suite"]
    return Table(f"{suite['id']}/{record.header['split']['id']} : {protocol}", ["method", *heads, "clips", "failed"], cells, foot)


def _seeds(rows: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> list[str]:
    """How much clips differ, and how much one clip's seeds do, where there are several."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        name = f"{row['metric']}@{row['variant']}"
        if name in variants and row.get("sd_seeds") is not None:
            over = f", over clips {number(row['sd_clips'], row['decimals'])}" if row["sd_clips"] is not None else ""
            lines.setdefault(f"{name}, {row['n_seeds']} seeds", []).append(
                f"{row['adapter']} {number(row['sd_seeds'], row['decimals'])}{over}"
            )
    return [f"standard deviation over seeds, {head}: {'; '.join(found)}" for head, found in lines.items()]


def _biases(record: Record, protocol: str, by: Rows) -> list[str]:
    """What set metrics come to when the line of their value against 1/clips is carried to many clips."""
    lines: dict[str, list[str]] = {}
    for item in record.replicates:
        name = f"{item['metric']}@{item['variant']}"
        if item["protocol"] == protocol and item["bias"] is not None:
            decimals = by[item["adapter"], name]["decimals"]
            lines.setdefault(name, []).append(f"{item['adapter']} {number(item['bias']['limit'], decimals)}")
    return [f"{name} carried to many clips (a straight line in 1/clips): {', '.join(found)}" for name, found in lines.items()]


def _head(name: str, row: Mapping[str, Any]) -> str:
    return f"{name}{arrow(row)}"


def _cell(row: Mapping[str, Any], rank: int, notes: dict[str, str]) -> Cell:
    if row["value"] is None:
        return Cell("-", note=mark(f"unscored, {why(row)}", notes))
    said = remarks(row)
    return Cell(number(row["value"], row["decimals"]) + half(row), rank, mark(said, notes) if said else "", row["value"])


def _ranks(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """{method: 1 or 2} among complete rows; ties share a rank. Nothing is ranked where fewer than two methods have a value or no direction is better."""
    scored = [row for row in rows if row["value"] is not None and not {"incomplete", "rehearsal"} & set(row["flags"])]
    return places({row["adapter"]: row["value"] for row in scored}, scored[0]["higher_is_better"]) if scored else {}


def clip_table(record: Record, protocol: str) -> Table:
    """Every clip's value of every variant, method by method."""
    rows = [row for row in record.scores if row["protocol"] == protocol]
    variants = list(dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in rows))
    decimals = {f"{row['metric']}@{row['variant']}": row["decimals"] for row in rows}
    cells, notes = [], []
    view = record.view_of(protocol)
    errors: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for unit, entry in record.journal.items():
        if error := entry.get("error") or entry["views"].get(view, {}).get("error"):
            errors.setdefault((unit.adapter, unit.case), []).append(error)
    for method in dict.fromkeys(row["adapter"] for row in rows):
        values = {name: record.clip_values(method, protocol, name) for name in variants}
        for case in (c["id"] for c in record.header["spec"]["cases"]):
            line = [Cell(f"{method} {case}")]
            found = [(values[n].get(case), decimals[n]) for n in variants]
            line += [Cell("-") if value is None else Cell(number(value, digits), value=value) for value, digits in found]
            cells.append(line)
            for error in errors.get((method, case), ()):
                notes.append(f"{method} {case}: {error['what']}" + (f" ({error['found']})" if "found" in error else ""))
    return Table(f"clips : {protocol}", ["clip", *variants], cells, notes)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--protocol", action="append", default=[], metavar="NAME")
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.add_argument("--clips", action="store_true", help="every clip's value too")


def _run(arguments: argparse.Namespace) -> int:
    shown: int = guarded(opened(arguments.run), lambda record: _show(record, arguments))
    return shown


def _show(record: Record, arguments: argparse.Namespace) -> int:
    if record.status == "success" and not any(record.header["spec"]["variants"].values()):
        print(f"{arguments.run}: clips of {', '.join(dict.fromkeys(unit.adapter for unit in record.journal))}; nothing was to be scored")
        return 0
    if not record.scores:
        print(f"{arguments.run}: not finished (status {record.status}); next: hvbench resume {arguments.run}", file=sys.stderr)
        return 2
    for protocol in arguments.protocol:
        record.view_of(protocol)
    terminal = arguments.format == "terminal"
    colour = terminal and sys.stdout.isatty()
    shown = tables(record, arguments.protocol)
    if arguments.clips:
        shown += [
            clip_table(record, p["id"]) for p in record.header["protocols"] if not arguments.protocol or p["id"] in arguments.protocol
        ]
    banner = record.header["suite"]["banner"]
    if banner and terminal:
        print(f"*** {banner} ***\n")
    print("\n\n".join(table.render(arguments.format, colour=colour) for table in shown))
    if terminal:
        costs = _costs(record)
        print("\n".join(["", *costs, f"record: {arguments.run}"] if costs else ["", f"record: {arguments.run}"]))
        if getattr(arguments, "next", False):
            print(_next(record))
    return 0


def _costs(record: Record) -> list[str]:
    """What clips that a model made cost, method by method, each with the machine it was measured on; nothing without one."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for unit, entry in record.journal.items():
        facts = entry.get("generation", {}).get("facts", {})
        machine = facts.get("machine") or {}
        where = ", ".join(machine.get("gpus") or ()) if str(machine.get("device", "")).startswith("cuda") else machine.get("cpu")
        if {"nfe", "seconds"} <= set(facts.get("cost") or ()) and where:
            found.setdefault((unit.adapter, str(where)), []).append(facts["cost"])
    return [
        f"cost: {method}, {middle([cost['nfe'] for cost in costs]):g} function evaluations and {middle([cost['seconds']['total'] for cost in costs]):.3g} s a "
        f"clip (median of {len(costs)}, each made once; {where})"
        for (method, where), costs in found.items()
    ]


def _next(record: Record) -> str:
    methods = [m["name"] for m in record.header["spec"]["methods"]]
    lines = [f"next:   hvbench show {record.path} --clips"]
    scored = {row["adapter"] for row in record.scores if row["value"] is not None}
    if len(methods) > 1 and {methods[0], methods[-1]} <= scored:
        lines.append(f"        hvbench compare {record.path} --of {methods[-1]} --over {methods[0]}")
    lines.append(f"        hvbench explain {record.header['protocols'][0]['id']}")
    return "\n".join(lines)


VERB = Verb(name="show", summary="the table of a run", configure=_configure, run=_run)
