"""The pass against the usual chain, against the bare work it is made of, and over many clips: ratios in one run on one machine."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytest

from benchmark import resize
from benchmark.evaluate import evaluate
from benchmark.jobs import CaseJob, UnitJob, UnitResult
from benchmark.loading import Networks
from benchmark.media import decode, probe
from benchmark.model import Case, FrameVariant, Source, Unit
from benchmark.plan import View, rules_id
from benchmark.registry import registry
from tests.benchmarks.chain import make_clips
from tests.benchmarks.process import Ended, python, run

pytestmark = pytest.mark.speed
PAIRS, FRAMES, SIZE = 20, 48, 256


class Spent(NamedTuple):
    """Seconds: on the wall, and of all threads of this process."""

    wall: float
    cpu: float


def spent(call: Callable[[], Any]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "set"
    make_clips(folder, PAIRS, FRAMES, SIZE)
    return folder


@pytest.mark.peers
def test_table_against_the_usual_chain(clips: Path, tmp_path: Path, benchmark: Any) -> None:
    """20 pairs of 48 frames at 256x256 from mp4, six metrics: three turns of chain and run, the median ratio counts. The values are compared
    with a chain that decodes as we do (not timed); the timed one lets OpenCV decode, which is faster and up to 1.5 levels darker."""
    pytest.importorskip("skimage", reason="the chain loops over scikit-image")
    chain: list[float] = []

    def usual(*more: str) -> dict[str, float]:
        work, out = tmp_path / "png", tmp_path / "chain.json"
        shutil.rmtree(work, ignore_errors=True)
        chain.append(python(["-m", "tests.benchmarks.chain", clips / "truth", clips / "a", work, out, *more], tmp_path).seconds)
        return cast("dict[str, float]", json.loads(out.read_text()))

    expected = usual("--exact")
    chain.clear()

    def prepare() -> None:
        usual()
        for name in ("run", "cache"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)

    ours: list[float] = []
    benchmark.pedantic(lambda: ours.append(run(clips, tmp_path / "run", tmp_path / "cache").seconds), setup=prepare, rounds=3)
    rows = [row for row in json.loads((tmp_path / "run" / "scores.json").read_text())["scores"] if row["reason"] != "weights-missing"]
    assert {f"{row['metric']}@{row['variant']}" for row in rows} == set(expected)
    for row in rows:
        assert row["value"] == pytest.approx(expected[f"{row['metric']}@{row['variant']}"], abs=1e-6)
    ratio = statistics.median(a / b for a, b in zip(chain, ours, strict=True))
    benchmark.extra_info.update(chain_seconds=[round(s, 2) for s in chain], ratio=round(ratio, 2), bar=">= 4")
    assert ratio >= 4, f"{ratio:.2f}x; chain {chain}, ours {ours}"


def test_finished_run_again(clips: Path, tmp_path: Path, benchmark: Any) -> None:
    """The same command a second time: under 3 s plus imports; the imports are taken from `--help`."""
    run(clips, tmp_path / "run", tmp_path / "cache")
    ended: list[Ended] = []
    benchmark.pedantic(lambda: ended.append(run(clips, tmp_path / "run", tmp_path / "cache")), rounds=5)
    start = statistics.median(python(["-m", "benchmark", "--help"], tmp_path).seconds for _ in range(3))
    median = statistics.median(e.seconds for e in ended)
    benchmark.extra_info.update(help_seconds=round(start, 2), ratio=round(median, 2), bar="< 3 s plus imports")
    assert median < 3 + start


# ------------------------------------------------------------------------------------------------- the pass and its bare work

LARGER = 288
METHODS = ("a", "b", "c")
VARIANTS = {
    "strict-1": ("l1@unit", "psnr@float", "ssim@gaussian"),
    "disco-2024": ("l1@disco", "psnr@cap100", "ssim@disco"),
}


@pytest.fixture(scope="module")
def one_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A truth of 256x256, and three methods at 288x288, so that everything is resized under both protocols."""
    folder = tmp_path_factory.mktemp("case")
    make_clips(folder / "small", 1, FRAMES, SIZE, ())
    make_clips(folder / "large", 1, FRAMES, LARGER, METHODS)
    return folder


def job(folder: Path, methods: tuple[str, ...], threads: int) -> CaseJob:
    rules = [registry().protocols[name].item for name in VARIANTS]
    return CaseJob(
        case=Case(id="0000", truth=Source(folder / "small" / "truth" / "0000.mp4")),
        truth_sha256="0" * 64,
        truth_error=None,
        units=tuple(UnitJob(Unit(m, "0000", 0), Source(folder / "large" / m / "0000.mp4"), "0" * 64) for m in methods),
        views=tuple(View(rules_id(r), r, (r.id,), VARIANTS[r.id]) for r in rules),
        clips=folder / "made",
        networks=Networks({}, "real", None, folder / "features"),
        threads=threads,
    )


