"""What a page draws of people's rows: joints, bones, and a box round each hand. To look at; nothing is scored on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Marks
from suites.people import _dwpose_rows, _face_rows, _given, _mediapipe_rows
from suites.people._layout import LEFT_HAND, POINTS, RIGHT_HAND, SEEN

Floats = NDArray[np.float64]
HAND = _mediapipe_rows.HAND
FINGERS = tuple((0 if joint == 0 else finger * 4 + joint, finger * 4 + joint + 1) for finger in range(5) for joint in range(4))
"""Bones of a hand of 21: the wrist, then four joints of each finger from the thumb on."""
BODY_33 = (
    (11, 12),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
    (11, 23),
    (12, 24),
    (23, 24),
    (23, 25),
    (25, 27),
    (24, 26),
    (26, 28),
    (27, 31),
    (28, 32),
)
"""Bones of MediaPipe's 33."""
BODY_133 = ((5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16))
"""Bones of COCO's 17."""


def _shifted(bones: tuple[tuple[int, int], ...], by: int) -> tuple[tuple[int, int], ...]:
    return tuple((a + by, b + by) for a, b in bones)


def _ring(start: int, count: int) -> tuple[tuple[int, int], ...]:
    return tuple((start + k, start + (k + 1) % count) for k in range(count))


def _where(points: Floats, seen: NDArray[np.bool_]) -> Floats:
    found: Floats = np.where(seen[..., None], points, np.nan)
    return found


def _boxes(hands: Floats) -> Floats:
    """(n, k, 2) -> (n, 4, 2) the corners round what was found, NaN where nothing was."""
    there = np.asarray(np.isfinite(hands).all(axis=(1, 2)))
    low, high = hands.min(axis=1), hands.max(axis=1)
    corners = np.stack([low, np.stack([high[:, 0], low[:, 1]], 1), high, np.stack([low[:, 0], high[:, 1]], 1)], axis=1)
    return _where(corners, np.repeat(there[:, None], 4, axis=1))


def _holistic(rows: NDArray[Any]) -> Floats:
    found = _mediapipe_rows.unpack(rows)
    sure = np.minimum(found.pose[..., 2], found.person[:, None])
    body = _where(found.pose[..., :2], sure >= _mediapipe_rows.SURE)
    seen = np.repeat(np.asarray(found.seen)[:, :, None], HAND, axis=2)
    hands = [_where(found.hands[:, k], seen[:, k]) for k in (0, 1)]
    return np.concatenate([body, *hands, *map(_boxes, hands)], axis=1)


def _whole(points: Floats, seen: NDArray[np.bool_]) -> Floats:
    """(n, 133, 2), (n, 133) -> with the corners of both hands."""
    drawn = _where(points, seen)
    return np.concatenate([drawn, _boxes(drawn[:, LEFT_HAND]), _boxes(drawn[:, RIGHT_HAND])], axis=1)


def _dwpose(rows: NDArray[Any]) -> Floats:
    there, points, scores = _dwpose_rows.main(rows)
    return _whole(points, np.logical_and(scores > SEEN, there[:, None]))


def _read(rows: NDArray[Any]) -> Floats:
    return _whole(*_given.unpack(rows))


RINGS = (_face_rows.MOUTH, *_face_rows.EYES)


def _face(rows: NDArray[Any]) -> Floats:
    there, points = _face_rows.unpack(rows)
    drawn = points[:, [k for ring in RINGS for k in ring]]
    return _where(drawn, np.repeat(there[:, None], drawn.shape[1], axis=1))


_POSE = _mediapipe_rows.POSE
_HANDS_33 = (*_shifted(FINGERS, _POSE), *_shifted(FINGERS, _POSE + HAND), *_ring(_POSE + 2 * HAND, 4), *_ring(_POSE + 2 * HAND + 4, 4))
_HANDS_133 = (*_shifted(FINGERS, LEFT_HAND.start), *_shifted(FINGERS, RIGHT_HAND.start), *_ring(POINTS, 4), *_ring(POINTS + 4, 4))
HOLISTIC = Marks(_holistic, (*BODY_33, *_HANDS_33))
DWPOSE = Marks(_dwpose, (*BODY_133, *_HANDS_133))
GIVEN = Marks(_read, (*BODY_133, *_HANDS_133))
FACE = Marks(_face, (*_ring(0, 20), *_ring(20, 16), *_ring(36, 16)))
