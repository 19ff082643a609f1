"""The clips of a folder, by stem."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from benchmark.errors import InputError, unreadable
from benchmark.media import images

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".gif")


def list_clips(folder: Path) -> dict[str, Path]:
    """Stem -> clip, in natural order of the stems (2 before 10). See `scan_clips`, which also says what was left aside."""
    return scan_clips(folder)[0]


def scan_clips(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """(stem -> clip, notes). A clip is a video file (mp4, mkv, mov, webm, avi, gif, any case) or a sub-folder with numbered pictures.

    Stems are NFC-normalised, so that names written on different systems meet; a sub-folder's stem is its whole name. A single video file
    is one clip. A folder with numbered pictures, no video and no clip folder is one clip itself; numbered pictures beside videos are left
    aside with a note. Hidden and other files are left aside. Nothing is opened.

    Raises InputError `absent`, `not-a-folder` (a file that is no video), `unreadable`, `empty`, `duplicate-stem`, `ambiguous` (numbered
    pictures beside sub-folders of numbered pictures).
    """
    try:
        there, single = folder.exists(), folder.is_file()
    except PermissionError as error:
        raise unreadable(error.filename or folder, error, "the folder cannot be read") from None
    if not there:
        raise InputError(
            "the folder does not exist", code="absent", path=folder, hint="check the spelling; give a folder of clips or one video"
        )
    if single:
        if folder.suffix.lower() in VIDEO_SUFFIXES:
            return {_stem(folder): folder}, ()
        raise InputError(
            "a file that is no video stands where a folder of clips is expected",
            code="not-a-folder",
            path=folder,
            expected=f"a folder, or one file of type {' '.join(VIDEO_SUFFIXES)}",
            hint="give the folder that holds the clips",
        )
    try:
        entries = sorted(folder.iterdir())
        return _scan(folder, entries)
    except PermissionError as error:
        raise unreadable(error.filename or folder, error, "the folder cannot be read") from None


def _scan(folder: Path, entries: list[Path]) -> tuple[dict[str, Path], tuple[str, ...]]:
    clips: list[Path] = []
    frames: list[str] = []
    aside: list[str] = []
    for path in entries:
        if path.name.startswith("."):
            aside.append(path.name)
        elif path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
            if not path.exists():
                raise InputError("the link leads nowhere", code="absent", path=path, hint="remove it, or mount what it points to")
            clips.append(path)
        elif path.is_dir():
            if images.holds_frames(path):
                clips.append(path)
            else:
                aside.append(f"{path.name}/")
        elif images.number_of(path) is not None:
            frames.append(path.name)
        else:
            aside.append(path.name)
    if frames and not clips:
        return {unicodedata.normalize("NFC", folder.resolve().name): folder}, _note(aside)
    if frames and all(path.is_dir() for path in clips):
        raise InputError(
            "numbered pictures beside folders of numbered pictures: which are the clips?",
            code="ambiguous",
            path=folder,
            found=f"{frames[0]}, {clips[0].name}/",
            hint="give one of the folders, or move the pictures into a folder of their own",
        )
    if not clips:
        raise InputError(
            "no clip in the folder",
            code="empty",
            path=folder,
            found=", ".join(aside[:8]) or "nothing at all",
            expected=f"files {' '.join(VIDEO_SUFFIXES)}, or folders of numbered PNG or JPEG pictures",
        )
    by_stem: dict[str, Path] = {}
    for path in clips:
        stem = _stem(path)
        if stem in by_stem:
            raise InputError(
                f"two clips share the stem {stem!r}",
                code="duplicate-stem",
                path=folder,
                found=f"{by_stem[stem].name}, {path.name}",
                expected="one clip a stem",
                hint="move one of them away",
            )
        by_stem[stem] = path
    return {stem: by_stem[stem] for stem in sorted(by_stem, key=_natural)}, _note(frames + aside)


def _stem(path: Path) -> str:
    return unicodedata.normalize("NFC", path.name if path.is_dir() else path.stem)


def _natural(text: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Digits compare as numbers and stand before letters; the text itself breaks ties (1 and 01)."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts), text


def _note(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"left aside: {', '.join(names[:8])}" + (f" and {len(names) - 8} more" if len(names) > 8 else ""),)
