"""What iqa and aes share: scores of Q-Align's five logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.rows import ClipVariant, Found
from suites.people._qalign import opinion_score, unit_score

Scale = Callable[[NDArray[Any]], NDArray[np.float64]]

_SOURCE = "Wu et al. 2023, arXiv:2312.17090; Q-Future/Q-Align@14dfdff; chaofengc/IQA-PyTorch@01ae427"
_DEVIATION = (
    "softmax and weights in float64, where a half-precision model rounds its score by up to 2e-3 on [1, 5]; the arithmetic around the model is held to "
    "frozen numbers, the checkpoint itself was never run by this project"
)
_SCALES: dict[str, tuple[Scale, str, str]] = {
    "": (opinion_score, "[1, 5]", "5 is excellent: weights 5, 4, 3, 2, 1, as the model's score() and pyiqa have it"),
    "-01": (
        unit_score,
        "[0, 1]",
        "1 is excellent: weights 1, 0.75, 0.5, 0.25, 0, as Q-Align's scorers have it; 4 x + 1 is the other scale",
    ),
}
_MEDIA = {
    "image": ("pictures", "the first frame of every second, each in a prompt of its own, mean over those frames"),
    "video": ("video", "the first frames of all seconds in one prompt"),
}


def _score(scale: Scale) -> Callable[[Found], float]:
    return lambda found: float(scale(found.generated.astype(np.float64)).mean())


def variant(name: str, asked: str, words: str, medium: str, scale: str = "") -> ClipVariant:
    """A variant. name: `hub` or another word for the wording, empty for the scorers'. asked: part of the extractor's name that stands for the prompt.
    words: whose wording it is, and what to know of it."""
    compute, range_, weights = _SCALES[scale]
    short, how = _MEDIA[medium]
    end = ["video"] if medium == "video" else []
    return ClipVariant(
        id="-".join(["qalign", *([name] if name else []), *end]) + scale,
        extractor="-".join(["qalign", asked, *end]),
        score=_score(compute),
        summary=f"Q-Align on {range_}, {short}, {words}; {how}; {weights}; clips under one second are unscored; mean over clips",
        source=_SOURCE,
        deviation=_DEVIATION,
    )


_SCORERS, _HUB = "words of the scorers and pyiqa", "words of the model's own score(), two of them swapped"

QUALITY = (
    *(variant("", "quality", _SCORERS, medium, scale) for medium in _MEDIA for scale in _SCALES),
    *(variant("hub", "quality-hub", _HUB, medium) for medium in _MEDIA),
)
"""iqa: qalign, qalign-01, qalign-video, qalign-video-01, qalign-hub, qalign-hub-video."""
AESTHETICS = (
    *(variant("", "aesthetics", f"{_SCORERS} (aesthetics)", medium, scale) for medium in _MEDIA for scale in _SCALES),
    *(variant("hub", "aesthetics-hub", f"{_HUB} (aesthetics)", medium) for medium in _MEDIA),
    *(variant("aesthetic", "aesthetic", "words of pyiqa's pages (aesthetic)", medium) for medium in _MEDIA),
)
"""aes: qalign, qalign-01, qalign-video, qalign-video-01, qalign-hub, qalign-hub-video, qalign-aesthetic, qalign-aesthetic-video. The scorers know
aesthetics of pictures only; a video's are asked for as pyiqa's code would."""
