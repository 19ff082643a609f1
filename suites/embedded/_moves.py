"""How people move: dances beat by beat, turns, and the lag of cloth and hair. Everything follows from a seed and the time in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suites.embedded._skeleton import Build, Limb, Pose, solve

if TYPE_CHECKING:
    from suites.embedded._speech import Speech

Floats = NDArray[np.float64]
Motion = Callable[[float], Pose]
ARMS: tuple[dict[str, float], ...] = (
    {"raise": 0.35, "forward": 0.1, "elbow": 0.5, "pronate": 1.2},
    {"raise": 1.45, "forward": 0.0, "elbow": 0.35, "pronate": 0.7},
    {"raise": 2.55, "forward": 0.1, "elbow": 0.4, "pronate": 0.4},
    {"raise": 1.2, "forward": 0.2, "elbow": 1.75, "pronate": 0.2, "roll": -0.9},
    {"raise": 0.25, "forward": 1.3, "elbow": 0.5, "pronate": 1.1},
    {"raise": 0.75, "forward": -0.15, "elbow": 1.65, "pronate": 0.9, "roll": 1.0},
    {"raise": 0.2, "forward": 0.75, "elbow": 1.75, "pronate": 0.8, "roll": 0.6},
    {"raise": 1.75, "forward": 0.35, "elbow": 1.15, "pronate": 0.1, "roll": -0.6},
    {"raise": 0.30, "forward": 0.45, "elbow": 1.95, "pronate": 0.1, "roll": 0.1},
)
"""Places of an arm between which a dancer goes: hanging, out, up, flexed, ahead, on the hip, across, up and bent, to the shoulder."""
CURLS = (0.15, 0.35, 0.9, 0.05)
"""How far fingers are bent: loose, half, fist, stretched."""
APART = {"raise": 0.40, "forward": 0.53, "elbow": 1.95, "pronate": -0.15, "roll": -0.18, "wrist": 0.68, "deviate": 0.06}
OVER = {"raise": -0.25, "forward": 0.98, "elbow": 1.16, "pronate": 0.65, "roll": 1.00, "wrist": 0.66, "deviate": 0.40}
UNDER = {"raise": -0.18, "forward": 0.73, "elbow": 1.64, "pronate": 0.73, "roll": 0.93, "wrist": 0.43, "deviate": 0.19}
"""An arm whose hand is on its own side of the chest, and past the middle: 9 cm nearer to the camera, and behind the other. Solved for the wrist's place."""


