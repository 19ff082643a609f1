"""What a generation costs: function evaluations counted at the denoisers themselves, time by part, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass
class Cost:
    """nfe: counted function evaluations a clip: the sum over all calls of all denoisers of the batch size over the clips in the call. calls: calls by module.
    seconds: by part (`denoiser`, `text`, `vae`, `total`), each part's calls added up. peak_bytes: largest memory torch held on the device (None on a CPU,
    where torch does not tell).
    """

    nfe: float = 0.0
    calls: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {
            "nfe": self.nfe,
            "calls": dict(self.calls),
            "seconds": {name: round(value, 4) for name, value in self.seconds.items()},
            "peak_bytes": self.peak_bytes,
        }


PARTS = {"text": ("text_encoder", "text_encoder_2", "image_encoder"), "vae": ("vae",)}
"""Other modules that are timed. A VAE is called by its encode and decode, not by its forward."""


@contextmanager
def counted(pipeline: Any, denoisers: Sequence[str], clips: int = 1, device: str = "cpu") -> Iterator[Cost]:
    """Count and time what a pipeline does inside. The Cost is whole when the context is left. ValueError where the pipeline has none of the denoisers.

    Times are of the device. On a GPU a part's are those between two events in its stream, so nothing waits for it and counting hardly costs anything; the
    whole is wall-clock time from one synchronised moment to another.
    """
    import torch

    cost = Cost()
    modules: dict[str, nn.Module] = {name: part for name in denoisers if (part := getattr(pipeline, name, None)) is not None}
    if not modules:
        raise ValueError(f"{type(pipeline).__name__} has none of {', '.join(denoisers)}")
    gpu = device.startswith("cuda")
    began: dict[str, Any] = {}
    spans: list[tuple[str, Any, Any]] = []

    def mark() -> Any:
        if not gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(device))
        return event

    def before(part: str) -> Any:
        def hook(*_: Any) -> None:
            began[part] = mark()

        return hook

    def after(part: str, name: str | None) -> Any:
        def hook(module: Any, given: Any, named: Any, result: Any) -> None:
            spans.append((part, began[part], mark()))
            if name is not None:
                cost.calls[name] = cost.calls.get(name, 0) + 1
                cost.nfe += _batch(given, named) / clips

        return hook

    def now() -> float:
        if gpu:
            torch.cuda.synchronize(device)
        return time.perf_counter()

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_pre_hook(before("denoiser")).remove)
            stack.callback(module.register_forward_hook(after("denoiser", name), with_kwargs=True).remove)
        for name in PARTS["text"]:
            if isinstance(part := getattr(pipeline, name, None), torch.nn.Module):
                stack.callback(part.register_forward_pre_hook(before("text")).remove)
                stack.callback(part.register_forward_hook(after("text", None), with_kwargs=True).remove)
        for name in PARTS["vae"]:
            if (part := getattr(pipeline, name, None)) is not None:
                for method in ("encode", "decode"):
                    stack.enter_context(_timed(part, method, spans, mark))
        if gpu:
            torch.cuda.reset_peak_memory_stats(device)
        start = now()
        yield cost
        cost.seconds["total"] = now() - start
        for name, first, last in spans:
            seconds = first.elapsed_time(last) / 1000 if gpu else last - first
            cost.seconds[name] = cost.seconds.get(name, 0.0) + seconds
        cost.peak_bytes = int(torch.cuda.max_memory_allocated(device)) if gpu else None


def _batch(given: tuple[Any, ...], named: dict[str, Any]) -> int:
    """The batch size of a denoiser's call: of its first tensor, `hidden_states` or `sample`."""
    for name in ("hidden_states", "sample"):
        if name in named:
            return int(named[name].shape[0])
    return int(given[0].shape[0])


@contextmanager
def _timed(part: Any, method: str, spans: list[tuple[str, Any, Any]], mark: Callable[[], Any]) -> Iterator[None]:
    original = getattr(part, method)

    def call(*given: Any, **named: Any) -> Any:
        first = mark()
        try:
            return original(*given, **named)
        finally:
            spans.append(("vae", first, mark()))

    setattr(part, method, call)
    try:
        yield
    finally:
        delattr(part, method)  # the class's own is there again
