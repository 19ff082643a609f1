"""Re-timing to 25 frames a second as the lip-sync pipelines' ffmpeg does it: which source frame every frame afterwards shows, and the scenes.

joonson/syncnet_python@6efbb1c run_pipeline.py (and MoChaBench) write an AVI and from it JPEGs; bytedance/LatentSync@a229c39
eval/syncnet_detect.py writes an mp4. The rate conversion is ffmpeg's own (fftools/ffmpeg.c do_video_out; in 7.0 fftools/ffmpeg_filter.c
video_sync_process), which neither rounds to the nearest frame nor is the same in all versions:

- Up to 5.1 the AVI step only drops: below 25 frames a second an AVI holds the source's own frames at uneven places, and the JPEG step fills the
  holes. Faces are looked for in JPEGs, scenes in the AVI's frames, so the tail of a slow clip belongs to no scene. 7.0 repeats in the AVI.
- In the AVI sound starts before the picture, by less than a frame; the picture is then a place late, and the JPEGs show its first frame twice.
- A frame is kept until it is about two frames late: above 25 frames a second there are one or two frames more than the duration says.
- Before 7.0 a source frame lasts a whole number of frames of 25 a second, so of a clip at 16 the two rules show different frames, though their numbers
  agree on every frozen clip.

Sources are taken to have sound, and frames at k / fps exactly, the first at 0, or at the times that are given. Frozen are the numbers of frames
(syncnet_retiming.json); which frame is shown follows from the same arithmetic and is not frozen.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 25
"""Frames a second afterwards."""
Version = Literal["4.2", "5.1", "7.0"]
"""Of ffmpeg; 4.2 and 5.1 follow one rule."""
Detector = Literal["0.5.1", "0.6.1", "0.6.6"]
"""Of PySceneDetect."""
MIN_SCENE = 15
"""PySceneDetect's shortest scene in frames, as far as it keeps to it."""
AAC_FRAME, MP3_FRAME, MP3_DELAY = 1024, 1152, 1105
"""Samples."""


Seconds = Sequence[float] | NDArray[np.float64]


class Shown(NamedTuple):
    """A frame afterwards: its place at 25 frames a second, and the number of the source frame that it shows."""

    place: int
    source: int


def avi(frames: int, fps: float, version: Version, at: Seconds | None = None) -> list[Shown]:
    """The frames of the AVI that `-r 25` makes of `frames` source frames at `fps`, in order; places are uneven where the rule only drops.

    Places are those before the sound's delay. at: when each source frame is shown, in seconds; fps is then that of most of them. ValueError for an fps
    that is not above 0, a negative number of frames, or another number of times.
    """
    return _converted(_times(frames, fps, at), _duration(fps, version), repeats=version == "7.0")


def jpegs(frames: int, fps: float, version: Version, at: Seconds | None = None) -> list[int]:
    """The source frame that every JPEG shows: those of `avi`, a place later, every hole filled. Arguments and errors as of `avi`."""
    stored = avi(frames, fps, version, at)
    shown = _converted([float(frame.place + 1) for frame in stored], 1.0, repeats=True)
    return [stored[frame.source].source for frame in shown]


def mp4(frames: int, fps: float, version: Version, at: Seconds | None = None) -> list[int]:
    """The source frame that every frame of LatentSync's mp4 shows, and every JPEG made of it. Arguments and errors as of `avi`."""
    return [frame.source for frame in _converted(_times(frames, fps, at), _duration(fps, version), repeats=True)]


def avi_samples(frames: int, fps: float, rate: int = 48_000) -> int:
    """Samples at 16 kHz that the AVI route hands on, for a source with as much AAC sound at `rate` Hz as picture.

    AAC is decoded in whole frames of 1,024 samples; the AVI's MP3 puts 1,105 samples of silence before them and fills its last frame of 1,152.
    The fit of this rule to all twelve frozen clips, at 48 kHz, is its only evidence. ValueError as of `avi`.
    """
    _times(0, fps)
    decoded = math.ceil(round(rate * frames / fps) / AAC_FRAME) * AAC_FRAME
    return math.ceil((decoded + MP3_DELAY) / MP3_FRAME) * MP3_FRAME * 16_000 // rate


