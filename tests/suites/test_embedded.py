"""Drawn people: the facts beside a clip agree with each other and with the pictures, and the same seed gives the same bytes everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.media import read_sound
from benchmark.model import Case
from suites.embedded import hand_bench, talking, tiktok, ubc_fashion
from suites.embedded._facts import NAMES, facts, hand_box, with_neck
from suites.embedded._figure import HAND_PARTS, PARTS, Figure
from suites.embedded._film import SCALE, Reel, Size
from suites.embedded._people import person
from suites.embedded._raster import rasterise
from suites.embedded._skeleton import Pose, solve
from suites.embedded._speech import energy, shifted, sound, speech
from tests.make import ROOT

SMALL = Size(frames=5, height=160, width=160, fps=Fraction(15))


@pytest.fixture(scope="module")
def reel() -> Reel:
    return tiktok.draw(3, SMALL)


def inside(mask: NDArray[np.bool_], points: NDArray[np.floating], reach: int) -> NDArray[np.bool_]:
    """Is a pixel of the mask within so many pixels of each point?"""
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    x, y = (np.floor(points[:, k]).astype(int) for k in (0, 1))
    found: NDArray[np.bool_] = wide[y, x] > 0
    return found


def test_order_of_the_points() -> None:
    """COCO-WholeBody: 17 + 6 + 68 + 21 + 21; the left hand is rows 91 to 111, the right one 112 to 132, wrists first."""
    assert len(NAMES) == 133
    rows = {
        0: "nose",
        5: "left shoulder",
        9: "left wrist",
        16: "right ankle",
        17: "left big toe",
        23: "face 0",
        90: "face 67",
        91: "left wrist",
    }
    rows |= {95: "left thumb 3", 111: "left pinky 3", 112: "right wrist", 132: "right pinky 3"}
    assert {row: NAMES[row] for row in rows} == rows


def test_the_neck_comes_in_behind_the_body() -> None:
    points = np.arange(266, dtype=np.float64).reshape(133, 2)
    wider = with_neck(points)
    assert wider.shape == (134, 2)
    assert np.array_equal(wider[17], (points[5] + points[6]) / 2)
    assert np.array_equal(np.delete(wider, 17, axis=0), points)


def test_visible_points_lie_in_their_masks(reel: Reel) -> None:
    """Every visible point is within a pixel of the person, every visible finger joint within two of its hand's mask."""
    for k in range(SMALL.frames):
        points, seen = reel.pose["keypoints"][k], reel.pose["visible"][k]
        assert inside(reel.masks["person"][k], points[seen], 1).all()
        for side, rows in (("left_hand", slice(91, 112)), ("right_hand", slice(112, 133))):
            hand = points[rows][seen[rows]]
            if len(hand):
                assert inside(reel.masks[side][k], hand, 2).mean() > 0.9


def test_masks_follow_the_surface(reel: Reel) -> None:
    """The person is where a part is, a hand where one of its six parts is; boxes hold their masks."""
    assert np.array_equal(reel.masks["person"], reel.uv["part"] > 0)
    for side, numbers in HAND_PARTS.items():
        mask = np.isin(reel.uv["part"], numbers)
        assert np.array_equal(reel.masks[f"{side}_hand"], mask)
        for k in range(SMALL.frames):
            y, x = np.nonzero(mask[k])
            if len(x):
                x0, y0, x1, y1 = reel.masks[f"{side}_box"][k]
                assert x0 - 1 <= x.min()
                assert x.max() <= x1 + 1
                assert y0 - 1 <= y.min()
                assert y.max() <= y1 + 1


def test_surface_and_points(reel: Reel) -> None:
    """The nose lies on the head, half way around it (u = 1/2 is the front)."""
    for k in range(SMALL.frames):
        if reel.pose["visible"][k, 0]:
            x, y = np.floor(reel.pose["keypoints"][k, 0]).astype(int)
            assert PARTS[reel.uv["part"][k, y, x] - 1] == "head"
            assert abs(reel.uv["uv"][k, y, x, 0] / SCALE - 0.5) < 0.06


