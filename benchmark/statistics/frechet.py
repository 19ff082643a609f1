"""Distances of two sets of features: Frechet (FID, FVD, FID-VID) and kernel (KID). numpy only, float64 throughout.

Frechet distance of two Gaussians (Dowson and Landau 1982; Heusel et al. 2017, arXiv:1706.08500, eq. 6):

    |mu1 - mu2|^2 + Tr S1 + Tr S2 - 2 Tr sqrt(S1 S2)

With centred features Xc, Yc and S1 = Xc^T Xc / (n1 - ddof), the last trace is a nuclear norm (a sum of singular values):

    Tr sqrt(S1 S2) = ||Xc Yc^T||_* / sqrt((n1 - ddof) (n2 - ddof))

because S1 S2 and (Xc Yc^T)(Yc Xc^T) have the same non-zero eigenvalues. No matrix root is taken, so rank-deficient covariances need no
offset and leave no imaginary part.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Features = NDArray[np.float64]

PIVOT = 1e-10
"""Smallest pivot of a Cholesky factor, relative to its largest, that still counts as full rank."""
ROUNDING = 1e-8
"""A distance below zero by no more than this share of Tr S1 + Tr S2 is rounding and becomes 0."""


def frechet_distance(x: ArrayLike, y: ArrayLike, ddof: int = 1) -> float:
    """Frechet distance of the Gaussians fitted to two sets of features.

    x: (n1, d), y: (n2, d), n1 and n2 >= 1 and free of each other; any real dtype, computed in float64. ddof: 1 divides the covariances by
    n - 1 (DisCo, pytorch-fid, clean-fid), 0 by n (StyleGAN-V, cd-fvd). A set of one row has covariance zero under either.
    Returns a value >= 0 in squared feature units. Identical sets give 0 within 1e-8 of the traces; values below 0 by less than that are
    rounding and returned as 0. The same to the bit for the same input on one machine, build and thread count; across those 1e-5 relative.

    ValueError: not 2-D, unequal d, no rows or columns, a NaN or infinity (the message names the side and its first bad row), ddof not 0 or
    1, or features so large that the distance is beyond float64. ArithmeticError: below zero by more than rounding (cannot happen in exact
    terms).
    """
    if ddof not in (0, 1):
        raise ValueError(f"ddof must be 0 or 1, not {ddof!r}")
    a, b = _features(x, "x"), _features(y, "y")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"x has {a.shape[1]} features a row, y has {b.shape[1]}")
    scale = _scale(a, b)
    a, b = a * scale, b * scale
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    a -= mean_a
    b -= mean_b
    # n - ddof is 0 only for a single row, whose centred features are 0 whatever they are divided by.
    weight_a, weight_b = max(len(a) - ddof, 1), max(len(b) - ddof, 1)
    traces = float(np.vdot(a, a)) / weight_a + float(np.vdot(b, b)) / weight_b
    root = _root_trace(a, b, weight_a, weight_b)
    gap = mean_a - mean_b
    return _finish(float(gap @ gap), traces, root, scale)


def frechet_from_moments(mu1: ArrayLike, s1: ArrayLike, mu2: ArrayLike, s2: ArrayLike) -> float:
    """Frechet distance of two Gaussians given by their moments.

    mu1, mu2: (d,); s1, s2: (d, d) symmetric positive semi-definite, singular ones and zero included. Each covariance is factored by its
    eigenvalues, S = F F^T, and Tr sqrt(S1 S2) = ||F1^T F2||_*. Eigenvalues within rounding of zero (d * eps of the largest) count as zero:
    their roots would otherwise add 1e-8 each. Returns a value >= 0, rounding below 0 clamped as in `frechet_distance`.

    ValueError: wrong shapes, a NaN or infinity, an asymmetric matrix (beyond 1e-8 of its largest entry), or an eigenvalue below zero by
    more than 1e-6 of the largest.
    """
    m1, m2 = np.asarray(mu1, np.float64), np.asarray(mu2, np.float64)
    c1, c2 = np.asarray(s1, np.float64), np.asarray(s2, np.float64)
    if m1.ndim != 1 or not len(m1) or m1.shape != m2.shape:
        raise ValueError(f"means must be two vectors of one length, not {m1.shape} and {m2.shape}")
    for name, moment in (("mu1", m1), ("s1", c1), ("mu2", m2), ("s2", c2)):
        if not np.isfinite(moment).all():
            raise ValueError(f"{name} holds a NaN or an infinity")
    f1, f2 = _factor(c1, len(m1), "s1"), _factor(c2, len(m1), "s2")
    # The traces of the factors, not of the matrices, so that what was cut from one term is cut from both.
    traces = float(np.vdot(f1, f1)) + float(np.vdot(f2, f2))
    root = float(np.linalg.svd(f1.T @ f2, compute_uv=False).sum())
    gap = m1 - m2
    return _finish(float(gap @ gap), traces, root, 1.0)


def kid(x: ArrayLike, y: ArrayLike) -> float:
    """Kernel distance: the unbiased estimate of MMD^2 under k(a, b) = (a.b / d + 1)^3, over all samples, no subsets.

    x: (n1, d), y: (n2, d), n1 and n2 >= 2. Returns a value that may be below zero (it is unbiased; two draws of one distribution average
    0). Source: Binkowski et al. 2018, arXiv:1801.01401, section 4; the averages over random subsets of other packages estimate the same
    quantity with extra noise. ValueError: as `frechet_distance`, or fewer than two rows on a side.
    """
    a, b = _features(x, "x"), _features(y, "y")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"x has {a.shape[1]} features a row, y has {b.shape[1]}")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"two rows a side are needed, x has {len(a)} and y has {len(b)}")
    with np.errstate(over="ignore", invalid="ignore"):
        value = _kernel_mean(a) + _kernel_mean(b) - 2 * _kernel_sum(a, b) / (len(a) * len(b))
    if not math.isfinite(value):
        raise ValueError("the features are too large: the distance is beyond float64")
    return value


def _features(values: ArrayLike, side: str) -> NDArray[Any]:
    """(n, d) real features, checked; not yet converted, so that a float32 memory map is copied only once."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{side} must hold real numbers, not {array.dtype}")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{side} must be a matrix (rows, features) with at least one of each, not of shape {array.shape}")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ValueError(f"{side} holds a NaN or an infinity, first in row {int(np.argmax(bad))} ({int(bad.sum())} of {len(array)} rows)")
    return array.astype(np.float64)


