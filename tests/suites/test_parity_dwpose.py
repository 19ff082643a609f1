"""Boxes and points of persons against frozen numbers of DWPose and EchoMimicV2 (tests/fixtures/dwpose.json): letterbox, detector output to
boxes, crop, responses to points, neck and order, result dictionaries.

No network runs: the fixture's were replaced by given outputs, which follow from formulas (tests/formula_people.py). Tolerances are those
stated in the fixture. "maps: exact" is read as: what says which row goes where, is seen or not, and the affine matrix's own rounding is
below 1e-12.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.people import _layout, _rtmpose, _yolox
from suites.people._rtmpose import Crop
from tests.deviations import Recorder
from tests.formula import frames
from tests.formula_people import simcc, uniform, yolox_raw
from tests.frozen import gap

pytestmark = pytest.mark.parity

FROZEN = json.loads((Path(__file__).resolve().parent.parent / "fixtures" / "dwpose.json").read_text(encoding="utf-8"))
YOLOX, SIMCC, WHOLE, RESULTS = (FROZEN[part] for part in ("yolox", "simcc", "wholebody", "detector_dict"))
HEAD, BOTH = "DWPose 3dca5db", "DWPose 3dca5db, EchoMimicV2 a312dec"
BOXES = {"tolerance": FROZEN["tolerance"]["boxes"], "unit": "pixels"}
KEYPOINTS = {"tolerance": FROZEN["tolerance"]["keypoints"], "unit": "pixels"}
CROPS = {"tolerance": 1, "unit": "grey levels"}
MEAN_LEVEL = {"tolerance": 1e-2, "unit": "grey levels, in the mean"}
RELATIVE = {"tolerance": FROZEN["tolerance"]["keypoints"], "unit": "picture sides"}
HEIGHT, WIDTH = 360, 480
Responses = tuple[NDArray[np.float32], NDArray[np.float32]]


def picture(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    return cast("NDArray[np.uint8]", frames("truth", 1, height, width, 6)[0])


def probes(ours: NDArray[Any], frozen: dict[str, Any]) -> list[float]:
    """Deviations at the places that were kept; their keys are indices."""
    return [float(np.abs(ours[ast.literal_eval(f"({at.strip('()')})")] - np.float64(value)).max()) for at, value in frozen.items()]


def same_opencv() -> bool:
    """Whether OpenCV is the one of the fixture: then its resize and warp must give the same bits."""
    return bool(importlib.metadata.version("opencv-python-headless") == FROZEN["versions"]["opencv-python-headless"])


# --------------------------------------------------------------------------------------------------------------------- YOLOX


@pytest.mark.parametrize("case", YOLOX["letterbox"]["cases"])
def test_letterbox(case: str, record_deviation: Recorder) -> None:
    expected = YOLOX["letterbox"]["cases"][case]
    height, width = (int(side) for side in case.split("x"))
    square, ratio = _yolox.letterbox(picture(height, width))
    assert ratio == expected["ratio"]
    inside_h, inside_w = expected["resized_h_w"]
    outside = np.ones((640, 640), np.bool_)
    outside[:inside_h, :inside_w] = False
    assert (square[:, outside] == 114).all()
    kept = expected["tensor"]
    ends = [*(square.ravel()[:16] - kept["first"]), *(square.ravel()[-4:] - kept["last"])]
    record_deviation("letterbox to 640", BOTH, [*ends, *probes(square, expected["probes_c_y_x"])], **CROPS)
    record_deviation("letterbox to 640, mean", BOTH, (square.sum(dtype=np.float64) - kept["sum"]) / square.size, **MEAN_LEVEL)
    assert (list(square.shape), str(square.dtype)) == (kept["shape"], kept["dtype"])
    if same_opencv():
        assert gap(square, kept) == pytest.approx(0, abs=1e-12)


def test_detector_output_is_the_frozen_one() -> None:
    assert gap(yolox_raw(), YOLOX["raw_check"]) <= 1e-12


def test_decode(record_deviation: Recorder) -> None:
    """All anchors, and by name those of the three persons."""
    decoded = _yolox.decode(yolox_raw())
    rows = decoded[[8130, 6930, 3000], :6] - np.array(YOLOX["decoded_rows_8130_6930_3000"])
    record_deviation("yolox decode", BOTH, [gap(decoded, YOLOX["decoded"]), np.abs(rows).max()], **BOXES)


def test_boxes(record_deviation: Recorder) -> None:
    """Three persons, and one of score 0.27 before the last rule; 162 boxes of all classes are left by suppression."""
    raw, (_, ratio) = yolox_raw(), _yolox.letterbox(picture())
    boxes, scores = _yolox.boxes_and_scores(_yolox.decode(raw), ratio)
    left = [_yolox.candidates(boxes, scores[:, label]) for label in range(80)]
    assert sum(len(found) for found, _ in left) == YOLOX["n_after_nms_all_classes"]
    kept = np.array(YOLOX["after_nms_class_0_x1_y1_x2_y2_score_class"])
    found, score = left[0]
    assert found.shape == (len(kept), 4)
    record_deviation("yolox boxes above 0.1", BOTH, np.abs(found - kept[:, :4]).max(), **BOXES)
    assert np.array_equal(score, kept[:, 4].astype(np.float32))
    assert (kept[:, 5] == _yolox.PERSON).all()
    final = np.array(YOLOX["final_boxes"])
    persons = _yolox.persons(raw, ratio)
    assert persons.shape == final.shape
    record_deviation("yolox boxes of persons", BOTH, np.abs(persons - final).max(), **BOXES)


def test_the_detector_as_a_function() -> None:
    """What the network is given is the letterboxed picture; what it gives becomes the frozen boxes."""
    seen: list[NDArray[np.float32]] = []

    def network(square: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(square)
        return yolox_raw()

    boxes = _yolox.detect(picture(), network)
    assert np.abs(boxes - np.array(YOLOX["final_boxes"])).max() <= BOXES["tolerance"]
    assert [square.shape for square in seen] == [(1, 3, 640, 640)]
    assert np.array_equal(seen[0][0], _yolox.letterbox(picture())[0])


def test_nobody_is_the_whole_picture() -> None:
    """Without objectness, and with persons below 0.3 only: no box, and the whole picture is posed."""
    nothing, low = yolox_raw(), yolox_raw()
    nothing[..., 4] = 0
    low[..., 5] = np.minimum(low[..., 5], np.float32(0.31))
    for raw, shape in ((nothing, "all objectness 0"), (low, "class 0 only below 0.3")):
        boxes = _yolox.persons(raw, 4 / 3)
        assert len(boxes) == YOLOX["no_detection"][shape][0] == 0
        assert _yolox.or_whole(boxes, HEIGHT, WIDTH).tolist() == [[0, 0, WIDTH, HEIGHT]]
    some = _yolox.persons(yolox_raw(), 4 / 3)
    assert _yolox.or_whole(some, HEIGHT, WIDTH) is some


# ------------------------------------------------------------------------------------------------------------------- RTMPose


RISE = 1.4 - 0.05
"""The fixture writes 1.35; its numbers were made with this difference, one unit in the last place lower, which decides how ties are rounded."""


@cache
def responses(person: int) -> Responses:
    x = simcc(f"x{person}", 133, 576, 0.05 + RISE * uniform(f"peaks x{person}", (133,)))
    y = simcc(f"y{person}", 133, 768, 0.05 + RISE * uniform(f"peaks y{person}", (133,)))
    if person == 0:
        x[0, 7] -= 2.0
    return x, y


def persons(boxes: list[list[float]]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Points and scores of formula responses, one person a box, through the product's own loop."""
    given = iter(range(len(boxes)))
    return _rtmpose.estimate(picture(), np.array(boxes), lambda pixels: responses(next(given)))


