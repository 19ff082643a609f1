"""Profiles of tiny generators: what is counted at each level, that the clips are the record's own, and what is refused. No second is asserted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from benchmark.cli import main
from benchmark.errors import InputError
from benchmark.profiling import FILE, profile
from benchmark.record import load
from benchmark.request import Request
from benchmark.validate import validate
from tests.adapters.cases import FRAMES, write_case

SMALL = {"*": {"checkpoint": "tiny", "size": [32, 32]}}


def request(tmp_path: Path, *adapters: str, **more: Any) -> Request:
    settings = more.pop("settings", SMALL)
    return Request(cases_file=write_case(tmp_path / "case"), adapters=adapters, settings=settings, out=tmp_path / "run", **more)


def test_levels_are_methods_of_one_record(tmp_path: Path) -> None:
    """steps = NFE / passes; every run of every level kept; what was made again is the record's own clip to the bit; scores stand under the levels' names."""
    record = profile(request(tmp_path, "vace", "far=fantasytalking", metrics=("psnr@float",)), (12, 6), repeats=2, quality=True)
    assert validate(record.path) == []
    told = json.loads((record.path / FILE).read_text())
    assert [(row["name"], row["method"], row["adapter"], row["nfe"], row["steps"], row["passes"]) for row in told["rows"]] == [
        ("vace-12", "vace", "vace", 12, 6, 2),
        ("vace-6", "vace", "vace", 6, 3, 2),
        ("far-12", "far", "fantasytalking", 12, 4, 3),
        ("far-6", "far", "fantasytalking", 6, 2, 3),
    ]
    for row in told["rows"]:
        assert [(run["case"], run["repeat"]) for run in row["runs"]] == [("one", 0), ("one", 1)]
        for run in row["runs"]:
            assert run["nfe"] == run["nominal_nfe"] == row["nfe"]
            assert run["frames"] == FRAMES
            assert run["same_frames"] is True
            assert run["seconds"]["total"] >= run["seconds"]["denoiser"] > 0
        assert row["rehearsal"] is True
    assert {row["adapter"] for row in record.scores} == {"vace-12", "vace-6", "far-12", "far-6"}
    assert told["machine"]["cpu"]


def test_without_quality_nothing_is_scored(tmp_path: Path) -> None:
    record = profile(
        request(tmp_path, "svd-i2v", settings={"*": {"checkpoint": "tiny", "size": [32, 32], "guidance": 1.0}}), (3,), repeats=1, warm_up=0
    )
    assert record.scores == []
    assert json.loads((record.path / FILE).read_text())["rows"][0]["steps"] == 3


def test_the_command_ends_with_the_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`profile` prints what `speed` prints of its record, and leaves the plot beside it."""
    pytest.importorskip("matplotlib", reason="the extra [report] is not installed")
    case = write_case(tmp_path / "case")
    words = [
        "--cases",
        case,
        "--adapter",
        "vace",
        "--checkpoint",
        "tiny",
        "--size",
        "32x32",
        "--nfe",
        "4,2",
        "--repeats",
        1,
        "--out",
        tmp_path / "run",
    ]
    assert main([str(word) for word in ["profile", *words]]) == 0
    said = capfd.readouterr().out
    assert "vace-4[r]" in said
    assert "seconds = fixed + slope * NFE" in said
    assert (tmp_path / "run" / "speed.svg").exists()
    assert main(["speed", str(tmp_path / "run")]) == 0
    assert capfd.readouterr().out.startswith(said[: said.index("\n")])
    assert load(tmp_path / "run").status == "success"


@pytest.mark.parametrize(
    ("adapter", "nfe", "named"),
    [
        ("vace", (5,), "NFE 4"),
        ("fantasytalking", (100,), r"NFE 99 \(33 steps\) or NFE 102"),
        ("still", (4,), "no function evaluations"),
        ("mimicmotion", (4,), "no function evaluations"),
        ("vace", (), "nothing can be timed"),
        ("vace", (0,), "nothing can be timed"),
    ],
)
def test_what_cannot_be_profiled(tmp_path: Path, adapter: str, nfe: tuple[int, ...], named: str) -> None:
    settings = SMALL if adapter not in ("still", "mimicmotion") else {}
    with pytest.raises(InputError, match=named):
        profile(request(tmp_path, adapter, settings=settings), nfe)
    assert not (tmp_path / "run").exists()


def test_a_clip_that_cannot_be_made(tmp_path: Path) -> None:
    """The level and the case are named with the adapter's own reason."""
    asked = request(tmp_path, "humandiff")
    assert asked.cases_file is not None
    asked.cases_file.write_text("\n".join(line for line in asked.cases_file.read_text().splitlines() if not line.startswith("uv")))
    with pytest.raises(InputError, match="humandiff-2, case one") as error:
        profile(asked, (2,), repeats=1)
    assert error.value.code == "no-uv"
