"""Dynamic degree of VBench: how much optical flow makes a clip move. The flow itself is RAFT's, given as a function of arrays.

After Vchitect/VBench@45e79ec vbench/dynamic_degree.py and vbench/third_party/RAFT/core/utils_core/utils.py (InputPadder).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Frames

FPS = 8
"""Frames a second that a clip is thinned to, as nearly as a whole step allows."""
LARGEST = 0.05
"""Part of a frame whose flow counts."""
LENGTH = 6.0
"""Pixels of flow that are motion where the shorter side is 256."""
STEP = 8
"""Frames are padded to multiples of it."""

Field = NDArray[np.float32]
Flow = Callable[[NDArray[np.float32], NDArray[np.float32]], Field]
"""Two frames (h, w, 3) float32 on 0..255, h and w multiples of 8 -> (2, h, w) flow from the first to the second, x and y in pixels."""


def interval(fps: float | Fraction) -> int:
    """Every which frame of a clip is looked at: fps / 8 rounded, halves to even, at least 1. VBench thins videos, not folders of pictures.

    ValueError unless fps > 0.
    """
    if not fps > 0:
        raise ValueError(f"frames a second are above 0, not {fps}")
    return max(1, round(fps / FPS))


def sampled(frames: int, fps: float | Fraction) -> range:
    """Numbers of the frames that are looked at, from frame 0."""
    return range(0, frames, interval(fps))


def pads(height: int, width: int) -> tuple[int, int, int, int]:
    """Pixels to add at the left, right, top and bottom for multiples of 8: split evenly, the odd one at the right and below."""
    across, down = -width % STEP, -height % STEP
    return across // 2, across - across // 2, down // 2, down - down // 2


def pad(frame: NDArray[Any]) -> NDArray[np.float32]:
    """(h, w, 3) -> (h', w', 3) float32 with both sides multiples of 8, the edge repeated."""
    left, right, top, bottom = pads(frame.shape[0], frame.shape[1])
    return np.pad(frame.astype(np.float32), ((top, bottom), (left, right), (0, 0)), mode="edge")


def counted(height: int, width: int) -> int:
    """How many of a field's vectors are averaged: a twentieth, cut off."""
    return int(height * width * LARGEST)


def largest_mean(field: Field) -> float:
    """Mean length of the longest twentieth of a (2, h, w) flow, in pixels.

    ValueError for another shape, and below 20 vectors, where VBench takes the mean of nothing. The clip's own flow has at least 64.
    """
    if field.ndim != 3 or field.shape[0] != 2:
        raise ValueError(f"a flow is (2, h, w), not {field.shape}")
    n = counted(*field.shape[1:])
    if n < 1:
        raise ValueError(f"no twentieth of {field.shape[1]}x{field.shape[2]} vectors")
    lengths = np.sqrt(np.square(field).sum(axis=0)).ravel()
    return float(np.partition(lengths, lengths.size - n)[-n:].mean(dtype=np.float64))


def threshold(height: int, width: int) -> float:
    """Pixels that a pair's flow must exceed to count as motion: 6 for a shorter side of 256, in proportion. Sides of the frame without padding."""
    return LENGTH * (min(height, width) / 256.0)


def needed(frames: int) -> int:
    """How many pairs must count for a clip of so many thinned frames to move: a quarter of the frames, rounded, halves to even."""
    return round(4 * (frames / 16.0))


def moves(lengths: Iterable[float], above: float, pairs: int) -> bool:
    """Whether as many as `pairs` of the pairs' lengths are strictly above a threshold.

    Two frames need no pair, so that any one says that they move; one frame has no pair, and does not.
    """
    found = [length > above for length in lengths]
    return bool(found) and sum(found) >= pairs


def lengths(frames: Frames, flow: Flow) -> list[float]:
    """(n, h, w, 3) thinned frames on 0..255 -> n - 1 lengths in pixels, one a pair of successive frames: `largest_mean` of padded frames' flow.

    The flow is not cropped back: what RAFT finds on the padding counts too. ValueError where the flow has another size than the padded frames.
    """
    found = []
    for first, second in pairwise(pad(frame) for frame in frames):
        field = flow(first, second)
        if field.shape != (2, *first.shape[:2]):
            raise ValueError(f"the flow of {first.shape[0]}x{first.shape[1]} pixels is not {field.shape}")
        found.append(largest_mean(field))
    return found


def dynamic(frames: Frames, flow: Flow) -> bool:
    """Whether (n, h, w, 3) thinned frames on 0..255 move: VBench's answer for a clip. Its score of a set is the share of clips that do."""
    height, width = frames.shape[1:3]
    return moves(lengths(frames, flow), threshold(height, width), needed(len(frames)))


def degree(clips: Sequence[bool]) -> float:
    """Share of clips that move, on [0, 1]. ValueError for no clips."""
    if not clips:
        raise ValueError("no clips")
    return sum(clips) / len(clips)
