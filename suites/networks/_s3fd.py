"""S3FD (Zhang et al. 2017), the face detector of the lip-sync pipelines: network, priors, boxes, both suppressions, and the faces of a picture.

After joonson/syncnet_python@6efbb1c detectors/s3fd (nets.py, box_utils.py, __init__.py), whose tensor names are kept. Only the network needs
torch; boxes are float32 arithmetic in numpy, in the original's order of operations.

A box is x1, y1, x2, y2 with x to the right and y down: as a share of the picture until `faces_of`, in pixels from there on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backends import TorchForward

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

MEAN = np.array([123.0, 117.0, 104.0], np.float32)
"""Subtracted from red, green, blue on 0..255; nothing is divided."""
SCALE = 0.25
"""The pipelines look for faces in a picture of this share of the frame's size."""
CONFIDENCE = 0.9
"""A face has more than this."""
SIZES, STEPS = (16, 32, 64, 128, 256, 512), (4, 8, 16, 32, 64, 128)
"""Side of the prior and distance between priors in pixels of the network's input, for each of the six levels."""
VARIANCES = (0.1, 0.2)
"""Scales of a box's offset and of the logarithm of its size."""
KEPT = 750
"""Detections of one picture at most."""
_VGG = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256), 17: (256, 512), 19: (512, 512),
        21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512), 31: (512, 1024), 33: (1024, 1024)}  # fmt: skip
_EXTRAS = ((1024, 256, 1), (256, 512, 3), (512, 128, 1), (128, 256, 3))
_LEVELS = (256, 512, 512, 1024, 512, 256)
_NORMS = {16: "L2Norm3_3", 23: "L2Norm4_3", 30: "L2Norm5_3"}
"""Before the pool at this place of the list, what came out is normalised and becomes a level."""
_POOLS = {4: False, 9: False, 16: True, 23: False, 30: False}
"""Place of a 2x2 pool -> whether an odd row or column left over is kept."""


