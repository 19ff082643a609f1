"""A command as a process of its own: seconds from start to end, imports included, and the most memory it ever held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SMALL = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss // 1024 if sys.platform == "darwin" else used.ru_maxrss
print(json.dumps([code, used.ru_utime + used.ru_stime, peak]), file=sys.stderr)
"""
"""Starts the command from a small process: Linux lets a child begin with the peak of the process that started it."""


@dataclass(frozen=True)
class Ended:
    """seconds: wall clock. cpu: seconds of all its threads. peak: KiB resident at most. out: standard output."""

    seconds: float
    cpu: float
    peak: int
    out: str


def python(words: Sequence[str | Path], cache: Path) -> Ended:
    """`python WORDS` in the project's root with a cache of its own; AssertionError with its complaints where it fails."""
    environment = {**os.environ, "BENCHMARK_CACHE": str(cache), "BENCHMARK_CONFIG": os.devnull, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-I", "-S", "-c", _SMALL, sys.executable, *map(str, words)]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    code, cpu, peak = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return Ended(seconds, cpu, peak, done.stdout)


def run(
    folder: Path,
    out: Path,
    cache: Path,
    methods: Sequence[str] = ("a",),
    protocols: Sequence[str] = ("strict-1", "disco-2024"),
    more: Sequence[str] = (),
) -> Ended:
    """`benchmark run` over folder/truth and folder/METHOD."""
    words: list[str | Path] = ["-m", "benchmark", "run", "--suite", "tiktok", "--truth", folder / "truth", "--out", out]
    for method in methods:
        words += ["--outputs", f"{method}={folder / method}"]
    for protocol in protocols:
        words += ["--protocol", protocol]
    return python([*words, *more], cache)
