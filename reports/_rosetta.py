"""The same clips under every protocol, side by side, and the rules that moved the number: where a published value can be placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from benchmark.record import Record
from reports._beside import ARROW, head
from reports._papers import Paper
from reports._table import Cell, Table, number, signed

Key = tuple[str, str]
"""(protocol, variant)."""
Scores = Mapping[tuple[str, Key], Mapping[str, Any]]


def tables(record: Record, papers: Sequence[Paper] = ()) -> list[Table]:
    """Two tables a metric that has a value: values by method, and what each column's rules are. papers: their values stand in a footnote."""
    shown = []
    for metric, keys, scores in _families(record):
        shown += [_values(record, metric, keys, scores, papers), _rules(record, metric, keys, scores)]
    return shown


def flat(records: Sequence[Record]) -> Table:
    """One row a value with its rules, for a spreadsheet."""
    rows = []
    for record in records:
        protocols = {str(p["id"]): p for p in record.header["protocols"]}
        for metric, keys, scores in _families(record):
            for (method, key), score in scores.items():
                if score["value"] is None:
                    continue
                shift, turned = _against(keys[0], key, scores, _first(keys, scores)) if key != keys[0] else ("", "")
                numbers = [Cell("-") if score[n] is None else Cell("", value=float(score[n])) for n in ("value", "ci_low", "ci_high")]
                against = f"{keys[0][0]}:{keys[0][1]}"
                words = [score["unit"], *rules_in_words(protocols[key[0]]).values(), against, shift, turned, "; ".join(score["flags"])]
                clips = Cell(str(score["n_clips"]), value=float(score["n_clips"]))
                rows.append([Cell(_title(record)), Cell(method, name=True), *map(Cell, (metric, *key)), *numbers, clips, *map(Cell, words)])
    heads = ["set", "method", "metric", "protocol", "variant", "value", "low", "high", "clips", "unit", "frames", "size", "time", "pooling"]
    return Table("the same clips under every protocol", [*heads, "against", "shift", "turned", "flags"], rows)


def _families(record: Record) -> list[tuple[str, list[Key], Scores]]:
    """(metric, keys with a value somewhere, all its scores), in the record's order."""
    found: dict[str, dict[tuple[str, Key], Mapping[str, Any]]] = {}
    for score in record.scores:
        found.setdefault(str(score["metric"]), {})[str(score["adapter"]), (score["protocol"], str(score["variant"]))] = score
    families: list[tuple[str, list[Key], Scores]] = []
    for metric, scores in found.items():
        keys = list(dict.fromkeys(key for (_, key), score in scores.items() if score["value"] is not None))
        families += [(metric, keys, scores)] if keys else []
    return families


def _first(keys: Sequence[Key], scores: Scores) -> dict[Key, Mapping[str, Any]]:
    return {key: next(s for (_, k), s in scores.items() if k == key) for key in keys}


def _values(record: Record, metric: str, keys: Sequence[Key], scores: Scores, papers: Sequence[Paper]) -> Table:
    some = _first(keys, scores)
    arrows: dict[bool | None, str] = {True: ARROW["up"], False: ARROW["down"], None: ""}
    heads = [
        f"{p}:{v}{arrows[some[p, v]['higher_is_better']]}" + (f" ({some[p, v]['unit']})" if some[p, v]["unit"] else "") for p, v in keys
    ]
    rows: list[list[Cell]] = []
    reasons: dict[str, str] = {}
    most = max(int(s["n_clips"]) for s in scores.values())
    for method in dict.fromkeys(m for m, _ in scores):
        line = [Cell(method)]
        for key in keys:
            score = scores.get((method, key))
            if score is None or score["value"] is None:
                why = "not asked for" if score is None else str(score["reason"])
                mark = reasons.setdefault(why, f"[{len(reasons) + 1}]")
                line.append(Cell("-", note=mark))
                continue
            text = number(score["value"], score["decimals"])
            if score["ci_low"] is not None:
                text += f" ±{number((score['ci_high'] - score['ci_low']) / 2, score['decimals'])}"
            ranked = {
                m: float(s["value"])
                for (m, k), s in scores.items()
                if k == key and s["value"] is not None and "incomplete" not in s["flags"]
            }
            flags = [f for f in score["flags"] if f in ("incomplete", "rehearsal")]
            flags += [f"over {score['n_clips']} clips, others over {most}"] if score["n_clips"] != most else []
            note = "".join(reasons.setdefault(flag, f"[{len(reasons) + 1}]") for flag in flags)
            line.append(Cell(text, _rank(method, ranked, score["higher_is_better"]), note, float(score["value"])))
        rows.append(line)
    foot = ["every column is a protocol of its own: compare within a column, never across"]
    foot += [f"{mark} {why}" for why, mark in reasons.items()]
    return Table(f"{_title(record)} : {metric} under every protocol", ["method", *heads], rows, [*foot, *_published(papers, metric)])


