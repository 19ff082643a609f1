"""The 468 points of the largest face, as MediaPipe's face mesh finds them in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor
from suites.networks._mediapipe import Faces
from suites.networks.mediapipe import preprocess
from suites.people._face_rows import WIDTH, pack
from suites.people._marks import FACE

if TYPE_CHECKING:
    from benchmark.model import Forward

NAMES = ("mediapipe-face-detection", "mediapipe-face-landmark")


def build(graphs: Mapping[str, bytes], device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 of any size -> (1, 937) float32. Always on the CPU. Raises Unscored(`not-installed`) without ai-edge-litert."""
    detector, mesh = (graphs[name] for name in NAMES)
    find = Faces(detector, mesh)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        return pack(find(np.ascontiguousarray(batch[0])))[None]

    return forward


SPEC = Extractor(
    id="mediapipe-face",
    version=1,
    summary="468 points of the largest face near the camera, every picture for itself",
    source="google-ai-edge/mediapipe mediapipe/modules/face_landmark (graphs); Kartynnik et al. 2019, arXiv:1907.06724",
    dimension=WIDTH,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights=NAMES,
    script=True,
    marks=FACE,
)
