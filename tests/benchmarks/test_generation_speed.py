"""What the harness adds to a generator: counting, timing, callbacks and gates around a pipeline's own steps, against the bare call of the same pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters import _generator, _making, _parts
from benchmark.cases import read_file
from benchmark.generating import Generating, Settings
from benchmark.model import Case, Source
from benchmark.registry import registry
from tests.adapters.cases import write_case

pytestmark = pytest.mark.speed

STEPS, ROUNDS = 20, 5


def small(folder: Path) -> Case:
    """The case of tests.adapters.cases."""
    entry = read_file(write_case(folder)).case[0]
    assert entry.truth is not None
    given = {name: folder / getattr(entry, name) for name in ("reference", "pose", "uv", "audio")}
    return Case(id=entry.id, truth=Source(folder / entry.truth.path), reference_frame=0, prompt=entry.prompt, **given)


def held(adapter: str) -> tuple[_parts.Held, _generator.Resolved, Any]:
    """A pipeline with its parts, as the adapter's own tiny checkpoint makes it."""
    spec = registry().adapters[adapter].item
    assert isinstance(spec, Generating)
    method = spec.generate.keywords["method"]  # type: ignore[attr-defined]
    settings = Settings(checkpoint="tiny", steps=STEPS, size=(64, 64))
    bundle = _generator.bundle_of(method, settings)
    found = _generator.resolved(method, bundle, settings)
    return _generator.hold(bundle, found), found, bundle


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize("adapter", ["vace", "alignhuman", "fantasytalking2"])
def test_around_the_steps(adapter: str, tmp_path: Path, benchmark: Any) -> None:
    """20 steps of a tiny pipeline: every forward counted and timed, against the same call without. By turns; the fastest of each counts."""
    pipe, found, bundle = held(adapter)
    case = small(tmp_path)
    want = _generator._wanted(case, found)
    calls: list[Callable[[], object]] = []

    with ExitStack() as stack:
        clip = _parts.Clip(case, want, 0, found.steps, found.guidance, stack)
        shares = [part.apply(pipe, clip) for part in _parts.parts_of(bundle)]
        ends = [share.step_end for share in shares if share.step_end is not None]
        step_end = _generator._one_after_the_other(ends)

        def whole() -> float:
            options = _making.Options(0, found.steps, found.guidance, "", step_end)
            return _making.make(pipe.pipeline, found.kind, case, want, options).cost.seconds["total"]

        def bare() -> float:
            given = _making.arguments(pipe.pipeline, found.kind, case, want, _making.Options(0, found.steps, found.guidance))
            if step_end is not None:
                given["callback_on_step_end"] = step_end
            import torch

            with torch.inference_mode():
                return seconds(lambda: pipe.pipeline(**given))

        calls = [whole, bare]
        for call in calls:
            call()
        spent: list[list[float]] = [[], []]

        def round_() -> None:
            for times, call in zip(spent, calls, strict=True):
                times.append(float(call()))  # type: ignore[arg-type]

        benchmark.pedantic(round_, rounds=ROUNDS)
    _generator.free()
    ours, theirs = (min(times) for times in spent)
    ratio = ours / theirs
    overhead = 1000 * (ours - theirs) / STEPS
    benchmark.extra_info.update(
        ratio=round(ratio, 3), bar="<= 1.1", overhead_ms_a_step=round(overhead, 3), step_ms=round(1000 * theirs / STEPS, 1)
    )
    assert ratio <= 1.1, spent
