"""A small case with everything that a generator may want, in a cases.toml: reference, keypoints, surface, sound, prompt."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from benchmark.media import write_png
from tests.make import movie, write

FRAMES, SIDE, RATE = 6, 32, 8


def write_case(folder: Path, name: str = "one", *, audio: bool = True) -> Path:
    """The cases.toml of one case of 6 frames of 32x32 at 8 frames a second, in a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = movie(3, FRAMES, SIDE, SIDE)
    write(folder / f"{name}.mkv", frames, RATE)
    points = np.random.default_rng(7).uniform(2, SIDE - 2, (1, 133, 2)) + np.arange(FRAMES)[:, None, None] / 2
    points[:, 23:91] = points[:, 23:91] / 4 + 10  # the face's rows lie together
    np.savez(folder / f"{name}.pose.npz", keypoints=points, visible=np.ones((FRAMES, 133), np.bool_))
    write_png(folder / f"{name}.png", frames[0])
    part = np.zeros((FRAMES, SIDE, SIDE), np.uint8)
    part[:, 8:24, 8:24] = 1
    grid = np.mgrid[:SIDE, :SIDE].transpose(1, 2, 0) * 2048
    np.savez_compressed(
        folder / f"{name}.uv.npz", part=part, uv=np.stack([np.roll(grid, k, axis=1) for k in range(FRAMES)]).astype(np.uint16)
    )
    lines = ["[[case]]", f'id = "{name}"', f'truth = {{path = "{name}.mkv"}}', f'reference = "{name}.png"', "reference_frame = 0"]
    lines += [f'pose = "{name}.pose.npz"', f'uv = "{name}.uv.npz"', 'prompt = "a person moves"']
    if audio:
        time = np.arange(FRAMES * 16000 // RATE) / 16000
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((8000 * np.sin(2 * np.pi * 220 * time * (1 + time))).astype("<i2").tobytes())
        lines.append(f'audio = "{name}.wav"')
    (folder / "cases.toml").write_text('format = 1\nsuite = "tiktok"\n' + "\n".join(lines) + "\n")
    return folder / "cases.toml"
