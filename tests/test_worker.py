"""Networks in another Python: whole runs through a worker, what goes wrong with one and how it is told, and what its numbers can be traced to.

The workers here are a few lines of numpy, so every expected number is a closed form of the frames.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import licences, loading, worker
from benchmark.api import run
from benchmark.errors import InputError, Unscored
from benchmark.media import HashCache
from benchmark.model import Metric, Unit
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.rows import ClipVariant
from benchmark.runs import resume
from benchmark.validate import validate
from benchmark.worker import Process
from benchmark.workers import Identity, Option, Worker, WorkerExtractor, flags, identify
from tests.make import call, environment, movie, write

MEANS = """
import numpy as np
NAME = "means"
def load(options, settings, device):
    times = float(open(options["model"] + "/times").read()) if "model" in options else 1.0
    print("a library that talks")
    def answer(ask, frames, sound):
        assert frames.dtype == np.uint8 and sound is None
        return frames.astype(np.float64).mean(axis=(1, 2)) * times * ask["times"]
    return answer, {"times": times}
"""
"""Mean red, green and blue of a frame, times what a file of the model's folder and the question say."""
CLIPS = {name: movie(seed, 6, 32, 40) for seed, name in enumerate(("one", "two", "three"))}
NAME = "test-level@mean"


def program(folder: Path, text: str = MEANS, name: str = "program.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def spec(path: Path, **changes: Any) -> Worker:
    options = (
        Option(flag="test-python", key="python", kind="python", help="which Python"),
        Option(flag="test-model", key="model", kind="folder", help="a folder with `times`"),
        Option(flag="test-twice", key="twice", kind="yes", help="a switch"),
    )
    made = Worker(id="test-worker", title="a test", program=path, options=options, source="a test", licence="none", packages=("numpy",))
    return replace(made, start=20.0, load=20.0, answer=20.0, **changes)


def specs(path: Path, times: float = 1.0, **changes: Any) -> tuple[object, ...]:
    """A worker, an extractor on it and a metric: the mean over frames and channels."""
    extractor = WorkerExtractor(
        id="test-means",
        version=1,
        worker="test-worker",
        ask={"times": times},
        summary="means",
        source="a test",
        dimension=3,
        batch=1,
        preprocess=lambda frames: np.asarray(frames, np.uint8),
    )
    level = ClipVariant(
        id="mean", extractor="test-means", score=lambda f: float(f.generated.mean(dtype=np.float64)), summary="s", source="t"
    )
    return spec(path, **changes), extractor, Metric(name="test-level", title="Level", higher_is_better=None, variants=(level,))


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    lines = ["format = 1", 'suite = "tiktok"']
    for name, frames in CLIPS.items():
        write(tmp_path / "m" / f"{name}.mkv", frames, rate=25)
        lines += ["[[case]]", f'id = "{name}"', f'outputs = {{ m = {{ path = "m/{name}.mkv" }} }}']
    (tmp_path / "cases.toml").write_text("\n".join(lines))
    return tmp_path / "cases.toml"


def values(record: Record) -> dict[str, dict[str, Any]]:
    return {case: next(iter(record.journal[Unit("m", case)]["values"].values()))[NAME] for case in CLIPS}


def expected(times: float = 1.0) -> dict[str, float]:
    return {case: pytest.approx(frames.mean() * times, rel=1e-6) for case, frames in CLIPS.items()}


# ------------------------------------------------------------------------------------------------------------------- whole


def test_a_run_and_what_it_can_be_traced_to(clips: Path, tmp_path: Path, register: Callable[..., None]) -> None:
    """Closed form: means of the frames. Hashes by hashlib; facts of the load in the journal; no process and no folder is left."""
    path = program(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "times").write_text("2")
    register(*specs(path, times=3.0))
    before = set(Path(os.environ.get("TMPDIR", "/tmp")).glob("hvbench-worker-*"))
    record = run(cases_file=clips, metrics=[NAME], worker_options={"test-model": str(tmp_path / "model")}, out=tmp_path / "run")
    assert {case: found["value"] for case, found in values(record).items()} == expected(6)
    stated = record.header["plan"]["workers"]["test-worker"]
    assert stated["name"] == "means"
    assert stated["packages"] == {"numpy": np.__version__}
    assert stated["content"]["model"]["files"] == {"times": hashlib.sha256(b"2").hexdigest()}
    assert stated["content"]["program"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.header["plan"]["networks"]["test-means"]["ask"] == {"times": 3.0}
    (features,) = record.journal[Unit("m", "one")]["features"].values()
    assert features["test-means"]["facts"] == {"times": 2.0}
    assert {row["weights"] for row in record.scores} == {f"own-files-{stated['sha256'][:8]}"}
    assert worker._running == {}
    assert set(Path(os.environ.get("TMPDIR", "/tmp")).glob("hvbench-worker-*")) <= before


@pytest.mark.parametrize("change", ["program", "model", "ask", "twice", "settings"])
def test_caches_never_mix(clips: Path, tmp_path: Path, register: Callable[..., None], change: str) -> None:
    """Whatever decides the numbers is in the feature's key, and is another run; the same again is not computed again."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "times").write_text("1")
    options = {"test-model": str(tmp_path / "model")}
    register(*specs(program(tmp_path)))

    def once(out: str) -> tuple[str, Record]:
        record = run(cases_file=clips, metrics=[NAME], worker_options=options, out=tmp_path / out)
        (features,) = record.journal[Unit("m", "one")]["features"].values()
        return features["test-means"]["generated"], record

    key, first = once("first")
    assert once("again")[0] == key
    known = registry()
    for table in (known.workers, known.extractors, known.metrics):
        for name in [name for name in table if name.startswith("test-")]:
            del table[name]
    loading.forget()
    times = 1.0
    path = tmp_path / "program.py"
    if change == "program":
        program(tmp_path, MEANS + "# another\n")
    elif change == "model":
        (tmp_path / "model" / "times").write_text("5")
        times = 5.0
    elif change == "twice":
        options["test-twice"] = "yes"
    register(*specs(path, times=7.0 if change == "ask" else 1.0, **({"settings": {"a": 1}} if change == "settings" else {})))
    other, second = once("other")
    assert other != key
    assert {case: found["value"] for case, found in values(second).items()} == expected(7.0 if change == "ask" else times)
    if change == "ask":  # a question is no file of the worker's: the plan differs, and features are made anew
        assert first.header["plan"]["networks"] != second.header["plan"]["networks"]
    else:
        assert first.header["spec_sha256"] != second.header["spec_sha256"]
        with pytest.raises(InputError, match="holds another run"):
            run(cases_file=clips, metrics=[NAME], worker_options=options, out=tmp_path / "first")


def test_a_finished_run_is_not_touched(clips: Path, tmp_path: Path, register: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command again returns the record as it lies there, and no frame goes to a worker."""
    register(*specs(program(tmp_path), settings={"words": ("yes", "no"), "mean": (0.5,)}))
    record = run(cases_file=clips, metrics=[NAME], out=tmp_path / "run")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.is_file()}
    monkeypatch.setattr(Process, "score", None)
    assert run(cases_file=clips, metrics=[NAME], out=tmp_path / "run").scores == record.scores
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.is_file()}
    assert {name: after[name] for name in ("run.json", "scores.json", "journal.jsonl")} == {
        name: before[name] for name in ("run.json", "scores.json", "journal.jsonl")
    }
    assert validate(tmp_path / "run") == []


