"""Expert LoRAs that count by timestep (FantasyTalking2) on a real pipeline: the weights of all steps are a table, written into PEFT's scalings step by step.

Source: FantasyTalking2 (arXiv:2508.11255), see `_fusion`. Neither its weights nor its code are public, so this is a reading of the formula:

- t_emb is what the denoiser's own `condition_embedder` makes of a timestep: sinusoids, then `time_embedder` (linear, SiLU, linear), before the SiLU and the
  `time_proj` from which the blocks' modulation comes, and before it is rounded to the type of the prompt's embedding.
- dh_k is what the LoRA adds by itself, (alpha_k / r_k) B_k A_k x. PEFT adds `scaling * B A x`, so its scaling becomes w_k * alpha_k / r_k. A file of diffusers
  states alpha in its metadata; where it does not, alpha is the rank and the factor 1.
- An expert whose B is zero in a module is left out of that module: PEFT would add 0.0, which turns -0.0 into 0.0. So zero experts are the baseline to the bit.

A gate file is safetensors: `KEY.weight` (experts, width of t_emb) and `KEY.bias` (experts,), where KEY is a module (`blocks.7.attn1.to_q`), a block
(`blocks.7`) or `all`, by level; its metadata has `experts`, the experts' names in the order of the rows (`motion,lip,visual`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adapters._checkpoint import load_lora, shapes_of
from adapters._experts import schedule
from adapters._fusion import WHOLE, Floats, Gate, Level, block_of, keys, table
from adapters._making import StepEnd
from benchmark.errors import InputError


@dataclass(frozen=True)
class Fused:
    """What is on the pipeline. experts: in the gate's order. modules: that every expert adapts. live: of each module, the experts whose B is not all zero.
    gates: by key. path: of the gate. facts: what a record is to say of it."""

    experts: tuple[str, ...]
    modules: tuple[str, ...]
    live: tuple[tuple[str, ...], ...]
    level: Level
    gates: Mapping[str, Gate]
    path: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Armed:
    """step_end: the callback that arms the next step. table: (steps, modules, experts) weights w. timesteps: of the steps. facts: for the record."""

    step_end: StepEnd
    table: Floats
    timesteps: tuple[float, ...]
    facts: Mapping[str, Any]


def load(
    pipeline: Any,
    experts: Mapping[str, Path],
    gate: Path | None,
    level: Level,
    rank: int | None = None,
    constants: Mapping[str, float] | None = None,
) -> Fused:
    """Put the experts' LoRAs onto the pipeline under their names and read their gate. constants: at level `none`, instead of a file, the weight of each expert.

    Everything is checked before the first LoRA is loaded. Raises InputError: `lora-missing`, `lora-rank`, `lora-keys` (experts adapt different modules, or
    one that is no linear layer of a numbered block), `gate-missing`, `gate-keys` (keys, levels or experts that do not belong together), `bad-gate` (shapes,
    values; a denoiser that has not one timestep a step).
    """
    denoiser = _denoiser(pipeline)
    for path in experts.values():
        if not path.is_file():
            raise InputError("is no safetensors file of a LoRA", code="lora-missing", path=path, found="absent")
    linear = _linear(denoiser)
    modules = _modules(experts, linear)
    order, gates = _constants(experts, constants, gate) if level == "none" else _read(gate, experts, modules, level, constants)
    width = int(denoiser.condition_embedder.time_embedder.linear_2.out_features)
    table(np.zeros((1, width)), gates, modules, order, level, None if gate is None else str(gate))
    ranks = {name: load_lora(pipeline, experts[name], name, rank) for name in order}
    denoiser.eval()  # layers that PEFT adds are in training mode: a dropout stated by the file would be drawn
    layers = [denoiser.get_submodule(name) for name in modules]
    live = tuple(tuple(name for name in order if bool(layer.lora_B[name].weight.any())) for layer in layers)
    facts = {
        "level": level,
        "experts": list(order),
        "ranks": ranks,
        "scalings": {name: sorted({float(layer.scaling[name]) for layer in layers}) for name in order},
        "modules": len(modules),
        "linear_layers": len(linear),
        "not_covered": [name for name in linear if name not in set(modules)],
        "gates": len(gates),
        "zero": {name: sum(name not in found for found in live) for name in order},
        "t_emb": "condition_embedder.time_embedder, before SiLU and time_proj",
    }
    return Fused(order, modules, live, level, gates, gate, facts)


def arm(pipeline: Any, fused: Fused, steps: int, device: str = "cpu") -> Armed:
    """Make the table of so many steps, write its first row into the pipeline, and return what is to be called at the end of each. Call it before every clip.

    The callback raises InputError (`bad-steps`) where a step has another timestep than planned, or was not armed for. Raises InputError (`lora-missing`)
    where the experts are not on this pipeline, and as `_fusion.table` does.
    """
    denoiser = _denoiser(pipeline)
    known = getattr(denoiser, "peft_config", {})
    if missing := [name for name in fused.experts if name not in known]:
        raise InputError(
            "experts are not on the pipeline", code="lora-missing", found=", ".join(missing), expected=", ".join(fused.experts)
        )
    times = schedule(pipeline, steps, device)
    weights = table(embedding(denoiser, times), fused.gates, fused.modules, fused.experts, fused.level, str(fused.path or "") or None)
    pipeline.enable_lora()
    pipeline.set_adapters(list(fused.experts))  # also sets every scaling to the file's own alpha / r
    layers = [denoiser.get_submodule(name) for name in fused.modules]
    for layer, live in zip(layers, fused.live, strict=True):
        if len(live) < len(fused.experts):
            layer.set_adapter(list(live))
    own = np.array([[layer.scaling[name] for name in fused.experts] for layer in layers])
    slots = [(layer.scaling, name) for layer in layers for name in fused.experts]
    rows = (weights * own).reshape(len(times), -1).tolist()
    armed = 0

    def write(step: int) -> None:
        nonlocal armed
        for (scaling, name), value in zip(slots, rows[step], strict=True):
            scaling[name] = value
        armed = step

    def step_end(pipe: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if step != armed or step >= len(times) or float(t) != times[step]:
            raise InputError(
                "a step is not the one that the experts' weights were made for",
                code="bad-steps",
                found=f"step {step + 1} at t {float(t):g}",
                expected=f"step {armed + 1} of {len(times)} at t {times[armed]:g}",
                hint="arm before every clip, with its number of steps",
            )
        write((step + 1) % len(times))
        return tensors

    write(0)
    return Armed(step_end, weights, times, {**fused.facts, "steps": len(times), "timesteps": list(times)})


def embedding(denoiser: Any, times: Sequence[float]) -> Floats:
    """(timesteps, width) t_emb, each computed as the denoiser itself does: one at a time, so the same to the bit."""
    import torch

    part = denoiser.condition_embedder
    weight = next(part.time_embedder.parameters())
    with torch.inference_mode():
        waves = [part.timesteps_proj(torch.tensor([t], device=weight.device)).to(weight.dtype) for t in times]
        found = [part.time_embedder(wave)[0].double().cpu().numpy() for wave in waves]
    return np.stack(found)


def _denoiser(pipeline: Any) -> Any:
    """The pipeline's transformer. InputError (`bad-gate`) where t_emb is not a function of the step's t alone."""
    found = getattr(pipeline, "transformer", None)
    why = None
    if not hasattr(getattr(found, "condition_embedder", None), "time_embedder"):
        why = f"{type(found).__name__} without condition_embedder.time_embedder"
    elif getattr(pipeline, "transformer_2", None) is not None:
        why = "a second transformer, which the experts were not made for"
    elif pipeline.config.get("expand_timesteps"):
        why = "a timestep for every token"
    if why:
        raise InputError("a gate on t needs one denoiser and one timestep a step", code="bad-gate", found=why, expected="Wan2.1")
    return found


def _linear(denoiser: Any) -> list[str]:
    """Names of all linear layers of the numbered blocks."""
    import torch

    found = [
        name.removesuffix(".base_layer")
        for name, module in denoiser.named_modules()
        if isinstance(module, torch.nn.Linear) and ".lora_" not in name
    ]
    return [name for name in found if _in_block(name)]


def _in_block(name: str) -> bool:
    try:
        block_of(name)
    except InputError:
        return False
    return True


def _modules(experts: Mapping[str, Path], linear: Sequence[str]) -> tuple[str, ...]:
    """What all experts adapt, in the denoiser's order. InputError (`lora-keys`) where they differ, or adapt what is no linear layer of a block."""
    if not experts:
        raise InputError("there are no experts", code="lora-missing", found="none", expected="one LoRA or more")
    first, *_ = experts
    covers = {name: set(shapes_of(path)) for name, path in experts.items()}
    for name, path in experts.items():
        strange = sorted(covers[name] - set(linear))
        if strange:
            raise InputError(
                "is a LoRA on what is no linear layer of a numbered block",
                code="lora-keys",
                path=path,
                found=_few(strange),
                expected=f"some of {len(linear)}: {_few(linear)}",
            )
        for missing, side in ((covers[first] - covers[name], f"only in {first}"), (covers[name] - covers[first], f"not in {first}")):
            if missing:
                raise InputError(
                    "adapts other modules than the other experts",
                    code="lora-keys",
                    path=path,
                    found=f"{side}: {_few(sorted(missing))}",
                    expected=f"the {len(covers[first])} modules of {first}",
                )
    return tuple(name for name in linear if name in covers[first])


