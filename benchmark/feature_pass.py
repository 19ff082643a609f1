"""The networks' part of the pass: one forward per frame whoever needs it, stored features by content key, paired features on the fly."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark import backends, machine
from benchmark.errors import Unscored
from benchmark.features import Node, Shards, ShardWriter, feature_key, rows_of
from benchmark.media import VideoInfo
from benchmark.model import Extractor, FeatureVariant, Forward, Frames, Rect, SetVariant
from benchmark.plan import Network
from benchmark.registry import find, registry

if TYPE_CHECKING:
    from benchmark.jobs import CaseJob, Runner, Track


@dataclass(frozen=True)
class Networks:
    """What a worker needs to load networks: their weights as planned, and where features go."""

    planned: Mapping[str, Network] = field(default_factory=dict)
    mode: str = "real"
    folder: Path | None = None
    shards: Path = Path()
    max_frames: int = 512


@lru_cache(maxsize=16)
def _by_torch(extractor_id: str, mode: str, folder: Path | None, device: str) -> Forward:
    return backends.load(find(registry().extractors, extractor_id, "extractor"), mode, folder, device)


def forward(extractor_id: str, mode: str, folder: Path | None, device: str) -> Forward:
    """The network by torch in IEEE float32, loaded once a process. Raises Unscored where its weights cannot be had."""
    network = _by_torch(extractor_id, mode, folder, device)
    machine.settle_torch()
    return network


@lru_cache(maxsize=16)
def _behind(network: Network, mode: str, folder: Path | None, device: str, graphs: Path) -> Forward:
    exact = _by_torch(network.extractor, mode, folder, device)
    return backends.behind(exact, _planned(network), network.sha256, network.backend, graphs)


def forget() -> None:
    """Drop the loaded networks of this process."""
    _by_torch.cache_clear()
    _behind.cache_clear()


def _planned(network: Network) -> Extractor:
    """The extractor with the run's own batch."""
    return replace(find(registry().extractors, network.extractor, "extractor"), batch=network.batch)


@dataclass
class _Sequence:
    """Frames of one clip in one order at one size, on their way through one network."""

    node: Node | None
    key: str
    rows: int
    writer: ShardWriter | None = None
    fed: int = 0
    failed: Unscored | None = None


class _Pairs:
    """Rows of both sides, scored as soon as both are there."""

    def __init__(self, track: Track, name: str, variant: FeatureVariant) -> None:
        self.track, self.name, self.variant = track, name, variant
        self.ours: deque[Any] = deque()
        self.theirs: deque[Any] = deque()

    def add(self, side: deque[Any], rows: NDArray[np.float32]) -> None:
        side.extend(rows)
        # One by one: rows can be tens of megabytes, and how many come at a time must not reach the arithmetic.
        while self.ours and self.theirs:
            value = self.variant.score(self.ours.popleft()[None], self.theirs.popleft()[None])
            self.track.parts.setdefault(self.name, []).append(np.asarray(value, np.float64))


