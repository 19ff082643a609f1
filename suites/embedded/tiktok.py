"""Ten people who dance in ten rooms before a hand-held camera: what the tiktok suite runs on where there is no data."""

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
ID, VERSION = "tiktok", 1
SIZE = Size(frames=24, height=256, width=256, fps=Fraction(15))


def stage(number: int, size: Size) -> tuple[Scene, list[Shot]]:
    """A person in a room, and the clip's poses."""
    from suites.embedded._camera import Camera, Room
    from suites.embedded._moves import dance, draws, lag
    from suites.embedded._people import person
    from suites.embedded._render import Scene

    looks = person(number)
    scene = Scene(looks, Room(wall=number, floor=number * 3 + 1, depth=1.2 + 0.15 * (number % 4), seed=number * 3 + 1))
    motion = dance(number + 40, vigour=0.8 + 0.04 * number)
    times = np.arange(size.frames) / float(size.fps)
    swing = lag(motion, looks.build, times)
    d = draws(number + 500, 8)
    shots = []
    for k, time in enumerate(times):
        wave = 2 * np.pi * float(time)
        shake = (
            0.006 * float(np.sin(wave * 1.1 + 6 * d[0])) + 0.003 * float(np.sin(wave * 2.7 + 6 * d[1])),
            0.005 * float(np.sin(wave * 0.9 + 6 * d[2])),
        )
        camera = Camera(
            at=(0.15 * float(d[3]) - 0.075, 0.90 + 0.08 * float(d[4]), 4.75 + 0.5 * float(d[5])),
            shift=shake,
            roll=0.008 * float(np.sin(wave * 0.7 + 6 * d[6])),
        )
        shots.append(scene.shot(motion(float(time)), camera, swing[k]))
    return scene, shots


def draw(number: int, size: Size) -> Reel:
    """The clip of one person, drawn."""
    return _film.shoot(*stage(number, size), size)


def build(folder: Path) -> tuple[Case, ...]:
    """Draw what is not there yet and return the cases. The first frame is the reference."""
    return _film.build(folder, "dance", draw, PEOPLE, SIZE)


SPEC = Maker(
    id=ID,
    version=VERSION,
    summary="ten drawn people dance, 24 frames, 256x256, 15 fps, with exact keypoints, masks, surface and flow",
    build=build,
    expected=partial(expected, ID, VERSION),
)
