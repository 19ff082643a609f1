"""A person: build, face, hair and clothes drawn from a seed, and the surface of that person in a pose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from suites.embedded import _anatomy as anatomy
from suites.embedded import _head
from suites.embedded._head import Face
from suites.embedded._mesh import Rings, grid_normals, grid_triangles, rings, tube, unit
from suites.embedded._skeleton import FINGERS, SIDES, Bones, Build, Floats, Pose, point

Ints = NDArray[np.int64]
SKIN, HAIR, TOP, BOTTOM, SHOES, HAND, HEAD = range(7)
"""Tiles of the atlas."""
PARTS = (
    "trunk", "neck", "head", "hair", "left arm", "right arm", "left leg", "right leg", "left foot", "right foot", "left palm", "right palm",
    *(f"{side} {finger}" for side in ("left", "right") for finger in FINGERS), "skirt",
)  # fmt: skip
"""Names of the part numbers of the body-UV map, from 1; 0 is the background."""
HAND_PARTS = {side: [PARTS.index(f"{side} {name}") + 1 for name in ("palm", *FINGERS)] for side in ("left", "right")}


def number(name: str) -> int:
    """Of a part."""
    return PARTS.index(name) + 1


@dataclass(frozen=True)
class Looks:
    """What a person looks like. sleeve, trousers: where the garment ends on the limb (0 = its root, 1 = elbow or knee, 2 = wrist or ankle).
    skirt: length in metres, 0 = none. hair: one of short, cropped, bob, long. colours: 0..1 RGB.
    """

    build: Build = field(default_factory=Build)
    face: Face = field(default_factory=Face)
    skin: tuple[float, float, float] = (0.80, 0.60, 0.48)
    hair_colour: tuple[float, float, float] = (0.16, 0.10, 0.07)
    hair: str = "short"
    sleeve: float = 0.55
    trousers: float = 1.95
    skirt: float = 0.0
    loose: float = 0.0
    beard: float = 0.0
    top: int = 0
    bottom: int = 0
    seed: int = 0


_TURNED = ("head", "hair", "skirt")
"""Parts whose columns run the other way round than those of tubes."""


@dataclass
class _Part:
    """Where a grid lies among the vertices."""

    number: int
    rows: int
    columns: int
    start: int
    sign: float


class Figure:
    """The fixed part of a person's surface: triangles, part numbers and coordinates; `pose` gives vertices and normals."""

    def __init__(self, looks: Looks) -> None:
        self.looks = looks
        self.shapes = _shapes(looks)
        self.parts: list[_Part] = []
        start = 0
        triangles, numbers, uv, tiles = [], [], [], []
        for name, rows, columns, at, tile in self._grids():
            self.parts.append(_Part(number(name), rows, columns, start, -1.0 if name in _TURNED else 1.0))
            corners = grid_triangles(rows, columns) + start
            triangles.append(corners[:, ::-1] if name in _TURNED else corners)
            numbers.append(np.full(rows * (columns + 1), number(name)))
            across = np.tile(np.linspace(0, 1, columns + 1), rows)
            uv.append(np.stack([across, np.repeat(at, columns + 1)], axis=1))
            tiles.append(np.repeat(tile, columns + 1))
            start += rows * (columns + 1)
        self.triangles: Ints = np.concatenate(triangles)
        self.number: Ints = np.concatenate(numbers)
        self.uv: Floats = np.concatenate(uv)
        self.tile: Ints = np.concatenate(tiles)
        self.count = start

    def _grids(self) -> list[tuple[str, int, int, Floats, Ints]]:
        """(name, rows, columns, v of each row, tile of each row) of every part in order."""
        found = []
        for name, shape in self.shapes.items():
            low, high = shape.at[0], shape.at[-1]
            found.append((name, len(shape.at), shape.columns, (shape.at - low) / (high - low), shape.tile))
        rows = len(_head.latitudes())
        found.append(("head", rows, _head.COLUMNS, np.linspace(0, 1, rows), np.full(rows, HEAD)))
        rows = HAIR_ROWS
        found.append(("hair", rows, _head.COLUMNS, np.linspace(0, 1, rows), np.full(rows, HAIR)))
        if self.looks.skirt:
            found.append(("skirt", SKIRT_ROWS, SKIRT_COLUMNS, np.linspace(0, 1, SKIRT_ROWS), np.full(SKIRT_ROWS, BOTTOM)))
        return found

    def pose(self, bones: Bones, pose: Pose, swing: Floats | None = None) -> tuple[Floats, Floats]:
        """((v, 3) world positions, (v, 3) unit normals). swing: (2,) metres by which hanging cloth and hair lag behind, x and z."""
        lag = np.zeros(2) if swing is None else swing
        pieces = [self._tube(name, shape, bones, lag) for name, shape in self.shapes.items()]
        s = self.looks.build.scale
        frame, centre = bones.frames["head"], bones.joints["head"]
        local, _, _ = _head.grid(self.looks.face, pose.mouth, pose.brow)
        pieces.append(_world(local * s, frame, centre))
        pieces.append(self._hair(frame, centre, lag))
        if self.looks.skirt:
            pieces.append(_skirt(self.looks, bones, lag))
        normals = [grid_normals(points, part.rows, part.columns) * part.sign for points, part in zip(pieces, self.parts, strict=True)]
        return np.concatenate(pieces), np.concatenate(normals)

    def _tube(self, name: str, shape: Rings, bones: Bones, lag: Floats) -> Floats:
        made = tube(shape, *_bones_of(name, bones), upward=name in ("trunk", "neck"))
        if self.looks.loose and name.endswith("arm"):
            # The mouth of a wide sleeve hangs and lags behind the arm.
            cloth = np.repeat(np.where(shape.tile == TOP, np.clip(shape.at / max(self.looks.sleeve, 0.1), 0, 1) ** 3, 0), shape.columns + 1)
            made = made + cloth[:, None] * np.array([lag[0] * 0.5, -0.02 * self.looks.loose, lag[1] * 0.5])
        return made

    def _hair(self, frame: Floats, centre: Floats, lag: Floats) -> Floats:
        local, hang = hair_grid(self.looks)
        s = self.looks.build.scale
        made = _world(local * s, frame, centre)
        down = hang[:, None] * np.array([lag[0], 0.0, lag[1]]) * 0.6
        # Hanging hair follows gravity more than the head.
        made = made + down + hang[:, None] * 0.15 * s * ((frame[:, 1] - np.array([0.0, 1.0, 0.0]))[None])
        result: Floats = made
        return result


