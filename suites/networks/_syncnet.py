"""SyncNet's network S (Chung and Zisserman 2016): five frames of a mouth, or 0.2 s of sound, to 1,024 numbers. In eval mode.

Tensor names and layers are those of joonson/syncnet_python@6efbb1c SyncNetModel.py. Nothing is normalised: pixels enter on 0..255 in the order
blue, green, red, cepstra as they are, and embeddings leave with whatever length they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import TorchForward

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 224
"""Pixels a side of the lip input."""
WINDOW = 5
"""Frames of one lip input."""
CEPSTRA, STEPS = 13, 20
"""Rows and columns of one audio input: cepstra by steps of 10 ms."""
DIMENSION = 1024
"""Length of an embedding."""
FEATURES = 512
"""Length of a lip feature, before the linear layers."""
_EPS = 1e-5


class _Layer(NamedTuple):
    """A convolution with bias, batch norm and ReLU; then, where `pool` is given, a maximum. Two-dimensional for sound, three for lips."""

    place: int
    channels: tuple[int, int]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    pool: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None = None


_AUDIO = (
    _Layer(0, (1, 64), (3, 3), (1, 1), (1, 1)),
    _Layer(4, (64, 192), (3, 3), (1, 1), (1, 1), ((3, 3), (1, 2), (0, 0))),
    _Layer(8, (192, 384), (3, 3), (1, 1), (1, 1)),
    _Layer(11, (384, 256), (3, 3), (1, 1), (1, 1)),
    _Layer(14, (256, 256), (3, 3), (1, 1), (1, 1), ((3, 3), (2, 2), (0, 0))),
    _Layer(18, (256, 512), (5, 4), (1, 1), (0, 0)),
)
_LIP = (
    _Layer(0, (3, 96), (5, 7, 7), (1, 2, 2), (0, 0, 0), ((1, 3, 3), (1, 2, 2), (0, 0, 0))),
    _Layer(4, (96, 256), (1, 5, 5), (1, 2, 2), (0, 1, 1), ((1, 3, 3), (1, 2, 2), (0, 1, 1))),
    _Layer(8, (256, 256), (1, 3, 3), (1, 1, 1), (0, 1, 1)),
    _Layer(11, (256, 256), (1, 3, 3), (1, 1, 1), (0, 1, 1)),
    _Layer(14, (256, 256), (1, 3, 3), (1, 1, 1), (0, 1, 1), ((1, 3, 3), (1, 2, 2), (0, 0, 0))),
    _Layer(18, (256, 512), (1, 6, 6), (1, 1, 1), (0, 0, 0)),
)


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of all 102 tensors, the counters of seen batches among them."""
    found: dict[str, tuple[int, ...]] = {}
    for branch, layers in (("aud", _AUDIO), ("lip", _LIP)):
        for layer in layers:
            i, o = layer.channels
            name = f"netcnn{branch}"
            found |= {f"{name}.{layer.place}.weight": (o, i, *layer.kernel), f"{name}.{layer.place}.bias": (o,)}
            found |= _norm(f"{name}.{layer.place + 1}", o)
        name = f"netfc{branch}"
        found |= {f"{name}.0.weight": (FEATURES, FEATURES), f"{name}.0.bias": (FEATURES,), **_norm(f"{name}.1", FEATURES)}
        found |= {f"{name}.3.weight": (DIMENSION, FEATURES), f"{name}.3.bias": (DIMENSION,)}
    return found


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**parts, f"{name}.num_batches_tracked": ()}


def forward_lip(state: Mapping[str, NDArray[Any]], device: str) -> TorchForward:
    """A Forward: (batch, 5, 224, 224, 3) float32, blue, green, red on 0..255 -> (batch, 1024) (S.forward_lip).

    state: {tensor name: array} with the names and shapes of `shapes`; KeyError where one is missing. RuntimeError, from torch, for an input of
    another size.
    """
    features, head = _branch(state, device, "lip", _LIP), _head(state, device, "lip")

    def network(x: Tensor) -> Tensor:
        """(batch, 5, 224, 224, 3) -> (batch, 1024)."""
        return head(features(x.permute(0, 4, 1, 2, 3)))

    return TorchForward(network, device)


def forward_lipfeat(state: Mapping[str, NDArray[Any]], device: str) -> TorchForward:
    """A Forward: the same input -> (batch, 512), the convolutions' features before the linear layers, 0 or more (S.forward_lipfeat)."""
    features = _branch(state, device, "lip", _LIP)

    def network(x: Tensor) -> Tensor:
        """(batch, 5, 224, 224, 3) -> (batch, 512)."""
        return features(x.permute(0, 4, 1, 2, 3))

    return TorchForward(network, device)


def forward_aud(state: Mapping[str, NDArray[Any]], device: str) -> TorchForward:
    """A Forward: (batch, 13, 20) float32, cepstra by steps of 10 ms -> (batch, 1024) (S.forward_aud). Errors as of `forward_lip`."""
    features, head = _branch(state, device, "aud", _AUDIO), _head(state, device, "aud")

    def network(x: Tensor) -> Tensor:
        """(batch, 13, 20) -> (batch, 1024)."""
        return head(features(x.unsqueeze(1)))

    return TorchForward(network, device)


def _tensors(state: Mapping[str, NDArray[Any]], device: str, prefix: str) -> dict[str, Tensor]:
    import torch

    return {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in state.items() if name.startswith(prefix)}


def _normed(x: Tensor, tensors: Mapping[str, Tensor], name: str) -> Tensor:
    from torch.nn import functional

    mean, var, gain, bias = (tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return functional.relu(functional.batch_norm(x, mean, var, gain, bias, False, 0.0, _EPS))


def _branch(state: Mapping[str, NDArray[Any]], device: str, branch: str, layers: tuple[_Layer, ...]) -> Any:
    """A function of tensors: (batch, channels, ...) -> (batch, 512)."""
    from torch.nn import functional

    name = f"netcnn{branch}"
    tensors = _tensors(state, device, f"{name}.")
    convolve, pool = (functional.conv2d, functional.max_pool2d) if branch == "aud" else (functional.conv3d, functional.max_pool3d)

    def features(x: Tensor) -> Tensor:
        for layer in layers:
            weight, bias = tensors[f"{name}.{layer.place}.weight"], tensors[f"{name}.{layer.place}.bias"]
            x = _normed(convolve(x, weight, bias, layer.stride, layer.padding), tensors, f"{name}.{layer.place + 1}")
            if layer.pool:
                x = pool(x, *layer.pool)
        return x.flatten(1)

    return features


def _head(state: Mapping[str, NDArray[Any]], device: str, branch: str) -> Any:
    """A function of tensors: (batch, 512) -> (batch, 1024)."""
    from torch.nn import functional

    name = f"netfc{branch}"
    tensors = _tensors(state, device, f"{name}.")

    def head(x: Tensor) -> Tensor:
        x = _normed(functional.linear(x, tensors[f"{name}.0.weight"], tensors[f"{name}.0.bias"]), tensors, f"{name}.1")
        return functional.linear(x, tensors[f"{name}.3.weight"], tensors[f"{name}.3.bias"])

    return head
