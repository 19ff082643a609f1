"""Memory does not grow with the number of clips or their length: the peak (ru_maxrss) of whole runs, read by a process that does nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.chain import make_clips
from tests.benchmarks.process import run

pytestmark = pytest.mark.speed
BAR = 1.1


NETWORKS = ("--weights", "seeded", "--metric", "fid@tf", "--metric", "lpips@alex")


def peak(folder: Path, work: Path, methods: tuple[str, ...], more: tuple[str, ...]) -> int:
    """KiB. more: words of another table than that of frame metrics."""
    protocols = () if more else ("strict-1", "disco-2024")
    return run(folder, work / f"run-{folder.name}", work / "cache", methods, protocols, more).peak


def compared(benchmark: Any, small: Path, large: Path, work: Path, methods: tuple[str, ...] = ("a",), more: tuple[str, ...] = ()) -> None:
    """The small run first, then the large one, which is the one timed."""
    base, most = peak(small, work, methods, more), 0

    def measure() -> None:
        nonlocal most
        most = peak(large, work, methods, more)

    benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(small_mib=base // 1024, large_mib=most // 1024, ratio=round(most / base, 3), bar=f"<= {BAR}")
    assert most <= BAR * base, f"{base} and {most} KiB"


def test_many_clips(tmp_path: Path, benchmark: Any) -> None:
    """400 clips of 16 frames against 40."""
    for clips in (40, 400):
        make_clips(tmp_path / str(clips), clips, 16, 64, distinct=4)
    compared(benchmark, tmp_path / "40", tmp_path / "400", tmp_path)


@pytest.fixture(scope="module")
def long_and_short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("length")
    for frames in (300, 3000):
        make_clips(folder / str(frames), 1, frames, 128, ("a", "b", "c"))
    return folder / "300", folder / "3000"


@pytest.mark.parametrize("methods", [("a",), ("a", "b", "c")], ids=["one-method", "three-methods"])
def test_long_clip(methods: tuple[str, ...], long_and_short: tuple[Path, Path], tmp_path: Path, benchmark: Any) -> None:
    """3,000 frames of 128x128 against 300."""
    compared(benchmark, *long_and_short, tmp_path, methods)


@pytest.mark.parametrize("methods", [("a",), ("a", "b", "c")], ids=["one-method", "three-methods"])
def test_long_clip_through_networks(methods: tuple[str, ...], tmp_path: Path, benchmark: Any) -> None:
    """FID and LPIPS of 600 frames of 64x64 against 60: features go to the disk, rows of pairs are scored and dropped."""
    for frames in (60, 600 if len(methods) == 1 else 240):
        make_clips(tmp_path / str(frames), 1, frames, 64, methods)
    compared(benchmark, tmp_path / "60", tmp_path / ("600" if len(methods) == 1 else "240"), tmp_path, methods, NETWORKS)
