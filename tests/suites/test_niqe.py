"""NIQE against frozen numbers of BasicSR 1.4.2 (tests/fixtures/niqe.json), closed forms, and what blur and noise must do to it.

The fixture's score_float32 and official_float32 are BasicSR as it is called, in float32; its other numbers are the same functions fed float64, of which
only the half-size picture is float32 inside. Not held: how, inputs and versions, which are words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import benchmark
from benchmark import weights
from benchmark.errors import InputError, Unscored
from benchmark.model import Metric
from benchmark.registry import WeightsEntry, registry
from benchmark.rows import ClipVariant, Found
from suites.embedded import talking
from suites.networks.niqe import NOTHING, build, preprocess, shapes
from suites.people._niqe import block_features, distance, features, fit, halved, luma, normalised
from tests.deviations import Recorder
from tests.formula import frames
from tests.formula_people import uniform
from tests.frozen import fixture, off
from tests.make import study, write

FROZEN = fixture("niqe")
CASES = tuple(FROZEN["cases"])
BASICSR = "BasicSR 1.4.2"


def model() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and covariance that the fixture's scores rest on."""
    spread = uniform("niqe spread", (36, 36)) - 0.5
    return uniform("niqe mean", (36,)), spread @ spread.T / 36 + 0.1 * np.eye(36)


def generalised(shape: float, left: float, right: float, count: int = 200_000) -> NDArray[np.float64]:
    """Samples of an asymmetric generalised Gaussian by its definition: |x| / scale = G ** (1 / shape), G of Gamma(1 / shape); a side weighs as its scale."""
    dice = np.random.default_rng(7)
    size = dice.gamma(1 / shape, size=count) ** (1 / shape)
    below = dice.random(count) < left / (left + right)
    return np.where(below, -left * size, right * size)


# ------------------------------------------------------------------------------------------------------------------ parity


@pytest.mark.parity
def test_the_fit_and_the_features_of_a_block(record_deviation: Recorder) -> None:
    block = (uniform("aggd", (96, 96)) - 0.37) ** 3
    assert fit(block) == pytest.approx(FROZEN["aggd"]["alpha, left, right"], rel=1e-12)
    off_by = np.array(block_features(block)) / FROZEN["aggd"]["features"] - 1
    record_deviation("niqe, features of a block", f"{BASICSR} in float64", off_by, tolerance=1e-11, unit="relative")


@pytest.mark.parity
def test_the_window() -> None:
    """What `normalised` smooths by, seen in the mean of a single bright pixel: (x - mean) / (deviation + 1) of 1 is (1 - w) / (sqrt(w - w^2) + 1)."""
    dot = np.zeros((15, 15))
    dot[7, 7] = 1
    window = np.array(FROZEN["gaussian_window"])
    expected = (dot[4:11, 4:11] - window) / (np.sqrt(window - window**2) + 1)
    assert normalised(dot)[4:11, 4:11] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_stages(case: str, record_deviation: Recorder) -> None:
    """Luma: one of 63,232 pixels may fall on the other side of a half in float32. Half size: 255 times float32's 6e-8. Features: a shape goes in
    steps of 0.001, and one of 216 numbers that takes the next step moves their mean by 5e-6."""
    frozen = FROZEN["cases"][case]
    picture = luma(frames(*frozen["frames"]))[0]
    assert off(picture, frozen["luma"]) < 2 / picture.size
    record_deviation("niqe, half size", BASICSR, off(halved(picture), frozen["half"]), tolerance=3e-5, unit="grey levels")
    record_deviation("niqe, features", f"{BASICSR} in float64", off(features(picture), frozen["features"]), tolerance=2e-5)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_scores(case: str, record_deviation: Recorder) -> None:
    """Relative 1e-4: steps of the shape and float32 in the original; its own float32 and float64 scores are up to 1.3e-5 apart."""
    frozen = FROZEN["cases"][case]
    score = distance(features(luma(frames(*frozen["frames"]))[0]), *model())
    for key, against in (("score", f"{BASICSR} in float64"), ("score_float32", BASICSR)):
        record_deviation("niqe, score under a model by formula", against, score / frozen[key] - 1, tolerance=1e-4, unit="relative")


