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
FAST = Options(steps=2)
SHORT = {**KINDS, "wan-animate": replace(KINDS["wan-animate"], segment=9)}
"""Wan-Animate in segments of 9 frames: its 77 cost as much whatever the clip."""
FACE = (slice(10, 20), slice(4, 14))
"""Rows and columns in which the 68 face points lie."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The tiny pipeline of a kind, loaded."""
    folder = tmp_path_factory.mktemp("tiny")
    return lambda kind: load(build(kind, folder), KINDS[kind])


def keypoints(path: Path, frames: int = 6, seed: int = 0) -> Path:
    """Points at random on 20 x 20 pixels, the same in all frames but the first; the face's, whatever the seed, in `FACE`."""
    points = np.random.default_rng(seed).uniform(0, 20, (1, 133, 2)).repeat(frames, 0)
    points[0] += 0.5
    corner = np.random.default_rng(99).uniform(0, 1, (68, 2))
    corner[:2] = (0, 0), (1, 1)
    points[:, 23:91] = corner * 6 + (6, 12)
    np.savez(path, keypoints=points)
    return path


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Six frames of 20 x 20 at 15 a second, with keypoints."""
    clip = movie(3, 6, 20, 20)
    write_png(tmp_path / "one.png", clip[0])
    return Case(
        id="one",
        truth=Source(write(tmp_path / "one.mkv", clip, rate=15)),
        reference=tmp_path / "one.png",
        pose=keypoints(tmp_path / "pose.npz"),
        frames=6,
        prompt="a person",
    )


@pytest.mark.parametrize(
    ("kind", "length", "calls", "nfe"),
    [
        ("vace", 9, {"transformer": 4}, 4),
        ("wan-i2v", 9, {"transformer": 4}, 4),
        ("cogvideox-i2v", 9, {"transformer": 2}, 4),
        ("svd-i2v", 6, {"unet": 2}, 4),
        ("wan-animate", 6, {"transformer": 2}, 2),
    ],
)
def test_a_clip_of_a_case(
    kind: str, length: int, calls: dict[str, int], nfe: int, loaded: Callable[[str], Any], case: Case, tmp_path: Path
) -> None:
    """Where the class wants 4 n + 1, nine frames are made for six; they are stored to the bit at the case's rate; counted and nominal evaluations agree at the
    published guidance (two steps; two passes each, in two calls or one, or no guidance); one seed, one clip."""
    given = SHORT[kind]
    pipeline = loaded(kind)
    want = wanted(case, given, SIZE)
    assert (want.frames, want.made, want.size) == (6, length, SIZE)
    made = make(pipeline, given, case, want, FAST)
    assert made.frames.shape == (6, 16, 16, 3)
    assert made.cost.nfe == made.facts["nominal_nfe"] == nfe
    assert made.cost.calls == calls
    assert made.facts["frames"] == {"kept": 6, "made": length, "cut": length - 6}
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
        replace(case, pose=keypoints(tmp_path / "other.npz", seed=1)),
        replace(case, reference=tmp_path / "other.png"),
        replace(case, prompt="moves"),
    ):
        assert not np.array_equal(make(pipeline, kind, other, want, FAST).frames, first)


@pytest.mark.parametrize(("kind", "on"), [("vace", 5.0), ("cogvideox-i2v", 6.0), ("svd-i2v", 3.0), ("wan-animate", 3.0)])
def test_guidance_doubles_the_evaluations(kind: str, on: float, loaded: Callable[[str], Any], case: Case) -> None:
    """Three steps: three evaluations without guidance, six with it, counted and nominal, and another clip."""
    pipeline, given = loaded(kind), SHORT[kind]
    want = wanted(case, given, SIZE)
    without, guided = (make(pipeline, given, case, want, Options(steps=3, guidance=scale)) for scale in (1.0, on))
    assert without.cost.nfe == without.facts["nominal_nfe"] == 3
    assert guided.cost.nfe == guided.facts["nominal_nfe"] == 6
    assert not np.array_equal(without.frames, guided.frames)


def test_what_reaches_a_clip_of_svd(loaded: Callable[[str], Any], case: Case, tmp_path: Path) -> None:
    """The reference and the rate; neither prompt nor poses, which the class does not take."""
    pipeline, kind = loaded("svd-i2v"), KINDS["svd-i2v"]
    want = wanted(case, kind, SIZE)
    first = make(pipeline, kind, case, want, FAST)
    assert first.facts["arguments"]["fps"] == 15
    write_png(tmp_path / "other.png", 255 - movie(3, 1, 20, 20)[0])
    other = make(pipeline, kind, replace(case, reference=tmp_path / "other.png"), want, FAST).frames
    assert np.abs(other.astype(int) - first.frames).mean() > 1
    faster = make(pipeline, kind, case, replace(want, fps=Fraction(30000, 1001)), FAST)
    assert faster.facts["arguments"]["fps"] == 30
    assert np.abs(faster.frames.astype(int) - first.frames).mean() > 1
    assert np.array_equal(make(pipeline, kind, replace(case, prompt=None, pose=None), want, FAST).frames, first.frames)


def test_what_reaches_a_clip_of_wan_animate(loaded: Callable[[str], Any], case: Case, tmp_path: Path) -> None:
    """Reference, poses, words and the truth's face; nothing of the truth but the face."""
    pipeline, kind = loaded("wan-animate"), SHORT["wan-animate"]
    want = wanted(case, kind, SIZE)
    first = make(pipeline, kind, case, want, FAST).frames.astype(int)
    write_png(tmp_path / "other.png", 255 - movie(3, 1, 20, 20)[0])
    clip = movie(3, 6, 20, 20)
    turned = clip.copy()
    turned[:, *FACE] = 255 - clip[:, *FACE]
    around = 255 - clip
    around[:, *FACE] = clip[:, *FACE]
    changes = {
        "reference": replace(case, reference=tmp_path / "other.png"),
        "pose": replace(case, pose=keypoints(tmp_path / "other.npz", seed=1)),
        "prompt": replace(case, prompt="moves"),
        "face": replace(case, truth=Source(write(tmp_path / "face.mkv", turned, rate=15))),
        "around": replace(case, truth=Source(write(tmp_path / "around.mkv", around, rate=15))),
    }
    found = {name: np.abs(make(pipeline, kind, other, want, FAST).frames - first).mean() for name, other in changes.items()}
    assert min(found[name] for name in ("reference", "pose", "face")) > 1
    assert found["prompt"] > 0
    assert found["around"] == 0


