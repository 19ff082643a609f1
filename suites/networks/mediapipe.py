"""Body and hands as MediaPipe Holistic finds them in one picture: the pose leads to each hand, a second look centres it, 21 landmarks follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Extractor, Frames
from suites.metrics._frames import levels
from suites.networks._mediapipe import Floats, Hand, Picture, Pose, Recrop, wrist_square
from suites.people._marks import HOLISTIC
from suites.people._mediapipe_rows import WIDTH, pack

if TYPE_CHECKING:
    from benchmark.model import Forward

SIDES = ((15, 19, 17), (16, 20, 18))
"""Wrist, index and pinky among the pose's landmarks, of the left and the right hand."""
VISIBLE = 0.1
"""A hand is looked for where the pose sees its wrist by this much (the original's threshold)."""
NAMES = ("mediapipe-pose-detection", "mediapipe-pose-landmark-lite", "mediapipe-hand-recrop", "mediapipe-hand-landmark-lite")


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255, float frames rounded half to even."""
    return levels(frames)


def build(graphs: Mapping[str, bytes], device: str) -> Forward:
    """A Forward: (1, h, w, 3) uint8 of any size -> (1, 186) float32. Always on the CPU. Raises Unscored(`not-installed`) without ai-edge-litert."""
    detector, landmarks, recrop, hand = (graphs[name] for name in NAMES)
    find, better, look = Pose(detector, landmarks), Recrop(recrop), Hand(hand)

    def one(picture: Picture, marks: Floats, side: tuple[int, int, int]) -> tuple[float, Floats] | None:
        wrist, index, pinky = (marks[k] for k in side)
        if wrist[2] < VISIBLE:
            return None
        presence, points, _ = look(picture, better(picture, wrist_square(wrist[:2], index[:2], pinky[:2])))
        return presence, points

    def forward(batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
        picture = np.ascontiguousarray(batch[0])
        person = find(picture)
        if person is None:
            return pack(None, (None, None))[None]
        return pack(person, (one(picture, person[1], SIDES[0]), one(picture, person[1], SIDES[1])))[None]

    return forward


SPEC = Extractor(
    id="mediapipe-holistic",
    version=1,
    summary="33 landmarks of the largest person and 21 of each hand the pose leads to, every picture for itself",
    source="google-ai-edge/mediapipe mediapipe/modules/holistic_landmark and pose_landmark (graphs); Bazarevsky et al. 2020, arXiv:2006.10204",
    dimension=WIDTH,
    batch=1,
    preprocess=preprocess,
    build=build,
    weights=NAMES,
    script=True,
    marks=HOLISTIC,
)
