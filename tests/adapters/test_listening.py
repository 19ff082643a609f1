"""Audio attention on the tiny Wan pipeline: layer by layer against the formula in float64, guidance against a loop written by hand. What it draws is noise."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters import _checkpoint, _tiny
from adapters._cost import counted
from adapters._kinds import KINDS
from adapters._listening import audio_attention, listening, passes
from adapters._speech import Heard, Speech, hear, load, windows
from benchmark.errors import InputError

KIND, SIDE, FRAMES, LATENT, STEPS = KINDS["wan-i2v"], 32, 9, 3, 2
TOKENS = (SIDE // 16) ** 2
"""Of a latent frame: the VAE makes an eighth of a side, patches half of that."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("listening")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    return _checkpoint.load(_tiny.build("wan-i2v", folder), KIND)


@pytest.fixture(scope="module")
def speech(pipeline: Any, folder: Path) -> Speech:
    encoder, weights = _tiny.speech(folder)
    return load(pipeline, weights, encoder)


def noise(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, 12000).astype(np.float32)


@pytest.fixture(scope="module")
def heard(speech: Speech) -> Heard:
    return hear(speech, noise(0), FRAMES, 16)


def clip(pipeline: Any, guidance: float = 5.0, steps: int = STEPS, output: str = "np") -> Any:
    import torch
    from PIL import Image

    image = Image.fromarray((np.mgrid[:SIDE, :SIDE].sum(axis=0)[..., None] * (5, 3, 7) % 256).astype(np.uint8))
    made = pipeline(
        image=image,
        prompt="a person moves",
        negative_prompt="moves",
        height=SIDE,
        width=SIDE,
        num_frames=FRAMES,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(0),
        output_type=output,
    )
    return made.frames[0] if output == "np" else made.frames


def hooks(pipeline: Any) -> int:
    """How many there are, and the named passes counted with them."""
    modules = list(pipeline.transformer.modules())
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules) + ("cache_context" in vars(pipeline.transformer))


@pytest.fixture(scope="module")
def baseline(pipeline: Any) -> NDArray[np.float32]:
    made: NDArray[np.float32] = clip(pipeline)
    return made


# ------------------------------------------------------------------------------------------------------- heard and not heard


def test_nothing_heard_is_the_baseline(pipeline: Any, speech: Speech, heard: Heard, baseline: NDArray[np.float32]) -> None:
    """To the bit: with weights of zero, as training begins (model.py), and with a scale of zero; with three passes and with two."""
    import torch

    zero = replace(speech, blocks=tuple((torch.zeros_like(k), torch.zeros_like(v)) for k, v in speech.blocks))
    for weights, scale in ((zero, 1.0), (speech, 0.0)):
        for audio_guidance in (5.0, None):
            with listening(pipeline, weights, heard, scale=scale, audio_guidance=audio_guidance):
                assert np.array_equal(clip(pipeline), baseline)


def test_nothing_is_left_behind(pipeline: Any, speech: Speech, heard: Heard, baseline: NDArray[np.float32]) -> None:
    """After a clip, and after an error in the middle of an evaluation."""
    before = hooks(pipeline)
    with listening(pipeline, speech, heard):
        assert hooks(pipeline) > before
        clip(pipeline)
    assert hooks(pipeline) == before

    def fail(*_: Any) -> None:
        raise RuntimeError("in the middle")

    handle = pipeline.transformer.blocks[1].ffn.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"), listening(pipeline, speech, heard):
        clip(pipeline)
    handle.remove()
    assert hooks(pipeline) == before
    assert np.array_equal(clip(pipeline), baseline)


def test_another_sound_is_another_clip(pipeline: Any, speech: Speech, heard: Heard, baseline: NDArray[np.float32]) -> None:
    """And the same one the same; silence is a sound too."""
    made = []
    for sound in (heard, hear(speech, noise(1), FRAMES, 16), hear(speech, np.zeros(12000, np.float32), FRAMES, 16), heard):
        with listening(pipeline, speech, sound):
            made.append(clip(pipeline))
    assert np.array_equal(made[0], made[3])
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(made[one] - made[two]).max() > 1e-2
    assert np.abs(made[0] - baseline).max() > 1e-2


# ------------------------------------------------------------------------------------------------------------- the attention


def watch(pipeline: Any, seen: dict[str, list[Any]], when: str) -> list[Any]:
    """Hooks that note what goes into every block's cross-attention and into its output projection."""

    def note(name: str) -> Callable[..., None]:
        return lambda module, given: seen.setdefault(name, []).append(given[0].detach().clone())

    made = []
    for k, block in enumerate(pipeline.transformer.blocks):
        made.append(block.attn2.register_forward_pre_hook(note(f"{k} {when} in")))
        made.append(block.attn2.to_out[0].register_forward_pre_hook(note(f"{k} {when}")))
    return made


