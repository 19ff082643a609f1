"""The weights catalogue at work: find, check, load safely, fetch, import."""

from __future__ import annotations

import hashlib
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmark import matlab, paths
from benchmark.errors import InputError, Unscored
from benchmark.registry import WeightsEntry, find, registry
from benchmark.rows import extractors
from benchmark.seeded import seeded_tensor

TIMEOUT = 10.0
"""Seconds a server may stay silent before a pull gives up."""
SEEDED = "seeded-1"
GRAPHS = ("torchscript", "tflite", "onnx")
"""Formats that hold a program, not only tensors."""
Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Located:
    """A weight file that is here. origin: `real` (hash published and equal) or `first-use` (hash never published, recorded when it first came)."""

    path: Path
    sha256: str
    origin: str


def entry(name: str) -> WeightsEntry:
    """The catalogue's entry of that name; InputError that lists the names otherwise."""
    return find(registry().weights, name, "weights entry")


def how_to_get(item: WeightsEntry) -> str:
    """What to type for a file that is not here or is not the one."""
    if item.given:
        return f"{item.file} is your own to choose: hvbench weights import FOLDER, or --weights FOLDER"
    return f"hvbench weights pull {item.name}"


def users(name: str) -> list[str]:
    """The variants that need this file."""
    known = registry()
    using = {e.name for e in known.extractors.values() if name in e.item.files}
    using |= {e.name for e in known.extractors.values() if getattr(e.item, "over", None) in using}
    return [f"{m.name}@{v.id}" for m in known.metrics.values() for v in m.item.variants if using & set(extractors(v))]


def locate(item: WeightsEntry, folder: Path | None = None) -> Located | None:
    """The first file of that name in the weight folders, checked. None when there is none. Raises InputError for a file that is not the one."""
    for root in paths.weights_folders(folder):
        path = root / item.file
        if path.is_file():
            return check(item, path)
    return None


def check(item: WeightsEntry, path: Path) -> Located:
    """Size and sha256 against the catalogue, or against what was recorded at first use."""
    size = path.stat().st_size
    if item.bytes is not None and size != item.bytes:
        raise InputError(
            f"is not the whole file {item.name}",
            code="weights-size",
            path=path,
            found=f"{size:,} bytes",
            expected=f"{item.bytes:,} bytes",
            hint=f"hvbench weights pull {item.name}",
        )
    digest = _sha256(path)
    if item.sha256 is not None:
        if digest != item.sha256:
            raise InputError(
                f"is not {item.name}",
                code="weights-hash",
                path=path,
                found=f"sha256 {digest}",
                expected=f"sha256 {item.sha256}",
                hint=f"hvbench weights pull {item.name}",
            )
        return Located(path, digest, "real")
    known = _first_use().get(item.name)
    if known is not None and known != digest:
        raise InputError(
            f"is not the {item.name} first used on this machine",
            code="weights-hash",
            path=path,
            found=f"sha256 {digest}",
            expected=f"sha256 {known} (recorded at first use in {_first_use_file()})",
            hint=f"hvbench weights pull {item.name}, or delete that line if the first file was the wrong one",
        )
    return Located(path, digest, "first-use")


def adopt(item: WeightsEntry, located: Located) -> None:
    """Record the hash of a file that nobody published one for, once it has parsed: a broken file must not lock the right one out."""
    if located.origin == "first-use" and item.name not in _first_use():
        if item.format in ("safetensors", "torch", "mat"):
            load(item, located)
        elif item.format == "onnx":
            _parse_onnx(item, located)
        _record_first_use(item.name, located.sha256)


