"""Back ends of the networks: their deviation is measured and stated, they are part of key and record, and a batch is a constant of a run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import benchmark
from benchmark import backends, batches, machine, statistics
from benchmark.backends import ONNX, TF32, TORCH
from benchmark.errors import InputError
from benchmark.features import Node
from benchmark.model import Extractor, FeatureVariant, Forward, Metric, SetVariant
from benchmark.registry import registry
from tests.make import call, header, hvbench, journal, movie, row, study

Floats = NDArray[np.float32]
Register = Callable[..., None]


# ------------------------------------------------------------------------------------------------------------ onnxruntime


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> tuple[Extractor, Forward, Forward]:
    """The network by formula, by torch and by onnxruntime."""
    pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
    extractor = registry().extractors["inception-tf"].item
    exact = backends.load(extractor, "seeded", None, "cpu")
    machine.settle_torch()
    return extractor, exact, backends.behind(exact, extractor, "seeded-1", ONNX, tmp_path_factory.mktemp("graphs"))


def through(extractor: Extractor, network: Forward, frames: NDArray[Any]) -> NDArray[np.float64]:
    rows: list[Floats] = []
    node = Node(extractor, network, [rows.append])
    node.push(frames)
    node.finish()
    return np.concatenate(rows).astype(np.float64)


@pytest.mark.slow
def test_onnxruntime_is_as_near_to_float64_as_torch(inception: tuple[Extractor, Forward, Forward]) -> None:
    """The same function of tensors in float64 is the judge: onnxruntime's rounding is no worse than twice torch's own, and FID moves by less than
    1e-5 of itself. The deviation a run states is that of the two float32 results from each other."""
    extractor, exact, other = inception
    assert isinstance(exact, backends.TorchForward)
    sides = [movie(seed, 8, 256, 256) for seed in (0, 1)]
    by_torch, by_onnx = ([through(extractor, network, frames) for frames in sides] for network in (exact, other))
    state = backends.weights.state_for(extractor.weights, extractor.shapes, "seeded", None, extractor.rename)[0]
    double = cast(backends.TorchForward, extractor.build({name: value.astype(np.float64) for name, value in state.items()}, "cpu"))
    truth = [double.network(torch.from_numpy(extractor.preprocess(frames).astype(np.float64))).numpy() for frames in sides]
    scale = max(np.abs(rows).max() for rows in truth)
    off = {
        name: max(np.abs(a - b).max() for a, b in zip(rows, truth, strict=True)) / scale
        for name, rows in (("torch", by_torch), ("onnx", by_onnx))
    }
    assert 0 < off["onnx"] <= 2 * off["torch"], off
    fid = [statistics.frechet_distance(*rows) for rows in (by_torch, by_onnx, truth)]
    assert fid[1] == pytest.approx(fid[0], rel=1e-5)
    assert fid[1] == pytest.approx(fid[2], rel=1e-5)
    stated = backends.deviation(extractor, exact, other, ONNX)
    assert 0 < stated < 1e-4
    assert stated == backends.deviation(extractor, exact, other, ONNX)


@pytest.mark.slow
def test_the_graph_is_exported_once(inception: tuple[Extractor, Forward, Forward], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process would find the file: a second Forward of the same network does not export."""
    extractor, exact, other = inception
    batch = extractor.preprocess(backends.probe(extractor.batch))
    expected = other(batch)
    assert isinstance(other, backends.OnnxForward)
    assert len(list(other.folder.glob("*.onnx"))) == 1
    monkeypatch.setattr(backends, "export", lambda *_: pytest.fail("exported again"))
    again = backends.behind(exact, extractor, "seeded-1", ONNX, other.folder)
    assert np.array_equal(again(batch), expected)
    assert backends.behind(exact, replace(extractor, version=2), "seeded-1", ONNX, other.folder) != again


@pytest.mark.slow
@pytest.mark.parametrize("id", ["i3d-16", "resnet3d-16"])
def test_video_networks_export(id: str, tmp_path: Path) -> None:
    """Features by formula agree within 1e-4 of the largest."""
    pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
    extractor = registry().extractors[id].item
    exact = backends.load(extractor, "seeded", None, "cpu")
    assert backends.deviation(extractor, exact, backends.behind(exact, extractor, "seeded-1", ONNX, tmp_path), ONNX) < 1e-4


