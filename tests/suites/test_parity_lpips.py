"""LPIPS against frozen numbers of the original code (tests/fixtures/, with commits and versions) and, live, against the package lpips.

The trunks' weights follow from a formula under torchvision's names, the linear heads are those of the package, the inputs are the formula's clips:
nothing is downloaded. The tolerance is the one stated in the fixture files.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.model import FeatureVariant, Forward, Frames, Values
from benchmark.registry import registry
from benchmark.weights import seeded_tensor
from suites.metrics.lpips import SPEC
from suites.networks import _lpips
from tests.deviations import Recorder
from tests.formula import frames

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
TOLERANCE = 1e-5


def fixture(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


DISCO = fixture("disco_frame_metrics")
PACKAGES = fixture("frame_metrics")
COMMON = fixture("common_metrics")
TRUNKS = {"alex": _lpips.ALEX, "vgg": _lpips.VGG}


@lru_cache(maxsize=2)
def state(name: str) -> dict[str, NDArray[Any]]:
    return {key: seeded_tensor(key, shape) for key, shape in _lpips.shapes(TRUNKS[name]).items()}


@lru_cache(maxsize=4)
def network(extractor: str) -> tuple[Callable[[Frames], NDArray[Any]], Forward, int]:
    """(preprocess, forward, batch), the weights drawn by formula."""
    item = registry().extractors[extractor].item
    return item.preprocess, item.build(state("alex" if "alex" in extractor else "vgg"), "cpu"), item.batch


def rows(extractor: str, clip: Frames) -> NDArray[np.float32]:
    """Through the network in its own batches; every length here is a multiple of them."""
    preprocess, forward, batch = network(extractor)
    inputs = preprocess(clip)
    padded = np.concatenate([inputs, inputs[-1:].repeat(-len(inputs) % batch, axis=0)])
    return np.concatenate([forward(padded[start : start + batch]) for start in range(0, len(padded), batch)])[: len(inputs)]


def variant(id: str) -> FeatureVariant:
    return cast(FeatureVariant, SPEC.variant(id))


def score(id: str, generated: Frames, truth: Frames) -> Values:
    extractor = variant(id).extractor
    return variant(id).score(rows(extractor, generated), rows(extractor, truth))


def relative(values: Any, expected: Any) -> Values:
    """Difference over the expected number; where that is 0, ours must be 0 to the bit."""
    found, wanted = np.asarray(values, np.float64), np.asarray(expected, np.float64)
    assert found.shape == wanted.shape
    return np.divide(found - wanted, wanted, out=np.where(found == wanted, 0.0, np.inf), where=wanted != 0)


def taps(name: str, height: int, width: int) -> list[tuple[int, int]]:
    """Height and width of the maps at the taps, from the layers of torchvision's network."""
    sizes, at = [], (height, width)
    for layer in TRUNKS[name].layers:
        if layer.pool:
            at = ((at[0] - layer.pool) // 2 + 1, (at[1] - layer.pool) // 2 + 1)
        at = (
            (at[0] + 2 * layer.padding - layer.kernel) // layer.stride + 1,
            (at[1] + 2 * layer.padding - layer.kernel) // layer.stride + 1,
        )
        if layer.tap:
            sizes.append(at)
    return sizes


# ------------------------------------------------------------------------------------------------------------------ frozen


@pytest.mark.parity
@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_heads_and_trunks_are_those_of_the_frozen_numbers(name: str) -> None:
    found = _lpips.heads(name)
    for weights, expected in zip(found, PACKAGES["lpips_head_check"][name], strict=True):
        assert len(weights) == expected["shape"][1]
        assert weights.astype(np.float64).sum() == pytest.approx(expected["sum"], rel=1e-12)
    assert {key: list(shape) for key, shape in _lpips.shapes(TRUNKS[name]).items()} == PACKAGES["backbone_shapes"][name]


@pytest.mark.parity
@pytest.mark.parametrize("case", [case for case, columns in DISCO["cases"].items() if "per_frame" in columns["LPIPS"]])
def test_disco(case: str, record_deviation: Recorder) -> None:
    """The real tool/metrics/ssim_l1_lpips_psnr.py, run on the same frames: every frame and the mean."""
    expected = DISCO["cases"][case]["LPIPS"]
    values = score("disco", frames(case, 12, 64, 64), frames("truth", 12, 64, 64))
    measured = [*relative(values, expected["per_frame"]), *relative([variant("disco").pool(values)], [expected["mean"]])]
    record_deviation("lpips@disco", "DisCo c4fa48a", measured, tolerance=TOLERANCE, unit="relative")


@pytest.mark.parity
@pytest.mark.parametrize("case", PACKAGES["metrics"])
@pytest.mark.parametrize(
    ("id", "column"),
    [("alex", "lpips alex"), ("vgg", "lpips vgg"), ("disco", "lpips vgg fed with [0,1] (DisCo)")],
    ids=["alex", "vgg", "disco"],
)
def test_package(id: str, column: str, case: str, record_deviation: Recorder) -> None:
    """lpips 0.1.4, frame by frame."""
    values = score(id, frames(case.split()[0], 6, 72, 96), frames("truth", 6, 72, 96))
    measured = relative(values, PACKAGES["metrics"][case][column]["per_frame"])
    record_deviation(f"lpips@{id}", "lpips 0.1.4", measured, tolerance=TOLERANCE, unit="relative")


@pytest.mark.parity
@pytest.mark.parametrize("case", PACKAGES["metrics"])
@pytest.mark.parametrize("id", ["alex", "vgg"])
def test_package_by_layer(id: str, case: str, record_deviation: Recorder) -> None:
    """A row is its taps one after the other, each with the channels that are kept."""
    extractor = variant(id).extractor
    step = rows(extractor, frames(case.split()[0], 6, 72, 96)) - rows(extractor, frames("truth", 6, 72, 96))
    lengths = [len(_lpips.kept(head)) * h * w for head, (h, w) in zip(_lpips.heads(id), taps(id, 72, 96), strict=True)]
    assert sum(lengths) == step.shape[1]
    parts = np.split(step.astype(np.float64), np.cumsum(lengths)[:-1], axis=1)
    measured = relative([(part**2).sum(axis=1) for part in parts], PACKAGES["metrics"][case][f"lpips {id}"]["per_layer"])
    record_deviation(f"lpips@{id}, each tap", "lpips 0.1.4", measured, tolerance=TOLERANCE, unit="relative")


@pytest.mark.parity
@pytest.mark.parametrize("case", COMMON["frame_metrics"])
def test_common_metrics(case: str, record_deviation: Recorder) -> None:
    """Three videos of twelve frames: means and spreads over videos, frame by frame and altogether."""
    expected = COMMON["frame_metrics"][case]["lpips"]
    pairs = [(frames(case.split()[0], 12, 48, 64, scene), frames("truth", 12, 48, 64, scene)) for scene in range(3)]
    table = np.array([score("alex-spatial", generated, truth) for generated, truth in pairs])
    measured = [
        *relative(table.mean(axis=0), expected["per_frame_mean_over_videos"]),
        *relative(table.std(axis=0), expected["per_frame_std"]),
        *relative([table.mean(), table.std()], expected["only_final"]),
    ]
    record_deviation("lpips@alex-spatial", "common_metrics 5f75173", measured, tolerance=TOLERANCE, unit="relative")


# -------------------------------------------------------------------------------------------------------------------- live


def peer(name: str, spatial: bool = False) -> Any:
    """lpips' own module, its trunk filled with the same numbers."""
    lpips = pytest.importorskip("lpips")
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision's older spelling, which lpips uses
        made = lpips.LPIPS(net=name, pnet_rand=True, spatial=spatial, verbose=False)
    for key, parameter in made.net.named_parameters():
        _, index, kind = key.split(".")
        parameter.data = torch.from_numpy(state(name)[f"features.{index}.{kind}"])
    return made


def asked(module: Any, generated: Frames, truth: Frames, signed: bool = True) -> Values:
    import torch

    sides = [torch.from_numpy(np.ascontiguousarray(clip)).permute(0, 3, 1, 2).float() for clip in (generated, truth)]
    with torch.no_grad():
        found = module(*(x / 127.5 - 1 if signed else x / 255 for x in sides))
    return cast(Values, found.double().flatten(1).mean(dim=1).numpy())


@pytest.mark.peers
@pytest.mark.parametrize(("height", "width"), [(31, 47), (64, 64), (97, 53), (120, 31)])
@pytest.mark.parametrize("id", ["alex", "alex-spatial", "vgg", "disco"])
def test_against_the_package(id: str, height: int, width: int) -> None:
    truth = frames("truth", 2, height, width, 1)
    for name in ("blur", "noisy"):
        generated = frames(name, 2, height, width, 1)
        expected = asked(peer(id.split("-")[0] if id != "disco" else "vgg", "spatial" in id), generated, truth, id != "disco")
        assert score(id, generated, truth) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.peers
@pytest.mark.parametrize("id", ["alex", "alex-spatial", "vgg"])
def test_against_the_package_between_grey_levels(id: str) -> None:
    """float32 frames, as an antialiased resize leaves them."""
    shade = np.linspace(0, 1, 2 * 40 * 56 * 3, dtype=np.float32).reshape(2, 40, 56, 3)
    truth = (frames("truth", 2, 40, 56) * (1 - shade / 8)).astype(np.float32)
    generated = (frames("shifted", 2, 40, 56) * (1 - shade / 4)).astype(np.float32)
    assert score(id, generated, truth) == pytest.approx(asked(peer(id.split("-")[0], "spatial" in id), generated, truth), rel=TOLERANCE)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_the_smallest_picture_is_the_package_s_own(name: str) -> None:
    """One pixel less and the original raises."""
    side = TRUNKS[name].smallest
    module = peer(name)
    small, enough = (frames("truth", 1, n, n) for n in (side - 1, side))
    assert asked(module, enough, enough).tolist() == [0.0]
    with pytest.raises(RuntimeError):
        asked(module, small, small)
