"""Inception-v3 of 2015-12-05 behind the four ways in which the FID packages bring a picture to 299 x 299 and to the network's range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor, Frames
from benchmark.resize import bicubic
from suites.networks import _inception
from suites.networks._inception import FEATURES, SIDE
from suites.networks._resize import bilinear, tf1_bilinear

BATCH = 8
Floats = NDArray[np.float32]


def _levels(frames: Frames) -> Floats:
    """(n, h, w, 3) float32 on 0..255."""
    return np.asarray(frames, np.float32)


def _by_128(levels: Floats) -> Floats:
    """0..255 -> (x - 128) / 128: black is -1, white 0.9921875."""
    return (levels - np.float32(128)) / np.float32(128)


def _tf(frames: Frames) -> Floats:
    return 2 * bilinear(_levels(frames) / np.float32(255), SIDE, antialias=False) - 1


def _clean(frames: Frames) -> Floats:
    return _by_128(_levels(bicubic(frames, SIDE, SIDE)))


def _torchmetrics(frames: Frames) -> Floats:
    return _by_128(bilinear(_levels(frames), SIDE, antialias=True))


def _tf1(frames: Frames) -> Floats:
    return _by_128(tf1_bilinear(_levels(frames), SIDE))


def _extractor(id: str, how: str, source: str, preprocess: Callable[[Frames], NDArray[Any]]) -> Extractor:
    return Extractor(
        id=f"inception-{id}",
        version=1,
        summary=f"{how}; the 2,048 averages of Inception-v3's last pool, TensorFlow's FID network of 2015-12-05",
        source=source,
        dimension=FEATURES,
        batch=BATCH,
        preprocess=preprocess,
        build=_inception.build,
        weights="inception-2015-12-05",
        shapes=_inception.shapes,
        rename=_inception.rename,
        exports=True,
    )


SPEC = (
    _extractor(
        "tf",
        "x / 255, bilinear to 299x299 without antialiasing, 2x - 1",
        "mseitzer/pytorch-fid@b9c1811 src/pytorch_fid/inception.py InceptionV3([3])",
        _tf,
    ),
    _extractor(
        "clean",
        "antialiased bicubic to 299x299 in float, clipped to 0..255, (x - 128) / 128",
        "GaParmar/clean-fid@e88c4d6 cleanfid/resize.py build_resizer('clean'); mseitzer/pytorch-fid@b9c1811 src/pytorch_fid/inception.py",
        _clean,
    ),
    _extractor(
        "torchmetrics",
        "antialiased bilinear to 299x299 in float, (x - 128) / 128",
        "torchmetrics 1.9.0 src/torchmetrics/image/fid.py NoTrainInceptionV3(antialias=True)",
        _torchmetrics,
    ),
    _extractor(
        "tf1",
        "bilinear to 299x299 as TensorFlow 1 (not centred, no antialiasing), (x - 128) / 128",
        "toshas/torch-fidelity@5e211a9 torch_fidelity/feature_extractor_inceptionv3.py",
        _tf1,
    ),
)
