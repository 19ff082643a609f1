"""SSIM against scikit-image in the same run, on one thread: the ratio is asserted, the seconds are only reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import cv2
import numpy as np
import pytest

from benchmark.model import FrameVariant
from suites.metrics.ssim import SPEC
from tests.formula import frames

pytestmark = [pytest.mark.speed, pytest.mark.peers]


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize(("id", "factor"), [("gaussian", 2.5), ("disco", 4.0)])
def test_ssim(benchmark: Any, id: str, factor: float, size: int) -> None:
    """One frame; the best of turns taken one after the other, so that a busy machine hits both sides alike."""
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is what this test is timed against")
    generated, truth = frames("noisy", 8, size, size)[7:], frames("truth", 8, size, size)[7:]
    score = cast(FrameVariant, SPEC.variant(id)).score

    def peer() -> float:
        if id == "gaussian":
            settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
            return float(metrics.structural_similarity(generated[0], truth[0], data_range=255, **settings))
        a, b = (cv2.cvtColor(side[0], cv2.COLOR_RGB2GRAY) for side in (generated, truth))
        return float(metrics.structural_similarity(a, b))

    def ours() -> float:
        return float(score(generated, truth)[0])

    assert ours() == pytest.approx(peer(), abs=1e-9)
    turns = [(seconds(peer), seconds(ours)) for _ in range(12)]
    best = np.min(turns, axis=0)
    benchmark.extra_info["times_faster_than_scikit_image"] = round(float(best[0] / best[1]), 2)
    benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    assert best[0] / best[1] >= factor
