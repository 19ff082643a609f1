"""The best offset and rate: known because the clips are cut from one film by the test itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmark.align import SIDE, best, curve, distances
from tests.make import Said, call, movie, worse, write


def test_distances_are_mean_squared_errors() -> None:
    """Against the definition, frame by frame; equal frames get the floor of 0.01."""
    generator = np.random.default_rng(0)
    a, b = (generator.integers(0, 256, (n, 30)).astype(np.float32) for n in (3, 4))
    b[1] = a[2]
    grid = distances(a, b)
    expected = np.array([[np.mean((x.astype(np.float64) - y) ** 2) for y in b] for x in a])
    assert grid[2, 1] == 0.01
    expected[2, 1] = 0.01
    assert np.allclose(grid, expected, rtol=1e-12)


def test_the_curve_by_hand() -> None:
    """3 output frames, 4 truth frames; at offset k frame i meets i + k. MSE 255^2 / 10^(d / 10) is d dB."""
    decibel = np.array([[10.0, 20, 30, 40], [11, 21, 31, 41], [12, 22, 32, 42]])
    found = curve(255.0**2 / 10 ** (decibel / 10), Fraction(1), 3)
    expected = {
        -1: (11 + 22) / 2,  # frames 1, 2 meet 0, 1
        0: (10 + 21 + 32) / 3,
        1: (20 + 31 + 42) / 3,
        2: (30 + 41) / 2,
    }  # offsets -3, -2 and 3 have less than half of three frames in common
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_curve_of_twice_the_rate() -> None:
    """Output at twice the truth's rate: truth frame j meets output frame 2 (j - k)."""
    decibel = np.arange(12.0).reshape(6, 2) + 10
    found = curve(255.0**2 / 10 ** (decibel / 10), Fraction(2), 1)
    assert found[0] == pytest.approx((decibel[0, 0] + decibel[4 // 2, 1]) / 2)
    assert found[1] == pytest.approx(decibel[0, 1])


def test_the_best_offset_is_common_and_ties_go_to_the_smaller_shift() -> None:
    fit = best([{-1: 10.0, 0: 20.0, 1: 30.0}, {0: 40.0, 1: 20.0, 2: 90.0}])
    assert fit is not None
    assert (fit.offset, fit.psnr, fit.curve) == (0, 30.0, {0: 30.0, 1: 25.0})
    tie = best([{-2: 5.0, -1: 5.0, 1: 5.0, 3: 5.0}])
    assert tie is not None
    assert tie.offset == -1
    assert best([]) is None
    assert best([{0: 1.0}, {1: 1.0}]) is None


def film(seed: int, n: int = 40) -> np.ndarray:
    return movie(seed, n, 48, 48)


def align(capfd: pytest.CaptureFixture[str], root: Path, *more: object) -> Said:
    outputs = [word for m in sorted(p.name for p in root.iterdir() if p.name != "truth") for word in ("--outputs", f"{m}={root / m}")]
    return call(capfd, "align", "--suite", "tiktok", "--truth", root / "truth", *outputs, *more)


def test_the_offset_of_each_method_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`late` starts at truth frame 3 in every clip, `early` two frames before the truth; `mixed` at 1 in one clip and at 4 in the other."""
    for number, case in enumerate(("one", "two")):
        whole = film(number)
        write(tmp_path / "truth" / f"{case}.mkv", whole[5:35])
        write(tmp_path / "late" / f"{case}.mkv", worse(whole[8:35], 4))
        write(tmp_path / "early" / f"{case}.mkv", worse(whole[3:33], 4))
        write(tmp_path / "mixed" / f"{case}.mkv", worse(whole[5 + (1, 4)[number] : 33], 4))
    told = align(capfd, tmp_path, "--offset", "late=99")
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    of = {line.partition(":")[0]: line for line in lines if "best common offset" in line}
    own = dict(zip(of, (line for line in lines if "each clip's own" in line), strict=True))
    assert "best common offset 3 at 25 fps" in of["late"]
    assert f"{SIDE}x{SIDE} over 2 clip(s)" in of["late"]
    assert "one -> 3, two -> 3" in own["late"]
    assert "best common offset -2 " in of["early"]
    assert "one -> 1, two -> 4" in own["mixed"]
    assert "--offset late=3" in told.out
    assert "strict-1-retime" not in told.out


def test_a_wrong_rate_in_the_file_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """60 output frames for 30 of the truth at 15 fps, tagged 25: the frames belong at 30 fps, output frame 2 j to truth frame j."""
    truth = film(0, 30)
    doubled = np.repeat(truth, 2, axis=0)
    write(tmp_path / "truth" / "one.mkv", truth, 15)
    write(tmp_path / "m" / "one.mkv", worse(doubled, 3), 25)
    told = align(capfd, tmp_path)
    assert told.code == 0, told.err
    assert "best common offset 0 at 30 fps" in told.out
    assert "--offset m=0 --fps m=30 --protocol strict-1-retime" in told.out
    assert "25 fps: " in told.out


def test_a_crop_comes_before_the_search(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The right half is the result, the left half noise; cropped, all frames are equal up to +-2 levels."""
    truth = film(1, 24)
    noise = np.random.default_rng(3).integers(0, 256, truth.shape, np.uint8)
    write(tmp_path / "truth" / "one.mkv", truth)
    write(tmp_path / "m" / "one.mkv", np.concatenate([noise, worse(truth, 2)], axis=2)[2:])
    told = align(capfd, tmp_path, "--crop", "m=0.5,0.0,0.5,1.0")
    assert "best common offset 2 " in told.out
    decibel = float(told.out.split(" dB at")[0].rsplit(" ", 1)[1])
    assert decibel > 35


def test_an_offset_at_the_edge_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = film(2)
    write(tmp_path / "truth" / "one.mkv", whole)
    write(tmp_path / "m" / "one.mkv", whole[8:])
    assert "--max-offset 10" in align(capfd, tmp_path, "--max-offset", 5).out
    told = align(capfd, tmp_path, "--max-offset", 10)
    assert "best common offset 8 " in told.out
    assert "--max-offset 20" not in told.out


def test_align_without_truth_is_a_usage_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "m" / "one.mkv", film(0, 20))
    told = call(capfd, "align", "--suite", "tiktok", "--outputs", f"m={tmp_path / 'm'}")
    assert told.code == 2
    assert "align needs a truth" in told.err


def test_a_bad_clip_is_told_and_the_others_are_aligned(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number, case in enumerate(("one", "two")):
        write(tmp_path / "truth" / f"{case}.mkv", film(number, 24))
        write(tmp_path / "m" / f"{case}.mkv", film(number, 24)[1:])
    (tmp_path / "m" / "two.mkv").write_bytes(b"")
    told = align(capfd, tmp_path)
    assert told.code == 0
    assert "m, case two: " in told.out
    assert "best common offset 1 " in told.out
    assert "over 1 clip(s)" in told.out