def _world(local: Floats, frame: Floats, centre: Floats) -> Floats:
    made: Floats = local[:, :1] * frame[:, 0] + local[:, 1:2] * frame[:, 1] + local[:, 2:] * frame[:, 2] + centre
    return made


def _bones_of(name: str, bones: Bones) -> tuple[list[Floats], list[Floats]]:
    j, f = bones.joints, bones.frames
    if name == "trunk":
        return [j["pelvis"], j["waist"], j["chest"], j["neck"]], [f["pelvis"], f["waist"], f["chest"]]
    if name == "neck":
        return [j["neck"] - (j["neck"] - j["chest"]) * 0.12, j["neck"], j["skull"] + (j["skull"] - j["neck"]) * 0.35], [
            f["chest"],
            f["neck"],
        ]
    side, _, part = name.partition(" ")
    if part == "arm":
        return [j[f"{side} shoulder"], j[f"{side} elbow"], j[f"{side} wrist"]], [f[f"{side} upper"], _untwisted(f, side)]
    if part == "leg":
        return [j[f"{side} hip"], j[f"{side} knee"], j[f"{side} ankle"]], [f[f"{side} thigh"], f[f"{side} shin"]]
    if part == "foot":
        frame = f[f"{side} foot"]
        # Along the sole: its bone runs ahead, so the foot's own axes are turned.
        turned = np.stack([frame[:, 0], -frame[:, 2], frame[:, 1]], axis=1)
        rise = 0.030 * np.abs(j[f"{side} toe"] - j[f"{side} heel"]).max() / 0.24
        up = frame[:, 1] * rise
        return [j[f"{side} heel"] + up, j[f"{side} toe"] + up], [turned]
    if part == "palm":
        return [j[f"{side} wrist"], j[f"{side} palm"]], [f[f"{side} hand"]]
    return [j[f"{name} {k}"] for k in range(4)], [f[f"{name} {k}"] for k in range(3)]


