"""The one pass over a case's clips that executes a plan.

The truth is decoded once, chunk by chunk; every method walks beside it, each decoded once by a thread of its own. For each view the frames that
belong together are brought to one size and handed to the variants, and to the networks' constant-shape batches. Memory is a few chunks whatever the length.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmark import resize
from benchmark.errors import InputError, Unscored
from benchmark.feature_pass import FeaturePass, Networks
from benchmark.media import VideoInfo, crop_box, decode, decode_ahead, probe, read_image, sha256_file
from benchmark.model import Case, Counted, FeatureVariant, Frames, FrameVariant, Rect, Settings, SizeRule, Source, Unit
from benchmark.pairing import Pairing, check_panels, pair, sizes
from benchmark.plan import View
from benchmark.registry import find, registry

CHUNK = 16
"""Frames decoded at a time. No result depends on it."""
WIDE = 1.9
"""Without truth or reference nothing tells a panel; a picture wider than this for its height is at least mentioned."""
NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True)
class UnitJob:
    """A unit to be done. adapter: id of the adapter that makes the clip (None = finished output). error: known before any decoding."""

    unit: Unit
    source: Source
    sha256: str | None
    adapter: str | None = None
    error: InputError | None = None


@dataclass(frozen=True)
class CaseJob:
    """A case with the units still to be done: what an executor hands to a worker. Picklable, self-contained."""

    case: Case
    truth_sha256: str | None
    truth_error: InputError | None
    units: tuple[UnitJob, ...]
    views: tuple[View, ...]
    clips: Path
    networks: Networks
    device: str = "cpu"
    chunk: int = CHUNK
    threads: int = 1


@dataclass
class UnitResult:
    """What a unit gives: its journal entry, and per view the frame numbers and each variant's values."""

    entry: dict[str, Any]
    frames: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    values: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)


@dataclass
class _Track:
    """A unit under one view: pairing, size, and what has been computed so far."""

    view: View
    pairing: Pairing
    size: tuple[int, int]
    counted: Counted | None
    parts: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    reasons: dict[str, Unscored] = field(default_factory=dict)
    position: int = 0


