"""Frame metrics over a region: each thing (a hand) one sample, then the frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Frames, Values
from benchmark.rows import Rows
from suites.metrics._hands import Reader
from suites.people._regions import Mask, Rule, region

WHERE: dict[Rule, str] = {
    "box": "the extent of the truth's hand keypoints enlarged by 1.25 to a square of at least 16 pixels, clipped",
    "mask": "the convex hull of the truth's hand keypoints, dilated by 0.05 of the box's side and at least 2 pixels",
    "union": "the box of the truth's hand and that of the generated one together",
}
"""What a region is, in words."""

OneFrame = Callable[[NDArray[np.generic], NDArray[np.generic], Mask], float]
"""(generated (h, w, 3), truth, region (h, w)) -> a number, NaN where there is none."""


def over_hands(score: OneFrame, read: Reader, rule: Rule, generated: Frames, truth: Frames, ours: Rows, theirs: Rows) -> Values:
    """(n,) mean over the hands of the truth's frame; NaN where the truth shows none, or none of them has a value."""
    mine, real = read(ours), read(theirs)
    height, width = truth.shape[1:3]
    values = np.full(len(truth), np.nan)
    for k in range(len(truth)):
        found = []
        for side in np.flatnonzero(real.there[k]):
            other = mine.points[k, side][mine.seen[k, side]] if mine.there[k, side] else None
            points = real.points[k, side][real.seen[k, side]]
            found.append(score(generated[k], truth[k], region(rule, points, other, width, height)))
        known = [value for value in found if not np.isnan(value)]
        if known:
            values[k] = float(np.mean(known))
    return values
