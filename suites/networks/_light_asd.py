"""Light-ASD (Liao et al., CVPR 2023): is the face that is seen the one that is heard? A score a frame. In eval mode.

Tensor names and layers are those of Junhua-Liao/Light-ASD ASD.py, model/Model.py, model/Encoder.py, model/Classifier.py, loss.py. Two branches of
three blocks bring 25 grey frames and 100 rows of cepstra a second to 128 numbers a frame each; their sum goes through a recurrent unit forwards and
then one backwards. A block adds a path of 3 and one of 5 taps, each first over space (or cepstra), then over time; padding with noughts everywhere.

What the two published files listen to differs. On 13 real clips whose sound is put to silence the mean score falls by 4.1 (3.4 at least) with AVA's file
and by 0.5 with TalkSet's, which judges the mouth's movement almost alone; a sound late or early by one or two seconds costs 0.19 and 0.06, in 11 and 7 of
the 13. Neither measures lip sync. Not checked against the original's own output: no score of its authors for a clip at hand is published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suites.sync._asd import CEPSTRA, SIDE, Scorer, averaged
from suites.sync._mfcc import STEPS_A_FRAME

if TYPE_CHECKING:
    from torch import Tensor

WIDTHS = (1, 32, 64, 128)
"""Channels before the first block and after each."""
TAPS = (3, 5)
MEAN, DEVIATION = 0.4161, 0.1688
"""Of a pixel on 0..1."""
_EPS = 1e-3
_UNUSED = "lossV."
"""The head that judges the face alone serves training only."""


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor: shape} of what is computed with: 160 tensors, without the counters of batches and the head of faces alone."""
    found: dict[str, tuple[int, ...]] = {}
    for branch, across in (("visualEncoder", "s"), ("audioEncoder", "m")):
        for number in (1, 2, 3):
            before, after, block = WIDTHS[number - 1], WIDTHS[number], f"model.{branch}.block{number}"
            for taps in TAPS:
                first, second = ((1, taps, taps), (taps, 1, 1)) if across == "s" else ((taps, 1), (1, taps))
                found |= {f"{block}.{across}_{taps}.weight": (after, before, *first), **_norm(f"{block}.bn_{across}_{taps}", after)}
                found |= {f"{block}.t_{taps}.weight": (after, after, *second), **_norm(f"{block}.bn_t_{taps}", after)}
            found |= {f"{block}.last.weight": (after, after, *((1,) * len(first))), **_norm(f"{block}.bn_last", after)}
    width = WIDTHS[-1]
    for way in ("forward", "backward"):
        unit = f"model.GRU.gru_{way}"
        found |= {f"{unit}.weight_{part}_l0": (3 * width, width) for part in ("ih", "hh")}
        found |= {f"{unit}.bias_{part}_l0": (3 * width,) for part in ("ih", "hh")}
    return {**found, "lossAV.FC.weight": (2, width), "lossAV.FC.bias": (2,)}