def by_hand(attention: Any, states: Any, weights: tuple[Any, Any], heard: Heard) -> NDArray[np.float64]:
    """softmax(q k^T / sqrt(d)) v of each latent frame over the tokens that count, head by head, in float64; q = the RMS norm of W x + b."""

    def f64(tensor: Any) -> NDArray[np.float64]:
        return np.asarray(tensor.detach().numpy(), np.float64)

    query = f64(states[0]) @ f64(attention.to_q.weight).T + f64(attention.to_q.bias)
    query *= f64(attention.norm_q.weight) / np.sqrt((query**2).mean(-1, keepdims=True) + attention.norm_q.eps)
    made = np.zeros_like(query)
    wide = query.shape[1] // attention.heads
    for frame, length in enumerate(heard.lengths.tolist()):
        tokens = f64(heard.tokens[frame, :length])
        rows = slice(frame * TOKENS, (frame + 1) * TOKENS)
        for head in range(attention.heads):
            columns = slice(head * wide, (head + 1) * wide)
            key, value = (tokens @ f64(weight).T[:, columns] for weight in weights)
            score = query[rows, columns] @ key.T / np.sqrt(wide)
            share = np.exp(score - score.max(1, keepdims=True))
            made[rows, columns] = share / share.sum(1, keepdims=True) @ value
    return made


def test_every_block_adds_the_formula(pipeline: Any, speech: Speech, heard: Heard) -> None:
    """What goes into the output projection is text and picture's part plus scale times the audio attention of the block's own query; rounding of float32."""
    seen: dict[str, list[Any]] = {}
    handles = watch(pipeline, seen, "before")
    with listening(pipeline, speech, heard, scale=0.7, audio_guidance=None):
        handles += watch(pipeline, seen, "after")
        clip(pipeline, steps=1)
    for handle in handles:
        handle.remove()
    for k, block in enumerate(pipeline.transformer.blocks):
        (before, unheard), (after, still) = seen[f"{k} before"], seen[f"{k} after"]
        assert before.shape == (1, LATENT * TOKENS, 24)
        added = (after.double() - before.double())[0].numpy()
        wanted = 0.7 * by_hand(block.attn2, seen[f"{k} before in"][0], speech.blocks[k], heard)
        assert np.abs(wanted).max() > 0.1
        assert np.abs(added - wanted).max() < 1e-5
        assert np.array_equal(unheard, still)  # the negative prompt


def test_a_batch_hears_one_sound() -> None:
    """Each of two clips in a call finds what it would alone."""
    import torch

    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(*shape, generator=generator) for shape in ((2, 12, 8), (3, 5, 8), (3, 5, 8)))
    mask = torch.arange(5) < torch.tensor([2, 5, 4])[:, None]
    both = audio_attention(query, key, value, mask, 2)
    for k in range(2):
        assert torch.allclose(audio_attention(query[k : k + 1], key, value, mask, 2)[0], both[k], atol=1e-6)


def test_later_features_act_later(speech: Speech) -> None:
    """One block's part, the same query in every latent frame, two tokens a frame: features k latent frames later add the same k latent frames later. So much
    holds of the audio attention itself, and of windows within the sound. It does not hold of a clip: self-attention mixes all frames from the second block on
    (`test_what_one_latent_frame_hears`), positions differ, and wav2vec2 itself attends to the whole sound."""
    import torch
    from torch.nn.functional import linear

    generator = torch.Generator().manual_seed(0)
    features = torch.randn(82, 32, generator=generator)
    query = torch.randn(1, 4, 24, generator=generator).repeat(1, 11, 1)

    def part(found: Any) -> Any:
        sound = windows(found, 41)
        key, value = (linear(sound.tokens, weight) for weight in speech.blocks[0])
        mask = torch.arange(sound.tokens.shape[1]) < sound.lengths[:, None]
        return audio_attention(query, key, value, mask, 2).unflatten(1, (11, 4))[0]

    before = part(features)
    assert (before[2:9] - before[3:10]).abs().max() > 0.1
    for k in (1, 3):
        later = part(torch.cat([torch.zeros(8 * k, 32), features[: -8 * k]]))
        assert torch.allclose(later[2 + k : 10], before[2 : 10 - k], atol=1e-6)


