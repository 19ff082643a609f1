"""What a generator hears: the sound of a case, wav2vec2's features of it, and which of them each latent frame attends to.

Source: FantasyTalking (arXiv:2504.04842; model.py, utils.py, infer.py in Fantasy-AMAP/fantasy-talking@8c2d0c9). AlignHuman and FantasyTalking2 are
rebuilt upon it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters._checkpoint import compare, files_of
from benchmark.errors import InputError, Unscored
from benchmark.hearing import SILENT
from benchmark.media import from_second, read_sound
from benchmark.media.sound import RATE
from benchmark.model import Case

Samples = NDArray[np.float32]
FPS = 23
"""Frames a second at which the original writes its clips (infer.py)."""
EXPAND = 4
"""Tokens by which each latent frame's window reaches further on both sides (infer.py)."""
TEMPORAL = 4
"""Frames in a latent frame; the first one holds one."""
_PROJECTION = ("proj.weight", "norm.weight", "norm.bias")
_ORIGINAL = re.compile(r"blocks\.(\d+)\.cross_attn\.(?:processor\.)?([kv]_proj)\.weight")
CONVERT = "save_file(adapters._speech.from_original(torch.load(FILE, weights_only=True)), 'audio.safetensors')"


@dataclass(frozen=True)
class Speech:
    """What turns sound into tokens. encoder, extractor: transformers' Wav2Vec2Model and its feature extractor. projection: `proj.weight` (c, h),
    `norm.weight` (c,), `norm.bias` (c,). blocks: (to keys, to values), each (d, c), of every block of the denoiser. All float32 on the CPU but the encoder.
    """

    encoder: Any
    extractor: Any
    projection: Mapping[str, Any]
    blocks: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True)
class Heard:
    """tokens: (f, n, c) float32, what each latent frame hears, zeros behind it. lengths: (f,) how many of the n count, at least one."""

    tokens: Any
    lengths: Any


# ------------------------------------------------------------------------------------------------------------------------ weights


def load(pipeline: Any, weights: Path, encoder: Path) -> Speech:
    """weights: one safetensors file: `proj.weight`, `norm.weight`, `norm.bias`, and `blocks.N.k_proj.weight`, `blocks.N.v_proj.weight` for every block of the
    pipeline's transformer (`from_original` makes it of the published checkpoint). encoder: a wav2vec2 folder of transformers'.

    Raises InputError: `checkpoint-missing`, `checkpoint-unsafe` (tensors in a format that can run code, or code), `checkpoint-class` (no wav2vec2),
    `checkpoint-keys` (an encoder that lacks tensors), `audio-keys` (weights that are missing, too many or of another shape), `two-denoisers`.
    """
    if getattr(pipeline, "transformer_2", None) is not None:
        raise InputError(
            "has two denoisers, and the audio weights are for one",
            code="two-denoisers",
            found="transformer and transformer_2",
            expected="Wan2.1-I2V",
        )
    tensors = _tensors(weights)
    model, extractor = _encoder(encoder)
    attentions = [block.attn2 for block in pipeline.transformer.blocks]
    wide = tensors["norm.weight"].shape[0] if "norm.weight" in tensors and tensors["norm.weight"].ndim else 0
    wanted = {"proj.weight": (wide, model.config.hidden_size), "norm.weight": (wide,), "norm.bias": (wide,)}
    for k, attention in enumerate(attentions):
        wanted |= {f"blocks.{k}.{half}_proj.weight": (attention.inner_dim, wide) for half in "kv"}
    try:
        compare({key: tuple(tensor.shape) for key, tensor in tensors.items()}, wanted, weights)
    except InputError as error:
        raise InputError(
            f"does not fit the {len(attentions)} blocks of {type(pipeline.transformer).__name__} and the encoder of {encoder.name}",
            code="audio-keys",
            path=weights,
            found=error.found,
            expected=error.expected,
        ) from None
    held = {key: tensor.float() for key, tensor in tensors.items()}
    blocks = tuple((held[f"blocks.{k}.k_proj.weight"], held[f"blocks.{k}.v_proj.weight"]) for k in range(len(attentions)))
    return Speech(model, extractor, {name: held[name] for name in _PROJECTION}, blocks)


