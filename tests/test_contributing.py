"""CONTRIBUTING.md keeps its word: a metric, a suite and an adapter are one file each, the very blocks that it prints."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.make import ROOT, Said, environment, hvbench, movie, row, write

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HEADINGS = ("Add a metric", "Add a suite", "Add an adapter")


def recipe(heading: str) -> tuple[str, str]:
    """(file, content): the first path in backquotes below the heading, and the first fenced block."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section is not None, f"no heading {heading!r}"
    file = re.search(r"`([^`\n]+\.(?:py|toml))`", section[1])
    block = re.search(r"^```\w+\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    assert file is not None
    assert block is not None
    return file[1], block[1]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four packages, and the three files."""
    root = tmp_path_factory.mktemp("checkout")
    for package in ("benchmark", "suites", "adapters", "reports"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for heading in HEADINGS:
        file, content = recipe(heading)
        assert not (root / file).exists(), f"{file} is there already: the recipe must add, not replace"
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(content, encoding="utf-8")
    return root


def command(checkout: Path, *words: object) -> Said:
    return hvbench(*words, cwd=checkout, env={**environment(), "PYTHONPATH": str(checkout)})


def test_three_files_make_a_run(checkout: Path, tmp_path: Path) -> None:
    """The command that CONTRIBUTING.md prints. Expected: the metric by NumPy between the truth and its own half."""
    line = re.search(r"`python -m benchmark (run [^`]+)`", TEXT)
    assert line is not None
    truth = movie(0, 20, 32, 32)
    write(tmp_path / "data" / "one.mkv", truth)
    words = [str(tmp_path / "data") if word == "FOLDER" else word for word in line[1].split()]
    told = command(checkout, *words, "--out", tmp_path / "run")
    assert told.code == 0, told.err
    found = row(tmp_path / "run", "dimmed", "gradient@horizontal")
    half = np.diff((truth // 2).astype(np.int64), axis=2)
    assert found["value"] == pytest.approx(np.abs(half - np.diff(truth.astype(np.int64), axis=2)).mean(), rel=1e-12)
    assert (found["suite"], found["split"], found["unit"]) == ("duets", "all", "grey levels")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ls", "metrics"], "gradient@horizontal"),
        (["ls", "suites"], "duets"),
        (["ls", "adapters"], "dimmed"),
        (["explain", "gradient"], "horizontal steps"),
        (["explain", "duets"], "ROOT/{case}.mkv"),
    ],
)
def test_they_are_listed_and_explained(checkout: Path, words: list[str], expected: str) -> None:
    told = command(checkout, *words)
    assert told.code == 0, told.err
    assert expected in told.out


def test_the_blocks_pass_our_own_lint(checkout: Path) -> None:
    """What we tell others to write must pass what we run on it."""
    import subprocess

    tools = Path(sys.executable).parent
    if not (tools / "ruff").exists():
        pytest.skip("ruff is not installed here (extra dev)")
    files = [recipe(heading)[0] for heading in HEADINGS]
    python = [file for file in files if file.endswith(".py")]
    shutil.copy(ROOT / "pyproject.toml", checkout / "pyproject.toml")
    for words in (["ruff", "check", "--no-cache"], ["ruff", "format", "--no-cache", "--check"]):
        done = subprocess.run(
            [tools / words[0], *words[1:], *python], cwd=checkout, capture_output=True, text=True, env=dict(os.environ), check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_paths_and_commands_in_the_text_exist() -> None:
    """Every file that the text names, except those it tells the reader to make."""
    made = {recipe(heading)[0] for heading in HEADINGS} | {"suites/protocols/strict-2.toml", "tests/fixtures/NAME.json"}
    named = set(re.findall(r"`((?:benchmark|suites|adapters|reports|tests|docs|\.ci)/[\w./-]*)`", TEXT)) - made
    assert len(named) >= 8
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
