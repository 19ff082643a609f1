"""What planted faults share: the truth frame by frame, changed in a known place by a known amount, written without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters._truth import truth_of
from benchmark.errors import InputError
from benchmark.model import Case

Frames = NDArray[np.uint8]
Change = Callable[[int, Frames], Frames]
"""(number of the first frame, (n, h, w, 3)) -> (n, h, w, 3)."""


def changed(case: Case, stem: Path, name: str, change: Change) -> Path:
    """Write the truth with `change` applied chunk by chunk, lossless, at its own size and rate."""
    from benchmark.media import decode, encode

    source, truth, rate = truth_of(case, name)

    def frames() -> Iterator[Frames]:
        first = 0
        for chunk in decode(truth, crop=source.crop):
            yield change(first, chunk)
            first += len(chunk)

    path = stem.with_name(stem.name + ".mkv")
    encode(path, frames(), rate, codec="ffv1")
    return path


def arrays(case: Case, kind: str, adapter: str) -> dict[str, NDArray[np.generic]]:
    """The arrays beside a case (`pose` or `masks`). Raises InputError where the case has none, or the file is no plain .npz."""
    path = case.pose if kind == "pose" else case.masks
    if path is None:
        raise InputError(f"`{adapter}` needs {kind}", code=f"no-{kind}", found=f"case {case.id} names none", hint="--suite tiktok-embedded")
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the {kind} file cannot be read", code=f"bad-{kind}", path=path, found=str(error), expected="an .npz of plain arrays"
        ) from error
