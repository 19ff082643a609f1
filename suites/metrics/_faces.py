"""What the metrics of faces share: the parts of a face as groups of points."""

from __future__ import annotations

import numpy as np

from benchmark.rows import Rows
from suites.metrics._region_scores import Groups, Part
from suites.people._face_rows import EYES, MOUTH, POINTS, unpack


def _groups(rows: Rows, parts: tuple[tuple[int, ...], ...]) -> Groups:
    there, points = unpack(rows)
    picked = np.stack([points[:, list(part)] for part in parts], axis=1)
    each = np.repeat(there[:, None], len(parts), axis=1)
    return Groups(picked, np.repeat(each[..., None], picked.shape[2], axis=2), each)


def face(rows: Rows) -> Groups:
    """The whole face as one group."""
    return _groups(rows, (tuple(range(POINTS)),))


def mouth(rows: Rows) -> Groups:
    """The lips as one group."""
    return _groups(rows, (MOUTH,))


def eyes(rows: Rows) -> Groups:
    """The left and the right eye."""
    return _groups(rows, EYES)


_WORDS = "of the largest face that MediaPipe's mesh sees (presence 0.5)"
FACE = Part("face", (("mediapipe", "mediapipe-face", face, f"the keypoints {_WORDS}"),), "this project")
MOUTH_PART = Part("mouth", (("mediapipe", "mediapipe-face", mouth, f"the keypoints of the lips' outer line {_WORDS}"),), "this project")
EYES_PART = Part("eye", (("mediapipe", "mediapipe-face", eyes, f"the keypoints of each eye's lids {_WORDS}"),), "this project")
