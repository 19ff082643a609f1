"""PSNR of the hands: from the mean squared error of the hands' pixels only."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Metric
from benchmark.rows import RegionVariant
from suites.metrics._hands import DETECTORS
from suites.metrics._region_scores import WHERE, over_hands
from suites.people._regions import Mask


def _over(generated: NDArray[np.generic], truth: NDArray[np.generic], mask: Mask) -> float:
    """dB of the region's squared error, peak 255; NaN where nothing differs or the region is empty."""
    if not mask.any():
        return float("nan")
    difference = generated[mask].astype(np.float64) - truth[mask].astype(np.float64)
    mse = float((difference * difference).mean())
    return float(20 * np.log10(255 / np.sqrt(mse))) if mse > 0 else float("nan")


SPEC = Metric(
    name="psnr-hand",
    title="PSNR hand",
    higher_is_better=True,
    unit="dB",
    decimals=2,
    variants=tuple(
        RegionVariant(
            id=f"{by.name}-{rule}",
            extractor=by.extractor,
            score=partial(over_hands, _over, by.read, rule),
            left_out="no-hand-or-identical",
            summary=f"20 log10(255 / sqrt(mse)) over the pixels of {where}; each hand one sample, then the frame, then the clip; the keypoints "
            f"{by.words}; frames in whose truth there is no hand, or whose hands are equal to the bit, are left out and counted",
            source="IPA (arXiv:2605.07545) names the metric and publishes no definition: this one is this project's",
        )
        for by in DETECTORS
        for rule, where in WHERE.items()
    ),
)
