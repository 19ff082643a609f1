"""A person's mask by SAM and optical flow by RAFT, eight times a second: subject dynamics with the networks the field names."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Extractor
from benchmark.rows import thinned
from suites.networks import raft
from suites.networks.dwpose import INPUTS, NAMES, session
from suites.networks.selfie_flow import RATE, preprocess
from suites.people import _yolox
from suites.people._dynamic_degree import pad, pads
from suites.people._dynamics import WIDTH, dynamics

if TYPE_CHECKING:
    from torch import nn

    from benchmark.model import Forward

RAFT, PERSONS = "raft-large-c-t-skht-v2", NAMES[0]
Picture = NDArray[np.uint8]
Box = NDArray[np.floating]
Mask = NDArray[np.bool_]


def network(size: str) -> nn.Module:
    """SAM of segment-anything 1.0 without weights. size: `vit_h` or `vit_b`. Raises Unscored(`not-installed`) without the package."""
    if importlib.util.find_spec("segment_anything") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[sam]'")
    from segment_anything import sam_model_registry

    made: nn.Module = sam_model_registry[size](checkpoint=None)  # its own loader would unpickle
    return made


def shapes(size: str) -> dict[str, tuple[int, ...]]:
    """{tensor: shape} of the state dict."""
    import torch

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in network(size).state_dict().items()}


def main_person(boxes: Box, height: int, width: int) -> Box | None:
    """(n, 4) x0, y0, x1, y1 -> the largest of them, clipped to the picture; the first of equals; None where there is none."""
    if not len(boxes):
        return None
    largest = boxes[int(np.argmax((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)))]
    clipped: Box = np.clip(largest, 0, (width, height, width, height))
    return clipped


def masks(state: Mapping[str, NDArray[np.float32]], size: str, device: str) -> Callable[[Picture, Box], Mask]:
    """A function of a (h, w, 3) uint8 RGB picture and a box of it in pixels -> (h, w) SAM's single mask, logits above nought."""
    import torch

    model = network(size)
    model.load_state_dict({name: torch.from_numpy(np.asarray(values)) for name, values in state.items()})
    model.to(device).eval()
    from segment_anything import SamPredictor

    predictor = SamPredictor(model)

    def mask(picture: Picture, box: Box) -> Mask:
        predictor.set_image(picture)
        found: NDArray[np.bool_] = predictor.predict(box=box, multimask_output=False)[0][0]
        return found

    return mask


def pairwise(
    find: Callable[[Picture], Box], mask: Callable[[Picture, Box], Mask], flow: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> Forward:
    """A Forward: (1, 2, h, w, 3) uint8, two frames in order -> (1, 5) float32 of `dynamics`; a first frame without a person has no foreground.

    find: picture -> (n, 4) boxes. mask: picture, box -> (h, w). flow: (2, h', w', 3) padded -> (2, h', w').
    """

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        first, second = batch[0]
        height, width = first.shape[:2]
        box = main_person(find(first), height, width)
        person = np.zeros((height, width), np.bool_) if box is None else mask(first, box)
        left, _, top, _ = pads(height, width)
        field = flow(np.stack([pad(first), pad(second)]))[:, top : top + height, left : left + width]
        if not np.isfinite(field).all():
            return np.full((1, WIDTH), np.nan, np.float32)
        return dynamics(person, field.transpose(1, 2, 0))[None]

    return forward


def build(states: Mapping[str, Any], device: str, *, size: str, weights: str) -> Forward:
    """The Forward of `pairwise`. Raises Unscored(`not-installed`) without segment-anything or onnxruntime, (`weights-unusable`) as `session`."""
    detector = session(PERSONS, states[PERSONS], INPUTS[0], device)

    def persons(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = detector.run(None, {detector.get_inputs()[0].name: pixels})[0]
        return found

    def find(picture: Picture) -> Box:
        return _yolox.detect(np.ascontiguousarray(picture), persons)

    return pairwise(find, masks(states[weights], size, device), raft.flows(states[RAFT], device))


def _extractor(id: str, size: str, weights: str) -> Extractor:
    name = size.replace("vit_", "ViT-").replace("-h", "-H").replace("-b", "-B")
    return Extractor(
        id=id,
        version=1,
        summary=f"YOLOX-l's largest person (score above 0.3) as the box for SAM {name}'s single mask (logits above 0) of a frame; RAFT-large (C_T_SKHT_V2, "
        "20 updates) to the next at 8 frames a second, padded to multiples of 8 and cropped back; all at a short side of 512, red first",
        source="facebookresearch/segment-anything (package 1.0, SamPredictor; Kirillov et al. 2023, arXiv:2304.02643); torchvision raft_large (Teed and Deng "
        "2020, arXiv:2003.12039); IDEA-Research/DWPose@3dca5db onnxdet.py",
        dimension=WIDTH,
        batch=1,
        window=2,
        minimum=2,
        sample=partial(thinned, rate=RATE),
        preprocess=preprocess,
        build=partial(build, size=size, weights=weights),
        weights=(weights, RAFT, PERSONS),
        shapes={weights: partial(shapes, size), RAFT: raft.shapes},
        rename={RAFT: raft.rename},
        script=True,
    )


SPEC = (_extractor("sam-raft", "vit_h", "sam-vit-h"), _extractor("sam-b-raft", "vit_b", "sam-vit-b"))
