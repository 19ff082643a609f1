"""Motion transfer without training: nearer to the truth than a still picture, exact where nothing moves, and clear where something is missing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from adapters import warp
from benchmark.errors import InputError
from benchmark.generating import Settings
from benchmark.media import decode, encode, probe, write_png
from benchmark.model import Case, Source
from suites.embedded import tiktok
from suites.embedded._film import Reel, Size

SIZE = Size(frames=4, height=128, width=128, fps=Fraction(3))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def case(reel: Reel, folder: Path) -> Case:
    encode(folder / "truth.mkv", [reel.frames], SIZE.fps, codec="ffv1")
    write_png(folder / "reference.png", reel.frames[0])
    np.savez_compressed(folder / "pose.npz", allow_pickle=False, **reel.pose)
    np.savez_compressed(folder / "masks.npz", allow_pickle=False, **reel.masks)
    return Case(
        id="one",
        truth=Source(folder / "truth.mkv"),
        reference=folder / "reference.png",
        reference_frame=0,
        pose=folder / "pose.npz",
        masks=folder / "masks.npz",
        fps=SIZE.fps,
        frames=SIZE.frames,
    )


def made(of: Case, folder: Path) -> np.ndarray:
    return np.concatenate(list(decode(probe(warp.SPEC.generate(of, Settings(), folder / "clip")))))


@pytest.mark.slow
def test_nearer_than_the_reference(tmp_path: Path) -> None:
    """On at least nine of ten people, over frames a third of a second apart: PSNR written here, against the reference repeated."""
    better = 0
    for number in range(10):
        reel = tiktok.draw(number, SIZE)
        folder = tmp_path / str(number)
        folder.mkdir()
        frames = made(case(reel, folder), folder)
        assert frames.shape == reel.frames.shape
        gained = [psnr(frames[k], reel.frames[k]) - psnr(reel.frames[0], reel.frames[k]) for k in range(1, SIZE.frames)]
        better += float(np.mean(gained)) > 0
    assert better >= 9


@pytest.fixture(scope="module")
def reel() -> Reel:
    return tiktok.draw(2, SIZE)


def test_a_person_who_stands_still_is_not_touched(reel: Reel, tmp_path: Path) -> None:
    """With the reference's own keypoints the person comes back but for the soft rims of the layers."""
    still = replace(reel, pose={**reel.pose, "keypoints": np.repeat(reel.pose["keypoints"][:1], SIZE.frames, axis=0)})
    frames = made(case(still, tmp_path), tmp_path)
    inner = still.masks["person"][0]
    assert np.array_equal(frames[0], frames[-1])
    assert np.abs(frames[0][inner].astype(int) - reel.frames[0][inner]).mean() < 3
    assert psnr(frames[0], reel.frames[0]) > 28


def test_only_reference_and_pose_are_used(reel: Reel, tmp_path: Path) -> None:
    """Other truth frames after the reference change nothing."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    other = reel.frames.copy()
    other[1:] = 90
    found = [made(case(replace(reel, frames=f), folder), folder) for f, folder in zip((reel.frames, other), folders, strict=True)]
    assert np.array_equal(found[0], found[1])


def test_without_masks_the_person_is_found(reel: Reel, tmp_path: Path) -> None:
    """GrabCut around the bones: most of the exact mask, little beside it."""
    points = reel.pose["keypoints"][0].astype(np.float64)
    of = replace(case(reel, tmp_path), masks=None)
    found, exact = warp._person(of, reel.frames[0], points), reel.masks["person"][0]
    assert (found & exact).sum() / (found | exact).sum() > 0.6


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pose": None}, "needs pose"),
        ({"reference": None}, "needs a reference picture"),
        ({"reference_frame": None}, "whose frame is known"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, None], expected: str, reel: Reel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=expected):
        warp.SPEC.generate(replace(case(reel, tmp_path), **change), Settings(), tmp_path / "clip")  # type: ignore[arg-type]


def test_too_few_poses(reel: Reel, tmp_path: Path) -> None:
    short = replace(reel, pose={**reel.pose, "keypoints": reel.pose["keypoints"][:2]})
    with pytest.raises(InputError, match="does not fit"):
        warp.SPEC.generate(case(short, tmp_path), Settings(), tmp_path / "clip")


def test_maps() -> None:
    """A similarity gives back turn, size and shift of points that were moved by one; three points in general give an affine map close to theirs."""
    points = np.array([[0.0, 0], [4, 1], [2, 5], [-1, 3]])
    turn = 1.3 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    target = points @ turn.T + [7, -2]
    for fit in (warp.similarity, warp.affine):
        found = fit(points, target)
        assert np.allclose(found[:, :2], turn)
        assert np.allclose(found[:, 2], [7, -2])
