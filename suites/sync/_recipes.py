"""From the faces of every frame to SyncNet's distances of every track, by the recipes in use. A recipe is what one of the tools does with a clip.

Codecs are left out: the tools write crops and frames as compressed files between their steps, here the decoded pixels go on as they are. That moves the
mean distances of frozen clips by 0.4 of 38 and Sync-C by 0.01 to 0.03 (measured with the tools' own files).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from suites.networks._syncnet import SIDE
from suites.sync import _crop, _retiming
from suites.sync._content import changes
from suites.sync._distances import Sync, summarise
from suites.sync._mfcc import SAMPLES
from suites.sync._retiming import RATE, Detector, Seconds, scenes
from suites.sync._tracks import LATENTSYNC, MOCHABENCH, SYNCNET_PYTHON, Box, Rule, Track, tracks_of_shots

Picture = NDArray[np.uint8]
Samples = NDArray[np.int16]
Distances = Callable[[Picture, Samples, bool], NDArray[np.float32]]
"""(crops (n, 224, 224, 3), their samples, padded) -> (windows, 31), NaN where nothing is compared; may raise Unscored(`too-short`)."""
MP3_DELAY = round(_retiming.MP3_DELAY / 3)
"""Samples at 16 kHz of silence before the sound in an AVI, from 48 kHz."""
MP3_FRAME = _retiming.MP3_FRAME // 3
FACTS = 8
"""Numbers about a track before its 31 mean distances: first frame, frames, detections, mean longer side of the face in pixels, its mean box."""
WIDTH = FACTS + 31
SHORT = 100
"""A track of fewer frames is flagged by the project's own recipe: the original tools give no number below."""


@dataclass(frozen=True)
class Times:
    """At 25 frames a second. shown: the source frame that each of the frames shows in which faces are looked for. counted: the same for the frames in
    which scenes are counted."""

    shown: Sequence[int]
    counted: Sequence[int]


@dataclass(frozen=True)
class Recipe:
    """How a tool makes tracks.

    times(frames, fps, seconds of uneven frames): its re-timing. hear: what becomes of the sound. padded: are lips compared with nothing, too?"""

    times: Callable[[int, float, Seconds | None], Times]
    rule: Rule
    detector: Detector
    hear: Callable[[Samples], Samples] = lambda samples: samples
    padded: bool = True


def _avi(version: _retiming.Version, frames: int, fps: float, at: Seconds | None = None) -> Times:
    return Times(_retiming.jpegs(frames, fps, version, at), [frame.source for frame in _retiming.avi(frames, fps, version, at)])


def _mp4(frames: int, fps: float, at: Seconds | None = None) -> Times:
    shown = _retiming.mp4(frames, fps, "7.0", at)
    return Times(shown, shown)


def nearest(frames: int, fps: float, at: Seconds | None = None) -> Times:
    """The frame nearest in time to 0, 1/25, 2/25 ... for as long as the clip lasts. at: when each is shown, in seconds, where they are uneven."""
    if at is not None:
        seconds = np.asarray(at, np.float64)
        wanted = np.arange(int((seconds[-1] + 1 / fps) * RATE + 1e-6)) / RATE
        here = np.searchsorted((seconds[1:] + seconds[:-1]) / 2, wanted - 1e-9).tolist()
        return Times(here, here)
    places = np.arange(int(frames * RATE / fps + 1e-6))
    shown = np.minimum(np.rint(places * fps / RATE), frames - 1).astype(np.int64).tolist()
    return Times(shown, shown)


def through_mp3(samples: Samples) -> Samples:
    """As the sound of an AVI comes back: 23 ms late, filled up with silence to whole MP3 frames."""
    length = MP3_DELAY + len(samples)
    return np.pad(samples, (MP3_DELAY, -length % MP3_FRAME))


PIPELINE_A = Recipe(partial(_avi, "5.1"), SYNCNET_PYTHON, "0.5.1", through_mp3)
PIPELINE_B = Recipe(partial(_avi, "7.0"), SYNCNET_PYTHON, "0.5.1", through_mp3)
LATENT = Recipe(_mp4, LATENTSYNC, "0.6.1")
MOCHA = Recipe(partial(_avi, "7.0"), MOCHABENCH, "0.6.6")
CLEAN = Recipe(nearest, Rule(min_track=24, size=48.0), "0.6.6", padded=False)


def follow(
    faces: Sequence[Sequence[Box]], fps: float, frames: Callable[[], Iterable[Picture]], recipe: Recipe, at: Seconds | None = None
) -> tuple[Times, list[Track]]:
    """The tracks of a clip, at least one. faces: of every source frame. frames: the source frames in order, as often as it is called.
    at: when each source frame is shown, in seconds, where they are uneven.

    Raises Unscored: `no-face`, `small-face`, `short-track` where there is no track, `bad-crop` for faces without area.
    """
    times = recipe.times(len(faces), fps if at is None else usual(at, fps), at)
    distinct, first = np.unique(np.asarray(times.counted), return_index=True)
    differ = changes(_picked(frames(), distinct.tolist()), recipe.detector)
    shots = scenes([int(first[place]) for place in differ], len(times.counted), recipe.detector)
    here = [faces[source] for source in times.shown]
    try:
        found = tracks_of_shots(here, shots, recipe.rule)
        if not found:
            raise _why(here, shots, recipe.rule)
    except ZeroDivisionError:  # the originals fail there
        raise Unscored("bad-crop", "two faces without area, of which nobody can say whether they are one") from None
    return times, found


