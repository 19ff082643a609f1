"""Whatever lies in a folder: the right exit code, a message that names the file, what was found, what was expected and what to type, and every other
clip scored all the same. What must happen is the issue's own list of bad input; which codes exist is documented in benchmark.media and .pairing."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmark.model import Extractor, FeatureVariant, Metric, SetVariant
from benchmark.record import JOURNAL, Writer
from benchmark.registry import WeightsEntry
from tests import clips
from tests.make import COUNT, RATE, Said, call, entry, environment, header, hvbench, movie, row, scores, told, worse, write

Capture = pytest.CaptureFixture[str]
Register = Callable[..., None]
TRUTH = movie(0)
OURS = worse(TRUTH, 2)
GOOD = "two"
BAD = "one"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real clips: the bad case and the good one."""
    folder = tmp_path_factory.mktemp("bad") / "truth"
    write(folder / f"{BAD}.mkv", TRUTH)
    write(folder / f"{GOOD}.mkv", movie(1))
    return folder


def beside(folder: Path) -> Path:
    """A folder of one method with its good clip in it."""
    write(folder / f"{GOOD}.mkv", worse(movie(1), 2))
    return folder


def run(capfd: Capture, truth: Path, ours: Path, out: Path, *more: str) -> Said:
    return call(capfd, "run", "--suite", "tiktok", "--truth", truth, "--outputs", f"m={ours}", "--out", out, *more)


# ------------------------------------------------------------------------------------------------------- clips that are refused


def _video(path: Path, **more: object) -> None:
    clips.write_video(path, OURS, options={"crf": "8"}, **more)  # type: ignore[arg-type]


def _truncated(folder: Path) -> None:
    _video(folder / "whole.mp4")
    clips.cut(folder / "whole.mp4", folder / f"{BAD}.mp4", -2000)
    (folder / "whole.mp4").unlink()


def _damaged(folder: Path) -> None:
    write(folder / "whole.mkv", OURS)
    clips.damage(folder / "whole.mkv", folder / f"{BAD}.mkv", 12)
    (folder / "whole.mkv").unlink()


def _half_transparent(folder: Path) -> None:
    clips.write_video(folder / f"{BAD}.mkv", OURS, codec="ffv1", pix_fmt="bgra", alpha=np.full(OURS.shape[:3], 128, np.uint8))


def _cut_picture(folder: Path) -> None:
    clips.write_folder(folder / BAD, OURS, [f"{i:04d}.png" for i in range(COUNT)])
    picture = folder / BAD / "0005.png"
    picture.write_bytes(picture.read_bytes()[:300])


def _empty_picture(folder: Path) -> None:
    clips.write_folder(folder / BAD, OURS, [f"{i:04d}.png" for i in range(COUNT)])
    (folder / BAD / "0005.png").write_bytes(b"")


def _hole(folder: Path) -> None:
    clips.write_folder(folder / BAD, OURS[:20], [f"{i:04d}.png" for i in range(COUNT) if i not in (3, 4, 5, 6)])


def _no_frames(folder: Path) -> None:
    (folder / BAD).mkdir(parents=True)
    (folder / BAD / "notes.txt").write_text("nothing to see")


def _gif(folder: Path) -> None:
    clips.write_gif(folder / f"{BAD}.gif", OURS, [40] * 10 + [120] + [40] * (COUNT - 11), grey=False)


