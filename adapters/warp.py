"""The reference picture moved by keypoints, part by part, before its own background: motion transfer without any training.

Every limb is a layer of the reference, cut out around its bone and carried to the bone's place in each frame by a similarity; the trunk goes by
an affine map of shoulders and hips, the head by a similarity of the face. What the person hid is filled in once (Telea 2004, OpenCV).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters._faults import arrays
from adapters._truth import truth_of
from benchmark.errors import InputError
from benchmark.generating import Adapter, Settings
from benchmark.model import Case

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Piece:
    """A part that moves as one. points: rows of the 133 keypoints it follows. bones: pairs of rows that say which pixels are its own. wide: half
    width as a part of the shoulders' distance. whole: follows by a full affine map, else by a similarity.
    """

    points: tuple[int, ...]
    bones: tuple[tuple[int, int], ...]
    wide: float
    whole: bool = False


HEAD = Piece((0, 1, 2, 3, 4, 23, 27, 31, 35, 39, 50), ((0, 3), (0, 4), (1, 2), (31, 27), (3, 4)), 0.42)
TRUNK = Piece((5, 6, 11, 12), ((5, 6), (5, 11), (6, 12), (11, 12), (5, 12), (6, 11)), 0.22, whole=True)
LEGS = tuple(Piece((a, b), ((a, b),), wide) for a, b, wide in ((11, 13, 0.32), (12, 14, 0.32), (13, 15, 0.26), (14, 16, 0.26)))
FEET = (Piece((15, 17, 18, 19), ((15, 17), (15, 19)), 0.16), Piece((16, 20, 21, 22), ((16, 20), (16, 22)), 0.16))
ARMS = tuple(Piece((a, b), ((a, b),), wide) for a, b, wide in ((5, 7, 0.26), (6, 8, 0.26), (7, 9, 0.20), (8, 10, 0.20)))
PALMS = tuple(
    Piece((wrist, first + 5, first + 9, first + 17), tuple((wrist, first + k) for k in (4, 8, 12, 16, 20)), 0.10)
    for wrist, first in ((9, 91), (10, 112))
)
ORDER = (*LEGS, *FEET, TRUNK, HEAD, *ARMS, *PALMS)
"""From behind to the front."""


def similarity(source: Floats, target: Floats) -> Floats:
    """(2, 3) rotation, scale and shift that carry source (n, 2) to target (n, 2) with least squares (Umeyama 1991, without mirror)."""
    a, b = source.mean(axis=0), target.mean(axis=0)
    x, y = source - a, target - b
    norm = float((x * x).sum())
    if norm < 1e-9:
        return np.array([[1, 0, b[0] - a[0]], [0, 1, b[1] - a[1]]])
    c, s = float((x * y).sum()) / norm, float((x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]).sum()) / norm
    # A limb that points at the camera has next to no length: its layer must not vanish or explode.
    size = np.hypot(c, s)
    keep = np.clip(size, 0.5, 1.6) / max(size, 1e-9)
    turn = np.array([[c, -s], [s, c]]) * keep
    return np.concatenate([turn, (b - (turn * a).sum(axis=1))[:, None]], axis=1)


def affine(source: Floats, target: Floats) -> Floats:
    """(2, 3) affine map with least squares, drawn a little towards the similarity, which is always well posed."""
    rows = np.concatenate([source, np.ones((len(source), 1))], axis=1)
    found = np.linalg.lstsq(rows, target, rcond=None)[0].T
    made: Floats = 0.8 * found + 0.2 * similarity(source, target)
    return made


def _distance(grid: Floats, a: Floats, b: Floats) -> Floats:
    """(h, w) pixels from every place to the segment a-b."""
    d = b - a
    share = np.clip(((grid - a) * d).sum(axis=-1) / max(float((d * d).sum()), 1e-9), 0, 1)
    off = grid - (a + share[..., None] * d)
    found: Floats = np.sqrt((off * off).sum(axis=-1))
    return found


def layers(points: Floats, mask: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
    """(h, w) soft share 0..1 of every piece of `ORDER` in the reference: pixels of the person near its bones, relative to its width; neighbours
    overlap, so that joints do not gape."""
    import cv2

    height, width = mask.shape
    grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    unit = max(float(np.hypot(*(points[5] - points[6]))), 0.08 * height)
    near = np.stack(
        [np.min([_distance(grid, points[a], points[b]) for a, b in piece.bones], axis=0) / (piece.wide * unit) for piece in ORDER]
    )
    best = near.min(axis=0)
    made = []
    for rate in near:
        mine = mask & (rate <= np.minimum(best * 1.35 + 0.25, 3.0))
        made.append(cv2.GaussianBlur(mine.astype(np.float32), (0, 0), max(0.5, 0.004 * height)))
    return made


def generate(case: Case, settings: Settings, stem: Path) -> Path:
    """Write the warped reference for every truth frame, lossless, at the truth's rate and the reference's size."""
    from benchmark.media import encode, read_image

    if case.reference is None or case.reference_frame is None:
        raise InputError(
            "`warp` needs a reference picture whose frame is known",
            code="no-reference",
            found=f"case {case.id}",
            hint="--suite tiktok-embedded",
        )
    pose = arrays(case, "pose", "warp")
    _, truth, rate = truth_of(case, "warp")
    keypoints = pose["keypoints"].astype(np.float64)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (133, 2) or len(keypoints) < truth.frames:
        raise InputError(
            "the pose does not fit",
            code="bad-pose",
            path=case.pose,
            found=f"keypoints {keypoints.shape}",
            expected=f"({truth.frames}, 133, 2)",
        )
    picture = read_image(case.reference)
    mask = _person(case, picture, keypoints[case.reference_frame])
    path = stem.with_name(stem.name + ".mkv")
    encode(path, (frame[None] for frame in _frames(picture, mask, keypoints[: truth.frames], case.reference_frame)), rate, codec="ffv1")
    return path


def _person(case: Case, picture: Picture, points: Floats) -> NDArray[np.bool_]:
    """The person in the reference: its mask where there is one, else what GrabCut finds around the bones."""
    import cv2

    height, width = picture.shape[:2]
    if case.masks is not None and case.reference_frame is not None:
        masks = arrays(case, "masks", "warp")
        if "person" in masks:
            stored: NDArray[np.bool_] = masks["person"][case.reference_frame].astype(np.bool_)
            return stored
    grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    unit = max(float(np.hypot(*(points[5] - points[6]))), 0.08 * height)
    near = np.min([_distance(grid, points[a], points[b]) / (piece.wide * unit) for piece in ORDER for a, b in piece.bones], axis=0)
    state = np.where(near < 0.5, cv2.GC_FGD, np.where(near < 1.3, cv2.GC_PR_FGD, np.where(near < 2.2, cv2.GC_PR_BGD, cv2.GC_BGD))).astype(
        np.uint8
    )
    cv2.setRNGSeed(0)
    cv2.grabCut(np.ascontiguousarray(picture[..., ::-1]), state, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    result: NDArray[np.bool_] = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    return result


def _frames(picture: Picture, mask: NDArray[np.bool_], keypoints: Floats, reference: int) -> list[Picture]:
    import cv2

    height, width = mask.shape
    hole = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(1, round(0.012 * height)))
    ground = cv2.inpaint(picture, hole, 3, cv2.INPAINT_TELEA).astype(np.float32)
    source = picture.astype(np.float32)
    start = keypoints[reference]
    cut = layers(start, mask)
    made = []
    for points in keypoints:
        frame = ground.copy()
        for piece, share in zip(ORDER, cut, strict=True):
            rows = list(piece.points)
            fit = affine if piece.whole else similarity
            matrix = fit(start[rows], points[rows])
            # Keypoints have the first pixel's centre at one half, OpenCV at nought.
            half = np.array([0.5, 0.5])
            shift = matrix[:, 2] + (matrix[:, :2] * half).sum(axis=1) - half
            whole = np.concatenate([matrix[:, :2], shift[:, None]], axis=1)
            alpha = cv2.warpAffine(share, whole, (width, height), flags=cv2.INTER_LINEAR)[..., None]
            moved = cv2.warpAffine(source, whole, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            frame += (moved - frame) * alpha
        made.append(np.rint(np.clip(frame, 0, 255)).astype(np.uint8))
    return made


SPEC = Adapter(
    id="warp",
    version=1,
    title="warp",
    summary="the reference picture moved by keypoints, part by part, before its inpainted background: motion transfer without training",
    generate=generate,
    needs="a reference picture, and keypoints of every frame",
    source="this project",
)