def test_what_one_latent_frame_hears(pipeline: Any, speech: Speech, heard: Heard) -> None:
    """Other tokens for the second latent frame alone change what the first block adds to that frame's tokens and to no other's, to the bit; the second block's
    input differs in every frame, through self-attention."""
    seen: dict[str, list[Any]] = {}
    other = heard.tokens.clone()
    other[1, : heard.lengths[1]] = other[1, : heard.lengths[1]].flip(1)
    for when, sound in (("one", heard), ("two", replace(heard, tokens=other))):
        with listening(pipeline, speech, sound, audio_guidance=None):
            handles = watch(pipeline, seen, when)
            clip(pipeline, steps=1)
        for handle in handles:
            handle.remove()

    def differs(name: str) -> list[bool]:
        one, two = (seen[name.format(when)][0].unflatten(1, (LATENT, TOKENS))[0] for when in ("one", "two"))
        return [bool((one[k] != two[k]).any()) for k in range(LATENT)]

    assert differs("0 {} in") == [False, False, False]
    assert differs("0 {}") == [False, True, False]
    assert differs("1 {} in") == [True, True, True]


# --------------------------------------------------------------------------------------------------------------- guidance


def loop(
    pipeline: Any, speech: Speech, heard: Heard, guidance: float, combine: Callable[[Any, Any, Any, Any], Any], steps: int = STEPS
) -> NDArray[np.float32]:
    """The denoising written out. combine: (c prompt and sound, m prompt, n negative prompt, d negative prompt and sound) -> the prediction."""
    import torch

    calls: list[dict[str, Any]] = []
    handle = pipeline.transformer.register_forward_pre_hook(lambda module, given, named: calls.append(named), with_kwargs=True)
    clip(pipeline, steps=1)  # for what it is given: with guidance, both prompts
    handle.remove()
    prompt, negative = calls
    scheduler = copy.deepcopy(pipeline.scheduler)
    scheduler.set_timesteps(steps)
    latents, given = prompt["hidden_states"][:, :16], prompt["hidden_states"][:, 16:]

    def evaluate(which: dict[str, Any], t: Any, hears: bool) -> Any:
        more = {**which, "hidden_states": torch.cat([latents, given], 1), "timestep": t.expand(1)}
        if not hears:
            return pipeline.transformer(**more)[0]
        with listening(pipeline, speech, heard, audio_guidance=None), pipeline.transformer.cache_context("cond"):
            return pipeline.transformer(**more)[0]

    with torch.inference_mode():
        for t in scheduler.timesteps:
            found = (
                evaluate(prompt, t, True),
                evaluate(prompt, t, False),
                evaluate(negative, t, False),
                evaluate(negative, t, True),
            )
            latents = scheduler.step(combine(*found), t, latents, return_dict=False)[0]
    made: NDArray[np.float32] = latents.numpy()
    return made


@pytest.mark.parametrize(
    ("guidance", "audio", "each", "combine"),
    [
        (5.0, 5.0, 3, lambda c, m, n, d: n + 5 * (m - n) + 5 * (c - m)),
        (3.0, 7.0, 3, lambda c, m, n, d: n + 3 * (m - n) + 7 * (c - m)),
        (1.0, 4.0, 2, lambda c, m, n, d: m + 4 * (c - m)),
        (5.0, None, 2, lambda c, m, n, d: n + 5 * (c - n)),
        (1.0, None, 1, lambda c, m, n, d: c),
    ],
)
def test_guidance_is_that_of_a_loop_by_hand(
    guidance: float, audio: float | None, each: int, combine: Any, pipeline: Any, speech: Speech, heard: Heard
) -> None:
    """n + g (m - n) + a (c - m) with two guidances, m + a (c - m) and n + g (c - n) with one of them, c without: latents after two steps, and every evaluation
    counted. float32 rounds the regrouped sum otherwise: 1e-5 of the largest latent; where nothing is regrouped the two are one to the bit."""
    with listening(pipeline, speech, heard, audio_guidance=audio), counted(pipeline, KIND.denoisers) as cost:
        made = clip(pipeline, guidance, output="latent").numpy()
    assert (cost.nfe, cost.calls) == (each * STEPS, {"transformer": each * STEPS})
    assert passes(guidance, audio) == each
    wanted = loop(pipeline, speech, heard, guidance, combine)
    assert np.abs(made - wanted).max() <= (1e-5 * np.abs(wanted).max() if audio else 0)
    assert np.abs(made - clip(pipeline, guidance, output="latent").numpy()).max() > 1e-2


def test_the_negative_prompt_with_sound(pipeline: Any, speech: Speech, heard: Heard) -> None:
    """d + g (c - d), as the original does without audio guidance (wan_video.py)."""
    with listening(pipeline, speech, heard, audio_guidance=None, negative=True):
        made = clip(pipeline, output="latent").numpy()
    assert np.array_equal(made, loop(pipeline, speech, heard, 5, lambda c, m, n, d: d + 5 * (c - d)))
    with pytest.raises(ValueError, match="not heard with sound"), listening(pipeline, speech, heard, negative=True):
        pass


