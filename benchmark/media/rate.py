"""From timestamps to a frame rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

_USUAL = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001))
_MILLISECOND = Fraction(1, 1000)


def measure(stamps: Sequence[int], time_base: Fraction, declared: Sequence[Fraction]) -> tuple[Fraction | None, bool]:
    """(frames a second, variable?) of ascending presentation timestamps in ticks of `time_base` seconds.

    Stamps are even where some rate explains each of them within one rounding step: a tick, or a millisecond where all of them lie on a
    millisecond grid finer than ticks allow (a Matroska source rewrapped). The step must stay below half a frame; otherwise only equal
    distances are even, else a dropped frame would pass for rounding in files whose tick is a frame. Among the rates that fit, one that
    the file declares is taken first, then a broadcast rate, then the simplest fraction. Uneven stamps give (n - 1) / (last - first) and
    True. One stamp: the first declared rate, or None.
    """
    rates = [rate for rate in declared if rate > 0]
    if len(stamps) < 2:
        return (rates[0] if rates else None), False
    steps = [b - a for a, b in pairwise(stamps)]
    span, n = stamps[-1] - stamps[0], len(steps)
    if span == 0:
        return (rates[0] if rates else None), True
    average = n / (span * time_base)
    if min(steps) <= 0:
        return average, True
    quantum = math.gcd(*steps)
    if quantum * time_base > _MILLISECOND or len(set(steps)) == 1:
        quantum = 1
    if 2 * quantum * n >= span:
        return average, len(set(steps)) > 1
    simplest = _simplest(n / ((span + quantum) * time_base), n / ((span - quantum) * time_base))
    for rate in (*rates, *_USUAL, *([average] if len(set(steps)) == 1 else []), simplest, average):
        if _spread(stamps, 1 / (rate * time_base)) <= quantum:
            return rate, False
    return average, True


def _spread(stamps: Sequence[int], period: Fraction) -> Fraction:
    """How far the stamps wander from an even grid of that period, from the earliest to the latest, in ticks."""
    up, down = period.numerator, period.denominator
    residuals = [stamp * down - i * up for i, stamp in enumerate(stamps)]
    return Fraction(max(residuals) - min(residuals), down)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of smallest denominator in [low, high], 0 < low <= high (continued fractions)."""
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    floor = math.floor(low)
    return floor + 1 / _simplest(1 / (high - floor), 1 / (low - floor))