AFFINE = [case["box"] for case in SIMCC["affine"]]


@pytest.mark.parametrize("person", range(3))
def test_responses_are_the_frozen_ones(person: int) -> None:
    for ours, kept in zip(responses(person), SIMCC["input_check"][person], strict=True):
        assert gap(ours, kept) <= 1e-12


@pytest.mark.parametrize("case", SIMCC["affine"], ids=lambda case: str(case["box"]))
def test_crop(case: dict[str, Any], record_deviation: Recorder) -> None:
    """A tall box, a wide one, and one that reaches out of the picture."""
    crop = Crop.around(case["box"])
    placed = [
        np.abs(crop.centre - case["center"]).max(),
        np.abs(_rtmpose.padded_size(case["box"]) - case["scale_after_padding"]).max(),
        np.abs(crop.size - case["scale_after_aspect"]).max(),
    ]
    record_deviation("rtmpose crop, centre and size", BOTH, placed, **BOXES)
    record_deviation("rtmpose crop, matrix", BOTH, np.abs(crop.matrix() - case["warp_matrix"]).max(), tolerance=1e-12, unit="pixels")
    pixels, kept = crop.cut(picture()), case["crop_uint8"]
    record_deviation("rtmpose crop", BOTH, probes(pixels, kept["probes_y_x"]), **CROPS)
    record_deviation("rtmpose crop, mean", BOTH, (int(pixels.sum(dtype=np.int64)) - kept["sum"]) / pixels.size, **MEAN_LEVEL)
    assert not same_opencv() or hashlib.sha256(pixels.tobytes()).hexdigest() == kept["sha256"]
    of_a_level = gap(_rtmpose.normalised(pixels)[None], case["network_input"]) * float(_rtmpose.STD.max())
    record_deviation("rtmpose input", BOTH, of_a_level, **CROPS)
    assert not same_opencv() or gap(_rtmpose.normalised(pixels)[None], case["network_input"]) <= 1e-12


