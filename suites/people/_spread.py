"""How much keypoints move: their variance over a clip, absolute or relative to the body, and their way from frame to frame. Definitions of this project."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEWEST = 8
"""A keypoint counts when it is seen in so many frames."""


def variance(points: Floats, seen: NDArray[np.bool_]) -> float | None:
    """points (n, groups, k, 2); seen (n, groups, k).

    For every keypoint seen in at least `FEWEST` frames var_t x + var_t y (ddof 0) over those frames; mean over a group's (a hand's) keypoints, then
    over the groups that have any. None where there is no such group. Unit: that of the points, squared.
    """
    found = []
    for g in range(points.shape[1]):
        many = [k for k in range(points.shape[2]) if seen[:, g, k].sum() >= FEWEST]
        if many:
            found.append(np.mean([points[seen[:, g, k], g, k].var(axis=0).sum() for k in many]))
    return float(np.mean(found)) if found else None


def displacement(points: Floats, seen: NDArray[np.bool_]) -> float | None:
    """Mean length of a keypoint's way between neighbouring frames that both show it, over its steps, where there are at least `FEWEST` - 1; mean over a
    group's keypoints, then groups. None where there is no such group. Unit: that of the points.
    """
    found = []
    for g in range(points.shape[1]):
        ways = []
        for k in range(points.shape[2]):
            steps = seen[1:, g, k] & seen[:-1, g, k]
            if steps.sum() >= FEWEST - 1:
                way = points[1:, g, k][steps] - points[:-1, g, k][steps]
                ways.append(np.sqrt((way * way).sum(axis=-1)).mean())
        if ways:
            found.append(np.mean(ways))
    return float(np.mean(found)) if found else None
