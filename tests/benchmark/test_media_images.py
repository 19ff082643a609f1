"""Folders of numbered pictures: order, holes, and every kind of picture. Expected pixels are the arrays the pictures were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmark.errors import InputError
from benchmark.media import decode, probe
from benchmark.media.images import frame_folder
from tests.clips import cut, noise, scene, write_folder

FRAMES = noise(12, 10, 14)


def everything(folder: Path) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(folder))))


def refused(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        everything(folder)
    return caught.value


@pytest.mark.parametrize(
    "names",
    [
        [f"{i:04d}.png" for i in range(12)],
        [f"{i}.png" for i in range(1, 13)],  # 10 comes after 9, not after 1
        [f"TiktokDance_00337_{i:03d}.png" for i in range(40, 52)],
        [f"frame{i}_rgb.PNG" for i in range(0, 36, 3)],
    ],
)
def test_order_is_by_number(tmp_path: Path, names: list[str]) -> None:
    np.testing.assert_array_equal(everything(write_folder(tmp_path / "f", FRAMES, names)), FRAMES)


def test_steps_and_strangers_are_noted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", FRAMES[:4], ["0.png", "5.png", "10.png", "15.png"])
    for name in ("Thumbs.db", "notes.txt", ".DS_Store", "reference.png"):
        (folder / name).write_bytes(b"x")
    notes = " | ".join(probe(folder).notes)
    assert "steps of 5" in notes
    assert all(name in notes for name in ("Thumbs.db", "notes.txt", ".DS_Store", "reference.png"))
    assert frame_folder(folder).numbers == (0, 5, 10, 15)


@pytest.mark.parametrize(
    ("names", "code", "part"),
    [
        (["1.png", "2.png", "4.png", "7.png"], "hole", "missing: 3, 5, 6"),
        (["0.png", "2.png", "4.png", "8.png"], "hole", "missing: 6"),
        (["1.png", "01.png"], "duplicate-number", "01.png, 1.png"),
        (["1.png", "2.jpg"], "mixed-extensions", ".jpg, .png"),
        (["a_1.png", "b_2.png"], "mixed-names", "a_1.png, b_2.png"),
    ],
)
def test_names_that_make_no_clip(tmp_path: Path, names: list[str], code: str, part: str) -> None:
    error = refused(write_folder(tmp_path / "f", FRAMES[: len(names)], names))
    assert error.code == code
    assert part in str(error)


def test_folder_without_frames(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    error = refused(tmp_path)
    assert error.code == "no-frames"
    assert "notes.txt" in str(error)


def test_sizes_must_agree(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", FRAMES[:3], ["1.png", "2.png", "4.png"])
    Image.fromarray(scene(1, 11, 14)[0]).save(folder / "3.png")
    error = refused(folder)
    assert error.code == "size-change"
    assert "3.png" in str(error)
    assert "14x11" in str(error)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA"])
def test_other_png_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(scene(1, 10, 14)[0]).convert(mode)
    (tmp_path / "f").mkdir()
    image.save(tmp_path / "f" / "1.png")
    np.testing.assert_array_equal(everything(tmp_path / "f")[0], np.asarray(image.convert("RGB")))


def test_transparent_pixels_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    image = Image.fromarray(FRAMES[0]).convert("RGBA")
    image.putpixel((3, 4), (1, 2, 3, 254))
    image.save(folder / "1.png")
    error = refused(folder)
    assert error.code == "alpha"
    assert "1 of 140 pixels" in str(error)
    assert "ffmpeg" in str(error)
    palette = Image.fromarray(FRAMES[0]).convert("P")
    palette.save(folder / "1.png", transparency=palette.getpixel((0, 0)))
    assert refused(folder).code == "alpha"


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    import cv2

    for shape in ((10, 14), (10, 14, 3)):
        folder = tmp_path / str(len(shape))
        folder.mkdir()
        cv2.imwrite(str(folder / "1.png"), np.full(shape, 1000, np.uint16))
        error = refused(folder)
        assert error.code == "bit-depth"
        assert "16 bits" in str(error)


def test_cmyk_jpeg_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    Image.fromarray(FRAMES[0]).convert("CMYK").save(tmp_path / "f" / "1.jpg")
    error = refused(tmp_path / "f")
    assert error.code == "colour"
    assert "CMYK" in str(error)


def test_animated_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    Image.fromarray(FRAMES[0]).save(tmp_path / "f" / "1.png", save_all=True, append_images=[Image.fromarray(FRAMES[1])])
    assert refused(tmp_path / "f").code == "animated"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_jpeg_as_opencv_shows_it(tmp_path: Path, orientation: int) -> None:
    import cv2

    folder = tmp_path / "f"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(scene(1, 32, 48)[0]).save(folder / "1.jpg", quality=95, subsampling=0, exif=exif)
    shown = cv2.imread(str(folder / "1.jpg"))
    assert shown is not None
    ours = everything(folder)[0]
    assert ours.shape == shown.shape
    assert np.abs(ours.astype(int) - shown[..., ::-1]).max() <= 2  # two builds of libjpeg-turbo


def test_grey_jpeg(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    Image.fromarray(np.full((16, 16), 77, np.uint8)).save(tmp_path / "f" / "1.jpeg")
    assert (everything(tmp_path / "f") == 77).all()


@pytest.mark.parametrize("name", ["2.png", "2.jpg"])
def test_cut_pictures_are_named(tmp_path: Path, name: str) -> None:
    suffix = Path(name).suffix
    folder = write_folder(tmp_path / "f", noise(3, 40, 50), [f"{i}{suffix}" for i in (1, 2, 3)])
    cut(folder / name, folder / name, (folder / name).stat().st_size * 2 // 3)
    error = refused(folder)
    assert error.code == "truncated"
    assert name in str(error)


def test_empty_and_false_pictures_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", FRAMES[:2], ["1.png", "2.png"])
    (folder / "2.png").write_bytes(b"")
    assert (refused(folder).code, Path(refused(folder).path or "").name) == ("empty-file", "2.png")
    (folder / "2.png").write_text("not a picture")
    assert refused(folder).code == "not-an-image"
    Image.fromarray(FRAMES[0]).save(folder / "2.png", format="BMP")
    assert refused(folder).code == "not-an-image"


def test_picture_removed_after_probing(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", FRAMES[:2], ["1.png", "2.png"])
    info = probe(folder)
    (folder / "2.png").unlink()
    with pytest.raises(InputError) as caught:
        list(decode(info))
    assert caught.value.code == "absent"
