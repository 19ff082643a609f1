"""FID's resizes, features and distances against frozen numbers of the original code (tests/fixtures/, with commits and versions).

Inputs and weights follow from formulas, so nothing is downloaded: parity holds for any weights. Tolerances are those of the fixture files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.features import Node
from benchmark.model import Extractor, Forward, SetVariant
from benchmark.resize import bicubic
from benchmark.weights import seeded_tensor
from suites.metrics import fid
from suites.networks import _inception, inception
from suites.networks._resize import bilinear, tf1_bilinear
from tests.deviations import Recorder
from tests.formula import frames, weights

pytestmark = pytest.mark.parity

Floats = NDArray[np.float32]
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
EXTRACTORS = {extractor.id: extractor for extractor in inception.SPEC}


def fixture(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


RESIZES = fixture("resize_299")
INCEPTION = fixture("inception")

ROWS = {  # row of the file -> what it is called on the page, the package, our function, tolerance, unit
    "clean-fid build_resizer('clean') (PIL bicubic float, clipped to 0..255)": (
        "clean", "clean-fid e88c4d6", lambda x: bicubic(x, 299, 299), 1e-4, "grey levels",
    ),
    "torch-fidelity TF1 bilinear": ("tf1", "torch-fidelity 5e211a9", lambda x: tf1_bilinear(x, 299), 1e-4, "grey levels"),
    "pytorch_fid bilinear (no antialias), on x / 255": (
        "tf", "pytorch-fid b9c1811", lambda x: bilinear(x / np.float32(255), 299, False), 1e-6, "",
    ),
    "torchmetrics bilinear antialias=True": ("torchmetrics", "torchmetrics 1.9.0", lambda x: bilinear(x, 299, True), 1e-4, "grey levels"),
    # No variant rests on this one: clean-fid's mode for old numbers, the resize of `tf` before instead of after the division by 255.
    "clean-fid build_resizer('legacy_pytorch')": (
        "tf on 0..255", "clean-fid e88c4d6 build_resizer(legacy_pytorch)", lambda x: bilinear(x, 299, False), 1e-4, "grey levels",
    ),
}  # fmt: skip
COLUMNS = {
    "inception-tf": ("pytorch_fid InceptionV3([3]) on ToTensor [0,1]", "pytorch-fid b9c1811"),
    "inception-clean": (
        "clean-fid build_resizer('clean'), then (x - 128) / 128, then the same network",
        "clean-fid e88c4d6 (resize), pytorch-fid b9c1811 (network)",
    ),
    "inception-torchmetrics": ("torchmetrics NoTrainInceptionV3 2048 on uint8 (antialias=True, its default)", "torchmetrics 1.9.0"),
    "inception-tf1": ("torch_fidelity FeatureExtractorInceptionV3 2048 on uint8", "torch-fidelity 5e211a9"),
}


@pytest.fixture(scope="module")
def state() -> dict[str, NDArray[Any]]:
    return {name: seeded_tensor(name, shape) for name, shape in _inception.shapes().items()}


@pytest.fixture(scope="module")
def network(state: dict[str, NDArray[Any]]) -> Forward:
    return _inception.build(state, "cpu")


def pictures(call: str) -> NDArray[np.uint8]:
    """(1, h, w, 3) of a call written as `frames('noisy', 9, 301, 333, 1)[8]`."""
    inner, _, index = call.removeprefix("frames(").removesuffix("]").partition(")[")
    name, *numbers = inner.split(",")
    return frames(name.strip("' "), *(int(number) for number in numbers))[int(index)][None]


def features(extractor: Extractor, network: Forward, clips: list[NDArray[np.uint8]]) -> Floats:
    """Through the engine's own batches, sizes mixed."""
    rows: list[Floats] = []
    node = Node(extractor, network, [rows.append])
    for clip in clips:
        node.push(clip)
    node.finish()
    return np.concatenate(rows)


def test_the_files_say_what_is_tested() -> None:
    """Every row of every size, and every column of every picture, has its test below."""
    assert {row for size in RESIZES["sizes"].values() for row in size if row != "input"} == set(ROWS)
    columns = {column for picture in INCEPTION["images"].values() for column in picture}
    assert columns == {column for column, _ in COLUMNS.values()} | {"float64_max_abs_difference"}
    assert {variant.extractor for variant in fid.SPEC.variants if variant.id != "mobilenet"} == set(COLUMNS) == set(EXTRACTORS)


