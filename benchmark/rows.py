"""Variants that rest on what an extractor finds in every frame - keypoints, boxes, masks: numbers of one clip, and of regions of its pictures.

And those that look at how a clip begins, beside its reference picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor, Forward, Frames, Values, Variant, mean

Look = Callable[[Frames], NDArray[np.float32]]
"""(n, h, w, 3) pictures of one size -> (n, d) rows of a network, run in its own constant batches."""

Rows = NDArray[np.float32]
"""(n, d) what an extractor found, one row a compared frame; positions in pixels of the compared picture, the first pixel's centre at 0.5."""


def thinned(count: int, fps: float, rate: float) -> NDArray[np.int64]:
    """Numbers of the frames nearest in time to 0, 1/rate, 2/rate ... of `count` frames at `fps` a second; all where fps is no higher than rate."""
    if fps <= rate:
        return np.arange(count)
    wanted = np.rint(np.arange(int(count * rate / fps) + 2) * fps / rate).astype(np.int64)
    found: NDArray[np.int64] = wanted[wanted < count]
    return found


@dataclass(frozen=True)
class Found:
    """What an extractor found on a unit under a view. generated, truth: (n, d) each, truth only where the variant is paired. size: (width, height) of
    the compared pictures. fps: frames a second of the compared sequence, None where it is not known. reference: (1, d) of the case's reference picture,
    at its own size, where the variant asks for it.
    """

    generated: Rows
    truth: Rows | None
    size: tuple[int, int]
    fps: float | None
    reference: Rows | None = None


@dataclass(frozen=True)
class Facts:
    """What a record says of a clip beside its value. flags: shown with the table's number. more: JSON, kept in the journal."""

    flags: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Again:
    """A clip at hand once more, after the pass. rows: (n, d) of the extractor underneath, one a compared frame. frames: the compared frames in order,
    some at a time, as often as it is called. sound: int16 at 16 kHz from the first compared frame on, None where it was not asked for. size: (width,
    height). fps: compared frames a second, on average. times: (n,) seconds from the first to each compared frame, None where they are even.
    """

    rows: Rows
    frames: Callable[[], Iterator[Frames]]
    sound: NDArray[np.int16] | None
    size: tuple[int, int]
    fps: float
    times: NDArray[np.float64] | None = None


def _unchanged(frames: Frames) -> Frames:
    return frames


@dataclass(frozen=True, kw_only=True)
class ClipExtractor(Extractor):
    """A network that looks at a clip again, where another one has found something in it: a followed face, cut out. Its `build` gives a function
    Again -> (k, d) float32, as many rows as there are things; it may raise Unscored. over: the extractor underneath, which gives one row a frame.
    """

    over: str
    window: int = 0
    batch: int = 1
    preprocess: Callable[[Frames], NDArray[Any]] = _unchanged


@dataclass(frozen=True)
class Given:
    """A file of keypoints as it is to be read. path, content: for messages, and its bytes. size: (width, height) of the decoded picture. box: (x, y, w, h)
    of it that is kept. target: (width, height) at which that is compared.
    """

    path: Path
    content: bytes
    size: tuple[int, int]
    box: tuple[int, int, int, int]
    target: tuple[int, int]


def _no_network(state: Any, device: str) -> Any:
    raise TypeError("its rows are read, not computed")


@dataclass(frozen=True, kw_only=True)
class GivenExtractor(Extractor):
    """Rows that come with the data: read(Given) -> (frames of the clip, d), in pixels of the compared picture; raises InputError for another file. A
    frame whose file says nothing is a row of noughts.
    """

    read: Callable[[Given], Rows]
    batch: int = 1
    preprocess: Callable[[Frames], NDArray[Any]] = _unchanged
    build: Callable[[Any, str], Forward] = _no_network


@dataclass(frozen=True, kw_only=True)
class ClipVariant(Variant):
    """Arithmetic on the rows of one clip.

    score: Found -> one value a frame (pooled; NaN = left out for the stated reason), or the clip's value where it has no value by frame; may raise
    Unscored. paired: needs the truth's rows, and is not applicable without a truth. reference: needs the reference picture's row, and leaves the clip
    unscored where that picture is not known; its extractor then gives one row a frame. tell: what the record says of the clip beside its value.
    """

    extractor: str
    score: Callable[[Found], Values | float]
    pool: Callable[[Values], float] = mean
    left_out: str = ""
    paired: bool = False
    tell: Callable[[Found], Facts] | None = None
    reference: bool = False


@dataclass(frozen=True, kw_only=True)
class RegionVariant(Variant):
    """Arithmetic on regions of aligned frames that rows tell: score(generated (n, h, w, 3), truth, rows of generated (n, d), rows of truth) -> (n,);
    NaN = a frame without the region, left out for the stated reason. Its extractor gives one row a frame. An ignored inset leaves the clip unscored.
    both: are the generated frame's rows looked at, or the truth's alone?
    network: a second extractor (one picture an input) for what the region shows; `score` then gets a Look through it as its fifth argument. Whatever
    it is shown must be of one size, so that its forward's shape is a constant.
    """

    extractor: str
    score: Callable[..., Values]
    left_out: str
    pool: Callable[[Values], float] = mean
    both: bool = True
    network: str | None = None


@dataclass(frozen=True, kw_only=True)
class OpeningVariant(Variant):
    """Arithmetic on how a clip begins: score(its first two frames (2, h, w, 3), the case's reference picture (h, w, 3)) -> the clip's value; may raise
    Unscored. A clip of one frame has one.

    Both at the compared size, on 0..255. The reference is the case's picture, else the truth's frame that is known to be it; where neither is known
    the clip is unscored. No rule about which frames are compared touches it.
    """

    score: Callable[[Frames, Frames], float]


def extractors(variant: Variant) -> tuple[str, ...]:
    """Ids of the extractors a variant of any kind rests on."""
    return tuple(name for name in (getattr(variant, "extractor", None), getattr(variant, "network", None)) if name is not None)


def on_regions(extractor: str) -> str:
    """Under which name the journal keeps what is to be said of a region's second network."""
    return f"{extractor} on regions"
