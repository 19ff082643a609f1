"""The one pass over a case's clips that executes a plan.

The truth is decoded once, chunk by chunk; every method walks beside it, each decoded once by a thread of its own. For each view the frames that
belong together are brought to one size and handed to the variants, and to the networks' constant-shape batches. Memory is a few chunks whatever the length.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmark import resize
from benchmark.errors import InputError, Unscored
from benchmark.feature_pass import FeaturePass
from benchmark.jobs import CaseJob, Cursor, Runner, Track, UnitResult, bad_truth
from benchmark.media import VideoInfo, decode, decode_ahead
from benchmark.model import FeatureVariant, Frames, FrameVariant
from benchmark.prepare import look_at_truth, prepare
from benchmark.results import to_result
from benchmark.second_look import look_again

LIVE_CHUNK = 4
"""Frames at a time where features are compared pair by pair. No result depends on it."""


class _Pool(ThreadPoolExecutor):
    """Threads that know their number."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.threads = threads


def evaluate(job: CaseJob, progress: Callable[[int], None] = lambda frames: None) -> list[UnitResult]:
    """Do every unit of a case in one pass. A unit that fails carries its error; the others go on.

    progress(n) is told how many frames were compared. Only bugs raise.
    """
    started = time.perf_counter()
    # Rows of paired features can be large (a trunk's activations), and those of the truth wait for every method: fewer frames at a time.
    chunk = min(job.chunk, LIVE_CHUNK) if any(view.of(FeatureVariant) for view in job.views) else job.chunk
    job = replace(job, chunk=chunk)
    runners = [Runner(unit) for unit in job.units]
    truth, truth_error = look_at_truth(job)
    with ExitStack() as stack:
        for runner in runners:
            prepare(runner, job, truth, truth_error)
        features = stack.enter_context(FeaturePass(job.networks, job.device))
        alive = [r for r in runners if r.error is None and (r.tracks or truth is None)]
        for runner in alive:
            assert runner.info is not None
            runner.cursor = Cursor(stack.enter_context(closing(decode_ahead(decode(runner.info, crop=runner.source.crop, chunk=chunk)))))
        for runner in alive:
            for track in runner.tracks:
                features.plan(runner, track, truth, job)
        if truth is not None and alive:
            _walk(job, truth, alive, features, progress, stack)
        elif truth is None:
            for runner in alive:
                _walk_alone(runner, job, features, progress)
        features.finish()
        for runner in alive:
            look_again(features, runner, job, truth)
    seconds = time.perf_counter() - started
    return [to_result(runner, job, truth, features, seconds / max(1, len(runners))) for runner in runners]


def _walk(
    job: CaseJob, truth: VideoInfo, runners: list[Runner], features: FeaturePass, progress: Callable[[int], None], stack: ExitStack
) -> None:
    assert job.case.truth is not None
    pool = stack.enter_context(_Pool(max(1, job.threads)))
    chunks = stack.enter_context(closing(decode_ahead(decode(truth, crop=job.case.truth.crop, chunk=job.chunk))))
    start = 0
    try:
        for chunk in chunks:
            stop = start + len(chunk)
            resized: dict[tuple[tuple[int, int], str], Frames] = {}
            for runner in runners:
                if runner.error is None:
                    try:
                        progress(_step(runner, chunk, start, stop, resized, features, pool))
                    except InputError as error:
                        runner.error = error
            start = stop
        for runner in runners:
            if runner.error is None and runner.cursor is not None:
                try:
                    runner.cursor.drain()
                except InputError as error:
                    runner.error = error
    except InputError as error:
        for runner in runners:
            runner.error = bad_truth(job.case.id, error)


