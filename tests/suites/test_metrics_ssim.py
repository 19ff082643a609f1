"""SSIM. Expected numbers are closed forms, identities, scikit-image and torchmetrics run live; frozen numbers: test_parity_frames.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import cv2
import numpy as np
import pytest

from benchmark.errors import Unscored
from benchmark.model import Counted, Frames, FrameVariant
from suites.metrics.ssim import SPEC
from tests.formula import frames

GAUSSIAN, DISCO, TORCH = (cast(FrameVariant, SPEC.variant(id)) for id in ("gaussian", "disco", "torchmetrics"))
EVERY = pytest.mark.parametrize("variant", [GAUSSIAN, DISCO, TORCH], ids=lambda variant: variant.id)
SCIKIT = "scikit-image is what this test compares with"
C1 = (0.01 * 255) ** 2


def noise(h: int, w: int, seed: int = 0, low: int = 0, high: int = 256) -> tuple[Frames, Frames]:
    """Two unrelated frames of uniform noise low..high-1."""
    random = np.random.default_rng(seed)
    a, b = (random.integers(low, high, (1, h, w, 3), np.uint8) for _ in range(2))
    return a, b


PAIRS = {
    "blur": (frames("blur", 2, 40, 57), frames("truth", 2, 40, 57)),
    "shifted": (frames("shifted", 2, 64, 48, 3), frames("truth", 2, 64, 48, 3)),
    "noisy": (frames("noisy", 4, 33, 31), frames("truth", 4, 33, 31)),
    "flat at 240 +- 1": noise(50, 60, 1, 239, 242),
    "flat at 1 +- 1": noise(50, 60, 2, 0, 3),
    "random": noise(45, 70),
    "odd sizes": noise(13, 29),
    "one window": noise(11, 11),
    "one row of windows": noise(11, 90),
    "taller than a strip": noise(301, 24),
    "as tall as a strip and one row": noise(139, 20),
}
PICTURES = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())


def scikit_image(generated: Frames, truth: Frames, **settings: Any) -> list[Any]:
    """structural_similarity of each pair of frames, in float64."""
    metrics = pytest.importorskip("skimage.metrics", reason=SCIKIT)
    sides = zip(generated.astype(np.float64), truth.astype(np.float64), strict=True)
    return [metrics.structural_similarity(a, b, data_range=255, **settings) for a, b in sides]


WANG: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}


def greys(clip: Frames) -> Frames:
    """The grey pictures as DisCo makes them: BGR in, BGR2GRAY."""
    return np.stack([cv2.cvtColor(np.ascontiguousarray(frame[..., ::-1]), cv2.COLOR_BGR2GRAY) for frame in clip])


def inset(h: int, w: int) -> Counted:
    """Everything counts but a rectangle at the right border."""
    counted = np.ones((h, w), np.bool_)
    counted[h // 3 : h // 2, -w // 4 :] = False
    return counted


@pytest.fixture
def threads() -> Iterator[None]:
    """Leaves OpenCV's thread count as it was."""
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


# ------------------------------------------------------------------------------------------------- closed forms and identities


@EVERY
@pytest.mark.parametrize(("a", "b"), [(0, 255), (100, 120), (240, 241), (7, 7)])
def test_constant_pictures(variant: FrameVariant, a: int, b: int) -> None:
    """No variance on either side: (2ab + C1) / (a^2 + b^2 + C1)."""
    one, other = (np.full((1, 20, 24, 3), level, np.uint8) for level in (a, b))
    assert variant.score(one, other)[0] == pytest.approx((2 * a * b + C1) / (a * a + b * b + C1), abs=1e-12)


@EVERY
@PICTURES
def test_identical_is_exactly_one(variant: FrameVariant, pair: tuple[Frames, Frames]) -> None:
    assert variant.score(pair[1], pair[1]).tolist() == [1.0] * len(pair[1])


@EVERY
@PICTURES
def test_swapped_sides_to_the_bit(variant: FrameVariant, pair: tuple[Frames, Frames]) -> None:
    assert np.array_equal(variant.score(*pair), variant.score(pair[1], pair[0]))


