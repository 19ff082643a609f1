"""Wan2.1 image to video: the base of the audio-driven methods, and one of HumANDiff's."""

from __future__ import annotations

from functools import partial

from adapters._generator import Method, adapter
from adapters._tiny_methods import tiny

SPEC = adapter(
    Method(
        id="wan-i2v",
        title="Wan2.1-I2V",
        summary="the reference picture and a prompt, set in motion by Wan2.1 image to video (diffusers)",
        paper="arXiv:2503.20314",
        published="Wan-AI/Wan2.1-I2V-14B-480P-Diffusers, Wan-AI/Wan2.1-I2V-14B-720P-Diffusers; never run here: weights were not at hand",
        licence="Apache-2.0",
        cannot="follow poses or sound: its motion is its own, so only unpaired metrics speak of it",
        kinds=("wan-i2v",),
        tiny=partial(tiny, "wan-i2v", "wan-i2v"),
    )
)
