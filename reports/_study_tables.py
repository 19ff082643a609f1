"""A study's answers as tables: means, win rates, Bradley-Terry strengths, agreement, and who was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from benchmark import statistics
from benchmark.errors import InputError, Unscored
from benchmark.statistics import Clustered
from benchmark.statistics.agreement import Level
from reports._study_answers import Answers, Rater, passes_at_random
from reports._table import Cell, Table, number, signed

LEVELS: dict[str, tuple[Level, ...]] = {"rating": ("interval", "ordinal"), "pairs": ("nominal", "ordinal")}
"""A rating is a number; of a pair only more, the same or less is known."""
TWO_WAY = "±, [ ]: nominal 95 %, clustered by rater and by clip (Cameron, Gelbach and Miller 2011)"


@dataclass(frozen=True)
class Vote:
    """One answer about one method (`other` empty), or about two: value 1 = method, 0 = other, 1/2 = the same."""

    rater: int
    case: str
    dimension: str
    method: str
    value: float
    other: str = ""


def tables(study: Answers, keep_failed: bool = False, *, flat: bool = False) -> list[Table]:
    """All tables; flat: one, a row a number. InputError where every rater failed the checks and none is kept."""
    kept = [rater for rater in study.raters if keep_failed or not rater.failed]
    if not kept:
        told = "; ".join(f"rater {rater.number}: {rater.failed}" for rater in study.raters)
        raise InputError(
            "every rater failed the attention checks", code="no-answers", found=told, hint="--keep-failed counts them all the same"
        )
    key = study.key
    single = [vote for rater in kept for vote in _votes(rater, key)] if key["kind"] == "rating" else []
    pairs = _implied(single) if single else [vote for rater in kept for vote in _votes(rater, key)]
    if flat:
        return [_flat(study, kept, single, pairs)]
    made = [_means(key, single)] if single else []
    made += [_rates(key, pairs, implied=bool(single)), _bradley_terry(key, pairs, implied=bool(single))]
    if not single:
        made += [_between(key, pairs, dimension) for dimension in key["dimensions"]]
    return [*made, _agreement(key, kept), _raters(study, keep_failed)]


def _votes(rater: Rater, key: Mapping[str, Any]) -> list[Vote]:
    """Answers to the study's own items; checks and repeats are no votes."""
    found = []
    for item, said in sorted(rater.answers.items()):
        facts = key["items"][item]
        if facts["role"] != "main":
            continue
        clips = [key["clips"][clip] for clip in facts["clips"]]
        case, methods = str(clips[0]["case"]), [str(clip["method"]) for clip in clips]
        for dimension, value in said.items():
            if key["kind"] == "rating":
                found.append(Vote(rater.number, case, dimension, methods[0], float(value)))
            else:
                outcome = {"A": 1.0, "B": 0.0, "same": 0.5}[str(value)]
                one, other = methods if methods[0] <= methods[1] else methods[::-1]
                found.append(Vote(rater.number, case, dimension, one, outcome if one == methods[0] else 1 - outcome, other))
    return found


def _implied(votes: Sequence[Vote]) -> list[Vote]:
    """Pairs that ratings imply: two methods that one rater rated on one clip in one dimension."""
    groups: dict[tuple[int, str, str], list[Vote]] = {}
    for vote in votes:
        groups.setdefault((vote.rater, vote.case, vote.dimension), []).append(vote)
    found = []
    for (rater, case, dimension), group in groups.items():
        for a, b in combinations(sorted(group, key=lambda vote: vote.method), 2):
            found.append(Vote(rater, case, dimension, a.method, 0.5 * (1 + np.sign(a.value - b.value)), b.method))
    return found


def _mean(votes: Sequence[Vote]) -> Clustered:
    return statistics.clustered_mean([v.value for v in votes], [v.rater for v in votes], [v.case for v in votes])


def _rate(votes: Sequence[Vote], method: str, other: str = "") -> Clustered | None:
    """Share of its votes that a method won (over another one), ties by half."""
    own = [(v, v.value if v.method == method else 1 - v.value) for v in votes if method in (v.method, v.other)]
    own = [(v, y) for v, y in own if not other or other in (v.method, v.other)]
    if not own:
        return None
    return statistics.clustered_mean([y for _, y in own], [v.rater for v, _ in own], [v.case for v, _ in own], share=True)