@EVERY
@pytest.mark.parametrize("axis", [1, 2])
def test_mirrored(variant: FrameVariant, axis: int) -> None:
    """Both sides mirrored: only the order of additions changes, 1e-12."""
    generated, truth = PAIRS["shifted"]
    counted = inset(64, 48)
    expected = variant.score(generated, truth, counted)
    values = variant.score(np.flip(generated, axis), np.flip(truth, axis), np.flip(counted, axis - 1))
    assert values == pytest.approx(expected, abs=1e-12)


@EVERY
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_chunks_and_order_to_the_bit(variant: FrameVariant, dtype: Any) -> None:
    """Frame by frame, in twos and all at once; reordered frames give reordered values."""
    generated, truth = frames("noisy", 6, 150, 40).astype(dtype), frames("truth", 6, 150, 40).astype(dtype)
    values = variant.score(generated, truth)
    for size in (1, 2, 5):
        parts = [variant.score(generated[i : i + size], truth[i : i + size]) for i in range(0, 6, size)]
        assert np.array_equal(np.concatenate(parts), values)
    order = [3, 0, 5, 1, 4, 2]
    assert np.array_equal(variant.score(generated[order], truth[order]), values[order])


@EVERY
@pytest.mark.usefixtures("threads")
def test_threads_to_the_bit(variant: FrameVariant) -> None:
    """OpenCV's thread count, on a picture large enough that it would split the work."""
    generated, truth = frames("noisy", 2, 512, 640), frames("truth", 2, 512, 640)
    counted = inset(512, 640)
    results = []
    for count in (1, 2, 3, 8):
        cv2.setNumThreads(count)
        results.append((*variant.score(generated, truth), *variant.score(generated, truth, counted)))
    assert len(set(results)) == 1


@EVERY
def test_float_frames_that_hold_levels(variant: FrameVariant) -> None:
    """uint8 and float32 of the same numbers are widened to the same float64, or rounded to the same levels."""
    generated, truth = PAIRS["noisy"]
    expected = variant.score(generated, truth)
    assert np.array_equal(variant.score(generated.astype(np.float32), truth.astype(np.float32)), expected)
    assert np.array_equal(variant.score(generated.astype(np.float32), truth), expected)


@EVERY
def test_views(variant: FrameVariant) -> None:
    """Crops of larger arrays and reversed channels, which are not contiguous, are read like copies; nothing is written to the input."""
    generated, truth = PAIRS["noisy"]
    before = generated.copy(), truth.copy()
    views = generated[:, 2:-3, 4:-1, ::-1], truth[:, 2:-3, 4:-1, ::-1]
    assert np.array_equal(variant.score(*views), variant.score(views[0].copy(), views[1].copy()))
    assert np.array_equal(generated, before[0])
    assert np.array_equal(truth, before[1])


@EVERY
def test_no_frames_no_values(variant: FrameVariant) -> None:
    generated, truth = PAIRS["noisy"]
    assert variant.score(generated[:0], truth[:0]).shape == (0,)


@EVERY
def test_what_is_ignored_has_no_influence(variant: FrameVariant) -> None:
    """To the bit: whatever stands in the inset, since no window that touches it is averaged."""
    generated, truth = PAIRS["shifted"]
    counted = inset(64, 48)
    values = variant.score(generated, truth, counted)
    other = generated.copy()
    other[:, ~counted] = 255 - other[:, ~counted]
    assert np.array_equal(variant.score(other, truth, counted), values)
    assert not np.array_equal(variant.score(other, truth), variant.score(generated, truth))


@EVERY
def test_everything_counted_is_no_mask(variant: FrameVariant) -> None:
    generated, truth = PAIRS["shifted"]
    assert np.array_equal(variant.score(generated, truth, np.ones((64, 48), np.bool_)), variant.score(generated, truth))


