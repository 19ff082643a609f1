"""Subject dynamics and flicker: closed forms, known geometry of drawn people, and what the flow's threads must not change."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.registry import registry
from benchmark.rows import ClipVariant, Found
from suites.embedded import tiktok
from suites.networks._flow import dis
from suites.networks.dis_warp import build as warping
from suites.networks.dis_warp import warp_error
from suites.networks.selfie_flow import preprocess
from suites.people._dynamics import dynamics


def score(name: str, rows: NDArray[np.floating], fps: float | None = 25.0) -> float:
    variant = registry().variant(name)[1]
    assert isinstance(variant, ClipVariant)
    value = variant.score(Found(np.asarray(rows, np.float32), None, (64, 64), fps))
    assert isinstance(value, float)
    return value


def texture(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """Smooth noise, the same where it is asked for again."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def test_known_mask_and_flow() -> None:
    """A person of 40 x 20 pixels goes (3, 4), the camera (1, 0): 5 with it, sqrt(4 + 16) without."""
    mask = np.zeros((100, 80), np.bool_)
    mask[10:50, 20:40] = True
    flow = np.zeros((100, 80, 2))
    flow[..., 0] = 1
    flow[mask] = (3, 4)
    found = dynamics(mask, flow)
    assert found == pytest.approx([800 / 8000, 5, np.sqrt(20), 1, 0], rel=1e-6)
    assert dynamics(np.ones((10, 10), np.bool_), np.ones((10, 10, 2)))[3:].tolist() == [0, 0]
    assert dynamics(np.zeros((10, 10), np.bool_), flow[:10, :10])[:3].tolist() == [0, 0, 0]


def test_a_clips_speed() -> None:
    """Mean over the pairs that show somebody; a second has 8 pairs, or as many as a slower clip has frames."""
    rows = np.array([[0.2, 4, 3, 0, 0], [0.2, 8, 5, 0, 0], [0.001, 0, 0, 0, 0]])
    assert score("sd@selfie-dis", rows) == pytest.approx(6)
    assert score("sd@selfie-dis-camfree", rows) == pytest.approx(4)
    assert score("sd@selfie-dis-second", rows) == pytest.approx(48)
    assert score("sd@selfie-dis-second", rows, fps=5.0) == pytest.approx(30)
    with pytest.raises(Unscored) as error:
        score("sd@selfie-dis", rows[2:])
    assert error.value.reason == "no-person"


def test_flow_of_a_shift() -> None:
    """A texture moved by (3, -2): DIS finds it within a tenth of a pixel, away from the edge."""
    large = texture(160, 200)
    first, second = large[20:148, 30:190], large[22:150, 27:187]
    found = dis(first, second)[16:-16, 16:-16]
    assert np.abs(np.median(found, axis=(0, 1)) - [3, -2]).max() < 0.1


def test_threads_do_not_change_the_flow() -> None:
    first, second = texture(256, 256), np.roll(texture(256, 256), 5, axis=1)
    threads, found = cv2.getNumThreads(), []
    try:
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            found.append(dis(first, second))
            assert cv2.getNumThreads() == count
    finally:
        cv2.setNumThreads(threads)
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


@pytest.mark.parametrize("number", [0, 1, 2, 9])
def test_subject_dynamics_of_drawn_people(number: int) -> None:
    """DIS on drawn frames under the exact mask against the exact flow: within the range that sd@selfie-dis states as its deviation."""
    reel = tiktok.draw(number, replace(tiktok.SIZE, frames=6, height=512, width=512))
    exact, seen = [], []
    for k in range(5):
        good = reel.uv["flow_seen"][k].astype(bool)
        exact.append(float(dynamics(good, reel.uv["flow"][k])[1]))
        seen.append(float(dynamics(good, dis(reel.frames[k], reel.frames[k + 1]))[1]))
    variant = registry().variant("sd@selfie-dis")[1]
    assert "0.61 to 1.08" in variant.deviation
    assert 0.605 < np.mean(seen) / np.mean(exact) < 1.085


def test_frames_are_brought_to_a_short_side_of_512() -> None:
    assert preprocess(np.zeros((2, 256, 320, 3), np.uint8)).shape == (2, 512, 640, 3)
    assert preprocess(np.full((1, 1024, 600, 3), 7.5, np.float32)).shape == (1, 874, 512, 3)


def test_what_the_flow_explains_is_no_flicker() -> None:
    """A moved texture leaves next to nothing; made brighter by 10 levels, 10; still frames nothing at all."""
    large = texture(160, 200) // 2 + 40
    first, second = large[20:148, 30:190], large[22:150, 27:187]
    back, forth = np.zeros((128, 160, 2), np.float32), np.zeros((128, 160, 2), np.float32)
    back[...], forth[...] = (-3, 2), (3, -2)
    assert warp_error(first, second, back, forth)[0] == 0
    assert warp_error(first, second + 10, back, forth)[0] == pytest.approx(10)
    assert 0.9 < warp_error(first, second, back, forth)[1] < 1
    # A flow that does not come back holds nowhere.
    assert warp_error(first, second, back, back).tolist() == [0, 0]
    forward = warping({}, "cpu")
    assert forward(np.stack([first, first])[None])[0].tolist() == [0, 1]
    moved, brighter = (float(forward(np.stack([first, other])[None])[0, 0]) for other in (second, second + 10))
    assert moved < 1
    assert brighter == pytest.approx(10, abs=1)


def test_flicker_of_a_clip() -> None:
    assert score("flicker@dis-warp", np.array([[2.0, 0.9], [4.0, 0.8], [0.0, 0.0]])) == pytest.approx(3)
    with pytest.raises(Unscored) as error:
        score("flicker@dis-warp", np.zeros((3, 2)))
    assert error.value.reason == "no-flow"
