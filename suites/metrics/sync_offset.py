"""Sync offset: where the sound fits best, in frames at 25 a second; above 0 it is early."""

from __future__ import annotations

from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.metrics._sync import DEVIATION, HOW, SOURCE, sync


def _score(found: Found) -> float:
    return float(sync(found).offset)


SPEC = Metric(
    name="sync-offset",
    title="sync offset",
    higher_is_better=None,
    unit="frames",
    decimals=1,
    variants=(
        ClipVariant(
            id="wav2lip-wholeframe",
            extractor="syncnet-wholeframe",
            score=_score,
            summary=f"{HOW}; the offset of the least, above 0 = the sound is early; mean over clips",
            source=SOURCE,
            deviation=DEVIATION,
        ),
    ),
)
