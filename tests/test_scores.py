"""From clip values to rows: pooling, intervals, counts, flags and reasons, against numbers worked out beside each test.

L1 of flat frames is known in closed form: frames that differ by g grey levels everywhere give l1@unit = g / 255.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.api import run
from benchmark.errors import Unscored
from benchmark.model import FrameVariant
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.results import pool
from tests.make import scores, write

T2, T1 = 4.302652729911275, 12.706204736432095
"""Student t at 0.975 with 2 and 1 degrees of freedom, from tables."""


def flat(steps: list[int]) -> np.ndarray:
    """(n, 16, 16, 3): frame i has the grey level 100 + steps[i] everywhere."""
    return np.broadcast_to(np.array(steps, np.uint8)[:, None, None, None] + np.uint8(100), (len(steps), 16, 16, 3)).copy()


def make(root: Path, **steps: list[int]) -> dict[str, Any]:
    """Arguments of a run: truth of level 100, method `m` off by these steps frame by frame, one clip a keyword."""
    for case, off in steps.items():
        write(root / "truth" / f"{case}.mkv", flat([0] * len(off)))
        write(root / "m" / f"{case}.mkv", flat(off))
    return {"suite": "tiktok", "truth": root / "truth", "outputs": {"m": root / "m"}, "out": root / "run"}


def row(record: Record, name: str, adapter: str = "m") -> dict[str, Any]:
    (found,) = [r for r in record.scores if (r["adapter"], f"{r['metric']}@{r['variant']}") == (adapter, name)]
    return found


LONG, SHORT = [4] * 30 + [10] * 10, [1] * 16
"""Sum 220 over 40 frames, mean 5.5; sum 16 over 16 frames, mean 1."""


def test_pooling_over_clips(tmp_path: Path) -> None:
    """strict-1: mean over frames, then over clips: (5.5 + 1) / 2 = 3.25 levels. Interval: 3.25 +- 12.706 * (4.5 / sqrt 2) / sqrt 2."""
    found = row(run(**make(tmp_path, long=LONG, short=SHORT), protocols=["strict-1"]), "l1@unit")
    assert found["value"] == pytest.approx(3.25 / 255, rel=1e-12)
    assert found["ci_method"] == "t"
    assert found["ci_high"] - found["value"] == pytest.approx(T1 * 4.5 / 2 / 255, rel=1e-9)
    assert found["value"] - found["ci_low"] == pytest.approx(T1 * 4.5 / 2 / 255, rel=1e-9)
    assert (found["n_clips"], found["n_frames"], found["n_failed"], found["n_left_out"]) == (2, 56, 0, 0)
    assert (found["primary"], found["higher_is_better"], found["flags"]) == (False, False, [])


def test_pooling_over_frames(tmp_path: Path) -> None:
    """disco-2024: every frame weighs the same: 236 levels over 56 frames; without the one clip 1, without the other 5.5 (jackknife).

    l1@disco divides by 256 * 256 (pictures are brought to that size; flat ones stay flat). Jackknife of two clips, by the unequal sizes of frames
    not weighted (a clip is a clip): se^2 = 1/2 * ((5.5 - 3.25)^2 + (1 - 3.25)^2) = 2.25^2.
    """
    found = row(run(**make(tmp_path, long=LONG, short=SHORT), protocols=["disco-2024"]), "l1@disco")
    scale = 256 * 256
    assert found["value"] == pytest.approx(236 / 56 / scale, rel=1e-12)
    assert found["ci_method"] == "jackknife"
    assert found["ci_high"] - found["value"] == pytest.approx(T1 * 2.25 / scale, rel=1e-9)
    assert (found["n_clips"], found["n_frames"]) == (2, 56)


def test_one_clip_has_no_interval(tmp_path: Path) -> None:
    record = run(**make(tmp_path, only=SHORT), protocols=["strict-1", "disco-2024"])
    for name in ("l1@unit", "l1@disco"):
        found = row(record, name)
        assert found["value"] is not None
        assert (found["ci_low"], found["ci_high"], found["ci_method"]) == (None, None, "none")


def test_frames_without_a_value_are_left_out_and_counted(tmp_path: Path) -> None:
    """psnr@float leaves out identical frames: 3 of clip `some` (17 remain at 2 levels), all 20 of `equal`, none of `off` (5 levels)."""
    made = make(tmp_path, some=[0, 0, 0] + [2] * 17, equal=[0] * 20, off=[5] * 20)
    record = run(**made, protocols=["strict-1"])
    found = row(record, "psnr@float")
    level = [20 * np.log10(255 / 2), 20 * np.log10(255 / 5)]
    assert found["value"] == pytest.approx(np.mean(level), rel=1e-12)
    assert (found["n_clips"], found["n_frames"], found["n_left_out"], found["n_failed"]) == (2, 37, 3, 1)
    assert found["flags"] == ["incomplete"]
    assert found["ci_high"] - found["value"] == pytest.approx(T1 * np.std(level, ddof=1) / np.sqrt(2), rel=1e-9)
    # The other metrics of the same clips are complete.
    assert (row(record, "l1@unit")["n_clips"], row(record, "l1@unit")["flags"]) == (3, [])
    values = {unit.case: next(iter(entry["values"].values()))["psnr@float"] for unit, entry in record.journal.items()}
    assert values["equal"]["reason"] == "identical"


def test_all_identical_is_unscored_and_never_infinite(tmp_path: Path) -> None:
    found = row(run(**make(tmp_path, a=[0] * 20, b=[0] * 20), protocols=["strict-1"]), "psnr@float")
    assert (found["value"], found["ci_low"], found["ci_method"], found["reason"]) == (None, None, "none", "identical")
    assert (found["n_clips"], found["n_frames"], found["n_failed"]) == (0, 0, 2)


def test_a_failed_clip_is_counted_and_the_row_says_incomplete(tmp_path: Path) -> None:
    """Three clips; one output is no video. t over the two that remain: 2 and 4 levels, 3 +- 12.706 * 1."""
    made = make(tmp_path, a=[2] * 20, b=[4] * 20, c=[9] * 20)
    (tmp_path / "m" / "c.mkv").write_text("no video")
    record = run(**made, protocols=["strict-1"])
    for name in ("l1@unit", "psnr@float", "ssim@gaussian"):
        found = row(record, name)
        assert (found["n_clips"], found["n_failed"], found["flags"]) == (2, 1, ["incomplete"])
    found = row(record, "l1@unit")
    assert found["value"] == pytest.approx(3 / 255, rel=1e-12)
    assert found["ci_high"] == pytest.approx((3 + T1) / 255, rel=1e-9)


def test_a_missing_clip_counts_as_failed_for_its_method_only(tmp_path: Path) -> None:
    made = make(tmp_path, a=[2] * 20, b=[4] * 20, c=[6] * 20)
    shutil.copytree(tmp_path / "m", tmp_path / "other")
    (tmp_path / "other" / "b.mkv").unlink()
    made["outputs"] = {"m": tmp_path / "m", "other": tmp_path / "other"}
    record = run(**made, protocols=["strict-1"])
    assert (row(record, "l1@unit")["n_failed"], row(record, "l1@unit")["flags"]) == (0, [])
    other = row(record, "l1@unit", "other")
    assert (other["n_clips"], other["n_failed"], other["flags"]) == (2, 1, ["incomplete"])
    assert other["value"] == pytest.approx(4 / 255, rel=1e-12)
    assert other["ci_high"] - other["value"] == pytest.approx(T1 * 2 / 255, rel=1e-9)
    # mean 4 of 2, 4, 6: sd 2, t with two degrees of freedom.
    full = row(record, "l1@unit")
    assert full["ci_high"] - full["value"] == pytest.approx(T2 * 2 / np.sqrt(3) / 255, rel=1e-9)


def test_without_truth_paired_metrics_are_not_applicable_and_that_is_no_failure(tmp_path: Path) -> None:
    made = make(tmp_path, a=[2] * 20)
    del made["truth"]
    record = run(**made, protocols=["strict-1"])
    assert record.status == "success"
    for found in record.scores:
        assert (found["value"], found["reason"], found["n_failed"], found["flags"]) == (None, "not-applicable", 0, [])


def test_a_protocol_that_refuses_a_clip_leaves_the_others_alone(tmp_path: Path) -> None:
    """12 frames are too few for strict-1 (16) and enough for disco-2024."""
    record = run(**make(tmp_path, a=[3] * 12), protocols=["strict-1", "disco-2024"])
    refused, scored = row(record, "l1@unit"), row(record, "l1@disco")
    assert (refused["value"], refused["reason"], refused["n_failed"]) == (None, "too-short", 1)
    assert (scored["value"], scored["n_frames"]) == (pytest.approx(3 / 256**2, rel=1e-12), 12)


def test_rows_stand_in_method_protocol_variant_order(tmp_path: Path) -> None:
    made = make(tmp_path, a=[3] * 20)
    shutil.copytree(tmp_path / "m", tmp_path / "b")
    made["outputs"] = {"z": tmp_path / "m", "b": tmp_path / "b"}
    record = run(**made, protocols=["disco-2024", "strict-1"], metrics=["l1@unit"])
    rows = [(r["adapter"], r["protocol"], f"{r['metric']}@{r['variant']}") for r in record.scores]
    listed = {name: list(registry().protocols[name].item.variants) for name in ("disco-2024", "strict-1")}
    disco, strict = [*listed["disco-2024"], "l1@unit"], listed["strict-1"]
    assert rows == [(m, p, v) for m in ("z", "b") for p, names in (("disco-2024", disco), ("strict-1", strict)) for v in names]
    assert record.scores == scores(tmp_path / "run")
    # The same frame values under two protocols of other pooling: one clip of equal frames, so one number.
    one, two = (r["value"] for r in record.scores if r["adapter"] == "z" and (r["metric"], r["variant"]) == ("l1", "unit"))
    assert one == pytest.approx(two, rel=1e-12)


def test_pool_of_one_clip() -> None:
    """The rule by itself: NaN only where the variant has a reason for it, never a value that is not finite."""

    def variant(**more: Any) -> FrameVariant:
        return FrameVariant(id="v", summary="s", source="s", score=lambda g, t, c=None: np.zeros(len(g)), **more)

    values = np.array([1.0, np.nan, 3.0])
    assert pool(values, variant(left_out="identical")) == {"value": 2.0, "n_frames": 2, "n_left_out": 1}
    with pytest.raises(Unscored, match="not-finite"):
        pool(values, variant())
    with pytest.raises(Unscored, match="identical"):
        pool(np.array([np.nan]), variant(left_out="identical"))
    with pytest.raises(Unscored, match="not-finite"):
        pool(np.array([1.0, np.inf]), variant())
    assert pool(np.array([1.0, 2.0, 6.0]), variant(pool=lambda kept: float(kept.max())))["value"] == 6.0
