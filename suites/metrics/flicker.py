"""Flicker: what changes from frame to frame without moving."""

from __future__ import annotations

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found


def _mean(found: Found) -> float:
    """Mean over the pairs of frames in which the flow holds somewhere."""
    there = found.generated[:, 1] > 0
    if not there.any():
        raise Unscored("no-flow", "the flow holds in no pair of frames")
    return float(found.generated[there, 0].astype(np.float64).mean())


SPEC = Metric(
    name="flicker",
    title="flicker",
    higher_is_better=False,
    unit="levels",
    decimals=2,
    variants=(
        ClipVariant(
            id="dis-warp",
            extractor="dis-warp",
            score=_mean,
            summary="mean absolute difference in grey levels between a frame and its predecessor carried to it by DIS optical flow, where going there and "
            "back misses by less than a pixel; mean over pixels and channels, pairs, clips",
            source="Lai et al. 2018, arXiv:1808.00449 (warping error, there squared and with another flow)",
        ),
    ),
)
