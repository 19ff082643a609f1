"""The trunks of LPIPS 0.1 (torchvision's AlexNet and VGG16 up to the last tap), with everything that can be done to one picture alone.

LPIPS of two pictures is, over taps, channels and places, the sum of `share * w * (a - b)^2`: a and b are the activations divided by their length
over channels, w >= 0 is the channel's linear head, share the weight of the place in the spatial mean. So a picture becomes one flat row of
`sqrt(share * w) * a`, and LPIPS is the squared Euclidean distance of two rows: a picture's row serves every method it is compared with.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import TorchForward
from benchmark.errors import Unscored
from benchmark.model import Frames

if TYPE_CHECKING:
    from torch import Tensor

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of the input's channels, in lpips' scaling layer."""
EPSILON = 1e-10
HEADS = {
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
}
"""sha256 of lpips' own files weights/v0.1/NAME.pth."""


@dataclass(frozen=True)
class Layer:
    """A convolution with its rectifier. index: its number in torchvision's `features`. pool: side of the max pool (stride 2) before it, 0 = none."""

    index: int
    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    pool: int
    tap: bool


@dataclass(frozen=True)
class Trunk:
    """name: of the linear heads. smallest: side in pixels below which a layer would be empty. last: channels lie together in memory during
    convolutions, which is faster; AlexNet's then add so that its taps are four times as far from float64, up to 1.4e-5.
    """

    name: str
    smallest: int
    last: bool
    layers: tuple[Layer, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the taps."""
        return tuple(layer.outputs for layer in self.layers if layer.tap)


ALEX = Trunk(
    "alex",
    31,
    False,
    (
        Layer(0, 3, 64, 11, 4, 2, 0, True),
        Layer(3, 64, 192, 5, 1, 2, 3, True),
        Layer(6, 192, 384, 3, 1, 1, 3, True),
        Layer(8, 384, 256, 3, 1, 1, 0, True),
        Layer(10, 256, 256, 3, 1, 1, 0, True),
    ),
)
VGG = Trunk(
    "vgg",
    16,
    True,
    tuple(
        Layer(index, inputs, outputs, 3, 1, 1, pool, tap)
        for index, inputs, outputs, pool, tap in (
            (0, 3, 64, 0, False),
            (2, 64, 64, 0, True),
            (5, 64, 128, 2, False),
            (7, 128, 128, 0, True),
            (10, 128, 256, 2, False),
            (12, 256, 256, 0, False),
            (14, 256, 256, 0, True),
            (17, 256, 512, 2, False),
            (19, 512, 512, 0, False),
            (21, 512, 512, 0, True),
            (24, 512, 512, 2, False),
            (26, 512, 512, 0, False),
            (28, 512, 512, 0, True),
        )
    ),
)


def shapes(trunk: Trunk) -> dict[str, tuple[int, ...]]:
    """{torchvision's tensor name: shape} up to the last tap."""
    found: dict[str, tuple[int, ...]] = {}
    for layer in trunk.layers:
        found[f"features.{layer.index}.weight"] = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
        found[f"features.{layer.index}.bias"] = (layer.outputs,)
    return found


def without_classifier(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The file's tensors but those of the fully connected layers."""
    return {name: value for name, value in tensors.items() if not name.startswith("classifier.")}


def large_enough(frames: Frames, trunk: Trunk) -> Frames:
    """The frames as they are. Raises Unscored(`too-small`) where a layer would be empty."""
    height, width = frames.shape[1:3]
    if min(height, width) < trunk.smallest:
        raise Unscored("too-small", f"LPIPS {trunk.name} needs at least {trunk.smallest} pixels a side, compared at {width}x{height}")
    return frames


def heads(name: str) -> list[NDArray[np.float32]]:
    """The linear heads of version 0.1, one (channels,) array a tap, from the installed package lpips, none of whose code is run."""
    spec = importlib.util.find_spec("lpips")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    found = [path for folder in folders if (path := Path(folder) / "weights" / "v0.1" / f"{name}.pth").is_file()]
    if not found:
        raise Unscored("weights-missing", "python -m pip install 'lpips>=0.1.4'")
    return read_heads(found[0], HEADS[name])


def read_heads(path: Path, sha256: str) -> list[NDArray[np.float32]]:
    """The heads of one file. Raises Unscored(`weights-unusable`) for another file than the one of that hash."""
    import torch

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise Unscored("weights-unusable", f"{path}: sha256 {digest}, expected {sha256} (lpips 0.1.4)")
    state = torch.load(path, map_location="cpu", weights_only=True)
    return [state[f"lin{k}.model.1.weight"].numpy().reshape(-1) for k in range(len(state))]


def roots(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Square roots of a head's weights. Raises ValueError for a negative one: the distance of rows would not be LPIPS."""
    if not (weights >= 0).all():
        raise ValueError("a linear head with negative weights has no square root")
    found: NDArray[np.float64] = np.sqrt(weights.astype(np.float64))
    return found


@lru_cache(maxsize=64)
def shares(inner: int, outer: int, spatial: bool) -> NDArray[np.float64]:
    """(inner,) weights of places along one axis, sum 1: equal, or those in the mean of the axis upsampled to `outer` (bilinear, half-pixel centres)."""
    if not spatial:
        return np.full(inner, 1 / inner)
    at = np.maximum((np.arange(outer) + 0.5) * inner / outer - 0.5, 0)
    low = np.minimum(at.astype(np.int64), inner - 1)
    high = np.minimum(low + 1, inner - 1)
    found = np.bincount(low, 1 - (at - low), inner) + np.bincount(high, at - low, inner)
    return found / outer


def kept(weights: NDArray[np.float32]) -> NDArray[np.intp]:
    """Numbers of the channels that are in the row. Leaving some out costs a copy: where only a few weigh nothing they stay, times nought."""
    counts = np.flatnonzero(weights)
    return counts if len(counts) < 0.75 * len(weights) else np.arange(len(weights))


def build(state: Mapping[str, NDArray[Any]], device: str, *, trunk: Trunk, signed: bool, spatial: bool) -> TorchForward:
    """A Forward: (batch, h, w, 3) on 0..255, uint8 or float32 -> (batch, d) rows; d follows from the picture's size.

    signed: the trunk sees [-1, 1], else [0, 1]. spatial: the mean is over the map upsampled to the picture's size. Where many channels' heads
    weigh nothing they are left out of the row.
    """
    import torch
    from torch.nn import functional

    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in state.items()}
    shift, scale = (torch.tensor(values, dtype=torch.float32, device=device) for values in (SHIFT, SCALE))
    axis = 3 if trunk.last else 1
    wide = (-1,) if trunk.last else (-1, 1, 1)
    parts: list[tuple[Tensor | None, Tensor]] = []
    for weights in heads(trunk.name):
        counts = kept(weights)
        gains = torch.from_numpy(roots(weights)[counts].astype(np.float32)).to(device).view(wide)
        parts.append((torch.from_numpy(counts).to(device) if len(counts) < len(weights) else None, gains))

    def places(height: int, width: int, size: tuple[int, int]) -> Tensor:
        """Square roots of the places' shares: (height, width, 1) or (height, width)."""
        down, right = shares(height, size[0], spatial), shares(width, size[1], spatial)
        found = torch.from_numpy(np.sqrt(np.outer(down, right)).astype(np.float32)).to(device)
        return found[..., None] if trunk.last else found

    def taps(x: Tensor) -> list[Tensor]:
        """(batch, height, width, channels) or (batch, channels, height, width) each, contiguous."""
        found = []
        for layer in trunk.layers:
            if layer.pool:
                # A pool over channels that lie together is four times as fast, and gives the same maxima.
                x = functional.max_pool2d(x.contiguous(memory_format=torch.channels_last), layer.pool, 2)
            x = x if trunk.last else x.contiguous()
            weight, bias = tensors[f"features.{layer.index}.weight"], tensors[f"features.{layer.index}.bias"]
            x = functional.relu_(functional.conv2d(x, weight, bias, stride=layer.stride, padding=layer.padding))
            if layer.tap:
                found.append(x.permute(0, 2, 3, 1) if trunk.last else x)
        return found

    def network(batch: Tensor) -> Tensor:
        size = (batch.shape[1], batch.shape[2])
        x = batch.to(torch.float32, copy=True)
        x = x.div_(127.5).sub_(1) if signed else x.div_(255)
        maps = taps(x.sub_(shift).div_(scale).permute(0, 3, 1, 2))
        lengths = [gains.numel() * a[0].numel() // a.shape[axis] for (_, gains), a in zip(parts, maps, strict=True)]
        rows = torch.empty(len(batch), sum(lengths), device=device)
        for (channels, gains), a, part in zip(parts, maps, rows.split(lengths, dim=1), strict=True):
            height, width = a.shape[1:3] if trunk.last else a.shape[2:4]
            factor = places(height, width, size) / ((a * a).sum(axis, keepdim=True).sqrt() + EPSILON)
            if channels is not None:
                a = a[..., channels] if trunk.last else a[:, channels]
            torch.mul(a, factor, out=part.view(a.shape)).mul_(gains)
        return rows

    return TorchForward(network, device)
