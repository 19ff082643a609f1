"""SSIM: structural similarity of two pictures (Wang et al. 2004), K1 = 0.01, K2 = 0.03, range 255."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Counted, Frames, FrameVariant, Metric, Values
from suites.metrics._frames import check, levels

Plane = NDArray[Any]
"""(h, w) one channel on 0..255, or something computed from it."""
Map = NDArray[np.float64]
Moments = tuple[Plane, Plane, Plane, Plane]
"""Windowed x, y, x^2 + y^2 and 2xy. Four filters do, because the two variances only ever appear as a sum."""

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SIGMA = 1.5
_WIDE, _BOX = 5, 3
"""Radius of the 11-tap Gaussian (3.5 sigma, rounded) and of the 7x7 box."""
_STRIP = 64
"""Rows filtered at a time: a constant that keeps the planes in cache, also where cores share one. No bit depends on it."""


def _similarity(x: Plane, y: Plane, squares: Plane, twice_product: Plane, c1: float, c2: float) -> Map:
    cross = 2 * x * y
    energy = x - y
    energy *= energy
    energy += cross  # x^2 + y^2
    above: Map = cross + c1
    above *= twice_product - cross + c2
    below: Map = energy + c1
    below *= squares - energy + c2
    above /= below
    return above


def _map(x: Plane, y: Plane, radius: int, moments: Callable[[Plane, Plane], Moments], c1: float, c2: float) -> Map:
    """(h - 2 radius, w - 2 radius) SSIM at the positions whose whole window lies inside the planes."""
    inside = slice(radius, -radius)
    result = np.empty((x.shape[0] - 2 * radius, x.shape[1] - 2 * radius))
    for top in range(0, len(result), _STRIP):
        rows = slice(top, top + _STRIP + 2 * radius)
        mean_x, mean_y, squares, twice_product = (moment[inside, inside] for moment in moments(x[rows], y[rows]))
        result[top : top + _STRIP] = _similarity(mean_x, mean_y, squares, twice_product, c1, c2)
    return result


def _gaussian_moments(x: Plane, y: Plane) -> Moments:
    """Means under the Gaussian in float64; float32 would be 7e-5 off where a bright picture is flat."""
    import cv2

    taps = np.exp(-0.5 * (np.arange(-_WIDE, _WIDE + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    a, b = x.astype(np.float64), y.astype(np.float64)
    blurred = [cv2.sepFilter2D(plane, cv2.CV_64F, taps, taps) for plane in (a, b, a * a + b * b, 2 * a * b)]
    return blurred[0], blurred[1], blurred[2], blurred[3]


def _box_moments(x: Plane, y: Plane) -> Moments:
    """Sums over the 49 pixels of the box; products 49 times. Integers of at most 2 * (49 * 255)^2 < 2^29: exact in int32.

    x^2 + y^2 is taken as (x - y)^2 + 2xy, because both parts fit into 16 bits, which are summed faster.

    49 sum(xy) - sum(x) sum(y) is then the sample covariance 49 * 48 times, and sum(x) sum(y) the product of the means 49 * 49 times, so
    with constants enlarged alike the fraction is SSIM itself.
    """
    import cv2

    product = x.astype(np.uint16) * y
    difference = cv2.absdiff(x, y).astype(np.uint16)
    planes = (x, y, difference * difference, product)
    x_sum, y_sum, differences, products = (cv2.boxFilter(plane, cv2.CV_32S, (7, 7), normalize=False) for plane in planes)
    products *= 98
    return x_sum, y_sum, 49 * differences + products, products


def _gaussian_map(x: Plane, y: Plane) -> Map:
    """(h, w) -> (h - 10, w - 10)."""
    return _map(x, y, _WIDE, _gaussian_moments, _C1, _C2)


def gaussian_maps(generated: NDArray[Any], truth: NDArray[Any]) -> list[Map]:
    """(h, w, 3) twice -> R, G and B's (h - 10, w - 10) map of ssim@gaussian, for regions of a picture."""
    return [_gaussian_map(generated[..., c], truth[..., c]) for c in range(3)]


def _reflected_map(x: Plane, y: Plane) -> Map:
    """(h, w) -> (h, w): the picture is continued by reflection without repeating the edge."""
    return _gaussian_map(np.pad(x, _WIDE, mode="reflect"), np.pad(y, _WIDE, mode="reflect"))


def _box_map(x: Plane, y: Plane) -> Map:
    """(h, w) -> (h - 6, w - 6)."""
    return _map(x, y, _BOX, _box_moments, 49 * 49 * _C1, 49 * 48 * _C2)


