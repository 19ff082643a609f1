"""Content hashes of clips, and a cache of them."""

from __future__ import annotations

import hashlib
import sqlite3
import time
import unicodedata
from contextlib import closing
from pathlib import Path

from benchmark.errors import InputError, unreadable
from benchmark.media.images import frame_folder

_TABLE = "CREATE TABLE IF NOT EXISTS hashes (path TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL)"
_YOUNG_NS = 2_000_000_000
"""A file changed this recently may change again within one tick of its file system's clock: its hash is not remembered yet."""


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes; InputError `absent` or `unreadable`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError("the file does not exist", code="absent", path=path) from None
    except OSError as error:
        raise unreadable(path, error, "the file cannot be read") from None


def sha256_clip(path: Path) -> str:
    """Hex sha256 of a clip's content: a video's bytes; a folder's frames in order, each with its (NFC) name, lengths in front of both.

    Files of the folder that are no frames do not count. Raises InputError as `sha256_file` and `images.frame_folder` do.
    """
    if not path.is_dir():
        return sha256_file(path)
    total = hashlib.sha256(b"frames\n")
    for file in frame_folder(path).files:
        name = unicodedata.normalize("NFC", file.name).encode("utf-8", "surrogateescape")
        total.update(len(name).to_bytes(8, "little") + name)
        total.update(file.stat().st_size.to_bytes(8, "little") + bytes.fromhex(sha256_file(file)))
    return total.hexdigest()


class HashCache:
    """Clip hashes remembered by absolute path, size and modification time, in `folder`/hashes.sqlite.

    Several processes may use it at once. It is an aid, never a source of failure: a damaged file is thrown away and begun anew, an
    unwritable or locked one is done without. A clip rewritten with the same size and modification time (in nanoseconds) is taken for
    unchanged.
    """

    def __init__(self, folder: Path) -> None:
        """folder: where the cache file lies; made with the first hash."""
        self._file = folder / "hashes.sqlite"

    def sha256(self, path: Path) -> str:
        """`sha256_clip(path)`, from the cache where the clip has not changed since."""
        state, newest = _state(path)
        key = str(path.absolute())
        known = self._ask("SELECT sha256 FROM hashes WHERE path = ? AND state = ?", (key, state))
        if known:
            return known
        digest = sha256_clip(path)
        if _state(path)[0] == state and time.time_ns() - newest > _YOUNG_NS:
            self._ask("INSERT OR REPLACE INTO hashes (path, state, sha256) VALUES (?, ?, ?)", (key, state, digest))
        return digest

    def _ask(self, statement: str, values: tuple[str, ...]) -> str | None:
        """The first cell of the first row, or None. A second try follows where the file was damaged and could be removed."""
        for _ in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with closing(sqlite3.connect(self._file, timeout=10)) as connection, connection:
                    connection.execute(_TABLE)
                    row = connection.execute(statement, values).fetchone()
                    return str(row[0]) if row else None
            except sqlite3.DatabaseError as error:
                # OperationalError with another table layout is damage too; a lock or a read-only disk is not
                if isinstance(error, sqlite3.OperationalError) and "column" not in str(error):
                    return None
                try:
                    self._file.unlink(missing_ok=True)
                except OSError:
                    return None
            except OSError:
                return None
        return None


def _state(path: Path) -> tuple[str, int]:
    """(what identifies the clip's present state, newest modification time in ns)."""
    try:
        if not path.is_dir():
            entry = path.stat()
            return f"{entry.st_size}:{entry.st_mtime_ns}", entry.st_mtime_ns
        entries = [(file.name, file.stat()) for file in frame_folder(path).files]
    except FileNotFoundError:
        raise InputError("the clip does not exist", code="absent", path=path) from None
    text = "\n".join(f"{name}\0{entry.st_size}:{entry.st_mtime_ns}" for name, entry in entries)
    return "frames:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(), max(entry.st_mtime_ns for _, entry in entries)