def test_the_second_evaluation_is_timed_like_the_first(pipeline: Any, speech: Speech, heard: Heard) -> None:
    """The evaluation with sound is made to last 0.1 s, whichever it is: all of it is in the denoiser's time, and only once."""
    last: list[bool] = []
    attention = pipeline.transformer.blocks[0].attn2

    def note(module: Any, given: tuple[Any, ...]) -> None:
        last.append(bool((given[0] != before[-1]).any()))

    before: list[Any] = []
    handles = [attention.to_out[0].register_forward_pre_hook(lambda module, given: before.append(given[0].clone()))]
    with listening(pipeline, speech, heard), counted(pipeline, KIND.denoisers) as cost:
        handles.append(attention.to_out[0].register_forward_pre_hook(note))
        handles.append(pipeline.transformer.proj_out.register_forward_pre_hook(lambda module, given: time.sleep(0.1 * last[-1])))
        clip(pipeline)
    for handle in handles:
        handle.remove()
    assert sorted(last) == [False] * 2 * STEPS + [True] * STEPS
    assert 0.1 * STEPS <= cost.seconds["denoiser"] <= cost.seconds["total"] - cost.seconds["vae"] - cost.seconds["text"]


# ------------------------------------------------------------------------------------------------------------------ LoRAs


def lora(path: Path, pipeline: Any) -> Path:
    """A LoRA of rank 4 on every cross-attention's output projection."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for k in range(len(pipeline.transformer.blocks)):
        name = f"transformer.blocks.{k}.attn2.to_out.0"
        tensors[f"{name}.lora_A.weight"] = torch.randn(4, 24, generator=generator) * 0.3
        tensors[f"{name}.lora_B.weight"] = torch.randn(24, 4, generator=generator) * 0.3
    save_file(tensors, path)
    return path


def test_a_lora_on_the_output_projection_hears(folder: Path, speech: Speech, heard: Heard, tmp_path: Path) -> None:
    """Its input holds the audio part like that of the projection: the projection's output is W x + b + B A x of the sum x. Merged into the weights it is the
    same clip within rounding; taken off, the clip without it to the bit."""
    pipeline = _checkpoint.load(_tiny.build("wan-i2v", folder), KIND)
    with listening(pipeline, speech, heard):
        plain = clip(pipeline)
    path = lora(tmp_path / "ours.safetensors", pipeline)
    _checkpoint.load_lora(pipeline, path, "ours")
    layer = pipeline.transformer.blocks[0].attn2.to_out[0]
    seen: list[tuple[Any, Any, Any]] = []
    handles = [layer.register_forward_pre_hook(lambda module, given: seen.append((given[0].clone(),)))]
    with listening(pipeline, speech, heard, audio_guidance=None):
        handles.append(layer.register_forward_hook(lambda module, given, made: seen.append((*seen.pop(), given[0].clone(), made.clone()))))
        clip(pipeline, steps=1)
    for handle in handles:
        handle.remove()
    before, inside, outside = (tensor.double() for tensor in seen[0])
    assert (inside - before).abs().max() > 0.1
    a, b = layer.lora_A["ours"].weight.double(), layer.lora_B["ours"].weight.double()
    base = layer.base_layer
    wanted = inside @ base.weight.double().T + base.bias.double() + inside @ a.T @ b.T
    assert (outside - wanted).abs().max() < 1e-5
    with listening(pipeline, speech, heard):
        both = clip(pipeline)
    assert np.abs(both - plain).max() > 1e-3
    pipeline.fuse_lora(adapter_names=["ours"])
    with listening(pipeline, speech, heard):
        assert np.abs(clip(pipeline) - both).max() < 1e-4
    pipeline.unfuse_lora()
    pipeline.unload_lora_weights()
    fresh = _checkpoint.load(_tiny.build("wan-i2v", folder), KIND)
    _checkpoint.load_lora(fresh, path, "ours")
    fresh.unload_lora_weights()
    with listening(fresh, speech, heard):
        assert np.array_equal(clip(fresh), plain)


# ---------------------------------------------------------------------------------------------------------------- refused


def test_what_cannot_listen(pipeline: Any, speech: Speech, heard: Heard) -> None:
    """Another length than was heard, twice at once, two denoisers, a cache."""
    from diffusers import FirstBlockCacheConfig

    long = hear(speech, noise(0), 13, 23)
    with pytest.raises(ValueError, match="4 latent frames were heard, and the clip has 3"), listening(pipeline, speech, long):
        clip(pipeline)
    with listening(pipeline, speech, heard), pytest.raises(ValueError, match="already"), listening(pipeline, speech, heard):
        pass

    class Two:
        transformer = transformer_2 = pipeline.transformer

    with pytest.raises(InputError) as error, listening(Two(), speech, heard):
        pass
    assert error.value.code == "two-denoisers"
    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.1))
    try:
        with pytest.raises(InputError) as error, listening(pipeline, speech, heard):
            pass
    finally:
        pipeline.transformer.disable_cache()
    assert error.value.code == "cached"
