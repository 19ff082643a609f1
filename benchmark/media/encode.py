"""RGB frames -> video file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError

Matrix = Literal["bt601", "bt709"]


@dataclass(frozen=True)
class _Codec:
    """encoder: FFmpeg's name. suffixes: containers that hold it. even, odd: pixel format for even sizes, and where a side is odd."""

    encoder: str
    suffixes: tuple[str, ...]
    even: str
    odd: str
    options: Mapping[str, str]


_X265 = "log-level=none:pools=1:frame-threads=1"
_CODECS = {
    # level 3 with checksums: damage to the file is found on decoding
    "ffv1": _Codec("ffv1", (".mkv",), "bgr0", "bgr0", {"level": "3", "slicecrc": "1", "coder": "1", "g": "1"}),
    "h264": _Codec("libx264", (".mp4", ".mkv", ".mov"), "yuv420p", "yuv444p", {"crf": "18", "preset": "medium"}),
    "hevc": _Codec("libx265", (".mp4", ".mkv", ".mov"), "yuv420p", "yuv444p", {"crf": "18", "preset": "fast", "x265-params": _X265}),
}
REPEATABLE: Mapping[str, str] = {"x264-params": "mbtree=0"}
"""Options with which h264 gives the same bytes at every width."""
_AV_MATRIX = {"bt601": 6, "bt709": 1}
"""AVColorSpace numbers (601: SMPTE 170M)."""
_SWS_MATRIX = {"bt601": 5, "bt709": 1}


def encode(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: Fraction,
    *,
    codec: str = "ffv1",
    options: Mapping[str, str] | None = None,
    matrix: Matrix = "bt601",
) -> None:
    """Write frames, given as (n, h, w, 3) chunks or single (h, w, 3) pictures of RGB uint8, at a constant rate.

    ffv1 (.mkv): lossless RGB, decodes to the same bytes. h264, hevc (.mp4, .mkv, .mov): limited range, converted with and tagged as
    `matrix`; 4:2:0 for even sizes, 4:4:4 where a side is odd (nothing is padded or cropped). options: encoder options on top of the
    defaults (`crf`, `preset`). BT.601 is the default because readers that ignore the tag assume it.

    The file appears whole or not at all (written beside, then renamed), and the same input gives the same bytes with the same library
    build: one encoder thread, no dates, no library names. One exception: on processors with AVX-512, x264's MB-tree is not repeatable at
    some widths (96 and 160 are such, 256 to 512 are not); options=REPEATABLE goes without it. Raises InputError `bad-codec`,
    `bad-frames`, `no-frames`, `bad-fps`, `unwritable`.
    """
    if codec not in _CODECS:
        raise InputError("unknown codec", code="bad-codec", path=path, found=codec, expected=", ".join(_CODECS))
    kind = _CODECS[codec]
    if path.suffix.lower() not in kind.suffixes:
        raise InputError(f"{codec} is not written to this type of file", code="bad-codec", path=path, expected=" or ".join(kind.suffixes))
    if fps <= 0:
        raise InputError("a frame rate must be above 0", code="bad-fps", path=path, found=str(fps))
    if not path.parent.is_dir():
        raise InputError("the folder to write to does not exist", code="unwritable", path=path.parent)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        _write(temporary, path, frames, fps, kind, dict(options or {}), matrix)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _write(
    file: Path, path: Path, frames: Iterable[NDArray[np.uint8]], fps: Fraction, kind: _Codec, options: dict[str, str], matrix: Matrix
) -> None:
    import av
    from av.video.reformatter import Interpolation, VideoReformatter
    from av.video.stream import VideoStream

    pictures = _pictures(frames, path)
    first = next(pictures, None)
    if first is None:
        raise InputError("there is no frame to write", code="no-frames", path=path)
    height, width = first.shape[:2]
    pix_fmt = kind.odd if height % 2 or width % 2 else kind.even
    rgb, scaler = kind.even == "bgr0", VideoReformatter()
    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    exact |= Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
    try:
        container = av.open(str(file.absolute()), "w", container_options={"fflags": "+bitexact"})
    except (av.error.FFmpegError, OSError) as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError("the video cannot be written", code="unwritable", path=path, found=str(error)) from None
    with container:
        stream = container.add_stream(kind.encoder, rate=fps, options={"flags": "+bitexact", **kind.options, **options})
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.thread_count = width, height, pix_fmt, 1
        if not rgb:
            context.colorspace, context.color_range = _AV_MATRIX[matrix], 1
        index = 0
        while first is not None:
            if first.shape[:2] != (height, width):
                raise InputError(
                    f"frame {index} has another size than the first",
                    code="bad-frames",
                    path=path,
                    found=f"{first.shape[1]}x{first.shape[0]}",
                    expected=f"{width}x{height}",
                )
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(first), format="rgb24")
            if rgb:
                frame = scaler.reformat(frame, format=pix_fmt, threads=1)
            else:
                frame = scaler.reformat(
                    frame,
                    format=pix_fmt,
                    dst_colorspace=_SWS_MATRIX[matrix],
                    src_color_range=2,
                    dst_color_range=1,
                    interpolation=exact,
                    threads=1,
                )
                frame.colorspace, frame.color_range = _AV_MATRIX[matrix], 1
            frame.pts, frame.time_base = index, 1 / fps
            try:
                container.mux(stream.encode(frame))
            except av.error.FFmpegError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
                raise InputError("the encoder refuses the frames or options", code="bad-codec", path=path, found=str(error)) from None
            index, first = index + 1, next(pictures, None)
        container.mux(stream.encode(None))


def _pictures(frames: Iterable[NDArray[np.uint8]], path: Path) -> Iterator[NDArray[np.uint8]]:
    """(h, w, 3) pictures of chunks and pictures; InputError `bad-frames` for anything else."""
    for item in frames:
        if item.dtype != np.uint8 or item.ndim not in (3, 4) or item.shape[-1] != 3 or 0 in item.shape[-3:]:
            raise InputError(
                "frames must be RGB uint8 of shape (n, h, w, 3) or (h, w, 3)",
                code="bad-frames",
                path=path,
                found=f"{item.dtype} {item.shape}",
            )
        yield from item if item.ndim == 4 else (item,)
