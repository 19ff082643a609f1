"""Subject dynamics by SAM and RAFT: closed forms with given masks and flows, each network against its own package called directly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark import backends, machine, plan, weights
from benchmark.errors import Unscored
from benchmark.model import Extractor
from benchmark.registry import WeightsEntry, registry
from benchmark.rows import ClipVariant, Found
from suites.networks import raft
from suites.networks.sam_raft import PERSONS, RAFT, SPEC, build, main_person, pairwise, shapes
from suites.people._dynamic_degree import pads
from tests.formula import weights as formula
from tests.make import movie
from tests.suites.test_dwpose import detections, graph

Register = Callable[..., None]
HEIGHT, WIDTH = 100, 83
PERSON = np.array([[20.0, 10.0, 40.0, 50.0]])


def given_flow(person: tuple[float, float], camera: tuple[float, float]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """A flow that is `person` inside PERSON's box and `camera` elsewhere; on the padding something enormous."""

    def flow(pair: NDArray[np.float32]) -> NDArray[np.float32]:
        left, right, top, bottom = pads(HEIGHT, WIDTH)
        assert pair.shape == (2, HEIGHT + top + bottom, WIDTH + left + right, 3)
        field = np.full((2, *pair.shape[1:3]), 1e6, np.float32)
        inner = field[:, top : top + HEIGHT, left : left + WIDTH]
        inner[...] = np.array(camera)[:, None, None]
        inner[:, 10:50, 20:40] = np.array(person)[:, None, None]
        return field

    return flow


def boxed(picture: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.bool_]:
    """A mask that is the box itself."""
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    made = np.zeros(picture.shape[:2], np.bool_)
    made[y0:y1, x0:x1] = True
    return made


def pair() -> NDArray[np.uint8]:
    return np.zeros((1, 2, HEIGHT, WIDTH, 3), np.uint8)


def test_a_given_mask_and_flow() -> None:
    """A person of 40 x 20 pixels goes (3, 4), the camera (1, 0): 5 with it, sqrt(4 + 16) without; the padding's flow is nowhere in it."""
    boxes = np.concatenate([[[0.0, 0.0, 5.0, 9.0]], PERSON])  # the larger of two
    row = pairwise(lambda _: boxes, boxed, given_flow((3, 4), (1, 0)))(pair())
    assert row[0] == pytest.approx([800 / (HEIGHT * WIDTH), 5, np.sqrt(20), 1, 0], rel=1e-6)


def test_nobody_has_no_mask() -> None:
    def never(picture: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.bool_]:
        raise AssertionError("there is no box to ask with")

    row = pairwise(lambda _: np.zeros((0, 4)), never, given_flow((3, 4), (1, 0)))(pair())
    assert row[0] == pytest.approx([0, 0, 0, 1, 0])
    variant = registry().variant("sd@sam-raft-1")[1]
    assert isinstance(variant, ClipVariant)
    with pytest.raises(Unscored) as error:
        variant.score(Found(row, None, (WIDTH, HEIGHT), 25.0))
    assert error.value.reason == "no-person"


def test_the_main_person_is_clipped_to_the_picture() -> None:
    boxes = np.array([[-5.0, -7.0, 50.0, 200.0], [10.0, 10.0, 60.0, 90.0]])
    assert main_person(boxes, HEIGHT, WIDTH) == pytest.approx([0, 0, 50, 100])
    assert main_person(boxes[:0], HEIGHT, WIDTH) is None


def test_a_flow_that_is_no_number_is_told() -> None:
    row = pairwise(lambda _: PERSON, boxed, lambda two: np.full((2, *two.shape[1:3]), np.nan, np.float32))(pair())
    assert np.isnan(row).all()  # which the pass reports as nan-features


