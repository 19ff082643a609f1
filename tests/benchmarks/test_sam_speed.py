"""SAM and RAFT on one pair of frames: what the extractor adds to the bare networks. Weights by formula; the published ones cost the same."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmark.features import Node
from suites.embedded import tiktok
from suites.networks import raft
from suites.networks.dwpose import INPUTS
from suites.networks.sam_raft import PERSONS, RAFT, SPEC, build, masks, shapes
from tests.formula import weights as formula
from tests.suites.test_dwpose import detections, graph

pytestmark = pytest.mark.speed


def test_a_pair_of_frames(benchmark: Any) -> None:
    """ViT-B: 2 frames at 512 x 512 through the node, against the mask of the first and the flow between them."""
    pytest.importorskip("segment_anything", reason="the extra [sam] is not installed")
    pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
    frames = tiktok.draw(0, replace(tiktok.SIZE, frames=2, height=512, width=512)).frames[:2]
    state, flow_state = (
        {name: np.asarray(values, np.float32) for name, values in formula(given).items()} for given in (shapes("vit_b"), raft.shapes())
    )
    mask, flow = masks(state, "vit_b", "cpu"), raft.flows(flow_state, "cpu")
    box = np.array([150.0, 60.0, 400.0, 640.0])
    detector = graph(INPUTS[0], detections(tuple(box)))  # type: ignore[arg-type]
    extractor = next(item for item in SPEC if item.id == "sam-b-raft")
    forward = build({PERSONS: detector, RAFT: flow_state, "sam-vit-b": state}, "cpu", size="vit_b", weights="sam-vit-b")

    def bare() -> None:
        mask(frames[0], box * 512 / 640)
        flow(frames.astype(np.float32))

    def whole() -> float:
        start = time.perf_counter()
        node = Node(extractor, forward, [])
        node.push(frames)
        node.finish()
        return time.perf_counter() - start

    whole()
    spent = [whole() for _ in range(2)]
    benchmark.pedantic(bare, rounds=2, warmup_rounds=1)
    ratio = min(spent) / benchmark.stats.stats.min
    benchmark.extra_info.update(ratio=round(ratio, 2), bar="<= 1.25", pair_s=round(min(spent), 1))
    assert ratio <= 1.25, spent
