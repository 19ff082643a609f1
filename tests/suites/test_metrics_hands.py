"""Hand metrics on rows made by hand: closed forms, what must not change them, and their regions against the definition."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Values
from benchmark.registry import registry
from benchmark.rows import ClipVariant, Found, RegionVariant
from suites.metrics.ssim import gaussian_maps
from suites.people import _face_rows as face_rows
from suites.people._mediapipe_rows import SHOULDERS, WIDTH, pack, unpack
from suites.people._regions import box, hull, region

Floats = NDArray[np.float64]
SIZE = (640, 512)
N = 40
RNG = np.random.default_rng(5)
SHAPE = RNG.uniform(-20, 20, (21, 2))
"""A hand of 21 points around nought."""


def rows(
    left: Floats | None = None, right: Floats | None = None, *, presence: tuple[float, float] = (0.9, 0.7), shift: float = 0.0
) -> NDArray[np.float32]:
    """(N, WIDTH): hands (N, 21, 2) or none, and a body whose shoulders are 80 pixels apart."""
    body = np.zeros((33, 3))
    body[:, :2] = np.stack([np.arange(33) * 7 + 40 + shift, np.arange(33) * 3 + 60], axis=1)
    body[SHOULDERS[0], :2], body[SHOULDERS[1], :2] = (300 + shift, 100), (220 + shift, 100)
    body[:, 2] = 0.9
    made = []
    for k in range(N):
        hands = [None if side is None else (p, side[k]) for side, p in ((left, presence[0]), (right, presence[1]))]
        made.append(pack((0.95, body), (hands[0], hands[1])))
    return np.stack(made)


def clip(name: str) -> ClipVariant:
    variant = registry().variant(name)[1]
    assert isinstance(variant, ClipVariant)
    return variant


def score(name: str, ours: NDArray[np.float32], theirs: NDArray[np.float32] | None = None, size: tuple[int, int] = SIZE) -> Values | float:
    return clip(name).score(Found(ours, theirs, size, 15.0))


def swinging(amplitude: float, at: tuple[float, float] = (200.0, 200.0)) -> Floats:
    """(N, 21, 2): the whole hand goes round a circle of this radius, a whole number of times."""
    angle = 2 * np.pi * 3 * np.arange(N) / N
    return SHAPE + np.array(at) + amplitude * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None]


def test_rows_come_back() -> None:
    found = unpack(rows(swinging(5), None))
    assert rows().shape == (N, WIDTH)
    assert found.hands[:, 0] == pytest.approx(swinging(5), rel=1e-6)
    assert found.seen.tolist() == [[True, False]] * N
    assert found.person == pytest.approx(0.95)
    with pytest.raises(ValueError, match="expected"):
        unpack(np.zeros((3, WIDTH + 1), np.float32))


def test_confidence_is_the_mean_of_the_hands_there() -> None:
    both, one, none = rows(swinging(1), swinging(1)), rows(swinging(1), None), rows()
    assert score("hkc@mediapipe-hand", both) == pytest.approx([0.8] * N)
    assert score("hkc@mediapipe-hand", one) == pytest.approx([0.9] * N)
    assert np.isnan(score("hkc@mediapipe-hand", none)).all()
    # A hand below one half is none.
    assert score("hkc@mediapipe-hand", rows(swinging(1), swinging(1), presence=(0.9, 0.49))) == pytest.approx([0.9] * N)
    mixed = np.concatenate([both[:10], none[:30]])
    assert np.mean(score("hand-rate@mediapipe-hand", mixed)) == pytest.approx(0.25)


@pytest.mark.parametrize("amplitude", [3.0, 12.0])
def test_variance_of_a_circle(amplitude: float) -> None:
    """var x + var y of a circle is its radius squared; half the size quadruples nothing, because 512 is the unit."""
    made = rows(swinging(amplitude), None)
    assert score("hkv@mediapipe-px512", made) == pytest.approx(amplitude**2, rel=1e-4)
    half = rows(swinging(amplitude) / 2, None)
    assert score("hkv@mediapipe-px512", half, size=(320, 256)) == pytest.approx(amplitude**2, rel=1e-4)
    # A second hand that stands still halves the mean over hands.
    assert score("hkv@mediapipe-px512", rows(swinging(amplitude), swinging(0))) == pytest.approx(amplitude**2 / 2, rel=1e-4)
    # The chord of one step.
    step = 2 * amplitude * np.sin(np.pi * 3 / N)
    assert score("hkv@mediapipe-displacement", made) == pytest.approx(step, rel=1e-4)


def test_relative_to_the_wrist_a_moved_hand_does_not_move() -> None:
    assert score("hkv@mediapipe-wrist", rows(swinging(30), None)) == pytest.approx(0, abs=1e-6)
    fingers = swinging(0)
    fingers[:, 8] += 8 * np.stack([np.cos(2 * np.pi * np.arange(N) / N), np.sin(2 * np.pi * np.arange(N) / N)], axis=1)
    # One of 20 points on a circle of 8 pixels, shoulders 80 pixels apart.
    assert score("hkv@mediapipe-wrist", rows(fingers, None)) == pytest.approx((8 / 80) ** 2 / 20, rel=1e-3)


def test_a_hand_seen_too_seldom_has_no_variance() -> None:
    seldom = np.concatenate([rows(swinging(4), None)[:7], rows()[:33]])
    for name in ("hkv@mediapipe-px512", "hkv@mediapipe-displacement", "hkv@mediapipe-wrist"):
        with pytest.raises(Unscored) as error:
            score(name, seldom)
        assert error.value.reason == "no-hand"
    nobody = np.zeros((N, WIDTH), np.float32)
    with pytest.raises(Unscored) as error:
        score("hkv@mediapipe-wrist", nobody)
    assert error.value.reason == "no-shoulders"


def test_distance_of_a_shift() -> None:
    """Body and hands 6 pixels to the right: 6 at a short side of 512, 6/80 of the shoulders."""
    truth, moved = rows(swinging(2), None), rows(swinging(2) + np.array([6, 0]), None, shift=6)
    assert score("akd@mediapipe-px512", moved, truth) == pytest.approx([6.0] * N, rel=1e-4)
    assert score("akd@mediapipe-px512", moved, truth, size=(1024, 1280)) == pytest.approx([3.0] * N, rel=1e-4)
    assert score("akd@mediapipe-shoulder", moved, truth) == pytest.approx([6 / 80] * N, rel=1e-4)
    assert score("akd@mediapipe-px512", truth, truth) == pytest.approx([0.0] * N)
    # Points that one side does not see count on neither.
    assert score("akd@mediapipe-px512", rows(None, None, shift=6), truth) == pytest.approx([6.0] * N, rel=1e-4)
    assert np.isnan(score("akd@mediapipe-px512", np.zeros((N, WIDTH), np.float32), truth)).all()


def test_boxes() -> None:
    """Extent x 1.25, square, at least 16 pixels, clipped."""
    corners = np.array([[100.0, 100.0], [140.0, 120.0]])
    assert box(corners, 640, 480) == (95, 85, 145, 135)
    assert box(np.array([[50.0, 50.0], [52.0, 51.0]]), 640, 480) == (43, 42, 59, 59)
    assert box(corners - 100, 640, 480) == (0, 0, 45, 35)
    assert box(corners - 500, 640, 480) is None


@given(st.integers(0, 10_000))
def test_a_hull_lies_around_its_points(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(20, 100, (21, 2))
    found = hull(points, 128, 128)
    inside = np.floor(points).astype(int)
    assert found[inside[:, 1], inside[:, 0]].all()
    x0, y0, x1, y1 = box(points, 128, 128) or (0, 0, 0, 0)
    outside = found.copy()
    outside[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = False
    assert not outside.any()


def test_union_holds_both() -> None:
    a, b = SHAPE + np.array([100.0, 100.0]), SHAPE + np.array([300.0, 200.0])
    both = region("union", a, b, 512, 512)
    assert (both == (region("box", a, None, 512, 512) | region("box", b, None, 512, 512))).all()
    assert (region("union", a, None, 512, 512) == region("box", a, b, 512, 512)).all()


@pytest.fixture(scope="module")
def pictures() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    truth = RNG.integers(0, 256, (3, 96, 128, 3)).astype(np.uint8)
    generated = np.clip(truth.astype(int) + RNG.integers(-20, 21, truth.shape), 0, 255).astype(np.uint8)
    return generated, truth


def regional(name: str) -> partial[Values]:
    variant = registry().variant(name)[1]
    assert isinstance(variant, RegionVariant)
    return partial(variant.score)


@pytest.mark.parametrize("rule", ["box", "mask", "union"])
def test_scores_of_the_hands_are_the_definitions(pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]], rule: str) -> None:
    """Against the whole picture's map averaged over the region, and the mean squared error of its pixels; each hand one sample."""
    generated, truth = pictures
    left, right = SHAPE * 0.5 + np.array([40.0, 40.0]), SHAPE * 0.7 + np.array([90.0, 55.0])
    theirs = rows(np.stack([left] * N), np.stack([right] * N))[:3]
    ours = rows(np.stack([left + 3] * N), None)[:3]
    theirs[2, 100] = theirs[2, 100 + 43] = 0.1  # no hand in the last frame
    maps = [np.mean(gaussian_maps(a, b), axis=0) for a, b in zip(generated, truth, strict=True)]
    expected_ssim, expected_psnr = [], []
    for k in range(2):
        ssim, psnr = [], []
        for points, other in ((left, left + 3), (right, None)):
            mask = region(rule, points, other, 128, 96)  # type: ignore[arg-type]
            ssim.append(maps[k][mask[5:-5, 5:-5]].mean())
            error = (generated[k][mask].astype(float) - truth[k][mask].astype(float)) ** 2
            psnr.append(10 * np.log10(255**2 / error.mean()))
        expected_ssim.append(np.mean(ssim))
        expected_psnr.append(np.mean(psnr))
    found = regional(f"ssim-hand@mediapipe-{rule}")(generated, truth, ours, theirs)
    assert found[:2] == pytest.approx(expected_ssim, rel=1e-12)
    assert np.isnan(found[2])
    found = regional(f"psnr-hand@mediapipe-{rule}")(generated, truth, ours, theirs)
    assert found[:2] == pytest.approx(expected_psnr, rel=1e-12)
    assert np.isnan(found[2])


