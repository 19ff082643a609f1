"""3D ResNet-50 on Kinetics-400, 16 frames of 112x112, pool features: DisCo's two ways of forming inputs, and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from benchmark.model import Extractor
from suites.networks import _resnet3d, _video

WINDOW = 16
DIMENSION = 2048
_FC = ("fc.weight", "fc.bias")


def rename(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The published file's names -> ours: `module.` in front goes, and so does the classifier."""
    stripped = {name.removeprefix("module."): value for name, value in tensors.items()}
    return {name: value for name, value in stripped.items() if name not in _FC}


def _resnet(id: str, summary: str, source: str, preprocess: Any, **more: Any) -> Extractor:
    return Extractor(
        id=id,
        version=1,
        summary=summary,
        source=source,
        dimension=DIMENSION,
        batch=1,
        preprocess=preprocess,
        build=_resnet3d.build,
        weights="resnet3d-50-kinetics",
        shapes=_resnet3d.shapes,
        rename=rename,
        window=WINDOW,
        exports=True,
        **more,
    )


SPEC = (
    _resnet(
        "resnet3d-disco-windows",
        "3D ResNet-50 pool features of every 16 successive frames (stride 1), unclipped bicubic squash to 112",
        "Wangt-CN/DisCo@c4fa48a tool/metrics/resnet3d.py, tool/metrics/utils.py DatasetFVDVideoFromFramesResize",
        _video.disco_resnet,
        stride=1,
    ),
    _resnet(
        "resnet3d-disco-segments",
        "3D ResNet-50 pool features, mean over a clip's consecutive segments of 16 frames (the last one filled with the last frame), "
        "unclipped bicubic squash to 112",
        "Wangt-CN/DisCo@c4fa48a tool/metrics/resnet3d.py, tool/metrics/utils.py DatasetFVDVideoResize",
        _video.disco_resnet,
        stride=WINDOW,
        tail="repeat-last",
        pool="mean",
    ),
    _resnet(
        "resnet3d-16",
        "3D ResNet-50 pool features of windows of 16 from frame 0, not overlapping, antialiased bicubic squash to 112, clipped to 0..255",
        "this package; the network of DisCo",
        _video.clean_resnet,
        stride=WINDOW,
    ),
)
