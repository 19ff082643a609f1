"""Wan2.2-Animate: a baseline of IPA, driven by skeletons and by the face of the driving video."""

from __future__ import annotations

from functools import partial

from adapters._generator import Method, adapter
from adapters._tiny_methods import tiny

SPEC = adapter(
    Method(
        id="wan-animate",
        title="Wan2.2-Animate",
        summary="a reference picture moved by skeletons and a face video, by Wan2.2-Animate (diffusers), segment by segment",
        paper="arXiv:2509.14055; Wan-Video/Wan2.2@42bf4cf",
        published="Wan-AI/Wan2.2-Animate-14B-Diffusers; never run here: weights were not at hand",
        licence="Apache-2.0",
        cannot="replace a person (mode `replace`); do without a truth and its keypoints, from which the face that drives it is cut",
        kinds=("wan-animate",),
        tiny=partial(tiny, "wan-animate", "wan-animate"),
    )
)