def test_a_run_states_back_end_and_deviation(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In header, journal and flags; another back end is another spec with other features; LPIPS stays with torch."""
    pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
    made = study(tmp_path / "set", methods=("a",), cases=("one",), n=16)
    words = [*made.words, "--metric", "fid@tf", "--metric", "lpips@alex", "--weights", "seeded"]
    for backend in (TORCH, ONNX):
        said = call(capfd, "run", *words, "--backend", backend, "--out", tmp_path / backend)
        assert said.code == 0, said.err
    assert "onnxruntime (features within " in said.out
    assert header(tmp_path / ONNX)["machine"]["backend"] == ONNX
    planned = {backend: header(tmp_path / backend)["plan"]["networks"] for backend in (TORCH, ONNX)}
    assert planned[TORCH]["inception-tf"]["backend"] == planned[ONNX]["lpips-alex"]["backend"] == TORCH
    assert planned[ONNX]["inception-tf"]["backend"] == ONNX
    keys = {backend: journal(tmp_path / backend)[0]["features"] for backend in (TORCH, ONNX)}
    (torch_features,), (onnx_features,) = (list(found.values()) for found in keys.values())
    assert "deviation" not in torch_features["inception-tf"]
    assert 0 < onnx_features["inception-tf"]["deviation"] < 1e-4
    assert "deviation" not in onnx_features["lpips-alex"]
    assert onnx_features["inception-tf"]["generated"] != torch_features["inception-tf"]["generated"]
    for method in made.methods:
        one, other = (row(tmp_path / backend, method, "fid@tf") for backend in (TORCH, ONNX))
        assert other["value"] == pytest.approx(one["value"], rel=1e-5)
        assert [flag for flag in other["flags"] if flag not in one["flags"]] == [
            f"onnxruntime (features within {onnx_features['inception-tf']['deviation']:.0e})"
        ]
        assert row(tmp_path / ONNX, method, "lpips@alex")["value"] == row(tmp_path / TORCH, method, "lpips@alex")["value"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--fast"], "--backend onnxruntime"),
        (["--fast", "--backend", "onnxruntime"], "exclude each other"),
        (["--backend", "tensorrt"], "invalid choice"),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], expected: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = call(capfd, "run", *study(tmp_path, n=2).words, "--metric", "fid@tf", *words)
    assert said.code == 2
    assert expected in said.err


def test_a_detector_that_finds_nothing_has_a_deviation() -> None:
    """Where all features of the probe are 0 there is nothing to divide by: a NaN could not stand in a journal. Closed form."""
    extractor = Extractor(
        id="zz", version=1, summary="s", source="s", dimension=1, batch=4, preprocess=np.asarray, build=lambda s, d: nothing
    )

    def nothing(batch: NDArray[Any], /) -> Floats:
        return np.zeros((len(batch), 1), np.float32)

    def something(batch: NDArray[Any], /) -> Floats:
        return np.full((len(batch), 1), 0.25, np.float32)

    assert backends.deviation(extractor, nothing, nothing, TORCH) == 0
    assert backends.deviation(extractor, nothing, something, TORCH) == 0.25


@pytest.mark.parametrize("backend", [TORCH, TF32, ONNX])
@pytest.mark.parametrize("name", ["s3fd", "syncnet-pipeline-a", "syncnet-clean25-mediapipe", "light-asd", "given"])
def test_what_hangs_on_thresholds_is_exact(name: str, backend: str) -> None:
    """Faces that are followed, and what follows them: one arithmetic, whatever the run's back end is."""
    assert backends.of(registry().extractors[name].item, backend) == TORCH


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "onnxscript" else there(name, *more))
    with pytest.raises(InputError, match=r"(?s)needs onnxscript.*human-video-benchmark\[onnxruntime\]"):
        benchmark.run(suite="tiktok", outputs={"a": tmp_path}, truth=tmp_path, backend=ONNX)


def test_onnxruntime_is_for_the_cpu() -> None:
    with pytest.raises(InputError, match="runs on the CPU"):
        backends.check(ONNX, "cuda")


def test_switches_come_back() -> None:
    """TF32 is on inside and off outside, whatever the names of the switches are in this torch."""
    machine.settle_torch()
    off = [getattr(where, name) for where, name, _ in machine.float32_switches()]
    with machine.arithmetic(TF32):
        assert all(getattr(where, name) == value for where, name, value in machine.float32_switches(TF32))
        assert off != [getattr(where, name) for where, name, _ in machine.float32_switches()]
    assert off == [getattr(where, name) for where, name, _ in machine.float32_switches()]


# ----------------------------------------------------------------------------------------------------------------- memory


def colour(fits: int, calls: list[int], id: str = "test-tight") -> Extractor:
    """The mean colour of a frame by a network whose device holds at most `fits` inputs."""

    def build(state: object, device: str) -> Callable[[NDArray[Any]], Floats]:
        def forward(batch: NDArray[Any]) -> Floats:
            calls.append(len(batch))
            if len(batch) > fits:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return cast("Floats", batch.mean(axis=(1, 2), dtype=np.float64).astype(np.float32))

        return forward

    return Extractor(id=id, version=1, summary="mean colour", source="this test", dimension=3, batch=8, preprocess=np.asarray, build=build)


def metric(extractor: str = "test-tight") -> Metric:
    return Metric(
        name="test-tight",
        title="tight",
        higher_is_better=False,
        variants=(
            SetVariant(
                id="set",
                summary="distance of means",
                source="this test",
                extractor=extractor,
                distance=lambda x, y: float(np.square(x.mean(axis=0) - y.mean(axis=0)).sum()),
            ),
            FeatureVariant(
                id="pair",
                summary="distance of rows",
                source="this test",
                extractor=extractor,
                score=lambda x, y: np.abs(np.asarray(x, np.float64) - y).sum(axis=1),
            ),
        ),
    )


