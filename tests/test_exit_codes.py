"""Exit codes as the command line's own help states them: 0 done, 1 internal error, 2 bad input or usage, 3 something asked for is unscored,
130 interrupted; and standard output that a program can read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from benchmark.jobs import CaseJob
from benchmark.model import Extractor, Metric, ProtocolSpec, SetVariant
from benchmark.registry import WeightsEntry, registry
from tests.clips import write_folder
from tests.make import COUNT, Study, call, header, journal, movie, row, scores, study, told, worse, write

Capture = pytest.CaptureFixture[str]
Register = Callable[..., None]
IPA = [f"00{number}" for number in range(335, 341)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two methods, two cases."""
    return study(tmp_path_factory.mktemp("small"))


# ------------------------------------------------------------------------------------------------------------------------- 0


def test_done(small: Study, tmp_path: Path, capfd: Capture) -> None:
    said = call(capfd, "run", *small.words, "--out", tmp_path / "run")
    assert said.code == 0
    assert header(tmp_path / "run")["status"] == "success"
    assert "psnr@float" in said.out
    assert f"hvbench show {tmp_path / 'run'}" in said.out


def test_typed_again(small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """A finished run typed again opens no clip and writes nothing; without --out it meets its own folder."""
    monkeypatch.chdir(tmp_path)
    first = call(capfd, "run", *small.words)
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == f"tiktok-{header(run)['spec_sha256'][:8]}"
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.rglob("*") if p.is_file() and p.name != ".lock"}

    def never(*_: object) -> None:
        raise AssertionError("evaluated again")

    monkeypatch.setattr("benchmark.execute.evaluate", never)
    again = call(capfd, "run", *small.words)
    assert (again.code, again.out) == (0, first.out)
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.rglob("*") if p.is_file() and p.name != ".lock"} == before