def load(item: WeightsEntry, located: Located) -> Tensors:
    """The file's tensors as arrays, without running anything in it: safetensors, torch with weights_only=True, or mat.

    Raises InputError (`weights-unsafe`) for a pickle that holds more than tensors, (`weights-broken`) for a file that does not parse.
    """
    if item.format == "safetensors":
        from safetensors.numpy import load_file

        try:
            return dict(load_file(located.path))
        except Exception as error:
            raise _broken(item, located.path, error) from error
    if item.format == "mat":
        try:
            return matlab.numbers(located.path)
        except Unscored:
            raise
        except Exception as error:
            raise _broken(item, located.path, error) from error
    if item.format == "torch":
        import pickle

        import torch

        try:
            state = torch.load(located.path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise InputError(
                "holds more than tensors and is not unpickled",
                code="weights-unsafe",
                path=located.path,
                found=str(error).splitlines()[0],
                expected="a state dict",
                hint="convert it to safetensors where you trust it",
            ) from error
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise _broken(item, located.path, error) from error
        if not isinstance(state, Mapping):
            raise _broken(item, located.path, TypeError(f"holds a {type(state).__name__}, no state dict"))
        return {str(key): value.detach().numpy() for key, value in state.items() if hasattr(value, "numpy")}
    raise InputError(
        f"a {item.format} file holds no plain tensors", code="weights-format", path=located.path, expected="safetensors, torch or mat"
    )


def _parse_onnx(item: WeightsEntry, located: Located) -> None:
    import importlib.util

    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        try:
            onnxruntime.InferenceSession(located.path.read_bytes(), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its own, one for each kind of fault
            raise _broken(item, located.path, error) from error


def _broken(item: WeightsEntry, path: Path, error: BaseException) -> InputError:
    return InputError(
        f"does not parse as {item.format}",
        code="weights-broken",
        path=path,
        found=next(iter(str(error).splitlines()), type(error).__name__)[:200],
        hint=how_to_get(item),
    )


def state_for(
    name: str | None,
    shapes: Callable[[], Mapping[str, tuple[int, ...]]] | None,
    mode: str,
    folder: Path | None = None,
    rename: Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]] | None = None,
) -> tuple[Tensors, str, str]:
    """(tensors, weights label, sha256) for an extractor. mode: `real` or `seeded`. rename: the file's tensor names -> those of `shapes`.

    Raises Unscored(`weights-missing`) with the command that fetches them, Unscored(`weights-unusable`) when the file here is not the one.
    """
    if name is None:
        return {}, "none", "none"
    if mode == "seeded":
        if shapes is None:
            raise Unscored("weights-missing", f"{name} cannot be drawn by formula: its tensor shapes are not known")
        return {key: seeded_tensor(key, shape) for key, shape in shapes().items()}, SEEDED, SEEDED
    item = entry(name)
    try:
        located = locate(item, folder)
        if located is None:
            raise Unscored("weights-missing", how_to_get(entry(name)))
        tensors = load(item, located)
        if rename is not None:
            tensors = dict(rename(tensors))
        if shapes is not None:
            _same_keys(tensors, shapes(), located.path)
        adopt(item, located)
    except InputError as error:
        raise Unscored("weights-unusable", str(error)) from error
    return tensors, located.origin, located.sha256


def load_script(item: WeightsEntry, located: Located) -> Any:
    """A graph: the module of a TorchScript file, on the CPU and in evaluation mode, or the bytes of a TensorFlow Lite or ONNX file. Such a file is a
    program: it is run only where the catalogue pins its hash, or says that the user gives it (ONNX alone, which holds nothing but operators).

    Raises InputError (`weights-unsafe`) for a file without a pinned hash or with another one, (`weights-broken`) for one that does not parse.
    """
    if item.format not in GRAPHS:
        raise InputError(
            f"a {item.format} file is no graph", code="weights-format", path=located.path, expected="torchscript, tflite or onnx"
        )
    data = located.path.read_bytes()  # what is hashed is what is run
    digest = hashlib.sha256(data).hexdigest()
    if digest != (located.sha256 if item.given and item.format == "onnx" else item.sha256):
        raise InputError(
            "is a program that nobody vouches for, and is not run",
            code="weights-unsafe",
            path=located.path,
            found=f"sha256 {digest}",
            expected=f"sha256 {item.sha256}" if item.sha256 else "an entry of the catalogue that states its sha256",
            hint=f"hvbench weights pull {item.name}",
        )
    if item.format != "torchscript":
        return data
    import torch

    try:
        return torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise _broken(item, located.path, error) from error


def script_for(name: str, folder: Path | None = None) -> Any:
    """The graph of an extractor whose weights are one. Raises Unscored as `state_for` does; no formula draws a graph, so it always comes from its file."""
    item = entry(name)
    try:
        located = locate(item, folder)
        if located is None:
            raise Unscored("weights-missing", how_to_get(entry(name)))
        graph = load_script(item, located)
        adopt(item, located)
        return graph
    except InputError as error:
        raise Unscored("weights-unusable", str(error)) from error


