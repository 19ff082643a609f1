"""Numbers out of MATLAB files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored


def numbers(path: Path) -> dict[str, NDArray[Any]]:
    """{name: array} of a .mat file up to version 7. Such a file holds data only, and nothing in it is run.

    Raises Unscored(`not-installed`) without SciPy, ValueError for a file that holds anything but plain arrays of numbers, and what SciPy raises for one
    that does not parse.
    """
    if importlib.util.find_spec("scipy") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[niqe]'")
    from scipy.io import loadmat

    found = {name: values for name, values in loadmat(path).items() if not name.startswith("__")}
    for name, values in found.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            raise ValueError(f"{name} is no array of numbers")
    return found
