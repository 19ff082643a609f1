"""Where in a frame a hand is: box and mask from its keypoints.

Rules of this package; the papers that score hands state neither margin nor threshold. Points are x, y in pixels, whole numbers at the centres
of pixels, as DWPose gives them. Whoever calls says which points are seen; others are not looked at. A hand of which nothing is seen, or that
lies outside the picture, has no region: None.
"""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

MARGIN = 1.25
"""Side of the box in extents of the points."""
LEAST_SIDE = 16
"""Pixels a side of a box before it is clipped."""
DILATION = 0.05
"""By how much a mask is wider than the hull of the points, in sides of the box."""
LEAST_DILATION = 2.0
"""Pixels."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, half-open: frame[top:bottom, left:right]."""
Mask = NDArray[np.bool_]
Points = NDArray[np.floating[Any]]


def _looked_at(points: Points, seen: Mask) -> NDArray[np.float64]:
    """(n, 2) the points that are seen."""
    if points.ndim != 2 or points.shape[1] != 2 or seen.shape != points.shape[:1] or seen.dtype != np.bool_:
        raise ValueError(f"points are (k, 2) and seen is (k,) bool, not {points.shape} and {seen.shape} {seen.dtype}")
    found: NDArray[np.float64] = points[seen].astype(np.float64)
    if not np.isfinite(found).all():
        raise ValueError("a point that is seen is not finite")
    return found


def _side(points: NDArray[np.float64]) -> float:
    return max(MARGIN * float(np.ptp(points, axis=0).max()), float(LEAST_SIDE))


def box(points: Points, seen: Mask, height: int, width: int) -> Box | None:
    """(21, 2) points and (21,) bool -> the hand's box in a picture of that size, or None.

    A square about the centre of the points' extent, 1.25 times as large as its longer side and at least 16 pixels, rounded up to whole pixels;
    then clipped to the picture, after which it need not be square. ValueError for other shapes, and where a seen point is not finite.
    """
    found = _looked_at(points, seen)
    if not len(found):
        return None
    side = math.ceil(_side(found))
    corner = (found.min(axis=0) + found.max(axis=0)) / 2 + 0.5 - side / 2
    left, top = (math.floor(float(edge) + 0.5) for edge in corner)
    clipped = (max(left, 0), max(top, 0), min(left + side, width), min(top + side, height))
    return clipped if clipped[0] < clipped[2] and clipped[1] < clipped[3] else None


def hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) points, n > 0 -> (k, 2) corners of their convex hull, turning from x towards y; one or two where the points lie on a line."""
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return np.array(ordered)

    def chain(row: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for x, y in row:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-2], kept[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def mask(points: Points, seen: Mask, height: int, width: int) -> Mask | None:
    """(21, 2) points and (21,) bool -> (height, width) bool, the hand's mask, or None.

    Pixels whose centre is inside the convex hull of the points, or no farther from it than 0.05 of the box's side before clipping (at least 2
    pixels). The box of a hand under 20 pixels can be passed by half a pixel. ValueError as `box`.
    """
    found = _looked_at(points, seen)
    if not len(found):
        return None
    reach = max(DILATION * _side(found), LEAST_DILATION)
    low, high = np.floor(found.min(axis=0) - reach), np.ceil(found.max(axis=0) + reach)
    left, top = (max(int(edge), 0) for edge in low)
    right, bottom = min(int(high[0]) + 1, width), min(int(high[1]) + 1, height)
    if left >= right or top >= bottom:
        return None
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float64), np.arange(top, bottom, dtype=np.float64))
    made = np.zeros((height, width), np.bool_)
    made[top:bottom, left:right] = _distance(x, y, hull(found)) <= reach
    return made if made.any() else None


def _distance(x: NDArray[np.float64], y: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far places are from a convex polygon, a segment or a point; 0 inside."""
    inside = np.full(x.shape, len(corners) > 2)
    nearest = np.full(x.shape, np.inf)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        dx, dy = bx - ax, by - ay
        inside &= dx * (y - ay) - dy * (x - ax) >= 0
        length = dx * dx + dy * dy
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) if length else np.zeros(x.shape)
        nearest = np.minimum(nearest, np.hypot(x - ax - along * dx, y - ay - along * dy))
    return np.where(inside, 0.0, nearest)


def filled(region: Box, height: int, width: int) -> Mask:
    """A box as a (height, width) mask."""
    left, top, right, bottom = region
    made = np.zeros((height, width), np.bool_)
    made[top:bottom, left:right] = True
    return made


@overload
def union(a: Box | None, b: Box | None) -> Box | None: ...  # type: ignore[overload-overlap]
@overload
def union(a: Mask | None, b: Mask | None) -> Mask | None: ...
def union(a: Box | Mask | None, b: Box | Mask | None) -> Box | Mask | None:
    """Two regions of one picture as one, the truth's hand and the generated one say: of masks their pixels, of boxes the smallest box about both.

    None and a region is that region; two of None are None. ValueError for a box with a mask, and for masks of two sizes.
    """
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.shape != b.shape:
            raise ValueError(f"masks of one picture have one size, not {a.shape} and {b.shape}")
        return np.asarray(a | b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
    raise ValueError("a box and a mask have no union; make the box a mask first")
