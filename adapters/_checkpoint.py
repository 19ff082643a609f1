"""Loading a pipeline from a folder in diffusers' format, and LoRAs onto it: safetensors only, nothing fetched, nothing of the folder run, every fault named."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapters._kinds import Kind
from adapters._memory import is_full
from benchmark.errors import InputError

HINT = "hvbench ls adapters; --checkpoint tiny for a rehearsal"
_CODE = (".py",)
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def look(folder: Path, kind: Kind) -> dict[str, Any]:
    """The folder's model_index.json. Raises InputError: `checkpoint-missing`, `checkpoint-class` (another pipeline), `checkpoint-unsafe` (tensors in a format
    that can run code and none in safetensors beside it, or code of its own)."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise InputError(
            "is no checkpoint in diffusers' format",
            code="checkpoint-missing",
            path=folder,
            found="no model_index.json",
            expected=kind.pipeline,
            hint=HINT,
        )
    try:
        found: dict[str, Any] = json.loads(index.read_text())
    except ValueError as error:
        raise InputError("is no JSON", code="checkpoint-missing", path=index, found=str(error)) from error
    if found.get("_class_name") != kind.pipeline:
        raise InputError(
            "is the checkpoint of another pipeline",
            code="checkpoint-class",
            path=index,
            found=str(found.get("_class_name")),
            expected=kind.pipeline,
        )
    code = sorted(path.relative_to(folder) for path in files_of(folder) if path.suffix in _CODE)
    if code:
        raise InputError(
            "holds code of its own", code="checkpoint-unsafe", path=folder, found=", ".join(map(str, code[:3])), expected="tensors and JSON"
        )
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        pickled = [path.name for path in part.iterdir() if path.suffix in _PICKLED]
        if pickled and not any(path.suffix == ".safetensors" for path in part.iterdir()):
            raise InputError(
                "has tensors only in a format that can run code",
                code="checkpoint-unsafe",
                path=part,
                found=", ".join(pickled[:3]),
                expected="safetensors",
                hint="save it anew with save_pretrained(safe_serialization=True)",
            )
    return found


def files_of(folder: Path) -> Iterator[Path]:
    """Every file below a folder, behind links to folders too (a text encoder that two pipelines share); a link to a folder above is not followed."""
    for where, below, names in os.walk(folder, followlinks=True):
        here = os.path.realpath(where)
        below[:] = [name for name in below if not f"{here}{os.sep}".startswith(os.path.realpath(Path(where) / name) + os.sep)]
        yield from (Path(where) / name for name in names)


def load(folder: Path, kind: Kind, *, dtype: str = "float32", device: str = "cpu", offload: bool = False) -> Any:
    """The pipeline on a device. dtype: `float32`, `bfloat16`, `float16`; parts that the kind wants exact stay in float32. offload: parts wait on the CPU until
    they are needed (a GPU only).

    Raises InputError as `look` does, `not-installed` without diffusers, `checkpoint-keys` where tensors are missing, too many or of other shapes,
    `out-of-memory`.
    """
    index = look(folder, kind)
    try:
        import diffusers
        import torch
    except ImportError as error:
        raise InputError(
            "diffusers is not installed",
            code="not-installed",
            found=str(error),
            hint="python -m pip install 'human-video-benchmark[diffusers]'",
        ) from error
    _check_tensors(folder, index)
    quiet()
    types = {part: getattr(torch, "float32" if part in kind.exact else dtype) for part in (*index, "default")}
    try:
        encoders = _encoders(folder, index, types)
        with warnings.catch_warnings():
            # 0.42 wants `dtype`, which the versions before it do not know.
            warnings.filterwarnings("ignore", message=".*torch_dtype", category=FutureWarning)
            pipeline = getattr(diffusers, kind.pipeline).from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, torch_dtype=types, **encoders
            )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        if is_full(error):
            raise
        raise InputError("cannot be loaded", code="checkpoint-keys", path=folder, found=str(error).strip().splitlines()[0][:300]) from error
    pipeline.set_progress_bar_config(disable=True)
    if offload and device.startswith("cuda"):
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.to(device)
    return pipeline


