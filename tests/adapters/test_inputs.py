"""What a case gives a generator: length, size, reference, poses. Expected values: closed forms and the clips' own frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from adapters._inputs import Wanted, drawn, face_box, faces, placed, poses, reference, resized, wanted
from adapters._kinds import KINDS
from benchmark.errors import InputError
from benchmark.media import write_png
from benchmark.model import Case, Source
from tests.make import movie, write

VACE = KINDS["vace"]


def case(tmp_path: Path, frames: int = 10, height: int = 40, width: int = 52) -> Case:
    clip = movie(2, frames, height, width)
    path = write(tmp_path / "one.mkv", clip, rate=24)
    write_png(tmp_path / "one.png", clip[3])
    return Case(id="one", truth=Source(path), reference=tmp_path / "one.png", reference_frame=3, frames=frames)


def test_length_rate_and_size(tmp_path: Path) -> None:
    """Ten frames need thirteen (4 n + 1), three of which are cut; 52 x 40 becomes 48 x 32; the rate is the truth's."""
    found = wanted(case(tmp_path), VACE)
    assert (found.frames, found.made, found.cut, found.fps, found.size) == (10, 13, 3, 24, (48, 32))
    assert wanted(case(tmp_path), VACE, (100, 20)).size == (96, 16)
    alone = replace(case(tmp_path), truth=None, fps=Fraction(15))
    assert (wanted(alone, VACE).size, wanted(alone, VACE).fps) == ((48, 32), 15)
    assert wanted(replace(alone, fps=None), VACE).fps == VACE.fps


def test_what_is_not_known(tmp_path: Path) -> None:
    given = case(tmp_path)
    for lacking, code in (
        (replace(given, truth=None, frames=None), "no-length"),
        (replace(given, truth=None, reference=None), "no-size"),
    ):
        with pytest.raises(InputError) as error:
            wanted(lacking, VACE)
        assert error.value.code == code
    with pytest.raises(InputError, match="multiples, not 15x200"):
        wanted(given, VACE, (15, 200))
    with pytest.raises(InputError) as error:
        reference(replace(given, reference=None, reference_frame=None), Wanted(1, 1, Fraction(1), (48, 32)))
    assert error.value.code == "no-reference"
    with pytest.raises(InputError, match="frame 99"):
        reference(replace(given, reference=None, reference_frame=99), Wanted(1, 1, Fraction(1), (48, 32)))
    with pytest.raises(InputError) as error:
        poses(given, wanted(given, VACE, (48, 32)))
    assert error.value.code == "no-pose"


def test_the_reference(tmp_path: Path) -> None:
    """The picture, or the truth's frame of that number: the same pixels."""
    given, clip = case(tmp_path), movie(2, 10, 40, 52)
    assert np.array_equal(reference(given, Wanted(1, 1, Fraction(1), (52, 40))), clip[3])
    assert np.array_equal(reference(replace(given, reference=None), Wanted(1, 1, Fraction(1), (52, 40))), clip[3])
    assert np.array_equal(reference(given, Wanted(1, 1, Fraction(1), (26, 20))), resized(clip[3], (26, 20)))


def test_another_shape_is_not_stretched(tmp_path: Path) -> None:
    """52x40 in 64x96: 64x50 in the middle, its own edge's rows above and below; poses on black there. A rounding to multiples of 16 is no other shape."""
    given, clip = case(tmp_path), movie(2, 10, 40, 52)
    want = wanted(given, VACE, (64, 96))
    assert want.inside == (0, 23, 64, 50)
    made = reference(given, want)
    assert made.shape == (96, 64, 3)
    assert np.array_equal(made[23:73], resized(clip[3], (64, 50)))
    assert np.array_equal(made[:23], np.broadcast_to(made[23], (23, 64, 3)))
    assert np.array_equal(placed(clip[3], want, 0)[73:], np.zeros((23, 64, 3)))
    assert wanted(given, VACE, (48, 32)).inside is None
    assert wanted(given, VACE).inside is None


def test_resizing() -> None:
    """Halved by area: the mean of each two by two; what fits is not touched."""
    frame = movie(1, 1, 8, 12)[0]
    means = frame.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    assert np.abs(resized(frame, (6, 4)) - means).max() <= 0.5
    assert resized(frame, (12, 8)) is frame
    assert resized(frame, (24, 16)).shape == (16, 24, 3)


