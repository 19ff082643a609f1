"""The 133 points of a person by name: OpenPose's body of 18 with its neck, feet, face and hands; and the dictionaries that DWPose and EchoMimicV2 give.

After IDEA-Research/DWPose@3dca5db ControlNet-v1-1-nightly/annotator/dwpose/{wholebody,__init__}.py and antgroup/echomimic_v2@a312dec
src/models/dwpose/{wholebody,dwpose_detector}.py. Rows of 133 are COCO-WholeBody's; rows of 134 have the neck, and the body in OpenPose's order.
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

POINTS = 133
BODY = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist", "right hip", "right knee",
    "right ankle", "left hip", "left knee", "left ankle", "right eye", "left eye", "right ear", "left ear",
)  # fmt: skip
"""OpenPose's 18 points: rows 0..17 of 134."""
NECK = 1
FROM_133 = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""The row of 133 that each of them is; -1 for the neck, which is made of rows 5 and 6, the shoulders."""
SHOULDERS = (5, 6)
"""Rows of 133: left, right."""
FEET, FACE, LEFT_HAND, RIGHT_HAND = slice(17, 23), slice(23, 91), slice(91, 112), slice(112, 133)
"""Rows of 133. Rows of 134 are one higher. A hand is its wrist, then four points of each finger from the thumb on."""
SEEN = 0.3
"""A point is seen where its score is above it; DWPose masks where it is below it."""

Floats = NDArray[np.float64]


class DWPoseBodies(TypedDict):
    """candidate: (18 n, 2) body points; subset: (n, 18) row of candidate, or -1 where the score is not above 0.3."""

    candidate: Floats
    subset: Floats


class ScoredBodies(DWPoseBodies):
    """And score: (n, 18) raw scores."""

    score: Floats


class DWPoseResult(TypedDict):
    """bodies; hands (2 n, 21, 2), the left ones of all persons first, then the right ones; faces (n, 68, 2). x by width, y by height."""

    bodies: DWPoseBodies
    hands: Floats
    faces: Floats


class EchoMimicResult(TypedDict):
    """As DWPose's, and the scores: hands_score (2 n, 21), faces_score (n, 68)."""

    bodies: ScoredBodies
    hands: Floats
    hands_score: Floats
    faces: Floats
    faces_score: Floats


def _checked(points: NDArray[Any], scores: NDArray[Any], rows: int) -> None:
    if points.ndim != 3 or points.shape[1:] != (rows, 2) or scores.shape != points.shape[:2]:
        raise ValueError(f"points are (n, {rows}, 2) and scores (n, {rows}), not {points.shape} and {scores.shape}")


def with_neck(points: NDArray[Any], scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """(n, 133, 2) points and (n, 133) scores -> (n, 134, 2) and (n, 134), float64: body in OpenPose's order, then feet, face, hands.

    The neck is the mean of the shoulders. Its score is no confidence: 1 where both shoulders score above 0.3, else 0. ValueError for other shapes.
    """
    _checked(points, scores, POINTS)
    body = list(FROM_133)
    made = np.concatenate([points[:, body], points[:, FEET.start :]], axis=1, dtype=np.float64)
    score = np.concatenate([scores[:, body], scores[:, FEET.start :]], axis=1, dtype=np.float64)
    made[:, NECK] = np.mean(points[:, list(SHOULDERS)], axis=1, dtype=np.float64)
    score[:, NECK] = (score[:, BODY.index("left shoulder")] > SEEN) & (score[:, BODY.index("right shoulder")] > SEEN)
    return made, score


def without_neck(points: NDArray[Any], scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """(n, 134, 2) points and (n, 134) scores -> (n, 133, 2) and (n, 133): `with_neck` undone. ValueError for other shapes."""
    _checked(points, scores, POINTS + 1)
    body = [FROM_133.index(row) for row in range(FEET.start)]
    rows = body + list(range(len(BODY), POINTS + 1))
    return points[:, rows].astype(np.float64), scores[:, rows].astype(np.float64)


def hands(rows: NDArray[Any]) -> NDArray[Any]:
    """(n, 133, ...) points or scores -> (2 n, 21, ...): the left hands of all persons, then all right ones. ValueError for other shapes."""
    if rows.ndim < 2 or rows.shape[1] != POINTS:
        raise ValueError(f"rows are (n, {POINTS}, ...), not {rows.shape}")
    return np.concatenate([rows[:, LEFT_HAND], rows[:, RIGHT_HAND]])


def faces(rows: NDArray[Any]) -> NDArray[Any]:
    """(n, 133, ...) points or scores -> (n, 68, ...). ValueError for other shapes."""
    if rows.ndim < 2 or rows.shape[1] != POINTS:
        raise ValueError(f"rows are (n, {POINTS}, ...), not {rows.shape}")
    return rows[:, FACE]


def _bodies(points: NDArray[Any], scores: NDArray[Any], height: int, width: int) -> ScoredBodies:
    """The body part of both dictionaries, of 133 rows in pixels."""
    made, score = with_neck(points, scores)
    n, body = len(made), len(BODY)
    score = score[:, :body]
    subset = np.where(score > SEEN, np.arange(n * body, dtype=np.float64).reshape(n, body), -1.0)
    return {"candidate": _relative(made[:, :body].reshape(n * body, 2), height, width), "subset": subset, "score": score}


def _relative(points: NDArray[Any], height: int, width: int) -> Floats:
    found: Floats = points / np.array([float(width), float(height)])
    return found


def dwpose(points: NDArray[Any], scores: NDArray[Any], height: int, width: int) -> DWPoseResult:
    """What DWPose's detector gives for (n, 133, 2) points in pixels and (n, 133) scores in a picture of that size, without its drawing.

    x by width, y by height. Hand and face points that score below 0.3 are -1, -1; body points stay. Scores are not given. ValueError for other
    shapes. IDEA-Research/DWPose@3dca5db annotator/dwpose/__init__.py DWposeDetector.
    """
    bodies = _bodies(points, scores, height, width)
    masked = np.where((scores.astype(np.float64) < SEEN)[..., None], -1.0, _relative(points, height, width))
    return {
        "bodies": {"candidate": bodies["candidate"], "subset": bodies["subset"]},
        "hands": hands(masked),
        "faces": faces(masked),
    }


def echomimic(points: NDArray[Any], scores: NDArray[Any], height: int, width: int) -> EchoMimicResult:
    """What EchoMimicV2's detector gives for (n, 133, 2) points in pixels and (n, 133) scores in a picture of that size, without its drawing.

    x by width, y by height; nothing is masked, and the raw scores stand beside the points. ValueError for other shapes.
    antgroup/echomimic_v2@a312dec src/models/dwpose/dwpose_detector.py.
    """
    bodies = _bodies(points, scores, height, width)
    relative, raw = _relative(points, height, width), scores.astype(np.float64)
    return {
        "bodies": bodies,
        "hands": hands(relative),
        "hands_score": hands(raw),
        "faces": faces(relative),
        "faces_score": faces(raw),
    }
