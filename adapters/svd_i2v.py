"""Stable Video Diffusion: a baseline of HumANDiff without words, poses or sound."""

from __future__ import annotations

from functools import partial

from adapters._generator import Method, adapter
from adapters._tiny_methods import tiny

SPEC = adapter(
    Method(
        id="svd-i2v",
        title="SVD-I2V",
        summary="the reference picture set in motion by Stable Video Diffusion (diffusers)",
        paper="arXiv:2311.15127",
        published="stabilityai/stable-video-diffusion-img2vid-xt; never run here: weights were not at hand",
        licence="Stability AI Community Licence (weights)",
        cannot="follow poses, words or sound; it was trained on 14 or 25 frames",
        kinds=("svd-i2v",),
        takes=(),
        tiny=partial(tiny, "svd-i2v", "svd-i2v"),
    )
)