def test_poses_of_a_video_and_of_keypoints(tmp_path: Path) -> None:
    """A video's frames resized, the last one repeated; keypoints drawn at the places that the size gives them."""
    given = case(tmp_path)
    skeletons = movie(5, 10, 40, 52)
    video = write(tmp_path / "pose.mkv", skeletons, rate=24)
    found = poses(replace(given, pose=video), Wanted(10, 13, Fraction(24), (52, 40)))
    assert len(found) == 13
    assert np.array_equal(found[4], skeletons[4])
    assert all(np.array_equal(found[k], skeletons[9]) for k in (9, 10, 11, 12))

    points = np.full((10, 133, 2), -5.0)
    visible = np.zeros((10, 133), bool)
    points[:, 5], points[:, 7] = (10, 20), (40, 20)  # an upper arm, level
    visible[:, [5, 7]] = True
    np.savez(tmp_path / "pose.npz", keypoints=points, visible=visible)
    found = poses(replace(given, pose=tmp_path / "pose.npz"), Wanted(10, 13, Fraction(24), (104, 80)))
    lit = np.argwhere(found[0].any(axis=2))
    assert set(lit[:, 0]) == {40}
    assert (lit[:, 1].min(), lit[:, 1].max()) == (20, 80)


def test_hidden_points_draw_nothing() -> None:
    points = np.random.default_rng(0).uniform(0, 30, (133, 2))
    assert not drawn(points, np.zeros(133, bool), (32, 32), (32, 32)).any()
    assert drawn(points, np.ones(133, bool), (32, 32), (32, 32)).any()


def test_poses_that_do_not_do(tmp_path: Path) -> None:
    given = case(tmp_path)
    short = write(tmp_path / "short.mkv", movie(5, 4, 40, 52), rate=24)
    with pytest.raises(InputError) as error:
        poses(
            replace(given, pose=short, frames=None), Wanted(10, 13, Fraction(24), (52, 40))
        )  # the truth says how many, not the case alone
    assert (error.value.code, error.value.found, error.value.expected) == ("pose-length", "4", "10")
    np.savez(tmp_path / "wrong.npz", keypoints=np.zeros((10, 134, 2)))
    (tmp_path / "text.npz").write_text("no archive")
    for name, says in (("wrong.npz", "keypoints (10, 134, 2)"), ("text.npz", "")):
        with pytest.raises(InputError) as error:
            poses(replace(given, pose=tmp_path / name), Wanted(10, 13, Fraction(24), (52, 40)))
        assert error.value.code == "bad-keypoints"
        assert says in str(error.value.found)


def test_the_box_of_a_face() -> None:
    """20 wide, 40 high, both sqrt(1.3) times as large: 2.804 more in x, half on each side (10 - 1.402, 30 + 1.402); 5.607 more in y, three quarters of it above
    (20 - 4.205, 60 + 1.402). Whole pixels, cut off below."""
    points = np.array([[10.0, 60], [30, 20], [20, 40]])
    assert face_box(points, (100, 100)) == (8, 31, 15, 61)
    assert face_box(points, (25, 50)) == (8, 25, 15, 50)
    assert face_box(points - 15, (100, 100)) == (0, 16, 0, 46)
    assert face_box(points[:1], (100, 100)) is None
    assert face_box(points + 200, (100, 100)) is None


def test_faces_are_cut_out_of_the_truth(tmp_path: Path) -> None:
    """The truth's pixels in the box, at the size asked for; black where no point is seen; the last one repeated."""
    given = case(tmp_path)
    points, visible = np.zeros((10, 133, 2)), np.zeros((10, 133), bool)
    points[:, 30], points[:, 40] = (20, 10), (30, 30)
    visible[:4, [30, 40]] = True
    visible[6:, [30, 40]] = True
    np.savez(tmp_path / "pose.npz", keypoints=points, visible=visible)
    found = faces(replace(given, pose=tmp_path / "pose.npz"), Wanted(10, 13, Fraction(24), (48, 32)), 16)
    clip = movie(2, 10, 40, 52)
    assert len(found) == 13
    box = face_box(points[0, [30, 40]], (52, 40))
    assert box == (19, 30, 7, 30)
    for k in (0, 3, 6, 9):
        assert np.array_equal(found[k], resized(clip[k, 7:30, 19:30], (16, 16)))
    assert not found[4].any()
    assert not found[5].any()
    assert np.array_equal(found[12], found[9])


def test_faces_that_cannot_be_had(tmp_path: Path) -> None:
    given, want = case(tmp_path), Wanted(10, 13, Fraction(24), (48, 32))
    np.savez(tmp_path / "hidden.npz", keypoints=np.ones((10, 133, 2)), visible=np.zeros((10, 133), bool))
    np.savez(tmp_path / "short.npz", keypoints=np.ones((4, 133, 2)))
    video = write(tmp_path / "pose.mkv", movie(5, 10, 40, 52), rate=24)
    for other, code, says in (
        (given, "no-face", "no pose"),
        (replace(given, pose=video), "no-face", "a pose without keypoints"),
        (replace(given, pose=tmp_path / "hidden.npz", truth=None), "no-face", "no truth"),
        (replace(given, pose=tmp_path / "hidden.npz"), "no-face", "10 frames"),
        (replace(given, pose=tmp_path / "short.npz"), "pose-length", "4"),
    ):
        with pytest.raises(InputError) as error:
            faces(other, want, 16)
        assert error.value.code == code
        assert says in str(error.value.found)
