"""A planted fault: the truth brighter and darker by turns. Whoever measures steadiness in time must see it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from adapters._faults import Frames, changed
from benchmark.generating import Adapter, Settings
from benchmark.model import Case

LEVELS = 8


def generate(case: Case, settings: Settings, stem: Path, levels: int = LEVELS) -> Path:
    """Even frames are `levels` grey levels brighter, odd ones darker, cut off at 0 and 255."""

    def flicker(first: int, frames: Frames) -> Frames:
        sign = np.where((first + np.arange(len(frames))) % 2 == 0, levels, -levels)[:, None, None, None]
        return np.clip(frames.astype(np.int16) + sign, 0, 255).astype(np.uint8)

    return changed(case, stem, "flicker", flicker)


def at(levels: int) -> Adapter:
    """The fault with another amplitude in grey levels."""
    return Adapter(
        id="flicker",
        version=1,
        title="flicker",
        summary=f"the truth {levels} grey levels brighter and darker by turns: a planted fault",
        generate=partial(generate, levels=levels),
        needs="a truth",
        source="this project",
    )


SPEC = at(LEVELS)
