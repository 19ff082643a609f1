"""iqa by NIQE: the one that needs no network. Unlike grades, it is a distance."""

from __future__ import annotations

import numpy as np

from benchmark.model import Values
from benchmark.rows import ClipVariant, Found


def _scores(found: Found) -> Values:
    """(n,) the frames' distances, NaN where a frame has none."""
    scores = found.generated[:, 0].astype(np.float64)
    return np.where(scores >= 0, scores, np.nan)


NIQE = ClipVariant(
    id="niqe",
    extractor="niqe",
    score=_scores,
    left_out="no-texture",
    higher_is_better=False,
    decimals=2,
    summary="NIQE of every frame at its compared size: distance of the statistics of its luma's 96x96 blocks from those of natural pictures; lower is better. "
    "Flat frames have none; mean over frames, then clips",
    source="Mittal, Soundararajan, Bovik 2013, IEEE Signal Processing Letters 20:209; BasicSR 1.4.2 basicsr/metrics/niqe.py",
    deviation="in float64, BasicSR in float32: within 0.2 % of it; LIVE's MATLAB release takes rgb2gray where both take the luma on 16..235",
)
