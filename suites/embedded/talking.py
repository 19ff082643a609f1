"""Ten people who speak: heads and half bodies, their mouths opened by the very curve that made the sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.model import Case
from benchmark.registry import Maker
from suites.embedded import _film
from suites.embedded._film import Reel, Size
from suites.embedded._hashes import expected

if TYPE_CHECKING:
    from suites.embedded._render import Scene, Shot

PEOPLE, SECONDS = 10, 5
ID, VERSION = "talking", 1
SIZE = Size(frames=125, height=256, width=256, fps=Fraction(25))
SHIFTS = (-6, -3, 3, 6)
"""Frames by which the sound comes later in the versions beside each clip."""


def seed_of(number: int) -> int:
    """Of the voice of a person."""
    return number + 300


def stage(number: int, size: Size) -> tuple[Scene, list[Shot]]:
    """A person in a room, and the clip's poses: even numbers show the head, odd ones half the body."""
    from suites.embedded._camera import Camera, Room
    from suites.embedded._moves import speaking
    from suites.embedded._people import person
    from suites.embedded._render import Scene
    from suites.embedded._speech import speech

    looks = person(number + 40)
    scene = Scene(looks, Room(wall=number + 2, floor=number, depth=1.0, seed=number * 5 + 2))
    seconds = size.frames / float(size.fps)
    motion = speaking(number + 90, speech(seed_of(number), max(seconds, SECONDS)))
    height = 0.905 * looks.build.stature
    camera = Camera(at=(0.0, height, 1.75)) if number % 2 == 0 else Camera(at=(0.0, height - 0.25, 2.55))
    times = np.arange(size.frames) / float(size.fps)
    return scene, [scene.shot(motion(float(t)), camera) for t in times]


def draw(number: int, size: Size) -> Reel:
    """The clip of one person, drawn."""
    return _film.shoot(*stage(number, size), size)


def build(folder: Path) -> tuple[Case, ...]:
    """Draw and speak what is not there yet and return the cases. The first frame is the reference. Beside NAME.wav, NAME.late+3.wav holds the
    sound three frames later, and so on for all of `SHIFTS`.
    """
    from suites.embedded._speech import shifted, sound, speech, write_wav

    made = _film.build(folder, "talk", draw, PEOPLE, SIZE)
    cases = []
    for number, case in enumerate(made):
        path = folder / f"{case.id}.wav"
        versions = {by: folder / f"{case.id}.late{by:+d}.wav" for by in SHIFTS}
        if not all(each.exists() for each in (path, *versions.values())):
            samples = sound(speech(seed_of(number), SECONDS))
            for by, each in versions.items():
                write_wav(each, shifted(samples, by, float(SIZE.fps)))
            write_wav(path, samples)
        cases.append(replace(case, audio=path))
    return tuple(cases)


SPEC = Maker(
    id=ID,
    version=VERSION,
    summary="ten drawn people speak, 125 frames, 256x256, 25 fps, with sound and the mouth's opening",
    build=build,
    expected=partial(expected, ID, VERSION),
)
