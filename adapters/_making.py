"""From a case to frames: what each kind of pipeline is called with, and how its frames are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters._cost import Cost, counted
from adapters._inputs import Wanted, faces, poses, reference
from adapters._kinds import Kind
from adapters._memory import told
from benchmark.errors import InputError
from benchmark.model import Case

Frames = NDArray[np.uint8]
DECODED = 8
"""Frames that Stable Video Diffusion's decoder, which mixes neighbours in time, sees at once: a constant, for it changes the clip."""
StepEnd = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]
"""diffusers' callback_on_step_end: (pipeline, number of the step that has ended, its timestep, tensors) -> tensors."""


@dataclass(frozen=True)
class Options:
    """How a clip is made. seed: of the initial noise. steps, guidance: None = the kind's published default. prompt: where the case has none. step_end: called
    after every step. more: further arguments of the pipeline's call, `latents` for instance."""

    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    prompt: str = ""
    step_end: StepEnd | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """frames: (n, h, w, 3) uint8, as many as the case has. cost: what was counted and timed. facts: what a record is to say of it."""

    frames: Frames
    cost: Cost
    facts: Mapping[str, Any]


def make(pipeline: Any, kind: Kind, case: Case, want: Wanted, options: Options, device: str = "cpu") -> Made:
    """One clip. The same seed is the same clip on one machine. Raises InputError as `_inputs` does, `out-of-memory` with what helps."""
    import torch

    steps = kind.steps if options.steps is None else options.steps
    guidance = kind.guidance if options.guidance is None else options.guidance
    prompt = case.prompt if case.prompt is not None else options.prompt
    width, height = want.size
    given = arguments(pipeline, kind, case, want, options)
    if options.step_end is not None:
        given["callback_on_step_end"] = options.step_end
    with (
        told(f"{want.made} frames of {width}x{height} on {device}"),
        torch.inference_mode(),
        counted(pipeline, kind.denoisers, 1, device) as cost,
    ):
        made = pipeline(**given)
    frames = np.asarray(made.frames[0])[: want.frames]
    if want.inside is not None:
        x, y, across, down = want.inside
        frames = frames[:, y : y + down, x : x + across]
    if len(frames) < want.frames or not np.isfinite(frames).all():
        found = f"{len(frames)} frames" if len(frames) < want.frames else "values that are not finite"
        raise InputError("the pipeline gave no clip", code="bad-clip", found=found, expected=f"{want.frames} frames")
    stated = {name: value for name, value in given.items() if isinstance(value, (bool, int, float, str)) and name not in _STATED}
    facts = {
        "pipeline": kind.pipeline,
        "seed": options.seed,
        "steps": steps,
        "guidance": guidance,
        "prompt": prompt,
        "size": [width, height],
        "inside": want.inside,
        "frames": {"kept": want.frames, "made": want.made, "cut": want.cut},
        "fps": str(want.fps),
        "segments": kind.segments(want.made),
        "nominal_nfe": kind.nfe(steps, guidance, want.made),
        "arguments": stated,
    }
    return Made(np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8), cost, facts)


def store(made: Made, want: Wanted, stem: Path) -> Path:
    """Write the frames as FFV1 in Matroska (the pixels come back to the bit) at the case's rate; return its path."""
    from benchmark.media import encode

    path = stem.with_name(stem.name + ".mkv")
    encode(path, [made.frames], want.fps, codec="ffv1")
    return path


# ------------------------------------------------------------------------------------------------------ what a pipeline is called with

_STATED = (
    "prompt",
    "negative_prompt",
    "height",
    "width",
    "num_frames",
    "num_inference_steps",
    "guidance_scale",
    "max_guidance_scale",
    "output_type",
)
"""Arguments that the facts state under names of their own, or that say nothing."""


