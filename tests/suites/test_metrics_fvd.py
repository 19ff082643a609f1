"""FVD, FID-VID and KVD: known answers, lengths around a window, and whole runs under formula weights.

Expected numbers: closed forms; windows counted by hand; and, for runs, the extractor's rows and the distance computed directly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import statistics, weights
from benchmark.api import run
from benchmark.errors import InputError, Unscored
from benchmark.features import Node, rows_of, windows
from benchmark.loading import forward
from benchmark.media import decode, probe, write_png
from benchmark.model import Extractor, SetVariant
from benchmark.record import Record
from benchmark.registry import WeightsEntry, registry
from suites.metrics import fid_vid, fvd, kvd
from suites.networks import _video, i3d
from tests.make import Study, movie, study, write

Register = Callable[..., None]
Floats = NDArray[np.float32]
FROM_TENSORS = ("i3d-disco-windows", "i3d-disco-clip", "i3d-common-clip", "i3d-cdfvd", "i3d-16")
RESNETS = ("resnet3d-disco-windows", "resnet3d-disco-segments", "resnet3d-16")
VARIANTS = {f"{metric.name}@{v.id}": cast(SetVariant, v) for metric in (fvd.SPEC, fid_vid.SPEC, kvd.SPEC) for v in metric.variants}


def extractor(id: str) -> Extractor:
    return registry().extractors[id].item


# ----------------------------------------------------------------------------------------------------------- known answers


def column(*values: float) -> Floats:
    return np.array(values, np.float32)[:, None]


def test_covariance_over_n_or_n_minus_1() -> None:
    """One dimension: (m1 - m2)^2 + (s1 - s2)^2. 0, 2 against 0, 4: means 1, 2; s over N 1, 2; over N - 1 times sqrt 2."""
    for name, expected in {
        "fvd@disco-frames": 3, "fvd@disco-video": 3, "fvd@common-videogpt": 3, "fvd@i3d16": 3, "fvd@cdfvd": 2, "fvd@styleganv-16f": 2,
        "fid-vid@disco-frames": 3, "fid-vid@disco-video": 3, "fid-vid@res16": 3,
    }.items():  # fmt: skip
        assert VARIANTS[name].distance(column(0, 2), column(0, 4)) == pytest.approx(expected, rel=1e-12), name


def test_kvd_by_hand() -> None:
    """k(x, y) = (xy + 1)^3. 0, 1 against 0, 2: within 1 and 1, across (1 + 1 + 1 + 27) / 4; 1 + 1 - 2 * 7.5 = -13."""
    assert VARIANTS["kvd@i3d16"].distance(column(0, 1), column(0, 2)) == pytest.approx(-13, rel=1e-12)


@pytest.mark.parametrize("name", VARIANTS)
def test_identical_sets_are_0(name: str) -> None:
    """The Frechet distance; the unbiased kernel distance of a set and itself is not positive."""
    rows = np.random.default_rng(0).normal(size=(9, 400)).astype(np.float32)
    value = VARIANTS[name].distance(rows, rows.copy())
    assert value <= 0 if name == "kvd@i3d16" else 0 <= value < 1e-9


@pytest.mark.parametrize("name", VARIANTS)
def test_one_input_has_no_covariance(name: str) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 400)).astype(np.float32)
    for ours, theirs in ((rows[:1], rows), (rows, rows[:1]), (rows[:1], rows[:1])):
        with pytest.raises(Unscored) as reason:
            VARIANTS[name].distance(ours, theirs)
        assert reason.value.reason == "too-few"
    assert np.isfinite(VARIANTS[name].distance(rows[:2], rows[2:]))


def test_zeros_against_ones() -> None:
    """Two black clips against two white ones: no covariance, so the distance is that of the two points."""
    network = forward("i3d-16", "seeded", None, "cpu")
    sides = [network(extractor("i3d-16").preprocess(np.full((16, 8, 8, 3), level, np.uint8))[None]) for level in (0, 255)]
    black, white = (side.repeat(2, axis=0) for side in sides)
    expected = float(((sides[0].astype(np.float64) - sides[1]) ** 2).sum())
    assert expected > 1
    for name in ("fvd@i3d16", "fvd@cdfvd"):
        assert VARIANTS[name].distance(black, white) == pytest.approx(expected, rel=1e-9)


# ----------------------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("id", "rows"),
    [  # rows of clips of 9, 15, 16, 17, 32, 33 frames
        ("i3d-16", (0, 0, 1, 1, 2, 2)),
        ("i3d-cdfvd", (0, 0, 1, 1, 2, 2)),
        ("i3d-disco-windows", (0, 0, 1, 2, 17, 18)),
        ("i3d-disco-clip", (1, 1, 1, 1, 1, 1)),
        ("i3d-common-clip", (0, 1, 1, 1, 1, 1)),
        ("i3d-styleganv", (0, 0, 1, 1, 1, 1)),
        ("resnet3d-16", (0, 0, 1, 1, 2, 2)),
        ("resnet3d-disco-windows", (0, 0, 1, 2, 17, 18)),
        ("resnet3d-disco-segments", (1, 1, 1, 1, 1, 1)),
    ],
)
def test_rows_around_a_window(id: str, rows: tuple[int, ...]) -> None:
    def network(batch: NDArray[Any], /) -> Floats:
        return batch.reshape(len(batch), -1)[:, :1].astype(np.float32)

    used = replace(extractor(id), preprocess=lambda frames: frames[:, 0, 0, 0].astype(np.float32))
    for n, expected in zip((9, 15, 16, 17, 32, 33), rows, strict=True):
        found: list[Floats] = []
        if windows(used, n):
            node = Node(used, network, [found.append])
            node.push(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 2, 2, 3)))
            node.finish()
        assert sum(map(len, found)) == expected == rows_of(used, n), n


# -------------------------------------------------------------------------------------------------------------- preprocess

PREPROCESSES = sorted({extractor(id).preprocess for id in (*FROM_TENSORS, *RESNETS)}, key=lambda function: function.__name__)


@pytest.mark.parametrize("function", PREPROCESSES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("shape", [(41, 57), (57, 41), (300, 260)])
def test_frames_are_prepared_one_by_one(function: Callable[[Any], Floats], shape: tuple[int, int]) -> None:
    """To the bit the same alone and in company, as uint8 and as float32 of whole levels; finite, float32, square."""
    frames = np.random.default_rng(1).integers(0, 256, (3, *shape, 3)).astype(np.uint8)
    together = function(frames)
    side = 112 if "resnet" in function.__name__ else 224
    assert together.shape == (3, side, side, 3)
    assert together.dtype == np.float32
    assert np.array_equal(together, np.concatenate([function(frames[i : i + 1]) for i in range(3)]))
    assert np.array_equal(together, function(frames.astype(np.float32)))


@pytest.mark.parametrize("function", PREPROCESSES, ids=lambda function: function.__name__)
@pytest.mark.parametrize(("level", "signed"), [(0, -1), (255, 1), (51, -0.6)])
def test_constant_pictures(function: Callable[[Any], Floats], level: int, signed: float) -> None:
    """51 is 0.2 of 255, so -0.6; the ResNet takes levels less the mean colour."""
    expected = level - np.array([114.7748, 107.7354, 99.4750]) if "resnet" in function.__name__ else np.full(3, signed)
    found = function(np.full((1, 30, 20, 3), level, np.uint8))
    assert np.abs(found - expected).max() < (1e-4 if "resnet" in function.__name__ else 1e-6)


def test_only_discos_resize_overshoots() -> None:
    """Rows of 0 and 255 in turn, enlarged."""
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    for function in (_video.disco_i3d, _video.clean_i3d, _video.cdfvd_i3d, _video.common_i3d):
        outside = np.abs(function(stripes)).max() - 1
        assert (outside > 0.1) == (function is _video.disco_i3d)
        assert function is _video.disco_i3d or outside <= 0


def test_common_metrics_crops_the_ends_of_the_longer_side() -> None:
    """224 x 400: columns 88 to 311 are seen. At that size nothing is interpolated: 2 (x / 255 - 0.5) is exact to rounding."""
    frames = np.random.default_rng(2).integers(0, 256, (2, 224, 400, 3)).astype(np.uint8)
    expected = 2 * (frames[:, :, 88:312] / 255 - 0.5)
    assert np.abs(_video.common_i3d(frames) - expected).max() < 1e-6
    assert np.abs(_video.common_i3d(frames.transpose(0, 2, 1, 3)) - expected.transpose(0, 2, 1, 3)).max() < 1e-6


# ------------------------------------------------------------------------------------------------------------- TorchScript


def program(path: Path) -> Path:
    """A file that answers as the published one is called: mean level of the first and last frame, negated where not asked as it must be."""
    import torch

    class Net(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
            ends = torch.stack([x[:, :, 0].mean(dim=[1, 2, 3]), x[:, :, -1].mean(dim=[1, 2, 3])], dim=1)
            return ends if rescale and resize and return_features else -ends

    torch.jit.script(Net()).save(str(path))
    return path


def pinned(path: Path, **changed: Any) -> WeightsEntry:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    facts: dict[str, Any] = {"name": "zz-script", "file": path.name, "format": "torchscript", "licence": "none", "sha256": digest}
    return WeightsEntry(**{**facts, **changed})


def test_a_pinned_program_is_run(register: Register, tmp_path: Path) -> None:
    """Frames 0 to 15 of 20, each of its own level, at their own size."""
    register(pinned(program(tmp_path / "zz-script.pt")))
    used = extractor("i3d-styleganv")
    network = used.build(weights.script_for("zz-script", tmp_path), "cpu")
    found: list[Floats] = []
    node = Node(used, network, [found.append])
    node.push(np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None, None], (20, 6, 4, 3)))
    node.finish()
    assert np.concatenate(found).tolist() == [[0.0, 15.0]]


def test_a_program_nobody_vouches_for_is_not_run(register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    path = program(tmp_path / "zz-script.pt")
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was run"))
    for item in (pinned(path, sha256=None), pinned(path, sha256=64 * "0")):
        with pytest.raises(InputError) as error:
            weights.load_script(item, weights.Located(path, "0", "real"))
        assert error.value.code == "weights-unsafe"
    register(pinned(path, sha256=None))
    with pytest.raises(Unscored) as reason:
        weights.script_for("zz-script", tmp_path)
    assert reason.value.reason == "weights-unusable"


def test_other_states_of_a_program(register: Register, tmp_path: Path) -> None:
    with pytest.raises(Unscored, match="hvbench weights pull i3d-torchscript"):
        weights.script_for("i3d-torchscript", tmp_path)
    broken = tmp_path / "zz-script.pt"
    broken.write_bytes(b"no program")
    for item, code in ((pinned(broken), "weights-broken"), (pinned(broken, format="torch"), "weights-format")):
        with pytest.raises(InputError) as error:
            weights.load_script(item, weights.check(item, broken))
        assert error.value.code == code


# ----------------------------------------------------------------------------------------------------------------- whole runs

CASES, LENGTH = ("one", "two", "three"), 17
SCORED = ("fvd@i3d16", "fvd@disco-frames", "fvd@disco-video", "fid-vid@res16", "kvd@i3d16")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three pairs of 17 frames, 64x64, as video files; the outputs once more as folders of PNG files."""
    made = study(tmp_path_factory.mktemp("study"), ("a",), CASES, n=LENGTH, side=64)
    for case in CASES:
        folder = made.root / "png" / case
        folder.mkdir(parents=True)
        for number, frame in enumerate(decoded(made.root / "a" / f"{case}.mkv")):
            write_png(folder / f"{number:04d}.png", frame)
    return made


