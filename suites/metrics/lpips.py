"""LPIPS 0.1: distance of two pictures in the activations of a network, weighted to agree with people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import FeatureVariant, Metric, Values

_BLOCK = 1 << 15
"""Numbers at a time: their differences stay in the processor's cache."""


def distance(generated: NDArray[Any], truth: NDArray[Any]) -> Values:
    """Rows (n, d) of the LPIPS networks -> (n,) squared Euclidean distances, added in float64."""
    values = np.zeros(len(generated))
    for start in range(0, generated.shape[1], _BLOCK):
        step = (generated[:, start : start + _BLOCK] - truth[:, start : start + _BLOCK]).astype(np.float64)
        values += np.einsum("nd,nd->n", step, step)
    return values


_MEAN = (
    "mean of the squared differences of channel-normalised activations, weighted by the linear heads of version 0.1, summed over five taps"
)
_FLOAT32 = "at most 3e-6 relative: float32 activations, here added in float64"

SPEC = Metric(
    name="lpips",
    title="LPIPS",
    higher_is_better=False,
    decimals=4,
    variants=(
        FeatureVariant(
            id="alex",
            extractor="lpips-alex",
            score=distance,
            summary=f"AlexNet on [-1, 1]; spatial {_MEAN}",
            source="lpips 0.1.4 LPIPS(net='alex')",
            deviation=_FLOAT32,
        ),
        FeatureVariant(
            id="vgg",
            extractor="lpips-vgg",
            score=distance,
            summary=f"VGG16 on [-1, 1]; spatial {_MEAN}",
            source="lpips 0.1.4 LPIPS(net='vgg')",
            deviation=_FLOAT32,
        ),
        FeatureVariant(
            id="disco",
            extractor="lpips-vgg-01",
            score=distance,
            summary=f"VGG16 fed with [0, 1], a range it was not made for; spatial {_MEAN}",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/ssim_l1_lpips_psnr.py (compute_lpips): LPIPS(net='vgg') without normalize=True",
            deviation=_FLOAT32,
        ),
        FeatureVariant(
            id="alex-spatial",
            extractor="lpips-alex-spatial",
            score=distance,
            summary="AlexNet on [-1, 1]; every tap's map is upsampled to the picture's size (bilinear, half-pixel centres) before its "
            f"{_MEAN}; places weigh equally only where the picture's side is a multiple of the tap's",
            source="JunyaoHu/common_metrics_on_video_quality@5f75173 calculate_lpips.py: lpips 0.1.4 LPIPS(net='alex', spatial=True), mean of the map",
            deviation=_FLOAT32,
        ),
    ),
)
