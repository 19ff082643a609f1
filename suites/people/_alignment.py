"""A face brought to where face recognition expects it: five points, a similarity, 112 x 112 pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suites.people._face_rows import EYES

Floats = NDArray[np.float64]
SIDE = 112
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the eye at the left of the picture, that at the right, the tip of the nose and the two corners of the mouth shall lie, the first pixel's centre at
0: deepinsight/insightface python-package/insightface/utils/face_align.py (arcface_dst)."""
NOSE, CORNERS = 1, (61, 291)
"""Among the 468 points of MediaPipe's mesh."""


def five(points: Floats) -> Floats:
    """(468, 2) -> (5, 2) in the template's order: the middle of each eye's lids, the person's right eye first."""
    left, right = (points[list(lids)].mean(axis=0) for lids in EYES)
    return np.stack([right, left, points[NOSE], *points[list(CORNERS)]])


def similarity(source: Floats, target: Floats) -> Floats:
    """(2, 3) of the rotation, scale and shift that bring (k, 2) points nearest to others in the sum of squares, without a reflection.

    Umeyama 1991, IEEE PAMI 13(4). ValueError where all source points are one.
    """
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = source - middle, target - goal
    variance = float((a * a).sum()) / len(a)
    if variance == 0:
        raise ValueError("five points in one place have no direction")
    u, values, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turned = (u * sign) @ vt * float((values * sign).sum()) / variance
    return np.concatenate([turned, (goal - turned @ middle)[:, None]], axis=1)


def aligned(picture: NDArray[np.uint8], points: Floats) -> NDArray[np.uint8]:
    """(h, w, 3) and (468, 2) points in its pixels, the first pixel's centre at 0.5 -> (112, 112, 3): bilinear, black outside."""
    import cv2

    matrix = similarity(five(points) - 0.5, TEMPLATE)
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(picture), matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)
