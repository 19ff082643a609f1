"""How much hands move. Expected numbers are closed forms and identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.people import _spread
from tests.formula_people import uniform

Floats = NDArray[np.float64]
FRAMES = 40


def still(t: int = FRAMES, hands: int = 2) -> Floats:
    """Hands that do not move: (t, hands, 21, 2)."""
    return np.broadcast_to(100 + 60 * uniform("still hands", (1, hands, 21, 2)), (t, hands, 21, 2)).copy()


def seen(points: Floats) -> NDArray[np.bool_]:
    return np.ones(points.shape[:3], np.bool_)


def sine(a: float, periods: int = 3, t: int = FRAMES) -> Floats:
    return a * np.sin(2 * np.pi * periods * np.arange(t) / t + 0.3)


def shoulders(distance: float = 50.0, t: int = FRAMES) -> tuple[Floats, NDArray[np.bool_]]:
    """A distance of 50 is 0.3 to the right of 0.4 down of 100."""
    return np.broadcast_to(np.array([[10.0, 20.0], [10 + 0.6 * distance, 20 + 0.8 * distance]]), (t, 2, 2)).copy(), np.ones(
        (t, 2), np.bool_
    )


# ------------------------------------------------------------------------------------------------------------------ variance


def test_a_sine_has_half_its_amplitude_squared() -> None:
    """Over whole periods a^2 / 2 on each axis; in a picture of short side 1024, a quarter of it."""
    points = still()
    points[..., 0] += sine(12)[:, None, None]
    points[..., 1] += sine(5)[:, None, None]
    assert _spread.variance(points, seen(points), 512, 900) == pytest.approx((144 + 25) / 2, rel=1e-12)
    assert _spread.variance(points, seen(points), 1800, 1024) == pytest.approx((144 + 25) / 8, rel=1e-12)


def test_even_motion() -> None:
    """v pixels a frame: variance v^2 (n^2 - 1) / 12 over n frames, divided by n; and v is the displacement."""
    points = still() + np.arange(FRAMES)[:, None, None, None] * np.array([3.0, 4.0])
    assert _spread.variance(points, seen(points), 512, 512) == pytest.approx(25 * (FRAMES**2 - 1) / 12, rel=1e-12)
    assert _spread.displacement(points, seen(points), 512, 512) == pytest.approx(5, rel=1e-12)
    assert _spread.displacement(points, seen(points), 1024, 2048) == pytest.approx(2.5, rel=1e-12)


def test_what_does_not_move() -> None:
    points = still()
    assert _spread.variance(points, seen(points), 512, 512) == pytest.approx(0, abs=1e-20)
    assert _spread.relative_variance(points, seen(points), *shoulders()) == pytest.approx(0, abs=1e-20)
    assert _spread.displacement(points, seen(points), 512, 512) == 0


@pytest.mark.parametrize("measure", [_spread.variance, _spread.displacement])
def test_size_of_the_picture_does_not_matter(measure: Any) -> None:
    """Identity: twice the pixels, twice the coordinates."""
    points = still() + 9 * uniform("motion", (FRAMES, 2, 21, 2))
    assert measure(points * 2, seen(points), 960, 1280) == pytest.approx(measure(points, seen(points), 480, 640), rel=1e-12)


def test_trembling_is_displacement() -> None:
    """Every other frame 2 pixels aside: displacement 2, variance 1."""
    points = still()
    points[::2, ..., 0] += 2
    assert _spread.displacement(points, seen(points), 512, 512) == pytest.approx(2, rel=1e-12)
    assert _spread.variance(points, seen(points), 512, 512) == pytest.approx(1, rel=1e-12)


# --------------------------------------------------------------------------------------------------------- what is not seen


def test_a_keypoint_counts_from_8_frames_on() -> None:
    """Seen in 7 frames it has no value; in 8, successive steps of 1 have variance 63 / 12, whatever the rest of the clip holds."""
    points = still(20, 1)
    points[:, 0, 5, 0] = np.arange(20)
    there = np.zeros((20, 1, 21), np.bool_)
    there[:7, 0, 5] = True
    assert _spread.variance(points, there, 512, 512) is None
    assert _spread.displacement(points, there, 512, 512) is None
    there[7, 0, 5] = True
    assert _spread.variance(points, there, 512, 512) == pytest.approx(63 / 12, rel=1e-12)
    assert _spread.displacement(points, there, 512, 512) == pytest.approx(1, rel=1e-12)


def test_keypoints_that_do_not_count_do_not_dilute() -> None:
    points = still(FRAMES, 1)
    points[:, 0, 3, 1] += sine(10)
    there = seen(points)
    assert _spread.variance(points, there, 512, 512) == pytest.approx(50 / 21, rel=1e-12)
    there[:-7, 0, 4:] = False
    assert _spread.variance(points, there, 512, 512) == pytest.approx(50 / 4, rel=1e-12)


def test_hands_weigh_the_same() -> None:
    """One hand with 21 keypoints of variance 2, one with a single keypoint of variance 50: 26. A hand never seen is left out."""
    points = still()
    points[:, 0, :, 0] += sine(2)[:, None]
    points[:, 1, 8, 0] += sine(10)
    there = seen(points)
    there[:, 1, :8] = there[:, 1, 9:] = False
    assert _spread.variance(points, there, 512, 512) == pytest.approx((2 + 50) / 2, rel=1e-12)
    there[:, 1] = False
    assert _spread.variance(points, there, 512, 512) == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize("lost", [np.nan, -1.0, 1e9])
def test_places_of_what_is_not_seen_are_not_looked_at(lost: float) -> None:
    points = still() + 9 * uniform("motion", (FRAMES, 2, 21, 2))
    there = uniform("gaps", (FRAMES, 2, 21)) > 0.4
    holed = np.where(there[..., None], points, lost)
    for measure in (_spread.variance, _spread.displacement):
        assert measure(holed, there, 512, 512) == measure(points, there, 512, 512) is not None
    expected = _spread.relative_variance(points, there, *shoulders())
    assert _spread.relative_variance(holed, there, *shoulders()) == expected is not None


def test_displacement_needs_both_frames() -> None:
    """Seen in every other frame only: 20 frames, and no two in a row."""
    points = still()
    there = seen(points)
    there[::2] = False
    assert _spread.displacement(points, there, 512, 512) is None
    assert _spread.variance(points, there, 512, 512) == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("t", [0, 1, 7])
def test_short_clips_have_no_value(t: int) -> None:
    points = still(t)
    assert _spread.variance(points, seen(points), 512, 512) is None
    assert _spread.displacement(points, seen(points), 512, 512) is None
    assert _spread.relative_variance(points, seen(points), *shoulders(t=t)) is None
    assert _spread.variance(points[:, :0], seen(points)[:, :0], 512, 512) is None


# -------------------------------------------------------------------------------------------------------- relative to the wrist


def test_moving_an_arm_adds_nothing() -> None:
    points = still()
    points += np.stack([sine(80), np.arange(FRAMES) ** 1.5], axis=1)[:, None, None]
    assert _spread.relative_variance(points, seen(points), *shoulders()) == pytest.approx(0, abs=1e-20)
    assert (_spread.variance(points, seen(points), 512, 512) or 0) > 1000


def test_turning_about_the_wrist() -> None:
    """Once around at distance r: variance r^2, in square shoulder widths; a body twice as large gives the same."""
    angle = 2 * np.pi * np.arange(FRAMES) / FRAMES
    points = np.broadcast_to(np.array([200.0, 150.0]), (FRAMES, 2, 21, 2)).copy()
    points[:, :, 1:] += 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None, None]
    for scale in (1, 2):
        value = _spread.relative_variance(points * scale, seen(points), *shoulders(50 * scale))
        assert value == pytest.approx((30 / 50) ** 2, rel=1e-12)


def test_a_lost_wrist_loses_the_frame() -> None:
    """A wrist seen in 7 frames leaves nothing; in 8, only these count: steps of 1 in widths of 50."""
    points = still(20, 1)
    points[:, 0, 1:, 0] += np.arange(20)[:, None]
    there = seen(points)
    there[7:, 0, 0] = False
    assert _spread.relative_variance(points, there, *shoulders(t=20)) is None
    there[7, 0, 0] = True
    assert _spread.relative_variance(points, there, *shoulders(t=20)) == pytest.approx(63 / 12 / 50**2, rel=1e-12)


def test_shoulder_width_is_the_median_where_both_are_seen() -> None:
    points = still()
    points[:, :, 1:, 0] += sine(10)[:, None, None]
    places, there = shoulders(50)
    places[:5, 1] = places[:5, 0]
    places[5:30] *= 100
    there[5:30, 0] = False
    assert _spread.relative_variance(points, seen(points), places, there) == pytest.approx(50 / 50**2, rel=1e-12)
    assert _spread.relative_variance(points, seen(points), places, np.zeros_like(there)) is None
    assert _spread.relative_variance(points, seen(points), np.zeros_like(places), there) is None


# ------------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "wrong",
    [
        lambda points: _spread.variance(points[:, :, :20], seen(points), 512, 512),
        lambda points: _spread.variance(points, seen(points).astype(np.float64), 512, 512),  # type: ignore[arg-type]
        lambda points: _spread.displacement(points * np.nan, seen(points), 512, 512),
        lambda points: _spread.variance(points, seen(points), 0, 512),
        lambda points: _spread.relative_variance(points, seen(points), *shoulders(t=3)),
        lambda points: _spread.relative_variance(points, seen(points), *shoulders(np.nan)),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="not "):
        wrong(still())
