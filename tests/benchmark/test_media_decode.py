"""Pixels: lossless paths to the bit, colour against an independent conversion, orientation against OpenCV, transparency, chunks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.media import decode, probe
from benchmark.model import Rect
from tests.clips import noise, planes_frame, scene, write_folder, write_gif, write_pictures, write_video

KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""ITU-R BT.601-7, BT.709-6 and BT.2020-2: weights of red and blue in luma."""
TAGS = {"bt601": 6, "bt709": 1, "bt2020": 9}
"""ISO/IEC 23091-2 matrix coefficients, which AVColorSpace repeats."""


def everything(path: Path, **more: Any) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(path), **more)))


def exact_rgb(y: NDArray[Any], u: NDArray[Any], v: NDArray[Any], matrix: str, full: bool, bits: int) -> NDArray[np.float64]:
    """RGB on 0..255, not clipped, by the standards' definition in float64: nothing here is shared with FFmpeg."""
    kr, kb = KR_KB[matrix]
    scale, top = 2 ** (bits - 8), 2**bits - 1
    luma = y / top if full else (y - 16.0 * scale) / (219 * scale)
    blue, red = (((c - 128.0 * scale) / (top if full else 224 * scale)) for c in (u, v))
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return 255 * np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], -1)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name"),
    [("ffv1", "bgr0", "a.mkv"), ("png", "rgb24", "a.mov"), ("libx265", "gbrp", "a.mp4"), ("qtrle", "rgb24", "a.mov")],
)
def test_rgb_formats_come_out_as_stored(tmp_path: Path, codec: str, pix_fmt: str, name: str) -> None:
    frames = noise(5, 37, 53)
    options = {"x265-params": "lossless=1:log-level=none"} if codec == "libx265" else {}
    path = write_video(tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt, options=options)
    info = probe(path)
    assert (info.matrix, info.color_range, info.colour_assumed) == ("rgb", "full", False)
    np.testing.assert_array_equal(everything(path), frames)


@pytest.mark.parametrize("matrix", list(KR_KB))
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuv444p", 8), ("yuv444p10le", 10)])
def test_colour_against_the_standards(tmp_path: Path, matrix: str, full: bool, pix_fmt: str, bits: int) -> None:
    rng = np.random.default_rng(1)
    planes = [rng.integers(0, 2**bits, (48, 64)).astype(np.uint8 if bits == 8 else np.uint16) for _ in range(3)]
    path = write_pictures(tmp_path / "a.mkv", [planes_frame(planes, pix_fmt)], colour=(TAGS[matrix], 2 if full else 1))
    info = probe(path)
    assert (info.matrix, info.color_range, info.colour_assumed, info.bit_depth) == (matrix, "full" if full else "limited", False, bits)
    expected = exact_rgb(*(plane.astype(np.float64) for plane in planes), matrix, full, bits)
    tame = (expected > -255).all(-1) & (expected < 510).all(-1)  # beyond that libswscale wraps around; no encoder gets there from RGB
    assert tame.mean() > 0.97
    difference = np.abs(everything(path)[0] - expected.clip(0, 255))[tame]
    assert difference.max() <= 2
    assert difference.mean() < 0.3  # rounding alone is 0.25


def test_subsampled_chroma_is_not_darkened(tmp_path: Path) -> None:
    """Constant colours have one right answer in 4:2:0 too."""
    levels = [
        (16, 128, 128),
        (50, 128, 128),
        (128, 128, 128),
        (200, 128, 128),
        (235, 128, 128),
        (81, 90, 240),
        (145, 54, 34),
        (41, 240, 110),
    ]
    pictures = [
        planes_frame([np.full((32, 32), y, np.uint8), np.full((16, 16), u, np.uint8), np.full((16, 16), v, np.uint8)], "yuv420p")
        for y, u, v in levels
    ]
    decoded = everything(write_pictures(tmp_path / "a.mkv", pictures))
    for (y, u, v), frame in zip(levels, decoded, strict=True):
        expected = exact_rgb(np.float64(y), np.float64(u), np.float64(v), "bt601", False, 8).clip(0, 255)  # type: ignore[arg-type]
        assert np.abs(frame - expected).max() <= 1


