"""From a finished journal to scores.json: every reduction, once, in case order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.data import from_mapping
from benchmark.errors import Unscored
from benchmark.features import Shards
from benchmark.jobs import NOT_APPLICABLE
from benchmark.model import REAL, Metric, ProtocolSpec, Score, SetVariant, Unit, Variant
from benchmark.record import HEADER, Record
from benchmark.registry import registry
from benchmark.results import pool
from benchmark.rows import ClipExtractor, ClipVariant, OpeningVariant, extractors, on_regions

if TYPE_CHECKING:
    import pyarrow as pa

FEW = 50
"""Fewer clips than this and a set metric is flagged: its small-sample bias is of the size of most differences."""
REHEARSAL = "rehearsal"
"""Flag of a value whose clips come from a stand-in for the model: shown beside it everywhere, and in no leaderboard."""
Reason = tuple[str, str]


@dataclass(frozen=True)
class Replicates:
    """A set metric's value without some of its clips: what a comparison's jackknife needs, so that it reads records only.

    clips: the scored cases in order. values: (deleted clip indices, value without them); the first has none deleted.
    bias: the value against the number of clips, carried to 1/n = 0 (None below 4 clips).
    """

    adapter: str
    protocol: str
    metric: str
    variant: str
    clips: tuple[str, ...]
    values: tuple[tuple[tuple[int, ...], float], ...]
    bias: statistics.SampleBias | None = None


@dataclass(frozen=True)
class Reduced:
    """What a reduction gives: a value with its interval, or the reason for none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = "none"
    reason: str = ""
    detail: str = ""
    flags: tuple[str, ...] = ()
    replicates: tuple[tuple[tuple[int, ...], float], ...] = ()
    bias: statistics.SampleBias | None = None
    sd_clips: float | None = None
    sd_seeds: float | None = None


def build(record: Record, shards: Path) -> tuple[list[Score], list[Replicates]]:
    """Rows in (method, protocol, variant) order, and the replicates of set metrics, from the record's header, journal and frame values alone
    (and stored features for set metrics)."""
    return reduce_all(record, Below(record, shards))


def reduce_all(record: Record, below: Below) -> tuple[list[Score], list[Replicates]]:
    """As `build`, with what is below the clips wherever `below` has it from."""
    spec = record.header["spec"]
    rows: list[Score] = []
    replicates: list[Replicates] = []
    for method in spec["methods"]:
        for data in record.header["protocols"]:
            protocol = from_mapping(ProtocolSpec, data, where=str(record.path / HEADER))
            for name in spec["variants"][protocol.id]:
                row, found = _row(record, below, method["name"], protocol, name)
                rows.append(row)
                replicates += [found] if found else []
    return rows, replicates


Outcomes = Mapping[str, Sequence[tuple[Unit, Mapping[str, Any]]]]
"""The scored cases in order, each with its units (one a seed) and what the journal says of them."""


class Below:
    """The two reductions that need more than the journal's clip values: stored features, frame values."""

    def __init__(self, record: Record, shards: Path) -> None:
        self.record = record
        self._frames = FrameValues(record)
        self._shards = Shards(shards)

    def of_set(self, full_name: tuple[str, str, str], variant: SetVariant, scored: Outcomes, view: str, seeds: Sequence[int]) -> Reduced:
        """A metric of the whole set. full_name: (method, protocol, metric@variant)."""
        return _set(variant, scored, self.record, self._shards, view, seeds)

    def over_frames(self, full_name: tuple[str, str, str], variant: Variant, scored: Outcomes, view: str, seeds: Sequence[int]) -> Reduced:
        """A mean in which every frame weighs the same."""
        return _over_frames(variant, scored, self._frames, view, full_name[2], seeds)


