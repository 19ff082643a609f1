"""Folders of numbered pictures as clips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, unreadable

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)
_ORIENTATION = 0x0112
"""EXIF tag."""
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_FLATTEN = 'ffmpeg -i IN -filter_complex "color=white[b];[b][0]scale2ref[b][f];[b][f]overlay=shortest=1" OUT'


@dataclass(frozen=True)
class FrameFolder:
    """The frames of a folder in order. numbers: the number in each name. notes: what was left aside."""

    files: tuple[Path, ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """What the header of one picture says. width, height: in pixels, after its EXIF orientation."""

    width: int
    height: int
    codec: str
    pix_fmt: str
    has_alpha: bool
    turned: bool


def number_of(path: Path) -> int | None:
    """The frame number in a picture's name (its last group of digits), None for anything that is no numbered picture."""
    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
        return None
    match = _NUMBER.match(path.stem)
    return int(match[2]) if match else None


def holds_frames(folder: Path) -> bool:
    """Does the folder directly hold at least one numbered picture?"""
    return any(number_of(path) is not None and path.is_file() for path in folder.iterdir())


def frame_folder(folder: Path) -> FrameFolder:
    """The numbered pictures of a folder, by number; nothing is opened.

    The number is the last group of digits of the name, zero padded or not; numbers must rise by a constant step. Other files are left
    aside with a note. Raises InputError: `no-frames`, `mixed-extensions`, `mixed-names` (two sequences in one folder),
    `duplicate-number`, `hole`.
    """
    try:
        entries = sorted(folder.iterdir())
    except PermissionError as error:
        raise unreadable(folder, error, "the folder cannot be read") from None
    found: dict[int, Path] = {}
    aside: list[str] = []
    frames = [path for path in entries if number_of(path) is not None and path.is_file()]
    suffixes = sorted({path.suffix.lower() for path in frames})
    if len(suffixes) > 1:
        raise InputError(
            "numbered pictures of different types in one folder",
            code="mixed-extensions",
            path=folder,
            found=", ".join(suffixes),
            expected="one type",
            hint="keep one clip in a folder",
        )
    names: dict[tuple[str, str], Path] = {}
    for path in entries:
        match = _NUMBER.match(path.stem)
        if path not in frames or match is None:
            aside.append(path.name)
            continue
        names.setdefault((match[1], match[3]), path)
        if len(names) > 1:
            first, second = list(names.values())[:2]
            raise InputError(
                "the folder holds more than one sequence of numbered pictures",
                code="mixed-names",
                path=folder,
                found=f"{first.name}, {second.name}",
                hint="keep one clip in a folder",
            )
        if (number := int(match[2])) in found:
            raise InputError(
                f"frame number {number} exists twice",
                code="duplicate-number",
                path=folder,
                found=f"{found[number].name}, {path.name}",
                hint="remove one of them",
            )
        found[number] = path
    if not found:
        raise InputError(
            "no numbered PNG or JPEG pictures in the folder",
            code="no-frames",
            path=folder,
            found=_listed(aside) or "an empty folder",
            expected="names like 0001.png, 0002.png",
        )
    numbers = sorted(found)
    step = gcd(*(b - a for a, b in pairwise(numbers))) if len(numbers) > 1 else 1
    missing = sorted(set(range(numbers[0], numbers[-1] + 1, step)) - set(numbers))
    if missing:
        raise InputError(
            "the numbering of the frames has a hole",
            code="hole",
            path=folder,
            found=f"{len(numbers)} frames, missing: {_listed(missing)}",
            expected=f"every number from {numbers[0]} to {numbers[-1]}" + (f" in steps of {step}" if step > 1 else ""),
            hint="write the missing frames, or renumber the pictures if none was lost",
        )
    notes = [f"left aside: {_listed(aside)}"] if aside else []
    if step > 1:
        notes.append(f"frame numbers rise in steps of {step}")
    return FrameFolder(tuple(found[number] for number in numbers), tuple(numbers), tuple(notes))


def look(path: Path) -> Picture:
    """Read one picture's header. Raises InputError `empty-file`, `not-an-image`, `bit-depth`, `colour`, `animated`, `absent`."""
    with _opened(path) as image:
        # JPEG only: Pillow would decode a whole PNG to look for EXIF, and PNG's is not honoured by other readers either
        orientation = image.getexif().get(_ORIENTATION, 1) if image.format == "JPEG" else 1
        width, height = (image.height, image.width) if orientation in (5, 6, 7, 8) else (image.width, image.height)
        alpha = "A" in image.getbands() or "transparency" in image.info
        kinds = {"1": "gray", "L": "gray", "LA": "ya8", "P": "pal8", "RGB": "rgb24", "RGBA": "rgba"}
        return Picture(width, height, (image.format or "").lower(), kinds[image.mode], alpha, orientation != 1)


