"""What a page draws of people's rows: positions are those of the rows, what was not found is drawn nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.registry import registry
from suites.people import _dwpose_rows, _given, _mediapipe_rows
from suites.people._layout import LEFT_HAND, POINTS, RIGHT_HAND
from suites.people._marks import DWPOSE, FACE, GIVEN, HOLISTIC

DRAWN = {"mediapipe-holistic": HOLISTIC, "dwpose": DWPOSE, "given": GIVEN, "mediapipe-face": FACE}


@pytest.mark.parametrize("name", DRAWN)
def test_lines_join_points_that_are_there(name: str) -> None:
    """Rows of noughts say that nothing was found: all points are NaN, and there are enough of them for every line."""
    extractor = registry().extractors[name].item
    assert extractor.marks is DRAWN[name]
    points = DRAWN[name].points(np.zeros((3, extractor.dimension), np.float32))
    assert points.shape[0] == 3
    assert points.shape[2] == 2
    assert np.isnan(points).all()
    assert {k for pair in DRAWN[name].lines for k in pair} <= set(range(points.shape[1]))


def test_a_hand_and_its_box() -> None:
    """By hand: a left hand on the diagonal from (10, 20) to (30, 60) has the box of these corners; the right one is below the presence that counts."""
    hand = np.linspace([10.0, 20.0], [30.0, 60.0], _mediapipe_rows.HAND)
    pose = np.concatenate([np.arange(66.0).reshape(33, 2), np.full((33, 1), 0.9)], axis=1)
    pose[5, 2] = 0.1
    rows = _mediapipe_rows.pack((0.8, pose), ((0.9, hand), (0.3, hand)))[None]
    points = HOLISTIC.points(rows)[0]
    np.testing.assert_allclose(points[4], [8, 9])
    assert np.isnan(points[5]).all()
    np.testing.assert_allclose(points[33:54], hand, rtol=1e-6)
    assert np.isnan(points[54:75]).all()
    np.testing.assert_allclose(points[75:79], [[10, 20], [30, 20], [30, 60], [10, 60]], rtol=1e-6)
    assert np.isnan(points[79:83]).all()


def test_dwpose_and_given_points() -> None:
    """The same 133 points by both layouts; a score of 0.25 is not seen (DWPose: 0.3), and a hand with a missing joint has no box."""
    xy = np.arange(2.0 * POINTS).reshape(POINTS, 2) + 1
    scores = np.ones(POINTS)
    scores[[7, LEFT_HAND.start + 3]] = 0.25
    row = _dwpose_rows.pack(np.array([[0.0, 0, 300, 300]]), xy[None], scores[None])[None]
    given = np.concatenate([np.where((scores > 0.3)[:, None], xy, 0), (scores > 0.3)[:, None]], axis=1).reshape(1, _given.WIDTH)
    for points in (DWPOSE.points(row)[0], GIVEN.points(given)[0]):
        assert np.isnan(points[7]).all()
        np.testing.assert_allclose(points[8], xy[8])
        assert np.isnan(points[POINTS : POINTS + 4]).all()
        right = xy[RIGHT_HAND]
        np.testing.assert_allclose(points[POINTS + 4], right.min(axis=0))
        np.testing.assert_allclose(points[POINTS + 6], right.max(axis=0))
