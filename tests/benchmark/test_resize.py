"""Resizing against closed forms, an independent computation of the kernel, and frozen numbers of the original codes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.resize import bicubic, cv2_bilinear, short_side
from tests.clips import noise
from tests.deviations import Recorder
from tests.formula import frames

FIXTURES = Path(__file__).parents[1] / "fixtures"


def kernel_matrix(size: int, target: int) -> np.ndarray:
    """(target, size) float64 weights of the antialiased cubic (a = -0.5): Keys 1981, stretched by the scale when shrinking, normalised at
    borders.
    """
    scale = size / target
    stretch = max(scale, 1.0)
    centres = (np.arange(target)[:, None] + 0.5) * scale
    t = np.abs((np.arange(size)[None] + 0.5 - centres) / stretch)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (20, 23), (299, 299), (37, 90), (1, 1)])
def test_bicubic_is_the_kernel(height: int, width: int) -> None:
    source = noise(2, 37, 53)
    made = bicubic(source, height, width)
    expected = np.einsum(
        "ih,nhwc,jw->nijc", kernel_matrix(37, height), source.astype(np.float64), kernel_matrix(53, width), optimize=True
    ).clip(0, 255)
    assert made.dtype == np.float32
    assert np.abs(made - expected).max() < 1e-3  # Pillow rounds its weights to float32 products


def test_bicubic_clips_but_does_not_round() -> None:
    edge = np.zeros((1, 8, 8, 3), np.uint8)
    edge[:, :, 4:] = 255
    made = bicubic(edge, 16, 16)
    assert made.min() == 0
    assert made.max() == 255  # overshoot is cut off
    assert (made % 1 != 0).any()


@pytest.mark.parametrize("resize", [bicubic, cv2_bilinear])
def test_same_size_is_the_input_itself(resize: object) -> None:
    source = noise(3, 20, 30)
    assert resize(source, 20, 30) is source  # type: ignore[operator]
    floats = source.astype(np.float32)
    assert bicubic(floats, 20, 30) is floats


def test_grouping_changes_no_bit() -> None:
    source = noise(5, 20, 30)
    for resize in (bicubic, cv2_bilinear):
        whole = resize(source, 33, 17)
        np.testing.assert_array_equal(np.concatenate([resize(source[i : i + 2], 33, 17) for i in (0, 2, 4)]), whole)
        np.testing.assert_array_equal(resize(source[:, ::1][::-1], 33, 17)[::-1], whole)
    assert bicubic(source[:0], 8, 9).shape == (0, 8, 9, 3)


def test_floats_go_through_unrounded() -> None:
    source = noise(1, 20, 30).astype(np.float32) * 0.5
    expected = np.einsum("ih,nhwc,jw->nijc", kernel_matrix(20, 10), source, kernel_matrix(30, 15)).clip(0, 255)
    assert np.abs(bicubic(source, 10, 15) - expected).max() < 1e-3
    assert np.abs(bicubic(np.full((1, 9, 9, 3), 77.25, np.float32), 5, 20) - 77.25).max() < 1e-4


def test_bilinear_on_a_ramp() -> None:
    """Doubling a horizontal ramp of slope 8: sample j sits at j / 2 - 1 / 4, so inner values rise by 4 and begin at 8 * 0.25."""
    ramp = np.repeat((8 * np.arange(16, dtype=np.uint8))[None, None, :, None], 3, -1).repeat(4, 1)
    assert cv2_bilinear(ramp, 4, 32)[0, 0, :5, 0].tolist() == [0, 2, 6, 10, 14]


def test_refusals() -> None:
    with pytest.raises(ValueError, match="uint8"):
        cv2_bilinear(np.zeros((1, 4, 4, 3), np.float32), 2, 2)  # type: ignore[arg-type]
    for resize in (bicubic, cv2_bilinear):
        with pytest.raises(ValueError, match="cannot be"):
            resize(noise(1, 4, 4), 0, 3)
        with pytest.raises(ValueError, match="must be"):
            resize(noise(1, 4, 4)[0], 2, 2)


def test_short_side() -> None:
    assert short_side(1920, 1080, 256) == (455, 256)  # 455.11
    assert short_side(1080, 1920, 256) == (256, 455)
    assert short_side(604, 604, 256) == (256, 256)
    assert short_side(4, 5, 2) == (2, 3)  # 2.5 goes up
    with pytest.raises(ValueError, match="at least 1"):
        short_side(0, 5, 2)


CLEAN_37X53 = [
    [0.0, 109.065742, 178.177353],
    [159.558441, 97.5540161, 59.1250191],
    [52.4074326, 172.409973, 67.5436707],
    [138.92662, 255.0, 80.1471558],
    [254.0, 84.0, 63.0],
    [99.1218338, 93.3592834, 101.048386],
    [236.280014, 90.1733093, 6.2449379],
]
CLEAN_512X405 = [
    [125.88826, 128.352921, 73.1270599],
    [144.891876, 165.702133, 142.820129],
    [101.925552, 159.635925, 128.45697],
    [99.8944473, 172.420746, 71.6333923],
    [187.118774, 172.492264, 92.8773575],
    [167.014862, 61.0416374, 145.736206],
    [172.141678, 107.851585, 74.9290237],
]


@pytest.mark.parity
@pytest.mark.parametrize(
    ("size", "probes", "total"), [((37, 53), CLEAN_37X53, 33092449.342239466), ((512, 405), CLEAN_512X405, 33113545.513088163)]
)
def test_bicubic_is_clean_fids(size: tuple[int, int], probes: list[list[float]], total: float, record_deviation: Recorder) -> None:
    """Measured with build_resizer("clean") of GaParmar/clean-fid @e88c4d6 on formula frame 11 of `noisy`, scene 1, to 299x299."""
    made = bicubic(frames("noisy", 12, *size, scene=1)[11:], 299, 299)[0]
    places = [(0, 0), (0, 298), (298, 0), (298, 298), (149, 149), (7, 250), (203, 41)]
    off = np.array([made[row, column] for row, column in places]) - probes
    record_deviation("resize bicubic", "clean-fid e88c4d6 build_resizer(clean), to 299x299", off, tolerance=1e-4, unit="grey levels")
    assert abs(made.astype(np.float64).sum() - total) < 1


@pytest.mark.parity
@pytest.mark.parametrize(("name", "height", "width"), [("blur", 40, 56), ("noisy", 40, 56), ("truth", 100, 72)])
def test_bilinear_is_discos(name: str, height: int, width: int, record_deviation: Recorder) -> None:
    """cv2.resize of BGR frame 5 to 64x64 as recorded from Wangt-CN/DisCo @c4fa48a. Other OpenCV builds may be one level off, so the sum
    and the first pixels are held within one level, and the hash only where the build is the recorded one."""
    import cv2

    recorded = json.loads((FIXTURES / "disco_frame_metrics.json").read_text())
    expected = recorded["cases"][f"{name} at {height}x{width}"]["cv2.resize of frame 5 to 64x64 (BGR uint8, default flag)"]
    made = cv2_bilinear(frames(name, 12, height, width)[5:6], 64, 64)[0, ..., ::-1]
    first = np.array(expected["row0_first8_pixels_BGR"]).reshape(8, 3)
    off = made[0, :8].astype(int) - first
    record_deviation("resize cv2-bilinear", "DisCo c4fa48a (cv2.resize on uint8)", off, tolerance=1, unit="grey levels")
    assert abs(int(made.sum()) - expected["sum"]) <= 0.001 * expected["sum"]
    if recorded["libraries"]["opencv-python-headless"].startswith(cv2.__version__):
        assert hashlib.sha256(np.ascontiguousarray(made).tobytes()).hexdigest() == expected["sha256"]
