"""S3FD against frozen numbers of joonson/syncnet_python@6efbb1c detectors/s3fd (tests/fixtures/s3fd.json), under formula weights: names and
shapes, preprocessing, both heads on six levels, priors, decoding, both suppressions, Detect, and the rule of detect_faces.

Every key of the file is held but these, which are words about it: what, repo, commit, file, function, versions, and the rules and notes in prose.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.networks import _s3fd
from suites.networks._s3fd import decode, detect, faces_of, feature_maps, nms, nms_greedy, preprocess, priors
from tests.deviations import Recorder
from tests.formula import frames, weights
from tests.formula_audio import uniform
from tests.frozen import fixture, of_largest, off

pytestmark = pytest.mark.parity

S3FD = fixture("s3fd")
USE = S3FD["tolerance"]["use"]
HEAD = "syncnet_python 6efbb1c"
LARGEST = "of the largest"
H, W = 96, 128


@cache
def rows() -> NDArray[np.float32]:
    """The heads' (priors, 6) of the frozen picture."""
    state = weights(_s3fd.shapes())
    for level in (3, 4, 5):
        for head in ("loc", "conf"):
            state[f"{head}.{level}.weight"] = state[f"{head}.{level}.weight"] / np.float32(1024)
    return _s3fd.build(state, "cpu")(preprocess(frames("truth", 1, H, W, 4)[0], 1.0)[None])[0]


