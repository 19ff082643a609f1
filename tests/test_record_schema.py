"""Every file of a record against the shipped schemas, for runs of every kind; and `validate`, which must find what was changed afterwards.
The schemas are the contract; tampering is by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.generating import Adapter, Settings
from benchmark.model import Case
from benchmark.validate import schema
from tests.make import Study, call, header, journal, movie, row, scores, study, worse, write

Capture = pytest.CaptureFixture[str]
Edit = Callable[[Any], None]
COLUMNS = ["adapter", "case", "seed", "view", "metric", "frame", "generated", "value"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study(tmp_path_factory.mktemp("inputs"))


def check(run: Path) -> None:
    """All three files, and that no number is NaN or infinite."""
    for name, path in (("run", "run.json"), ("scores", "scores.json")):
        checker = jsonschema.Draft202012Validator(schema(name))
        checker.check_schema(schema(name))
        checker.validate(json.loads((run / path).read_text(encoding="utf-8"), parse_constant=_never))
    checker = jsonschema.Draft202012Validator(schema("journal"))
    for line in (run / "journal.jsonl").read_text(encoding="utf-8").splitlines():
        checker.validate(json.loads(line, parse_constant=_never))


def _never(word: str) -> None:
    raise AssertionError(f"{word} in a record")


def noisy(case: Case, settings: Settings, stem: Path) -> Path:
    """An adapter whose clips differ by seed."""
    number = ["one", "two"].index(case.id)
    return write(stem.with_name(stem.name + ".mkv"), worse(movie(number), 3 + settings.seed, number))


def kinds(inputs: Study, folder: Path) -> dict[str, list[object]]:
    bad = folder / "bad"
    shutil.copytree(inputs.root / "a", bad)
    (bad / "one.mkv").write_bytes(b"")
    same = inputs.root / "truth"
    base = ["--suite", "tiktok"]
    return {
        "plain": [*inputs.words],
        "failures": [*inputs.words, "--outputs", f"bad={bad}", "--protocol", "strict-1", "--protocol", "disco-2023"],
        "identical": [*base, "--truth", same, "--outputs", f"same={same}"],
        "unpaired": [*base, "--outputs", f"a={inputs.root / 'a'}"],
        "unpaired with a real set": [*base, "--outputs", f"a={inputs.root / 'a'}", "--real", same],
        "made": [*base, "--truth", same, "--adapter", "still", "--adapter", "reencode", "--reference-frame", "*=0"],
        "made, and one fails": [*base, "--truth", same, "--adapter", "still"],
        "seeds": [*base, "--truth", same, "--adapter", "test-noisy", "--seeds", "0,1,2"],
        "looked at": [*inputs.words, "--offset", "*=1", "--frames", "*=2:20", "--crop", "a=0.0,0.0,1.0,1.0", "--ignore", "b=0,0,8,8", "--fps", "*=25",
                      "--reference-frame", "a=3"],
        "retimed": [*inputs.words, "--fps", "a=12.5", "--protocol", "strict-1-retime", "--protocol", "disco-2024"],
        "drawn": [*base],
    }  # fmt: skip


KINDS = ("plain", "failures", "identical", "unpaired", "unpaired with a real set", "made", "made, and one fails", "seeds", "looked at", "retimed",
         "drawn")  # fmt: skip


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("kind", [*KINDS[:-1], pytest.param(KINDS[-1], marks=pytest.mark.slow)])
def test_schemas(kind: str, inputs: Study, tmp_path: Path, register: Callable[..., None], capfd: Capture) -> None:
    """Valid by schema and by `validate`, whatever kind of run; every score has the contract's fields; counts add up."""
    register(Adapter(id="test-noisy", version=1, title="noisy", summary="noise by seed", generate=noisy))
    words = kinds(inputs, tmp_path)[kind]
    said = call(capfd, "run", *words, "--out", tmp_path / "run")
    assert said.code == (2 if kind == "made, and one fails" else 0), said.err
    check(tmp_path / "run")
    said = call(capfd, "validate", tmp_path / "run")
    assert (said.code, said.out) == (0, f"{tmp_path / 'run'}: valid\n"), said.err
    cases = len(header(tmp_path / "run")["spec"]["cases"])
    for score in scores(tmp_path / "run"):
        assert (score["value"] is None) == bool(score["reason"])
        if score["value"] is not None:
            assert score["n_clips"] + score["n_failed"] == cases
        if score["ci_low"] is not None:
            assert score["ci_low"] <= score["value"] <= score["ci_high"]
            assert score["ci_method"] != "none"
    for verb in (
        ["show"],
        ["show", "--clips"],
        ["show", "--format", "json"],
        ["show", "--format", "markdown"],
        ["show", "--format", "csv"],
    ):
        said = call(capfd, verb[0], tmp_path / "run", *verb[1:])
        assert said.code == 0, said.err


