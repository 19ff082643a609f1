"""From the variants asked for to the smallest set of decodes, resizes and network forwards.

Protocols whose frame, size and time rules agree share one *view*: frames are aligned and resized once for it, and a variant that several protocols
name is computed once. Everything that needs the same network shares its forwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmark import backends, batches, weights
from benchmark.data import canonical, plain
from benchmark.errors import InputError, Unscored
from benchmark.model import Extractor, FeatureVariant, FrameVariant, ProtocolSpec, SetVariant, Variant
from benchmark.registry import find, registry
from benchmark.rows import ClipVariant, OpeningVariant, RegionVariant, extractors
from benchmark.spec import Spec

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


@dataclass(frozen=True)
class Plan:
    """What the pass will do. unavailable: variants that cannot be computed here and why."""

    views: tuple[View, ...]
    networks: Mapping[str, Network]
    unavailable: Mapping[str, Unavailable]


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
            try:
                networks |= {one.id: _network(one, spec, weights_folder) for one in needed if one.id not in networks}
            except Unscored as reason:
                missing[name] = (reason.reason, reason.detail)
    views = []
    for key, members in groups.items():
        names = dict.fromkeys(v for p in members for v in spec.variants[p.id] if v not in missing)
        views.append(View(key, members[0], tuple(p.id for p in members), tuple(names)))
    return Plan(tuple(views), networks, missing)


def _network(extractor: Extractor, spec: Spec, folder: Path | None) -> Network:
    if not extractor.files:
        label, sha256 = "none", "none"
    elif spec.weights == "seeded":
        if extractor.shapes is None or extractor.script:
            raise Unscored("weights-missing", f"{', '.join(extractor.files)} cannot be drawn by formula: its tensor shapes are not known")
        label, sha256 = weights.SEEDED, weights.SEEDED
    else:
        found = [weights.available(name, folder) for name in extractor.files]
        labels, hashes = dict.fromkeys(one for one, _ in found), [one for _, one in found]
        label = ", ".join(one for one in labels if one != "real") or "real"
        sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    batch = batches.known(extractor.id, spec.device) or extractor.batch
    return Network(extractor.id, label, sha256, backends.of(extractor, spec.backend), min(batch, extractor.batch))


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
            name: {"weights": n.label, "sha256": n.sha256, "backend": n.backend, "batch": n.batch} for name, n in plan.networks.items()
        },
        "unavailable": {name: list(why) for name, why in plan.unavailable.items()},
    }
