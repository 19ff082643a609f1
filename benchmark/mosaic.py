"""Several clips in one video, frame beside frame: whatever plays it shows them in step, for they are one picture. Nothing is scored on it."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.media import REPEATABLE, SOUND_RATE, decode, encode, from_second, probe, read_sound
from benchmark.model import Rect
from benchmark.paths import write_atomic

LARGEST = 3840
"""Pixels of the whole picture's longer side at most: what H.264 decoders of phones take."""
EMPTY = 118
"""Grey level of a place where a clip has no frame."""
BUNCH = 24
"""Frames between two that can be sought directly: a second at most."""


@dataclass(frozen=True)
class Strip:
    """One clip of a mosaic. frames: number of the clip's frame at each step, never decreasing, -1 where it has none. crop: (x, y, w, h) in pixels of the
    turned picture. fps: of a folder of frames."""

    path: Path
    frames: Sequence[int]
    crop: tuple[int, int, int, int] | None = None
    fps: Fraction | None = None


Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


def layout(sizes: Sequence[tuple[int, int]], side: int) -> tuple[list[Box], tuple[int, int]]:
    """Where clips of these (width, height) lie, and the whole's size: a grid of equal places, a clip's longer side `side` pixels (less where the whole would
    be larger than a decoder takes), sizes even. A clip keeps its shape and lies in the middle of its place."""
    columns = ceil(sqrt(len(sizes)))
    rows = ceil(len(sizes) / columns)
    side = min(side, LARGEST // columns, LARGEST // rows)
    fitted = [tuple(max(2, round(n * side / max(size) / 2) * 2) for n in size) for size in sizes]
    wide, high = max(w for w, _ in fitted), max(h for _, h in fitted)
    boxes = []
    for number, (w, h) in enumerate(fitted):
        x, y = number % columns * wide + (wide - w) // 4 * 2, number // columns * high + (high - h) // 4 * 2
        boxes.append((x, y, w, h))
    return boxes, (columns * wide, rows * high)


def write_mosaic(strips: Sequence[Strip], path: Path, fps: Fraction, side: int = 360) -> list[Box]:
    """Write an H.264 .mp4 of as many steps as `frames` has, each strip in its box; returns the boxes. Same clips, same bytes. Raises InputError for a clip
    that cannot be read."""
    infos = [probe(strip.path, fps=strip.fps) for strip in strips]
    sizes = [(info.width, info.height) if strip.crop is None else strip.crop[2:] for strip, info in zip(strips, infos, strict=True)]
    boxes, whole = layout(sizes, side)
    readers = [_shown(strip, box) for strip, box in zip(strips, boxes, strict=True)]

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for row in zip(*readers, strict=True):
            picture = np.full((whole[1], whole[0], 3), EMPTY, np.uint8)
            for (x, y, w, h), found in zip(boxes, row, strict=True):
                if found is not None:
                    picture[y : y + h, x : x + w] = found
            yield picture

    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"crf": "23", "preset": "veryfast", "g": str(BUNCH), "bf": "0", **REPEATABLE}
    encode(path, pictures(), fps, codec="h264", options=options)
    return boxes


def _shown(strip: Strip, box: Box) -> Iterator[NDArray[np.uint8] | None]:
    """The picture at each step, at the box's size."""
    import cv2

    info = probe(strip.path, fps=strip.fps)
    x, y, w, h = strip.crop or (0, 0, info.width, info.height)
    rect = Rect(x, y, w, h)
    with closing(decode(info, crop=rect, chunk=4)) as chunks:
        pictures = (picture for chunk in chunks for picture in chunk)
        at, small = -1, None
        for wanted in strip.frames:
            if wanted < 0:
                yield None
                continue
            picture = None
            while at < wanted:
                picture, at = next(pictures), at + 1
            if picture is not None:
                small = cv2.resize(picture, box[2:], interpolation=cv2.INTER_AREA)
            yield small


def write_sound(clip: Path, start: Fraction, seconds: Fraction, path: Path) -> None:
    """The clip's sound from `start` on (below 0: that long a silence first), `seconds` long with silence behind it, 16 kHz mono, 16 bits, as .wav. Raises
    InputError, Unscored where it has none that can be read."""
    samples = from_second(read_sound(clip), max(start, Fraction(0)))
    whole = np.zeros(round(seconds * SOUND_RATE), "<i2")
    late = min(round(max(-start, Fraction(0)) * SOUND_RATE), len(whole))
    heard = samples[: len(whole) - late]
    whole[late : late + len(heard)] = heard
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes(whole.tobytes())
    write_atomic(path, held.getvalue())
