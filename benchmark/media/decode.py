"""Clip -> RGB frames, in order, each exactly once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.media import images
from benchmark.media.appearance import alpha_beside
from benchmark.media.crop import crop_box
from benchmark.media.ffv1 import damaged_slice
from benchmark.media.probe import REENCODE, VideoInfo, opened, video_stream
from benchmark.model import Rect

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_SWS_MATRIX = {"bt709": 1, "fcc": 4, "bt601": 5, "smpte240m": 7, "bt2020": 9}
"""Names -> libswscale's SWS_CS_* numbers."""
_SWS_RANGE = {"limited": 1, "full": 2}
_STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}
"""Make decoders stop at damage instead of painting over it."""
_AGAIN = f"copy or download it again, or {REENCODE}"


def decode(info: VideoInfo, *, crop: Rect | None = None, chunk: int = 16, threads: int = 2) -> Generator[NDArray[np.uint8], None, None]:
    """RGB uint8 chunks (n <= chunk, h, w, 3) in presentation order; every frame once, at most one chunk and the decoder's own pictures in
    memory.

    Colour: matrix and range as `info` has them, chroma interpolated to full resolution, libswscale in its exact mode. That is bit-equal
    on every processor and within 2 grey levels of exact arithmetic; the fast path most readers use (OpenCV's too) darkens 4:2:0 by 1 to
    1.5 levels. 8-bit RGB formats come out as stored; more than 8 bits are rounded. Signals far outside the RGB cube (a component at twice
    full scale or beyond, which no encoder makes from RGB) wrap around in libswscale. Then: rotation, crop (pixels of the turned picture).
    threads: decoder threads; they cannot change a bit.

    Raises InputError before the first chunk for a bad crop (`bad-rect`); later `truncated` (fewer frames than counted), `corrupt` (damage
    found), `frame-count` (more frames than counted), `size-change`, `alpha` (a pixel is not opaque; gif frames are composed onto the canvas
    first, so only pixels never painted are transparent).

    Damage that leaves a valid bit stream cannot be found: usual for gif, VP8, VP9 and MJPEG, common for HEVC without picture hashes, rare
    for H.264 and MPEG-4. FFV1 with checksums (as `encode` writes it) and PNG always show it. A whole frame that vanishes from a Matroska
    file leaves only a gap in the times (`variable`) or a late start (a note).
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, not {chunk}")
    box = (0, 0, info.width, info.height) if crop is None else crop_box(crop, info.width, info.height)
    return _chunks(info, box, chunk, threads)


def _chunks(info: VideoInfo, box: tuple[int, int, int, int], chunk: int, threads: int) -> Generator[NDArray[np.uint8], None, None]:
    x, y, w, h = box
    frames = images.read_folder(info.files, info.width, info.height) if info.kind == "images" else _video_frames(info, threads)
    left = info.frames
    out, n = np.empty((min(chunk, left), h, w, 3), np.uint8), 0
    for frame in frames:
        out[n] = frame[y : y + h, x : x + w]
        n, left = n + 1, left - 1
        if n == len(out):
            # the last chunk is held back until the source has ended: a surplus frame must not pass unseen
            if left == 0:
                break
            yield out
            out, n = np.empty((min(chunk, left), h, w, 3), np.uint8), 0
    for _ in frames:
        raise InputError("more frames than counted", code="frame-count", path=info.path, expected=f"{info.frames} frames", hint=_AGAIN)
    yield out


def _video_frames(info: VideoInfo, threads: int) -> Iterator[NDArray[np.uint8]]:
    """(h, w, 3) RGB pictures, turned upright; raises where one is damaged or missing."""
    import av

    to_rgb, count = _converter(info), 0
    with opened(info.path) as container:
        stream = video_stream(container, info.path)
        context = stream.codec_context
        context.options = _STRICT
        context.thread_count, context.thread_type = threads, "AUTO"
        if alpha_beside(stream):
            raise InputError(
                "the video carries its transparency in a second layer",
                code="alpha",
                path=info.path,
                hint="flatten it with ffmpeg -c:v libvpx-vp9 -i IN, overlaid on a colour of your choice",
            )
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt or (context.name == "ffv1" and packet.size and damaged_slice(bytes(packet))):
                    raise InputError(
                        "the video stream is damaged",
                        code="corrupt",
                        path=info.path,
                        found=f"a packet that fails its check, after {count} good frames",
                        expected=f"{info.frames} frames",
                        hint=_AGAIN,
                    )
                for frame in packet.decode():
                    _check(info, frame, count)
                    yield to_rgb(frame, count)
                    count += 1
        except av.error.FFmpegError as error:
            raise InputError(
                "the video stream is damaged",
                code="corrupt",
                path=info.path,
                found=f"{error.strerror}, after {count} good frames",
                expected=f"{info.frames} frames",
                hint=_AGAIN,
            ) from None
    if count < info.frames:
        raise InputError(
            f"decoding ended before frame {count}",
            code="truncated",
            path=info.path,
            found=f"{count} frames",
            expected=f"{info.frames} frames",
            hint=_AGAIN,
        )


def _check(info: VideoInfo, frame: VideoFrame, index: int) -> None:
    if frame.is_corrupt:
        raise InputError(
            f"frame {index} is damaged", code="corrupt", path=info.path, found="a picture the decoder had to guess", hint=_AGAIN
        )
    if info.stamps is not None and index < len(info.stamps) and frame.pts is not None and frame.pts != info.stamps[index]:
        raise InputError(
            f"frame {index} did not come out of the decoder",
            code="corrupt",
            path=info.path,
            found=f"a frame of time stamp {frame.pts}",
            expected=f"time stamp {info.stamps[index]}",
            hint=_AGAIN,
        )
    size = (frame.height, frame.width) if info.rotation in (90, 270) else (frame.width, frame.height)
    if size != (info.width, info.height) or frame.format.name != info.pix_fmt:
        raise InputError(
            f"the picture changes at frame {index}",
            code="size-change",
            path=info.path,
            found=f"{size[0]}x{size[1]} {frame.format.name}",
            expected=f"{info.width}x{info.height} {info.pix_fmt}",
        )


def _converter(info: VideoInfo) -> Callable[[VideoFrame, int], NDArray[np.uint8]]:
    """A function (frame, index) -> (h, w, 3) RGB, upright and opaque."""
    from av.video.reformatter import Interpolation, VideoReformatter

    scaler = VideoReformatter()
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
    matrix = _SWS_MATRIX.get(info.matrix)  # None: RGB, nothing to convert
    source = None if matrix is None else _SWS_RANGE[info.color_range]

    def to_rgb(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
        target = "rgba" if info.has_alpha else "rgb24"
        converted = scaler.reformat(
            frame,
            format=target,
            src_colorspace=matrix,
            src_color_range=source,
            dst_color_range=None if source is None else 2,
            interpolation=exact,
            threads=1,
        )
        pixels = np.asarray(converted.to_ndarray(), np.uint8)
        if info.has_alpha:
            images.check_opaque(pixels[..., 3], info.path, index)
            pixels = pixels[..., :3]
        if info.rotation:
            pixels = np.rot90(pixels, info.rotation // 90)
        return pixels[:, ::-1] if info.mirrored else pixels

    return to_rgb
