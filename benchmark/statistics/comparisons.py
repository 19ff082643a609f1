"""Is one method better than another? Paired tests over the clips both have, corrected for the number of metrics asked.

The pair is the clip: both methods made it from the same input. For metrics with a value a clip the test is the exact sign flip; for metrics
of a whole set it is the jackknife of the difference, the same clip deleted on both sides. What cannot be decided is called so, never
`same`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.intervals import BLOCKS, Clips, Statistic, clip_values, deletions, t_interval
from benchmark.statistics.student import gamma_ratio, t_quantile, t_tail

EXACT = 20
"""Up to so many clips all 2^n sign patterns are counted (2^19 sums by symmetry, 4 MB)."""
FLIPS = 100_000
"""Sign patterns drawn beyond that."""
TIE = 1e-9
"""Sums that differ by less than this share of sum |d| are ties. Rounding of the clip values is far below, real differences far above."""
NO_SPREAD = 1e-14
"""A spread below this share of the values compared is their rounding."""
_CHUNK = 8192


@dataclass(frozen=True)
class SignFlip:
    """p: two-sided, in (0, 1]. smallest_p: what p would be had every clip agreed. n: clips. exact: all patterns counted, none drawn."""

    p: float
    smallest_p: float
    n: int
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Method a against method b in one metric.

    difference: a - b. low, high: its interval (None for one clip). p: two-sided, None where no test exists (one clip, or a set metric that
    no deletion moves). smallest_p: the smallest p so many clips can give, None where the test has no such bound. effect: paired Cohen's d
    with Hedges' correction, None for fewer than 3 clips, no spread, or a set metric. n: clips on both sides. test: `sign-flip` or
    `jackknife`. higher_is_better: None where neither direction is. margin: differences below it do not matter (None = not stated).
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    smallest_p: float | None
    effect: float | None
    n: int
    test: Literal["sign-flip", "jackknife"]
    higher_is_better: bool | None
    margin: float | None = None


@dataclass(frozen=True)
class Judged:
    """A comparison within its family. p: Holm-adjusted, None where the comparison has none. verdict: see `verdict`."""

    comparison: Comparison
    p: float | None
    verdict: str


def sign_flip(differences: ArrayLike, seed: int = 0, flips: int = FLIPS) -> SignFlip:
    """Two-sided paired randomisation test of `the signs of the differences are arbitrary`, on |sum of differences|.

    differences: (n,) finite, n >= 1; zeros are kept. Up to 20 clips exact: the share of all 2^n sign patterns whose |sum| reaches the
    observed one, ties (within 1e-9 of sum |d|) counted; it cannot go below 2 / 2^n. Beyond: (1 + k) / (1 + flips) over `flips` patterns
    from the raw PCG64 stream of `seed` (Phipson and Smyth 2010), not below 1 / (1 + flips). Source: Fisher 1935, section 21.
    ValueError: empty, not 1-D, NaN or infinite, flips < 1.
    """
    d = clip_values(differences, "differences")
    if flips < 1:
        raise ValueError(f"at least 1 flip is needed, not {flips}")
    n = len(d)
    total = float(np.abs(d).sum())
    if not math.isfinite(total):
        raise ValueError("the differences are too large: their sum is beyond float64")
    bar = abs(float(d.sum())) - TIE * total
    if n <= EXACT:
        # A pattern and its opposite have the same |sum|, so the first sign is fixed and half the patterns are enough.
        sums = d[:1]
        for value in d[1:]:
            sums = np.concatenate((sums + value, sums - value))
        return SignFlip(float(np.count_nonzero(np.abs(sums) >= bar)) / len(sums), 2.0 ** (1 - n), n, True)
    reached = 0
    for bits in _patterns(n, seed, flips):
        reached += int(np.count_nonzero(np.abs((1.0 - 2.0 * bits) @ d) >= bar))
    return SignFlip((1 + reached) / (1 + flips), 1 / (1 + flips), n, False)


def _patterns(n: int, seed: int, flips: int) -> Iterator[NDArray[np.uint8]]:
    """(up to 8192, n) bits at a time, 1 = minus, `flips` rows in all."""
    generator = np.random.PCG64(seed)
    words = -(-n // 64)
    for start in range(0, flips, _CHUNK):
        count = min(_CHUNK, flips - start)
        raw: NDArray[np.uint64] = generator.random_raw(count * words)
        # Little-endian bytes, so that a pattern is the same on every machine.
        yield np.unpackbits(raw.astype("<u8").view(np.uint8).reshape(count, words * 8), axis=1, count=n)


Pair = tuple[int, int]


def sign_flips(groups: Sequence[NDArray[np.float64]], seed: int = 0, flips: int = FLIPS) -> list[dict[Pair, SignFlip]]:
    """`sign_flip` of every pair of rows of every group: {(i, j): of row i - row j} for i < j, with the same numbers, at a fraction of the cost.

    groups: (k, n) values of k methods at n clips, finite; n may differ from group to group. The patterns depend on n and the seed alone, so groups of
    one n share them, and the flipped sum of a difference is the difference of two rows' flipped sums: k rows are multiplied, not k (k - 1) / 2. Rows
    are centred clip by clip first; a pair whose differences are too small against what is left for the tie rule to hold is done by itself.
    """
    found: list[dict[Pair, SignFlip]] = [{} for _ in groups]
    shared: dict[int, list[tuple[int, NDArray[np.float64], list[tuple[Pair, float]]]]] = {}
    for number, group in enumerate(groups):
        k, n = group.shape
        centred = group - group.mean(axis=0)
        sizes = np.abs(centred).sum(axis=1)
        bars: list[tuple[Pair, float]] = []
        for i, j in combinations(range(k), 2):
            d = group[i] - group[j]
            total = float(np.abs(d).sum())
            if n <= EXACT or not math.isfinite(total) or TIE * total < 1e-13 * float(sizes[i] + sizes[j]):
                found[number][i, j] = sign_flip(d, seed, flips)
            else:
                bars.append(((i, j), abs(float(d.sum())) - TIE * total))
        if bars:
            shared.setdefault(n, []).append((number, centred, bars))
    for n, parts in shared.items():
        rows = np.concatenate([centred for _, centred, _ in parts])
        totals = rows.sum(axis=1, keepdims=True)
        reached = [np.zeros(len(bars), np.int64) for *_, bars in parts]
        for bits in _patterns(n, seed, flips):
            sums = totals - 2.0 * (rows @ bits.astype(np.float64).T)
            at = 0
            for count, (_, centred, bars) in zip(reached, parts, strict=True):
                for place, ((i, j), bar) in enumerate(bars):
                    count[place] += np.count_nonzero(np.abs(sums[at + i] - sums[at + j]) >= bar)
                at += len(centred)
        for count, (number, _, bars) in zip(reached, parts, strict=True):
            for (pair, _), hits in zip(bars, count.tolist(), strict=True):
                found[number][pair] = SignFlip((1 + hits) / (1 + flips), 1 / (1 + flips), n, False)
    return [dict(sorted(one.items())) for one in found]


def paired_all(groups: Sequence[tuple[ArrayLike, bool | None, float | None]]) -> list[dict[Pair, Comparison]]:
    """`paired` of every pair of methods in every metric, by `sign_flips`.

    groups: ((k, n) values of k methods at the same n clips, higher_is_better, margin). Gives {(i, j): comparison of i over j} for i < j, one dictionary a
    group. ValueError: as `paired`.
    """
    values = [np.stack([clip_values(row, "values") for row in np.asarray(rows, np.float64)]) for rows, _, _ in groups]
    for _, _, margin in groups:
        _check_margin(margin)
    flipped = sign_flips(values)
    return [
        {(i, j): _compared(rows[i], rows[j], found, higher, 0.95, margin) for (i, j), found in of.items()}
        for rows, of, (_, higher, margin) in zip(values, flipped, groups, strict=True)
    ]


def paired(
    a: ArrayLike,
    b: ArrayLike,
    higher_is_better: bool | None,
    *,
    level: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    flips: int = FLIPS,
) -> Comparison:
    """Compare two methods in a metric that has a value a clip.

    a, b: (n,) finite values of the same clips in the same order. The difference is mean(a - b) with its t interval, p comes from
    `sign_flip`, the effect is mean / sd of the differences times Hedges' exact correction Gamma(m/2) / (sqrt(m/2) Gamma((m-1)/2)) with
    m = n - 1 (Hedges 1981).
    ValueError: as `sign_flip`, unequal lengths, level outside 0..1, margin not positive.
    """
    first, second = clip_values(a, "a"), clip_values(b, "b")
    if first.shape != second.shape:
        raise ValueError(f"a has {len(first)} clips, b has {len(second)}: only clips that both have can be paired")
    _check_margin(margin)
    return _compared(first, second, sign_flip(first - second, seed, flips), higher_is_better, level, margin)


def _compared(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    flipped: SignFlip,
    higher_is_better: bool | None,
    level: float,
    margin: float | None,
) -> Comparison:
    d = first - second
    interval = t_interval(d, level)
    n = len(d)
    effect = None
    if n > 2:
        sd = float(d.std(ddof=1))
        if sd > NO_SPREAD * max(float(np.abs(first).max()), float(np.abs(second).max())):
            effect = interval.value / sd * gamma_ratio((n - 2) / 2) / math.sqrt((n - 1) / 2)
    return Comparison(
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        p=flipped.p,
        smallest_p=flipped.smallest_p,
        effect=effect,
        n=n,
        test="sign-flip",
        higher_is_better=higher_is_better,
        margin=margin,
    )


def jackknife_difference(
    a: Statistic,
    b: Statistic,
    n: int,
    higher_is_better: bool | None,
    *,
    level: float = 0.95,
    blocks: int = BLOCKS,
    margin: float | None = None,
) -> Comparison:
    """Compare two methods in a metric of a whole set.

    a, b: set metrics of the two methods over the same n clips, called with the same kept indices each time. The difference a - b gets the
    jackknife standard error of `jackknife`, and p from Student's t with one degree of freedom less than there are deletions. Deleting the
    clip on both sides keeps what the two share (the clip's truth, its difficulty) out of the error.
    ValueError: as `jackknife`, margin not positive.
    """
    _check_margin(margin)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")

    largest = 0.0

    def difference(clips: Clips) -> float:
        nonlocal largest
        first, second = float(a(clips)), float(b(clips))
        largest = max(largest, abs(first), abs(second))
        return first - second

    value, se, groups = deletions(difference, n, blocks)
    low = high = p = None
    if se is not None:
        reach = t_quantile(0.5 + level / 2, groups - 1) * se
        low, high = value - reach, value + reach
        # Without any spread t has no meaning, except that two equal methods do not differ.
        p = min(1.0, 2 * t_tail(abs(value) / se, groups - 1)) if se > NO_SPREAD * largest else 1.0 if value == 0 else None
    return Comparison(
        difference=value,
        low=low,
        high=high,
        p=p,
        smallest_p=None,
        effect=None,
        n=n,
        test="jackknife",
        higher_is_better=higher_is_better,
        margin=margin,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: p values that may be held against alpha although several were asked. Same order as given.

    p_values: m >= 1 numbers in 0..1. The k-th smallest (k from 0) is multiplied by m - k, made monotone and cut at 1. Holds under any
    dependence. Source: Holm 1979.
    ValueError: empty, NaN or outside 0..1.
    """
    if not len(p_values):
        raise ValueError("no p values")
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"a p value must lie in 0..1, not {p}")
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * float(p_values[index])))
        adjusted[index] = running
    return adjusted