@pytest.mark.parametrize("busy", [False, True])
def test_it_ends_with_whoever_started_it(busy: bool, tmp_path: Path) -> None:
    """A harness that is killed leaves neither its worker nor the worker's folder, not even one in the middle of an answer."""
    slow = MEANS.replace("        assert", "        import time; time.sleep(60 * ask['busy'])\n        assert")
    code = f"""
import os, sys
from pathlib import Path
from tests.test_worker import process
import numpy as np
import threading
talk = process(Path({str(tmp_path)!r}), {slow!r})
talk.score({{"times": 1, "busy": 0}}, np.zeros((1, 4, 4, 3), np.uint8), None, 3)
print(talk._child.pid, talk._folder, flush=True)
if {busy}:
    threading.Timer(0.5, os._exit, (9,)).start()
    talk.score({{"times": 1, "busy": 1}}, np.zeros((1, 4, 4, 3), np.uint8), None, 3)
os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 9, done.stderr
    pid, folder = done.stdout.split()
    for _ in range(100):
        if not _alive(int(pid)) and not Path(folder).exists():
            break
        time.sleep(0.05)
    assert (_alive(int(pid)), Path(folder).exists()) == (False, False)


def test_resume_from_another_folder(clips: Path, tmp_path: Path, register: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The header's request holds whole paths."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "times").write_text("2")
    register(*specs(program(tmp_path)))
    monkeypatch.chdir(tmp_path)
    run(cases_file="cases.toml", metrics=[NAME], worker_options={"test-model": "model"}, out="run", limit=3)
    header = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**header, "status": "interrupted"}))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = resume(tmp_path / "run", Request())
    assert again.exit_code == 0
    assert {case: found["value"] for case, found in values(again.record).items()} == expected(2)


DYING = """
import os, signal, sys
MARK = os.environ["TEST_MARK"]
_load = load
def load(options, settings, device):
    answer, facts = _load(options, settings, device)
    def dying(ask, frames, sound):
        left = int(open(MARK).read()) if os.path.exists(MARK) else 0
        if left:
            open(MARK, "w").write(str(left - 1))
        if left == 1:
            sys.stderr.write("words before the end\\n")
            sys.stderr.flush()
            END
        return answer(ask, frames, sound)
    return dying, facts
