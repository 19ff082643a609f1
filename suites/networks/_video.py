"""What the video networks are fed: the resizes and scales of the original codes, frame by frame.

Every function takes (n, h, w, 3) frames on 0..255, uint8 or float32, and gives (n, side, side, 3) float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Frames
from benchmark.resize import bicubic, bicubic_unclipped
from suites.networks._resnet3d import MEAN

Inputs = NDArray[np.float32]
I3D = 224
"""Pixels a side of I3D's input."""
RESNET = 112
"""Pixels a side of the 3D ResNet's input."""


def disco_i3d(frames: Frames) -> Inputs:
    """Squashed to 224x224 by Pillow's bicubic in float, not clipped; x / 127.5 - 1 (DisCo)."""
    return _signed(bicubic_unclipped(frames, I3D, I3D))


def clean_i3d(frames: Frames) -> Inputs:
    """Squashed to 224x224 by antialiased bicubic, clipped to 0..255; x / 127.5 - 1."""
    return _signed(bicubic(frames, I3D, I3D))


def disco_resnet(frames: Frames) -> Inputs:
    """Squashed to 112x112 by Pillow's bicubic in float, not clipped; less the mean colour (DisCo)."""
    return bicubic_unclipped(frames, RESNET, RESNET) - MEAN


def clean_resnet(frames: Frames) -> Inputs:
    """Squashed to 112x112 by antialiased bicubic, clipped to 0..255; less the mean colour."""
    return bicubic(frames, RESNET, RESNET).astype(np.float32, copy=False) - MEAN


def cdfvd_i3d(frames: Frames) -> Inputs:
    """Squashed to 224x224 by bilinear interpolation without antialiasing; 2 x / 255 - 1 (cd-fvd)."""
    squashed = _bilinear(frames.astype(np.float32), I3D, I3D)
    scaled: Inputs = np.float32(2) * squashed / np.float32(255) - np.float32(1)
    return scaled


def common_i3d(frames: Frames) -> Inputs:
    """Cut off to whole levels, shorter side to 224 (longer one rounded up) by bilinear interpolation without antialiasing, centre crop 224x224,
    2 (x / 255 - 0.5) (common_metrics_on_video_quality, back end videogpt)."""
    levels = frames if frames.dtype == np.uint8 else frames.astype(np.uint8)
    height, width = levels.shape[1:3]
    scale = I3D / min(height, width)
    size = (I3D, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), I3D)
    resized = _bilinear(levels.astype(np.float32) / np.float32(255), *size)
    top, left = (size[0] - I3D) // 2, (size[1] - I3D) // 2
    return (resized[:, top : top + I3D, left : left + I3D] - np.float32(0.5)) * np.float32(2)


def levels(frames: Frames) -> Inputs:
    """As they are, on 0..255, at their own size: the network resizes and rescales (StyleGAN-V)."""
    return frames.astype(np.float32)


def _signed(frames: NDArray[Any]) -> Inputs:
    return frames.astype(np.float32, copy=False) / np.float32(127.5) - np.float32(1)


def _bilinear(frames: Inputs, height: int, width: int) -> Inputs:
    """torch.nn.functional.interpolate(mode="bilinear", align_corners=False)."""
    import torch

    planes = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    resized = torch.nn.functional.interpolate(planes, size=(height, width), mode="bilinear", align_corners=False)
    out: Inputs = np.ascontiguousarray(resized.numpy().transpose(0, 2, 3, 1))
    return out
