"""The people metrics' networks in the pass: what the pass adds to decoding and the bare forwards, and what a further metric costs."""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import backends
from benchmark.api import run
from benchmark.features import Node
from benchmark.media import decode, probe
from benchmark.registry import registry

pytestmark = [pytest.mark.speed, pytest.mark.real_weights]
TURNS = 3
SETS = {
    "mediapipe-holistic": (
        "hkc@mediapipe-hand",
        "hand-rate@mediapipe-hand",
        "hkv@mediapipe-px512",
        "hkv@mediapipe-wrist",
        "hkv@mediapipe-displacement",
    ),
    "selfie-dis": ("sd@selfie-dis", "sd@selfie-dis-second", "sd@selfie-dis-camfree"),
    "dis-warp": ("flicker@dis-warp",),
}
"""Extractor -> the metrics that rest on it."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn people, 24 frames at 256x256, as one method's outputs."""
    folder = tmp_path_factory.mktemp("drawn")
    maker = registry().makers["tiktok"].item
    made = maker.build(folder / "made")
    (folder / "m").mkdir()
    for case in made[:3]:
        assert case.truth is not None
        shutil.copy(case.truth.path, folder / "m")
    return folder / "m"


@pytest.mark.parametrize("name", list(SETS))
def test_one_pass_of_a_network(name: str, clips: Path, weights_folder: Path, tmp_path: Path, benchmark: Any) -> None:
    """A whole run in this process, all metrics that rest on the network, against decoding and bare forwards of the same frames; and against one metric."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    folder = weights_folder / "mediapipe_tflite"
    extractor = registry().extractors[name].item
    forward = backends.load(extractor, "real", folder, "cpu")

    def bare() -> float:
        start = time.perf_counter()
        for path in sorted(clips.iterdir()):
            node, info, seen = Node(extractor, forward, []), probe(path), 0
            chosen = range(info.frames) if extractor.sample is None else extractor.sample(info.frames, float(info.fps or 0))
            kept = set(np.asarray(chosen).tolist())
            for chunk in decode(info):
                mine = [k for k in range(len(chunk)) if seen + k in kept]
                seen += len(chunk)
                if mine:
                    node.push(chunk[mine])
            node.finish()
        return time.perf_counter() - start

    def ours(metrics: tuple[str, ...], turn: int) -> float:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
            start = time.perf_counter()
            record = run(
                suite="tiktok", outputs={"m": clips}, metrics=metrics, weights_folder=folder, out=tmp_path / f"{len(metrics)}-{turn}"
            )
            spent = time.perf_counter() - start
        assert all(score["value"] is not None or score["reason"] in ("no-hand", "no-shoulders") for score in record.scores)
        return spent

    bare()  # graphs are loaded and files are in the system's memory
    ours(SETS[name], -1)
    ratios, further = [], []
    for turn in range(TURNS):
        whole, work, one = ours(SETS[name], turn), bare(), ours(SETS[name][:1], 100 + turn)
        ratios.append(whole / work)
        further.append(whole / one)
    benchmark.pedantic(bare, rounds=1)
    frames = sum(probe(path).frames for path in clips.iterdir())
    ratio = statistics.median(ratios)
    benchmark.extra_info.update(
        ratio=round(ratio, 2),
        bar="<= 1.25",
        forward_ms=round(1000 * benchmark.stats.stats.median / frames, 1),
        further=round(float(np.median(further)), 2),
    )
    assert ratio <= 1.25, ratios
    assert statistics.median(further) <= 1.15, further
