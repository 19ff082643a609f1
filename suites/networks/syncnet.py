"""SyncNet over whole frames, as Wav2Lip's evaluation uses it: no face is looked for, nothing is brought to 25 frames a second."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Extractor, Frames
from suites.metrics._frames import levels
from suites.networks._syncnet import SIDE, WINDOW, forward_aud, forward_lip, shapes
from suites.sync._distances import SHIFT, count_windows, distances, embed, summarise
from suites.sync._mfcc import mfcc

WIDTH = 2 * SHIFT + 1
"""Numbers a clip: the mean distances at offsets 15, ..., -15."""


def floats() -> dict[str, tuple[int, ...]]:
    """{tensor: shape} without the counters of batches, which nothing depends on."""
    return {name: shape for name, shape in shapes().items() if not name.endswith("num_batches_tracked")}


def rename(tensors: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """The file's tensors without the counters of batches."""
    return {name: values for name, values in tensors.items() if not name.endswith("num_batches_tracked")}


def preprocess(frames: Frames) -> NDArray[np.uint8]:
    """(n, h, w, 3) on 0..255 -> (n, 224, 224, 3) uint8: bilinear (OpenCV) on grey levels, the aspect ratio not kept."""
    import cv2

    whole = levels(frames)
    return np.stack([cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for frame in whole]).astype(np.uint8, copy=False)


def build(state: Mapping[str, NDArray[np.float32]], device: str) -> Callable[..., NDArray[np.float32]]:
    """A function ((1, n, 224, 224, 3) uint8 RGB, samples (m,) int16 at 16 kHz) -> (1, 31) float32 mean distances. Raises Unscored(`too-short`), and
    at once Unscored(`not-installed`) without python_speech_features."""
    if importlib.util.find_spec("python_speech_features") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[sync]'")
    lip, aud = forward_lip(state, device), forward_aud(state, device)

    def forward(batch: NDArray[np.uint8], sound: NDArray[np.int16]) -> NDArray[np.float32]:
        frames = batch[0]
        count = count_windows(len(frames), len(sound))
        lips, sounds = embed(lip, aud, frames, mfcc(sound), count)
        return summarise(distances(lips, sounds)).means.astype(np.float32)[None]

    return forward


SPEC = Extractor(
    id="syncnet-wholeframe",
    version=1,
    summary="whole frames squashed to 224x224, 5-frame windows, MFCC of 0.2 s of sound; mean distances of embeddings at offsets 15 to -15",
    source="joonson/syncnet_python@6efbb1c SyncNetInstance.py; Rudrabha/Wav2Lip evaluation/scores_LSE/calculate_scores_LRS.py",
    dimension=WIDTH,
    batch=1,
    window=0,
    minimum=WINDOW + 1,
    sound="clip",
    preprocess=preprocess,
    build=build,
    weights="syncnet-v2",
    shapes=floats,
    rename=rename,
)
