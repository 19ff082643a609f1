"""AlignHuman: one expert LoRA for motion at early timesteps, one for fidelity at late ones."""

from __future__ import annotations

from functools import partial

from adapters import _tiny_methods as tiny
from adapters._generator import Method, adapter

SPEC = adapter(
    Method(
        id="alignhuman",
        title="AlignHuman",
        summary="an audio-driven base with expert LoRAs, each active in its interval of the timesteps t",
        paper="arXiv:2506.11144",
        published="not public, nor is its base: nobody but its authors can run it. Rebuilt from the paper upon FantasyTalking's base; intervals, ranks and "
        "NFE are the checkpoint.toml's",
        licence="nothing is published",
        cannot="say where the paper splits t: that is not published. Intervals are of t, never of step indices, so that 100, 50 and 30 NFE share one table",
        kinds=("wan-i2v",),
        needs=("expert", "segment", "audio"),
        tiny=partial(tiny.tiny, "alignhuman", "wan-i2v", parts=tiny.alignhuman),
    )
)