def decoded(path: Path) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(path))))


def score(made: Study, out: Path, **more: Any) -> Record:
    facts: dict[str, Any] = {"suite": "tiktok", "truth": made.root / "truth", "outputs": {"a": made.root / "a"}, "weights": "seeded"}
    return run(out=out, **{**facts, **more})


def row(record: Record, name: str, adapter: str = "a") -> dict[str, Any]:
    (found,) = [r for r in record.scores if (r["adapter"], f"{r['metric']}@{r['variant']}") == (adapter, name)]
    return found


@pytest.fixture(scope="module")
def record(clips: Study, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return score(clips, tmp_path_factory.mktemp("run") / "run", metrics=[*SCORED, "fvd@styleganv-16f"])


def by_hand(id: str, folder: Path, length: int) -> Floats:
    """The network's rows of every clip's first frames."""
    network, preprocess = forward(id, "seeded", None, "cpu"), extractor(id).preprocess
    clips = [decoded(folder / f"{case}.mkv") for case in sorted(CASES)]
    return np.concatenate([network(preprocess(clip[:length])[None]) for clip in clips])


def test_a_run_gives_what_the_network_and_the_distance_give(record: Record, clips: Study) -> None:
    """One window a clip: frames 0 to 15. Flags: three rows of 400, three clips, formula weights."""
    ours, theirs = (by_hand("i3d-16", clips.root / side, 16) for side in ("a", "truth"))
    found = row(record, "fvd@i3d16")
    assert found["value"] == pytest.approx(statistics.frechet_distance(ours, theirs), rel=1e-5)
    assert (found["n_clips"], found["n_failed"], found["weights"]) == (3, 0, "seeded-1")
    assert {"rank-deficient", "few clips", "seeded-1"} <= set(found["flags"])
    assert row(record, "kvd@i3d16")["value"] == pytest.approx(statistics.kid(ours, theirs), rel=1e-4)
    ours, theirs = (by_hand("resnet3d-16", clips.root / side, 16) for side in ("a", "truth"))
    assert row(record, "fid-vid@res16")["value"] == pytest.approx(statistics.frechet_distance(ours, theirs), rel=1e-5)


def test_discos_two_rules_give_two_numbers_for_the_same_frames(record: Record, clips: Study) -> None:
    """Two windows of 16 against one input of 17, for the same frames; ours is one number whatever the container (below)."""
    frames, video = (row(record, f"fvd@disco-{name}")["value"] for name in ("frames", "video"))
    assert abs(frames / video - 1) > 0.05
    ours, theirs = (by_hand("i3d-disco-clip", clips.root / side, LENGTH) for side in ("a", "truth"))
    assert video == pytest.approx(statistics.frechet_distance(ours, theirs), rel=1e-5)


def test_png_folders_and_video_files_give_one_number(clips: Study, tmp_path: Path) -> None:
    outputs = {"a": clips.root / "a", "png": clips.root / "png"}
    made = score(clips, tmp_path / "run", outputs=outputs, metrics=["fvd@i3d16"], fps={"png": 25})
    assert row(made, "fvd@i3d16", "png")["value"] == row(made, "fvd@i3d16")["value"] > 0


def test_the_program_is_missing_and_said_to_be(record: Record) -> None:
    found = row(record, "fvd@styleganv-16f")
    assert (found["value"], found["reason"]) == (None, "weights-missing")
    assert "unverified" in found["flags"]


def test_short_clips_are_unscored(tmp_path: Path) -> None:
    """15 frames are no window of 16; no network runs."""
    for side in ("truth", "a"):
        for seed in range(2):
            write(tmp_path / side / f"{seed}.mkv", movie(seed, 15, 32, 32))
    names = ["fvd@i3d16", "fvd@disco-frames", "fid-vid@res16", "kvd@i3d16"]
    made = score(Study(tmp_path, ("a",), ()), tmp_path / "run", metrics=names)
    for found in (row(made, name) for name in names):
        assert (found["value"], found["reason"], found["n_failed"]) == (None, "too-short", 2)


def test_constant_videos(tmp_path: Path) -> None:
    """No spread on either side: the distance is that of the means alone, |a - b|^2, and nought for equal sets; flagged, finite."""
    for side, levels in (("truth", (40, 40, 40)), ("same", (40, 40, 40)), ("other", (200, 200, 200))):
        for seed, level in enumerate(levels):
            write(tmp_path / side / f"{seed}.mkv", np.full((16, 32, 32, 3), level, np.uint8))
    outputs = {name: tmp_path / name for name in ("same", "other")}
    made = score(Study(tmp_path, ("same", "other"), ()), tmp_path / "run", outputs=outputs, metrics=["fvd@i3d16"])
    network, preprocess = forward("i3d-16", "seeded", None, "cpu"), extractor("i3d-16").preprocess
    rows = [network(preprocess(decoded(tmp_path / side / "0.mkv"))[None])[0].astype(np.float64) for side in ("truth", "other")]
    assert row(made, "fvd@i3d16", "same")["value"] == 0
    assert row(made, "fvd@i3d16", "other")["value"] == pytest.approx(np.square(rows[0] - rows[1]).sum(), rel=1e-6)


def test_whole_clips_beyond_max_frames_are_refused(clips: Study, tmp_path: Path) -> None:
    """17 frames where 16 are allowed."""
    names = ["fvd@disco-video", "fvd@common-videogpt"]
    made = score(clips, tmp_path / "run", metrics=names, max_frames=LENGTH - 1)
    for name in names:
        found = row(made, name)
        assert (found["value"], found["reason"], found["n_failed"]) == (None, "too-long", 3)
        assert "17 frames, --max-frames 16" in found["detail"]


def test_one_clip_is_unscored(clips: Study, tmp_path: Path) -> None:
    found = row(score(clips, tmp_path / "run", metrics=["fvd@i3d16"], limit=1), "fvd@i3d16")
    assert (found["value"], found["reason"]) == (None, "too-few")


def test_whole_clip_variants_state_their_memory() -> None:
    for name, variant in VARIANTS.items():
        assert (extractor(variant.extractor).window == 0) == ("MB a frame" in variant.summary), name
    assert i3d.ONCE > 10**9
