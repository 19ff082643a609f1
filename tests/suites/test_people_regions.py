"""Regions of hands. Expected numbers are closed forms, counts of lattice points by hand, identities, and SciPy's convex hull."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.people import _regions
from tests.formula_people import uniform

ALL = np.ones(21, np.bool_)


def spread(*corners: tuple[float, float]) -> NDArray[np.float64]:
    """21 points: the corners, over and over."""
    return np.array([corners[i % len(corners)] for i in range(21)], np.float64)


def hand(key: str, x: float = 60, y: float = 50, size: float = 50) -> NDArray[np.float64]:
    return np.array([x, y]) + size * uniform(f"hand {key}", (21, 2))


# ----------------------------------------------------------------------------------------------------------------------- box


def test_box_of_a_square_hand() -> None:
    """40 wide, 1.25 times is 50; the middle of pixels 80..120 is pixel 100, so that 25 lie before its centre and 25 after, less half a pixel."""
    left, top, right, bottom = _regions.box(spread((80, 30), (120, 70)), ALL, 200, 300) or (0, 0, 0, 0)
    assert (right - left, bottom - top) == (50, 50)
    assert abs((left + right) / 2 - 100.5) <= 0.5
    assert abs((top + bottom) / 2 - 50.5) <= 0.5


def test_box_is_square_by_its_longer_side() -> None:
    """100 by 20 about pixel 100, 100: a side of 125, of which pixel 100 is the middle, so 38 .. 162."""
    assert _regions.box(spread((50, 90), (150, 110)), ALL, 300, 300) == (38, 38, 163, 163)


def test_box_has_16_pixels() -> None:
    """About a point that lies between two pixels: 8 to either side."""
    assert _regions.box(spread((49.5, 29.5)), ALL, 100, 100) == (42, 22, 58, 38)
    assert _regions.box(spread((49.5, 29.5), (51.5, 29.5)), ALL, 100, 100) == (43, 22, 59, 38)


def test_box_is_rounded_to_the_nearest_pixels() -> None:
    """A quarter of a pixel right of the middle of pixel 100, and left of it: 16 pixels about 100.75 and 100.25 from the edge."""
    assert _regions.box(spread((100.25, 99.75)), ALL, 200, 200) == (93, 92, 109, 108)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((-0.5, 29.5), (0, 22, 8, 38)),
        ((99.5, 99.5), (92, 92, 100, 100)),
        ((-8.5, 29.5), None),
        ((107.5, 50), None),
        ((106.5, 29.5), (99, 22, 100, 38)),
    ],
)
def test_box_is_clipped(at: tuple[float, float], expected: _regions.Box | None) -> None:
    """Of 16 pixels, those inside 100x100; half-open, so that a box which ends at 0 or begins at 100 is none."""
    assert _regions.box(spread(at), ALL, 100, 100) == expected


def test_box_follows_whole_pixels() -> None:
    """Identity: points moved by (7, -5) pixels have the box moved by as much."""
    points = np.round(hand("moved") * 64) / 64
    before, after = (_regions.box(points + shift, ALL, 400, 400) or (0, 0, 0, 0) for shift in (0.0, np.array([7, -5])))
    assert np.array_equal(np.array(after) - before, [7, -5, 7, -5])


# ---------------------------------------------------------------------------------------------------------------------- mask


def test_mask_of_a_point_is_a_disc() -> None:
    """13 lattice points are no farther than 2 from a lattice point."""
    made = _regions.mask(spread((20, 30)), ALL, 50, 60)
    assert made is not None
    assert made.shape == (50, 60)
    assert made.sum() == 13
    assert made[30, 18:23].all()
    assert made[28:33, 20].all()
    assert not made[28, 18]


def test_mask_of_a_segment_is_a_capsule() -> None:
    """11 columns of 5 pixels between the ends, and of each disc's 13 pixels the 4 beyond its end: 55 + 8."""
    made = _regions.mask(spread((20, 30), (30, 30), (25, 30)), ALL, 50, 60)
    assert made is not None
    assert made.sum() == 63
    upright = _regions.mask(spread((30, 20), (30, 30), (30, 25)), ALL, 60, 50)
    assert upright is not None
    assert np.array_equal(upright.T, made)