def read(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB of one picture: a JPEG's EXIF orientation applied, grey and palette expanded, a fully opaque alpha channel
    dropped.

    RGB values come out as stored (no colour management, no gamma). Raises InputError as `look` does, `truncated` for a picture that ends
    early or fails its checksum, and `alpha` where a pixel is not opaque. A JPEG whose entropy-coded data are altered without being cut
    decodes to wrong pixels without an error: the format carries no checksum.
    """
    from PIL import ImageOps

    with _opened(path) as image:
        try:
            image.load()
            turned = ImageOps.exif_transpose(image) if image.format == "JPEG" else image
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise InputError(
                "the picture is cut off or damaged",
                code="truncated",
                path=path,
                found=str(error),
                expected="a whole PNG or JPEG picture",
                hint="write it again",
            ) from None
        if "A" in turned.getbands() or "transparency" in turned.info:
            pixels = np.asarray(turned.convert("RGBA"))
            check_opaque(pixels[..., 3], path, None)
            return np.ascontiguousarray(pixels[..., :3])
        return np.array(turned if turned.mode == "RGB" else turned.convert("RGB"))


def read_folder(files: tuple[Path, ...], width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """(h, w, 3) uint8 RGB pictures one by one; InputError `size-change` names the first that is not width x height."""
    for path in files:
        picture = read(path)
        check_size(path, picture.shape[1], picture.shape[0], width, height)
        yield picture


def check_size(path: Path, width: int, height: int, expected_width: int, expected_height: int) -> None:
    """Raise InputError `size-change` unless both sizes (pixels) agree."""
    if (width, height) != (expected_width, expected_height):
        raise InputError(
            "the picture has another size than the first frame",
            code="size-change",
            path=path,
            found=f"{width}x{height}",
            expected=f"{expected_width}x{expected_height}",
        )


def check_opaque(alpha: NDArray[np.uint8], path: Path, frame: int | None) -> None:
    """Raise InputError `alpha` unless all of alpha (h, w) is 255. frame: its index where the path is a video."""
    clear = int(np.count_nonzero(alpha != 255))
    if clear:
        where = "" if frame is None else f"frame {frame}: "
        raise InputError(
            "the picture is partly transparent: what lies behind it is not known",
            code="alpha",
            path=path,
            found=f"{where}{clear} of {alpha.size} pixels not opaque",
            expected="opaque pixels",
            hint=f"flatten it on a colour of your choice: {_FLATTEN}",
        )


def _opened(path: Path) -> Image.Image:
    """The picture with its header read and found acceptable; pixels are not loaded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with path.open("rb") as file:
            head = file.read(26)
    except FileNotFoundError:
        raise InputError("the picture does not exist", code="absent", path=path) from None
    except PermissionError as error:
        raise unreadable(path, error, "the picture cannot be read") from None
    if not head:
        raise InputError(
            "the picture is empty", code="empty-file", path=path, found="0 bytes", expected="a PNG or JPEG picture", hint="write it again"
        )
    if head[:8] == _PNG_MAGIC and len(head) == 26 and head[24] > 8:
        # read here because Pillow cuts 16-bit RGB down to 8 bits without a word
        raise InputError(
            "a 16-bit PNG does not fit 8-bit frames",
            code="bit-depth",
            path=path,
            found=f"{head[24]} bits a channel",
            expected="8",
            hint="ffmpeg -i IN.png -pix_fmt rgb24 OUT.png",
        )
    try:
        image = Image.open(path, formats=("PNG", "JPEG"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError("not a readable PNG or JPEG picture", code="not-an-image", path=path, found=str(error)) from None
    if getattr(image, "n_frames", 1) > 1:
        image.close()
        raise InputError("an animated picture cannot be one frame", code="animated", path=path)
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        mode = image.mode
        image.close()
        raise InputError(
            "the picture's colour model is not RGB, grey or palette",
            code="colour",
            path=path,
            found=mode,
            hint="convert it to 8-bit RGB PNG with the tool that made it",
        )
    return image


def _listed(items: list[str] | list[int]) -> str:
    """The first eight, and how many more."""
    return ", ".join(str(item) for item in items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")
