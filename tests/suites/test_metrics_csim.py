"""CSIM: the alignment against scikit-image, closed forms of a tiny ONNX embedder, and what is said of files with another interface.

The embedder of the tests says the maximum of each channel, on [-1, 1], and nought 509 times: cosines of plain colours follow by hand.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import backends, weights
from benchmark.api import run
from benchmark.errors import InputError, Unscored
from benchmark.model import Values
from benchmark.paths import cache_dir
from benchmark.registry import registry
from benchmark.rows import ClipVariant, Found
from suites.embedded import talking
from suites.networks.face_embedding import LENGTH, NAME, WIDTH, embedder
from suites.people._alignment import TEMPLATE, aligned, five, similarity
from suites.people._face_rows import EYES, POINTS
from tests.make import header, row, write

onnx = pytest.importorskip("onnx", reason="the extra [onnxruntime] is not installed")
pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
RNG = np.random.default_rng(4)


def network(side: int = 112, channels: int = 3, length: int = LENGTH) -> bytes:
    """(1, channels, side, side) -> (1, length): the channels' maxima, then noughts."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("GlobalMaxPool", ["in"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["largest"]),
        helper.make_node("Concat", ["largest", "rest"], ["out"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, channels]), "flat"),
        numpy_helper.from_array(np.zeros((1, length - channels), np.float32), "rest"),
    ]
    body = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, (1, channels, side, side))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, length))],
        constants,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def cosine(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> Values:
    variant = registry().variant("csim@arcface-truth")[1]
    assert isinstance(variant, ClipVariant)
    found = variant.score(Found(np.asarray(ours, np.float32), np.asarray(theirs, np.float32), (64, 64), 25.0))
    assert not isinstance(found, float)
    return found


# --------------------------------------------------------------------------------------------------------------- alignment


@pytest.mark.parametrize("seed", range(5))
def test_the_similarity_is_scikit_images(seed: int) -> None:
    """Points with noise, so that no similarity fits exactly: both find the one nearest in squares. Mirrored ones are not mirrored back."""
    transform = pytest.importorskip("skimage.transform", reason="the extra [peers] is not installed")
    rng = np.random.default_rng(seed)
    source = TEMPLATE * rng.uniform(0.5, 3) + rng.uniform(-50, 50, 2) + rng.normal(0, 3, TEMPLATE.shape)
    if seed == 4:
        source[:, 0] *= -1
    expected = transform.SimilarityTransform.from_estimate(source, TEMPLATE)
    assert similarity(source, TEMPLATE) == pytest.approx(expected.params[:2], abs=1e-9)


def test_a_known_similarity_comes_back() -> None:
    angle, scale, shift = 0.3, 2.5, np.array([11.0, -7.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity(TEMPLATE, TEMPLATE @ turn.T + shift)
    assert found == pytest.approx(np.concatenate([turn, shift[:, None]], axis=1), abs=1e-9)
    with pytest.raises(ValueError, match="one place"):
        similarity(np.ones((5, 2)), TEMPLATE)


def mesh(places: NDArray[np.floating]) -> NDArray[np.float64]:
    """(468, 2): the five points the alignment reads lie at these places, everything else far away."""
    points = np.full((POINTS, 2), -1e4)
    for lids, at in ((EYES[1], places[0]), (EYES[0], places[1])):
        points[list(lids)] = at
    points[1], points[61], points[291] = places[2], places[3], places[4]
    return points


def test_five_points_are_read_in_the_templates_order() -> None:
    assert five(mesh(TEMPLATE)) == pytest.approx(TEMPLATE)
    assert five(mesh(TEMPLATE))[0, 0] < five(mesh(TEMPLATE))[1, 0]  # the person's right eye is at the left of the picture


def test_a_face_in_place_stays_and_a_turned_one_is_turned_back() -> None:
    """A picture whose face lies as the template asks is cut out as it is (centres there are at 0, ours at 0.5); turned by 90 degrees, it comes back."""
    picture = RNG.integers(0, 256, (112, 112, 3)).astype(np.uint8)
    assert (aligned(picture, mesh(TEMPLATE + 0.5)) == picture).all()
    turned = np.rot90(picture)  # (x, y) of pixel centres goes to (y, 111 - x)
    places = np.stack([TEMPLATE[:, 1], 111 - TEMPLATE[:, 0]], axis=1)
    assert np.abs(aligned(turned, mesh(places + 0.5)).astype(int) - picture).max() <= 8  # OpenCV's bilinear steps are of 1/32


# ---------------------------------------------------------------------------------------------------------------- embedder


def test_the_embedder_sees_red_first_on_minus_one_to_one() -> None:
    embed = embedder(network(), "cpu")
    face = np.zeros((112, 112, 3), np.uint8)
    face[...] = (255, 0, 51)
    assert embed(face)[:3] == pytest.approx([1, -1, -0.6], abs=1e-6)
    assert embed(face).shape == (LENGTH,)


@pytest.mark.parametrize(("file", "words"), [
    (network(side=160), ("160", "(1, 3, 112, 112)")),
    (network(channels=1), ("1, 1, 112", "(1, 3, 112, 112)")),
    (network(length=128), ("(1, 128)", "(1, 512)")),
    (b"no graph", ("does not parse as onnx",)),
])  # fmt: skip
def test_another_interface_is_named(file: bytes, words: tuple[str, ...]) -> None:
    with pytest.raises(Unscored) as error:
        embedder(file, "cpu")
    assert error.value.reason == "weights-unusable"
    assert all(word in error.value.detail for word in words), error.value.detail


def rows(*faces: tuple[float, ...]) -> NDArray[np.float32]:
    """One frame each: an embedding that begins with these numbers; () = no face."""
    made = np.zeros((len(faces), WIDTH), np.float32)
    for k, face in enumerate(faces):
        made[k, 0] = bool(face)
        made[k, 1 : 1 + len(face)] = face
    return made


def test_the_cosine() -> None:
    """1 for the same direction whatever the length, 0 at right angles, -1 for the opposite, 0.6 for a 3-4-5 triangle; none without both faces."""
    ours = rows((1, 2, 3), (1, 0), (1, 1), (1, 0), (), (5,), ())
    theirs = rows((2, 4, 6), (0, 7), (-3, -3), (3, 4), (5,), (), ())
    assert cosine(ours, theirs) == pytest.approx([1, 0, -1, 0.6, np.nan, np.nan, np.nan], nan_ok=True, abs=1e-7)


def test_against_the_reference() -> None:
    """One picture against every frame; a reference without a face is no reference."""
    variant = registry().variant("csim@arcface-reference")[1]
    assert isinstance(variant, ClipVariant)
    ours = rows((3, 4), (2, 0), ())
    found = variant.score(Found(ours, None, (64, 64), 25.0, rows((1, 0))))
    assert found == pytest.approx([0.6, 1, np.nan], nan_ok=True, abs=1e-7)
    with pytest.raises(Unscored, match="reference picture"):
        variant.score(Found(ours, None, (64, 64), 25.0, rows(())))


# ---------------------------------------------------------------------------------------------------------- the user's file


def entry() -> Any:
    return weights.entry(NAME)


def test_the_users_file_is_run_and_remembered(tmp_path: Path) -> None:
    """A file without a published hash: recorded once it has parsed; another one is then refused by name, a broken one never locks the place."""
    path = tmp_path / entry().file
    with pytest.raises(Unscored) as missing:
        weights.script_for(NAME, tmp_path)
    assert missing.value.reason == "weights-missing"
    assert all(word in missing.value.detail for word in ("face_embedding.onnx", "hvbench weights import", "your own"))
    path.write_bytes(b"no graph")
    with pytest.raises(Unscored, match="does not parse as onnx"):
        weights.script_for(NAME, tmp_path)
    path.write_bytes(network())
    assert weights.script_for(NAME, tmp_path) == network()
    digest = hashlib.sha256(network()).hexdigest()
    assert weights.available(NAME, tmp_path) == ("first-use", digest)
    assert json.loads((cache_dir() / "weights" / "first-use.json").read_text()) == {NAME: digest}
    path.write_bytes(network(length=600))
    with pytest.raises(Unscored, match=digest):
        weights.script_for(NAME, tmp_path)


def test_only_an_onnx_file_can_be_given(tmp_path: Path) -> None:
    """What the catalogue leaves to the user is run in no other format, and no other entry without a hash is run at all."""
    path = tmp_path / "x"
    path.write_bytes(network())
    located = weights.Located(path, hashlib.sha256(network()).hexdigest(), "first-use")
    assert weights.load_script(entry(), located) == network()
    others = (replace(entry(), format="torchscript"), replace(entry(), format="tflite"), replace(entry(), given=False))
    for item in (*others, replace(entry(), sha256="0" * 64, given=False)):
        with pytest.raises(InputError) as error:
            weights.load_script(item, located)
        assert error.value.code == "weights-unsafe"
    path.write_bytes(network(length=600))  # what was hashed is not what would be run
    with pytest.raises(InputError):
        weights.load_script(entry(), located)


@pytest.mark.real_weights
def test_a_run(weights_folder: Path, tmp_path: Path) -> None:
    """A drawn talking person through MediaPipe's published files and the tiny embedder: the truth itself has cosine 1; with half the red it is what the
    extractor gives when it is called directly; the record says whose file it was."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("mediapipe-face-detection", "mediapipe-face-landmark"):
        shutil.copy(weights_folder / "mediapipe_tflite" / weights.entry(name).file, folder)
    (folder / entry().file).write_bytes(network())
    frames = talking.draw(0, replace(talking.SIZE, frames=17)).frames
    write(tmp_path / "truth" / "one.mkv", frames)
    write(tmp_path / "same" / "one.mkv", frames)
    red = frames // np.array([2, 1, 1], np.uint8)
    write(tmp_path / "other" / "one.mkv", red)
    outputs = {name: tmp_path / name for name in ("same", "other")}
    run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs=outputs,
        metrics=["csim@arcface-truth", "csim@arcface-reference"],
        reference_frame={"same": 2},
        weights_folder=folder,
        out=tmp_path / "run",
    )
    same, other = (row(tmp_path / "run", name, "csim@arcface-truth") for name in outputs)
    assert same["value"] == pytest.approx(1, abs=1e-6)
    assert same["weights"] == "first-use"
    forward = backends.load(registry().extractors["face-embedding"].item, "real", folder, "cpu")
    ours, theirs = (np.concatenate([forward(frame[None]) for frame in side]) for side in (red, frames))
    assert ours[:, 0].all()
    assert other["value"] == pytest.approx(cosine(ours, theirs).mean(), rel=1e-9)
    assert other["value"] < 0.999
    # The frame that is the reference is not compared; of the other method nothing says what it was given.
    kept = np.arange(len(theirs)) != 2
    found = row(tmp_path / "run", "same", "csim@arcface-reference")
    assert found["value"] == pytest.approx(cosine(theirs[kept], np.repeat(theirs[2:3], kept.sum(), axis=0)).mean(), rel=1e-9)
    assert row(tmp_path / "run", "other", "csim@arcface-reference")["reason"] == "no-reference"
    network_ = header(tmp_path / "run")["plan"]["networks"]["face-embedding"]
    hashes = " ".join(weights.available(name, folder)[1] for name in registry().extractors["face-embedding"].item.files)
    assert network_["sha256"] == hashlib.sha256(hashes.encode()).hexdigest()
