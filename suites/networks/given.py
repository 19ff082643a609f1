"""Keypoints that come with a data set, in the place of a detector's."""

from __future__ import annotations

import numpy as np

from benchmark.rows import Given, GivenExtractor, Rows
from suites.people._given import WIDTH, placed, read
from suites.people._marks import GIVEN


def rows(given: Given) -> Rows:
    """(n, 399) of `_given.unpack`. Raises InputError (`bad-keypoints`) for another file."""
    points = placed(read(given.path, given.content, given.size), given.size, given.box, given.target)
    return points.reshape(len(points), WIDTH).astype(np.float32)


SPEC = GivenExtractor(
    id="given",
    version=1,
    summary="133 points of one person from a file beside the clip (STEM.npz): keypoints, keypoints_with_neck, or DWPose's body_xy, hands_xy and face_xy",
    source="this project; the layouts are COCO-WholeBody's and DWPose's (docs/hands.md)",
    dimension=WIDTH,
    read=rows,
    marks=GIVEN,
)