def test_flow_carries_the_surface(reel: Reel) -> None:
    """Where the surface is seen in both frames, following the flow leads to the same part and the same place on it (half a pixel aside at most,
    which on the steepest skin is a twelfth of the way around), and to the same colour within ten grey levels in the middle of them."""
    rows, columns = np.mgrid[: SMALL.height, : SMALL.width]
    colours, places = [], []
    for k in range(SMALL.frames - 1):
        good = reel.uv["flow_seen"][k]
        assert good.mean() > 0.03
        x = np.floor(columns[good] + 0.5 + reel.uv["flow"][k][good][:, 0]).astype(int)
        y = np.floor(rows[good] + 0.5 + reel.uv["flow"][k][good][:, 1]).astype(int)
        assert np.array_equal(reel.uv["part"][k][good], reel.uv["part"][k + 1][y, x])
        step = np.abs(reel.uv["uv"][k][good].astype(float) - reel.uv["uv"][k + 1][y, x]) / SCALE
        step[:, 0] = np.minimum(step[:, 0], 1 - step[:, 0])
        places.append(step)
        colours.append(np.abs(reel.frames[k][good].astype(float) - reel.frames[k + 1][y, x]).mean(axis=1))
    assert np.percentile(np.concatenate(places), 95) < 0.085
    assert np.median(np.concatenate(colours)) < 10


def test_an_open_shutter() -> None:
    """Three shots in a frame's time: the mean of the three pictures within half a level, and one shot alone is that picture."""
    scene, shots = tiktok.stage(3, replace(SMALL, frames=3, fps=Fraction(45)))
    alone = [scene.colours(shot, 96, 96) for shot in shots]
    assert np.array_equal(scene.blurred(shots[:1], 96, 96), alone[0])
    assert np.abs(scene.blurred(shots, 96, 96) - np.mean(alone, axis=0)).max() <= 0.5


def test_people_move(reel: Reel) -> None:
    """And the room behind them nearly stands still."""
    steps = np.abs(np.diff(reel.pose["keypoints"], axis=0)).max(axis=(1, 2))
    assert (steps > 1).all()


