"""What sync-c, sync-d and sync-offset share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from benchmark.rows import ClipVariant, Facts, Found
from suites.sync._aggregate import latentsync, mochabench, syncnet_python
from suites.sync._distances import Sync, summarise
from suites.sync._recipes import SHORT, Followed, followed, long_enough

Value = Callable[[Sequence[Followed]], float]
_ARITHMETIC = "distances of every 5-frame window to the sound at 31 offsets, missing sound as zeros; mean over windows"
_LEFT_OUT = (
    "everything behind the decoder is held to frozen numbers of the original; the crops' and frames' codecs are left out (mean distances 0.4 of 38, Sync-C "
    "0.01 to 0.03 on frozen clips), as is the resampling of 44.1 kHz sound to an AVI's MP3; at most sixteen faces a frame; silence is unscored, which the "
    "tools score; the protocol's size rule comes first"
)
_ZEROS = "; short clips score higher for the zeros alone: 6.8 at 40 frames where the same unrelated sound has 1.9 at 129"


@dataclass(frozen=True)
class Way:
    """A way from a clip to its value. flags: are short tracks flagged? take: tracks -> (confidence, distance, offset), None where the tool tells none."""

    id: str
    extractor: str
    how: str
    source: str
    deviation: str
    confidence: Value | None = None
    distance: Value | None = None
    offset: Value | None = None
    zero: Value | None = None
    flags: bool = False


def best(tracks: Sequence[Followed]) -> Sync:
    """Of the tracks that last at least half as long as the longest, the one of the highest confidence; the first of equal ones."""
    kept = zip(tracks, long_enough([track.seen for track in tracks]), strict=True)
    return max((track.sync for track, enough in kept if enough), key=lambda sync: sync.confidence)


def _best(of: Callable[[Sync], float]) -> Value:
    return lambda tracks: of(best(tracks))


def _all(of: Callable[[Sequence[Sync]], float | None]) -> Value:
    return lambda tracks: _told(of([track.sync for track in tracks]))


def _told(value: float | None) -> float:
    assert value is not None
    return float(value)


def _pipeline(letter: str, version: str) -> Way:
    return Way(
        id=f"pipeline-{letter}",
        extractor=f"syncnet-pipeline-{letter}",
        how=f"the original pipeline with the re-timing of ffmpeg {version}: S3FD faces, tracks above 100 detections at 25 frames a second "
        "and 100 pixels, crops, "
        f"{_ARITHMETIC}; mean over the clip's tracks, of which the tool makes no clip value",
        source="joonson/syncnet_python@6efbb1c run_pipeline.py, run_syncnet.py, SyncNetInstance.py",
        deviation=_LEFT_OUT + _ZEROS,
        confidence=_all(lambda tracks: fmean(track.confidence for track in syncnet_python(tracks))),
        distance=_all(lambda tracks: fmean(_told(track.distance) for track in syncnet_python(tracks))),
        offset=_all(lambda tracks: fmean(_told(track.offset) for track in syncnet_python(tracks))),
    )


def _clean(suffix: str, faces: str) -> Way:
    return Way(
        id=f"clean25{suffix}",
        extractor=f"syncnet-clean25{suffix}",
        how=f"faces by {faces}, the frame nearest in time at 25 a second, tracks from 25 detections on (flagged below {SHORT}) of "
        "faces above 48 pixels, crops, distances of every 5-frame window to the sound at 31 offsets, only where both are there; mean over windows; all three "
        "values of one track: of those at least half as long as the longest the one with the highest confidence; all tracks in the record",
        source="this project's, after joonson/syncnet_python@6efbb1c",
        deviation="not the field's number: without the comparisons with nothing, which grow as clips get shorter, it is lower",
        confidence=_best(lambda track: track.confidence),
        distance=_best(lambda track: track.distance),
        offset=_best(lambda track: track.offset),
        zero=_best(lambda track: track.at_zero),
        flags=True,
    )


WAYS = (
    _pipeline("a", "up to 5.1"),
    _pipeline("b", "from 7.0 on"),
    Way(
        id="latentsync",
        extractor="syncnet-latentsync",
        how="LatentSync's evaluation: an mp4 at 25 frames a second, S3FD faces, tracks above 50 detections and 100 pixels, crops, "
        f"{_ARITHMETIC}; mean over the clip's tracks, offsets cut off towards zero; it tells no distance",
        source="bytedance/LatentSync@a229c39 eval/syncnet_detect.py, eval/eval_sync_conf.py",
        deviation=f"{_LEFT_OUT}; its scenes by PySceneDetect 0.6.1, a version its requirements are believed to pin{_ZEROS}",
        confidence=_all(lambda tracks: latentsync(tracks).confidence),
        offset=_all(lambda tracks: latentsync(tracks).offset),
    ),
    Way(
        id="mochabench",
        extractor="syncnet-mochabench",
        how="MoChaBench's evaluation: S3FD faces, tracks above 50 detections by its own rule, crops, the case's sound where it has one, "
        f"{_ARITHMETIC}; the clip's highest confidence and, of whichever track, its smallest distance",
        source="congwei1230/MoChaBench@043908d eval-lipsync/script/syncnet_pipeline.py",
        deviation=_LEFT_OUT + _ZEROS,
        confidence=_all(lambda tracks: mochabench(tracks).confidence),
        distance=_all(lambda tracks: mochabench(tracks).distance),
    ),
    _clean("", "S3FD"),
    _clean("-mediapipe", "MediaPipe"),
)


def facts(way: Way, found: Found) -> Facts:
    """All tracks of a clip, and a flag where one is short."""
    tracks = followed(found.generated)
    short = way.flags and any(track.seen.frames < SHORT for track in tracks)
    return Facts(("short track",) if short else (), {"tracks": [_fact(track) for track in tracks]})


def _fact(track: Followed) -> dict[str, object]:
    sync = track.sync
    return {
        **track.seen.to_json(),
        "confidence": sync.confidence,
        "distance": sync.distance,
        "offset": sync.offset,
        "distance_at_zero": sync.at_zero,
    }


def _score(value: Value, found: Found) -> float:
    return float(value(followed(found.generated)))


def _variant(way: Way, value: Value, what: str, suffix: str = "") -> ClipVariant:
    return ClipVariant(
        id=way.id + suffix,
        extractor=way.extractor,
        score=partial(_score, value),
        tell=partial(facts, way),
        summary=f"{way.how}; {what}; mean over clips",
        source=way.source,
        deviation=way.deviation,
    )


def _wholeframe(value: Callable[[Sync], float], what: str) -> ClipVariant:
    """The variant of Wav2Lip's evaluation. A clip's row is its 31 mean distances."""
    return ClipVariant(
        id="wav2lip-wholeframe",
        extractor="syncnet-wholeframe",
        score=lambda found: value(summarise(found.generated)),
        summary="SyncNet over whole frames squashed to 224x224, no face looked for, frames taken as 25 a second whatever their rate; "
        f"{_ARITHMETIC}; {what}; mean over clips",
        source="Rudrabha/Wav2Lip evaluation/scores_LSE (calculate_scores_LRS.py); joonson/syncnet_python@6efbb1c SyncNetInstance.py",
        deviation="held to frozen numbers of the original behind the decoder"
        f"{_ZEROS}. The protocol's size rule comes first: a clip that is not of the truth's size is resized twice, "
        "where the original squashes it once. Silence is unscored",
    )


def confidences(what: str) -> tuple[ClipVariant, ...]:
    """The variants of Sync-C."""
    return _wholeframe(lambda sync: sync.confidence, what), *(_variant(way, way.confidence, what) for way in WAYS if way.confidence)


def smallest(what: str, at_zero: str) -> tuple[ClipVariant, ...]:
    """The variants of Sync-D, and of the distance without looking for the best offset."""
    found = [_variant(way, way.distance, what) for way in WAYS if way.distance]
    zeros = [_variant(way, way.zero, at_zero, "-zero") for way in WAYS if way.zero]
    return _wholeframe(lambda sync: sync.distance, what), *found, *zeros


def offsets(what: str) -> tuple[ClipVariant, ...]:
    """The variants of the offset."""
    return _wholeframe(lambda sync: float(sync.offset), what), *(_variant(way, way.offset, what) for way in WAYS if way.offset)