def available(name: str, folder: Path | None = None) -> tuple[str, str]:
    """(label, sha256) of a file that is here and is the one, unread. Raises Unscored as `state_for` does."""
    try:
        located = locate(entry(name), folder)
    except InputError as error:
        raise Unscored("weights-unusable", str(error)) from error
    if located is None:
        raise Unscored("weights-missing", how_to_get(entry(name)))
    return located.origin, located.sha256


def _same_keys(found: Mapping[str, NDArray[Any]], wanted: Mapping[str, tuple[int, ...]], path: Path) -> None:
    missing = [key for key in wanted if key not in found]
    extra = [key for key in found if key not in wanted]
    other = [key for key, shape in wanted.items() if key in found and tuple(found[key].shape) != tuple(shape)]
    if missing or extra or other:
        said = [f"{label} {', '.join(keys[:3])}" for label, keys in (("lacks", missing), ("has", extra), ("other shape", other)) if keys]
        raise InputError(
            "is the weights of another network",
            code="weights-keys",
            path=path,
            found="; ".join(said),
            expected=f"{len(wanted)} tensors: {', '.join(list(wanted)[:3])}, ...",
            hint="put the right file there, or name another folder with --weights DIR",
        )


# ------------------------------------------------------------------------------------------------------------- pull, import


def pull(item: WeightsEntry, *, offline: bool = False, report: Callable[[str], None] = lambda line: None) -> Located:
    """Fetch into the cache: every url in turn, checked, moved into place only when whole. Raises InputError after seconds, not minutes."""
    target = paths.cache_dir() / "weights" / item.file
    try:
        here = locate(item)
    except InputError as error:
        # A wrong or half-written file is fetched anew where it is ours to replace: in the cache.
        if error.path != str(target):
            raise
        here = None
    if here is not None:
        return here
    if offline or not item.urls:
        raise InputError(
            f"{item.name} is not here",
            code="offline",
            found="--offline" if offline else "no public address",
            expected=item.file,
            hint="hvbench weights import FOLDER",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in item.urls:
        size = f"{item.bytes / 1e6:.0f} MB" if item.bytes else "size unknown"
        report(f"pulling {item.name} ({size}, licence {item.licence}) from {url}")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, temporary.open("wb") as file:
                while block := answer.read(1 << 20):
                    file.write(block)
                if left := getattr(answer, "length", None):
                    raise OSError(f"cut off, {left:,} bytes are missing")
            located = check(item, temporary)
            adopt(item, located)
            temporary.replace(target)
            return Located(target, located.sha256, located.origin)
        except (urllib.error.URLError, OSError, InputError) as error:
            failures.append(f"{url}: {error}")
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    raise InputError(
        f"{item.name} could not be fetched",
        code="pull-failed",
        found="; ".join(failures),
        hint="hvbench weights import FOLDER, or try again",
    )


def import_folder(folder: Path, names: tuple[str, ...] = ()) -> Iterator[tuple[WeightsEntry, Located]]:
    """Copy every catalogue file found in `folder` into the cache, checked. Raises InputError for an absent folder or a file that is not the one."""
    import shutil

    if not folder.is_dir():
        raise InputError("no such folder", code="absent", path=folder)
    wanted = [entry(name) for name in names] or [e.item for e in registry().weights.values()]
    target = paths.cache_dir() / "weights"
    target.mkdir(parents=True, exist_ok=True)
    for item in wanted:
        path = folder / item.file
        if not path.is_file():
            if names:
                raise InputError("the folder does not hold this file", code="absent", path=path, expected=item.file)
            continue
        located = check(item, path)
        adopt(item, located)
        temporary = target / f".{item.file}.{os.getpid()}.tmp"
        shutil.copyfile(path, temporary)
        temporary.replace(target / item.file)
        yield item, Located(target / item.file, located.sha256, located.origin)


def _first_use_file() -> Path:
    return paths.cache_dir() / "weights" / "first-use.json"


def _first_use() -> dict[str, str]:
    path = _first_use_file()
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _record_first_use(name: str, digest: str) -> None:
    paths.write_atomic(_first_use_file(), json.dumps({**_first_use(), name: digest}, indent=1, sort_keys=True))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
