"""KID: kernel distance (MMD) of Inception features of single frames; unbiased, so fit for small sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Metric
from benchmark.statistics import kid
from suites.metrics._pictures import ROUNDING, mobilenet, variants


def _distance(generated: NDArray[np.floating[Any]], truth: NDArray[np.floating[Any]], /) -> float:
    """`benchmark.statistics.kid`; Unscored `too-few` below two frames a side, where an unbiased estimate does not exist."""
    if min(len(generated), len(truth)) < 2:
        raise Unscored("too-few", f"KID needs two frames a side, there are {len(generated)} generated and {len(truth)} true ones")
    return kid(generated, truth)


_ALL = "the original averages over random subsets, which estimates the same quantity with extra noise"

SPEC = Metric(
    name="kid",
    title="KID",
    higher_is_better=False,
    decimals=5,
    variants=(
        *variants(
            _distance,
            "Unbiased squared MMD under the kernel (x.y / 2048 + 1)^3, all samples, no subsets (it may be below zero),",
            {
                "tf": "Binkowski et al. 2018, arXiv:1801.01401, section 4; features of mseitzer/pytorch-fid@b9c1811, which has no KID itself",
                "clean": "GaParmar/clean-fid@e88c4d6 cleanfid/fid.py kernel_distance (mode clean)",
                "torchmetrics": "torchmetrics 1.9.0 src/torchmetrics/image/kid.py poly_mmd, of features with antialias=True",
                "tf1": "toshas/torch-fidelity@5e211a9 torch_fidelity/metric_kid.py",
            },
            {
                "tf": ROUNDING,
                "clean": f"{ROUNDING}; pytorch-fid's weights stand in for clean-fid's TorchScript file, which holds the same network; {_ALL}",
                "torchmetrics": f"{ROUNDING}; {_ALL}",
                "tf1": f"{ROUNDING}; {_ALL}",
            },
        ),
        mobilenet(_distance, "Unbiased squared MMD under the kernel (x.y / 1024 + 1)^3, all samples, no subsets (it may be below zero),"),
    ),
)