@EVERY
def test_no_window_left(variant: FrameVariant) -> None:
    """Pixels count, but every window touches an ignored one."""
    generated, truth = PAIRS["shifted"]
    counted = np.zeros((64, 48), np.bool_)
    for mask in (counted, np.indices((64, 48)).sum(axis=0) % 2 == 0):
        with pytest.raises(Unscored, match="all-ignored"):
            variant.score(generated, truth, mask)


@pytest.mark.parametrize(("variant", "smallest"), [(GAUSSIAN, 11), (DISCO, 7), (TORCH, 6)])
def test_smallest_picture(variant: FrameVariant, smallest: int) -> None:
    assert variant.min_size == smallest
    generated, truth = noise(smallest, smallest + 1)
    assert np.isfinite(variant.score(generated, truth)).all()
    with pytest.raises(ValueError, match="too small"):
        variant.score(generated[:, 1:], truth[:, 1:])


@EVERY
def test_refusals(variant: FrameVariant) -> None:
    generated, truth = PAIRS["noisy"]
    with pytest.raises(ValueError, match="share one shape"):
        variant.score(generated[:, 1:], truth)
    with pytest.raises(ValueError, match="counted must have the shape"):
        variant.score(generated, truth, np.ones((31, 33), np.bool_))


# ------------------------------------------------------------------------------------------------------------ other packages


@pytest.mark.peers
@PICTURES
def test_gaussian_is_scikit_image(pair: tuple[Frames, Frames]) -> None:
    assert GAUSSIAN.score(*pair) == pytest.approx(scikit_image(*pair, **WANG), abs=1e-9)


@pytest.mark.peers
def test_gaussian_of_fractions_is_scikit_image() -> None:
    """float32 frames as a float resize leaves them; scikit-image is given their exact values in float64."""
    pair = [clip * np.float32(0.9137) for clip in PAIRS["blur"]]
    assert GAUSSIAN.score(pair[0], pair[1]) == pytest.approx(scikit_image(pair[0], pair[1], **WANG), abs=1e-9)


@pytest.mark.peers
@PICTURES
def test_disco_is_scikit_image(pair: tuple[Frames, Frames]) -> None:
    assert DISCO.score(*pair) == pytest.approx(scikit_image(greys(pair[0]), greys(pair[1])), abs=1e-9)


@pytest.mark.peers
@pytest.mark.parametrize(("variant", "radius"), [(GAUSSIAN, 5), (DISCO, 3)])
def test_counted_is_scikit_images_map_where_windows_are_whole(variant: FrameVariant, radius: int) -> None:
    """The mean of scikit-image's map over the positions whose window, looked at pixel by pixel, holds no ignored one."""
    generated, truth = PAIRS["shifted"]
    counted = inset(64, 48)
    sides = (generated, truth) if variant is GAUSSIAN else (greys(generated), greys(truth))
    maps = [full for _, full in scikit_image(*sides, full=True, **(WANG if variant is GAUSSIAN else {}))]
    rows, columns = range(radius, 64 - radius), range(radius, 48 - radius)
    whole = [(y, x) for y in rows for x in columns if counted[y - radius : y + radius + 1, x - radius : x + radius + 1].all()]
    expected = [np.mean([full[position] for position in whole]) for full in maps]
    assert variant.score(generated, truth, counted) == pytest.approx(expected, abs=1e-9)


@pytest.mark.peers
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
@PICTURES
def test_torchmetrics(pair: tuple[Frames, Frames], precision: str, tolerance: float) -> None:
    """torchmetrics as it is used, in float32, and given float64: it then agrees as closely as scikit-image does with `gaussian`."""
    torch = pytest.importorskip("torch", reason="torchmetrics needs torch")
    image = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is what this test compares with")
    sides = [torch.from_numpy(side).permute(0, 3, 1, 2).to(getattr(torch, precision)) for side in pair]
    expected = image.structural_similarity_index_measure(*sides, data_range=255.0, reduction="none")
    assert TORCH.score(*pair) == pytest.approx(expected.reshape(-1).tolist(), abs=tolerance)
