"""A page as files: what stands in it equals the record, byte for byte the same twice, and nothing of this machine or of a hostile name gets through."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark.errors import InputError
from benchmark.mosaic import Strip, layout, write_mosaic
from benchmark.record import load
from reports._escape import without_folders
from reports._page import build, picked
from reports._page_clip import clock
from reports._page_data import Run, packed, script, series
from reports._page_index import counted
from reports._page_svg import shorter, tick_text, ticks
from tests.make import call, movie, study, write


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods, two clips, two metrics; the second method's clips begin one frame later."""
    made = study(tmp_path_factory.mktemp("page"), methods=("a", "b"), cases=("one", "two"))
    for number, case in enumerate(made.cases):
        write(made.root / "b" / f"{case}.mkv", movie(number)[1:])
    benchmark.run(
        suite="tiktok",
        truth=made.root / "truth",
        outputs={"a": made.root / "a", "b": made.root / "b"},
        offset={"b": 1},
        metrics=["l1@unit", "psnr@cap100"],
        out=made.root / "run",
    )
    return made.root / "run"


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "page"
    build([load(run)], folder)
    return folder


def handed(path: Path, call: str) -> Any:
    """The JSON that a data script hands over."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"HVB.{call}(")
    return json.loads(text.removeprefix(f"HVB.{call}(").removesuffix(");\n"))


def unpacked(text: str, kind: str = "<f4") -> Any:
    return np.frombuffer(base64.b64decode(text), kind)


def numbers(axis: Any) -> Any:
    """[first, count], or base64."""
    return unpacked(axis) if isinstance(axis, str) else np.arange(axis[1]) + axis[0]


def test_curves_are_the_records_values(run: Path, page: Path) -> None:
    """Expected: values.parquet, read as a whole by pandas, in float32."""
    record = load(run)
    table = record.values().to_pandas()
    index = handed(page / "data/index.js", "index")["runs"][0]
    seen = 0
    for place, case in enumerate(index["cases"]):
        clip = handed(page / f"data/0/{place:05d}.js", "clip")
        assert clip["case"] == case
        for column, method, axis, values in clip["curves"]:
            facts = index["columns"][column]
            rows = table[
                (table.case == case)
                & (table.adapter == index["methods"][method])
                & (table.metric == facts["name"])
                & (table.view == record.view_of(facts["protocol"]))
            ]
            np.testing.assert_array_equal(unpacked(values), rows.value.to_numpy(np.float32))
            np.testing.assert_array_equal(numbers(axis), rows.frame.to_numpy() - clip["first"])
            seen += 1
    assert seen == len(table.groupby(["case", "adapter", "metric", "view"], observed=True))


def test_clip_values_and_pictures_agree_with_the_journal(run: Path, page: Path) -> None:
    record = load(run)
    index = handed(page / "data/index.js", "index")["runs"][0]
    values = unpacked(index["values"]).reshape(len(index["columns"]), len(index["methods"]), len(index["cases"]))
    for k, column in enumerate(index["columns"]):
        for m, method in enumerate(index["methods"]):
            expected = record.clip_values(method, column["protocol"], column["name"])
            np.testing.assert_array_equal(values[k, m], np.array([expected[c] for c in index["cases"]], np.float32))


def test_frames_shown_together_are_those_compared(run: Path, page: Path) -> None:
    """Frame i of b belongs to frame i + 1 of the truth: the offset the run was made with. Truth frame 0 has no frame of b."""
    clip = handed(page / "data/0/00000.js", "clip")
    first, n = clip["frames"]["truth"]
    assert (clip["first"], first) == (0, 0)
    assert clip["frames"]["a"] == [0, n]
    np.testing.assert_array_equal(numbers(clip["frames"]["b"]), [-1, *range(int(n) - 1)])


def test_the_same_record_gives_the_same_bytes(run: Path, page: Path, tmp_path: Path) -> None:
    build([load(run)], tmp_path / "again")
    files = sorted(p.relative_to(page) for p in page.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert [name for name in files if (page / name).read_bytes() != (tmp_path / "again" / name).read_bytes()] == []
    assert any(name.suffix == ".mp4" for name in files)


def test_no_folder_of_this_machine_and_no_other_host_is_named(run: Path, page: Path) -> None:
    for path in page.rglob("*"):
        if path.suffix in (".html", ".js", ".css", ".json"):
            text = path.read_text(encoding="utf-8")
            assert str(run.parent) not in text, path
            assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text), path


def test_a_mosaic_shows_each_clip_in_its_box(tmp_path: Path) -> None:
    """Flat clips of known grey levels, read back from the boxes: H.264 keeps a flat level within 3. An absent frame is grey 118."""
    levels = {"x": 40, "y": 160, "z": 220}
    for name, level in levels.items():
        write(tmp_path / f"{name}.mkv", np.full((4, 32, 48, 3), level, np.uint8))
    strips = [Strip(tmp_path / f"{name}.mkv", frames) for name, frames in zip(levels, ([0, 1, 2], [-1, 0, 0], [1, 2, 3]), strict=True)]
    boxes = write_mosaic(strips, tmp_path / "m.mp4", benchmark.media.probe(tmp_path / "x.mkv").fps, side=64)
    shown = np.concatenate(list(benchmark.media.decode(benchmark.media.probe(tmp_path / "m.mp4"))))
    assert len(shown) == 3
    for name, (x, y, w, h) in zip(levels, boxes, strict=True):
        for step in range(3):
            level = 118 if name == "y" and step == 0 else levels[name]
            assert np.abs(shown[step, y + 4 : y + h - 4, x + 4 : x + w - 4].astype(int) - level).max() <= 3


def test_boxes_never_overlap_and_stay_in_what_decoders_take() -> None:
    for count in (1, 2, 5, 21, 120):
        boxes, (width, height) = layout([(640 if k % 2 else 480, 480) for k in range(count)], 360)
        taken = np.zeros((height, width), np.uint8)
        for x, y, w, h in boxes:
            assert x % 2 == y % 2 == w % 2 == h % 2 == 0
            taken[y : y + h, x : x + w] += 1
        assert taken.max() == 1
        assert max(width, height) <= 3840


def test_clips_behind_values_are_told_for_all_methods() -> None:
    """By hand: methods of 4 to 8 clips must not be told as 4."""
    assert counted([8, 4, 7]) == "4 to 8"
    assert counted([10, 10]) == "10"


def test_round_ticks() -> None:
    """By hand."""
    assert ticks(15.2, 24.9, 5) == [16, 18, 20, 22, 24]
    assert ticks(0, 1, 4) == pytest.approx([0, 0.5, 1])
    assert ticks(2, 2) == [2]
    assert tick_text(0.8, 0.05) == "0.80"
    assert tick_text(20, 5) == "20"


def test_data_cannot_leave_its_script() -> None:
    text = script("clip", {"name": "</script><!--<img onerror=x>\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text[len("HVB.clip(") : -len(");\n")])["name"] == "</script><!--<img onerror=x>\u2028"


def test_numbers_survive_packing() -> None:
    np.testing.assert_array_equal(unpacked(packed(np.array([1.5, np.nan, -0.0]), "<f4")), np.array([1.5, np.nan, -0.0], np.float32))


def test_few_videos_go_to_the_worst_and_best_clips(run: Path) -> None:
    """Of two clips one video: the worst clip of the first primary metric and method."""
    found = Run(load(run), 0)
    primary = next(c for c in found.columns if c.facts["primary"]) if any(c.facts["primary"] for c in found.columns) else None
    assert picked(found, 9) == list(found.cases)
    assert len(picked(found, 1)) == 1
    if primary is not None:
        row = found.values[primary.number][0]
        worst = int(np.argmin(row)) if primary.facts["higher_is_better"] else int(np.argmax(row))
        assert picked(found, 1) == [found.cases[worst]]


def test_a_clip_that_changed_or_went_is_named_not_shown(run: Path, tmp_path: Path) -> None:
    made = study(tmp_path, methods=("a", "b"), cases=("one",))
    benchmark.run(
        suite="tiktok", truth=tmp_path / "truth", outputs={m: tmp_path / m for m in "ab"}, metrics=["l1@unit"], out=tmp_path / "run"
    )
    write(made.root / "a" / "one.mkv", movie(7))
    (made.root / "b" / "one.mkv").unlink()
    build([load(tmp_path / "run")], tmp_path / "page")
    clip = handed(tmp_path / "page/data/0/00000.js", "clip")
    assert [tile["name"] for tile in clip["tiles"]] == ["truth"]
    assert "a: the clip has changed since it was scored" in clip["notes"]
    assert "b: the clip is no longer where it was scored" in clip["notes"]


def test_unpaired_clips_of_different_rates_share_a_clock(tmp_path: Path) -> None:
    """20 frames at 10 a second and 50 at 25: two seconds each. At step k of 25 a second, frame floor(k 10 / 25) of the slow one is on."""
    write(tmp_path / "slow" / "one.mkv", movie(1, 20), 10)
    write(tmp_path / "fast" / "one.mkv", movie(2, 50), 25)
    benchmark.run(
        suite="fantasytalking",
        outputs={m: tmp_path / m for m in ("slow", "fast")},
        metrics=["iqa@niqe", "flicker@dis-warp"],
        out=tmp_path / "run",
    )
    found = Run(load(tmp_path / "run"), 0)
    time = clock(found, "one", series(found).get("one", {}))
    assert time is not None
    assert (time.steps, time.fps, time.truth) == (50, 25, "")
    np.testing.assert_array_equal(time.shown["slow"], [k * 10 // 25 for k in range(50)])
    np.testing.assert_array_equal(time.shown["fast"], np.arange(50))


def test_another_folder_is_not_written_over(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="something else"):
        build([load(run)], tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "x"


def test_broken_records_are_named_and_the_others_shown(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    header = json.loads((run / "run.json").read_text())
    (newer / "run.json").write_text(json.dumps(header | {"schema": 99}))
    half = tmp_path / "half"
    half.mkdir()
    (half / "run.json").write_text(json.dumps(header | {"status": "started"}))
    said = call(capfd, "report", "--html", str(newer), str(run), str(half), str(tmp_path / "absent"), "--out", str(tmp_path / "page"))
    assert said.code == 2
    text = (tmp_path / "page/index.html").read_text(encoding="utf-8")
    for name in ("newer", "half", "absent"):
        assert f"left out: {tmp_path / name}" in said.err
        assert f"Left out: {tmp_path / name}" not in text  # a page names no folder of the machine
        assert re.search(rf"Left out: {name}\b", text)
    assert "psnr@cap100" in text
    alone = call(capfd, "report", "--html", str(newer), "--out", str(tmp_path / "none"))
    assert alone.code == 2
    assert not (tmp_path / "none").exists()


def test_damaged_values_by_frame_are_named_and_the_others_shown(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(run, torn)
    (torn / "values.parquet").write_bytes((run / "values.parquet").read_bytes()[:2000])
    said = call(capfd, "report", "--html", str(torn), str(run), "--videos", "0", "--out", str(tmp_path / "page"))
    assert said.code == 2
    assert f"left out: {torn / 'values.parquet'}: the values by frame are damaged" in said.err
    assert f"hvbench validate {torn}" in said.err
    assert "Left out: torn/values.parquet" in (tmp_path / "page/index.html").read_text(encoding="utf-8")
    assert str(tmp_path) not in (tmp_path / "page/index.html").read_text(encoding="utf-8")
    alone = call(capfd, "report", "--html", str(torn), "--out", str(tmp_path / "none"))
    assert alone.code == 2
    assert not (tmp_path / "none").exists()


def test_what_the_record_does_not_tell_is_said(tmp_path: Path) -> None:
    """Retimed frames do not follow from their ends: without values.parquet no picture can be set beside the truth's."""
    write(tmp_path / "truth" / "one.mkv", movie(1, 24), 20)
    write(tmp_path / "half" / "one.mkv", movie(1, 24)[::2], 10)
    write(tmp_path / "same" / "one.mkv", movie(1, 24), 20)
    benchmark.run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={m: tmp_path / m for m in ("half", "same")},
        protocols=["strict-1-retime"],
        metrics=["l1@unit"],
        out=tmp_path / "run",
    )
    (tmp_path / "run/values.parquet").unlink()
    build([load(tmp_path / "run")], tmp_path / "page")
    clip = handed(tmp_path / "page/data/0/00000.js", "clip")
    assert [tile["name"] for tile in clip["tiles"]] == ["truth", "same"]
    assert clip["notes"] == ["half: not shown; without its values by frame the record does not tell which frames were compared"]