def _title(record: Record) -> str:
    return f"{record.header['suite']['id']}/{record.header['split']['id']}"


def _rank(method: str, values: Mapping[str, float], up: bool | None) -> int:
    if up is None or len(values) < 2 or method not in values:
        return 0
    best = sorted(set(values.values()), reverse=up)[:2]
    return best.index(values[method]) + 1 if values[method] in best else 0


def _published(papers: Sequence[Paper], metric: str) -> list[str]:
    """What papers print of this metric, with what is known of how."""
    notes = []
    for paper in papers:
        for table in paper.table:
            for column in table.columns:
                if any(name.partition("@")[0] == metric for name in column.ours):
                    said = ", ".join(f"{row.name} {p.text}" for row, p in table.cells(column))
                    near = f"; nearest here: {', '.join(table.follows)}" if table.follows else ""
                    hand = "second-hand, " if table.second_hand else ""
                    notes.append(
                        f"published ({hand}{paper.id}, table {table.id}, {head(column)}; {table.set}): {said}. Protocol: {table.protocol}{near}"
                    )
    return notes


def _rules(record: Record, metric: str, keys: Sequence[Key], scores: Scores) -> Table:
    """One row a column of values; `=` where a rule is the first row's. shift: median over methods of value - first column's. turned: pairs of methods whose
    order is the other way round."""
    protocols = {str(p["id"]): p for p in record.header["protocols"]}
    some = _first(keys, scores)
    rows: list[list[Cell]] = []
    base: list[str] = []
    for key in keys:
        protocol, variant = key
        rules = rules_in_words(protocols[protocol])
        words = [rules["frames"], rules["size"], rules["time"], rules["pooling"], variant]
        shown = words if not base else [word if word != other else "=" for word, other in zip(words, base, strict=True)]
        shift, turned = ("", "") if not base else _against(keys[0], key, scores, some)
        rows.append([Cell(f"{protocol}:{variant}"), *map(Cell, shown), Cell(shift or "-"), Cell(turned or "-")])
        base = base or words
    known = record.header.get("metrics", {})
    foot = [
        "= as in the first row; shift: median over methods of value - first row's; turned: pairs of methods in the other order than there"
    ]
    foot += [
        f"{name}: {known[name]['summary']}"
        for name in dict.fromkeys(f"{metric}@{v}" for _, v in keys)
        if known.get(name, {}).get("summary")
    ]
    return Table(
        f"{metric}: what moved the number",
        ["protocol:variant", "frames", "size", "time", "pooling", "variant", "shift", "turned"],
        rows,
        foot,
    )


def _against(first: Key, key: Key, scores: Scores, some: Mapping[Key, Mapping[str, Any]]) -> tuple[str, str]:
    both = {
        method: (float(scores[method, first]["value"]), float(score["value"]))
        for (method, k), score in scores.items()
        if k == key and score["value"] is not None and scores.get((method, first), {}).get("value") is not None
    }
    if not both:
        return "", ""
    same_unit = some[first]["unit"] == some[key]["unit"]
    gap = median(b - a for a, b in both.values())
    shift = signed(gap, some[first]["decimals"]) if same_unit else "other unit"
    pairs = list(combinations(both.values(), 2))
    turned = sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in pairs)
    return shift, f"{turned} of {len(pairs)}" if pairs else ""


def rules_in_words(protocol: Mapping[str, Any]) -> dict[str, str]:
    """A protocol's rules in a few words, as the record has them."""
    frames, size, time = (protocol.get(key) or {} for key in ("frames", "size", "time"))
    words = [f"{100 * frames['coverage']:g} % covered" if frames.get("coverage") else str(frames.get("match", "?"))]
    words += [f"first {frames['first']}"] if frames.get("first") else []
    words += [f"at least {frames['minimum']}"] if frames.get("minimum", 1) > 1 else []
    words += ["reference left out" if frames.get("drop_reference") else "reference kept"]
    to = (
        f"{size['width']}x{size['height']}"
        if size.get("width")
        else f"short side {size['side']}"
        if size.get("side")
        else str(size.get("to", "?"))
    )
    return {
        "frames": ", ".join(words),
        "size": to + (f", {size['filter']}" if size.get("filter") else ""),
        "time": str(time.get("rule", "?")),
        "pooling": {"clips": "frames, then clips", "frames": "all frames alike"}.get(str(protocol.get("pooling")), "?"),
    }