def rename(tensors: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """The file's tensors without what nothing depends on."""
    return {name: values for name, values in tensors.items() if not name.endswith("num_batches_tracked") and not name.startswith(_UNUSED)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}


def build(state: Mapping[str, NDArray[Any]], device: str) -> Scorer:
    """A function (grey crops (n, 112, 112) uint8 at 25 a second, cepstra (4n, 13) float64 at 100 a second) -> (n,) float32 scores.

    What Columbia_test.py computes before it rounds to a tenth: the mean of the scores in chunks of 1 to 6 seconds (`averaged`). Above 0 the face
    speaks; a score is the second output of the last layer, no probability. KeyError for a state that lacks a tensor.
    """
    return partial(averaged, whole(state, device))


def whole(state: Mapping[str, NDArray[Any]], device: str) -> Scorer:
    """The same function over all frames at once, in one forward. ValueError for crops and cepstra that do not fit together."""
    import torch
    from torch.nn import functional

    tensors = {name: torch.from_numpy(np.array(state[name], np.float32)).to(device) for name in shapes()}
    forwards, backwards = (_recurrent(tensors, way, device) for way in ("forward", "backward"))

    def score(crops: NDArray[np.uint8], cepstra: NDArray[np.float64]) -> NDArray[np.float32]:
        n = len(crops)
        if crops.shape != (n, SIDE, SIDE) or cepstra.shape != (STEPS_A_FRAME * n, CEPSTRA) or not n:
            raise ValueError(f"crops (n, {SIDE}, {SIDE}) need cepstra (4n, {CEPSTRA}), not {crops.shape} and {cepstra.shape}")
        with torch.inference_mode():
            frames = torch.from_numpy(np.array(crops, np.float32)).to(device)
            seen = _visual(tensors, (frames / 255 - MEAN) / DEVIATION)
            heard = _audio(tensors, torch.from_numpy(np.array(cepstra, np.float32)).to(device))
            x = functional.gelu(forwards((heard + seen)[None])[0])
            x = functional.gelu(backwards(x.flip(1))[0].flip(1))[0]
            logits = functional.linear(x, tensors["lossAV.FC.weight"], tensors["lossAV.FC.bias"])
            found: NDArray[np.float32] = logits[:, 1].cpu().numpy()
        return found

    return score


def _visual(tensors: Mapping[str, Tensor], frames: Tensor) -> Tensor:
    """(n, 112, 112) normalised -> (n, 128)."""
    from torch.nn import functional

    x = frames[None, None]
    for number in (1, 2, 3):
        x = _block(tensors, f"model.visualEncoder.block{number}", "s", x, 2 if number == 1 else 1)
        if number < 3:
            x = functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    return x[0].amax(dim=(2, 3)).T


def _audio(tensors: Mapping[str, Tensor], cepstra: Tensor) -> Tensor:
    """(4n, 13) -> (n, 128)."""
    from torch.nn import functional

    x = cepstra.T[None, None]
    for number in (1, 2, 3):
        x = _block(tensors, f"model.audioEncoder.block{number}", "m", x, 1)
        if number < 3:
            x = functional.max_pool2d(x, (1, 3), (1, 2), (0, 1))
    return x[0].mean(dim=1).T


def _block(tensors: Mapping[str, Tensor], block: str, across: str, x: Tensor, stride: int) -> Tensor:
    """Both paths and what joins them. across: `s` over space first, in three dimensions, or `m` over cepstra, in two."""
    from torch.nn import functional

    convolve: Callable[..., Tensor] = functional.conv3d if across == "s" else functional.conv2d
    paths = []
    for taps in TAPS:
        half = taps // 2
        steps, first, second = ((1, stride, stride), (0, half, half), (half, 0, 0)) if across == "s" else (1, (half, 0), (0, half))
        y = convolve(x, tensors[f"{block}.{across}_{taps}.weight"], None, steps, first)
        y = _normed(tensors, f"{block}.bn_{across}_{taps}", y)
        y = convolve(y, tensors[f"{block}.t_{taps}.weight"], None, 1, second)
        paths.append(_normed(tensors, f"{block}.bn_t_{taps}", y))
    return _normed(tensors, f"{block}.bn_last", convolve(paths[0] + paths[1], tensors[f"{block}.last.weight"]))


def _normed(tensors: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    from torch.nn import functional

    mean, var, gain, bias = (tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return functional.relu(functional.batch_norm(x, mean, var, gain, bias, False, 0.0, _EPS))


def _recurrent(tensors: Mapping[str, Tensor], way: str, device: str) -> Any:
    """A gated recurrent unit with torch's layout of weights."""
    import torch

    prefix = f"model.GRU.gru_{way}."
    unit = torch.nn.GRU(WIDTHS[-1], WIDTHS[-1], batch_first=True)
    unit.load_state_dict({name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)})
    return unit.to(device).eval()
