"""Variants on an extractor's rows through whole runs: values by frame, values of a clip, regions of both sides, with and without a truth.

A small extractor is registered for the test: its row is (frame's mean level, its brightest column). Expected numbers: NumPy on the clips' own frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from benchmark.api import run
from benchmark.errors import Unscored
from benchmark.media import decode, probe
from benchmark.model import Extractor, FrameRule, Frames, Metric, Values
from benchmark.plan_text import describe
from benchmark.record import load
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.rows import ClipVariant, Found, RegionVariant, Rows, thinned
from tests.make import Study, row, study

Register = Callable[..., None]


@pytest.fixture
def two(tmp_path: Path) -> Study:
    return study(tmp_path / "study", cases=("one", "two"), methods=("a", "b"))


def facts(frames: Frames) -> NDArray[np.float32]:
    """(n, 2): mean level, and the column whose mean is largest."""
    return np.stack(
        [frames.mean(axis=(1, 2, 3), dtype=np.float64), frames.mean(axis=(1, 3), dtype=np.float64).argmax(axis=1)], axis=1
    ).astype(np.float32)


class Counter:
    """Builds forwards that count their calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, state: Any, device: str) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        def forward(batch: NDArray[Any]) -> NDArray[np.float32]:
            self.calls += len(batch)
            return facts(batch)

        return forward


def bright(found: Found) -> Values:
    """(n,) mean level, NaN in dark frames."""
    levels = found.generated[:, 0].astype(np.float64)
    return np.where(levels > np.median(levels), levels, np.nan)


def spread(found: Found) -> float:
    """One number a clip, times the rate and the width."""
    assert found.fps is not None
    return float(found.generated[:, 0].astype(np.float64).var()) * found.fps * found.size[0]


def apart(found: Found) -> Values:
    assert found.truth is not None
    return np.abs(found.generated[:, 0] - found.truth[:, 0]).astype(np.float64)


def never(found: Found) -> float:
    raise Unscored("no-face", "nobody looks")


def column(generated: Frames, truth: Frames, ours: Rows, theirs: Rows) -> Values:
    """Mean absolute difference in the truth's brightest column; NaN where the generated one's is the same."""
    found = [
        np.abs(a[:, int(t[1])].astype(np.float64) - b[:, int(t[1])]).mean() if o[1] != t[1] else np.nan
        for a, b, o, t in zip(generated, truth, ours, theirs, strict=True)
    ]
    return np.array(found)


@pytest.fixture
def counter(register: Register) -> Counter:
    made = Counter()
    common: dict[str, Any] = {"extractor": "zz-facts", "summary": "a test's", "source": "here"}
    register(
        Extractor(
            id="zz-facts", version=1, summary="facts", source="here", dimension=2, batch=1, preprocess=lambda frames: frames, build=made
        ),
        Metric(
            name="zz",
            title="zz",
            higher_is_better=None,
            variants=(
                ClipVariant(id="frames", score=bright, left_out="dark", **common),
                ClipVariant(id="clip", score=spread, **common),
                ClipVariant(id="paired", score=apart, paired=True, **common),
                ClipVariant(id="never", score=never, **common),
                RegionVariant(id="region", score=column, left_out="same", **common),
            ),
        ),
    )
    return made


def frames_of(path: Path) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(path))))


def clip(folder: Path, name: str) -> NDArray[np.uint8]:
    (path,) = folder.glob(f"{name}.*")
    return frames_of(path)


NAMES = ["zz@frames", "zz@clip", "zz@paired", "zz@never", "zz@region"]


