"""What l1 and psnr must not depend on; each test hands in its variant and a function that gives a pair of (3, 20, 28, 3) uint8 clips."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmark.model import Frames, FrameVariant

Pair = Callable[[], tuple[Frames, Frames]]


def to_the_bit(variant: FrameVariant, pair: Pair) -> None:
    """Sides swapped, pixels shuffled alike on both sides, mirrored, frames reordered, frame by frame: integer sums cannot change."""
    generated, truth = pair()
    values = variant.score(generated, truth)
    order = np.random.default_rng(0).permutation(20 * 28)

    def shuffled(clip: Frames) -> Frames:
        return clip.reshape(3, -1, 3)[:, order].reshape(clip.shape)

    assert np.array_equal(variant.score(truth, generated), values)
    assert np.array_equal(variant.score(shuffled(generated), shuffled(truth)), values)
    assert np.array_equal(variant.score(generated[:, :, ::-1], truth[:, :, ::-1]), values)
    assert np.array_equal(variant.score(generated[::-1], truth[::-1]), values[::-1])
    assert [variant.score(generated[i : i + 1], truth[i : i + 1])[0] for i in range(3)] == values.tolist()


def float_frames(variant: FrameVariant, pair: Pair) -> None:
    """float32 that holds whole levels: the same up to the last bits of a float64 sum; each frame alone gives the same bits."""
    generated, truth = (clip.astype(np.float32) for clip in pair())
    values = variant.score(generated, truth)
    assert values == pytest.approx(variant.score(*pair()), rel=1e-14)
    assert np.array_equal(variant.score(truth, generated), values)
    assert [variant.score(generated[i : i + 1], truth[i : i + 1])[0] for i in range(3)] == values.tolist()
