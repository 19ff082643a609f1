"""Content hashes and their cache. Expected hashes come from hashlib over bytes laid out by hand."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.media import HashCache, hashes, sha256_clip, sha256_file
from tests.clips import noise, write_folder

OLD = 1_600_000_000


def aged(path: Path) -> Path:
    """Old enough to be remembered."""
    for file in [path, *(path.iterdir() if path.is_dir() else [])]:
        os.utime(file, (OLD, OLD))
    return path


def test_file_and_folder_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a.mp4") == sha256_clip(tmp_path / "a.mp4") == hashlib.sha256(b"abc").hexdigest()
    folder = tmp_path / "f"
    folder.mkdir()
    expected = hashlib.sha256(b"frames\n")
    for name, content in (("9.png", b"nine"), ("10.png", b"ten")):
        (folder / name).write_bytes(content)
        expected.update(len(name).to_bytes(8, "little") + name.encode())
        expected.update(len(content).to_bytes(8, "little") + hashlib.sha256(content).digest())
    assert sha256_clip(folder) == expected.hexdigest()


def test_folder_hash_sees_names_order_and_borders(tmp_path: Path) -> None:
    def of(files: dict[str, bytes]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return sha256_clip(folder)

    base = of({"1.png": b"ab", "2.png": b"c"})
    assert base == of({"1.png": b"ab", "2.png": b"c", "Thumbs.db": b"x"})
    different = [
        of({"1.png": b"a", "2.png": b"bc"}),
        of({"1.png": b"c", "2.png": b"ab"}),
        of({"2.png": b"ab", "3.png": b"c"}),
        of({"1.png": b"abc"}),
    ]
    assert len({base, *different}) == 5


def test_absent_file(tmp_path: Path) -> None:
    for call in (sha256_file, sha256_clip, HashCache(tmp_path / "c").sha256):
        with pytest.raises(InputError) as caught:
            call(tmp_path / "no.mp4")
        assert caught.value.code == "absent"


def test_cache_is_used_and_notices_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, folder = tmp_path / "a.mp4", write_folder(tmp_path / "f", noise(2, 8, 9), ["1.png", "2.png"])
    clip.write_bytes(b"abc")
    aged(clip), aged(folder)
    cache = HashCache(tmp_path / "cache")
    first = cache.sha256(clip), cache.sha256(folder)
    calls = []
    real = sha256_clip
    monkeypatch.setattr(hashes, "sha256_clip", lambda path: calls.append(path) or real(path))
    assert (HashCache(tmp_path / "cache").sha256(clip), cache.sha256(folder)) == first
    assert calls == []
    clip.write_bytes(b"abd")
    os.utime(clip, (OLD + 1, OLD + 1))
    os.utime(folder / "2.png", ns=(OLD * 10**9, OLD * 10**9 + 7))
    assert cache.sha256(clip) == hashlib.sha256(b"abd").hexdigest()
    assert cache.sha256(folder) == first[1]
    assert calls == [clip, folder]


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    """It could change again within the same tick of the file system's clock."""
    clip, cache = tmp_path / "a.mp4", HashCache(tmp_path / "cache")
    clip.write_bytes(b"abc")
    stamp = clip.stat().st_mtime_ns
    cache.sha256(clip)
    clip.write_bytes(b"xyz")
    os.utime(clip, ns=(stamp, stamp))
    assert cache.sha256(clip) == hashlib.sha256(b"xyz").hexdigest()


@pytest.mark.parametrize("content", [b"this is no database, it is only text " * 99, b"", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_damaged_cache_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"abc")
    aged(clip)
    (tmp_path / "hashes.sqlite").write_bytes(content)
    assert HashCache(tmp_path).sha256(clip) == hashlib.sha256(b"abc").hexdigest()
    with closing(sqlite3.connect(tmp_path / "hashes.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM hashes").fetchone() == (1,)


def test_cache_of_another_layout_is_begun_anew(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"abc")
    aged(clip)
    with closing(sqlite3.connect(tmp_path / "hashes.sqlite")) as connection:
        connection.execute("CREATE TABLE hashes (name TEXT, value TEXT)")
        connection.commit()
    cache = HashCache(tmp_path)
    assert cache.sha256(clip) == cache.sha256(clip) == hashlib.sha256(b"abc").hexdigest()
    with closing(sqlite3.connect(tmp_path / "hashes.sqlite")) as connection:
        assert connection.execute("SELECT path FROM hashes").fetchall() == [(str(clip),)]


def test_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"abc")
    (tmp_path / "file").write_text("in the way")
    assert HashCache(tmp_path / "file").sha256(clip) == hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "d" / "hashes.sqlite").mkdir(parents=True)
    assert HashCache(tmp_path / "d").sha256(clip) == hashlib.sha256(b"abc").hexdigest()


def test_many_at_once(tmp_path: Path) -> None:
    clips = []
    for i in range(20):
        clips.append(tmp_path / f"{i}.mp4")
        clips[-1].write_bytes(str(i).encode())
        aged(clips[-1])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: HashCache(tmp_path / "cache").sha256(path), clips * 3))
    assert found == [hashlib.sha256(str(i).encode()).hexdigest() for i in range(20)] * 3
    with closing(sqlite3.connect(tmp_path / "cache" / "hashes.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM hashes").fetchone() == (20,)
