"""Networks in the pass: constant-shape batches, and features on disk under a key that names everything that decides their bits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.batches import too_large
from benchmark.data import canonical
from benchmark.errors import Unscored
from benchmark.model import Extractor, Forward, Frames

Sink = Callable[[NDArray[np.float32]], None]


class Node:
    """One extractor over one sequence of frames: collects windows, fills batches of the extractor's constant size, hands rows on in order.

    The forward's shape never depends on how frames arrive: the last batch is padded by repeating its last input, and the padding's rows are dropped.
    Raises Unscored(`nan-features`) when a row is not finite, (`out-of-memory`) when a batch does not fit.
    """

    def __init__(self, extractor: Extractor, forward: Forward, sinks: Iterable[Sink]) -> None:
        self.extractor = extractor
        self.forward = forward
        self.sinks = list(sinks)
        self.inputs = 0
        self._frames: list[NDArray[Any]] = []
        self._skip = 0
        self._batch: list[NDArray[Any]] = []
        self._sum: NDArray[np.float64] | None = None

    def push(self, frames: Frames) -> None:
        """(n, h, w, 3) further frames of the sequence."""
        for item in self.extractor.preprocess(frames):
            if self._skip:
                self._skip -= 1
                continue
            self._frames.append(item)
            if len(self._frames) == self.extractor.window:
                self._window()

    def finish(self) -> None:
        """Run what is left, padded; then hand on the mean where the extractor pools. A short tail is dropped or filled, as the extractor says."""
        if self._frames and self.extractor.window == 0:
            self._batch.append(np.stack(self._frames))
        elif self._frames and self.extractor.tail == "repeat-last":
            self._frames += [self._frames[-1]] * (self.extractor.window - len(self._frames))
            self._window()
        if self._batch:
            self._run()
        if self._sum is not None:
            for sink in self.sinks:
                sink((self._sum / self.inputs).astype(np.float32)[None])

    def _window(self) -> None:
        self._batch.append(self._frames[0] if self.extractor.window == 1 else np.stack(self._frames))
        self._skip = max(0, self.extractor.stride - self.extractor.window)
        self._frames = self._frames[self.extractor.stride :]
        if len(self._batch) == self.extractor.batch:
            self._run()

    def _run(self) -> None:
        real = len(self._batch)
        self._batch += [self._batch[-1]] * (self.extractor.batch - real)
        try:
            rows = np.asarray(self.forward(np.stack(self._batch)), np.float32)[:real]
        except (MemoryError, RuntimeError) as error:
            if (reason := too_large(error, self.extractor.id, len(self._batch))) is None:
                raise
            self._batch = []
            raise reason from error
        bad = np.flatnonzero(~np.isfinite(rows.reshape(real, -1)).all(axis=1))
        if len(bad):
            raise Unscored("nan-features", f"{self.extractor.id} gives non-finite features for input {self.inputs + int(bad[0])}")
        self._batch = []
        self.inputs += real
        if self.extractor.pool == "mean":
            total = rows.astype(np.float64).sum(axis=0)
            self._sum = total if self._sum is None else self._sum + total
            return
        for sink in self.sinks:
            sink(rows)


def look(extractor: Extractor, forward: Forward) -> Callable[[Frames], NDArray[np.float32]]:
    """A function of (n, h, w, 3) pictures of one size -> (n, d): each picture's row, in the extractor's constant batches."""

    def rows(pictures: Frames) -> NDArray[np.float32]:
        found: list[NDArray[np.float32]] = []
        node = Node(extractor, forward, [found.append])
        node.push(pictures)
        node.finish()
        return np.concatenate(found)

    return rows


def windows(extractor: Extractor, frames: int) -> int:
    """Number of network inputs an extractor makes of so many frames."""
    if frames < extractor.minimum:
        return 0
    if extractor.window == 0:
        return 1 if frames else 0
    whole = max(0, (frames - extractor.window) // extractor.stride + 1)
    if extractor.tail == "drop":
        return whole
    return whole + (frames > whole * extractor.stride)


def rows_of(extractor: Extractor, frames: int) -> int:
    """Number of rows an extractor gives for so many frames."""
    count = windows(extractor, frames)
    return min(count, 1) if extractor.pool == "mean" else count


def feature_key(
    extractor: Extractor, *, clip: str, frames: tuple[int, ...], view: Mapping[str, Any], weights: str, machine: Mapping[str, Any]
) -> str:
    """sha256 over clip content, frames chosen, crop and resize, extractor and its version, weights, device, libraries, TF32 and thread settings."""
    parts = {
        "clip": clip,
        "frames": hashlib.sha256(np.asarray(frames, "<i8").tobytes()).hexdigest(),
        "view": view,
        "extractor": [
            extractor.id,
            extractor.version,
            extractor.window,
            extractor.stride,
            extractor.tail,
            extractor.pool,
            extractor.batch,
            extractor.dimension,
        ],
        "weights": weights,
        "machine": machine,
    }
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


class Shards:
    """Feature files by key below the cache: `ab/abcdef....npy`, (n, d) float32, memory-mapped when read, complete or absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where a key's shard lies."""
        return self.folder / key[:2] / f"{key}.npy"

    def has(self, key: str) -> bool:
        """True when the shard is complete (it is moved into place only then)."""
        return self.path(key).exists()

    def load(self, key: str) -> NDArray[np.float32]:
        """Memory-mapped (n, d)."""
        loaded: NDArray[np.float32] = np.load(self.path(key), mmap_mode="r", allow_pickle=False)
        return loaded

    def writer(self, key: str, rows: int, dimension: int) -> ShardWriter:
        """A writer for `rows` rows; call `close()` to keep it."""
        return ShardWriter(self.path(key), rows, dimension)


class ShardWriter:
    """Rows into a temporary file, moved into place by `close`."""

    def __init__(self, path: Path, rows: int, dimension: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self.rows = rows
        self.done = 0
        # Plain writes, not a memory map: on a full disk a write raises an error, a map kills the process.
        self._file = self.temporary.open("wb")
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __call__(self, rows: NDArray[np.float32]) -> None:
        """Append (k, d)."""
        self._file.write(np.ascontiguousarray(rows, "<f4").tobytes())
        self.done += len(rows)

    def close(self) -> None:
        """Keep the shard; all rows must have come."""
        if self.done != self.rows:
            self.abandon()
            raise RuntimeError(f"{self.path.name}: {self.done} of {self.rows} rows")
        self._file.close()
        self.temporary.replace(self.path)

    def abandon(self) -> None:
        """Drop an unfinished shard."""
        with suppress(OSError):  # what a full disk did not take at closing is thrown away anyway
            self._file.close()
        with suppress(FileNotFoundError):
            self.temporary.unlink()
