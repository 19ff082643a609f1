"""HumANDiff's latents on tiny pipelines: shape, variance, what of them reaches the denoiser, what they say about the surface. What the clips show is noise.

Expected numbers: moments of the normal distribution with the estimator's sampling error; equality of texels, computed here from the maps; what the first call
of the denoiser is given, read by a hook.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters import _articulated_noise as an
from adapters._checkpoint import load
from adapters._inputs import Wanted, wanted
from adapters._kinds import KINDS
from adapters._making import Options, make
from adapters._noise import Noise, initial
from adapters._tiny import build
from benchmark.errors import InputError
from benchmark.media import write_png
from benchmark.model import Case, Source
from suites.embedded import _film, tiktok
from tests.adapters.test_articulated_noise import Drawn, carried, pairs
from tests.make import movie, write

SIZE, RATE = (16, 16), Fraction(15)
WANT = Wanted(6, 9, RATE, SIZE)
SHAPES = {"cogvideox-i2v": (1, 3, 4, 2, 2), "wan-i2v": (1, 16, 3, 2, 2), "vace": (1, 16, 4, 2, 2), "svd-i2v": (1, 6, 4, 2, 2)}
"""Of nine frames (Stable Video Diffusion: six) of 16 x 16; VACE has one more in front."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The tiny pipeline of a kind, loaded."""
    folder = tmp_path_factory.mktemp("tiny")
    return lambda kind, **how: load(build(kind, folder), KINDS[kind], **how)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Six frames of 20 x 20, their maps drawn at random: three parts of four, a quarter of the pixels is background."""
    rng = np.random.default_rng(0)
    path = tmp_path / "one.uv.npz"
    np.savez(path, part=rng.integers(0, 4, (6, 20, 20), np.uint8), uv=rng.integers(0, 65536, (6, 20, 20, 2), np.uint16))
    clip = movie(3, 6, 20, 20)
    write_png(tmp_path / "one.png", clip[0])
    return Case(
        id="one",
        truth=Source(write(tmp_path / "one.mkv", clip, rate=15)),
        reference=tmp_path / "one.png",
        pose=write(tmp_path / "pose.mkv", movie(9, 6, 20, 20), rate=15),
        uv=path,
        prompt="a person",
    )


def first_input(pipeline: Any, kind: str, given: Callable[[], Any]) -> Any:
    """The batch that the denoiser's first call is given."""
    seen: list[Any] = []

    def hook(module: Any, args: Any, named: Any) -> None:
        seen.append(named.get("hidden_states", args[0] if args else None).clone())

    handle = getattr(pipeline, KINDS[kind].denoisers[0]).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        given()
    finally:
        handle.remove()
    return seen[0]


@pytest.mark.parametrize("kind", SHAPES)
def test_the_denoiser_starts_from_these_latents(kind: str, loaded: Callable[..., Any], case: Case) -> None:
    """Its first call sees them value by value, so layout and scale are those that the class expects; so does its own noise: with latents drawn here as plain
    noise of variance 1, the first input has the variance of the pipeline's own."""
    import torch

    pipeline, given = loaded(kind), KINDS[kind]
    want = wanted(case, given, SIZE)
    latents, facts = initial(pipeline, given, case, want, Noise(texels=3), 0)
    assert tuple(latents.shape) == SHAPES[kind]
    assert facts["latents"] == list(SHAPES[kind])
    assert json.dumps(facts)
    seen = first_input(pipeline, kind, lambda: make(pipeline, given, case, want, Options(steps=2, more={"latents": latents})))
    channels = slice(0, 4 if kind in ("cogvideox-i2v", "svd-i2v") else 16)
    axis = 2 if kind in ("cogvideox-i2v", "svd-i2v") else 1
    part = seen[:, :, channels] if axis == 2 else seen[:, channels]
    # Stable Video Diffusion's first noise level is 700, of which the denoiser sees x / sqrt(700^2 + 1): the same to 1e-6.
    assert torch.allclose(part[:1], latents, atol=1e-5)
    own = first_input(pipeline, kind, lambda: make(pipeline, given, case, want, Options(steps=2)))
    own = own[:1, :, channels] if axis == 2 else own[:1, channels]
    assert own.shape == latents.shape
    assert float((own**2).mean()) == pytest.approx(1, abs=5 * (2 / own.numel()) ** 0.5)