def test_values_are_what_the_rows_give(two: Study, counter: Counter, tmp_path: Path) -> None:
    """Against NumPy on the decoded frames; the truth is looked at once for both methods, and once a frame in all."""
    out = tmp_path / "run"
    record = run(suite="tiktok", truth=two.root / "truth", outputs={m: two.root / m for m in two.methods}, metrics=NAMES, out=out)
    entries = {(e.adapter, e.case): record.journal[e] for e in record.journal}
    looked = 0
    for case in ("one", "two"):
        truth = clip(two.root / "truth", case)
        looked += len(truth)
        for method in two.methods:
            ours = clip(two.root / method, case)
            looked += len(ours)
            values = next(iter(entries[method, case]["values"].values()))
            mine, real = facts(ours), facts(truth)
            kept = bright(Found(mine, None, (ours.shape[2], ours.shape[1]), None))
            assert values["zz@frames"]["value"] == pytest.approx(np.nanmean(kept), rel=1e-12)
            assert values["zz@frames"]["n_left_out"] == np.isnan(kept).sum() > 0
            fps = float(probe(next((two.root / "truth").glob(f"{case}.*"))).fps or 0)
            assert values["zz@clip"]["value"] == pytest.approx(spread(Found(mine, None, (ours.shape[2], ours.shape[1]), fps)), rel=1e-9)
            assert values["zz@paired"]["value"] == pytest.approx(np.abs(mine[:, 0] - real[:, 0]).mean(), rel=1e-6)
            assert values["zz@never"] == {"reason": "no-face", "detail": "nobody looks"}
            by_region = column(ours, truth, mine, real)
            if np.isnan(by_region).all():
                assert values["zz@region"]["reason"] == "same"
            else:
                assert values["zz@region"]["value"] == pytest.approx(np.nanmean(by_region), rel=1e-12)
                assert values["zz@region"]["n_left_out"] == np.isnan(by_region).sum()
    assert counter.calls == looked
    # By frame where there is a value by frame, and only there.
    assert set(pq.read_table(out / "values.parquet")["metric"].to_pylist()) == {"zz@frames", "zz@paired", "zz@region"}


def test_without_a_truth(two: Study, counter: Counter, tmp_path: Path) -> None:
    """What needs none is scored, the rest is not applicable, and that is no failure."""
    run(suite="tiktok", outputs={"a": two.root / "a"}, metrics=NAMES, out=tmp_path / "run")
    for name in ("zz@frames", "zz@clip"):
        found = row(tmp_path / "run", "a", name)
        assert found["value"] is not None
        assert found["n_clips"] == 2
    for name in ("zz@paired", "zz@region"):
        found = row(tmp_path / "run", "a", name)
        assert (found["value"], found["reason"], found["n_failed"]) == (None, "not-applicable", 0)
    ours = facts(clip(two.root / "a", "one"))
    first = next(iter(load(tmp_path / "run").journal.values()))
    assert next(iter(first["values"].values()))["zz@frames"]["value"] == pytest.approx(np.nanmean(bright(Found(ours, None, (1, 1), None))))


def test_an_ignored_inset_leaves_regions_unscored(two: Study, counter: Counter, tmp_path: Path) -> None:
    """A region may lie in it, and nothing says how much of it counts; what looks at the clip as a whole is scored."""
    words: dict[str, Any] = {"suite": "tiktok", "truth": two.root / "truth", "outputs": {"a": two.root / "a"}, "ignore": {"a": "0,0,8,8"}}
    run(**words, metrics=["zz@region", "zz@clip"], out=tmp_path / "run")
    assert (row(tmp_path / "run", "a", "zz@region")["reason"], row(tmp_path / "run", "a", "zz@clip")["reason"]) == (
        "ignore-unsupported",
        "",
    )


def test_a_real_set_is_not_scored_itself(two: Study, counter: Counter, tmp_path: Path) -> None:
    """The unpaired real set serves set metrics only: no row of it is computed."""
    run(suite="tiktok", outputs={"a": two.root / "a"}, real=two.root / "truth", metrics=["zz@clip"], out=tmp_path / "run")
    assert counter.calls == sum(len(clip(two.root / "a", name)) for name in ("one", "two"))


def test_rows_are_stored_and_a_finished_run_reads_them(two: Study, counter: Counter, tmp_path: Path) -> None:
    """Another run that asks the same of the same clips computes nothing; the truth of an unpaired variant is not looked at."""
    words: dict[str, Any] = {"suite": "tiktok", "truth": two.root / "truth", "outputs": {"a": two.root / "a"}}
    run(**words, metrics=["zz@clip"], out=tmp_path / "first")
    once = counter.calls
    assert once == sum(len(clip(two.root / "a", name)) for name in ("one", "two"))
    run(**words, metrics=["zz@clip", "zz@frames"], out=tmp_path / "second")
    assert counter.calls == once


def test_a_plan_counts_what_a_run_computes(two: Study, counter: Counter, tmp_path: Path) -> None:
    """The truth's rows only where something needs them."""
    for names in (["zz@clip"], ["zz@clip", "zz@paired"], ["zz@region"]):
        request = Request(suite="tiktok", truth=two.root / "truth", outputs={m: two.root / m for m in two.methods}, metrics=tuple(names))
        (line,) = (line for line in describe(request) if line.startswith("network zz-facts"))
        before = counter.calls
        run(
            suite="tiktok",
            truth=two.root / "truth",
            outputs={m: two.root / m for m in two.methods},
            metrics=names,
            out=tmp_path / f"run-{names[-1]}",
        )
        expected = counter.calls - before
        if names == ["zz@clip", "zz@paired"]:
            expected += sum(len(clip(two.root / m, c)) for m in two.methods for c in ("one", "two"))  # there already, from the run before
        assert line.startswith(f"network zz-facts: {expected} inputs"), names


