"""A head: a sphere of latitudes and longitudes pulled into shape, with places of the 68 face points on it. Longitude 0 is the front, + the person's left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
COLUMNS = 56
LIPS = -0.43
"""Latitude where the lips meet."""


@dataclass(frozen=True)
class Face:
    """Proportions around 1 (width, length, nose, jaw, lips, eyes) of one person."""

    width: float = 1.0
    length: float = 1.0
    nose: float = 1.0
    jaw: float = 1.0
    lips: float = 1.0
    eyes: float = 1.0


def _bump(lon: Floats, lat: Floats, at: tuple[float, float], spread: tuple[float, float]) -> Floats:
    found: Floats = np.exp(-(((lon - at[0]) / spread[0]) ** 2) - ((lat - at[1]) / spread[1]) ** 2)
    return found


def latitudes() -> Floats:
    """Rows from crown to chin: dense over the face, two at the line of the lips, which part when the mouth opens."""
    return np.concatenate(
        [
            np.linspace(np.pi / 2, 0.42, 9),
            np.linspace(0.34, -0.36, 19),
            [LIPS + 0.035, LIPS + 0.002, LIPS - 0.002, LIPS - 0.04],
            np.linspace(-0.53, -np.pi / 2, 13),
        ]
    )


def surface(lon: Floats, lat: Floats, face: Face, mouth: float, brow: float = 0.0) -> Floats:
    """(..., 3) metres in the head's frame (x to its left, y up, z ahead). mouth: opening 0..1. brow: -1..1 raises the brows."""
    x = np.sin(lon) * np.cos(lat)
    y = np.sin(lat)
    z = np.cos(lon) * np.cos(lat)
    below = np.clip(-y, 0, 1)
    front = np.clip(np.cos(lon), 0, 1)
    wide = 0.0765 * face.width * (1 - 0.30 / face.jaw * below**1.7 * (0.4 + 0.6 * front))
    tall = np.where(y > 0, 0.118, 0.122 * face.length)
    back = np.where(z < 0, 0.105 * (1 - 0.32 * below), 0.096)
    out = np.stack([wide * x, tall * y, back * z], axis=-1)
    ahead = 0.024 * face.nose * _bump(lon, lat, (0, -0.17), (0.16, 0.11))
    ahead += 0.012 * face.nose * _bump(lon, lat, (0, 0.03), (0.10, 0.17))
    for side in (-1, 1):
        ahead += 0.007 * face.nose * _bump(lon, lat, (side * 0.15, -0.22), (0.09, 0.06))
        ahead -= 0.0095 * _bump(lon, lat, (side * 0.40, 0.07), (0.20, 0.11))
        ahead += 0.0045 * face.eyes * _bump(lon, lat, (side * 0.40, 0.065), (0.13, 0.06))
        ahead += (0.006 + 0.001 * brow) * _bump(lon, lat, (side * 0.36, 0.24), (0.28, 0.06))
        ahead += 0.004 * _bump(lon, lat, (side * 0.62, -0.14), (0.22, 0.14))
    ahead += 0.0075 * face.lips * _bump(lon, lat, (0, LIPS + 0.055), (0.26, 0.045))
    ahead += 0.0080 * face.lips * _bump(lon, lat, (0, LIPS - 0.060), (0.22, 0.050))
    ahead -= 0.004 * _bump(lon, lat, (0, LIPS - 0.16), (0.30, 0.05))
    ahead += 0.013 * face.jaw * _bump(lon, lat, (0, -0.86), (0.45, 0.24))
    ahead += 0.008 * _bump(lon, lat, (0, -0.42), (0.55, 0.30))
    ears = sum(_bump(lon, lat, (side * 1.62, -0.03), (0.10, 0.20)) for side in (-1, 1))
    out[..., 2] += ahead - 0.010 * ears
    out[..., 0] += np.sign(lon) * 0.020 * ears
    part = np.sqrt(np.clip(1 - (lon / 0.36) ** 2, 0, 1)) * (np.cos(lon) > 0)
    jaw = np.clip((LIPS - lat) / 0.004, 0, 1) * np.clip((lat + 1.45) / 0.6, 0, 1)
    near = np.exp(-(((LIPS - lat) / 0.35) ** 2))
    drop = mouth * jaw * (0.020 * part * near + 0.012 * front)
    out[..., 1] -= drop
    out[..., 2] -= 0.35 * drop * front
    upper = np.clip((lat - LIPS) / 0.004, 0, 1) * np.exp(-(((lat - LIPS) / 0.10) ** 2))
    out[..., 1] += mouth * 0.003 * part * upper
    return out


def grid(face: Face, mouth: float, brow: float) -> tuple[Floats, int, int]:
    """((rows * (columns + 1), 3), rows, columns), rows from crown to chin, the seam at the back."""
    lat = latitudes()
    lon = np.linspace(-np.pi, np.pi, COLUMNS + 1)
    # More columns over the face than over the back of the head.
    lon = lon - 0.45 * np.sin(lon)
    where_lon, where_lat = np.meshgrid(lon, lat)
    made = surface(where_lon, where_lat, face, mouth, brow)
    return made.reshape(-1, 3), len(lat), COLUMNS


def _contour() -> list[tuple[float, float]]:
    t = np.linspace(-1, 1, 17)
    return [(1.42 * s if abs(s) > 0 else 0.0, -0.05 - 1.02 * (1 - abs(s) ** 1.8)) for s in t]


def landmarks(blink: float, brow: float) -> Floats:
    """(68, 2) longitude and latitude of the face points in iBUG's order (0 at the person's right ear, 8 the chin); the mouth is on its closed line."""
    eye = [(0.58, 0.055), (0.47, 0.095), (0.33, 0.095), (0.22, 0.045), (0.33, 0.025), (0.47, 0.025)]
    lids = [(x, y - 0.065 * blink) if k in (1, 2) else (x, y) for k, (x, y) in enumerate(eye)]
    brows = [(0.66, 0.19), (0.55, 0.245), (0.43, 0.265), (0.31, 0.255), (0.19, 0.225)]
    raised = [(x, y + 0.03 * brow) for x, y in brows]
    right_eye = [(-x, y) for x, y in lids]
    left_eye = [(lids[k][0], lids[k][1]) for k in (3, 2, 1, 0, 5, 4)]
    nose = [(0.0, 0.08), (0.0, 0.0), (0.0, -0.08), (0.0, -0.165)] + [(x, -0.255) for x in (-0.17, -0.09, 0.0, 0.09, 0.17)]
    up, down = LIPS + 0.004, LIPS - 0.004
    outer = [
        (-0.30, LIPS), (-0.20, LIPS + 0.060), (-0.08, LIPS + 0.085), (0.0, LIPS + 0.075), (0.08, LIPS + 0.085), (0.20, LIPS + 0.060),
        (0.30, LIPS), (0.20, LIPS - 0.070), (0.08, LIPS - 0.095), (0.0, LIPS - 0.098), (-0.08, LIPS - 0.095), (-0.20, LIPS - 0.070),
    ]  # fmt: skip
    inner = [(-0.26, LIPS), (-0.1, up), (0.0, up), (0.1, up), (0.26, LIPS), (0.1, down), (0.0, down), (-0.1, down)]
    return np.array(_contour() + [(-x, y) for x, y in raised] + raised[::-1] + nose + right_eye + left_eye + outer + inner, np.float64)