def test_keypoints(record_deviation: Recorder) -> None:
    """133 points of three persons; point 7 of the first has a score below 0."""
    points, scores = persons(AFFINE)
    for person in range(3):
        record_deviation("rtmpose points", BOTH, gap(points[person], SIMCC["keypoints"][person]), **KEYPOINTS)
        record_deviation("rtmpose points", BOTH, points[person, :5] - np.array(SIMCC["keypoints_first_5"][person]), **KEYPOINTS)
        record_deviation("rtmpose scores, first and last", BOTH, ends(scores[person], SIMCC["scores"][person]), tolerance=0)
        assert gap(scores[person], SIMCC["scores"][person]) <= 1e-12
    negative = SIMCC["point_7_of_person_0"]
    assert np.abs(points[0, 7] - negative["xy"]).max() <= KEYPOINTS["tolerance"]
    assert float(scores[0, 7]) == negative["score"] < 0


def ends(ours: NDArray[Any], kept: dict[str, Any]) -> NDArray[np.float64]:
    """Deviations of the first 16 and the last 4 values, in float64."""
    flat = ours.ravel().astype(np.float64)
    return np.concatenate([flat[:16] - kept["first"], flat[-4:] - kept["last"]])


def test_maxima() -> None:
    x, y = responses(0)
    places, values = _rtmpose.maxima(x[0], y[0])
    frozen = SIMCC["maximum_of_person_0"]
    assert places[:8].tolist() == frozen["locations_first_8"]
    assert values[:8].tolist() == frozen["values_first_8"]
    for case in (SIMCC["ties"], SIMCC["negative"]):
        place, value = _rtmpose.maxima(np.array([case["x"]], np.float32), np.array([case["y"]], np.float32))
        assert (place[0].tolist(), float(value[0])) == (case["location"], case["value"])


