"""Checkpoints of rehearsals: a tiny pipeline and what a method puts onto it, drawn from a seed, in the format of real ones (`_bundle`)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters._bundle import FILE
from adapters._checkpoint import shapes
from adapters._tiny import build, settle, speech, whole

VERSION = 1
SEED = 2
RANK = 4
SIDE, STEPS = 64, 2
GAIN = 0.5
"""Of the halves of a LoRA: large enough that a tiny pipeline's clip is visibly another one."""
ATTENTION = r"blocks\.\d+\.attn[12]\.to_[qkv]"
EVERY_LINEAR = r"blocks\.\d+\.(attn[12]\.(to_[qkv]|to_out\.0|add_[kv]_proj)|ffn\.net\.(0\.proj|2))"

Parts = Callable[[Path, Path], Mapping[str, Any]]
"""(folder of the checkpoint, folder of the pipeline) -> further sections of the TOML; leaves their files in the folder."""


def tiny(adapter: str, kind: str, folder: Path, parts: Parts | None = None) -> Path:
    """The folder of an adapter's rehearsal below `folder`, made where it is not there yet. Its pipeline lies beside it, shared by all that stand on it."""
    base = build(kind, folder)
    made = folder / f"{adapter}-checkpoint-{VERSION}"
    if whole(made):
        return made
    temporary = made.with_name(f".{made.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    sections = parts(temporary, base) if parts is not None else {}
    lines = [f'adapter = "{adapter}"', f'base = "../{base.name}"', f'kind = "{kind}"', "rehearsal = true"]
    (temporary / FILE).write_text("\n".join([*lines, *_toml({"settings": {"steps": STEPS, "size": [SIDE, SIDE]}, **sections})]) + "\n")
    settle(temporary, made, {"adapter": adapter, "version": VERSION, "seed": SEED})
    return made


def _toml(sections: Mapping[str, Any]) -> list[str]:
    """Flat sections, and lists of them, as TOML; plain keys first."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in sections.items() if not _tables(value)]
    for name, value in sections.items():
        if _tables(value):
            for table in value if isinstance(value, list) else [value]:
                head = f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
                lines += ["", head, *(f"{key} = {json.dumps(item)}" for key, item in table.items())]
    return lines


def _tables(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def linears(base: Path, pattern: str) -> dict[str, tuple[int, int]]:
    """{module: (out, in)} of the transformer's linear layers whose names fit."""
    found = {}
    for key, shape in shapes(base / "transformer").items():
        module = key.removesuffix(".weight")
        if key.endswith(".weight") and len(shape) == 2 and re.fullmatch(pattern, module):
            found[module] = (shape[0], shape[1])
    return found


def write_lora(path: Path, modules: Mapping[str, tuple[int, int]], seed: Sequence[int], rank: int = RANK, gain: float = GAIN) -> None:
    """A LoRA in diffusers' format for these modules, drawn from a seed. gain 0: one that adds nothing."""
    from safetensors.numpy import save_file

    tensors = {}
    for number, (module, (out, into)) in enumerate(sorted(modules.items())):
        draw = np.random.default_rng([SEED, *seed, number])
        tensors[f"transformer.{module}.lora_A.weight"] = (draw.standard_normal((rank, into)) / into**0.5).astype(np.float32)
        tensors[f"transformer.{module}.lora_B.weight"] = (gain * draw.standard_normal((out, rank)) / rank**0.5).astype(np.float32)
    save_file(tensors, str(path))


def experts(folder: Path, base: Path, names: Sequence[str], gain: float = GAIN) -> list[dict[str, str]]:
    """A LoRA on every linear layer of every block for each name."""
    modules = linears(base, EVERY_LINEAR)
    for number, name in enumerate(names):
        write_lora(folder / f"{name}.safetensors", modules, [10, number], gain=gain)
    return [{"name": name, "file": f"{name}.safetensors"} for name in names]


def audio(folder: Path, base: Path, guidance: float | None = 5.0) -> Mapping[str, Any]:
    """Audio cross-attention in every block, beside a wav2vec2."""
    encoder, weights = speech(base.parent, *_width(base))
    named = {"weights": os.path.relpath(weights, folder), "encoder": os.path.relpath(encoder, folder)}
    return {"audio": {**named, **({} if guidance is None else {"guidance": guidance})}}


def _width(base: Path) -> tuple[int, int]:
    """(inner width, number of blocks) of the transformer."""
    config = json.loads((base / "transformer" / "config.json").read_text())
    return config["num_attention_heads"] * config["attention_head_dim"], config["num_layers"]


def alignhuman(folder: Path, base: Path) -> Mapping[str, Any]:
    """Motion early, fidelity late. The split is this rehearsal's own: the paper's is not published."""
    segments = [{"high": 1000.0, "low": 800.0, "expert": "motion"}, {"high": 800.0, "low": 0.0, "expert": "fidelity"}]
    return {"rank": RANK, "segment": segments, "expert": experts(folder, base, ("motion", "fidelity")), **audio(folder, base, None)}


def fantasytalking2(folder: Path, base: Path) -> Mapping[str, Any]:
    """Three experts with a gate a block."""
    from safetensors.numpy import save_file

    names = ("motion", "lip", "visual")
    width, blocks = _width(base)
    tensors = {}
    for k in range(blocks):
        draw = np.random.default_rng([SEED, 20, k])
        tensors[f"blocks.{k}.weight"] = draw.standard_normal((len(names), width)).astype(np.float32)
        tensors[f"blocks.{k}.bias"] = (0.1 * draw.standard_normal(len(names))).astype(np.float32)
    save_file(tensors, str(folder / "gates.safetensors"), metadata={"experts": ",".join(names)})
    gate = {"level": "block", "file": "gates.safetensors"}
    return {"rank": RANK, "expert": experts(folder, base, names), "gate": gate, **audio(folder, base)}


def humandiff(folder: Path, base: Path) -> Mapping[str, Any]:
    """Noise that sticks to the body, and a LoRA on attention."""
    modules = linears(base, r"blocks\.\d+\.attn1\.to_[qkv]")
    write_lora(folder / "humandiff.safetensors", modules, [30])
    return {"lora": [{"file": "humandiff.safetensors", "rank": RANK}], "noise": {"gamma": 0.1}}


def ipa(folder: Path, base: Path) -> Mapping[str, Any]:
    """One LoRA on every to_q, to_k, to_v."""
    write_lora(folder / "halo.safetensors", linears(base, r"(vace_)?" + ATTENTION), [1])
    return {"lora": [{"file": "halo.safetensors", "rank": RANK}]}