def verdict(comparison: Comparison, p: float | None, alpha: float = 0.05) -> str:
    """One of `better`, `worse`, `differs`, `same`, `cannot tell (n clips)`: what may be said of method a.

    p: of the comparison, adjusted for its family; None = no test. In this order:
    `same`: a margin was stated and the whole interval lies inside +- margin (even where a tiny difference is certain: whoever states a
    margin says that less does not matter).
    `better` / `worse`: p <= alpha, direction by higher_is_better; `differs` where neither direction is better.
    `cannot tell`: everything else; a large p never shows equality.
    ValueError: alpha outside 0..1, p NaN or outside 0..1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if p is not None and not 0 <= p <= 1:
        raise ValueError(f"a p value must lie in 0..1, not {p}")
    c = comparison
    if c.margin is not None and c.low is not None and c.high is not None and -c.margin < c.low and c.high < c.margin:
        return "same"
    if p is not None and p <= alpha and c.difference != 0:
        if c.higher_is_better is None:
            return "differs"
        return "better" if (c.difference > 0) == c.higher_is_better else "worse"
    return f"cannot tell ({c.n} clip{'' if c.n == 1 else 's'})"


def family(comparisons: Sequence[Comparison], alpha: float = 0.05) -> list[Judged]:
    """Holm-adjusted p and verdict of each comparison of one family (a protocol's primary variants, at most 6), in the order given.

    A comparison without a test keeps p None but counts in the family as p = 1: a question asked does not get cheaper by having no answer.
    An empty family gives an empty list. ValueError: as `verdict`.
    """
    if not comparisons:
        return []
    adjusted = holm([1.0 if c.p is None else c.p for c in comparisons])
    kept = [None if c.p is None else p for c, p in zip(comparisons, adjusted, strict=True)]
    return [Judged(c, p, verdict(c, p, alpha)) for c, p in zip(comparisons, kept, strict=True)]


def _check_margin(margin: float | None) -> None:
    if margin is not None and not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"an equivalence margin must be positive and finite, not {margin}")
