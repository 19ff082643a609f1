"""Ten people who turn before a plain ground, in skirts and wide sleeves that swing: what the ubc-fashion suite runs on where there is no data."""

from __future__ import annotations

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

PEOPLE = 10
ID, VERSION = "ubc-fashion", 1
SIZE = Size(frames=49, height=256, width=256, fps=Fraction(15))


def stage(number: int, size: Size) -> tuple[Scene, list[Shot]]:
    """A person in a room, and the clip's poses."""
    from suites.embedded._camera import Camera, Room
    from suites.embedded._moves import lag, turning
    from suites.embedded._people import person
    from suites.embedded._render import Scene

    looks = person(
        2 * number + 21 if number % 3 else 2 * number + 20, skirt=None if number % 3 == 0 else 0.40 + 0.05 * (number % 5), loose=0.9
    )
    scene = Scene(looks, Room(plain=True, depth=2.5, seed=number))
    motion = turning(number + 70, size.frames / float(size.fps))
    times = np.arange(size.frames) / float(size.fps)
    swing = lag(motion, looks.build, times)
    camera = Camera(at=(0.0, 0.93, 4.9))
    return scene, [scene.shot(motion(float(t)), camera, swing[k]) for k, t in enumerate(times)]


def draw(number: int, size: Size) -> Reel:
    """The clip of one person, drawn."""
    return _film.shoot(*stage(number, size), size)


def build(folder: Path) -> tuple[Case, ...]:
    """Draw what is not there yet and return the cases. The first frame is the reference."""
    return _film.build(folder, "turn", draw, PEOPLE, SIZE)


SPEC = Maker(
    id=ID,
    version=VERSION,
    summary="ten drawn people turn once, 49 frames, 256x256, 15 fps, plain ground",
    build=build,
    expected=partial(expected, ID, VERSION),
)