def _untwisted(frames: dict[str, Floats], side: str) -> Floats:
    """The forearm's axes half way to the hand's: skin between elbow and wrist turns with it."""
    hand, fore = frames[f"{side} hand"], frames[f"{side} fore"]
    down = fore[:, 1]
    sideways = unit(fore[:, 0] + hand[:, 0])
    sideways = unit(sideways - (sideways * down).sum() * down)
    return np.stack([sideways, down, np.cross(sideways, down)], axis=1)


def _shapes(looks: Looks) -> dict[str, Rings]:
    s, loose = looks.build.scale, looks.loose
    shapes = {
        "trunk": _bare_neck(
            rings(
                number("trunk"),
                anatomy.trunk(looks.build),
                30,
                scale=s,
                tile=BOTTOM,
                cover=(0.28, 3.0, TOP, 0.008, 0.0),
                columns=26,
                square=2.35,
            )
        ),
        "neck": rings(number("neck"), anatomy.neck(looks.build), 8, scale=s),
    }
    for side in SIDES:
        sleeve = (-0.3, looks.sleeve, TOP, 0.008, 0.004 + 0.028 * loose)
        cloth = None if looks.skirt > 0 else (-0.3, looks.trousers, BOTTOM, 0.007, 0.004 + 0.02 * loose)
        parts: dict[str, Rings] = {
            "arm": rings(number(f"{side} arm"), anatomy.arm(looks.build), 22, scale=s, cover=sleeve),
            "leg": rings(number(f"{side} leg"), anatomy.leg(looks.build), 24, scale=s, cover=cloth, columns=18),
            "foot": rings(number(f"{side} foot"), anatomy.FOOT, 12, scale=s, tile=SHOES, columns=14, square=2.3),
            "palm": rings(number(f"{side} palm"), anatomy.PALM, 12, scale=s, tile=HAND, columns=18, square=2.7, seam_ahead=True),
        }
        for finger in FINGERS:
            parts[finger] = rings(number(f"{side} {finger}"), anatomy.digit(finger), 16, scale=s, tile=HAND, columns=10, seam_ahead=True)
        shapes |= {f"{side} {name}": shape for name, shape in parts.items()}
    return shapes


def _bare_neck(trunk: Rings) -> Rings:
    """What is above the collar is skin."""
    return replace(trunk, tile=np.where(trunk.at > 3.0, SKIN, trunk.tile))


HAIR_ROWS, SKIRT_ROWS, SKIRT_COLUMNS = 26, 14, 32
STYLES = {"short": (0.0, 0.014, 0.0), "bob": (0.06, 0.016, 0.15), "long": (0.30, 0.016, 0.9), "cropped": (0.0, 0.009, 0.0)}
"""Style -> (metres that hang below the skull, thickness in metres, share by which the ends go behind the shoulders)."""


def hairline(side: Floats, hanging: bool) -> Floats:
    """Latitude above which hair grows, by the distance in longitude from the front."""
    if hanging:
        found: Floats = np.interp(side, [0, 0.5, 0.85, 1.05, 1.3, np.pi], [0.60, 0.54, 0.20, -0.45, -0.6, -0.6])
    else:
        found = np.interp(side, [0, 0.55, 0.95, 1.25, 1.45, 1.75, 2.0, np.pi], [0.60, 0.56, 0.36, 0.12, 0.0, 0.05, -0.35, -0.50])
    return found