def _strengths(votes: Sequence[Vote], methods: Sequence[str]) -> statistics.Strengths | Unscored:
    index = {method: i for i, method in enumerate(methods)}
    first, second = [index[v.method] for v in votes], [index[v.other] for v in votes]
    try:
        return statistics.strengths(first, second, [v.value for v in votes], [v.rater for v in votes], [v.case for v in votes], methods)
    except Unscored as error:
        return error


def _cell(found: Clustered | None, rank: int, notes: dict[str, str], share: bool = False) -> Cell:
    scale, decimals = (100.0, 1) if share else (1.0, 2)
    if found is None:
        return Cell("-", note=_mark("no vote", notes))
    text = number(found.value * scale, decimals)
    if found.low is None or found.high is None:
        return Cell(text, rank, _mark("no interval: one rater and one clip", notes), found.value * scale)
    if found.method == "exact":
        text += f" [{number(found.low * scale, decimals)}, {number(found.high * scale, decimals)}]"
        note = _mark("all votes alike: the exact interval of as many votes as there are clusters", notes)
        return Cell(text, rank, note, found.value * scale)
    if share:  # cut off at 0 and 100, so not symmetric
        text += f" [{number(found.low * scale, decimals)}, {number(found.high * scale, decimals)}]"
    else:
        text += f" ±{number((found.high - found.low) / 2 * scale, decimals)}"
    told = _told(found)
    return Cell(text, rank, _mark(told, notes) if told else "", found.value * scale)


def _told(found: Clustered) -> str:
    clusters = {"raters": f"{found.raters} raters", "clips": f"{found.clips} clips"}
    if found.method in clusters:
        other = "one clip" if found.method == "raters" else "one rater"
        return f"clustered by {clusters[found.method]} only ({other}): says nothing of others" + (", few clusters" if found.few else "")
    if found.few:
        return f"few clusters ({found.raters} raters, {found.clips} clips): the interval leans on votes being near normal"
    return ""


def _mark(text: str, notes: dict[str, str]) -> str:
    return notes.setdefault(text, f"[{chr(ord('a') + len(notes))}]" if len(notes) < 26 else f"[{len(notes)}]")


def _ranks(values: Sequence[float | None]) -> list[int]:
    best = sorted({v for v in values if v is not None}, reverse=True)
    return [best.index(v) + 1 if v is not None and v in best[:2] and len(values) > 1 else 0 for v in values]


def _by_dimension(
    key: Mapping[str, Any], columns: Sequence[Sequence[Cell]], title: str, unit: str, notes: dict[str, str], foot: Sequence[str]
) -> Table:
    methods = key["methods"]
    rows = [[Cell(method), *(column[i] for column in columns)] for i, method in enumerate(methods)]
    heads = [f"{d}{unit} ↑" for d in key["dimensions"]]
    return Table(
        f"{key['suite']} : people : {title}", ["method", *heads], rows, [*foot, *(f"{mark} {text}" for text, mark in notes.items())]
    )


def _means(key: Mapping[str, Any], votes: Sequence[Vote]) -> Table:
    notes: dict[str, str] = {}
    columns = []
    for d in key["dimensions"]:
        own = [[v for v in votes if v.dimension == d and v.method == m] for m in key["methods"]]
        found = [_mean(some) if some else None for some in own]
        ranks = _ranks([f.value if f else None for f in found])
        columns.append([_cell(f, r, notes) for f, r in zip(found, ranks, strict=True)])
    return _by_dimension(key, columns, "mean rating, 0 to 10", "", notes, [_size(votes), TWO_WAY])


def _size(votes: Sequence[Vote]) -> str:
    counts = {"vote": len(votes), "rater": len({v.rater for v in votes}), "clip": len({v.case for v in votes})}
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items())


def _rates(key: Mapping[str, Any], votes: Sequence[Vote], *, implied: bool) -> Table:
    notes: dict[str, str] = {}
    columns = []
    for d in key["dimensions"]:
        found = [_rate([v for v in votes if v.dimension == d], m) for m in key["methods"]]
        ranks = _ranks([f.value if f else None for f in found])
        columns.append([_cell(f, r, notes, True) for f, r in zip(found, ranks, strict=True)])
    foot = [_size(votes), "share of pairs won, ties by half; 50 is as good as the others", TWO_WAY]
    if implied:
        foot.append("implied: pairs of ratings that one rater gave to two methods on one clip; nobody was asked to compare")
    return _by_dimension(key, columns, "win rate", " (%)", notes, foot)


