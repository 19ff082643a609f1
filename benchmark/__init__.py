"""Benchmark and evaluation of human-video generation: numbers that can be trusted and traced.

benchmark.run(suite="tiktok", truth="truth/", outputs={"mine": "mine/"})   -> Record
benchmark.load("runs/tiktok-1a2b3c4d")                                     -> Record
benchmark.metric("ssim@gaussian")(generated, truth)                        -> one value a frame
benchmark.torchmetric("fid@clean")                                         -> a torchmetrics Metric for training loops
benchmark.statistics.frechet_distance(x, y, ddof=1)                        -> a distance of (n, d) features
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark import statistics
    from benchmark.api import metric, run, torchmetric
    from benchmark.errors import InputError, Unscored
    from benchmark.record import Record, load

__all__ = ["InputError", "Record", "Unscored", "load", "metric", "run", "statistics", "torchmetric"]

_HOME = {
    "run": "api",
    "metric": "api",
    "torchmetric": "api",
    "load": "record",
    "Record": "record",
    "InputError": "errors",
    "Unscored": "errors",
}


def __getattr__(name: str) -> Any:
    """Public names are loaded when first used, so that `--help` stays quick."""
    if name == "statistics":
        return importlib.import_module("benchmark.statistics")
    if name in _HOME:
        return getattr(importlib.import_module(f"benchmark.{_HOME[name]}"), name)
    raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
