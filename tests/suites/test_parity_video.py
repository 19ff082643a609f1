"""FVD and FID-VID against frozen numbers of the original codes (tests/fixtures/, with commits and versions): resize, frames of an input, network,
distance, in this order.

Inputs and weights follow from formulas (tests/formula.py), so nothing is downloaded. What runs here is the product's own: the extractors of the
catalogue, their networks and the pass's Node. Features are computed once a session. Tolerances are those stated in the fixture files.

DisCo's rules on file names, holes in a numbering and broken files are not reproduced: here a case pairs its clips, a hole is an error of the clip, and
a clip that cannot be read is unscored; a file is never replaced by another one at random.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from benchmark.features import Node, rows_of, windows
from benchmark.loading import forward
from benchmark.model import Extractor, Metric, SetVariant
from benchmark.registry import registry
from benchmark.resize import bicubic_unclipped
from suites.metrics import fid_vid, fvd
from suites.networks import _i3d, _resnet3d, _video, resnet3d
from tests.deviations import Recorder
from tests.formula import frames

pytestmark = pytest.mark.parity

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
Floats = NDArray[np.floating[Any]]
DISCO_HEAD, CDFVD_HEAD, COMMON_HEAD = "DisCo c4fa48a", "cd-fvd a1e037a", "common_metrics 5f75173"
FEATURES = {"tolerance": 2e-5, "unit": "of the largest"}
DISTANCE = {"tolerance": 1e-4, "unit": "relative"}
ROUNDING = 1e-12
"""What identical sets may leave, as a share of the features' sum of squares."""
PREPROCESS = {"tolerance": 1e-6, "unit": "on [-1, 1]"}


