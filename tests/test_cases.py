"""Where clips come from and how they are looked at: folders, single files, cases.toml, a data set's layout; offsets, crops, insets, rates.

Expected values: NumPy on the frames that the test wrote (lossless files, so the decoded frames are the written ones).
"""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import manifest
from benchmark.api import run
from benchmark.cases import from_file, gather, read_file
from benchmark.errors import InputError
from benchmark.manifest import rect_text
from benchmark.media import parse_rect, write_png
from benchmark.model import Rect, Source, Split
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.spec import resolve
from tests.make import Frames, call, movie, worse, write

FOLDER = Split(id="folder", summary="all")
SUITE = registry().suites["tiktok"].item


def l1(generated: Frames, truth: Frames, counted: np.ndarray | None = None) -> float:
    """l1@unit of a clip in float64: mean over frames of the mean absolute difference on [0, 1]."""
    difference = np.abs(generated.astype(np.float64) - truth) / 255
    return float(np.mean([d[counted].mean() if counted is not None else d.mean() for d in difference]))


def value(record: Record, adapter: str, name: str = "l1@unit") -> float:
    (found,) = [r for r in record.scores if (r["adapter"], f"{r['metric']}@{r['variant']}") == (adapter, name)]
    assert found["value"] is not None, (found, [e.get("error") or e["views"] for e in record.journal.values()])
    return float(found["value"])


def frame_folder(path: Path, frames: Frames, first: int = 1) -> Path:
    path.mkdir(parents=True)
    for number, frame in enumerate(frames, first):
        write_png(path / f"{number:04d}.png", frame)
    return path