"""


@pytest.mark.parametrize(
    ("end", "told"),
    [("os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"), ("os._exit(7)", "ended with exit code 7")],
)
def test_a_death_in_the_middle(
    end: str, told: str, clips: Path, tmp_path: Path, register: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 9th of 18 requests is never answered: the second clip has a reason with the last words, the others their numbers; typed again, only it is done."""
    register(*specs(program(tmp_path, MEANS + DYING.replace("END", end))))
    monkeypatch.setenv("TEST_MARK", str(tmp_path / "mark"))
    (tmp_path / "mark").write_text("9")
    record = run(cases_file=clips, metrics=[NAME], out=tmp_path / "run")
    found = values(record)
    assert found["two"]["reason"] == "worker-died"
    assert told in found["two"]["detail"]
    assert "words before the end" in found["two"]["detail"]
    assert {case: found[case]["value"] for case in ("one", "three")} == {case: expected()[case] for case in ("one", "three")}
    (row,) = record.scores
    assert (row["n_clips"], row["n_failed"]) == (2, 1)
    mended = run(cases_file=clips, metrics=[NAME], out=tmp_path / "run")
    assert {case: found["value"] for case, found in values(mended).items()} == expected()
    calm = run(cases_file=clips, metrics=[NAME], out=tmp_path / "calm")
    assert calm.scores == mended.scores
    for unit in (Unit("m", "one"), Unit("m", "three")):
        assert mended.journal[unit]["time"] == record.journal[unit]["time"]  # not done again


def test_one_that_always_dies_is_given_up(clips: Path, tmp_path: Path, register: Callable[..., None]) -> None:
    """Two starts, not one a clip."""
    counted = MEANS.replace(
        "return frames.astype", f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); import os; os._exit(1); return frames.astype"
    )
    register(*specs(program(tmp_path, counted)))
    record = run(cases_file=clips, metrics=[NAME], out=tmp_path / "run")
    assert {found["reason"] for found in values(record).values()} == {"worker-died"}
    assert (tmp_path / "starts").read_text() == "xx"