def _bradley_terry(key: Mapping[str, Any], votes: Sequence[Vote], *, implied: bool) -> Table:
    notes: dict[str, str] = {}
    columns = []
    for d in key["dimensions"]:
        found = _strengths([v for v in votes if v.dimension == d], key["methods"])
        if isinstance(found, Unscored):
            columns.append([Cell("-", note=_mark(f"unscored, {found}", notes))] * len(key["methods"]))
            continue
        column = []
        for i, (value, rank) in enumerate(zip(found.values, _ranks(found.values), strict=True)):
            text = signed(value, 2)
            if found.low is not None and found.high is not None:
                text += f" [{signed(found.low[i], 2)}, {signed(found.high[i], 2)}]"
            column.append(Cell(text, rank, _mark("few clusters", notes) if found.few else "", value))
        columns.append(column)
    foot = [
        "logarithms, their mean 0: one method wins over another with probability 1 / (1 + exp(-difference)); ties count half for each side"
    ]
    foot += ["maximum likelihood (Hunter 2004)", TWO_WAY, *(["implied pairs, as above"] if implied else [])]
    return _by_dimension(key, columns, "Bradley-Terry strength", "", notes, foot)


def _between(key: Mapping[str, Any], votes: Sequence[Vote], dimension: str) -> Table:
    notes: dict[str, str] = {}
    own = [v for v in votes if v.dimension == dimension]
    rows = [
        [Cell(m), *(Cell("") if m == other else _cell(_rate(own, m, other), 0, notes, True) for other in key["methods"])]
        for m in key["methods"]
    ]
    foot = [f"{sum(v.value == 0.5 for v in own)} of {len(own)} votes said: the same", *(f"{mark} {text}" for text, mark in notes.items())]
    return Table(
        f"{key['suite']} : people : {dimension}: row over column (%)", ["won by", *(f"over {m}" for m in key["methods"])], rows, foot
    )


