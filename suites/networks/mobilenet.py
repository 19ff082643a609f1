"""MobileNet-v1 on ImageNet as Google published it for embeddings: 3 MB, 1,024 averages, a hundredth of Inception's work. For a quick look only."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.machine import THREADS
from benchmark.model import Extractor, Frames
from benchmark.resize import bicubic

if TYPE_CHECKING:
    from benchmark.model import Forward

SIDE = 224


def preprocess(frames: Frames) -> NDArray[np.uint8]:
    """(n, h, w, 3) on 0..255 -> (n, 224, 224, 3) uint8: antialiased bicubic squash, clipped, rounded half to even."""
    levels: NDArray[np.uint8] = np.rint(bicubic(frames, SIDE, SIDE)).astype(np.uint8)
    return levels


def build(graph: bytes, device: str) -> Forward:
    """A Forward of the TensorFlow Lite file: (1, 224, 224, 3) uint8 -> (1, 1024) float32, steps of 0.0235. Always on the CPU.

    Raises Unscored(`not-installed`) without ai-edge-litert.
    """
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[litert]'")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=graph, num_threads=THREADS)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    step, zero = given["quantization"]

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        interpreter.set_tensor(taken["index"], batch)
        interpreter.invoke()
        features: NDArray[np.float32] = (interpreter.get_tensor(given["index"]).reshape(1, -1).astype(np.float32) - zero) * np.float32(step)
        return features

    return forward


SPEC = Extractor(
    id="mobilenet-v1",
    version=1,
    summary="antialiased bicubic squash to 224x224, rounded; the 1,024 averages of MobileNet-v1's last pool, quantised to 8 bits",
    source="google-coral/test_data mobilenet_v1_1.0_224_quant_embedding_extractor.tflite; Howard et al. 2017, arXiv:1704.04861",
    dimension=1024,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights="mobilenet-v1-embedding",
    script=True,
)