@pytest.mark.parametrize("kind", ["cogvideox-i2v", "wan-i2v"])
@pytest.mark.parametrize("noise", [Noise(texels=3), Noise(gamma=0.5, texels=1, rule="nearest", background="fixed")])
def test_every_value_is_standard_normal(kind: str, noise: Noise, loaded: Callable[..., Any], case: Case) -> None:
    """One value a seed is an independent draw: over 600 seeds mean and variance are 0 and 1 with standard errors 1 / sqrt(600) and sqrt(2 / 600). Five of them
    bound 2 x 192 numbers by chance with probability < 1e-3."""
    pipeline, n = loaded(kind), 600
    values = np.stack([initial(pipeline, KINDS[kind], case, WANT, noise, seed)[0].numpy().ravel() for seed in range(n)]).astype(np.float64)
    assert np.abs(values.mean(axis=0)).max() < 5 / n**0.5
    assert np.abs(values.var(axis=0) - 1).max() < 5 * (2 / n) ** 0.5


@pytest.mark.parametrize("kind", ["cogvideox-i2v", "wan-i2v"])
def test_clips_of_it(kind: str, loaded: Callable[..., Any], case: Case) -> None:
    """One seed, one clip; another seed, all of the noise fresh (gamma 1), or plain noise: another clip."""
    pipeline, given = loaded(kind), KINDS[kind]

    def clip(noise: Noise | None, seed: int = 0) -> Any:
        more = {} if noise is None else {"latents": initial(pipeline, given, case, WANT, noise, seed)[0]}
        return make(pipeline, given, case, WANT, Options(steps=2, more=more)).frames

    first = clip(Noise(texels=3))
    assert first.shape == (6, 16, 16, 3)
    assert np.array_equal(clip(Noise(texels=3)), first)
    for other in (clip(Noise(texels=3), 1), clip(Noise(gamma=1.0, texels=3)), clip(None)):
        assert np.abs(other.astype(int) - first).mean() > 1


def test_the_last_map_stands_for_frames_that_are_cut(loaded: Callable[..., Any], case: Case, tmp_path: Path) -> None:
    """Nine frames look at maps 0, 4 and 8; of six, the last is 5. What lies in between is not looked at, but counts where texels are fitted."""
    pipeline, kind = loaded("wan-i2v"), KINDS["wan-i2v"]
    assert case.uv is not None
    maps = dict(np.load(case.uv))
    longer = {name: np.concatenate([value, value[-1:].repeat(3, 0)]) for name, value in maps.items()}
    np.savez(tmp_path / "longer.uv.npz", **longer)
    found, facts = initial(pipeline, kind, case, WANT, Noise(), 3)
    expected, _ = initial(pipeline, kind, replace(case, uv=tmp_path / "longer.uv.npz"), WANT, Noise(), 3)
    assert found.equal(expected)
    assert facts["maps"] == [9, 20, 20]
    plain = an.latents(an.Surface(longer["part"], longer["uv"]), 9, (16, 16), 3, layout="wan")
    assert np.array_equal(found.numpy(), plain)  # texels are fitted as `latents` itself does
    longer["uv"][8] ^= 0x5555
    np.savez(tmp_path / "other.uv.npz", **longer)
    other = initial(pipeline, kind, replace(case, uv=tmp_path / "other.uv.npz"), WANT, Noise(texels=9), 3)[0]
    assert not initial(pipeline, kind, case, WANT, Noise(texels=9), 3)[0].equal(other)


def test_gwtf_is_nearest(loaded: Callable[..., Any], case: Case) -> None:
    pipeline, kind = loaded("wan-i2v"), KINDS["wan-i2v"]
    (one, facts), (two, _), (three, _) = (
        initial(pipeline, kind, case, WANT, Noise(rule=rule, texels=3), 0) for rule in ("gwtf", "nearest", "stride")
    )
    assert facts["rule"] == "nearest"
    assert one.equal(two)
    assert not one.equal(three)


