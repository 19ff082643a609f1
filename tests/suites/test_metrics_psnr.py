"""PSNR. Expected numbers are closed forms, identities and scikit-image run live; frozen numbers are in test_parity_frames.py."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest

from benchmark.errors import Unscored
from benchmark.model import Counted, Frames, FrameVariant
from suites.metrics.psnr import SPEC
from tests.formula import frames
from tests.suites.invariances import float_frames, to_the_bit

FLOAT, POOLED, CAP100, WRAP = (cast(FrameVariant, SPEC.variant(id)) for id in ("float", "pooled", "cap100", "uint8-wrap"))
EVERY = pytest.mark.parametrize("variant", [FLOAT, POOLED, CAP100, WRAP], ids=lambda variant: variant.id)


def pair(n: int = 3, h: int = 20, w: int = 28) -> tuple[Frames, Frames]:
    return frames("noisy", n, h, w), frames("truth", n, h, w)


def constant(c: int, dtype: Any = np.uint8) -> tuple[Frames, Frames]:
    """Two frames that differ by c everywhere."""
    truth = np.full((2, 6, 7, 3), 60, dtype)
    return truth + dtype(c), truth


def right_half(h: int, w: int) -> Counted:
    counted = np.zeros((h, w), np.bool_)
    counted[:, w // 2 :] = True
    return counted


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("c", [1, 5, 150])
def test_constant_difference(c: int, dtype: Any) -> None:
    """20 log10(255 / c)."""
    expected = [20 * math.log10(255 / c)] * 2
    assert FLOAT.score(*constant(c, dtype)).tolist() == pytest.approx(expected, abs=1e-12)
    assert CAP100.score(*constant(c, dtype)).tolist() == pytest.approx(expected, abs=1e-12)
    values = POOLED.score(*constant(c, dtype))
    assert values.tolist() == [c * c] * 2
    assert POOLED.pool(values) == pytest.approx(expected[0], abs=1e-12)


@pytest.mark.parametrize(("c", "wrapped"), [(15, 225), (20, 144), (17, 33), (100, 16)])
def test_uint8_wrap(c: int, wrapped: int) -> None:
    """c squared modulo 256, whichever side is brighter."""
    generated, truth = constant(c)
    expected = [20 * math.log10(255 / math.sqrt(wrapped))] * 2
    assert WRAP.score(generated, truth).tolist() == pytest.approx(expected, abs=1e-12)
    assert WRAP.score(truth, generated).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("c", [16, 32, 160])
def test_uint8_wrap_to_nothing(c: int) -> None:
    """16 squared is 256, which wraps to 0: a large error scores as a perfect picture."""
    assert WRAP.score(*constant(c)).tolist() == [100.0, 100.0]


def test_uint8_wrap_is_numpy_arithmetic_in_uint8() -> None:
    """The same as subtracting and squaring uint8 arrays, for all 65,536 pairs of levels."""
    generated, truth = (side.astype(np.uint8).reshape(256, 1, 256, 1).repeat(3, -1) for side in np.mgrid[0:256, 0:256])
    residue = (generated - truth) * (generated - truth)
    assert residue.dtype == np.uint8
    mse = residue.reshape(256, -1).mean(axis=1)
    assert WRAP.score(generated, truth).tolist() == pytest.approx((20 * np.log10(255 / np.sqrt(mse))).tolist(), abs=1e-12)


def test_uint8_wrap_tends_to_27_9() -> None:
    """All differences of 0..255 equally often: mean of k^2 mod 256, 27.9 dB."""
    generated = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    mse = sum(k * k % 256 for k in range(256)) / 256
    value = WRAP.score(generated, np.zeros_like(generated))[0]
    assert value == pytest.approx(10 * math.log10(255**2 / mse), abs=1e-12)
    assert round(float(value), 1) == 27.9


def test_identical_frames() -> None:
    """No value, 100 by rule, or an MSE of 0."""
    truth = pair()[1]
    assert np.isnan(FLOAT.score(truth, truth)).all()
    assert FLOAT.left_out == "identical"
    assert CAP100.score(truth, truth).tolist() == [100.0] * 3
    assert WRAP.score(truth, truth).tolist() == [100.0] * 3
    assert POOLED.score(truth, truth).tolist() == [0.0] * 3
    with pytest.raises(Unscored, match="identical"):
        POOLED.pool(POOLED.score(truth, truth))


def test_pooled_keeps_identical_frames_in() -> None:
    """MSE 16 and 0: the mean is 8."""
    truth = np.zeros((2, 6, 6, 3), np.uint8)
    generated = truth.copy()
    generated[0] = 4
    assert POOLED.pool(POOLED.score(generated, truth)) == pytest.approx(10 * math.log10(255**2 / 8), abs=1e-12)


def test_cap100_is_no_cap() -> None:
    """One level in one of 196,608 samples: 10 log10(255^2 * 196608), above 100."""
    truth = np.zeros((1, 256, 256, 3), np.uint8)
    generated = truth.copy()
    generated[0, 3, 5, 1] = 1
    assert CAP100.score(generated, truth)[0] == pytest.approx(10 * math.log10(255**2 * 196608), abs=1e-10)


def test_ignored_pixels() -> None:
    """Differences of 5 in the half that counts, anything in the other."""
    truth = np.zeros((1, 6, 8, 3), np.uint8)
    generated = truth + np.where(right_half(6, 8), 5, 77).astype(np.uint8)[..., None]
    pairs: list[tuple[Frames, Frames]] = [(generated, truth), (generated.astype(np.float32), truth.astype(np.float32))]
    for sides in pairs:
        assert POOLED.score(*sides, right_half(6, 8)).tolist() == [25.0]
        for variant in (FLOAT, CAP100, WRAP):
            assert variant.score(*sides, right_half(6, 8))[0] == pytest.approx(20 * math.log10(255 / 5), abs=1e-12)


@EVERY
def test_invariances_to_the_bit(variant: FrameVariant) -> None:
    to_the_bit(variant, pair)


@EVERY
def test_float_frames(variant: FrameVariant) -> None:
    float_frames(variant, pair)
    generated, truth = (clip.astype(np.float32) for clip in pair())
    values = variant.score(generated, truth)
    mixed = variant.score(generated, pair()[1])
    assert np.array_equal(mixed, values)


@EVERY
def test_refusals(variant: FrameVariant) -> None:
    generated, truth = pair()
    with pytest.raises(ValueError, match="share one shape"):
        variant.score(generated[:, 1:], truth)
    with pytest.raises(ValueError, match="counted must have the shape"):
        variant.score(generated, truth, np.ones((28, 20), np.bool_))
    with pytest.raises(Unscored, match="all-ignored"):
        variant.score(generated, truth, np.zeros((20, 28), np.bool_))


@pytest.mark.peers
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", ["blur", "shifted", "noisy"])
def test_scikit_image(name: str, dtype: Any) -> None:
    """peak_signal_noise_ratio of the same frames in float64; float32 frames carry fractions."""
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is what this test compares with")
    scale = dtype(1) if dtype is np.uint8 else dtype(0.937)
    generated, truth = (frames(side, 4, 37, 53) * scale for side in (name, "truth"))
    expected = [
        metrics.peak_signal_noise_ratio(a, b, data_range=255)
        for a, b in zip(truth.astype(np.float64), generated.astype(np.float64), strict=True)
    ]
    assert FLOAT.score(generated, truth).tolist() == pytest.approx(expected, abs=1e-10)