def test_untagged_is_bt601_limited_and_said_so(tmp_path: Path) -> None:
    planes = [np.full((32, 32), value, np.uint8) for value in (81, 90, 240)]  # BT.601 red
    path = write_pictures(tmp_path / "a.mkv", [planes_frame(planes, "yuv444p")])
    info = probe(path)
    assert (info.matrix, info.color_range, info.colour_assumed) == ("bt601", "limited", True)
    assert np.abs(everything(path).astype(int) - [254, 0, 0]).max() <= 1


def test_j_formats_are_full_range(tmp_path: Path) -> None:
    path = write_pictures(
        tmp_path / "a.avi", [planes_frame([np.full((32, 32), v, np.uint8) for v in (255, 128, 128)], "yuvj444p")], codec="mjpeg"
    )
    assert probe(path).color_range == "full"
    assert (everything(path) == 255).all()


def test_grey_formats(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = write_pictures(tmp_path / "a.mkv", [planes_frame([ramp], "gray")], codec="ffv1")
    np.testing.assert_array_equal(everything(path)[0], np.repeat(ramp[..., None], 3, -1))


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name"),
    [
        ("libx264", "yuv420p", "a.mp4"),
        ("libx265", "yuv420p10le", "a.mp4"),
        ("mpeg4", "yuv420p", "a.avi"),
        ("ffv1", "bgr0", "a.mkv"),
        ("libsvtav1", "yuv420p", "a.mp4"),
        ("libvpx-vp9", "yuv420p", "a.webm"),
    ],
)
def test_threads_and_chunks_change_no_bit(tmp_path: Path, codec: str, pix_fmt: str, name: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"preset": "10"} if codec == "libsvtav1" else {}
    path = write_video(tmp_path / name, scene(23, 96, 128), codec=codec, pix_fmt=pix_fmt, options=options)
    one = everything(path, threads=1)
    assert one.shape == (23, 96, 128, 3)
    for more in ({"threads": 2}, {"threads": 4}, {"chunk": 1}, {"chunk": 7}, {"chunk": 23}, {"chunk": 100}):
        np.testing.assert_array_equal(everything(path, **more), one)
    assert [len(part) for part in decode(probe(path), chunk=10)] == [10, 10, 3]


def test_presentation_order_with_b_frames(tmp_path: Path) -> None:
    frames = np.stack([np.full((48, 64, 3), 10 * i, np.uint8) for i in range(20)])
    path = write_video(tmp_path / "a.mp4", frames, options={"bf": "3", "crf": "5"})
    levels = everything(path).mean((1, 2, 3))
    assert np.abs(levels - 10 * np.arange(20)).max() < 3


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (1, 1), (2, 3)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_video(tmp_path / "a.mkv", noise(3, *size), codec="ffv1", pix_fmt="bgr0")
    np.testing.assert_array_equal(everything(path), noise(3, *size))
    if min(size) > 2:
        path = write_video(tmp_path / "a.mp4", scene(3, *size), pix_fmt="yuv444p", options={"crf": "5"})
        assert np.abs(everything(path).astype(int) - scene(3, *size)).max() < 12


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_rotation_as_opencv_shows_it(tmp_path: Path, angle: int) -> None:
    import cv2

    frames = scene(2, 48, 64)
    frames[:, :16, :16] = (250, 20, 20)
    path = write_video(tmp_path / "r.mp4", frames, rotation=angle, pix_fmt="yuv444p")
    reader = cv2.VideoCapture(str(path))
    ok, shown = reader.read()
    reader.release()
    assert ok
    ours = everything(path)[0]
    assert ours.shape == shown.shape
    assert np.abs(ours.astype(int) - shown[..., ::-1]).mean() < 2  # two ways to RGB; a wrong turn is far off
    assert np.abs(ours.astype(int) - np.rot90(shown[..., ::-1], 2)).mean() > 10


def test_mirrored_display_matrix(tmp_path: Path) -> None:
    frames = scene(2, 48, 64, seed=2)
    plain = everything(write_video(tmp_path / "a.mp4", frames))
    info = probe(write_video(tmp_path / "m.mp4", frames, mirror=True))
    assert (info.rotation, info.mirrored) == (0, True)
    np.testing.assert_array_equal(np.concatenate(list(decode(info))), plain[:, :, ::-1])


