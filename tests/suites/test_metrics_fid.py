"""FID and KID. Expected numbers are closed forms, identities, the distances called directly, and pytorch-fid and torchmetrics run live;
frozen numbers are in test_parity_fid.py. Weights are by formula: no number here depends on which they are."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import benchmark
from benchmark import statistics
from benchmark.errors import InputError, Unscored
from benchmark.features import Node
from benchmark.loading import forward
from benchmark.media import decode, probe
from benchmark.model import Extractor, Forward, Metric, SetVariant
from benchmark.record import Record
from benchmark.registry import WeightsEntry, registry
from benchmark.weights import seeded_tensor, state_for
from suites.metrics import fid, kid
from suites.networks import _inception, inception
from suites.networks._resize import bilinear, tf1_bilinear
from tests.formula import frames
from tests.make import Study, movie, study, write

Floats = NDArray[np.float32]
Register = Callable[..., None]
EXTRACTORS = {extractor.id.removeprefix("inception-"): extractor for extractor in inception.SPEC}
WAYS = pytest.mark.parametrize("way", EXTRACTORS)


def distance(metric: Metric, way: str = "tf") -> Callable[[Any, Any], float]:
    return cast(SetVariant, metric.variant(way)).distance


def network(way: str = "tf") -> Forward:
    """The network of this process, shared with the runs below."""
    return forward(EXTRACTORS[way].id, "seeded", None, "cpu")


def features(way: str, *clips: NDArray[Any]) -> Floats:
    """Clip by clip, as in a run."""
    rows: list[Floats] = []
    for clip in clips:
        node = Node(EXTRACTORS[way], network(way), [rows.append])
        node.push(clip)
        node.finish()
    return np.concatenate(rows)


def cloud(n: int, d: int = 6, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((n, d))


# --------------------------------------------------------------------------------------------------------- the distances


@WAYS
def test_identical_sets(way: str) -> None:
    """FID 0. Unbiased KID of a set with itself: the kernel's means without the diagonal, minus the mean with it; below zero."""
    x = cloud(30)
    assert distance(fid.SPEC, way)(x, x) == pytest.approx(0, abs=1e-7)
    kernel = (x @ x.T / 6 + 1) ** 3
    expected = 2 * ((kernel.sum() - np.trace(kernel)) / (30 * 29) - kernel.mean())
    assert distance(kid.SPEC, way)(x, x) == pytest.approx(expected, rel=1e-12)
    assert expected < 0


def test_halves_of_one_sample() -> None:
    """The mean over 200 draws of the unbiased KID is 0 within four of its standard errors; FID is biased upwards and lies far above."""
    kids, fids = [], []
    for seed in range(200):
        whole = cloud(40, seed=seed)
        kids.append(distance(kid.SPEC)(whole[:20], whole[20:]))
        fids.append(distance(fid.SPEC)(whole[:20], whole[20:]))
    error = np.std(kids, ddof=1) / np.sqrt(200)
    assert abs(np.mean(kids)) < 4 * error
    assert np.mean(fids) > 10 * np.std(fids, ddof=1) / np.sqrt(200)


@pytest.fixture(scope="module")
def uneven() -> Forward:
    """A network whose filters also hand on the mean: those by formula sum to 0, so that all flat pictures would look the same."""
    state = {name: seeded_tensor(name, shape) for name, shape in _inception.shapes().items()}
    return _inception.build({name: x + np.float32(1 / x[0].size) if x.ndim == 4 else x for name, x in state.items()}, "cpu")


