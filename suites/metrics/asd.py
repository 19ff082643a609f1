"""ASD: how sure an active-speaker network is that the face speaks what is heard. Another view of sound and picture than SyncNet's, openly licensed."""

from __future__ import annotations

from benchmark.model import Metric
from benchmark.rows import ClipVariant, Facts, Found
from suites.sync._recipes import FACTS, long_enough, seen


def _score(found: Found) -> float:
    """The highest mean of the tracks that last at least half as long as the longest."""
    kept = long_enough([seen(row) for row in found.generated])
    return max(float(row[FACTS]) for row, enough in zip(found.generated, kept, strict=True) if enough)


def _tell(found: Found) -> Facts:
    return Facts(
        (), {"tracks": [{**seen(row).to_json(), "score": float(row[FACTS]), "scored": int(row[FACTS + 1])} for row in found.generated]}
    )


def _variant(name: str, file: str, measured: str) -> ClipVariant:
    return ClipVariant(
        id=name,
        extractor=name,
        score=_score,
        tell=_tell,
        summary=f"mean over frames of the logit that the followed face is speaking, by the network trained on {file}; faces by MediaPipe at 25 frames a "
        "second; of the tracks at least half as long as the longest the highest; mean over clips; 0 and more is taken for speaking",
        source="Light-ASD (Liao et al., CVPR 2023), Junhua-Liao/Light-ASD Columbia_test.py",
        deviation=f"faces by MediaPipe in S3FD's place, nothing compressed, scores not rounded to tenths; no lip-sync score: {measured}",
    )


SPEC = Metric(
    name="asd",
    title="ASD",
    higher_is_better=True,
    decimals=2,
    variants=(
        _variant(
            "light-asd",
            "AVA-ActiveSpeaker",
            "on 13 real clips it falls by 4.1 in silence (3.4 at least), by 0.3 with another person's sound, by 0.2 with the sound a second or two off",
        ),
        _variant(
            "light-asd-talkset",
            "TalkSet after AVA, as the authors' own test takes it",
            "on 13 real clips it falls by 0.5 in silence and by 0.06 with the sound a second or two off: it judges the mouth's movement almost alone",
        ),
    ),
)
