"""A person's mask by MediaPipe in every frame, at the network's own size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor
from suites.networks._mediapipe import Lite
from suites.networks.mediapipe import preprocess
from suites.people._mask_rows import WIDTH, pack

if TYPE_CHECKING:
    from benchmark.model import Forward


def build(graph: bytes, device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 of any size -> (1, 4096) float32, the mask packed. Always on the CPU. Raises Unscored(`not-installed`)."""
    import cv2

    segment = Lite(graph)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        small = cv2.resize(batch[0], (segment.side, segment.side), interpolation=cv2.INTER_AREA) / 255
        (raw,) = segment(small)
        return pack(raw[..., 0] > 0.5)[None]

    return forward


SPEC = Extractor(
    id="selfie-mask",
    version=1,
    summary="MediaPipe's person mask (above 0.5) at 256x256, the whole picture brought to that size by area, every picture for itself",
    source="google-ai-edge/mediapipe selfie_segmentation (the model card's input: RGB on 0..1)",
    dimension=WIDTH,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights="mediapipe-selfie-segmentation",
    script=True,
)
