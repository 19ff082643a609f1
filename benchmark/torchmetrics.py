"""Set metrics for training loops: a torchmetrics `Metric` around the same extractor and the same distance function as in a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import load
from benchmark.errors import InputError, Unscored
from benchmark.features import Node, rows_of
from benchmark.machine import TORCH, arithmetic
from benchmark.model import Extractor, Forward, SetVariant
from benchmark.registry import find, registry

MODES = ("real", "seeded")


def torchmetric(name: str, *, weights: str = "real", device: str = "cpu", weights_folder: str | PathLike[str] | None = None) -> Any:
    """`torchmetric("fid@clean")` -> a torchmetrics Metric: update(generated, truth), compute(), reset(), and the rest of that interface.

    update takes uint8 (n, height, width, 3) RGB twice, NumPy arrays or tensors; counts and sizes of the two sides may differ. Networks of
    windows take one clip an update. compute gives a float64 scalar: the variant's own distance of all features so far. weights: `real` or
    `seeded` (a rehearsal); device: where the network runs. Features are computed in float32 without TF32 whatever the training uses; the
    number of threads is left as it is.

    InputError: torchmetrics is not installed, an unknown name, a variant that is no distance of sets, weights that are not here, frames that
    do not fit. Unscored from compute where the distance does not exist (KID of one frame).
    """
    if weights not in MODES:
        raise InputError("no such kind of weights", code="usage", found=repr(weights), expected=" or ".join(MODES))
    metric, variant = registry().variant(name)
    if not isinstance(variant, SetVariant):
        raise InputError("is no distance of sets", code="usage", found=name, expected="a set variant", hint="hvbench ls metrics")
    folder = None if weights_folder is None else Path(weights_folder)
    return _class(name, metric.better(variant))(weights, device, folder)


def _load(extractor: Extractor, weights: str, device: str, folder: Path | None) -> Forward:
    try:
        return load(extractor, weights, folder, device)
    except Unscored as reason:
        raise InputError(f"the weights of {extractor.id} cannot be used", code=reason.reason, hint=reason.detail) from reason


@contextmanager
def _float32(device: str) -> Iterator[None]:
    """No autocast and no TF32 inside, whatever the training loop has set; outside all is as it was."""
    import torch

    with arithmetic(TORCH), torch.autocast(device_type=device.partition(":")[0], enabled=False):
        yield


def _frames(side: str, frames: Any) -> NDArray[np.uint8]:
    """An array or tensor as uint8 (n, h, w, 3)."""
    array = frames.detach().cpu().numpy() if hasattr(frames, "detach") else frames
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"{side} is not an array of RGB frames", code="usage", found=found, expected="uint8 (frames, height, width, 3)")
    return array


def _features(extractor: Extractor, forward: Forward, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, d) features in the extractor's constant batches, as in a run."""
    if not rows_of(extractor, len(frames)):
        needed = max(extractor.window, extractor.minimum)
        raise InputError(
            f"{extractor.id} needs more frames an update", code="too-short", found=str(len(frames)), expected=f"{needed} or more"
        )
    rows: list[NDArray[np.float32]] = []
    node = Node(extractor, forward, [rows.append])
    node.push(frames)
    node.finish()
    return np.concatenate(rows)


def _class(name: str, better: bool | None) -> Any:
    """The Metric class of one variant."""
    try:
        import torch
        from torchmetrics import Metric
        from torchmetrics.utilities import dim_zero_cat
    except ImportError as error:
        raise InputError(
            "torchmetrics is not installed", code="not-installed", found=str(error), expected="torchmetrics 1.4 or later",
            hint="python -m pip install torchmetrics",
        ) from error  # fmt: skip
    _, variant = registry().variant(name)
    assert isinstance(variant, SetVariant)
    extractor, distance = find(registry().extractors, variant.extractor, "extractor"), variant.distance

    class FeatureSetMetric(Metric):  # type: ignore[misc]
        """Lists of features of both sides; they are gathered over processes by concatenation."""

        is_differentiable = False
        higher_is_better = better
        full_state_update = False

        def __init__(self, weights: str, device: str, folder: Path | None) -> None:
            super().__init__()
            self._made_of = (weights, device, folder)
            self._network = _load(extractor, weights, device, folder)
            self.add_state("generated", default=[], dist_reduce_fx="cat")
            self.add_state("truth", default=[], dist_reduce_fx="cat")

        def update(self, generated: Any, truth: Any) -> None:
            """Uint8 (n, h, w, 3) twice; counts may differ."""
            pair = _frames("generated", generated), _frames("truth", truth)
            with _float32(self._made_of[1]):
                ours, theirs = (torch.from_numpy(_features(extractor, self._network, frames)).to(self.device) for frames in pair)
            self.generated.append(ours)
            self.truth.append(theirs)

        def compute(self) -> torch.Tensor:
            """The variant's distance of all features so far."""
            if not len(self.generated) or not len(self.truth):
                raise Unscored("too-few", f"{name} has seen no frames")
            ours, theirs = (dim_zero_cat(side).cpu().numpy() for side in (self.generated, self.truth))
            return torch.tensor(distance(ours, theirs), dtype=torch.float64, device=self.device)

        def __repr__(self) -> str:
            return f"FeatureSetMetric({name!r})"

        def __reduce__(self) -> Any:
            """By name: the network is loaded again where the metric is unpickled."""
            state: Any = self.__getstate__()
            del state["_network"]
            return _remade, (name, self._made_of), state

    return FeatureSetMetric


def _remade(name: str, made_of: tuple[str, str, Path | None]) -> Any:
    weights, device, folder = made_of
    return torchmetric(name, weights=weights, device=device, weights_folder=folder)
