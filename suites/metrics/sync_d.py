"""Sync-D: how far lips and sound are apart at their best offset; a constant delay costs nothing."""

from __future__ import annotations

from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.metrics._sync import DEVIATION, HOW, SOURCE, sync


def _score(found: Found) -> float:
    return sync(found).distance


SPEC = Metric(
    name="sync-d",
    title="Sync-D",
    higher_is_better=False,
    unit="",
    decimals=3,
    variants=(
        ClipVariant(
            id="wav2lip-wholeframe",
            extractor="syncnet-wholeframe",
            score=_score,
            summary=f"{HOW}; the least over the offsets; mean over clips",
            source=SOURCE,
            deviation=DEVIATION,
        ),
    ),
)