def usual(at: Seconds, average: float) -> float:
    """Frames a second of most frames: by the median of their distances, the average where that is 0."""
    step = float(np.median(np.diff(at))) if len(at) > 1 else 0.0
    return round(1 / step, 6) if step > 0 else average


def _picked(frames: Iterable[Picture], wanted: Sequence[int]) -> Iterator[Picture]:
    left = iter(wanted)
    following = next(left, None)
    for number, frame in enumerate(frames):
        if number == following:
            yield frame
            following = next(left, None)


def _why(faces: Sequence[Sequence[Box]], shots: Sequence[tuple[int, int]], rule: Rule) -> Unscored:
    """The first rule that leaves nothing."""
    if not any(len(boxes) for boxes in faces):
        return Unscored("no-face", f"in none of {len(faces)} frames at 25 a second")
    if large := tracks_of_shots(faces, shots, replace(rule, size=0.0)):
        side = max(float(np.ptp(track.boxes.reshape(-1, 2, 2), axis=1).mean(axis=0).max()) for track in large)
        return Unscored("small-face", f"the largest is {side:.0f} pixels wide or high on average, more than {rule.size:.0f} are needed")
    longest = max((track.detections for track in tracks_of_shots(faces, shots, replace(rule, size=0.0, min_track=0))), default=0)
    return Unscored(
        "short-track", f"the longest run of one face is seen in {longest} frames at 25 a second, {rule.min_track + 1} are needed"
    )


def measure(
    faces: Sequence[Sequence[Box]],
    fps: float,
    frames: Callable[[], Iterable[Picture]],
    samples: Samples,
    recipe: Recipe,
    distances: Distances,
    at: Seconds | None = None,
) -> NDArray[np.float32]:
    """(tracks, WIDTH) of a clip, in the order in which they are found. Tracks without enough sound beside them are left out.

    Raises Unscored as `follow` does, `short-audio` where no track has enough sound, `bad-crop` where a face lies outside the frame.
    """
    times, tracks = follow(faces, fps, frames, recipe, at)
    heard = recipe.hear(samples)
    rows = {}
    for number, crops in cut_out(tracks, times, frames()):
        track = tracks[number]
        try:
            means = summarise(distances(crops, beside(heard, track), recipe.padded)).means
        except Unscored as reason:
            if reason.reason != "too-short":
                raise
            continue
        rows[number] = np.concatenate([heading(track), means])
    if not rows:
        raise Unscored(
            "short-audio",
            f"{len(samples) / 16_000:.2f} s of sound, the longest track lasts {max(len(t.frames) for t in tracks) / RATE:.2f} s",
        )
    return np.stack([rows[number] for number in sorted(rows)]).astype(np.float32)


def beside(samples: Samples, track: Track) -> Samples:
    """The sound of a track's frames, at 25 a second."""
    return samples[track.frames[0] * SAMPLES : (track.frames[-1] + 1) * SAMPLES]


def heading(track: Track) -> NDArray[np.float64]:
    """(FACTS,) what a row says of its track."""
    size = np.ptp(track.boxes.reshape(-1, 2, 2), axis=1).mean(axis=0).max()
    return np.concatenate([[track.frames[0], len(track.frames), track.detections, size], track.boxes.mean(axis=0)])


def cut_out(tracks: Sequence[Track], times: Times, frames: Iterable[Picture]) -> Iterator[tuple[int, Picture]]:
    """(number of the track, (n, 224, 224, 3)) of every track as soon as its last frame is there, from one reading of the source frames. In memory are the
    tracks under way: 150 KB a frame."""
    made: dict[int, Picture] = {}
    left = {number: len(track.frames) for number, track in enumerate(tracks)}
    wanted: dict[int, list[tuple[int, int, _crop.Rectangle]]] = {}
    for number, track in enumerate(tracks):
        for place, (frame, where) in enumerate(zip(track.frames, _crop.rectangles(track.boxes), strict=True)):
            wanted.setdefault(times.shown[frame], []).append((number, place, where))
    for source, frame in enumerate(frames):
        for number, place, where in wanted.get(source, ()):
            if number not in made:
                made[number] = np.empty((len(tracks[number].frames), SIDE, SIDE, 3), np.uint8)
            try:
                made[number][place] = _crop.square(frame, where)
            except ValueError as error:
                raise Unscored("bad-crop", str(error)) from error
            left[number] -= 1
            if not left[number]:
                yield number, made.pop(number)


@dataclass(frozen=True)
class Seen:
    """A track as its row tells, in frames at 25 a second and pixels."""

    first: int
    frames: int
    detections: int
    size: float
    box: tuple[float, float, float, float]

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {
            "first": self.first,
            "frames": self.frames,
            "detections": self.detections,
            "size": round(self.size, 1),
            "box": [round(value, 1) for value in self.box],
        }


def seen(row: NDArray[np.floating]) -> Seen:
    """What a row's first FACTS numbers say."""
    x1, y1, x2, y2 = map(float, row[4:FACTS])
    return Seen(int(row[0]), int(row[1]), int(row[2]), float(row[3]), (x1, y1, x2, y2))


def long_enough(tracks: Sequence[Seen]) -> list[bool]:
    """Which last at least half as long as the longest: a short track's score is high by chance."""
    longest = max(track.frames for track in tracks)
    return [2 * track.frames >= longest for track in tracks]


@dataclass(frozen=True)
class Followed:
    """A track and its scores."""

    seen: Seen
    sync: Sync


def followed(rows: NDArray[np.floating]) -> list[Followed]:
    """(tracks, WIDTH) -> the tracks. ValueError for rows of another width."""
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    return [Followed(seen(row), summarise(row[None, FACTS:].astype(np.float32))) for row in np.asarray(rows, np.float64)]
