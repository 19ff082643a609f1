"""From a person, a room and a motion to files: the lossless clip, its reference picture, and the exact facts beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.model import Case, Source

if TYPE_CHECKING:
    from suites.embedded._render import Scene, Shot

Floats = NDArray[np.float64]
SCALE = 65535
"""Surface coordinates are stored as whole numbers of 0..65535."""


@dataclass(frozen=True)
class Size:
    """frames of height by width at fps."""

    frames: int
    height: int
    width: int
    fps: Fraction


Draw = Callable[[int, Size], "Reel"]


@dataclass(frozen=True)
class Reel:
    """What a clip holds: (n, h, w, 3) uint8 frames, and arrays by name for the files pose, masks and uv."""

    frames: NDArray[np.uint8]
    pose: dict[str, NDArray[np.generic]]
    masks: dict[str, NDArray[np.generic]]
    uv: dict[str, NDArray[np.generic]]


def shoot(scene: Scene, shots: Sequence[Shot], size: Size) -> Reel:
    """Draw every shot and gather its facts."""
    from suites.embedded._facts import facts, flow

    known = [facts(scene, shot, size.height, size.width) for shot in shots]
    frames = np.stack([scene.colours(shot, size.height, size.width) for shot in shots])
    moved = [flow(scene, shots[k], shots[k + 1], known[k], known[k + 1]) for k in range(len(shots) - 1)]
    sides = ("left", "right")
    return Reel(
        frames,
        {
            "keypoints": np.stack([f.keypoints for f in known]).astype(np.float32),
            "visible": np.stack([f.visible for f in known]),
            "mouth": np.array([f.mouth for f in known], np.float32),
        },
        {
            "person": np.stack([f.person for f in known]),
            "left_hand": np.stack([f.left_hand for f in known]),
            "right_hand": np.stack([f.right_hand for f in known]),
            **{f"{side}_box": np.array([f.boxes[side] for f in known], np.float32) for side in sides},
        },
        {
            "part": np.stack([f.part for f in known]),
            "uv": np.stack([np.rint(f.uv * SCALE) for f in known]).astype(np.uint16),
            "flow": np.stack([m for m, _ in moved]).astype(np.float32),
            "flow_seen": np.stack([good for _, good in moved]),
        },
    )


def write(folder: Path, name: str, draw: Draw, number: int, size: Size) -> None:
    """The files of one clip; the video comes last, so that a clip whose video is there is complete."""
    from benchmark.media import encode, write_png

    video = folder / f"{name}.mkv"
    if video.exists():
        return
    reel = draw(number, size)
    for kind, arrays in (("pose", reel.pose), ("masks", reel.masks), ("uv", reel.uv)):
        path = folder / f"{name}.{kind}.npz"
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        temporary.replace(path)
    write_png(folder / f"{name}.png", reel.frames[0])
    encode(video, [reel.frames], size.fps, codec="ffv1")


def build(folder: Path, prefix: str, draw: Draw, count: int, size: Size) -> tuple[Case, ...]:
    """Every clip that is not there yet, on as many processes as there are cores (at most four; the files do not depend on it), and the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{prefix}-{k:02d}" for k in range(count)]
    todo = [k for k in range(count) if not (folder / f"{names[k]}.mkv").exists()]
    workers = min(4, os.cpu_count() or 1, len(todo))
    if workers > 1:
        import multiprocessing

        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            for job in [pool.submit(write, folder, names[k], draw, k, size) for k in todo]:
                job.result()
    else:
        for k in todo:
            write(folder, names[k], draw, k, size)
    return tuple(
        Case(
            id=name,
            truth=Source(folder / f"{name}.mkv"),
            reference=folder / f"{name}.png",
            reference_frame=0,
            pose=folder / f"{name}.pose.npz",
            masks=folder / f"{name}.masks.npz",
            uv=folder / f"{name}.uv.npz",
            fps=size.fps,
            frames=size.frames,
        )
        for name in names
    )
