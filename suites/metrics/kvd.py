"""KVD: kernel distance of I3D logits, unbiased however few the clips."""

from __future__ import annotations

from benchmark.model import Metric, SetVariant
from suites.metrics._clips import kernel

SPEC = Metric(
    name="kvd",
    title="KVD",
    higher_is_better=False,
    decimals=4,
    variants=(
        SetVariant(
            id="i3d16",
            extractor="i3d-16",
            distance=kernel,
            summary="the features of fvd@i3d16; unbiased MMD^2 under (x.y / d + 1)^3 over all inputs, no subsets; may fall below 0",
            source="Unterthiner et al. 2018, arXiv:1812.01717 (KVD); Binkowski et al. 2018, arXiv:1801.01401, section 4 (estimator)",
        ),
    ),
)
