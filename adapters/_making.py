"""From a case to frames: what each kind of pipeline is called with, and how its frames are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters._cost import Cost, counted
from adapters._inputs import Wanted, poses, reference
from adapters._kinds import Kind
from benchmark.errors import InputError
from benchmark.model import Case

Frames = NDArray[np.uint8]
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
    given = {
        **_ARGUMENTS[kind.id](case, want),
        "prompt": prompt,
        "negative_prompt": "",
        "height": height,
        "width": width,
        "num_frames": want.made,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        # On the CPU whatever the device: the same noise everywhere.
        "generator": torch.Generator().manual_seed(options.seed),
        "output_type": "np",
        **options.more,
    }
    if options.step_end is not None:
        given["callback_on_step_end"] = options.step_end
    try:
        with torch.inference_mode(), counted(pipeline, kind.denoisers, 1, device) as cost:
            made = pipeline(**given)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "out of memory" not in str(error).lower():
            raise
        raise InputError(
            "the clip does not fit into memory",
            code="out-of-memory",
            found=f"{want.made} frames of {width}x{height} on {device}",
            hint="offload the pipeline's parts, or make smaller clips",
        ) from error
    frames = np.asarray(made.frames[0])[: want.frames]
    if len(frames) < want.frames or not np.isfinite(frames).all():
        found = f"{len(frames)} frames" if len(frames) < want.frames else "values that are not finite"
        raise InputError("the pipeline gave no clip", code="bad-clip", found=found, expected=f"{want.frames} frames")
    passes = kind.passes if guidance > 1 else 1
    facts = {
        "pipeline": kind.pipeline,
        "seed": options.seed,
        "steps": steps,
        "guidance": guidance,
        "prompt": prompt,
        "size": [width, height],
        "frames": {"kept": want.frames, "made": want.made, "cut": want.cut},
        "fps": str(want.fps),
        "nominal_nfe": steps * passes,
    }
    return Made(np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8), cost, facts)


def store(made: Made, want: Wanted, stem: Path) -> Path:
    """Write the frames as FFV1 in Matroska (the pixels come back to the bit) at the case's rate; return its path."""
    from benchmark.media import encode

    path = stem.with_name(stem.name + ".mkv")
    encode(path, [made.frames], want.fps, codec="ffv1")
    return path


def _vace(case: Case, want: Wanted) -> dict[str, Any]:
    """The poses as the control video, nothing of it kept (a mask of ones), the reference as VACE's reference image."""
    from PIL import Image

    width, height = want.size
    return {
        "video": [Image.fromarray(frame) for frame in poses(case, want)],
        "mask": [Image.new("L", (width, height), 255)] * want.made,
        "reference_images": [Image.fromarray(reference(case, want.size))],
    }


def _image(case: Case, want: Wanted) -> dict[str, Any]:
    """The reference as the first frame."""
    from PIL import Image

    return {"image": Image.fromarray(reference(case, want.size))}


_ARGUMENTS: dict[str, Callable[[Case, Wanted], dict[str, Any]]] = {"vace": _vace, "wan-i2v": _image, "cogvideox-i2v": _image}