def shapes() -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of all 65 tensors."""
    found: dict[str, tuple[int, ...]] = {}
    for index, (i, o) in _VGG.items():
        found |= _convolution(f"vgg.{index}", i, o, 1 if index == 33 else 3)
    found |= {f"{name}.weight": (width,) for name, width in zip(_NORMS.values(), _LEVELS, strict=False)}
    for index, (i, o, side) in enumerate(_EXTRAS):
        found |= _convolution(f"extras.{index}", i, o, side)
    for level, width in enumerate(_LEVELS):
        found |= _convolution(f"loc.{level}", width, 4, 3)
        found |= _convolution(f"conf.{level}", width, 2 if level else 4, 3)
    return found


def _convolution(name: str, i: int, o: int, side: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (o, i, side, side), f"{name}.bias": (o,)}


def build(state: Mapping[str, NDArray[Any]], device: str) -> TorchForward:
    """A Forward: (batch, h, w, 3) float32, red, green, blue on 0..255 less MEAN -> (batch, priors, 6).

    A row is what the two heads say at one prior, in the order of `priors`: four offsets (`loc`), then the probabilities of background and face
    (`conf` after softmax). On level 0 background is the largest of three logits. state: as of `shapes`; KeyError where a tensor is missing.
    RuntimeError, from torch, for a picture with a side below 32 pixels.
    """
    import torch
    from torch.nn import functional

    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in state.items()}

    def convolved(x: Tensor, name: str, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
        return functional.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], stride, padding, dilation)

    def normed(x: Tensor, name: str) -> Tensor:
        length = x.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10
        return tensors[f"{name}.weight"][None, :, None, None] * (x / length)

    def heads(x: Tensor, level: int) -> Tensor:
        loc, conf = (convolved(x, f"{head}.{level}", 1, 1).permute(0, 2, 3, 1).flatten(1, 2) for head in ("loc", "conf"))
        if level == 0:
            conf = torch.cat([conf[..., :3].amax(dim=-1, keepdim=True), conf[..., 3:]], dim=-1)
        return torch.cat([loc, torch.softmax(conf, dim=-1)], dim=-1)

    def network(x: Tensor) -> Tensor:
        """(batch, h, w, 3) -> (batch, priors, 6)."""
        x = x.permute(0, 3, 1, 2)
        found = []
        for index in sorted([*_VGG, *_POOLS]):
            if index in _NORMS:
                found.append(normed(x, _NORMS[index]))
            if index in _POOLS:
                x = functional.max_pool2d(x, 2, 2, ceil_mode=_POOLS[index])
            else:
                padding, dilation = {31: (6, 6), 33: (0, 1)}.get(index, (1, 1))
                x = functional.relu(convolved(x, f"vgg.{index}", 1, padding, dilation))
        found.append(x)
        for index in range(len(_EXTRAS)):
            x = functional.relu(convolved(x, f"extras.{index}", *((2, 1) if index % 2 else (1, 0))))
            if index % 2:
                found.append(x)
        return torch.cat([heads(x, level) for level, x in enumerate(found)], dim=1)

    return TorchForward(network, device)


def preprocess(picture: NDArray[np.uint8], scale: float = SCALE) -> Floats:
    """(h, w, 3) uint8 RGB -> (h', w', 3) float32: resized by `scale` (OpenCV's bilinear on uint8; sides are rounded, halves to even), less MEAN."""
    import cv2

    small = cv2.resize(picture, dsize=(0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    levels: Floats = np.asarray(small, np.float32) - MEAN
    return levels


def feature_maps(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns of the six levels for an input of `height` by `width` pixels. ValueError for a side below 32."""
    if min(height, width) < 32:
        raise ValueError(f"a picture of {height}x{width} pixels is too small: both sides need 32 at least")

    def of(side: int) -> tuple[int, ...]:
        third = side // 4
        fourth = -(-third // 2)
        fifth, sixth = fourth // 2, fourth // 4
        seventh = -(-sixth // 2)
        return third, fourth, fifth, sixth, seventh, -(-seventh // 2)

    return tuple(zip(of(height), of(width), strict=True))


def priors(height: int, width: int, maps: tuple[tuple[int, int], ...] | None = None) -> Floats:
    """(priors, 4) float32: centre x, centre y, width, height as shares of an input of `height` by `width` pixels.

    One square of SIZES[level] pixels in the middle of each cell of STEPS[level] pixels, level by level, row by row; not clipped. maps: rows and
    columns of the levels, by default those of `feature_maps`.
    """
    found = []
    for (rows, columns), size, step in zip(feature_maps(height, width) if maps is None else maps, SIZES, STEPS, strict=False):
        y, x = np.mgrid[:rows, :columns]
        sides = np.broadcast_to([size / width, size / height], (rows * columns, 2))
        found.append(np.column_stack([(x.ravel() + 0.5) / (width / step), (y.ravel() + 0.5) / (height / step), sides]))
    return np.concatenate(found).astype(np.float32)


def decode(loc: Floats, at: Floats) -> Floats:
    """Offsets (n, 4) and priors (n, 4), both float32 -> boxes (n, 4) as shares of the picture."""
    first, second = (np.float32(variance) for variance in VARIANCES)
    centre = at[:, :2] + loc[:, :2] * first * at[:, 2:]
    size = at[:, 2:] * np.exp(loc[:, 2:] * second)
    corner = centre - size / 2
    return np.concatenate([corner, size + corner], axis=1)


def nms(boxes: Floats, scores: Floats, overlap: float = 0.3, top: int = 5000) -> Indices:
    """Indices of the boxes (n, 4) that stay, best first: of the `top` best scores (n,), none overlaps a better one by an IoU above `overlap`.

    box_utils.nms. Of equal scores the later one counts as better.
    """
    return _suppressed(boxes, np.argsort(scores, kind="stable")[-top:][::-1], np.float32(overlap))


def nms_greedy(boxes: NDArray[Any], overlap: float = 0.1) -> Indices:
    """The same over (n, 5) rows that end in a score, all of them (box_utils.nms_)."""
    return _suppressed(boxes[:, :4], np.argsort(boxes[:, 4], kind="stable")[::-1], overlap)


def _suppressed(boxes: NDArray[Any], order: Indices, overlap: float | np.float32) -> Indices:
    """Greedy suppression of boxes in the order given."""
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1) * (y2 - y1)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        wide = np.maximum(0, np.minimum(x2[best], x2[order]) - np.maximum(x1[best], x1[order]))
        high = np.maximum(0, np.minimum(y2[best], y2[order]) - np.maximum(y1[best], y1[order]))
        shared = wide * high
        order = order[shared / ((areas[order] - shared) + areas[best]) <= overlap]
    return np.array(kept, np.intp)


def detect(loc: Floats, face: Floats, at: Floats, confidence: float = 0.05, overlap: float = 0.3) -> Floats:
    """Offsets (n, 4), probabilities of a face (n,) and priors (n, 4) -> (m, 5) float32 rows score, x1, y1, x2, y2; best first, 750 at most.

    A box takes part above `confidence`, strictly (box_utils.Detect; its zeros after the last detection are left out).
    """
    above = face > np.float32(confidence)
    boxes, scores = decode(loc, at)[above], face[above]
    kept = nms(boxes, scores, overlap)[:KEPT]
    return np.concatenate([scores[kept, None], boxes[kept]], axis=1)


def faces_of(detections: Floats, height: int, width: int, confidence: float = CONFIDENCE) -> NDArray[np.float64]:
    """Detections of one picture (m, 5), best first -> (faces, 5) float64 rows x1, y1, x2, y2 in pixels of `height` by `width`, score.

    Reading stops at the first score that is not above `confidence`, in float32: 0.9 itself is no face. Then `nms_greedy` at 0.1. Boxes may reach
    out of the picture. A picture without a face gives (0, 5). S3FD.detect_faces; where all 750 detections are above, it fails and this does not.
    """
    below = np.flatnonzero(~(detections[:, 0] > np.float32(confidence)))
    counted = detections[: below[0]] if len(below) else detections
    pixels = counted[:, 1:] * np.array([width, height, width, height], np.float32)
    rows = np.concatenate([pixels, counted[:, :1]], axis=1).astype(np.float64)
    return rows[nms_greedy(rows)]


def detect_faces(
    network: TorchForward, picture: NDArray[np.uint8], scale: float = SCALE, confidence: float = CONFIDENCE
) -> NDArray[np.float64]:
    """The faces of one (h, w, 3) uint8 RGB picture, as of `faces_of`. ValueError where a side, times `scale`, is below 32 pixels."""
    pixels = preprocess(picture, scale)
    at = priors(pixels.shape[0], pixels.shape[1])
    rows = network(pixels[None])[0]
    return faces_of(detect(rows[:, :4], rows[:, 5], at), picture.shape[0], picture.shape[1], confidence)
