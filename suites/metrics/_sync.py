"""What sync-c, sync-d and sync-offset share."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.rows import ClipVariant
from suites.sync._distances import Sync, summarise

HOW = (
    "SyncNet over whole frames squashed to 224x224, no face looked for, frames taken as 25 a second whatever their rate; distances of every 5-frame window to "
    "the sound at 31 offsets, missing sound as zeros; mean over windows"
)
SOURCE = "Rudrabha/Wav2Lip evaluation/scores_LSE (calculate_scores_LRS.py); joonson/syncnet_python@6efbb1c SyncNetInstance.py"
DEVIATION = (
    "held to frozen numbers of the original behind the decoder; short clips score higher for the zeros alone: 6.8 at 40 frames where the same unrelated sound "
    "has 1.9 at 129. The protocol's size rule comes first: a clip that is not of the truth's size is resized twice, where the original squashes it once"
)


def wholeframe(value: Callable[[Sync], float], what: str) -> ClipVariant:
    """The variant of Wav2Lip's evaluation; value: which of the scores. A clip's row is its 31 mean distances."""
    return ClipVariant(
        id="wav2lip-wholeframe",
        extractor="syncnet-wholeframe",
        score=lambda found: value(summarise(found.generated)),
        summary=f"{HOW}; {what}; mean over clips",
        source=SOURCE,
        deviation=DEVIATION,
    )
