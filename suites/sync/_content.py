"""Where the picture changes: the content score of PySceneDetect, in the three versions that the lip-sync pipelines use.

The mean over pixels of how much hue, saturation and value of OpenCV's 8-bit HSV differ from the frame before, averaged over the three. Frames are made
smaller first: 0.5.1 leaves out pixels, by a table over the width; 0.6.1 does so to 256 pixels across; 0.6.6 resizes bilinearly, by the longer side.

PySceneDetect v0.5.1 scenedetect/video_manager.py, detectors/content_detector.py; v0.6.1 and v0.6.6 scenedetect/scene_manager.py,
detectors/content_detector.py. Thresholds are their defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from suites.sync._retiming import Detector

THRESHOLD: dict[Detector, float] = {"0.5.1": 30.0, "0.6.1": 27.0, "0.6.6": 27.0}
"""A frame whose score is at least this starts a new shot, if the rule of `scenes` lets it."""
_STEPS = ((3200, 12), (2100, 8), (1700, 6), (1200, 5), (900, 4), (600, 3), (400, 2))
_ACROSS = 256


def smaller(frame: NDArray[np.uint8], detector: Detector) -> NDArray[np.uint8]:
    """(h, w, 3) -> the pixels that are looked at."""
    import cv2

    height, width = frame.shape[:2]
    if detector == "0.6.6":
        factor = max(width, height) / _ACROSS
        if factor <= 1:
            return frame
        size = max(1, round(width / factor)), max(1, round(height / factor))
        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    if detector == "0.6.1":
        step = max(1, width // _ACROSS)
    else:
        step = next((step for least, step in _STEPS if width >= least), 1)
    return frame[::step, ::step]


def scores(frames: Iterable[NDArray[np.uint8]], detector: Detector) -> Iterator[float]:
    """By how much each frame, (h, w, 3) uint8 RGB, differs from the one before, 0..255; nothing of the first."""
    import cv2

    last: NDArray[np.int32] | None = None
    for frame in frames:
        hsv = cv2.cvtColor(np.ascontiguousarray(smaller(frame, detector)), cv2.COLOR_RGB2HSV).astype(np.int32)
        if last is not None:
            yield float(np.abs(hsv - last).mean())
        last = hsv


def changes(frames: Iterable[NDArray[np.uint8]], detector: Detector) -> list[int]:
    """Numbers of the frames that differ from the one before by the threshold or more."""
    return [number for number, score in enumerate(scores(frames, detector), 1) if score >= THRESHOLD[detector]]
