"""Metrics against a file of people's ratings: reading it, and the tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmark import statistics
from benchmark.data import load_toml
from benchmark.errors import InputError, unreadable
from benchmark.record import Record
from benchmark.statistics import Clustered
from reports._agree import Agreement, Scores, compare, detectable_accuracy, detectable_rank_correlation
from reports._table import Cell, Table, number

ASPECTS = Path(__file__).parent / "aspects.toml"


def read_ratings(path: Path) -> dict[str, dict[tuple[str, str], float]]:
    """CSV with columns case, method, aspect and one that begins with `score` -> {aspect: {(case, method): score}}, higher is better.

    InputError names the line: a score that is no number, a clip rated twice in one aspect.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", code="damaged", path=path, found=str(error)) from None
    except OSError as error:
        raise unreadable(path, error) from None
    reader = csv.DictReader(text.splitlines())
    heads = list(reader.fieldnames or ())
    scores = [head for head in heads if head.startswith("score")]
    if {"case", "method", "aspect"} - set(heads) or len(scores) != 1:
        raise InputError(
            "is no file of ratings",
            code="columns",
            path=path,
            found=", ".join(heads)[:200] or "nothing",
            expected="case, method, aspect, score (or one column whose name begins with score)",
        )
    found: dict[str, dict[tuple[str, str], float]] = {}
    for line, row in enumerate(reader, 2):
        try:
            value = float(row[scores[0]])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise InputError("a score is no number", code="bad-score", path=path, found=f"line {line}: {row[scores[0]]!r}")
        key = (row["case"], row["method"])
        if key in found.setdefault(row["aspect"], {}):
            raise InputError(
                "a clip is rated twice in one aspect", code="double", path=path, found=f"line {line}: {', '.join(key)}, {row['aspect']}"
            )
        found[row["aspect"]][key] = value
    if not found:
        raise InputError("holds no rating", code="empty-file", path=path, expected="a line for each case, method and aspect")
    return found


def agree(
    record: Record, ratings: Path, words: Sequence[str], mapping: Path | None, protocol: str | None, *, flat: bool = False
) -> list[Table]:
    """The tables of a run against a file of ratings; flat: one, a row a metric. InputError where nothing can be compared."""
    people = read_ratings(ratings)
    wanted, notes = _wanted(record, people, words, mapping)
    found = []
    for name, aspect in wanted:
        values, higher = _values(record, name, protocol)
        item = compare(name, aspect, values, people[aspect], higher)
        if item is None:
            notes.append(f"{name}: no pair of clips of one case is rated differently in {aspect} and scored")
        else:
            found.append(item)
    if not found:
        raise InputError("nothing can be compared", code="no-pairs", path=ratings, found="; ".join(notes)[:500] or "no metric")
    unasked = sorted(set(people) - {aspect for _, aspect in wanted})
    if unasked:
        notes.append(f"rated, and no metric set against it: {', '.join(unasked)}")
    unset = list(dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in record.scores))
    if unset := [name for name in unset if name not in (one for one, _ in wanted)]:
        notes.append(f"scored, and set against no aspect: {', '.join(unset)}")
    if flat:
        return [_flat(record, found, notes)]
    return [_pairs_table(record, found, notes), _ranks_table(record, found), _power_table(record, found)]


