"""A study's folder: blind, alike, offline, the same each time; and what is refused.

Expected: what the clips were made of (tests.people), counted and probed back with PyAV.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from benchmark.api import run
from tests.clips import write_video
from tests.make import call, movie, told, worse, write
from tests.people import key_of, page_of, record, score, uneven


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    record(root, ("methodx", "methody"), ("one", "two"))
    return root


def make(capfd: pytest.CaptureFixture[str], run: Path, out: Path, *words: object) -> str:
    said = call(capfd, "study", "make", run, "--out", out, "--size", 32, *words)
    assert said.code == 0, said.err
    return said.out + said.err


def test_raters_cannot_tell_the_method(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No file of the page holds a name of a method, a case or the run's folder; all dates are one; the key lies outside."""
    make(capfd, root / "run", tmp_path / "s", "--with-truth")
    files = [path for path in (tmp_path / "s" / "page").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"index.html", "page.js", "style.css", "study.js"}
    for path in files:
        data = path.read_bytes()
        if path.name not in ("index.html", "page.js", "style.css"):
            for word in (b"methodx", b"methody", b"truth", str(root).encode(), b"Lavf"):
                assert word not in data, (path.name, word)
    assert len({path.stat().st_mtime for path in files}) == 1
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"page", "key.json"}
    assert set(page_of(tmp_path / "s")) == {"study", "format", "version", "kind", "title", "sound", "dimensions", "items", "raters"}


