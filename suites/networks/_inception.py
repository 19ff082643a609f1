"""Inception-v3 of 2015-12-05 as TensorFlow's FID uses it: 2,048 features of the last pool (pytorch-fid's port and tensor names).

It differs from torchvision's Inception-v3 in the average pools, which do not count their padding, and in the last block, whose pool branch takes maxima.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import TorchForward

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 299
FEATURES = 2048
Kernel = tuple[int, int]
STEM: tuple[tuple[str, int, int, Kernel], ...] = (
    ("Conv2d_1a_3x3", 3, 32, (3, 3)),
    ("Conv2d_2a_3x3", 32, 32, (3, 3)),
    ("Conv2d_2b_3x3", 32, 64, (3, 3)),
    ("Conv2d_3b_1x1", 64, 80, (1, 1)),
    ("Conv2d_4a_3x3", 80, 192, (3, 3)),
)
WIDE, TALL = (1, 7), (7, 1)


def _a(i: int, pool: int) -> dict[str, tuple[int, int, Kernel]]:
    return {
        "branch1x1": (i, 64, (1, 1)),
        "branch5x5_1": (i, 48, (1, 1)),
        "branch5x5_2": (48, 64, (5, 5)),
        "branch3x3dbl_1": (i, 64, (1, 1)),
        "branch3x3dbl_2": (64, 96, (3, 3)),
        "branch3x3dbl_3": (96, 96, (3, 3)),
        "branch_pool": (i, pool, (1, 1)),
    }


def _c(w: int) -> dict[str, tuple[int, int, Kernel]]:
    return {
        "branch1x1": (768, 192, (1, 1)),
        "branch7x7_1": (768, w, (1, 1)),
        "branch7x7_2": (w, w, WIDE),
        "branch7x7_3": (w, 192, TALL),
        "branch7x7dbl_1": (768, w, (1, 1)),
        "branch7x7dbl_2": (w, w, TALL),
        "branch7x7dbl_3": (w, w, WIDE),
        "branch7x7dbl_4": (w, w, TALL),
        "branch7x7dbl_5": (w, 192, WIDE),
        "branch_pool": (768, 192, (1, 1)),
    }


def _e(i: int) -> dict[str, tuple[int, int, Kernel]]:
    return {
        "branch1x1": (i, 320, (1, 1)),
        "branch3x3_1": (i, 384, (1, 1)),
        "branch3x3_2a": (384, 384, (1, 3)),
        "branch3x3_2b": (384, 384, (3, 1)),
        "branch3x3dbl_1": (i, 448, (1, 1)),
        "branch3x3dbl_2": (448, 384, (3, 3)),
        "branch3x3dbl_3a": (384, 384, (1, 3)),
        "branch3x3dbl_3b": (384, 384, (3, 1)),
        "branch_pool": (i, 192, (1, 1)),
    }


BLOCKS: dict[str, dict[str, tuple[int, int, Kernel]]] = {
    "Mixed_5b": _a(192, 32),
    "Mixed_5c": _a(256, 64),
    "Mixed_5d": _a(288, 64),
    "Mixed_6a": {
        "branch3x3": (288, 384, (3, 3)),
        "branch3x3dbl_1": (288, 64, (1, 1)),
        "branch3x3dbl_2": (64, 96, (3, 3)),
        "branch3x3dbl_3": (96, 96, (3, 3)),
    },
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": {
        "branch3x3_1": (768, 192, (1, 1)),
        "branch3x3_2": (192, 320, (3, 3)),
        "branch7x7x3_1": (768, 192, (1, 1)),
        "branch7x7x3_2": (192, 192, WIDE),
        "branch7x7x3_3": (192, 192, TALL),
        "branch7x7x3_4": (192, 192, (3, 3)),
    },
    "Mixed_7b": _e(1280),
    "Mixed_7c": _e(2048),
}
"""Block -> branch -> (channels in, channels out, kernel)."""


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of everything before the classifier, but for the counters of seen batches, which no feature depends on."""
    found: dict[str, tuple[int, ...]] = {}
    for name, i, o, kernel in _units():
        found[f"{name}.conv.weight"] = (o, i, *kernel)
        found |= {f"{name}.bn.{part}": (o,) for part in ("weight", "bias", "running_mean", "running_var")}
    return found