def arguments(pipeline: Any, kind: Kind, case: Case, want: Wanted, options: Options) -> dict[str, Any]:
    """What the pipeline is called with for one clip. Raises InputError as `_inputs` does."""
    import torch

    asked = _Asked(
        kind.steps if options.steps is None else options.steps,
        kind.guidance if options.guidance is None else options.guidance,
        case.prompt if case.prompt is not None else options.prompt,
        # On the CPU whatever the device: the same noise everywhere.
        torch.Generator().manual_seed(options.seed),
    )
    return {**_ARGUMENTS[kind.id](pipeline, kind, case, want, asked), **options.more}


@dataclass(frozen=True)
class _Asked:
    steps: int
    guidance: float
    prompt: str
    generator: Any


def _plain(want: Wanted, asked: _Asked) -> dict[str, Any]:
    """What every pipeline takes."""
    width, height = want.size
    return {"height": height, "width": width, "num_inference_steps": asked.steps, "generator": asked.generator, "output_type": "np"}


def _worded(want: Wanted, asked: _Asked) -> dict[str, Any]:
    """What pipelines with a prompt take."""
    return {**_plain(want, asked), "prompt": asked.prompt, "negative_prompt": "", "guidance_scale": asked.guidance}


def _vace(pipeline: Any, kind: Kind, case: Case, want: Wanted, asked: _Asked) -> dict[str, Any]:
    """The poses as the control video, nothing of it kept (a mask of ones), the reference as VACE's reference image."""
    return {
        **_worded(want, asked),
        "num_frames": want.made,
        "video": _pictures(poses(case, want)),
        "mask": _pictures([np.full(want.size[::-1], 255, np.uint8)] * want.made),
        "reference_images": _pictures([reference(case, want)]),
    }


def _wan(pipeline: Any, kind: Kind, case: Case, want: Wanted, asked: _Asked) -> dict[str, Any]:
    """The reference as the first frame."""
    return {**_worded(want, asked), "num_frames": want.made, "image": _pictures([reference(case, want)])[0]}


def _cogvideox(pipeline: Any, kind: Kind, case: Case, want: Wanted, asked: _Asked) -> dict[str, Any]:
    """The reference as the first frame; words padded to the length that the denoiser's positions were made for."""
    return {**_wan(pipeline, kind, case, want, asked), "max_sequence_length": int(pipeline.transformer.config.max_text_seq_length)}


def _svd(pipeline: Any, kind: Kind, case: Case, want: Wanted, asked: _Asked) -> dict[str, Any]:
    """The reference as what is set in motion.

    Guidance rises from 1 at the first frame to the one asked for at the last. The rate is a condition in whole frames a second; the pipeline itself takes 1
    off it, as the model was trained.
    """
    return {
        **_plain(want, asked),
        "image": _pictures([reference(case, want)])[0],
        "num_frames": want.made,
        "min_guidance_scale": 1.0,
        "max_guidance_scale": asked.guidance,
        "fps": max(1, round(want.fps)),
        "decode_chunk_size": DECODED,
    }


def _animate(pipeline: Any, kind: Kind, case: Case, want: Wanted, asked: _Asked) -> dict[str, Any]:
    """The reference, the skeletons of all frames (which also say how long the clip is), and the face of the truth that drives them."""
    side = int(pipeline.transformer.config.motion_encoder_size)
    return {
        **_worded(want, asked),
        "mode": "animate",
        "image": _pictures([reference(case, want)])[0],
        "pose_video": _pictures(poses(case, want)),
        "face_video": _pictures(faces(case, want, side)),
        "segment_frame_length": kind.segment,
        "prev_segment_conditioning_frames": kind.overlap,
    }


def _pictures(frames: Sequence[NDArray[np.uint8]]) -> list[Any]:
    """PIL's, of (h, w, 3) or (h, w) frames."""
    from PIL import Image

    return [Image.fromarray(frame) for frame in frames]


_ARGUMENTS: dict[str, Callable[[Any, Kind, Case, Wanted, _Asked], dict[str, Any]]] = {
    "vace": _vace,
    "wan-i2v": _wan,
    "cogvideox-i2v": _cogvideox,
    "svd-i2v": _svd,
    "wan-animate": _animate,
}