def test_seeds_are_averaged_and_kept(inputs: Study, tmp_path: Path, register: Callable[..., None], capfd: Capture) -> None:
    """Each seed has its journal line; the score is the mean over seeds, then over clips."""
    register(Adapter(id="test-noisy", version=1, title="noisy", summary="noise by seed", generate=noisy))
    assert call(capfd, "run", *kinds(inputs, tmp_path)["seeds"], "--out", tmp_path / "run").code == 0
    entries = journal(tmp_path / "run")
    assert sorted((e["case"], e["seed"]) for e in entries) == [(c, s) for c in ("one", "two") for s in (0, 1, 2)]
    found = {(e["case"], e["seed"]): next(iter(e["values"].values()))["psnr@float"]["value"] for e in entries}
    expected = np.mean([np.mean([found[c, s] for s in (0, 1, 2)]) for c in ("one", "two")])
    assert row(tmp_path / "run", "test-noisy", "psnr@float")["value"] == pytest.approx(expected, rel=1e-12)


def test_values_follow_from_frames(inputs: Study, tmp_path: Path, capfd: Capture) -> None:
    """The record is enough: each clip's value is the mean of its rows in values.parquet, each score the mean of those."""
    assert call(capfd, "run", *inputs.words, "--out", tmp_path / "run").code == 0
    table = pq.read_table(tmp_path / "run" / "values.parquet")
    assert table.column_names == COLUMNS
    frame = table.to_pandas()
    for method in inputs.methods:
        part = frame[(frame.adapter == method) & (frame.metric == "psnr@float")]
        clips = part.groupby("case", observed=True).value.mean()
        assert row(tmp_path / "run", method, "psnr@float")["value"] == pytest.approx(clips.mean(), rel=1e-12)
        assert (part.frame == part.generated).all()
    keys = list(zip(*(table[c].to_pylist() for c in COLUMNS[:6]), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys))


# --------------------------------------------------------------------------------------------------------------------- tampering


@pytest.fixture(scope="module")
def finished(inputs: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """A run on a copy of the inputs, to be copied and tampered with."""
    from benchmark.cli import main

    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(inputs.root, folder / "inputs")
    mine = Study(folder / "inputs", inputs.methods, inputs.cases)
    words = ["run", *mine.words, "--protocol", "strict-1", "--protocol", "disco-2024", "--out", str(folder / "run")]
    assert main(words) == 0
    return mine, folder / "run"


def _scores(edit: Edit) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        data = json.loads((run / "scores.json").read_text())
        edit(data)
        (run / "scores.json").write_text(json.dumps(data))

    return change


def _lines(edit: Edit) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        entries = journal(run)
        edit(entries)
        (run / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))

    return change


def _set(data: Any, value: Any, *keys: Any) -> None:
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value


def _better(entries: list[dict[str, Any]]) -> None:
    for view in entries[0]["values"].values():
        for name in view:
            if name.startswith("psnr"):
                view[name]["value"] += 1.0


def _parquet(run: Path) -> None:
    """One frame's value of a protocol that pools over clips."""
    table = pq.read_table(run / "values.parquet")
    column = table["value"].to_pylist()
    place = next(i for i, m in enumerate(table["metric"].to_pylist()) if m == "psnr@float")
    column[place] += 3.0
    pq.write_table(table.set_column(7, "value", pa.array(column, pa.float64())), run / "values.parquet")


def _pooled_parquet(run: Path) -> None:
    """One frame's value of a protocol that pools over frames."""
    table = pq.read_table(run / "values.parquet")
    column = table["value"].to_pylist()
    place = next(i for i, m in enumerate(table["metric"].to_pylist()) if m == "psnr@cap100")
    column[place] += 3.0
    pq.write_table(table.set_column(7, "value", pa.array(column, pa.float64())), run / "values.parquet")


