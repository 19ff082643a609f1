"""The main job on real footage. Expected numbers are facts of these files that other programs can check, not numbers of this package."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmark
from benchmark.cli import main

pytestmark = pytest.mark.footage

METHODS = ("moore", "musev", "mimicmotion", "magicdance")
INSET = "0,341,171,171"
"""The pose picture in the lower left corner of tiktok-00337's 512x512 outputs."""


@pytest.fixture(scope="module")
def showcase(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> benchmark.Record:
    """All four clips of all four methods at 256x256."""
    folder = footage / "tiktok-showcase"
    return benchmark.run(
        suite="tiktok",
        truth=folder / "truth",
        outputs={name: folder / name for name in METHODS},
        offset={"*": 1},
        protocols=["disco-2024", "disco-2023"],
        metrics=["psnr@float"],
        out=tmp_path_factory.mktemp("showcase") / "run",
    )


def test_mimicmotion_is_nearest_to_the_truth_on_every_clip(showcase: benchmark.Record) -> None:
    # MimicMotion published these clips to show that it follows the truth best
    values = {name: showcase.clip_values(name, "disco-2024", "psnr@float") for name in METHODS}
    assert list(values["moore"]) == ["0", "1", "2", "3"]
    for case in values["moore"]:
        assert max(METHODS, key=lambda name: values[name][case]) == "mimicmotion"


def test_the_overflow_squeezes_and_reverses(showcase: benchmark.Record) -> None:
    # its values tend to 20 log10(255 / sqrt(E[(d * d) mod 256])) = 27.9 dB for large errors; published tables lie in 28.4 .. 30
    plain = {name: showcase.clip_values(name, "disco-2024", "psnr@cap100") for name in METHODS}
    wrapped = {name: showcase.clip_values(name, "disco-2023", "psnr@uint8-wrap") for name in METHODS}
    assert all(29 < value < 32 for clips in wrapped.values() for value in clips.values())
    assert all(15 < value < 23 for clips in plain.values() for value in clips.values())
    orders = [
        sorted(METHODS, key=lambda name: table[name][case], reverse=True) for case in ("0", "1", "2", "3") for table in (plain, wrapped)
    ]
    assert any(first != second for first, second in zip(orders[::2], orders[1::2], strict=True))


def test_identical_protocols_share_their_numbers(showcase: benchmark.Record) -> None:
    rows = {(row["adapter"], row["protocol"], row["metric"], row["variant"]): row["value"] for row in showcase.scores}
    for name in METHODS:
        for metric in (("l1", "disco"), ("ssim", "disco")):
            assert rows[name, "disco-2024", *metric] == rows[name, "disco-2023", *metric]


def test_outputs_of_another_size_and_length_are_paired(showcase: benchmark.Record) -> None:
    # 153 output frames at offset 1 meet truth frames 1 .. 153 (MANIFEST of the footage)
    for entry in showcase.journal.values():
        (view,) = entry["views"].values()
        assert view["pairing"] == {"frames": 153, "truth": [1, 153], "generated": [0, 152], "rates": "ignored", "reference_left_out": None}


def test_a_wrong_rate_is_refused_and_can_be_named(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = footage / "tiktok-showcase" / "truth" / "2.mp4"
    words = ["run", "--suite", "tiktok", "--truth", str(truth), "--metric", "l1@unit", "--metric", "psnr@float"]
    for name in ("magicanimate", "tps"):
        words += ["--outputs", f"{name}={footage / 'tiktok-00337' / name}.mp4"]
    assert main([*words, "--out", str(tmp_path / "refused")]) == 2
    said = capsys.readouterr().err
    assert "found:    25 fps, truth 15 fps" in said
    assert "strict-1-retime" in said
    look = ["--fps", "*=30", "--offset", "*=1", "--ignore", f"*={INSET}", "--protocol", "strict-1-retime", "--out", str(tmp_path / "run")]
    assert main([*words, *look]) == 0
    record = benchmark.load(tmp_path / "run")
    value = {row["adapter"]: row["value"] for row in record.scores if row["variant"] == "float"}
    # MagicAnimate keeps person and room; TPS is a warp that falls apart on this clip: any eye says so
    assert value["magicanimate"] > value["tps"] + 3


def test_align_finds_the_offset_and_the_rate(footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # MANIFEST of the footage: frame i of every showcase output belongs to frame i + 1 of the truth
    folder = footage / "tiktok-showcase"
    words = [
        "align",
        "--suite",
        "tiktok",
        "--truth",
        str(folder / "truth"),
        "--outputs",
        f"mimicmotion={folder / 'mimicmotion'}",
        "--max-offset",
        "6",
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "best common offset 1 at 15 fps" in said
    assert "0 -> 1, 1 -> 1, 2 -> 1, 3 -> 1" in said
    # 306 frames beside a truth of 155 at 15 fps: 30 fps fits, the file says 25
    other = footage / "tiktok-00337" / "magicanimate.mp4"
    assert (
        main(["align", "--suite", "tiktok", "--truth", str(folder / "truth" / "2.mp4"), "--outputs", f"x={other}", "--max-offset", "6"])
        == 0
    )
    assert "at 30 fps" in capsys.readouterr().out


READ = ("dreampose.gif", "magicanimate-densepose.mp4", "moore-face-25fps.mp4", "moore-skeleton.mp4")


@pytest.mark.parametrize("name", READ)
def test_awkward_formats_are_read(name: str, footage: Path, tmp_path: Path) -> None:
    # a file against itself: no error at all, and PSNR has no value
    clip = footage / "formats" / name
    record = benchmark.run(suite="tiktok", truth=clip, outputs={"x": clip}, metrics=["l1@unit", "psnr@float"], out=tmp_path / "run")
    l1, psnr = record.scores
    assert l1["value"] == 0
    assert (psnr["value"], psnr["reason"]) == (None, "identical")
    assert l1["n_frames"] >= 36


@pytest.mark.parametrize(("name", "panels"), [("aniportrait-two-panels.mp4", 2), ("unianimate-three-panels.gif", 3)])
def test_panels_are_refused_with_the_crop_that_helps(name: str, panels: int, footage: Path, tmp_path: Path) -> None:
    clip = footage / "formats" / name
    last = {"truth": f"{(panels - 1) / panels:.6f},0.0,{1 / panels:.6f},1.0"}
    record = benchmark.run(suite="tiktok", truth=clip, outputs={"x": clip}, crop=last, metrics=["l1@unit"], out=tmp_path / "refused")
    (row,) = record.scores
    assert (row["value"], row["reason"]) == (None, "panels")
    (entry,) = record.journal.values()
    assert "--crop x=" in entry["views"].popitem()[1]["error"]["hint"]
    record = benchmark.run(
        suite="tiktok", truth=clip, outputs={"x": clip}, crop={**last, "x": last["truth"]}, metrics=["l1@unit"], out=tmp_path / "run"
    )
    assert record.scores[0]["value"] == 0


def test_sound_alone_is_refused(footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--suite", "tiktok", "--outputs", f"x={footage / 'formats' / 'wan-speech.wav'}", "--out", str(tmp_path / "run")])
    assert code == 2
    assert "wan-speech.wav" in capsys.readouterr().err


def test_published_sets_of_talking_heads_are_read(footage: Path, tmp_path: Path) -> None:
    # HEVC, 24 to 30 fps, up to 1952x1056: probed and refused or read without an internal error
    folder = footage / "talking-real"
    from benchmark.media import list_clips, probe

    sizes = {stem: probe(path).frames for stem, path in list_clips(folder).items()}
    assert len(sizes) >= 12
    assert all(frames > 20 for frames in sizes.values())
