"""Files that lie beside clips under the same stem: sounds and keypoints."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from benchmark.errors import InputError

SOUNDS = (".wav", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".aac")
KEYPOINTS = ".npz"


def of(where: Path, clip: Path) -> Path:
    """The keypoints of a clip: `where` itself where it is a file, else STEM.npz or STEM.pose.npz in it, whether that is there or not. InputError for what
    is not there at all."""
    if not where.exists():
        raise InputError("the folder of keypoints does not exist", code="absent", path=where, expected="a folder of STEM.npz, or one file")
    stem = clip.name if clip.is_dir() else clip.stem
    if where.is_file():
        return where
    other = where / f"{stem}.pose{KEYPOINTS}"
    return other if other.is_file() else where / f"{stem}{KEYPOINTS}"


def sounds(folder: Path) -> dict[str, Path]:
    """{stem: file} of a folder. InputError where it is no folder, holds none, or two of one stem."""
    if not folder.is_dir():
        raise InputError("is no folder of sounds", code="absent", path=folder, expected=f"files {' '.join(SOUNDS)}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SOUNDS and not path.name.startswith("."):
            stem = unicodedata.normalize("NFC", path.stem)
            if stem in found:
                raise InputError(
                    f"two sounds share the stem {stem!r}", code="duplicate-stem", path=folder, found=f"{found[stem].name}, {path.name}"
                )
            found[stem] = path
    if not found:
        raise InputError("no sound in the folder", code="empty", path=folder, expected=f"files {' '.join(SOUNDS)}")
    return found


def one(root: Path, pattern: str, case: str) -> Path | None:
    """The one file of a case below a root, None where there is none. InputError where there are several."""
    name = pattern.rpartition("/")[2].format(case=case)
    found = sorted(path for path in root.glob(pattern.replace("{case}", "*")) if path.name == name)
    if len(found) > 1:
        raise InputError("two files for one case", code="ambiguous", path=root, found=", ".join(map(str, found[:2])), expected=pattern)
    return found[0] if found else None


def stems(root: Path, pattern: str) -> list[str]:
    """The cases that a root has files for, in order of their names."""
    head, _, tail = pattern.rpartition("/")[2].partition("{case}")
    return sorted({path.name[len(head) : len(path.name) - len(tail)] for path in root.glob(pattern.replace("{case}", "*"))})
