"""Scores of the background: closed forms under exact masks of drawn people, what must not change them, and MediaPipe's mask against the exact one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.model import Values
from benchmark.registry import registry
from benchmark.rows import RegionVariant
from suites.embedded import tiktok
from suites.metrics.ssim import gaussian_maps
from suites.people._mask_rows import SIDE, WIDTH, grown, pack, unpack

Frames = NDArray[np.uint8]
Rows = NDArray[np.float32]
RNG = np.random.default_rng(12)
LOST = 10
"""Grey levels by which the background is made darker or brighter."""


@pytest.fixture(scope="module")
def drawn() -> tuple[Frames, NDArray[np.bool_], Rows]:
    """Three frames of a drawn person at 256x256, its exact masks, and those as rows."""
    reel = tiktok.draw(3, replace(tiktok.SIZE, frames=3))
    masks = reel.masks["person"].astype(bool)
    return reel.frames, masks, np.stack([pack(mask) for mask in masks])


def score(name: str, generated: Frames, truth: Frames, ours: Rows, theirs: Rows) -> Values:
    variant = registry().variant(name)[1]
    assert isinstance(variant, RegionVariant)
    return variant.score(generated, truth, ours, theirs)


def shifted(frames: Frames, where: NDArray[np.bool_]) -> Frames:
    """Every sample at these places moved by exactly LOST levels, away from the nearer end."""
    moved = np.where(frames < 128, frames + LOST, frames - LOST).astype(np.uint8)
    return np.where(where[..., None], moved, frames)


def repainted(frames: Frames, where: NDArray[np.bool_]) -> Frames:
    """Noise at these places: far worse than blurred hands."""
    return np.where(where[..., None], RNG.integers(0, 256, frames.shape).astype(np.uint8), frames)


def test_rows_hold_every_pixel() -> None:
    """Sixteen pixels a number, the first one the highest bit; float32 holds them exactly."""
    masks = RNG.integers(0, 2, (4, SIDE, SIDE)).astype(bool)
    rows = np.stack([pack(mask) for mask in masks])
    assert rows.shape == (4, WIDTH)
    assert rows.dtype == np.float32
    assert (unpack(rows) == masks).all()
    single = np.zeros((SIDE, SIDE), bool)
    single[0, 0] = single[1, 17] = True
    assert {k: float(v) for k, v in enumerate(pack(single)) if v} == {0: 2.0**15, SIDE // 16 + 1: 2.0**14}
    assert pack(np.ones((SIDE, SIDE), bool)).max() == 2**16 - 1
    for bad in (lambda: pack(masks[0, :100]), lambda: unpack(rows[:, :9])):
        with pytest.raises(ValueError, match="expected"):
            bad()


def test_a_person_grows_by_a_fiftieth() -> None:
    """One cell of 256 is a disc of 5 pixels around it at 256; two by two pixels and 10 around at 512; at least 4 at 100."""
    cell = np.zeros((SIDE, SIDE), bool)
    cell[100, 120] = True
    for side, cells, radius in ((256, 1, 5), (512, 2, 10)):
        found = grown(cell, side, side)
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        assert (rows[0], rows[-1]) == (100 * cells - radius, 101 * cells - 1 + radius)
        assert (columns[0], columns[-1]) == (120 * cells - radius, 121 * cells - 1 + radius)
    small = np.zeros((SIDE, SIDE), bool)
    small[128:131, 128:131] = True  # the cell whose centre falls on pixel 50 of 100
    assert int(grown(small, 100, 100)[50].sum()) in (9, 10)
    assert grown(cell, 300, 200).shape == (200, 300)


@pytest.mark.parametrize("rule", ["truth", "both"])
def test_whatever_happens_to_the_person_the_background_stays(rule: str, drawn: tuple[Frames, NDArray[np.bool_], Rows]) -> None:
    """A repainted person: nothing differs outside (left out of PSNR, SSIM exactly 1). With the background 10 levels off: 20 log10(255 / 10),
    and SSIM's value is that without the repainting, to the bit."""
    truth, masks, rows = drawn
    painted = repainted(truth, masks)
    assert np.isnan(score(f"psnr-background@selfie-{rule}", painted, truth, rows, rows)).all()
    assert score(f"ssim-background@selfie-{rule}", painted, truth, rows, rows).tolist() == [1.0] * 3
    off, both = shifted(truth, ~masks), shifted(painted, ~masks)
    expected = 20 * np.log10(255 / LOST)
    for generated in (off, both):
        assert score(f"psnr-background@selfie-{rule}", generated, truth, rows, rows) == pytest.approx([expected] * 3, rel=1e-12)
    structural = score(f"ssim-background@selfie-{rule}", off, truth, rows, rows)
    assert (structural < 1).all()
    assert (structural == score(f"ssim-background@selfie-{rule}", both, truth, rows, rows)).all()