def _constants(
    experts: Mapping[str, Path], constants: Mapping[str, float] | None, gate: Path | None
) -> tuple[tuple[str, ...], dict[str, Gate]]:
    if gate is not None:
        raise InputError("level `none` has no gate file", code="gate-keys", path=gate, expected="a constant for each expert")
    given = constants or {}
    strange = [
        name for name, value in given.items() if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    ]
    if set(given) != set(experts) or strange:
        raise InputError(
            "level `none` needs one constant for each expert",
            code="gate-keys",
            found=", ".join(f"{name} = {value!r}" for name, value in given.items()) or "none",
            expected=", ".join(f"{name} = NUMBER" for name in experts),
        )
    return tuple(experts), {WHOLE: Gate(None, np.array([float(given[name]) for name in experts]))}


def _read(
    gate: Path | None, experts: Mapping[str, Path], modules: Sequence[str], level: Level, constants: Mapping[str, float] | None
) -> tuple[tuple[str, ...], dict[str, Gate]]:
    """The experts in the file's order, and the gates by key."""
    from safetensors import SafetensorError, safe_open

    if constants:
        raise InputError("constants belong to level `none`", code="gate-keys", found=f"level {level}", expected="a gate file alone")
    if gate is None or not gate.is_file():
        raise InputError(
            "there is no gate file", code="gate-missing", path=gate, found="absent", expected=f"safetensors of level `{level}`"
        )
    try:
        with safe_open(str(gate), "pt") as file:
            stated = (file.metadata() or {}).get("experts", "")
            tensors = {key: np.asarray(file.get_tensor(key).double().numpy()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError("is damaged", code="gate-keys", path=gate, found=str(error)) from error
    order = tuple(name.strip() for name in stated.split(","))
    if sorted(order) != sorted(experts):
        raise InputError(
            "is a gate over other experts",
            code="gate-keys",
            path=gate,
            found=stated or "no `experts` in its metadata",
            expected=",".join(experts),
        )
    wanted = sorted({f"{key}.{half}" for key in keys(modules, level) for half in ("weight", "bias")})
    missing, extra = [key for key in wanted if key not in tensors], sorted(set(tensors) - set(wanted))
    if missing or extra:
        raise InputError(
            f"has not the gates of level `{level}`",
            code="gate-keys",
            path=gate,
            found="; ".join(f"{word}: {_few(names)}" for word, names in (("missing", missing), ("extra", extra)) if names),
            expected=f"{len(wanted)} tensors: {_few(wanted)}",
        )
    return order, {key: Gate(tensors[f"{key}.weight"], tensors[f"{key}.bias"]) for key in dict.fromkeys(keys(modules, level))}


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