TIGHT = ["--metric", "test-tight@set", "--metric", "test-tight@pair", "--metric", "psnr@float"]


def test_a_batch_that_does_not_fit_is_halved_between_runs_only(
    register: Register, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """8 does not fit, nor does 4: within a run no other batch is tried, the rest is scored, and typing the command again goes on with half.
    A fresh folder and cache with 2 from the start give the same bits."""
    calls: list[int] = []
    register(colour(2, calls), metric())
    made = study(tmp_path / "set")
    words = ["run", *made.words, *TIGHT, "--out", tmp_path / "run"]
    for batch, half in ((8, 4), (4, 2)):
        calls.clear()
        said = call(capfd, *words)
        assert set(calls) == {batch}
        assert f"batch of {batch} does not fit into memory" in said.err
        assert f"takes batches of {half}" in said.err
        assert said.code == 3
        assert header(tmp_path / "run")["plan"]["networks"]["test-tight"]["batch"] == batch
        for name in ("test-tight@set", "test-tight@pair"):
            assert (row(tmp_path / "run", "a", name)["value"], row(tmp_path / "run", "a", name)["reason"]) == (None, "out-of-memory")
        assert row(tmp_path / "run", "a", "psnr@float")["value"] is not None
    calls.clear()
    said = call(capfd, *words)
    assert (said.code, set(calls)) == (0, {2}), said.err
    found = [row(tmp_path / "run", method, name)["value"] for method in made.methods for name in ("test-tight@set", "test-tight@pair")]
    assert header(tmp_path / "run")["plan"]["networks"]["test-tight"]["batch"] == 2

    calls.clear()
    assert call(capfd, *words[:-1], tmp_path / "again").code == 0
    assert set(calls) == {2}, "a new run knows"
    assert found == [
        row(tmp_path / "again", method, name)["value"] for method in made.methods for name in ("test-tight@set", "test-tight@pair")
    ]


def test_a_batch_of_one_has_no_half(register: Register, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []
    register(replace(colour(0, calls), batch=1), metric())
    said = call(capfd, "run", *study(tmp_path / "set").words, *TIGHT, "--out", tmp_path / "run")
    assert "a batch of one is the smallest there is" in said.err
    assert not batches.path().exists()
    assert row(tmp_path / "run", "a", "psnr@float")["value"] is not None


def test_what_ran_out_and_what_did_not() -> None:
    assert batches.too_large(MemoryError(), "x", 8) is not None
    assert batches.too_large(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "x", 8) is not None
    assert batches.too_large(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "x", 8) is None


def test_another_error_of_a_network_is_a_bug(register: Register, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is not taken for a lack of memory: the run ends as an error."""

    def build(state: object, device: str) -> Forward:
        def forward(batch: NDArray[Any], /) -> Floats:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        return forward

    register(replace(colour(8, []), build=build), metric())
    said = call(capfd, "run", *study(tmp_path / "set").words, *TIGHT, "--out", tmp_path / "run")
    assert said.code == 1
    assert "shapes cannot be multiplied" in said.err
    assert header(tmp_path / "run")["status"] == "error"


# -------------------------------------------------------------------------------------------------------------------- GPU


@pytest.fixture
def cuda() -> str:
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return "cuda"


@pytest.mark.gpu
@pytest.mark.parametrize("id", ["inception-tf", "i3d-16", "resnet3d-16"])
def test_gpu_against_cpu(id: str, cuda: str) -> None:
    """IEEE float32 on both: features within 1e-4 of the largest. With TF32 the stated deviation is larger, and settles back."""
    extractor = registry().extractors[id].item
    here, there = (backends.load(extractor, "seeded", None, device) for device in ("cpu", cuda))
    assert backends.deviation(extractor, here, there, TORCH) < 1e-4
    assert backends.deviation(extractor, there, there, TORCH) == 0
    assert 0 < backends.deviation(extractor, there, there, TF32) < 0.1


@pytest.mark.gpu
def test_a_fast_run_prints_its_deviation(cuda: str, tmp_path: Path) -> None:
    made = study(tmp_path / "set", methods=("a",), cases=("one",), n=16)
    words = ["run", *made.words, "--metric", "fid@tf", "--metric", "lpips@alex", "--weights", "seeded", "--device", cuda]
    exact, fast = (hvbench(*words, *more, "--out", tmp_path / name, cwd=tmp_path) for name, more in (("exact", []), ("fast", ["--fast"])))
    assert (exact.code, fast.code) == (0, 0), exact.err + fast.err
    assert "torch-tf32 (features within " in fast.out
    assert "torch-tf32" not in exact.out
    for name in ("fid@tf", "lpips@alex"):
        assert row(tmp_path / "fast", "a", name)["value"] == pytest.approx(row(tmp_path / "exact", "a", name)["value"], rel=0.2)