@pytest.mark.real_weights
@pytest.mark.parametrize("case", CASES)
def test_scores_with_the_official_model(case: str, weights_folder: Path) -> None:
    """BasicSR's model is the file's to the bit. Its inverse enlarges what float32 loses: relative 2e-3, as the variant's deviation says."""
    state = weights.state_for("niqe-image-params", shapes, "real", weights_folder / "niqe")[0]
    frozen = FROZEN["cases"][case]
    (row,) = build(state, "cpu")(preprocess(frames(*frozen["frames"])))
    assert float(row[0]) == pytest.approx(frozen["official_float32"], rel=2e-3)
    assert "0.2 %" in registry().variant("iqa@niqe")[1].deviation


# ------------------------------------------------------------------------------------------------------------ closed forms


@pytest.mark.parametrize(("shape", "left", "right"), [(2.0, 1.0, 1.0), (1.0, 0.5, 0.5), (0.7, 1.0, 2.0), (3.0, 2.0, 0.7)])
def test_the_fit_finds_a_known_distribution(shape: float, left: float, right: float) -> None:
    """200,000 samples: the moments' own noise is under 2 %. At shape 2 and scale 1 it is the normal distribution of variance 1/2."""
    assert fit(generalised(shape, left, right)) == pytest.approx((shape, left, right), rel=0.04)


def test_a_side_without_samples_has_no_fit() -> None:
    assert np.isnan(fit(np.ones(9))).all()
    assert np.isnan(fit(np.zeros(9))).all()


def test_half_size() -> None:
    """A constant stays; a ramp keeps its slope away from the edge, 2 a pixel about the middle of two; the taps are even and add to 1."""
    assert halved(np.full((20, 12), 7.0)) == pytest.approx(np.full((10, 6), 7.0))
    ramp = np.tile(np.arange(40.0), (20, 1))
    assert halved(ramp)[0, 2:-2] == pytest.approx(np.arange(2, 18) * 2 + 0.5)


def test_distance() -> None:
    """Two blocks at m + d and m - d about the model's own mean are nought away; the mean moved by one along a unit axis of variance v, 1 / sqrt(v / 2)
    with no spread of its own."""
    mean, both = np.zeros(36), np.tile(np.eye(36)[0], (2, 1))
    assert distance(np.stack([both[0], -both[0]]), mean, np.eye(36)) == pytest.approx(0, abs=1e-12)
    assert distance(both, mean, 4 * np.eye(36)) == pytest.approx(1 / np.sqrt(2))
    assert np.isnan(distance(np.full((3, 36), np.nan), mean, np.eye(36)))
    spread = np.random.default_rng(2).normal(size=(5, 36))
    inverse = np.linalg.pinv((model()[1] + np.cov(spread, rowvar=False)) / 2)
    away = model()[0] - spread.mean(axis=0)
    assert distance(spread, *model()) == pytest.approx(np.sqrt(away @ inverse @ away), rel=1e-9)


# ---------------------------------------------------------------------------------------------------------- the row, the run


def test_flat_frames_are_left_out_and_small_ones_refused() -> None:
    mean, covariance = model()
    forward = build({"pop_mu": mean[None], "pop_cov": covariance}, "cpu")
    assert forward(preprocess(np.full((1, 200, 200, 3), 90, np.uint8))).tolist() == [[NOTHING]]
    variant = registry().variant("iqa@niqe")[1]
    assert isinstance(variant, ClipVariant)
    values = np.asarray(variant.score(Found(np.array([[5.0], [NOTHING]], np.float32), None, (200, 200), 25.0)))
    assert values[0] == 5
    assert np.isnan(values[1])
    assert variant.left_out == "no-texture"
    with pytest.raises(Unscored) as error:
        preprocess(np.zeros((1, 191, 400, 3), np.uint8))
    assert error.value.reason == "too-small"
    assert preprocess(np.zeros((1, 192, 192, 3), np.float32)).dtype == np.uint8


@pytest.mark.real_weights
def test_blur_and_noise_raise_it_on_drawn_people(weights_folder: Path) -> None:
    network = build(weights.state_for("niqe-image-params", shapes, "real", weights_folder / "niqe")[0], "cpu")
    _rises(talking.draw(0, replace(talking.SIZE, frames=2, height=384, width=384)).frames[0], network)


