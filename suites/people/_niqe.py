"""NIQE: how far the statistics of a picture are from those of natural ones (Mittal, Soundararajan, Bovik 2013, IEEE Signal Processing Letters 20:209).

As BasicSR 1.4.2 computes it (basicsr/metrics/niqe.py, basicsr/utils/matlab_functions.py), which follows LIVE's release for MATLAB but for the grey
picture: LIVE takes rgb2gray, BasicSR and this the luma of BT.601 on 16..235. In float64, where BasicSR has float32.
"""

from __future__ import annotations

from functools import lru_cache
from math import gamma
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 96
"""Pixels a side of a block; half as many at the second scale."""
LEAST = 2 * BLOCK
"""Pixels that the shorter side of a picture must have: fewer than four blocks say nothing of their spread."""
FEATURES = 36
"""Numbers a block: a shape and a spread, then for each of four neighbours a shape, a mean and two spreads; at two scales."""
LUMA = (65.481, 128.553, 24.966)
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows down and columns to the right by which a block is rolled before it is multiplied by itself."""
Doubles = NDArray[np.float64]


def luma(frames: NDArray[Any]) -> Doubles:
    """(n, h, w, 3) RGB on 0..255 -> (n, h, w) on 16..235, rounded to whole levels."""
    return np.rint(np.asarray(frames, np.float64) @ (np.array(LUMA) / 255) + 16)


def normalised(picture: Doubles) -> Doubles:
    """(h, w) -> (x - mean) / (deviation + 1), both under a Gaussian of 7x7 and 7/6 pixels; outside lie the edge's own pixels."""
    import cv2

    taps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    taps /= taps.sum()

    def smooth(values: Doubles) -> Doubles:
        under: Doubles = cv2.sepFilter2D(values, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REPLICATE)
        return under

    mean = smooth(picture)
    found: Doubles = (picture - mean) / (np.sqrt(np.abs(smooth(picture * picture) - mean * mean)) + 1)
    return found


def halved(picture: Doubles) -> Doubles:
    """(h, w), both even -> (h/2, w/2): MATLAB's imresize, bicubic (a = -0.5) and antialiased, mirrored at the edge."""
    import cv2

    away = np.abs(np.arange(-3.5, 4)) / 2
    taps = np.where(away <= 1, 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2)
    taps /= taps.sum()
    full: Doubles = cv2.sepFilter2D(picture, cv2.CV_64F, taps, taps, anchor=(3, 3), borderType=cv2.BORDER_REFLECT)
    return full[::2, ::2]


@lru_cache(maxsize=1)
def _shapes() -> tuple[Doubles, Doubles]:
    """Shapes 0.2 to 10 in steps of 0.001, and gamma(2/a)^2 / (gamma(1/a) gamma(3/a)) of each."""
    shapes = np.arange(0.2, 10.001, 0.001)
    return shapes, np.array([gamma(2 / a) ** 2 / (gamma(1 / a) * gamma(3 / a)) for a in shapes])


def fit(samples: Doubles) -> tuple[float, float, float]:
    """Shape and the two scales of an asymmetric generalised Gaussian about 0 by its moments (equation 7). NaN where a side has no sample."""
    below, above = samples[samples < 0], samples[samples > 0]
    if not len(below) or not len(above):
        return np.nan, np.nan, np.nan
    left, right = np.sqrt(np.mean(below**2)), np.sqrt(np.mean(above**2))
    skew = left / right
    ratio = np.mean(np.abs(samples)) ** 2 / np.mean(samples**2)
    wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = _shapes()
    shape = float(shapes[np.argmin((ratios - wanted) ** 2)])
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, float(left * scale), float(right * scale)


def block_features(block: Doubles) -> list[float]:
    """(18,) of a normalised block; NaN as of `fit`."""
    shape, left, right = fit(block)
    found = [shape, (left + right) / 2]
    for shift in NEIGHBOURS:
        shape, left, right = fit(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape) if np.isfinite(shape) else np.nan
        found += [shape, mean, left, right]
    return found


def features(picture: Doubles) -> Doubles:
    """(h, w) luma -> (blocks, 36), column of blocks by column; what is left over right and below is cut off. ValueError where no block fits."""
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    if not rows * columns:
        raise ValueError(f"a picture of {picture.shape[1]}x{picture.shape[0]} holds no block of {BLOCK}x{BLOCK}")
    picture = np.ascontiguousarray(picture[: rows * BLOCK, : columns * BLOCK])
    scales = []
    for side, now in ((BLOCK, picture), (BLOCK // 2, halved(picture))):
        flat = normalised(now)
        blocks = [flat[i * side : (i + 1) * side, j * side : (j + 1) * side] for j in range(columns) for i in range(rows)]
        scales.append(np.array([block_features(block) for block in blocks]))
    return np.concatenate(scales, axis=1)


def distance(found: Doubles, mean: Doubles, covariance: Doubles) -> float:
    """(blocks, 36) against the model of natural pictures, mean (36,) and covariance (36, 36) -> 0 or more (equation 10).

    Features that do not exist (a flat block) are left out of the mean, their blocks out of the covariance. NaN where fewer than two blocks are whole.
    """
    whole = found[~np.isnan(found).any(axis=1)]
    if len(whole) < 2:
        return float("nan")
    # The pseudo-inverse by eigenvalues, because a covariance has none below nought: what lies under the root cannot either.
    values, vectors = np.linalg.eigh((covariance + np.cov(whole, rowvar=False)) / 2)
    kept = values > 1e-15 * values.max()
    along = (mean - np.nanmean(found, axis=0)) @ vectors[:, kept]
    return float(np.sqrt((along**2 / values[kept]).sum()))
