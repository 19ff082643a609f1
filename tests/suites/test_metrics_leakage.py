"""Leakage: closed forms, and whole runs of clips that open with their reference picture, of ones that do not, and of ones whose reference is unknown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmark.api import run
from benchmark.errors import Unscored
from benchmark.explain import explain
from benchmark.media import decode, encode, probe
from benchmark.registry import registry
from benchmark.resize import bicubic
from benchmark.rows import OpeningVariant
from suites.metrics.leakage import NEAR
from tests.make import Study, entry, movie, row, study, worse, write

NAMES = ["leakage@rmse0", "leakage@step0", "leakage@near30"]
RNG = np.random.default_rng(6)


def score(name: str, opening: NDArray[Any], reference: NDArray[Any]) -> float:
    variant = registry().variant(name)[1]
    assert isinstance(variant, OpeningVariant)
    return variant.score(opening, reference)


def test_closed_forms() -> None:
    """First frame 3 levels off, second 10: 3, 7, and 38.6 dB is near; exactly 30 dB is near, a little less is not."""
    reference = RNG.integers(20, 200, (8, 9, 3)).astype(np.uint8)
    opening = np.stack([reference + 3, reference - 10]).astype(np.uint8)
    assert score("leakage@rmse0", opening, reference) == pytest.approx(3, rel=1e-12)
    assert score("leakage@step0", opening, reference) == pytest.approx(7, rel=1e-12)
    assert score("leakage@near30", opening, reference) == 1
    assert score("leakage@near30", opening[::-1], reference) == 0  # 28.1 dB
    assert score("leakage@rmse0", reference[None], reference) == 0
    edge = 255 / 10 ** (NEAR / 20)
    for by, expected in ((edge * 0.9999, 1), (edge * 1.0001, 0)):
        assert score("leakage@near30", (reference + by).astype(np.float32)[None], reference.astype(np.float32)) == expected
    with pytest.raises(Unscored) as error:
        score("leakage@step0", opening[:1], reference)
    assert error.value.reason == "too-short"


@pytest.fixture
def two(tmp_path: Path) -> Study:
    """Method a: noise of 2 levels on the truth; b: 4."""
    return study(tmp_path / "study", cases=("one", "two"), methods=("a", "b"))


def words(two: Study, **more: Any) -> dict[str, Any]:
    given = {
        "suite": "tiktok",
        "truth": two.root / "truth",
        "outputs": {m: two.root / m for m in ("a", "b")},
        "metrics": [*NAMES, "psnr@float"],
    }
    return given | more


def frames_of(two: Study, side: str, case: str) -> NDArray[np.float64]:
    return np.concatenate(list(decode(probe(two.root / side / f"{case}.mkv")))).astype(np.float64)


def rms(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.sqrt(((a - b) ** 2).mean()))


@pytest.mark.parametrize("reference", [0, 5])
def test_against_the_truths_frame(reference: int, two: Study, tmp_path: Path) -> None:
    """The clip's own first frame, whatever is compared: the reference frame itself is left out of the paired metrics. One frame is counted, not 24."""
    run(**words(two, reference_frame={"*": reference}), out=tmp_path / "run")
    for method in ("a", "b"):
        pairs = [(frames_of(two, method, case), frames_of(two, "truth", case)[reference]) for case in ("one", "two")]
        found = row(tmp_path / "run", method, "leakage@rmse0")
        assert found["value"] == pytest.approx(np.mean([rms(clip[0], truth) for clip, truth in pairs]), rel=1e-12)
        assert (found["n_clips"], found["n_frames"]) == (2, 2)
        stepped = np.mean([rms(clip[1], truth) - rms(clip[0], truth) for clip, truth in pairs])
        assert row(tmp_path / "run", method, "leakage@step0")["value"] == pytest.approx(stepped, rel=1e-9)
    assert row(tmp_path / "run", "a", "leakage@near30")["value"] == (
        1 if reference == 0 else np.mean([rms(c[0], t) <= 8.0638 for c, t in pairs])
    )
    assert entry(tmp_path / "run", "a", "one")["values"]


def test_a_method_says_its_own_reference(two: Study, tmp_path: Path) -> None:
    run(**words(two, reference_frame={"a": 0, "b": 7}), out=tmp_path / "run")
    for method, frame in (("a", 0), ("b", 7)):
        expected = np.mean([rms(frames_of(two, method, case)[0], frames_of(two, "truth", case)[frame]) for case in ("one", "two")])
        assert row(tmp_path / "run", method, "leakage@rmse0")["value"] == pytest.approx(expected, rel=1e-12)


def test_without_a_known_reference(two: Study, tmp_path: Path) -> None:
    run(**words(two), out=tmp_path / "run")
    for name in NAMES:
        found = row(tmp_path / "run", "a", name)
        assert (found["value"], found["reason"]) == (None, "no-reference")
        assert entry(tmp_path / "run", "a", "one")["values"][next(iter(entry(tmp_path / "run", "a", "one")["values"]))][name]["detail"]
    assert row(tmp_path / "run", "a", "psnr@float")["value"] is not None