@pytest.mark.parametrize(("frames", "segments"), [(1, 1), (2, 1), (9, 1), (10, 2), (17, 2), (18, 3)])
def test_segments(frames: int, segments: int) -> None:
    """Segments of 9 frames that share one with the one before: 9, 17, 25 frames are 1, 2, 3 of them. The published: 77, 153, 229."""
    kind = SHORT["wan-animate"]
    assert kind.segments(kind.length(frames)) == segments
    published = KINDS["wan-animate"]
    assert [published.segments(n) for n in (2, 77, 78, 153, 154, 229)] == [1, 1, 2, 2, 3, 3]
    assert KINDS["vace"].segments(81) == 1
    assert (kind.length(1), kind.length(2), kind.length(10)) == (2, 2, 10)


@pytest.mark.parametrize(("frames", "nfe"), [(1, 2), (9, 2), (10, 4), (18, 6)])
def test_evaluations_of_several_segments(frames: int, nfe: int, loaded: Callable[[str], Any], case: Case, tmp_path: Path) -> None:
    """Two steps a segment, counted and nominal; the first segment is the same whatever follows; a clip of one frame is cut from one of two."""
    pipeline, kind = loaded("wan-animate"), SHORT["wan-animate"]
    clip = movie(3, 18, 20, 20)
    longest = replace(case, truth=Source(write(tmp_path / "long.mkv", clip, rate=15)), pose=keypoints(tmp_path / "long.npz", 18), frames=18)
    want = Wanted(frames, kind.length(frames), Fraction(15), SIZE)
    made = make(pipeline, kind, longest, want, FAST)
    assert made.frames.shape == (frames, 16, 16, 3)
    assert made.cost.nfe == made.facts["nominal_nfe"] == nfe
    if frames > 9:
        first = make(pipeline, kind, longest, Wanted(9, 9, Fraction(15), SIZE), FAST)
        assert np.array_equal(made.frames[:9], first.frames)


def test_two_denoisers_are_counted_together(loaded: Callable[[str], Any], case: Case, tmp_path: Path) -> None:
    """Wan2.2: one denoiser above a timestep, another one below. The evaluations are those of both, and each has its share of the steps."""
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel

    whole = loaded("wan-i2v")
    second = WanTransformer3DModel.from_config(whole.transformer.config)
    second.load_state_dict({name: 0.5 * tensor for name, tensor in whole.transformer.state_dict().items()})
    WanImageToVideoPipeline(**whole.components | {"transformer_2": second}, boundary_ratio=0.8).save_pretrained(tmp_path / "two")
    kind = KINDS["wan-i2v"]
    pipeline = load(tmp_path / "two", kind)
    pipeline.scheduler.set_timesteps(5)
    early = int((pipeline.scheduler.timesteps >= 800).sum())
    assert 0 < early < 5
    want = wanted(case, kind, SIZE)
    made = make(pipeline, kind, case, want, Options(steps=5))
    assert made.cost.calls == {"transformer": 2 * early, "transformer_2": 2 * (5 - early)}
    assert made.cost.nfe == made.facts["nominal_nfe"] == 10
    assert make(pipeline, kind, case, want, Options(steps=5, guidance=1.0)).cost.nfe == 5
    assert not np.array_equal(made.frames, make(whole, kind, case, want, Options(steps=5)).frames)


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