def draws(seed: int, count: int) -> Floats:
    """(count,) numbers 0..1 of a seed: SplitMix64 (Steele et al. 2014), equal everywhere."""
    z = np.uint64((seed * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    found: Floats = ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) / 2.0**24
    return found


def ease(t: float) -> float:
    """0..1 with no speed at either end."""
    return t * t * (3 - 2 * t)


def blend(before: dict[str, float], after: dict[str, float], share: float) -> dict[str, float]:
    """Between two sets of angles."""
    return {name: before.get(name, 0.0) * (1 - share) + after.get(name, 0.0) * share for name in {**before, **after}}


def dance(seed: int, beats: float = 2.0, vigour: float = 1.0) -> Motion:
    """A dance: at every beat each arm is at another place of `ARMS`, the weight changes its leg, and the trunk goes with it."""
    table = draws(seed, 400)
    order = {side: (table[:100] if side == "left" else table[100:200]) for side in ("left", "right")}
    phase, tempo = table[200] * 6.28, beats * (0.9 + 0.2 * table[201])
    together = table[202] < 0.45

    def at(time: float) -> Pose:
        beat = time * tempo + 2 * table[203]
        k, share = int(np.floor(beat)), ease(min(1.0, (beat % 1.0) * 1.25))
        wave = np.pi * beat + phase
        sway, bounce = float(np.sin(wave)), float(np.cos(2 * wave))
        pose = Pose()
        pose.body = Limb(
            {
                "turn": 0.42 * float(np.sin(0.5 * wave + table[204] * 6)) * vigour, "lean": 0.05 + 0.04 * bounce, "sway": 0.11 * sway * vigour,
                "spine": 0.08 + 0.06 * bounce, "twist": 0.22 * float(np.sin(wave + 0.8)) * vigour, "side": -0.16 * sway * vigour,
                "nod": 0.06 + 0.10 * float(np.sin(2 * wave + 0.5)), "shake": 0.30 * float(np.sin(0.5 * wave + 1.0)) - 0.2 * sway * 0.5, "tilt": 0.12 * sway,
            }
        )  # fmt: skip
        for side in ("left", "right"):
            row = order["left"] if together else order[side]
            here, there = (ARMS[int(row[(k + d) % 100] * len(ARMS))] for d in (0, 1))
            angles = blend(here, there, share)
            angles["raise"] = angles["raise"] + 0.08 * float(np.sin(2 * wave + (0 if side == "left" else 1)))
            angles["wrist"] = 0.30 * float(np.sin(2 * wave + 2 * (side == "left")))
            curl = CURLS[int(row[(k + 50) % 100] * 4)] * (1 - share) + CURLS[int(row[(k + 51) % 100] * 4)] * share
            fingers = np.array([[0.3, 0.3, 0.25]] + [[1.0, 1.15, 0.7]] * 4) * curl * np.array([[0.6], [0.9], [1.0], [1.05], [1.1]])
            pose.arms[side] = Limb(angles, fingers, np.array([0.0, 0.10, 0.0, -0.08, -0.16]) * (1 - 0.7 * curl))
            sign = 1.0 if side == "left" else -1.0
            load = 0.5 - 0.5 * sign * sway
            bend = (
                0.22 + 0.22 * (1 - load) * vigour + 0.10 * (0.5 - 0.5 * bounce) + 0.25 * float(table[205 + (side == "left")]) * (1 - load)
            )
            pose.legs[side] = Limb(
                {
                    "open": 0.13 - sign * 0.11 * sway * vigour,
                    "flex": bend * 0.62,
                    "knee": bend,
                    "ankle": 0.38 * bend - 0.05,
                    "turnout": 0.25,
                }
            )
        pose.hips = (0.06 * sway * vigour, 0.02 * float(np.sin(0.5 * wave)), 0.0)
        pose.blink = 1.0 if (time * 0.45 + table[206]) % 1.0 < 0.06 else 0.0
        pose.mouth = 0.10 + 0.10 * float(np.sin(0.7 * wave))
        pose.brow = 0.5 * float(np.sin(0.4 * wave + 1))
        return pose

    return at


def lag(motion: Motion, build: Build, times: Floats) -> Floats:
    """(n, 2) metres by which hanging things trail in x and z: a damped pendulum (1.6 Hz, damping 0.35) that the pelvis drags, from 2 s before."""
    step, stiff, damp = 1 / 120, (2 * np.pi * 1.6) ** 2, 2 * 0.35 * 2 * np.pi * 1.6
    start = float(times[0]) - 2.0
    count = int(np.ceil((float(times[-1]) - start) / step)) + 2
    coarse = np.arange(0, count + 4, 4)
    anchor = np.stack([solve(motion(start + i * step), build).joints["pelvis"][[0, 2]] for i in coarse])
    path = np.stack([np.interp(np.arange(count), coarse, anchor[:, k]) for k in (0, 1)], axis=1)
    place, speed = path[0].copy(), np.zeros(2)
    found = np.zeros((count, 2))
    for i in range(count):
        speed = speed + step * (stiff * (path[i] - place) - damp * speed)
        place = place + step * speed
        found[i] = np.clip(place - path[i], -0.10, 0.10)
    at = (times - start) / step
    return np.stack([np.interp(at, np.arange(count), found[:, k]) for k in (0, 1)], axis=1)


def turning(seed: int, seconds: float) -> Motion:
    """A model who walks on the spot and turns once around in the time, arms swinging, one hand to the hip now and then."""
    table = draws(seed, 40)
    way = 1.0 if table[0] < 0.5 else -1.0

    def at(time: float) -> Pose:
        share = time / seconds
        wave = 2 * np.pi * (1.1 * time + float(table[1]))
        turn = way * 2 * np.pi * ease(min(1.0, max(0.0, (share - 0.12) / 0.76)))
        pose = Pose()
        sway = float(np.sin(wave))
        pose.body = Limb(
            {
                "turn": turn + 0.06 * sway,
                "sway": 0.06 * sway,
                "side": -0.10 * sway,
                "spine": 0.03,
                "twist": -0.12 * sway,
                "nod": 0.03,
                "shake": 0.25 * float(np.sin(0.7 * wave)),
            }
        )
        for side, sign in (("left", 1.0), ("right", -1.0)):
            step = sign * sway
            rest = {"raise": 0.16, "forward": 0.10 - 0.35 * step, "elbow": 0.30 + 0.12 * abs(step), "pronate": 1.1}
            hip = {"raise": 0.75, "forward": -0.15, "elbow": 1.65, "pronate": 0.9, "roll": 1.0}
            up = ease(min(1.0, max(0.0, 3 * np.sin(np.pi * share) - 1.6))) if (table[2] < 0.5) == (side == "left") else 0.0
            pose.arms[side] = Limb(blend(rest, hip, float(up)), np.array([[0.2, 0.2, 0.15]] + [[0.35, 0.4, 0.25]] * 4))
            lift = max(0.0, -step)
            pose.legs[side] = Limb(
                {"open": 0.05, "flex": 0.05 + 0.42 * lift, "knee": 0.06 + 0.75 * lift, "ankle": 0.12 * lift, "turnout": 0.12}
            )
        pose.hips = (0.02 * sway, 0.02 * float(np.cos(wave)), 0.0)
        pose.blink = 1.0 if (time * 0.4 + table[3]) % 1.0 < 0.05 else 0.0
        pose.mouth = 0.05
        return pose

    return at


def speaking(seed: int, spoken: Speech) -> Motion:
    """Someone who talks: nods with the stress, blinks, lifts the brows, and gestures; the mouth is the sound's own opening."""
    table = draws(seed, 40)

    def at(time: float) -> Pose:
        open_ = float(spoken.opening(np.array([time]))[0])
        slow = float(np.mean(spoken.opening(time + np.linspace(-0.25, 0.25, 11))))
        pose = Pose(mouth=open_)
        drift = [float(np.sin(2 * np.pi * (rate * time + float(table[k])))) for k, rate in enumerate((0.23, 0.31, 0.17, 0.6, 0.42))]
        pose.body = Limb(
            {
                "turn": 0.10 * drift[0],
                "side": 0.03 * drift[1],
                "spine": 0.05 + 0.03 * slow,
                "nod": 0.02 + 0.10 * slow + 0.03 * drift[3],
                "shake": 0.16 * drift[1],
                "tilt": 0.06 * drift[2],
            }
        )
        for k, side in enumerate(("left", "right")):
            lift = 0.5 + 0.5 * float(np.sin(2 * np.pi * (0.45 * time + float(table[10 + k]))))
            busy = lift * (0.35 + 0.65 * slow)
            angles = {
                "raise": 0.22 + 0.25 * busy,
                "forward": 0.35 + 0.35 * busy,
                "elbow": 1.25 + 0.55 * busy,
                "pronate": 0.5 + 0.4 * drift[4],
                "roll": -0.1,
            }
            bend = 0.5 - 0.35 * busy
            pose.arms[side] = Limb(angles, np.array([[0.3, 0.3, 0.2]] + [[0.9, 0.9, 0.5]] * 4) * bend)
        pose.blink = max(0.0, 1 - abs(((0.32 * time + float(table[20])) % 1.0) - 0.5) / 0.03)
        pose.brow = 0.8 * slow * drift[4]
        return pose

    return at


def gesturing(number: int, seconds: float) -> Motion:
    """Hands held up before the chest, in one of ten ways: counting, fists, spreading, crossing fingers, crossing hands, leaving the picture."""

    def at(time: float) -> Pose:
        share = time / seconds
        wave = 2 * np.pi * 0.9 * time
        pose = Pose()
        pose.body = Limb({"turn": 0.08 * float(np.sin(0.5 * wave)), "spine": 0.03, "nod": 0.08})
        for side, sign in (("left", 1.0), ("right", -1.0)):
            later = 0.0 if sign > 0 else 0.35
            curl = np.full((5, 3), 0.12)
            spread = np.array([0.0, 0.10, 0.0, -0.09, -0.18])
            angles = {"raise": 0.28, "forward": 0.70, "elbow": 2.0, "pronate": 1.5, "roll": -0.28, "wrist": -0.15}
            kind = number % 10
            if kind in (0, 5):
                # One finger after the other bends and stretches; in one view a hand sinks out of the picture.
                for k in range(5):
                    phase = (share * 1.6 + later - 0.16 * k) % 1.0
                    amount = ease(float(np.clip(1 - abs(phase - 0.45) / 0.35, 0, 1)))
                    curl[k] = np.array([1.25, 1.45, 0.9]) * amount * (0.6 if k == 0 else 1.0) + 0.1
                if kind == 5 and sign < 0:
                    away = ease(float(np.clip(1.5 - abs(share - 0.55) / 0.25, 0, 1)))
                    angles = blend(angles, {"raise": 0.20, "forward": 0.15, "elbow": 0.45, "pronate": 1.2, "roll": -0.2}, away)
            elif kind in (1, 6):
                amount = 0.5 - 0.5 * float(np.cos(wave + later * 3))
                curl[:] = np.array([1.35, 1.5, 0.9]) * amount + 0.08
                curl[0] *= 0.55
            elif kind in (2, 7):
                amount = 0.5 - 0.5 * float(np.cos(wave))
                spread = spread * (0.3 + 1.8 * amount)
                angles["wrist"] = 0.25 * float(np.sin(wave + later))
                angles["deviate"] = 0.3 * float(np.sin(0.7 * wave))
            elif kind == 3:
                # Index and middle cross.
                amount = 0.5 - 0.5 * float(np.cos(wave))
                spread = spread + np.array([0, -0.16, 0.12, 0, 0]) * amount
                curl[3:] = np.array([1.3, 1.5, 0.9])
                curl[0] = 0.7
            elif kind in (4, 9):
                # The hands pass before each other and back; in the second view the other one is in front.
                amount = 0.5 - 0.5 * float(np.cos((1.0 if kind == 4 else 1.3) * wave))
                angles = blend(APART, OVER if (sign > 0) == (kind == 4) else UNDER, amount)
                spread = spread * (1 + (kind == 9) * amount)
            elif kind == 8:
                # Out of the picture and back.
                away = 0.5 - 0.5 * float(np.cos(2 * np.pi * share + later))
                angles = blend(angles, {"raise": 1.35, "forward": 0.25, "elbow": 0.35, "pronate": 1.2, "roll": -0.3}, away)
            if kind not in (4, 9):
                angles["pronate"] += 0.25 * float(np.sin(0.5 * wave + later))
            pose.arms[side] = Limb(angles, curl, spread)
        pose.blink = 1.0 if (time * 0.4 + 0.1 * number) % 1.0 < 0.05 else 0.0
        return pose

    return at
