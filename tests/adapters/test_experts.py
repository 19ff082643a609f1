"""Expert LoRAs that take turns: against a loop that looks at the timestep of every forward itself, against one LoRA, against the baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters import _experts
from adapters._checkpoint import load
from adapters._experts import arm, schedule, take_turns
from adapters._inputs import wanted
from adapters._kinds import KINDS
from adapters._making import Options, make
from adapters._segments import Table, table
from adapters._tiny import build
from benchmark.errors import InputError
from benchmark.media import write_png
from benchmark.model import Case, Source
from tests.adapters.test_pipelines import lora
from tests.make import movie, write

VACE, SIZE, STEPS = KINDS["vace"], (16, 16), 6


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny VACE with two experts."""
    folder = tmp_path_factory.mktemp("experts")
    made = load(build("vace", folder), VACE)
    _experts.load(
        made, {name: lora(folder / f"{name}.safetensors", made, seed=k) for k, name in enumerate(("motion", "fidelity"), 1)}, rank=4
    )
    return made


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("case")
    clip = movie(3, 5, 16, 16)
    write_png(folder / "one.png", clip[0])
    path = write(folder / "one.mkv", clip, rate=15)
    return Case(id="one", truth=Source(path), reference=folder / "one.png", pose=path, frames=5, prompt="a person")


def clip(pipeline: Any, case: Case, segments: Table | None = None, steps: int = STEPS) -> NDArray[np.uint8]:
    options = Options(steps=steps, more={"max_sequence_length": 16})
    if segments is not None:
        options = replace(options, step_end=take_turns(pipeline, segments, steps).step_end)
    return make(pipeline, VACE, case, wanted(case, VACE, SIZE), options).frames


def watched(pipeline: Any, seen: list[tuple[float, str | None]], choose: Table | None = None) -> Any:
    """A hook that notes for every forward its timestep and what is active; or that itself arms what the table says of that timestep."""

    def hook(module: Any, given: Any, named: Any) -> None:
        t = float(named["timestep"].flatten()[0])
        if choose is not None:
            arm(pipeline, choose.at(t).expert)
        active = module.active_adapters() if any(not layer.disable_adapters for layer in _layers(module)) else []
        seen.append((t, active[0] if active else None))

    return pipeline.transformer.register_forward_pre_hook(hook, with_kwargs=True)


def _layers(module: Any) -> list[Any]:
    return [layer for layer in module.modules() if hasattr(layer, "disable_adapters") and hasattr(layer, "lora_A")]


@pytest.mark.parametrize("split", [900, 500])
def test_turns_are_those_of_a_loop_that_looks_at_every_timestep(split: float, pipeline: Any, case: Case) -> None:
    """To the bit; and what every forward saw is what the table says of its own timestep, the first of both evaluations of a step like the second."""
    segments = table([(1000, split, "motion"), (split, 0, "fidelity")])
    seen: list[tuple[float, str | None]] = []
    hook = watched(pipeline, seen)
    ours = clip(pipeline, case, segments)
    hook.remove()
    assert len(seen) == 2 * STEPS
    assert all(expert == segments.at(t).expert for t, expert in seen)
    assert {expert for _, expert in seen} == {"motion", "fidelity"}
    hook = watched(pipeline, [], choose=segments)
    by_hand = clip(pipeline, case)
    hook.remove()
    assert np.array_equal(ours, by_hand)


def test_one_expert_everywhere(pipeline: Any, case: Case) -> None:
    """Two segments of one LoRA are that LoRA; two experts are neither; the base alone is the baseline."""
    arm(pipeline, "motion")
    alone = clip(pipeline, case)
    assert np.array_equal(clip(pipeline, case, table([(1000, 600, "motion"), (600, 0, "motion")])), alone)
    both = clip(pipeline, case, table([(1000, 600, "motion"), (600, 0, "fidelity")]))
    assert not np.array_equal(both, alone)
    arm(pipeline, "fidelity")
    assert not np.array_equal(both, clip(pipeline, case))
    arm(pipeline, None)
    base = clip(pipeline, case)
    assert np.array_equal(clip(pipeline, case, table([(1000, 0, None)])), base)
    assert not np.array_equal(base, alone)


def test_one_table_for_any_number_of_steps(pipeline: Any, case: Case) -> None:
    """The boundary lies in t: the share of steps above it follows the schedule, not the step's number."""
    segments = table([(1000, 700, "motion"), (700, 0, "fidelity")])
    for steps in (3, 6, 10):
        times = schedule(pipeline, steps)
        turns = take_turns(pipeline, segments, steps)
        assert turns.timesteps == times
        assert [expert == "motion" for expert in turns.plan.experts] == [t > 700 for t in times]
        assert len(turns.plan.arm_after) <= 1


def test_a_clip_leaves_the_next_one_alone(pipeline: Any, case: Case) -> None:
    """The last armed expert of a clip is not the first of the next."""
    segments = table([(1000, 600, "motion"), (600, 0, "fidelity")])
    assert np.array_equal(clip(pipeline, case, segments), clip(pipeline, case, segments))


def test_an_expert_that_is_not_there(pipeline: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        take_turns(pipeline, table([(1000, 500, "motion"), (500, 0, "lips")]), STEPS)
    assert (error.value.code, error.value.found) == ("bad-segments", "lips")
