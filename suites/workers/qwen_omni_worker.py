"""A Qwen2.5-Omni checkpoint, with a LoRA or without, asked a question about a clip: the logits of the positive and the negative answer.

Needs numpy, torch, transformers (4.52 or later), safetensors, and peft where there is a LoRA. Pictures, sound and tokens are put together here, as the
model's processor does it (transformers' processing_qwen2_5_omni.py), because that processor's interface changes from version to version; the
tests hold the two equal. Imports nothing of this project.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "qwen-omni"
VIDEO = "<|VIDEO|>"
SOUND_RATE = 16_000
CHUNK = 300
"""Seconds of sound the model takes."""


class Refused(Exception):
    """(reason, detail): why there is no number."""


def load(options: dict[str, Any], settings: dict[str, Any], device: str) -> tuple[Any, dict[str, Any]]:
    """(answer, facts) of a checkpoint folder. Refuses words that are not one token, a LoRA of another model, pictures prepared otherwise."""
    import torch
    import transformers

    if not hasattr(transformers, "Qwen2_5OmniThinkerForConditionalGeneration"):
        raise Refused(
            "not-installed", f"transformers {transformers.__version__} has no Qwen2.5-Omni: python -m pip install 'transformers>=4.52'"
        )
    folder = options["model"]
    _pictures(Path(folder), settings)
    named = "dtype" if int(transformers.__version__.partition(".")[0]) >= 5 else "torch_dtype"
    kind = torch.float32 if device == "cpu" else torch.bfloat16
    model = transformers.Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, **{named: kind}
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    config = model.config
    facts: dict[str, Any] = {
        "token_ids": answer_ids(tokenizer, settings["words"]),
        "dtype": str(kind).rpartition(".")[2],
        "class": type(model).__name__,
    }
    if "lora" in options:
        model, facts["lora_tensors"] = _with_lora(model, Path(options["lora"]))
    model = model.to(device).eval()
    ids = [facts["token_ids"][word] for word in settings["words"]]
    hear = _ears(Path(folder), config)

    def answer(ask: dict[str, Any], frames: Any, sound: Any) -> Any:
        rows = []
        for clip in frames:
            made = inputs(tokenizer, config, settings, ask, clip, None if sound is None else hear(sound))
            moved = {name: value.to(device) if hasattr(value, "to") else value for name, value in made.items()}
            moved = {name: value.to(kind) if name in ("pixel_values_videos", "input_features") else value for name, value in moved.items()}
            with torch.inference_mode():
                logits = model(**moved).logits[0, -1]
            rows.append(logits[ids].float().cpu().numpy())
        return rows

    return answer, facts


def answer_ids(tokenizer: Any, words: list[str]) -> dict[str, int]:
    """{word: id}: each answer must be one token."""
    found = {word: list(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words}
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id != tokenizer.eos_token_id else None
    if any(len(ids) != 1 or ids[0] == unknown for ids in found.values()) or len({tuple(ids) for ids in found.values()}) != len(words):
        raise Refused("other-tokenizer", f"expected one token of its own for each answer, found {json.dumps(found)}")
    return {word: ids[0] for word, ids in found.items()}


def inputs(tokenizer: Any, config: Any, settings: dict[str, Any], ask: dict[str, Any], frames: Any, heard: Any) -> dict[str, Any]:
    """What the model takes: (n, h, w, 3) uint8 at sides it can cut into patches, the question, and the sound's (features, mask) or None."""
    import numpy as np
    import torch

    vision = config.vision_config
    size, merge, times = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    if len(frames) % times:
        frames = np.concatenate([frames, np.repeat(frames[-1:], -len(frames) % times, axis=0)])
    levels = (frames.astype(np.float32) / np.float32(255) - np.array(settings["mean"], np.float32)) / np.array(settings["std"], np.float32)
    t, h, w = len(frames) // times, frames.shape[1] // size, frames.shape[2] // size
    # Patches in the order the model merges them: merge x merge neighbours lie together.
    cut = levels.transpose(0, 3, 1, 2).reshape(t, times, 3, h // merge, merge, size, w // merge, merge, size)
    patches = cut.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(t * h * w, 3 * times * size * size)
    seconds = times / ask["rate"]
    made: dict[str, Any] = {
        "pixel_values_videos": torch.from_numpy(np.ascontiguousarray(patches)),
        "video_grid_thw": torch.tensor([[t, h, w]]),
        "video_second_per_grid": torch.tensor([seconds]),
    }
    seen = [config.video_token_id] * (t * h * w // merge**2)
    if heard is not None:
        features, mask = heard
        made |= {"input_features": features, "feature_attention_mask": mask, "use_audio_in_video": True}
        seen = _interleaved(config, t, h * w // merge**2, seconds, _sounds(int(mask.sum())))
    before, after = ask["prompt"].split(VIDEO)
    parts = [list(tokenizer(part, add_special_tokens=False)["input_ids"]) for part in (before, after)]
    ids = torch.tensor([parts[0] + seen + parts[1]])
    return {**made, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _sounds(frames: int) -> int:
    """Sound tokens of so many frames of features: two halvings."""
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def _interleaved(config: Any, times: int, each: int, seconds: float, sounds: int) -> list[int]:
    """Tokens of pictures and sound in turns, chunk by chunk of the model's `seconds_per_chunk`, the pictures first."""
    length = int(config.position_id_per_seconds * config.seconds_per_chunk)
    pictures = [int(k * seconds * config.position_id_per_seconds // length) for k in range(times) for _ in range(each)]
    heard = [k // length for k in range(sounds)]
    made = [config.audio_start_token_id]
    for chunk in range(max([*pictures, *heard]) + 1):
        made += [config.video_token_id] * pictures.count(chunk) + [config.audio_token_id] * heard.count(chunk)
    return [*made, config.audio_end_token_id]


def _ears(folder: Path, config: Any) -> Any:
    """A function: (n,) int16 at 16 kHz -> (features (1, mel, frames), mask (1, frames)) as torch tensors."""
    import numpy as np
    from transformers import WhisperFeatureExtractor

    if (folder / "preprocessor_config.json").exists():
        extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    else:
        extractor = WhisperFeatureExtractor(feature_size=config.audio_config.num_mel_bins, chunk_length=CHUNK)

    def hear(sound: Any) -> tuple[Any, Any]:
        if len(sound) > extractor.n_samples:
            raise Refused("too-long", f"{len(sound) / SOUND_RATE:.0f} s of sound, the model takes {extractor.n_samples / SOUND_RATE:.0f} s")
        samples = sound.astype(np.float32) / 32768
        made = extractor(samples, sampling_rate=SOUND_RATE, padding="max_length", return_attention_mask=True, return_tensors="pt")
        if _sounds(int(made["attention_mask"].sum())) < 1:
            raise Refused("too-short", f"{len(sound)} samples of sound")
        return made["input_features"], made["attention_mask"]

    return hear


def _with_lora(model: Any, folder: Path) -> tuple[Any, int]:
    """(the model with the adapter of a folder, its number of tensors). Every tensor must find its place and every place its tensor."""
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    path = folder / "adapter_model.safetensors"
    if not path.exists():
        raise Refused("lora-unusable", f"{folder} holds no adapter_model.safetensors")
    try:
        made = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except (RuntimeError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise Refused("lora-unusable", f"{folder} is the adapter of another model: {said[:400]}") from error
    with safe_open(path, "pt") as file:
        found = set(file.keys())
    wanted = set(get_peft_model_state_dict(made))
    if odd := sorted(found ^ wanted):
        raise Refused(
            "lora-unusable", f"{folder} is the adapter of another model: {', '.join(odd[:3])} without a counterpart, {len(odd)} in all"
        )
    return made, len(found)


def _pictures(folder: Path, settings: dict[str, Any]) -> None:
    """Where the checkpoint states other colours' mean and spread than ours, refuse."""
    path = folder / "preprocessor_config.json"
    stated = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for key in ("mean", "std"):
        values = stated.get(f"image_{key}", settings[key])
        if len(values) != 3 or any(abs(a - b) > 1e-6 for a, b in zip(values, settings[key])):  # noqa: B905 - Python 3.9
            raise Refused("other-preprocessing", f"preprocessor_config.json states image_{key} {values}, expected {settings[key]}")