UNEVEN = [i * 40 + (i % 2) * 15 for i in range(COUNT)]
REFUSED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "truncated": (_truncated, f"{BAD}.mp4", "truncated"),
    "zero bytes": (lambda f: (f / f"{BAD}.mp4").write_bytes(b""), f"{BAD}.mp4", "empty-file"),
    "text named mp4": (lambda f: (f / f"{BAD}.mp4").write_text("I am a text\n" * 50), f"{BAD}.mp4", "not-a-video"),
    "audio only": (lambda f: clips.write_audio(f / f"{BAD}.mp4"), f"{BAD}.mp4", "no-video-stream"),
    "damaged": (_damaged, f"{BAD}.mkv", "corrupt"),
    "one frame": (lambda f: write(f / f"{BAD}.mkv", OURS[:1]), f"{BAD}.mkv", "uncovered"),
    "no frames": (_no_frames, "", "missing-clip"),
    "missing case": (lambda f: None, "", "missing-clip"),
    "frames missing in a folder": (_hole, BAD, "hole"),
    "cut picture": (_cut_picture, f"{BAD}/0005.png", "truncated"),
    "empty picture": (_empty_picture, f"{BAD}/0005.png", "empty-file"),
    "odd angle": (lambda f: _video(f / f"{BAD}.mp4", rotation=45), f"{BAD}.mp4", "rotation"),
    "half transparent": (_half_transparent, f"{BAD}.mkv", "alpha"),
    "variable rate": (lambda f: _video(f / f"{BAD}.mp4", stamps=UNEVEN, time_base=Fraction(1, 1000)), f"{BAD}.mp4", "variable-fps"),
    "gif with delays": (_gif, f"{BAD}.gif", "variable-fps"),
    "fewer frames": (lambda f: write(f / f"{BAD}.mkv", OURS[:12]), f"{BAD}.mkv", "uncovered"),
    "more frames": (lambda f: write(f / f"{BAD}.mkv", movie(0, COUNT + 6)), f"{BAD}.mkv", "uncovered"),
    "other shape": (lambda f: write(f / f"{BAD}.mkv", movie(0, COUNT, 64, 96)), f"{BAD}.mkv", "aspect"),
    "panels": (lambda f: write(f / f"{BAD}.mkv", movie(0, COUNT, 64, 128)), f"{BAD}.mkv", "panels"),
    "other rate": (lambda f: write(f / f"{BAD}.mkv", OURS, 30), f"{BAD}.mkv", "fps-mismatch"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_and_told(kind: str, truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """The bad clip is an error in the record with all four parts; the good one is scored; the aggregate says that it is incomplete; exit 0."""
    make, file, code = REFUSED[kind]
    ours = beside(tmp_path / "ours")
    make(ours)
    said = run(capfd, truth, ours, tmp_path / "run", "--metric", "psnr@float")
    assert said.code == 0, said.err
    told(said.err, str(ours / file) if file else str(ours))
    failed = entry(tmp_path / "run", "m", BAD)
    error = failed.get("error") or next(iter(failed["views"].values()))["error"]
    assert error["code"] == code
    score = row(tmp_path / "run", "m", "psnr@float")
    assert (score["n_clips"], score["n_failed"]) == (1, 1)
    assert "incomplete" in score["flags"]
    # noise uniform on -2..2: mean square 2, so 10 log10(255^2 / 2) = 45.1 dB
    assert score["value"] == pytest.approx(45.1, abs=0.1)
    assert "incomplete" in said.out


@pytest.mark.parametrize("kind", ["truncated", "zero bytes", "text named mp4", "audio only", "damaged", "half transparent", "cut picture"])
def test_bad_truth(kind: str, tmp_path: Path, capfd: Capture) -> None:
    """The same clips as truth: every method's clip of that case fails with the truth named, the other case is scored."""
    make, file, _ = REFUSED[kind]
    real = tmp_path / "truth"
    write(real / f"{GOOD}.mkv", movie(1))
    make(real)
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    said = run(capfd, real, ours, tmp_path / "run", "--metric", "psnr@float")
    assert said.code == 0, said.err
    told(said.err, str(real), file, f"the truth of case {BAD} cannot be used")
    assert entry(tmp_path / "run", "m", BAD)["error"]["code"] == "bad-truth"
    assert row(tmp_path / "run", "m", "psnr@float")["n_failed"] == 1


def test_every_bad_clip_at_once(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """Twenty methods, each with another bad clip: none takes the others' good clip away."""
    words = []
    for number, (make, _, _) in enumerate(REFUSED.values()):
        folder = beside(tmp_path / f"m{number}")
        make(folder)
        words += ["--outputs", f"m{number}={folder}"]
    said = call(capfd, "run", "--suite", "tiktok", "--truth", truth, *words, "--metric", "psnr@float", "--out", tmp_path / "run")
    assert said.code == 0, said.err
    rows = scores(tmp_path / "run")
    assert len(rows) == len(REFUSED)
    assert {(r["n_clips"], r["n_failed"], tuple(r["flags"])) for r in rows} == {(1, 1, ("incomplete",))}
    assert len({r["value"] for r in rows}) == 1


# ------------------------------------------------------------------------------------------------- clips that are read as they are


def _opaque(folder: Path) -> None:
    clips.write_video(folder / f"{BAD}.mkv", OURS, codec="ffv1", pix_fmt="bgra", alpha=np.full(OURS.shape[:3], 255, np.uint8))


def _turned(folder: Path) -> None:
    """Stored turned by a quarter, with the metadata that turns it back; the texture lies at other pixels, so the truth must be turned too."""
    stored = np.ascontiguousarray(np.rot90(OURS, -1, axes=(1, 2)))
    clips.write_video(folder / f"{BAD}.mp4", stored, options={"crf": "0"}, pix_fmt="yuv444p", rotation=90)


READ: dict[str, tuple[Callable[[Path], object], float]] = {
    # the floor in dB of each: chroma at half resolution costs most; noise of +-2 alone is 45.1 dB
    "h264": (lambda f: _video(f / f"{BAD}.mp4"), 29.0),
    "odd size": (lambda f: write(f / f"{BAD}.mkv", movie(0, COUNT, 65, 65)), 20.0),
    "quarter turn": (_turned, 40.0),
    "10 bits": (lambda f: _video(f / f"{BAD}.mp4", pix_fmt="yuv420p10le"), 29.0),
    "yuv444": (lambda f: _video(f / f"{BAD}.mp4", pix_fmt="yuv444p"), 36.0),
    "opaque alpha": (_opaque, 45.0),
    "HEVC": (
        lambda f: clips.write_video(f / f"{BAD}.mp4", OURS, codec="libx265", options={"crf": "8", "x265-params": "log-level=none"}),
        29.0,
    ),
    "numbered pictures": (lambda f: clips.write_folder(f / BAD, OURS, [f"{i}.png" for i in range(COUNT)]), 45.0),
}


@pytest.mark.parametrize("kind", READ)
def test_read_as_it_is(kind: str, truth: Path, tmp_path: Path, capfd: Capture) -> None:
    make, floor = READ[kind]
    ours = beside(tmp_path / "ours")
    make(ours)
    said = run(capfd, truth, ours, tmp_path / "run", "--metric", "psnr@float")
    assert said.code == 0, said.err
    score = row(tmp_path / "run", "m", "psnr@float")
    assert (score["n_clips"], score["n_failed"], score["flags"]) == (2, 0, []), said.err
    value = entry(tmp_path / "run", "m", BAD)["values"]
    assert next(iter(value.values()))["psnr@float"]["value"] > floor


def test_range_comes_from_the_stream(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """The same picture stored in full and in limited range, each tagged, is the same picture: up to the rounding of either, which costs 1 to 2 dB of 45;
    a range read wrongly costs more than 15."""
    import av
    from av.video.reformatter import VideoReformatter

    found = {}
    for name, number in (("limited", 1), ("full", 2)):
        ours = beside(tmp_path / name)
        pictures = [
            VideoReformatter().reformat(
                av.VideoFrame.from_ndarray(frame, format="rgb24"),
                format="yuv444p",
                dst_colorspace=5,
                src_color_range=2,
                dst_color_range=number,
            )
            for frame in OURS
        ]
        clips.write_pictures(ours / f"{BAD}.mkv", pictures, codec="ffv1", colour=(6, number))
        assert run(capfd, truth, ours, tmp_path / f"run-{name}", "--metric", "psnr@float").code == 0
        item = entry(tmp_path / f"run-{name}", "m", BAD)
        assert item["generated"]["color_range"] == name
        found[name] = next(iter(item["values"].values()))["psnr@float"]["value"]
    assert found["limited"] == pytest.approx(found["full"], abs=1.5)
    assert min(found.values()) > 40


def test_variable_rates_under_retime(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """Protocols that state a rule for uneven frames take them: nearest frame in time, and frame by frame."""
    ours = beside(tmp_path / "ours")
    clips.write_video(ours / f"{BAD}.mkv", OURS, codec="ffv1", pix_fmt="bgr0", stamps=[i * 40 + i % 2 * 15 for i in range(COUNT)],
                      time_base=Fraction(1, 1000))  # fmt: skip
    said = run(capfd, truth, ours, tmp_path / "run", "--protocol", "strict-1-retime", "--protocol", "disco-2024")
    assert said.code == 0, said.err
    for name, protocol in (("psnr@float", "strict-1-retime"), ("psnr@cap100", "disco-2024")):
        score = row(tmp_path / "run", "m", name, protocol)
        assert (score["n_clips"], score["n_failed"]) == (2, 0), said.err


def test_one_frame_where_the_protocol_takes_it(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """disco-2024 compares the frames both sides have, be it one; the record says how many."""
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS[:1])
    assert run(capfd, truth, ours, tmp_path / "run", "--protocol", "disco-2024").code == 0
    assert row(tmp_path / "run", "m", "psnr@cap100")["n_frames"] == COUNT + 1


def test_one_view_fails_and_the_other_stands(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """Another rate is an error of strict-1 alone."""
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS, 30)
    said = run(capfd, truth, ours, tmp_path / "run", "--protocol", "strict-1", "--protocol", "disco-2024")
    assert said.code == 0
    told(said.err, f"{BAD}.mkv")
    assert row(tmp_path / "run", "m", "psnr@float")["n_failed"] == 1
    assert row(tmp_path / "run", "m", "psnr@cap100")["n_failed"] == 0


# ------------------------------------------------------------------------------------------------------------ folders and names


def test_extra_file_is_noted(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    write(ours / "three.mkv", OURS)
    (ours / "readme.txt").write_text("mine")
    said = run(capfd, truth, ours, tmp_path / "run")
    assert said.code == 0
    assert "three" in said.err
    assert row(tmp_path / "run", "m", "psnr@float")["n_failed"] == 0
    assert any("three" in note for note in header(tmp_path / "run")["notes"])


def test_duplicate_stem(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """Which of two files is the clip cannot be known: exit 2 before anything is computed."""
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    _video(ours / f"{BAD}.mp4")
    said = run(capfd, truth, ours, tmp_path / "run")
    assert (said.code, said.out) == (2, "")
    told(said.err, str(ours), f"{BAD}.mkv", f"{BAD}.mp4")


@pytest.mark.parametrize("option", ["truth", "outputs", "real", "data", "cases"])
def test_absent_folder(option: str, truth: Path, tmp_path: Path, capfd: Capture) -> None:
    absent = tmp_path / "nowhere"
    words = {
        "truth": ["--truth", absent, "--outputs", f"m={truth}"],
        "outputs": ["--truth", truth, "--outputs", f"m={absent}"],
        "real": ["--real", absent, "--outputs", f"m={truth}"],
        "data": ["--data", absent, "--outputs", f"m={truth}"],
        "cases": ["--cases", absent],
    }[option]
    said = call(capfd, "run", "--suite", "tiktok", *words, "--out", tmp_path / "run")
    assert (said.code, said.out) == (2, "")
    assert str(absent) in said.err
    assert "try:" in said.err
    assert "Traceback" not in said.err


NAMES = [
    "with space",
    "it's",
    'say "hi"',
    "ünïcödé",
    "日本語",
    "踊り 1",
    "-dash",
    "100%",
    "a=b",
    "a@b",
    "two..",
    "semi;colon",
    "new\nline",
    "$HOME",
]


def test_names(tmp_path: Path, capfd: Capture) -> None:
    """Any name the file system takes is a case; every one is found again in journal, values and scores, also by the adapters that write files."""
    for number, name in enumerate(NAMES):
        frames = movie(number, COUNT, 32, 32)
        write(tmp_path / "the truth" / f"{name}.mkv", frames)
        write(tmp_path / "ours ü" / f"{name}.mkv", worse(frames, 2))
    said = call(
        capfd, "run", "--suite", "tiktok", "--truth", tmp_path / "the truth", "--outputs", f"m={tmp_path / 'ours ü'}", "--adapter", "still",
        "--reference-frame", "*=0", "--out", tmp_path / "my run",
    )  # fmt: skip
    assert said.code == 0, said.err
    for method in ("m", "still"):
        assert row(tmp_path / "my run", method, "psnr@float")["n_clips"] == len(NAMES)
        assert {entry(tmp_path / "my run", method, name)["status"] for name in NAMES} == {"scored"}
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and p.relative_to(tmp_path).parts[0] not in ("the truth", "ours ü", "my run")]
    assert outside == []
    assert call(capfd, "show", tmp_path / "my run", "--clips").code == 0
    assert call(capfd, "validate", tmp_path / "my run").code == 0


def test_names_of_one_form(truth: Path, tmp_path: Path, capfd: Capture) -> None:
    """The same letters composed on one side and decomposed on the other (as macOS writes them) are one case."""
    write(tmp_path / "truth" / "caf\u00e9.mkv", TRUTH)
    write(tmp_path / "ours" / "cafe\u0301.mkv", OURS)
    assert run(capfd, tmp_path / "truth", tmp_path / "ours", tmp_path / "run").code == 0
    assert row(tmp_path / "run", "m", "psnr@float")["n_clips"] == 1


def test_name_that_is_no_text(tmp_path: Path, capfd: Capture) -> None:
    """A name in bytes that are no UTF-8 is either scored or refused with the file named; it is no internal error."""
    write(tmp_path / "truth" / "good.mkv", TRUTH)
    write(tmp_path / "ours" / "good.mkv", OURS)
    for folder in ("truth", "ours"):
        os.rename(tmp_path / folder / "good.mkv", os.fsencode(tmp_path / folder) + b"/bad\xff.mkv")  # noqa: PTH104 - a name pathlib cannot spell
    said = run(capfd, tmp_path / "truth", tmp_path / "ours", tmp_path / "run")
    assert said.code in (0, 2), said.err
    assert "Traceback" not in said.err


def test_dots_in_a_case_id_stay_inside_the_run(tmp_path: Path, capfd: Capture) -> None:
    """A cases.toml may name a case as it likes; nothing is written outside the run."""
    write(tmp_path / "in" / "truth.mkv", TRUTH)
    ids = ["../../evil", "..", "/abs/olute", ".", "a/b"]
    table = 'format = 1\nsuite = "tiktok"\n' + "".join(
        f'[[case]]\nid = "{name}"\nreference_frame = 0\n[case.truth]\npath = "truth.mkv"\n' for name in ids
    )
    (tmp_path / "in" / "cases.toml").write_text(table)
    before = set(tmp_path.rglob("*"))
    said = call(capfd, "run", "--cases", tmp_path / "in" / "cases.toml", "--adapter", "still", "--out", tmp_path / "deep" / "er" / "run")
    assert said.code == 0, said.err
    assert row(tmp_path / "deep" / "er" / "run", "still", "psnr@float")["n_clips"] == len(ids)
    new = {p for p in tmp_path.rglob("*") if p not in before and not p.is_relative_to(tmp_path / "deep")}
    assert new == set()
    assert not Path("/abs").exists()


def test_path_with_dots(truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """`../` in an option is a path like any other, also on resuming from another folder."""
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(capfd, Path(os.path.relpath(truth)), Path("../ours"), Path("../run")).code == 0
    (tmp_path / "run" / "scores.json").unlink()
    monkeypatch.chdir("/")
    assert call(capfd, "resume", tmp_path / "run").code == 0
    assert row(tmp_path / "run", "m", "psnr@float")["n_clips"] == 2


def _powerless() -> None:
    """In a child: give up root's right to read what the modes forbid (PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH)."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):
        libc.prctl(24, capability, 0, 0, 0)


@pytest.fixture
def obeys_modes(tmp_path: Path) -> dict[str, object]:
    """Arguments of subprocess for a child that cannot read a mode-0 folder; a skip where that cannot be had."""
    if sys.platform != "linux":
        pytest.skip("capabilities are Linux's")
    more: dict[str, object] = {"preexec_fn": _powerless} if os.geteuid() == 0 else {}
    probe = tmp_path / "probe"
    probe.mkdir(mode=0)
    done = subprocess.run([sys.executable, "-c", f"import os; os.listdir({str(probe)!r})"], capture_output=True, check=False, **more)  # type: ignore[call-overload]
    if done.returncode == 0:
        pytest.skip("this user reads everything")
    return more


@pytest.mark.parametrize(
    "where", ["the folder of a method", "below an unreadable folder", "the truth", "a frame folder", "a file", "the run"]
)
def test_unreadable(where: str, truth: Path, tmp_path: Path, obeys_modes: dict[str, object]) -> None:
    """A folder without rights is exit 2 with the folder named; a single clip without rights fails alone."""
    ours = beside(tmp_path / "ours")
    clips.write_folder(ours / BAD, OURS, [f"{i:04d}.png" for i in range(COUNT)])
    real, out, method = truth, tmp_path / "run", ours
    if where == "below an unreadable folder":
        method, locked = ours / "sub", ours
    elif where == "the truth":
        real = locked = shutil.copytree(truth, tmp_path / "truth")
    elif where == "a frame folder":
        locked = ours / BAD
    elif where == "a file":
        locked = ours / f"{GOOD}.mkv"
    elif where == "the run":
        locked = tmp_path / "closed"
        locked.mkdir()
        out = locked / "run"
    else:
        locked = ours
    locked.chmod(0)
    try:
        said = hvbench("run", "--suite", "tiktok", "--truth", real, "--outputs", f"m={method}", "--metric", "psnr@float", "--out", out,
                       cwd=tmp_path, **obeys_modes)  # fmt: skip
    finally:
        locked.chmod(0o755)
    assert "Traceback" not in said.err, said.err
    assert str(locked) in said.err
    assert "try:" in said.err
    if where == "a file":
        assert said.code == 0, said.err
        assert row(out, "m", "psnr@float")["n_failed"] == 1
    elif where == "a frame folder":
        assert said.code in (0, 2), said.err
    else:
        assert said.code == 2, said.err


# ---------------------------------------------------------------------------------------------------------- networks and weights


def _extractor(poison: float | None = None, weights: str | None = None) -> Extractor:
    """The mean colour of a frame as its features; NaN where the mean is below `poison` grey levels."""

    def build(state: object, device: str) -> Callable[[np.ndarray], np.ndarray]:
        def forward(batch: np.ndarray) -> np.ndarray:
            rows = batch.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
            return np.where(rows.mean(axis=1, keepdims=True) < poison, np.float32(np.nan), rows) if poison is not None else rows

        return forward

    return Extractor(
        id="test-colour", version=1, summary="mean colour", source="this test", dimension=3, batch=4,
        preprocess=lambda frames: np.asarray(frames), build=build, weights=weights, shapes=lambda: {"w": (3,)},
    )  # fmt: skip


def _metric(distance: Callable[[np.ndarray, np.ndarray], float] | None = None) -> Metric:
    """A paired and a set metric on those features."""
    gap = distance or (lambda x, y: float(np.square(x.mean(axis=0) - y.mean(axis=0)).sum()))
    return Metric(
        name="test-gap", title="gap", higher_is_better=False,
        variants=(
            SetVariant(id="set", summary="distance of means", source="this test", extractor="test-colour", distance=gap),
            FeatureVariant(id="pair", summary="distance of rows", source="this test", extractor="test-colour",
                           score=lambda x, y: np.abs(np.asarray(x, np.float64) - y).sum(axis=1)),
        ),
    )  # fmt: skip


BOTH = ["--metric", "test-gap@set", "--metric", "test-gap@pair", "--metric", "psnr@float"]


def test_nan_features(truth: Path, tmp_path: Path, register: Register, capfd: Capture) -> None:
    """One clip of black frames makes NaN: its feature metrics are unscored for the stated reason, its frame metrics and the other clip stand."""
    register(_extractor(poison=10.0), _metric())
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", np.zeros_like(OURS))
    said = run(capfd, truth, ours, tmp_path / "run", *BOTH)
    assert said.code == 0, said.err
    for name in ("test-gap@set", "test-gap@pair"):
        score = row(tmp_path / "run", "m", name)
        assert (score["n_clips"], score["n_failed"]) == (1, 1)
        assert "incomplete" in score["flags"]
        assert np.isfinite(score["value"])
    assert row(tmp_path / "run", "m", "psnr@float")["n_failed"] == 0
    said = run(capfd, truth, ours, tmp_path / "all", *BOTH, "--require", "all")
    assert said.code == 3
    assert "test-gap@set" in said.err


def test_nan_features_everywhere(truth: Path, tmp_path: Path, register: Register, capfd: Capture) -> None:
    register(_extractor(poison=300.0), _metric())
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    said = run(capfd, truth, ours, tmp_path / "run", *BOTH)
    assert said.code == 3
    for name in ("test-gap@set", "test-gap@pair"):
        score = row(tmp_path / "run", "m", name)
        assert (score["value"], score["reason"], score["n_clips"], score["n_failed"]) == (None, "nan-features", 0, 2)
    assert row(tmp_path / "run", "m", "psnr@float")["value"] is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_distance_that_is_no_number(value: float, truth: Path, tmp_path: Path, register: Register, capfd: Capture) -> None:
    """No NaN and no infinity reaches the record, whatever a plugin returns: it is unscored, and so exit 3 where it was asked for."""
    register(_extractor(), _metric(lambda x, y: value))
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    said = run(capfd, truth, ours, tmp_path / "run", "--metric", "test-gap@set")
    assert "Traceback" not in said.err, said.err
    assert said.code == 3
    score = row(tmp_path / "run", "m", "test-gap@set")
    assert score["value"] is None
    assert score["reason"]


def _pickle(path: Path, thing: object) -> None:
    import torch

    torch.save(thing, path)


def _half(path: Path) -> None:
    import torch

    torch.save({"w": torch.zeros(30000)}, path)
    path.write_bytes(path.read_bytes()[:5000])


def _tensor(path: Path) -> None:
    import torch

    _pickle(path, torch.zeros(3))


def _wrong_keys(path: Path) -> None:
    import torch

    _pickle(path, {"other": torch.zeros(3)})


WEIGHTS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("404: not found\n"),
    "half-written": _half,
    "a tensor, not a state": _tensor,
    "another network's": _wrong_keys,
    "code": lambda path: _pickle(path, {"w": print}),
}


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_wrong_weights(kind: str, pinned: bool, truth: Path, tmp_path: Path, register: Register, capfd: Capture) -> None:
    """A wrong file is never used and never an internal error: what needs it is unscored with the file and the command that repairs it, the rest is
    scored; and once the right file is there, the same command scores it."""
    import torch

    folder = tmp_path / "weights"
    folder.mkdir()
    good = folder / "net.pth"
    torch.save({"w": torch.zeros(3)}, good)
    import hashlib

    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    right = good.read_bytes()
    WEIGHTS[kind](good)
    register(
        _extractor(weights="test-net"),
        _metric(),
        WeightsEntry(name="test-net", file="net.pth", format="torch", licence="none", sha256=digest if pinned else None),
    )
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    words = ["--protocol", "strict-1", "--metric", "test-gap@set", "--weights", str(folder)]
    said = run(capfd, truth, ours, tmp_path / "run", *words)
    assert said.code == 3, said.err
    score = row(tmp_path / "run", "m", "test-gap@set")
    assert (score["value"], score["reason"]) == (None, "weights-unusable")
    assert str(good) in score["detail"]
    assert "try:" in score["detail"]
    assert row(tmp_path / "run", "m", "psnr@float")["value"] is not None
    good.write_bytes(right)
    said = run(capfd, truth, ours, tmp_path / "run", *words)
    assert said.code == 0, said.err
    assert row(tmp_path / "run", "m", "test-gap@set")["weights"] == ("real" if pinned else "first-use")


def test_missing_weights(truth: Path, tmp_path: Path, register: Register, capfd: Capture) -> None:
    """No file at all: the command that fetches it stands in the row."""
    register(
        _extractor(weights="test-net"),
        _metric(),
        WeightsEntry(name="test-net", file="net.pth", format="torch", licence="none", sha256="0" * 64),
    )
    said = run(capfd, truth, beside(tmp_path / "ours"), tmp_path / "run", "--metric", "test-gap@set", "--metric", "psnr@float")
    assert said.code == 3
    score = row(tmp_path / "run", "m", "test-gap@set")
    assert (score["reason"], score["detail"]) == ("weights-missing", "hvbench weights pull test-net")
    assert "hvbench weights pull test-net" in said.err


# ------------------------------------------------------------------------------------------------------------- foreign packages


def _intrude(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise RuntimeError('a foreign package was imported')\n")


@pytest.mark.parametrize("name", ["adapters", "reports", "suites"])
def test_foreign_sibling_in_the_current_folder(name: str, tmp_path: Path) -> None:
    """`python -m` puts the current folder first: a foreign sibling is named, never used."""
    _intrude(tmp_path, name)
    said = hvbench("ls", "suites", cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert str(tmp_path / name) in said.err
    assert "hvbench" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_foreign_packages_beside_the_console_script(workers: str, truth: Path, tmp_path: Path) -> None:
    """The console script does not look into the current folder; nor do its workers."""
    here = tmp_path / "here"
    _intrude(here, "benchmark", "adapters", "suites", "reports", "av")
    script = tmp_path / "bin" / "hvbench"
    script.parent.mkdir()
    script.write_text("import sys\nfrom benchmark.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n")
    ours = beside(tmp_path / "ours")
    done = subprocess.run(
        [sys.executable, script, "run", "--suite", "tiktok", "--truth", truth, "--outputs", f"m={ours}", "--workers", workers, "--out", "run"],
        cwd=here, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert row(here / "run", "m", "psnr@float")["n_clips"] == 1


# -------------------------------------------------------------------------------------------------------------------- full disk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_while_journalling(number: int, truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """The write of the second journal line fails: exit 2 with the command that goes on; with space again it goes on to the same result."""
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if path.endswith(JOURNAL):
            calls.append(path)
            if len(calls) == 2:
                raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "run"
    said = run(capfd, truth, ours, out)
    assert (said.code, said.out) == (2, "")
    told_full(said, out)
    assert not (out / "scores.json").exists()
    monkeypatch.undo()
    assert call(capfd, "resume", out).code == 0
    assert row(out, "m", "psnr@float")["n_clips"] == 2


def told_full(said: Said, out: Path) -> None:
    assert "Traceback" not in said.err, said.err
    assert "the disk is full" in said.err
    assert f"hvbench resume {out}" in said.err


@pytest.mark.parametrize("step", ["compact", "header"])
def test_full_disk_at_the_end(step: str, truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """The same while values are put together and while the header is closed."""
    real = getattr(Writer, step)

    def full(self: Writer, *arguments: object) -> None:
        if step == "compact" or "success" in str(arguments):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, step, full)
        said = run(capfd, truth, beside(tmp_path / "ours"), tmp_path / "run")
    assert said.code == 2
    told_full(said, tmp_path / "run")
    assert run(capfd, truth, tmp_path / "ours", tmp_path / "run").code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB; a skip where none can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    tool = shutil.which("mount")
    command = [str(tool), "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if not tool or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("what", ["run", "clips", "features"])
def test_truly_full_disk(what: str, truth: Path, tmp_path: Path, small_disk: Path) -> None:
    """A real file system without space: under the run, under the clips an adapter makes, under the features' cache. Exit 2, no crash, and the same
    command ends well when there is space."""
    ours = beside(tmp_path / "ours")
    write(ours / f"{BAD}.mkv", OURS)
    ballast = small_disk / "ballast"
    room = {"run": 24, "clips": 80, "features": 500}[what] * 1024
    ballast.write_bytes(b"x" * ((4 << 20) - room))
    cache = small_disk / "cache" if what == "features" else tmp_path / "cache"
    out = tmp_path / "run" if what == "features" else small_disk / "run"
    words: list[object] = ["run", "--suite", "tiktok", "--truth", truth, "--outputs", f"m={ours}", "--out", out]
    env = environment(BENCHMARK_CACHE=str(cache))
    if what == "clips":
        words += ["--adapter", "reencode", "--adapter", "still", "--reference-frame", "*=0"]
    if what == "features":
        words += ["--protocol", "strict-1", "--metric", "test-wide@set"]
        _wide_plugin(tmp_path / "plugin")
        env["PYTHONPATH"] += os.pathsep + str(tmp_path / "plugin")
    said = hvbench(*words, cwd=tmp_path, env=env)
    assert said.code == 2, (said.code, said.err)
    assert "Traceback" not in said.err
    assert "full" in said.err or "No space left" in said.err
    ballast.unlink()
    said = hvbench(*words, cwd=tmp_path, env=env)
    assert said.code == 0, said.err
    assert row(out, "m", "psnr@float")["n_failed"] == 0
    if what == "clips":
        assert {row(out, name, "psnr@float")["n_failed"] for name in ("still", "reencode")} == {0}


def _wide_plugin(folder: Path) -> None:
    """A distribution of one module: features of 4,096 numbers a frame, so that one clip's fill 390 KiB."""
    facts = folder / "wide_plugin-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: wide-plugin\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[human_video_benchmark]\nwide = wide_plugin:ALL\n")
    (folder / "wide_plugin.py").write_text(
        "import numpy as np\n"
        "from benchmark.model import Extractor, Metric, SetVariant\n"
        "ALL = (\n"
        "    Extractor(id='test-wide', version=1, summary='pixels', source='this test', dimension=4096, batch=4,\n"
        "              preprocess=lambda frames: np.asarray(frames, np.float32)[..., 0],\n"
        "              build=lambda state, device: lambda batch: batch.reshape(len(batch), -1)),\n"
        "    Metric(name='test-wide', title='wide', higher_is_better=False, variants=(SetVariant(id='set', summary='means', source='this test',\n"
        "           extractor='test-wide', distance=lambda x, y: float(np.abs(x.mean(axis=0) - y.mean(axis=0)).sum())),)),\n"
        ")\n"
    )


def test_gif_keeps_its_delays(tmp_path: Path, capfd: Capture) -> None:
    """A gif of even delays has their rate (40 ms: 25 fps, as the truth); of uneven ones it is matched in time, to the right frames."""
    write(tmp_path / "truth" / "one.mkv", TRUTH, RATE)
    (tmp_path / "ours").mkdir()
    grey = np.repeat(OURS[..., :1], 3, axis=-1)
    clips.write_gif(tmp_path / "ours" / "one.gif", grey, [40] * COUNT)
    said = run(capfd, tmp_path / "truth", tmp_path / "ours", tmp_path / "run")
    assert said.code == 0, said.err
    assert row(tmp_path / "run", "m", "psnr@float")["n_failed"] == 0, said.err
