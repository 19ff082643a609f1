"""133 whole-body points by DWPose: YOLOX finds the persons, RTMPose the points of each."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.machine import THREADS
from benchmark.model import Extractor, Frames
from benchmark.weights import entry, how_to_get
from suites.metrics._frames import levels
from suites.people import _rtmpose, _yolox
from suites.people._dwpose_rows import PERSONS, WIDTH, pack
from suites.people._marks import DWPOSE

if TYPE_CHECKING:
    from benchmark.model import Forward

NAMES = ("dwpose-yolox-l", "dwpose-ll-ucoco-384")
INPUTS = ((1, 3, _yolox.SIDE, _yolox.SIDE), (1, 3, _rtmpose.HEIGHT, _rtmpose.WIDTH))


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255, float frames rounded half to even."""
    return levels(frames)


def session(name: str, graph: bytes, wanted: tuple[int, ...], device: str) -> Any:
    """An onnxruntime session of one input: on CUDA where the device is a GPU and onnxruntime has that provider, else on the CPU.

    Raises Unscored(`not-installed`) without onnxruntime, Unscored(`weights-unusable`) where the file does not parse or takes another input.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[onnxruntime]'")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    gpu = device.startswith("cuda") and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    providers = ["CUDAExecutionProvider"] if gpu else ["CPUExecutionProvider"]
    try:
        made = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # onnxruntime raises classes of its own, one for each kind of fault
        raise Unscored("weights-unusable", f"{name} does not parse as onnx: {str(error).splitlines()[0][:200]}") from error
    found = [tuple(given.shape) for given in made.get_inputs()]
    fits = (
        len(found) == 1 and len(found[0]) == 4 and all(isinstance(a, str) or a in (b, None) for a, b in zip(found[0], wanted, strict=True))
    )
    if not fits:
        raise Unscored("weights-unusable", f"{name} takes {found}, expected one input {wanted}: {how_to_get(entry(name))}")
    return made


def build(graphs: Mapping[str, bytes], device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 of any size -> (1, 1209) float32 of the three largest persons. Raises Unscored as `session` does."""
    detector, pose = (session(name, graphs[name], wanted, device) for name, wanted in zip(NAMES, INPUTS, strict=True))

    def persons(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = detector.run(None, {detector.get_inputs()[0].name: pixels})[0]
        return found

    def responses(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        x, y = pose.run(None, {pose.get_inputs()[0].name: pixels})[:2]
        return x, y

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        picture = np.ascontiguousarray(batch[0])
        boxes = _yolox.detect(picture, persons)
        order = np.argsort(-(boxes[:, 2:] - boxes[:, :2]).prod(axis=1), kind="stable")[:PERSONS]
        boxes = boxes[order]
        points, scores = _rtmpose.estimate(picture, boxes, responses)
        return pack(boxes, points + 0.5, scores)[None]  # its pixel centres are whole numbers, ours lie at one half

    return forward


SPEC = Extractor(
    id="dwpose",
    version=1,
    summary="YOLOX-l persons (score above 0.3) and RTMPose-l's 133 points of the three largest, red first; frames without a person have no points",
    source="IDEA-Research/DWPose@3dca5db ControlNet-v1-1-nightly/annotator/dwpose/{onnxdet,onnxpose}.py, which poses the whole picture where it finds nobody; "
    "Yang et al. 2023, arXiv:2307.15880",
    dimension=WIDTH,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights=NAMES,
    script=True,
    marks=DWPOSE,
)
