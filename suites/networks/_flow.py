"""Dense inverse search flow (Kroeger et al. 2016, arXiv:1603.03590) by OpenCV, the same on every number of cores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dis(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w, 3) uint8 RGB twice -> (h, w, 2) pixels x, y from the first to the second: medium preset on the grey pictures.

    OpenCV cuts the picture into as many stripes as it has threads, and what crosses a stripe's edge changes: so there is one stripe. A fresh object
    each time carries nothing over from another pair.
    """
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        a, b = (np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)) for picture in (first, second))
        flow = search.calc(a, b, np.zeros((*a.shape, 2), np.float32))
    finally:
        cv2.setNumThreads(threads)
    return np.asarray(flow, np.float32)
