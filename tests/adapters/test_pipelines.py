"""Tiny pipelines of the real classes: loading and what is refused, counted evaluations, LoRAs merged and unmerged. What they draw is noise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters._checkpoint import load, load_lora
from adapters._cost import Cost, counted
from adapters._kinds import KINDS
from adapters._tiny import build
from benchmark.errors import InputError

SIDE, FRAMES, STEPS = 16, 9, 4


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny pipeline of a kind."""
    folder = tmp_path_factory.mktemp("tiny")
    return lambda kind: build(kind, folder)


def picture() -> Any:
    from PIL import Image

    return Image.fromarray((np.mgrid[:SIDE, :SIDE].sum(axis=0)[..., None] * (5, 3, 7) % 256).astype(np.uint8))


def vace(pipeline: Any, guidance: float = 5.0, seed: int = 0) -> tuple[NDArray[np.float32], Cost]:
    """(frames, h, w, 3) on 0..1, and what they cost."""
    import torch
    from PIL import Image

    with counted(pipeline, KINDS["vace"].denoisers) as cost:
        made = pipeline(
            video=[Image.new("RGB", (SIDE, SIDE))] * FRAMES,
            mask=[Image.new("L", (SIDE, SIDE), 255)] * FRAMES,
            reference_images=[picture()],
            prompt="a person moves",
            negative_prompt="",
            height=SIDE,
            width=SIDE,
            num_frames=FRAMES,
            num_inference_steps=STEPS,
            guidance_scale=guidance,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
            max_sequence_length=16,
        )
    return made.frames[0], cost


def test_tiny_pipelines_are_drawn_once_and_alike(tmp_path: Path) -> None:
    """The same tensors wherever they are drawn; torch's own random numbers go on as if nothing had been."""
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, two = build("vace", tmp_path / "one"), build("vace", tmp_path / "two")
    assert torch.equal(torch.rand(3), expected)
    files = sorted(path.relative_to(one) for path in one.rglob("*.safetensors"))
    assert files
    assert [(one / path).read_bytes() for path in files] == [(two / path).read_bytes() for path in files]
    stamp = (one / "model_index.json").stat().st_mtime_ns
    assert build("vace", tmp_path / "one") == one
    assert (one / "model_index.json").stat().st_mtime_ns == stamp


def test_counted_evaluations_of_two_calls_a_step(tiny: Callable[[str], Path]) -> None:
    """Wan calls its transformer twice a step under guidance, once without; the same seed is the same clip, another one another."""
    pipeline = load(tiny("vace"), KINDS["vace"])
    frames, cost = vace(pipeline)
    assert frames.shape == (FRAMES, SIDE, SIDE, 3)
    assert (cost.nfe, cost.calls) == (2 * STEPS, {"transformer": 2 * STEPS})
    assert set(cost.seconds) == {"denoiser", "text", "vae", "total"}
    assert cost.seconds["total"] >= cost.seconds["denoiser"] + cost.seconds["vae"]
    assert cost.peak_bytes is None
    assert json.dumps(cost.to_json())
    again, _ = vace(pipeline)
    assert np.array_equal(frames, again)
    assert not np.array_equal(frames, vace(pipeline, seed=1)[0])
    assert vace(pipeline, guidance=1.0)[1].nfe == STEPS
    assert not pipeline.transformer._forward_hooks
    assert "decode" not in vars(pipeline.vae)


def test_counted_evaluations_of_a_batched_call(tiny: Callable[[str], Path]) -> None:
    """CogVideoX calls once a step with both halves of the guidance: half the calls, as many evaluations."""
    import torch

    kind = KINDS["cogvideox-i2v"]
    pipeline = load(tiny(kind.id), kind)
    with counted(pipeline, kind.denoisers) as cost:
        made = pipeline(
            image=picture(),
            prompt="a person moves",
            negative_prompt="",
            height=SIDE,
            width=SIDE,
            num_frames=FRAMES,
            num_inference_steps=STEPS,
            guidance_scale=6.0,
            generator=torch.Generator().manual_seed(0),
            output_type="np",
            max_sequence_length=16,
        )
    assert made.frames.shape == (1, FRAMES, SIDE, SIDE, 3)
    assert (cost.nfe, cost.calls) == (2 * STEPS, {"transformer": STEPS})


def test_a_pipeline_without_the_denoiser(tiny: Callable[[str], Path]) -> None:
    pipeline = load(tiny("vace"), KINDS["vace"])
    with pytest.raises(ValueError, match="WanVACEPipeline has none of unet"), counted(pipeline, ("unet",)):
        pass


@pytest.mark.parametrize(("frames", "made"), [(1, 1), (2, 5), (5, 5), (49, 49), (50, 53), (81, 81)])
def test_lengths(frames: int, made: int) -> None:
    assert KINDS["vace"].length(frames) == made


def test_sizes() -> None:
    assert KINDS["vace"].size(604, 604) == (592, 592)
    with pytest.raises(ValueError, match="multiples"):
        KINDS["vace"].size(15, 200)


# --------------------------------------------------------------------------------------------------------------- refused


def refused(folder: Path, kind: str = "vace") -> InputError:
    with pytest.raises(InputError) as error:
        load(folder, KINDS[kind])
    return error.value