def _wanted(
    record: Record, people: Mapping[str, Scores], words: Sequence[str], mapping: Path | None
) -> tuple[list[tuple[str, str]], list[str]]:
    known = list(dict.fromkeys(f"{row['metric']}@{row['variant']}" for row in record.scores))
    if not known:
        raise InputError("the run is not finished", code="unfinished", path=record.path, hint=f"hvbench resume {record.path}")
    if words:
        asked = [word.partition("=")[::2] for word in words]
        for word, (name, aspect) in zip(words, asked, strict=True):
            if not aspect:
                raise InputError("--metric takes METRIC@VARIANT=ASPECT", code="usage", found=word)
            if name not in known:
                raise InputError(
                    "the run has no such variant", code="unknown-name", path=record.path, found=name, expected=", ".join(known)
                )
            if aspect not in people:
                raise InputError("the ratings have no such aspect", code="unknown-name", found=aspect, expected=", ".join(people))
        return asked, []
    path = mapping or ASPECTS
    told = load_toml(path)
    table, said = told.get("aspects"), [str(note) for note in told.get("notes", ())]
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise InputError("has no table of aspects", code="toml", path=path, expected='[aspects] with "metric@variant" = "aspect"')
    chosen = [(name, aspect) for name, aspect in table.items() if name in known and aspect in people]
    if not chosen:
        raise InputError(
            "no metric of the run is set against an aspect of the ratings",
            code="no-pairs",
            path=path,
            found=f"run: {', '.join(known)}; ratings: {', '.join(people)}",
            hint=f"--metric {known[0]}={next(iter(people))}",
        )
    return chosen, [
        *said,
        *(f"not in this run: {name} ({aspect})" for name, aspect in table.items() if name not in known and aspect in people),
    ]


def _values(record: Record, name: str, protocol: str | None) -> tuple[dict[tuple[str, str], float], bool | None]:
    """({(case, method): value}, is higher better?) of a variant under a protocol of the run."""
    rows = [row for row in record.scores if f"{row['metric']}@{row['variant']}" == name]
    there = list(dict.fromkeys(row["protocol"] for row in rows))
    if protocol is not None and protocol not in there:
        raise InputError(f"{name} was not scored under this protocol", code="unknown-name", found=protocol, expected=", ".join(there))
    chosen = protocol or there[0]
    methods = [row["adapter"] for row in rows if row["protocol"] == chosen]
    return {(case, m): value for m in methods for case, value in record.clip_values(m, chosen, name).items()}, rows[0]["higher_is_better"]


def _percent(value: float) -> str:
    return number(100 * value, 1)


def _accuracy(found: Clustered | None) -> Cell:
    if found is None:
        return Cell("-")
    interval = "" if found.low is None or found.high is None else f" [{_percent(found.low)}, {_percent(found.high)}]"
    return Cell(_percent(found.value) + interval, value=100 * found.value)


def _title(record: Record, what: str) -> str:
    return f"{record.header['suite']['id']}/{record.header['split']['id']} : metrics against people : {what}"


def _pairs_table(record: Record, found: Iterable[Agreement], notes: Sequence[str]) -> Table:
    rows = []
    undirected = False
    for one in found:
        undirected = undirected or one.reversed is None
        rows.append(
            [
                Cell(one.name, note="[d]" if one.reversed is None else ""),
                Cell(one.aspect),
                _accuracy(one.plain),
                Cell(_percent(one.fitted), value=100 * one.fitted),
                _accuracy(one.held),
                Cell(_percent(one.random), value=100 * one.random),
                Cell(str(one.pairs), value=float(one.pairs)),
                Cell(str(one.ties), value=float(one.ties)),
                Cell(str(one.cases), value=float(one.cases)),
            ]
        )
    heads = [
        "metric",
        "aspect",
        "by sign (%)",
        "best threshold (%)",
        "held out (%)",
        "knowing nothing (%)",
        "pairs",
        "ties",
        "cases",
    ]
    foot = [
        "accuracy: share of pairs (two methods, one case) on which the metric prefers the clip that people rated higher; pairs that people rated alike are "
        "left out (ties); chance by sign is 50",
        "best threshold: on the difference, chosen on these very pairs, as published tables do (FantasyTalking2, table 2); held out: chosen on other cases; "
        "both are means over 100 drawn orders of first and second",
        "knowing nothing: what the best threshold gives on average when people's scores are shuffled within each case",
        "[ ]: nominal 95 %, clustered by case; where all or no pairs are right, the exact interval of as many trials as there are cases",
    ]
    if undirected:
        foot.append("[d] neither direction of the metric is better by itself: higher is taken as better")
    return Table(_title(record, "accuracy on pairs"), heads, rows, [*foot, *notes])


