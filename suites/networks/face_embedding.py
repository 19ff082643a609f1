"""What a face recognition network of the user's makes of the largest face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import Extractor
from benchmark.weights import entry, how_to_get
from suites.networks._mediapipe import Faces
from suites.networks.dwpose import session
from suites.networks.mediapipe import preprocess
from suites.people._alignment import SIDE, aligned
from suites.people._face_rows import pack, unpack

if TYPE_CHECKING:
    from benchmark.model import Forward

NAME, LENGTH = "face-embedding", 512
WIDTH = 1 + LENGTH
"""Numbers a frame: 1 where there is a face, then its embedding as the network gives it; noughts where there is none."""
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def embedder(graph: bytes, device: str) -> Embed:
    """A function of a (112, 112, 3) uint8 face -> (512,). Raises Unscored(`weights-unusable`) for a network with another input or output."""
    net = session(NAME, graph, (1, 3, SIDE, SIDE), device)
    name = net.get_inputs()[0].name

    def embed(face: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = ((face.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
        found: NDArray[np.float32] = np.asarray(net.run(None, {name: np.ascontiguousarray(pixels)})[0], np.float32)
        if found.shape != (1, LENGTH):
            raise Unscored("weights-unusable", f"{NAME} gives {found.shape}, expected (1, {LENGTH}): {how_to_get(entry(NAME))}")
        return found.reshape(LENGTH)

    embed(np.zeros((SIDE, SIDE, 3), np.uint8))  # a wrong file is told before any frame
    return embed


def build(graphs: Mapping[str, bytes], device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 of any size -> (1, 513) float32. Raises Unscored(`not-installed`) without ai-edge-litert or onnxruntime."""
    find, embed = Faces(graphs["mediapipe-face-detection"], graphs["mediapipe-face-landmark"]), embedder(graphs[NAME], device)

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        picture, row = np.ascontiguousarray(batch[0]), np.zeros((1, WIDTH), np.float32)
        there, points = unpack(pack(find(picture))[None])
        if there[0]:
            row[0, 0], row[0, 1:] = 1, embed(aligned(picture, points[0]))
        return row

    return forward


SPEC = Extractor(
    id="face-embedding",
    version=1,
    summary="the embedding of the largest face that MediaPipe's mesh sees (presence 0.5), brought to ArcFace's 112x112 by five of its points, red first on "
    "[-1, 1], by an ONNX file of the user's",
    source="deepinsight/insightface python-package/insightface/utils/face_align.py (norm_crop); Deng et al. 2019, arXiv:1801.07698",
    dimension=WIDTH,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights=("mediapipe-face-detection", "mediapipe-face-landmark", NAME),
    script=True,
)
