"""Expert LoRAs that take turns over the timesteps (AlignHuman): the pipeline is armed before its first step and at the end of each step for the next one."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters._checkpoint import load_lora
from adapters._making import StepEnd
from adapters._segments import Plan, Table, plan
from benchmark.errors import InputError


@dataclass(frozen=True)
class Turns:
    """plan: which expert when. timesteps: of the steps. step_end: the callback that arms the next one."""

    plan: Plan
    timesteps: tuple[float, ...]
    step_end: StepEnd


def load(pipeline: Any, experts: Mapping[str, Path], rank: int | None = None) -> None:
    """Put the experts' LoRAs onto the pipeline under their names. InputError as of `load_lora`."""
    for name, path in experts.items():
        load_lora(pipeline, path, name, rank)


def arm(pipeline: Any, expert: str | None) -> None:
    """Make one expert active, or none."""
    if expert is None:
        pipeline.disable_lora()
        return
    pipeline.enable_lora()
    pipeline.set_adapters([expert])


def schedule(pipeline: Any, steps: int, device: str = "cpu") -> tuple[float, ...]:
    """The timesteps of so many steps, as the pipeline's own scheduler will choose them; the scheduler itself is left alone."""
    scheduler = copy.deepcopy(pipeline.scheduler)
    scheduler.set_timesteps(steps, device=device)
    return tuple(float(t) for t in scheduler.timesteps)


def take_turns(pipeline: Any, segments: Table, steps: int, device: str = "cpu", skip_above: float | None = None) -> Turns:
    """Arm the pipeline for its first step and return what is to be called at the end of each. Call it before every clip.

    skip_above: steps with t > skip_above are not run; the pipeline is then called inside `skipping(pipeline, turns.plan.first)`.

    Raises InputError (`bad-segments`) for an expert that was not loaded, and as `plan` does.
    """
    known = {name for names in pipeline.get_list_adapters().values() for name in names}
    strange = sorted({segment.expert for segment in segments.segments if segment.expert is not None} - known)
    if strange:
        raise InputError(
            "a segment names an expert that is not loaded", code="bad-segments", found=", ".join(strange), expected=", ".join(sorted(known))
        )
    times = schedule(pipeline, steps, device)
    planned = plan(segments, times, skip_above)
    arm(pipeline, planned.arm_first)

    def step_end(pipe: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if step in planned.arm_after:
            arm(pipe, planned.arm_after[step])
        return tensors

    return Turns(planned, times, step_end)


@contextmanager
def skipping(pipeline: Any, first: int) -> Iterator[None]:
    """The pipeline's schedule without its first steps: it begins with plain noise at the level of step `first`, as if that noise had come out of the steps
    that are left away (AlignHuman's analysis of what early steps do). ValueError for a scheduler whose schedule is no list of timesteps and noise levels.
    """
    scheduler = pipeline.scheduler
    if not hasattr(scheduler, "sigmas"):
        raise ValueError(f"{type(scheduler).__name__} has no noise levels to begin at")
    original = scheduler.set_timesteps

    def set_timesteps(*given: Any, **named: Any) -> None:
        original(*given, **named)
        scheduler.timesteps, scheduler.sigmas = scheduler.timesteps[first:], scheduler.sigmas[first:]
        scheduler.num_inference_steps = len(scheduler.timesteps)

    scheduler.set_timesteps = set_timesteps
    try:
        yield
    finally:
        del scheduler.set_timesteps
