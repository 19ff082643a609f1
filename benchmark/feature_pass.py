"""The networks' part of the pass: one forward per frame whoever needs it, stored features by content key, paired features on the fly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmark import backends, given
from benchmark.errors import Unscored
from benchmark.features import Node, Shards, ShardWriter, feature_key, look, rows_of
from benchmark.hearing import heard, out_of_step, sounding, timing, track_rate, track_times
from benchmark.live import Pairs
from benchmark.loading import Loader, Networks, planned
from benchmark.media import VideoInfo
from benchmark.model import REAL, Extractor, FeatureVariant, Forward, Frames, Rect, SetVariant, Source
from benchmark.registry import find, registry
from benchmark.rows import ClipExtractor, ClipVariant, GivenExtractor, Look, RegionVariant, extractors, on_regions

if TYPE_CHECKING:
    from benchmark.jobs import CaseJob, Runner, Track


Resting = SetVariant | FeatureVariant | ClipVariant | RegionVariant
"""Variants that rest on a network's rows."""


@dataclass
class _Sequence:
    """Frames of one clip in one order at one size, on their way through one network."""

    node: Node | given.Recital | None
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
        self.loader = Loader(networks, device)
        self.shards = Shards(networks.shards)
        self._sequences: dict[str, _Sequence] = {}
        self._of: dict[tuple[int, str], list[tuple[str, _Sequence | None, _Sequence | None]]] = {}
        self._live: dict[tuple[int, str], list[tuple[Pairs, _Sequence, _Sequence]]] = {}
        self._seconds: dict[tuple[int, str], set[str]] = {}
        self._pushed: dict[tuple[int, str], int] = {}
        self._looks: dict[tuple[int, str], list[tuple[ClipExtractor, _Sequence, _Sequence]]] = {}

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
            elif (reason := _not_given(variant, runner, job)) is not None:
                track.reasons[name] = reason
            elif all(one in self.networks.planned for one in extractors(variant)):
                wanted.setdefault(variant.extractor, []).append((name, variant))
        entry = self._of.setdefault((id(runner), track.view.id), [])
        for extractor_id, variants in wanted.items():
            extractor = planned(self.networks.planned[extractor_id])
            live = [(name, v) for name, v in variants if isinstance(v, FeatureVariant | RegionVariant)] if truth is not None else []
            stored = any(isinstance(v, SetVariant | ClipVariant) for _, v in variants)
            both = bool(live) or any(isinstance(v, SetVariant) or (isinstance(v, ClipVariant) and v.paired) for _, v in variants)
            if not stored and not live:
                continue
            assert runner.sha256 is not None
            fps = track_rate(runner, truth)
            seen_as = _look(runner.source.crop, track)
            hear = heard(runner, track, job, fps, extractor.sound) if extractor.sound else None
            if isinstance(extractor, ClipExtractor):
                if isinstance(hear, np.ndarray):
                    hear = out_of_step(runner, track, job, fps, extractor.sound) or hear
                entry += self._second(extractor, runner, track, seen_as, hear, fps, timing(track_times(runner, track, truth)))
                continue
            theirs = None
            if isinstance(extractor, GivenExtractor):
                assert runner.info is not None
                ours = self._given(extractor, runner.source, runner.info, runner.sha256, track.pairing.generated, track, stored)
                if truth is not None and both:
                    assert job.case.truth is not None
                    theirs = self._given(extractor, job.case.truth, truth, str(job.truth_sha256), track.pairing.truth, track, stored)
            else:
                ours = self._sequence(extractor, runner.sha256, track.pairing.generated, seen_as, stored, bool(live), fps, hear)
            if truth is not None and both and not extractor.sound and theirs is None:
                assert job.case.truth is not None
                theirs = self._sequence(
                    extractor, str(job.truth_sha256), track.pairing.truth, _look(job.case.truth.crop, track), stored, bool(live), fps
                )
            for name, paired in live:
                assert theirs is not None
                try:
                    pairs = Pairs(track, name, paired, self._look(runner, track, paired))
                except Unscored as reason:
                    track.reasons[name] = reason
                    continue
                self._live.setdefault((id(runner), track.view.id), []).append((pairs, ours, theirs))
                for side, sequence in enumerate((ours, theirs)):
                    if sequence.node is not None:  # else the network could not be had: `collect` tells
                        sequence.node.sinks.append(pairs.sink(side))
            entry.append((extractor_id, ours, theirs))

    def _given(
        self,
        extractor: GivenExtractor,
        source: Source,
        info: VideoInfo,
        clip: str,
        frames: tuple[int, ...],
        track: Track,
        stored: bool,
    ) -> _Sequence:
        """Rows from the file beside a clip."""
        try:
            rows, digest = given.rows(extractor, source, info, frames, track.size)
        except Unscored as reason:
            return _Sequence(None, "", 0, failed=reason)
        key = feature_key(extractor, clip=clip, frames=frames, view=_look(source.crop, track), weights=digest, machine={})
        sequence = self._sequences.setdefault(key, _Sequence(given.Recital(rows), key, len(rows)))
        if stored and sequence.writer is None and not self.shards.has(key):
            assert sequence.node is not None
            sequence.writer = self.shards.writer(key, len(rows), extractor.dimension)
            sequence.node.sinks.append(sequence.writer)
        return sequence

    def _second(
        self,
        extractor: ClipExtractor,
        runner: Runner,
        track: Track,
        seen_as: Mapping[str, Any],
        hear: NDArray[np.int16] | Unscored | None,
        fps: float | None,
        uneven: Mapping[str, str],
    ) -> Iterator[tuple[str, _Sequence, None]]:
        """Note a second look: what it starts from, and itself."""
        beneath = planned(self.networks.planned[extractor.over])
        under = self._sequence(beneath, str(runner.sha256), track.pairing.generated, seen_as, True, False, fps)
        network = self.networks.planned[extractor.id]
        view = {**seen_as, "over": under.key, "fps": fps, **uneven, **sounding(hear)}
        numerics = backends.numerics(extractor, self.device, network.backend)
        key = feature_key(extractor, clip=str(runner.sha256), frames=(), view=view, weights=network.sha256, machine=numerics)
        mine = self._sequences.setdefault(key, _Sequence(None, key, 0))
        mine.failed = hear if isinstance(hear, Unscored) else mine.failed
        self._looks.setdefault((id(runner), track.view.id), []).append((extractor, mine, under))
        yield extractor.over, under, None
        yield extractor.id, mine, None

    def looks(self, runner: Runner, track: Track) -> list[tuple[ClipExtractor, _Sequence, _Sequence]]:
        """The second looks of a unit under a view: (extractor, its own rows, those it starts from)."""
        return self._looks.get((id(runner), track.view.id), [])

    def loaded(self, extractor_id: str) -> Forward:
        """The network as planned; Unscored where its weights cannot be had."""
        return self.loader.forward(self.networks.planned[extractor_id])

    def row_of(self, extractor_id: str, picture: Frames) -> NDArray[np.float32]:
        """(1, d) of one picture (1, h, w, 3). Raises Unscored where the network cannot be had."""
        network = self.networks.planned[extractor_id]
        return look(planned(network), self.loader.forward(network))(picture)

    def _look(self, runner: Runner, track: Track, variant: Resting) -> Look | None:
        """What shows a variant's regions to its second network, where it has one. Raises Unscored where that cannot be had."""
        second = getattr(variant, "network", None)
        if second is None:
            return None
        network = self.networks.planned[second]
        loaded = self.loader.forward(network)
        self._seconds.setdefault((id(runner), track.view.id), set()).add(second)
        return look(planned(network), loaded)

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
        look = {**look, **sounding(hear)}
        keep = None
        if extractor.sample is not None and fps is not None:
            keep = np.zeros(len(frames), np.bool_)
            keep[np.asarray(extractor.sample(len(frames), fps), np.int64)] = True
            # Two views may choose the same frames out of different ones: they do not come at the same places of the pass.
            look = {**look, "sampled": [len(frames), fps]}
            frames = tuple(frame for frame, kept in zip(frames, keep, strict=True) if kept)
        network = self.networks.planned[extractor.id]
        numerics = backends.numerics(extractor, self.device, network.backend)
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
                loaded = self.loader.forward(network)
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
                        **self.loader.stated(self.networks.planned[extractor_id]),
                    }
                )
        for (who, view), names in self._seconds.items():
            for name in sorted(names) if who == id(runner) else ():
                if stated := self.loader.stated(self.networks.planned[name]):
                    found.setdefault(view, {})[on_regions(name)] = {"rows": 0, **stated}
        return found

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


def _not_given(variant: Resting, runner: Runner, job: CaseJob) -> Unscored | None:
    """Why a variant on rows that come with the data cannot be had: a side that it needs has no file."""
    if not isinstance(find(registry().extractors, variant.extractor, "extractor"), GivenExtractor):
        return None
    paired = isinstance(variant, RegionVariant) or (isinstance(variant, ClipVariant) and variant.paired)
    if paired and job.case.truth is not None and given.there(job.case.truth) is None:
        return given.lacking(job.case.truth, "truth")
    alone = isinstance(variant, RegionVariant) and not variant.both
    return None if alone or given.there(runner.source) is not None else given.lacking(runner.source, runner.job.unit.adapter)


def _feed(sequence: _Sequence, frames: Frames) -> None:
    if sequence.node is None or sequence.failed is not None:
        return
    try:
        sequence.node.push(frames)
    except Unscored as reason:
        sequence.failed = reason


def _look(crop: Rect | None, track: Track) -> dict[str, Any]:
    return {"crop": crop, "size": track.size, "filter": track.view.rules.size.filter}