def touch(*paths: Path) -> None:
    """Files that no test opens: gathering looks at names only."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


# ------------------------------------------------------------------------------------------------------------------ folders


def test_stems_meet_across_folders_and_kinds(tmp_path: Path) -> None:
    """Natural order; an extra output is left aside with a note; a missing one is absent for its method."""
    touch(*(tmp_path / "truth" / name for name in ("clip10.mkv", "clip2.mp4", "clip1.gif")))
    touch(*(tmp_path / "m" / name for name in ("clip2.webm", "clip10.avi", "stray.mp4")))
    found = gather(Request(suite="tiktok", truth=tmp_path / "truth", outputs={"m": tmp_path / "m"}), SUITE, FOLDER)
    assert [case.id for case in found.cases] == ["clip1", "clip2", "clip10"]
    assert {case.id: case.truth.path.name for case in found.cases if case.truth} == {
        "clip1": "clip1.gif",
        "clip2": "clip2.mp4",
        "clip10": "clip10.mkv",
    }
    assert {case: source.path.name for case, source in found.outputs["m"].items()} == {"clip2": "clip2.webm", "clip10": "clip10.avi"}
    (note,) = found.notes
    assert "stray" in note
    assert "1 clip(s)" in note


def test_without_truth_the_cases_are_those_of_all_methods(tmp_path: Path) -> None:
    touch(tmp_path / "m" / "b.mkv", tmp_path / "m" / "a.mkv", tmp_path / "n" / "c.mkv")
    found = gather(Request(suite="tiktok", outputs={"m": tmp_path / "m", "n": tmp_path / "n"}), SUITE, FOLDER)
    assert [(case.id, case.truth) for case in found.cases] == [("a", None), ("b", None), ("c", None)]


def test_single_files_need_not_share_a_stem(tmp_path: Path) -> None:
    truth = movie(0)
    ours = worse(truth, 6)
    write(tmp_path / "real.mkv", truth)
    write(tmp_path / "made by me.mkv", ours)
    record = run(
        suite="tiktok", truth=tmp_path / "real.mkv", outputs={"x": tmp_path / "made by me.mkv"}, metrics=["l1@unit"], out=tmp_path / "run"
    )
    assert [case["id"] for case in record.header["spec"]["cases"]] == ["real"]
    assert value(record, "x") == pytest.approx(l1(ours, truth), rel=1e-12)


def test_a_frame_folder_meets_a_video(tmp_path: Path) -> None:
    """The folder has no rate of its own: not checked, recorded as unknown."""
    truth = movie(1)
    ours = worse(truth, 6)
    frame_folder(tmp_path / "truth" / "one", truth)
    write(tmp_path / "m" / "one.mkv", ours)
    record = run(suite="tiktok", truth=tmp_path / "truth", outputs={"m": tmp_path / "m"}, metrics=["l1@unit"], out=tmp_path / "run")
    assert value(record, "m") == pytest.approx(l1(ours, truth), rel=1e-12)
    (entry,) = record.journal.values()
    (view,) = entry["views"].values()
    assert view["pairing"]["rates"] == "unknown"


def test_case_and_limit_pick(tmp_path: Path) -> None:
    touch(*(tmp_path / "truth" / f"{n}.mkv" for n in "abcd"), *(tmp_path / "m" / f"{n}.mkv" for n in "abcd"))
    base: dict[str, Any] = {"suite": "tiktok", "truth": tmp_path / "truth", "outputs": {"m": tmp_path / "m"}}

    def ids(**more: Any) -> list[str]:
        return [case.id for case in gather(Request(**base, **more), SUITE, FOLDER).cases]

    assert ids(limit=2) == ["a", "b"]
    assert ids(cases=("d", "b")) == ["b", "d"]
    assert ids(cases=("d", "b"), limit=1) == ["b"]
    with pytest.raises(InputError, match="no such case") as error:
        ids(cases=("b", "z"))
    assert (error.value.found, error.value.expected) == ("z", "a, b, c, d")
    with pytest.raises(InputError, match="positive number"):
        ids(limit=0)


@pytest.mark.parametrize("name", ["truth", "real", "*", "Moore", "a b", "a:b", "a/b", "a@b", ""])
def test_odd_method_names_are_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "m" / "a.mkv")
    with pytest.raises(InputError) as error:
        gather(Request(suite="tiktok", outputs={name: tmp_path / "m"}), SUITE, FOLDER)
    assert error.value.code == "bad-id"
    assert error.value.found == repr(name)


@pytest.mark.parametrize("option", ["offsets", "crops", "ignores", "fps", "ranges", "reference_frames"])
def test_an_option_for_nobody_is_refused(tmp_path: Path, option: str) -> None:
    touch(tmp_path / "m" / "a.mkv")
    with pytest.raises(InputError) as error:
        gather(Request(suite="tiktok", outputs={"m": tmp_path / "m"}, **{option: {"typo": 1}}), SUITE, FOLDER)
    assert (error.value.code, error.value.found, error.value.expected) == ("unknown-name", "typo", "*, m, real, truth")


def test_an_option_for_nobody_is_refused_beside_a_cases_file_too(tmp_path: Path) -> None:
    touch(tmp_path / "truth" / "a.mkv", tmp_path / "m" / "a.mkv")
    (tmp_path / "cases.toml").write_text('format = 1\n[[case]]\nid = "a"\ntruth.path = "truth/a.mkv"\noutputs.m.path = "m/a.mkv"\n')
    found = gather(Request(suite="tiktok", cases_file=tmp_path / "cases.toml", offsets={"m": 2}), SUITE, FOLDER)
    assert found.outputs["m"]["a"].offset == 2
    with pytest.raises(InputError) as error:
        gather(Request(suite="tiktok", cases_file=tmp_path / "cases.toml", offsets={"typo": 1}), SUITE, FOLDER)
    assert (error.value.code, error.value.found) == ("unknown-name", "typo")


def test_the_names_own_option_wins_over_the_star(tmp_path: Path) -> None:
    touch(*(tmp_path / folder / "a.mkv" for folder in ("truth", "m", "n")))
    request = Request(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={"m": tmp_path / "m", "n": tmp_path / "n"},
        offsets={"*": 1, "m": 3},
        fps={"*": Fraction(30), "truth": Fraction(25)},
        crops={"*": Rect(0, 0, 8, 8)},
        reference_frames={"n": 7},
    )
    found = gather(request, SUITE, FOLDER)
    assert found.cases[0].truth == Source(tmp_path / "truth" / "a.mkv", fps=Fraction(25))
    assert found.outputs["m"]["a"] == Source(tmp_path / "m" / "a.mkv", crop=Rect(0, 0, 8, 8), fps=Fraction(30), offset=3)
    assert found.outputs["n"]["a"] == Source(tmp_path / "n" / "a.mkv", crop=Rect(0, 0, 8, 8), fps=Fraction(30), offset=1, reference_frame=7)


# -------------------------------------------------------------------------------------------------- options, really applied


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Frames, Frames]:
    """(folder with truth/one.mkv and m/one.mkv, truth, output): 24 frames, 64x48."""
    root = tmp_path_factory.mktemp("pair")
    truth = movie(0, 24, 48, 64)
    ours = worse(truth, 9)
    write(root / "truth" / "one.mkv", truth)
    write(root / "m" / "one.mkv", ours)
    return root, truth, ours


def scored(root: Path, out: Path, **more: Any) -> Record:
    facts: dict[str, Any] = {"suite": "tiktok", "truth": root / "truth", "outputs": {"m": root / "m"}, "metrics": ["l1@unit"]}
    return run(out=out, **{**facts, **more})


def test_plain(pair: tuple[Path, Frames, Frames], tmp_path: Path) -> None:
    root, truth, ours = pair
    assert value(scored(root, tmp_path / "run"), "m") == pytest.approx(l1(ours, truth), rel=1e-12)


@pytest.mark.parametrize("offset", [1, -1])
def test_an_offset_shifts_the_frames(pair: tuple[Path, Frames, Frames], tmp_path: Path, offset: int) -> None:
    """disco-2024 compares all common frames at 256x256; l1@unit under strict-1 with a range does it at full size."""
    root, truth, ours = pair
    record = scored(root, tmp_path / "run", offset={"m": offset}, frames={"m": (2, 22)})
    expected = l1(ours[2 - offset : 22 - offset], truth[2:22])
    assert value(record, "m") == pytest.approx(expected, rel=1e-12)
    assert abs(expected / l1(ours[2:22], truth[2:22]) - 1) > 0.1
    table = record.values().to_pydict()
    assert table["frame"] == list(range(2, 22))
    assert table["generated"] == [j - offset for j in range(2, 22)]


@pytest.mark.parametrize("text", ["16,8,32,24", "0.25,0.125,0.5,0.75", "25%,12.5%,50%,75%"])
def test_a_crop_cuts_before_anything_is_compared(pair: tuple[Path, Frames, Frames], tmp_path: Path, text: str) -> None:
    root, truth, ours = pair
    x, y, w, h = (16, 8, 32, 24) if "," in text and "." not in text else (16, 6, 32, 36)
    record = scored(root, tmp_path / "run", crop={"m": text, "truth": text})
    expected = l1(ours[:, y : y + h, x : x + w], truth[:, y : y + h, x : x + w])
    assert value(record, "m") == pytest.approx(expected, rel=1e-12)


def test_a_crop_cuts_a_condition_panel(pair: tuple[Path, Frames, Frames], tmp_path: Path) -> None:
    """Three panels side by side, the result on the right: refused with a hint that works when typed."""
    root, truth, ours = pair
    panels = np.concatenate([255 - ours, ours // 2, ours], axis=2)
    write(tmp_path / "m" / "one.mkv", panels)
    refused = scored(root, tmp_path / "refused", outputs={"m": tmp_path / "m"})
    (entry,) = refused.journal.values()
    (view,) = entry["views"].values()
    assert view["error"]["code"] == "panels"
    hint = view["error"]["hint"]
    name, _, rect = hint.split()[1].partition("=")
    assert (hint.split()[0], name) == ("--crop", "m")
    record = scored(root, tmp_path / "run", outputs={"m": tmp_path / "m"}, crop={name: rect})
    assert value(record, "m") == pytest.approx(l1(ours, truth), rel=1e-12)


def test_an_ignored_inset_is_not_counted(pair: tuple[Path, Frames, Frames], tmp_path: Path) -> None:
    """A white inset in the output; without --ignore it costs, with it the value is that of the remaining pixels."""
    root, truth, ours = pair
    spoilt = ours.copy()
    spoilt[:, 4:20, 40:60] = 255
    write(tmp_path / "m" / "one.mkv", spoilt)
    counted = np.ones((48, 64), bool)
    counted[4:20, 40:60] = False
    outputs = {"m": tmp_path / "m"}
    assert value(scored(root, tmp_path / "with", outputs=outputs), "m") == pytest.approx(l1(spoilt, truth), rel=1e-12)
    record = scored(root, tmp_path / "without", outputs=outputs, ignore={"m": "40,4,20,16"})
    assert value(record, "m") == pytest.approx(l1(ours, truth, counted), rel=1e-12)
    # An inset of the truth counts as little, and both together count as their union.
    counted[30:40, 0:10] = False
    record = scored(root, tmp_path / "both", outputs=outputs, ignore={"m": "40,4,20,16", "truth": "0,30,10,10"})
    assert value(record, "m") == pytest.approx(l1(ours, truth, counted), rel=1e-12)


def test_an_inset_lies_in_the_cropped_picture(pair: tuple[Path, Frames, Frames], tmp_path: Path) -> None:
    root, truth, ours = pair
    record = scored(root, tmp_path / "run", crop={"m": "8,8,40,32", "truth": "8,8,40,32"}, ignore={"m": "0,0,40,10"})
    assert value(record, "m") == pytest.approx(l1(ours[:, 18:40, 8:48], truth[:, 18:40, 8:48]), rel=1e-12)


def test_the_reference_frame_is_left_out(pair: tuple[Path, Frames, Frames], tmp_path: Path) -> None:
    root, truth, ours = pair
    kept = [i for i in range(24) if i != 5]
    record = scored(root, tmp_path / "run", reference_frame={"m": 5})
    assert value(record, "m") == pytest.approx(l1(ours[kept], truth[kept]), rel=1e-12)


def test_a_rate_can_be_overridden_and_is_recorded(tmp_path: Path, pair: tuple[Path, Frames, Frames]) -> None:
    """Tagged 30 instead of 25 fps: refused by strict-1 until --fps says otherwise."""
    root, truth, ours = pair
    write(tmp_path / "m" / "one.mkv", ours, 30)
    refused = scored(root, tmp_path / "refused", outputs={"m": tmp_path / "m"})
    (entry,) = refused.journal.values()
    (view,) = entry["views"].values()
    assert view["error"]["code"] == "fps-mismatch"
    record = scored(root, tmp_path / "run", outputs={"m": tmp_path / "m"}, fps={"m": 25})
    assert value(record, "m") == pytest.approx(l1(ours, truth), rel=1e-12)
    assert record.header["spec"]["cases"][0]["outputs"]["m"]["fps"] == "25"


# --------------------------------------------------------------------------------------------------------------- cases.toml

ODD = ('it\'s "quoted"', "späte Clips \\ 日本", "tab\there", "a..b", "dot.dot", "#hash = [x]")


def test_manifest_round_trip_with_odd_names(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name and option survives the way through the file, and the run of the file is the run of the folders: same spec, same numbers."""
    stems = list(ODD)
    for number, stem in enumerate(stems):
        truth = movie(number, 20, 32, 32)
        write(tmp_path / "the truth" / f"{stem}.mkv", truth)
        write(tmp_path / "out" / f"{stem}.mkv", worse(truth, 5)[1:])
        write(tmp_path / "real" / f"{stem}.mkv", truth)
    options = {
        "suite": "tiktok", "truth": tmp_path / "the truth", "outputs": {"m-1": tmp_path / "out"}, "real": tmp_path / "real",
        "offsets": {"m-1": 1}, "crops": {"*": Rect(0.25, 0.0, 0.5, 1.0, True), "truth": Rect(8, 0, 16, 32)}, "ignores": {"m-1": Rect(0, 0, 3, 4)},
        "fps": {"m-1": Fraction(30000, 1001), "truth": Fraction(30000, 1001)}, "ranges": {"m-1": (2, 20)}, "reference_frames": {"m-1": 3},
    }  # fmt: skip
    request = Request(**options)  # type: ignore[arg-type]
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "cases.toml"
    text = manifest.write(request, file)
    assert file.read_text(encoding="utf-8") == text
    table = tomllib.loads(text)
    assert sorted(case["id"] for case in table["case"]) == sorted(stems)
    for case in table["case"]:
        path = tmp_path / "the truth" / f"{case['id']}.mkv"
        assert case["truth"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (file.parent / case["truth"]["path"]).resolve() == path.resolve()

    folders, back = resolve(request), resolve(Request(cases_file=file))
    assert back.to_json() == folders.to_json()
    assert {k: v.source.path.resolve() for k, v in back.outputs.items()} == {k: v.source.path.resolve() for k, v in folders.outputs.items()}
    # The whole folder may move: paths are relative to the file.
    shutil.move(tmp_path, tmp_path.with_name(tmp_path.name + " moved"))
    tmp_path = tmp_path.with_name(tmp_path.name + " moved")
    monkeypatch.chdir(tmp_path)
    assert resolve(Request(cases_file=Path("sub/cases.toml"))).to_json() == folders.to_json()
    told = call(capfd, "validate", "sub/cases.toml")
    assert (told.code, told.out) == (0, "sub/cases.toml: valid\n")


def test_a_manifest_of_a_manifest_keeps_everything(tmp_path: Path) -> None:
    """Also what only a cases.toml can say: prompt, reference, conditions, nominal rate and length."""
    truth = movie(0, 20, 32, 32)
    write(tmp_path / "t.mkv", truth)
    write(tmp_path / "m.mkv", worse(truth, 5))
    write_png(tmp_path / "ref.png", truth[0])
    touch(*(tmp_path / name for name in ("pose.mkv", "uv.mkv", "masks.mkv", "a.wav")))
    first = tmp_path / "first.toml"
    first.write_text(
        'format = 1\nsuite = "tiktok"\n[[case]]\nid = "one"\nprompt = "a \\"dancer\\""\nreference = "ref.png"\nreference_frame = 0\n'
        'pose = "pose.mkv"\nuv = "uv.mkv"\n'
        'masks = "masks.mkv"\naudio = "a.wav"\nfps = "25"\nframes = 20\ntruth.path = "t.mkv"\noutputs.m.path = "m.mkv"\n'
    )
    second = tmp_path / "second.toml"
    manifest.write(Request(cases_file=first), second)
    one, two = (from_file(file, Request(cases_file=file)) for file in (first, second))
    assert two.cases == one.cases
    assert two.outputs == one.outputs
    assert set(two.pinned.values()) == {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("t.mkv", "m.mkv")}


def cases_file(tmp_path: Path, body: str) -> Path:
    file = tmp_path / "cases.toml"
    file.write_text(f"format = 1\n{body}", encoding="utf-8")
    return file


def test_options_of_the_command_line_win_over_the_file(tmp_path: Path) -> None:
    touch(tmp_path / "t.mkv", tmp_path / "m.mkv", tmp_path / "n.mkv")
    body = (
        '[[case]]\nid = "one"\ntruth = {path = "t.mkv", fps = 24}\n'
        'outputs.m = {path = "m.mkv", offset = 1, crop = "0,0,8,8", ignore = "1,1,2,2", fps = "30000/1001", range = [3, 9], reference_frame = 2}\n'
        'outputs.n = {path = "n.mkv", offset = 5}\n'
    )
    file = cases_file(tmp_path, body)
    plain = from_file(file, Request(cases_file=file))
    assert plain.outputs["m"]["one"] == Source(
        (tmp_path / "m.mkv").resolve(), Rect(0, 0, 8, 8), Rect(1, 1, 2, 2), Fraction(30000, 1001), 1, (3, 9), 2
    )
    changed = from_file(
        file, Request(cases_file=file, offsets={"m": 7, "*": 2}, fps={"truth": Fraction(25)}, crops={"*": Rect(0, 0, 4, 4)})
    )
    assert changed.outputs["m"]["one"] == Source(
        (tmp_path / "m.mkv").resolve(), Rect(0, 0, 4, 4), Rect(1, 1, 2, 2), Fraction(30000, 1001), 7, (3, 9), 2
    )
    assert changed.outputs["n"]["one"].offset == 2
    assert changed.cases[0].truth == Source((tmp_path / "t.mkv").resolve(), fps=Fraction(25))
    # A folder named on the command line replaces that method's clips.
    touch(tmp_path / "elsewhere" / "one.mkv")
    moved = from_file(file, Request(cases_file=file, outputs={"m": tmp_path / "elsewhere"}))
    assert moved.outputs["m"]["one"] == Source(tmp_path / "elsewhere" / "one.mkv")
    assert moved.outputs["n"]["one"].offset == 5


def test_a_pinned_hash_is_enforced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    truth = movie(0, 20, 32, 32)
    write(tmp_path / "truth" / "one.mkv", truth)
    write(tmp_path / "m" / "one.mkv", worse(truth, 5))
    file = tmp_path / "cases.toml"
    manifest.write(Request(suite="tiktok", truth=tmp_path / "truth", outputs={"m": tmp_path / "m"}), file)
    pinned = hashlib.sha256((tmp_path / "m" / "one.mkv").read_bytes()).hexdigest()
    write(tmp_path / "m" / "one.mkv", worse(truth, 6))
    found = hashlib.sha256((tmp_path / "m" / "one.mkv").read_bytes()).hexdigest()
    told = call(capfd, "run", "--cases", file, "--out", tmp_path / "run")
    assert told.code == 2
    for word in (pinned, found, str(tmp_path / "m" / "one.mkv"), "is not the file the manifest pins"):
        assert word in told.err
    told = call(capfd, "validate", file)
    assert told.code == 2
    assert found in told.err


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        ('[[case]]\nid = "a"\n[[case]]\nid = "a"\n', "duplicate-case", "a"),
        ('[[case]]\nid = ""\n', "bad-id", "''"),
        ('[[case]]\nid = " a"\n', "bad-id", "' a'"),
        ('[[case]]\nid = "a"\ntruht = "x"\n', "unknown-key", "truht"),
        ('[[case]]\nid = "a"\ntruth.paht = "x"\n', "unknown-key", "paht"),
        ('[[case]]\nid = "a"\noutputs.m = {path = "m", ofset = 1}\n', "unknown-key", "ofset"),
        ('[[case]]\nid = "a"\noutputs.m = {path = "m", fps = 0}\n', "bad-input", "0"),
        ('[[case]]\nid = "a"\noutputs.m = {path = "m", crop = "1,2,3"}\n', "bad-rect", "1,2,3"),
        ('[[case]]\nid = "a"\noutputs.m = {path = "m", range = [1, 2, 3]}\n', "bad-input", "[1, 2, 3]"),
        ('[[case]]\nid = "a"\noutputs.m = {offset = 1}\n', "missing-key", "path"),
        ("case = []\n", "empty", "[[case]]"),
        ('[[case]\nid = "a"\n', "toml", "line 2"),
    ],
)
def test_a_bad_cases_file_is_told(tmp_path: Path, body: str, code: str, word: str) -> None:
    file = cases_file(tmp_path, body)
    with pytest.raises(InputError) as error:
        from_file(file, Request(cases_file=file))
    assert error.value.code == code
    assert word in str(error.value)


