"""How much hands move in a clip: variance of their keypoints, with and without the arm's part, and displacement between frames.

The idea, and the name hand keypoint variance, are CyberHost's (Lin et al. 2024, arXiv:2409.01876), which gives neither code nor a rule for
size, undetected points or length; those below are this package's. Points are (t, hands, 21, 2), x and y in pixels; a hand's row 0 is its wrist.
Whoever calls says which points are seen, as (t, hands, 21) bool; others are not looked at. Where nothing counts there is no value: None.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_FRAMES = 8
"""A keypoint that is seen in fewer frames does not count."""
SHORT_SIDE = 512
"""Pixels are counted in pictures whose shorter side is this many."""
WRIST = 0

Points = NDArray[np.floating[Any]]
Seen = NDArray[np.bool_]


def _checked(points: Points, seen: Seen) -> NDArray[np.float64]:
    """Points in float64, those not seen NaN."""
    if points.ndim != 4 or points.shape[2:] != (21, 2) or seen.shape != points.shape[:3] or seen.dtype != np.bool_:
        raise ValueError(f"points are (t, hands, 21, 2) and seen is (t, hands, 21) bool, not {points.shape} and {seen.shape} {seen.dtype}")
    if not np.isfinite(points[seen]).all():
        raise ValueError("a point that is seen is not finite")
    return np.where(seen[..., None], points.astype(np.float64), np.nan)


def _scale(height: int, width: int) -> float:
    if min(height, width) < 1:
        raise ValueError(f"a picture has pixels, not {height}x{width}")
    return SHORT_SIDE / min(height, width)


def _over_hands(values: NDArray[np.float64]) -> float | None:
    """(hands, keypoints), NaN where a keypoint does not count -> mean over a hand's keypoints, then over hands of which one counts."""
    hands = [hand[~np.isnan(hand)] for hand in values]
    means = [float(hand.mean()) for hand in hands if hand.size]
    return float(np.mean(means)) if means else None


def _mean(values: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """Mean over the first axis without its NaNs; NaN where fewer than `least` are left."""
    there = ~np.isnan(values)
    n = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.where(n >= least, total / np.maximum(n, 1), np.nan)


def _variance(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(t, hands, k, 2), NaN where not seen -> (hands, k) var x + var y over frames, ddof 0; NaN for keypoints seen in fewer than 8."""
    centred = places - _mean(places, LEAST_FRAMES)
    return _mean((centred**2).sum(axis=-1), LEAST_FRAMES)


def variance(points: Points, seen: Seen, height: int, width: int) -> float | None:
    """Hand keypoint variance, in square pixels at short side 512; at least 0.

    Per keypoint seen in at least 8 frames, variance over frames of x plus that of y (divided by their number); mean over the keypoints of a
    hand, then over hands. Moving the whole body moves it too. ValueError for other shapes, and where a seen point is not finite.
    """
    return _over_hands(_variance(_checked(points, seen) * _scale(height, width)))


def relative_variance(points: Points, seen: Seen, shoulders: Points, shoulders_seen: Seen) -> float | None:
    """Variance of the 20 keypoints' places relative to the wrist of their hand, in square shoulder widths; at least 0.

    As `variance`, but of differences to the wrist in frames where it is seen too, so that moving an arm adds nothing; turning the hand does.
    shoulders: (t, 2, 2), shoulders_seen: (t, 2) bool. A shoulder width is the median over frames in which both are seen, one for the clip. None
    where there is no such frame or the width is 0. ValueError as `variance`.
    """
    places = _checked(points, seen)
    if shoulders.shape != (len(points), 2, 2) or shoulders_seen.shape != (len(points), 2) or shoulders_seen.dtype != np.bool_:
        raise ValueError(
            f"shoulders are ({len(points)}, 2, 2) with ({len(points)}, 2) bool, not {shoulders.shape} and {shoulders_seen.shape}"
        )
    pairs = shoulders[shoulders_seen.all(axis=1)].astype(np.float64)
    if not np.isfinite(pairs).all():
        raise ValueError("a shoulder that is seen is not finite")
    unit = float(np.median(np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1))) if len(pairs) else 0.0
    if unit == 0:
        return None
    return _over_hands(_variance((places[:, :, WRIST + 1 :] - places[:, :, WRIST : WRIST + 1]) / unit))


def displacement(points: Points, seen: Seen, height: int, width: int) -> float | None:
    """Mean distance that a keypoint moves from one frame to the next, in pixels a frame at short side 512; at least 0.

    Per keypoint seen in at least 8 frames, mean over successive frames in which it is seen both times; mean over the keypoints of a hand, then
    over hands. It depends on the clip's frames a second, and trembling raises it. ValueError as `variance`.
    """
    places = _checked(points, seen) * _scale(height, width)
    steps = _mean(np.linalg.norm(np.diff(places, axis=0), axis=-1), 1)
    return _over_hands(np.where(seen.sum(axis=0) >= LEAST_FRAMES, steps, np.nan))