@pytest.mark.real_weights
@pytest.mark.footage
@pytest.mark.parametrize("clip", ["talking-real/hdtf_WDA_AOC", "tiktok-showcase/truth/2", "fantasytalking2/15"])
def test_blur_and_noise_raise_it_on_real_frames(clip: str, weights_folder: Path, footage: Path) -> None:
    from benchmark.media import decode, probe

    network = build(weights.state_for("niqe-image-params", shapes, "real", weights_folder / "niqe")[0], "cpu")
    _rises(next(iter(decode(probe(footage / f"{clip}.mp4"))))[0], network)


def _rises(frame: NDArray[np.uint8], network: Callable[[Any], NDArray[np.float32]]) -> None:
    dice = np.random.default_rng(0)
    grain = dice.normal(size=frame.shape)
    blurred = [frame, *(cv2.GaussianBlur(frame, (0, 0), sigma) for sigma in (1, 2))]
    noisy = [frame, *(np.clip(np.rint(frame + sigma * grain), 0, 255).astype(np.uint8) for sigma in (10, 25))]
    for series in (blurred, noisy):
        scores = [float(network(preprocess(each[None]))[0, 0]) for each in series]
        assert scores == sorted(scores), scores
        assert scores[0] < scores[-1]


@pytest.mark.real_weights
def test_a_run(weights_folder: Path, tmp_path: Path) -> None:
    """The whole way: one number a clip, lower is better though iqa's other way is up; small clips say so."""
    for name, side in (("large", 208), ("small", 96)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.mkv", frames("noisy", 20, side, side, 1))
        (row,) = benchmark.run(
            suite="tiktok",
            truth=tmp_path / name,
            outputs={"m": tmp_path / name},
            metrics=["iqa@niqe"],
            weights_folder=weights_folder / "niqe",
            out=tmp_path / f"run-{name}",
        ).scores
        assert row["higher_is_better"] is False
        if name == "large":
            assert (row["weights"], row["n_frames"], row["reason"]) == ("real", 20, "")
            network = build(weights.state_for("niqe-image-params", shapes, "real", weights_folder / "niqe")[0], "cpu")
            each = [float(network(preprocess(frame[None]))[0, 0]) for frame in frames("noisy", 20, side, side, 1)]
            assert row["value"] == pytest.approx(np.mean(each), rel=1e-6)
        else:
            assert (row["value"], row["reason"]) == (None, "too-small")


def test_without_the_file_the_command_is_named(tmp_path: Path) -> None:
    made = study(tmp_path / "set")
    (row,) = benchmark.run(
        suite="tiktok", truth=made.root / "truth", outputs={"a": made.root / "a"}, metrics=["iqa@niqe"], out=tmp_path / "run"
    ).scores
    assert (row["reason"], row["detail"]) == ("weights-missing", "hvbench weights pull niqe-image-params")


def test_a_variants_direction_goes_before_its_metrics() -> None:
    metric, variant = registry().variant("iqa@niqe")
    assert metric.better(variant) is False
    assert Metric(name="x", title="x", higher_is_better=None, variants=()).better(replace(variant, higher_is_better=None)) is None
    assert metric.better(replace(variant, higher_is_better=None)) is metric.higher_is_better


# ------------------------------------------------------------------------------------------------------------ MATLAB's files


def _mat(folder: Path, **held: Any) -> weights.Located:
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.savemat(folder / "m.mat", held)
    return weights.Located(folder / "m.mat", "0", "real")


MAT = WeightsEntry(name="zz-mat", file="m.mat", format="mat", licence="none")


def test_numbers_of_a_matlab_file(tmp_path: Path) -> None:
    found = weights.load(MAT, _mat(tmp_path, a=np.arange(6.0).reshape(2, 3), b=np.array([[3]], np.uint8)))
    assert sorted(found) == ["a", "b"]
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["a"].dtype == np.float64


@pytest.mark.parametrize("held", [{"a": "words"}, {"a": {"of": 1}}, {"a": np.array([[1, "x"]], object)}])
def test_a_matlab_file_of_other_things_is_refused(held: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no array of numbers"):
        weights.load(MAT, _mat(tmp_path, **held))


def test_a_broken_matlab_file_is_refused(tmp_path: Path) -> None:
    located = _mat(tmp_path, a=np.arange(600.0))
    located.path.write_bytes(located.path.read_bytes()[:300])
    with pytest.raises(InputError) as error:
        weights.load(MAT, located)
    assert error.value.code == "weights-broken"
