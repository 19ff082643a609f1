"""Experts that count by timestep, on the tiny image-to-video pipeline: every linear layer at every step against the formula, the clip against merged
weights."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters._checkpoint import load as load_pipeline
from adapters._experts import schedule
from adapters._fused import Armed, Fused, arm, embedding, load
from adapters._kinds import KINDS
from adapters._tiny import build
from benchmark.errors import InputError

EXPERTS, SIDE, STEPS, WIDTH = ("motion", "lip", "visual"), 16, 4, 24
PER_BLOCK = [
    *(f"{attention}.{part}" for attention in ("attn1", "attn2") for part in ("to_q", "to_k", "to_v", "to_out.0")),
    "attn2.add_k_proj",
    "attn2.add_v_proj",
    "ffn.net.0.proj",
    "ffn.net.2",
]
MODULES = [f"blocks.{block}.{name}" for block in range(3) for name in PER_BLOCK]
Tensors = dict[str, Any]


def fresh(folder: Path) -> Any:
    return load_pipeline(build("wan-i2v", folder), KINDS["wan-i2v"])


def expert(
    path: Path, pipeline: Any, seed: int, rank: int = 4, alpha: float | None = None, zero: bool = False, modules: Sequence[str] = MODULES
) -> Path:
    """A LoRA on these modules. alpha: stated in the metadata as diffusers writes it; None: no metadata, which means alpha = rank."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name in modules:
        wide, deep = pipeline.transformer.get_submodule(name).weight.shape
        tensors[f"transformer.{name}.lora_A.weight"] = torch.randn(rank, deep, generator=generator) * 0.3
        b = torch.randn(wide, rank, generator=generator) * 0.3
        tensors[f"transformer.{name}.lora_B.weight"] = torch.zeros_like(b) if zero else b
    # The dropout is of training: a layer left in that mode would draw from it.
    stated = {"r": rank, "lora_alpha": alpha, "lora_dropout": 0.5, "target_modules": list(modules)}
    config = {f"transformer.{key}": value for key, value in stated.items()}
    save_file(tensors, path, None if alpha is None else {"lora_adapter_metadata": json.dumps(config), "format": "pt"})
    return path


