"""Sync offset: where the sound fits best, in frames at 25 a second; above 0 it is early."""

from __future__ import annotations

from benchmark.model import Metric
from suites.metrics._sync import offsets

SPEC = Metric(
    name="sync-offset",
    title="sync offset",
    higher_is_better=None,
    unit="frames",
    decimals=1,
    variants=offsets("the offset of the least, above 0 = the sound is early"),
)
