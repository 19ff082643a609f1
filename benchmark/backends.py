"""How a network's arithmetic is done: by torch in IEEE float32 (the reference), by onnxruntime on the CPU, by torch with TF32 on a GPU.

Whatever is not the reference is measured against it, once for each network and machine, on the same frames by formula; the deviation stands
in the record beside every number that rests on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark import machine, weights
from benchmark.data import canonical
from benchmark.errors import InputError
from benchmark.features import Node
from benchmark.model import Extractor, Forward
from benchmark.paths import write_atomic
from benchmark.rows import ClipExtractor, GivenExtractor

if TYPE_CHECKING:
    from torch import Tensor

TORCH, TF32, ONNX, LITERT = machine.TORCH, machine.TF32, machine.ONNX, machine.LITERT
WORKER = "worker"
"""A program in another Python, whose arithmetic is its own reference."""
OWN_FILES = {"tflite": LITERT, "onnx": ONNX}
"""Format of a graph -> the runtime that runs such files, whatever the run's back end: their arithmetic is their own reference."""
_Given = TypeVar("_Given")
_NEEDED = ("onnxruntime", "onnx", "onnxscript")


class TorchForward:
    """A Forward made of a function of tensors: (batch, ..., channels) on `device` -> (batch, d). The function can be exported, because it holds
    nothing but torch's operators."""

    def __init__(self, network: Callable[[Tensor], Tensor], device: str) -> None:
        self.network = network
        self.device = device

    def __call__(self, batch: NDArray[Any], /) -> NDArray[np.float32]:
        """Run one batch. The last bits cannot depend on how an axis of length one happens to be strided, from which torch guesses a layout."""
        import torch

        plain = np.ascontiguousarray(batch).reshape(-1).reshape(batch.shape)
        with torch.inference_mode():
            rows: NDArray[np.float32] = self.network(torch.from_numpy(plain).to(self.device)).cpu().numpy()
        return rows


