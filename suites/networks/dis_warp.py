"""What the optical flow of a clip does not explain: each frame carried to the next by DIS flow, and what is left of the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor, Frames
from suites.metrics._frames import levels
from suites.networks._flow import dis

if TYPE_CHECKING:
    from benchmark.model import Forward

WIDTH = 2
"""Numbers a pair of frames: mean absolute difference in grey levels where the flow holds, and that part's share of the picture."""
SLACK = 1.0
"""A place counts where going there and back misses it by less than so many pixels: elsewhere something is hidden or newly seen."""


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255, float frames rounded half to even."""
    return levels(frames)


def warp_error(
    first: NDArray[np.uint8], second: NDArray[np.uint8], back: NDArray[np.float32], forth: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(WIDTH,) of two (h, w, 3) frames. back (h, w, 2): where each pixel of the second comes from in the first, in pixels; forth: the other way."""
    import cv2

    height, width = first.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    there_x, there_y = x + back[..., 0], y + back[..., 1]
    carried = cv2.remap(first.astype(np.float32), there_x, there_y, cv2.INTER_LINEAR)
    returned = cv2.remap(forth, there_x, there_y, cv2.INTER_LINEAR)
    inside = (there_x >= 0) & (there_y >= 0) & (there_x <= width - 1) & (there_y <= height - 1)
    holds = inside & (np.sqrt(((back + returned) ** 2).sum(axis=-1)) < SLACK)
    if not holds.any():
        return np.zeros(WIDTH, np.float32)
    difference = np.abs(carried[holds].astype(np.float64) - second[holds])
    return np.array([difference.mean(), holds.mean()], np.float32)


def build(state: Any, device: str) -> Forward:
    """A Forward: (1, 2, h, w, 3) uint8, two frames in order -> (1, 2) float32. Always on the CPU."""

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        first, second = batch[0]
        return warp_error(first, second, dis(second, first), dis(first, second))[None]

    return forward


SPEC = Extractor(
    id="dis-warp",
    version=1,
    summary="DIS flow (medium preset) between neighbouring frames both ways; the earlier one carried to the later",
    source="Lai et al. 2018, arXiv:1808.00449 (the idea); Kroeger et al. 2016, arXiv:1603.03590 (OpenCV's DISOpticalFlow)",
    dimension=WIDTH,
    batch=1,
    window=2,
    minimum=2,
    preprocess=preprocess,
    build=build,
)