def test_the_type_that_the_pipeline_does_not_turn(loaded: Callable[..., Any], case: Case) -> None:
    """CogVideoX joins what it is given to latents of its own type: in bfloat16 a float32 would reach a denoiser of bfloat16, which refuses it."""
    import torch

    pipeline, kind = loaded("cogvideox-i2v", dtype="bfloat16"), KINDS["cogvideox-i2v"]
    latents, _ = initial(pipeline, kind, case, WANT, Noise(texels=3), 0)
    assert latents.dtype == torch.bfloat16
    assert make(pipeline, kind, case, WANT, Options(steps=2, more={"latents": latents})).frames.shape == (6, 16, 16, 3)


def test_positions_that_were_learned_for_another_length(loaded: Callable[..., Any], case: Case) -> None:
    """The tiny one's are for nine frames. There a change of its table changes the clip; at thirteen it does not, for nobody looks at it: the warning."""
    pipeline, kind = loaded("cogvideox-i2v"), KINDS["cogvideox-i2v"]
    longer = replace(WANT, made=13)
    latents = {want.made: initial(pipeline, kind, case, want, Noise(texels=3), 0) for want in (WANT, longer)}
    assert "warning" not in latents[9][1]
    assert "learned for 9 frames" in latents[13][1]["warning"]

    def clips() -> list[Any]:
        return [make(pipeline, kind, case, w, Options(steps=2, more={"latents": latents[w.made][0]})).frames for w in (WANT, longer)]

    before = clips()
    pipeline.transformer.patch_embed.pos_embedding += 1
    after = clips()
    assert not np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


