"""Reading the frozen numbers: a fixture file, and how far an array is from one that was written down in part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

FIXTURES = Path(__file__).resolve().parent / "fixtures"


def fixture(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


def off(ours: NDArray[Any], frozen: dict[str, Any]) -> float:
    """Largest deviation of the first and last values, of the mean and of the root mean square. AssertionError for another shape."""
    assert list(ours.shape) == frozen["shape"]
    flat = ours.ravel().astype(np.float64)
    first, last = np.array(frozen["first"]), np.array(frozen["last"])
    assert len(first)
    parts = [abs(flat.sum() - frozen["sum"]) / flat.size, abs(np.linalg.norm(flat) - frozen["l2"]) / np.sqrt(flat.size)]
    return float(max(*parts, np.abs(flat[: len(first)] - first).max(), np.abs(flat[flat.size - len(last) :] - last).max(initial=0)))


def gap(ours: NDArray[Any], frozen: dict[str, Any]) -> float:
    """The same; the dtype must be the one that was kept, too."""
    assert str(ours.dtype) == frozen["dtype"]
    return off(ours, frozen)


def of_largest(ours: NDArray[Any], frozen: dict[str, Any]) -> float:
    """The same, over the largest value."""
    return off(ours, frozen) / float(np.abs(ours).max())
