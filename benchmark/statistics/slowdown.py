"""Did something become slower? The ratio of two lots of timed runs, clip by clip, with a rank interval that leans on no shape of the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ratio:
    """Seconds of a over seconds of b.

    ratio: the median of all within-clip ratios (Hodges and Lehmann 1963), > 0; 2 = a takes twice as long. low, high: its interval, None where so few runs
    give none at this level. p_slower, p_faster: one-sided p of `a is no slower than `slack` times b` and of `b no slower than `slack` times a`. smallest_p:
    the least of either. runs: of a and of b. clips: timed on both sides.
    """

    ratio: float
    low: float | None
    high: float | None
    p_slower: float
    p_faster: float
    smallest_p: float
    runs: tuple[int, int]
    clips: int


def slowdown(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], *, slack: float = 1.0, level: float = 0.95) -> Ratio:
    """Compare seconds of repeated runs of the same clips.

    a, b: {clip: seconds of its runs}, the same clips, every number finite and above 0. Only runs of the same clip are compared, so that long and short
    clips do not mix: the statistic is the number of within-clip pairs in which a took longer (Mann and Whitney 1947, summed over clips as van Elteren 1960
    with equal weights), its null distribution exact. Ratios, so the noise may grow with the seconds; it needs to have one shape on both sides, no certain
    one. slack: >= 1, how much slower is still no slower. Ties count half.

    What it cannot see: a machine that is slower as a whole on one of two days. That is what the slack is for.
    ValueError: no clip, other clips on the two sides, seconds that are none, slack < 1, level outside 0..1.
    """
    if not a or set(a) != set(b):
        raise ValueError(f"the same clips are needed on both sides, at least one, not {sorted(a)} and {sorted(b)}")
    if not (math.isfinite(slack) and slack >= 1):
        raise ValueError(f"slack must be 1 or more, not {slack}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    ours, theirs = ({clip: _logs(side[clip], clip) for clip in a} for side in (a, b))
    pairs = np.sort(np.concatenate([np.subtract.outer(ours[clip], theirs[clip]).ravel() for clip in a]))
    upper = _upper_tail(tuple(sorted((len(ours[clip]), len(theirs[clip])) for clip in a)))
    # The largest c with P(U <= c - 1) <= (1 - level) / 2: then the c-th smallest and c-th largest within-clip ratio bound the interval.
    below = upper[::-1]
    c = int(np.searchsorted(below, (1 - level) / 2 * (1 + 1e-12), side="right"))
    shift = math.log(slack)
    return Ratio(
        ratio=float(np.exp(np.median(pairs))),
        low=float(np.exp(pairs[c - 1])) if c else None,
        high=float(np.exp(pairs[-c])) if c else None,
        p_slower=_p(pairs - shift, upper),
        p_faster=_p(-pairs - shift, upper),
        smallest_p=float(upper[-1]),
        runs=(sum(map(len, ours.values())), sum(map(len, theirs.values()))),
        clips=len(ours),
    )


def _p(pairs: NDArray[np.float64], upper: NDArray[np.float64]) -> float:
    """P(U >= observed); differences that are rounding are ties, which count half, rounded to the careful side."""
    tied = np.abs(pairs) <= 1e-12
    count = np.count_nonzero((pairs > 0) & ~tied) + 0.5 * np.count_nonzero(tied)
    return float(upper[math.floor(count)])


def _logs(seconds: Sequence[float], clip: str) -> NDArray[np.float64]:
    values = np.asarray(seconds, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values.min() <= 0:
        raise ValueError(f"{clip}: seconds must be finite and above 0, at least one, not {list(seconds)[:4]}")
    return np.log(values)


@lru_cache(maxsize=64)
def _upper_tail(sizes: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """P(U >= u) for u = 0 .. sum of m n: the sum over clips of Mann-Whitney's U, by convolution."""
    whole = np.ones(1)
    for m, n in sizes:
        whole = np.convolve(whole, _mann_whitney(m, n))
    tail: NDArray[np.float64] = np.minimum(1.0, np.cumsum(whole[::-1])[::-1])
    return tail


@lru_cache(maxsize=256)
def _mann_whitney(m: int, n: int) -> NDArray[np.float64]:
    """(m n + 1,) probabilities of U under no difference. Its generating function is the product of (1 - q^(n+i)) / (1 - q^i), i = 1..m."""
    counts = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for u in range(m * n, n + i - 1, -1):
            counts[u] -= counts[u - n - i]
        for u in range(i, m * n + 1):
            counts[u] += counts[u - i]
    total = math.comb(m + n, m)
    return np.array([count / total for count in counts])