def gate(path: Path, level: str, order: Sequence[str] = EXPERTS, seed: int = 9, **changes: Any) -> Path:
    """A gate file of this level, drawn from a seed. changes: experts = what its metadata says; others replace or (None) remove a tensor."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    names = {"module": MODULES, "block": [f"blocks.{k}" for k in range(3)], "expert": ["all"]}[level]
    tensors = {}
    for name in names:
        tensors[f"{name}.weight"] = torch.randn(len(order), WIDTH, generator=generator) * 3
        tensors[f"{name}.bias"] = torch.randn(len(order), generator=generator) * 0.3
    said = changes.pop("experts", ",".join(order))
    for name, tensor in changes.items():
        tensors.pop(name, None)
        if tensor is not None:
            tensors[name] = tensor
    save_file(tensors, path, {"experts": said} if said is not None else None)
    return path


def files(folder: Path, pipeline: Any, **more: Any) -> dict[str, Path]:
    """Three experts of unequal alpha: alpha / r = 1 (nothing stated), 2, 0.75."""
    return {
        name: expert(folder / f"{name}.safetensors", pipeline, seed, alpha=alpha, **more)
        for seed, (name, alpha) in enumerate(zip(EXPERTS, (None, 8, 3), strict=True), 1)
    }


def clip(pipeline: Any, step_end: Any = None, steps: int = STEPS) -> NDArray[np.float32]:
    """(frames, h, w, 3) on 0..1. 512 words, since Wan's cross-attention takes what comes before the last 512 for the image's: of 16 it would see no image."""
    import torch
    from PIL import Image

    picture = Image.fromarray((np.mgrid[:SIDE, :SIDE].sum(axis=0)[..., None] * (5, 3, 7) % 256).astype(np.uint8))
    more = {} if step_end is None else {"callback_on_step_end": step_end}
    with torch.inference_mode():
        made = pipeline(
            image=picture, prompt="a person moves", negative_prompt="", height=SIDE, width=SIDE, num_frames=5, num_inference_steps=steps,
            guidance_scale=5.0, generator=torch.Generator().manual_seed(0), output_type="np", max_sequence_length=512, **more,
        )  # fmt: skip
    found: NDArray[np.float32] = made.frames[0]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fused")


@pytest.fixture(scope="module")
def loras(folder: Path) -> dict[str, Path]:
    return files(folder, fresh(folder))


@pytest.fixture(scope="module")
def loaded(folder: Path, loras: dict[str, Path]) -> tuple[Any, Fused]:
    """The pipeline with three experts under one gate for every module."""
    pipeline = fresh(folder)
    return pipeline, load(pipeline, loras, gate(folder / "module.safetensors", "module"), "module", rank=4)


def softmax_by_torch(file: Path, key: str, t_emb: Any) -> NDArray[np.float64]:
    """w = softmax(W t_emb) + b in float64, by torch and from the file itself."""
    import torch
    from safetensors.torch import load_file

    tensors = load_file(file)
    found: NDArray[np.float64] = (
        torch.softmax(tensors[f"{key}.weight"].double() @ t_emb.double(), 0) + tensors[f"{key}.bias"].double()
    ).numpy()
    return found


def halves(loras: Mapping[str, Path], module: str) -> list[tuple[Any, float]]:
    """B A of each expert in float64, and the alpha / r that `files` gave it."""
    from safetensors.torch import load_file

    parts = [load_file(loras[name]) for name in EXPERTS]
    found = [p[f"transformer.{module}.lora_B.weight"].double() @ p[f"transformer.{module}.lora_A.weight"].double() for p in parts]
    return list(zip(found, (1.0, 2.0, 0.75), strict=True))


def test_every_linear_layer_at_every_step_is_the_formula(loaded: tuple[Any, Fused], loras: dict[str, Path], folder: Path) -> None:
    """What goes into each layer, h' = W x + b + sum_k w_k (alpha_k / r_k) B_k A_k x in float64 with t_emb as the run itself made it, against what comes out.

    Bound: a float32 dot product of n terms is off by less than n 2^-24 of the sum of its terms' absolute values (Higham 2002, 3.1; n + 16 for the sums over
    experts, the scaling and a reordering). The experts' share itself is far above it.
    """
    import torch

    pipeline, fused = loaded
    assert list(fused.modules) == MODULES
    armed = arm(pipeline, fused, STEPS)
    base = load_pipeline(build("wan-i2v", folder), KINDS["wan-i2v"]).transformer
    calls: dict[str, list[tuple[Any, Any]]] = {name: [] for name in ("t_emb", *MODULES)}

    def note(name: str) -> Any:
        return lambda module, given, result: calls[name].append((given[0].clone(), result.clone()))

    hooks = [pipeline.transformer.get_submodule(name).register_forward_hook(note(name)) for name in MODULES]
    hooks.append(pipeline.transformer.condition_embedder.time_embedder.register_forward_hook(note("t_emb")))
    clip(pipeline, armed.step_end)
    for hook in hooks:
        hook.remove()
    assert [len(found) for found in calls.values()] == [2 * STEPS] * (1 + len(MODULES))
    checked = np.inf
    for call in range(2 * STEPS):
        t_emb = calls["t_emb"][call][1][0]
        assert np.array_equal(t_emb.double().numpy(), embedding(pipeline.transformer, armed.timesteps)[call // 2])
        for number, name in enumerate(MODULES):
            x, y = (tensor.double() for tensor in calls[name][call])
            weights = softmax_by_torch(folder / "module.safetensors", name, t_emb)
            assert armed.table[call // 2, number] == pytest.approx(weights, rel=1e-12)
            layer = base.get_submodule(name)
            w, b = layer.weight.detach().double(), layer.bias.detach().double()
            expected, size = x @ w.T + b, x.abs() @ w.abs().T + b.abs()
            share = torch.zeros_like(expected)
            for k, (delta, own) in enumerate(halves(loras, name)):
                share += weights[k] * own * (x @ delta.T)
                size += abs(weights[k] * own) * (x.abs() @ _absolute(loras, name, k).T)
            bound = (w.shape[1] + 4 + 16) * 2.0**-24 * size
            assert bool(((y - expected - share).abs() <= bound).all()), (name, call)
            checked = min(checked, float((share.abs() / bound).max()))
    assert checked > 1e3


def _absolute(loras: Mapping[str, Path], module: str, k: int) -> Any:
    """|B| |A| of one expert."""
    from safetensors.torch import load_file

    part = load_file(loras[EXPERTS[k]])
    return part[f"transformer.{module}.lora_B.weight"].double().abs() @ part[f"transformer.{module}.lora_A.weight"].double().abs()


def by_hand(folder: Path, loras: Mapping[str, Path], weights: Mapping[float, NDArray[np.float64]]) -> NDArray[np.float32]:
    """A clip of the base whose weights are written anew, merged in float64, for the t of every forward. weights: {t: (modules, experts)}."""
    import torch

    pipeline = fresh(folder)
    original = {name: pipeline.transformer.get_submodule(name).weight.detach().clone().double() for name in MODULES}
    deltas = {name: halves(loras, name) for name in MODULES}

    def merge(module: Any, given: Any, named: Any) -> None:
        row = weights[float(named["timestep"].flatten()[0])]
        for number, name in enumerate(MODULES):
            merged = original[name] + sum(row[number, k] * own * delta for k, (delta, own) in enumerate(deltas[name]))
            with torch.no_grad():
                module.get_submodule(name).weight.copy_(merged.float())

    pipeline.transformer.register_forward_pre_hook(merge, with_kwargs=True)
    return clip(pipeline)


def test_the_clip_is_that_of_merged_weights(loaded: tuple[Any, Fused], loras: dict[str, Path], folder: Path) -> None:
    """W + sum_k w_k s_k B_k A_k by hand for the t of every forward: the same clip within 1e-4 of the grey range (float32 through four steps and a VAE of gain
    20); weights of the neighbouring step, or all three experts alike, are a hundred times that away."""
    pipeline, fused = loaded
    armed = arm(pipeline, fused, STEPS)
    ours = clip(pipeline, armed.step_end)
    rows = dict(zip(armed.timesteps, armed.table, strict=True))
    assert np.abs(ours - by_hand(folder, loras, rows)).max() < 1e-4
    late = dict(zip(armed.timesteps, np.roll(armed.table, 1, axis=0), strict=True))
    assert np.abs(ours - by_hand(folder, loras, late)).max() > 1e-2
    plain = dict.fromkeys(armed.timesteps, np.full_like(armed.table[0], 1 / 3))
    assert np.abs(ours - by_hand(folder, loras, plain)).max() > 1e-2
    # The next clip starts from its own first step.
    assert np.array_equal(clip(pipeline, arm(pipeline, fused, STEPS).step_end), ours)


def test_experts_of_zeros_are_the_baseline_to_the_bit(folder: Path, tmp_path: Path) -> None:
    import torch

    baseline = clip(fresh(folder))
    pipeline = fresh(folder)
    fused = load(pipeline, files(tmp_path, pipeline, zero=True), gate(tmp_path / "gate.safetensors", "block"), "block")
    assert fused.facts["zero"] == dict.fromkeys(EXPERTS, 36)
    ours = clip(pipeline, arm(pipeline, fused, STEPS).step_end)
    assert torch.equal(torch.tensor(ours), torch.tensor(baseline))
    assert ours.tobytes() == baseline.tobytes()
    # A layer's -0.0 stays -0.0: a sum with PEFT's 0.0 would lose its sign.
    layer = pipeline.transformer.get_submodule(MODULES[0])
    layer.base_layer.register_forward_hook(lambda *_: -torch.zeros(1, WIDTH))
    assert bool(torch.signbit(layer(torch.ones(1, WIDTH))).all())


def test_one_zero_expert_leaves_the_others(loaded: tuple[Any, Fused], loras: dict[str, Path], folder: Path, tmp_path: Path) -> None:
    """Its share is out, its weight in the softmax is not: the clip is that of merged weights with its delta at zero."""
    pipeline = fresh(folder)
    given = {**loras, "lip": expert(tmp_path / "lip.safetensors", pipeline, 2, alpha=8, zero=True)}
    fused = load(pipeline, given, folder / "module.safetensors", "module")
    armed = arm(pipeline, fused, STEPS)
    ours = clip(pipeline, armed.step_end)
    rows = dict(zip(armed.timesteps, armed.table, strict=True))
    assert np.abs(ours - by_hand(folder, given, rows)).max() < 1e-4
    assert np.array_equal(armed.table, arm(loaded[0], loaded[1], STEPS).table)


def armed_values(pipeline: Any, modules: Sequence[str] = MODULES) -> NDArray[np.float64]:
    layers = [pipeline.transformer.get_submodule(name) for name in modules]
    return np.array([[layer.scaling[name] for name in EXPERTS] for layer in layers])


@pytest.mark.parametrize(("level", "gates"), [("module", 36), ("block", 3), ("expert", 1), ("none", 1)])
def test_levels(level: Any, gates: int, loras: dict[str, Path], folder: Path, tmp_path: Path) -> None:
    """What is armed at the first step: one row a module, a block, the network; a constant without a gate. The facts are a record's."""
    pipeline = fresh(folder)
    if level == "none":
        constants = {"motion": 0.5, "lip": -0.25, "visual": 1}
        fused = load(pipeline, loras, None, level, constants=constants)
    else:
        fused = load(pipeline, loras, gate(tmp_path / "gate.safetensors", level), level)
    armed = arm(pipeline, fused, STEPS)
    values = armed_values(pipeline) / (1, 2, 0.75)
    assert values == pytest.approx(armed.table[0], rel=1e-15)
    blocks = values.reshape(3, 12, 3)
    assert (blocks == blocks[:, :1]).all() == (level != "module")
    assert (values == values[0]).all() == (level in ("expert", "none"))
    assert (armed.table == armed.table[0]).all() == (level == "none")
    if level == "none":
        assert (armed.table == (0.5, -0.25, 1)).all()
    facts = dict(armed.facts)
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["level"], facts["gates"], facts["modules"], facts["linear_layers"], facts["not_covered"]) == (level, gates, 36, 36, [])
    assert facts["scalings"] == {"motion": [1.0], "lip": [2.0], "visual": [0.75]}


