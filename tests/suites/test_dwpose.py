"""DWPose's extractor on small ONNX files with the interface of the real ones: what it makes of detections and responses, and what it says of other files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.api import run
from benchmark.backends import OWN_FILES, of
from benchmark.errors import Unscored
from benchmark.machine import ONNX
from benchmark.rows import Found
from suites.metrics import akd, hand_rate, hkc, hkv
from suites.metrics._hands import dwpose
from suites.networks.dwpose import INPUTS, NAMES, SPEC, build
from suites.people import _rtmpose, _yolox
from suites.people._dwpose_rows import OVERLAP, PERSONS, WIDTH, main, pack
from suites.people._layout import LEFT_HAND, POINTS, RIGHT_HAND, SHOULDERS
from tests.make import study

onnx = pytest.importorskip("onnx", reason="the extra [onnxruntime] is not installed")
pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")


def graph(shape: tuple[int, ...], *outputs: NDArray[np.float32]) -> bytes:
    """A model that takes one input and gives these arrays, plus nought times the input's mean."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["in"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    made = []
    for k, values in enumerate(outputs):
        constants.append(numpy_helper.from_array(values, f"c{k}"))
        nodes.append(helper.make_node("Add", [f"c{k}", "nothing"], [f"out{k}"]))
        made.append(helper.make_tensor_value_info(f"out{k}", TensorProto.FLOAT, values.shape))
    body = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)], made, constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def detections(*boxes: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """(1, 8400, 85): these boxes (x1, y1, x2, y2 on the 640 square) as persons with score 0.9, in cells of stride 32 far from each other."""
    raw = np.zeros((1, _yolox.ANCHORS, 85), np.float32)
    first = 80 * 80 + 40 * 40
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        cell = 7 * k
        x, y = cell % 20, cell // 20
        raw[0, first + cell, :4] = [
            (x1 + x2) / 2 / 32 - x, (y1 + y2) / 2 / 32 - y, np.log((x2 - x1) / 32), np.log((y2 - y1) / 32),
        ]  # fmt: skip
        raw[0, first + cell, 4:6] = [1.0, 0.9]
    return raw


def responses(score: float = 0.8) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Point k peaks at x = 2 k, y = 3 k in pixels of the 288 x 384 crop, with this value; hand points of the right hand are unsure (0.2)."""
    x, y = np.zeros((1, POINTS, 576), np.float32), np.zeros((1, POINTS, 768), np.float32)
    for k in range(POINTS):
        value = 0.2 if k >= RIGHT_HAND.start else score
        x[0, k, min(4 * k, 575)] = y[0, k, min(6 * k, 767)] = value
    return x, y


def files(*boxes: tuple[float, float, float, float]) -> dict[str, bytes]:
    return dict(zip(NAMES, (graph(INPUTS[0], detections(*boxes)), graph(INPUTS[1], *responses())), strict=True))


def test_rows_are_what_the_networks_say() -> None:
    """A picture of 320 x 640 at twice its size: boxes halve; points go by the crop; the largest three of four persons stay, largest first."""
    boxes = [(100, 100, 200, 300), (300, 50, 560, 600), (20, 20, 60, 60), (400, 400, 600, 640)]
    forward = build(files(*boxes), "cpu")
    row = forward(np.full((1, 320, 320, 3), 90, np.uint8))
    assert row.shape == (1, WIDTH)
    assert row.dtype == np.float32
    found = row.reshape(PERSONS, -1)
    assert found[0, :4] == pytest.approx(np.array(boxes[1]) / 2, abs=1e-3)
    assert found[1, :4] == pytest.approx(np.array(boxes[3]) / 2, abs=1e-3)
    assert found[2, :4] == pytest.approx(np.array(boxes[0]) / 2, abs=1e-3)
    crop = _rtmpose.Crop.around(found[0, :4])
    points = found[0, 4:].reshape(POINTS, 3)
    assert points[10, :2] == pytest.approx(crop.to_picture(np.array([20.0, 30.0])) + 0.5, abs=1e-3)
    assert points[10, 2] == pytest.approx(0.8)
    assert points[-1, 2] == pytest.approx(0.2)


def test_nobody_has_no_points() -> None:
    assert not build(files(), "cpu")(np.zeros((1, 64, 48, 3), np.uint8)).any()


def test_a_file_with_other_inputs_is_named() -> None:
    good = files()
    for name, other in ((NAMES[0], (1, 3, 416, 416)), (NAMES[1], (1, 3, 256, 192))):
        with pytest.raises(Unscored) as error:
            build({**good, name: graph(other, np.zeros((1, 2), np.float32))}, "cpu")
        assert error.value.reason == "weights-unusable"
        assert all(part in error.value.detail for part in (name, str(other[2]), "hvbench weights pull"))
    with pytest.raises(Unscored, match="does not parse as onnx"):
        build({**good, NAMES[0]: b"no graph"}, "cpu")


def test_its_files_run_in_onnxruntime_whatever_the_back_end() -> None:
    assert OWN_FILES["onnx"] == ONNX
    assert {of(SPEC, backend) for backend in ("torch", "onnxruntime")} == {ONNX}


def person(box: tuple[float, float, float, float], mark: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    return np.array(box), np.full((POINTS, 2), mark), np.full(POINTS, 0.9)


def frame(*persons: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> NDArray[np.float32]:
    return pack(*(np.stack([p[k] for p in persons]) for k in range(3))) if persons else np.zeros(WIDTH, np.float32)


def test_the_main_person_is_followed() -> None:
    """The largest at first, then whoever overlaps with the last box; after a jump to nobody near, the largest again."""
    small, large = person((0, 0, 40, 100), 1), person((100, 0, 200, 200), 2)
    nearer = person((0, 0, 150, 300), 1)
    there, points, scores = main(
        np.stack([frame(large, small), frame(nearer, large), frame(), frame(large), frame(small), frame(small, nearer)])
    )
    assert there.tolist() == [True, True, False, True, True, True]
    assert points[:, 0, 0].tolist() == [2, 2, 0, 2, 1, 1]
    assert scores[:, 0] == pytest.approx([0.9, 0.9, 0, 0.9, 0.9, 0.9])
    assert 0 < OVERLAP < 1
    with pytest.raises(ValueError, match="expected"):
        main(np.zeros((2, WIDTH - 1)))


def clip(scores: NDArray[Any], shift: NDArray[Any] | None = None) -> NDArray[np.float32]:
    """(n, WIDTH): one person whose points are a fixed figure, moved by shift (n, 2), with these (n, 133) scores."""
    figure = np.stack([np.arange(POINTS) * 2.0 + 50, np.arange(POINTS) * 1.5 + 40], axis=1)
    figure[list(SHOULDERS)] = [[160, 60], [100, 60]]
    moved = np.zeros((len(scores), 2)) if shift is None else shift
    return np.stack([pack(np.array([[0, 0, 300, 300.0]]), (figure + by)[None], s[None]) for s, by in zip(scores, moved, strict=True)])


def metric(module: Any, name: str) -> Any:
    return module.SPEC.variant(name).score


def test_confidence_of_points() -> None:
    """The left hand at 0.8, the right one at 0.2: visible 0.8, all 0.5; an unseen hand is not there."""
    scores = np.full((10, POINTS), 0.9)
    scores[:, LEFT_HAND], scores[:, RIGHT_HAND] = 0.8, 0.2
    rows = np.concatenate([clip(scores), np.zeros((2, WIDTH), np.float32)])
    found = Found(rows, None, (512, 512), 25.0)
    assert metric(hkc, "dwpose-visible")(found)[:10] == pytest.approx([0.8] * 10)
    assert metric(hkc, "dwpose-all")(found)[:10] == pytest.approx([0.5] * 10)
    assert np.isnan(metric(hkc, "dwpose-visible")(found)[10:]).all()
    assert np.isnan(metric(hkc, "dwpose-all")(found)[10:]).all()
    assert dwpose(rows).there.tolist() == [[True, False]] * 10 + [[False, False]] * 2
    assert metric(hand_rate, "dwpose-hand")(found).mean() == pytest.approx(10 / 12)
    scores[:, LEFT_HAND.start : LEFT_HAND.start + 11] = 0.1
    assert not dwpose(clip(scores)).there.any()


def test_variance_and_distance_by_point() -> None:
    """A circle of 9 pixels: 81 for the points that are seen, whatever the unseen ones do; moved by 9 from the truth: 9."""
    angle = 2 * np.pi * np.arange(20) / 20
    round_ = 9 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    scores = np.full((20, POINTS), 0.9)
    scores[:, LEFT_HAND.start + 5] = 0.1
    scores[7:, RIGHT_HAND] = 0.1  # seen in seven frames only
    rows = clip(scores, round_)
    assert metric(hkv, "dwpose-px512")(Found(rows, None, (512, 512), 25.0)) == pytest.approx(81, rel=1e-4)
    assert metric(hkv, "dwpose-wrist")(Found(rows, None, (512, 512), 25.0)) == pytest.approx(0, abs=1e-6)
    still = clip(np.full((20, POINTS), 0.9))
    assert metric(akd, "dwpose-px512")(Found(rows, still, (512, 512), 25.0)) == pytest.approx([9.0] * 20, rel=1e-4)
    assert metric(akd, "dwpose-shoulder")(Found(rows, still, (512, 512), 25.0)) == pytest.approx([9 / 60] * 20, rel=1e-4)


def test_without_its_files_the_variant_is_unscored(tmp_path: Path) -> None:
    made = study(tmp_path / "study", methods=("a",))
    record = run(
        suite="tiktok", truth=made.root / "truth", outputs={"a": made.root / "a"}, metrics=["hkc@dwpose-visible"], out=tmp_path / "run"
    )
    (row,) = record.scores
    assert (row["value"], row["reason"]) == (None, "weights-missing")
    assert row["detail"] == "hvbench weights pull dwpose-yolox-l"
