"""CogVideoX image to video: the base of HumANDiff."""

from __future__ import annotations

from functools import partial

from adapters._generator import Method, adapter
from adapters._tiny_methods import tiny

SPEC = adapter(
    Method(
        id="cogvideox-i2v",
        title="CogVideoX-5B-I2V",
        summary="the reference picture and a prompt, set in motion by CogVideoX image to video (diffusers)",
        paper="arXiv:2408.06072",
        published="THUDM/CogVideoX-5b-I2V; never run here: weights were not at hand",
        licence="CogVideoX licence (weights)",
        cannot="follow poses or sound; make other sizes than 480x720 or more than 49 frames as it was trained to",
        kinds=("cogvideox-i2v",),
        tiny=partial(tiny, "cogvideox-i2v", "cogvideox-i2v"),
    )
)