@pytest.mark.parametrize("stem", ["sam-raft-1", "sam-b-raft-1"])
def test_units(stem: str) -> None:
    """A pair, a second of 8 pairs (or of a slower clip's own), and without the camera."""
    rows = np.array([[0.2, 4, 3, 0, 0], [0.2, 8, 5, 0, 0], [0.001, 9, 9, 0, 0]], np.float32)
    expected = {"": (6.0, 6.0), "-second": (48.0, 30.0), "-camfree": (4.0, 4.0)}
    for ending, values in expected.items():
        variant = registry().variant(f"sd@{stem}{ending}")[1]
        assert isinstance(variant, ClipVariant)
        for fps, value in zip((25.0, 5.0), values, strict=True):
            assert variant.score(Found(rows, None, (64, 64), fps)) == pytest.approx(value)


def test_the_flow_is_torchvisions() -> None:
    """Torchvision's module fed by torchvision's own transforms of these weights, called directly, with weights by formula.

    With those as they are, 20 updates make 130 pixels of 6e-5 (the layout of the input in memory is enough): so the head that adds to the flow is
    weakened to a fiftieth, where the same 20 updates keep that to 1.5e-5 of the longest vector.
    """
    from torchvision.models.optical_flow import Raft_Large_Weights

    state = {
        name: np.asarray(values, np.float32) * np.float32(0.02 if "flow_head" in name else 1)
        for name, values in formula(raft.shapes()).items()
    }
    frames = movie(3, 2, 128, 136)
    model = raft.network()
    model.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()}, strict=False)
    model.eval()
    given = Raft_Large_Weights.C_T_SKHT_V2.transforms()(*(torch.from_numpy(frame).permute(2, 0, 1)[None].contiguous() for frame in frames))
    with torch.no_grad():
        expected = model(*given, num_flow_updates=20)[-1][0].numpy()
    flow = raft.flows(state, "cpu")
    longest = np.abs(expected).max()
    assert np.abs(flow(frames.astype(np.float32)) - expected).max() <= 1e-4 * longest
    assert np.abs(flow(frames[::-1].astype(np.float32)) - expected).max() > 0.1 * longest  # the order counts


def test_each_file_is_read_by_its_format(register: Register, tmp_path: Path) -> None:
    """A graph and two files of tensors in one network: bytes for the one, checked tensors for the others."""
    pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
    seen: dict[str, Any] = {}

    def keep(states: Any, device: str) -> Any:
        seen.update(states)

    tensors = {"zz-a": {"x": torch.ones(2, 3)}, "zz-b": {"net.y": torch.zeros(4), "counter": torch.tensor(3)}}
    for name, state in tensors.items():
        torch.save(state, tmp_path / f"{name}.pth")
        register(WeightsEntry(name=name, file=f"{name}.pth", format="torch", licence="none"))
    program = graph((1, 3, 4, 4), np.zeros((1, 2), np.float32))
    (tmp_path / "zz-c.onnx").write_bytes(program)
    register(WeightsEntry(name="zz-c", file="zz-c.onnx", format="onnx", licence="none", sha256=hashlib.sha256(program).hexdigest()))
    mixed = Extractor(
        id="zz-mixed",
        version=1,
        summary="",
        source="",
        dimension=1,
        batch=1,
        preprocess=lambda frames: frames,
        build=keep,
        weights=("zz-a", "zz-b", "zz-c"),
        shapes={"zz-a": lambda: {"x": (2, 3)}, "zz-b": lambda: {"y": (4,)}},
        rename={"zz-b": lambda found: {"y": found["net.y"]}},
        script=True,
    )
    backends.load(mixed, "real", tmp_path, "cpu")
    assert seen["zz-c"] == program
    assert seen["zz-a"]["x"].tolist() == [[1.0] * 3] * 2
    assert list(seen["zz-b"]) == ["y"]
    # Torch's arithmetic is one and the same whatever is asked for, and what runs the graph is part of every key.
    assert [backends.of(mixed, asked) for asked in (machine.TORCH, machine.TF32, machine.ONNX)] == [machine.TORCH] * 3
    assert set(backends.numerics(mixed, "cpu", machine.TORCH)) - set(machine.numerics("cpu")) == {"onnxruntime", "onnxscript"}
    with pytest.raises(Unscored, match="other shape x"):
        backends.load(replace(mixed, shapes={"zz-a": lambda: {"x": (3, 2)}}), "real", tmp_path, "cpu")
    backends.load(replace(mixed, rename=None), "seeded", tmp_path, "cpu")
    assert seen["zz-c"] == program
    assert set(seen["zz-a"]) == {"x"}
    assert not np.array_equal(seen["zz-a"]["x"], np.ones((2, 3)))
    with pytest.raises(Unscored, match="weights-missing"):
        backends.load(mixed, "seeded", tmp_path / "elsewhere", "cpu")