@dataclass
class OnnxForward:
    """The same function in onnxruntime on the CPU: exported once for each shape of batch, and kept in `folder` under `name`."""

    exact: TorchForward
    folder: Path
    name: str
    _sessions: dict[tuple[int, ...], Any] = field(default_factory=dict)

    def __call__(self, batch: NDArray[Any], /) -> NDArray[np.float32]:
        """Run one batch."""
        if batch.shape not in self._sessions:
            self._sessions[batch.shape] = self._session(batch)
        session = self._sessions[batch.shape]
        rows: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(batch)})[0]
        return rows

    def _session(self, batch: NDArray[Any]) -> Any:
        import onnxruntime

        path = self.folder / f"{self.name}-{'x'.join(map(str, batch.shape))}.onnx"
        if not path.exists():
            write_atomic(path, export(self.exact, batch))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = machine.THREADS, 1
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def export(forward: TorchForward, batch: NDArray[Any]) -> bytes:
    """The ONNX graph of a forward for batches of this shape, weights included."""
    import torch

    class Module(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Tensor:
            return forward.network(x)

    made = io.BytesIO()
    with contextlib.ExitStack() as stack:
        # torch's exporter reads a switch by its old name, which is an error while the new one is not at torch's own default; nothing is computed.
        stack.enter_context(machine.arithmetic(TF32))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(_silent("torch.onnx", "onnxscript", "onnx_ir"))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        torch.onnx.export(Module().eval(), (torch.from_numpy(np.ascontiguousarray(batch)),), dynamo=True, verbose=False).save(made)
    return made.getvalue()


@contextlib.contextmanager
def _silent(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def check(backend: str, device: str) -> None:
    """Raises InputError where the back end does not exist, is not installed, or does not fit the device."""
    if backend not in (TORCH, TF32, ONNX):
        raise InputError("no such back end", code="usage", found=backend, expected=f"{TORCH} or {ONNX}")
    if backend == TF32 and device == "cpu":
        raise InputError("--fast is TF32 on a GPU", code="usage", found="--device cpu", expected="--device cuda", hint=f"--backend {ONNX}")
    if backend == ONNX:
        if device != "cpu":
            raise InputError(f"--backend {ONNX} runs on the CPU", code="usage", found=f"--device {device}", hint="--device cpu, or --fast")
        lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if lacking:
            raise InputError(
                f"--backend {ONNX} needs {', '.join(lacking)}",
                code="not-installed",
                hint="python -m pip install 'human-video-benchmark[onnxruntime]'",
            )


def of(extractor: Extractor, backend: str) -> str:
    """The back end an extractor has under a run's back end: onnxruntime takes those that say so, torch the others, LiteRT its own files."""
    forms = [weights.entry(name).format for name in extractor.files]
    if forms and all(form in OWN_FILES for form in forms):
        return OWN_FILES[forms[0]]
    if any(form in OWN_FILES for form in forms):
        return TORCH  # some files bring their own runtime: one arithmetic for the rest, so that one word says it
    # On the frames of `probe` no deviation could be measured.
    alone = extractor.exact or extractor.sound or isinstance(extractor, ClipExtractor | GivenExtractor)
    return TORCH if alone or (backend == ONNX and not extractor.exports) else backend


def numerics(extractor: Extractor, device: str, backend: str) -> dict[str, Any]:
    """`machine.numerics`, and of files in another format than the back end's the version of what runs them."""
    facts = machine.numerics(device, backend)
    runtimes = {OWN_FILES[form] for name in extractor.files if (form := weights.entry(name).format) in OWN_FILES} - {backend}
    for runtime in sorted(runtimes):
        facts |= machine.runtime(runtime)
    if extractor.sound:
        facts |= {name: machine.packages()[name] for name in ("numpy", "python_speech_features")}
    return facts


def _own(given: _Given | Mapping[str, _Given], name: str | None) -> _Given | None:
    """What an extractor says of one of its files."""
    return given.get(str(name)) if isinstance(given, Mapping) else given


def load(extractor: Extractor, mode: str, folder: Path | None, device: str) -> Forward:
    """The extractor's network by torch. Raises Unscored where its weights cannot be had."""

    def state(name: str | None) -> Any:
        if extractor.script and name is not None and weights.entry(name).format in weights.GRAPHS:
            return weights.script_for(name, folder)
        return weights.state_for(name, _own(extractor.shapes, name), mode, folder, _own(extractor.rename, name))[0]

    found = {name: state(name) for name in extractor.weights} if isinstance(extractor.weights, tuple) else state(extractor.weights)
    return extractor.build(found, device)


def behind(exact: Forward, extractor: Extractor, sha256: str, backend: str, folder: Path) -> Forward:
    """The network under a back end. folder: of the exported graphs."""
    if backend != ONNX or extractor.script:
        return exact
    if not isinstance(exact, TorchForward):
        raise TypeError(f"{extractor.id} says that it can be exported, but its forward is a {type(exact).__name__}")
    return OnnxForward(exact, folder, identity(extractor, sha256, machine.numerics("cpu", ONNX))[:24])


def identity(extractor: Extractor, sha256: str, numerics: Mapping[str, Any]) -> str:
    """sha256 over a network with its weights on a machine."""
    return hashlib.sha256(canonical([extractor.id, extractor.version, extractor.batch, sha256, numerics]).encode()).hexdigest()


def probe(count: int) -> NDArray[np.uint8]:
    """(count, 128, 128, 3) frames by formula in which something moves: gradients, a fine texture, a bright square. Integer arithmetic."""
    t, y, x = np.ogrid[:count, :128, :128]
    texture = (x * 7919 + y * 104729 + x * y * 3) % 41
    frames = np.stack([(a * x + b * y + 3 * t) % 200 + texture for a, b in ((1, 1), (2, 0), (0, 2))], axis=-1)
    frames[(abs(x - 30 - 2 * t) < 14) & (abs(y - 60) < 20)] = (240, 190, 160)
    return frames.astype(np.uint8)


def deviation(extractor: Extractor, exact: Forward, other: Forward, backend: str) -> float:
    """Largest difference of the two networks' features on the frames of `probe`, as a part of the largest feature; as it is where all are 0."""
    frames = probe(extractor.window or max(16, extractor.minimum))
    rows = []
    for network, arithmetic in ((exact, TORCH), (other, backend)):
        found: list[NDArray[np.float32]] = []
        with machine.arithmetic(arithmetic):
            node = Node(extractor, network, [found.append])
            node.push(frames)
            node.finish()
        rows.append(np.concatenate(found).astype(np.float64))
    return float(np.abs(rows[1] - rows[0]).max() / (np.abs(rows[0]).max() or 1.0))


def stated(path: Path, measure: Callable[[], float]) -> float:
    """The deviation kept in a file, measured first where there is none."""
    if not path.exists():
        write_atomic(path, json.dumps({"deviation": measure()}).encode())
    return float(json.loads(path.read_bytes())["deviation"])
