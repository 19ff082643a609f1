"""For Python users: the same runs and metrics as on the command line, typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data import fraction
from benchmark.errors import InputError
from benchmark.model import FrameVariant, Rect, Values
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.request import Request

Name = str
FilePath = str | PathLike[str]


def run(
    *,
    suite: str | None = None,
    truth: FilePath | None = None,
    outputs: Mapping[Name, FilePath] | None = None,
    adapters: Sequence[Name] = (),
    data: FilePath | None = None,
    real: FilePath | None = None,
    cases_file: FilePath | None = None,
    split: str | None = None,
    cases: Sequence[str] = (),
    limit: int | None = None,
    protocols: Sequence[Name] = (),
    metrics: Sequence[Name] = (),
    seeds: Sequence[int] = (0,),
    offset: Mapping[Name, int] | None = None,
    crop: Mapping[Name, str] | None = None,
    ignore: Mapping[Name, str] | None = None,
    fps: Mapping[Name, float | str | Fraction] | None = None,
    frames: Mapping[Name, tuple[int, int]] | None = None,
    reference_frame: Mapping[Name, int] | None = None,
    keypoints: Mapping[Name, FilePath] | None = None,
    audio: FilePath | None = None,
    weights: str = "real",
    weights_folder: FilePath | None = None,
    device: str = "cpu",
    backend: str = "torch",
    workers: int = 1,
    max_frames: int = 512,
    worker_options: Mapping[str, str] | None = None,
    settings: Mapping[Name, Mapping[str, Any]] | None = None,
    bare: bool = False,
    out: FilePath | None = None,
) -> Record:
    """Score clips and return the record; arguments are those of `hvbench run`, with `"*"` for every method.

    crop, ignore: "x,y,w,h". frames: {name: (first, last + 1)} of the truth. keypoints: folders of npz files, audio: a folder of sounds, by stem.
    weights: "real" or "seeded". weights_folder: looked in first. backend: "torch", "onnxruntime" (CPU) or "torch-tf32" (GPU). worker_options:
    {"qalign-model": "DIR", ...}, the options of models in another Python (a yes is "yes"). adapters: "ID" or "NAME=ID". settings: what generators
    are told, {"*": {"checkpoint": "tiny", "steps": 4}}, by the fields of `benchmark.generating.Settings`. bare: make the clips, score nothing. A finished
    run of the same spec is returned as it is. Raises InputError for input that makes the whole run impossible; single clips that fail stand in the
    record's journal.
    """
    from benchmark.runs import run as execute

    def path(value: FilePath | None) -> Path | None:
        return None if value is None else Path(value)

    request = Request(
        suite=suite,
        truth=path(truth),
        outputs={name: Path(where) for name, where in (outputs or {}).items()},
        adapters=tuple(adapters),
        data=path(data),
        real=path(real),
        cases_file=path(cases_file),
        split=split,
        cases=tuple(cases),
        limit=limit,
        protocols=tuple(protocols),
        metrics=tuple(metrics),
        seeds=tuple(seeds),
        offsets=dict(offset or {}),
        crops=_rects(crop),
        ignores=_rects(ignore),
        fps={name: fraction(rate, "fps") for name, rate in (fps or {}).items()},
        ranges=dict(frames or {}),
        reference_frames=dict(reference_frame or {}),
        keypoints={name: Path(where) for name, where in (keypoints or {}).items()},
        audio=path(audio),
        weights=weights,
        weights_folder=path(weights_folder),
        device=device,
        backend=backend,
        workers=workers,
        max_frames=max_frames,
        worker_options=dict(worker_options or {}),
        bare=bare,
        settings={name: dict(told) for name, told in (settings or {}).items()},
        out=path(out),
    )
    return execute(request).record


def _rects(words: Mapping[Name, str] | None) -> dict[Name, Rect]:
    from benchmark.media import parse_rect

    return {name: parse_rect(text) for name, text in (words or {}).items()}


def metric(name: str) -> Callable[[NDArray[Any], NDArray[Any]], Values]:
    """`metric("ssim@gaussian")(generated, truth)`: uint8 arrays (frames, height, width, 3) RGB -> (frames,) float64, one value a frame, NaN = left out.

    Raises InputError for an unknown name, a variant that is not computed from frames alone, or arrays that do not fit.
    """
    _, variant = registry().variant(name)
    if not isinstance(variant, FrameVariant):
        raise InputError(
            "is not computed from frames alone", code="usage", found=name, expected="a frame variant", hint="hvbench ls metrics"
        )
    score = variant.score
    smallest = variant.min_size

    def call(generated: NDArray[Any], truth: NDArray[Any]) -> Values:
        """(frames, height, width, 3) uint8 twice -> (frames,) float64."""
        for side, array in (("generated", generated), ("truth", truth)):
            if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or not len(array):
                found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                raise InputError(
                    f"{side} is not an array of RGB frames", code="usage", found=found, expected="uint8 (frames, height, width, 3)"
                )
        if generated.shape != truth.shape:
            raise InputError(
                "the two sides differ in shape", code="usage", found=f"{generated.shape} and {truth.shape}", expected="equal shapes"
            )
        if min(generated.shape[1:3]) < smallest:
            raise InputError(
                f"{name} needs larger pictures",
                code="too-small",
                found=f"{generated.shape[1:3]}",
                expected=f"at least {smallest} pixels a side",
            )
        return score(generated, truth)

    return call


def torchmetric(name: str, *, weights: str = "real", device: str = "cpu", weights_folder: FilePath | None = None) -> Any:
    """`torchmetric("fid@clean")`: a set metric as a torchmetrics Metric for training loops; see `benchmark.torchmetrics`."""
    from benchmark.torchmetrics import torchmetric as make

    return make(name, weights=weights, device=device, weights_folder=weights_folder)
