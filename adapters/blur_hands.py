"""A planted fault: the truth with its hands blurred, everything else untouched. Hand metrics must see it, others hardly."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from adapters._faults import Frames, arrays, changed
from benchmark.errors import InputError
from benchmark.generating import Adapter, Settings
from benchmark.model import Case

SIGMA = 0.012
"""Of the Gaussian, as a part of the picture's height: 3 pixels at 256."""


def generate(case: Case, settings: Settings, stem: Path, sigma: float = SIGMA) -> Path:
    """Blur inside the hand masks of every frame."""
    masks = arrays(case, "masks", "blur-hands")
    if not {"left_hand", "right_hand"} <= set(masks):
        raise InputError("no hand masks", code="bad-masks", path=case.masks, found=", ".join(masks), expected="left_hand, right_hand")
    hands = masks["left_hand"].astype(np.bool_) | masks["right_hand"].astype(np.bool_)

    def blur(first: int, frames: Frames) -> Frames:
        import cv2

        made = frames.copy()
        for k, frame in enumerate(frames):
            mask = hands[first + k]
            soft = cv2.GaussianBlur(frame, (0, 0), sigma * len(frame))
            made[k][mask] = soft[mask]
        return made

    return changed(case, stem, "blur-hands", blur)


def at(sigma: float) -> Adapter:
    """The fault with another strength."""
    return Adapter(
        id="blur-hands",
        version=1,
        title="blur-hands",
        summary=f"the truth with hands blurred by a Gaussian of {sigma:g} of the picture's height, inside the hand masks only: a planted fault",
        generate=partial(generate, sigma=sigma),
        needs="a truth and hand masks",
        source="this project",
    )


SPEC = at(SIGMA)
