"""The wheel: what is in it, and that it runs from a bare folder, far from the checkout."""

from __future__ import annotations

import configparser
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.make import ROOT, environment

PACKAGES = ("benchmark", "suites", "adapters", "reports")


def setuptools() -> int:
    """Major version, 0 where there is none."""
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


pytestmark = pytest.mark.skipif(setuptools() < 77, reason="building without a network needs setuptools >= 77 in this environment")


def pip(*words: object, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is written into the checkout."""
    root = tmp_path_factory.mktemp("wheel")
    source = root / "source"
    source.mkdir()
    for name in (*PACKAGES, "tests", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", ".", "--no-deps", "--no-build-isolation", "--no-cache-dir", "-w", root / "out", cwd=source)
    (built,) = (root / "out").glob("*.whl")
    return built


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for pattern in ("*.py", "*.toml", "*.json", "*.csv", "*.html", "*.css", "*.js", "py.typed")
        for path in (ROOT / package).rglob(pattern)
        if "records" not in path.parts and path.name != "leaderboard.html"  # the leaderboard stays in the repository
    }
    expected |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "reports" / "page").iterdir()}
    assert names == expected
    for kind in (
        "suites/tiktok/suite.toml",
        "suites/protocols/strict-1.toml",
        "suites/weights.toml",
        "benchmark/schemas/scores.schema.json",
    ):
        assert kind in names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{info}/METADATA").decode()
        entries = configparser.ConfigParser()
        entries.read_string(archive.read(f"{info}/entry_points.txt").decode())
        licences = [name for name in archive.namelist() if name.endswith("LICENSE")]
    assert "\nName: human-video-benchmark\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert dict(entries["console_scripts"]) == {"hvbench": "benchmark.cli:main"}
    assert licences


@pytest.fixture(scope="module")
def target(wheel: Path) -> Path:
    folder = wheel.parent.parent / "target"
    pip("install", "--target", folder, "--no-deps", "--no-compile", wheel, cwd=wheel.parent)
    return folder


def run(target: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m benchmark` of the installed wheel: its folder first on the path, ahead of the checkout."""
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env={**environment(), "PYTHONPATH": str(target)}, capture_output=True, text=True, check=False
    )


def test_the_installed_wheel_runs_anywhere(target: Path, tmp_path: Path) -> None:
    where = run(
        target, tmp_path, "-c", "import benchmark, suites, adapters, reports; print(benchmark.__file__, suites.__file__, reports.__file__)"
    )
    assert all(Path(file).is_relative_to(target) for file in where.stdout.split()), where
    listed = run(target, tmp_path, "-m", "benchmark", "ls", "metrics")
    assert listed.returncode == 0, listed.stderr
    assert "psnr@uint8-wrap" in listed.stdout
    explained = run(target, tmp_path, "-m", "benchmark", "explain", "strict-1")
    assert explained.returncode == 0
    assert "every output frame must meet a truth frame" in explained.stdout


@pytest.mark.usefixtures("drawn")
def test_the_installed_wheel_scores_and_validates(target: Path, tmp_path: Path) -> None:
    """Data files are found too: protocols, the generated clips, the schemas."""
    scored = run(
        target,
        tmp_path,
        "-m",
        "benchmark",
        "run",
        "--suite",
        "tiktok-embedded",
        "--limit",
        "1",
        "--adapter",
        "still",
        "--metric",
        "l1@unit",
        "--out",
        "r",
    )
    assert scored.returncode == 0, scored.stderr
    checked = run(target, tmp_path, "-m", "benchmark", "validate", "r")
    assert checked.returncode == 0, checked.stderr
    assert (tmp_path / "r" / "scores.json").exists()
