"""Counts, times and rates. Expected values are the ones the clip was written with."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.media import decode, probe
from benchmark.media.rate import measure
from tests.clips import scene, write_audio, write_folder, write_gif, write_video


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "libx264", Fraction(15)),
        ("a.mp4", "libx265", Fraction(30000, 1001)),
        ("a.mov", "libx264", Fraction(24)),
        ("a.mkv", "libx264", Fraction(30000, 1001)),  # time stamps are whole milliseconds here
        ("a.mkv", "libx264", Fraction(25, 2)),
        ("a.webm", "libvpx-vp9", Fraction(24000, 1001)),
        ("a.avi", "mpeg4", Fraction(25)),
    ],
)
def test_frames_and_rate_are_those_written(tmp_path: Path, name: str, codec: str, rate: Fraction) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    info = probe(write_video(tmp_path / name, scene(31, 48, 64), codec=codec, rate=rate, options=options))
    assert (info.width, info.height, info.frames, info.fps, info.variable) == (64, 48, 31, rate, False)
    assert info.times is not None
    assert info.times[0] == 0
    assert all(abs(time - i / rate) <= Fraction(1, 1000) for i, time in enumerate(info.times))
    assert (info.kind, info.has_audio, info.has_alpha, info.rotation, info.bit_depth) == ("video", False, False, 0, 8)
    assert sum(len(part) for part in decode(info)) == 31


def test_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    ticks = [0, 1, 2, 5, 6, 9, 10, 11]
    path = write_video(tmp_path / "v.mp4", scene(8, 48, 64), stamps=[100 * tick for tick in ticks], time_base=Fraction(1, 1000), rate=10)
    info = probe(path)
    assert info.variable
    assert info.times == tuple(Fraction(tick, 10) for tick in ticks)
    assert info.fps == Fraction(70, 11)  # 7 steps in 1.1 s
    assert "uneven" in " ".join(info.notes)
    forced = probe(path, fps=Fraction(12))
    assert (forced.fps, forced.variable, forced.times) == (12, False, tuple(Fraction(i, 12) for i in range(8)))


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    info = probe(write_video(tmp_path / "one.mp4", scene(1, 48, 64), rate=30))
    assert (info.frames, info.times, info.fps, info.variable) == (1, (0,), 30, False)
    assert next(decode(info)).shape == (1, 48, 64, 3)


@pytest.mark.parametrize(
    ("delays", "rate", "variable"),
    [
        ([80] * 6, Fraction(25, 2), False),
        ([120, 130] * 4, Fraction(8), False),  # 8 frames a second, as far as a gif can say so
        ([30, 30, 40] * 4, Fraction(30), False),
        ([100, 400, 100, 100, 50, 100], Fraction(20, 3), True),  # 5 steps in 0.75 s; the last delay shows nothing new
    ],
)
def test_gif_delays(tmp_path: Path, delays: list[int], rate: Fraction, variable: bool) -> None:
    info = probe(write_gif(tmp_path / "a.gif", scene(len(delays), 20, 30), delays))
    assert (info.frames, info.fps, info.variable, info.codec) == (len(delays), rate, variable, "gif")
    assert info.times is not None
    assert [time * 1000 for time in info.times] == [sum(delays[:i]) for i in range(len(delays))]


def test_gif_packet_without_a_picture_is_no_frame(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "a.gif", scene(4, 20, 30), [80] * 4)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"\x21\xff\x0bXMP DataXMP\x05hello\x00" + data[-1:])  # what image editors append
    info = probe(path)
    assert info.frames == 4
    assert sum(len(part) for part in decode(info)) == 4


def test_hidden_vp8_frames_do_not_count(tmp_path: Path) -> None:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "60", "b": "60k"}
    path = write_video(tmp_path / "a.webm", scene(40, 64, 64), codec="libvpx", options=options)
    info = probe(path)
    assert info.frames == 40
    assert sum(len(part) for part in decode(info)) == 40


def test_start_is_kept_apart_and_times_begin_at_zero(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mkv", scene(5, 48, 64), stamps=[i + 10 for i in range(5)], rate=25)
    info = probe(path)
    assert info.start == Fraction(2, 5)
    assert any("0.4 s into the file" in note for note in info.notes)
    assert info.times == tuple(Fraction(i, 25) for i in range(5))


def test_audio_rotation_and_json(tmp_path: Path) -> None:
    info = probe(write_video(tmp_path / "r.mp4", scene(5, 48, 64), rotation=90, audio=True))
    assert (info.width, info.height, info.rotation, info.has_audio, info.mirrored) == (48, 64, 90, True, False)
    record = json.loads(json.dumps(info.to_json()))
    assert (record["fps"], record["frames"], record["times"], record["matrix"]) == ("25", 5, None, "bt601")
    assert info.colour_assumed


def test_folder_has_no_rate_unless_given(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", scene(3, 20, 30), ["1.png", "2.png", "3.png"])
    info = probe(folder)
    assert (info.kind, info.fps, info.times, info.frames, info.codec) == ("images", None, None, 3, "png")
    given = probe(folder, fps=Fraction(15))
    assert (given.fps, given.times) == (15, (0, Fraction(1, 15), Fraction(2, 15)))
    with pytest.raises(InputError) as caught:
        probe(folder, fps=Fraction(0))
    assert caught.value.code == "bad-fps"


def test_notes_name_what_a_reader_should_know(tmp_path: Path) -> None:
    info = probe(write_video(tmp_path / "sar.mp4", scene(3, 48, 64), options={"aspect": "2"}))
    assert any("not square" in note for note in info.notes)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.write_bytes(b""), "empty-file"),
        (lambda path: path.write_text("this is no video\n" * 200), "not-a-video"),
        (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nother.mp4\n"), "not-a-video"),
        (lambda path: path.write_bytes(bytes(5000)), "not-a-video"),
        (lambda path: write_audio(path), "no-video-stream"),
        (lambda path: path.mkdir(), "no-frames"),
        (lambda path: None, "absent"),
        (lambda path: path.symlink_to("nowhere.mp4"), "absent"),
    ],
)
def test_what_is_no_video_says_so(tmp_path: Path, make: object, code: str) -> None:
    path = tmp_path / "x.mp4"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        probe(path)
    assert caught.value.code == code
    assert str(path) in str(caught.value)


def test_unreadable_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", scene(2, 48, 64))
    path.chmod(0)
    try:
        path.open("rb").close()
    except PermissionError:
        with pytest.raises(InputError) as caught:
            probe(path)
        assert caught.value.code == "unreadable"
    else:
        pytest.skip("this user may read everything")


def test_measure_closed_forms() -> None:
    ms, tick = Fraction(1, 1000), Fraction(1, 25)
    rounded = [round(1000 * i * 1001 / 30000) for i in range(200)]
    assert measure(rounded, ms, []) == (Fraction(30000, 1001), False)
    floored = [16 * int(1000 * i / 30) for i in range(200)]  # milliseconds carried into a finer clock
    assert measure(floored, Fraction(1, 16000), [Fraction(29846, 1000)]) == (30, False)
    # one frame dropped where a tick is a frame is a gap, not rounding
    assert measure([0, 2, 3, 4, 5], tick, [Fraction(25)]) == (20, True)
    assert measure([0, 1, 2, 3], tick, []) == (25, False)
    assert measure([7], tick, []) == (None, False)
    assert measure([0, 0, 1], tick, [])[1]
    assert measure([0, 0], tick, [Fraction(25)]) == (25, True)
    # two frames in milliseconds fit many rates: the declared one is believed only where it fits
    assert measure([0, 33], ms, [Fraction(30)]) == (30, False)
    assert measure([0, 33], ms, [Fraction(25)])[0] != 25