class FrameValues:
    """Per-frame values by (unit, view, metric), read once and only if a protocol pools over frames."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._table: dict[tuple[Unit, str, str], NDArray[np.float64]] | None = None

    def of(self, unit: Unit, view: str, name: str) -> NDArray[np.float64]:
        """(n,) values of one unit in frame order, NaN = left out; KeyError where there are none."""
        if self._table is None:
            found: dict[tuple[Unit, str, str], list[NDArray[np.float64]]] = {}
            for piece in self._record.value_pieces():
                for key, values in _groups(piece):
                    found.setdefault(key, []).append(values)
            self._table = {key: np.concatenate(parts) for key, parts in found.items()}
        return self._table[unit, view, name]


def _groups(table: pa.Table) -> Iterator[tuple[tuple[Unit, str, str], NDArray[np.float64]]]:
    """Runs of equal (adapter, case, seed, view, metric) in some of the sorted rows, with their values in frame order."""
    if not len(table):
        return
    names = ("adapter", "case", "view", "metric")
    texts = [table[name].unify_dictionaries().combine_chunks() for name in names]
    words = [text.dictionary.to_pylist() for text in texts]
    codes = [_numbers(text.indices, np.int32) for text in texts]
    seeds, values = (_numbers(table[name].combine_chunks(), kind) for name, kind in (("seed", np.int32), ("value", np.float64)))
    new = np.any([column[1:] != column[:-1] for column in (*codes, seeds)], axis=0)
    for start, stop in pairwise([0, *(np.flatnonzero(new) + 1).tolist(), len(values)]):
        adapter, case, view, metric = (known[code[start]] for known, code in zip(words, codes, strict=True))
        yield (Unit(adapter, case, int(seeds[start])), view, metric), np.asarray(values[start:stop], np.float64)


def _numbers(array: pa.Array, kind: type[np.generic]) -> NDArray[Any]:
    """An array's numbers, null = NaN. From its buffers, because pyarrow's own conversion imports pandas."""
    valid, data = array.buffers()
    rows = slice(array.offset, array.offset + len(array))
    numbers = np.frombuffer(data, kind)[rows]
    if valid is None:
        return numbers
    return np.where(np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[rows], numbers, np.nan)


def _row(record: Record, below: Below, method: str, protocol: ProtocolSpec, name: str) -> tuple[Score, Replicates | None]:
    metric, variant = registry().variant(name)
    header = record.header
    plan = header["plan"]
    view = record.view_of(protocol.id)
    seeds = sorted({unit.seed for unit in record.journal if unit.adapter == method})
    cases = [case["id"] for case in header["spec"]["cases"]]
    scored: dict[str, list[tuple[Unit, Mapping[str, Any]]]] = {}
    reasons: list[Reason] = []
    for case in cases:
        outcomes = [(Unit(method, case, seed), _outcome(record, Unit(method, case, seed), view, name, variant)) for seed in seeds]
        bad = [outcome for _, outcome in outcomes if "reason" in outcome]
        if bad or not outcomes:
            reasons.append((bad[0]["reason"], bad[0].get("detail", "")) if bad else ("not-run", ""))
        else:
            scored[case] = outcomes
    spec = header["spec"]
    if name in plan["unavailable"]:
        alone = isinstance(variant, ClipVariant) and not variant.paired  # needs no truth: what it lacks is what it says
        nothing = not alone and not spec["real"] and not any(case["truth"] for case in spec["cases"])
        reason, detail = (NOT_APPLICABLE, "no truth") if nothing else plan["unavailable"][name]
        reduced, scored, reasons = Reduced(None, reason=reason, detail=detail), {}, [(reason, detail)] * len(cases)
    elif not scored:
        (reason, detail), _ = Counter(reasons).most_common(1)[0]
        reduced = Reduced(None, reason=reason, detail=detail)
    elif isinstance(variant, SetVariant):
        reduced = below.of_set((method, protocol.id, name), variant, scored, view, seeds)
    elif protocol.pooling == "frames":
        reduced = below.over_frames((method, protocol.id, name), variant, scored, view, seeds)
    else:
        reduced = over_clips(scored)
    failed = [r for r in reasons if r[0] != NOT_APPLICABLE]
    label = _label([plan["networks"][one]["weights"] for one in extractors(variant) if one in plan["networks"]])
    flags = [*reduced.flags, *([label] if label not in ("none", "real") else []), *(["unverified"] if variant.unverified else [])]
    flags += _deviation(record, scored, view, variant)
    flags += sorted({flag for outcomes in scored.values() for _, outcome in outcomes for flag in outcome.get("flags", ())})
    made = next(item for item in spec["methods"] if item["name"] == method)
    flags += [REHEARSAL] if (made.get("generator") or {}).get("rehearsal") else []
    flags += ["incomplete"] if failed and reduced.value is not None else []
    score = Score(
        adapter=method,
        suite=header["suite"]["id"],
        suite_version=header["suite"]["version"],
        split=header["split"]["id"],
        protocol=protocol.id,
        metric=metric.name,
        variant=variant.id,
        weights=label,
        value=reduced.value,
        ci_low=reduced.low,
        ci_high=reduced.high,
        ci_method=reduced.method,
        unit=_of(variant.unit, metric.unit),
        higher_is_better=metric.better(variant),
        n_clips=len(scored) if reduced.value is not None else 0,
        n_frames=sum(o.get("n_frames", 0) for outcomes in scored.values() for _, o in outcomes),
        n_failed=len(failed),
        n_left_out=sum(o.get("n_left_out", 0) for outcomes in scored.values() for _, o in outcomes),
        reason=reduced.reason,
        detail=reduced.detail,
        primary=name in protocol.primary,
        decimals=_decimals(metric, variant),
        flags=tuple(flags),
        n_seeds=max(1, len(seeds)),
        sd_clips=reduced.sd_clips,
        sd_seeds=reduced.sd_seeds,
    )
    stored = isinstance(variant, SetVariant) and reduced.replicates
    return score, Replicates(
        method, protocol.id, metric.name, variant.id, tuple(scored), reduced.replicates, reduced.bias
    ) if stored else None


def _deviation(record: Record, scored: Outcomes, view: str, variant: Variant) -> list[str]:
    """["onnxruntime (features within 2e-05)"] where the network was not run by torch in IEEE float32: the largest deviation of the clips."""
    flags = {}
    needed = [*extractors(variant)]
    needed += [entry.item.over for one in needed if (entry := registry().extractors.get(one)) and isinstance(entry.item, ClipExtractor)]
    for extractor, name in ((one, name) for one in needed for name in (one, on_regions(one))):
        found = [
            record.journal[unit].get("features", {}).get(view, {}).get(name, {}).get("deviation")
            for outcomes in scored.values()
            for unit, _ in outcomes
        ]
        if stated := [deviation for deviation in found if deviation is not None]:
            flags[f"{record.header['plan']['networks'][extractor]['backend']} (features within {max(stated):.0e})"] = True
    return list(flags)


def _label(labels: Sequence[str]) -> str:
    """Of all networks' weights: what is not simply real, else `real`, or `none` where there are none."""
    others = dict.fromkeys(label for label in labels if label not in ("real", "none"))
    return ", ".join(others) or ("real" if "real" in labels else "none")