def test_the_gate_asks_t_and_not_the_step(loaded: tuple[Any, Fused], folder: Path) -> None:
    """Other numbers of steps under one gate file: every row is the formula at its own t."""
    import torch

    pipeline, fused = loaded
    seen: dict[float, NDArray[np.float64]] = {}
    for steps in (2, 5, 30):
        armed = arm(pipeline, fused, steps)
        assert armed.timesteps == schedule(pipeline, steps)
        assert armed.table.shape == (steps, 36, 3)
        for t, row in zip(armed.timesteps, armed.table, strict=True):
            assert np.array_equal(seen.setdefault(t, row), row)
            t_emb = torch.tensor(embedding(pipeline.transformer, [t])[0])
            assert row[17] == pytest.approx(softmax_by_torch(folder / "module.safetensors", MODULES[17], t_emb), rel=1e-12)
    assert len(seen) < 37  # the first t is shared


def test_the_files_order_holds(loras: dict[str, Path], folder: Path, tmp_path: Path) -> None:
    """Rows of the gate follow the order its metadata states, whatever the order in which the experts are given."""
    pipeline = fresh(folder)
    order = ("visual", "motion", "lip")
    path = gate(tmp_path / "gate.safetensors", "expert", order)
    fused = load(pipeline, loras, path, "expert")
    assert fused.experts == order
    armed = arm(pipeline, fused, STEPS)
    assert armed_values(pipeline)[0, 1] == pytest.approx(2 * armed.table[0, 0, 2], rel=1e-15)


