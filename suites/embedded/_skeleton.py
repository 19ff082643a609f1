"""Bones: where the joints of a person are, given the angles of a pose. Metres; x to the viewer's right, y up, z towards the viewer.

A person who faces the viewer has the left side at +x. Angles in radians, clipped to what joints allow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DOWN = np.array([0.0, -1.0, 0.0])
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
SIDES = {"left": 1.0, "right": -1.0}
LIMITS = {
    "turn": (-np.inf, np.inf), "lean": (-0.5, 0.6), "sway": (-0.35, 0.35),
    "spine": (-0.4, 0.7), "twist": (-0.7, 0.7), "side": (-0.45, 0.45),
    "nod": (-0.7, 0.7), "shake": (-1.2, 1.2), "tilt": (-0.5, 0.5),
    "raise": (-0.25, 2.9), "forward": (-0.9, 2.9), "roll": (-1.5, 1.5), "elbow": (0.05, 2.5), "pronate": (-1.5, 1.6), "wrist": (-1.2, 1.2),
    "deviate": (-0.35, 0.5), "open": (-0.3, 1.1), "flex": (-0.6, 2.1), "turnout": (-0.6, 0.8), "knee": (0.02, 2.4), "ankle": (-0.7, 0.7),
}  # fmt: skip
"""Name of an angle -> (least, most)."""


def rotate(axis: str, angle: float) -> Floats:
    """(3, 3) right-handed rotation about x, y or z."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float64)
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float64)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float64)


def chain(*turns: Floats) -> Floats:
    """Product of rotations, without BLAS."""
    made = turns[0]
    for turn in turns[1:]:
        made = (made[:, :, None] * turn[None, :, :]).sum(axis=1)
    return made


def point(frame: Floats, x: float, y: float, z: float) -> Floats:
    """A local offset in world axes."""
    found: Floats = frame[:, 0] * x + frame[:, 1] * y + frame[:, 2] * z
    return found


@dataclass
class Limb:
    """Angles of an arm and its hand, or of a leg. fingers: (5, 3) flexion of each joint; spread: (5,) sideways."""

    angles: dict[str, float] = field(default_factory=dict)
    fingers: Floats = field(default_factory=lambda: np.full((5, 3), 0.25))
    spread: Floats = field(default_factory=lambda: np.array([0.0, 0.08, 0.0, -0.07, -0.14]))

    def __getitem__(self, name: str) -> float:
        low, high = LIMITS[name]
        return float(np.clip(self.angles.get(name, 0.0), low, high))


@dataclass
class Pose:
    """Angles of a whole person. hips: (x, z) of the pelvis on the floor and how far it is above standing height. mouth 0..1, blink 0..1, brow -1..1."""

    body: Limb = field(default_factory=Limb)
    arms: dict[str, Limb] = field(default_factory=lambda: {"left": Limb(), "right": Limb()})
    legs: dict[str, Limb] = field(default_factory=lambda: {"left": Limb(), "right": Limb()})
    hips: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mouth: float = 0.0
    blink: float = 0.0
    brow: float = 0.0


@dataclass(frozen=True)
class Build:
    """Lengths and widths in metres. stature scales all of them; shoulders, hips, girth are factors around 1; bust 0..1."""

    stature: float = 1.70
    shoulders: float = 1.0
    hips: float = 1.0
    girth: float = 1.0
    bust: float = 0.0

    @property
    def scale(self) -> float:
        """Against the 1.70 m the numbers below are for."""
        return self.stature / 1.70


PELVIS, WAIST, CHEST, NECK, SKULL = 0.93, 0.14, 0.19, 0.185, 0.060
HIP, THIGH, SHIN, ANKLE = 0.088, 0.42, 0.41, 0.08
SHOULDER, UPPER, FORE = 0.165, 0.275, 0.245
PALM = 0.092
BONES = {
    "thumb": (0.044, 0.034, 0.028), "index": (0.043, 0.026, 0.021), "middle": (0.047, 0.030, 0.022),
    "ring": (0.043, 0.028, 0.021), "pinky": (0.034, 0.021, 0.018),
}  # fmt: skip
KNUCKLES = {"index": (0.028, 0.090, 0.0), "middle": (0.009, 0.094, 0.001), "ring": (-0.010, 0.090, 0.0), "pinky": (-0.028, 0.081, -0.002)}


@dataclass(frozen=True)
class Bones:
    """joints: name -> (3,) world position. frames: name -> (3, 3) world axes of the bone that begins there (y points against the bone)."""

    joints: dict[str, Floats]
    frames: dict[str, Floats]