def scenes(changes: Collection[int], frames: int, detector: Detector) -> list[tuple[int, int]]:
    """Shots [first, end) of a clip of `frames` frames, given the frames whose content score is above the threshold (the first of a new shot).

    0.5.1: a cut counts unless the last one is less than 15 frames back; the first always does. 0.6.1: the same, but the first must come at frame 15 or
    later. 0.6.6: that too, and changes that follow one less than 15 frames back are merged: if such a run lasts 15 frames, its end is one cut, after 15
    quiet frames. The score itself is that of `_content`. ValueError for a change outside 1..frames-1.

    PySceneDetect v0.5.1 and v0.6.1 scenedetect/detectors/content_detector.py; v0.6.6 scenedetect/scene_detector.py FlashFilter, mode MERGE.
    """
    if any(not 0 < change < frames for change in changes):
        raise ValueError(f"a change must lie within 1..{frames - 1}")
    if detector == "0.6.6":
        cuts = _merged_cuts(set(changes), frames)
    else:
        cuts = _cuts_in_order(sorted(changes), -MIN_SCENE if detector == "0.5.1" else 0)
    return list(zip([0, *cuts], [*cuts, frames], strict=True))


def _times(frames: int, fps: float, at: Seconds | None = None) -> list[float]:
    """When source frames are shown, in frames of 25 a second."""
    if fps <= 0 or frames < 0:
        raise ValueError(f"{frames} frames at {fps} a second cannot be re-timed")
    if at is not None:
        if len(at) != frames:
            raise ValueError(f"{frames} frames, {len(at)} times")
        return [round(float(second) * RATE, 9) for second in at]  # a place that is whole must stay so
    return [frame * RATE / fps for frame in range(frames)]


def _duration(fps: float, version: Version) -> float:
    """How long ffmpeg takes a source frame to last, in frames of 25 a second: in whole frames, unless that is none, before 7.0."""
    exact = RATE / fps
    return exact if version == "7.0" else float(round(exact)) or exact


def _converted(times: Sequence[float], duration: float, repeats: bool) -> list[Shown]:
    """ffmpeg's rate conversion of frames at `times`: constant rate, which repeats and drops (CFR), or variable, which only drops (VFR).

    `late` is how far a frame lies after the place that is next to be written; negative when it should have been there before. A frame that is much
    later is written several times, and the first of these copies show the frame before it. At the end the last frame is repeated as often as
    the median of the last three frames' predecessors were.
    """
    place, shown, history = 0, [], [0, 0, 0]
    for source, time in enumerate(times):
        late = (time if time == round(time) else time + 2.0**-17) - place
        end, copies, before = late + duration, 1, 0
        late = 0.0 if late < 0 < end else late
        if repeats:
            if end < -1.1:
                copies = 0
            elif end > 1.1:
                copies = round(end)
                before = min(round(late - 0.6), copies) if late > 1.1 and source else 0
        elif end <= -0.6:
            copies = 0
        elif end > 0.6:
            place += round(late)
        history = [before, *history[:2]]
        for copy in range(copies):
            shown.append(Shown(place, source - 1 if copy < before else source))
            place += 1
    shown += [Shown(place + extra, len(times) - 1) for extra in range(sorted(history)[1])]
    return shown


def _cuts_in_order(changes: Sequence[int], last: int) -> list[int]:
    cuts: list[int] = []
    for change in changes:
        if change - last >= MIN_SCENE:
            cuts.append(change)
            last = change
    return cuts


def _merged_cuts(changes: Collection[int], frames: int) -> list[int]:
    cuts: list[int] = []
    last, run = 0, -1
    for frame in range(frames):
        quiet, changed = frame - last >= MIN_SCENE, frame in changes
        last = frame if changed else last
        if run >= 0:
            if quiet and not changed and last - run >= MIN_SCENE:
                cuts.append(last)
                run = -1
        elif changed and quiet:
            cuts.append(frame)
        elif changed and cuts:
            run = frame
    return cuts
