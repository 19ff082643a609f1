"""What FID and KID share: the four ways from pictures to Inception features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import SetVariant

Distance = Callable[[NDArray[np.floating[Any]], NDArray[np.floating[Any]]], float]
WAYS = {
    "tf": "x / 255, bilinear to 299x299 without antialiasing, 2x - 1",
    "clean": "antialiased bicubic to 299x299 in float, clipped to 0..255, (x - 128) / 128",
    "torchmetrics": "antialiased bilinear to 299x299 in float, (x - 128) / 128",
    "tf1": "bilinear to 299x299 as TensorFlow 1 (not centred, no antialiasing), (x - 128) / 128",
}
ROUNDING = "features at most 3e-5 of the largest with the same weights (float32 rounding)"


MOBILENET = "google-coral/test_data mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"


def mobilenet(distance: Distance, what: str) -> SetVariant:
    """The same distance of MobileNet's features: small, fast, comparable with nothing published."""
    return SetVariant(
        id="mobilenet",
        extractor="mobilenet-v1",
        distance=distance,
        summary=f"{what} of the 1,024-dimensional last-pool features of MobileNet-v1 (ImageNet, 8 bits), over all compared frames of all clips; "
        "a frame goes in squashed to 224x224 by antialiased bicubic; a quick look, comparable with nothing published",
        source=MOBILENET,
    )


def variants(distance: Distance, what: str, sources: dict[str, str], deviations: dict[str, str]) -> tuple[SetVariant, ...]:
    """One variant a way. what: the distance in words."""
    return tuple(
        SetVariant(
            id=id,
            extractor=f"inception-{id}",
            distance=distance,
            summary=f"{what} of the 2,048-dimensional last-pool features of TensorFlow's Inception-v3 of 2015-12-05, over all compared frames "
            f"of all clips; a frame goes in as {way}",
            source=sources[id],
            deviation=deviations[id],
        )
        for id, way in WAYS.items()
    )
