"""Faces by S3FD, as the lip-sync pipelines look for them: in every frame, at a quarter of its size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Extractor, Frames
from suites.metrics._frames import levels
from suites.networks import _s3fd
from suites.sync._faces import WIDTH, pack

if TYPE_CHECKING:
    from benchmark.model import Forward

LEAST = 126
"""Shortest side of a frame in pixels: a quarter of it, rounded, is 32."""


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255, float frames rounded half to even."""
    return levels(frames)


def build(state: Mapping[str, NDArray[np.float32]], device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 -> (1, 81) float32 of `_faces.pack`. Raises Unscored(`too-small`) for frames with a side below 126 pixels."""
    network = _s3fd.build(state, device)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        height, width = batch.shape[1:3]
        if min(height, width) < LEAST:
            raise Unscored(
                "too-small", f"S3FD looks at a quarter of the frame's size and needs {LEAST} pixels a side, compared at {width}x{height}"
            )
        return pack(_s3fd.detect_faces(network, np.ascontiguousarray(batch[0])))[None]

    return forward


SPEC = Extractor(
    id="s3fd",
    version=1,
    summary="S3FD's faces with a score above 0.9 at a quarter of the frame's size, the best sixteen",
    source="joonson/syncnet_python@6efbb1c detectors/s3fd, run_pipeline.py inference_video; Zhang et al. 2017, arXiv:1708.05237",
    dimension=WIDTH,
    batch=1,
    exact=True,
    preprocess=preprocess,
    build=build,
    weights="s3fd",
    shapes=_s3fd.shapes,
)