@pytest.mark.parametrize(
    ("count", "fps", "rate", "expected"),
    [
        (10, 25.0, 25.0, list(range(10))),
        (10, 6.0, 8.0, list(range(10))),
        (20, 25.0, 8.0, [0, 3, 6, 9, 12, 16, 19]),
        (9, 16.0, 8.0, [0, 2, 4, 6, 8]),
        (1, 30.0, 8.0, [0]),
    ],
)
def test_thinned(count: int, fps: float, rate: float, expected: list[int]) -> None:
    """Nearest frames to multiples of 1/rate, halves to even."""
    assert thinned(count, fps, rate).tolist() == expected


def test_an_extractor_with_a_rate_sees_the_thinned_frames(two: Study, register: Register, tmp_path: Path) -> None:
    made = Counter()
    common: dict[str, Any] = {"summary": "a test's", "source": "here"}
    register(
        Extractor(
            id="zz-slow",
            version=1,
            dimension=2,
            batch=1,
            sample=partial(thinned, rate=2.0),
            preprocess=lambda frames: frames,
            build=made,
            **common,
        ),
        Metric(
            name="zy",
            title="zy",
            higher_is_better=None,
            variants=(ClipVariant(id="level", extractor="zz-slow", score=lambda found: float(found.generated[:, 0].sum()), **common),),
        ),
    )
    run(suite="tiktok", truth=two.root / "truth", outputs={"a": two.root / "a"}, metrics=["zy@level"], out=tmp_path / "run")
    for entry in load(tmp_path / "run").journal.values():
        ours = clip(two.root / "a", entry["case"])
        (path,) = (two.root / "truth").glob(f"{entry['case']}.*")
        kept = thinned(len(ours), float(probe(path).fps or 0), 2.0)
        assert 1 < len(kept) < len(ours)
        assert next(iter(entry["values"].values()))["zy@level"]["value"] == pytest.approx(facts(ours[kept])[:, 0].sum(), rel=1e-6)


def test_two_views_that_choose_the_same_frames(two: Study, register: Register, tmp_path: Path) -> None:
    """strict-1 and a protocol of the first frames only: frame 0 is what an extractor of one look sees of both, in sequences of their own."""
    made = Counter()
    common: dict[str, Any] = {"summary": "a test's", "source": "here"}
    register(
        Extractor(
            id="zz-first",
            version=1,
            dimension=2,
            batch=1,
            sample=lambda count, fps: [0],
            preprocess=lambda frames: frames,
            build=made,
            **common,
        ),
        Metric(
            name="zx",
            title="zx",
            higher_is_better=None,
            variants=(ClipVariant(id="first", extractor="zz-first", score=lambda found: float(found.generated[0, 0]), **common),),
        ),
    )
    register(replace(registry().protocols["strict-1"].item, id="zz-short", frames=FrameRule(match="common", minimum=2, first=20)))
    record = run(
        suite="tiktok",
        truth=two.root / "truth",
        outputs={"a": two.root / "a"},
        protocols=["zz-short", "strict-1"],
        metrics=["zx@first"],
        out=tmp_path / "run",
    )
    for entry in record.journal.values():
        keys = {view["zz-first"]["generated"] for view in entry["features"].values()}
        assert len(keys) == 2
        values = [view["zx@first"]["value"] for view in entry["values"].values()]
        assert values == pytest.approx([facts(clip(two.root / "a", entry["case"])[:1])[0, 0]] * 2, rel=1e-6)


def test_over_frames_a_clips_own_number_is_averaged_over_clips(two: Study, counter: Counter, tmp_path: Path) -> None:
    """A protocol that pools frames cannot pool what has no value by frame."""
    pooled = next(name for name, entry in registry().protocols.items() if entry.item.pooling == "frames")
    words: dict[str, Any] = {
        "suite": "tiktok",
        "truth": two.root / "truth",
        "outputs": {"a": two.root / "a"},
        "metrics": ["zz@clip", "zz@paired"],
    }
    run(**words, protocols=[pooled], out=tmp_path / "run")
    values = [next(iter(e["values"].values()))["zz@clip"]["value"] for e in load(tmp_path / "run").journal.values()]
    assert row(tmp_path / "run", "a", "zz@clip", protocol=pooled)["value"] == pytest.approx(np.mean(values), rel=1e-12)
