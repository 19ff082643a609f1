"""VACE: the base of IPA, driven by a pose video and a reference picture."""

from __future__ import annotations

from functools import partial

from adapters._generator import Method, adapter
from adapters._tiny_methods import tiny

SPEC = adapter(
    Method(
        id="vace",
        title="VACE",
        summary="a reference picture moved by a pose video, by Wan2.1-VACE (diffusers)",
        paper="arXiv:2503.07598; ali-vilab/VACE@48eb44f",
        published="Wan-AI/Wan2.1-VACE-14B-diffusers, Wan-AI/Wan2.1-VACE-1.3B-diffusers; never run here: weights were not at hand",
        licence="Apache-2.0",
        cannot="sound; the poses are drawn as COCO-WholeBody skeletons in this project's colours where a case has keypoints, not DWPose's picture",
        kinds=("vace",),
        tiny=partial(tiny, "vace", "vace"),
    )
)