TAMPER: dict[str, tuple[Callable[[Path], None], str]] = {
    "a value": (_scores(lambda d: _set(d, d["scores"][1]["value"] + 0.5, "scores", 1, "value")), "scores.json"),
    "an interval": (_scores(lambda d: _set(d, 0.0, "scores", 1, "ci_low")), "scores.json"),
    "a flag": (_scores(lambda d: _set(d, ["fine"], "scores", 1, "flags")), "scores.json"),
    "a row gone": (_scores(lambda d: d["scores"].pop()), "scores.json"),
    "a row twice": (_scores(lambda d: d["scores"].append(d["scores"][-1])), "scores.json"),
    "a field of one's own": (_scores(lambda d: _set(d, 1, "scores", 0, "rank")), "scores.json"),
    "another spec": (_scores(lambda d: _set(d, "0" * 64, "spec_sha256")), "scores.json"),
    "a clip's value in the journal": (_lines(_better), "psnr"),
    "a journal line gone": (_lines(lambda e: e.pop()), "psnr"),
    "a clip that now failed": (_lines(lambda e: e[0].update(status="failed", error={"code": "x", "what": "y"}, views={}, values={})), "psnr"),
    "an unknown field in the journal": (_lines(lambda e: e[0].update(mood="good")), "journal.jsonl:1"),
    "a frame's value, pooled over frames": (_pooled_parquet, "psnr"),
    "a frame's value, pooled over clips": (_parquet, "psnr@float"),
    "the header's spec": (lambda run: (run / "run.json").write_text(json.dumps({**header(run), "spec": {**header(run)["spec"], "seeds": [9]}})), "spec"),
    "the header without status": (lambda run: (run / "run.json").write_text(json.dumps({k: v for k, v in header(run).items() if k != "status"})), "status"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPER)
def test_tampering_is_found(what: str, finished: tuple[Study, Path], tmp_path: Path, capfd: Capture) -> None:
    """Exit 2 and a line that names where."""
    shutil.copytree(finished[1], tmp_path / "run")
    assert call(capfd, "validate", tmp_path / "run").code == 0
    change, needle = TAMPER[what]
    change(tmp_path / "run")
    said = call(capfd, "validate", tmp_path / "run")
    assert said.code == 2, said.out
    assert needle in said.err, said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("change", ["rewritten", "cut", "gone"])
def test_changed_input(change: str, inputs: Study, tmp_path: Path, capfd: Capture) -> None:
    """A clip that is no longer the one that was scored is named; one that has gone is no finding, for records outlive their clips."""
    shutil.copytree(inputs.root, tmp_path / "in")
    mine = Study(tmp_path / "in", inputs.methods, inputs.cases)
    assert call(capfd, "run", *mine.words, "--out", tmp_path / "run").code == 0
    clip = mine.root / "b" / "two.mkv"
    if change == "rewritten":
        write(clip, movie(9))
    elif change == "cut":
        clip.write_bytes(clip.read_bytes()[:-10])
    else:
        clip.unlink()
    said = call(capfd, "validate", tmp_path / "run")
    assert said.code == (0 if change == "gone" else 2), said.err
    if change != "gone":
        assert str(clip) in said.err


def test_changed_made_clip(inputs: Study, tmp_path: Path, capfd: Capture) -> None:
    """Made clips lie in the run and their hashes in its journal: one that was exchanged is found too."""
    words = ["run", "--suite", "tiktok", "--truth", inputs.root / "truth", "--adapter", "still", "--reference-frame", "*=0"]
    assert call(capfd, *words, "--out", tmp_path / "run").code == 0
    clip = sorted((tmp_path / "run" / "clips" / "still").iterdir())[0]
    write(clip, movie(9))
    said = call(capfd, "validate", tmp_path / "run")
    assert said.code == 2
    assert clip.name in said.err


def test_unfinished(finished: tuple[Study, Path], tmp_path: Path, capfd: Capture) -> None:
    shutil.copytree(finished[1], tmp_path / "run")
    (tmp_path / "run" / "scores.json").unlink()
    said = call(capfd, "validate", tmp_path / "run")
    assert said.code == 2
    assert "hvbench resume" in said.err


def test_newer_schema(finished: tuple[Study, Path], tmp_path: Path, capfd: Capture) -> None:
    """A record of a later version is refused with both numbers, not misread."""
    shutil.copytree(finished[1], tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps({**header(finished[1]), "schema": 99}))
    said = call(capfd, "show", tmp_path / "run")
    assert said.code == 2
    assert "99" in said.err


def test_record_is_small(finished: tuple[Study, Path]) -> None:
    """Clips are linked, not copied: four clips of 24 frames leave less than 200 kB, and no clip of the inputs."""
    files = [p for p in finished[1].rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 200_000
    assert not [p for p in files if p.suffix == ".mkv"]
