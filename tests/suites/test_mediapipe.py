"""The geometry around MediaPipe's networks, without them: turned squares, suppression, where a hand is looked for. And the real ones, where they are."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.api import run
from benchmark.model import Unit
from suites.embedded import hand_bench
from suites.embedded._facts import facts
from suites.networks._mediapipe import Detection, Square, anchors, palm_square, pointing, weighted, wrist_square
from suites.networks.mediapipe import NAMES, build, preprocess
from suites.people._mediapipe_rows import unpack
from tests.make import write


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.3, np.pi])
@pytest.mark.parametrize("size", [40.0, 90.0])
def test_a_cut_shows_what_lies_there(angle: float, size: float) -> None:
    """A picture of ramps: each cut pixel's value tells where it came from; `out` gives the same place."""
    y, x = np.mgrid[:200, :220]
    picture = np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)
    square = Square(np.array([110.0, 100.0]), size, angle)
    cut = square.cut(picture, 32) * 255
    middle = (np.stack(np.meshgrid(np.arange(32), np.arange(32)), axis=-1).reshape(-1, 2) + 0.5) / 32
    expected = square.out(middle) - 0.5  # the pixel at column x has the value x and its centre at x + 0.5
    error = cut.reshape(-1, 3)[:, :2] - expected
    # Rounded to whole levels once, or twice where the picture is made smaller first; places are multiples of 1/32 pixel of what is looked at.
    assert np.abs(error).max() < (0.5 + 1 / 64 * np.sqrt(2) if size < 42 else 1.0 + 90 / 32 / 64 * np.sqrt(2))
    assert np.abs(error.mean(axis=0)).max() < 0.1


def test_squares_move_along_their_own_axes() -> None:
    quarter = Square(np.array([50.0, 50.0]), 20.0, np.pi / 2).moved(0, -0.5, 2.0)
    assert quarter.centre == pytest.approx([60.0, 50.0])
    assert quarter.size == 40


def test_pointing() -> None:
    """Fingers up: nothing to turn. Fingers to the right: a quarter."""
    origin = np.zeros(2)
    assert pointing(origin, np.array([0.0, -1.0]), np.pi / 2) == pytest.approx(0)
    assert pointing(origin, np.array([1.0, 0.0]), np.pi / 2) == pytest.approx(np.pi / 2)


def test_where_a_hand_is_looked_for() -> None:
    """A hand that points up, 30 pixels from the wrist to between the knuckles: 2.7 times twice as far, a tenth higher."""
    found = wrist_square(np.array([100.0, 200.0]), np.array([100.0, 170.0]), np.array([100.0, 170.0]))
    assert found.size == pytest.approx(162)
    assert found.angle == pytest.approx(0)
    assert found.centre == pytest.approx([100.0, 170 - 6.0])
    palm = Detection(0.9, np.array([100.0, 100.0]), np.array([40.0, 40.0]), np.array([[100.0, 120.0], [0, 0], [100.0, 80.0]]))
    assert palm_square(palm).size == pytest.approx(104)
    assert palm_square(palm).centre == pytest.approx([100.0, 80.0])


def test_anchors_are_cell_middles() -> None:
    found = anchors(((2, 2), (1, 1)))
    assert found.tolist() == [[0.25, 0.25]] * 2 + [[0.75, 0.25]] * 2 + [[0.25, 0.75]] * 2 + [[0.75, 0.75]] * 2 + [[0.5, 0.5]]


def test_overlapping_boxes_become_their_mean_by_score() -> None:
    boxes = np.array([[[10.0, 10], [8, 8]], [[12.0, 10], [8, 8]], [[40.0, 40], [8, 8]]])
    found = weighted(np.array([0.9, 0.6, 0.5]), boxes)
    assert [score for score, _ in found] == [0.9, 0.5]
    assert found[0][1][0] == pytest.approx([(0.9 * 10 + 0.6 * 12) / 1.5, 10])
    assert found[1][1].tolist() == boxes[2].tolist()


def test_float_frames_are_rounded_half_to_even() -> None:
    assert preprocess(np.full((1, 2, 2, 3), 2.5, np.float32)).tolist() == np.full((1, 2, 2, 3), 2).tolist()


@pytest.mark.slow
@pytest.mark.real_weights
def test_left_and_right_hands_of_a_drawn_person(weights_folder: Path) -> None:
    """The pose leads to the person's own left and right hand: at least 8 of 10 are found, within 15 % of their box, and none under the other's name."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    files = ("pose_detection", "pose_landmark_lite", "hand_recrop", "hand_landmark_lite")
    graphs = {name: (weights_folder / "mediapipe_tflite" / f"{file}.tflite").read_bytes() for name, file in zip(NAMES, files, strict=True)}
    forward = build(graphs, "cpu")
    hands, away = 0, []
    for number in (2, 3, 7):
        scene, shots = hand_bench.stage(number, replace(hand_bench.SIZE, frames=24))
        for shot in shots[::8]:
            known = facts(scene, shot, 512, 512)
            found = unpack(forward(scene.colours(shot, 512, 512)[None]))
            for side, (name, part) in enumerate((("left", slice(91, 112)), ("right", slice(112, 133)))):
                if known.visible[part].mean() < 0.5:
                    continue
                hands += 1
                if found.seen[0, side]:
                    x0, y0, x1, y1 = known.boxes[name]
                    gap = np.sqrt(((found.hands[0, side] - known.keypoints[part]) ** 2).sum(axis=1)).mean()
                    away.append(gap / max(x1 - x0, y1 - y0))
    assert hands >= 12
    assert len(away) >= 0.8 * hands
    assert max(away) < 0.5
    assert np.mean(away) < 0.15


@pytest.mark.real_weights
def test_a_black_clip_is_unscored_with_its_reason_and_the_rest_is_scored(weights_folder: Path, drawn: Path, tmp_path: Path) -> None:
    """Nobody is there: no confidence, no variance, a rate of nought; the clip beside it has its numbers."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    write(tmp_path / "m" / "dance-00.mkv", np.zeros((12, 256, 256, 3), np.uint8))
    (clip,) = drawn.glob("dance-01.mkv")
    shutil.copy(clip, tmp_path / "m")
    names = ["hkc@mediapipe-hand", "hand-rate@mediapipe-hand", "hkv@mediapipe-px512", "sd@selfie-dis", "flicker@dis-warp"]
    folder = weights_folder / "mediapipe_tflite"
    record = run(suite="tiktok", outputs={"m": tmp_path / "m"}, metrics=names, weights_folder=folder, out=tmp_path / "run")
    black, dance = (next(iter(record.journal[Unit("m", case)]["values"].values())) for case in ("dance-00", "dance-01"))
    assert {name: black[name].get("reason") for name in names} == {
        "hkc@mediapipe-hand": "no-hand", "hand-rate@mediapipe-hand": None, "hkv@mediapipe-px512": "no-hand", "sd@selfie-dis": "no-person",
        "flicker@dis-warp": None,
    }  # fmt: skip
    assert black["hand-rate@mediapipe-hand"]["value"] == 0
    assert black["flicker@dis-warp"]["value"] == 0
    assert all("value" in dance[name] for name in ("hkc@mediapipe-hand", "hand-rate@mediapipe-hand", "sd@selfie-dis", "flicker@dis-warp"))
    (row,) = (score for score in record.scores if f"{score['metric']}@{score['variant']}" == "hkc@mediapipe-hand")
    assert (row["n_clips"], row["n_failed"]) == (1, 1)
