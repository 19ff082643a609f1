"""How a clip begins: its first two frames beside the reference picture its method was given."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark import resize
from benchmark.errors import InputError, Unscored
from benchmark.media import VideoInfo, decode, read_image
from benchmark.model import Frames, Rect
from benchmark.rows import OpeningVariant

if TYPE_CHECKING:
    from benchmark.jobs import CaseJob, Runner, Track

ASPECT = 0.02
"""Largest relative difference of width / height of the first frame and the reference picture: beyond it one of them was cropped, and they cannot be laid
over each other."""


def score_opening(runner: Runner, track: Track, job: CaseJob, truth: VideoInfo | None) -> None:
    """Score the variants that look at how a clip begins; the clip is opened again for it, and only where one was asked for."""
    asked = [(name, variant) for name, variant in track.view.of(OpeningVariant) if name not in track.reasons]
    if not asked:
        return
    try:
        if track.counted is not None:
            raise Unscored("ignore-unsupported", "how a clip begins cannot leave out a part of the picture")
        assert runner.info is not None
        first, picture = _frames(runner.info, runner.source.crop, 0, 2), reference_of(runner, job, truth)
        shapes = [side.shape[2] / side.shape[1] for side in (first, picture)]
        if abs(shapes[0] / shapes[1] - 1) > ASPECT:
            found, expected = (f"{side.shape[2]}x{side.shape[1]}" for side in (first, picture))
            raise Unscored("reference-aspect", f"the first frame is {found}, the reference picture {expected}")
        width, height = track.size
        sized = [resize.bicubic(side, height, width) for side in (first, picture)]
    except (InputError, Unscored) as error:
        reason = error if isinstance(error, Unscored) else Unscored(error.code, str(error))
        track.reasons |= dict.fromkeys((name for name, _ in asked), reason)
        return
    for name, variant in asked:
        try:
            track.clip_values[name] = variant.score(sized[0], sized[1][0])
        except Unscored as reason:
            track.reasons[name] = reason


def reference_of(runner: Runner, job: CaseJob, truth: VideoInfo | None) -> Frames:
    """(1, h, w, 3) of the truth's frame where the method names its own, else of the case's picture, else of the truth's frame that the case names.

    At its own size. Raises Unscored(`no-reference`) where none is known, InputError for a file that cannot be read.
    """
    if job.case.reference is not None and runner.source.reference_frame is None:
        picture: Frames = np.asarray(read_image(job.case.reference))[None]
        return picture
    if truth is None or job.case.truth is None or runner.reference is None:
        raise Unscored(
            "no-reference", "the picture the method was given is not known: --reference-frame NAME=K, or `reference` in cases.toml"
        )
    return _frames(truth, job.case.truth.crop, runner.reference, 1)


def _frames(info: VideoInfo, crop: Rect | None, first: int, count: int) -> Frames:
    """(count, h, w, 3) from frame `first` on, as decoded; fewer where the clip ends, at least one."""
    found: list[NDArray[np.uint8]] = []
    seen = 0
    with closing(decode(info, crop=crop)) as chunks:
        for chunk in chunks:
            found += list(chunk[max(0, first - seen) : max(0, first + count - seen)])
            seen += len(chunk)
            if seen >= first + count:
                break
    if not found:
        raise Unscored("no-reference", f"{info.path} has {seen} frames, the reference is frame {first}")
    return np.stack(found)