def test_what_cannot_be_had(loaded: Callable[..., Any], case: Case, tmp_path: Path) -> None:
    pipeline, kind = loaded("wan-i2v"), KINDS["wan-i2v"]
    np.savez(tmp_path / "short.uv.npz", part=np.zeros((5, 20, 20), np.uint8), uv=np.zeros((5, 20, 20, 2), np.uint16))
    np.savez(tmp_path / "other.uv.npz", part=np.zeros((6, 20, 20), np.uint8))
    for other, noise, code, says in (
        (replace(case, uv=None), Noise(), "no-uv", "case one"),
        (replace(case, uv=tmp_path / "short.uv.npz"), Noise(), "uv-length", "5 maps"),
        (replace(case, uv=tmp_path / "other.uv.npz"), Noise(), "bad-uv", "part"),
        (case, Noise(gamma=1.5), "bad-gamma", "1.5"),
        (case, Noise(texels=0), "bad-texels", "part 1: 0"),
        (case, Noise(rule="mean"), "bad-rule", "mean"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError) as error:
            initial(pipeline, kind, other, WANT, noise, 0)
        assert error.value.code == code
        assert says in str(error.value.found)
    with pytest.raises(InputError) as error:
        initial(pipeline, KINDS["wan-animate"], case, WANT, Noise(), 0)
    assert error.value.code == "no-latents"
    np.savez(tmp_path / "empty.uv.npz", part=np.zeros((6, 20, 20), np.uint8), uv=np.zeros((6, 20, 20, 2), np.uint16))
    facts = initial(pipeline, kind, replace(case, uv=tmp_path / "empty.uv.npz"), WANT, Noise(), 0)[1]
    assert (facts["body"], facts["warning"]) == (0, "no latent cell looks at the body: this is plain noise")


# --------------------------------------------------------------------------------------------------------------- on a drawn person

FRAMES, SIDE, CELLS = 13, 128, 16


@dataclass(frozen=True)
class Dancer:
    case: Case
    drawn: Drawn


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Dancer:
    """Thirteen frames of an embedded person, with all its files: four latent frames."""
    folder = tmp_path_factory.mktemp("dancer")
    _film.write(folder, "dance", tiktok.draw, 3, _film.Size(frames=FRAMES, height=SIDE, width=SIDE, fps=RATE))
    case = Case(
        id="dance", truth=Source(folder / "dance.mkv"), reference=folder / "dance.png", uv=folder / "dance.uv.npz", prompt="a person"
    )
    maps = np.load(folder / "dance.uv.npz")
    return Dancer(case, Drawn(an.Surface(maps["part"], maps["uv"]), maps["flow"], maps["flow_seen"]))


def test_latents_stick_to_the_surface(dancer: Dancer, loaded: Callable[..., Any]) -> None:
    """Surface points that a cell of the first latent frame looks at, found again in later frames by search in uv: does the cell that they are in then hold the
    same number? By the share of them that fall into one texel, counted here from the maps, times (1 - g)^2 / ((1 - g)^2 + g^2). Plain noise knows nothing.

    Noise carried by the exact flow, with as much fresh noise in it, loses the point: taken from one pixel a cell, or averaged over the cell as in
    Go-with-the-Flow.
    """
    surface, seeds, gamma = dancer.drawn.surface, range(4), 0.1
    pipeline, kind = loaded("wan-i2v"), KINDS["wan-i2v"]
    want = wanted(dancer.case, kind, (SIDE, SIDE))
    made = [initial(pipeline, kind, dancer.case, want, Noise(gamma=gamma), seed) for seed in seeds]
    sides = {int(part): side for part, side in made[0][1]["texels"].items()}
    flow = [carried(dancer.drawn, 16, seed)[::4] for seed in seeds]
    blocks = [one.reshape(4, 16, CELLS, 8, CELLS, 8).mean(axis=(3, 5)) * 8 for one in flow]
    noise = {
        "articulated": [latents.numpy()[0].transpose(1, 0, 2, 3) for latents, _ in made],
        "flow": [an.degrade(one[:, :, 4::8, 4::8], gamma, seed) for one, seed in zip(flow, seeds, strict=True)],
        "averaged": [an.degrade(one, gamma, seed) for one, seed in zip(blocks, seeds, strict=True)],
        "plain": [np.random.default_rng(seed).standard_normal((4, 16, CELLS, CELLS)) for seed in seeds],
    }

    def texels(frame: int, cell: np.ndarray) -> np.ndarray:
        y, x = 8 * (cell // CELLS) + 4, 8 * (cell % CELLS) + 4
        part = surface.part[frame, y, x].astype(int)
        side = np.array([sides.get(k, 1) for k in part])
        return np.column_stack([part, surface.uv[frame, y, x].astype(int) * side[:, None] // 65536])

    for k in (1, 2, 3):
        p, q = pairs(surface, 0, 4 * k)
        looked = (p // SIDE % 8 == 4) & (p % SIDE % 8 == 4)
        a, b = ((pixel // SIDE // 8) * CELLS + pixel % SIDE // 8 for pixel in (p[looked], q[looked]))
        assert len(a) > 10
        there, then = texels(0, a), texels(4 * k, b)
        same = float(np.mean((there == then).all(axis=1) & (then[:, 0] > 0)))
        # Seeds and channels are independent: 64 means over the pairs, whose scatter is the standard error.
        found = {
            name: np.concatenate([np.mean(one.reshape(4, 16, -1)[0][:, a] * one.reshape(4, 16, -1)[k][:, b], axis=1) for one in drawn])
            for name, drawn in noise.items()
        }
        mean = {name: float(values.mean()) for name, values in found.items()}
        error = {name: float(values.std(ddof=1)) / len(values) ** 0.5 for name, values in found.items()}
        assert mean["articulated"] == pytest.approx(same * 0.81 / 0.82, abs=5 * error["articulated"])
        assert abs(mean["plain"]) < 5 * error["plain"]
        for other in ("flow", "averaged"):
            assert mean["articulated"] - mean[other] > 2 * (error["articulated"] ** 2 + error[other] ** 2) ** 0.5


def test_an_embedded_person_from_file_to_clip(dancer: Dancer, loaded: Callable[..., Any]) -> None:
    """The whole road: maps of 128 x 128 for latents of 2 x 2 or 8 x 8 cells; a clip of the case's length; both kinds' facts are fit for a record."""
    for name, size in (("cogvideox-i2v", SIZE), ("wan-i2v", (64, 64))):
        pipeline, kind = loaded(name), KINDS[name]
        want = wanted(dancer.case, kind, size)
        latents, facts = initial(pipeline, kind, dancer.case, want, Noise(), 0)
        assert (facts["maps"], facts["fitted"], facts["gamma"], facts["seed"]) == ([13, 128, 128], True, 0.1, 0)
        assert json.loads(json.dumps(facts)) == facts
        made = make(pipeline, kind, dancer.case, want, Options(steps=1, more={"latents": latents}))
        assert made.frames.shape == (13, *size[::-1], 3)
    assert 0 < facts["body"] < 1