def test_labels_stay_beside_their_rows() -> None:
    """15 letters at most; Chinese ones count two: seven of them and the dots."""
    assert shorter("exactly-fifteen") == "exactly-fifteen"
    assert shorter("one-letter-too-m") == "one-letter-too…"
    assert shorter("動" * 9) == "動" * 7 + "…"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("cannot identify image file '/home/ann/n/one/0001.png'", "cannot identify image file '0001.png'"),
        ("[Errno 13] Permission denied: '/srv/a b/run.json'", "[Errno 13] Permission denied: 'run.json'"),
        (r"not found: C:\Users\ann\clips\x.mp4 (3 bytes)", "not found: x.mp4 (3 bytes)"),
        ("see https://example.org/a/b.html, and/or 1 / 2 of 3/4", "see https://example.org/a/b.html, and/or 1 / 2 of 3/4"),
        ("suite/split : a@b", "suite/split : a@b"),
    ],
)
def test_messages_keep_the_name_of_a_file_and_lose_its_folders(said: str, kept: str) -> None:
    """By hand."""
    assert without_folders(said) == kept


def test_a_failed_clip_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow names the whole path of a picture that it cannot read; a run that is called `.` has a name all the same."""
    study(tmp_path, methods=("a",), cases=("one",))
    (tmp_path / "b" / "one").mkdir(parents=True)
    (tmp_path / "b" / "one" / "0001.png").write_bytes(b"no picture")
    benchmark.run(
        suite="tiktok", truth=tmp_path / "truth", outputs={m: tmp_path / m for m in "ab"}, metrics=["l1@unit"], out=tmp_path / "run"
    )
    monkeypatch.chdir(tmp_path / "run")
    build([load(Path())], tmp_path / "page", videos=0)
    assert "0001.png" in str(handed(tmp_path / "page/data/0/00000.js", "clip")["said"])
    for path in (tmp_path / "page").rglob("*.*"):
        assert path.suffix in (".css",) or str(tmp_path) not in path.read_text(encoding="utf-8"), path
    assert "<dt>record</dt><dd>run</dd>" in (tmp_path / "page/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--html", "RUN", "--paper", "ipa"], "--paper is of tables"),
        (["--html", "RUN", "--as", "a=b"], "--as is of tables"),
        (["--protocols", "RUN", "--out", "x"], "--out goes with --html or --figures"),
        (["--protocols", "RUN", "--videos", "3"], "--videos goes with --html"),
        (["--html", "RUN", "--videos", "-1"], "--videos takes 0 or more"),
    ],
)
def test_no_option_is_passed_over(words: list[str], said: str, run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = call(capfd, "report", *(run if word == "RUN" else word for word in words))
    assert told.code == 2
    assert said in told.err
    assert not (run / "page").exists()