def test_mask_of_a_slanting_segment_ends() -> None:
    """On the line, 1.4 pixels beyond the end are within 2, and 2.8 are not."""
    made = _regions.mask(spread((20, 20), (25, 25), (30, 30)), ALL, 60, 60)
    assert made is not None
    assert made[31, 31]
    assert made[19, 19]
    assert not made[32, 32]
    assert not made[18, 18]


def test_mask_of_a_square() -> None:
    """Side 40: box side 50, dilation 2.5. 41 squared, two rows of 41 at each edge, 3 lattice points within 2.5 beyond each corner."""
    made = _regions.mask(spread((10, 10), (50, 10), (50, 50), (10, 50), (30, 30)), ALL, 70, 80)
    assert made is not None
    assert made.sum() == 41 * 41 + 4 * 2 * 41 + 4 * 3


@pytest.mark.parametrize("key", range(5))
def test_mask_against_scipy(key: int) -> None:
    """What SciPy's hull holds is in the mask; what is farther than the dilation from one of its edges' lines is not."""
    from scipy.spatial import ConvexHull

    points = hand(str(key))
    made = _regions.mask(points, ALL, 160, 170)
    assert made is not None
    y, x = np.indices(made.shape)
    outside = (ConvexHull(points).equations @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])).max(axis=0).reshape(made.shape)
    reach = max(0.05 * max(1.25 * np.ptp(points, axis=0).max(), 16), 2)
    assert made[outside <= 0].all()
    assert not made[outside > reach + 1e-9].any()
    assert 0 < made[(outside > 0) & (outside <= reach)].mean() <= 1
    left, top, right, bottom = _regions.box(points, ALL, 160, 170) or (0, 0, 0, 0)
    assert not (made & ~_regions.filled((left, top, right, bottom), 160, 170)).any()


def test_mask_at_an_edge_is_the_part_inside() -> None:
    """Identity: the mask of a picture's part is that part of the mask."""
    points = hand("edge", -20, -10)
    whole = _regions.mask(points + 50, ALL, 200, 200)
    part = _regions.mask(points, ALL, 45, 25)
    assert whole is not None
    assert part is not None
    assert np.array_equal(part, whole[50:95, 50:75])
    assert part.any()
    assert not part.all()


# ---------------------------------------------------------------------------------------------------------------------- both


@pytest.mark.parametrize("region", [_regions.box, _regions.mask])
def test_what_is_not_seen_is_not_looked_at(region: Any) -> None:
    points, seen = hand("half"), ALL.copy()
    seen[::2] = False
    lost = points.copy()
    lost[::2] = np.nan
    ours = region(lost, seen, 150, 160)
    assert np.array_equal(ours, region(np.where(seen[:, None], points, 1e6), seen, 150, 160))
    assert not np.array_equal(ours, region(points, ALL, 150, 160))
    assert region(points, ~ALL, 150, 160) is None
    assert region(points + 500, ALL, 150, 160) is None
    assert region(points - 500, ALL, 150, 160) is None
    with pytest.raises(ValueError, match="not finite"):
        region(lost, ALL, 150, 160)
    with pytest.raises(ValueError, match="points are"):
        region(points, seen[:20], 150, 160)
    with pytest.raises(ValueError, match="points are"):
        region(points, seen.astype(np.float64), 150, 160)


def test_union_of_boxes() -> None:
    """The smallest box about both."""
    assert _regions.union((3, 4, 10, 20), (5, 1, 30, 9)) == (3, 1, 30, 20)
    assert _regions.union(None, (5, 1, 30, 9)) == _regions.union((5, 1, 30, 9), None) == (5, 1, 30, 9)
    assert _regions.union(None, None) is None


def test_union_of_masks() -> None:
    """20x20 pixels each, of which 10x20 are shared: 600."""
    first, second = (_regions.filled(box, 50, 60) for box in ((0, 0, 20, 20), (10, 0, 30, 20)))
    both = _regions.union(first, second)
    assert both is not None
    assert both.sum() == 600
    assert np.array_equal(both, _regions.filled((0, 0, 30, 20), 50, 60))
    assert _regions.union(first, None) is first
    with pytest.raises(ValueError, match="one size"):
        _regions.union(first, second[:40])
    with pytest.raises(ValueError, match="no union"):
        _regions.union(first, (0, 0, 5, 5))  # type: ignore[call-overload]
