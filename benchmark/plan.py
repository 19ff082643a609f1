"""From the variants asked for to the smallest set of decodes, resizes and network forwards.

Protocols whose frame, size and time rules agree share one *view*: frames are aligned and resized once for it, and a variant that several protocols
name is computed once. Everything that needs the same network shares its forwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmark import backends, batches, weights, worker
from benchmark.data import canonical, plain
from benchmark.errors import InputError, Unscored
from benchmark.model import Extractor, FeatureVariant, FrameVariant, ProtocolSpec, SetVariant, Variant
from benchmark.registry import find, registry
from benchmark.rows import ClipExtractor, ClipVariant, OpeningVariant, RegionVariant, extractors
from benchmark.spec import Spec
from benchmark.workers import LABEL, Identity, WorkerExtractor

_Kind = TypeVar("_Kind", bound=Variant)
Unavailable = tuple[str, str]
"""(reason, what to type)."""


@dataclass(frozen=True)
class View:
    """One way of aligning and resizing. rules: a protocol that has them. variants: names computed on it. id: 8 hex digits over the rules."""

    id: str
    rules: ProtocolSpec
    protocols: tuple[str, ...]
    variants: tuple[str, ...]

    def of(self, kind: type[_Kind]) -> list[tuple[str, _Kind]]:
        """(full name, variant) of the view's variants of one kind, in order."""
        found = [(name, registry().variant(name)[1]) for name in self.variants]
        return [(name, variant) for name, variant in found if isinstance(variant, kind)]


@dataclass(frozen=True)
class Network:
    """A network the plan needs: its weights' label (`real`, `first-use`, `seeded-1`, `none`) and sha256, its back end, inputs in a batch."""

    extractor: str
    label: str
    sha256: str
    backend: str
    batch: int
    worker: str | None = None


@dataclass(frozen=True)
class Plan:
    """What the pass will do. unavailable: variants that cannot be computed here and why. workers: what runs in another Python, as the header has it."""

    views: tuple[View, ...]
    networks: Mapping[str, Network]
    unavailable: Mapping[str, Unavailable]
    workers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def rules_id(protocol: ProtocolSpec) -> str:
    """8 hex digits over the rules that decide which pixels are compared."""
    return hashlib.sha256(canonical([protocol.frames, protocol.size, protocol.time]).encode()).hexdigest()[:8]


def build(spec: Spec, weights_folder: Path | None = None) -> Plan:
    """The plan of a spec: views, networks with their weights, and what cannot be had."""
    groups: dict[str, list[ProtocolSpec]] = {}
    for protocol in spec.protocols:
        groups.setdefault(rules_id(protocol), []).append(protocol)
    networks: dict[str, Network] = {}
    missing: dict[str, Unavailable] = {}
    for name in dict.fromkeys(v for p in spec.protocols for v in spec.variants[p.id]):
        variant = registry().variant(name)[1]
        if not isinstance(variant, FrameVariant | FeatureVariant | SetVariant | ClipVariant | RegionVariant | OpeningVariant):
            missing[name] = ("unsupported", f"this version computes no variant of kind {type(variant).__name__}")
        elif not isinstance(variant, FrameVariant):
            needed = [find(registry().extractors, one, "extractor") for one in extractors(variant)]
            for extractor in needed:
                by_frame = isinstance(variant, FeatureVariant | RegionVariant) or getattr(variant, "reference", False)
                if by_frame and extractor.window != 1:
                    raise InputError(
                        "this variant needs one row a frame",
                        code="plugin",
                        found=f"{name}: {extractor.id} has windows of {extractor.window}",
                    )
                if isinstance(extractor, ClipExtractor) and (not isinstance(variant, ClipVariant) or variant.paired):
                    raise InputError("a second look serves clips alone", code="plugin", found=f"{name}, which rests on {extractor.id}")
            try:
                for extractor in needed:
                    networks |= _needed(extractor, spec, weights_folder, networks)
            except Unscored as reason:
                missing[name] = (reason.reason, reason.detail)
    views = []
    for key, members in groups.items() if any(spec.variants.values()) else ():
        names = dict.fromkeys(v for p in members for v in spec.variants[p.id] if v not in missing)
        views.append(View(key, members[0], tuple(p.id for p in members), tuple(names)))
    used = dict.fromkeys(network.worker for network in networks.values() if network.worker)
    return Plan(tuple(views), networks, missing, {name: _worker(name, spec) for name in used})


