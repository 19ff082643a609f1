"""RAFT-large as torchvision has it, as far as VBench's dynamic degree needs it: the longest twentieth of each flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Extractor, Frames
from suites.people._dynamic_degree import largest_mean, pad, sampled

if TYPE_CHECKING:
    from torch import nn

    from benchmark.model import Forward

UPDATES, LEAST = 20, 128
"""Refinements of a flow; the smallest padded side in pixels that the network takes."""


def network() -> nn.Module:
    """torchvision.models.optical_flow.raft_large without weights."""
    from torchvision.models.optical_flow import raft_large

    made: nn.Module = raft_large(weights=None, progress=False)
    return made


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor: shape} of the state dict, counters of batches left out."""
    import torch

    with torch.device("meta"):
        made = network()
    return {name: tuple(tensor.shape) for name, tensor in made.state_dict().items() if not name.endswith("num_batches_tracked")}


def rename(tensors: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """The file's tensors without the counters of batches, which nothing depends on."""
    return {name: values for name, values in tensors.items() if not name.endswith("num_batches_tracked")}


def preprocess(frames: Frames) -> NDArray[np.float32]:
    """(n, h, w, 3) on 0..255 -> float32, both sides padded to multiples of 8 by repeating the edge."""
    return np.stack([pad(frame) for frame in frames])


def flows(state: Mapping[str, NDArray[np.float32]], device: str) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """A function (2, h, w, 3) float32 on 0..255, sides multiples of 8 -> (2, h, w) x and y in pixels from the first frame to the second.

    It raises Unscored(`too-small`) where a side is below 128 pixels.
    """
    import torch

    model = network()
    missing, unexpected = model.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in state.items()}, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"not the tensors of RAFT-large: {[*unexpected, *missing][:3]}")
    model.to(device).eval()

    def flow(pair: NDArray[np.float32]) -> NDArray[np.float32]:
        if min(pair.shape[1:3]) < LEAST:
            raise Unscored("too-small", f"RAFT needs {LEAST} pixels a side, compared at {pair.shape[2]}x{pair.shape[1]}")
        images = torch.from_numpy(np.ascontiguousarray(pair)).permute(0, 3, 1, 2).to(device)
        images = 2 * (images / 255.0) - 1
        with torch.inference_mode():
            found: NDArray[np.float32] = model(images[:1], images[1:], num_flow_updates=UPDATES)[-1][0].cpu().numpy()
        return found

    return flow


def build(state: Mapping[str, NDArray[np.float32]], device: str) -> Forward:
    """A Forward: (1, 2, h, w, 3) float32 on 0..255, padded -> (1, 1) float32: mean length of the longest twentieth of the flow, in pixels.

    Raises Unscored(`too-small`) where a side is below 128 pixels.
    """
    flow = flows(state, device)

    def forward(batch: NDArray[np.float32], /) -> NDArray[np.float32]:
        field = flow(batch[0])
        return np.array([[largest_mean(field) if np.isfinite(field).all() else np.nan]], np.float32)

    return forward


SPEC = Extractor(
    id="raft-top",
    version=1,
    summary="RAFT-large (C_T_V1, 20 updates) between frames about 8 a second, padded to multiples of 8; mean length of the longest twentieth of the flow",
    source="Vchitect/VBench@45e79ec vbench/dynamic_degree.py; torchvision raft_large, weights C_T_V1 (Teed and Deng 2020, arXiv:2003.12039)",
    dimension=1,
    batch=1,
    window=2,
    minimum=2,
    sample=sampled,
    preprocess=preprocess,
    build=build,
    weights="raft-large-c-t-v1",
    shapes=shapes,
    rename=rename,
)
