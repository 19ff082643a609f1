"""Rows that are read from a file beside the clip: they take a network's place in the pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.features import Sink
from benchmark.media import VideoInfo, crop_box
from benchmark.model import Frames, Source
from benchmark.rows import Given, GivenExtractor

MISSING = "no-keypoints"


class Recital:
    """In a Node's place: hands on the next rows when frames come."""

    def __init__(self, rows: NDArray[np.float32], sinks: Iterable[Sink] = ()) -> None:
        self.rows, self.sinks, self._next = rows, list(sinks), 0

    def push(self, frames: Frames) -> None:
        """(n, h, w, 3) further frames of the sequence."""
        part = self.rows[self._next : self._next + len(frames)]
        self._next += len(frames)
        for sink in self.sinks:
            sink(part)

    def finish(self) -> None:
        """Nothing is left to do."""


def there(source: Source) -> Path | None:
    """The clip's file, where it has one that exists."""
    return source.keypoints if source.keypoints is not None and source.keypoints.is_file() else None


def lacking(source: Source, name: str) -> Unscored:
    """Why a variant has no rows of a clip."""
    if source.keypoints is not None:
        return Unscored(MISSING, f"{source.keypoints} is not there")
    return Unscored(MISSING, f"--keypoints {name}=DIR, or keypoints = FILE in cases.toml")


def rows(
    extractor: GivenExtractor, source: Source, info: VideoInfo, frames: tuple[int, ...], target: tuple[int, int]
) -> tuple[NDArray[np.float32], str]:
    """((n, d) of the compared frames, sha256 of the file); noughts where the clip has no file. Raises Unscored by the code of what is wrong with it."""
    path = there(source)
    if path is None:
        return np.zeros((len(frames), extractor.dimension), np.float32), "none"
    size = info.width, info.height
    box = crop_box(source.crop, *size) if source.crop else (0, 0, *size)
    try:
        content = path.read_bytes()
        every = np.asarray(extractor.read(Given(path, content, size, box, target)), np.float32)
        if len(every) != info.frames:
            raise InputError(
                "has another number of frames than its clip",
                code="bad-keypoints",
                path=path,
                found=f"{len(every)}",
                expected=f"{info.frames}, those of {info.path}",
            )
    except InputError as error:
        raise Unscored(error.code, str(error)) from error
    except OSError as error:
        raise Unscored("unreadable", f"{path}: {error}") from error
    return every[list(frames)], hashlib.sha256(content).hexdigest()