def fixture(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


RESIZE, WINDOWS, NETWORKS, SCORES = (fixture(f"disco_{name}") for name in ("resize", "windows", "networks", "fvd"))
CDFVD, COMMON = fixture("cdfvd"), fixture("common_metrics")


def extractor(id: str) -> Extractor:
    return registry().extractors[id].item


def through(used: Extractor, clip: NDArray[np.uint8], network: Any) -> NDArray[np.float32]:
    """The rows of a clip that comes in portions of 7 frames."""
    rows: list[NDArray[np.float32]] = []
    node = Node(used, network, [rows.append])
    for start in range(0, len(clip), 7):
        node.push(clip[start : start + 7])
    node.finish()
    found = np.concatenate(rows)
    assert len(found) == rows_of(used, len(clip))
    return found


@cache
def features(id: str, name: str, n: int, h: int, w: int, scene: int, first: int | None = None) -> NDArray[np.float32]:
    """The rows of the first frames of a formula clip under formula weights."""
    return through(extractor(id), frames(name, n, h, w, scene)[:first], forward(id, "seeded", None, "cpu"))


def pooled(id: str, name: str, n: int, h: int, w: int, scenes: Iterable[int], first: int | None = None) -> NDArray[np.float32]:
    return np.concatenate([features(id, name, n, h, w, scene, first) for scene in scenes])


def distance(metric: Metric, id: str, generated: Floats, truth: Floats) -> float:
    return cast(SetVariant, metric.variant(id)).distance(generated, truth)


def off(ours: Floats, frozen: dict[str, Any] | ArrayLike) -> float:
    """Largest deviation from an array frozen in full, or from its first values, mean and root mean square."""
    if not isinstance(frozen, dict):
        wanted = np.asarray(frozen, np.float64)
        assert ours.shape == wanted.shape
        return float(np.abs(ours - wanted).max())
    flat = ours.ravel().astype(np.float64)
    assert flat.size == np.prod(frozen["shape"])
    parts = [abs(flat.sum() - frozen["sum"]) / flat.size, abs(np.linalg.norm(flat) - frozen["l2"]) / np.sqrt(flat.size)]
    for key in ("values", "first16"):
        if key in frozen:
            parts.append(np.abs(flat[: len(frozen[key])] - frozen[key]).max())
    return float(max(parts))


def of_largest(ours: Floats, frozen: dict[str, Any] | ArrayLike) -> float:
    return off(ours, frozen) / float(np.abs(ours).max())


def channels_first(inputs: Floats) -> Floats:
    """(time, h, w, 3) -> (3, time, h, w), the order of the originals."""
    return inputs.transpose(3, 0, 1, 2)


def formula_clip(call: str) -> NDArray[np.uint8]:
    """The clip of a call written as `frames('truth', 2, 48, 64, 1)`."""
    name, *sizes = call.removeprefix("frames(").removesuffix(")").split(",")
    return frames(name.strip("' "), *(int(size) for size in sizes))


# ------------------------------------------------------------------------------------------------------------------ resize


@pytest.mark.parametrize("case", RESIZE["outputs"])
def test_disco_resize(case: str, record_deviation: Recorder) -> None:
    """Pillow's bicubic in float, squashed, with its overshoot: probes, sums, extremes, and how many values lie outside 0..255."""
    source, size = case.split(" -> ")
    side = int(size.split("x")[0])
    if source.startswith("zeros"):
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[::2] = 255
    else:
        call, _, index = source.rpartition("[")
        picture = formula_clip(call)[int(index.removesuffix("]"))]
    (ours,) = bicubic_unclipped(picture[None], side, side)
    expected = RESIZE["outputs"][case]
    probes = [
        off(ours, expected),
        ours.min() - expected["min"],
        ours.max() - expected["max"],
        *(ours[side // 2, side // 2] - expected["centre"]),
        *(ours[-1, -1] - expected["last"]),
        *(ours[side // 2, :8, 0] - expected["row_mid_first8"]),
    ]
    record_deviation("bicubic, not clipped, to 112 and 224", DISCO_HEAD, probes, tolerance=1e-4, unit="grey levels")
    assert ((ours < 0).sum(), (ours > 255).sum()) == (expected["below_0"], expected["above_255"])


# -------------------------------------------------------------------------------------------------------- frames of an input


def inputs_of(id: str, n: int, **changed: Any) -> list[list[int]]:
    """The frame numbers of every network input the pass forms of n frames."""
    seen: list[list[int]] = []

    def network(batch: NDArray[Any], /) -> NDArray[np.float32]:
        seen.extend(batch.astype(int).tolist())
        return np.zeros((len(batch), 1), np.float32)

    used = replace(extractor(id), preprocess=lambda numbered: numbered[:, 0, 0, 0].astype(np.float32), **changed)
    assert used.batch == 1
    node = Node(used, network, [lambda rows: None])
    for number in range(n):
        node.push(np.full((1, 2, 2, 3), number, np.uint8))
    node.finish()
    assert len(seen) == windows(used, n)
    return seen


@pytest.mark.parametrize("id", ["i3d-disco-windows", "resnet3d-disco-windows"])
def test_disco_windows_of_frames(id: str) -> None:
    """Every frame with 15 successors starts a clip; fewer than 16 frames give none. A hole in the numbering, which DisCo skips, is an error here."""
    path = WINDOWS["frames_path"]
    assert inputs_of(id, 20) == list(path["folder_of_20"].values())
    assert inputs_of(id, 15) == list(path["folder_of_15"].values()) == []
    shorter = inputs_of(id, 20, window=8)
    assert [[window[0], window[-1]] for window in shorter] == list(path["sample_duration_8_folder_of_20"].values())


@pytest.mark.parametrize("case", [case for case in WINDOWS["mp4_path"] if case != "what"])
def test_disco_windows_of_videos(case: str) -> None:
    """FID-VID: consecutive segments, the tail filled with the last frame, one row a clip. FVD: the whole video."""
    n, expected = int(case.split()[0]), WINDOWS["mp4_path"][case]
    assert inputs_of("resnet3d-disco-segments", n) == expected["fid_vid_segments"]
    assert len(expected["fid_vid_segments"]) == expected["fid_vid_tensor"][0]
    assert rows_of(extractor("resnet3d-disco-segments"), n) == 1
    assert inputs_of("i3d-disco-clip", n) == [expected["fvd_frames"]]


@pytest.mark.parametrize("n", [9, 8, 1])
def test_disco_takes_clips_of_any_length(n: int) -> None:
    clip = np.zeros((1, n, 224, 224, 3), np.float32)
    assert forward("i3d-disco-clip", "seeded", None, "cpu")(clip).shape == tuple(WINDOWS["errors"][f"I3D on T={n}"])


# ----------------------------------------------------------------------------------------------------------------- networks


def test_tensor_names_and_shapes() -> None:
    """Those of the published files: I3D's 344 as they are, the ResNet's without `module.` and the classifier."""
    assert _i3d.shapes() == {name: tuple(shape) for name, shape in NETWORKS["i3d_shapes"].items()}
    published = {f"module.{name}": tuple(shape) for name, shape in NETWORKS["resnet_shapes"].items()}
    published |= {"module.fc.weight": (400, 2048), "module.fc.bias": (400,)}
    renamed = resnet3d.rename({name: np.broadcast_to(np.float32(0), shape) for name, shape in published.items()})
    assert {name: tensor.shape for name, tensor in renamed.items()} == _resnet3d.shapes()


@pytest.mark.parametrize(("name", "scene"), [("truth", 0), ("noisy", 1)])
def test_disco_networks(name: str, scene: int, record_deviation: Recorder) -> None:
    """One clip of 16 frames: what goes in, and all features that come out."""
    expected = NETWORKS["outputs"][f"frames('{name}', 16, 64, 64, {scene})"]
    clip = frames(name, 16, 64, 64, scene)
    for used, part, out in (("resnet3d-disco-windows", "resnet", "features"), ("i3d-disco-windows", "i3d", "logits")):
        inputs = channels_first(extractor(used).preprocess(clip))
        record_deviation(f"{used}, input", DISCO_HEAD, of_largest(inputs, expected[part]["input"]), **FEATURES)
        (row,) = features(used, name, 16, 64, 64, scene)
        record_deviation(used, DISCO_HEAD, of_largest(row, expected[part][out]), **FEATURES)


def test_disco_networks_on_a_longer_clip(record_deviation: Recorder) -> None:
    """25 frames: one input of I3D; two segments of the ResNet, and their mean."""
    whole = NETWORKS["outputs"]["I3D on a longer clip, frames('truth', 25, 64, 64, 2) as one clip"]["i3d"]["logits"]
    record_deviation("i3d-disco-clip", DISCO_HEAD, of_largest(features("i3d-disco-clip", "truth", 25, 64, 64, 2)[0], whole), **FEATURES)
    expected = NETWORKS["outputs"]["ResNet on the same 25 frames: 2 segments, mean of their features"]
    segments: list[NDArray[np.float32]] = []
    network = forward("resnet3d-disco-segments", "seeded", None, "cpu")

    def watched(batch: NDArray[Any], /) -> NDArray[np.float32]:
        segments.append(network(batch))
        return segments[-1]

    (mean,) = through(extractor("resnet3d-disco-segments"), frames("truth", 25, 64, 64, 2), watched)
    for (row,), frozen in zip(segments, expected["per_segment"], strict=True):
        record_deviation("resnet3d-disco-segments", DISCO_HEAD, of_largest(row, frozen), **FEATURES)
    record_deviation("resnet3d-disco-segments", DISCO_HEAD, of_largest(mean, expected["mean"]), **FEATURES)


# ------------------------------------------------------------------------------------------------------------ DisCo's scores

DISCO_SCORES = [  # metric, variant, extractor, path and name in the file
    (fvd.SPEC, "disco-frames", "i3d-disco-windows", "frames", "FVD"),
    (fvd.SPEC, "disco-video", "i3d-disco-clip", "mp4", "FVD"),
    (fid_vid.SPEC, "disco-frames", "resnet3d-disco-windows", "frames", "FID-VID"),
    (fid_vid.SPEC, "disco-video", "resnet3d-disco-segments", "mp4", "FID-VID"),
]
clip_of_20 = partial(pooled, n=20, h=64, w=64, scenes=range(3))


def held_to_disco(metric: Metric, variant: str, used: str, path: str, column: str, name: str, record_deviation: Recorder) -> None:
    expected = SCORES["scores"][f"{name} against truth"][path][column]
    generated, truth = clip_of_20(used, name), clip_of_20(used, "truth")
    label = f"{metric.name}@{variant}"
    assert [len(generated), len(truth)] == expected["n_clips"]
    record_deviation(f"{label}, features", DISCO_HEAD, of_largest(generated, expected["features_generated"]), **FEATURES)
    ours = distance(metric, variant, generated, truth)
    if name == "truth":
        assert ours <= ROUNDING * float((truth.astype(np.float64) ** 2).sum())
        return
    record_deviation(f"{label}, distance", f"{DISCO_HEAD}, exact", ours / expected["exact"] - 1, **DISTANCE)
    record_deviation(f"{label}, distance", f"{DISCO_HEAD}, its sqrtm", ours / expected["value_of_the_code"] - 1, **DISTANCE)


@pytest.mark.parametrize(
    ("metric", "variant", "used", "path", "column"), DISCO_SCORES, ids=lambda value: str(getattr(value, "name", value))
)
@pytest.mark.parametrize("name", ["truth", "noisy"])
def test_disco_scores(metric: Metric, variant: str, used: str, path: str, column: str, name: str, record_deviation: Recorder) -> None:
    """60 frames: 15 windows as PNG folder, 3 clips as mp4. Identical sets are 0, where the code's matrix root leaves -2e-5 and -0.3."""
    held_to_disco(metric, variant, used, path, column, name, record_deviation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "variant", "used", "path", "column"), DISCO_SCORES, ids=lambda value: str(getattr(value, "name", value))
)
@pytest.mark.parametrize("name", ["blur", "shifted"])
def test_disco_scores_of_more_methods(
    metric: Metric, variant: str, used: str, path: str, column: str, name: str, record_deviation: Recorder
) -> None:
    held_to_disco(metric, variant, used, path, column, name, record_deviation)


@pytest.mark.parametrize("name", ["truth", "noisy"])
def test_disco_logits_in_full(name: str, record_deviation: Recorder) -> None:
    frozen = SCORES["i3d_logits_in_full"][name]
    record_deviation("i3d-disco-windows, 15 windows", DISCO_HEAD, of_largest(clip_of_20("i3d-disco-windows", name), frozen), **FEATURES)


# ------------------------------------------------------------------------------------------------------------------- cd-fvd

clips_of_cdfvd = partial(pooled, "i3d-cdfvd", n=16, h=48, w=80, scenes=range(6))


def test_cdfvd_preprocess(record_deviation: Recorder) -> None:
    expected = CDFVD["preprocess_i3d"]
    ours = channels_first(_video.cdfvd_i3d(frames("truth", 16, 48, 80, 0)))
    probes = [off(ours, expected), ours.min() - expected["min"], ours.max() - expected["max"]]
    probes.append(off(ours[:, 0, 0, :4], expected["probe [0,:,0,0,:4]"]))
    probes.append(off(ours[:, 15, 112, 110:114], expected["probe [0,:,15,112,110:114]"]))
    record_deviation("i3d-cdfvd, input", CDFVD_HEAD, probes, **PREPROCESS)


def held_to_cdfvd(name: str, record_deviation: Recorder) -> None:
    expected = CDFVD["fvd"][f"{name} against truth"]
    generated, truth = clips_of_cdfvd(name), clips_of_cdfvd("truth")
    record_deviation("i3d-cdfvd", CDFVD_HEAD, of_largest(generated, expected["features"]), **FEATURES)
    centred = generated.astype(np.float64) - generated.mean(axis=0, dtype=np.float64)
    record_deviation("fvd@cdfvd, mean", CDFVD_HEAD, of_largest(generated.mean(axis=0, dtype=np.float64), expected["mean"]), **FEATURES)
    trace = (centred**2).sum() / len(centred)
    record_deviation("fvd@cdfvd, trace of the covariance", CDFVD_HEAD, trace / expected["covariance_trace"] - 1, **DISTANCE)
    ours = distance(fvd.SPEC, "cdfvd", generated, truth)
    if name == "truth":
        assert ours <= ROUNDING * float((truth.astype(np.float64) ** 2).sum())
        return
    record_deviation("fvd@cdfvd, distance", f"{CDFVD_HEAD}, exact", ours / expected["exact_with_covariance_over_N"] - 1, **DISTANCE)
    record_deviation("fvd@cdfvd, distance", f"{CDFVD_HEAD}, its sqrtm", ours / expected["value_of_the_code"] - 1, **DISTANCE)
    over_n_minus_1 = distance(fvd.SPEC, "i3d16", generated, truth)
    frozen = expected["exact_with_covariance_over_N_minus_1"]
    record_deviation("covariance / (N - 1) on cd-fvd's features", f"{CDFVD_HEAD}, exact", over_n_minus_1 / frozen - 1, **DISTANCE)


@pytest.mark.parametrize("name", ["truth", "noisy"])
def test_cdfvd(name: str, record_deviation: Recorder) -> None:
    held_to_cdfvd(name, record_deviation)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blur", "shifted"])
def test_cdfvd_of_more_methods(name: str, record_deviation: Recorder) -> None:
    held_to_cdfvd(name, record_deviation)


def test_cdfvd_looping(record_deviation: Recorder) -> None:
    """n_fake = 14 draws six clips 6 + 6 + 2 times. No variant does that: the rows are repeated here to show what the number is made of."""
    generated, truth = clips_of_cdfvd("noisy"), clips_of_cdfvd("truth")
    looped = np.concatenate([generated, generated, generated[:2]])
    assert len(looped) == CDFVD["looping"]["num_items"]
    ours = distance(fvd.SPEC, "cdfvd", looped, truth)
    record_deviation("fvd@cdfvd of rows repeated to 14", f"{CDFVD_HEAD}, n_fake=14", ours / CDFVD["looping"]["value"] - 1, **DISTANCE)
    assert ours != pytest.approx(distance(fvd.SPEC, "cdfvd", generated, truth), rel=0.01)


# ----------------------------------------------------------------------------------------------------------- common_metrics


@pytest.mark.parametrize("back_end", ["videogpt preprocess (via uint8)", "styleganv preprocess_single (float)"])
@pytest.mark.parametrize("call", COMMON["preprocess"])
def test_common_preprocess(call: str, back_end: str, record_deviation: Recorder) -> None:
    """Both back ends give the same for whole levels, which is what formula clips hold."""
    expected = COMMON["preprocess"][call][back_end]
    ours = channels_first(_video.common_i3d(formula_clip(call)))
    probes = [
        off(ours, expected),
        off(ours[:, -1, -1, -1], expected["probe_last_pixel"]),
        off(ours[:, 0, 112, 112], expected["probe_centre"]),
    ]
    record_deviation("i3d-common-clip, input", f"{COMMON_HEAD}, {back_end}", probes, **PREPROCESS)


def test_common_truncation(record_deviation: Recorder) -> None:
    """A constant 0.999 becomes level 254; whole levels lose nothing."""
    (ours,) = np.unique(_video.common_i3d(np.full((1, 224, 224, 3), 0.999 * 255, np.float32)))
    record_deviation("i3d-common-clip, cut-off level", COMMON_HEAD, ours - COMMON["truncation"]["value_after_preprocess"], **PREPROCESS)
    levels = np.arange(256, dtype=np.float32).repeat(3 * 224).reshape(1, 256, 224, 3)
    lost = (_video.common_i3d(levels) != _video.common_i3d(levels.astype(np.uint8))).any(axis=(0, 2, 3)).sum()
    assert lost == COMMON["truncation"]["uint8_levels_lost_when_x_is_k_over_255_float32"]


def test_common_short_clips() -> None:
    """T = 9 is refused though its network could take it, T = 8 is more than it can take."""
    clips = {n: np.zeros((1, n, 224, 224, 3), np.float32) for n in (8, 9)}
    network = forward("i3d-common-clip", "seeded", None, "cpu")
    assert network(clips[9]).shape == tuple(COMMON["short_clips"]["I3D alone on T=9"])
    with pytest.raises(RuntimeError, match="smaller than kernel size"):
        network(clips[8])
    assert [windows(extractor("i3d-common-clip"), n) for n in (8, 9, 10, 11)] == [0, 0, 1, 1]


def held_to_common(case: str, name: str, scenes: int, lengths: Iterable[int], record_deviation: Recorder) -> None:
    expected = COMMON["fvd_videogpt"][case]
    assert list(lengths) == expected["prefix_lengths"]
    for first, value, exact in zip(lengths, expected["value"], expected["exact"], strict=True):
        generated, truth = (pooled("i3d-common-clip", side, 12, 48, 64, range(scenes), first) for side in (name, "truth"))
        if first == 10:
            record_deviation("i3d-common-clip", COMMON_HEAD, of_largest(generated, expected["features_of_first_prefix"]), **FEATURES)
        if scenes == 1:
            ours = float(((generated.astype(np.float64) - truth) ** 2).sum())
            what = "squared distance of two clips"
        else:
            ours = distance(fvd.SPEC, "common-videogpt", generated, truth)
            what = "fvd@common-videogpt, distance"
        record_deviation(what, f"{COMMON_HEAD}, exact", ours / exact - 1, **DISTANCE)
        record_deviation(what, f"{COMMON_HEAD}, its float32 SVD", ours / value - 1, tolerance=1e-3, unit="relative")


@pytest.mark.slow
def test_common_fvd(record_deviation: Recorder) -> None:
    """The value of every prefix of 10, 11, 12 frames."""
    held_to_common("noisy, 4 videos", "noisy", 4, [10, 11, 12], record_deviation)


def test_common_fvd_of_one_clip(record_deviation: Recorder) -> None:
    """With one clip the code returns the mean's term alone. The variant leaves that unscored; its features give the same term."""
    held_to_common("noisy, 1 video", "noisy", 1, [10, 11], record_deviation)


@pytest.mark.slow
def test_common_fvd_of_another_method(record_deviation: Recorder) -> None:
    held_to_common("blur, 4 videos", "blur", 4, [10, 11, 12], record_deviation)


def test_common_fvd_of_whole_clips(record_deviation: Recorder) -> None:
    """Four clips of 16 frames, only_final."""
    expected = COMMON["fvd_videogpt"]["noisy, 4 videos of 16 frames, only_final"]
    generated, truth = (pooled("i3d-common-clip", side, 16, 48, 64, range(4)) for side in ("noisy", "truth"))
    record_deviation("i3d-common-clip", COMMON_HEAD, of_largest(generated, expected["features"]), **FEATURES)
    ours = distance(fvd.SPEC, "common-videogpt", generated, truth)
    record_deviation("fvd@common-videogpt, distance", f"{COMMON_HEAD}, exact", ours / expected["exact"] - 1, **DISTANCE)
    record_deviation(
        "fvd@common-videogpt, distance", f"{COMMON_HEAD}, its float32 SVD", ours / expected["value"] - 1, tolerance=1e-3, unit="relative"
    )