def _correlation(found: statistics.Association) -> Cell:
    if found.value is None:
        return Cell("-", note=f" {found.why}")
    interval = (
        f" [{number(found.low, 2)}, {number(found.high, 2)}]" if found.low is not None and found.high is not None else f" ({found.why})"
    )
    return Cell(number(found.value, 2) + interval, value=found.value)


def _ranks_table(record: Record, found: Iterable[Agreement]) -> Table:
    rows = []
    for one in found:
        counts = [Cell(str(n), value=float(n)) for n in (one.votes, one.missing)]
        rows.append([Cell(one.name), Cell(one.aspect), _correlation(one.spearman), _correlation(one.kendall), *counts])
    foot = [
        "over all clips, cases mixed; positive: the metric's better end goes with higher ratings",
        "[ ]: nominal 95 %, jackknife over cases on Fisher's z",
    ]
    return Table(_title(record, "rank correlation"), ["metric", "aspect", "Spearman", "Kendall tau-b", "clips", "not scored"], rows, foot)


def _power_table(record: Record, found: Iterable[Agreement]) -> Table:
    rows = []
    for one in found:
        accuracy = detectable_accuracy(one.plain)
        by_cases, by_clips = detectable_rank_correlation(one.spearman.clusters), detectable_rank_correlation(one.votes)
        low, high = one.plain.low, one.plain.high
        said = (
            "nothing"
            if low is None or high is None
            else "better than chance"
            if low > 0.5
            else "worse than chance"
            if high < 0.5
            else "not told from chance"
        )
        rows.append(
            [
                Cell(one.name),
                Cell(one.aspect),
                Cell(f"{one.votes} votes, {one.cases} cases"),
                Cell("none up to 100") if accuracy is None else Cell(_percent(accuracy), value=100 * accuracy),
                Cell("-") if by_cases is None else Cell(number(by_cases, 2), value=by_cases),
                Cell("-") if by_clips is None else Cell(number(by_clips, 2), value=by_clips),
                Cell(said),
            ]
        )
    heads = ["metric", "aspect", "of", "accuracy (%)", "correlation, cases", "correlation, clips", "these pairs show"]
    foot = [
        "the smallest true value that such ratings tell from chance four times out of five, at p 0.05; smaller agreement may be there and cannot be seen",
        "accuracy: t test over cases, with the spread of these cases; correlation: if each case counted as one point, or if all clips were independent: the "
        "truth lies between",
        "one vote a clip (a majority) says nothing of how far people agree with one another; nothing here is adjusted for the number of metrics tried",
    ]
    return Table(_title(record, "what these ratings can show"), heads, rows, foot)


def _flat(record: Record, found: Iterable[Agreement], notes: Sequence[str]) -> Table:
    def numbers(one: Agreement) -> dict[str, float | None]:
        held = one.held
        return {
            "pairs": float(one.pairs),
            "ties": float(one.ties),
            "cases": float(one.cases),
            "clips": float(one.votes),
            "clips not scored": float(one.missing),
            "accuracy by sign": one.plain.value,
            "accuracy by sign, low": one.plain.low,
            "accuracy by sign, high": one.plain.high,
            "accuracy of the best threshold": one.fitted,
            "accuracy held out": held.value if held else None,
            "accuracy held out, low": held.low if held else None,
            "accuracy held out, high": held.high if held else None,
            "accuracy knowing nothing": one.random,
            "spearman": one.spearman.value,
            "spearman, low": one.spearman.low,
            "spearman, high": one.spearman.high,
            "kendall": one.kendall.value,
            "kendall, low": one.kendall.low,
            "kendall, high": one.kendall.high,
            "detectable accuracy": detectable_accuracy(one.plain),
            "detectable correlation, cases": detectable_rank_correlation(one.spearman.clusters),
            "detectable correlation, clips": detectable_rank_correlation(one.votes),
        }

    lines = [(one, numbers(one)) for one in found]
    rows = [
        [Cell(one.name), Cell(one.aspect), *(Cell("-") if x is None else Cell(repr(x), value=x) for x in line.values())]
        for one, line in lines
    ]
    return Table(_title(record, "all numbers"), ["metric", "aspect", *lines[0][1]], rows, notes)
