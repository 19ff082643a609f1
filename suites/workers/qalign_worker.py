"""Q-Align's model in its own Python: pictures and a prompt in, the logits of its five levels out.

Needs numpy, torch and transformers, in the versions that the model's own code wants, and that code: a clone of Q-Future/Q-Align (`code`), or the code
that lies in the checkpoint's folder, run only where the user says so (`trust`). After q_align/evaluate/scorer.py and q_align/mm_utils.py of
Q-Future/Q-Align@14dfdff. Python 3.8 and later; imports nothing of this project.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import Any

NAME = "q-align"
PICTURE = "<|image|>"
PICTURE_ID = -200
"""What stands for the pictures among the tokens: IMAGE_TOKEN_INDEX."""


class Refused(Exception):
    """(reason, detail): why there is no number."""


def load(options: dict[str, Any], settings: dict[str, Any], device: str) -> tuple[Any, dict[str, Any]]:
    """(answer, facts) of a checkpoint folder. Refuses a tokenizer that does not know the levels, and pictures prepared otherwise than ours."""
    import torch

    torch.load = _data_only(torch.load)
    _pictures(options["model"], settings)
    tokenizer, model = _loaded(options, device)
    model.eval()
    ids = level_ids(tokenizer, settings["words"])
    weights = next(model.parameters())

    def answer(ask: dict[str, Any], frames: Any, sound: Any) -> Any:
        pixels = torch.from_numpy(frames).to(weights.device, weights.dtype)
        tokens = torch.tensor([prompt_ids(ask["prompt"], tokenizer)] * len(frames), dtype=torch.long, device=weights.device)
        # Pictures: one a prompt, (b, 3, s, s). A video: all its pictures in one prompt, a list of (n, 3, s, s).
        images = list(pixels) if ask["medium"] == "video" else pixels
        with torch.inference_mode():
            logits = model(tokens, images=images)["logits"][:, -1]
        return logits[:, [ids[word] for word in settings["words"]]].float().cpu().numpy()

    facts = {"token_ids": ids, "dtype": str(weights.dtype).rpartition(".")[2], "device": str(weights.device), "class": type(model).__name__}
    return answer, facts


def _data_only(read: Any) -> Any:
    """torch.load that takes a file of weights for data, whatever its caller asks: what else a pickle would run is refused."""

    @functools.wraps(read)
    def careful(*given: Any, **named: Any) -> Any:
        return read(*given, **{**named, "weights_only": True})

    return careful


def _loaded(options: dict[str, Any], device: str) -> tuple[Any, Any]:
    """(tokenizer, model) by the code the user named."""
    folder = options["model"]
    if "code" in options:
        sys.path.insert(0, options["code"])
        from q_align.model.builder import load_pretrained_model

        tokenizer, model = load_pretrained_model(folder, None, "mplug_owl2", device=device)[:2]
        return tokenizer, model
    if not options.get("trust"):
        clone = "--qalign-code DIR (a clone of github.com/Q-Future/Q-Align)"
        own = "--qalign-trust-model-code (run the checkpoint's own)"
        raise Refused("code-missing", f"transformers does not hold the model's code: {clone} or {own}")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    half = torch.float32 if device == "cpu" else torch.float16
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=False, local_files_only=True, trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, trust_remote_code=True, torch_dtype=half)
    return tokenizer, model.to(device)


def level_ids(tokenizer: Any, words: list[str]) -> dict[str, int]:
    """{word: id}. Each word must be one token after the one that begins a text, and no two the same."""
    found = {word: list(tokenizer(word)["input_ids"]) for word in words}
    bare = {word: ids[1:] if ids[:1] == [tokenizer.bos_token_id] else ids for word, ids in found.items()}
    unknown = getattr(tokenizer, "unk_token_id", None)
    if any(len(ids) != 1 or ids[0] == unknown for ids in bare.values()) or len({tuple(ids) for ids in bare.values()}) != len(words):
        raise Refused("other-tokenizer", f"expected one token of its own for each level, found {json.dumps(bare)}")
    return {word: ids[0] for word, ids in bare.items()}


def prompt_ids(prompt: str, tokenizer: Any) -> list[int]:
    """The prompt's tokens, the pictures' place as one: each part is tokenized for itself, and only the first keeps its beginning-of-text."""
    made: list[int] = []
    for number, part in enumerate(prompt.split(PICTURE)):
        ids = list(tokenizer(part)["input_ids"]) if part else []
        starts = ids[:1] == [tokenizer.bos_token_id]
        made += ([PICTURE_ID] if number else []) + (ids[1:] if number and starts else ids)
    return made


def _pictures(folder: str, settings: dict[str, Any]) -> None:
    """Pictures come prepared: where the checkpoint states how, it must be the same way."""
    path = os.path.join(folder, "preprocessor_config.json")  # noqa: PTH118 - names come as text
    if not os.path.exists(path):  # noqa: PTH110
        return
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        stated = json.load(file)
    side = stated.get("crop_size", settings["side"])
    side = side.get("height") if isinstance(side, dict) else side
    found = {"side": side, "mean": stated.get("image_mean", settings["mean"]), "std": stated.get("image_std", settings["std"])}
    close = all(abs(a - b) < 1e-6 for key in ("mean", "std") for a, b in zip(found[key], settings[key]))  # noqa: B905 - Python 3.8
    if side != settings["side"] or not close:
        raise Refused(
            "other-preprocessing", f"preprocessor_config.json states {json.dumps(found)}, pictures come as {json.dumps(settings)}"
        )