def quiet() -> None:
    """Our own lines say what is loaded; two libraries' bars do not."""
    from diffusers.utils import logging
    from transformers.utils import logging as words

    logging.disable_progress_bar()
    words.disable_progress_bar()


def _encoders(folder: Path, index: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline's models of transformers, none of whose tensors may be missing: they would be drawn at random. What is too many belongs to other heads."""
    import transformers

    found = {}
    for name, entry in index.items():
        named = getattr(transformers, str(entry[1]), None) if isinstance(entry, list) and entry[0] == "transformers" else None
        if isinstance(named, type) and issubclass(named, transformers.PreTrainedModel) and (folder / name).is_dir():
            cls: Any = named
            model, told = cls.from_pretrained(
                str(folder / name), local_files_only=True, use_safetensors=True, dtype=types[name], output_loading_info=True
            )
            if missing := sorted(told["missing_keys"]):
                raise InputError(
                    "does not hold the tensors its configuration asks for",
                    code="checkpoint-keys",
                    path=folder / name,
                    found=f"lacks {', '.join(missing[:3])}" + (" ..." if len(missing) > 3 else ""),
                    expected=cls.__name__,
                )
            found[name] = model.eval()
    return found


def config_of(path: Path) -> dict[str, Any]:
    """A part's config.json. Raises InputError (`checkpoint-missing`) where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("is no JSON", code="checkpoint-missing", path=path, found=str(error)) from error
    if not isinstance(found, dict):
        raise InputError("is no configuration", code="checkpoint-missing", path=path, found=type(found).__name__, expected="a table")
    return found


def _check_tensors(folder: Path, index: Mapping[str, Any]) -> None:
    """The diffusers models' tensors against those that their configuration makes: diffusers itself fills what is missing with noise and goes on."""
    import diffusers
    import torch

    for name, entry in index.items():
        config = folder / name / "config.json"
        if not (isinstance(entry, list) and entry[0] == "diffusers" and config.is_file()):
            continue
        facts = config_of(config)
        cls = getattr(diffusers, str(facts.get("_class_name")), None)
        if cls is None:
            raise InputError(
                "is of a class that diffusers does not have", code="checkpoint-class", path=config, found=str(facts.get("_class_name"))
            )
        with torch.device("meta"):
            wanted = {key: tuple(tensor.shape) for key, tensor in cls.from_config(facts).state_dict().items()}
        compare(shapes(folder / name), wanted, folder / name)


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """{tensor: shape} of all safetensors files of a folder, read from their headers. InputError (`checkpoint-keys`) for a file that is damaged."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(str(path), "np") as file:
                found |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  # no mapping, whatever its method is called
        except (SafetensorError, OSError) as error:
            raise InputError("is damaged", code="checkpoint-keys", path=path, found=str(error)) from error
    return found


def compare(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """InputError (`checkpoint-keys`) that names what is missing, too many or of another shape."""
    missing = [key for key in wanted if key not in found]
    extra = [key for key in found if key not in wanted]
    other = [f"{key} {found[key]} for {shape}" for key, shape in wanted.items() if key in found and found[key] != shape]
    if missing or extra or other:
        said = [f"{label} {', '.join(keys[:3])}" + (" ..." if len(keys) > 3 else "") for label, keys in
                (("lacks", missing), ("has", extra), ("other shape", other)) if keys]  # fmt: skip
        raise InputError(
            "does not hold the tensors its configuration asks for",
            code="checkpoint-keys",
            path=path,
            found="; ".join(said),
            expected=f"{len(wanted)} tensors",
        )


# ------------------------------------------------------------------------------------------------------------------------ LoRAs


def load_lora(pipeline: Any, path: Path, name: str, rank: int | None = None) -> int:
    """Put a LoRA (one safetensors file in diffusers' format) onto the pipeline's transformer under a name, and return its rank.

    Raises InputError: `lora-missing`, `lora-keys` (a module that the base does not have, a half without the other, another width), `lora-rank` (ranks
    differ, or are not the one asked for).
    """
    if getattr(pipeline, "transformer_2", None) is not None:
        raise InputError(
            "has two denoisers, and a LoRA is put onto one",
            code="two-denoisers",
            path=path,
            found="transformer and transformer_2",
            expected="a base with one denoiser",
        )
    if not path.is_file() or path.suffix != ".safetensors":
        raise InputError(
            "is no safetensors file of a LoRA", code="lora-missing", path=path, found="absent" if not path.exists() else path.name
        )
    halves = shapes_of(path)
    found = _rank(halves, path)
    if rank is not None and found != rank:
        raise InputError("is a LoRA of another rank", code="lora-rank", path=path, found=str(found), expected=str(rank))
    _fits(pipeline, halves, path)
    with warnings.catch_warnings():
        # Several adapters on one model are what is meant here.
        warnings.filterwarnings("ignore", message="Already found a `peft_config`", category=UserWarning)
        pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name, local_files_only=True, use_safetensors=True)
    pipeline.transformer.eval()  # layers that PEFT adds are in training mode: a dropout that the file states would be drawn
    return found


def shapes_of(path: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    """{module: {"A": shape, "B": shape}} of a LoRA file. InputError (`lora-keys`) for other keys."""
    from safetensors import SafetensorError, safe_open

    halves: dict[str, dict[str, tuple[int, ...]]] = {}
    try:
        with safe_open(str(path), "np") as file:
            keys = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError("is damaged", code="lora-keys", path=path, found=str(error)) from error
    for key, shape in keys.items():
        module, _, half = key.removesuffix(".weight").rpartition(".lora_")
        if not module or half not in ("A", "B") or not key.startswith("transformer."):
            raise InputError(
                "has keys that are none of a LoRA's",
                code="lora-keys",
                path=path,
                found=key,
                expected="transformer.MODULE.lora_A.weight and lora_B",
            )
        halves.setdefault(module.removeprefix("transformer."), {})[half] = shape
    lone = [module for module, parts in halves.items() if set(parts) != {"A", "B"}]
    if lone or not halves:
        raise InputError("has halves of a LoRA without the other", code="lora-keys", path=path, found=", ".join(lone[:3]) or "no tensor")
    return halves


def _rank(halves: Mapping[str, Mapping[str, tuple[int, ...]]], path: Path) -> int:
    ranks = {parts["A"][0] for parts in halves.values()} | {parts["B"][1] for parts in halves.values()}
    if len(ranks) != 1:
        raise InputError("mixes ranks", code="lora-rank", path=path, found=", ".join(map(str, sorted(ranks))), expected="one rank")
    return ranks.pop()


def _fits(pipeline: Any, halves: Mapping[str, Mapping[str, tuple[int, ...]]], path: Path) -> None:
    known = {
        name: tuple(module.weight.shape)
        for name, module in pipeline.transformer.named_modules()
        if getattr(module, "weight", None) is not None
    }
    known = {name.removesuffix(".base_layer"): shape for name, shape in known.items()}
    strange = [module for module in halves if module not in known]
    if strange:
        raise InputError(
            "is a LoRA for another base", code="lora-keys", path=path, found=f"{len(strange)} unknown modules: {', '.join(strange[:3])}", expected="modules of "
            + type(pipeline.transformer).__name__,
        )  # fmt: skip
    wide = [f"{module} {parts['B'][0]}x{parts['A'][1]} for {'x'.join(map(str, known[module][:2]))}" for module, parts in halves.items()
            if (parts["B"][0], parts["A"][1]) != known[module][:2]]  # fmt: skip
    if wide:
        raise InputError("is a LoRA for a base of another width", code="lora-keys", path=path, found="; ".join(wide[:3]))
