"""A page's clock: sound begins with its picture, no curve lies beyond the clock, a picture shown longer keeps its marks, what differs is said."""

from __future__ import annotations

import json
import wave
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import benchmark
from benchmark.errors import InputError
from benchmark.mosaic import write_sound
from benchmark.record import load
from reports import _page_marks
from reports._page import STAMP, build
from reports._page_clip import clock
from reports._page_data import Run, series
from tests.clips import write_video
from tests.make import movie, write
from tests.reports.test_page import handed, numbers

RATE = 16000


def heard(path: Path) -> Any:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_sound_begins_with_its_first_picture(tmp_path: Path) -> None:
    """Frame 0 of the output belongs to frame 5 of the truth: at 10 frames a second 0.5 s of silence, 8,000 samples, then its tone from the beginning."""
    for name in ("truth", "same", "late"):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "one.mkv", movie(1, 30)[5 * (name == "late") :], rate=10, audio=True)
    benchmark.run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={name: tmp_path / name for name in ("same", "late")},
        offset={"late": 5},
        protocols=["disco-2023"],
        metrics=["l1@unit"],
        out=tmp_path / "run",
    )
    record = load(tmp_path / "run")
    build([record], tmp_path / "page")
    clip = handed(tmp_path / "page/data/0/00000.js", "clip")
    late, silent = heard(tmp_path / "page" / clip["sounds"]["late"]), RATE // 2
    assert clip["first"] == 0
    assert not late[:silent].any()
    assert np.abs(late[silent : silent + RATE // 10].astype(int)).max() > 1000
    assert len(late) == round(clip["steps"] / clip["fps"] * RATE)


def test_sound_before_its_time_is_silence_and_so_is_what_it_lacks(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mkv", movie(1, 10), rate=10, audio=True)
    write_sound(tmp_path / "one.mkv", Fraction(0), Fraction(1, 2), tmp_path / "whole.wav")
    write_sound(tmp_path / "one.mkv", Fraction(-1, 4), Fraction(3), tmp_path / "late.wav")
    whole, late = heard(tmp_path / "whole.wav"), heard(tmp_path / "late.wav")
    assert (len(whole), len(late)) == (RATE // 2, 3 * RATE)
    assert not late[: RATE // 4].any()
    np.testing.assert_array_equal(late[RATE // 4 : RATE // 4 + len(whole)], whole)
    assert not late[2 * RATE :].any()


@pytest.fixture
def two_views(tmp_path: Path) -> Run:
    """strict-1 leaves out the reference, frame 0; disco-2023 keeps it."""
    for name in ("truth", "a"):
        write(tmp_path / name / "one.mkv", movie(2 if name == "a" else 1))
    benchmark.run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={"a": tmp_path / "a"},
        reference_frame={"a": 0},
        protocols=["strict-1", "disco-2023"],
        metrics=["l1@unit"],
        out=tmp_path / "run",
    )
    return Run(load(tmp_path / "run"), 0)


def test_no_curve_lies_beyond_the_clock(two_views: Run, tmp_path: Path) -> None:
    by = series(two_views)["one"]
    assert {len(found.values) for found in by.values()} == {23, 24}
    time = clock(two_views, "one", by)
    assert time is not None
    assert (time.first, time.steps) == (0, 24)
    np.testing.assert_array_equal(time.shown["a"], np.arange(24))
    for found in by.values():
        at = time.at(found, two_views.units["a", "one"])
        assert at.min() >= 0
        assert at.max() < time.steps


def test_a_protocol_that_compared_other_frames_is_named(tmp_path: Path) -> None:
    """Truth 24 frames at 20 a second, output 12 at 10: retimed, output frame floor(k / 2) stands at step k; DisCo's rule compares k with k, of 12 steps."""
    write(tmp_path / "truth" / "one.mkv", movie(1, 24), 20)
    write(tmp_path / "half" / "one.mkv", movie(1, 24)[::2], 10)
    benchmark.run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={"half": tmp_path / "half"},
        protocols=["strict-1", "strict-1-retime", "disco-2023"],
        metrics=["l1@unit"],
        out=tmp_path / "run",
    )
    build([load(tmp_path / "run")], tmp_path / "page")
    clip = handed(tmp_path / "page/data/0/00000.js", "clip")
    assert [k // 2 for k in range(20)] == [round(k) for k in numbers(clip["frames"]["half"])[:20]]
    assert clip["notes"] == ["half: disco-2023 compared other frames than the pictures show together"]


def test_a_picture_that_is_shown_longer_keeps_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A point at x = row / 100 of each frame. `slow` shows each frame for two steps, so step k has row floor(k / 2); past 60 s nothing is lost before."""
    write(tmp_path / "slow" / "one.mkv", movie(1, 20), 10)
    write(tmp_path / "fast" / "one.mkv", movie(2, 40), 20)
    benchmark.run(suite="fantasytalking", outputs={m: tmp_path / m for m in ("slow", "fast")}, metrics=["iqa@niqe"], out=tmp_path / "run")
    run = Run(load(tmp_path / "run"), 0)
    time = clock(run, "one", series(run).get("one", {}))
    assert time is not None
    rows = {"slow": 20, "fast": 40}
    for method in rows:
        entry = run.units[method, "one"]
        entry["features"] = {view: {"points": {"generated": method}} for view in entry["views"]}

    class Fake:
        def __init__(self, _: Path) -> None:
            pass

        def has(self, _: str) -> bool:
            return True

        def load(self, key: str) -> Any:
            return np.arange(rows[key])

    drawn = SimpleNamespace(points=lambda r: np.repeat(r[:, None, None], 2, axis=2).astype(float), lines=())
    known = SimpleNamespace(extractors={"points": SimpleNamespace(item=SimpleNamespace(marks=drawn))})
    monkeypatch.setattr(_page_marks, "Shards", Fake)
    monkeypatch.setattr(_page_marks, "registry", lambda: known)
    found = _page_marks.marks(run, "one", series(run).get("one", {}), time)["points"]
    for method, each in (("slow", 2), ("fast", 1)):
        at = numbers(found["of"][method]).reshape(40, 2)[:, 0] * 64  # clips are 64 pixels wide
        np.testing.assert_allclose(at, [k // each for k in range(40)], rtol=1e-6)


@pytest.mark.parametrize("stamp", ['{"dependencies": {}}', "[]", "not JSON", None])
def test_a_folder_with_another_programs_page_json_is_left_alone(tmp_path: Path, two_views: Run, stamp: str | None) -> None:
    folder = tmp_path / "site"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "mine.txt").write_text("mine")
    if stamp is not None:
        (folder / STAMP).write_text(stamp)
    with pytest.raises(InputError, match="something else"):
        build([two_views.record], folder)
    assert (folder / "data" / "mine.txt").read_text() == "mine"


def test_a_page_may_be_made_again(tmp_path: Path, two_views: Run) -> None:
    for _ in range(2):
        build([two_views.record], tmp_path / "page", videos=0)
    assert json.loads((tmp_path / "page" / STAMP).read_text())["made by"] == "human-video-benchmark"


def test_what_is_not_shown_of_a_long_clip_and_a_rate_that_is_not_known_are_said(tmp_path: Path) -> None:
    """70 s at 2 frames a second: 120 of 140 frames in 60 s. A folder of pictures has no rate."""
    for name in ("truth", "a"):
        write(tmp_path / name / "long.mkv", movie(1, 140, 16, 16), 2)
        folder = tmp_path / name / "pictures"
        folder.mkdir()
        for k, picture in enumerate(movie(2, 4)):
            Image.fromarray(picture).save(folder / f"{k:04d}.png")
    benchmark.run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={"a": tmp_path / "a"},
        protocols=["disco-2023"],
        metrics=["l1@unit"],
        out=tmp_path / "run",
    )
    build([load(tmp_path / "run")], tmp_path / "page", videos=0)
    long, pictures = (handed(tmp_path / f"page/data/0/{k:05d}.js", "clip") for k in range(2))
    assert "the first 60 seconds are shown: 120 of 140 frames" in long["notes"]
    assert (long["guessed"], pictures["guessed"]) == (False, True)
    assert not any("seconds" in note for note in pictures["notes"])
