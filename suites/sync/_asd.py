"""What Light-ASD's test does before and after its network: grey crops of a face, sound cut to them, scores averaged over chunks of several lengths.

After Junhua-Liao/Light-ASD Columbia_test.py: crop_video, evaluate_network. Faces are cut out as SyncNet's pipelines do it (`suites.sync._crop`).
The set of durations is written {1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6} there, which Python reads as {1, 2, 3, 4, 5, 6}: every length counts once, and that is
what the published numbers rest on. The original also goes through two compressions (JPEG frames, an XVID crop), which are left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from suites.sync._mfcc import SAMPLES, STEPS_A_FRAME, mfcc

SIDE = 112
"""Pixels a side of what the network sees: the middle of a crop of 224."""
CEPSTRA = 13
FPS = 25
"""Frames a second."""
DURATIONS = (1, 2, 3, 4, 5, 6)
"""Seconds of a chunk."""
Floats = NDArray[np.float32]
Scorer = Callable[[NDArray[np.uint8], NDArray[np.float64]], Floats]
"""(grey crops (n, 112, 112), cepstra (4n, 13)) -> (n,) scores."""


def grey(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 224, 224, 3) uint8 RGB crops of `suites.sync._crop` -> (n, 112, 112) uint8: grey (OpenCV's weights), the middle half of both sides.

    ValueError for crops of another size.
    """
    import cv2

    full = 2 * SIDE
    if crops.ndim != 4 or crops.shape[1:] != (full, full, 3):
        raise ValueError(f"expected (n, {full}, {full}, 3) crops, found {crops.shape}")
    inner = slice(SIDE // 2, SIDE // 2 + SIDE)
    found = np.empty((len(crops), SIDE, SIDE), np.uint8)
    for i, crop in enumerate(crops):
        found[i] = cv2.cvtColor(np.ascontiguousarray(crop[inner, inner]), cv2.COLOR_RGB2GRAY)
    return found


def sound_of(samples: NDArray[np.int16], first: int, count: int) -> NDArray[np.int16]:
    """The sound of `count` frames from frame `first` on, out of int16 samples at 16 kHz that begin with frame 0; shorter where it ends before."""
    return samples[SAMPLES * first : SAMPLES * (first + count)]


def scored(frames: int, rows: int) -> int:
    """How many frames get a score: as many as have four rows of cepstra. Unscored (`too-short`) for none.

    The sound of exactly n frames has 4n - 1 rows, so the last frame of a track has no score. The original takes the smaller of the sound's seconds and the
    number of frames, so it does not see where the sound is the longer one, and then fails; here the frames are the end.
    """
    count = min(frames, rows // STEPS_A_FRAME)
    if count < 1:
        raise Unscored("too-short", f"{frames} frames and {rows} rows of cepstra: a frame and four rows are the least")
    return count


def averaged(score: Scorer, crops: NDArray[np.uint8], cepstra: NDArray[np.float64], durations: Sequence[int] = DURATIONS) -> Floats:
    """The mean over `durations` of the scores that chunks of so many seconds give, end to end, the last one shorter; (n,) float32 in float32."""
    found = []
    for seconds in durations:
        step = seconds * FPS
        parts = [score(crops[i : i + step], cepstra[STEPS_A_FRAME * i : STEPS_A_FRAME * (i + step)]) for i in range(0, len(crops), step)]
        found.append(np.concatenate(parts))
    mean: Floats = np.mean(np.array(found), axis=0)
    return mean


def published(scores: Floats) -> NDArray[np.float64]:
    """Rounded to a tenth (numpy, halves to even), as Columbia_test.py stores them."""
    rounded: NDArray[np.float64] = np.round(scores, 1).astype(np.float64)
    return rounded


def speaking(score: Scorer, crops: NDArray[np.uint8], samples: NDArray[np.int16]) -> Floats:
    """Crops (n, 224, 224, 3) uint8 RGB at 25 a second and their sound, int16 at 16 kHz from the first crop on -> scores, (n - 1,) where the sound
    lasts as long as the crops. score: of `suites.networks._light_asd.build`. Unscored (`too-short`) as of `scored`; errors of `grey` and `mfcc`.
    """
    if not len(samples):
        raise Unscored("too-short", "no sound belongs to these frames")
    rows = mfcc(samples)
    count = scored(len(crops), len(rows))
    return score(grey(crops[:count]), rows[: STEPS_A_FRAME * count])
