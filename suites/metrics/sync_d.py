"""Sync-D: how far lips and sound are apart at their best offset; a constant delay costs nothing."""

from __future__ import annotations

from benchmark.model import Metric
from suites.metrics._sync import smallest

SPEC = Metric(
    name="sync-d",
    title="Sync-D",
    higher_is_better=False,
    unit="",
    decimals=3,
    variants=smallest("the least over the offsets", "the mean distance at offset 0, sound and picture as they are"),
)
