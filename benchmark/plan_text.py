"""A plan in words: what a run would decode, resize and compute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmark import making
from benchmark import plan as planning
from benchmark.errors import InputError
from benchmark.feature_pass import Resting
from benchmark.features import rows_of
from benchmark.media import VideoInfo, crop_box, probe
from benchmark.model import FeatureVariant, SetVariant, Source, Unit
from benchmark.pairing import pair, sizes
from benchmark.record import JOURNAL, read_journal
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.rows import ClipExtractor, ClipVariant, RegionVariant
from benchmark.spec import Clip, Spec, resolve


@dataclass
class _Counts:
    clips: int = 0
    frames: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    resizes: int = 0
    forwards: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)


def describe(request: Request) -> Iterator[str]:
    """Lines: spec, views, counts, what is missing. Looks at every clip's container, decodes none."""
    spec = resolve(request)
    todo = planning.build(spec, request.weights_folder)
    out = request.out or spec.default_out
    yield from (f"note: {note}" for note in spec.notes)
    yield f"suite {spec.suite.id} v{spec.suite.version}, split {spec.split.id}: {len(spec.cases)} cases, methods {', '.join(m.name for m in spec.methods)}"
    units = spec.units()
    done = {(e["adapter"], e["case"], e["seed"]) for e in read_journal(out / JOURNAL)}
    yield f"run {out} (spec {spec.sha256[:8]}): {len(units)} units, {sum((u.adapter, u.case, u.seed) in done for u in units)} done"
    yield from _to_make(spec, out)
    counts = _count(spec, todo)
    yield f"decode: {counts.clips} clips, {counts.frames} frames, each once"
    for view in todo.views:
        names = ", ".join(view.variants) or "nothing that can be computed here"
        yield f"view {view.id} ({', '.join(view.protocols)}): {counts.pairs[view.id]} frame pairs; {names}"
    yield f"resize: {counts.resizes} pictures"
    for name, number in sorted(counts.forwards.items()):
        network = todo.networks[name]
        yield f"network {name}: {number} inputs in batches of {network.batch} by {network.backend} on {spec.device}, weights {network.label}"
    for name in dict.fromkeys(v.network for view in todo.views for _, v in view.of(RegionVariant) if v.network is not None):
        network = todo.networks[name]
        yield f"network {name}: as many regions as are seen, in batches of {network.batch} by {network.backend}, weights {network.label}"
    if not todo.networks:
        yield "networks: none"
    yield from (f"unscored {name}: {reason} ({detail})" for name, (reason, detail) in todo.unavailable.items())
    yield from counts.trouble


def _to_make(spec: Spec, out: Path) -> Iterator[str]:
    """What models are still to make, and what of it is known by its key."""
    jobs = making.jobs(spec, {Unit(e["adapter"], e["case"], e["seed"]) for e in read_journal(out / JOURNAL)}, out)
    if jobs:
        each = ", ".join(f"{name} {number}" for name, number in Counter(job.unit.adapter for job in jobs).items())
        yield f"make: {len(jobs)} clips ({each}), {sum(making.known(job) for job in jobs)} of them are there already"


def _count(spec: Spec, todo: planning.Plan) -> _Counts:
    counts = _Counts()
    for case in spec.cases:
        truth = _look(spec.truths.get(case.id), counts)
        seen: set[tuple[object, ...]] = set()
        for method in spec.methods:
            if method.adapter or (info := _look(spec.outputs[method.name, case.id], counts)) is None:
                continue
            if truth is None or case.truth is None:
                continue
            source = spec.outputs[method.name, case.id].source
            reference = source.reference_frame if source.reference_frame is not None else case.reference_frame
            for view in todo.views:
                try:
                    ours, theirs = _size(info, source), _size(truth, case.truth)
                    target = sizes(ours, theirs, view.rules.size, path=info.path, cropped=source.crop is not None)
                    matched = pair(info, truth, source, view.rules, reference)
                except InputError as error:
                    counts.trouble.append(f"{method.name}, case {case.id}, {', '.join(view.protocols)}: {error}")
                    continue
                counts.pairs[view.id] += len(matched.truth)
                counts.resizes += len(matched.truth) * (ours != target)
                key = ("size", target, view.rules.size.filter)
                if key not in seen and theirs != target:
                    counts.resizes += truth.frames
                seen.add(key)
                for extractor, both in _resting(view).items():
                    item = registry().extractors[extractor].item
                    chosen = len(matched.truth)
                    if item.sample is not None and truth.fps:
                        chosen = len(item.sample(chosen, float(truth.fps)))
                    rows = rows_of(item, chosen)
                    counts.forwards[extractor] += rows
                    shared = (extractor, matched.truth, target, view.rules.size.filter)
                    if both and shared not in seen:
                        counts.forwards[extractor] += rows
                    seen.add(shared)
    return counts


def _resting(view: planning.View) -> dict[str, bool]:
    """{extractor: are the truth's rows needed too?} of a view's variants."""
    kinds: list[tuple[str, Resting]] = [*view.of(SetVariant), *view.of(FeatureVariant), *view.of(RegionVariant), *view.of(ClipVariant)]
    found: dict[str, bool] = {}
    for _, variant in kinds:
        found[variant.extractor] = found.get(variant.extractor, False) or not isinstance(variant, ClipVariant) or variant.paired
        item = registry().extractors[variant.extractor].item
        if isinstance(item, ClipExtractor):
            found.setdefault(item.over, False)
    return found


def _look(clip: Clip | None, counts: _Counts) -> VideoInfo | None:
    if clip is None:
        return None
    try:
        if clip.error:
            raise clip.error
        info = probe(clip.source.path, fps=clip.source.fps)
    except InputError as error:
        counts.trouble.append(str(error))
        return None
    counts.clips += 1
    counts.frames += info.frames
    return info


def _size(info: VideoInfo, source: Source) -> tuple[int, int]:
    return crop_box(source.crop, info.width, info.height)[2:] if source.crop else (info.width, info.height)