# ------------------------------------------------------------------------------------------------- what one process may say


def process(tmp_path: Path, text: str, **changes: Any) -> Process:
    made = spec(program(tmp_path, text), **changes)
    return Process(made, identify(made, {}, HashCache(tmp_path / "cache")), "cpu")


def said(tmp_path: Path, text: str, count: int = 1, **changes: Any) -> list[Unscored]:
    """What so many requests raise."""
    talk = process(tmp_path, text, **changes)
    found = []
    try:
        for _ in range(count):
            with pytest.raises(Unscored) as error:
                talk.score({"times": 1}, np.zeros((1, 4, 4, 3), np.uint8), None, 3)
            found.append(error.value)
    finally:
        talk.stop()
    return found


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        ("return [[1.0, 2.0]]", "worker-answer", "gives (1, 2) numbers, expected (1, 3)"),
        ("return [[1.0, 2.0, 3.0]] * 2", "worker-answer", "gives (2, 3) numbers, expected (1, 3)"),
        ("return [[1.0, 2.0, float('nan')]]", "nan-features", "not finite"),
        ("return [[1.0, 2.0, float('inf')]]", "nan-features", "not finite"),
        ("return [['a', 'b', 'c']]", "worker-failed", "ValueError"),
        ("raise KeyError('no such thing')", "worker-failed", "no such thing"),
        ("raise MemoryError('all of it')", "out-of-memory", "all of it"),
        ("import not_there_at_all", "not-installed", "not_there_at_all"),
        ("raise Refused('no-lips', 'nobody speaks')", "no-lips", "nobody speaks"),
        ("raise Refused('No Lips!', '')", "worker-answer", "names no reason"),
        ("import os; os.write(PIPE, b'half a line\\n'); return [[1, 2, 3]]", "worker-answer", "which is no JSON"),
        ("import os; os.write(PIPE, b'{\"id\": 99}\\n'); return [[1, 2, 3]]", "worker-answer", "no answer to request"),
        ("import sys; sys.exit(3)", "worker-died", "exit code 3 at `score`"),
    ],
)
def test_bad_answers_have_names(body: str, reason: str, detail: str, tmp_path: Path) -> None:
    """PIPE is the worker's real output: the first descriptor above those of its standard streams."""
    text = f"""
NAME, PIPE = "bad", 3
class Refused(Exception): pass
def load(options, settings, device):
    def answer(ask, frames, sound):
        {body}
    return answer, {{}}
"""
    (found,) = said(tmp_path, text)
    assert found.reason == reason
    assert detail in found.detail


def test_silence_is_ended(tmp_path: Path) -> None:
    """Also what it started itself."""
    text = f"""
import subprocess, sys, time
NAME = "slow"
def load(options, settings, device):
    def answer(ask, frames, sound):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
        time.sleep(60)
    return answer, {{}}
"""
    started = time.monotonic()
    talk = process(tmp_path, text)
    talk.worker = replace(talk.worker, answer=1.0)
    with pytest.raises(Unscored) as error:
        talk.score({}, np.zeros((1, 2), np.uint8), None, 1)
    assert (error.value.reason, "no answer to `score` in 1 s" in error.value.detail) == ("worker-timeout", True)
    assert time.monotonic() - started < 20
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not _alive(child):
            break
        time.sleep(0.1)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    """A process that runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_refused_load_is_asked_once(tmp_path: Path) -> None:
    text = f"""
NAME = "no"
class Refused(Exception): pass
def load(options, settings, device):
    open({str(tmp_path / "loads")!r}, "a").write("x")
    raise Refused("other-tokenizer", "found 1, 2")