def test_files_of_one_kind_keep_their_keys() -> None:
    """Nothing is added where the back end itself says what runs."""
    for name in ("selfie-dis", "dwpose", "inception", "raft-top"):
        extractor = registry().extractors.get(name)
        if extractor is not None:
            backend = backends.of(extractor.item, machine.TORCH)
            assert backends.numerics(extractor.item, "cpu", backend) == machine.numerics("cpu", backend)


def test_a_rehearsal_needs_the_graph() -> None:
    """SAM and RAFT are drawn by formula, YOLOX is a graph and must be there."""

    class Spec:
        weights, device, backend = "seeded", "cpu", "torch"

    for extractor in SPEC:
        with pytest.raises(Unscored, match="hvbench weights pull dwpose-yolox-l"):
            plan._network(extractor, Spec(), None)  # type: ignore[arg-type]
        assert [weights.entry(name).format for name in extractor.files] == ["torch", "torch", "onnx"]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from suites.networks import sam_raft

    monkeypatch.setattr(sam_raft.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unscored) as error:
        sam_raft.network("vit_b")
    assert error.value.reason == "not-installed"
    assert "[sam]" in error.value.detail


@pytest.mark.slow
def test_the_whole_network_against_sams_other_entry() -> None:
    """ViT-B with weights by formula, asked by a detector's box: `build`'s mask is that of `Sam.forward`, fed by hand with Pillow's picture and a box
    in the long side's 1024 pixels; then the same mask, RAFT's flow and the arithmetic give the row."""
    pytest.importorskip("segment_anything", reason="the extra [sam] is not installed")
    pytest.importorskip("onnxruntime", reason="the extra [onnxruntime] is not installed")
    from PIL import Image

    from suites.networks.dwpose import INPUTS
    from suites.networks.sam_raft import masks, network
    from suites.people._dynamics import dynamics

    height, width = 128, 256
    frames = movie(4, 2, height, width)
    state = {name: np.asarray(values, np.float32) for name, values in formula(shapes("vit_b")).items()}
    flow_state = {name: np.asarray(values, np.float32) for name, values in formula(raft.shapes()).items()}
    box = np.array([30.0, 20.0, 120.0, 110.0])
    found = masks(state, "vit_b", "cpu")(frames[0], box)
    model = network("vit_b")
    model.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()})
    long = 1024 / width
    large = np.asarray(Image.fromarray(frames[0]).resize((1024, round(height * long)), Image.Resampling.BILINEAR))
    asked = {
        "image": torch.from_numpy(large.copy()).permute(2, 0, 1),
        "original_size": (height, width),
        "boxes": torch.from_numpy(box[None] * long).float(),
    }
    with torch.no_grad():
        logits = model([asked], multimask_output=False)[0]["masks"][0, 0].numpy()
    assert found.shape == (height, width)
    assert 0 < found.mean() < 1
    assert (found != logits).mean() <= 1e-4  # a logit at nought may fall on either side
    raw = detections(tuple(box * 640 / width))  # type: ignore[arg-type]
    made = build({PERSONS: graph(INPUTS[0], raw), RAFT: flow_state, "sam-vit-b": state}, "cpu", size="vit_b", weights="sam-vit-b")
    row = made(frames[None])[0]
    field = raft.flows(flow_state, "cpu")(frames.astype(np.float32))
    assert row == pytest.approx(dynamics(found, field.transpose(1, 2, 0)), rel=1e-3)
