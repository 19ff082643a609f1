"""The reference picture repeated: the floor of every paired metric. A method that does not beat it has learnt nothing about motion."""

from __future__ import annotations

from pathlib import Path

from adapters._truth import frame_of, truth_of
from benchmark.errors import InputError
from benchmark.generating import Adapter, Settings
from benchmark.model import Case


def generate(case: Case, settings: Settings, stem: Path) -> Path:
    """Write the reference once for every truth frame, lossless, at the truth's rate and the reference's size."""
    from benchmark.media import encode, read_image

    if case.reference is None and case.reference_frame is None:
        raise InputError(
            "`still` needs a reference picture", code="no-reference", found=f"case {case.id} names none", hint="--reference-frame '*=0'"
        )
    source, truth, rate = truth_of(case, "still")
    picture = read_image(case.reference) if case.reference is not None else frame_of(truth, source, case.reference_frame or 0)
    path = stem.with_name(stem.name + ".mkv")
    encode(path, (picture[None] for _ in range(truth.frames)), rate, codec="ffv1")
    return path


SPEC = Adapter(
    id="still",
    version=1,
    title="still",
    summary="the reference picture repeated for the truth's length: the floor",
    generate=generate,
    needs="a reference picture, or a truth with a known reference frame",
    source="this project",
)
