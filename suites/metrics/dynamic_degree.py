"""Dynamic degree as VBench defines it: does a clip move at all? A yes or no for each clip, and the share of those that do."""

from __future__ import annotations

import numpy as np

from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found
from suites.people._dynamic_degree import moves, needed, threshold


def _moves(found: Found) -> float:
    width, height = found.size
    lengths = found.generated[:, 0].astype(np.float64).tolist()
    return float(moves(lengths, threshold(height, width), needed(len(lengths) + 1)))


SPEC = Metric(
    name="dynamic-degree",
    title="dynamic degree",
    higher_is_better=True,
    decimals=3,
    variants=(
        ClipVariant(
            id="vbench",
            extractor="raft-top",
            score=_moves,
            summary="1 where a quarter of the frames (about 8 a second) begin a pair whose longest twentieth of the optical flow, padding included, exceeds 6 "
            "pixels for a short side of 256, in proportion; else 0; mean over clips. Two frames always move",
            source="Vchitect/VBench@45e79ec vbench/dynamic_degree.py",
            deviation="VBench loads raft-things.pth with the original code, this is torchvision's port of the same training; a folder of pictures is thinned "
            "by the rate it is given, VBench thins no folder",
        ),
    ),
)
