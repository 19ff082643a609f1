"""Metrics of a whole set in the gate and in ranks. Their replicates are written by hand as those of a mean over clips: there the jackknife has a closed form,
the paired t test."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from benchmark.api import run
from benchmark.record import Record, load, to_text
from reports._baseline import of, update
from reports._gate import Finding, judge
from reports._ranks import rank_table
from tests.make import call, movie, worse, write

CASES = tuple(f"c{i}" for i in range(8))
N, SIDE = 16, 32
BASE = np.array([30.0, 31, 33, 32, 30.5, 34, 29, 31.5])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets")
    for i, case in enumerate(CASES):
        truth = movie(i, N, SIDE, SIDE)
        write(root / "truth" / f"{case}.mkv", truth)
        for k, method in enumerate("abc"):
            write(root / method / f"{case}.mkv", worse(truth, 4 * (k + 1), i))
    outputs = {method: root / method for method in "abc"}
    run(suite="tiktok", truth=root / "truth", outputs=outputs, metrics=["psnr@float"], out=root / "run")
    return root / "run"


def with_sets(plain: Path, path: Path, values: dict[str, np.ndarray], clips: Sequence[str] = CASES) -> Record:
    """The run, its psnr turned into `fvd@i3d16`: a set metric, lower is better, whose value is the mean of `values` over the clips that are kept."""
    path.mkdir()
    for file in ("run.json", "journal.jsonl"):
        (path / file).write_bytes((plain / file).read_bytes())
    data = json.loads((plain / "scores.json").read_text(encoding="utf-8"))
    for row in data["scores"]:
        row |= {"metric": "fvd", "variant": "i3d16", "value": float(values[row["adapter"]].mean()), "higher_is_better": False}
    for method, numbers in values.items():
        kept = [([], float(numbers.mean())), *(([i], float(np.delete(numbers, i).mean())) for i in range(len(clips)))]
        data["replicates"].append(
            {
                "adapter": method,
                "protocol": "strict-1",
                "metric": "fvd",
                "variant": "i3d16",
                "clips": list(clips),
                "values": kept,
                "bias": None,
            }
        )
    (path / "scores.json").write_text(to_text(data), encoding="utf-8")
    return load(path)


def three(change: np.ndarray | float = 0.0) -> dict[str, np.ndarray]:
    return {"a": BASE + change, "b": BASE + 5 + np.resize([0.1, -0.1], 8), "c": BASE + np.resize([2.0, -2.1], 8)}


def judged(base: Path, record: Record) -> dict[str, Finding]:
    return {finding.method: finding for finding in judge(record, of(base, record))[0]}


def test_a_set_metric_is_judged_by_the_jackknife_of_the_difference(plain: Path, tmp_path: Path) -> None:
    """Expected p: SciPy's paired t test of the clip values. One method changed, so the family is one question; the others are equal."""
    base = tmp_path / "base.json"
    update(base, with_sets(plain, tmp_path / "before", three()), "first", "2026-01-01T00:00:00Z")
    change = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.3, 0.7, 1.0])
    found = judged(base, with_sets(plain, tmp_path / "worse", three(change)))
    assert {method: f.verdict for method, f in found.items()} == {"a": "worse", "b": "same", "c": "same"}
    assert found["a"].p == pytest.approx(scipy.stats.ttest_1samp(change, 0).pvalue, rel=1e-6)
    assert found["a"].adjusted == found["a"].p
    assert judged(base, with_sets(plain, tmp_path / "better", three(-change)))["a"].verdict == "better"


def test_the_default_tolerance_of_a_set_metric(plain: Path, tmp_path: Path) -> None:
    """Of a mean, jackknife standard error times the root of n is the standard deviation over clips; a tenth of it, three digits."""
    base = tmp_path / "base.json"
    section = update(base, with_sets(plain, tmp_path / "run", three()), "first", "2026-01-01T00:00:00Z")
    assert [entry["tolerance"] for entry in section["entries"]] == [
        pytest.approx(0.1 * values.std(ddof=1), rel=0.005) for values in three().values()
    ]


def test_a_set_of_other_clips_is_not_compared(plain: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.json"
    update(base, with_sets(plain, tmp_path / "before", three()), "first", "2026-01-01T00:00:00Z")
    record = with_sets(plain, tmp_path / "fewer", three())
    data = json.loads((record.path / "scores.json").read_text(encoding="utf-8"))
    data["replicates"][0]["clips"] = [*CASES[:7], "c8"]
    (record.path / "scores.json").write_text(to_text(data), encoding="utf-8")
    found = judged(base, load(record.path))
    assert {method: f.verdict for method, f in found.items()} == {"a": "cannot tell", "b": "same", "c": "same"}
    assert "not the same clips" in found["a"].reason


def test_ranks_of_clip_and_set_metrics(plain: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """psnr: noise 4 < 8 < 12 on every clip, so three pairs at 3 x 2/256 < 0.05: places certain. The set metric: c is a plus what cancels; b certainly last."""
    said = call(capfd, "compare", plain, "--ranks")
    assert said.code == 0
    rows = [line.split() for line in said.out.splitlines() if line.strip()[:2] in ("a ", "b ", "c ")]
    assert [row[1:3] for row in rows] == [["1", "(1-1)"], ["2", "(2-2)"], ["3", "(3-3)"]]
    table = rank_table(with_sets(plain, tmp_path / "run", three()), "strict-1")
    assert [row[1].text.partition(")")[0] + ")" for row in table.rows] == ["2 (1-2)", "3 (3-3)", "1 (1-2)"]


def test_compare_says_what_clips_can_find(plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Eight clips can: a number in the column; with methods left away the next command is named."""
    said = call(capfd, "compare", plain, "--of", "a", "--over", "b", "--format", "json")
    assert said.code == 0
    row = next(csv.DictReader(io.StringIO(call(capfd, "compare", plain, "--of", "a", "--over", "b", "--format", "csv").out)))
    assert 0 < float(row["can find"]) < abs(float(row["difference"]))
    said = call(capfd, "compare", plain, "--of", "a")
    assert said.code == 2
    assert "--over is missing" in said.err
    assert "--ranks" in said.err
