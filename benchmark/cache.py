"""The user cache: what is in it, and how to empty it. Everything but weights can be made again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark import paths

PARTS = {
    "checkpoints": "tiny pipelines drawn from a seed",
    "clips": "clips that models made, by key",
    "features": "network features by content key",
    "graphs": "networks exported for onnxruntime",
    "suites": "clips of generated suites",
    "weights": "network weights (never pruned)",
}
PRUNED = ("checkpoints", "clips", "features", "graphs", "suites")


@dataclass(frozen=True)
class Part:
    """One folder of the cache."""

    name: str
    what: str
    files: int
    bytes: int


def contents() -> tuple[Path, list[Part]]:
    """The cache's folder and its parts."""
    root = paths.cache_dir()
    parts = []
    for name, what in PARTS.items():
        sizes = [path.stat().st_size for path in _files(root / name)]
        parts.append(Part(name, what, len(sizes), sum(sizes)))
    loose = [path.stat().st_size for path in root.glob("*") if path.is_file()] if root.is_dir() else []
    parts.append(Part("hashes", "sha256 of inputs by path, size and time; batches that did not fit", len(loose), sum(loose)))
    return root, parts


def prune(days: float) -> tuple[int, int]:
    """Delete features and made clips not read or written for `days` days; returns (files, bytes)."""
    limit = time.time() - days * 86400
    count = freed = 0
    for name in PRUNED:
        for path in _files(paths.cache_dir() / name):
            facts = path.stat()
            if max(facts.st_mtime, facts.st_atime) <= limit:
                path.unlink()
                count, freed = count + 1, freed + facts.st_size
    return count, freed


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else iter(())