def test_json_and_nothing_else(small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Also with a bad clip and notes, which go to standard error; equal to scores.json; the same when it is typed again."""
    bad = tmp_path / "bad"
    shutil.copytree(small.root / "a", bad)
    (bad / "one.mkv").write_bytes(b"")
    write(bad / "extra.mkv", movie(5))
    words = [*small.words, "--outputs", f"bad={bad}", "--json", "--out", tmp_path / "run"]
    for _ in range(2):
        said = call(capfd, "run", *words)
        assert said.code == 0
        assert json.loads(said.out) == scores(tmp_path / "run")
    resumed = call(capfd, "resume", tmp_path / "run", "--json")
    assert json.loads(resumed.out) == scores(tmp_path / "run")


def test_json_of_a_refused_command_is_empty(small: Study, tmp_path: Path, capfd: Capture) -> None:
    said = call(capfd, "run", *small.words, "--json", "--protocol", "no-such", "--out", tmp_path / "run")
    assert (said.code, said.out) == (2, "")


def test_without_truth(small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Paired metrics are not applicable, which is no failure: exit 0, nothing counted as failed, no flag."""
    said = call(capfd, "run", "--suite", "tiktok", "--outputs", f"a={small.root / 'a'}", "--out", tmp_path / "run")
    assert said.code == 0, said.err
    for score in scores(tmp_path / "run"):
        assert (score["value"], score["reason"], score["n_failed"], score["n_clips"], score["flags"]) == (None, "not-applicable", 0, 0, [])


def test_weights_of_the_protocol_missing(small: Study, tmp_path: Path, register: Register, capfd: Capture) -> None:
    """Exit 0 for a variant the protocol lists, 3 where it was asked for by name or all is required; the command that fetches it is told each time."""
    protocol = registry().protocols["strict-1"].item
    register(
        Extractor(id="test-net", version=1, summary="s", source="t", dimension=1, batch=1, preprocess=lambda f: f,
                  build=lambda s, d: lambda b: b, weights="test-file", shapes=lambda: {"w": (1,)}),
        Metric(name="test-far", title="far", higher_is_better=False,
               variants=(SetVariant(id="a", summary="s", source="t", extractor="test-net", distance=lambda x, y: 0.0),)),
        WeightsEntry(name="test-file", file="f.pth", format="torch", licence="none", sha256="0" * 64),
        ProtocolSpec(id="test-1", version=1, title="t", frames=protocol.frames, size=protocol.size, time=protocol.time, pooling="clips",
                     variants=("psnr@float", "test-far@a"), primary=("psnr@float",)),
    )  # fmt: skip
    words = ["run", *small.words, "--protocol", "test-1"]
    said = call(capfd, *words, "--out", tmp_path / "listed")
    assert said.code == 0, said.err
    assert row(tmp_path / "listed", "a", "test-far@a")["reason"] == "weights-missing"
    assert "hvbench weights pull test-file" in said.out + said.err
    said = call(capfd, *words, "--metric", "test-far@a", "--out", tmp_path / "asked")
    assert said.code == 3
    assert "hvbench weights pull test-file" in said.err
    said = call(capfd, *words, "--require", "all", "--out", tmp_path / "all")
    assert said.code == 3
    assert row(tmp_path / "all", "a", "psnr@float")["value"] is not None


# ------------------------------------------------------------------------------------------------------------------------- 3


def test_asked_for_and_unscored(small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Identical frames have no PSNR: unscored `identical`, exit 3 if asked for by name; the same under the protocol alone is 0."""
    same = ["run", "--suite", "tiktok", "--truth", small.root / "truth", "--outputs", f"same={small.root / 'truth'}"]
    said = call(capfd, *same, "--metric", "psnr@float", "--out", tmp_path / "asked")
    assert said.code == 3
    assert "psnr@float" in said.err
    assert "identical" in said.err
    assert call(capfd, *same, "--out", tmp_path / "listed").code == 0
    assert row(tmp_path / "listed", "same", "ssim@gaussian")["value"] == 1
    assert call(capfd, *same, "--require", "all", "--out", tmp_path / "listed").code == 3


def test_require_all_counts_failed_clips(small: Study, tmp_path: Path, capfd: Capture) -> None:
    shutil.copytree(small.root / "a", tmp_path / "a")
    (tmp_path / "a" / "one.mkv").unlink()
    words = ["run", "--suite", "tiktok", "--truth", small.root / "truth", "--outputs", f"a={tmp_path / 'a'}"]
    assert call(capfd, *words, "--out", tmp_path / "run").code == 0
    said = call(capfd, *words, "--out", tmp_path / "run", "--require", "all")
    assert said.code == 3
    assert "1 clip" in said.err
    assert call(capfd, "resume", tmp_path / "run", "--require", "all").code == 3


# ------------------------------------------------------------------------------------------------------------------------- 2


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "--suite", "no-such"],
        ["run", "--suite", "tiktok", "--protocol", "no-such"],
        ["run", "--suite", "tiktok", "--metric", "psnr"],
        ["run", "--suite", "tiktok", "--metric", "psnr@none"],
        ["run", "--suite", "tiktok", "--adapter", "no-such"],
        ["run", "--suite", "tiktok", "--case", "no-such"],
        ["run", "--suite", "tiktok", "--limit", "0"],
        ["run", "--suite", "tiktok", "--limit", "x"],
        ["run", "--suite", "tiktok", "--seeds", "a"],
        ["run", "--suite", "tiktok", "--offset", "ghost=1"],
        ["run", "--suite", "tiktok", "--offset", "1"],
        ["run", "--suite", "tiktok", "--offset", "still=x", "--adapter", "still"],
        ["run", "--suite", "tiktok", "--fps", "truth=0"],
        ["run", "--suite", "tiktok", "--fps", "truth=nan"],
        ["run", "--suite", "tiktok", "--fps", "truth=inf"],
        ["run", "--suite", "tiktok", "--crop", "*=1,2,3"],
        ["run", "--suite", "tiktok", "--frames", "*=5"],
        ["run", "--suite", "tiktok", "--split", "no-such"],
        ["run", "--suite", "tiktok", "--weights", "no-such-folder"],
        ["run", "--suite", "tiktok", "--device", "no-such"],
        ["run", "--suite", "tiktok", "--workers", "x"],
        ["run", "--suite", "ubc-fashion"],
        ["run", "--no-such-option"],
        ["no-such-verb"],
        ["explain", "no-such"],
        ["show", "no-such"],
        ["resume", "no-such"],
        ["validate", "no-such"],
        ["compare", "no-such", "--of", "a", "--over", "b"],
        ["weights", "verify", "no-such"],
        ["weights", "import", "no-such"],
        [],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("drawn")
def test_usage(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """Nothing on standard output, a sentence on standard error, no run left behind."""
    monkeypatch.chdir(tmp_path)
    said = call(capfd, *words)
    assert (said.code, said.out) == (2, ""), said.err
    assert said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("bad", ["A", "a b", "truth", "real", "*", "a@b", "a/b"])
def test_names_of_methods(bad: str, small: Study, tmp_path: Path, capfd: Capture) -> None:
    said = call(
        capfd,
        "run",
        "--suite",
        "tiktok",
        "--truth",
        small.root / "truth",
        "--outputs",
        f"{bad}={small.root / 'a'}",
        "--out",
        tmp_path / "r",
    )
    assert (said.code, said.out) == (2, "")


def _tiktok(root: Path, cases: list[str]) -> Path:
    """The published layout: ROOT/00335/images/0001.png."""
    for number, case in enumerate(cases):
        write_folder(root / case / "images", movie(number, COUNT, 16, 16), [f"{i + 1:04d}.png" for i in range(COUNT)])
    return root


@pytest.mark.parametrize("how", ["environment", "option", "configuration"])
@pytest.mark.parametrize("state", ["absent", "empty", "incomplete", "a file"])
def test_named_root_is_never_the_fallback(how: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """A root that anybody named and that is not all there is an error that names it; the made suite stands in only where no root was ever named."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "data" / "tiktok"
    root.parent.mkdir()
    if state == "empty":
        root.mkdir()
    elif state == "incomplete":
        _tiktok(root, IPA[:5])
    elif state == "a file":
        root.write_text("not a folder")
    words: list[object] = ["run", "--suite", "tiktok", "--adapter", "still"]
    if how == "environment":
        monkeypatch.setenv("BENCHMARK_DATA", str(root.parent))
    elif how == "configuration":
        Path(os.environ["BENCHMARK_CONFIG"]).write_text(f'[data]\ntiktok = "{root}"\n')
    else:
        words += ["--data", root]
    said = call(capfd, *words)
    assert (said.code, said.out) == (2, ""), said.err
    assert str(root) in said.err
    assert "expected:" in said.err
    assert "shapes" not in said.err
    assert not (tmp_path / "runs").exists()
    if state == "incomplete":
        told(said.err, "00340")


@pytest.mark.parametrize("how", ["environment", "option", "configuration"])
def test_whole_root_is_used(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """The same truth whoever named it, for made clips and for finished outputs; a frame folder has no rate, so both sides' rates are given."""
    root = _tiktok(tmp_path / "data" / "tiktok", IPA)
    for number, case in enumerate(IPA):
        write(tmp_path / "ours" / f"{case}.mkv", worse(movie(number, COUNT, 16, 16), 2))
    words: list[object] = ["run", "--suite", "tiktok", "--adapter", "still", "--outputs", f"m={tmp_path / 'ours'}", "--reference-frame", "*=0",
                           "--fps", "truth=25"]  # fmt: skip
    if how == "environment":
        monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    elif how == "configuration":
        Path(os.environ["BENCHMARK_CONFIG"]).write_text(f'[data]\ntiktok = "{root}"\n')
    else:
        words += ["--data", root]
    said = call(capfd, *words, "--out", tmp_path / "run")
    assert said.code == 0, said.err
    assert {(s["n_clips"], s["n_failed"]) for s in scores(tmp_path / "run") if s["reason"] != "weights-missing"} == {(6, 0)}
    assert header(tmp_path / "run")["split"]["id"] == "ipa-6"
    assert header(tmp_path / "run")["suite"]["banner"] == ""


@pytest.mark.usefixtures("drawn")
def test_made_suite_has_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """BENCHMARK_DATA names roots of data sets; a suite whose clips are made here has none, and runs all the same when it is asked for."""
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path))
    said = call(capfd, "run", "--suite", "tiktok-embedded", "--limit", "1", "--adapter", "still", "--out", tmp_path / "run")
    assert said.code == 0, said.err


@pytest.mark.parametrize("state", ["absent", "empty"])
def test_truth_folder_that_is_not_there(state: str, small: Study, tmp_path: Path, capfd: Capture) -> None:
    if state == "empty":
        (tmp_path / "truth").mkdir()
    said = call(
        capfd, "run", "--suite", "tiktok", "--truth", tmp_path / "truth", "--outputs", f"a={small.root / 'a'}", "--out", tmp_path / "r"
    )
    assert (said.code, said.out) == (2, "")
    assert str(tmp_path / "truth") in said.err


def test_broken_configuration(tmp_path: Path, capfd: Capture) -> None:
    for text in ("[data\n", 'data = "x-tiktok-x"\n', "data = 3\n", "[data]\ntiktok = 3\n"):
        Path(os.environ["BENCHMARK_CONFIG"]).write_text(text)
        said = call(capfd, "run", "--suite", "tiktok", "--out", tmp_path / "run")
        assert (said.code, said.out) == (2, ""), said.err
        assert os.environ["BENCHMARK_CONFIG"] in said.err or text.endswith("= 3\n")
        assert "Traceback" not in said.err


OTHER: dict[str, tuple[list[str], str]] = {
    "protocol": (["--protocol", "disco-2024"], "protocols"),
    "metric": (["--metric", "l1@unit"], "variants"),
    "offset": (["--offset", "a=1"], "offset"),
    "case": (["--case", "one"], "cases"),
    "seeds": (["--seeds", "1"], "seeds"),
}


@pytest.mark.parametrize("kind", OTHER)
def test_out_at_another_spec(kind: str, small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Exit 2, the difference named, and the run that is there untouched."""
    assert call(capfd, "run", *small.words, "--out", tmp_path / "run").code == 0
    before = (tmp_path / "run" / "run.json").read_bytes()
    more, needle = OTHER[kind]
    said = call(capfd, "run", *small.words, *more, "--out", tmp_path / "run")
    assert (said.code, said.out) == (2, "")
    told(said.err, str(tmp_path / "run"), needle)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_out_after_an_input_changed(small: Study, tmp_path: Path, capfd: Capture) -> None:
    """The spec holds every input's hash: another file of the same name is another run."""
    shutil.copytree(small.root, tmp_path / "s")
    moved = Study(tmp_path / "s", small.methods, small.cases)
    assert call(capfd, "run", *moved.words, "--out", tmp_path / "run").code == 0
    write(moved.root / "b" / "two.mkv", movie(7))
    said = call(capfd, "run", *moved.words, "--out", tmp_path / "run")
    assert said.code == 2
    assert "b.sha256" in said.err
    assert call(capfd, "resume", tmp_path / "run").code == 2


@pytest.mark.parametrize("what", ["a file", "a folder of something else"])
def test_out_at_something_else(what: str, small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Nobody's files are written over."""
    if what == "a file":
        (tmp_path / "mine").write_text("mine")
    else:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("mine")
    said = call(capfd, "run", *small.words, "--out", tmp_path / "mine")
    assert said.code == 2
    assert "try:" in said.err
    if what != "a file":
        assert [p.name for p in (tmp_path / "mine").iterdir() if not p.name.startswith(".")] == ["thesis.txt"]


def test_second_writer(small: Study, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with FileLock(str(out / ".lock")):
        said = call(capfd, "run", *small.words, "--out", out)
        assert (said.code, said.out) == (2, "")
        assert str(out) in said.err
        assert "try:" in said.err
    assert call(capfd, "run", *small.words, "--out", out).code == 0


def test_method_without_a_usable_clip(small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Exit 2, but only after the rest is scored and written."""
    (tmp_path / "none").mkdir()
    for case in small.cases:
        (tmp_path / "none" / f"{case}.mp4").write_text("nothing")
    said = call(capfd, "run", *small.words, "--outputs", f"none={tmp_path / 'none'}", "--out", tmp_path / "run")
    assert said.code == 2
    assert "none: no usable clip" in said.err
    assert header(tmp_path / "run")["status"] == "success"
    assert row(tmp_path / "run", "a", "psnr@float")["n_clips"] == 2
    none = row(tmp_path / "run", "none", "psnr@float")
    assert (none["value"], none["reason"], none["n_failed"]) == (None, "not-a-video", 2)
    assert len(journal(tmp_path / "run")) == 6


def test_truth_without_any_case_in_common(small: Study, tmp_path: Path, capfd: Capture) -> None:
    """Other stems on both sides: nothing can be paired, which is 2 and says which stems there are."""
    write(tmp_path / "ours" / "other.mkv", movie(0))
    said = call(
        capfd, "run", "--suite", "tiktok", "--truth", small.root / "truth", "--outputs", f"m={tmp_path / 'ours'}", "--out", tmp_path / "run"
    )
    assert said.code == 2
    assert "other" in said.err
    assert "one" in said.err


@pytest.mark.parametrize("frame", ["-1", "24", "999"])
def test_reference_frame_outside_the_truth(frame: str, small: Study, tmp_path: Path, capfd: Capture) -> None:
    """A frame the truth does not have cannot have been the reference; to leave nothing out in silence would score the reference."""
    said = call(capfd, "run", *small.words, "--reference-frame", f"a={frame}", "--out", tmp_path / "run")
    assert said.code == 2, said.err
    assert frame in said.err


# ------------------------------------------------------------------------------------------------------------------- 1 and 130


def test_bug(small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """A bug is told as one, with its trace; the run can be resumed afterwards."""

    def broken(job: CaseJob, progress: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("benchmark.execute.evaluate", broken)
        said = call(capfd, "run", *small.words, "--out", tmp_path / "run")
    assert (said.code, said.out) == (1, "")
    assert "Traceback" in said.err
    assert call(capfd, "resume", tmp_path / "run").code == 0


def test_resumed_by_other_code(small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """Units that changed code made and that are kept stay its own: the header names both. Where nothing of it is kept, or nothing changed, it does not."""
    from benchmark import evaluate

    stops = iter([False, True, True])

    def once(job: CaseJob, progress: Callable[[int], None]) -> object:
        if next(stops):
            raise KeyboardInterrupt
        return evaluate.evaluate(job, progress)

    dirty, clean = {"revision": "a" * 40, "dirty": True}, {"revision": "b" * 40, "dirty": False}
    monkeypatch.setattr("benchmark.machine.git", lambda: dict(dirty))
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.execute.evaluate", once)
        assert call(capfd, "run", *small.words, "--out", tmp_path / "run").code == 130
        assert call(capfd, "resume", tmp_path / "run").code == 130
    assert header(tmp_path / "run")["git"] == dirty
    monkeypatch.setattr("benchmark.machine.git", lambda: dict(clean))
    assert call(capfd, "resume", tmp_path / "run").code == 0
    assert header(tmp_path / "run")["git"] == {**clean, "before": [dirty]}
    assert call(capfd, "run", *small.words, "--out", tmp_path / "other").code == 0
    assert header(tmp_path / "other")["git"] == clean


def test_interrupted(small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """130, status `interrupted`, what is done is kept; `show` says what to type; resuming ends it."""
    from benchmark import evaluate

    calls = []

    def once(job: CaseJob, progress: Callable[[int], None]) -> object:
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate.evaluate(job, progress)

    with monkeypatch.context() as patch:
        patch.setattr("benchmark.execute.evaluate", once)
        said = call(capfd, "run", *small.words, "--out", tmp_path / "run")
    assert (said.code, said.out) == (130, "")
    assert "resume" in said.err
    assert header(tmp_path / "run")["status"] == "interrupted"
    assert len(journal(tmp_path / "run")) == 2
    shown = call(capfd, "show", tmp_path / "run")
    assert shown.code == 2
    assert "interrupted" in shown.err
    assert "resume" in shown.err
    assert call(capfd, "resume", tmp_path / "run").code == 0
    assert len(journal(tmp_path / "run")) == 4
