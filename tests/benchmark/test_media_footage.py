"""Published videos as they are found. Expected facts are stated by whoever published or collected them; no picture is kept."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmark.media import decode, probe

ROOT = Path(os.environ.get("BENCHMARK_FOOTAGE", ""))
pytestmark = [
    pytest.mark.footage,
    pytest.mark.skipif(not os.environ.get("BENCHMARK_FOOTAGE"), reason="BENCHMARK_FOOTAGE is not set: no real footage here"),
]

# name: width, height, frames, rate, pixel format, matrix. Sizes, rates and counts as stated with the footage or by the file's own header;
# rates of files with an edit list or millisecond stamps are those the camera was set to.
FACTS: dict[str, tuple[int, int, int, Fraction, str, str]] = {
    "tiktok-showcase/truth/0.mp4": (604, 604, 155, Fraction(15), "yuv444p", "bt601"),
    "tiktok-showcase/truth/3.mp4": (604, 604, 154, Fraction(15), "yuv444p", "bt601"),
    "tiktok-showcase/mimicmotion/0.mp4": (576, 576, 153, Fraction(15), "yuv420p", "bt601"),
    "formats/dreampose.gif": (256, 320, 36, Fraction(25, 2), "bgra", "rgb"),
    "formats/unianimate-three-panels.gif": (1536, 768, 32, Fraction(8), "bgra", "rgb"),
    "formats/moore-face-25fps.mp4": (512, 512, 299, Fraction(25), "yuv420p", "bt601"),
    "bodies/dreampose_demo.mov": (512, 640, 71, Fraction(24), "yuv420p", "bt709"),
    "bodies/dance_queencard.mp4": (720, 1280, 247, Fraction(30), "yuv420p", "bt709"),  # 357 stored, the edit list hides 110
    "bodies/yuhewei_8s.mp4": (360, 640, 242, Fraction(30), "yuv420p", "bt601"),
    "bodies/ubc_91-3003CN5S.mp4": (960, 1254, 346, Fraction(30000, 1001), "yuv420p", "bt709"),
    "fantasytalking2/15.mp4": (720, 480, 140, Fraction(25), "yuv420p", "bt709"),  # HEVC
    "talking-real/cyberhost_1.mp4": (515, 525, 374, Fraction(1249, 50), "yuv444p", "bt601"),
}


@pytest.mark.parametrize("name", list(FACTS))
def test_facts(name: str) -> None:
    info = probe(ROOT / name)
    assert (info.width, info.height, info.frames, info.fps, info.pix_fmt, info.matrix) == FACTS[name]
    assert not info.variable


def test_dropped_frames_are_not_smoothed_over() -> None:
    """An AVI with an empty chunk and an mp4 whose edit list hides a frame in the middle: both have one gap of two frames."""
    for name, frames in (("syncnet-anchor/video.avi", 132), ("talking-real/hdtf_RD_Radio10.mp4", 61)):
        info = probe(ROOT / name)
        assert (info.frames, info.variable) == (frames, True)
        assert info.times is not None
        steps = np.diff([float(time) for time in info.times])
        assert np.isclose(steps.max(), 2 * steps.min(), rtol=1e-3)
        assert np.count_nonzero(steps > 1.5 * steps.min()) == 1


@pytest.mark.parametrize(
    "name", ["formats/dreampose.gif", "bodies/dance_queencard.mp4", "syncnet-anchor/video.avi", "fantasytalking2/15.mp4"]
)
def test_every_counted_frame_decodes(name: str) -> None:
    info = probe(ROOT / name)
    assert sum(len(part) for part in decode(info)) == info.frames


def test_gif_pixels_are_pillows() -> None:
    from PIL import Image, ImageSequence

    with Image.open(ROOT / "formats/dreampose.gif") as image:
        shown = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])
    np.testing.assert_array_equal(np.concatenate(list(decode(probe(ROOT / "formats/dreampose.gif")))), shown)
