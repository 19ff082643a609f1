"""Subject dynamics: how fast the foreground moves, with and without the camera's own movement. Definitions of this project."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WIDTH = 5
"""Numbers a pair of frames: foreground's share of the picture, its mean flow length, the same without the camera, the camera's x and y."""
LEAST = 0.005
"""A foreground of less than this share of the picture is none."""


def dynamics(mask: NDArray[np.bool_], flow: NDArray[np.floating]) -> NDArray[np.float32]:
    """mask (h, w): the foreground in the first frame. flow (h, w, 2): pixels to the second. -> (WIDTH,) as `WIDTH` says, lengths in the flow's pixels.

    The camera's movement is the median flow of the background, nought where everything is foreground.
    """
    moved = np.asarray(flow, np.float64)
    share = float(mask.mean())
    camera = np.median(moved[~mask], axis=0) if not mask.all() else np.zeros(2)
    if share < LEAST:
        return np.array([share, 0, 0, *camera], np.float32)
    inside = moved[mask]
    lengths = [float(np.sqrt(((inside - off) ** 2).sum(axis=1)).mean()) for off in (np.zeros(2), camera)]
    return np.array([share, *lengths, *camera], np.float32)
