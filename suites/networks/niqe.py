"""NIQE of every frame: no network, but a model of natural pictures that was fitted once and is a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Extractor, Frames
from suites.people._niqe import FEATURES, LEAST, distance, features, luma

if TYPE_CHECKING:
    from benchmark.model import Forward

NOTHING = -1.0
"""The row of a frame that has no score, as of a flat one; a score is 0 or more."""


def shapes() -> dict[str, tuple[int, ...]]:
    """{name: shape} of the model: the mean and the covariance of natural pictures' features."""
    return {"pop_mu": (1, FEATURES), "pop_cov": (FEATURES, FEATURES)}


def preprocess(frames: Frames) -> NDArray[np.uint8]:
    """(n, h, w, 3) on 0..255 -> (n, h, w) luma 16..235. Raises Unscored(`too-small`) below 192 pixels."""
    height, width = frames.shape[1:3]
    if min(height, width) < LEAST:
        raise Unscored("too-small", f"frames of {width}x{height} pixels; NIQE needs two blocks of 96 on either side, {LEAST} pixels")
    return np.stack([luma(frame[None])[0].astype(np.uint8) for frame in frames])


def build(state: Mapping[str, NDArray[Any]], device: str) -> Forward:
    """A Forward: (1, h, w) luma -> (1, 1) float32, `NOTHING` where fewer than two blocks have statistics. state: the tensors of `shapes`. Always on the CPU."""
    mean, covariance = state["pop_mu"].ravel().astype(np.float64), state["pop_cov"].astype(np.float64)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        score = distance(features(batch[0].astype(np.float64)), mean, covariance)
        return np.array([[score if np.isfinite(score) else NOTHING]], np.float32)

    return forward


SPEC = Extractor(
    id="niqe",
    version=1,
    summary="NIQE of a frame's luma (BT.601, whole levels): 36 statistics of every 96x96 block at two scales, their distance from those of natural pictures",
    source="Mittal, Soundararajan, Bovik 2013, IEEE Signal Processing Letters 20:209; BasicSR 1.4.2 basicsr/metrics/niqe.py",
    dimension=1,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights="niqe-image-params",
    shapes=shapes,
)