def _scale(a: Features, b: Features) -> float:
    """A power of two (exact in float64) that brings the largest magnitude near 1 where squares could leave float64's range, else 1."""
    largest = max(float(np.abs(a).max()), float(np.abs(b).max()))
    return math.ldexp(1.0, -math.frexp(largest)[1]) if largest > 1e70 or 0 < largest < 1e-70 else 1.0


def _finish(gap: float, traces: float, root: float, scale: float) -> float:
    value = gap + traces - 2 * root
    if value < 0:
        if -value > ROUNDING * traces:
            raise ArithmeticError(f"Frechet distance {value:.3e} is below zero by more than rounding (traces {traces:.3e})")
        return 0.0
    result = value / scale / scale
    if not math.isfinite(result):
        raise ValueError("the features are too large: the distance is beyond float64")
    return result


def _root_trace(a: Features, b: Features, weight_a: int, weight_b: int) -> float:
    """Tr sqrt(S1 S2) of centred features (n1, d) and (n2, d)."""
    if min(len(a), len(b)) > a.shape[1]:
        # A constant column leaves the product as it is, but would make every Cholesky factorisation fail (dead units are common).
        alive = a.any(axis=0) & b.any(axis=0)
        if not alive.all():
            a, b = a[:, alive], b[:, alive]
        if not a.shape[1]:
            return 0.0
        root = _root_by_eigenvalues(a, b, weight_a, weight_b)
        if root is not None:
            return root
        product = _triangle(a) @ _triangle(b).T
    else:
        # One side has no more rows than columns, so the product (short, long) is no larger than the features.
        product = a @ b.T if len(a) >= len(b) else b @ a.T
        if product.shape[0] > product.shape[1]:
            product = _triangle(product)
    return float(np.linalg.svd(product, compute_uv=False).sum()) / math.sqrt(weight_a * weight_b)


def _triangle(matrix: Features) -> Features:
    """The (min(n, d), d) factor R of matrix = Q R: R^T R = matrix^T matrix without squaring the condition."""
    return np.asarray(np.linalg.qr(matrix, mode="r"), np.float64)


def _root_by_eigenvalues(a: Features, b: Features, weight_a: int, weight_b: int) -> float | None:
    """Sum of roots of the eigenvalues of L^T S2 L with S1 = L L^T: the fast way for n > d. None where it would lose digits.

    The root of a zero eigenvalue comes out near 1e-8 of the largest instead of 0, once a dimension, so neither covariance may be singular.
    With both pivots above the limit the error stayed below 5e-12 of the traces (spectra from flat to k^-2.5, aligned and not, d = 600).
    """
    first, second = a.T @ a, b.T @ b
    first /= weight_a
    second /= weight_b
    lower = _cholesky(first)
    if lower is None or _cholesky(second) is None:
        return None
    values = np.linalg.eigvalsh(lower.T @ second @ lower)
    return float(np.sqrt(np.maximum(values, 0.0)).sum())


def _cholesky(covariance: Features) -> Features | None:
    """Lower Cholesky factor of (d, d), None where the matrix is singular or nearly so."""
    try:
        lower: Features = np.linalg.cholesky(covariance).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None
    pivots = lower.diagonal() ** 2
    return lower if pivots.min() > PIVOT * pivots.max() else None


def _factor(covariance: Features, d: int, name: str) -> Features:
    """(d, d) F with F F^T = covariance, rounding-level eigenvalues cut to zero."""
    if covariance.shape != (d, d):
        raise ValueError(f"{name} must be of shape {(d, d)}, not {covariance.shape}")
    if np.abs(covariance - covariance.T).max() > 1e-8 * np.abs(covariance).max():
        raise ValueError(f"{name} is not symmetric")
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    largest = float(np.abs(values).max())
    if values[0] < -1e-6 * largest:
        raise ValueError(f"{name} is no covariance: its smallest eigenvalue is {values[0]:.3e}")
    kept = np.where(values > d * np.finfo(np.float64).eps * largest, values, 0.0)
    factor: Features = vectors * np.sqrt(kept)
    return factor


BLOCK = 1024
"""Rows of a kernel matrix held at a time: 1,024 x n float64 instead of n x n."""


def _kernel_sum(a: Features, b: Features) -> float:
    """Sum of the kernel over all pairs of rows of (n1, d) and (n2, d)."""
    d = a.shape[1]
    parts = [float(((a[start : start + BLOCK] @ b.T / d + 1) ** 3).sum()) for start in range(0, len(a), BLOCK)]
    return math.fsum(parts) if all(map(math.isfinite, parts)) else math.nan


def _kernel_mean(a: Features) -> float:
    """Mean of the kernel over pairs of different rows."""
    n = len(a)
    own = float(((np.einsum("ij,ij->i", a, a) / a.shape[1] + 1) ** 3).sum())
    return (_kernel_sum(a, a) - own) / (n * (n - 1))
