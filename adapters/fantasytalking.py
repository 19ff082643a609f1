"""FantasyTalking: Wan2.1 image to video that hears; the base of FantasyTalking2, and what AlignHuman is rebuilt upon."""

from __future__ import annotations

from functools import partial

from adapters import _tiny_methods as tiny
from adapters._generator import Method, adapter

SPEC = adapter(
    Method(
        id="fantasytalking",
        title="FantasyTalking on diffusers",
        summary="the reference picture, speaking: wav2vec2 features by audio cross-attention in every block of Wan2.1-I2V (diffusers), frame by frame",
        paper="arXiv:2504.04842; Fantasy-AMAP/fantasy-talking@8c2d0c9",
        published="acvlab/FantasyTalking, to be converted (docs/generators.md), on Wan-AI/Wan2.1-I2V-14B-720P-Diffusers with facebook/wav2vec2-base-960h; "
        "never run here: weights were not at hand. Its own repository is the adapter fantasy-talking",
        licence="Apache-2.0",
        cannot="promise the original's pixels: the original runs on DiffSynth, writes 23 frames a second and stretches a sound that is too short",
        kinds=("wan-i2v",),
        needs=("audio",),
        tiny=partial(tiny.tiny, "fantasytalking", "wan-i2v", parts=tiny.audio),
    )
)
