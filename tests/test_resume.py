"""Killed at any moment and typed again, a run ends as if nothing had happened: scores.json equal byte by byte, the sorted journal without its times and the
sorted frame values equal to an undisturbed run's. The expected result is always that undisturbed run."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.generating import Adapter, Settings
from benchmark.model import Case, Extractor, Metric, SetVariant
from benchmark.record import JOURNAL, SCORES, SHARDS, VALUES
from tests.make import (
    ROOT,
    Study,
    call,
    environment,
    header,
    hvbench,
    journal,
    row,
    same_result,
    study,
    values,
    without_time,
    write,
)

Capture = pytest.CaptureFixture[str]
FORK = hasattr(os, "fork")
PROTOCOLS = ["--protocol", "strict-1", "--protocol", "disco-2024"]
"""One that pools over clips and one that pools over frames: the second reads values.parquet."""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Four methods on six cases, with one clip missing and one broken: a run of a second or more."""
    made = study(tmp_path_factory.mktemp("long"), ("a", "b", "c", "d"), [f"case {i}" for i in range(6)])
    (made.root / "c" / "case 1.mkv").unlink()
    (made.root / "d" / "case 2.mkv").write_bytes(b"")
    return made


@pytest.fixture(scope="module")
def undisturbed(long: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    said = hvbench("run", *long.words, *PROTOCOLS, "--out", "run", cwd=folder)
    assert said.code == 0, said.err
    return folder / "run"


def start(long: Study, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "benchmark", "run", *long.words, *PROTOCOLS, "--out", "run", *more]
    return subprocess.Popen(words, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def lines(run: Path) -> int:
    path = run / JOURNAL
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(process: subprocess.Popen[bytes], run: Path, count: int) -> None:
    """Until the journal has so many lines, or the process has ended."""
    limit = time.monotonic() + 60
    while lines(run) < count and process.poll() is None:
        assert time.monotonic() < limit
        time.sleep(0.002)


def end(process: subprocess.Popen[bytes], number: int) -> int:
    """Signal the whole group (a terminal does so too) and wait."""
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        os.killpg(process.pid, number)
    process.communicate(timeout=60)
    return process.returncode


def kill_and_finish(seed: int, long: Study, undisturbed: Path, folder: Path) -> None:
    """Up to four kills at random moments of one run - imports, units, compaction, scores - then the same command or `resume`."""
    rng = random.Random(seed)
    total = len(long.methods) * len(long.cases)
    workers = ["--workers", rng.choice(["1", "1", "2"])]
    for _ in range(rng.randint(1, 4)):
        process = start(long, folder, *workers)
        if rng.random() < 0.15:
            time.sleep(rng.uniform(0, 0.6))
        else:
            wait_for(process, folder / "run", rng.randint(lines(folder / "run"), total))
            time.sleep(rng.uniform(0, 0.03))
        end(process, signal.SIGKILL)
    if rng.random() < 0.5 and (folder / "run" / "run.json").exists():
        said = hvbench("resume", "run", *workers, cwd=folder)
    else:
        said = hvbench("run", *long.words, *PROTOCOLS, "--out", "run", *workers, cwd=folder)
    assert said.code == 0, f"seed {seed}: {said.err}"
    same_result(folder / "run", undisturbed)
    assert sorted(p.name for p in (folder / "run").iterdir() if p.name != ".lock") == sorted(
        p.name for p in undisturbed.iterdir() if p.name != ".lock"
    )
    assert header(folder / "run")["status"] == "success"


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random(seed: int, long: Study, undisturbed: Path, tmp_path: Path) -> None:
    kill_and_finish(seed, long, undisturbed, tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1050))
def test_killed_at_random_often(seed: int, long: Study, undisturbed: Path, tmp_path: Path) -> None:
    kill_and_finish(seed, long, undisturbed, tmp_path / "here")


# ------------------------------------------------------------------------------------------- killed at every single step


class Killer:
    """Counts the steps that change the disk - replace, unlink, rmdir, fsync, each before and after - and kills this process at one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def step(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.step()
            result = real(*arguments, **named)
            self.step()
            return result

        return call

    def arm(self) -> None:
        for owner, names in ((Path, ("replace", "unlink", "rmdir")), (os, ("fsync",))):
            for name in names:
                setattr(owner, name, self.around(getattr(owner, name)))


def _plugin() -> None:
    """Features, so that stored shards are part of it, and an adapter that fails on one case."""
    from benchmark.registry import registry

    def generate(case: Case, settings: Settings, stem: Path) -> Path:
        if case.id == "two":
            raise InputError("no luck with this one", path=case.id)
        assert case.truth is not None
        return Path(shutil.copy(case.truth.path, stem.with_name(stem.name + ".mkv")))

    for item in (
        Extractor(id="test-net", version=1, summary="mean colour", source="t", dimension=3, batch=5, preprocess=lambda f: np.asarray(f),
                  build=lambda s, d: lambda b: b.mean(axis=(1, 2)).astype(np.float32)),
        Metric(name="test-far", title="far", higher_is_better=False, variants=(SetVariant(
            id="a", summary="s", source="t", extractor="test-net", distance=lambda x, y: float(np.square(x.mean(0) - y.mean(0)).sum())),)),
        Adapter(id="test-luck", version=1, title="luck", summary="copies, with one failure", generate=generate),
    ):  # fmt: skip
        registry().add(item, "this test")


def _child(folder: Path, words: list[str], at: int) -> int:
    """A command in a fork of this process, killed at step `at` (0 = never). Returns the wait status; the number of steps lies in `steps`."""
    number = os.fork()
    if number:
        return os.waitpid(number, 0)[1]
    code = 99
    try:
        os.chdir(folder)
        null = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.environ["BENCHMARK_CACHE"] = str(folder / "cache")
        from benchmark.cli import main

        killer = Killer(at)
        killer.arm()
        code = main(words)
        (folder / "steps").write_text(str(killer.seen))
    finally:
        os._exit(code)


def _text(run: Path) -> list[str]:
    return (run / SCORES).read_text(encoding="utf-8").splitlines()


def _first(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    """Where two listings part."""
    for a, b in zip(ours, theirs, strict=False):
        if a != b:
            return f"{str(a)[:300]} and {str(b)[:300]}"
    return f"{len(ours)} and {len(theirs)} lines"


def kill_everywhere(root: str, first: str, stride: str) -> None:
    """Entry point of a process of its own: kill a small run at step 1, 2, 3 ... and compare what comes after with the undisturbed run."""
    for name in (
        "av",
        "cv2",
        "PIL.Image",
        "pyarrow.parquet",
        "benchmark.runs",
        "benchmark.media.picture",
        "reports.show",
        "sqlite3",
        "torch",
    ):
        if importlib.util.find_spec(name):
            importlib.import_module(name)  # once here, not in every fork

    _plugin()
    folder = Path(root)
    inputs = Study(folder / "study", ("a", "b"), ("one", "two"))
    words = ["run", *inputs.words, *PROTOCOLS, "--metric", "test-far@a", "--adapter", "test-luck", "--out", "run"]
    calm = folder / f"calm-{first}"
    calm.mkdir()
    status = _child(calm, words, 0)
    assert os.waitstatus_to_exitcode(status) == 0, (calm / "said").read_text()
    steps = int((calm / "steps").read_text())
    assert steps > 40
    wrong = []
    for at in range(int(first), steps + 1, int(stride)):
        here = folder / f"at-{at}"
        here.mkdir()
        status = _child(here, words, at)
        assert os.WIFSIGNALED(status), f"step {at} of {steps}: exit {status}"
        if lines(here / "run") and header(here / "run")["status"] != "success":
            with (here / "run" / JOURNAL).open("ab") as file:
                file.write(b'{"adapter":"a","case":"on\xc3')  # a line that was being written
        status = _child(here, ["resume", "run"] if at % 2 and (here / "run" / "run.json").exists() else words, 0)
        try:
            assert os.waitstatus_to_exitcode(status) == 0, (here / "said").read_text()
            for name, told in (("scores", _text), ("journal", without_time), ("values", values)):
                assert told(here / "run") == told(calm / "run"), f"{name} differ: {_first(told(here / 'run'), told(calm / 'run'))}"
            left = sorted(p.relative_to(here / "run").as_posix() for p in (here / "run").rglob("*") if p.name != ".lock")
            other = sorted(p.relative_to(calm / "run").as_posix() for p in (calm / "run").rglob("*") if p.name != ".lock")
            assert left == other, f"files differ: {sorted(set(left) ^ set(other))}"
        except AssertionError as error:
            wrong.append(f"step {at} of {steps}: {str(error)[:1500]}")
        shutil.rmtree(here)
    print(steps)
    if wrong:
        sys.exit(f"{len(wrong)} of {steps} steps go wrong:\n" + "\n".join(wrong[:3]))


@pytest.mark.skipif(not FORK, reason="forks")
@pytest.mark.parametrize(
    ("first", "stride"), [("1", "12"), *(pytest.param(str(first), "5", marks=pytest.mark.slow) for first in range(1, 6))]
)
def test_killed_at_every_step(first: str, stride: str, tmp_path: Path) -> None:
    """Header, unit shards, journal lines, feature shards, made clips, compaction (before and after the replace, between two deletions), scores and the
    closing header; half a journal line is left behind. Units that failed are in it, an adapter's too. Every twelfth step by default, all when slow."""
    study(tmp_path / "study")
    run = [
        sys.executable,
        "-c",
        "import sys; from tests.test_resume import kill_everywhere; kill_everywhere(*sys.argv[1:])",
        str(tmp_path),
        first,
        stride,
    ]
    done = subprocess.run(run, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


# -------------------------------------------------------------------------------------------------------------- other endings


@pytest.mark.parametrize("workers", ["1", "2"])
def test_interrupted_from_the_keyboard(workers: str, long: Study, undisturbed: Path, tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group: exit 130, status `interrupted`, no trace on the terminal, nothing runs on; and the run can be resumed."""
    folder = tmp_path / "here"
    process = start(long, folder, "--workers", workers)
    wait_for(process, folder / "run", 3)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert header(folder / "run")["status"] == "interrupted"
    assert 3 <= lines(folder / "run") < len(long.methods) * len(long.cases)
    assert "Traceback" not in err.decode(), err.decode()[-3000:]
    assert hvbench("resume", "run", cwd=folder).code == 0
    same_result(folder / "run", undisturbed)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_die_with_their_parent(long: Study, tmp_path: Path) -> None:
    """kill -9 of the run alone (as the kernel does when memory is short) leaves no worker behind."""
    folder = tmp_path / "here"
    process = start(long, folder, "--workers", "2")
    wait_for(process, folder / "run", 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    try:
        limit = time.monotonic() + 10
        while (left := list(_group(process.pid))) and time.monotonic() < limit:
            time.sleep(0.1)
        assert left == []
    finally:
        end(process, signal.SIGKILL)


def _group(leader: int) -> Iterator[int]:
    """Processes of a group that still run."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[2]) == leader and fields[0] not in "ZX":
            yield int(path.parent.name)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_left_but_the_end(workers: str, long: Study, undisturbed: Path, tmp_path: Path) -> None:
    """Every unit is done, only compaction or scores are missing: also with workers that have nothing to do."""
    shutil.copytree(undisturbed, tmp_path / "run")
    (tmp_path / "run" / SCORES).unlink()
    said = hvbench("resume", "run", "--workers", workers, cwd=tmp_path)
    assert said.code == 0, said.err
    same_result(tmp_path / "run", undisturbed)


def test_resume_redoes_only_what_is_missing(
    long: Study, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """Without three journal lines (and a status that says so) exactly those three units are done again, in one pass a case."""
    from benchmark import evaluate, jobs

    shutil.copytree(undisturbed, tmp_path / "run")
    text = (tmp_path / "run" / JOURNAL).read_text().splitlines(keepends=True)
    gone = [json.loads(line) for line in text[4:7]]
    (tmp_path / "run" / JOURNAL).write_text("".join(text[:4] + text[7:]))
    facts = header(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps({**facts, "status": "interrupted"}))
    done = []

    def watch(job: jobs.CaseJob, progress: Callable[[int], None]) -> list[jobs.UnitResult]:
        done.extend((unit.unit.adapter, unit.unit.case) for unit in job.units)
        return evaluate.evaluate(job, progress)

    monkeypatch.setattr("benchmark.execute.evaluate", watch)
    said = call(capfd, "resume", tmp_path / "run")
    assert said.code == 0, said.err
    assert sorted(done) == sorted((e["adapter"], e["case"]) for e in gone)
    same_result(tmp_path / "run", undisturbed)


def test_damage_inside_the_journal_is_told(long: Study, undisturbed: Path, tmp_path: Path, capfd: Capture) -> None:
    """A whole line that does not parse is no kill's doing: exit 2, the line named, and what to do."""
    shutil.copytree(undisturbed, tmp_path / "run")
    text = (tmp_path / "run" / JOURNAL).read_text().splitlines(keepends=True)
    (tmp_path / "run" / JOURNAL).write_text("".join([*text[:2], text[2][:40] + "\n", *text[3:]]))
    (tmp_path / "run" / SCORES).unlink()
    said = call(capfd, "resume", tmp_path / "run")
    assert said.code == 2
    assert "line 3" in said.err
    assert "try:" in said.err


def test_half_a_header_is_told(undisturbed: Path, tmp_path: Path, capfd: Capture) -> None:
    shutil.copytree(undisturbed, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text((tmp_path / "run" / "run.json").read_text()[:100])
    for verb in ("resume", "show", "validate"):
        said = call(capfd, verb, tmp_path / "run")
        assert said.code == 2
        assert "run.json" in said.err
        assert "Traceback" not in said.err


def test_shards_and_values_of_one_unit(long: Study, undisturbed: Path, tmp_path: Path) -> None:
    """A stray shard without a journal line, temporary files of a process that died: neither reaches the values."""
    shutil.copytree(undisturbed, tmp_path / "run")
    (tmp_path / "run" / SHARDS).mkdir()
    (tmp_path / "run" / SHARDS / ("0" * 24 + ".parquet")).write_bytes(b"PAR1 cut")
    (tmp_path / "run" / SHARDS / ".x.parquet.1.tmp").write_bytes(b"PAR1")
    (tmp_path / "run" / f".{VALUES}.1.tmp").write_bytes(b"PAR1")
    (tmp_path / "run" / SCORES).unlink()
    said = hvbench("resume", "run", cwd=tmp_path)
    assert said.code == 0, said.err
    same_result(tmp_path / "run", undisturbed)
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_undisturbed_twice(long: Study, undisturbed: Path, tmp_path: Path) -> None:
    """The premise of it all: two undisturbed runs are equal."""
    assert hvbench("run", *long.words, *PROTOCOLS, "--out", "run", cwd=tmp_path).code == 0
    same_result(tmp_path / "run", undisturbed)
    assert without_time(undisturbed) == without_time(tmp_path / "run")
    assert len(journal(undisturbed)) == 24
    assert row(undisturbed, "c", "psnr@float")["n_failed"] == 1


def test_a_made_clip_that_was_cut_is_made_again(long: Study, tmp_path: Path, capfd: Capture) -> None:
    """A clip of an adapter without its journal line does not count, whatever is left of it."""
    words = ["run", "--suite", "tiktok", "--truth", long.root / "truth", "--adapter", "still", "--reference-frame", "*=0"]
    assert call(capfd, *words, "--out", tmp_path / "calm").code == 0
    folder = tmp_path / "run" / "clips" / "still"
    assert call(capfd, *words, "--out", tmp_path / "run").code == 0
    clip = sorted(folder.iterdir())[0]
    (tmp_path / "run" / SCORES).unlink()
    text = (tmp_path / "run" / JOURNAL).read_text().splitlines(keepends=True)
    (tmp_path / "run" / JOURNAL).write_text("".join(line for line in text if json.loads(line)["case"] != "case 0"))
    clip.write_bytes(clip.read_bytes()[:100])
    assert call(capfd, "resume", tmp_path / "run").code == 0
    same_result(tmp_path / "run", tmp_path / "calm")


def test_study_is_not_touched(long: Study, undisturbed: Path) -> None:
    """Inputs are only read."""
    assert not [p for p in long.root.rglob("*") if p.name.startswith(".") or p.suffix == ".tmp"]
    assert not write(undisturbed.parent / "probe.mkv", np.zeros((1, 16, 16, 3), np.uint8)).is_relative_to(long.root)