class FeaturePass:
    """All networks of one case's pass. A context: leaving it drops what was not finished."""

    def __init__(self, networks: Networks, device: str) -> None:
        self.networks = networks
        self.device = device
        self.shards = Shards(networks.shards)
        self._sequences: dict[str, _Sequence] = {}
        self._of: dict[tuple[int, str], list[tuple[str, _Sequence | None, _Sequence | None]]] = {}
        self._pushed: dict[tuple[int, str], int] = {}

    def __enter__(self) -> FeaturePass:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for sequence in self._sequences.values():
            if sequence.writer is not None:
                sequence.writer.abandon()

    def plan(self, runner: Runner, track: Track, truth: VideoInfo | None, job: CaseJob) -> None:
        """Note which sequences this unit needs under this view; shards that exist already are not computed again."""
        wanted: dict[str, list[tuple[str, FeatureVariant | SetVariant]]] = {}
        for name, variant in [*track.view.of(SetVariant), *track.view.of(FeatureVariant)]:
            if isinstance(variant, SetVariant | FeatureVariant) and variant.extractor in self.networks.planned:
                wanted.setdefault(variant.extractor, []).append((name, variant))
        entry = self._of.setdefault((id(runner), track.view.id), [])
        for extractor_id, variants in wanted.items():
            extractor = _planned(self.networks.planned[extractor_id])
            paired = [(name, v) for name, v in variants if isinstance(v, FeatureVariant)]
            stored = len(paired) < len(variants)
            assert runner.sha256 is not None
            ours = self._sequence(extractor, runner.sha256, track.pairing.generated, _look(runner.source.crop, track), stored, bool(paired))
            theirs = None
            if truth is not None:
                assert job.case.truth is not None
                theirs = self._sequence(
                    extractor, str(job.truth_sha256), track.pairing.truth, _look(job.case.truth.crop, track), stored, bool(paired)
                )
            for name, variant in paired if theirs is not None else []:
                assert theirs is not None
                pairs = _Pairs(track, name, variant)
                for sequence, side in ((ours, pairs.ours), (theirs, pairs.theirs)):
                    if sequence.node is None:
                        continue  # the network could not be had: `collect` tells
                    sequence.node.sinks.append(lambda rows, p=pairs, s=side: p.add(s, rows))  # type: ignore[misc]
            entry.append((extractor_id, ours, theirs))

    def _sequence(
        self, extractor: Extractor, clip: str, frames: tuple[int, ...], look: Mapping[str, Any], stored: bool, live: bool
    ) -> _Sequence:
        network = self.networks.planned[extractor.id]
        numerics = machine.numerics(self.device, network.backend)
        key = feature_key(extractor, clip=clip, frames=frames, view=look, weights=network.sha256, machine=numerics)
        rows = rows_of(extractor, len(frames))
        sequence = self._sequences.setdefault(key, _Sequence(None, key, rows))
        if rows == 0:
            needed = max(extractor.window, extractor.minimum)
            sequence.failed = Unscored("too-short", f"{extractor.id} needs {needed} frames, {len(frames)} are compared")
        if extractor.window == 0 and len(frames) > self.networks.max_frames:
            sequence.failed = Unscored(
                "too-long", f"{extractor.id} takes the whole clip at once: {len(frames)} frames, --max-frames {self.networks.max_frames}"
            )
        if sequence.failed is not None:
            return sequence
        missing = stored and rows > 0 and sequence.writer is None and not self.shards.has(key)
        if (missing or live) and sequence.node is None:
            try:
                loaded = self._forward(network)
            except Unscored as reason:
                sequence.failed = reason
                return sequence
            sequence.node = Node(extractor, loaded, [])
        if missing:
            assert sequence.node is not None
            sequence.writer = self.shards.writer(key, rows, extractor.dimension)
            sequence.node.sinks.append(sequence.writer)
        return sequence

    def wants(self, runner: Runner) -> bool:
        """True where a clip's frames are needed at all."""
        return any(
            s is not None and s.node is not None for (who, _), triples in self._of.items() if who == id(runner) for _, s, _ in triples
        )

    def push(self, runner: Runner, track: Track, ours: Frames, theirs: Frames | None) -> None:
        """The next frames of a unit under a view, both sides.

        A sequence that several need (the truth of several methods, two outputs with the same bytes) takes each of its frames once.
        """
        who = (id(runner), track.view.id)
        start = self._pushed.get(who, 0)
        self._pushed[who] = start + len(ours)
        for _, mine, other in self._of.get(who, []):
            for sequence, frames in ((mine, ours), (other, theirs)):
                if sequence is not None and frames is not None and sequence.fed == start:
                    sequence.fed += len(frames)
                    _feed(sequence, frames)

    def finish(self) -> None:
        """Run the padded last batches and keep the complete shards."""
        for sequence in self._sequences.values():
            if sequence.node is None or sequence.failed is not None:
                continue
            try:
                sequence.node.finish()
            except Unscored as reason:
                sequence.failed = reason
                continue
            if sequence.writer is not None and sequence.writer.done == sequence.writer.rows:
                sequence.writer.close()
                sequence.writer = None

    def drop(self, runner: Runner) -> None:
        """Forget a unit that failed."""
        for key in [key for key in self._of if key[0] == id(runner)]:
            del self._of[key]

    def keys(self, runner: Runner) -> dict[str, dict[str, Any]]:
        """{view: {extractor: {"generated": key, "truth": key or None, "rows": n} or {"reason", "detail"}}} for the journal."""
        found: dict[str, dict[str, Any]] = {}
        for (who, view), triples in self._of.items():
            if who != id(runner):
                continue
            for extractor_id, ours, theirs in triples:
                assert ours is not None
                failed = ours.failed or (theirs.failed if theirs is not None else None)
                found.setdefault(view, {})[extractor_id] = (
                    {"reason": failed.reason, "detail": failed.detail}
                    if failed
                    else {
                        "generated": ours.key,
                        "truth": theirs.key if theirs is not None else None,
                        "rows": ours.rows,
                        **self._stated(self.networks.planned[extractor_id]),
                    }
                )
        return found

    def _forward(self, network: Network) -> Forward:
        found = _behind(network, self.networks.mode, self.networks.folder, self.device, self.shards.folder.parent / "graphs")
        machine.settle_torch(network.backend)
        return found

    def _stated(self, network: Network) -> dict[str, float]:
        """{"deviation": ...} of a network whose arithmetic is not its reference; measured where this machine has not done so yet."""
        if network.backend in (backends.TORCH, backends.LITERT):
            return {}
        extractor = _planned(network)

        def measure() -> float:
            exact = _by_torch(network.extractor, self.networks.mode, self.networks.folder, self.device)
            return backends.deviation(extractor, exact, self._forward(network), network.backend)

        name = backends.identity(extractor, network.sha256, machine.numerics(self.device, network.backend))
        return {"deviation": backends.stated(self.shards.folder / "deviations" / f"{name}.json", measure)}

    def collect(self, runner: Runner, track: Track) -> None:
        """Reasons of failed networks onto the paired variants that needed them."""
        for extractor_id, ours, theirs in self._of.get((id(runner), track.view.id), []):
            failed = next((s.failed for s in (ours, theirs) if s is not None and s.failed is not None), None)
            if failed is not None:
                for name, variant in track.view.of(FeatureVariant):
                    if isinstance(variant, FeatureVariant) and variant.extractor == extractor_id:
                        track.reasons[name] = failed


def _feed(sequence: _Sequence, frames: Frames) -> None:
    if sequence.node is None or sequence.failed is not None:
        return
    try:
        sequence.node.push(frames)
    except Unscored as reason:
        sequence.failed = reason


def _look(crop: Rect | None, track: Track) -> dict[str, Any]:
    return {"crop": crop, "size": track.size, "filter": track.view.rules.size.filter}
