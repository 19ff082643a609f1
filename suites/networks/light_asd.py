"""Light-ASD on followed faces: is the face that is seen the one that is heard? All parts of this chain are openly licensed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.rows import Again, ClipExtractor
from suites.networks import _light_asd
from suites.networks.syncnet_tracks import one_by_one
from suites.sync._asd import speaking
from suites.sync._faces import listed
from suites.sync._recipes import FACTS, Recipe, beside, cut_out, follow, heading, nearest
from suites.sync._tracks import Rule

WIDTH = FACTS + 2
"""Numbers a track: its heading, the mean score, and over how many frames."""
COLUMBIA = Recipe(nearest, Rule(min_track=10, gap=10, size=1.0), "0.6.6")


def build(state: Mapping[str, NDArray[np.float32]], device: str) -> Callable[[Again], NDArray[np.float32]]:
    """A function Again -> (tracks, 10) float32. Raises Unscored as `_recipes.follow` does, `short-audio` where no track has sound beside it, and
    `not-installed` at once without python_speech_features."""
    if importlib.util.find_spec("python_speech_features") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[sync]'")
    score = _light_asd.build(state, device)

    def look(again: Again) -> NDArray[np.float32]:
        assert again.sound is not None
        frames = partial(one_by_one, again)
        times, tracks = follow(listed(again.rows), again.fps, frames, COLUMBIA, again.times)
        rows = {}
        for number, crops in cut_out(tracks, times, frames()):
            track = tracks[number]
            heard = beside(again.sound, track)
            try:
                scores = speaking(score, crops, heard) if len(heard) else np.zeros(0)
            except Unscored as reason:
                if reason.reason != "too-short":
                    raise
                scores = np.zeros(0)
            if len(scores):
                rows[number] = np.concatenate([heading(track), [scores.astype(np.float64).mean(), len(scores)]])
        if not rows:
            raise Unscored("short-audio", f"{len(again.sound) / 16_000:.2f} s of sound lie beside no face")
        return np.stack([rows[number] for number in sorted(rows)]).astype(np.float32)

    return look


def _spec(name: str, weights: str) -> ClipExtractor:
    return ClipExtractor(
        id=name,
        version=1,
        summary="MediaPipe's faces, the frame nearest in time at 25 a second, tracks above 10 detections (holes of up to 9 frames), crops, scores averaged "
        "over chunks of 1 to 6 seconds",
        source="Junhua-Liao/Light-ASD Columbia_test.py (with S3FD's faces and compressed crops); Liao et al., CVPR 2023",
        dimension=WIDTH,
        over="mediapipe-faces",
        sound="clip",
        build=build,  # type: ignore[arg-type]  # a second look takes Again, not a batch
        weights=weights,
        shapes=_light_asd.shapes,
        rename=_light_asd.rename,
    )


SPEC = (_spec("light-asd", "light-asd-ava"), _spec("light-asd-talkset", "light-asd-talkset"))