def changed(
    tiny: Callable[[str], Path], tmp_path: Path, change: Callable[[dict[str, Any]], None], kind: str = "vace", part: str = "transformer"
) -> Path:
    """A copy of the tiny pipeline whose denoiser's tensors are changed."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "copy"
    shutil.copytree(tiny(kind), folder)
    (path,) = (folder / part).glob("*.safetensors")
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    return folder


def test_checkpoints_that_are_none(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    assert refused(tmp_path).code == "checkpoint-missing"
    other = refused(tiny("vace"), "cogvideox-i2v")
    assert (other.code, other.found, other.expected) == ("checkpoint-class", "WanVACEPipeline", "CogVideoXImageToVideoPipeline")


def test_tensors_that_do_not_fit(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """Missing, too many, of another shape: each is named, where diffusers itself would go on."""
    import torch

    key = "blocks.0.attn1.to_q.weight"
    for number, (change, says) in enumerate(
        (
            (lambda tensors: tensors.pop(key), f"lacks {key}"),
            (lambda tensors: tensors.update(surplus=torch.zeros(2)), "has surplus"),
            (lambda tensors: tensors.update({key: torch.zeros(3, 24)}), f"other shape {key} (3, 24) for (24, 24)"),
        )
    ):
        error = refused(changed(tiny, tmp_path / str(number), change))
        assert error.code == "checkpoint-keys"
        assert says in str(error.found)


@pytest.mark.parametrize(
    ("kind", "part", "key"),
    [("svd-i2v", "unet", "add_embedding.linear_1.weight"), ("wan-animate", "transformer", "motion_encoder.motion_synthesis_weight")],
)
def test_missing_tensors_of_other_denoisers(kind: str, part: str, key: str, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    error = refused(changed(tiny, tmp_path, lambda tensors: tensors.pop(key), kind, part), kind)
    assert (error.code, error.path) == ("checkpoint-keys", str(tmp_path / "copy" / part))
    assert f"lacks {key}" in str(error.found)


def test_what_could_run_code(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny("vace"), folder)
    (folder / "transformer" / "modeling.py").write_text("print('no')")
    assert refused(folder).code == "checkpoint-unsafe"
    (folder / "transformer" / "modeling.py").unlink()
    (path,) = (folder / "transformer").glob("*.safetensors")
    path.rename(path.with_suffix(".bin"))
    assert (refused(folder).code, refused(folder).expected) == ("checkpoint-unsafe", "safetensors")


# ----------------------------------------------------------------------------------------------------------------- LoRAs


def lora(path: Path, pipeline: Any, rank: int = 4, seed: int = 0, scale: float = 0.3) -> Path:
    """A LoRA on to_q, to_k, to_v of every block's self-attention."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in pipeline.transformer.named_modules():
        if name.startswith("blocks.") and ".attn1.to_" in name and name.rpartition(".")[2] in ("to_q", "to_k", "to_v"):
            wide, deep = module.weight.shape
            tensors[f"transformer.{name}.lora_A.weight"] = torch.randn(rank, deep, generator=generator) * scale
            tensors[f"transformer.{name}.lora_B.weight"] = torch.randn(wide, rank, generator=generator) * scale
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def test_a_lora_merged_and_unmerged(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """The LoRA changes the clip; merged into the weights it is the same clip within 1e-5; unloaded, the baseline's to the bit."""
    pipeline = load(tiny("vace"), KINDS["vace"])
    before, _ = vace(pipeline)
    assert load_lora(pipeline, lora(tmp_path / "ipa.safetensors", pipeline), "ipa", rank=4) == 4
    apart, _ = vace(pipeline)
    assert np.abs(apart - before).max() > 1e-3
    pipeline.fuse_lora(adapter_names=["ipa"])
    merged, _ = vace(pipeline)
    assert np.abs(merged - apart).max() < 1e-5
    pipeline.unfuse_lora()
    pipeline.unload_lora_weights()
    after, _ = vace(load(tiny("vace"), KINDS["vace"]))
    assert np.array_equal(after, before)


def test_loras_that_do_not_fit(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    pipeline = load(tiny("vace"), KINDS["vace"])
    good = lora(tmp_path / "good.safetensors", pipeline)
    tensors = load_file(good)
    first = "transformer.blocks.0.attn1.to_q.lora_A.weight"

    def written(name: str, **changes: Any) -> Path:
        save_file({**{key: value for key, value in tensors.items() if changes.get(key, 0) is not None}, **{k: v for k, v in changes.items() if v is not None}},
                  tmp_path / name)  # fmt: skip
        return tmp_path / name

    for path, rank, code, says in (
        (tmp_path / "none.safetensors", None, "lora-missing", "absent"),
        (good, 8, "lora-rank", "4"),
        (written("half.safetensors", **{first: None}), None, "lora-keys", "blocks.0.attn1.to_q"),
        (written("ranks.safetensors", **{first: torch.zeros(5, 24)}), None, "lora-rank", "4, 5"),
        (written("wide.safetensors", **{first: torch.zeros(4, 30)}), None, "lora-keys", "24x30 for 24x24"),
        (
            written(
                "base.safetensors",
                **{"transformer.no.lora_A.weight": torch.zeros(4, 24), "transformer.no.lora_B.weight": torch.zeros(24, 4)},
            ),
            None,
            "lora-keys",
            "1 unknown modules: no",
        ),
        (written("other.safetensors", alpha=torch.zeros(1)), None, "lora-keys", "alpha"),
    ):
        with pytest.raises(InputError) as error:
            load_lora(pipeline, path, "x", rank)
        assert (error.value.code, path.name) == (code, path.name)
        assert says in str(error.value.found)
