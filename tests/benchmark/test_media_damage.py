"""Files that are not whole. The rule under test: every damaged file either raises, or decodes to exactly the frames of the sound file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.media import decode, encode, probe
from benchmark.media.container import check_complete
from benchmark.media.ffv1 import _crc, damaged_slice
from tests.clips import cut, damage, noise, packets, scene, write_folder, write_gif, write_video

KINDS = {
    "index-last.mp4": ("libx264", {}),
    "index-first.mp4": ("libx264", {"movflags": "+faststart"}),
    "fragments.mp4": ("libx264", {"movflags": "+frag_keyframe+empty_moov"}),
    "a.mov": ("libx264", {}),
    "a.mkv": ("libx264", {}),
    "a.webm": ("libvpx-vp9", {}),
    "a.avi": ("mpeg4", {}),
    "a.gif": ("gif", {}),
}

CODES = {"ok", "not-a-video", "no-video-stream", "unknown-codec", "no-frames", "truncated", "corrupt", "frame-count", "size-change", "alpha",
         "rotation", "colour-matrix"}  # fmt: skip
"""What may be said of a video file with some bytes changed."""


def outcome(path: Path, threads: int = 2) -> tuple[str, int]:
    """(error code or `ok`, frames that came out)."""
    count = 0
    try:
        for part in decode(probe(path), chunk=1, threads=threads):
            count += len(part)
    except InputError as error:
        return (error.code if str(path) in str(error) else "error without its path"), count
    return "ok", count


def make(path: Path) -> Path:
    codec, options = KINDS[path.name]
    if codec == "gif":
        return write_gif(path, scene(30, 48, 64), [40] * 30)
    return write_video(path, scene(30, 48, 64), codec=codec, container_options=options, options={"g": "10"})


@pytest.mark.parametrize("name", list(KINDS))
def test_a_cut_file_is_found_before_decoding(tmp_path: Path, name: str) -> None:
    whole = make(tmp_path / name)
    check_complete(whole)
    assert outcome(whole) == ("ok", 30)
    size = whole.stat().st_size
    short = tmp_path / f"short-{name}"
    for keep in (size - 1, size - 40, size * 9 // 10, size // 2, size // 5):
        cut(whole, short, keep)
        with pytest.raises(InputError) as caught:
            probe(short)
        assert caught.value.code == "truncated", keep
        assert f"{keep} bytes" in str(caught.value)


def test_missing_index(tmp_path: Path) -> None:
    whole = make(tmp_path / "index-last.mp4")
    data = whole.read_bytes()
    place = data.index(b"moov") - 4
    (tmp_path / "x.mp4").write_bytes(data[:place])
    with pytest.raises(InputError) as caught:
        probe(tmp_path / "x.mp4")
    assert caught.value.code == "truncated"
    assert "moov" in str(caught.value)


def test_padding_behind_the_last_box_is_no_cut(tmp_path: Path) -> None:
    whole = make(tmp_path / "index-last.mp4")
    whole.write_bytes(whole.read_bytes() + bytes(100))
    assert outcome(whole) == ("ok", 30)


def test_index_that_promises_more_than_there_is(tmp_path: Path) -> None:
    """The data box is shortened too, so that only the sample table still knows."""
    whole = make(tmp_path / "index-first.mp4")
    data = bytearray(whole.read_bytes())
    start = data.index(b"mdat") - 4
    position, _ = packets(whole)[20]
    data[start : start + 4] = (position - start).to_bytes(4, "big")
    (tmp_path / "x.mp4").write_bytes(bytes(data[:position]))
    assert outcome(tmp_path / "x.mp4")[0] in ("truncated", "corrupt")


@pytest.mark.parametrize(
    ("name", "codec", "least"), [("a.mp4", "libx264", 8), ("b.mp4", "mpeg4", 11), ("c.mov", "png", 12), ("d.mkv", "ffv1", 12)]
)
def test_damaged_packets_are_found(tmp_path: Path, name: str, codec: str, least: int) -> None:
    """Twelve kinds of damage each; `least` is what the format lets a decoder find. One thread and two must agree."""
    path = tmp_path / name
    if codec == "ffv1":
        encode(path, scene(30, 96, 128), Fraction(25))
    else:
        write_video(path, scene(30, 96, 128), codec=codec, pix_fmt="rgb24" if codec == "png" else "yuv420p")
    found = 0
    for trial in range(12):
        bad = damage(path, tmp_path / f"bad-{name}", 3 + 2 * trial, seed=trial)
        one, two = outcome(bad, threads=1), outcome(bad, threads=2)
        assert (one[0] == "ok") == (two[0] == "ok")
        if one[0] == "ok":
            continue
        assert {one[0], two[0]} <= {"corrupt", "truncated"}
        found += 1
    assert found >= least


def test_what_ffmpeg_conceals_is_named_with_its_place(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", scene(30, 96, 128), codec="mpeg4")
    bad = damage(path, tmp_path / "bad.mp4", 12)
    seen = []
    parts = decode(probe(bad), chunk=1, threads=1)
    with pytest.raises(InputError, match="30 frames") as caught:
        seen.extend(part[0] for part in parts)
    assert caught.value.code == "corrupt"
    # nothing from the damaged frame on is handed out, and all before it is as it was
    assert 8 <= len(seen) <= 12
    np.testing.assert_array_equal(np.stack(seen), np.concatenate(list(decode(probe(path))))[: len(seen)])


def test_checksums_of_lossless_video(tmp_path: Path) -> None:
    """The catalogue value of CRC-32/CKSUM for `123456789` is 0x765E7680; its final inversion is undone here. Any flipped bit is found."""
    assert int(f"{_crc(b'123456789'):032b}"[::-1], 2) == 0x765E7680 ^ 0xFFFFFFFF
    encode(tmp_path / "a.mkv", noise(2, 20, 30), Fraction(25))
    with av.open(str(tmp_path / "a.mkv")) as container:
        packet = bytearray(next(bytes(packet) for packet in container.demux(video=0)))
    assert not damaged_slice(bytes(packet))
    for place in range(0, len(packet) - 8, 97):
        packet[place] ^= 4
        assert damaged_slice(bytes(packet))
        packet[place] ^= 4


def test_frames_lost_between_probe_and_decode(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", scene(20, 48, 64))
    info = probe(path)
    write_video(path, scene(12, 48, 64))
    with pytest.raises(InputError) as caught:
        list(decode(info))
    assert caught.value.code == "truncated"
    assert "before frame 12" in str(caught.value)
    write_video(path, scene(23, 48, 64))
    with pytest.raises(InputError) as caught:
        list(decode(info, chunk=7))
    assert caught.value.code == "frame-count"


def test_damaged_pictures_of_a_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", noise(4, 40, 50), [f"{i}.png" for i in range(4)])
    info = probe(folder)
    bad = folder / "2.png"
    data = bytearray(bad.read_bytes())
    data[len(data) // 2] ^= 0xFF
    bad.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"2\.png") as caught:
        list(decode(info))
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("name", list(KINDS))
def test_any_damage_ends_in_frames_or_a_stated_error(tmp_path: Path, name: str) -> None:
    """Random bytes in headers and data, and random cuts: never another exception."""
    data = make(tmp_path / name).read_bytes()
    bad = tmp_path / f"bad-{name}"
    rng = np.random.default_rng(0)
    for trial in range(30):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 8)):
            changed[rng.integers(0, len(data) if trial % 2 else min(1500, len(data)))] = rng.integers(0, 256)
        bad.write_bytes(bytes(changed[: rng.integers(1, len(data)) if trial % 10 == 9 else None]))
        code, _ = outcome(bad)
        assert code in CODES
