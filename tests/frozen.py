"""Arrays against what a fixture keeps of them: shape, dtype, the first 16 and last 4 values in C order, sum and L2 norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def gap(ours: NDArray[Any], frozen: dict[str, Any]) -> float:
    """Largest deviation of the values that were kept, of the mean and of the root mean square. Shape and dtype must be those kept."""
    assert (list(ours.shape), str(ours.dtype)) == (frozen["shape"], frozen["dtype"])
    flat = ours.ravel().astype(np.float64)
    first, last = np.array(frozen["first"]), np.array(frozen["last"])
    parts = [
        np.abs(flat[: first.size] - first).max(),
        np.abs(flat[-last.size :] - last).max(),
        abs(flat.sum() - frozen["sum"]) / flat.size,
        abs(np.linalg.norm(flat) - frozen["l2"]) / np.sqrt(flat.size),
    ]
    return float(max(parts))
