"""Clips written on the spot for tests: plain ones, and the awkward ones found in the wild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


def scene(n: int, h: int, w: int, seed: int = 0) -> Frames:
    """(n, h, w, 3) uint8: smooth colour waves that drift, no two frames equal; codecs keep them closely."""
    t, y, x = np.ogrid[:n, :h, :w]
    waves = [np.sin((3 + c) * x / w * (1 + seed) + (2 + c) * y / h + 0.4 * t + c + seed) for c in range(3)]
    return np.stack([128 + 80 * wave for wave in np.broadcast_arrays(*waves)], -1).round().astype(np.uint8)


def noise(n: int, h: int, w: int, seed: int = 0) -> Frames:
    """(n, h, w, 3) uint8, every value equally likely: nothing but a lossless path keeps it."""
    return np.random.default_rng(seed).integers(0, 256, (n, h, w, 3), dtype=np.uint8)


def write_video(
    path: Path,
    frames: Frames,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 25,
    options: Mapping[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: float | None = None,
    mirror: bool = False,
    audio: bool = False,
    metadata: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    alpha: NDArray[np.uint8] | None = None,
) -> Path:
    """Encode frames with FFmpeg as asked, untagged. stamps: presentation times in ticks of time_base. alpha: (n, h, w)."""
    planes = frames if alpha is None else np.concatenate([frames, alpha[..., None]], -1)
    import av

    pictures = [av.VideoFrame.from_ndarray(np.ascontiguousarray(p), format="rgb24" if alpha is None else "rgba") for p in planes]
    made = [picture.reformat(format=pix_fmt) for picture in pictures]
    return write_pictures(
        path,
        made,
        codec=codec,
        rate=rate,
        options=options,
        stamps=stamps,
        time_base=time_base,
        rotation=rotation,
        mirror=mirror,
        audio=audio,
        metadata=metadata,
        container_options=container_options,
    )


def write_pictures(
    path: Path,
    pictures: Sequence[Any],
    *,
    codec: str = "ffv1",
    rate: Fraction | int = 25,
    options: Mapping[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: float | None = None,
    mirror: bool = False,
    audio: bool = False,
    metadata: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    colour: tuple[int, int] | None = None,
) -> Path:
    """Encode av.VideoFrames as they are. colour: (AVColorSpace, AVColorRange) for the stream and its frames."""
    import av

    with av.open(str(path), "w", container_options=dict(container_options or {})) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options or {}))
        context = stream.codec_context
        first = pictures[0]
        context.width, context.height, context.pix_fmt, context.thread_count = first.width, first.height, first.format.name, 1
        if time_base is not None:
            context.time_base = stream.time_base = time_base
        if colour is not None:
            context.colorspace, context.color_range = colour
        if rotation is not None or mirror:
            stream.set_display_rotation(rotation or 0, hflip=mirror)
        stream.metadata.update(metadata or {})
        sound: Any = container.add_stream("aac", rate=16000, layout="mono") if audio else None
        for i, picture in enumerate(pictures):
            if colour is not None:
                picture.colorspace, picture.color_range = colour
            picture.pts = i if stamps is None else stamps[i]
            picture.time_base = time_base or 1 / Fraction(rate)
            container.mux(stream.encode(picture))
        if sound is not None:
            length = int(len(pictures) / Fraction(rate) * 16000)
            _mux_tone(container, sound, length)
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


def write_audio(path: Path) -> Path:
    """One second of tone, no video stream."""
    import av

    with av.open(str(path), "w") as container:
        sound: Any = container.add_stream("aac", rate=16000, layout="mono")
        _mux_tone(container, sound, 16000)
        container.mux(sound.encode(None))
    return path


def _mux_tone(container: Any, sound: Any, length: int) -> None:
    import av

    tone = (0.3 * np.sin(np.arange(length) * 0.1)).astype(np.float32)
    for start in range(0, length, 1024):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(sound.encode(frame))


def planes_frame(planes: Sequence[NDArray[Any]], pix_fmt: str) -> Any:
    """An av.VideoFrame of raw planes (uint8, or uint16 for more than 8 bits), whatever its line size."""
    import av

    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(values.shape[0], -1)
        rows[:, : raw.shape[1]] = raw
        plane.update(rows.tobytes())
    return frame


def write_gif(path: Path, frames: Frames, delays_ms: Sequence[int], *, transparent: bool = False, grey: bool = True) -> Path:
    """A palette gif by Pillow with a delay for each frame (multiples of 10 ms). grey: 256 grey levels, so that no colour is lost."""
    from PIL import Image

    images = [Image.fromarray(frame[..., 0] if grey else frame).convert("L" if grey else "RGB").convert("P") for frame in frames]
    more = {"transparency": int(np.asarray(images[0])[0, 0])} if transparent else {}
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=list(delays_ms),
        loop=0,
        optimize=False,
        disposal=2 if transparent else 1,
        **more,
    )
    return path


def write_folder(folder: Path, frames: Frames, names: Sequence[str]) -> Path:
    """Pictures of the given names (type by suffix)."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for frame, name in zip(frames, names, strict=True):
        Image.fromarray(frame).save(folder / name)
    return folder


def packets(path: Path) -> list[tuple[int, int]]:
    """(position, size) in bytes of each video packet."""
    import av

    with av.open(str(path)) as container:
        return [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]


def cut(source: Path, target: Path, size: int) -> Path:
    """The first `size` bytes (negative: without the last -size)."""
    target.write_bytes(source.read_bytes()[:size])
    return target


def damage(source: Path, target: Path, packet: int, *, length: int = 48, seed: int = 0) -> Path:
    """Random bytes over the middle of one packet; the container stays intact."""
    data = bytearray(source.read_bytes())
    position, size = packets(source)[packet]
    start = position + size // 3
    length = min(length, size // 2)
    data[start : start + length] = np.random.default_rng(seed).integers(0, 256, length, dtype=np.uint8).tobytes()
    target.write_bytes(bytes(data))
    return target
