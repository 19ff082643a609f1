"""The workflows are YAML, pin their actions, hold no secret, and their `hvbench` lines parse."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import parser
from reports._baseline import load
from tests.make import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def parsed(path: Path) -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml", reason="no YAML library is installed")
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in parsed(path)["jobs"].values() for step in job["steps"]]


def test_there_are_two() -> None:
    assert [path.name for path in FILES] == ["ci.yml", "gpu.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_and_nothing_is_secret(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in used)
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert parsed(path)["permissions"] == {"contents": "read"}
    # An input inside a script's text would be code.
    assert not [step for step in steps(path) if "${{" in str(step.get("run", ""))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_are_ours(path: Path) -> None:
    """Every `hvbench run` and `hvbench check` line goes through the real parser, variables by their defaults."""
    said = {
        "$SUITE": "hand-bench-embedded",
        "$METHOD": "--adapter reencode",
        "$METRICS": "--protocol hands-1",
        "$BASELINE": "b.json",
        "$FAIL_ON": "worse",
    }
    lines = [
        line for step in steps(path) for line in str(step.get("run", "")).splitlines() if line.startswith(("hvbench run", "hvbench check"))
    ]
    assert len(lines) == 2
    for line in lines:
        for name, value in said.items():
            line = line.replace(f'"{name}"', value).replace(name, value)
        parser().parse_args(shlex.split(line)[1:])


def test_ci_runs_what_the_readme_says() -> None:
    run = " ".join(str(step.get("run", "")) for step in steps(ROOT / ".github" / "workflows" / "ci.yml"))
    for command in ("ruff check .", "ruff format --check .", "mypy", "python -m pytest -q"):
        assert command in run
        assert command in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_ci_holds_the_leaderboard_against_its_records() -> None:
    (line,) = [step["run"] for step in steps(ROOT / ".github" / "workflows" / "ci.yml") if "leaderboard" in str(step.get("run", ""))]
    assert parser().parse_args(shlex.split(line)[1:]).check


def test_the_committed_baseline_is_whole() -> None:
    """It speaks of the suite that ci.yml runs, and says why it is as it is."""
    data = load(ROOT / ".github" / "baseline.json")
    assert "tiktok-embedded/all" in data["sections"]
    assert all(item["reason"] for item in data["history"])
