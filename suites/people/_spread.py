"""How much keypoints move: their variance over a clip, absolute or relative to the body, and their way from frame to frame. Definitions of this project."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEWEST = 8
"""A keypoint counts when it is seen in so many frames."""


def variance(points: Floats, seen: NDArray[np.bool_]) -> float | None:
    """points (n, groups, k, 2); seen (n, groups) is the group (a hand) there?

    For every keypoint var_t x + var_t y (ddof 0) over the frames in which it is seen; mean over keypoints, then over the groups seen in at
    least `FEWEST` frames. None where there is no such group. Unit: that of the points, squared.
    """
    found = [float(points[seen[:, g], g].var(axis=0).sum(axis=-1).mean()) for g in range(points.shape[1]) if seen[:, g].sum() >= FEWEST]
    return float(np.mean(found)) if found else None


def displacement(points: Floats, seen: NDArray[np.bool_]) -> float | None:
    """Mean length of a keypoint's way between neighbouring frames in which its group is seen; mean over keypoints and steps, then groups with at
    least `FEWEST` - 1 steps. None where there is no such group. Unit: that of the points.
    """
    found = []
    for g in range(points.shape[1]):
        steps = seen[1:, g] & seen[:-1, g]
        if steps.sum() >= FEWEST - 1:
            way = points[1:, g][steps] - points[:-1, g][steps]
            found.append(float(np.sqrt((way * way).sum(axis=-1)).mean()))
    return float(np.mean(found)) if found else None
