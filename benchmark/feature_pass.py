"""The networks' part of the pass: one forward per frame whoever needs it, stored features by content key, paired features on the fly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmark import backends, machine, worker
from benchmark.data import canonical
from benchmark.errors import InputError, Unscored
from benchmark.features import Node, Shards, ShardWriter, feature_key, rows_of
from benchmark.live import Pairs
from benchmark.media import VideoInfo, from_second, read_sound
from benchmark.model import REAL, Extractor, FeatureVariant, Forward, Frames, Rect, SetVariant
from benchmark.paths import write_atomic
from benchmark.plan import Network
from benchmark.registry import find, registry
from benchmark.rows import ClipVariant, RegionVariant
from benchmark.workers import Identity, WorkerExtractor

if TYPE_CHECKING:
    from benchmark.jobs import CaseJob, Runner, Track


Resting = SetVariant | FeatureVariant | ClipVariant | RegionVariant
"""Variants that rest on a network's rows."""


@dataclass(frozen=True)
class Networks:
    """What a worker needs to load networks: their weights as planned, and where features go."""

    planned: Mapping[str, Network] = field(default_factory=dict)
    mode: str = "real"
    folder: Path | None = None
    shards: Path = Path()
    max_frames: int = 512
    workers: Mapping[str, Identity] = field(default_factory=dict)


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
    worker.stop()


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
    keep: NDArray[np.bool_] | None = None
    failed: Unscored | None = None