def _needed(extractor: Extractor, spec: Spec, folder: Path | None, known: Mapping[str, Network]) -> dict[str, Network]:
    """The network of an extractor, and the one that it starts from: what its label says holds for both."""
    own = known.get(extractor.id) or _network(extractor, spec, folder)
    if not isinstance(extractor, ClipExtractor):
        return {extractor.id: own}
    under = known.get(extractor.over) or _network(find(registry().extractors, extractor.over, "extractor"), spec, folder)
    labels = dict.fromkeys(label for network in (own, under) for label in network.label.split(", "))
    return {extractor.over: under, extractor.id: replace(own, label=", ".join(x for x in labels if x not in ("real", "none")) or own.label)}


def _network(extractor: Extractor, spec: Spec, folder: Path | None) -> Network:
    if isinstance(extractor, WorkerExtractor):
        return _elsewhere(extractor, spec)
    if not extractor.files:
        label, sha256 = "none", "none"
    elif spec.weights == "seeded" and extractor.shapes is None and not extractor.script:
        raise Unscored("weights-missing", f"{', '.join(extractor.files)} cannot be drawn by formula: its tensor shapes are not known")
    else:
        found = [_file(name, extractor, spec, folder) for name in extractor.files]
        labels, hashes = dict.fromkeys(one for one, _ in found), [one for _, one in found]
        label = ", ".join(one for one in labels if one != "real") or "real"
        sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    batch = batches.known(extractor.id, spec.device) or extractor.batch
    return Network(extractor.id, label, sha256, backends.of(extractor, spec.backend), min(batch, extractor.batch))


def _file(name: str, extractor: Extractor, spec: Spec, folder: Path | None) -> tuple[str, str]:
    """(label, sha256) of one of a network's files. By formula tensors are drawn; a graph always comes from its file."""
    drawn = spec.weights == "seeded" and not (extractor.script and weights.entry(name).format in weights.GRAPHS)
    return (weights.SEEDED, weights.SEEDED) if drawn else weights.available(name, folder)


def _elsewhere(extractor: WorkerExtractor, spec: Spec) -> Network:
    """A network of a worker: what it is asked and what its side says of itself belong to its hash."""
    if spec.weights == "seeded":
        raise Unscored("weights-missing", f"{extractor.worker} runs a checkpoint of your own and cannot be drawn by formula")
    found = spec.workers[extractor.worker]
    if isinstance(found, Unscored):
        raise found
    whole = hashlib.sha256(canonical([_worker(extractor.worker, spec), extractor.ask]).encode()).hexdigest()
    return Network(extractor.id, f"{LABEL}-{found.sha256[:8]}", whole, backends.WORKER, extractor.batch, extractor.worker)


def _worker(name: str, spec: Spec) -> dict[str, Any]:
    """What the header says of a worker: its own words, and the contents that decide its numbers."""
    found = spec.workers[name]
    assert isinstance(found, Identity)
    said = worker.greeting(find(registry().workers, name, "worker"), found)
    stated: dict[str, Any] = plain({"sha256": found.sha256, **said, "content": found.content})
    return stated


def header(plan: Plan) -> dict[str, object]:
    """The plan's part of a run header."""
    return {
        "views": {
            v.id: {
                "protocols": list(v.protocols),
                "variants": list(v.variants),
                "rules": plain([v.rules.frames, v.rules.size, v.rules.time]),
            }
            for v in plan.views
        },
        "networks": {
            name: {"weights": n.label, "sha256": n.sha256, "backend": n.backend, "batch": n.batch, **_of_worker(n)}
            for name, n in plan.networks.items()
        },
        "unavailable": {name: list(why) for name, why in plan.unavailable.items()},
        **({"workers": plan.workers} if plan.workers else {}),
    }


def _of_worker(network: Network) -> dict[str, object]:
    extractor = registry().extractors[network.extractor].item
    return {"worker": network.worker, "ask": plain(extractor.ask)} if isinstance(extractor, WorkerExtractor) else {}