"""
    found = said(tmp_path, text, 3)
    assert {(one.reason, one.detail) for one in found} == {("other-tokenizer", "test-worker: found 1, 2")}
    assert (tmp_path / "loads").read_text() == "x"


def test_another_protocol_and_no_python_at_all(tmp_path: Path) -> None:
    made = spec(program(tmp_path))
    for text, reason, detail in (
        ('#!/bin/sh\nread line\necho \'{"id": 1, "protocol": 9}\'\nsleep 5\n', "worker-answer", "speaks protocol 9, not 1"),
        ("#!/bin/sh\necho no Python here >&2\nexit 127\n", "worker-died", "no Python here"),
        ("#!/nowhere/python\n", "worker-died", "cannot be started"),
    ):
        (tmp_path / "python").write_text(text)
        (tmp_path / "python").chmod(0o755)
        identity = identify(made, {"test-python": str(tmp_path / "python")}, HashCache(tmp_path / "cache"))
        talk = Process(made, identity, "cpu")
        with pytest.raises(Unscored) as error:
            talk.hello()
        talk.stop()
        assert error.value.reason == reason
        assert detail in error.value.detail


def test_its_environment_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module on our PYTHONPATH is not there, the standard library's `statistics` is, and no hub is asked."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "only_here.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ours"))
    text = """
import importlib.util, os, statistics
NAME = "env"
def load(options, settings, device):
    facts = {
        "ours": importlib.util.find_spec("only_here") is not None,
        "package": importlib.util.find_spec("feature_pass") is not None,
        "median": statistics.median([1, 2, 4]),
        "hub": os.environ["HF_HUB_OFFLINE"],
        "settings": settings,
        "device": device,
    }
    return (lambda ask, frames, sound: [[0.0]]), facts
"""
    talk = process(tmp_path, text, settings={"words": ["yes"]})
    talk.score({}, np.zeros((1, 2), np.uint8), None, 1)
    talk.stop()
    assert talk.facts == {"ours": False, "package": False, "median": 2, "hub": "1", "settings": {"words": ["yes"]}, "device": "cpu"}


def test_arrays_arrive_as_they_are(tmp_path: Path) -> None:
    """Sums of float32 pixels and int16 samples, exact in float64."""
    text = """
import numpy as np
NAME = "sums"
def load(options, settings, device):
    return (lambda ask, frames, sound: [[frames.astype(float).sum(), str(frames.dtype) == "float32", sound.astype(float).sum(), sound.dtype == np.int16]]), {}