def bare(folder: Path, methods: tuple[str, ...]) -> list[dict[str, Any]]:
    """Decode, resize and score by hand, chunk by chunk on one thread; the truth is decoded once."""
    variants = {name: cast(FrameVariant, registry().variant(name)[1]) for names in VARIANTS.values() for name in names}
    truth = list(decode(probe(folder / "small" / "truth" / "0000.mp4")))
    found: list[dict[str, Any]] = []
    for method in methods:
        parts: dict[str, list[Any]] = {name: [] for name in variants}
        for theirs, ours in zip(truth, decode(probe(folder / "large" / method / "0000.mp4")), strict=True):
            strict, disco = resize.bicubic(ours, SIZE, SIZE), resize.cv2_bilinear(ours, SIZE, SIZE)
            for name, variant in variants.items():
                parts[name].append(variant.score(strict if name in VARIANTS["strict-1"] else disco, theirs))
        found.append({name: np.concatenate(values) for name, values in parts.items()})
    return found


def test_pass_against_bare_work(one_case: Path, benchmark: Any) -> None:
    """Three methods and their truth: at most 1.25 times the processor time that decoding, resizing and scoring by hand take on one thread, and
    the same bits. Wall clock of one and of two threads beside it."""
    results: list[UnitResult] = []

    def by_pass() -> None:
        results[:] = evaluate(job(one_case, METHODS, 1))

    expected = bare(one_case, METHODS)
    turns = [(spent(lambda: bare(one_case, METHODS)), spent(by_pass)) for _ in range(4)]
    two = [spent(lambda: evaluate(job(one_case, METHODS, 2))) for _ in range(3)]
    benchmark.pedantic(by_pass, rounds=3)
    for result, values in zip(results, expected, strict=True):
        for (_, name), ours in result.values.items():
            assert np.array_equal(ours, values[name]), name
    ratio = statistics.median(ours.cpu / hand.cpu for hand, ours in turns)
    hand = statistics.median(hand.wall for hand, _ in turns)
    benchmark.extra_info.update(
        bare_seconds=round(hand, 2),
        wall_one_thread=round(statistics.median(ours.wall / hand.wall for hand, ours in turns), 2),
        wall_two_threads=round(statistics.median(t.wall for t in two) / hand, 2),
        ratio=round(ratio, 2),
        bar="<= 1.25",
    )
    assert ratio <= 1.25, turns


def test_second_method_shares_the_truth(one_case: Path, benchmark: Any) -> None:
    """A second method in one run costs less processor time than a first: the truth is probed, decoded and brought to size once."""

    def cpu(*methods: str) -> float:
        return spent(lambda: evaluate(job(one_case, methods, 1))).cpu

    turns = [(cpu("a", "b") - cpu("a")) / cpu("b") for _ in range(7)]
    benchmark.pedantic(lambda: evaluate(job(one_case, ("a", "b"), 1)), rounds=3)
    ratio = statistics.median(turns)
    benchmark.extra_info.update(ratio=round(ratio, 2), bar="< 1")
    assert ratio < 1, turns


def test_many_clips(tmp_path: Path, benchmark: Any) -> None:
    """400 clips of 16 frames at 64x64: beyond decoding and scoring a clip takes at most 20 ms of processor time, and the four hundredth no more
    than the fortieth (start-up taken off)."""
    make_clips(tmp_path / "many", 400, 16, 64, distinct=4)
    for side in ("truth", "a"):
        (tmp_path / "few" / side).mkdir(parents=True)
        for clip in range(40):
            shutil.copy(tmp_path / "many" / side / f"{clip:04d}.mp4", tmp_path / "few" / side)

    def cpu(name: str) -> float:
        for old in ("run", "cache"):
            shutil.rmtree(tmp_path / old, ignore_errors=True)
        return run(tmp_path / name, tmp_path / "run", tmp_path / "cache", protocols=["strict-1"]).cpu

    many: list[float] = []
    few = statistics.median(cpu("few") for _ in range(3))
    benchmark.pedantic(lambda: many.append(cpu("many")), rounds=2)
    start = statistics.median(python(["-c", "import benchmark.runs, cv2, av, pyarrow.parquet"], tmp_path).cpu for _ in range(3))
    work = statistics.median(spent(lambda: by_hand(tmp_path / "many")).cpu for _ in range(5)) / 4
    early, late = (few - start) / 40, (statistics.median(many) - few) / 360
    benchmark.extra_info.update(
        early_clip_ms=round(1000 * early, 1),
        late_clip_ms=round(1000 * late, 1),
        bare_ms=round(1000 * work, 1),
        ratio=round(1000 * (late - work), 1),
        bar="<= 20 ms a clip",
    )
    assert late - work <= 0.020, (late, work)
    assert late <= 1.3 * early, (late, early)


def by_hand(folder: Path) -> None:
    """The four different pairs."""
    for clip in range(4):
        ours, theirs = (np.concatenate(list(decode(probe(folder / side / f"{clip:04d}.mp4")))) for side in ("a", "truth"))
        for name in VARIANTS["strict-1"]:
            cast(FrameVariant, registry().variant(name)[1]).score(ours, theirs)