class FeaturePass:
    """All networks of one case's pass. A context: leaving it drops what was not finished."""

    def __init__(self, networks: Networks, device: str) -> None:
        self.networks = networks
        self.device = device
        self.shards = Shards(networks.shards)
        self._sequences: dict[str, _Sequence] = {}
        self._of: dict[tuple[int, str], list[tuple[str, _Sequence | None, _Sequence | None]]] = {}
        self._live: dict[tuple[int, str], list[tuple[Pairs, _Sequence, _Sequence]]] = {}
        self._pushed: dict[tuple[int, str], int] = {}

    def __enter__(self) -> FeaturePass:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for sequence in self._sequences.values():
            if sequence.writer is not None:
                sequence.writer.abandon()

    def plan(self, runner: Runner, track: Track, truth: VideoInfo | None, job: CaseJob) -> None:
        """Note which sequences this unit needs under this view; shards that exist already are not computed again."""
        wanted: dict[str, list[tuple[str, Resting]]] = {}
        asked: list[tuple[str, Resting]] = [*track.view.of(SetVariant)]
        if runner.job.unit.adapter != REAL:
            asked += [*track.view.of(FeatureVariant), *track.view.of(ClipVariant), *track.view.of(RegionVariant)]
        for name, variant in asked:
            if isinstance(variant, RegionVariant) and track.counted is not None:
                track.reasons[name] = Unscored("ignore-unsupported", f"{name} cannot leave out a part of the picture")
            elif variant.extractor in self.networks.planned:
                wanted.setdefault(variant.extractor, []).append((name, variant))
        entry = self._of.setdefault((id(runner), track.view.id), [])
        for extractor_id, variants in wanted.items():
            extractor = _planned(self.networks.planned[extractor_id])
            live = [(name, v) for name, v in variants if isinstance(v, FeatureVariant | RegionVariant)] if truth is not None else []
            stored = any(isinstance(v, SetVariant | ClipVariant) for _, v in variants)
            both = bool(live) or any(isinstance(v, SetVariant) or (isinstance(v, ClipVariant) and v.paired) for _, v in variants)
            if not stored and not live:
                continue
            assert runner.sha256 is not None
            fps = track_rate(runner, truth)
            look, hear = _look(runner.source.crop, track), heard(runner, track, job, fps) if extractor.sound else None
            ours = self._sequence(extractor, runner.sha256, track.pairing.generated, look, stored, bool(live), fps, hear)
            theirs = None
            if truth is not None and both and not extractor.sound:
                assert job.case.truth is not None
                theirs = self._sequence(
                    extractor, str(job.truth_sha256), track.pairing.truth, _look(job.case.truth.crop, track), stored, bool(live), fps
                )
            for name, paired in live:
                assert theirs is not None
                pairs = Pairs(track, name, paired)
                self._live.setdefault((id(runner), track.view.id), []).append((pairs, ours, theirs))
                for side, sequence in enumerate((ours, theirs)):
                    if sequence.node is not None:  # else the network could not be had: `collect` tells
                        sequence.node.sinks.append(pairs.sink(side))
            entry.append((extractor_id, ours, theirs))

    def _sequence(
        self,
        extractor: Extractor,
        clip: str,
        frames: tuple[int, ...],
        look: Mapping[str, Any],
        stored: bool,
        live: bool,
        fps: float | None,
        hear: NDArray[np.int16] | Unscored | None = None,
    ) -> _Sequence:
        if isinstance(hear, np.ndarray):
            look = {**look, "sound": hashlib.sha256(np.ascontiguousarray(hear, "<i2").tobytes()).hexdigest()}
        keep = None
        if extractor.sample is not None and fps is not None:
            keep = np.zeros(len(frames), np.bool_)
            keep[np.asarray(extractor.sample(len(frames), fps), np.int64)] = True
            # Two views may choose the same frames out of different ones: they do not come at the same places of the pass.
            look = {**look, "sampled": [len(frames), fps]}
            frames = tuple(frame for frame, kept in zip(frames, keep, strict=True) if kept)
        network = self.networks.planned[extractor.id]
        numerics = machine.numerics(self.device, network.backend)
        key = feature_key(extractor, clip=clip, frames=frames, view=look, weights=network.sha256, machine=numerics)
        rows = rows_of(extractor, len(frames))
        sequence = self._sequences.setdefault(key, _Sequence(None, key, rows, keep=keep))
        if extractor.sample is not None and fps is None:
            sequence.failed = Unscored("fps-unknown", f"{extractor.id} chooses frames by their time: --fps NAME=F")
        if rows == 0:
            needed = max(extractor.window, extractor.minimum)
            sequence.failed = Unscored("too-short", f"{extractor.id} needs {needed} frames, {len(frames)} are compared")
        if extractor.window == 0 and len(frames) > self.networks.max_frames:
            sequence.failed = Unscored(
                "too-long", f"{extractor.id} takes the whole clip at once: {len(frames)} frames, --max-frames {self.networks.max_frames}"
            )
        if isinstance(hear, Unscored):
            sequence.failed = hear
        if sequence.failed is not None:
            return sequence
        missing = stored and rows > 0 and sequence.writer is None and not self.shards.has(key)
        if (missing or live) and sequence.node is None:
            try:
                loaded = self._forward(network)
            except Unscored as reason:
                sequence.failed = reason
                return sequence
            sequence.node = Node(
                extractor, loaded if hear is None else partial(cast("Callable[..., NDArray[np.float32]]", loaded), sound=hear), []
            )
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
        for pairs, mine, other in self._live.get(who, []):
            if theirs is not None and mine.failed is None and other.failed is None:
                pairs.frames(ours, theirs)
        for _, first, second in self._of.get(who, []):
            for sequence, frames in ((first, ours), (second, theirs)):
                if sequence is not None and frames is not None and sequence.fed == start:
                    sequence.fed += len(frames)
                    chosen = frames if sequence.keep is None else frames[sequence.keep[start : start + len(frames)]]
                    if len(chosen):
                        _feed(sequence, chosen)

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
        extractor = _planned(network)
        if isinstance(extractor, WorkerExtractor):
            return partial(self._elsewhere, extractor, network.sha256)
        found = _behind(network, self.networks.mode, self.networks.folder, self.device, self.shards.folder.parent / "graphs")
        machine.settle_torch(network.backend)
        return found

    def _elsewhere(
        self, extractor: WorkerExtractor, sha256: str, batch: NDArray[Any], sound: NDArray[np.int16] | None = None
    ) -> NDArray[np.float32]:
        """One batch through the extractor's worker; what it said when it loaded is kept beside the features."""
        process = worker.running(find(registry().workers, extractor.worker, "worker"), self.networks.workers[extractor.worker], self.device)
        rows = process.score(extractor.ask, batch, sound, extractor.dimension)
        if not (path := self._facts(sha256)).exists():
            write_atomic(path, canonical(process.facts))
        return rows

    def _facts(self, sha256: str) -> Path:
        return self.shards.folder / "workers" / f"{sha256}-{self.device.partition(':')[0]}.json"

    def _stated(self, network: Network) -> dict[str, Any]:
        """{"deviation": ...} of a network whose arithmetic is not its reference; measured where this machine has not done so yet. {"facts": ...} of a
        worker: what it said when it loaded."""
        extractor = _planned(network)
        if network.worker is not None:
            path = self._facts(network.sha256)
            return {"facts": json.loads(path.read_bytes())} if path.exists() else {}
        if network.backend in (backends.TORCH, backends.LITERT) or extractor.script:
            return {}

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
                resting: list[tuple[str, Resting]] = [
                    *track.view.of(FeatureVariant),
                    *track.view.of(RegionVariant),
                    *track.view.of(ClipVariant),
                ]
                for name, variant in resting:
                    if variant.extractor == extractor_id:
                        track.reasons[name] = failed

    def found(self, runner: Runner, track: Track, extractor_id: str) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The rows of a unit under a view, after `finish`; KeyError where that network was not asked for or failed."""
        for name, ours, theirs in self._of.get((id(runner), track.view.id), []):
            if name == extractor_id and ours is not None and ours.failed is None and (theirs is None or theirs.failed is None):
                return self.shards.load(ours.key), None if theirs is None else self.shards.load(theirs.key)
        raise KeyError(extractor_id)


def _feed(sequence: _Sequence, frames: Frames) -> None:
    if sequence.node is None or sequence.failed is not None:
        return
    try:
        sequence.node.push(frames)
    except Unscored as reason:
        sequence.failed = reason


def track_rate(runner: Runner, truth: VideoInfo | None) -> float | None:
    """Compared frames a second: they follow the truth in time, whatever the clip's own rate."""
    assert runner.info is not None
    rate = truth.fps if truth is not None else runner.source.fps or runner.info.fps
    return float(rate) if rate else None