def padded(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Detections as the original returns them: zeros for the background, zeros after the last."""
    out = np.zeros((1, 2, _s3fd.KEPT, 5), np.float32)
    out[0, 1, : len(found)] = found
    return out


def planes(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return pixels.transpose(2, 0, 1)[None]


def test_tensor_names_and_shapes() -> None:
    assert _s3fd.shapes() == {name: tuple(shape) for name, shape in S3FD["state_dict"].items()}
    assert len(_s3fd.shapes()) == S3FD["n_tensors"]
    assert sum(int(np.prod(shape)) for shape in _s3fd.shapes().values()) == S3FD["n_parameters"]


def test_preprocess(record_deviation: Recorder) -> None:
    """The picture of the network test at scale 1, one of 361x486 at 0.25 (rounded to 90x122), and the sizes of seven frames.

    The file does not say which picture the second one is; of twelve scenes only number 5 fits, and it fits to the bit.
    """
    frozen = S3FD["preprocess"]
    found = [
        off(planes(preprocess(frames("truth", 1, H, W, 4)[0], 1.0)), frozen["tensor"]),
        off(planes(preprocess(frames("truth", 1, 361, 486, 5)[0])), frozen["tensor_at_0.25_of_361x486"]),
    ]
    record_deviation("s3fd, input", HEAD, found, tolerance=0.0, unit="grey levels")
    for size, scaled in frozen["scaled_sizes_h_w_at_0.25"].items():
        h, w = map(int, size.split("x"))
        assert preprocess(np.zeros((h, w, 3), np.uint8)).shape == (*scaled, 3)


def test_heads(record_deviation: Recorder) -> None:
    levels = S3FD["forward"]["levels"]
    maps = feature_maps(H, W)
    assert [list(size) for size in maps] == [level["feature_map"] for level in levels]
    ends = np.cumsum([h * w for h, w in maps])
    at = priors(H, W)
    assert len(rows()) == len(at) == ends[-1]
    for level, piece, prior in zip(levels, np.split(rows(), ends[:-1]), np.split(at, ends[:-1]), strict=True):
        record_deviation("s3fd, offsets", HEAD, of_largest(piece[:, :4], level["loc"]), tolerance=USE["loc"], unit=LARGEST)
        record_deviation("s3fd, faces", HEAD, of_largest(piece[:, 5], level["conf_face"]), tolerance=USE["conf"], unit=LARGEST)
        record_deviation("s3fd, priors of six levels", HEAD, of_largest(prior, level["priors"]), tolerance=USE["decode"], unit=LARGEST)
        assert np.abs(piece[:, 4:].sum(axis=1) - 1).max() < 1e-6


def test_detections_of_the_network(record_deviation: Recorder) -> None:
    """How many, the first five, and all of them: the network's tolerance, because boxes and scores come from its heads."""
    frozen = S3FD["forward"]
    found = detect(rows()[:, :4], rows()[:, 5], priors(H, W))
    assert len(found) == frozen["n_detections"]
    assert list(padded(found).shape) == frozen["detect_output_shape"]
    first = np.abs(found[:5] - np.array(frozen["detections_first_5_score_x1_y1_x2_y2"])).max() / np.abs(found).max()
    both = [first, of_largest(padded(found), frozen["detections"])]
    record_deviation("s3fd, detections of the network", HEAD, both, tolerance=USE["conf"], unit=LARGEST)


@cache
def sample_priors() -> NDArray[np.float32]:
    """Priors of two levels, as the frozen decode and Detect take them."""
    return priors(H, W, ((24, 32), (12, 16)))


@cache
def sample() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The 200 offsets and priors of the frozen decode."""
    return (4 * uniform("loc", (200, 4)) - 2).astype(np.float32), sample_priors()[300:500]


def test_priors(record_deviation: Recorder) -> None:
    frozen, found = S3FD["priors"], sample_priors()
    at = np.abs(found[[0, 31, 32, 768]] - np.array(frozen["rows_0_31_32_768"])).max()
    record_deviation("s3fd, priors", HEAD, [of_largest(found, frozen["priors"]), at], tolerance=USE["decode"], unit=LARGEST)


def test_decode(record_deviation: Recorder) -> None:
    frozen, found = S3FD["decode"], decode(*sample())
    ends = np.abs(found[[0, 199]] - np.array(frozen["rows_0_199"])).max() / np.abs(found).max()
    record_deviation("s3fd, decode", HEAD, [of_largest(found, frozen["boxes"]), ends], tolerance=USE["decode"], unit=LARGEST)


def test_suppressions_keep_the_same_boxes() -> None:
    frozen, u = S3FD["nms"], uniform("boxes", (60, 4))
    corner = u[:, :2] * [80, 60]
    boxes = np.concatenate([corner, corner + u[:, 2:] * [60, 70] + 10], axis=1).astype(np.float32)
    scores = uniform("box scores", (60,)).astype(np.float32)
    for key, kept in (("nms_0.3", nms(boxes, scores)), ("nms_0.3_top_20_before", nms(boxes, scores, top=20))):
        assert kept.tolist() == frozen[key]["keep"]
        assert len(kept) == frozen[key]["count"]
    assert nms_greedy(np.column_stack([boxes, scores])).tolist() == frozen["nms__0.1_greedy_numpy"]


def test_detect(record_deviation: Recorder) -> None:
    frozen = S3FD["detect"]
    loc, at = sample()
    conf = uniform("conf", (1, 200, 2)).astype(np.float32)
    found = detect(loc, conf[0, :, 1], at)
    assert len(found) == frozen["count"]
    first = np.abs(found[:5] - np.array(frozen["first_5"])).max() / np.abs(found).max()
    record_deviation("s3fd, Detect", HEAD, [first, of_largest(padded(found), frozen["output"])], tolerance=USE["decode"], unit=LARGEST)


def test_detect_faces(record_deviation: Recorder) -> None:
    """Six detections of the frozen recipe: one is suppressed, two are not above 0.9."""
    frozen: dict[str, Any] = S3FD["detect_faces"]
    detections = np.array([[0.99, 0.1, 0.2, 0.3, 0.6], [0.97, 0.11, 0.21, 0.31, 0.62], [0.95, 0.6, 0.1, 0.85, 0.5], [0.91, 0.29, 0.55, 0.5, 0.95],
                           [0.9, 0.05, 0.05, 0.1, 0.1], [0.89, 0.4, 0.4, 0.6, 0.6]], np.float32)  # fmt: skip
    found, expected = faces_of(detections, 361, 486), np.array(frozen["boxes_x1_y1_x2_y2_score"])
    assert found.shape == expected.shape
    record_deviation("s3fd, faces of a picture", HEAD, np.abs(found - expected).max() / 486, tolerance=USE["decode"], unit=LARGEST)
    assert list(faces_of(detections[4:], 361, 486).shape) == frozen["no_face"]
    assert list(faces_of(detections[:0], 361, 486).shape) == frozen["no_face"]
