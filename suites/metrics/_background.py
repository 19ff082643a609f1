"""The background as a region: what lies outside the person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from benchmark.rows import Rows
from suites.metrics._region_scores import Part
from suites.people._mask_rows import LEAST, Mask, grown, unpack

Outside = Literal["truth", "both"]
WHERE = {
    "truth": "all pixels outside the truth's person",
    "both": "all pixels outside the truth's person and outside the generated frame's",
}


def outside(read: Callable[[Rows], Mask], rule: Outside, ours: Rows, theirs: Rows, width: int, height: int) -> Iterator[list[Mask]]:
    """One region a frame; none where the truth shows nobody."""
    mine, real = read(ours), read(theirs)
    for k in range(len(theirs)):
        if real[k].mean() < LEAST:
            yield []
            continue
        person = grown(real[k], width, height)
        yield [~(person | grown(mine[k], width, height)) if rule == "both" else ~person]


BACKGROUND = Part(
    name="background",
    by=(
        (
            "selfie",
            "selfie-mask",
            unpack,
            "the person is MediaPipe's mask (at 256x256, above 0.5), dilated by 0.02 of the picture's short side and at least 4 pixels: on drawn people "
            "that covers 99.4 % of them and leaves 92 % of the true background",
        ),
    ),
    source="this project",
    where=WHERE,
    regions=outside,
    absent="person",
    within=True,
)