def test_pose_of_nobody(record_deviation: Recorder) -> None:
    """133 points all the same, of the whole picture as a box; the responses are those of the first person."""
    boxes = _yolox.or_whole(np.empty((0, 4), np.float32), HEIGHT, WIDTH)
    points, _ = _rtmpose.estimate(picture(), boxes, lambda pixels: responses(0))
    frozen = SIMCC["no_box"]
    assert list(points.shape) == frozen["shape"]
    record_deviation("rtmpose points of a picture without a person", BOTH, points[0, :3] - np.array(frozen["first_3"]), **KEYPOINTS)


# -------------------------------------------------------------------------------------------------------------------- layout


@cache
def two() -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    assert WHOLE["boxes"] == AFFINE[:2]
    return persons(AFFINE[:2])


def test_body_with_its_neck(record_deviation: Recorder) -> None:
    points, scores = _layout.with_neck(*two())
    assert list(points.shape) == WHOLE["shape"]
    for person in range(2):
        record_deviation("133 points with the neck", BOTH, gap(points[person], WHOLE["candidate"][person]), **KEYPOINTS)
        assert gap(scores[person], WHOLE["score"][person]) <= 1e-12
        record_deviation("133 scores with the neck", BOTH, ends(scores[person], WHOLE["score"][person]), tolerance=0)
    record_deviation("133 points with the neck", BOTH, points[0, :18] - np.array(WHOLE["body18_xy_person_0"]), **KEYPOINTS)
    assert scores[0, :18].tolist() == WHOLE["body18_score_person_0"]


def test_names_and_rows() -> None:
    """Which row goes where, exactly: the fixture's lists and slices, and points that carry their own row."""
    frozen = WHOLE["source_index_of_body18"]
    assert list(_layout.BODY) == frozen["names"]
    assert ["mean of 5 and 6" if row < 0 else row for row in _layout.FROM_133] == frozen["from_133"]
    rows = np.arange(133.0)
    points, scores = np.stack([rows, rows], axis=1)[None], rows[None]
    moved, moved_scores = _layout.with_neck(points, scores)
    assert moved[0, :18, 0].tolist() == [5.5 if isinstance(row, str) else row for row in frozen["from_133"]]
    parts = (("feet", _layout.FEET), ("face", _layout.FACE), ("left hand", _layout.LEFT_HAND), ("right hand", _layout.RIGHT_HAND))
    for name, part in parts:
        start, stop = (int(row) for row in WHOLE["rows_of_134"][name].split(" ")[0].split(":"))
        assert moved[0, start:stop, 1].tolist() == moved_scores[0, start:stop].tolist() == rows[part].tolist()
        if "133-rows" in WHOLE["rows_of_134"][name]:
            assert WHOLE["rows_of_134"][name].endswith(f"(133-rows {part.start}:{part.stop})")
    assert WHOLE["rows_of_134"]["body"] == f"0:{len(_layout.BODY)}"
    back, back_scores = _layout.without_neck(moved, moved_scores)
    assert np.array_equal(back, points)
    assert np.array_equal(back_scores, scores)


@pytest.mark.parametrize("case", WHOLE["neck_rule"]["examples"])
def test_neck(case: str) -> None:
    """The mean of the shoulders; 1 where both score above 0.3, else 0."""
    rows = np.arange(133.0)
    scores = np.full((1, 133), 0.9)
    scores[0, 5:7] = [float(score) for score in case.removeprefix("shoulder scores ").split(", ")]
    points, made = _layout.with_neck(np.stack([rows, rows], axis=1)[None], scores)
    expected = WHOLE["neck_rule"]["examples"][case]
    assert (points[0, _layout.NECK].tolist(), float(made[0, _layout.NECK])) == (expected["neck_xy"], expected["neck_score"])


