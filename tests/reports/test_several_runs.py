"""Several runs at once, of which some are broken, foreign, newer or half-written: each is named with its reason, the others are reported, exit code 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.large_record import write
from tests.make import call

Capture = pytest.CaptureFixture[str]
FEW = {"strict-1": ("psnr@float", "ssim@gaussian"), "disco-2023": ("psnr@uint8-wrap",)}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("several") / "good", ["Champ", "MRAA"], 3, 4, protocols=FEW).path


def header(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    return lambda run: edited(run / "run.json", change)


def rows(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    return lambda run: edited(run / "scores.json", change)


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def halved(name: str) -> Callable[[Path], None]:
    """As a full disk leaves it."""
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[: (run / name).stat().st_size // 2]) and None


def unfinished(run: Path) -> None:
    (run / "scores.json").unlink()
    edited(run / "run.json", lambda data: data.update(status="interrupted"))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "absent": (shutil.rmtree, "no such run"),
    "foreign folder": (lambda run: (run / "run.json").unlink(), "is not a run directory"),
    "foreign json": (lambda run: (run / "run.json").write_text('{"name": "vite"}') and None, "is not a run directory"),
    "a list": (lambda run: (run / "run.json").write_text("[1, 2]") and None, "run.json: top: [1, 2] is not of type 'object'"),
    "half a header": (halved("run.json"), "the header is damaged"),
    "half of scores": (halved("scores.json"), "the scores are damaged"),
    "newer": (header(lambda data: data.update(schema=99)), "newer version"),
    "newer scores": (rows(lambda data: data.update(schema=7)), "newer version"),
    "unfinished": (unfinished, "not finished"),
    "nothing scored": (rows(lambda data: data.update(scores=[], replicates=[])), "nothing was scored in this run"),
    "a row without its protocol": (
        rows(lambda data: data["scores"][0].pop("protocol")),
        "scores.json: scores/0: 'protocol' is a required property",
    ),
    "a value in words": (rows(lambda data: data["scores"][0].update(value="twenty")), "the record is damaged"),
    "no protocols": (header(lambda data: data.pop("protocols")), "run.json: top: 'protocols' is a required property"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("words", [["--protocols"], ["--paper", "tiktok-cited"]], ids=["protocols", "paper"])
def test_the_others_are_reported(kind: str, words: list[str], good: Path, tmp_path: Path, capfd: Capture) -> None:
    """What is printed is what the good run gives alone."""
    bad = tmp_path / "bad"
    shutil.copytree(good, bad)
    BROKEN[kind][0](bad)
    alone = call(capfd, "report", *words, good)
    assert alone.code == 0
    both = call(capfd, "report", *words, bad, good)
    assert (both.code, both.out) == (2, alone.out)
    assert both.err.startswith(f"left out: {bad}"), both.err
    assert BROKEN[kind][1] in both.err
    one = call(capfd, "report", *words, bad)
    assert (one.code, one.out) == (2, "")
    assert BROKEN[kind][1] in one.err
    none = call(capfd, "report", *words, bad, bad)
    assert none.code == 2
    assert "none of the runs can be reported" in none.err


@pytest.mark.parametrize("kind", ["half of scores", "newer", "no protocols"])
def test_figures_of_the_others(kind: str, good: Path, tmp_path: Path, capfd: Capture) -> None:
    pytest.importorskip("matplotlib")
    bad = tmp_path / "bad"
    shutil.copytree(good, bad)
    BROKEN[kind][0](bad)
    told = call(capfd, "report", "--figures", "--out", tmp_path / "out", bad, good, "--only", "dots", "--protocol", "strict-1")
    assert told.code == 2
    assert f"left out: {bad}" in told.err
    assert BROKEN[kind][1] in told.err
    assert sorted(path.name for path in (tmp_path / "out" / "good").iterdir()) == [
        "strict-1.dots.pdf",
        "strict-1.dots.png",
        "strict-1.dots.svg",
    ]


def test_a_damaged_journal_or_table_of_frames(good: Path, tmp_path: Path, capfd: Capture) -> None:
    """They are read when a figure needs them: the figures that do not are there, and the file is named."""
    pytest.importorskip("matplotlib")
    for name, kind, said in (
        ("journal.jsonl", "distributions", "the journal is damaged"),
        ("values.parquet", "curves", "the values by frame are damaged"),
    ):
        bad = tmp_path / name
        shutil.copytree(good, bad)
        (bad / name).write_bytes(b"nonsense\n" + (bad / name).read_bytes()[:100])
        told = call(
            capfd,
            "report",
            "--figures",
            "--out",
            tmp_path / "out",
            bad,
            good,
            "--only",
            "dots",
            "--only",
            kind,
            "--metric",
            "psnr@float",
            "--protocol",
            "strict-1",
        )
        assert told.code == 2
        assert said in told.err
        assert (tmp_path / "out" / name / "strict-1.dots.svg").exists()
        assert (tmp_path / "out" / "good" / f"strict-1.{kind}.svg").exists()