def test_clips_are_alike_in_all_but_the_picture(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Sources differ in size, shape, rate, codec and bytes (tests.people.uneven). Every copy: the first method's shape at a shorter side of 32, the faster
    rate, as many pictures, one size in bytes, no metadata."""
    assert "methods differ in the shape" not in make(capfd, uneven(tmp_path), tmp_path / "s")
    facts = set()
    for path in sorted((tmp_path / "s" / "page" / "clips").iterdir()):
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            pictures = sum(1 for _ in container.decode(video=0))
            tags = tuple(sorted({**container.metadata, **video.metadata}.items()))
            facts.add(
                (
                    path.stat().st_size,
                    len(container.streams),
                    video.width,
                    video.height,
                    video.average_rate,
                    pictures,
                    video.codec.name,
                    tags,
                )
            )
    assert len(facts) == 1, facts
    (one,) = facts
    assert one[1:7] == (1, 42, 32, 25, 20, "h264")


def test_a_clip_still_shows_what_its_method_made(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Decoded again, the nearest of all sources is its own: the key is right. Noise of +-60 levels against none survives H.264."""
    for i, case in enumerate(("one", "two")):
        truth = movie(i, 8, 64, 64)
        for name, frames in (("truth", truth), ("dark", truth // 2), ("plain", worse(truth, 2))):
            write(tmp_path / name / f"{case}.mkv", frames)
    make(capfd, score(tmp_path, ("dark", "plain")), tmp_path / "s", "--size", 64)
    key = key_of(tmp_path / "s")
    means = {}
    for name, facts in key["clips"].items():
        with av.open(str(tmp_path / "s" / "page" / "clips" / f"{name}.mp4")) as container:
            pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        means[facts["method"], facts["case"], facts["degraded"]] = pictures.astype(float)
    for case in ("one", "two"):
        dark, plain = means["dark", case, False].mean(), means["plain", case, False].mean()
        assert dark == pytest.approx(plain / 2, abs=4)
    degraded = [pictures for (_, _, bad), pictures in means.items() if bad]
    assert degraded
    for pictures in degraded:
        # it stands still for 8 pictures, up to what a codec does
        assert (
            np.abs(pictures[7] - pictures[0]).mean() < np.abs(means["plain", "one", False][7] - means["plain", "one", False][0]).mean() / 3
        )


@pytest.mark.parametrize("kind", ["rating", "pairs"])
def test_what_raters_see_is_balanced(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str) -> None:
    """2 methods and the truth on 2 clips: 6 cells of either kind, 12 raters with 3 each: each cell 6 times; checks apart."""
    make(capfd, root / "run", tmp_path / "s", "--kind", kind, "--with-truth", "--raters", 12, "--per-rater", 3, "--attention", 2)
    key = key_of(tmp_path / "s")
    seen: Counter[tuple[str, ...]] = Counter()
    lefts: Counter[str] = Counter()
    for shown in key["raters"]:
        items = [key["items"][name] for name in shown]
        assert Counter(item["role"] for item in items) == {"main": 3, "degraded": 1, "repeat": 1}
        for name, item in zip(shown, items, strict=True):
            clips = [key["clips"][clip] for clip in item["clips"]]
            if item["role"] == "main":
                seen[(clips[0]["case"], *sorted(clip["method"] for clip in clips))] += 1
                if kind == "pairs":
                    lefts[clips[0]["method"]] += 1
                    lefts[clips[1]["method"]] -= 1
            else:
                assert shown.index(item["of"]) < shown.index(name)
    assert len(seen) == 6
    assert set(seen.values()) == {6}
    assert all(abs(lead) <= 2 for lead in lefts.values())


def test_the_same_command_gives_the_same_bytes(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        make(capfd, root / "run", tmp_path / name, "--size", 64, "--clips", 1, "--seed", 1 if name == "c" else 0)

    def files(name: str) -> dict[str, bytes]:
        return {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}

    assert files("a") == files("b")
    assert key_of(tmp_path / "a")["study"] != key_of(tmp_path / "c")["study"]


def test_sound_is_kept_alike_and_asked_about(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("truth", "a", "b"):
        (tmp_path / name).mkdir()
        for case in ("one", "two"):
            write_video(tmp_path / name / f"{case}.mp4", movie(1, 20, 64, 64), audio=not (name == "b" and case == "two"))
    run = score(tmp_path, ("a", "b"))
    text = make(capfd, run, tmp_path / "s")
    assert "without sound: two" in text
    page = page_of(tmp_path / "s")
    assert page["sound"] is True
    assert [d["name"] for d in page["dimensions"]] == ["motion", "quality"]
    key = key_of(tmp_path / "s")
    for name, facts in key["clips"].items():
        with av.open(str(tmp_path / "s" / "page" / "clips" / f"{name}.mp4")) as container:
            assert len(container.streams.audio) == (facts["case"] == "one"), facts
    said = call(capfd, "study", "make", run, "--out", tmp_path / "t", "--dimension", "lip-sync")
    assert said.code == 2
    assert "cannot be heard" in said.err
    assert not (tmp_path / "t" / "page").exists()


def test_shapes_that_differ_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Raters would know a method by the shape of its picture; on grey, not stretched: the square clip keeps grey margins of a quarter on each side of 2 : 1."""
    write(tmp_path / "truth" / "one.mkv", movie(0, 16, 32, 64))
    write(tmp_path / "wide" / "one.mkv", movie(0, 16, 32, 64))
    write(tmp_path / "square" / "one.mkv", movie(0, 16, 64, 64))
    run(
        suite="tiktok",
        outputs={"wide": tmp_path / "wide", "square": tmp_path / "square"},
        truth=tmp_path / "truth",
        metrics=["l1@disco"],
        protocols=["disco-2024"],
        out=tmp_path / "run",
    )
    assert "which raters can see: one" in make(capfd, tmp_path / "run", tmp_path / "s", "--size", 64, "--attention", 0)
    for name, facts in key_of(tmp_path / "s")["clips"].items():
        with av.open(str(tmp_path / "s" / "page" / "clips" / f"{name}.mp4")) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
        assert picture.shape == (64, 128, 3)
        margins = np.concatenate([picture[:, :28], picture[:, -28:]], 1)
        assert (np.abs(margins - 128).max() < 12) == (facts["method"] == "square")


def test_copies_keep_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("truth", "a", "b"):
        write(tmp_path / name / "one.mp4", movie(2, 16, 32, 32))
    text = make(capfd, score(tmp_path, ("a", "b")), tmp_path / "s", "--copy", "--attention", 0)
    assert "can tell its method" in text
    key = key_of(tmp_path / "s")
    assert {facts["sha256"] for facts in key["clips"].values()} == {key["clips"][name]["sha256"] for name in key["clips"]}
    for name, facts in key["clips"].items():
        assert (tmp_path / "s" / "page" / "clips" / f"{name}.mp4").read_bytes() == (tmp_path / facts["method"] / "one.mp4").read_bytes()


def test_hostile_words_stay_text(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    title = "</script><script>alert(1)</script>"
    make(capfd, root / "run", tmp_path / "s", "--clips", 1, "--title", title, "--dimension", "x=<b>&\u2028?")
    text = (tmp_path / "s" / "page" / "study.js").read_text(encoding="utf-8")
    assert "</script" not in text
    assert text.isascii()
    assert page_of(tmp_path / "s")["title"] == title


@pytest.mark.parametrize(
    ("words", "needles"),
    [
        (["--methods", "nobody"], ["found:    nobody", "expected: methodx, methody"]),
        (["--methods", "methodx"], ["two methods", "--with-truth"]),
        (["--clips", "3"], ["found:    3", "at most 2"]),
        (["--dimension", "lips"], ["has no question", "lips=question"]),
        (["--dimension", "a=b?", "--dimension", "a=c?"], ["names one twice"]),
        (["--raters", "0"], ["--raters", "at least 1"]),
        (["--copy"], ["cannot be copied as it is", ".mkv"]),
    ],
)
def test_what_is_refused(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], needles: list[str]) -> None:
    said = call(capfd, "study", "make", root / "run", "--out", tmp_path / "s", *words)
    assert said.code == 2
    for needle in needles:
        assert needle in said.err
    assert not (tmp_path / "s" / "page").exists()
    assert not list(tmp_path.rglob(".page*"))


def test_changed_and_lost_clips_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, ("a", "b"), ("one",))
    write(tmp_path / "a" / "one.mkv", movie(5, 12))
    said = call(capfd, "study", "make", run, "--out", tmp_path / "s")
    assert said.code == 2
    told(said.err, "not the one that was scored", "one.mkv")
    (tmp_path / "a" / "one.mkv").unlink()
    said = call(capfd, "study", "make", run, "--out", tmp_path / "s")
    assert "not there any more" in said.err
    assert call(capfd, "study", "make", tmp_path / "a", "--out", tmp_path / "s").code == 2


def test_clips_that_a_run_made_are_found_in_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Their paths are relative to the run's folder, wherever it lies now."""
    write(tmp_path / "truth" / "one.mkv", movie(0, 20))
    run(suite="tiktok", truth=tmp_path / "truth", adapters=["reencode", "flicker"], metrics=["l1@unit"], out=tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "moved")
    make(capfd, tmp_path / "moved", tmp_path / "s")
    assert key_of(tmp_path / "s")["methods"] == ["reencode", "flicker"]


def test_a_study_is_not_written_over(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "key.json").write_text(json.dumps({}))
    said = call(capfd, "study", "make", root / "run", "--out", tmp_path / "s")
    assert said.code == 2
    assert "there is a study already" in said.err
    shutil.rmtree(tmp_path / "s")