def test_dwpose_result(record_deviation: Recorder) -> None:
    ours, kept = _layout.dwpose(*two(), HEIGHT, WIDTH), RESULTS["DWPose"]
    assert list(ours["hands"].shape) == kept["hands_shape"]
    parts = {"hands": ours["hands"], "faces": ours["faces"], "bodies_candidate": ours["bodies"]["candidate"]}
    record_deviation("DWPose's dictionary", HEAD, [gap(part, kept[name]) for name, part in parts.items()], **RELATIVE)
    assert ours["bodies"]["subset"].tolist() == kept["bodies_subset"]
    assert set(ours) == {"bodies", "hands", "faces"}


def test_echomimic_result(record_deviation: Recorder) -> None:
    ours, kept = _layout.echomimic(*two(), HEIGHT, WIDTH), RESULTS["EchoMimicV2"]
    assert list(ours["hands"].shape) == kept["hands_shape"]
    parts = {"hands": ours["hands"], "faces": ours["faces"], "bodies_candidate": ours["bodies"]["candidate"]}
    record_deviation("EchoMimicV2's dictionary", "EchoMimicV2 a312dec", [gap(part, kept[name]) for name, part in parts.items()], **RELATIVE)
    scores = {"hands_score": ours["hands_score"], "faces_score": ours["faces_score"]}
    for name, score in scores.items():
        record_deviation("EchoMimicV2's dictionary, scores", "EchoMimicV2 a312dec", ends(score, kept[name]), tolerance=0)
        assert gap(score, kept[name]) <= 1e-12
    assert ours["bodies"]["subset"].tolist() == kept["bodies_subset"]
    assert ours["bodies"]["score"].tolist() == kept["bodies_score"]


# ----------------------------------------------------------------------------------------------------- rules that are not frozen


def test_masked_at_its_threshold() -> None:
    """By the rule: below 0.3 a hand's point is -1, at 0.3 it stays, and a body point is seen only above it."""
    points, scores = np.full((1, 133, 2), 50.0), np.full((1, 133), 0.3)
    scores[0, _layout.LEFT_HAND.start] = 0.29999
    result = _layout.dwpose(points, scores, 100, 200)
    left, right = result["hands"]
    assert left[0].tolist() == [-1, -1]
    assert left[1:].tolist() == [[0.25, 0.5]] * 20
    assert right.tolist() == [[0.25, 0.5]] * 21
    assert (result["bodies"]["subset"] == -1).all()


def test_boxes_that_share_little_are_kept() -> None:
    """By hand: squares of 10, counted as 11 pixels, `shift` apart share 11 (11 - shift) of 242 less that: 0.467 at 4, 0.42 at 4.5, 0.375 at 5."""
    for shift, kept in ((0, [1]), (3, [1]), (4, [1]), (4.5, [1, 0]), (5, [1, 0]), (30, [1, 0])):
        boxes = np.array([[0, 0, 10, 10], [shift, 0, 10 + shift, 10]], np.float32)
        assert _yolox.suppress(boxes, np.array([0.5, 0.9], np.float32)).tolist() == kept


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: _yolox.letterbox(np.zeros((4, 4), np.uint8)),
        lambda: _yolox.letterbox(np.zeros((4, 4, 3), np.float32)),
        lambda: _yolox.letterbox(np.zeros((1, 641, 3), np.uint8)),
        lambda: _yolox.decode(np.zeros((1, 8399, 85), np.float32)),
        lambda: Crop.around([10, 10, 10, 20]),
        lambda: _rtmpose.maxima(np.zeros((3, 4), np.float32), np.zeros((2, 4), np.float32)),
        lambda: _rtmpose.estimate(picture(), np.array(AFFINE[:1]), lambda pixels: (np.zeros((1, 17, 576), np.float32),) * 2),
        lambda: _layout.with_neck(np.zeros((1, 134, 2)), np.zeros((1, 134))),
        lambda: _layout.without_neck(np.zeros((1, 133, 2)), np.zeros((1, 133))),
        lambda: _layout.hands(np.zeros((1, 134, 2))),
        lambda: _layout.faces(np.zeros((1, 134, 2))),
    ],
)
def test_other_shapes_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"not |narrow"):
        wrong()