def heard(runner: Runner, track: Track, job: CaseJob, fps: float | None) -> NDArray[np.int16] | Unscored:
    """The sound from the first compared frame on: the clip's own, else the case's, which runs with the truth. Or why there is none."""
    assert runner.info is not None
    if fps is None:
        return Unscored("fps-unknown", "where its sound belongs cannot be told: --fps NAME=F")
    rate = Fraction(fps).limit_denominator(100_000)
    times = track.pairing.truth or track.pairing.generated
    if times[-1] - times[0] != len(times) - 1:
        return Unscored(
            "frames-missing",
            "a frame in between is left out (the reference?), so the sound would not fit what follows: --reference-frame NAME=0",
        )
    try:
        if runner.info.has_audio:
            own = Fraction(runner.source.fps or runner.info.fps or rate)
            return from_second(read_sound(runner.info.path), track.pairing.generated[0] / own)
        if job.case.audio is None:
            return Unscored("no-audio", "neither the clip nor its case has sound")
        first = track.pairing.truth[0] if track.pairing.truth else track.pairing.generated[0]
        return from_second(read_sound(job.case.audio), first / rate)
    except Unscored as reason:
        return reason
    except InputError as error:
        return Unscored(error.code, str(error))


def _look(crop: Rect | None, track: Track) -> dict[str, Any]:
    return {"crop": crop, "size": track.size, "filter": track.view.rules.size.filter}