def test_pixels_outside_the_hands_do_not_matter(pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    generated, truth = pictures
    points = SHAPE * 0.5 + np.array([40.0, 40.0])
    theirs = rows(np.stack([points] * N), None)[:3]
    other = generated.copy()
    other[:, :, 100:] = 0
    for name in ("ssim-hand@mediapipe-box", "psnr-hand@mediapipe-box"):
        assert (regional(name)(other, truth, theirs, theirs) == regional(name)(generated, truth, theirs, theirs)).all()


def faces(points: Floats | None, presence: float = 0.9) -> NDArray[np.float32]:
    """(3, 937): the same face in three frames, or none."""
    return np.stack([face_rows.pack([] if points is None else [(presence, points)])] * 3)


def test_parts_of_a_face(pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    """The mouth's and the eyes' own points make their region; two eyes are two samples; a face below one half is none."""
    generated, truth = pictures
    points = RNG.uniform(20, 70, (face_rows.POINTS, 2))
    points[list(face_rows.MOUTH)] = RNG.uniform(50, 70, (len(face_rows.MOUTH), 2))
    rows_ = faces(points)
    parts = {"mouth": [face_rows.MOUTH], "eye": list(face_rows.EYES), "face": [tuple(range(face_rows.POINTS))]}
    for name, groups in parts.items():
        for rule in ("box", "mask"):
            expected = []
            for group in groups:
                mask = region(rule, points[list(group)].astype(np.float32).astype(float), None, 128, 96)  # type: ignore[arg-type]
                error = (generated[0][mask].astype(float) - truth[0][mask].astype(float)) ** 2
                expected.append(10 * np.log10(255**2 / error.mean()))
            found = regional(f"psnr-{name}@mediapipe-{rule}")(generated, truth, rows_, rows_)
            assert found[0] == pytest.approx(np.mean(expected), rel=1e-12), (name, rule)
            assert np.isfinite(regional(f"ssim-{name}@mediapipe-{rule}")(generated, truth, rows_, rows_)).all()
        assert np.isnan(regional(f"psnr-{name}@mediapipe-box")(generated, truth, rows_, faces(points, 0.4))).all()
        assert np.isnan(regional(f"ssim-{name}@mediapipe-box")(generated, truth, rows_, faces(None))).all()


def test_the_larger_of_two_faces_is_taken() -> None:
    small, large = RNG.uniform(0, 10, (face_rows.POINTS, 2)), RNG.uniform(0, 30, (face_rows.POINTS, 2))
    there, points = face_rows.unpack(face_rows.pack([(0.9, small), (0.8, large)])[None])
    assert there.tolist() == [True]
    assert points[0] == pytest.approx(large, rel=1e-6)
    with pytest.raises(ValueError, match="expected"):
        face_rows.unpack(np.zeros((2, 5), np.float32))