def _of(own: str | None, family: str) -> str:
    return family if own is None else own


def _decimals(metric: Metric, variant: Variant) -> int:
    return metric.decimals if variant.decimals is None else variant.decimals


def _outcome(record: Record, unit: Unit, view: str, name: str, variant: Variant) -> Mapping[str, Any]:
    """{"value", "n_frames", ...} or {"reason", "detail"} of one unit under one view."""
    entry = record.journal.get(unit)
    if entry is None:
        return {"reason": "not-run", "detail": ""}
    if entry["status"] == "failed":
        return {"reason": entry["error"]["code"], "detail": entry["error"]["what"]}
    where = entry["views"].get(view, {})
    if "error" in where:
        return {"reason": where["error"]["code"], "detail": where["error"]["what"]}
    if isinstance(variant, SetVariant):
        found: Mapping[str, Any] = entry["features"].get(view, {}).get(variant.extractor, {"reason": "not-run", "detail": ""})
        return found if "reason" in found else {**found, "n_frames": found["rows"]}
    values: Mapping[str, Any] = entry["values"].get(view, {}).get(name, {"reason": "not-run", "detail": ""})
    return values


def over_clips(scored: Outcomes) -> Reduced:
    """Mean over frames, then over seeds, then over clips; Student-t interval over clips."""
    values = np.array([[outcome["value"] for _, outcome in outcomes] for outcomes in scored.values()])
    clips = values.mean(axis=1)
    interval = statistics.t_interval(clips)
    among = float(np.sqrt(values.var(axis=1, ddof=1).mean())) if values.shape[1] > 1 else None
    return Reduced(interval.value, interval.low, interval.high, interval.method, sd_clips=_sd(clips), sd_seeds=among)