def hair_grid(looks: Looks) -> tuple[Floats, Floats]:
    """((rows * columns, 3) positions in the head's frame, (rows * columns,) share that hangs freely)."""
    hanging, thick, back = STYLES[looks.hair]
    skull = 16
    lat = np.concatenate([np.linspace(np.pi / 2, -0.55, skull), np.full(HAIR_ROWS - skull, -0.55)])
    fall = np.concatenate([np.zeros(skull), np.linspace(0, 1, HAIR_ROWS - skull + 1)[1:]])
    lon = np.linspace(-np.pi, np.pi, _head.COLUMNS + 1)
    lon = lon - 0.45 * np.sin(lon)
    where_lon, where_lat = np.meshgrid(lon, lat)
    drop = np.repeat(fall, len(lon)).reshape(where_lon.shape)
    base = _head.surface(where_lon, where_lat, looks.face, 0.0)
    side = np.abs(where_lon)
    grown = np.clip((where_lat - hairline(side, hanging > 0)) / 0.12, 0, 1)
    grown = grown * grown * (3 - 2 * grown)
    wavy = 1 + 0.25 * np.sin(where_lon * 9 + looks.seed) * np.cos(where_lat * 5)
    outward = unit(base * np.array([1.0, 0.8, 1.0]))
    lift = (thick * wavy * grown - 0.012 * (1 - grown))[..., None]
    made = base + outward * lift
    if not hanging:
        made[drop > 0] *= 0.8
        return made.reshape(-1, 3), np.zeros(drop.size)
    # Below the ears it falls straight instead of following the skull, and what is long goes behind the shoulders.
    widest = _head.surface(where_lon, np.maximum(where_lat, 0.05), looks.face, 0.0) + outward * lift
    falls = np.clip((side - 1.05) / 0.25, 0, 1)
    made[..., [0, 2]] += falls[..., None] * (widest - made)[..., [0, 2]]
    free = drop * (side > 1.05)
    made[..., 1] -= hanging * free
    made[..., 2] += back * np.minimum(1, 1.6 * free) * (-0.158 - 0.02 * free - made[..., 2])
    made[..., 0] *= 1 - 0.12 * free
    made[(drop > 0) & (side <= 1.05)] *= 0.75
    return made.reshape(-1, 3), (free * hanging / 0.3).reshape(-1)


def _skirt(looks: Looks, bones: Bones, lag: Floats) -> Floats:
    """Rings from the waist down, flared, pushed out of the legs, lagging towards the hem."""
    s, b = looks.build.scale, looks.build
    pelvis = bones.frames["pelvis"]
    waist = bones.joints["pelvis"] + point(pelvis, 0, 0.075 * s, 0)
    t = np.linspace(0, 1, SKIRT_ROWS)[:, None]
    angle = np.linspace(0, 2 * np.pi, SKIRT_COLUMNS + 1)[None]
    fold = 1 + 0.05 * t**1.5 * np.sin(8 * angle + looks.seed)
    wide = (0.152 * b.hips * b.girth + 0.02 + (0.045 + 0.20 * looks.skirt) * t**0.8) * s * fold
    deep = (0.104 * b.girth + 0.02 + (0.055 + 0.20 * looks.skirt) * t**0.8) * s * fold
    x, z = wide * np.sin(angle), deep * np.cos(angle)
    level = np.array([0.0, 1.0, 0.0])
    up = unit(pelvis[:, 1] * 0.5 + level * 0.5)
    made = (
        waist
        + x[..., None] * pelvis[:, 0]
        + z[..., None] * pelvis[:, 2]
        - (t * looks.skirt * s * np.ones_like(angle))[..., None] * up
        + (t**1.6)[..., None] * np.array([lag[0], 0.0, lag[1]])
    )
    points = made.reshape(-1, 3)
    for side in SIDES:
        for start, end, radius in (("hip", "knee", 0.088), ("knee", "ankle", 0.062)):
            a, d = bones.joints[f"{side} {start}"], bones.joints[f"{side} {end}"] - bones.joints[f"{side} {start}"]
            share = np.clip(((points - a) * d).sum(axis=1) / (d * d).sum(), 0, 1)
            off = points - (a + share[:, None] * d)
            off[:, 1] = 0
            far = np.sqrt((off * off).sum(axis=1))
            push = np.clip(radius * s - far, 0, None)
            points = points + off / np.maximum(far, 1e-6)[:, None] * push[:, None]
    result: Floats = points
    return result
