"""Faces by MediaPipe's short-range detector: boxes only, every picture for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor
from suites.networks._mediapipe import Detection, Detector
from suites.networks.mediapipe import preprocess
from suites.sync._faces import WIDTH, pack

if TYPE_CHECKING:
    from benchmark.model import Forward


def box(face: Detection) -> list[float]:
    """x1, y1, x2, y2 in pixels and the score."""
    low, high = face.centre - face.size / 2, face.centre + face.size / 2
    return [*map(float, low), *map(float, high), face.score]


def build(graph: bytes, device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 -> (1, 81) float32 of `_faces.pack`. Always on the CPU. Raises Unscored(`not-installed`) without ai-edge-litert."""
    find = Detector("face", graph)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        return pack(np.array([box(face) for face in find(np.ascontiguousarray(batch[0]))], np.float64))[None]

    return forward


SPEC = Extractor(
    id="mediapipe-faces",
    version=1,
    summary="MediaPipe's face boxes (short range, score 0.5 or more), the best sixteen",
    source="google-ai-edge/mediapipe mediapipe/modules/face_detection; Bazarevsky et al. 2019, arXiv:1907.05047",
    dimension=WIDTH,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights="mediapipe-face-detection",
    script=True,
)