def test_a_window_that_touches_the_person_does_not_count(drawn: tuple[Frames, NDArray[np.bool_], Rows]) -> None:
    """Against the whole map averaged over places whose 11 x 11 pixels are all background, found one by one."""
    truth, _, rows = drawn
    generated = shifted(truth, np.broadcast_to(RNG.random(truth.shape[1:3]) < 0.5, truth.shape[:3]))
    mapped = np.mean(gaussian_maps(generated[0], truth[0]), axis=0)
    outside = ~grown(unpack(rows)[0], 256, 256)
    windows = np.lib.stride_tricks.sliding_window_view(outside, (11, 11)).all(axis=(2, 3))
    assert windows.shape == mapped.shape
    found = score("ssim-background@selfie-truth", generated, truth, rows, rows)
    assert found[0] == pytest.approx(mapped[windows].mean(), rel=1e-12)


def test_both_leaves_out_the_generated_person_too(drawn: tuple[Frames, NDArray[np.bool_], Rows]) -> None:
    """The method put somebody where the truth shows the room."""
    truth, masks, rows = drawn
    other = np.roll(masks, 90, axis=2)
    ours = np.stack([pack(mask) for mask in other])
    generated = repainted(truth, other)
    assert np.isfinite(score("psnr-background@selfie-truth", generated, truth, ours, rows)).all()
    assert np.isnan(score("psnr-background@selfie-both", generated, truth, ours, rows)).all()
    assert score("ssim-background@selfie-both", generated, truth, ours, rows).tolist() == [1.0] * 3


def test_without_a_person_or_a_background_there_is_no_value(drawn: tuple[Frames, NDArray[np.bool_], Rows]) -> None:
    truth, _, rows = drawn
    nobody, all_ = np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)
    nobody[:10, :30] = True  # 0.46 % of the picture
    for theirs in (nobody, all_):
        changed = np.stack([pack(theirs), rows[1], rows[2]])
        for name in ("psnr-background@selfie-truth", "ssim-background@selfie-both"):
            found = score(name, shifted(truth, np.ones(truth.shape[:3], bool)), truth, rows, changed)
            assert np.isnan(found).tolist() == [True, False, False]
    # What the method shows does not decide what is scored.
    empty = np.stack([pack(np.zeros((SIDE, SIDE), bool))] * 3)
    assert np.isfinite(score("psnr-background@selfie-both", shifted(truth, np.ones(truth.shape[:3], bool)), truth, empty, rows)).all()


@pytest.mark.slow
@pytest.mark.real_weights
def test_mediapipes_mask_of_drawn_people(weights_folder: Path) -> None:
    """Ten drawn people with exact masks: what the definition states of its mask."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    from benchmark import backends

    forward = backends.load(registry().extractors["selfie-mask"].item, "real", weights_folder / "mediapipe_tflite", "cpu")
    covered, kept = [], []
    for number in range(tiktok.PEOPLE):
        reel = tiktok.draw(number, replace(tiktok.SIZE, frames=2))
        exact = reel.masks["person"][0].astype(bool)
        person = grown(unpack(forward(reel.frames[:1]))[0], 256, 256)
        covered.append((person & exact).sum() / exact.sum())
        kept.append((~person & ~exact).sum() / (~exact).sum())
    assert "covers 99.4 % of them and leaves 92 %" in registry().variant("psnr-background@selfie-truth")[1].summary
    assert np.mean(covered) == pytest.approx(0.994, abs=0.003)
    assert np.mean(kept) == pytest.approx(0.92, abs=0.01)
