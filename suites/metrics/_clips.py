"""What the metrics of whole clips share: distances of two sets of clip features that say so where a set is too small."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.errors import Unscored

Rows = NDArray[np.floating[Any]]


def _frechet(generated: Rows, truth: Rows, ddof: int) -> float:
    """Frechet distance; Unscored `too-few` where a side is a single input: one point has no covariance, and no original gives a number with meaning."""
    if min(len(generated), len(truth)) < 2:
        raise Unscored("too-few", f"one clip has no covariance: {len(generated)} generated and {len(truth)} true inputs")
    return statistics.frechet_distance(generated, truth, ddof=ddof)


frechet_over_n_minus_1 = partial(_frechet, ddof=1)
"""(n, d), (m, d), covariances divided by N - 1 (DisCo, common_metrics)."""
frechet_over_n = partial(_frechet, ddof=0)
"""(n, d), (m, d), covariances divided by N (StyleGAN-V, cd-fvd)."""


def kernel(generated: Rows, truth: Rows) -> float:
    """Unbiased kernel distance; Unscored `too-few` below two inputs on a side."""
    if min(len(generated), len(truth)) < 2:
        raise Unscored("too-few", f"two inputs a side are needed: {len(generated)} generated and {len(truth)} true")
    return statistics.kid(generated, truth)