@WAYS
def test_zeros_against_ones(way: str, uneven: Forward) -> None:
    """Two sets of one picture each, repeated: no covariance, so FID is |a - b|^2 and KID k(a,a) + k(b,b) - 2 k(a,b)."""
    prepare = EXTRACTORS[way].preprocess
    black, white = (uneven(prepare(np.full((3, 16, 16, 3), level, np.uint8))) for level in (0, 255))
    a, b = black[0].astype(np.float64), white[0].astype(np.float64)
    gap = float(((a - b) ** 2).sum())
    assert gap > 0.1
    assert distance(fid.SPEC, way)(white, black) == pytest.approx(gap, rel=1e-5)
    expected = ((a @ a / 2048 + 1) ** 3 + (b @ b / 2048 + 1) ** 3 - 2 * (a @ b / 2048 + 1) ** 3).item()
    assert distance(kid.SPEC, way)(white, black) == pytest.approx(expected, rel=1e-5)
    assert distance(fid.SPEC, way)(white[:1], black) == pytest.approx(gap, rel=1e-5)


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (1, 1)])
def test_kid_of_one_frame_is_unscored(n: int, m: int) -> None:
    with pytest.raises(Unscored) as reason:
        distance(kid.SPEC)(cloud(n), cloud(m))
    assert reason.value.reason == "too-few"
    assert f"{n} generated and {m} true" in reason.value.detail


# ----------------------------------------------------------------------------------------------------------- preparation


@WAYS
@pytest.mark.parametrize("level", [0, 128, 255])
def test_range_of_a_flat_picture(way: str, level: int) -> None:
    """tf: 2 (x / 255) - 1, the others (x - 128) / 128; whatever the resize."""
    expected = 2 * (level / 255) - 1 if way == "tf" else (level - 128) / 128
    made = EXTRACTORS[way].preprocess(np.full((1, 20, 33, 3), level, np.uint8))
    assert made.shape == (1, 299, 299, 3)
    assert made.dtype == np.float32
    assert np.abs(made - expected).max() < 1e-6


@WAYS
def test_preparation_is_frame_by_frame_and_takes_floats(way: str) -> None:
    """Grouping changes no bit; grey levels as float32 are the same frames; at 299 x 299 nothing is resized."""
    prepare = EXTRACTORS[way].preprocess
    clip = frames("noisy", 5, 37, 53)
    whole = prepare(clip)
    np.testing.assert_array_equal(np.concatenate([prepare(clip[:1]), prepare(clip[1:3]), prepare(clip[3:])]), whole)
    np.testing.assert_array_equal(prepare(np.ascontiguousarray(clip[:, :, ::-1])[:, :, ::-1]), whole)
    np.testing.assert_array_equal(prepare(clip.astype(np.float32)), whole)
    fitting = frames("truth", 1, 299, 299)
    scaled = 2 * (fitting / 255) - 1 if way == "tf" else (fitting.astype(np.float64) - 128) / 128
    assert np.abs(prepare(fitting) - scaled).max() < 1e-6


def test_halving_by_hand() -> None:
    """598 to 299: TensorFlow 1 takes every second pixel; centred bilinear the mean of two by two; antialiased (1, 3, 3, 1) / 8 inside."""
    picture = frames("noisy", 2, 598, 598)[1:].astype(np.float32)
    np.testing.assert_array_equal(tf1_bilinear(picture, 299), picture[:, ::2, ::2])
    mean = picture.reshape(1, 299, 2, 299, 2, 3).mean(axis=(2, 4))
    assert np.abs(bilinear(picture, 299, False) - mean).max() < 1e-3
    taps = np.zeros((299, 598))
    for j in range(1, 298):
        taps[j, 2 * j - 1 : 2 * j + 3] = np.array([1, 3, 3, 1]) / 8
    smooth = np.einsum("ij,njkc,lk->nilc", taps, picture, taps, optimize=True)
    assert np.abs(bilinear(picture, 299, True) - smooth)[:, 1:-1, 1:-1].max() < 1e-3


def test_doubling_by_hand_as_tensorflow_1() -> None:
    """4 to 8 of a ramp of slope 8: places 0, 0.5, 1, ...; the last pixel is repeated."""
    ramp = np.broadcast_to((8 * np.arange(4, dtype=np.float32))[None, None, :, None], (1, 4, 4, 3))
    assert tf1_bilinear(ramp, 8)[0, 3, :, 1].tolist() == [0, 4, 8, 12, 16, 20, 24, 24]


# ------------------------------------------------------------------------------------------------------------ whole runs


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study(tmp_path_factory.mktemp("study"), ("a",), n=3, side=32)


def decoded(folder: Path) -> list[NDArray[np.uint8]]:
    return [np.concatenate(list(decode(probe(path)))) for path in sorted(folder.iterdir())]


def row(record: Record, name: str) -> dict[str, Any]:
    (found,) = [r for r in record.scores if f"{r['metric']}@{r['variant']}" == name]
    return found


def test_a_run_gives_the_direct_values(register: Register, clips: Study, tmp_path: Path) -> None:
    names = ["fid@clean", "kid@clean"]
    strict = registry().protocols["strict-1"].item
    register(replace(strict, id="zz-1", variants=tuple(names), primary=(), frames=replace(strict.frames, minimum=1)))
    record = benchmark.run(
        suite="tiktok", truth=clips.root / "truth", outputs={"a": clips.root / "a"}, protocols=["zz-1"], metrics=names, weights="seeded",
        out=tmp_path / "run",
    )  # fmt: skip
    ours, theirs = (features("clean", *decoded(clips.root / side)) for side in ("a", "truth"))
    expected = statistics.frechet_distance(ours, theirs, ddof=1), statistics.kid(ours, theirs)
    for name, value, decimals in zip(names, expected, (2, 5), strict=True):
        found = row(record, name)
        assert found["value"] == value
        assert (found["n_clips"], found["n_frames"], found["n_failed"], found["decimals"]) == (2, 6, 0, decimals)
        assert found["flags"] == ["rank-deficient", "few clips", "seeded-1"]
        assert found["weights"] == "seeded-1"
        assert found["higher_is_better"] is False
    assert set(record.header["plan"]["networks"]) == {"inception-clean"}


def test_a_real_set_of_other_counts_and_sizes(tmp_path: Path) -> None:
    for k in range(2):
        write(tmp_path / "a" / f"{k}.mkv", movie(k, 3, 32, 32))
    write(tmp_path / "real" / "r.mkv", movie(5, 7, 24, 40))
    record = benchmark.run(
        suite="tiktok", outputs={"a": tmp_path / "a"}, real=tmp_path / "real", metrics=["fid@tf", "kid@tf"], weights="seeded", out=tmp_path / "run"
    )  # fmt: skip
    ours, theirs = (features("tf", *decoded(tmp_path / side)) for side in ("a", "real"))
    assert (len(ours), len(theirs)) == (6, 7)
    assert row(record, "fid@tf")["value"] == statistics.frechet_distance(ours, theirs)
    assert row(record, "kid@tf")["value"] == statistics.kid(ours, theirs)


def test_one_frame(tmp_path: Path) -> None:
    """FID of one frame against one frame: |a - b|^2, flagged. KID is unscored, and no crash."""
    for side, seed in (("a", 0), ("real", 1)):
        write(tmp_path / side / "0.mkv", movie(seed, 1, 32, 32))
    record = benchmark.run(
        suite="tiktok", outputs={"a": tmp_path / "a"}, real=tmp_path / "real", metrics=["fid@tf", "kid@tf"], weights="seeded", out=tmp_path / "run"
    )  # fmt: skip
    a, b = (features("tf", *decoded(tmp_path / side)).astype(np.float64) for side in ("a", "real"))
    found = row(record, "fid@tf")
    assert found["value"] == pytest.approx(((a - b) ** 2).sum(), rel=1e-9)
    assert (found["ci_low"], found["ci_high"]) == (None, None)
    assert set(found["flags"]) == {"rank-deficient", "few clips", "seeded-1"}
    found = row(record, "kid@tf")
    assert (found["value"], found["reason"]) == (None, "too-few")
    assert "two frames a side" in found["detail"]


