"""A person's mask by MediaPipe and optical flow by DIS, eight times a second: the light way to subject dynamics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor, Frames
from benchmark.resize import short_side
from benchmark.rows import thinned
from suites.metrics._frames import levels
from suites.networks._flow import dis
from suites.networks._mediapipe import Lite
from suites.people._dynamics import WIDTH, dynamics

if TYPE_CHECKING:
    from benchmark.model import Forward

SIDE, RATE = 512, 8.0


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255 -> uint8 with a short side of 512: made smaller by area, larger bilinearly."""
    import cv2

    height, width = frames.shape[1:3]
    size = short_side(width, height, SIDE)
    filter_ = cv2.INTER_AREA if min(height, width) > SIDE else cv2.INTER_LINEAR
    whole = levels(frames)
    return np.stack([frame if size == (width, height) else cv2.resize(frame, size, interpolation=filter_) for frame in whole])


def build(graph: bytes, device: str) -> Forward:
    """A Forward: (1, 2, h, w, 3) uint8, two frames in order -> (1, 5) float32 of `dynamics`. Always on the CPU."""
    import cv2

    segment = Lite(graph)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        first, second = batch[0]
        small = cv2.resize(first, (segment.side, segment.side), interpolation=cv2.INTER_AREA) / 255
        (raw,) = segment(small)
        mask = cv2.resize(raw[..., 0].astype(np.float32), first.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        return dynamics(mask, dis(first, second))[None]

    return forward


SPEC = Extractor(
    id="selfie-dis",
    version=1,
    summary="MediaPipe's person mask (0.5) of a frame, DIS flow (medium preset) to the next at 8 frames a second, both at a short side of 512",
    source="Kroeger et al. 2016, arXiv:1603.03590 (OpenCV's DISOpticalFlow); google-ai-edge/mediapipe selfie_segmentation",
    dimension=WIDTH,
    batch=1,
    window=2,
    minimum=2,
    sample=partial(thinned, rate=RATE),
    preprocess=preprocess,
    build=build,
    weights="mediapipe-selfie-segmentation",
    script=True,
)
