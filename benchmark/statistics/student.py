"""Student's t without SciPy: tail, quantile and power. Scalars, float64, held to 1e-10 relative against SciPy up to 10^5 degrees of
freedom in the tests (10^7: 1e-9, the continued fraction then takes thousands of steps).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np


def t_tail(t: float, df: float) -> float:
    """P(T > t) for Student's t with df > 0 degrees of freedom, 0..1. ValueError: df not positive, or NaN.

    For t > 0 half of I_x(df/2, 1/2) at x = df / (df + t^2) (Abramowitz and Stegun 26.7.1).
    """
    if math.isnan(t) or not df > 0 or math.isinf(df):
        raise ValueError(f"t must be a number and df positive and finite, not {t} and {df}")
    if t < 0:
        return 1 - t_tail(-t, df)
    # x and 1 - x are formed apart, so that neither loses digits where the other is near 1.
    square = t * t
    if math.isinf(square):
        return 0.0
    return 0.5 * _incomplete_beta(df / 2, 0.5, df / (df + square), square / (df + square))


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p for Student's t with df > 0 degrees of freedom. ValueError: p not between 0 and 1, df not positive."""
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1, not {p}")
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -_upper_quantile(p, df)
    return _upper_quantile(1 - p, df)


def detectable_difference(sd: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest true mean difference that a two-sided paired t test over n clips finds with the given probability.

    sd: standard deviation of the per-clip differences, >= 0, in the metric's unit; n >= 2; alpha and power in 0..1, alpha < power. Exact
    (non-central t, by quadrature), not the normal approximation, which is far too hopeful for a handful of clips. Returns the metric's
    unit.
    """
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError(f"sd must be finite and not negative, not {sd}")
    if n < 2:
        raise ValueError(f"a t test needs at least 2 clips, not {n}")
    if not 0 < alpha < power < 1:
        raise ValueError(f"0 < alpha < power < 1 is needed, not alpha {alpha} and power {power}")
    df = n - 1
    critical = _upper_quantile(alpha / 2, df)
    high = 1.0
    while _power(high, df, critical) < power:
        high *= 2
    low = 0.0
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _power(middle, df, critical) < power else (low, middle)
    return (low + high) / 2 * sd / math.sqrt(n)


def gamma_ratio(a: float) -> float:
    """Gamma(a + 1/2) / Gamma(a) for a > 0, to 1e-14 relative."""
    if a < 30:
        return math.exp(math.lgamma(a + 0.5) - math.lgamma(a))
    # The difference of two large logarithms would lose digits: the series of log Gamma(a + 1/2) - log Gamma(a) (DLMF 5.11) does not.
    inverse = 1 / (a * a)
    series = (-1 / 8 + inverse * (1 / 192 + inverse * (-1 / 640 + inverse * (17 / 14336 - inverse * 31 / 18432)))) / a
    return math.sqrt(a) * math.exp(series)


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Regularised incomplete beta I_x(a, b) for b = 1/2 or a = 1/2, with y = 1 - x: continued fraction DLMF 8.17.22 by Lentz' method."""
    if x <= 0:
        return 0.0
    if y <= 0:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # beyond it the fraction converges faster from the other side
        return 1 - _incomplete_beta(b, a, y, x)
    # B(a, 1/2) = sqrt(pi) / (Gamma(a + 1/2) / Gamma(a)). The larger of x and y goes through log1p of the smaller.
    beta = math.sqrt(math.pi) / gamma_ratio(a if b == 0.5 else b)
    log_x = math.log(x) if x < 0.5 else math.log1p(-y)
    log_y = math.log(y) if y < 0.5 else math.log1p(-x)
    front = math.exp(a * log_x + b * log_y) / (a * beta)
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    fraction = d
    for m in range(1, 100_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + step * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + step / c
            c = c if abs(c) > tiny else tiny
            change = c * d
            fraction *= change
        if abs(change - 1) < 1e-16:
            break
    return front * fraction


@lru_cache(maxsize=1024)
def _upper_quantile(tail: float, df: float) -> float:
    """t > 0 with P(T > t) = tail < 1/2: bracket by doubling, then bisection down to neighbouring floats or 1e-14 relative."""
    high = 1.0
    while t_tail(high, df) > tail:
        high *= 2
        if math.isinf(high):
            raise ValueError(f"the quantile at {tail} with {df} degrees of freedom is beyond float64")
    low = 0.0
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return (low + high) / 2


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)


def _power(shift: float, df: int, critical: float) -> float:
    """P(|T| > critical) for the non-central t: the normal tail averaged over s, the estimated over the true standard deviation.

    df s^2 is chi-square with df degrees of freedom; beyond 12 / sqrt(2 df) from 1 its density is below rounding (df = 1: half normal). As a
    function of s the tail steps from 1 to 0 within 9 / critical of shift / critical, so the range is cut there: each piece is smooth.
    """
    reach = 12 / math.sqrt(2 * df)
    low, high = max(0.0, 1 - reach), 1 + reach
    step = 9 / critical
    cuts = (shift / critical - step, shift / critical, shift / critical + step, step)
    edges = [low, *sorted(cut for cut in cuts if low < cut < high), high]
    total = 0.0
    for left, right in pairwise(edges):
        s = left + (right - left) * (_NODES + 1) / 2
        # Density of s: 2 (df/2)^(df/2) / Gamma(df/2) s^(df-1) exp(-df s^2 / 2), in logarithms.
        log_density = math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2) + (df - 1) * np.log(s) - df * s * s / 2
        tails = [math.erfc((critical * at - shift) / math.sqrt(2)) / 2 + math.erfc((critical * at + shift) / math.sqrt(2)) / 2 for at in s]
        total += float((_WEIGHTS * np.exp(log_density)) @ np.asarray(tails)) * (right - left) / 2
    return total
