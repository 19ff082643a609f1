"""What is written must come back: to the bit for FFV1, with the stated colour otherwise, and as the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.media import decode, encode, probe, sha256_file
from tests.clips import noise, scene


def everything(path: Path) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(path))))


@pytest.mark.parametrize("size", [(48, 64), (37, 53), (1, 1), (1, 300), (15, 16), (604, 604)])
def test_ffv1_is_exact(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = noise(3, *size)
    encode(tmp_path / "a.mkv", frames, Fraction(30000, 1001))
    info = probe(tmp_path / "a.mkv")
    assert (info.fps, info.frames, info.matrix) == (Fraction(30000, 1001), 3, "rgb")
    np.testing.assert_array_equal(everything(tmp_path / "a.mkv"), frames)


def test_chunks_and_single_pictures_are_the_same(tmp_path: Path) -> None:
    frames = noise(7, 20, 30)
    encode(tmp_path / "a.mkv", [frames[:3], frames[3:]], Fraction(25))
    encode(tmp_path / "b.mkv", iter(frames), Fraction(25))
    assert sha256_file(tmp_path / "a.mkv") == sha256_file(tmp_path / "b.mkv")


@pytest.mark.parametrize(("codec", "name"), [("ffv1", "a.mkv"), ("h264", "a.mp4"), ("h264", "a.mkv"), ("h264", "a.mov"), ("hevc", "a.mp4")])
def test_same_input_same_bytes(tmp_path: Path, codec: str, name: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        encode(tmp_path / folder / name, scene(8, 48, 64), Fraction(25), codec=codec)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert probe(tmp_path / "one" / name).frames == 8


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("size", [(48, 64), (47, 64), (48, 63)])
def test_lossy_colour_is_tagged_and_comes_back(tmp_path: Path, codec: str, matrix: Any, size: tuple[int, int]) -> None:
    colours = [(250, 20, 20), (20, 250, 20), (20, 20, 250), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    frames = np.stack([np.full((*size, 3), colour, np.uint8) for colour in colours])
    path = tmp_path / "a.mp4"
    encode(path, frames, Fraction(15), codec=codec, options={"crf": "4"}, matrix=matrix)
    info = probe(path)
    assert (info.matrix, info.color_range, info.colour_assumed) == (matrix, "limited", False)
    assert info.pix_fmt == ("yuv420p" if size == (48, 64) else "yuv444p")
    assert (info.height, info.width, info.fps) == (*size, 15)
    # 8-bit limited range has 219 levels of luma: two conversions cost up to 2 levels, the codec one or two more; a wrong matrix costs 20
    assert np.abs(everything(path).astype(int) - frames).max() <= 5


def test_luma_is_the_one_of_the_matrix(tmp_path: Path) -> None:
    """Y of pure green from the standards: 16 + 219 * 0.587 = 144.6 and 16 + 219 * 0.7152 = 172.6."""
    import av

    for matrix, luma in (("bt601", 145), ("bt709", 173)):
        path = tmp_path / f"{matrix}.mp4"
        encode(path, np.full((2, 32, 32, 3), (0, 255, 0), np.uint8), Fraction(25), codec="h264", options={"crf": "2"}, matrix=matrix)  # type: ignore[arg-type]
        with av.open(str(path)) as container:
            plane = np.frombuffer(next(container.decode(video=0)).planes[0], np.uint8)
        assert abs(int(plane[0]) - luma) <= 1


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    encode(tmp_path / "a.mkv", scene(2, 20, 30), Fraction(25))
    before = (tmp_path / "a.mkv").read_bytes()

    def broken() -> Iterator[NDArray[np.uint8]]:
        yield scene(1, 20, 30)
        raise RuntimeError("generator died")

    with pytest.raises(RuntimeError, match="died"):
        encode(tmp_path / "a.mkv", broken(), Fraction(25))
    assert (tmp_path / "a.mkv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize(
    ("frames", "fps", "more", "name", "code"),
    [
        ([], 25, {}, "a.mkv", "no-frames"),
        ([np.zeros((2, 20, 30), np.uint8)], 25, {}, "a.mkv", "bad-frames"),
        ([np.zeros((2, 20, 30, 3), np.float32)], 25, {}, "a.mkv", "bad-frames"),
        ([np.zeros((20, 30, 3), np.uint8), np.zeros((20, 31, 3), np.uint8)], 25, {}, "a.mkv", "bad-frames"),
        ([np.zeros((20, 30, 3), np.uint8)], 0, {}, "a.mkv", "bad-fps"),
        ([np.zeros((20, 30, 3), np.uint8)], 25, {"codec": "theora"}, "a.mkv", "bad-codec"),
        ([np.zeros((20, 30, 3), np.uint8)], 25, {"codec": "ffv1"}, "a.mp4", "bad-codec"),
        ([np.zeros((20, 30, 3), np.uint8)], 25, {}, "no/such/a.mkv", "unwritable"),
    ],
)
def test_bad_requests(tmp_path: Path, frames: Any, fps: int, more: dict[str, str], name: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        encode(tmp_path / name, frames, Fraction(fps), **more)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []
