"""LPIPS: identities, the shares of places against torch's own upsampling, refusals, and whole runs with weights by formula.

Expected: closed forms; values of runs from the networks called directly on the clips' frames. Equality with the original is in test_parity_lpips.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import evaluate, weights
from benchmark.api import run
from benchmark.errors import Unscored
from benchmark.media import decode, probe
from benchmark.model import Extractor, FeatureVariant, Forward, Frames, Metric, Values
from benchmark.record import Record
from benchmark.registry import registry
from suites.metrics.lpips import SPEC
from suites.networks import _lpips, lpips
from tests.formula import frames
from tests.make import Study, movie, study, write

Floats = NDArray[np.float32]
IDS = [variant.id for variant in SPEC.variants]


def variant(id: str) -> FeatureVariant:
    return cast(FeatureVariant, SPEC.variant(id))


def extractor(id: str) -> Extractor:
    return registry().extractors[variant(id).extractor].item


def seeded(item: Extractor) -> dict[str, NDArray[Any]]:
    return weights.state_for(item.weights, item.shapes, "seeded", None, item.rename)[0]


@pytest.fixture(scope="module")
def networks() -> dict[str, Forward]:
    return {id: extractor(id).build(seeded(extractor(id)), "cpu") for id in IDS}


def score(networks: Mapping[str, Forward], id: str, generated: Frames, truth: Frames) -> Values:
    """In the network's constant batch, the last one filled up with black."""
    batch = extractor(id).batch

    def rows(clip: Frames) -> Floats:
        padded = np.concatenate([clip, np.zeros((-len(clip) % batch, *clip.shape[1:]), clip.dtype)])
        return np.concatenate([networks[id](padded[k : k + batch]) for k in range(0, len(padded), batch)])[: len(clip)]

    return variant(id).score(rows(generated), rows(truth))


# --------------------------------------------------------------------------------------------------------------- identities


@pytest.mark.parametrize("id", IDS)
def test_identical_frames_have_no_distance(networks: dict[str, Forward], id: str) -> None:
    clip = np.concatenate([frames("truth", 1, 40, 52), np.zeros((1, 40, 52, 3), np.uint8), np.full((1, 40, 52, 3), 255, np.uint8)])
    assert score(networks, id, clip, clip.copy()).tolist() == [0.0] * 3


@pytest.mark.parametrize("id", IDS)
def test_symmetric_positive_and_growing(networks: dict[str, Forward], id: str) -> None:
    """The noise of the formula's clip `noisy` grows from frame to frame."""
    truth, noisy = frames("truth", 4, 48, 40), frames("noisy", 4, 48, 40)
    there, back = score(networks, id, noisy, truth), score(networks, id, truth, noisy)
    assert there.dtype == np.float64
    assert np.array_equal(there, back)
    assert there[0] > 0
    assert (np.diff(there) > 0).all()


@pytest.mark.parametrize("id", IDS)
def test_whole_grey_levels_are_the_same_in_float(networks: dict[str, Forward], id: str) -> None:
    clip = frames("truth", extractor(id).batch, 40, 52)
    assert np.array_equal(networks[id](clip), networks[id](clip.astype(np.float32)))


def test_the_range_and_the_mean_matter(networks: dict[str, Forward]) -> None:
    """A spot in a corner: places do not weigh the same in the mean of an upsampled map."""
    truth = frames("truth", 1, 45, 61)
    spot = truth.copy()
    spot[:, :12, :12] = frames("blur", 1, 45, 61)[:, :12, :12]
    values = {id: score(networks, id, spot, truth)[0] for id in IDS}
    assert abs(values["vgg"] / values["disco"] - 1) > 0.01
    assert abs(values["alex"] / values["alex-spatial"] - 1) > 1e-4


def test_the_distance_of_rows_in_float64() -> None:
    """Longer than a block; a float32 sum would lose the small terms beside the large one."""
    row = np.full((2, 100_001), 2.0**-12, np.float32)
    row[1] *= 2
    row[:, 0] = 2.0**7
    found = variant("alex").score(row, np.zeros_like(row))
    assert found.tolist() == [2.0**14 + 100_000 * 2.0**-24, 2.0**14 + 100_000 * 2.0**-22]


# ------------------------------------------------------------------------------------------------------------------- shares


@pytest.mark.parametrize(("inner", "outer"), [(1, 31), (3, 32), (7, 30), (15, 64), (64, 64), (5, 7)])
def test_shares_of_places_in_the_upsampled_mean(inner: int, outer: int) -> None:
    """Against torch's upsampling of the unit vectors, in float64."""
    import torch

    unit = torch.eye(inner, dtype=torch.float64)[:, None, :]
    expected = torch.nn.functional.interpolate(unit, size=outer, mode="linear", align_corners=False).mean(dim=2).flatten().numpy()
    found = _lpips.shares(inner, outer, True)
    assert found == pytest.approx(expected, abs=1e-15)
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1, abs=1e-14)
    assert _lpips.shares(inner, outer, False).tolist() == [1 / inner] * inner


# ----------------------------------------------------------------------------------------------------------- heads, weights


def test_a_negative_head_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        _lpips.roots(np.array([0.5, -1e-9], np.float32))
    with pytest.raises(ValueError, match="negative"):
        _lpips.roots(np.array([0.5, np.nan], np.float32))


def test_other_heads_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "alex.pth"
    path.write_bytes(b"other")
    with pytest.raises(Unscored) as reason:
        _lpips.read_heads(path, _lpips.HEADS["alex"])
    assert reason.value.reason == "weights-unusable"
    assert hashlib.sha256(b"other").hexdigest() in reason.value.detail


@pytest.mark.parametrize("spec", [None, ModuleSpec("lpips", None), "empty folder"])
def test_absent_heads_say_what_to_install(spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = spec
    if spec == "empty folder":
        found = ModuleSpec("lpips", None, is_package=True)
        found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    with pytest.raises(Unscored, match="pip install") as reason:
        _lpips.heads("vgg")
    assert reason.value.reason == "weights-missing"


def test_a_published_file_loses_its_classifier_only() -> None:
    wanted = _lpips.shapes(_lpips.ALEX)
    file = {**{name: np.zeros(shape, np.float32) for name, shape in wanted.items()}, "classifier.1.weight": np.zeros((2, 2), np.float32)}
    rename = extractor("alex").rename
    assert rename is not None
    assert set(rename(file)) == set(wanted)


def test_catalogue_entries_name_the_users() -> None:
    for name, own in (("alexnet-imagenet", ["lpips@alex", "lpips@alex-spatial"]), ("vgg16-imagenet", ["lpips@vgg", "lpips@disco"])):
        users = weights.users(name)
        assert [user for user in users if user.startswith("lpips@")] == own
        assert all(user.endswith("-vgg") is (name == "vgg16-imagenet") for user in users if user.startswith("lpips-hand@"))
    for name in ("alexnet-imagenet", "vgg16-imagenet"):
        entry = weights.entry(name)
        assert entry.sha256 is not None
        # torchvision writes the first eight digits of the hash into the file's name.
        assert Path(entry.file).stem.rpartition("-")[2] == entry.sha256[:8]


def test_nothing_is_stored_of_rows_without_a_fixed_length() -> None:
    assert [item.store for item in lpips.SPEC] == [False] * 4


# -------------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("id", IDS)
def test_the_smallest_picture(networks: dict[str, Forward], id: str) -> None:
    """The stated side still gives a value; one pixel less on either side is refused with both sizes."""
    item = extractor(id)
    least = 31 if "alex" in id else 16
    truth, blur = frames("truth", 1, least, least), frames("blur", 1, least, least)
    assert score(networks, id, item.preprocess(blur), item.preprocess(truth))[0] > 0
    for height, width in ((least - 1, 64), (64, least - 1)):
        with pytest.raises(Unscored) as reason:
            item.preprocess(frames("truth", 1, height, width))
        assert reason.value.reason == "too-small"
        assert f"at least {least} pixels a side, compared at {width}x{height}" in reason.value.detail


# --------------------------------------------------------------------------------------------------------------------- runs

CASES, COUNT, SIDE = ("one",), 18, 32


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study(tmp_path_factory.mktemp("study"), ("a", "b"), CASES, n=COUNT, side=SIDE)


def go(made: Study, out: Path, *names: str) -> Record:
    return run(
        suite="tiktok",
        truth=made.root / "truth",
        outputs={method: made.root / method for method in made.methods},
        metrics=names,
        weights="seeded",
        out=out,
    )


def row(record: Record, adapter: str, name: str) -> dict[str, Any]:
    (found,) = [r for r in record.scores if (r["adapter"], f"{r['metric']}@{r['variant']}") == (adapter, name)]
    return found


def decoded(path: Path) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(path))))


