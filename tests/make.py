"""Small clip folders, runs of the command line, and plugins, made on the spot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.cli import main
from benchmark.media import encode
from tests.clips import scene

ROOT = Path(__file__).resolve().parent.parent
COUNT, SIDE, RATE = 24, 64, Fraction(25)
Frames = NDArray[np.uint8]


def movie(seed: int = 0, n: int = COUNT, h: int = SIDE, w: int = SIDE) -> Frames:
    """(n, h, w, 3) uint8: the drifting waves of tests.clips under a fixed texture, so that no two clips and no two frames are equal."""
    texture = np.random.default_rng(seed).integers(0, 24, (1, h, w, 3))
    return (scene(n, h, w, seed % 3) // 2 + 40 + texture).astype(np.uint8)


def worse(frames: Frames, amount: int, seed: int = 0) -> Frames:
    """The frames with noise of +-amount grey levels: what a method might have made."""
    noise = np.random.default_rng([seed, amount]).integers(-amount, amount + 1, frames.shape)
    return np.clip(frames.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def write(path: Path, frames: Frames, rate: Fraction | int = RATE) -> Path:
    """A lossless .mkv (or .mp4 as H.264)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, [frames], Fraction(rate), codec="ffv1" if path.suffix == ".mkv" else "h264")
    return path


@dataclass(frozen=True)
class Study:
    """A folder with truth/ and one folder a method, same stems in each."""

    root: Path
    methods: tuple[str, ...]
    cases: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The arguments that name all of it."""
        outputs = [word for m in self.methods for word in ("--outputs", f"{m}={self.root / m}")]
        return ["--suite", "tiktok", "--truth", str(self.root / "truth"), *outputs]


def study(
    root: Path,
    methods: Sequence[str] = ("a", "b"),
    cases: Sequence[str] = ("one", "two"),
    n: int = COUNT,
    side: int = SIDE,
) -> Study:
    """Write it: method k has noise of 2 (k + 1) grey levels on every clip."""
    for number, case in enumerate(cases):
        truth = movie(number, n, side, side)
        write(root / "truth" / f"{case}.mkv", truth)
        for k, method in enumerate(methods):
            write(root / method / f"{case}.mkv", worse(truth, 2 * (k + 1), number))
    return Study(root, tuple(methods), tuple(cases))


@dataclass(frozen=True)
class Said:
    """What a command returned and printed."""

    code: int
    out: str
    err: str


def call(capfd: pytest.CaptureFixture[str], *words: object) -> Said:
    """A command in this process."""
    capfd.readouterr()
    try:
        code = main([str(word) for word in words])
    except SystemExit as stop:  # argparse
        code = int(stop.code or 0)
    printed = capfd.readouterr()
    return Said(code, printed.out, printed.err)


def environment(**more: str) -> dict[str, str]:
    """The environment for a child: this checkout first, this test's own cache (set by conftest)."""
    path = [str(ROOT), *([os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), **more}


def hvbench(*words: object, cwd: Path, timeout: float = 120, env: Mapping[str, str] | None = None, **more: Any) -> Said:
    """A command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, words)],
        cwd=cwd,
        env=dict(env) if env is not None else environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **more,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def header(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "run.json").read_text(encoding="utf-8")))


def scores(run: Path) -> list[dict[str, Any]]:
    return list(json.loads((run / "scores.json").read_text(encoding="utf-8"))["scores"])


def row(run: Path, adapter: str, name: str, protocol: str | None = None) -> dict[str, Any]:
    """The one row of `metric@variant`."""
    found = [
        r for r in scores(run) if r["adapter"] == adapter and f"{r['metric']}@{r['variant']}" == name and protocol in (None, r["protocol"])
    ]
    assert len(found) == 1, found
    return found[0]


def journal(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text(encoding="utf-8").split("\n") if line]


def entry(run: Path, adapter: str, case: str) -> dict[str, Any]:
    found = [e for e in journal(run) if e["adapter"] == adapter and e["case"] == case]
    assert len(found) == 1, found
    return found[0]


def without_time(run: Path) -> list[str]:
    """The journal's lines, sorted, without their times."""
    return sorted(json.dumps({k: v for k, v in e.items() if k != "time"}, ensure_ascii=False) for e in journal(run))


def values(run: Path) -> list[tuple[Any, ...]]:
    """The rows of values.parquet, sorted; floats by their bits (repr is exact)."""
    import pyarrow.parquet as pq

    table = pq.read_table(run / "values.parquet")
    return sorted(zip(*(map(repr, table[c].to_pylist()) for c in table.column_names), strict=True))


def same_result(run: Path, other: Path) -> None:
    """scores.json equal byte by byte, the sorted journal without times equal, the values equal as a sorted table."""
    assert (run / "scores.json").read_bytes() == (other / "scores.json").read_bytes()
    assert without_time(run) == without_time(other)
    assert values(run) == values(other)


def told(text: str, *needles: str) -> None:
    """The message names the file, what was found, what was expected, and what to type: all four parts are there, and the needles."""
    for needle in ("found:", "expected:", "try:", *needles):
        assert needle in text, f"{needle!r} is not in:\n{text}"
    assert "Traceback" not in text