def _positions(counted: Counted | None, radius: int, border: int) -> Counted | None:
    """(h - 2 border, w - 2 border) True where the window, as far as it lies inside the picture, holds no ignored pixel; None = everywhere.

    Raises Unscored `all-ignored` where no position is left.
    """
    if counted is None or counted.all():
        return None
    import cv2

    eroded = cv2.erode(counted.astype(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
    positions: Counted = eroded[border : counted.shape[0] - border, border : counted.shape[1] - border] > 0
    if not positions.any():
        raise Unscored("all-ignored", "every window touches an ignored pixel")
    return positions


def _average(mapped: Map, positions: Counted | None) -> float:
    return float(np.mean(mapped if positions is None else mapped[positions]))


def _channels(generated: Frames, truth: Frames, positions: Counted | None, mapping: Callable[[Plane, Plane], Map]) -> Values:
    """(n,) mean over R, G, B of the averaged map; one plane at a time, so neighbours in a chunk cannot change a bit."""
    values = [[_average(mapping(a[..., c], b[..., c]), positions) for c in range(3)] for a, b in zip(generated, truth, strict=True)]
    means: Values = np.array(values, np.float64).reshape(-1, 3).mean(axis=1)
    return means


def _gaussian(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    check(generated, truth, counted, 2 * _WIDE + 1)
    return _channels(generated, truth, _positions(counted, _WIDE, _WIDE), _gaussian_map)


def _torchmetrics(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    check(generated, truth, counted, _WIDE + 1)
    return _channels(generated, truth, _positions(counted, _WIDE, 0), _reflected_map)


def _disco(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    import cv2

    check(generated, truth, counted, 2 * _BOX + 1)
    positions = _positions(counted, _BOX, _BOX)

    def grey(frame: NDArray[np.uint8]) -> Plane:
        """The weights are tied to R, G, B by name: the plane equals BGR2GRAY of the picture that OpenCV reads."""
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY))

    pairs = zip(levels(generated), levels(truth), strict=True)
    return np.array([_average(_box_map(grey(a), grey(b)), positions) for a, b in pairs], np.float64)


_WANG = "an 11x11 Gaussian window (sigma 1.5), population covariance, K1 = 0.01, K2 = 0.03 and range 255, in float64 on each RGB channel"

SPEC = Metric(
    name="ssim",
    title="SSIM",
    higher_is_better=True,
    decimals=4,
    variants=(
        FrameVariant(
            id="gaussian",
            score=_gaussian,
            min_size=2 * _WIDE + 1,
            summary=f"SSIM with {_WANG}; averaged over the positions whose window lies inside the picture (5 pixels cut off each side) "
            "and touches no ignored pixel, then over the channels; a clip is the mean of its frames",
            source="Wang et al. 2004; scikit-image 0.26.0 skimage/metrics/_structural_similarity.py structural_similarity("
            "gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1); "
            "JunyaoHu/common_metrics_on_video_quality@5f75173 calculate_ssim.py",
            deviation="at most 1e-15 from scikit-image, 2e-13 where a bright picture is flat; at most 7e-15 from common_metrics on "
            "its own input, 5e-9 on grey levels, which it first rounds to float32 on [0,1]",
        ),
        FrameVariant(
            id="disco",
            score=_disco,
            min_size=2 * _BOX + 1,
            dtype="uint8",
            summary="SSIM of the grey pictures (0.299 R + 0.587 G + 0.114 B, rounded to whole levels by OpenCV) with a 7x7 uniform window, "
            "sample covariance, K1 = 0.01, K2 = 0.03 and range 255; averaged over the positions whose window lies inside the picture "
            "(3 pixels cut off each side) and touches no ignored pixel; a clip is the mean of its frames",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/ssim_l1_lpips_psnr.py (mode SSIM), that is scikit-image's "
            "structural_similarity(grey, grey)",
            deviation="at most 2e-14 from DisCo, 7e-14 where a bright picture is flat: the sums are exact integers here and running "
            "float64 sums there",
        ),
        FrameVariant(
            id="torchmetrics",
            score=_torchmetrics,
            min_size=_WIDE + 1,
            summary=f"SSIM with {_WANG}; averaged over every position of the picture, which is continued by reflection without "
            "repeating the edge (a position counts where the part of its window inside the picture touches no ignored pixel), and over "
            "the channels; a clip is the mean of its frames",
            source="torchmetrics 1.9.0 src/torchmetrics/functional/image/ssim.py structural_similarity_index_measure(data_range=255)",
            deviation="at most 4e-6 from torchmetrics in float32, its usual precision, 3e-5 where a bright picture is flat; 2e-13 from "
            "torchmetrics in float64",
        ),
    ),
)
