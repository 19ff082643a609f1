"""Is the file all there? Read from the container's own length fields, without decoding.

FFmpeg is lenient by design: it plays what is left of a cut file and says so in a log line only. Every container that is accepted here
states how long it is, so a cut shows as a length that points beyond the end of the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from benchmark.errors import InputError

_HARMLESS = {b"free", b"skip", b"wide"}
_ISO = {b"ftyp", b"moov", b"mdat", b"pnot", b"styp", b"moof"} | _HARMLESS


def check_complete(path: Path) -> None:
    """Raise InputError `truncated` where the file is shorter than its container says, or ends before its index or trailer.

    Knows ISO (mp4, mov), Matroska/WebM, RIFF (avi) and gif; anything else passes. Cannot see a cut in a Matroska stream of unknown length
    or in an AVI whose writer never filled in the length: there the count of decoded frames is the only witness.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(0)
        if head[4:8] in _ISO:
            found = _iso(file, size)
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            found = _matroska(file)
        elif head[:4] == b"RIFF":
            found = _riff(file, size)
        elif head[:3] == b"GIF":
            found = _gif(file)
        else:
            return
    if isinstance(found, str):
        raise InputError(
            "the file is cut off", code="truncated", path=path, found=f"{size} bytes, {found}", hint="copy or download it again"
        )
    if found > size:
        raise InputError(
            "the file is cut off",
            code="truncated",
            path=path,
            found=f"{size} bytes",
            expected=f"at least {found} bytes, by its own length fields",
            hint="copy or download it again",
        )


def _iso(file: BinaryIO, size: int) -> int | str:
    """End of the last top-level box that matters, or what is missing."""
    position, end, index = 0, 0, False
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - position  # the box runs to the end of the file
        if length < 8 or not kind.isascii():
            break  # padding behind the last box
        position += length
        if kind not in _HARMLESS:
            end = position
        index = index or kind == b"moov"
    return end if index or end > size else "no index (moov box)"


def _vint(file: BinaryIO, keep_marker: bool) -> int | None:
    """An EBML variable-length integer; None where all value bits are one (unknown length) or the file ends."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    raw = first + file.read(extra)
    value = int.from_bytes(raw, "big")
    if keep_marker:
        return value
    mask = (1 << (7 * (extra + 1))) - 1
    return None if value & mask == mask else value & mask


def _matroska(file: BinaryIO) -> int:
    """End of the segment, 0 where its length is not known."""
    while (identifier := _vint(file, True)) is not None:
        length = _vint(file, False)
        if length is None:
            return 0
        if identifier == 0x18538067:
            return file.tell() + length
        file.seek(length, os.SEEK_CUR)
    return 0


def _riff(file: BinaryIO, size: int) -> int:
    """End of the last RIFF chunk (long AVI files have several)."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            break
        position += 8 + length
    return position


def _gif(file: BinaryIO) -> int | str:
    """0 where the blocks lead to the trailer, else what is missing."""
    data = file.read()
    end = skip_gif_header(data)
    while end < len(data) and data[end] in (0x21, 0x2C):
        end = next_gif_block(data, end)
    return 0 if end < len(data) and data[end] == 0x3B else "no trailer behind the last picture"


def skip_gif_header(data: bytes) -> int:
    """Position of the first block: behind the screen descriptor and the global palette."""
    if len(data) < 13:
        return len(data)
    return 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)


def next_gif_block(data: bytes, at: int) -> int:
    """Position behind the extension (0x21) or picture (0x2C) that starts at `at`; len(data) where it is cut."""
    if data[at] == 0x21:
        at += 2
    else:
        flags = data[at + 9] if at + 9 < len(data) else 0
        at += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    while at < len(data) and data[at]:
        at += data[at] + 1
    return min(at + 1, len(data))


def gif_pictures(packet: bytes) -> int:
    """Number of pictures in one packet of FFmpeg's gif demuxer: trailing extensions (XMP, comments) travel as a packet without one."""
    at, pictures = (skip_gif_header(packet) if packet[:3] == b"GIF" else 0), 0
    while at < len(packet) and packet[at] in (0x21, 0x2C):
        pictures += packet[at] == 0x2C
        at = next_gif_block(packet, at)
    return pictures
