"""From the tracks of a clip to the clip's value, and from clips to a table: three published habits, which do not agree.

Here a track is its `Sync`; every function takes those of one clip, at least one. A clip without a track has no value: the original tools leave it
out (LatentSync after printing, MoChaBench with a flag), which raises the mean of whoever fails most. Unscored (`no-track`) says so instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmark.errors import Unscored
from suites.sync._distances import Sync


@dataclass(frozen=True)
class ClipSync:
    """A clip's values; None where the tool does not report one."""

    distance: float | None
    confidence: float
    offset: int | None


def syncnet_python(tracks: Sequence[Sync]) -> list[ClipSync]:
    """One entry a track, in their order: the tool prints each and summarises nothing (joonson/syncnet_python@6efbb1c run_syncnet.py)."""
    return [ClipSync(track.distance, track.confidence, track.offset) for track in _some(tracks)]


def latentsync(tracks: Sequence[Sync]) -> ClipSync:
    """Mean confidence, and the mean offset cut off towards zero: of -1 and 0 it is 0. No distance.

    bytedance/LatentSync@a229c39 eval/eval_sync_conf.py.
    """
    tracks = _some(tracks)
    return ClipSync(None, fmean(track.confidence for track in tracks), int(fmean(track.offset for track in tracks)))


def mochabench(tracks: Sequence[Sync]) -> ClipSync:
    """The best confidence and the best distance, which may be of two different tracks. No offset.

    congwei1230/MoChaBench@043908d eval-lipsync/script/syncnet_pipeline.py.
    """
    tracks = _some(tracks)
    return ClipSync(min(track.distance for track in tracks), max(track.confidence for track in tracks), None)


def _some(tracks: Sequence[Sync]) -> Sequence[Sync]:
    if not tracks:
        raise Unscored("no-track", "no face was followed long enough")
    return tracks
