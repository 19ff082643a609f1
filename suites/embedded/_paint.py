"""Skin, faces, hair and cloth as textures, by formula: one atlas a person, six tiles above a face. Values are levels 0..255, whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suites.embedded import _head
from suites.embedded._figure import BOTTOM, HAIR, HAND, HEAD, SHOES, SKIN, TOP, Looks

Floats = NDArray[np.float64]
TILE, FACE = 256, (512, 1024)
ATLAS = (2 * TILE + FACE[0], 4 * TILE)
"""(height, width)."""
EDGE = 3
"""Texels of a tile's border that are never looked at."""


def places(tile: NDArray[np.int64], uv: Floats) -> Floats:
    """(v, 2) x and y in the atlas of vertices with a tile and a coordinate 0..1."""
    x = (tile % 4) * TILE + EDGE + uv[:, 0] * (TILE - 1 - 2 * EDGE)
    y = (tile // 4) * TILE + EDGE + uv[:, 1] * (TILE - 1 - 2 * EDGE)
    head = tile == HEAD
    x = np.where(head, uv[:, 0] * (FACE[1] - 1), x)
    y = np.where(head, 2 * TILE + uv[:, 1] * (FACE[0] - 1), y)
    return np.stack([x, y], axis=1)


def noise(height: int, width: int, cell: int, seed: int) -> Floats:
    """(height, width) smooth noise -1..1: hashed integers on a lattice of `cell` pixels that joins at its sides, smoothly between."""
    rows, columns = max(1, height // cell), max(1, width // cell)
    i, j = np.meshgrid(np.arange(rows, dtype=np.uint64), np.arange(columns, dtype=np.uint64), indexing="ij")
    z = (i * np.uint64(0x9E3779B97F4A7C15)) ^ (j * np.uint64(0xC2B2AE3D27D4EB4F)) ^ np.uint64((seed + 1) * 0x165667B19E3779F9 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    lattice = ((z >> np.uint64(40)).astype(np.float64) / 2**23) - 1
    y, x = np.arange(height) * rows / height, np.arange(width) * columns / width
    y0, x0 = y.astype(np.int64), x.astype(np.int64)
    fy, fx = (y - y0)[:, None], (x - x0)[None]
    fy, fx = fy * fy * (3 - 2 * fy), fx * fx * (3 - 2 * fx)
    y1, x1 = (y0 + 1) % rows, (x0 + 1) % columns
    top = lattice[y0][:, x0] * (1 - fx) + lattice[y0][:, x1] * fx
    low = lattice[y1][:, x0] * (1 - fx) + lattice[y1][:, x1] * fx
    return top * (1 - fy) + low * fy


def step(x: Floats, low: float, high: float) -> Floats:
    """Smooth 0..1 between low and high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(under: Floats, colour: tuple[float, float, float] | Floats, share: Floats) -> Floats:
    """Colour laid over with a share 0..1."""
    return under + (np.asarray(colour) - under) * share[..., None]


def _flat(colour: tuple[float, float, float], height: int = TILE, width: int = TILE) -> Floats:
    result: Floats = np.ones((height, width, 1)) * np.array(colour)
    return result


def skin(looks: Looks, height: int = TILE, width: int = TILE, seed: int = 0) -> Floats:
    """Skin with mottling, 0..1."""
    base = _flat(looks.skin, height, width)
    tone = 0.035 * noise(height, width, 32, looks.seed + seed) + 0.02 * noise(height, width, 8, looks.seed + seed + 7)
    red = 0.03 * noise(height, width, 48, looks.seed + seed + 3)
    result: Floats = base * (1 + tone[..., None]) + red[..., None] * np.array([0.6, -0.1, -0.1])
    return result


def hand(looks: Looks) -> Floats:
    """Skin of palm and fingers: creases at the joints, paler inside, nails outside (around u = 0.5 the back of the hand)."""
    made = skin(looks, seed=11)
    u, v = np.meshgrid(np.linspace(0, 1, TILE), np.linspace(0, 1, TILE))
    palm_side = 0.5 + 0.5 * np.cos(2 * np.pi * u)
    made = mix(made, np.clip(np.array(looks.skin) * 1.10 + np.array([0.05, 0.01, 0.0]), 0, 1), 0.45 * palm_side)
    for at in (0.382, 0.688):
        made *= 1 - 0.16 * np.exp(-(((v - at) / 0.012) ** 2))[..., None]
        made *= (
            1
            - 0.10
            * (np.exp(-(((v - at + 0.02) / 0.008) ** 2)) + np.exp(-(((v - at - 0.02) / 0.008) ** 2)))[..., None]
            * (1 - palm_side)[..., None]
        )
    back = np.abs(u - 0.5)
    nail = step(0.15 - back, 0, 0.03) * step(v, 0.855, 0.87) * step(0.965 - v, 0, 0.012)
    return mix(made, np.clip(np.array(looks.skin) * 1.05 + np.array([0.10, 0.04, 0.05]), 0, 1), 0.8 * nail)


PALETTE = (
    (0.82, 0.12, 0.14), (0.10, 0.28, 0.62), (0.93, 0.92, 0.88), (0.10, 0.10, 0.12), (0.16, 0.45, 0.33), (0.92, 0.70, 0.18), (0.48, 0.22, 0.50),
    (0.90, 0.48, 0.52), (0.36, 0.56, 0.76), (0.55, 0.36, 0.22), (0.30, 0.32, 0.36), (0.78, 0.74, 0.62),
)  # fmt: skip


def cloth(kind: int, seed: int) -> Floats:
    """Plain, striped, checked, dotted, in zigzag, floral or knitted cloth in two colours of the palette, with a weave and soft folds."""
    pair = [PALETTE[(seed * 5 + 3 * kind) % len(PALETTE)], PALETTE[(seed * 7 + 5 + kind) % len(PALETTE)]]
    if pair[0] == pair[1]:
        pair[1] = PALETTE[(seed * 7 + 6 + kind) % len(PALETTE)]
    u, v = np.meshgrid(np.linspace(0, 1, TILE, endpoint=False), np.linspace(0, 1, TILE, endpoint=False))
    made = _flat(pair[0])
    if kind % 7 == 1:
        made = mix(made, pair[1], step(np.sin(2 * np.pi * 11 * v), -0.1, 0.1))
    elif kind % 7 == 2:
        made = mix(made, pair[1], 0.5 * step(np.sin(2 * np.pi * 8 * u), -0.1, 0.1) + 0.5 * step(np.sin(2 * np.pi * 9 * v), -0.1, 0.1))
    elif kind % 7 == 3:
        x, y = (u * 12) % 1 - 0.5, (v * 12) % 1 - 0.5
        made = mix(made, pair[1], step(0.30 - np.sqrt(x * x + y * y), 0, 0.06))
    elif kind % 7 == 4:
        made = mix(made, pair[1], step(np.sin(2 * np.pi * (10 * v + 0.5 * np.abs((u * 12) % 2 - 1))), -0.15, 0.15))
    elif kind % 7 == 5:
        leaf = noise(TILE, TILE, 16, seed) + 0.5 * noise(TILE, TILE, 8, seed + 1)
        made = mix(made, pair[1], step(leaf, 0.25, 0.35))
        made = mix(made, PALETTE[(seed + 4) % len(PALETTE)], step(-leaf, 0.42, 0.5))
    elif kind % 7 == 6:
        made = made * (0.9 + 0.1 * np.sin(2 * np.pi * 40 * v) * np.sin(2 * np.pi * 30 * u))[..., None]
        made = mix(made, pair[1], step(0.06 - np.abs(v - 0.35), 0, 0.01))
    weave = 0.02 * noise(TILE, TILE, 2, seed + 5)
    fold = 0.07 * noise(TILE, TILE, 32, seed + 9) + 0.05 * np.sin(2 * np.pi * (3 * u + 1.5 * v) + 6 * noise(TILE, TILE, 64, seed + 2))
    return np.clip(made * (1 + weave + fold)[..., None], 0, 1)


def hair(looks: Looks) -> Floats:
    """Strands that run from crown to ends."""
    u = np.linspace(0, 1, TILE)
    strand = 0.30 * noise(8, TILE, 2, looks.seed + 21)[0] + 0.18 * noise(8, TILE, 4, looks.seed + 22)[0]
    wave = noise(TILE, TILE, 32, looks.seed + 23) * 4
    at = np.clip((np.arange(TILE)[None] + wave).astype(np.int64), 0, TILE - 1)
    shine = 0.25 * np.exp(-(((np.linspace(0, 1, TILE) - 0.28) / 0.10) ** 2))[:, None] * (1 + 0 * u)[None]
    result: Floats = np.clip(_flat(looks.hair_colour) * (1 + strand[at] + shine)[..., None], 0, 1)
    return result


def faces(looks: Looks, blinks: tuple[float, ...]) -> list[Floats]:
    """(512, 1024, 3) the head's textures: rows follow `_head.latitudes`, columns its longitudes. blinks: 0 open .. 1 closed."""
    height, width = FACE
    whole = skin(looks, height, width, 31)
    c = np.linspace(-np.pi, np.pi, width)
    rows = _head.latitudes()
    latitude = np.interp(np.linspace(0, len(rows) - 1, height), np.arange(len(rows)), rows)
    # Nothing is painted behind the ears, above the brows' reach or under the chin.
    left, right = (int(np.searchsorted(c - 0.45 * np.sin(c), edge)) for edge in (-1.55, 1.55))
    top, low = (int(np.searchsorted(-latitude, edge)) for edge in (-0.45, 1.40))
    lon, lat = np.meshgrid((c - 0.45 * np.sin(c))[left:right], latitude[top:low])
    made = _features(whole[top:low, left:right], looks, lon, lat)
    found = []
    for blink in blinks:
        picture = whole.copy()
        picture[top:low, left:right] = _eyes(made, looks, lon, lat, blink)
        found.append(picture)
    return found


def _features(made: Floats, looks: Looks, lon: Floats, lat: Floats) -> Floats:
    height, width = lon.shape
    tone = np.array(looks.skin)
    red, dark = np.clip(tone * np.array([1.05, 0.78, 0.76]), 0, 1), tone * 0.55
    side = np.abs(lon)
    made = mix(made, red, 0.45 * np.exp(-(((side - 0.55) / 0.22) ** 2) - ((lat + 0.15) / 0.12) ** 2))
    made = mix(made, red, 0.30 * np.exp(-((lon / 0.14) ** 2) - ((lat + 0.18) / 0.09) ** 2))
    made = mix(made, dark, 0.30 * np.exp(-(((side - 0.40) / 0.20) ** 2) - ((lat - 0.01) / 0.030) ** 2))
    made = mix(made, dark, 0.28 * np.exp(-(((side - 0.15) / 0.045) ** 2) - ((lat - 0.03) / 0.13) ** 2))
    made = mix(made, dark, 0.35 * np.exp(-(((side - 0.40) / 0.20) ** 2) - ((lat - 0.125) / 0.022) ** 2))
    if looks.beard:
        region = step(-lat, 0.18, 0.5) * step(1.5 - side, 0, 0.3)
        around = 1 - np.exp(-((lon / 0.24) ** 2) - ((lat - _head.LIPS) / 0.09) ** 2)
        stubble = 0.75 + 0.25 * noise(height, width, 2, looks.seed + 41)
        made = mix(made, np.array(looks.hair_colour) * 1.1, looks.beard * region * around * stubble)
    brow = 0.19 + 0.075 * np.sqrt(np.clip(1 - ((side - 0.44) / 0.32) ** 2, 0, 1))
    thick = 0.026 * (1 - 0.55 * step(side, 0.35, 0.68))
    bristle = 0.8 + 0.2 * noise(height, width, 2, looks.seed + 51)
    made = mix(
        made,
        np.array(looks.hair_colour) * 0.9,
        0.88 * bristle * step(thick - np.abs(lat - brow), 0, 0.012) * step(side, 0.15, 0.20) * step(0.70 - side, 0, 0.05),
    )
    made = mix(made, dark * 0.5, 0.85 * np.exp(-(((side - 0.085) / 0.040) ** 2) - ((lat + 0.268) / 0.016) ** 2))
    made = mix(made, dark, 0.35 * np.exp(-((lon / 0.20) ** 2) - ((lat + 0.292) / 0.018) ** 2))
    return _mouth(made, lon, lat, tone)


def _eyes(made: Floats, looks: Looks, lon: Floats, lat: Floats, blink: float) -> Floats:
    tone = np.array(looks.skin)
    for sign in (-1, 1):
        x, y = (lon - sign * 0.40) / 0.175, lat - 0.056
        room = np.clip(1 - x * x, 0, 1)
        above, below = 0.042 * looks.face.eyes * room**0.75 * (1 - blink), 0.031 * looks.face.eyes * room**0.9
        lid = np.where(y > 0, above - y, below + y) if blink < 1 else -np.abs(y) - 0.01
        white = step(lid, 0, 0.006)
        made = mix(made, (0.93, 0.92, 0.90), white)
        radius = np.sqrt(((lon - sign * 0.395) / 0.082) ** 2 + ((lat - 0.058) / 0.044) ** 2)
        iris = np.array([[0.30, 0.19, 0.10], [0.22, 0.34, 0.46], [0.25, 0.33, 0.20], [0.16, 0.10, 0.06]])[looks.seed % 4]
        made = mix(made, iris, white * step(1 - radius, 0, 0.12))
        made = mix(made, (0.02, 0.02, 0.02), white * step(0.48 - radius, 0, 0.1))
        glint = np.sqrt(((lon - sign * 0.395 - 0.028) / 0.020) ** 2 + ((lat - 0.074) / 0.011) ** 2)
        made = mix(made, (1.0, 1.0, 1.0), white * step(1 - glint, 0, 0.4))
        inside = step(room, 0.0, 0.05)
        edge = np.exp(-(((y - above) / 0.0075) ** 2)) if blink < 0.9 else np.exp(-(((y + 0.024 * room) / 0.007) ** 2))
        made = mix(made, (0.06, 0.04, 0.04), 0.92 * inside * edge)
        made = mix(made, tone * 0.45, 0.45 * inside * np.exp(-(((y + below) / 0.006) ** 2)))
        made = mix(made, tone * 0.62, 0.5 * step(1 - np.abs(x), -0.05, 0.2) * np.exp(-(((y - 0.042 * room - 0.026) / 0.008) ** 2)))
    return made


def _mouth(made: Floats, lon: Floats, lat: Floats, tone: Floats) -> Floats:
    lips = np.clip(tone * np.array([0.95, 0.60, 0.60]) + np.array([0.04, 0.0, 0.01]), 0, 1)
    side, meet = np.abs(lon), lat - _head.LIPS
    reach = np.clip(1 - (lon / 0.31) ** 2, 0, 1)
    bow = 0.012 * np.exp(-((lon / 0.045) ** 2))
    upper = step(0.085 * reach**0.7 - bow - meet, 0, 0.012) * step(meet, -0.004, 0.0)
    lower = step(0.098 * reach**0.6 + meet, 0, 0.014) * step(-meet, -0.004, 0.0)
    made = mix(made, lips * 0.92, 0.9 * upper)
    made = mix(made, np.clip(lips * 1.08, 0, 1), 0.9 * lower)
    made = mix(made, np.clip(lips * 1.3 + 0.08, 0, 1), 0.4 * np.exp(-((lon / 0.13) ** 2) - ((meet + 0.045) / 0.016) ** 2))
    made = mix(made, tone * 0.35, 0.75 * step(0.33 - side, 0, 0.03) * np.exp(-((meet / 0.0055) ** 2)))
    # Between the two rows at the lips lies the cavity: of no height while the mouth is shut.
    within = step(0.0021 - np.abs(meet), 0, 0.0003) * step(0.34 - side, 0, 0.02)
    made = mix(made, (0.16, 0.04, 0.05), within)
    made = mix(made, (0.90, 0.88, 0.82), within * step(meet, 0.0006, 0.0009) * step(0.22 - side, 0, 0.03))
    return mix(made, (0.60, 0.24, 0.24), within * step(-meet, 0.0009, 0.0014) * step(0.17 - side, 0, 0.08))


def atlases(looks: Looks, blinks: tuple[float, ...] = (0.0,)) -> list[NDArray[np.uint8]]:
    """(height, width, 3) uint8 of `ATLAS` for each state of the eyelids."""
    made = np.zeros((*ATLAS, 3))
    shoe = np.clip(_flat(PALETTE[(looks.seed * 3 + 2) % len(PALETTE)]) * (1 + 0.06 * noise(TILE, TILE, 8, looks.seed)[..., None]), 0, 1)
    sole = step(np.abs(np.linspace(0, 1, TILE) - 0.5), 0.42, 0.46)[None] * np.ones((TILE, 1))
    tiles = {
        SKIN: skin(looks), HAIR: hair(looks), TOP: cloth(looks.top, looks.seed), BOTTOM: cloth(looks.bottom, looks.seed + 3),
        SHOES: mix(shoe, (0.92, 0.92, 0.9), 0.8 * sole), HAND: hand(looks),
    }  # fmt: skip
    for tile, picture in tiles.items():
        y, x = tile // 4 * TILE, tile % 4 * TILE
        made[y : y + TILE, x : x + TILE] = picture
    below = np.rint(np.clip(made, 0, 1) * 255).astype(np.uint8)
    found = []
    for picture in faces(looks, blinks):
        whole = below.copy()
        whole[2 * TILE :] = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        found.append(whole)
    return found
