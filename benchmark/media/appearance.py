"""How a decoded frame wants to be seen: colour, transparency, orientation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmark.errors import InputError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MATRICES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
"""AVColorSpace -> name; both 601 systems (525 and 625 lines) have the same matrix."""


def alpha_beside(stream: VideoStream) -> bool:
    """Does WebM keep the transparency in a second layer? FFmpeg's own VP8 and VP9 decoders drop it without a word."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())


def has_alpha(frame: VideoFrame, stream: VideoStream) -> bool:
    """Can the stream carry transparency?"""
    return alpha_beside(stream) or frame.format.has_palette or any(part.is_alpha for part in frame.format.components)


def colour(frame: VideoFrame, path: Path) -> tuple[str, Literal["limited", "full"], bool]:
    """Matrix, range, and whether one of them had to be assumed."""
    if frame.format.is_rgb or frame.format.has_palette:
        return "rgb", "full", False
    gray = frame.format.name.startswith(("gray", "ya", "mono"))
    named = _MATRICES.get(int(frame.colorspace)) if int(frame.colorspace) not in (0, 2) else "bt601"
    if named is None:
        raise InputError(
            "the stream's colour matrix is not supported",
            code="colour-matrix",
            path=path,
            found=f"AVColorSpace {int(frame.colorspace)}",
            hint="ffmpeg -i IN -vf scale=out_color_matrix=bt709 -colorspace bt709 OUT.mp4",
        )
    full = frame.format.name.startswith("yuvj") or int(frame.color_range) == 2 or (gray and int(frame.color_range) == 0)
    open_range = int(frame.color_range) == 0 and not frame.format.name.startswith("yuvj")
    return named, ("full" if full else "limited"), open_range or (not gray and int(frame.colorspace) in (0, 2))


def orientation(frame: VideoFrame, path: Path) -> tuple[int, bool]:
    """(degrees counter-clockwise, mirrored afterwards) of the frame's display matrix; InputError `rotation` for odd angles.

    The matrix maps a stored pixel (p, q) to (a p + c q, b p + d q), y downwards, as 16.16 fixed point.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 0, False
    m = np.frombuffer(data, np.int32).astype(np.float64) / 65536  # type: ignore[call-overload]  # a buffer, though the stub says object
    # a mirror is taken out first: flipped left to right afterwards means a negated first column
    a, b, c, d = m[0], m[1], m[3], m[4]
    mirrored = bool(a * d - b * c < 0)
    if mirrored:
        a, c = -a, -c
    turns = {(1, 0): 0, (0, -1): 90, (-1, 0): 180, (0, 1): 270}
    size = float(np.hypot(a, b)) or 1.0
    key = (round(a / size), round(b / size))
    if (
        key not in turns
        or abs(a / size - key[0]) > 1e-3
        or abs(b / size - key[1]) > 1e-3
        or abs(d - a) > 1e-3 * size
        or abs(c + b) > 1e-3 * size
    ):
        raise InputError(
            "the video asks to be shown at an odd angle",
            code="rotation",
            path=path,
            found=f"matrix {a:g} {b:g} {c:g} {d:g}",
            expected="a multiple of 90 degrees",
            hint="ffmpeg -display_rotation 0 -i IN -c copy OUT.mp4 takes the mark away",
        )
    return turns[key], mirrored
