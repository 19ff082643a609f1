"""Before the pass: get each clip, look at it, and align it with the truth under every view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark import resize
from benchmark.errors import InputError
from benchmark.jobs import CaseJob, Runner, Track, bad_truth
from benchmark.making import Made, call
from benchmark.media import VideoInfo, crop_box, probe, read_image, sha256_file
from benchmark.model import Case, Counted, Rect, SizeRule
from benchmark.pairing import Pairing, check_panels, pair, sizes
from benchmark.registry import find, registry

WIDE = 1.9
"""Without truth or reference nothing tells a panel; a picture wider than this for its height is at least mentioned."""


def look_at_truth(job: CaseJob) -> tuple[VideoInfo | None, InputError | None]:
    """(what the truth is, or why it cannot be used); both None where the case has none."""
    if job.case.truth is None or job.truth_error is not None:
        return None, job.truth_error
    try:
        info = probe(job.case.truth.path, fps=job.case.truth.fps)
        if job.case.truth.crop:
            crop_box(job.case.truth.crop, info.width, info.height)
        return info, None
    except InputError as error:
        return None, error


def prepare(runner: Runner, job: CaseJob, truth: VideoInfo | None, truth_error: InputError | None) -> None:
    """Get the clip, look at it, and align it under every view."""
    try:
        if runner.error is not None:
            return
        if truth_error is not None:
            raise bad_truth(job.case.id, truth_error)
        reference = runner.source.reference_frame if runner.source.reference_frame is not None else job.case.reference_frame
        runner.reference = reference
        if runner.job.ready is not None:
            _take(runner, job, runner.job.ready)
        elif runner.job.adapter:
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
                runner.tracks.append(Track(view, pairing, target, counted))
            except InputError as error:
                runner.view_errors[view.id] = error.named(runner.job.unit.adapter)
    except InputError as error:
        runner.error = error.named(runner.job.unit.adapter)


def _cropped(info: VideoInfo, crop: Rect | None) -> tuple[int, int]:
    if crop is None:
        return info.width, info.height
    _, _, w, h = crop_box(crop, info.width, info.height)
    return w, h


def _unpaired(runner: Runner, job: CaseJob, size: tuple[int, int]) -> None:
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
        runner.tracks.append(Track(view, Pairing(every, (), "unpaired"), _own_size(size, view.rules.size), None))


def _own_size(size: tuple[int, int], rule: SizeRule) -> tuple[int, int]:
    if rule.to == "fixed":
        assert rule.width is not None
        assert rule.height is not None
        return rule.width, rule.height
    return size if rule.to == "truth" or rule.side is None else resize.short_side(size[0], size[1], rule.side)


def _take(runner: Runner, job: CaseJob, made: Made) -> None:
    """A clip that was made before the pass."""
    runner.notes += made.notes
    runner.source = replace(runner.source, path=made.path)
    runner.sha256 = made.sha256
    runner.generated = str(made.path.relative_to(job.clips.parent).as_posix())


def _generate(runner: Runner, job: CaseJob, case: Case) -> None:
    """Let the adapter make the clip."""
    assert runner.job.adapter is not None
    adapter = find(registry().adapters, runner.job.adapter, "adapter")
    from benchmark.record import safe_name

    unit = runner.job.unit
    folder = job.clips / safe_name(unit.adapter)
    stem = folder / f"{safe_name(unit.case)}-{unit.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    path = call(adapter, case, replace(runner.job.settings, seed=unit.seed), stem)
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