def test_an_inset_is_not_left_out(two: Study, tmp_path: Path) -> None:
    run(**words(two, reference_frame={"*": 0}, ignore={"a": "0,0,8,8"}), out=tmp_path / "run")
    assert row(tmp_path / "run", "a", "leakage@rmse0")["reason"] == "ignore-unsupported"
    assert row(tmp_path / "run", "b", "leakage@rmse0")["value"] is not None


def cases(root: Path, picture: NDArray[np.uint8], truth: bool, *methods: str) -> dict[str, Any]:
    """The arguments of a run on a cases.toml with one case: a reference picture, with or without a truth."""
    Image.fromarray(picture).save(root / "ref.png")
    lines = ["format = 1", 'suite = "tiktok"', "[[case]]", 'id = "one"', 'reference = "ref.png"']
    lines += ['truth.path = "truth/one.mkv"'] if truth else []
    lines += [f'outputs.{method}.path = "{method}/one.mkv"' for method in methods]
    (root / "cases.toml").write_text("\n".join(lines) + "\n")
    return {"cases_file": root / "cases.toml", "metrics": NAMES}


@pytest.mark.parametrize("truth", [True, False])
def test_against_the_cases_picture(truth: bool, tmp_path: Path) -> None:
    """A picture of twice the size; one method hands it back and goes on with something else, another makes its own first frame."""
    frames = movie(3)
    large = np.asarray(Image.fromarray(frames[0]).resize((128, 128)))
    small = bicubic(large[None], 64, 64)[0]
    write(tmp_path / "truth" / "one.mkv", frames)
    other = worse(movie(5), 2)
    write(tmp_path / "leaks" / "one.mkv", np.concatenate([np.rint(small).astype(np.uint8)[None], other[1:]]))
    write(tmp_path / "makes" / "one.mkv", other)
    run(**cases(tmp_path, large, truth, "leaks", "makes"), out=tmp_path / "run")
    leaks, makes = ([row(tmp_path / "run", name, metric)["value"] for metric in NAMES] for name in ("leaks", "makes"))
    start, second = rms(other[0].astype(float), small), rms(other[1].astype(float), small)
    rounded = rms(np.rint(small), small)
    assert leaks == pytest.approx([rounded, second - rounded, 1], rel=1e-6)
    assert makes == pytest.approx([start, second - start, 0], rel=1e-6)
    assert rounded < 0.5 < start


def test_a_methods_own_frame_comes_before_the_cases_picture(tmp_path: Path) -> None:
    """The case has a black picture, and one method says that it was given the truth's frame 3 instead."""
    frames = movie(3)
    for name in ("truth", "a", "b"):
        write(tmp_path / name / "one.mkv", frames)
    given = cases(tmp_path, np.zeros((64, 64, 3), np.uint8), True, "a", "b")
    text = given["cases_file"].read_text()
    given["cases_file"].write_text(text + "outputs.a.reference_frame = 3\n")
    run(**given, out=tmp_path / "run")
    expected = rms(frames[0].astype(float), frames[3].astype(float)), rms(frames[0].astype(float), np.zeros(frames.shape[1:]))
    assert [row(tmp_path / "run", name, "leakage@rmse0")["value"] for name in ("a", "b")] == pytest.approx(expected, rel=1e-12)


def test_a_picture_of_another_shape(tmp_path: Path) -> None:
    """One of the two was cropped: nothing says which part belongs where."""
    frames = movie(3)
    write(tmp_path / "truth" / "one.mkv", frames)
    write(tmp_path / "a" / "one.mkv", frames)
    run(**cases(tmp_path, np.zeros((64, 96, 3), np.uint8), True, "a"), out=tmp_path / "run")
    found = row(tmp_path / "run", "a", "leakage@rmse0")
    assert found["reason"] == "reference-aspect"
    text = str(entry(tmp_path / "run", "a", "one"))
    assert "64x64" in text
    assert "96x64" in text


def test_a_copy_through_a_codec_is_near(tmp_path: Path) -> None:
    """What `near30` rests on: a drawn person's first frame through H.264 is near, the frame after next is not."""
    from dataclasses import replace

    from suites.embedded import tiktok

    frames = tiktok.draw(1, replace(tiktok.SIZE, frames=6)).frames
    path = tmp_path / "x.mp4"
    encode(path, [frames], Fraction(15), codec="h264")
    copied = next(iter(decode(probe(path))))
    assert score("leakage@near30", copied[:2], frames[0]) == 1
    assert score("leakage@near30", frames[3:5], frames[0]) == 0
    assert "read it with step0" in explain("leakage@near30")