def test_fewer_modules_and_another_rank(folder: Path, tmp_path: Path) -> None:
    """Allowed, and told."""
    pipeline = fresh(folder)
    some = [name for name in MODULES if name.endswith(("to_q", "to_v"))]
    fused = load(pipeline, files(tmp_path, pipeline, modules=some, rank=2), gate(tmp_path / "g.safetensors", "block"), "block", rank=2)
    assert list(fused.modules) == some
    assert fused.facts["ranks"] == dict.fromkeys(EXPERTS, 2)
    assert set(fused.facts["not_covered"]) == set(MODULES) - set(some)
    assert arm(pipeline, fused, STEPS).table.shape == (STEPS, 12, 3)


def test_other_steps_than_planned(loaded: tuple[Any, Fused]) -> None:
    pipeline, fused = loaded
    with pytest.raises(InputError) as error:
        clip(pipeline, arm(pipeline, fused, STEPS).step_end, steps=STEPS + 1)
    assert error.value.code == "bad-steps"
    # A clip that broke off leaves weights of another step: the next one must be armed anew.
    armed = arm(pipeline, fused, STEPS)
    armed.step_end(pipeline, 0, armed.timesteps[0], {})
    with pytest.raises(InputError, match=r"step 1 at t 999[\s\S]*step 2 of 4"):
        clip(pipeline, armed.step_end)


