"""Sync-C: how much better the sound fits at its best offset than at the usual one."""

from __future__ import annotations

from benchmark.model import Metric
from suites.metrics._sync import confidences

SPEC = Metric(
    name="sync-c",
    title="Sync-C",
    higher_is_better=True,
    unit="",
    decimals=3,
    variants=confidences("median over the offsets less the least"),
)
