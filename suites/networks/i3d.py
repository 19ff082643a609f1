"""I3D on Kinetics-400 as six codes feed it: which frames form an input, how they are brought to 224x224, and the two settings of the network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor
from suites.networks import _i3d, _video

if TYPE_CHECKING:
    from benchmark.model import Forward

WINDOW = 16
"""Frames of an input wherever it is not the whole clip."""
ONCE = 1 << 30
"""A stride no clip is as long as: only the first window counts."""

_DISCO = partial(_i3d.build, eps=1e-3, pool=1)
_VIDEOGPT = partial(_i3d.build, eps=1e-5, pool=2)
_DISCO_IS = "BatchNorm eps 1e-3, average pool (1, 7, 7)"
_VIDEOGPT_IS = "BatchNorm eps 1e-5, average pool (2, 7, 7)"
_MEMORY = "about 6 MB of memory a frame"


def _script(module: Any, device: str) -> Forward:
    """A Forward of the TorchScript file: (batch, 16, h, w, 3) on 0..255 -> (batch, 400); it rescales and resizes by itself."""
    import torch

    module = module.to(device)

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(batch)).to(device).permute(0, 4, 1, 2, 3).contiguous()
            features: NDArray[np.float32] = module(x, rescale=True, resize=True, return_features=True).cpu().numpy()
        return features

    return forward


def _i3d_of_tensors(id: str, summary: str, source: str, build: Any, preprocess: Any, window: int, **more: Any) -> Extractor:
    return Extractor(
        id=id,
        version=1,
        summary=summary,
        source=source,
        dimension=_i3d.CLASSES,
        batch=1,
        preprocess=preprocess,
        build=build,
        weights="i3d-kinetics-400",
        shapes=_i3d.shapes,
        window=window,
        exports=window > 0,
        **more,
    )


SPEC = (
    _i3d_of_tensors(
        "i3d-disco-windows",
        f"I3D logits ({_DISCO_IS}) of every 16 successive frames (stride 1), unclipped bicubic squash to 224",
        "Wangt-CN/DisCo@c4fa48a tool/metrics/inception3d.py, tool/metrics/utils.py DatasetFVDVideoFromFramesResize",
        _DISCO,
        _video.disco_i3d,
        window=WINDOW,
        stride=1,
    ),
    _i3d_of_tensors(
        "i3d-disco-clip",
        f"I3D logits ({_DISCO_IS}) of the whole clip as one input, unclipped bicubic squash to 224; {_MEMORY}",
        "Wangt-CN/DisCo@c4fa48a tool/metrics/inception3d.py, tool/metrics/utils.py DatasetFVDVideoResize",
        _DISCO,
        _video.disco_i3d,
        window=0,
    ),
    _i3d_of_tensors(
        "i3d-common-clip",
        f"I3D logits ({_VIDEOGPT_IS}) of the whole clip as one input, shorter side to 224 by plain bilinear, centre crop; {_MEMORY}",
        "JunyaoHu/common_metrics_on_video_quality@5f75173 fvd/videogpt/fvd.py",
        _VIDEOGPT,
        _video.common_i3d,
        window=0,
        minimum=10,
    ),
    _i3d_of_tensors(
        "i3d-cdfvd",
        f"I3D logits ({_VIDEOGPT_IS}) of windows of 16 from frame 0, not overlapping, plain bilinear squash to 224",
        "songweige/content-debiased-fvd@a1e037a cdfvd/third_party/i3d/utils.py",
        _VIDEOGPT,
        _video.cdfvd_i3d,
        window=WINDOW,
        stride=WINDOW,
    ),
    _i3d_of_tensors(
        "i3d-16",
        f"I3D logits ({_VIDEOGPT_IS}) of windows of 16 from frame 0, not overlapping, antialiased bicubic squash to 224, clipped to 0..255",
        "this package; the network of VideoGPT",
        _VIDEOGPT,
        _video.clean_i3d,
        window=WINDOW,
        stride=WINDOW,
    ),
    Extractor(
        id="i3d-styleganv",
        version=1,
        summary="I3D logits of the first 16 frames from the TorchScript port of tf.hub's i3d-kinetics-400, which resizes and rescales by itself",
        source="universome/stylegan-v@3fecd69 metrics/frechet_video_distance.py",
        dimension=_i3d.CLASSES,
        batch=1,
        preprocess=_video.levels,
        build=_script,
        weights="i3d-torchscript",
        script=True,
        window=WINDOW,
        stride=ONCE,
    ),
)