def from_original(state: Mapping[str, Any]) -> dict[str, Any]:
    """The published checkpoint's tensors by the names that `load` reads. state: what torch.load(weights_only=True) gives, `proj_model` and
    `audio_processor`, or the same two as prefixes of flat names. InputError (`audio-keys`) for a name that is neither's."""
    flat: dict[str, Any] = {}
    for name, value in state.items():
        flat |= {f"{name}.{key}": tensor for key, tensor in value.items()} if isinstance(value, Mapping) else {name: value}
    made: dict[str, Any] = {}
    for name, tensor in flat.items():
        rest = name.removeprefix("proj_model.")
        block = _ORIGINAL.fullmatch(name.removeprefix("audio_processor."))
        if rest != name and rest in _PROJECTION:
            made[rest] = tensor
        elif block:
            made[f"blocks.{block[1]}.{block[2]}.weight"] = tensor
        else:
            raise InputError(
                "is none of FantasyTalking's tensors",
                code="audio-keys",
                found=name,
                expected="proj_model.proj.weight, audio_processor.blocks.N.cross_attn.processor.k_proj.weight, ...",
            )
    return made


def _tensors(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            "is no file of audio weights", code="checkpoint-missing", path=path, found="absent", expected="a .safetensors file"
        )
    if path.suffix != ".safetensors":
        raise InputError(
            "is in a format that can run code",
            code="checkpoint-unsafe",
            path=path,
            found=path.suffix or path.name,
            expected=".safetensors",
            hint=CONVERT,
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError("is damaged", code="audio-keys", path=path, found=str(error)) from error
    return tensors


def _encoder(folder: Path) -> tuple[Any, Any]:
    """(Wav2Vec2Model in float32, its feature extractor) of a folder; nothing fetched, nothing of it run."""
    for name in ("config.json", "preprocessor_config.json"):
        if not (folder / name).is_file():
            raise InputError(
                "is no wav2vec2 folder", code="checkpoint-missing", path=folder, found=f"no {name}", expected="wav2vec2-base-960h"
            )
    names = sorted(path.name for path in files_of(folder))
    code = [name for name in names if name.endswith(".py")]
    if code or not any(name.endswith(".safetensors") for name in names):
        pickled = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl"))]
        raise InputError(
            "holds code of its own" if code else "has no tensors in safetensors",
            code="checkpoint-unsafe" if code or pickled else "checkpoint-missing",
            path=folder,
            found=", ".join((code or pickled or ["no tensors"])[:3]),
            expected="tensors in safetensors, and JSON",
        )
    try:
        kind = json.loads((folder / "config.json").read_text()).get("model_type")
    except ValueError as error:
        raise InputError("is no JSON", code="checkpoint-missing", path=folder / "config.json", found=str(error)) from error
    if kind != "wav2vec2":
        raise InputError("is another model", code="checkpoint-class", path=folder, found=str(kind), expected="wav2vec2")
    import torch
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

    try:
        model, told = Wav2Vec2Model.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        extractor = Wav2Vec2FeatureExtractor.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise InputError("cannot be loaded", code="checkpoint-keys", path=folder, found=str(error).strip().splitlines()[0][:300]) from error
    # The mask is for training; published files come without it. What is too many belongs to a head for transcription.
    missing = sorted(set(told["missing_keys"]) - {"masked_spec_embed"})
    if missing:
        raise InputError(
            "does not hold all tensors of the encoder", code="checkpoint-keys", path=folder, found=f"lacks {', '.join(missing[:3])}"
        )
    if extractor.sampling_rate != RATE:
        raise InputError(
            "hears another rate", code="checkpoint-class", path=folder, found=f"{extractor.sampling_rate} Hz", expected=f"{RATE} Hz"
        )
    return model.eval(), extractor


# ------------------------------------------------------------------------------------------------------------------------ the sound


def sound_of(case: Case, seconds: Fraction | float) -> tuple[Samples, dict[str, Any]]:
    """((n,) float32 in -1..1, one channel at 16 kHz, from the first picture on, cut or filled with zeros to the length; what a record is to say of it).

    The facts: `audio`: `case` or `silence` (the case has none), `seconds`, `padded`, `cut`: seconds that were added and left out, `silent`: no sample is
    louder than what a lossy codec leaves of silence. The original does not fill a short sound but stretches its tokens over the clip.
    Raises InputError: `bad-audio`, `no-audio` (the file named has no sound).
    """
    length = int(Fraction(seconds) * RATE)
    found = np.zeros(length, np.int16)
    if case.audio is not None:
        try:
            found = from_second(read_sound(case.audio), Fraction(0))
        except Unscored as reason:
            raise InputError(
                "has no sound", code="no-audio", path=case.audio, found=str(reason), hint="leave it out of cases.toml"
            ) from None
    kept = found[:length]
    made = np.concatenate([kept, np.zeros(length - len(kept), np.int16)])
    facts = {
        "audio": "silence" if case.audio is None else "case",
        "seconds": length / RATE,
        "padded": (length - len(kept)) / RATE,
        "cut": (len(found) - len(kept)) / RATE,
        "silent": bool(np.abs(made.astype(np.int32)).max(initial=0) <= SILENT),
    }
    return made.astype(np.float32) / np.float32(32768), facts


def hear(speech: Speech, samples: Samples, frames: int, fps: Fraction | float, device: str = "cpu") -> Heard:
    """What each latent frame of a clip hears. samples: at least frames / fps seconds at 16 kHz; the rest is not heard. frames: that are made, 4 n + 1.

    ValueError for a sound that is shorter, and as `ranges` does.
    """
    import torch
    from torch.nn.functional import layer_norm, linear

    length = int(frames / float(fps) * RATE)  # utils.py: in floating point, rounded down
    if len(samples) < length:
        raise ValueError(f"{len(samples)} samples for a clip of {length}")
    given = speech.extractor(samples[:length], sampling_rate=RATE, return_tensors="pt").input_values
    with torch.no_grad():
        found = speech.encoder.to(device)(given.to(device)).last_hidden_state[0]
        projected = linear(found, speech.projection["proj.weight"].to(device))
        bias = speech.projection["norm.bias"].to(device)
        projected = layer_norm(projected, bias.shape, speech.projection["norm.weight"].to(device), bias)
    return windows(projected, frames)


def ranges(tokens: int, frames: int) -> list[tuple[int, int]]:
    """(first, last) token of every latent frame, both inside; they may lie outside of 0..tokens-1. frames: of the clip, 4 n + 1 and at least 5.

    A latent frame's window reaches as far as two frames of sound to both sides of the middle of its four frames, less one token; the first latent frame
    has the window of the same length that ends where the second one's begins (model.py, split_audio_sequence). ValueError for other lengths.
    """
    if frames < TEMPORAL + 1 or frames % TEMPORAL != 1:
        raise ValueError(f"{frames} frames: a clip that hears has 4 n + 1 of them, 5 at least")
    each = tokens / frames
    half = int(each * TEMPORAL / 2)
    found = []
    for frame in range(1, frames, TEMPORAL):
        middle = int((each * frame + each * (frame + TEMPORAL)) / 2) - 1
        found.append((middle - half, middle + half))
    begin = found[0][0]
    return [(begin - 2 * half, begin), *found]


def windows(features: Any, frames: int, expand: int = EXPAND) -> Heard:
    """features: (t, c) of the whole sound -> the windows, `expand` tokens wider on both sides. What lies outside of the sound is left out, and zeros fill up
    behind, before the sound's begin as well as after its end (model.py, split_tensor_with_padding)."""
    import torch

    spans = ranges(len(features), frames)
    tokens = features.new_zeros((len(spans), spans[0][1] - spans[0][0] + 1 + 2 * expand, features.shape[1]))
    lengths = []
    for k, (first, last) in enumerate(spans):
        part = features[max(first - expand, 0) : last + expand + 1]
        tokens[k, : len(part)] = part
        lengths.append(len(part))
    return Heard(tokens, torch.tensor(lengths, device=features.device))