def _sd(values: Sequence[float] | NDArray[np.float64]) -> float | None:
    """Standard deviation, N - 1; None of fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _over_frames(
    variant: Variant,
    scored: Outcomes,
    frames: FrameValues,
    view: str,
    name: str,
    seeds: Sequence[int],
) -> Reduced:
    """Every frame of every clip weighs the same; jackknife interval over clips."""
    try:
        clips = [[frames.of(unit, view, name) for unit, _ in outcomes] for outcomes in scored.values()]
    except KeyError:
        if not isinstance(variant, ClipVariant | OpeningVariant):
            raise
        return over_clips(scored)  # one with a single value for a clip has none by frame

    def of_seed(kept: Sequence[int] | NDArray[np.intp], s: int) -> float:
        return float(pool(np.concatenate([clips[k][s] for k in kept]), variant)["value"])

    def value(kept: NDArray[np.intp]) -> float:
        return float(np.mean([of_seed(kept, s) for s in range(len(seeds))]))

    reduced = jackknifed(value, len(clips))
    return reduced if reduced.value is None else replace(reduced, sd_seeds=_sd([of_seed(range(len(clips)), s) for s in range(len(seeds))]))


def _set(
    variant: SetVariant,
    scored: Outcomes,
    record: Record,
    shards: Shards,
    view: str,
    seeds: Sequence[int],
) -> Reduced:
    """Distance of the pooled features per seed, averaged over seeds, never pooled over them; the same clip is deleted on both sides."""
    ours = [[shards.load(outcome["generated"]) for _, outcome in outcomes] for outcomes in scored.values()]
    real = [
        shards.load(found["generated"])
        for unit, entry in record.journal.items()
        if unit.adapter == REAL and "generated" in (found := entry.get("features", {}).get(view, {}).get(variant.extractor, {}))
    ]
    theirs = [[shards.load(o["truth"]) if o["truth"] else None for _, o in outcomes] for outcomes in scored.values()]
    if not real and any(t is None for clip in theirs for t in clip):
        return Reduced(None, reason=NOT_APPLICABLE, detail="no truth and no real set (--truth or --real)")

    by_seed: list[float] = []

    def value(kept: NDArray[np.intp]) -> float:
        distances = []
        for s in range(len(seeds)):
            mine = np.concatenate([ours[k][s] for k in kept])
            other = np.concatenate(real if real else [t for k in kept if (t := theirs[k][s]) is not None])
            distances.append(variant.distance(mine, other))
        if len(kept) == len(ours):
            by_seed[:] = distances
        if not np.isfinite(distances).all():
            raise Unscored("not-finite", "the distance is not finite")
        return float(np.mean(distances))

    sides = ([clip[0] for clip in ours], real or [clip[0] for clip in theirs if clip[0] is not None])
    rows = min(sum(len(part) for part in side) for side in sides)
    flags = [*(["rank-deficient"] if rows < ours[0][0].shape[1] else []), *(["few clips"] if len(ours) < FEW else [])]
    reduced = jackknifed(value, len(ours), tuple(flags))
    if reduced.value is None:
        return reduced
    reduced = replace(reduced, sd_seeds=_sd(by_seed))
    try:
        return replace(reduced, bias=statistics.small_sample_bias(value, len(ours)))
    except Unscored:
        # A subset of the clips is too small for this metric: then nothing can be said of its bias.
        return reduced


def jackknifed(value: Callable[[NDArray[np.intp]], float], n: int, flags: tuple[str, ...] = ()) -> Reduced:
    """A metric of n clips, with its interval by deletions and all values that went into it."""
    calls: dict[tuple[int, ...], float] = {}

    def told(kept: NDArray[np.intp]) -> float:
        found = calls[tuple(np.setdiff1d(np.arange(n), kept).tolist())] = value(kept)
        return found

    try:
        interval = statistics.jackknife(told, n)
    except Unscored as reason:
        # Without one of the clips nothing is left to score: the value stands, an interval does not exist.
        try:
            return Reduced(value(np.arange(n)), flags=flags)
        except Unscored:
            return Reduced(None, reason=reason.reason, detail=reason.detail)
    return Reduced(interval.value, interval.low, interval.high, interval.method, flags=flags, replicates=tuple(calls.items()))
