"""Comparisons of stored set metrics: the same clip deleted on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmark import statistics
from benchmark.record import Record


def replicate(record: Record, method: str, protocol: str, name: str) -> Mapping[str, Any] | None:
    """A set metric's values without some of its clips; None for metrics with a value a clip."""
    for item in record.replicates:
        if (item["adapter"], item["protocol"], f"{item['metric']}@{item['variant']}") == (method, protocol, name):
            return item
    return None


def set_comparison(
    a: Mapping[str, Any], b: Mapping[str, Any], higher_is_better: bool | None, margin: float | None = None
) -> statistics.Comparison | None:
    """The jackknife of the difference of two replicates; None where they are not of the same clips, or one is not scored without the same ones."""
    ours, theirs = deleted(a), deleted(b)
    if list(a["clips"]) != list(b["clips"]) or set(ours) != set(theirs):
        return None
    n = len(a["clips"])

    def stored(values: Mapping[tuple[int, ...], float]) -> statistics.Statistic:
        return lambda kept: values[tuple(np.setdiff1d(np.arange(n), kept).tolist())]

    return statistics.jackknife_difference(stored(ours), stored(theirs), n, higher_is_better, margin=margin)


def deleted(item: Mapping[str, Any]) -> dict[tuple[int, ...], float]:
    """{indices of the clips that were deleted: value without them}."""
    return {tuple(gone): value for gone, value in item["values"]}
