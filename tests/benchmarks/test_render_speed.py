"""Drawing a person: seconds a frame on one core, with everything that is known of it."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

import cv2
import pytest

from suites.embedded import tiktok
from suites.embedded._facts import facts

pytestmark = pytest.mark.speed


def test_a_frame(benchmark: Any) -> None:
    """256x256, processor time of one frame's picture and facts, over 24 frames of a dance; people are painted before."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        scene, shots = tiktok.stage(6, replace(tiktok.SIZE, frames=24))

        def frame(shot: Any) -> float:
            start = time.process_time()
            scene.colours(shot, 256, 256)
            facts(scene, shot, 256, 256)
            return time.process_time() - start

        spent = [frame(shot) for shot in shots]
        benchmark.pedantic(lambda: frame(shots[0]), rounds=5)
    finally:
        cv2.setNumThreads(before)
    median = statistics.median(spent)
    benchmark.extra_info.update(ratio=round(median, 3), bar="<= 0.1 s")
    assert median <= 0.1, spent
