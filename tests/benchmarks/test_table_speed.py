"""Tables of a large record: 20 methods x 1,000 clips x 15 variants x 100 frames. Whole processes, each under 10 s and 1 GiB; the peer parses the same journal
with the standard library and does nothing else. Seconds are processor time, of all threads: other programs may run beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.large_record import METHODS, write
from tests.benchmarks.process import Ended, python

pytestmark = pytest.mark.speed
PARSE = "import json, sys; print(len([json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]))"
SECONDS, MIB = 10, 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and 300 MB."""
    return write(tmp_path_factory.mktemp("large") / "run", failed=[(METHODS[-1], "clip-0999")]).path


@pytest.fixture(scope="module")
def parsing(large: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds of the quickest of three."""
    return min(python(["-c", PARSE, large / "journal.jsonl"], tmp_path_factory.mktemp("cache")).cpu for _ in range(3))


@pytest.mark.parametrize(
    ("words", "factor"),
    [
        ("show RUN", 3.0),
        ("show RUN --clips", 6.0),
        ("compare RUN --of PIDM --over Champ", 6.0),
        ("compare RUN --ranks", 8.0),
        ("report --protocols RUN", 2.0),
        ("report --paper tiktok-cited RUN", 2.0),
    ],
    ids=["show", "show --clips", "compare", "compare --ranks", "report --protocols", "report --paper"],
)
def test_tables_of_thirty_million_values(words: str, factor: float, large: Path, parsing: float, tmp_path: Path, benchmark: Any) -> None:
    """The quicker of two."""
    ended: list[Ended] = []
    command = [str(large) if word == "RUN" else word for word in words.split()]
    benchmark.pedantic(lambda: ended.append(python(["-m", "benchmark", *command], tmp_path)), rounds=2)
    seconds, peak = min(e.cpu for e in ended), max(e.peak for e in ended) // 1024
    bar = f"<= {factor:g}, < {SECONDS} s, < 1 GiB"
    wall = min(e.seconds for e in ended)
    benchmark.extra_info.update(ratio=round(seconds / parsing, 2), bar=bar, parsing=round(parsing, 2), seconds=round(seconds, 2))
    benchmark.extra_info.update(wall=round(wall, 2), peak_mib=peak)
    assert METHODS[2] in ended[0].out
    assert seconds < SECONDS
    assert peak < MIB
    assert seconds <= factor * parsing


def test_page_of_thirty_million_values(large: Path, parsing: float, tmp_path: Path, benchmark: Any) -> None:
    """A sheet a clip, no videos (the record has no clips): every value by frame is read and written again. Under a minute, whole process, once."""
    ended: list[Ended] = []
    command = ["-m", "benchmark", "report", "--html", str(large), "--out", str(tmp_path / "page")]
    benchmark.pedantic(lambda: ended.append(python(command, tmp_path)), rounds=1)
    seconds, peak = ended[0].cpu, ended[0].peak // 1024
    benchmark.extra_info.update(
        ratio=round(seconds / parsing, 2), bar="<= 25, < 60 s, < 1.5 GiB", parsing=round(parsing, 2), seconds=round(seconds, 2)
    )
    benchmark.extra_info.update(wall=round(ended[0].seconds, 2), peak_mib=peak)
    assert len(list((tmp_path / "page" / "data" / "0").glob("*.js"))) == 1000
    assert seconds < 60
    assert ended[0].seconds < 60
    assert peak < 1536
    assert seconds <= 25 * parsing
