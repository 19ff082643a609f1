"""A frame of a person in a room, and what is exactly known of it: where each bone is, which surface is at each pixel, and where it goes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suites.embedded._camera import Camera, Room, background, textures
from suites.embedded._figure import HEAD, Figure, Looks
from suites.embedded._paint import atlases, places
from suites.embedded._raster import Hits, blend, rasterise
from suites.embedded._skeleton import Bones, Pose, solve

Floats = NDArray[np.float64]
LIGHT = np.array([-0.45, 0.72, 0.53]) / np.sqrt(0.45**2 + 0.72**2 + 0.53**2)
"""Towards the lamp."""
SAMPLES = 2
"""Colours are taken at so many points a side of a pixel and averaged."""


@dataclass(frozen=True)
class Shot:
    """One frame's geometry: bones, vertices and normals in the world, the same on the screen in units of picture heights' pixels."""

    pose: Pose
    bones: Bones
    points: Floats
    normals: Floats
    camera: Camera


def _look(picture: NDArray[np.uint8], at: NDArray[np.float32]) -> Floats:
    """(n, 3) colours 0..1 of a picture at n places, bilinear. OpenCV wants places in rows of less than 32,768."""
    import cv2

    wide = 1024
    rows = -(-len(at) // wide)
    grid = np.zeros((rows * wide, 2), np.float32)
    grid[: len(at)] = at
    found = cv2.remap(picture, grid.reshape(rows, wide, 2), None, cv2.INTER_LINEAR)
    colours: Floats = found.reshape(-1, 3)[: len(at)].astype(np.float64) / 255
    return colours


class Scene:
    """A person in a room, ready to be drawn in any pose."""

    def __init__(self, looks: Looks, room: Room) -> None:
        self.looks, self.room = looks, room
        self.figure = Figure(looks)
        self.skins = atlases(looks, (0.0, 0.55, 1.0))
        self.walls = textures(room)
        self.where = places(self.figure.tile, self.figure.uv)
        self._backgrounds: dict[tuple[Camera, int, int], tuple[Floats, Floats]] = {}

    def shot(self, pose: Pose, camera: Camera, swing: Floats | None = None, grounded: bool = True) -> Shot:
        """The surface in a pose."""
        bones = solve(pose, self.looks.build, grounded)
        points, normals = self.figure.pose(bones, pose, swing)
        return Shot(pose, bones, points, normals, camera)

    def hits(self, shot: Shot, height: int, width: int) -> Hits:
        """The visible surface at pixel centres."""
        pixels, depth = shot.camera.project(shot.points, height, width)
        return rasterise(pixels, depth, self.figure.triangles, height, width)

    def colours(self, shot: Shot, height: int, width: int) -> NDArray[np.uint8]:
        """(height, width, 3)."""

        h, w = height * SAMPLES, width * SAMPLES
        room, floor = self._room(shot.camera, h, w)
        picture = room * (1 - 0.62 * self._shadow(shot, floor))[..., None]
        hits = self.hits(shot, h, w)
        triangles = self.figure.triangles
        at = blend(self.where, triangles, hits).astype(np.float32)
        blink = 0 if shot.pose.blink < 0.3 else 1 if shot.pose.blink < 0.75 else 2
        texture = _look(self.skins[blink], at)
        normal = blend(shot.normals, triangles, hits)
        normal /= np.maximum(np.sqrt((normal * normal).sum(axis=1, keepdims=True)), 1e-9)
        world = blend(shot.points, triangles, hits)
        lit = np.clip((normal * LIGHT).sum(axis=1), 0, 1) * self._lamp(shot, world, normal)
        sky = 0.5 + 0.5 * normal[:, 1]
        view = np.array(shot.camera.at) - world
        view /= np.sqrt((view * view).sum(axis=1, keepdims=True))
        half = view + LIGHT
        half /= np.sqrt((half * half).sum(axis=1, keepdims=True))
        shine = np.clip((normal * half).sum(axis=1), 0, 1) ** 24
        rim = (1 - np.clip((normal * view).sum(axis=1), 0, 1)) ** 3
        head = self.figure.tile[triangles[hits.triangle, 0]] == HEAD
        strength = (0.34 + 0.20 * sky)[:, None] * np.array([0.96, 0.99, 1.06]) + (0.62 * lit)[:, None] * np.array([1.06, 1.0, 0.92])
        shaded = texture * strength + (0.10 * shine * lit * np.where(head, 1.2, 0.7))[:, None] + 0.04 * rim[:, None]
        flat = picture.reshape(-1, 3)
        flat[hits.pixel] = shaded
        levels = np.rint(np.clip(flat.reshape(h, w, 3), 0, 1) * 255).astype(np.int64)
        summed = levels.reshape(height, SAMPLES, width, SAMPLES, 3).sum(axis=(1, 3))
        result: NDArray[np.uint8] = ((summed + SAMPLES * SAMPLES // 2) // (SAMPLES * SAMPLES)).astype(np.uint8)
        return result

    def blurred(self, shots: Sequence[Shot], height: int, width: int) -> NDArray[np.uint8]:
        """(height, width, 3): an open shutter over several shots, their mean rounded to whole levels. The facts are those of the middle shot."""
        total = np.zeros((height, width, 3), np.int64)
        for shot in shots:
            total += self.colours(shot, height, width)
        result: NDArray[np.uint8] = ((total + len(shots) // 2) // len(shots)).astype(np.uint8)
        return result

    def _room(self, camera: Camera, h: int, w: int) -> tuple[Floats, Floats]:
        key = (camera, h, w)
        if key not in self._backgrounds:
            if len(self._backgrounds) > 2:
                self._backgrounds.clear()
            self._backgrounds[key] = background(self.room, camera, h, w, self.walls)
        return self._backgrounds[key]

    def _shadow(self, shot: Shot, floor: Floats) -> Floats:
        """(h, w) 0..1: how much of the lamp the person takes from the floor, blurred, and darker close to the feet."""
        import cv2

        drop = shot.points[:, 1:2] / LIGHT[1]
        on_floor = shot.points[:, [0, 2]] - drop * LIGHT[[0, 2]]
        span, size = 5.0, 160
        at = (on_floor / span + 0.5) * size
        hit = rasterise(at, np.full(len(at), 1.0), np.concatenate([self.figure.triangles, self.figure.triangles[:, ::-1]]), size, size)
        mask = np.zeros(size * size, np.float32)
        mask[hit.pixel] = 1
        soft = cv2.GaussianBlur(mask.reshape(size, size), (0, 0), 1.6)
        low = np.flatnonzero(shot.points[:, 1] < 0.12)
        contact = np.zeros((size, size), np.float32)
        if len(low):
            spots = np.rint((shot.points[low][:, [0, 2]] / span + 0.5) * size).astype(np.int64)
            good = ((spots >= 0) & (spots < size)).all(axis=1)
            contact[spots[good, 1], spots[good, 0]] = 1
        contact = np.clip(cv2.GaussianBlur(contact, (0, 0), 1.3) * 1.5, 0, 1)
        both = np.maximum(soft * 0.8, contact)
        x = ((np.nan_to_num(floor[..., 0], nan=1e4) / span + 0.5) * size - 0.5).astype(np.float32)
        y = ((np.nan_to_num(floor[..., 1], nan=1e4) / span + 0.5) * size - 0.5).astype(np.float32)
        found: Floats = cv2.remap(both, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0).astype(np.float64)
        return found

    def _lamp(self, shot: Shot, world: Floats, normal: Floats) -> Floats:
        """(n,) 0..1: is the lamp seen from here? A shadow map of 256 x 256 around the person, softened over three texels."""
        right = np.array([LIGHT[2], 0.0, -LIGHT[0]])
        right = right / np.sqrt((right * right).sum())
        up = np.cross(LIGHT, right)
        centre = shot.bones.joints["waist"]
        size = 256
        span = 2.6 * self.looks.build.scale

        def seen(points: Floats) -> tuple[Floats, Floats]:
            off = points - centre
            x, y, d = (off * right).sum(axis=1), (off * up).sum(axis=1), (off * LIGHT).sum(axis=1)
            return np.stack([(x / span + 0.5) * size, (0.5 - y / span) * size], axis=1), 3.0 - d

        at, depth = seen(shot.points)
        hit = rasterise(at, depth, self.figure.triangles, size, size)
        nearest = np.full(size * size, np.inf)
        nearest[hit.pixel] = hit.depth
        here, distance = seen(world + normal * 0.012)
        # The mean over a window of three by three texels that slides without steps.
        total = np.zeros(len(world))
        x, y = here[:, 0] - 0.5, here[:, 1] - 0.5
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        fx, fy = x - left, y - top
        across = (1 - fx, np.ones_like(fx), np.ones_like(fx), fx)
        down = (1 - fy, np.ones_like(fy), np.ones_like(fy), fy)
        limit = distance - 0.010
        for j in range(4):
            row = np.clip(top + j - 1, 0, size - 1) * size
            for i in range(4):
                total += across[i] * down[j] * (nearest[row + np.clip(left + i - 1, 0, size - 1)] > limit)
        return total / 9
