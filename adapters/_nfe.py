"""Numbers of function evaluations (NFE), counted.

One evaluation is one forward of a denoiser for one clip. A step without guidance makes one, with classifier-free guidance two (with and without the
condition), with two guidances (text and sound) three. Whether the two are one call with a batch of 2 (CogVideoX) or two calls (Wan) does not matter:
batch sizes are summed over all calls and divided by the clips. Of two denoisers (Wan2.2) one runs at each step; both are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.errors import InputError
from benchmark.statistics import steps_of as steps

__all__ = ["Call", "counted", "steps"]


@dataclass(frozen=True)
class Call:
    """One call of a denoiser: its name, and the size of the batch it saw."""

    denoiser: str
    batch: int


def counted(calls: Iterable[Call], clips: int = 1) -> dict[str, int]:
    """{denoiser: NFE} of a run that made `clips` clips at once; the NFE is the sum of the values.

    Raises InputError where nothing was called, a batch is empty, or batches do not divide by the clips.
    """
    if clips < 1:
        raise InputError("a run makes one clip or more", code="bad-nfe", found=str(clips), expected="1 or more")
    total: dict[str, int] = {}
    for call in calls:
        if call.batch < 1 or call.batch % clips:
            raise InputError(
                f"a call of `{call.denoiser}` does not fit the number of clips",
                code="bad-nfe",
                found=f"a batch of {call.batch}, {clips} clips",
                expected=f"a multiple of {clips}",
            )
        total[call.denoiser] = total.get(call.denoiser, 0) + call.batch // clips
    if not total:
        raise InputError("no denoiser was called", code="bad-nfe", found="0 calls", expected="1 or more")
    return total
