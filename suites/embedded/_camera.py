"""A camera and a room: perspective, walls and floors with a texture, light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suites.embedded._paint import PALETTE, mix, noise, step
from suites.embedded._raster import snap

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Looks along -z. at: (x, y, z) metres. focal: of the picture's height. shift: (x, y) and roll (radians) of the picture: a shaking hand."""

    at: tuple[float, float, float] = (0.0, 0.95, 4.6)
    focal: float = 2.3
    shift: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0

    def project(self, points: Floats, height: int, width: int) -> tuple[Floats, Floats]:
        """(n, 3) metres -> (n, 2) pixels on multiples of 1/256, (n,) metres of depth."""
        depth = self.at[2] - points[:, 2]
        safe = np.maximum(depth, 0.05)
        x = (points[:, 0] - self.at[0]) / safe * self.focal + self.shift[0]
        y = -(points[:, 1] - self.at[1]) / safe * self.focal + self.shift[1]
        c, s = float(np.cos(self.roll)), float(np.sin(self.roll))
        pixels = np.stack([(x * c - y * s) * height + width / 2, (x * s + y * c) * height + height / 2], axis=1)
        return snap(pixels), depth

    def rays(self, height: int, width: int) -> tuple[Floats, Floats]:
        """(h, w) slopes dx/depth and dy/depth (y up) of every pixel's centre."""
        x = (np.arange(width) + 0.5 - width / 2)[None] / height
        y = (np.arange(height) + 0.5 - height / 2)[:, None] / height
        c, s = float(np.cos(self.roll)), float(np.sin(self.roll))
        u, v = x * c + y * s, -x * s + y * c
        return (u - self.shift[0]) / self.focal, -(v - self.shift[1]) / self.focal


@dataclass(frozen=True)
class Room:
    """wall, floor: kinds. depth: metres from the person to the wall (behind). plain: one colour without corner (a studio)."""

    wall: int = 0
    floor: int = 0
    depth: float = 1.6
    seed: int = 0
    plain: bool = False


def textures(room: Room) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(512, 512, 3) wall and floor, 0..1, each 4 metres wide."""
    n = 512
    u, v = np.meshgrid(np.arange(n) / n, np.arange(n) / n)
    base = np.array(PALETTE[(room.seed * 5 + 8) % len(PALETTE)]) * 0.25 + np.array([0.58, 0.56, 0.53])
    wall = np.ones((n, n, 1)) * base
    other = np.clip(base * 0.86, 0, 1)
    if room.wall % 5 == 1:
        wall = mix(wall, other, step(np.sin(2 * np.pi * 20 * u), -0.2, 0.2))
    elif room.wall % 5 == 2:
        bricks = (v * 24 + 1e-9) % 1
        shift = np.floor(v * 24) % 2 * 0.5
        gap = np.minimum(np.minimum(bricks, 1 - bricks) * 1.0, np.minimum((u * 10 + shift) % 1, 1 - (u * 10 + shift) % 1) * 2)
        tint = 0.10 * noise(n, n, 16, room.seed + 2)
        wall = mix(np.ones((n, n, 1)) * np.array([0.62, 0.40, 0.33]) * (1 + tint)[..., None], (0.72, 0.69, 0.65), step(0.10 - gap, 0, 0.05))
    elif room.wall % 5 == 3:
        x, y = (u * 16) % 1 - 0.5, (v * 16) % 1 - 0.5
        wall = mix(wall, other, step(0.28 - np.abs(x) - np.abs(y), 0, 0.05))
    elif room.wall % 5 == 4:
        wall = mix(wall, (0.50, 0.38, 0.28), 0.75 * step(v, 0.72, 0.725))
    wall = wall * (1 + 0.035 * noise(n, n, 64, room.seed) + 0.02 * noise(n, n, 4, room.seed + 1))[..., None]
    for k in range(3):
        left, top, w, h = 0.12 + 0.3 * k + 0.03 * ((room.seed * 7 + k * 3) % 5), 0.30 + 0.04 * ((room.seed + k) % 4), 0.11, 0.15
        if (room.seed + k) % 3:
            inside = step(0.5 * w - np.abs(u - left), -0.002, 0.002) * step(0.5 * h - np.abs(v - top), -0.002, 0.002)
            picture = mix(
                np.ones((n, n, 1)) * np.array(PALETTE[(room.seed + 3 * k) % len(PALETTE)]),
                PALETTE[(room.seed * 2 + k + 1) % len(PALETTE)],
                step(noise(n, n, 16, room.seed + k), -0.1, 0.1),
            )
            wall = mix(wall, picture, inside)
            wall = mix(wall, (0.15, 0.12, 0.10), inside * step(np.maximum(np.abs(u - left) / w, np.abs(v - top) / h), 0.455, 0.46))
    ground = np.ones((n, n, 1)) * np.array([(0.52, 0.37, 0.25), (0.45, 0.44, 0.43), (0.66, 0.60, 0.50), (0.35, 0.26, 0.20)][room.floor % 4])
    plank = np.floor(u * 22)
    tone = 0.14 * noise(n, n, 8, room.seed + 5)[plank.astype(np.int64) * 17 % n, (v * n).astype(np.int64) // 128 * 61 % n]
    seam = np.minimum((u * 22) % 1, 1 - (u * 22) % 1)
    ground = ground * (1 + tone + 0.06 * noise(n, n, 4, room.seed + 6))[..., None] * (1 - 0.35 * step(0.05 - seam, 0, 0.03))[..., None]
    return np.clip(wall, 0, 1).astype(np.float32), np.clip(ground, 0, 1).astype(np.float32)


def background(
    room: Room, camera: Camera, height: int, width: int, made: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> tuple[Floats, Floats]:
    """((h, w, 3) colours 0..1 lit but without shadows, (h, w, 2) where on the floor each pixel looks, x and z in metres; NaN above it)."""
    import cv2

    right, up = camera.rays(height, width)
    far = camera.at[2] + room.depth
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(up < 0, camera.at[1] / -up, np.inf)
    on_floor = distance < far
    depth = np.where(on_floor, distance, far)
    x, y, z = camera.at[0] + right * depth, camera.at[1] + up * depth, camera.at[2] - depth
    n = 512
    wall, ground = made
    across, up_wall, along = (((share - np.floor(share)) * n).astype(np.float32) for share in (x / 4 + 0.5, 1 - y / 4, z / 4))
    seen_wall = cv2.remap(wall, across, up_wall, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    seen_floor = cv2.remap(ground, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    colour = np.where(on_floor[..., None], seen_floor, seen_wall).astype(np.float64)
    light = np.where(on_floor, 0.95 - 0.10 * np.abs(x) - 0.12 * np.clip(-z, 0, 2), 0.90 - 0.09 * np.abs(x + 0.6) + 0.05 * (y - 1))
    corner = np.exp(-np.abs(np.where(on_floor, z + room.depth, y)) / 0.12)
    if room.plain:
        tone = np.array([0.86, 0.86, 0.87])
        colour = np.ones((height, width, 1)) * tone
        light = 1.0 - 0.05 * np.abs(x) + 0 * light
        corner = corner * 0.15
    floor = np.where(on_floor[..., None], np.stack([x, z], axis=-1), np.nan)
    return colour * (light * (1 - 0.25 * corner))[..., None], floor
