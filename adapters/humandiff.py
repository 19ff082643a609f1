"""HumANDiff: an image-to-video model that begins with noise which sticks to the body's surface."""

from __future__ import annotations

from functools import partial

from adapters import _tiny_methods as tiny
from adapters._generator import Method, adapter

SPEC = adapter(
    Method(
        id="humandiff",
        title="HumANDiff",
        summary="CogVideoX-5B-I2V or Wan2.1-I2V from articulated noise: a Gaussian texture on the body's surface, warped to every frame",
        paper="arXiv:2604.05961",
        published="not public, no code: nobody but its authors can run it. Rebuilt from the paper; without a [[lora]] the base alone gets the noise",
        licence="nothing is published",
        cannot="make surface maps: cases must have `uv` files (the drawn suites do). Beyond 49 frames CogVideoX was not trained",
        kinds=("cogvideox-i2v", "wan-i2v"),
        needs=("noise",),
        tiny=partial(tiny.tiny, "humandiff", "wan-i2v", parts=tiny.humandiff),
    )
)