def test_a_lone_triangle() -> None:
    """Pixels whose centres lie inside, by hand; weights are those of the plane; the nearer of two wins; the back is not seen."""
    points = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    hit = rasterise(points, np.full(3, 2.0), np.array([[0, 1, 2]]), 5, 5)
    assert hit.pixel.tolist() == [0, 1, 2, 3, 5, 6, 7, 10, 11, 15]
    assert np.allclose(hit.bary @ points, np.stack([hit.pixel % 5 + 0.5, hit.pixel // 5 + 0.5], axis=1))
    assert len(rasterise(points, np.full(3, 2.0), np.array([[0, 2, 1]]), 5, 5).pixel) == 0
    both = np.concatenate([points, points])
    near = rasterise(both, np.array([2.0, 2, 2, 1, 1, 1]), np.array([[0, 1, 2], [3, 4, 5]]), 5, 5)
    assert set(near.triangle.tolist()) == {1}
    assert np.allclose(near.depth, 1)


def test_perspective_weights() -> None:
    """A triangle that leans away: the middle of its screen edge is nearer to the near corner on the surface (1 : 3 for depths 1 and 3)."""
    points = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    hit = rasterise(points, np.array([1.0, 3.0, 1.0]), np.array([[0, 1, 2]]), 8, 8)
    at = int(np.flatnonzero(hit.pixel == 3)[0])  # centre (3.5, 0.5)
    share = 3.5 / 8 / 3 / (3.5 / 8 / 3 + (1 - 3.5 / 8))
    assert hit.bary[at, 1] == pytest.approx(share, rel=1e-9)


def test_the_mouth_follows_the_sound() -> None:
    """Opening and loudness go together best where nothing is shifted; a sound shifted by four frames is found four frames late."""
    size = Size(frames=75, height=32, width=32, fps=Fraction(25))
    spoken = speech(talking.seed_of(1), 5.0)
    samples = sound(spoken)
    mouth = spoken.opening(np.arange(size.frames) / 25)

    def best(track: NDArray[np.int16]) -> tuple[int, float]:
        loud = energy(track, size.frames, 25.0)
        found = {lag: float(np.corrcoef(mouth[10:65], loud[10 + lag : 65 + lag])[0, 1]) for lag in range(-8, 9)}
        lag = max(found, key=found.__getitem__)
        return lag, found[lag]

    lag, agreement = best(samples)
    assert lag == 0
    assert agreement > 0.9
    assert best(shifted(samples, 4, 25.0))[0] == 4
    assert best(shifted(samples, -3, 25.0))[0] == -3


def test_the_drawn_mouth_is_the_spoken_one() -> None:
    """Millimetres between the lips in the facts against the opening of the speech: one straight line."""
    size = Size(frames=12, height=48, width=48, fps=Fraction(25))
    found = talking.draw(2, size)
    spoken = speech(talking.seed_of(2), 5.0).opening(np.arange(12) / 25)
    assert spoken.max() > 0.3
    assert np.corrcoef(found.pose["mouth"], spoken)[0, 1] > 0.999


def test_versions_of_the_sound_beside_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NAME.late+3.wav is NAME.wav three frames of 640 samples later, silence before; written again where one is missing."""
    monkeypatch.setattr("suites.embedded.talking._film.build", lambda folder, *_: (Case(id="talk-00"),))
    (case,) = talking.build(tmp_path)
    assert case.audio == tmp_path / "talk-00.wav"
    plain = read_sound(tmp_path / "talk-00.wav").samples
    assert len(plain) == talking.SECONDS * 16000
    (tmp_path / "talk-00.late-6.wav").unlink()
    talking.build(tmp_path)
    for by in (-6, -3, 3, 6):
        late = read_sound(tmp_path / f"talk-00.late{by:+d}.wav").samples
        moved = abs(by) * 640
        first, second = (plain, late) if by > 0 else (late, plain)
        assert (first[:-moved] == second[moved:]).all()
        assert not (late[:moved] if by > 0 else late[-moved:]).any()


@pytest.mark.slow
def test_hands_are_large() -> None:
    """At least 96 pixels along the box of either hand, fists too, unless the hand is on its way out of the picture."""
    for number in range(hand_bench.VIEWS):
        scene, shots = hand_bench.stage(number, hand_bench.SIZE)
        for shot in shots[::3]:
            boxes = np.array([hand_box(scene.figure, shot, numbers, 512, 512) for numbers in HAND_PARTS.values()])
            inside = ((boxes[:, :2] >= 0) & (boxes[:, 2:] <= 512)).all(axis=1)
            sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
            assert sides[inside].min(initial=96) >= 96, number


def test_hands_cross() -> None:
    """In two views the hands' masks touch and the wrists change sides, once with the left hand in front and once with the right."""
    front = []
    for number in (4, 9):
        scene, shots = hand_bench.stage(number, hand_bench.SIZE)
        wrists = np.array([[shot.bones.joints[f"{side} wrist"] for side in ("left", "right")] for shot in shots])
        crossed = np.flatnonzero(wrists[:, 0, 0] < wrists[:, 1, 0])
        assert wrists[0, 0, 0] > wrists[0, 1, 0] + 0.3
        assert 3 <= len(crossed) <= 16
        gaps = wrists[crossed, 0, 2] - wrists[crossed, 1, 2]
        assert np.abs(gaps).min() > 0.06  # metres between the wrists: neither passes through the other
        front.append(float(np.sign(gaps[0])))
        known = facts(scene, shots[int(crossed[0]) - 1], 256, 256)
        (a, b), reach = (known.left_hand, known.right_hand), np.ones((5, 5), np.uint8)
        assert (cv2.dilate(a.astype(np.uint8), reach) & b).any()
    assert sorted(front) == [-1.0, 1.0]


def test_hands_leave_the_picture() -> None:
    """In two views a hand that was seen is wholly outside for some frames, and comes back."""
    for number, side in ((5, "right"), (8, "left"), (8, "right")):
        scene, shots = hand_bench.stage(number, hand_bench.SIZE)
        boxes = np.array([hand_box(scene.figure, shot, HAND_PARTS[side], 512, 512) for shot in shots])
        outside = (boxes[:, 0] > 512) | (boxes[:, 1] > 512) | (boxes[:, 2] < 0) | (boxes[:, 3] < 0)
        assert not outside[0]
        assert outside.any(), (number, side)
        assert not outside[-1]


@pytest.mark.parametrize("index", [0, 41])
def test_the_outside_is_seen(index: int) -> None:
    """Every part encloses a volume and shows its outside: the flux of its seen sides is positive, and its normals point the same way."""
    figure = Figure(person(index))
    points, normals = figure.pose(solve(Pose(), figure.looks.build), Pose())
    for part in figure.parts:
        last = part.start + part.rows * (part.columns + 1)
        mine = figure.triangles[(figure.triangles[:, 0] >= part.start) & (figure.triangles[:, 0] < last)]
        a, b, c = (points[mine[:, k]] - points[part.start : last].mean(axis=0) for k in range(3))
        # A side is seen whose corners run clockwise on the screen, whose y points down: its outward normal is (c - a) x (b - a).
        name = PARTS[part.number - 1]
        assert (np.cross(c - a, b - a) * (a + b + c)).sum() > 0, name
        if name != "hair":
            assert ((np.cross(c - a, b - a) * normals[mine[:, 0]]).sum(axis=1) > 0).mean() > 0.9, name


def test_front_and_back_of_a_body() -> None:
    """Noses, busts and toes are in front, calves behind; the pale side of a hand is the one its fingers bend to."""
    figure = Figure(person(41))
    bones = solve(Pose(), figure.looks.build)
    points, _ = figure.pose(bones, Pose())
    at = {name: points[figure.number == k + 1] for k, name in enumerate(PARTS)}
    chest = at["trunk"][np.abs(at["trunk"][:, 1] - bones.joints["chest"][1]) < 0.05, 2]
    assert chest.max() - bones.joints["chest"][2] > bones.joints["chest"][2] - chest.min() + 0.01
    shin = at["left leg"]
    knee, ankle = bones.joints["left knee"], bones.joints["left ankle"]
    calf = shin[np.abs(shin[:, 1] - (0.7 * knee[1] + 0.3 * ankle[1])) < 0.03, 2]
    assert calf.mean() < 0.7 * knee[2] + 0.3 * ankle[2]
    assert (
        at["head"][:, 2].argmax()
        == np.flatnonzero(np.abs(at["head"][:, 0]) < 0.03)[at["head"][np.abs(at["head"][:, 0]) < 0.03, 2].argmax()]
    )
    palm = figure.uv[(figure.number == PARTS.index("left palm") + 1)][:, 0] == 0.0
    assert ((at["left palm"][palm] - bones.joints["left palm"]) * bones.frames["left hand"][:, 2]).sum(axis=1).mean() > 0.005
    bent = Pose()
    bent.arms["left"].fingers[:] = 0.8
    tip = solve(bent, figure.looks.build)
    assert ((tip.joints["left middle 3"] - tip.joints["left palm"]) * tip.frames["left hand"][:, 2]).sum() > 0.02


def test_models_turn_once() -> None:
    """The shoulders' order on the screen changes and comes back."""
    found = ubc_fashion.draw(1, Size(frames=9, height=96, width=96, fps=Fraction(15, 6)))
    wide = found.pose["keypoints"][:, 5, 0] - found.pose["keypoints"][:, 6, 0]
    assert wide[0] > 5
    assert wide.min() < -5
    assert wide[-1] > 5


_HASH = """
import hashlib, sys, cv2
cv2.setNumThreads(int(sys.argv[1]))
from fractions import Fraction
from suites.embedded import tiktok
from suites.embedded._film import Size
reel = tiktok.draw(4, Size(frames=2, height=96, width=96, fps=Fraction(15)))
print(hashlib.sha256(reel.frames.tobytes() + reel.pose["keypoints"].tobytes() + reel.uv["uv"].tobytes()).hexdigest())
"""


def test_same_bytes_in_every_process() -> None:
    """Two processes, one and two threads, other hash seeds."""
    found = set()
    for threads in ("1", "2"):
        env = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run([sys.executable, "-c", _HASH, threads], env=env, capture_output=True, text=True, check=True, timeout=120)
        found.add(done.stdout.strip())
    assert len(found) == 1
