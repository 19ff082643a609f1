"""Q-Align around its language model: what a picture becomes before it, what is asked, and what five logits mean.

After Q-Future/Q-Align@14dfdff q_align/evaluate/scorer.py and q_align/model/modeling_mplug_owl2.py, and chaofengc/IQA-PyTorch@01ae427
pyiqa/archs/qalign_arch.py and pyiqa/archs/q_align/modeling_mplug_owl2.py. These do not ask the same words, so their logits differ, and their
scores lie on two scales.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVELS = ("excellent", "good", "fair", "poor", "bad")
"""Words whose first sub-token (the id after the one that begins a text) is looked up among the logits of the last position, in this order."""
UNIT_WEIGHTS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Of the scorers."""
OPINION_WEIGHTS = (5.0, 4.0, 3.0, 2.0, 1.0)
"""Of the model's own score() and of pyiqa."""
SIDE = 448
"""Pixels a side of the network's input."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's, of red, green and blue on 0..1."""
FILL = (122, 116, 104)
"""The mean in whole grey levels, cut off: what makes a picture square."""

SCORER_PROMPTS = {
    "QAlignScorer": "USER: How would you rate the quality of this image?\n<|image|>\nASSISTANT: The quality of the image is",
    "QAlignAestheticScorer": "USER: How would you rate the aesthetics of this image?\n<|image|>\nASSISTANT: The aesthetics of the image is",
    "QAlignVideoScorer": "USER: How would you rate the quality of this video?\n<|image|>\nASSISTANT: The quality of the video is",
}
"""Class of scorer.py -> what it asks."""

Picture = NDArray[np.uint8]
Wording = Literal["scorer", "model", "pyiqa"]
Medium = Literal["image", "video"]


def prompt(wording: Wording, task: str, medium: Medium) -> str:
    """What is asked of the model; its next word is the level. `task` is quality, aesthetics or, as pyiqa's pages write it, aesthetic.

    `scorer`: scorer.py, which knows quality of an image, its aesthetics, and quality of a video. `model`: the model's own score(), which
    swaps two words of the answer it begins ("The image of the quality is"). `pyiqa`: score() of IQA-PyTorch, in the scorer's words for every
    task. ValueError for what a wording does not have.
    """
    if medium not in ("image", "video"):
        raise ValueError(f"medium is image or video, not {medium!r}")
    asked = f"USER: How would you rate the {task} of this {medium}?\n<|image|>\nASSISTANT: The "
    if wording == "model":
        return f"{asked}{medium} of the {task} is"
    made = f"{asked}{task} of the {medium} is"
    if wording == "pyiqa" or (wording == "scorer" and made in SCORER_PROMPTS.values()):
        return made
    raise ValueError(f"no prompt of {wording!r} for {task} of a {medium}")


def shares(logits: ArrayLike) -> NDArray[np.float64]:
    """(..., 5) logits of `LEVELS`, in that order -> (..., 5) shares that sum to 1. ValueError for another shape, or where one is not finite."""
    given = np.asarray(logits, np.float64)
    if given.shape[-1:] != (len(LEVELS),):
        raise ValueError(f"logits are (..., {len(LEVELS)}), not {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError("a logit is not finite")
    powers = np.exp(given - given.max(axis=-1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return found


def _weighed(logits: ArrayLike, weights: tuple[float, ...], half: bool) -> NDArray[np.float64]:
    parts = shares(logits)
    if half:
        parts = parts.astype(np.float16).astype(np.float64)
    found: NDArray[np.float64] = np.asarray((parts * weights).sum(axis=-1))
    return found.astype(np.float16).astype(np.float64) if half else found


def unit_score(logits: ArrayLike, *, half: bool = False) -> NDArray[np.float64]:
    """(..., 5) logits -> (...) score on [0, 1], 1 is excellent: Q-Align's scorers.

    In float64, whatever the model works in; with `half` as the scorers of a half-precision model give it, whose shares and score are rounded
    to float16: that alone moves scores by up to 3.2e-4 here and 2.1e-3 on [1, 5]. ValueError as `shares`.
    """
    return _weighed(logits, UNIT_WEIGHTS, half)


def opinion_score(logits: ArrayLike, *, half: bool = False) -> NDArray[np.float64]:
    """(..., 5) logits -> (...) score on [1, 5], 5 is excellent: the model's score() and pyiqa; 4 x + 1 of `unit_score`.

    `half` as there. ValueError as `shares`.
    """
    return _weighed(logits, OPINION_WEIGHTS, half)


def square(picture: Picture) -> Picture:
    """(h, w, 3) uint8 RGB -> (s, s, 3) with s the longer side: in the middle of a plain square of `FILL`, half a pixel towards the top left.

    A square picture comes back as it is. ValueError for anything but (h, w, 3) uint8.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture is (h, w, 3) uint8, not {picture.shape} {picture.dtype}")
    height, width = picture.shape[:2]
    if height == width:
        return picture
    side = max(height, width)
    made = np.empty((side, side, 3), np.uint8)
    made[:] = FILL
    top, left = (side - height) // 2, (side - width) // 2
    made[top : top + height, left : left + width] = picture
    return made


def clip_pixels(picture: Picture) -> NDArray[np.float32]:
    """(h, w, 3) uint8 RGB -> (3, 448, 448) float32: shorter side to 448 by Pillow's bicubic in uint8, centre crop, less CLIP's mean, by its std.

    The longer side is cut off to whole pixels. CLIPImageProcessor of transformers 4.36.2 with the model's preprocessor_config.json.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    shorter = min(height, width)
    size = (SIDE * width // shorter, SIDE * height // shorter)
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    top, left = (size[1] - SIDE) // 2, (size[0] - SIDE) // 2
    levels = resized[top : top + SIDE, left : left + SIDE].astype(np.float32) / np.float32(255)
    scaled: NDArray[Any] = (levels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def preprocess(frames: Picture) -> NDArray[np.float32]:
    """(n, h, w, 3) uint8 RGB -> (n, 3, 448, 448) float32: made square, then as `clip_pixels`. n = 0 gives (0, 3, 448, 448)."""
    made = np.empty((len(frames), 3, SIDE, SIDE), np.float32)
    for i, frame in enumerate(frames):
        made[i] = clip_pixels(square(frame))
    return made


def sampled(frames: int, fps: float | Fraction) -> list[int]:
    """Numbers of the frames that a clip is judged by: the first of every whole second. Clips under one second give none.

    scorer.py load_video: int(fps * i) for i below int(frames / fps). ValueError unless fps > 0.
    """
    if not fps > 0:
        raise ValueError(f"frames a second are above 0, not {fps}")
    return [int(fps * second) for second in range(int(frames / fps))]
