"""Ten close views of hands: fingers that bend, cross, count, and leave the picture."""

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

VIEWS = 10
ID, VERSION = "hand-bench", 1
SIZE = Size(frames=24, height=512, width=512, fps=Fraction(15))


def stage(number: int, size: Size) -> tuple[Scene, list[Shot]]:
    """A person in a room, and the clip's poses."""
    from suites.embedded._camera import Camera, Room
    from suites.embedded._moves import gesturing
    from suites.embedded._people import person
    from suites.embedded._render import Scene

    looks = person(number + 60)
    scene = Scene(looks, Room(wall=number + 1, floor=number, depth=0.9, seed=number * 7 + 3))
    motion = gesturing(number, size.frames / float(size.fps))
    camera = Camera(at=(0.0, 0.80 * looks.build.stature, 1.80))
    times = np.arange(size.frames) / float(size.fps)
    return scene, [scene.shot(motion(float(t)), camera) for t in times]


def draw(number: int, size: Size) -> Reel:
    """The clip of one person, drawn."""
    return _film.shoot(*stage(number, size), size)


def build(folder: Path) -> tuple[Case, ...]:
    """Draw what is not there yet and return the cases. The first frame is the reference."""
    return _film.build(folder, "hands", draw, VIEWS, SIZE)


SPEC = Maker(
    id=ID,
    version=VERSION,
    summary="ten close views of drawn hands, 24 frames, 512x512, 15 fps",
    build=build,
    expected=partial(expected, ID, VERSION),
)
