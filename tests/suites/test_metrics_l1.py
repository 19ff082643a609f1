"""L1. Expected numbers are closed forms and identities; the frozen numbers of the originals are in test_parity_frames.py."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from benchmark.errors import Unscored
from benchmark.model import Counted, Frames, FrameVariant
from suites.metrics.l1 import SPEC
from tests.formula import frames
from tests.suites.invariances import float_frames, to_the_bit

UNIT, DISCO = (cast(FrameVariant, SPEC.variant(id)) for id in ("unit", "disco"))
BOTH = pytest.mark.parametrize("variant", [UNIT, DISCO], ids=lambda variant: variant.id)


def pair(n: int = 3, h: int = 20, w: int = 28) -> tuple[Frames, Frames]:
    return frames("noisy", n, h, w), frames("truth", n, h, w)


def left_half(h: int, w: int) -> Counted:
    counted = np.zeros((h, w), np.bool_)
    counted[:, : w // 2] = True
    return counted


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("c", [0, 1, 17, 100])
def test_constant_difference(c: int, dtype: Any) -> None:
    """Frames that differ by c everywhere: c / 255, and c / (H*W)."""
    truth = np.full((2, 10, 30, 3), 90, dtype)
    assert UNIT.score(truth + dtype(c), truth).tolist() == [c / 255] * 2
    assert DISCO.score(truth, truth + dtype(c)).tolist() == [c / 300] * 2


def test_black_against_white_is_one() -> None:
    truth = np.zeros((1, 4, 4, 3), np.uint8)
    assert UNIT.score(truth + np.uint8(255), truth).tolist() == [1.0]


def test_ignored_pixels() -> None:
    """Differences of 8 in the half that counts and 200 in the other: the mean is 8, DisCo's divisor stays H*W of the whole picture."""
    truth = np.zeros((1, 10, 30, 3), np.uint8)
    generated = truth + np.where(left_half(10, 30), 8, 200).astype(np.uint8)[..., None]
    assert UNIT.score(generated, truth, left_half(10, 30)).tolist() == [8 / 255]
    assert UNIT.score(generated.astype(np.float32), truth.astype(np.float32), left_half(10, 30)).tolist() == [8 / 255]
    assert DISCO.score(generated, truth, left_half(10, 30)).tolist() == [8 / 300]


def test_disco_rounds_floats_half_to_even() -> None:
    generated = np.array([0.5, 1.5, 2.4], np.float32).reshape(1, 1, 1, 3)
    assert DISCO.score(generated, np.zeros_like(generated)).tolist() == [(0 + 2 + 2) / 3]


@BOTH
def test_invariances_to_the_bit(variant: FrameVariant) -> None:
    to_the_bit(variant, pair)


@BOTH
def test_float_frames(variant: FrameVariant) -> None:
    float_frames(variant, pair)


@BOTH
def test_everything_counted_is_no_mask(variant: FrameVariant) -> None:
    assert np.array_equal(variant.score(*pair(), np.ones((20, 28), np.bool_)), variant.score(*pair()))


@BOTH
def test_refusals(variant: FrameVariant) -> None:
    generated, truth = pair()
    with pytest.raises(ValueError, match="share one shape"):
        variant.score(generated[:, 1:], truth)
    with pytest.raises(ValueError, match="counted must have the shape"):
        variant.score(generated, truth, np.ones((28, 20), np.bool_))
    with pytest.raises(Unscored, match="all-ignored"):
        variant.score(generated, truth, np.zeros((20, 28), np.bool_))


@BOTH
def test_no_frames_no_values(variant: FrameVariant) -> None:
    generated, truth = pair()
    assert variant.score(generated[:0], truth[:0]).shape == (0,)