def test_nan_weights_leave_the_score_open(register: Register, tmp_path: Path) -> None:
    def poisoned(state: Mapping[str, NDArray[Any]], device: str) -> Forward:
        return _inception.build({**state, "Mixed_7c.branch1x1.bn.bias": np.full(320, np.nan, np.float32)}, device)

    broken = SetVariant(id="nan", summary="x", source="x", extractor="zz-inception", distance=statistics.frechet_distance)
    register(replace(EXTRACTORS["tf"], id="zz-inception", build=poisoned), replace(fid.SPEC, name="zz", variants=(broken,)))
    for side in ("a", "real"):
        write(tmp_path / side / "0.mkv", movie(0, 2, 32, 32))
    record = benchmark.run(
        suite="tiktok", outputs={"a": tmp_path / "a"}, real=tmp_path / "real", metrics=["zz@nan", "fid@tf"], weights="seeded", out=tmp_path / "run"
    )  # fmt: skip
    assert (row(record, "zz@nan")["value"], row(record, "zz@nan")["reason"]) == (None, "nan-features")
    assert row(record, "fid@tf")["value"] == pytest.approx(0, abs=1e-6)


# --------------------------------------------------------------------------------------------------------------- weights


def test_a_file_of_another_network_is_refused_by_its_keys(register: Register, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    register(WeightsEntry(name="zz-net", file="zz-net.safetensors", format="safetensors", licence="none"))
    extractor = EXTRACTORS["tf"]

    def loaded(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        save_file(dict(tensors), tmp_path / "zz-net.safetensors")
        return state_for("zz-net", extractor.shapes, "real", tmp_path, extractor.rename)[0]

    with pytest.raises(Unscored) as reason:
        loaded({"features.0.weight": np.zeros((64, 3, 3, 3), np.float32), "fc.bias": np.zeros(1008, np.float32)})
    assert reason.value.reason == "weights-unusable"
    for needle in ("another network", "Conv2d_1a_3x3.conv.weight", "features.0.weight"):
        assert needle in reason.value.detail
    # The published file also has a classifier, and counters that no feature depends on.
    shapes = _inception.shapes()
    whole = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    extra = {"fc.weight": np.zeros((8, 4), np.float32), "Conv2d_1a_3x3.bn.num_batches_tracked": np.zeros((), np.int64)}
    assert set(loaded({**whole, **extra})) == set(shapes)


def test_missing_weights_say_what_to_type() -> None:
    with pytest.raises(Unscored, match="hvbench weights pull inception-2015-12-05"):
        state_for("inception-2015-12-05", _inception.shapes, "real")


@WAYS
def test_extractors_are_of_one_network(way: str) -> None:
    extractor = EXTRACTORS[way]
    assert (extractor.weights, extractor.dimension, extractor.batch, extractor.window) == ("inception-2015-12-05", 2048, 8, 1)
    assert all(cast(SetVariant, metric.variant(way)).extractor == extractor.id for metric in (fid.SPEC, kid.SPEC))


# --------------------------------------------------------------------------------------------------- in a training loop


@pytest.mark.peers
@pytest.mark.parametrize("name", ["fid@tf", "kid@tf"])
def test_torchmetric_is_the_same_number(name: str) -> None:
    """In pieces of other sizes, as arrays and as tensors, counts unequal: what the distance says of all features; a copy and a pickle too."""
    import torch
    from torchmetrics import Metric as Theirs

    ours, theirs = frames("noisy", 5, 32, 40), frames("truth", 6, 24, 24)
    metric = benchmark.torchmetric(name, weights="seeded")
    assert isinstance(metric, Theirs)
    metric.update(ours[:2], theirs[:1])
    metric.update(torch.from_numpy(ours[2:]), torch.from_numpy(theirs[1:]))
    direct = statistics.frechet_distance if name.startswith("fid") else statistics.kid
    expected = direct(features("tf", ours[:2], ours[2:]), features("tf", theirs[:1], theirs[1:]))
    assert metric.compute().item() == expected
    assert metric.higher_is_better is False
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert twin.compute().item() == expected
    metric.reset()
    assert len(metric.generated) == len(metric.truth) == 0
    metric.update(ours[:2], theirs[:1])
    assert len(metric.generated) == 1


@pytest.mark.peers
def test_torchmetric_in_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the training loop set does not reach the features, and is as it was afterwards."""
    import torch

    clip = frames("truth", 2, 24, 24)
    metric = benchmark.torchmetric("fid@tf", weights="seeded")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        metric.update(clip, clip)
        assert torch.is_autocast_enabled("cpu")
    np.testing.assert_array_equal(metric.generated[0].numpy(), features("tf", clip))


@pytest.mark.peers
def test_torchmetric_refuses_in_words() -> None:
    metric = benchmark.torchmetric("kid@tf", weights="seeded")
    clip = frames("truth", 1, 16, 16)
    with pytest.raises(InputError, match="generated is not an array of RGB frames"):
        metric.update(clip.astype(np.float32), clip)
    with pytest.raises(InputError, match="truth is not an array of RGB frames"):
        metric.update(clip, clip.transpose(0, 3, 1, 2))
    with pytest.raises(Unscored, match="too-few"):
        metric.compute()
    metric.update(clip, clip)
    with pytest.raises(Unscored, match="too-few"):
        metric.compute()
    with pytest.raises(InputError, match="hvbench weights pull inception-2015-12-05"):
        benchmark.torchmetric("fid@clean")
    with pytest.raises(InputError, match="no distance of sets"):
        benchmark.torchmetric("psnr@float")
    with pytest.raises(InputError, match="real or seeded"):
        benchmark.torchmetric("fid@clean", weights="sown")


def test_torchmetric_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(InputError, match="torchmetrics is not installed"):
        benchmark.torchmetric("fid@clean", weights="seeded")


# ------------------------------------------------------------------------------------------------------------------ live


@pytest.mark.peers
def test_pytorch_fid_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own class, built with the weights by formula instead of a download, and its own Frechet function."""
    theirs = pytest.importorskip("pytorch_fid.inception")
    score = pytest.importorskip("pytorch_fid.fid_score")
    import torch

    def formula(url: str, progress: bool = True) -> dict[str, Any]:
        shapes = {**_inception.shapes(), "fc.weight": (1008, 2048), "fc.bias": (1008,)}
        return {name: torch.from_numpy(seeded_tensor(name, shape)) for name, shape in shapes.items()}

    monkeypatch.setattr(theirs, "load_state_dict_from_url", formula)
    model = theirs.InceptionV3([3]).eval()
    pairs = []
    for name in ("noisy", "truth"):
        clip = frames(name, 6, 40, 56)
        with torch.inference_mode():
            found = model(torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255)[0][..., 0, 0].numpy()
        own = features("tf", clip)
        assert np.abs(found - own).max() < 5e-5 * found.max()
        pairs.append((found, own))
    (x, own_x), (y, own_y) = pairs
    moments = [moment for side in (x, y) for moment in (side.mean(axis=0), np.cov(side, rowvar=False))]
    assert distance(fid.SPEC)(own_x, own_y) == pytest.approx(statistics.frechet_distance(x, y), rel=1e-4)
    low = [moment[..., :64][:64] for moment in moments]  # SciPy's root of a 2048 x 2048 matrix takes half a minute
    assert distance(fid.SPEC)(own_x[:, :64], own_y[:, :64]) == pytest.approx(score.calculate_frechet_distance(*low), rel=1e-3)


@pytest.mark.peers
def test_kid_live() -> None:
    """torchmetrics' estimate over one subset that holds all samples, on float64 features."""
    import torch
    from torchmetrics.image.kid import poly_mmd

    x, y = cloud(12, 2048, 1), cloud(12, 2048, 2) + 0.1
    expected = poly_mmd(torch.from_numpy(x), torch.from_numpy(y), degree=3, gamma=None, coef=1.0).item()
    assert distance(kid.SPEC)(x, y) == pytest.approx(expected, rel=1e-10)


def test_the_registry_has_them() -> None:
    known = registry()
    for name in ("fid", "kid"):
        assert [variant.id for variant in known.metrics[name].item.variants] == ["tf", "clean", "torchmetrics", "tf1", "mobilenet"]
    assert {"inception-tf", "inception-clean", "inception-torchmetrics", "inception-tf1"} <= set(known.extractors)
    assert all(isinstance(known.extractors[f"inception-{way}"].item, Extractor) for way in EXTRACTORS)
