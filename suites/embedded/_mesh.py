"""Surfaces: tubes along bones and a head, rebuilt for every pose from the same rings, so that a surface coordinate stays on its place of the skin.

Every part is a grid of rings (first axis) by columns (second axis, the last repeats the first), and owns a part number of the body-UV map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ROUND = 0.22
"""Share of a bone on either side of a joint over which a limb bends."""


@dataclass(frozen=True)
class Rings:
    """The fixed shape of a tube. at: (r,) places along the bones (1.5 = the middle of the second). wide, deep: (r,) half axes in metres. ahead: (r,)
    shift of the ring towards the bone's front. square: exponent of the cross-section (2 = ellipse). tile: (r,) texture of the ring. columns: around.
    seam_ahead: the first column is in front (of a hand: the palm), not at the back.
    """

    part: int
    at: Floats
    wide: Floats
    deep: Floats
    ahead: Floats
    tile: Ints
    columns: int = 16
    square: float = 2.0
    seam_ahead: bool = False

    @property
    def count(self) -> int:
        """Vertices."""
        return len(self.at) * (self.columns + 1)


def rings(
    part: int,
    points: Sequence[tuple[float, float, float, float]],
    count: int,
    *,
    scale: float = 1.0,
    tile: int = 0,
    cover: tuple[float, float, int, float, float] | None = None,
    columns: int = 16,
    square: float = 2.0,
    seam_ahead: bool = False,
) -> Rings:
    """Rings through points (at, wide, deep, ahead), cubic between them.

    cover: (from, to, tile, thickness, flare) lays a garment over part of them; at its ends two rings share a place, so that a hem is an edge.
    """
    table = np.array(points, np.float64)
    at = np.linspace(table[0, 0], table[-1, 0], count)
    ends: list[float] = []
    if cover is not None:
        ends = [edge for edge in cover[:2] if table[0, 0] < edge < table[-1, 0]]
        at = np.sort(np.concatenate([at, *([edge - 1e-6, edge - 1e-6, edge + 1e-6, edge + 1e-6] for edge in ends)]))
    values = np.stack([_smooth(table[:, 0], table[:, k], at) for k in (1, 2, 3)], axis=1)
    values[:, :2] = np.maximum(values[:, :2], 1e-4) * scale
    values[:, 2] *= scale
    tiles = np.full(len(at), tile, np.int64)
    if cover is not None:
        first, last, cloth, thick, flare = cover
        inside = (at > first) & (at < last)
        share = np.clip((at - first) / max(last - first, 1e-6), 0, 1) ** 2
        values[inside, :2] += (thick + flare * share[inside])[:, None] * scale
        tiles[inside] = cloth
        for edge in ends:
            # Of the two rings on the cloth's side the outer one turns inwards: the hem's thickness.
            side = at - edge
            pair = np.flatnonzero(np.abs(side) < 2e-6)
            cloth_side = [i for i in pair if inside[i]]
            skin_side = [i for i in pair if not inside[i]]
            turned = cloth_side[-1] if edge == last else cloth_side[0]
            values[turned, :2] = values[skin_side[0], :2]
    return Rings(part, at, values[:, 0], values[:, 1], values[:, 2], tiles, columns, square, seam_ahead)


def _smooth(x: Floats, y: Floats, at: Floats) -> Floats:
    """Monotone cubic through points (Fritsch and Carlson 1980, harmonic means of slopes)."""
    step, slope = np.diff(x), np.diff(y) / np.diff(x)
    tangent = np.zeros(len(x))
    same = slope[:-1] * slope[1:] > 0
    both = np.where(same, slope[:-1] * slope[1:], 1.0)
    tangent[1:-1] = np.where(same, 2 * both / np.where(same, slope[:-1] + slope[1:], 1.0), 0.0)
    tangent[0], tangent[-1] = slope[0], slope[-1]
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    t = (at - x[k]) / step[k]
    h = step[k]
    found: Floats = (
        (2 * t**3 - 3 * t**2 + 1) * y[k]
        + (t**3 - 2 * t**2 + t) * h * tangent[k]
        + (3 * t**2 - 2 * t**3) * y[k + 1]
        + (t**3 - t**2) * h * tangent[k + 1]
    )
    return found


def unit(vectors: Floats) -> Floats:
    """(..., 3) of length one."""
    found: Floats = vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), 1e-12)
    return found


def along(at: Floats, joints: Sequence[Floats], frames: Sequence[Floats], round_: float = ROUND) -> tuple[Floats, Floats, Floats]:
    """(r, 3) centres, sideways and front axes of rings along a chain of bones, rounded at its inner joints."""
    points = np.stack(joints)
    axes = np.stack(frames)
    bones = len(points) - 1
    k = np.clip(np.floor(at).astype(np.int64), 0, bones - 1)
    t = (at - k)[:, None]
    centre = points[k] + t * (points[k + 1] - points[k])
    tangent = (points[k + 1] - points[k]).astype(np.float64)
    sideways = axes[k][:, :, 0].copy()
    for joint in range(1, bones):
        near = np.flatnonzero(np.abs(at - joint) < round_)
        if not len(near):
            continue
        s = ((at[near] - joint) / round_ * 0.5 + 0.5)[:, None]
        a = points[joint] - round_ * (points[joint] - points[joint - 1])
        b = points[joint] + round_ * (points[joint + 1] - points[joint])
        centre[near] = (1 - s) ** 2 * a + 2 * s * (1 - s) * points[joint] + s**2 * b
        tangent[near] = (1 - s) * (points[joint] - a) + s * (b - points[joint])
        blend = s * s * (3 - 2 * s)
        sideways[near] = (1 - blend) * axes[joint - 1][:, 0] + blend * axes[joint][:, 0]
    tangent = unit(tangent)
    sideways = unit(sideways - (sideways * tangent).sum(axis=1, keepdims=True) * tangent)
    front = np.cross(tangent, sideways)
    return centre, sideways, front


def tube(shape: Rings, joints: Sequence[Floats], frames: Sequence[Floats], upward: bool = False) -> Floats:
    """(r * (columns + 1), 3) world positions. upward: the chain climbs along the bones' y axis (trunk, neck), else it goes down against it."""
    centre, sideways, front = along(shape.at, joints, frames)
    if upward:
        front = -front
    centre = centre + shape.ahead[:, None] * front
    angle = np.linspace(0, 2 * np.pi, shape.columns + 1)
    c, s = np.sin(angle), np.cos(angle)
    if shape.square != 2.0:
        power = 2.0 / shape.square
        c, s = np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power
    # Columns run so that the outside is seen, from the seam: in front or at the back.
    s = s if shape.seam_ahead else -s
    c = c if shape.seam_ahead == upward else -c
    ring = shape.wide[:, None, None] * c[None, :, None] * sideways[:, None] + shape.deep[:, None, None] * s[None, :, None] * front[:, None]
    made: Floats = (centre[:, None] + ring).reshape(-1, 3)
    return made


def grid_triangles(rows: int, columns: int) -> Ints:
    """(2 (rows - 1) columns, 3) vertex numbers of a grid of rows by columns + 1."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    a = (r * (columns + 1) + c).ravel()
    b, d = a + 1, a + columns + 1
    e = d + 1
    return np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, e], axis=1)]).astype(np.int64)


def grid_normals(points: Floats, rows: int, columns: int) -> Floats:
    """(rows * (columns + 1), 3) unit normals of a closed grid, smooth over its seam."""
    grid = points.reshape(rows, columns + 1, 3)
    down = np.empty_like(grid)
    down[1:-1] = grid[2:] - grid[:-2]
    down[0], down[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    ring = grid[:, :-1]
    across = np.empty_like(grid)
    across[:, :-1] = np.roll(ring, -1, axis=1) - np.roll(ring, 1, axis=1)
    across[:, -1] = across[:, 0]
    # An end that closes in a point has no direction around: it takes that of its neighbour.
    for end, inner in ((0, 1), (-1, -2)):
        if np.abs(across[end]).max() < 1e-5:
            across[end] = across[inner]
    found: Floats = unit(np.cross(across, down)).reshape(-1, 3)
    return found
