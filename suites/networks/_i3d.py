"""I3D (Carreira and Zisserman 2017), inflated Inception-v1 on Kinetics-400, as the FVD codes carry it: one set of tensors, two settings.

Tensor names and shapes are those of piergiaj/pytorch-i3d, which `i3d_pretrained_400.pt` holds. DisCo runs them with BatchNorm eps 1e-3 and an
average pool of (1, 7, 7); VideoGPT, cd-fvd and common_metrics with 1e-5 and (2, 7, 7). TensorFlow's "same" padding everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import TorchForward

if TYPE_CHECKING:
    from torch import Tensor


MIXED = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
"""Block -> (channels in, channels of branches 0, 1a, 1b, 2a, 2b, 3b)."""
CLASSES = 400


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of the file's 344 tensors."""
    found: dict[str, tuple[int, ...]] = {"logits.conv3d.weight": (CLASSES, 1024, 1, 1, 1), "logits.conv3d.bias": (CLASSES,)}
    for name, fan_in, fan_out, kernel in _units():
        found[f"{name}.conv3d.weight"] = (fan_out, fan_in, kernel, kernel, kernel)
        found |= {f"{name}.bn.{part}": (fan_out,) for part in ("weight", "bias", "running_mean", "running_var")}
        found[f"{name}.bn.num_batches_tracked"] = ()
    return found


def _units() -> Iterator[tuple[str, int, int, int]]:
    yield from (("Conv3d_1a_7x7", 3, 64, 7), ("Conv3d_2b_1x1", 64, 64, 1), ("Conv3d_2c_3x3", 64, 192, 3))
    for name, (fan_in, (b0, b1a, b1b, b2a, b2b, b3b)) in MIXED.items():
        for branch, i, o, k in (
            ("b0", fan_in, b0, 1),
            ("b1a", fan_in, b1a, 1),
            ("b1b", b1a, b1b, 3),
            ("b2a", fan_in, b2a, 1),
            ("b2b", b2a, b2b, 3),
            ("b3b", fan_in, b3b, 1),
        ):
            yield f"{name}.{branch}", i, o, k


def build(state: Mapping[str, NDArray[Any]], device: str, *, eps: float, pool: int) -> TorchForward:
    """A Forward: (batch, time, 224, 224, 3) float32 on [-1, 1] -> (batch, 400) logits, averaged over time.

    eps: BatchNorm's. pool: frames under the last average pool (1: DisCo, any T >= 1; 2: the others, T >= 9).
    """
    import torch
    from torch.nn import functional

    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in state.items()}

    def same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
        """Zeros around so that the output is ceil(size / stride), the surplus behind."""
        sides = []
        for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
            surplus = max(k - (s if size % s == 0 else size % s), 0)
            sides += [surplus // 2, surplus - surplus // 2]
        return functional.pad(x, sides)

    def unit(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{name}.conv3d.weight"]
        k = weight.shape[2]
        x = functional.conv3d(same(x, (k, k, k), (stride, stride, stride)), weight, stride=stride)
        mean, var, gain, bias = (tensors[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.relu(functional.batch_norm(x, mean, var, gain, bias, False, 0.0, eps))

    def largest(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
        return functional.max_pool3d(same(x, kernel, stride), kernel, stride)

    def mixed(x: Tensor, name: str) -> Tensor:
        return torch.cat(
            [
                unit(x, f"{name}.b0"),
                unit(unit(x, f"{name}.b1a"), f"{name}.b1b"),
                unit(unit(x, f"{name}.b2a"), f"{name}.b2b"),
                unit(largest(x, (3, 3, 3), (1, 1, 1)), f"{name}.b3b"),
            ],
            dim=1,
        )

    def network(x: Tensor) -> Tensor:
        """(batch, time, height, width, 3) -> (batch, 400)."""
        x = x.permute(0, 4, 1, 2, 3)
        x = largest(unit(x, "Conv3d_1a_7x7", 2), (1, 3, 3), (1, 2, 2))
        x = largest(unit(unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3"), (1, 3, 3), (1, 2, 2))
        x = largest(mixed(mixed(x, "Mixed_3b"), "Mixed_3c"), (3, 3, 3), (2, 2, 2))
        for name in ("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"):
            x = mixed(x, name)
        x = mixed(mixed(largest(x, (2, 2, 2), (2, 2, 2)), "Mixed_5b"), "Mixed_5c")
        x = functional.avg_pool3d(x, (pool, 7, 7), 1)
        x = functional.conv3d(x, tensors["logits.conv3d.weight"], tensors["logits.conv3d.bias"])
        return x.squeeze(4).squeeze(3).mean(dim=2)

    return TorchForward(network, device)