"""
    frames = (np.arange(24, dtype=np.float32) / 64).reshape(1, 2, 3, 4)[..., ::-1]
    sound = np.arange(-50, 60, dtype=np.int16)
    talk = process(tmp_path, text)
    assert talk.score({}, frames, sound, 4).tolist() == [[276 / 64, 1.0, 495.0, 1.0]]
    talk.stop()


# --------------------------------------------------------------------------------------------------------- options, licences


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    made, hashes = spec(program(tmp_path)), HashCache(tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    for given, said_ in (
        ({"test-model": str(tmp_path / "no")}, "takes a folder"),
        ({"test-model": str(tmp_path / "program.py")}, "takes a folder"),
        ({"test-model": str(tmp_path / "empty")}, "the folder is empty"),
        ({"test-python": str(tmp_path / "program.py")}, "takes a Python that can be run"),
    ):
        with pytest.raises(InputError, match=said_):
            identify(made, given, hashes)
    with pytest.raises(Unscored) as error:
        identify(replace(made, needed=("model",)), {}, hashes)
    assert (error.value.reason, error.value.detail) == ("weights-missing", "--test-model: a folder with `times`")
    other = replace(made, id="other", options=(Option(flag="test-model", key="model", kind="code", help="something else"),))
    with pytest.raises(InputError, match="two workers mean different things"):
        flags([made, other])


def test_identity_goes_by_contents_not_by_places(tmp_path: Path) -> None:
    """The same files elsewhere are the same worker; hidden files and byte code do not count; a link to a Python stays a link."""
    hashes = HashCache(tmp_path / "cache")
    made = spec(program(tmp_path))
    for name in ("a", "b"):
        (tmp_path / name / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "times").write_text("1")
    (tmp_path / "b" / ".git").write_text("x")
    (tmp_path / "b" / "__pycache__" / "x.pyc").write_text("x")
    (tmp_path / "link").symlink_to(sys.executable)
    one = identify(made, {"test-model": str(tmp_path / "a")}, hashes)
    two = identify(made, {"test-model": str(tmp_path / "b"), "test-python": str(tmp_path / "link")}, hashes)
    assert isinstance(one, Identity)
    assert one.sha256 == two.sha256
    assert (one.python, two.python) == (sys.executable, str(tmp_path / "link"))
    assert identify(made, {}, hashes).sha256 != one.sha256


def test_terms_are_accepted_once(clips: Path, tmp_path: Path, register: Callable[..., None], capfd: pytest.CaptureFixture[str]) -> None:
    """Not accepted: a reason with the command, nothing is started. Accepted: remembered for the next command, not for other words. The same folder goes on."""
    register(*specs(program(tmp_path), terms="You may.\n  Perhaps."))
    words = ["run", "--cases", clips, "--metric", NAME, "--out", tmp_path / "run"]
    told = call(capfd, *words)
    assert told.code == 3
    assert "licence-not-accepted" in told.err
    assert "--accept-licence test-worker" in told.err
    told = call(capfd, *words, "--accept-licence", "test-worker")
    assert (told.code, "You may." in told.err) == (0, True)
    told = call(capfd, *words[:-1], tmp_path / "next")
    assert (told.code, "You may." in told.err) == (0, False)
    assert licences.accepted("test-worker", "You may. Perhaps.")
    assert not licences.accepted("test-worker", "You may not.")
    assert call(capfd, *words, "--accept-licence", "nobody").code == 2
    licences.file().unlink()
    assert "licence-not-accepted" in call(capfd, *words[:-1], tmp_path / "third").err
    told = call(capfd, "resume", tmp_path / "third", "--accept-licence", "test-worker")
    assert (told.code, "You may." in told.err) == (0, True)
    licences.file().write_text("{")
    with pytest.raises(InputError, match="damaged"):
        licences.accepted("test-worker", "")


def test_a_python_that_cannot_be_asked(clips: Path, tmp_path: Path, register: Callable[..., None]) -> None:
    """One start a run, whatever the number of variants; the reason is the worker's, and the run goes on once it can."""
    worker_, extractor, _ = specs(program(tmp_path))
    level = ClipVariant(
        id="mean", extractor="test-means", score=lambda f: float(f.generated.mean(dtype=np.float64)), summary="s", source="t"
    )
    metric = Metric(name="test-level", title="L", higher_is_better=None, variants=(level, replace(level, id="again")))
    register(worker_, extractor, metric)
    (tmp_path / "python").write_text(f"#!/bin/sh\necho x >> {tmp_path / 'starts'}\necho broken >&2\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    asked: dict[str, Any] = {"cases_file": clips, "metrics": [NAME, "test-level@again"], "out": tmp_path / "run"}
    options = {"test-python": str(tmp_path / "python")}
    rows = run(**asked, worker_options=options).scores
    assert {(row["reason"], "broken" in row["detail"]) for row in rows} == {("worker-died", True)}
    assert (tmp_path / "starts").read_text() == "x\n"
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    mended = run(**asked, worker_options=options)
    assert {case: found["value"] for case, found in values(mended).items()} == expected()


def test_seeded_weights_have_no_worker(clips: Path, tmp_path: Path, register: Callable[..., None]) -> None:
    register(*specs(program(tmp_path)))
    (row,) = run(cases_file=clips, metrics=[NAME], weights="seeded", out=tmp_path / "run").scores
    assert (row["value"], row["reason"]) == (None, "weights-missing")