def rename(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The published file's tensors without the classifier `fc.*` and the counters."""
    return {name: value for name, value in tensors.items() if not name.startswith("fc.") and not name.endswith("num_batches_tracked")}


def _units() -> Iterator[tuple[str, int, int, Kernel]]:
    yield from STEM
    for block, branches in BLOCKS.items():
        for branch, (i, o, kernel) in branches.items():
            yield f"{block}.{branch}", i, o, kernel


def build(state: Mapping[str, NDArray[Any]], device: str) -> TorchForward:
    """A Forward: (batch, 299, 299, 3) float32, already on the variant's range -> (batch, 2048)."""
    import torch
    from torch.nn import functional

    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in state.items()}

    def unit(x: Tensor, name: str, stride: int = 1, pad: bool = True) -> Tensor:
        weight = tensors[f"{name}.conv.weight"]
        padding = (weight.shape[2] // 2, weight.shape[3] // 2) if pad else (0, 0)
        x = functional.conv2d(x, weight, stride=stride, padding=padding)
        mean, var, gain, bias = (tensors[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.relu_(functional.batch_norm(x, mean, var, gain, bias, False, 0.0, 1e-3))

    def chain(x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = unit(x, name)
        return x

    def average(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    def a(x: Tensor, n: str) -> Tensor:
        five, three = (f"{n}.branch5x5_1", f"{n}.branch5x5_2"), tuple(f"{n}.branch3x3dbl_{k}" for k in (1, 2, 3))
        return torch.cat([unit(x, f"{n}.branch1x1"), chain(x, *five), chain(x, *three), unit(average(x), f"{n}.branch_pool")], 1)

    def b(x: Tensor, n: str) -> Tensor:
        double = unit(chain(x, f"{n}.branch3x3dbl_1", f"{n}.branch3x3dbl_2"), f"{n}.branch3x3dbl_3", 2, False)
        return torch.cat([unit(x, f"{n}.branch3x3", 2, False), double, functional.max_pool2d(x, 3, 2)], 1)

    def c(x: Tensor, n: str) -> Tensor:
        seven, double = (f"{n}.branch7x7_{k}" for k in (1, 2, 3)), (f"{n}.branch7x7dbl_{k}" for k in (1, 2, 3, 4, 5))
        return torch.cat([unit(x, f"{n}.branch1x1"), chain(x, *seven), chain(x, *double), unit(average(x), f"{n}.branch_pool")], 1)

    def d(x: Tensor, n: str) -> Tensor:
        three = unit(unit(x, f"{n}.branch3x3_1"), f"{n}.branch3x3_2", 2, False)
        seven = unit(chain(x, *(f"{n}.branch7x7x3_{k}" for k in (1, 2, 3))), f"{n}.branch7x7x3_4", 2, False)
        return torch.cat([three, seven, functional.max_pool2d(x, 3, 2)], 1)

    def e(x: Tensor, n: str, last: bool) -> Tensor:
        three, double = unit(x, f"{n}.branch3x3_1"), chain(x, f"{n}.branch3x3dbl_1", f"{n}.branch3x3dbl_2")
        pooled = functional.max_pool2d(x, 3, 1, 1) if last else average(x)
        parts = [unit(x, f"{n}.branch1x1"), unit(three, f"{n}.branch3x3_2a"), unit(three, f"{n}.branch3x3_2b")]
        parts += [unit(double, f"{n}.branch3x3dbl_3a"), unit(double, f"{n}.branch3x3dbl_3b"), unit(pooled, f"{n}.branch_pool")]
        return torch.cat(parts, 1)

    def network(x: Tensor) -> Tensor:
        """(batch, 299, 299, 3) -> (batch, 2048)."""
        x = x.permute(0, 3, 1, 2)
        x = unit(unit(unit(x, "Conv2d_1a_3x3", 2, False), "Conv2d_2a_3x3", 1, False), "Conv2d_2b_3x3")
        x = unit(unit(functional.max_pool2d(x, 3, 2), "Conv2d_3b_1x1"), "Conv2d_4a_3x3", 1, False)
        x = functional.max_pool2d(x, 3, 2)
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = a(x, name)
        x = b(x, "Mixed_6a")
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = c(x, name)
        x = e(e(d(x, "Mixed_7a"), "Mixed_7b", False), "Mixed_7c", True)
        return functional.adaptive_avg_pool2d(x, 1).flatten(1)

    return TorchForward(network, device)
