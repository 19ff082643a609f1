"""What is exactly known of a frame: keypoints and whether they are seen, masks, the surface at every pixel, where it goes, how far the mouth is open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suites.embedded import _head
from suites.embedded._figure import HAND_PARTS, Figure
from suites.embedded._raster import Hits, blend
from suites.embedded._render import Scene, Shot
from suites.embedded._skeleton import FINGERS, Bones, Pose

Floats = NDArray[np.float64]
BODY = ("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist",
        "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle")  # fmt: skip
FEET = tuple(f"{side} {part}" for side in ("left", "right") for part in ("big toe", "small toe", "heel"))
FACE = tuple(f"face {k}" for k in range(68))
HANDS = tuple(
    f"{side} {name}" for side in ("left", "right") for name in ("wrist", *(f"{finger} {k}" for finger in FINGERS for k in range(4)))
)
NAMES = (*BODY, *FEET, *FACE, *HANDS)
"""The 133 points in the order of COCO-WholeBody (Jin et al. 2020, arXiv:2007.11858): body 0..16, feet 17..22, face 23..90, left hand 91..111, right
hand 112..132. No neck."""
_ON_HEAD = {
    "nose": (0.0, -0.165),
    "left eye": (0.40, 0.058),
    "right eye": (-0.40, 0.058),
    "left ear": (1.62, -0.03),
    "right ear": (-1.62, -0.03),
}
_INSIDE = {"shoulder": 0.085, "elbow": 0.060, "hip": 0.140, "knee": 0.075, "ankle": 0.065, "wrist": 0.040, "toe": 0.035, "heel": 0.040}
"""How deep a joint lies below the skin, metres: what is in front of it by more hides it."""


@dataclass(frozen=True)
class Facts:
    """One frame. keypoints: (133, 2) pixels, x and y, the first pixel's centre at 0.5. visible: (133,) in the picture and not hidden. person, left_hand,
    right_hand: (h, w) masks. part: (h, w) number of the body part, 0 = none. uv: (h, w, 2) its surface coordinate 0..1. depth: (h, w) metres, inf = none.
    mouth: millimetres between the inner lips. boxes: {side: (x0, y0, x1, y1) of the whole hand, in pixels}.
    """

    keypoints: Floats
    visible: NDArray[np.bool_]
    person: NDArray[np.bool_]
    left_hand: NDArray[np.bool_]
    right_hand: NDArray[np.bool_]
    part: NDArray[np.uint8]
    uv: Floats
    depth: Floats
    mouth: float
    boxes: dict[str, tuple[float, float, float, float]]


def positions(figure: Figure, bones: Bones, pose: Pose) -> Floats:
    """(133, 3) world positions of the points: joints in the middle of the limb, points of the face on its skin."""
    joints = bones.joints
    on_face = _on_skull(figure, bones, pose, _head.landmarks(pose.blink, pose.brow))
    on_head = _on_skull(figure, bones, pose, np.array(list(_ON_HEAD.values())))
    found = dict(zip(_ON_HEAD, on_head, strict=True)) | {f"face {k}": p for k, p in enumerate(on_face)}
    for name in NAMES:
        if name not in found:
            side, _, part = name.partition(" ")
            found[name] = joints[f"{side} {part}"]
    return np.stack([found[name] for name in NAMES])


def _on_skull(figure: Figure, bones: Bones, pose: Pose, at: Floats) -> Floats:
    local = _head.surface(at[:, 0], at[:, 1], figure.looks.face, pose.mouth, pose.brow) * figure.looks.build.scale
    frame = bones.frames["head"]
    found: Floats = local[:, :1] * frame[:, 0] + local[:, 1:2] * frame[:, 1] + local[:, 2:] * frame[:, 2] + bones.joints["head"]
    return found


def opening(figure: Figure, pose: Pose) -> float:
    """Millimetres between the middle points of the inner lips (62 and 66 of the face)."""
    inner = _head.landmarks(0.0, 0.0)[[62, 66]]
    both = _head.surface(inner[:, 0], inner[:, 1], figure.looks.face, pose.mouth) * figure.looks.build.scale * 1000
    shut = _head.surface(inner[:, 0], inner[:, 1], figure.looks.face, 0.0) * figure.looks.build.scale * 1000
    gap = both[0, 1] - both[1, 1] - (shut[0, 1] - shut[1, 1])
    return float(max(0.0, gap))


def facts(scene: Scene, shot: Shot, height: int, width: int) -> Facts:
    """Everything that is known of a frame of this size."""
    figure = scene.figure
    hits = scene.hits(shot, height, width)
    part = np.zeros(height * width, np.uint8)
    part[hits.pixel] = figure.number[figure.triangles[hits.triangle, 0]]
    uv = np.zeros((height * width, 2))
    uv[hits.pixel] = blend(figure.uv, figure.triangles, hits)
    depth = np.full(height * width, np.inf)
    depth[hits.pixel] = hits.depth
    parts, depths = part.reshape(height, width), depth.reshape(height, width)
    world = positions(figure, shot.bones, shot.pose)
    pixels, away = shot.camera.project(world, height, width)
    masks = {side: np.isin(parts, numbers) for side, numbers in HAND_PARTS.items()}
    return Facts(
        keypoints=pixels,
        visible=_visible(pixels, away, depths, scene.looks.build.scale),
        person=parts > 0,
        left_hand=masks["left"],
        right_hand=masks["right"],
        part=parts,
        uv=uv.reshape(height, width, 2),
        depth=depths,
        mouth=opening(figure, shot.pose),
        boxes={side: hand_box(figure, shot, numbers, height, width) for side, numbers in HAND_PARTS.items()},
    )


def hand_box(figure: Figure, shot: Shot, numbers: list[int], height: int, width: int) -> tuple[float, float, float, float]:
    """(x0, y0, x1, y1) pixels that hold all of the parts of these numbers, hidden or not."""
    pixels, _ = shot.camera.project(shot.points[np.isin(figure.number, numbers)], height, width)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _visible(pixels: Floats, away: Floats, depths: Floats, scale: float) -> NDArray[np.bool_]:
    height, width = depths.shape
    x, y = np.floor(pixels[:, 0]).astype(np.int64), np.floor(pixels[:, 1]).astype(np.int64)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (away > 0.05)
    before = np.full(len(NAMES), np.inf)
    before[inside] = depths[y[inside], x[inside]]
    slack = np.array([_slack(name) for name in NAMES]) * scale
    result: NDArray[np.bool_] = inside & np.isfinite(before) & (away <= before + slack)
    return result


def _slack(name: str) -> float:
    if name.startswith("face") or name in _ON_HEAD:
        return 0.012
    last = name.split(" ")[-1]
    if last in _INSIDE:
        return _INSIDE[last]
    return 0.020  # a finger's joint


def with_neck(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """(133, k) -> (134, k): the neck, half way between the shoulders, comes in at place 17, behind the body's points, as DWPose's rows have it."""
    neck = points[5:7].mean(axis=0, keepdims=True)
    return np.concatenate([points[:17], neck, points[17:]])


def flow(scene: Scene, now: Shot, then: Shot, seen: Facts, after: Facts) -> tuple[Floats, NDArray[np.bool_]]:
    """((h, w, 2) pixels by which the surface at each pixel's centre moves to the next frame, (h, w) True where that surface is seen in both)."""
    height, width = seen.part.shape
    triangles = scene.figure.triangles
    hits: Hits = scene.hits(now, height, width)
    there = blend(then.points, triangles, hits)
    pixels, away = then.camera.project(there, height, width)
    here = np.stack([hits.pixel % width + 0.5, hits.pixel // width + 0.5], axis=1)
    moved = np.zeros((height * width, 2))
    moved[hits.pixel] = pixels - here
    x, y = np.floor(pixels[:, 0]).astype(np.int64), np.floor(pixels[:, 1]).astype(np.int64)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    good = np.zeros(height * width, np.bool_)
    xi, yi = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    same = seen.part.reshape(-1)[hits.pixel] == after.part[yi, xi]
    good[hits.pixel] = inside & same & (away <= after.depth[yi, xi] + 0.012)
    return moved.reshape(height, width, 2), good.reshape(height, width)