def _step(
    runner: Runner,
    chunk: NDArray[np.uint8],
    start: int,
    stop: int,
    resized: dict[tuple[tuple[int, int], str], Frames],
    features: FeaturePass,
    pool: _Pool,
) -> int:
    """Compare one truth chunk with its frames of one unit, under every view. Returns the number of frame pairs of the first view."""
    wanted: list[tuple[Track, list[int], list[int]]] = []
    for track in runner.tracks:
        end = track.position
        while end < len(track.pairing.truth) and track.pairing.truth[end] < stop:
            end += 1
        if end > track.position:
            wanted.append((track, list(track.pairing.generated[track.position : end]), list(track.pairing.truth[track.position : end])))
            track.position = end
    if not wanted:
        return 0
    every = sorted({i for _, generated, _ in wanted for i in generated})
    ahead = [t.pairing.generated[t.position] for t in runner.tracks if t.position < len(t.pairing.generated)]
    # A frame may serve again (nearest frame in time), so keep from the next one any view will ask for.
    assert runner.cursor is not None
    frames = runner.cursor.take(every, min(ahead) if ahead else every[-1] + 1)
    place = {i: k for k, i in enumerate(every)}
    for track, generated, truth in wanted:
        key = (track.size, track.view.rules.size.filter)
        if key not in resized:
            resized[key] = _sized(chunk, key[0], key[1], pool)
        theirs = resized[key] if len(truth) == len(chunk) else resized[key][[j - start for j in truth]]
        ours = _sized(frames if generated == every else frames[[place[i] for i in generated]], key[0], key[1], pool)
        scored = list(pool.map(partial(_compare, track), _split(ours, pool), _split(theirs, pool)))
        features.push(runner, track, ours, theirs)
        for part in scored:
            for name, outcome in part.items():
                if isinstance(outcome, Unscored):
                    track.reasons[name] = outcome
                else:
                    track.parts.setdefault(name, []).append(outcome)
    return len(wanted[0][1])


def _split(frames: Frames, pool: _Pool) -> list[Any]:
    """Frames for each thread. Frame variants score frame by frame, so where the cuts fall changes nothing."""
    return [part for part in np.array_split(frames, pool.threads) if len(part)]


def _compare(track: Track, ours: Frames, theirs: Frames) -> dict[str, NDArray[np.float64] | Unscored]:
    """Frame pairs of one size, scored by every frame variant of a view."""
    return {
        name: _score(track, name, variant, ours, theirs)
        for name, variant in track.view.of(FrameVariant)
        if isinstance(variant, FrameVariant) and name not in track.reasons
    }


def _score(track: Track, name: str, variant: FrameVariant, ours: Frames, theirs: Frames) -> NDArray[np.float64] | Unscored:
    if min(track.size) < variant.min_size:
        return Unscored("too-small", f"{name} needs at least {variant.min_size} pixels a side, compared at {track.size[0]}x{track.size[1]}")
    if track.counted is not None and not variant.masks:
        return Unscored("ignore-unsupported", f"{name} cannot leave out a part of the picture")
    if variant.dtype == "uint8":
        ours, theirs = _grey_levels(ours), _grey_levels(theirs)
    try:
        return np.asarray(variant.score(ours, theirs, track.counted), np.float64)
    except Unscored as reason:
        return reason


def _grey_levels(frames: Frames) -> NDArray[np.uint8]:
    """Float frames (0..255, after a float resize) rounded half to even, for arithmetic that is defined on grey levels only."""
    return cast("NDArray[np.uint8]", frames) if frames.dtype == np.uint8 else np.rint(frames).astype(np.uint8)


def _sized(frames: NDArray[np.uint8], size: tuple[int, int], method: str, pool: _Pool) -> Frames:
    """Frames at (width, height), shared out among the threads; frames of that size already are returned as they are."""
    if frames.shape[1:3] == (size[1], size[0]):
        return frames
    return np.concatenate(list(pool.map(partial(resize.to_size, size=size, method=method), _split(frames, pool))))


def _walk_alone(runner: Runner, job: CaseJob, features: FeaturePass, progress: Callable[[int], None]) -> None:
    """A clip without a truth: features only."""
    assert runner.cursor is not None
    assert runner.info is not None
    if not features.wants(runner):
        return
    try:
        for first in range(0, runner.info.frames, job.chunk):
            indices = list(range(first, min(first + job.chunk, runner.info.frames)))
            frames = runner.cursor.take(indices, indices[-1] + 1)
            for track in runner.tracks:
                features.push(runner, track, resize.to_size(frames, track.size, track.view.rules.size.filter), None)
            progress(len(indices))
    except InputError as error:
        runner.error = error
