"""Dynamic degree: VBench's decision on given flows, and RAFT with weights by formula against torchvision called directly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.api import run
from benchmark.errors import Unscored
from benchmark.model import Unit
from benchmark.rows import ClipVariant, Found
from suites.metrics.dynamic_degree import SPEC
from suites.networks.raft import UPDATES, build, network, preprocess, shapes
from suites.people._dynamic_degree import largest_mean, sampled
from tests.formula import weights as formula
from tests.make import movie, write


def answer(lengths: list[float], size: tuple[int, int] = (256, 256)) -> float:
    variant = SPEC.variant("vbench")
    assert isinstance(variant, ClipVariant)
    found = variant.score(Found(np.array(lengths, np.float32)[:, None], None, size, 8.0))
    assert isinstance(found, float)
    return found


def test_the_decision() -> None:
    """16 frames need 4 pairs above 6 pixels at a short side of 256, above 12 at 512; equal is not above."""
    assert answer([7.0] * 4 + [0.0] * 11) == 1
    assert answer([7.0] * 3 + [0.0] * 12) == 0
    assert answer([6.0] * 15) == 0
    assert answer([7.0] * 15, (800, 512)) == 0
    assert answer([12.5] * 15, (512, 800)) == 1
    assert answer([0.0]) == 1  # two frames: no pair is needed


def test_raft_is_torchvisions() -> None:
    """The same weights by formula through torchvision's module, called directly: the same lengths to 1e-5, relative."""
    state = {name: np.asarray(values, np.float32) for name, values in formula(shapes()).items()}
    frames = movie(2, 3, 128, 130)
    padded = preprocess(frames)
    assert padded.shape == (3, 128, 136, 3)
    forward = build(state, "cpu")
    model = network()
    model.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()}, strict=False)
    model.eval()
    for k in range(2):
        images = torch.from_numpy(padded[k : k + 2]).permute(0, 3, 1, 2) / 127.5 - 1
        with torch.no_grad():
            flow = model(images[:1], images[1:], num_flow_updates=UPDATES)[-1][0].numpy()
        assert np.isfinite(flow).all()
        assert forward(padded[k : k + 2][None])[0, 0] == pytest.approx(largest_mean(flow), rel=1e-5)


def test_other_pictures_and_other_tensors_are_refused() -> None:
    state = {name: np.zeros(shape, np.float32) for name, shape in shapes().items()}
    with pytest.raises(Unscored) as error:
        build(state, "cpu")(np.zeros((1, 2, 120, 160, 3), np.float32))
    assert error.value.reason == "too-small"
    with pytest.raises(ValueError, match="not the tensors"):
        build({**state, "more": np.zeros(1, np.float32)}, "cpu")


def test_a_run_with_weights_by_formula(tmp_path: Path) -> None:
    """Every second frame of 16 a second; one number a clip, marked as seeded."""
    write(tmp_path / "m" / "one.mkv", movie(1, 7, 128, 128), rate=16)
    record = run(suite="tiktok", outputs={"m": tmp_path / "m"}, metrics=["dynamic-degree@vbench"], weights="seeded", out=tmp_path / "run")
    entry = record.journal[Unit("m", "one")]
    assert list(sampled(7, 16)) == [0, 2, 4, 6]
    assert next(iter(entry["features"].values()))["raft-top"]["rows"] == 3
    (row,) = record.scores
    assert row["value"] in (0.0, 1.0)
    assert "seeded-1" in row["flags"]
