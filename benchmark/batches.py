"""Batch sizes that did not fit into a device's memory. A batch is a constant of a run: a smaller one is remembered for the runs that follow."""

from __future__ import annotations

import json
from pathlib import Path

from benchmark import machine, paths
from benchmark.errors import Unscored


def path() -> Path:
    """Where they are kept: `batches.json` in the cache."""
    return paths.cache_dir() / "batches.json"


def known(extractor: str, device: str) -> int | None:
    """The largest batch not known to be too large for this device, None where nothing is known."""
    return _table().get(_name(extractor, device))


def remember(extractor: str, device: str, failed: int) -> int | None:
    """A batch of `failed` inputs did not fit: half of it is taken from the next run on, which is returned; None where there is no half."""
    if failed < 2:
        return None
    half = failed // 2
    paths.write_atomic(path(), json.dumps({**_table(), _name(extractor, device): half}, indent=1, sort_keys=True))
    return half


def too_large(error: BaseException, extractor: str, batch: int) -> Unscored | None:
    """The reason where an error of a forward says that memory ran out (torch's OutOfMemoryError, its CPU allocator, Python's MemoryError)."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return Unscored("out-of-memory", f"{extractor}: a batch of {batch} does not fit into memory") if known else None


def _name(extractor: str, device: str) -> str:
    return f"{extractor} on {', '.join(machine.gpus()) or device}" if device != "cpu" else f"{extractor} on cpu"


def _table() -> dict[str, int]:
    return dict(json.loads(path().read_bytes())) if path().exists() else {}
