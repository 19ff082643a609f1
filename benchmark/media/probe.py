"""What a clip is, before it is decoded: size, frames, times, colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark.errors import InputError, unreadable
from benchmark.media import images
from benchmark.media.appearance import colour, has_alpha, orientation
from benchmark.media.container import check_complete, gif_pictures
from benchmark.media.rate import measure

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif"
"""libavformat demuxers that may read a clip. Play lists and the like, which open further files, are not among them."""
REENCODE = "re-encode it with: ffmpeg -i IN -c:v libx264 -crf 12 OUT.mp4"
_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a clip. All sizes are pixels after rotation and before any crop.

    times: presentation time of each frame in seconds, the first at 0; None where no rate is known. fps: from the timestamps where they
    are even, else their average; None where unknown. variable: the times are uneven. matrix: `bt601`, `bt709`, `bt2020`, `smpte240m`,
    `fcc`, or `rgb` (nothing to convert). color_range: `limited` or `full`. colour_assumed: the file left matrix or range open and BT.601,
    limited was taken. rotation: degrees counter-clockwise that decoding turns the stored picture (0, 90, 180, 270), before `mirrored`
    flips it left to right. has_alpha: the format can carry transparency. start: time of the first frame on the file's own clock, in
    seconds. notes: what a reader of the record should know. stamps, files: for the decoder.
    """

    path: Path
    kind: Literal["video", "images"]
    width: int
    height: int
    frames: int
    times: tuple[Fraction, ...] | None
    fps: Fraction | None
    variable: bool
    codec: str
    pix_fmt: str
    matrix: str
    color_range: Literal["limited", "full"]
    colour_assumed: bool
    rotation: int
    has_alpha: bool
    has_audio: bool
    bit_depth: int
    notes: tuple[str, ...] = ()
    mirrored: bool = False
    start: Fraction = Fraction(0)
    stamps: tuple[int, ...] | None = field(default=None, repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a record. Fractions are strings (`30000/1001`); times are listed only where they are uneven."""
        names = (
            "kind",
            "width",
            "height",
            "frames",
            "variable",
            "codec",
            "pix_fmt",
            "matrix",
            "color_range",
            "colour_assumed",
            "rotation",
            "mirrored",
            "has_alpha",
            "has_audio",
            "bit_depth",
        )
        out: dict[str, Any] = {"path": str(self.path)} | {name: getattr(self, name) for name in names}
        out["fps"] = None if self.fps is None else str(self.fps)
        out["start"] = str(self.start)
        out["times"] = [str(time) for time in self.times] if self.variable and self.times else None
        out["notes"] = list(self.notes)
        return out


def probe(path: Path, *, fps: Fraction | None = None) -> VideoInfo:
    """Measure a video file or a folder of numbered pictures.

    Frames are counted by demuxing every packet, timestamps are the packets'; only the first frame is decoded, for its size and colour.
    Packets that an edit list discards, hidden VP8 frames and gif packets without a picture do not count. fps overrides the rate: frame i
    is then at i / fps. Raises InputError: `absent`, `unreadable`, `empty-file`, `not-a-video`, `no-video-stream`, `unknown-codec`,
    `no-frames`, `truncated`, `corrupt`, `rotation`, `colour-matrix`, `bad-fps`, and for folders those of `images.frame_folder` and
    `images.look`.
    """
    if fps is not None and fps <= 0:
        raise InputError("a frame rate must be above 0", code="bad-fps", path=path, found=str(fps))
    try:
        if path.is_dir():
            return _probe_folder(path, fps)
        if not path.exists():
            raise InputError("the clip does not exist", code="absent", path=path)
        if path.stat().st_size == 0:
            raise InputError(
                "the file is empty",
                code="empty-file",
                path=path,
                found="0 bytes",
                expected="a video file",
                hint="copy or download it again",
            )
        check_complete(path)
    except PermissionError as error:
        raise unreadable(path, error, "the clip cannot be read") from None
    return _probe_video(path, fps)


def opened(path: Path) -> InputContainer:
    """The file opened for demuxing; InputError `not-a-video` where no accepted container is recognised, `unreadable` where it may not be
    read.
    """
    import av

    try:
        # absolute, so that no file name can be taken for a protocol
        return av.open(str(path.absolute()), metadata_errors="replace", container_options={"format_whitelist": FORMATS})
    except PermissionError as error:
        raise unreadable(path, error, "the clip cannot be read") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            "not a video file that can be read",
            code="not-a-video",
            path=path,
            found=_reason(error),
            expected="mp4, mov, mkv, webm, avi or gif",
            hint=f"copy or download it again; what it is: file {path}",
        ) from None


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures (cover art is none); InputError `no-video-stream`, or `unknown-codec` where nothing can decode it."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if getattr(stream, "codec_context", None) is None:  # None is real, though the stub rules it out
                raise InputError("the video's codec is not known to this FFmpeg", code="unknown-codec", path=path, hint=REENCODE)
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream at all"
    raise InputError(
        "the file has no video stream",
        code="no-video-stream",
        path=path,
        found=kinds,
        expected="a video stream",
        hint="name the file that holds the pictures",
    )


def _probe_folder(path: Path, fps: Fraction | None) -> VideoInfo:
    folder = images.frame_folder(path)
    pictures = [images.look(file) for file in folder.files]
    first = pictures[0]
    for file, picture in zip(folder.files, pictures, strict=True):
        images.check_size(file, picture.width, picture.height, first.width, first.height)
    count = len(pictures)
    notes = folder.notes + (("EXIF orientation applied",) if any(picture.turned for picture in pictures) else ())
    return VideoInfo(
        path=path,
        kind="images",
        width=first.width,
        height=first.height,
        frames=count,
        times=_even(count, fps),
        fps=fps,
        variable=False,
        codec=first.codec,
        pix_fmt=first.pix_fmt,
        matrix="rgb",
        color_range="full",
        colour_assumed=False,
        rotation=0,
        has_alpha=any(picture.has_alpha for picture in pictures),
        has_audio=False,
        bit_depth=8,
        notes=notes,
        files=folder.files,
    )


def _even(count: int, fps: Fraction | None) -> tuple[Fraction, ...] | None:
    return None if fps is None else tuple(i / fps for i in range(count))


def _probe_video(path: Path, fps: Fraction | None) -> VideoInfo:
    import av

    with opened(path) as container:
        stream = video_stream(container, path)
        stream.codec_context.thread_count = 1
        stored, hidden, timeless, first = 0, 0, 0, None
        stamps: list[int] = []
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise InputError("the container marks a packet as damaged", code="corrupt", path=path, found=f"packet {stored}")
                if first is None:
                    first = next(iter(packet.decode()), None)
                if packet.size == 0:
                    continue
                stored += 1
                hidden += packet.is_discard
                if packet.is_discard or not _shown(stream.codec_context.name, packet):
                    continue
                if packet.pts is None:
                    timeless += 1
                else:
                    stamps.append(packet.pts)
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError("the video stream is damaged", code="corrupt", path=path, found=f"packet {stored}: {_reason(error)}") from None
        count = len(stamps) + timeless
        if container.format.name.startswith("mov") and stored < stream.frames:
            raise InputError(
                "the file is cut off",
                code="truncated",
                path=path,
                found=f"{stored} frames",
                expected=f"{stream.frames} frames by its index",
                hint="copy or download it again",
            )
        if count == 0 or first is None:
            raise InputError("the video stream holds no frame that can be decoded", code="no-frames", path=path, found=f"{stored} packets")
        notes = _notes(container, stream, first, stored)
        if hidden:
            notes.append(f"stored frames outside the edit list, not shown: {hidden}")
        # a broken clock is no clock: some packets without a time leave only the nominal rate
        ticks = sorted(stamps) if not timeless and stream.time_base else None
        declared = [rate for rate in (stream.base_rate, stream.average_rate) if rate]
        start, times = Fraction(0), None
        if ticks is not None and stream.time_base:
            start = ticks[0] * stream.time_base
            if start > 0:
                notes.append(f"the first frame is shown {float(start):.4g} s into the file: times count from there")
            times = tuple((tick - ticks[0]) * stream.time_base for tick in ticks)
            rate, variable = measure(ticks, stream.time_base, declared)
            if variable:
                steps = [float(b - a) for a, b in pairwise(times)]
                nominal = declared[0] if declared else "unknown"
                notes.append(f"uneven timestamps: steps from {min(steps):.4g} to {max(steps):.4g} s, nominal rate {nominal}")
        else:
            rate, variable = (declared[0] if declared else None), False
            times = _even(count, rate)
            notes.append("the stream carries no timestamps: frames are taken as even at its nominal rate")
        if fps is not None:
            rate, variable, times = fps, False, _even(count, fps)
        matrix, color_range, assumed = colour(first, path)
        rotation, mirrored = orientation(first, path)
        width, height = (first.height, first.width) if rotation in (90, 270) else (first.width, first.height)
        return VideoInfo(
            path=path,
            kind="video",
            width=width,
            height=height,
            frames=count,
            times=times,
            fps=rate,
            variable=variable,
            codec=stream.codec_context.codec.canonical_name,
            pix_fmt=first.format.name,
            matrix=matrix,
            color_range=color_range,
            colour_assumed=assumed,
            rotation=rotation,
            has_alpha=has_alpha(first, stream),
            has_audio=bool(container.streams.audio),
            bit_depth=max(part.bits for part in first.format.components),
            notes=tuple(notes),
            mirrored=mirrored,
            start=start,
            stamps=None if ticks is None else tuple(ticks),
        )


def _reason(error: Exception) -> str:
    """FFmpeg's own words, without the number and the path around them."""
    return getattr(error, "strerror", None) or str(error)


def _shown(codec: str, packet: Packet[VideoStream]) -> bool:
    """Does the packet show a picture? VP8's alternate reference frames have bit 4 of their first byte clear; gif: see `gif_pictures`."""
    if codec in ("vp8", "libvpx"):
        return bool(bytes(packet)[0] & 0x10)
    return codec != "gif" or gif_pictures(bytes(packet)) > 0


def _notes(container: InputContainer, stream: VideoStream, first: VideoFrame, stored: int) -> list[str]:
    notes = []
    if len(container.streams.video) > 1:
        notes.append(f"{len(container.streams.video)} video streams: stream {stream.index} is taken")
    if stream.frames and stored != stream.frames and stream.codec_context.name != "gif":
        notes.append(f"the header announces {stream.frames} frames, {stored} are stored")
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        notes.append(f"pixels are not square ({aspect}): stored pixels are used as they are")
    if first.interlaced_frame:
        notes.append("interlaced: frames are used as they are")
    if first.color_trc in _HDR:
        notes.append(f"HDR transfer {_HDR[first.color_trc]}: not tone-mapped")
    return notes
