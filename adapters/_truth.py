"""What adapters that start from the truth share."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.model import Case, Source

if TYPE_CHECKING:
    from benchmark.media import VideoInfo


def truth_of(case: Case, adapter: str) -> tuple[Source, VideoInfo, Fraction]:
    """(source, what is known of it, its rate in frames per second). Raises InputError where the case has no truth or its rate is unknown."""
    from benchmark.media import probe

    if case.truth is None:
        raise InputError(f"`{adapter}` needs a truth", code="no-truth", found=f"case {case.id} has none", hint="--truth DIR or --data ROOT")
    info = probe(case.truth.path, fps=case.truth.fps)
    rate = info.fps or case.fps
    if rate is None:
        raise InputError("the truth's frame rate is unknown", code="fps-unknown", path=case.truth.path, hint="--fps truth=F")
    return case.truth, info, rate


def frame_of(truth: VideoInfo, source: Source, index: int) -> NDArray[np.uint8]:
    """(h, w, 3) frame `index` of a truth, cropped as the case says. Raises InputError where it has no such frame."""
    from benchmark.media import decode

    seen = 0
    with closing(decode(truth, crop=source.crop)) as chunks:
        for chunk in chunks:
            if index < seen + len(chunk):
                picture: NDArray[np.uint8] = chunk[index - seen]
                return picture
            seen += len(chunk)
    raise InputError(
        "the reference frame is not in the truth",
        code="bad-range",
        path=truth.path,
        found=f"frame {index}",
        expected=f"0..{seen - 1}",
        hint="--reference-frame '*=0'",
    )