def _matrix(key: Mapping[str, Any], kept: Sequence[Rater], dimension: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(raters, clips or pairs), NaN where not asked. Of a pair: 0 the one, 1 the same, 2 the other, whatever the side."""
    columns: dict[tuple[str, ...], int] = {}
    cells = []
    for i, rater in enumerate(kept):
        for vote in _votes(rater, key):
            if vote.dimension == dimension:
                column = columns.setdefault((vote.case, vote.method, vote.other), len(columns))
                cells.append((i, column, vote.value * 2 if vote.other else vote.value))
    table = np.full((len(kept), max(1, len(columns))), np.nan)
    for i, column, value in cells:
        table[i, column] = value
    return table


def _agreement(key: Mapping[str, Any], kept: Sequence[Rater]) -> Table:
    notes: dict[str, str] = {}
    levels = LEVELS[key["kind"]]
    rows = []
    for d in key["dimensions"]:
        found = [statistics.krippendorff(_matrix(key, kept, d), level) for level in levels]
        cells = [_alpha(f, notes) for f in found]
        rows.append([Cell(d), *cells, *(Cell(str(n), value=float(n)) for n in (found[0].units, found[0].raters, found[0].values))])
    unit = "clips" if key["kind"] == "rating" else "pairs"
    foot = [
        "1 = all agree, 0 = as by chance (Krippendorff 2011); [ ]: 95 %, percentile bootstrap over " + unit + ", 2,000 seeded resamples",
        *(f"{mark} {text}" for text, mark in notes.items()),
    ]
    heads = ["dimension", *(f"alpha, {level}" for level in levels), unit, "raters", "answers"]
    return Table(f"{key['suite']} : people : do raters agree? (Krippendorff's alpha)", heads, rows, foot)


WHY = {
    "too-few": "unscored: nothing was answered by two raters",
    "constant": "unscored: all answers are the same",
    "few-units": "no interval: fewer than 5 units",
    "constant-resamples": "no interval: too few answers differ",
}


def _alpha(found: statistics.Alpha, notes: dict[str, str]) -> Cell:
    if found.value is None:
        return Cell("-", note=_mark(WHY[found.why], notes))
    text = number(found.value, 2)
    if found.low is None or found.high is None:
        return Cell(text, note=_mark(WHY[found.why], notes), value=found.value)
    return Cell(f"{text} [{number(found.low, 2)}, {number(found.high, 2)}]", value=found.value)


def _raters(study: Answers, keep_failed: bool) -> Table:
    rows = []
    for rater in study.raters:
        verdict = "counted" if not rater.failed else f"{'failed, counted' if keep_failed else 'left out'}: {rater.failed}"
        distance = sum(rater.distance) / len(rater.distance) if rater.distance else None
        rows.append(
            [
                Cell(f"rater {rater.number}"),
                Cell(f"{len(rater.answers)}/{rater.asked}", value=float(len(rater.answers))),
                Cell(f"{sum(rater.degraded)}/{len(rater.degraded)}" if rater.degraded else "-"),
                Cell(f"{sum(rater.repeats)}/{len(rater.repeats)}" if rater.repeats else "-"),
                Cell("-") if distance is None else Cell(number(distance, 2), value=distance),
                Cell(verdict),
            ]
        )
    rating = study.key["kind"] == "rating"
    rule = "not rated 2 points or more below its clip" if rating else "not chosen less often than its clip"
    apart = "more than 3 points from the first time" if rating else "opposite to the first time"
    foot = [f"left out: any degraded copy {rule} (mean over dimensions), or two or more repeats, and more than half, {apart}"]
    foot.append(f"apart: {'mean distance of the two ratings, in points' if rating else 'share of contradicted answers'}")
    chance = passes_at_random(study.key)
    if chance is not None:
        foot.append(
            f"who answers at random passes all the same with probability {chance:.2g}; checks find who does not look, not who judges badly"
        )
    foot += [f"file left out: {path}: {why}" for path, why in study.refused]
    return Table("raters", ["rater", "answered", "degraded copies", "repeats", "apart", "verdict"], rows, foot)


def _flat(study: Answers, kept: Sequence[Rater], single: Sequence[Vote], pairs: Sequence[Vote]) -> Table:
    rows: list[list[Cell]] = []

    def add(
        what: str, dimension: str, method: str, other: str, value: float | None, low: float | None, high: float | None, n: int, note: str
    ) -> None:
        numbers = [Cell("-") if x is None else Cell(repr(x), value=float(x)) for x in (value, low, high)]
        rows.append([Cell(what), Cell(dimension), Cell(method), Cell(other), *numbers, Cell(str(n), value=float(n)), Cell(note)])

    def clustered(what: str, dimension: str, method: str, other: str, found: Clustered | None) -> None:
        if found is None:
            add(what, dimension, method, other, None, None, None, 0, "no vote")
        else:
            note = found.method + (", few clusters" if found.few else "")
            add(what, dimension, method, other, found.value, found.low, found.high, found.n, note)

    key, implied = study.key, "implied " if single else ""
    for d in key["dimensions"]:
        own = [v for v in pairs if v.dimension == d]
        for m in key["methods"]:
            if single:
                votes = [v for v in single if v.dimension == d and v.method == m]
                clustered("mean", d, m, "", _mean(votes) if votes else None)
            clustered(f"{implied}win rate", d, m, "", _rate(own, m))
            for other in key["methods"]:
                if other != m:
                    clustered(f"{implied}win rate", d, m, other, _rate(own, m, other))
        found = _strengths(own, key["methods"])
        for i, m in enumerate(key["methods"]):
            if isinstance(found, Unscored):
                add(f"{implied}strength", d, m, "", None, None, None, len(own), str(found))
            else:
                low, high = (None, None) if found.low is None or found.high is None else (found.low[i], found.high[i])
                add(
                    f"{implied}strength",
                    d,
                    m,
                    "",
                    found.values[i],
                    low,
                    high,
                    found.n,
                    found.method + (", few clusters" if found.few else ""),
                )
        for level in LEVELS[key["kind"]]:
            alpha = statistics.krippendorff(_matrix(key, kept, d), level)
            add(f"alpha, {level}", d, "", "", alpha.value, alpha.low, alpha.high, alpha.values, alpha.why)
    for rater in study.raters:
        add("answered", "", f"rater {rater.number}", "", float(len(rater.answers)), None, None, rater.asked, rater.failed)
    foot = [f"file left out: {path}: {why}" for path, why in study.refused]
    heads = ["what", "dimension", "method", "other", "value", "low", "high", "n", "note"]
    return Table(f"{key['suite']} : people", heads, rows, foot)