class _Pool(ThreadPoolExecutor):
    """Threads that know their number."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.threads = threads


class _Runner:
    """One unit on its way through the pass."""

    def __init__(self, job: UnitJob) -> None:
        self.job = job
        self.info: VideoInfo | None = None
        self.box: tuple[int, int, int, int] | None = None
        self.tracks: list[_Track] = []
        self.view_errors: dict[str, InputError] = {}
        self.error: InputError | None = job.error
        self.cursor: _Cursor | None = None
        self.notes: list[str] = []
        self.source = job.source
        self.sha256 = job.sha256
        self.generated: str | None = None


class _Cursor:
    """Frames of a clip by nondecreasing index, over chunks that come in order. Keeps only what may still be asked for."""

    def __init__(self, chunks: Iterator[NDArray[np.uint8]]) -> None:
        self._chunks = chunks
        self._held: list[NDArray[np.uint8]] = []
        self._first = 0

    def take(self, indices: list[int], keep_from: int) -> NDArray[np.uint8]:
        """(len(indices), h, w, 3); afterwards frames before `keep_from` are dropped."""
        while self._first + len(self._held) <= indices[-1]:
            self._drop(indices[0])
            self._held.extend(next(self._chunks))
        picked = [self._held[i - self._first] for i in indices]
        self._drop(keep_from)
        return np.stack(picked)

    def drain(self) -> None:
        """Decode what is left: damage anywhere in a clip is found, whatever the size of a chunk."""
        self._held.clear()
        for _ in self._chunks:
            pass

    def _drop(self, before: int) -> None:
        count = min(max(0, before - self._first), len(self._held))
        del self._held[:count]
        self._first += count


def evaluate(job: CaseJob, progress: Callable[[int], None] = lambda frames: None) -> list[UnitResult]:
    """Do every unit of a case in one pass. A unit that fails carries its error; the others go on.

    progress(n) is told how many frames were compared. Only bugs raise.
    """
    started = time.perf_counter()
    runners = [_Runner(unit) for unit in job.units]
    truth, truth_error = _truth(job)
    with ExitStack() as stack:
        for runner in runners:
            _prepare(runner, job, truth, truth_error)
        features = stack.enter_context(FeaturePass(job.networks, job.device))
        alive = [r for r in runners if r.error is None and (r.tracks or truth is None)]
        for runner in alive:
            assert runner.info is not None
            runner.cursor = _Cursor(
                stack.enter_context(closing(decode_ahead(decode(runner.info, crop=runner.source.crop, chunk=job.chunk))))
            )
        for runner in alive:
            for track in runner.tracks:
                features.plan(runner, track, truth, job)
        if truth is not None and alive:
            _walk(job, truth, alive, features, progress, stack)
        elif truth is None:
            for runner in alive:
                _walk_alone(runner, job, features, progress)
        features.finish()
    seconds = time.perf_counter() - started
    return [_result(runner, job, truth, truth_error, features, seconds / max(1, len(runners))) for runner in runners]


def _truth(job: CaseJob) -> tuple[VideoInfo | None, InputError | None]:
    if job.case.truth is None or job.truth_error is not None:
        return None, job.truth_error
    try:
        info = probe(job.case.truth.path, fps=job.case.truth.fps)
        if job.case.truth.crop:
            crop_box(job.case.truth.crop, info.width, info.height)
        return info, None
    except InputError as error:
        return None, error


def _prepare(runner: _Runner, job: CaseJob, truth: VideoInfo | None, truth_error: InputError | None) -> None:
    """Get the clip, look at it, and align it under every view."""
    try:
        if runner.error is not None:
            return
        if truth_error is not None:
            raise InputError(
                f"the truth of case {job.case.id} cannot be used: {truth_error.what}",
                code="bad-truth",
                path=truth_error.path,
                found=truth_error.found,
                expected=truth_error.expected,
                hint=truth_error.hint,
            )
        reference = runner.source.reference_frame if runner.source.reference_frame is not None else job.case.reference_frame
        if runner.job.adapter:
            _generate(runner, job, replace(job.case, reference_frame=reference))
        info = runner.info = probe(runner.source.path, fps=runner.source.fps)
        runner.box = crop_box(runner.source.crop, info.width, info.height) if runner.source.crop else (0, 0, info.width, info.height)
        size = runner.box[2:]
        if truth is None:
            _unpaired(runner, job, size)
            return
        assert job.case.truth is not None
        whole = _cropped(truth, job.case.truth.crop)
        for view in job.views:
            try:
                target = sizes(size, whole, view.rules.size, path=info.path, cropped=runner.source.crop is not None)
                pairing = pair(info, truth, runner.source, view.rules, reference)
                counted = _counted((runner.source.ignore, size), (job.case.truth.ignore, whole), target)
                runner.tracks.append(_Track(view, pairing, target, counted))
            except InputError as error:
                runner.view_errors[view.id] = error.named(runner.job.unit.adapter)
    except InputError as error:
        runner.error = error.named(runner.job.unit.adapter)


def _cropped(info: VideoInfo, crop: Rect | None) -> tuple[int, int]:
    if crop is None:
        return info.width, info.height
    _, _, w, h = crop_box(crop, info.width, info.height)
    return w, h


def _unpaired(runner: _Runner, job: CaseJob, size: tuple[int, int]) -> None:
    """Nothing to pair with: every frame of the clip as it is, for set metrics."""
    assert runner.info is not None
    if job.case.reference is not None and runner.source.crop is None:
        height, width = read_image(job.case.reference).shape[:2]
        check_panels(size, (width, height), runner.info.path)
    elif size[0] >= WIDE * size[1] and runner.source.crop is None:
        runner.notes.append(
            f"{runner.info.path}: {size[0]}x{size[1]} is wide and may hold condition panels; no truth or reference is known to tell (--crop NAME=x,y,w,h)"
        )
    every = tuple(range(runner.info.frames))
    for view in job.views:
        runner.tracks.append(_Track(view, Pairing(every, (), "unpaired"), _own_size(size, view.rules.size), None))


def _own_size(size: tuple[int, int], rule: SizeRule) -> tuple[int, int]:
    if rule.to == "fixed":
        assert rule.width is not None
        assert rule.height is not None
        return rule.width, rule.height
    return size if rule.to == "truth" or rule.side is None else resize.short_side(size[0], size[1], rule.side)


def _generate(runner: _Runner, job: CaseJob, case: Case) -> None:
    """Let the adapter make the clip, unless a finished one is there already."""
    assert runner.job.adapter is not None
    adapter = find(registry().adapters, runner.job.adapter, "adapter")
    from benchmark.record import safe_name

    unit = runner.job.unit
    folder = job.clips / adapter.id
    stem = folder / f"{safe_name(unit.case)}-{unit.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        path = adapter.generate(case, Settings(seed=unit.seed, device=job.device), stem)
    except InputError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # no fault of the adapter, and no clip of this run can be made
        raise InputError(
            f"the adapter {adapter.id} failed",
            code="adapter-failed",
            path=stem,
            found=f"{type(error).__name__}: {error}",
            hint=f"hvbench explain {adapter.id}",
        ) from error
    runner.source = replace(runner.source, path=path)
    runner.sha256 = sha256_file(path)
    runner.generated = str(path.relative_to(job.clips.parent).as_posix())


def _counted(
    generated: tuple[Rect | None, tuple[int, int]], truth: tuple[Rect | None, tuple[int, int]], target: tuple[int, int]
) -> Counted | None:
    """(height, width) of pixels that count: the ignored rectangles of either side, carried to the compared size and widened to whole pixels."""
    mask: Counted | None = None
    for rect, (width, height) in (generated, truth):
        if rect is None:
            continue
        x, y, w, h = crop_box(rect, width, height)
        sx, sy = target[0] / width, target[1] / height
        if mask is None:
            mask = np.ones((target[1], target[0]), np.bool_)
        mask[int(np.floor(y * sy)) : int(np.ceil((y + h) * sy)), int(np.floor(x * sx)) : int(np.ceil((x + w) * sx))] = False
    if mask is not None and not mask.any():
        raise InputError("the ignored rectangle covers the whole picture", code="bad-rect", found="no pixel left")
    return mask


# ----------------------------------------------------------------------------------------------------------------- the walk


def _walk(
    job: CaseJob, truth: VideoInfo, runners: list[_Runner], features: FeaturePass, progress: Callable[[int], None], stack: ExitStack
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
            runner.error = InputError(
                f"the truth of case {job.case.id} cannot be used: {error.what}",
                code="bad-truth",
                path=error.path,
                found=error.found,
                expected=error.expected,
                hint=error.hint,
            )


def _step(
    runner: _Runner,
    chunk: NDArray[np.uint8],
    start: int,
    stop: int,
    resized: dict[tuple[tuple[int, int], str], Frames],
    features: FeaturePass,
    pool: _Pool,
) -> int:
    """Compare one truth chunk with its frames of one unit, under every view. Returns the number of frame pairs of the first view."""
    wanted: list[tuple[_Track, list[int], list[int]]] = []
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


def _compare(track: _Track, ours: Frames, theirs: Frames) -> dict[str, NDArray[np.float64] | Unscored]:
    """Frame pairs of one size, scored by every frame variant of a view."""
    return {
        name: _score(track, name, variant, ours, theirs)
        for name, variant in track.view.of(FrameVariant)
        if isinstance(variant, FrameVariant) and name not in track.reasons
    }


def _score(track: _Track, name: str, variant: FrameVariant, ours: Frames, theirs: Frames) -> NDArray[np.float64] | Unscored:
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
    return np.concatenate(list(pool.map(partial(_resize, size=size, method=method), _split(frames, pool))))


def _resize(frames: NDArray[np.uint8], size: tuple[int, int], method: str) -> Frames:
    width, height = size
    if method == "bicubic":
        return resize.bicubic(frames, height, width)
    return resize.cv2_bilinear(frames, height, width)


def _walk_alone(runner: _Runner, job: CaseJob, features: FeaturePass, progress: Callable[[int], None]) -> None:
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
                features.push(runner, track, _resize(frames, track.size, track.view.rules.size.filter), None)
            progress(len(indices))
    except InputError as error:
        runner.error = error


# --------------------------------------------------------------------------------------------------------------- the result


def _result(
    runner: _Runner, job: CaseJob, truth: VideoInfo | None, truth_error: InputError | None, features: FeaturePass, seconds: float
) -> UnitResult:
    unit = runner.job.unit
    entry: dict[str, Any] = {"adapter": unit.adapter, "case": unit.case, "seed": unit.seed}
    if runner.job.adapter:
        entry["made"] = runner.job.adapter
    if runner.info is not None:
        entry["generated"] = {**runner.info.to_json(), "sha256": runner.sha256, "crop": list(runner.box) if runner.box else None}
        if runner.generated:
            entry["generated"]["path"] = runner.generated
    if truth is not None:
        entry["truth"] = {**truth.to_json(), "sha256": job.truth_sha256}
    entry["notes"] = list(runner.notes)
    entry["time"] = {"seconds": round(seconds, 3), "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if runner.error is not None:
        features.drop(runner)
        return UnitResult({**entry, "status": "failed", "error": runner.error.to_json(), "views": {}, "values": {}, "features": {}})
    result = UnitResult({**entry, "status": "scored", "views": {}, "values": {}, "features": features.keys(runner)})
    for view_id, error in runner.view_errors.items():
        result.entry["views"][view_id] = {"error": error.to_json()}
    if truth is None:
        for view in job.views:
            result.entry["views"][view.id] = {"unpaired": True}
            paired = [*view.of(FrameVariant), *view.of(FeatureVariant)]
            result.entry["values"][view.id] = {name: {"reason": NOT_APPLICABLE, "detail": "no truth"} for name, _ in paired}
        return result
    for track in runner.tracks:
        features.collect(runner, track)
        result.entry["views"][track.view.id] = {"pairing": track.pairing.to_json(), "size": list(track.size)}
        result.frames[track.view.id] = (track.pairing.truth, track.pairing.generated)
        result.entry["values"][track.view.id] = {
            name: _clip_value(track, name, result) for name in track.view.variants if name in track.parts or name in track.reasons
        }
    return result


def _clip_value(track: _Track, name: str, result: UnitResult) -> Mapping[str, Any]:
    variant: Any = registry().variant(name)[1]
    reason = track.reasons.get(name)
    if reason is None:
        values = np.concatenate(track.parts[name])
        result.values[track.view.id, name] = values
        try:
            return pool(values, variant)
        except Unscored as unscored:
            reason = unscored
    return {"reason": reason.reason, "detail": reason.detail}


def pool(values: NDArray[np.float64], variant: Any) -> dict[str, Any]:
    """Frame values (n,) -> {"value", "n_frames", "n_left_out"}. NaN frames are left out for the variant's stated reason; none left is Unscored by it."""
    kept = values[~np.isnan(values)]
    left_out = getattr(variant, "left_out", "")
    if len(kept) < len(values) and not left_out:
        raise Unscored("not-finite", f"{len(values) - len(kept)} of {len(values)} frames have no finite value")
    if not len(kept):
        raise Unscored(left_out, f"all {len(values)} frames")
    value = float(variant.pool(kept))
    if not np.isfinite(value):
        raise Unscored("not-finite", "the clip's value is not finite")
    return {"value": value, "n_frames": len(kept), "n_left_out": len(values) - len(kept)}
