"""Frechet and kernel distance of a small real network's features: what the file gives, and that real outputs are ranked sensibly."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import benchmark
from benchmark.errors import Unscored
from benchmark.features import Node
from benchmark.registry import registry
from benchmark.weights import script_for
from suites.networks import mobilenet
from tests.make import study

METHODS = ("mimicmotion", "magicdance", "moore", "musev")


def test_frames_go_in_rounded() -> None:
    """Frames of 224x224 are not touched; a grey picture of another size stays grey, halves round to even."""
    same = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)
    assert np.array_equal(mobilenet.preprocess(same), same)
    made = mobilenet.preprocess(np.full((1, 50, 70, 3), 76.5, np.float32))
    assert (made.shape, made.dtype) == ((1, 224, 224, 3), np.uint8)
    assert set(np.unique(made)) == {76}


def test_without_the_file_the_command_is_named(tmp_path: Path) -> None:
    made = study(tmp_path / "set")
    record = benchmark.run(
        suite="tiktok", truth=made.root / "truth", outputs={"a": made.root / "a"}, metrics=["fid@mobilenet"], out=tmp_path / "run"
    )
    (row,) = record.scores
    assert (row["reason"], row["detail"]) == ("weights-missing", "hvbench weights pull mobilenet-v1-embedding")


def test_without_the_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unscored, match=r"human-video-benchmark\[litert\]"):
        mobilenet.build(b"", "cpu")


@pytest.mark.real_weights
def test_features_are_those_of_the_file(weights_folder: Path) -> None:
    """One row a frame, on the file's grid of 255 steps from zero, and equal frames give equal rows wherever they stand."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    extractor = registry().extractors["mobilenet-v1"].item
    network = extractor.build(script_for(extractor.weights, weights_folder / "features"), "cpu")
    frames = np.random.default_rng(1).integers(0, 256, (3, 96, 64, 3)).astype(np.uint8)
    rows: list[np.ndarray] = []
    node = Node(extractor, network, [rows.append])
    node.push(np.concatenate([frames, frames[:1]]))
    node.finish()
    found = np.concatenate(rows)
    assert found.shape == (4, 1024)
    steps = found / np.float32(0.023528477177023888)
    assert np.abs(steps - np.rint(steps)).max() < 1e-4
    assert steps.min() == 0
    assert steps.max() <= 255
    assert np.array_equal(found[0], found[3])
    assert not np.array_equal(found[0], found[1])


@pytest.mark.real_weights
@pytest.mark.footage
def test_real_outputs_are_ranked_sensibly(footage: Path, weights_folder: Path, tmp_path: Path) -> None:
    """Four published methods on 16 frames of four clips: the newest and best-ranked one by every paired metric comes first, all lie far from the
    truth's distance to itself, and the record says who ran the network."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    folder = footage / "tiktok-showcase"
    record = benchmark.run(
        suite="tiktok",
        truth=folder / "truth",
        outputs={**{name: folder / name for name in METHODS}, "itself": folder / "truth"},
        offset=dict.fromkeys(METHODS, 1),
        frames={"*": (1, 17)},
        metrics=["fid@mobilenet", "kid@mobilenet"],
        weights_folder=weights_folder / "features",
        out=tmp_path / "run",
    )
    for name in ("fid", "kid"):
        values = {row["adapter"]: row["value"] for row in record.scores if row["metric"] == name}
        assert min(METHODS, key=values.__getitem__) == "mimicmotion", values
        assert values["itself"] < 0.1 * values["mimicmotion"], values
    assert record.header["plan"]["networks"]["mobilenet-v1"]["backend"] == "litert"