def test_odd_angle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        probe(write_video(tmp_path / "a.mp4", scene(2, 48, 64), rotation=30))
    assert caught.value.code == "rotation"


def test_crop_comes_after_rotation(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", scene(4, 48, 64), rotation=90)
    whole = everything(path)
    np.testing.assert_array_equal(everything(path, crop=Rect(5, 7, 20, 31)), whole[:, 7:38, 5:25])
    np.testing.assert_array_equal(everything(path, crop=Rect(0.5, 0, 0.5, 1, fractions=True)), whole[:, :, 24:])
    with pytest.raises(InputError, match="48x64"):
        decode(probe(path), crop=Rect(0, 0, 64, 48))


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name"), [("ffv1", "bgra", "a.mkv"), ("png", "rgba", "a.mov"), ("prores_ks", "yuva444p10le", "a.mov")]
)
def test_alpha_opaque_is_dropped_anything_else_refused(tmp_path: Path, codec: str, pix_fmt: str, name: str) -> None:
    frames, alpha = scene(3, 48, 64), np.full((3, 48, 64), 255, np.uint8)
    opaque = write_video(tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt, alpha=alpha)
    assert probe(opaque).has_alpha
    assert np.abs(everything(opaque).astype(int) - frames).max() <= (0 if codec != "prores_ks" else 12)
    alpha[2, 5, 6] = 0
    with pytest.raises(InputError) as caught:
        everything(write_video(tmp_path / f"t{name}", frames, codec=codec, pix_fmt=pix_fmt, alpha=alpha))
    assert caught.value.code == "alpha"
    assert "frame 2" in str(caught.value)
    assert "ffmpeg" in (caught.value.hint or "")


def test_webm_alpha_in_a_second_layer_is_refused(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.webm", scene(3, 48, 64), codec="libvpx-vp9", pix_fmt="yuva420p", alpha=np.full((3, 48, 64), 200, np.uint8)
    )
    info = probe(path)
    assert info.has_alpha
    with pytest.raises(InputError) as caught:
        list(decode(info))
    assert caught.value.code == "alpha"


def test_gif_pixels_and_transparency(tmp_path: Path) -> None:
    frames = np.repeat(noise(4, 20, 30)[..., :1], 3, -1)
    np.testing.assert_array_equal(everything(write_gif(tmp_path / "a.gif", frames, [80] * 4)), frames)
    with pytest.raises(InputError) as caught:
        everything(write_gif(tmp_path / "t.gif", frames, [80] * 4, transparent=True))
    assert caught.value.code == "alpha"


def test_gif_with_partial_pictures_is_composed_like_pillow_does(tmp_path: Path) -> None:
    from PIL import Image, ImageSequence

    frames = np.full((5, 40, 50, 3), 90, np.uint8)
    for i in range(5):
        frames[i, 4 * i : 4 * i + 8, 6 * i : 6 * i + 8] = 200  # only the moving square is stored after the first picture
    path = write_gif(tmp_path / "a.gif", frames, [80] * 5)
    with Image.open(path) as image:
        shown = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])
    np.testing.assert_array_equal(everything(path), shown)


def test_picture_that_changes_size_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        other: Any = av.CodecContext.create("mjpeg", "w")
        other.width, other.height, other.pix_fmt, other.time_base = 32, 48, "yuvj420p", Fraction(1, 25)
        for i, (encoder, width) in enumerate([(stream, 64), (stream, 64), (other, 32)]):
            frame = av.VideoFrame.from_ndarray(scene(1, 48, width)[0]).reformat(format="yuvj420p")
            frame.pts = i
            for packet in encoder.encode(frame):
                packet.stream = stream
                container.mux(packet)
    with pytest.raises(InputError) as caught:
        everything(path)
    assert caught.value.code == "size-change"
    assert "frame 2" in str(caught.value)


def test_folder_pixels_are_those_of_the_files(tmp_path: Path) -> None:
    frames = noise(5, 21, 34)
    folder = write_folder(tmp_path / "f", frames, [f"{i}.png" for i in range(8, 13)])
    np.testing.assert_array_equal(everything(folder, chunk=2), frames)
