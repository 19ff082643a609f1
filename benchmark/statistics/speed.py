"""What function evaluations (NFE) cost: how many steps make a wanted number, the line of seconds over NFE, repeated times, and where quality stops paying.

One evaluation is one forward of a denoiser for one clip. Seconds are summed up by medians and quartiles: they have a long tail to one side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError


def steps_of(nfe: int, passes: int, per_step: int = 1) -> int:
    """Steps that make a wanted NFE. passes: conditions a step evaluates (1 without guidance, 2 with it). per_step: evaluations of a step's solver
    for each (2 for Heun's method).

    Raises InputError where it leaves a remainder; it names the nearest that can be had.
    """
    for name, value in (("nfe", nfe), ("passes", passes), ("per_step", per_step)):
        if value < 1:
            raise InputError(f"{name} must be 1 or more", code="bad-nfe", found=str(value), expected="1 or more")
    each = passes * per_step
    if nfe % each:
        low = nfe // each * each
        near = [n for n in (low, low + each) if n > 0]
        raise InputError(
            "this NFE cannot be had in whole steps",
            code="bad-nfe",
            found=f"NFE {nfe} at {each} evaluations a step",
            expected=" or ".join(f"NFE {n} ({n // each} steps)" for n in near),
        )
    return nfe // each


@dataclass(frozen=True)
class Fit:
    """seconds = base + each * NFE by least squares. r2: 1 - residual / total sum of squares; None where all seconds are equal (0 / 0).
    points, levels: how many pairs, and how many different NFE; with two levels of one point each r2 is 1 and says nothing.
    """

    base: float
    each: float
    r2: float | None
    points: int
    levels: int


def fit(nfe: Sequence[float], seconds: Sequence[float]) -> Fit:
    """The line through (NFE, seconds). Raises InputError for unequal lengths, values that are not finite, or fewer than two different NFE."""
    x, y = _paired(nfe, seconds)
    levels = len(np.unique(x))
    if levels < 2:
        raise InputError(
            "a line needs two different NFE", code="bad-nfe", found=f"{levels} different in {len(x)} points", expected="2 or more"
        )
    dx, dy = x - x.mean(), y - y.mean()
    each = float(dx @ dy / (dx @ dx))
    base = float(y.mean() - each * x.mean())
    total = float(dy @ dy)
    left = y - (base + each * x)
    flat = bool(np.all(y == y[0]))
    return Fit(base, each, None if flat else 1 - float(left @ left) / total, len(x), levels)


@dataclass(frozen=True)
class Times:
    """Seconds of repeated runs: median, quartiles (numpy's linear rule), least and most, how many."""

    median: float
    low: float
    high: float
    least: float
    most: float
    runs: int


def times(seconds: Sequence[float]) -> Times:
    """The median and spread of seconds. Raises InputError where there are none, or one is not finite and above 0."""
    values = np.asarray(seconds, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values.min() <= 0:
        raise InputError(
            "seconds must be finite and above 0", code="bad-seconds", found=str(list(seconds)[:8]), expected="one or more such numbers"
        )
    low, median, high = (float(q) for q in np.percentile(values, (25, 50, 75)))
    return Times(median, low, high, float(values.min()), float(values.max()), len(values))


def speed_up(rows: Mapping[str, Sequence[float]], against: str) -> dict[str, float]:
    """{row: median seconds of `against` / median seconds of the row}; 2 is twice as fast, and `against` itself is 1.

    Raises InputError where the row is not there, and as `times` does.
    """
    if against not in rows:
        raise InputError("the row to compare with is not there", code="bad-row", found=against, expected=", ".join(rows) or "rows")
    base = times(rows[against]).median
    return {name: base / times(seconds).median for name, seconds in rows.items()}


def knee(nfe: Sequence[float], values: Sequence[float], higher_is_better: bool | None) -> int | None:
    """The index of the level beyond which more evaluations buy little: the largest distance above the chord from the first to the last level, both axes
    scaled to 0..1 (Kneedle: Satopaa, Albrecht, Irwin and Raghavan 2011, without its smoothing and sensitivity). Of equal distances the smallest NFE.

    None below three different NFE, where two levels share an NFE, where the metric has no better side, where the last level is no better than the first, and
    where no level lies above the chord, so that quality does not flatten. It describes these points alone: noise is not looked at. Raises InputError where
    lengths differ or a number is not finite.
    """
    x, y = _paired(nfe, values)
    if higher_is_better is None or len(x) < 3 or len(np.unique(x)) < len(x):
        return None
    order = np.argsort(x)
    x, y = x[order], y[order] if higher_is_better else -y[order]
    if y[-1] <= y[0]:
        return None
    across, up = (x - x[0]) / (x[-1] - x[0]), (y - y.min()) / (y.max() - y.min())
    above = up - (up[0] + (up[-1] - up[0]) * across)
    best = int(above.argmax())
    return int(order[best]) if above[best] > 1e-12 else None


def _paired(nfe: Sequence[float], values: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(nfe, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError("NFE and values do not pair", code="bad-nfe", found=f"{x.shape} and {y.shape}", expected="as many of each")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("NFE or values are not finite", code="bad-nfe", found="inf or NaN", expected="finite numbers")
    return x, y
