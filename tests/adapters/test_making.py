"""From a case to a stored clip by tiny pipelines: seeds, lengths, rates, costs, memory. What they draw is noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters._checkpoint import load
from adapters._inputs import Wanted, wanted
from adapters._kinds import KINDS
from adapters._making import Options, make, store
from adapters._tiny import build
from benchmark.errors import InputError
from benchmark.media import decode, probe, write_png
from benchmark.model import Case, Source
from tests.make import movie, write

SIZE = (16, 16)
FAST = Options(steps=2, more={"max_sequence_length": 16})


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The tiny pipeline of a kind, loaded."""
    folder = tmp_path_factory.mktemp("tiny")
    return lambda kind: load(build(kind, folder), KINDS[kind])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Six frames of 20 x 20 at 15 a second, with a skeleton video."""
    clip = movie(3, 6, 20, 20)
    write_png(tmp_path / "one.png", clip[0])
    return Case(
        id="one",
        truth=Source(write(tmp_path / "one.mkv", clip, rate=15)),
        reference=tmp_path / "one.png",
        pose=write(tmp_path / "pose.mkv", movie(9, 6, 20, 20), rate=15),
        frames=6,
        prompt="a person",
    )


@pytest.mark.parametrize(("kind", "calls"), [("vace", 4), ("cogvideox-i2v", 2)])
def test_a_clip_of_a_case(kind: str, calls: int, loaded: Callable[[str], Any], case: Case, tmp_path: Path) -> None:
    """Nine frames are made for six; they are stored to the bit at the case's rate; counted and nominal evaluations agree; one seed, one clip."""
    given = KINDS[kind]
    pipeline = loaded(kind)
    want = wanted(case, given, SIZE)
    assert (want.frames, want.made, want.size) == (6, 9, SIZE)
    made = make(pipeline, given, case, want, FAST)
    assert made.frames.shape == (6, 16, 16, 3)
    assert made.cost.nfe == made.facts["nominal_nfe"] == 4
    assert made.cost.calls == {"transformer": calls}
    assert made.facts["frames"] == {"kept": 6, "made": 9, "cut": 3}
    assert json.dumps({**made.facts, **made.cost.to_json()})
    path = store(made, want, tmp_path / "out")
    info = probe(path)
    assert (info.frames, info.width, info.height, info.fps) == (6, 16, 16, 15)
    assert np.array_equal(np.concatenate(list(decode(info))), made.frames)
    assert np.array_equal(make(pipeline, given, case, want, FAST).frames, made.frames)
    assert not np.array_equal(make(pipeline, given, case, want, replace(FAST, seed=1)).frames, made.frames)


def test_poses_and_references_reach_the_clip(loaded: Callable[[str], Any], case: Case, tmp_path: Path) -> None:
    """Another skeleton, another reference, another prompt: another clip each."""
    pipeline, kind = loaded("vace"), KINDS["vace"]
    want = wanted(case, kind, SIZE)
    first = make(pipeline, kind, case, want, FAST).frames
    write_png(tmp_path / "other.png", 255 - movie(3, 1, 20, 20)[0])
    for other in (
        replace(case, pose=write(tmp_path / "other.mkv", 255 - movie(9, 6, 20, 20), rate=15)),
        replace(case, reference=tmp_path / "other.png"),
        replace(case, prompt="moves"),
    ):
        assert not np.array_equal(make(pipeline, kind, other, want, FAST).frames, first)


def test_the_step_is_told(loaded: Callable[[str], Any], case: Case) -> None:
    """The callback comes after each step with its timestep, from noise to clip."""
    pipeline, kind = loaded("vace"), KINDS["vace"]
    told: list[tuple[int, float]] = []

    def tell(pipe: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        told.append((step, float(t)))
        return tensors

    make(pipeline, kind, case, wanted(case, kind, SIZE), replace(FAST, steps=3, step_end=tell))
    assert [step for step, _ in told] == [0, 1, 2]
    assert [t for _, t in told] == sorted((t for _, t in told), reverse=True)


def test_no_memory_and_no_clip(case: Case) -> None:
    """What a pipeline can do instead of a clip, each by its own code; another error is a bug and goes through."""
    import torch

    kind = KINDS["vace"]
    want = Wanted(6, 9, Fraction(15), SIZE)

    class Fake:
        transformer = torch.nn.Identity()

        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def __call__(self, **given: Any) -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return type("Out", (), {"frames": [self.answer]})

    for answer, code in (
        (RuntimeError("CUDA out of memory. Tried to allocate 3 GiB"), "out-of-memory"),
        (MemoryError(), "out-of-memory"),
        (np.zeros((5, 16, 16, 3)), "bad-clip"),
        (np.full((9, 16, 16, 3), np.nan), "bad-clip"),
    ):
        with pytest.raises(InputError) as error:
            make(Fake(answer), kind, case, want, FAST)
        assert error.value.code == code
    with pytest.raises(RuntimeError, match="a bug"):
        make(Fake(RuntimeError("a bug")), kind, case, want, FAST)