@pytest.mark.parametrize("name", ["@real", "Moore", "truth", "a b"])
def test_a_method_of_a_cases_file_obeys_the_same_rules(tmp_path: Path, name: str) -> None:
    """`@real` above all: the unpaired set's units go by that name."""
    touch(tmp_path / "t.mkv", tmp_path / "m.mkv")
    file = cases_file(tmp_path, f'[[case]]\nid = "a"\ntruth.path = "t.mkv"\noutputs."{name}".path = "m.mkv"\n')
    with pytest.raises(InputError) as error:
        gather(Request(suite="tiktok", cases_file=file), SUITE, FOLDER)
    assert error.value.code == "bad-id"


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cases.toml").write_text('format = 2\n[[case]]\nid = "a"\n')
    with pytest.raises(InputError, match="unknown format") as error:
        read_file(tmp_path / "cases.toml")
    assert (error.value.found, error.value.expected) == ("format = 2", "format = 1")


@pytest.mark.parametrize("text", ["1,2,3,4", "0.25,0.0,0.5,1.0", "0.1,0.2,0.3,0.4", "0.333333,0.0,0.333333,1.0"])
def test_rectangles_are_written_as_they_are_read(text: str) -> None:
    rect = parse_rect(text)
    assert rect_text(rect) == text
    assert parse_rect(rect_text(rect)) == rect


