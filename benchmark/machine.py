"""The facts of a machine and an installation that stand in every record."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "human-video-benchmark",
    "numpy",
    "opencv-python-headless",
    "av",
    "pillow",
    "pyarrow",
    "torch",
    "torchvision",
    "onnxruntime",
    "onnxscript",
    "ai-edge-litert",
    "scipy",
    "python_speech_features",
    "segment-anything",
)
TORCH, TF32, ONNX, LITERT = "torch", "torch-tf32", "onnxruntime", "litert"
"""Back ends: torch in IEEE float32, torch with TF32 on a GPU, onnxruntime on the CPU, LiteRT for TensorFlow Lite files."""
THREADS = 2
"""Intra-op threads during network forwards: a constant, so that the number of cores cannot change a bit."""


def packages() -> dict[str, str | None]:
    """Version of every package that can change a number; None where it is not installed."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def git() -> dict[str, Any]:
    """Revision of the checkout this package runs from and whether it has uncommitted changes; nulls for an installed wheel."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        return {"revision": None, "dirty": None}
    revision = _output(["git", "-C", str(root), "rev-parse", "HEAD"])
    status = _output(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return {"revision": revision or None, "dirty": bool(status) if status is not None else None}


def describe(device: str, backend: str = TORCH) -> dict[str, Any]:
    """Machine, processor, GPU and driver (asked of nvidia-smi, so that torch is not imported for it), thread settings."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "device": device,
        "gpus": gpus(),
        "torch_threads": THREADS,
        "backend": backend,
        "tf32": backend == TF32 if device != "cpu" else None,
    }


@lru_cache(maxsize=1)
def decoder() -> str:
    """FFmpeg's libraries as PyAV carries them, for instance `libavcodec 62.11.100, libswscale 9.1.100`."""
    import av

    return ", ".join(
        f"{name} {'.'.join(map(str, number))}"
        for name, number in sorted(av.library_versions.items())
        if name in ("libavcodec", "libswscale", "libavformat")
    )


def numerics(device: str, backend: str = TORCH) -> dict[str, Any]:
    """What besides data and weights can change a bit of a feature. Part of every feature's key."""
    facts: dict[str, Any] = {
        "device": device.partition(":")[0],
        "backend": backend,
        "decoder": decoder(),
        "threads": THREADS,
        "dtype": "float32",
        "torch": packages()["torch"],
        "opencv": packages()["opencv-python-headless"],
        "pillow": packages()["pillow"],
        "cpu": _cpu(),
    }
    if device != "cpu":
        facts["gpus"] = gpus()
    return facts | runtime(backend)


def runtime(backend: str) -> dict[str, Any]:
    """Versions of what runs a back end's graphs, where it is not torch."""
    if backend == LITERT:
        return {"litert": packages()["ai-edge-litert"]}
    if backend == ONNX:
        return {"onnxruntime": packages()["onnxruntime"], "onnxscript": packages()["onnxscript"]}
    return {}


def settle_torch(backend: str = TORCH) -> None:
    """Make torch's arithmetic the recorded one, where a network has imported it: a constant number of threads, TF32 only where it was asked for."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(THREADS)
        for where, name, value in float32_switches(backend):
            setattr(where, name, value)


@contextmanager
def arithmetic(backend: str) -> Iterator[None]:
    """TF32 or IEEE float32 inside, as the back end has it; outside as it was."""
    before = [(where, name, getattr(where, name)) for where, name, _ in float32_switches()]
    try:
        for where, name, value in float32_switches(backend):
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


def float32_switches(backend: str = TORCH) -> list[tuple[Any, str, Any]]:
    """(object, attribute, value) that keep TF32 out, or let it in. torch 2.9 gave the switches new names, and reading an old one beside a new one
    is an error."""
    import torch

    matmul, cudnn, fast = torch.backends.cuda.matmul, torch.backends.cudnn, backend == TF32
    if hasattr(cudnn, "conv"):
        word = "tf32" if fast else "ieee"
        return [(matmul, "fp32_precision", word), (cudnn.conv, "fp32_precision", word)]
    return [(matmul, "allow_tf32", fast), (cudnn, "allow_tf32", fast)]


@lru_cache(maxsize=1)
def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@lru_cache(maxsize=1)
def gpus() -> list[str]:
    """Name and driver of every GPU, as nvidia-smi gives them."""
    if shutil.which("nvidia-smi") is None:
        return []
    listing = _output(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    return listing.splitlines() if listing else []


def _output(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def siblings() -> str | None:
    """None when suites, adapters and reports resolve beside this package; else one sentence that names the intruder."""
    import importlib.util

    home = Path(__file__).resolve().parent.parent
    for name in ("suites", "adapters", "reports"):
        spec = importlib.util.find_spec(name)
        places = [Path(p).resolve() for p in spec.submodule_search_locations or []] if spec else []
        if not places:
            return f"the package {name!r} is missing beside {home / 'benchmark'} (installed: {sys.prefix}); try: python -m pip install -e ."
        if places[0].parent != home:
            return f"a foreign package {name!r} hides ours: {places[0]} (ours lies in {home}); run from another folder, or use the `hvbench` command"
    return None
