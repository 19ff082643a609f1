"""How the rows of `dwpose` are laid out, and which of the persons in them is the clip's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suites.people._layout import POINTS

Floats = NDArray[np.float64]
PERSONS = 3
"""As many persons of a frame are kept, the largest boxes first."""
ONE = 4 + 3 * POINTS
WIDTH = PERSONS * ONE
"""Numbers a frame: for every person the box x1, y1, x2, y2, then 133 times x, y, score; noughts where there are fewer."""
OVERLAP = 0.3
"""A person is followed while its box shares at least this part of the union with the last one."""


def pack(boxes: NDArray[np.floating], points: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """(WIDTH,) of one frame: boxes (n, 4), points (n, 133, 2), scores (n, 133) of its persons, n at most `PERSONS`."""
    row = np.zeros((PERSONS, ONE), np.float32)
    row[: len(boxes), :4] = boxes
    row[: len(boxes), 4:] = np.concatenate([points, scores[..., None]], axis=-1).reshape(len(boxes), 3 * POINTS)
    return row.reshape(-1)


def _overlap(a: Floats, boxes: Floats) -> Floats:
    low, high = np.maximum(a[:2], boxes[:, :2]), np.minimum(a[2:], boxes[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + float((a[2:] - a[:2]).prod())
    found: Floats = both / np.maximum(areas - both, 1e-9)
    return found


def main(rows: NDArray[np.floating]) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """(n, WIDTH) -> ((n,) is the main person there, (n, 133, 2) its points in pixels, (n, 133) their raw scores).

    The main person is the one with the largest box where a person is first seen; from then on the one whose box overlaps most with the last, by at
    least 0.3 of the union; where none does, the largest again. ValueError for rows of another width.
    """
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    persons = np.asarray(rows, np.float64).reshape(len(rows), PERSONS, ONE)
    there = np.zeros(len(rows), np.bool_)
    points, scores = np.zeros((len(rows), POINTS, 2)), np.zeros((len(rows), POINTS))
    last: Floats | None = None
    for k, frame in enumerate(persons):
        boxes = frame[:, :4]
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        if area.max() <= 0:
            continue
        chosen = int(area.argmax())
        if last is not None:
            shared = np.where(area > 0, _overlap(last, boxes), 0)
            if shared.max() >= OVERLAP:
                chosen = int(shared.argmax())
        there[k], last = True, boxes[chosen]
        found = frame[chosen, 4:].reshape(POINTS, 3)
        points[k], scores[k] = found[:, :2], found[:, 2]
    return there, points, scores
