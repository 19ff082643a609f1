"""Sync-C: how much better the sound fits at its best offset than at the usual one."""

from __future__ import annotations

from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.metrics._sync import DEVIATION, HOW, SOURCE, sync


def _score(found: Found) -> float:
    return sync(found).confidence


SPEC = Metric(
    name="sync-c",
    title="Sync-C",
    higher_is_better=True,
    unit="",
    decimals=3,
    variants=(
        ClipVariant(
            id="wav2lip-wholeframe",
            extractor="syncnet-wholeframe",
            score=_score,
            summary=f"{HOW}; median over the offsets less the least; mean over clips",
            source=SOURCE,
            deviation=DEVIATION,
        ),
    ),
)
