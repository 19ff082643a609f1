"""After the pass: clips are decoded once more for networks that start from what another one found in every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmark import resize
from benchmark.batches import too_large
from benchmark.errors import InputError, Unscored
from benchmark.feature_pass import FeaturePass
from benchmark.hearing import heard, track_rate, track_times
from benchmark.jobs import CaseJob, Cursor, Runner, Track
from benchmark.media import VideoInfo, decode, decode_ahead
from benchmark.model import Frames
from benchmark.rows import Again, ClipExtractor

KEPT = 64 << 20
"""Bytes of frames that a clip may keep."""


def look_again(features: FeaturePass, runner: Runner, job: CaseJob, truth: VideoInfo | None) -> None:
    """Every second look that a unit needs and whose rows are not stored yet; call it after the pass has finished. A look that fails carries its reason."""
    for track in runner.tracks:
        for extractor, mine, under in features.looks(runner, track):
            mine.failed = mine.failed or under.failed
            if mine.failed is not None or runner.error is not None:
                continue
            try:
                if not features.shards.has(mine.key):
                    _look(features, extractor, mine.key, under.key, runner, track, job, truth)
                mine.rows = len(features.shards.load(mine.key))
            except Unscored as reason:
                mine.failed = reason
            except InputError as error:
                runner.error = error


def _look(
    features: FeaturePass,
    extractor: ClipExtractor,
    key: str,
    under: str,
    runner: Runner,
    track: Track,
    job: CaseJob,
    truth: VideoInfo | None,
) -> None:
    fps = track_rate(runner, truth)
    if fps is None:
        raise Unscored("fps-unknown", f"{extractor.id} needs to know when a frame is shown: --fps NAME=F")
    sound = heard(runner, track, job, fps, extractor.sound) if extractor.sound else None
    if isinstance(sound, Unscored):
        raise sound
    forward = cast("Callable[[Again], NDArray[np.float32]]", features.loaded(extractor.id))
    try:
        frames, times = _Kept(partial(_frames, runner, track, job.chunk)), track_times(runner, track, truth)
        rows = forward(Again(features.shards.load(under), frames, sound, track.size, fps, times))
    except (MemoryError, RuntimeError) as error:
        if (reason := too_large(error, extractor.id, 1)) is None:
            raise
        raise reason from error
    if rows.ndim != 2 or rows.shape[1] != extractor.dimension:
        raise InputError(
            "a second look gives other rows than it says",
            code="plugin",
            found=f"{extractor.id}: {rows.shape}",
            expected=f"(k, {extractor.dimension})",
        )
    if not np.isfinite(rows).all():
        raise Unscored("nan-features", f"{extractor.id} gives non-finite features")
    writer = features.shards.writer(key, len(rows), extractor.dimension)
    try:
        writer(rows)
    except BaseException:
        writer.abandon()
        raise
    writer.close()


class _Kept:
    """Frames that are read more than once: a short clip's stay in memory, a long one's are decoded again."""

    def __init__(self, read: Callable[[], Iterator[Frames]]) -> None:
        self.read = read
        self._held: list[Frames] | None = None

    def __call__(self) -> Iterator[Frames]:
        if self._held is not None:
            yield from self._held
            return
        held: list[Frames] = []
        size = 0
        for frames in self.read():
            size += frames.nbytes
            held = [*held, frames] if size <= KEPT else []
            yield frames
        self._held = held if size <= KEPT else None


def _frames(runner: Runner, track: Track, chunk: int) -> Iterator[Frames]:
    """The compared frames of a clip, decoded again."""
    assert runner.info is not None
    wanted = iter(track.pairing.generated)
    with closing(decode_ahead(decode(runner.info, crop=runner.source.crop, chunk=chunk))) as chunks:
        cursor = Cursor(chunks)
        while part := list(islice(wanted, chunk)):
            yield resize.to_size(cursor.take(part, part[-1]), track.size, track.view.rules.size.filter)
