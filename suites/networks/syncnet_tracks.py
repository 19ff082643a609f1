"""SyncNet on followed faces: the pipelines of the field, and the project's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.rows import Again, ClipExtractor
from suites.metrics._frames import levels
from suites.networks._syncnet import forward_aud, forward_lip
from suites.networks.syncnet import floats, rename
from suites.sync._distances import count_windows, distances, embed
from suites.sync._faces import listed
from suites.sync._mfcc import mfcc
from suites.sync._recipes import CLEAN, LATENT, MOCHA, PIPELINE_A, PIPELINE_B, WIDTH, Recipe, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNCNET = "joonson/syncnet_python@6efbb1c run_pipeline.py, SyncNetInstance.py"


def one_by_one(again: Again) -> Iterator[NDArray[np.uint8]]:
    """The frames, (h, w, 3) uint8 each."""
    for frames in again.frames():
        yield from levels(frames)


def build(recipe: Recipe, state: Mapping[str, NDArray[np.float32]], device: str) -> Callable[[Again], NDArray[np.float32]]:
    """A function Again -> (tracks, 39) float32 of `_recipes.measure`, whose reasons it gives; Unscored(`not-installed`) at once without
    python_speech_features."""
    if importlib.util.find_spec("python_speech_features") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[sync]'")
    lip, aud = forward_lip(state, device), forward_aud(state, device)

    def compare(crops: NDArray[np.uint8], samples: NDArray[np.int16], padded: bool) -> NDArray[np.float32]:
        count = count_windows(len(crops), len(samples))
        lips, sounds = embed(lip, aud, crops, mfcc(samples), count)
        if not (np.isfinite(lips).all() and np.isfinite(sounds).all()):
            raise Unscored("nan-features", "SyncNet gives embeddings that are not finite")  # NaN distances would be taken for missing sound
        return distances(lips, sounds, padded=padded)

    def look(again: Again) -> NDArray[np.float32]:
        assert again.sound is not None
        return measure(listed(again.rows), again.fps, partial(one_by_one, again), again.sound, recipe, compare, again.times)

    return look


def _spec(name: str, over: str, recipe: Recipe, summary: str, source: str, sound: Literal["clip", "case"] = "clip") -> ClipExtractor:
    return ClipExtractor(
        id=f"syncnet-{name}",
        version=1,
        summary=summary,
        source=source,
        dimension=WIDTH,
        over=over,
        sound=sound,
        build=partial(build, recipe),  # type: ignore[arg-type]  # a second look takes Again, not a batch
        weights="syncnet-v2",
        shapes=floats,
        rename=rename,
    )


_CLEAN = (
    "the frame nearest in time at 25 a second, tracks of 25 detections or more of faces above 48 pixels, no comparison with silence "
    "that is not there"
)
SPEC = (
    _spec(
        "pipeline-a",
        "s3fd",
        PIPELINE_A,
        "tracks, crops, windows as run_pipeline.py and run_syncnet.py make them with ffmpeg up to 5.1",
        SYNCNET,
    ),
    _spec(
        "pipeline-b",
        "s3fd",
        PIPELINE_B,
        "tracks, crops, windows as run_pipeline.py and run_syncnet.py make them with ffmpeg from 7.0 on",
        SYNCNET,
    ),
    _spec(
        "latentsync",
        "s3fd",
        LATENT,
        "as LatentSync's eval: an mp4 at 25 frames a second, tracks above 50 detections",
        "bytedance/LatentSync@a229c39 eval/",
    ),
    _spec(
        "mochabench",
        "s3fd",
        MOCHA,
        "as MoChaBench's eval-lipsync: tracks above 50 detections by its own rule, sound from the case's file where there is one",
        "congwei1230/MoChaBench@043908d eval-lipsync/script/syncnet_pipeline.py",
        "case",
    ),
    _spec("clean25", "s3fd", CLEAN, _CLEAN, f"this project's, after {SYNCNET}"),
    _spec("clean25-mediapipe", "mediapipe-faces", CLEAN, f"{_CLEAN}; faces by MediaPipe", f"this project's, after {SYNCNET}"),
)
