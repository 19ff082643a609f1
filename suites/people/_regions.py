"""Regions of a picture that keypoints tell: the truth's box, its hull, or the boxes of both sides together.

One rule for hands, and for whatever else has points. Definitions of this project; the papers publish none.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rule = Literal["box", "mask", "union"]
ENLARGE, LEAST = 1.25, 16
"""A box's side is so many times the longer side of the points' extent, and at least so many pixels."""
GROW = 0.05
"""A hull is dilated by this part of the box's side, at least by two pixels."""


def box(points: Floats, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(k, 2) points in pixels, the first pixel's centre at 0.5 -> (x0, y0, x1, y1), half open, whole pixels, clipped to the picture; None where
    nothing of it lies inside. Square before it is clipped, around the middle of the points' extent.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(ENLARGE * float((high - low).max()), float(LEAST))
    start = np.floor((low + high) / 2 - side / 2).astype(int)
    stop = np.ceil((low + high) / 2 + side / 2).astype(int)
    x0, y0 = max(0, int(start[0])), max(0, int(start[1]))
    x1, y1 = min(width, int(stop[0])), min(height, int(stop[1]))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def around(rule: Rule, truth: Floats, generated: Floats | None, width: int, height: int) -> tuple[int, int, int, int] | None:
    """A region as one rectangle (x0, y0, x1, y1), for what must be cut out: `box` of the truth's points; for `union` the smallest that holds that and
    the box of the generated frame's. None where the truth's lies outside the picture; ValueError for `mask`, which is no rectangle.
    """
    if rule == "mask":
        raise ValueError("a hull is no rectangle")
    real = box(truth, width, height)
    other = box(generated, width, height) if rule == "union" and generated is not None else None
    if real is None or other is None:
        return real
    return min(real[0], other[0]), min(real[1], other[1]), max(real[2], other[2]), max(real[3], other[3])


def _boxed(points: Floats, width: int, height: int) -> Mask:
    made = np.zeros((height, width), np.bool_)
    found = box(points, width, height)
    if found is not None:
        x0, y0, x1, y1 = found
        made[y0:y1, x0:x1] = True
    return made


def hull(points: Floats, width: int, height: int) -> Mask:
    """(h, w) the filled convex hull of (k, 2) points, dilated by a disc."""
    import cv2

    side = max(ENLARGE * float(np.ptp(points, axis=0).max()), float(LEAST))
    radius = max(2, round(GROW * side))
    made = np.zeros((height, width), np.uint8)
    # OpenCV counts pixel centres from nought.
    cv2.fillConvexPoly(made, np.rint(cv2.convexHull((points - 0.5).astype(np.float32))).astype(np.int32), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    grown: Mask = cv2.dilate(made, disc) > 0
    return grown


def region(rule: Rule, truth: Floats, generated: Floats | None, width: int, height: int) -> Mask:
    """(h, w) of one thing in one frame. truth: its (k, 2) points in the truth; generated: in the generated frame, None where it was not found
    there. Only `union` looks at it."""
    if rule == "mask":
        return hull(truth, width, height)
    made = _boxed(truth, width, height)
    if rule == "union" and generated is not None:
        made |= _boxed(generated, width, height)
    return made
