"""3D ResNet-50 (Hara et al. 2018) on Kinetics-400, as DisCo's FID-VID uses it: 16 frames of 112x112, pool to 2,048 features, no classifier.

Tensor names are those of kenshohara/3D-ResNets-PyTorch without the leading `module.`; shortcut type B.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import TorchForward

if TYPE_CHECKING:
    from torch import Tensor


BLOCKS = (3, 4, 6, 3)
WIDTH = 64
MEAN = np.array([114.7748, 107.7354, 99.4750], np.float32)
"""Subtracted from RGB on 0..255; nothing is divided."""


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} without the classifier."""
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (WIDTH, 3, 7, 7, 7), **_norm("bn1", WIDTH)}
    fan_in = WIDTH
    for layer, count in enumerate(BLOCKS, 1):
        width = WIDTH * 2 ** (layer - 1)
        for block in range(count):
            name = f"layer{layer}.{block}"
            for part, (o, i, k) in {"1": (width, fan_in, 1), "2": (width, width, 3), "3": (4 * width, width, 1)}.items():
                found[f"{name}.conv{part}.weight"] = (o, i, k, k, k)
                found |= _norm(f"{name}.bn{part}", o)
            if block == 0:
                found[f"{name}.downsample.0.weight"] = (4 * width, fan_in, 1, 1, 1)
                found |= _norm(f"{name}.downsample.1", 4 * width)
            fan_in = 4 * width
    return found


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {**{f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}, f"{name}.num_batches_tracked": ()}


def build(state: Mapping[str, NDArray[Any]], device: str) -> TorchForward:
    """A Forward: (batch, 16, 112, 112, 3) float32, RGB on 0..255 less MEAN -> (batch, 2048)."""
    import torch
    from torch.nn import functional

    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in state.items()}

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, gain, bias = (tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, var, gain, bias, False, 0.0, 1e-5)

    def block(x: Tensor, name: str, stride: int) -> Tensor:
        y = functional.relu(norm(functional.conv3d(x, tensors[f"{name}.conv1.weight"]), f"{name}.bn1"))
        y = functional.relu(norm(functional.conv3d(y, tensors[f"{name}.conv2.weight"], stride=stride, padding=1), f"{name}.bn2"))
        y = norm(functional.conv3d(y, tensors[f"{name}.conv3.weight"]), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in tensors:
            x = norm(functional.conv3d(x, tensors[f"{name}.downsample.0.weight"], stride=stride), f"{name}.downsample.1")
        return functional.relu(y + x)

    def network(x: Tensor) -> Tensor:
        """(batch, 16, 112, 112, 3) -> (batch, 2048)."""
        x = x.permute(0, 4, 1, 2, 3)
        x = functional.relu(norm(functional.conv3d(x, tensors["conv1.weight"], stride=(1, 2, 2), padding=3), "bn1"))
        x = functional.max_pool3d(x, 3, 2, 1)
        for layer, count in enumerate(BLOCKS, 1):
            for number in range(count):
                x = block(x, f"layer{layer}.{number}", 2 if layer > 1 and number == 0 else 1)
        return functional.avg_pool3d(x, (1, 4, 4), 1).flatten(1)

    return TorchForward(network, device)
