"""Moving shapes made on the spot: six small clips that rehearse a paired suite on a machine without data. Integer arithmetic, equal everywhere."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Case, Source
from benchmark.registry import Maker

CLIPS, FRAMES, SIDE, FPS = 6, 24, 128, 15


def clip(number: int) -> NDArray[np.uint8]:
    """(24, 128, 128, 3) uint8: a tilted colour gradient with a fixed texture, a disc and two bars that travel over it."""
    t = np.arange(FRAMES, dtype=np.int64).reshape(-1, 1, 1)
    y = np.arange(SIDE, dtype=np.int64).reshape(1, -1, 1)
    x = np.arange(SIDE, dtype=np.int64).reshape(1, 1, -1)
    texture = (x * 7919 + y * 104729 + (x * y) * (number + 3)) % 17
    ground = [(40 + 20 * number + (a * x + b * y) // 3 + texture + 0 * t) % 256 for a, b in ((1, 1), (2, 0), (0, 2))]
    frames = np.stack([np.minimum(g, 200) for g in ground], axis=-1)
    cx, cy = 24 + (3 + number % 3) * t, 40 + 5 * number + _swing(t * (2 + number % 2), 24)
    disc = (x - cx) ** 2 + (y - cy) ** 2 < 18**2
    bar = (abs(x - (110 - 3 * t)) < 6) & (abs(y - 64) < 40)
    leg = (abs(y - (20 + 4 * t)) < 5) & (abs(x - 20 - 12 * number) < 12)
    for shape, colour in ((disc, (230, 170, 140)), (bar, (30, 60, 200)), (leg, (250, 240, 60))):
        frames[shape] = np.array(colour)
    return frames.astype(np.uint8)


def _swing(t: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return np.abs(t % (2 * width) - width)


def build(folder: Path) -> tuple[Case, ...]:
    """Write what is not there yet (lossless FFV1 and the reference as PNG) and return the cases. The first frame is the reference."""
    from benchmark.media import encode, write_png

    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for number in range(CLIPS):
        video, reference = folder / f"shapes-{number}.mkv", folder / f"shapes-{number}.png"
        if not video.exists():
            encode(video, [clip(number)], Fraction(FPS), codec="ffv1")
        if not reference.exists():
            write_png(reference, clip(number)[0])
        cases.append(
            Case(id=f"shapes-{number}", truth=Source(video), reference=reference, reference_frame=0, fps=Fraction(FPS), frames=FRAMES)
        )
    return tuple(cases)


SPEC = Maker(
    id="shapes", version=1, summary="six clips of 24 frames, 128x128, 15 fps: a disc and two bars over a textured gradient", build=build
)
