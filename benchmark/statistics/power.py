"""What so many clips can tell: the smallest difference a paired comparison would find, and how many clips a difference needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmark.statistics.comparisons import EXACT, FLIPS, Comparison
from benchmark.statistics.intervals import BLOCKS
from benchmark.statistics.student import detectable_difference, t_quantile

MOST = 1 << 20
"""More clips than this are not searched for."""


@dataclass(frozen=True)
class Detectable:
    """The smallest true difference that a comparison like this one finds with probability `power` at level `alpha`.

    difference: in the metric's unit; None where no difference can be found, whatever its size (`why`: `floor`, `one clip` or `no interval`). sd:
    standard deviation of the paired differences that it follows from (of a set metric: jackknife standard error times the root of the number of
    deletions), None without an interval. smallest_p: the least p the test can give with so many clips, None where it has no such bound. n: clips.
    """

    difference: float | None
    sd: float | None
    smallest_p: float | None
    n: int
    alpha: float
    power: float
    why: str = ""


def detectable(comparison: Comparison, *, alpha: float = 0.05, power: float = 0.8, level: float = 0.95, blocks: int = BLOCKS) -> Detectable:
    """The minimal detectable difference of a comparison, from the spread of its own paired differences.

    alpha: level of one question; of the first of m under Holm, alpha / m. level, blocks: those of the comparison's interval. The difference is the
    one a two-sided paired t test over as many clips finds with that power (`detectable_difference`); the sign flip over n clips cannot reach below
    2 / 2^n, so where that is above alpha nothing can be found. The spread is estimated from the same clips: with few of them the result is rough.
    ValueError: as `detectable_difference`, level outside 0..1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    if not 0 < alpha < power < 1:
        raise ValueError(f"0 < alpha < power < 1 is needed, not alpha {alpha} and power {power}")
    c = comparison
    if c.low is None or c.high is None:
        return Detectable(None, None, c.smallest_p, c.n, alpha, power, "one clip" if c.n == 1 else "no interval")
    groups = min(c.n, blocks) if c.test == "jackknife" else c.n
    sd = (c.high - c.low) / 2 / t_quantile(0.5 + level / 2, groups - 1) * math.sqrt(groups)
    if c.smallest_p is not None and c.smallest_p > alpha:
        return Detectable(None, sd, c.smallest_p, c.n, alpha, power, "floor")
    return Detectable(detectable_difference(sd, groups, alpha, power), sd, c.smallest_p, c.n, alpha, power)


def clips_needed(difference: float, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """How many clips find a true mean difference with that power: enough for the paired t test, and for the sign flip to reach alpha at all.

    difference: not 0, either sign; sd: of the paired differences, >= 0; same unit. None beyond 2^20 clips.
    ValueError: difference 0 or not finite, others as `detectable_difference`; alpha below what drawn sign patterns can reach.
    """
    size = abs(difference)
    if not (math.isfinite(size) and size > 0):
        raise ValueError(f"the difference must be finite and not 0, not {difference}")
    least = 2
    while smallest_p(least) > alpha:
        least += 1
        if least > EXACT + 1:
            raise ValueError(f"no number of clips reaches alpha {alpha}: {FLIPS} sign patterns are drawn")
    if detectable_difference(sd, least, alpha, power) <= size:
        return least
    low, high = least, 2 * least
    while detectable_difference(sd, high, alpha, power) > size:
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable_difference(sd, middle, alpha, power) <= size else (middle, high)
    return high


def smallest_p(n: int) -> float:
    """The least two-sided p of the sign flip over n clips: 2 / 2^n up to 20, beyond that 1 / (1 + flips)."""
    return 2.0 ** (1 - n) if n <= EXACT else 1 / (1 + FLIPS)
