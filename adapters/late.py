"""A planted fault: the truth some frames late. Whoever measures lip sync or motion against the sound or the pose must find the lag."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from adapters._faults import Frames, changed
from benchmark.generating import Adapter, Settings
from benchmark.model import Case

LAG = 3


def generate(case: Case, settings: Settings, stem: Path, lag: int = LAG) -> Path:
    """Frame i shows the truth's frame i - lag; the first frame stands still until it begins. Same length, so that the sound still fits."""
    held: list[np.ndarray] = []

    def delay(first: int, frames: Frames) -> Frames:
        if not held:
            held.extend([frames[0]] * lag)
        held.extend(frames)
        made = np.stack(held[: len(frames)])
        del held[: len(frames)]
        return made

    return changed(case, stem, "late", delay)


def at(lag: int) -> Adapter:
    """The fault with another lag in frames."""
    return Adapter(
        id="late",
        version=1,
        title="late",
        summary=f"the truth {lag} frames late, the first one held: a planted fault",
        generate=partial(generate, lag=lag),
        needs="a truth",
        source="this project",
    )


SPEC = at(LAG)
