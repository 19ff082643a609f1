"""Second looks and rows that come with the data are equal to the bit: whatever the chunk, the number of workers, or where a run was killed. The expected
result is always the same run done the plain way."""

from __future__ import annotations

import os
import shutil
import signal
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.make import Study, call, environment, hvbench, movie, row, same_result, study, worse, write

UNSCORED = 3
"""The smaller method has no keypoints, and these were asked for."""
CASES, COUNT = ("one", "two"), 20
NAMES = ("again@change", "again@things", "again@level", "hkv@given-px512", "akd@given-px512", "psnr-hand@given-box", "hand-rate@given-hand")
METRICS = [word for name in NAMES for word in ("--metric", name)]
PROTOCOLS = ["--protocol", "strict-1", "--protocol", "strict-1-retime", "--protocol", "disco-2024"]
PLUGIN = """
import os, signal
import numpy as np
from benchmark.features import ShardWriter
from benchmark.model import Extractor, Metric
from benchmark.rows import ClipExtractor, ClipVariant, Facts

LOOKS = []

def level(frames):
    return np.asarray(frames, np.float64).mean(axis=(1, 2, 3)).astype(np.float32)[:, None]

def build(state, device):
    def look(again):
        LOOKS.append(None)
        if os.environ.get("KILL_LOOK") == str(len(LOOKS)):
            os.kill(os.getpid(), signal.SIGKILL)
        before, rows = None, []
        for _ in range(2):  # read twice, as those do that first look for cuts
            before, rows = None, []
            for frames in again.frames():
                for frame in np.asarray(frames, np.float32):
                    if before is not None:
                        rows.append([len(rows), np.abs(frame - before).mean(), frame[3, 5, 1]])
                    before = frame
        kept = [row for row, (now,) in zip(rows, again.rows[1:]) if now >= np.median(again.rows)]
        return np.array(kept, np.float32).reshape(-1, 3)
    return look

def close(self, real=ShardWriter.close, seen=[]):
    seen.append(None)
    if os.environ.get("KILL_CLOSE") == str(len(seen)):
        os.kill(os.getpid(), signal.SIGKILL)
    real(self)

if "KILL_CLOSE" in os.environ:
    ShardWriter.close = close

SAID = {"summary": "s", "source": "a test"}
ALL = (
    Extractor(id="again-level", version=1, dimension=1, batch=1, preprocess=np.asarray, build=lambda state, device: level, **SAID),
    ClipExtractor(id="again-change", version=1, dimension=3, over="again-level", build=build, **SAID),
    Metric(name="again", title="again", higher_is_better=None, variants=(
        ClipVariant(id="change", extractor="again-change", score=lambda found: float(found.generated[:, 1:].mean(dtype=np.float64)),
                    tell=lambda found: Facts((), {"rows": found.generated.astype(float).tolist()}), **SAID),
        ClipVariant(id="things", extractor="again-change", score=lambda found: float(len(found.generated)), **SAID),
        ClipVariant(id="level", extractor="again-level", score=lambda found: found.generated[:, 0].astype(np.float64), **SAID),
    )),
)
"""


