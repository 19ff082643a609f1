"""What people type to look around must answer at once: whole processes, imports included."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.process import Ended, python

pytestmark = pytest.mark.speed


@pytest.mark.parametrize(
    "words", ["--help", "ls metrics", "ls suites", "ls protocols", "ls adapters", "ls weights"], ids=lambda words: words.replace(" ", "-")
)
def test_starts_quickly(words: str, tmp_path: Path, benchmark: Any) -> None:
    """The median of five."""
    ended: list[Ended] = []
    benchmark.pedantic(lambda: ended.append(python(["-m", "benchmark", *words.split()], tmp_path)), rounds=5, warmup_rounds=1)
    median = statistics.median(e.seconds for e in ended[1:])
    benchmark.extra_info.update(ratio=round(median, 2), bar="< 0.6 s")
    assert ended[-1].out
    assert median < 0.6