@pytest.mark.parametrize("size", RESIZES["sizes"])
@pytest.mark.parametrize("row", ROWS)
def test_resizes(row: str, size: str, record_deviation: Recorder) -> None:
    """Seven probed pixels, the extremes, and the mean of all pixels."""
    name, against, resize, tolerance, unit = ROWS[row]
    expected = RESIZES["sizes"][size][row]
    made = resize(pictures(RESIZES["sizes"][size]["input"]).astype(np.float32))[0]
    probes = np.array([made[y, x] for y, x in RESIZES["probes_row_column"]], np.float64) - expected["probes"]
    total = made.sum(dtype=np.float64) - expected["sum"]
    off = [*probes.ravel(), made.min() - expected["min"], made.max() - expected["max"], total / made.size]
    record_deviation(f"resize to 299, {name}", against, off, tolerance=tolerance, unit=unit)


def test_shapes_are_the_networks() -> None:
    """All names and shapes but the classifier and the counters of batches, which no feature depends on."""
    named = {name: tuple(shape) for name, shape in INCEPTION["shapes"].items()}
    left_out = {name for name in named if name.startswith("fc.") or name.endswith("num_batches_tracked")}
    assert _inception.shapes() == {name: shape for name, shape in named.items() if name not in left_out}
    whole = {name: np.zeros(1) for name in named}
    assert set(_inception.rename(whole)) == set(named) - left_out


def test_weights_by_formula_are_the_fixtures(state: dict[str, NDArray[Any]]) -> None:
    """The product's formula and the one the frozen numbers were made with: equal to the bit."""
    for name, tensor in weights(_inception.shapes()).items():
        np.testing.assert_array_equal(state[name], tensor)


@pytest.mark.parametrize("id", COLUMNS)
def test_features(id: str, network: Forward, record_deviation: Recorder) -> None:
    """2,048 features of the first picture in pytorch-fid's column, 16 of the others, and sum and length of all of them.

    Features are divided by the largest of the picture, sum and length by themselves.
    """
    column, against = COLUMNS[id]
    found = features(EXTRACTORS[id], network, [pictures(call) for call in INCEPTION["images"]]).astype(np.float64)
    for row, picture in zip(found, INCEPTION["images"].values(), strict=True):
        expected = picture[column]
        values = expected.get("values", expected.get("first16"))
        off = (row[: len(values)] - values) / row.max()
        record_deviation(id, against, off, tolerance=5e-5, unit="of the largest")
        whole = [row.sum() / expected["sum"] - 1, np.linalg.norm(row) / expected["l2"] - 1]
        record_deviation(f"{id}: sum and length", against, whole, tolerance=5e-5, unit="relative")


def test_float64(state: dict[str, NDArray[Any]], record_deviation: Recorder) -> None:
    """The frozen float32 features are as far from ours in float64 as they were from the original's in float64 (which is stated per picture
    and by features in full for the first)."""
    call, picture = next(iter(INCEPTION["images"].items()))
    network = _inception.build({name: tensor.astype(np.float64) for name, tensor in state.items()}, "cpu")
    exact = network(EXTRACTORS["inception-tf"].preprocess(pictures(call)).astype(np.float64))[0]
    frozen = np.array(picture[COLUMNS["inception-tf"][0]]["values"])
    gap = float(np.abs(frozen - exact).max())
    off = (gap - picture["float64_max_abs_difference"]) / float(frozen.max())
    record_deviation("inception-tf in float64: distance to float32", "pytorch-fid b9c1811", off, tolerance=5e-5, unit="of the largest")


def test_fid_over_folders(network: Forward, record_deviation: Recorder) -> None:
    """calculate_fid_given_paths over 24 pictures a side. `exact` is free of SciPy's root of a singular product, the code's value is not."""
    variant = cast(SetVariant, fid.SPEC.variant("tf"))

    def folder(name: str) -> Floats:
        return features(EXTRACTORS[variant.extractor], network, [frames(name, 8, 64, 64, scene) for scene in range(3)])

    truth = folder("truth")
    for pair, expected in INCEPTION["fid_over_folders"]["scores"].items():
        value = variant.distance(folder(pair.split()[0]), truth)
        for column, what in (("exact", "exact"), ("value_of_the_code", "its value")):
            against = f"pytorch-fid b9c1811 over folders: {what}"
            record_deviation("fid@tf", against, value / expected[column] - 1, tolerance=1e-4, unit="relative")
