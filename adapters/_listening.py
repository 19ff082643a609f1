"""Audio cross-attention in every block of a Wan pipeline, and audio guidance in diffusers' own loop. All by hooks: nothing of diffusers is rewritten.

Source: FantasyTalking (arXiv:2504.04842; model.py, WanCrossAttentionProcessor, and diffsynth/pipelines/wan_video.py in Fantasy-AMAP/fantasy-talking@8c2d0c9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from adapters._speech import Heard, Speech
from benchmark.errors import InputError

GUIDANCE = 5.0
"""Of prompt and of audio (infer.py)."""


def passes(guidance: float, audio_guidance: float | None) -> int:
    """Nominal evaluations a step."""
    return 1 + (guidance > 1) + (audio_guidance is not None)


@dataclass
class _Ear:
    """passing: the pass that the pipeline is in, `cond` or `uncond`. deaf: is this the evaluation without sound? pending: removes the hook that combines."""

    passing: str | None = None
    deaf: bool = False
    pending: Callable[[], None] | None = None


@contextmanager
def listening(
    pipeline: Any, speech: Speech, heard: Heard, *, scale: float = 1.0, audio_guidance: float | None = GUIDANCE, negative: bool = False
) -> Iterator[None]:
    """While this is open, every clip of the pipeline hears. scale: of what the audio attention adds to that of text and picture. LoRAs are loaded before.

    audio_guidance a: three evaluations a step, n + g (m - n) + a (c - m), with n the negative prompt without sound, m the prompt without and c with sound,
    g the pipeline's guidance; two where that is off, m + a (c - m). None: the prompt is heard with sound and nothing more is evaluated. negative: is the
    negative prompt heard with sound as well? So the original does where it has no audio guidance.

    Raises InputError `two-denoisers`, `cached` (a cache would take one evaluation for the other). ValueError where it is open already, where a clip has other
    latent frames than were heard, for `negative` beside audio guidance.
    """
    transformer = pipeline.transformer
    if getattr(pipeline, "transformer_2", None) is not None:
        raise InputError("has two denoisers, and one listens", code="two-denoisers", found="transformer and transformer_2")
    if transformer.is_cache_enabled:
        raise InputError("caches evaluations, and cannot listen", code="cached", hint="pipeline.transformer.disable_cache()")
    if "cache_context" in vars(transformer):
        raise ValueError("the pipeline is listening already")
    if negative and audio_guidance is not None:
        raise ValueError("under audio guidance the negative prompt is not heard with sound")
    ear = _Ear()
    named = transformer.cache_context

    @contextmanager
    def cache_context(name: str, **more: Any) -> Iterator[None]:
        ear.passing = name
        try:
            with named(name, **more):
                yield
        finally:
            ear.passing = None

    def hears() -> bool:
        return not ear.deaf and (ear.passing == "cond" or (negative and ear.passing == "uncond"))

    with ExitStack() as stack:
        transformer.cache_context = cache_context
        stack.callback(delattr, transformer, "cache_context")  # the class's own is there again
        for block, weights in zip(transformer.blocks, speech.blocks, strict=True):
            for handle in _attend(block.attn2, weights, heard, scale, hears):
                stack.callback(handle.remove)
        stack.callback(_drop, ear)
        before = _before(pipeline, ear, len(heard.lengths), audio_guidance)
        stack.callback(transformer.register_forward_pre_hook(before, with_kwargs=True).remove)
        yield


def _attend(attention: Any, weights: tuple[Any, Any], heard: Heard, scale: float, hears: Callable[[], bool]) -> tuple[Any, Any]:
    """The two hooks on one block's cross-attention: one keeps its query, one adds what that finds in the sound to what goes into the output projection."""
    import torch
    from torch.nn.functional import linear

    kept: list[Any] = []
    into = attention.norm_q.weight
    with torch.no_grad():
        # The sound is the same at every step, and so are its keys and values: the weights need not stay on the device.
        tokens = heard.tokens.to(into.device, into.dtype)
        key, value = (linear(tokens, weight.to(into.device, into.dtype)) for weight in weights)
    mask = torch.arange(tokens.shape[1], device=into.device) < heard.lengths.to(into.device)[:, None]

    def keep(module: Any, given: Any, query: Any) -> None:
        if hears():
            kept[:] = [query]

    def add(module: Any, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not hears():
            return None
        found = audio_attention(kept.pop(), key, value, mask, attention.heads)
        return (given[0] + scale * found, *given[1:])

    return attention.norm_q.register_forward_hook(keep), attention.to_out[0].register_forward_pre_hook(add)


def audio_attention(query: Any, key: Any, value: Any, mask: Any, heads: int) -> Any:
    """(b, f * s, d) what each latent frame's s tokens find in the n tokens of sound that are that frame's.

    query: (b, f * s, d), a latent frame's tokens one after the other. key, value: (f, n, d). mask: (f, n), which of them count.
    """
    from torch.nn.functional import scaled_dot_product_attention

    batch, count, wide = query.shape
    frames = len(key)

    def split(x: Any, copies: int) -> Any:
        return x.reshape(copies * frames, -1, heads, wide // heads).transpose(1, 2)

    found = scaled_dot_product_attention(
        split(query, batch),
        split(key.to(query), 1).repeat(batch, 1, 1, 1),
        split(value.to(query), 1).repeat(batch, 1, 1, 1),
        attn_mask=mask.to(query.device).repeat(batch, 1)[:, None, None, :],
    )
    return found.transpose(1, 2).reshape(batch, count, wide)


def _before(pipeline: Any, ear: _Ear, frames: int, audio_guidance: float | None) -> Callable[..., None]:
    """Before an evaluation: does the sound fit the clip, and is there to be a second one?"""

    def after(module: Any, given: Any, named: Any, heard: Any) -> Any:
        _drop(ear)
        ear.deaf = True
        try:
            unheard = module(*given, **named)[0]
        finally:
            ear.deaf = False
        assert audio_guidance is not None
        # diffusers makes n + g (this - n) of it, or takes it as it is.
        share = audio_guidance / (pipeline.guidance_scale if pipeline.do_classifier_free_guidance else 1.0)
        combined = unheard + share * (heard[0] - unheard)
        return (combined,) if isinstance(heard, tuple) else type(heard)(sample=combined)

    def before(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        states = named["hidden_states"] if "hidden_states" in named else given[0]
        made = states.shape[2] // module.config.patch_size[0]
        if made != frames:
            raise ValueError(f"{frames} latent frames were heard, and the clip has {made}")
        if audio_guidance is not None and ear.passing == "cond" and not ear.deaf:
            # Put there anew each time, so that it comes after all other hooks: they count and time one evaluation after the other, not one in the other.
            ear.pending = module.register_forward_hook(after, with_kwargs=True).remove

    return before


def _drop(ear: _Ear) -> None:
    if ear.pending is not None:
        ear.pending()
        ear.pending = None