# ------------------------------------------------------------------------------------------------------------- the data set

IPA = [f"{n:05d}" for n in range(335, 341)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the published layout: ROOT/tiktok/00335/images/0001.png, six sequences, and a method's outputs beside."""
    root = tmp_path_factory.mktemp("data")
    for number, case in enumerate(IPA):
        truth = movie(number, 17, 16, 24)
        frame_folder(root / "tiktok" / case / "images", truth)
        write(root / "m" / f"{case}.mkv", worse(truth, 8))
    return root


def test_the_published_layout(dataset: Path, tmp_path: Path) -> None:
    record = run(suite="tiktok", data=dataset / "tiktok", outputs={"m": dataset / "m"}, metrics=["l1@unit"], out=tmp_path / "run")
    assert record.header["split"]["id"] == "ipa-6"
    assert [case["id"] for case in record.header["spec"]["cases"]] == IPA
    truth = [movie(number, 17, 16, 24) for number in range(6)]
    assert value(record, "m") == pytest.approx(np.mean([l1(worse(t, 8), t) for t in truth]), rel=1e-12)


def test_the_root_may_come_from_the_environment_or_the_configuration(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order: --data, BENCHMARK_DATA, the configuration file."""
    from benchmark import paths

    def roots(**more: Any) -> set[Path]:
        spec = resolve(Request(suite="tiktok", outputs={"m": dataset / "m"}, **more))
        return {clip.source.path.parent.parent for clip in spec.truths.values()}

    shutil.copytree(dataset / "tiktok", tmp_path / "env" / "tiktok")
    shutil.copytree(dataset / "tiktok", tmp_path / "configured")
    paths.config_file().write_text(f'[data]\ntiktok = "{tmp_path / "configured"}"\n')
    assert roots() == {tmp_path / "configured"}
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "env"))
    assert roots() == {tmp_path / "env" / "tiktok"}
    assert roots(data=dataset / "tiktok") == {dataset / "tiktok"}


def test_an_incomplete_root_is_named_with_what_is_missing(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset / "tiktok", tmp_path / "tiktok")
    shutil.rmtree(tmp_path / "tiktok" / "00337")
    request = Request(suite="tiktok", data=tmp_path / "tiktok", outputs={"m": dataset / "m"})
    with pytest.raises(InputError) as error:
        resolve(request)
    assert error.value.code == "incomplete"
    assert "1 of 6 cases missing: 00337" in str(error.value.found)
    assert error.value.expected == str(tmp_path / "tiktok" / "00337" / "images")
    # The ones that are there can be asked for by name.
    assert (
        len(resolve(Request(suite="tiktok", data=tmp_path / "tiktok", outputs={"m": dataset / "m"}, cases=("00335", "00340"))).cases) == 2
    )


def test_splits_choose_the_cases(dataset: Path) -> None:
    def ids(split: str, data: Path = dataset / "tiktok") -> list[str]:
        return [case.id for case in resolve(Request(suite="tiktok", data=data, outputs={"m": dataset / "m"}, split=split)).cases]

    assert ids("ipa-6") == ids("disco-10") == IPA
    with pytest.raises(InputError, match="incomplete for split humanvid-40") as error:
        ids("humanvid-40")
    assert "34 of 40" in str(error.value.found)
    with pytest.raises(InputError, match="no such split") as error:
        ids("no-such")
    assert error.value.expected == "ipa-6, disco-10, humanvid-40, folder"
    # Folders of outputs and truth may claim a published split only if they are complete.
    spec = resolve(Request(suite="tiktok", truth=dataset / "m", outputs={"m": dataset / "m"}, split="ipa-6"))
    assert (spec.split.id, [case.id for case in spec.cases]) == ("ipa-6", IPA)


@pytest.mark.parametrize(
    ("make", "code"), [(lambda p: None, "absent"), (lambda p: p.write_text("x"), "not-a-folder"), (lambda p: p.mkdir(), "incomplete")]
)
def test_a_named_root_is_never_replaced_by_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], make: Any, code: str
) -> None:
    (tmp_path / "data").mkdir()
    make(tmp_path / "data" / "tiktok")
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    with pytest.raises(InputError) as error:
        resolve(Request(suite="tiktok"))
    assert error.value.code == code
    assert error.value.path == str(tmp_path / "data" / "tiktok")
    assert call(capfd, "run", "--suite", "tiktok", "--out", tmp_path / "run").code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("drawn")
def test_the_fallback_is_used_only_where_no_root_was_named_and_says_so() -> None:
    spec = resolve(Request(suite="tiktok"))
    assert spec.suite.id.removesuffix("+local") == "tiktok-embedded"
    assert [method.name for method in spec.methods] == ["still", "warp", "reencode"]
    assert any("running tiktok-embedded instead" in note for note in spec.notes)


@pytest.mark.usefixtures("drawn")
def test_a_suite_made_on_the_spot_needs_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BENCHMARK_DATA names data sets; the rehearsal suite has none, whatever that variable says."""
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path))
    spec = resolve(Request(suite="tiktok-embedded"))
    assert [case.id for case in spec.cases] == [f"dance-{n:02d}" for n in range(10)]


def test_the_ubc_fashion_folder_under_its_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every video of the folder; the first 49 frames, both sides to a short side of 256 pixels: 32x48 becomes 256x384."""
    from benchmark.resize import bicubic

    truth = movie(0, 52, 48, 32)
    ours = worse(truth, 12)
    write(tmp_path / "data" / "ubc-fashion" / "one.mkv", truth)
    write(tmp_path / "m" / "one.mkv", ours[:50])
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    record = run(suite="ubc-fashion", outputs={"m": tmp_path / "m"}, protocols=["humandiff-256"], out=tmp_path / "run")
    assert record.header["split"]["id"] == "test-100"
    big = [bicubic(side[:49], 384, 256) for side in (ours, truth)]
    assert value(record, "m") == pytest.approx(l1(*big), rel=1e-9)
    (entry,) = record.journal.values()
    (view,) = entry["views"].values()
    assert (view["size"], view["pairing"]["frames"]) == ([256, 384], 49)