@dataclass(frozen=True)
class Ready:
    """Clips, keypoints and the plugin, the arguments of the run, and the run done the plain way."""

    root: Path
    words: list[str]
    plain: Path

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        found = environment(BENCHMARK_CACHE=str(folder / "cache"), **more)
        return {**found, "PYTHONPATH": os.pathsep.join([found["PYTHONPATH"], str(self.root / "plugin")])}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """Two cases by a method, by a copy of it with the same bytes, and by one of another size; hands that swing differently in truth and outputs."""
    root = tmp_path_factory.mktemp("ready")
    made = study(root, ("ours",), CASES, COUNT)
    for number, case in enumerate(CASES):
        write(root / "small" / f"{case}.mkv", worse(movie(number, COUNT, 48, 48), 3, number))
    shutil.copytree(root / "ours", root / "twin")
    for side, swing in (("truth", 2.0), ("ours", 3.0)):
        (root / "points" / side).mkdir(parents=True)
        for case in CASES:
            points = 20 + 24 * np.random.default_rng(7).random((1, 133, 2)) + swing * np.sin(np.arange(COUNT))[:, None, None]
            np.savez(root / "points" / side / f"{case}.npz", keypoints=points)
    facts = root / "plugin" / "again-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: again\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[human_video_benchmark]\nagain = again_module:ALL\n")
    (root / "plugin" / "again_module.py").write_text(PLUGIN)
    words = ["run", *Study(made.root, ("ours", "twin", "small"), CASES).words, *PROTOCOLS, *METRICS]
    for name, side in (("truth", "truth"), ("ours", "ours"), ("twin", "ours")):
        words += ["--keypoints", f"{name}={root / 'points' / side}"]
    found = Ready(root, words, root / "plain")
    said = hvbench(*words, "--out", "plain", cwd=root, env=found.environment(root))
    assert said.code == UNSCORED, said.err
    return found


def test_the_plain_run_scores(ready: Ready) -> None:
    """The premise: all of it has a value, and two methods of the same bytes have the same."""
    for protocol in PROTOCOLS[1::2]:
        for name in NAMES:
            ours, twin = (row(ready.plain, method, name, protocol) for method in ("ours", "twin"))
            assert ours["value"] is not None, (name, protocol, ours["reason"])
            assert ours["value"] == twin["value"]
    assert row(ready.plain, "small", "again@change", "strict-1")["value"] is not None
    assert row(ready.plain, "small", "hkv@given-px512", "strict-1")["reason"] == "no-keypoints"


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunk_size(
    chunk: int,
    ready: Ready,
    register: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from dataclasses import replace

    from benchmark import evaluate

    plugin = types.ModuleType("again_module")
    exec(compile(PLUGIN, "again_module.py", "exec"), plugin.__dict__)
    register(*plugin.ALL)
    real = evaluate.evaluate
    monkeypatch.setattr("benchmark.execute.evaluate", lambda job, progress=lambda n: None: real(replace(job, chunk=chunk), progress))
    assert call(capfd, *ready.words, "--out", tmp_path / "run").code == UNSCORED
    same_result(tmp_path / "run", ready.plain)


def test_workers(ready: Ready, tmp_path: Path) -> None:
    said = hvbench(*ready.words, "--workers", "2", "--out", "run", cwd=tmp_path, env=ready.environment(tmp_path))
    assert said.code == UNSCORED, said.err
    same_result(tmp_path / "run", ready.plain)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("where", [{"KILL_LOOK": "1"}, {"KILL_LOOK": "4"}, {"KILL_CLOSE": "2"}, {"KILL_CLOSE": "9"}])
def test_killed_and_resumed(where: dict[str, str], ready: Ready, tmp_path: Path) -> None:
    """Inside a look, and between a shard's rows and its name: what is stored is whole, the rest is done again, and nothing moves."""
    said = hvbench(*ready.words, "--out", "run", cwd=tmp_path, env=ready.environment(tmp_path, **where))
    assert said.code == -signal.SIGKILL, said.err
    for shard in (tmp_path / "cache" / "features").rglob("*.npy"):
        if not shard.name.startswith("."):
            np.load(shard, mmap_mode="r")
    said = hvbench("resume", "run", cwd=tmp_path, env=ready.environment(tmp_path))
    assert said.code == UNSCORED, said.err
    same_result(tmp_path / "run", ready.plain)


def test_a_second_run_reads_what_is_stored(ready: Ready, tmp_path: Path) -> None:
    """Another folder, the same cache: no look at all (the first would kill it), and the same bytes."""
    shutil.copytree(ready.root / "cache", tmp_path / "cache")
    said = hvbench(*ready.words, "--out", "run", cwd=tmp_path, env=ready.environment(tmp_path, KILL_LOOK="1"))
    assert said.code == UNSCORED, said.err
    same_result(tmp_path / "run", ready.plain)
