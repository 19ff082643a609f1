"""Planted faults do what they say, by measures written here from exact masks: monotone over five strengths, and nothing else is touched."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from adapters import blur_hands, flicker, late
from benchmark.errors import InputError
from benchmark.generating import Adapter, Settings
from benchmark.media import decode, encode, probe
from benchmark.model import Case, Source
from tests.make import movie

Frames = NDArray[np.uint8]
COUNT, HEIGHT, WIDTH = 20, 72, 96


@pytest.fixture(scope="module")
def clip() -> Frames:
    return movie(3, COUNT, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def hands() -> dict[str, NDArray[np.bool_]]:
    """Two rectangles that travel."""
    masks = {side: np.zeros((COUNT, HEIGHT, WIDTH), np.bool_) for side in ("left_hand", "right_hand")}
    for k in range(COUNT):
        masks["left_hand"][k, 10 + k : 30 + k, 5 + 2 * k : 25 + 2 * k] = True
        masks["right_hand"][k, 40:60, 60 - k : 80 - k] = True
    return masks


@pytest.fixture
def case(clip: Frames, hands: dict[str, NDArray[np.bool_]], tmp_path: Path) -> Case:
    encode(tmp_path / "truth.mkv", [clip], Fraction(15), codec="ffv1")
    np.savez_compressed(tmp_path / "truth.masks.npz", **hands)
    return Case(id="one", truth=Source(tmp_path / "truth.mkv"), masks=tmp_path / "truth.masks.npz", fps=Fraction(15), frames=COUNT)


def made(adapter: Adapter, case: Case, folder: Path) -> Frames:
    folder.mkdir(parents=True, exist_ok=True)
    return np.concatenate(list(decode(probe(adapter.generate(case, Settings(), folder / "clip")))))


def sharpness(frames: Frames, masks: NDArray[np.bool_]) -> float:
    """Mean square of the Laplacian inside masks that are three pixels smaller, so that the rim does not count."""
    found = []
    for frame, mask in zip(frames, masks, strict=True):
        inner = cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
        found.append(np.square(cv2.Laplacian(frame.astype(np.float64), cv2.CV_64F)[inner]).mean())
    return float(np.mean(found))


def test_blurred_hands(clip: Frames, hands: dict[str, NDArray[np.bool_]], case: Case, tmp_path: Path) -> None:
    """Detail goes with the strength, inside the masks; outside no pixel changes."""
    both = hands["left_hand"] | hands["right_hand"]
    measures = [sharpness(clip, both)]
    for k, sigma in enumerate((0.005, 0.008, 0.012, 0.018, 0.027)):
        frames = made(blur_hands.at(sigma), case, tmp_path / str(k))
        assert np.array_equal(frames[~both], clip[~both])
        measures.append(sharpness(frames, both))
    assert all(a > b for a, b in itertools.pairwise(measures)), measures


def test_late(clip: Frames, case: Case, tmp_path: Path) -> None:
    """The lag at which frames agree with the truth best is the one that was planted, for each of five; every frame is a frame of the truth."""
    for lag in (1, 2, 3, 5, 8):
        frames = made(late.at(lag), case, tmp_path / str(lag))
        assert frames.shape == clip.shape
        gaps = [np.abs(frames[shift:].astype(int) - clip[: COUNT - shift]).mean() for shift in range(12)]
        assert int(np.argmin(gaps)) == lag
        assert np.array_equal(frames[lag:], clip[: COUNT - lag])
        assert all(np.array_equal(frame, clip[0]) for frame in frames[:lag])


def test_flicker(clip: Frames, case: Case, tmp_path: Path) -> None:
    """The mean brightness goes up and down by twice the amplitude from frame to frame, whatever the picture does between."""
    measures = []
    for levels in (1, 2, 4, 8, 16):
        frames = made(flicker.at(levels), case, tmp_path / str(levels))
        off = frames.astype(int).mean(axis=(1, 2, 3)) - clip.astype(int).mean(axis=(1, 2, 3))
        measures.append(float(np.abs(np.diff(off)).mean()))
        assert np.allclose(off[::2], levels, atol=0.05)
        assert np.allclose(off[1::2], -levels, atol=0.05)
    assert all(a < b for a, b in itertools.pairwise(measures)), measures


@pytest.mark.parametrize("adapter", [blur_hands.SPEC, late.SPEC, flicker.SPEC], ids=lambda adapter: str(adapter.id))
def test_chunks_do_not_matter(adapter: Adapter, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same frames whether decoded three or sixteen at a time."""
    import adapters._faults as faults
    from benchmark import media

    assert faults is not None
    whole = made(adapter, case, tmp_path / "a")
    real = media.decode
    monkeypatch.setattr(media, "decode", lambda info, **more: real(info, **{**more, "chunk": 3}))
    assert np.array_equal(made(adapter, case, tmp_path / "b"), whole)


def test_without_masks(case: Case, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(InputError, match="needs masks"):
        blur_hands.SPEC.generate(replace(case, masks=None), Settings(), tmp_path / "clip")
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"cannot be read"):
        blur_hands.SPEC.generate(replace(case, masks=tmp_path / "bad.npz"), Settings(), tmp_path / "clip")
