"""Which clips a folder holds."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.media import list_clips, scan_clips
from tests.clips import noise, write_folder


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        list_clips(path)
    return caught.value


def test_videos_and_frame_folders_in_natural_order(tmp_path: Path) -> None:
    folder = touch(tmp_path / "d", "10.mp4", "9.MKV", "b.gif", "a2.webm", "a10.mov", "a1.AVI", "notes.txt", ".hidden.mp4", "11.png")
    write_folder(folder / "8", noise(2, 4, 4), ["1.png", "2.png"])
    (folder / "empty").mkdir()
    clips, notes = scan_clips(folder)
    assert list(clips) == ["8", "9", "10", "a1", "a2", "a10", "b"]
    assert clips["9"].name == "9.MKV"
    assert clips["8"].is_dir()
    assert all(name in notes[0] for name in ("notes.txt", ".hidden.mp4", "empty/", "11.png"))
    assert list_clips(folder) == clips


def test_one_file_or_one_frame_folder_is_one_clip(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "dance", noise(2, 4, 4), ["1.png", "2.png"])
    assert list_clips(folder) == {"dance": folder}
    touch(tmp_path, "x.y.mp4")
    assert list_clips(tmp_path / "x.y.mp4") == {"x.y": tmp_path / "x.y.mp4"}


def test_stems_are_nfc(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "café")
    folder = touch(tmp_path / "d", f"{name}.mp4")
    assert list(list_clips(folder)) == [unicodedata.normalize("NFC", name)]
    touch(folder, unicodedata.normalize("NFC", name) + ".mp4")
    assert refused(folder).code == "duplicate-stem"


def test_duplicate_stems_name_both(tmp_path: Path) -> None:
    error = refused(touch(tmp_path / "d", "a.mp4", "a.mov"))
    assert error.code == "duplicate-stem"
    assert "a.mov, a.mp4" in str(error)
    folder = touch(tmp_path / "e", "a.mp4")
    write_folder(folder / "a", noise(1, 4, 4), ["1.png"])
    assert refused(folder).code == "duplicate-stem"


def test_what_is_no_folder_of_clips(tmp_path: Path) -> None:
    assert refused(tmp_path / "no").code == "absent"
    assert refused(touch(tmp_path, "a.txt") / "a.txt").code == "not-a-folder"
    empty = refused(touch(tmp_path / "e", "notes.txt"))
    assert empty.code == "empty"
    assert "notes.txt" in str(empty)
    mixed = write_folder(tmp_path / "m", noise(1, 4, 4), ["1.png"])
    write_folder(mixed / "sub", noise(1, 4, 4), ["1.png"])
    assert refused(mixed).code == "ambiguous"
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "gone.mp4").symlink_to("nowhere.mp4")
    assert (refused(tmp_path / "l").code, Path(refused(tmp_path / "l").path or "").name) == ("absent", "gone.mp4")


def test_folder_named_like_a_video(tmp_path: Path) -> None:
    (tmp_path / "d" / "x.mp4").mkdir(parents=True)
    assert refused(tmp_path / "d").code == "empty"
    write_folder(tmp_path / "d" / "x.mp4", noise(1, 4, 4), ["1.png"])
    assert list(list_clips(tmp_path / "d")) == ["x.mp4"]


def test_unreadable_folder(tmp_path: Path) -> None:
    folder = touch(tmp_path / "d", "a.mp4")
    folder.chmod(0)
    try:
        list(folder.iterdir())
    except PermissionError:
        assert refused(folder).code == "unreadable"
    else:
        pytest.skip("this user may read everything")
    finally:
        folder.chmod(0o755)