def solve(pose: Pose, build: Build, grounded: bool = True) -> Bones:
    """Forward kinematics. grounded: the lower foot stands on the floor (y = 0)."""
    s, body = build.scale, pose.body
    joints: dict[str, Floats] = {}
    frames: dict[str, Floats] = {}
    root = chain(rotate("y", body["turn"]), rotate("x", body["lean"]), rotate("z", body["sway"]))
    joints["pelvis"], frames["pelvis"] = np.array([pose.hips[0], PELVIS * s + pose.hips[2], pose.hips[1]]), root
    bend = chain(rotate("y", body["twist"] / 2), rotate("x", body["spine"] / 2), rotate("z", body["side"] / 2))
    waist = chain(root, rotate("z", -body["sway"]), bend)
    joints["waist"], frames["waist"] = joints["pelvis"] + point(root, 0, WAIST * s, 0), waist
    chest = chain(waist, bend)
    joints["chest"], frames["chest"] = joints["waist"] + point(waist, 0, CHEST * s, 0), chest
    joints["neck"] = joints["chest"] + point(chest, 0, NECK * s, -0.012 * s)
    neck = chain(chest, rotate("y", body["shake"] / 2), rotate("x", body["nod"] / 2 - body["spine"] / 3), rotate("z", body["tilt"] / 2))
    frames["neck"] = neck
    skull = chain(neck, rotate("y", body["shake"] / 2), rotate("x", body["nod"] / 2 - body["spine"] / 3), rotate("z", body["tilt"] / 2))
    joints["skull"], frames["skull"] = joints["neck"] + point(neck, 0, SKULL * s, 0.012 * s), skull
    joints["head"], frames["head"] = joints["skull"] + point(skull, 0, 0.083 * s, 0.024 * s), skull
    for side, sign in SIDES.items():
        _arm(pose.arms[side], side, sign, build, joints, frames)
        _leg(pose.legs[side], side, sign, build, joints, frames)
    if grounded:
        low = min(joints[f"{side} {part}"][1] for side in SIDES for part in ("sole", "toe", "heel"))
        for name in joints:
            joints[name] = joints[name] - np.array([0.0, low, 0.0])
    return Bones(joints, frames)


def _arm(arm: Limb, side: str, sign: float, build: Build, joints: dict[str, Floats], frames: dict[str, Floats]) -> None:
    s = build.scale
    chest = frames["chest"]
    shrug = 0.03 * max(0.0, arm["raise"] - 1.2) + 0.02 * max(0.0, arm["forward"] - 1.4)
    joints[f"{side} shoulder"] = joints["chest"] + point(chest, sign * SHOULDER * s * build.shoulders, (0.126 + shrug) * s, -0.012 * s)
    upper = chain(chest, rotate("z", sign * arm["raise"]), rotate("x", -arm["forward"]), rotate("y", -sign * arm["roll"]))
    fore = chain(upper, rotate("x", -arm["elbow"]))
    hand = chain(fore, rotate("y", -sign * arm["pronate"]), rotate("x", -arm["wrist"]), rotate("z", sign * arm["deviate"]))
    frames[f"{side} upper"], frames[f"{side} fore"], frames[f"{side} hand"] = upper, fore, hand
    joints[f"{side} elbow"] = joints[f"{side} shoulder"] + point(upper, 0, -UPPER * s, 0)
    joints[f"{side} wrist"] = joints[f"{side} elbow"] + point(fore, 0, -FORE * s, 0)
    joints[f"{side} palm"] = joints[f"{side} wrist"] + point(hand, 0, -PALM * s, 0)
    for k, finger in enumerate(FINGERS):
        if finger == "thumb":
            at = joints[f"{side} wrist"] + point(hand, sign * 0.020 * s, -0.022 * s, 0.008 * s)
            frame = chain(
                hand,
                rotate("z", sign * (0.75 + float(arm.spread[0]))),
                rotate("y", -sign * 0.9),
                rotate("x", -float(arm.fingers[0, 0]) * 0.5),
            )
        else:
            x, y, z = KNUCKLES[finger]
            at = joints[f"{side} wrist"] + point(hand, sign * x * s, -y * s, z * s)
            frame = chain(hand, rotate("z", sign * float(arm.spread[k])), rotate("x", -float(np.clip(arm.fingers[k, 0], -0.3, 1.6))))
        for joint in range(3):
            if joint:
                frame = chain(frame, rotate("x", -float(np.clip(arm.fingers[k, joint], -0.1, 1.9))))
            joints[f"{side} {finger} {joint}"], frames[f"{side} {finger} {joint}"] = at, frame
            at = at + point(frame, 0, -BONES[finger][joint] * s, 0)
        joints[f"{side} {finger} 3"] = at


def _leg(leg: Limb, side: str, sign: float, build: Build, joints: dict[str, Floats], frames: dict[str, Floats]) -> None:
    s = build.scale
    joints[f"{side} hip"] = joints["pelvis"] + point(frames["pelvis"], sign * HIP * s * build.hips, -0.02 * s, 0)
    thigh = chain(frames["pelvis"], rotate("z", sign * leg["open"]), rotate("x", -leg["flex"]), rotate("y", sign * leg["turnout"]))
    shin = chain(thigh, rotate("x", leg["knee"]))
    foot = chain(shin, rotate("x", -leg["ankle"]))
    frames[f"{side} thigh"], frames[f"{side} shin"], frames[f"{side} foot"] = thigh, shin, foot
    joints[f"{side} knee"] = joints[f"{side} hip"] + point(thigh, 0, -THIGH * s, 0)
    joints[f"{side} ankle"] = joints[f"{side} knee"] + point(shin, 0, -SHIN * s, 0)
    for name, at in {
        "heel": (0, -ANKLE, -0.055), "toe": (0, -ANKLE + 0.004, 0.185), "sole": (0, -ANKLE, 0.07),
        "big toe": (-sign * 0.024, -ANKLE + 0.02, 0.175), "small toe": (sign * 0.034, -ANKLE + 0.018, 0.135),
    }.items():  # fmt: skip
        joints[f"{side} {name}"] = joints[f"{side} ankle"] + point(foot, at[0] * s, at[1] * s, at[2] * s)