def test_files_that_do_not_belong_together(loras: dict[str, Path], folder: Path, tmp_path: Path) -> None:
    """Every fault by its code, and nothing is on the pipeline afterwards."""
    import torch

    pipeline = fresh(folder)
    good = gate(tmp_path / "good.safetensors", "block")
    fewer = expert(tmp_path / "fewer.safetensors", pipeline, 1, modules=MODULES[1:])
    outside = expert(tmp_path / "outside.safetensors", pipeline, 1, modules=["condition_embedder.time_proj"])
    (tmp_path / "torn.safetensors").write_bytes(good.read_bytes()[:100])

    def made(name: str, level: str = "block", **changes: Any) -> Path:
        return gate(tmp_path / name, level, **changes)

    nan = torch.full((3,), float("nan"))
    for given, path, level, code, names in (
        ({**loras, "lip": fewer}, good, "block", "lora-keys", "only in motion: blocks.0.attn1.to_q"),
        ({"motion": fewer, "lip": loras["lip"], "visual": loras["visual"]}, good, "block", "lora-keys", "not in motion"),
        (dict.fromkeys(EXPERTS, outside), good, "block", "lora-keys", "condition_embedder.time_proj"),
        ({**loras, "lip": tmp_path / "no.safetensors"}, good, "block", "lora-missing", "absent"),
        ({}, good, "block", "lora-missing", "none"),
        (loras, None, "block", "gate-missing", "absent"),
        (loras, tmp_path / "no.safetensors", "block", "gate-missing", "absent"),
        (loras, tmp_path / "torn.safetensors", "block", "gate-keys", ""),
        (loras, good, "module", "gate-keys", "missing: blocks.0.attn1.to_k.bias"),
        (loras, good, "none", "gate-keys", "level `none`"),
        (loras, None, "none", "gate-keys", "motion = NUMBER"),
        (loras, made("half.safetensors", **{"blocks.1.bias": None}), "block", "gate-keys", "missing: blocks.1.bias"),
        (loras, made("extra.safetensors", other=torch.zeros(1)), "block", "gate-keys", "extra: other"),
        (loras, made("silent.safetensors", experts=None), "block", "gate-keys", "no `experts`"),
        (loras, made("others.safetensors", experts="motion,lip,hands"), "block", "gate-keys", "hands"),
        (loras, made("two.safetensors", experts="motion,lip"), "block", "gate-keys", "motion,lip"),
        (loras, made("wide.safetensors", **{"blocks.1.weight": torch.zeros(3, 25)}), "block", "bad-gate", "25"),
        (loras, made("nan.safetensors", **{"blocks.1.bias": nan}), "block", "bad-gate", "3 of 3"),
    ):
        with pytest.raises(InputError) as error:
            load(pipeline, given, path, level)  # type: ignore[arg-type]
        assert error.value.code == code, str(error.value)
        assert names in str(error.value)
    for constants in ({"motion": 1.0}, {"motion": 1.0, "lip": float("nan"), "visual": 0.0}, {"motion": True, "lip": 1.0, "visual": 0.0}):
        with pytest.raises(InputError, match="one constant for each expert"):
            load(pipeline, loras, None, "none", constants=constants)
    with pytest.raises(InputError) as error:
        load(pipeline, loras, good, "block", constants={"motion": 1.0})
    assert error.value.code == "gate-keys"
    with pytest.raises(InputError) as error:
        load(pipeline, loras, good, "block", rank=8)
    assert error.value.code == "lora-rank"
    assert not getattr(pipeline.transformer, "peft_config", {})


def test_pipelines_that_have_no_one_t(folder: Path, loras: dict[str, Path], loaded: tuple[Any, Fused]) -> None:
    """Another denoiser class; a second denoiser; a timestep for every token; experts on another pipeline."""
    pipeline = fresh(folder)
    with pytest.raises(InputError) as error:
        arm(pipeline, loaded[1], STEPS)
    assert error.value.code == "lora-missing"
    pipeline.register_modules(transformer_2=pipeline.transformer)
    tokens = fresh(folder)
    tokens.register_to_config(expand_timesteps=True)
    for given, names in (
        (load_pipeline(build("cogvideox-i2v", folder), KINDS["cogvideox-i2v"]), "CogVideoX"),
        (pipeline, "a second transformer"),
        (tokens, "every token"),
    ):
        with pytest.raises(InputError) as error:
            load(given, loras, folder / "module.safetensors", "module")
        assert (error.value.code, names in str(error.value)) == ("bad-gate", True)


def test_arming_a_step_is_nothing(loaded: tuple[Any, Fused]) -> None:
    """36 modules of three experts in less than 0.36 ms, the fastest of some: 10 microseconds a module would be ten times what it takes."""
    pipeline, fused = loaded
    armed: Armed = arm(pipeline, fused, STEPS)
    took = []
    for _ in range(5):
        for step, t in enumerate(armed.timesteps):
            start = time.perf_counter()
            armed.step_end(pipeline, step, t, {})
            took.append(time.perf_counter() - start)
    assert min(took) < 36 * 1e-5