def directly(networks: Mapping[str, Forward], made: Study, method: str, id: str) -> float:
    sides = [[decoded(made.root / folder / f"{case}.mkv") for case in made.cases] for folder in (method, "truth")]
    return float(np.mean([score(networks, id, ours, theirs).mean() for ours, theirs in zip(*sides, strict=True)]))


def test_a_run_gives_what_the_networks_give(networks: dict[str, Forward], clips: Study, tmp_path: Path) -> None:
    record = go(clips, tmp_path / "run", *(f"lpips@{id}" for id in IDS))
    for method in clips.methods:
        for id in IDS:
            found = row(record, method, f"lpips@{id}")
            assert found["value"] == pytest.approx(directly(networks, clips, method, id), rel=1e-5)
            assert (found["n_clips"], found["n_frames"], found["n_failed"], found["weights"]) == (1, COUNT, 0, "seeded-1")
    assert row(record, "a", "lpips@alex")["value"] < row(record, "b", "lpips@alex")["value"]


def test_the_truth_runs_once_for_all_methods(
    register: Callable[..., None], networks: dict[str, Forward], clips: Study, tmp_path: Path
) -> None:
    """18 frames in batches of 4 are 5 forwards a clip; one truth and two methods: 5 * 3 in all."""
    shapes: list[tuple[int, ...]] = []

    def build(state: Mapping[str, NDArray[Any]], device: str) -> Forward:
        real = lpips.SPEC[0].build(state, device)

        def forward(batch: NDArray[Any], /) -> Floats:
            shapes.append(batch.shape)
            return real(batch)

        return forward

    counted = replace(lpips.SPEC[0], id="zz-counted", build=build)
    register(counted, Metric(name="zz", title="Z", higher_is_better=False, variants=(replace(variant("alex"), extractor="zz-counted"),)))
    record = go(clips, tmp_path / "run", "zz@alex")
    assert shapes == [(4, SIDE, SIDE, 3)] * 15
    assert row(record, "b", "zz@alex")["value"] == pytest.approx(directly(networks, clips, "b", "alex"), rel=1e-5)


@pytest.mark.parametrize("id", ["alex", "vgg"])
def test_no_value_depends_on_how_many_frames_come_at_a_time(clips: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id: str) -> None:
    found = []
    for chunk in (1, 3, 4):
        monkeypatch.setattr(evaluate, "LIVE_CHUNK", chunk)
        record = go(clips, tmp_path / str(chunk), f"lpips@{id}")
        found.append([row(record, method, f"lpips@{id}")["value"] for method in clips.methods])
    assert found[0] == found[1] == found[2]
    assert min(found[0]) > 0


def test_pictures_too_small_for_one_network_are_scored_by_the_other(tmp_path: Path) -> None:
    """24 pixels: enough for VGG16 (16), not for AlexNet (31). The other clip is scored by both."""
    for case, side in (("small", 24), ("large", 32)):
        for number, folder in enumerate(("truth", "a")):
            write(tmp_path / folder / f"{case}.mkv", movie(number, COUNT, side, side))
    record = go(Study(tmp_path, ("a",), ("small", "large")), tmp_path / "run", "lpips@alex", "lpips@vgg")
    alex, vgg = row(record, "a", "lpips@alex"), row(record, "a", "lpips@vgg")
    assert (vgg["n_clips"], vgg["n_failed"]) == (2, 0)
    assert (alex["n_clips"], alex["n_failed"]) == (1, 1)
    assert alex["value"] > 0
    (entry,) = [e for unit, e in record.journal.items() if unit.case == "small"]
    assert "too-small" in str(entry["features"])
    only = go(Study(tmp_path, ("a",), ("small",)), tmp_path / "again", "lpips@alex")
    assert row(only, "a", "lpips@alex")["n_failed"] == 1
