"""Networks in the pass: constant batches, stored features, keys, and whole runs with a small network registered for the test.

Expected numbers: windows and batches counted by hand; features of the small network by NumPy from the clips' own frames (the network runs in
torch); set distances, replicates and differences by benchmark.statistics called directly on those.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import machine, paths, statistics
from benchmark.api import run
from benchmark.errors import InputError, Unscored
from benchmark.features import Node, Shards, feature_key, windows
from benchmark.generating import Adapter, Settings
from benchmark.media import decode, encode, probe
from benchmark.model import Case, Extractor, FeatureVariant, Forward, Metric, Rect, SetVariant
from benchmark.record import Record, load
from benchmark.registry import WeightsEntry, registry
from tests.formula import weights as formula
from tests.make import Study, call, movie, scores, study, worse, write

Floats = NDArray[np.float32]
Register = Callable[..., None]

# ------------------------------------------------------------------------------------------------------- a node, by itself


def numbered(n: int, first: int = 0) -> NDArray[np.uint8]:
    """(n, 2, 2, 3) frames that carry their number."""
    return np.broadcast_to(np.arange(first, first + n, dtype=np.uint8)[:, None, None, None], (n, 2, 2, 3)).copy()


def counting(**more: Any) -> Extractor:
    """Its network input is the frame's number, its feature the window's numbers."""
    window = more.get("window", 1)
    facts = {
        "id": "zz-count",
        "version": 1,
        "summary": "the frame's number",
        "source": "here",
        "dimension": window,
        "batch": 4,
        "preprocess": lambda frames: frames[:, 0, 0, 0].astype(np.float32),
        "build": lambda state, device: lambda batch: batch.reshape(len(batch), -1),
    }
    return Extractor(**{**facts, **more})


def through(
    extractor: Extractor, pushes: list[int], forward: Forward | None = None
) -> tuple[list[list[float]], list[tuple[int, ...]], Node]:
    """(rows in order, shape of every forward, the node) of frames 0, 1, 2, ... that come in these portions."""
    shapes: list[tuple[int, ...]] = []
    rows: list[list[float]] = []

    def watched(batch: NDArray[Any], /) -> Floats:
        shapes.append(batch.shape)
        return forward(batch) if forward else batch.reshape(len(batch), -1).astype(np.float32)

    node = Node(extractor, watched, [lambda found: rows.extend(found.tolist())])
    start = 0
    for count in pushes:
        node.push(numbered(count, start))
        start += count
    node.finish()
    return rows, shapes, node


@pytest.mark.parametrize("pushes", [[10], [3, 3, 4], [1] * 10, [9, 1]])
def test_the_batch_is_constant_and_its_padding_is_dropped(pushes: list[int]) -> None:
    """10 frames in batches of 4: three forwards of 4, and 10 rows."""
    rows, shapes, node = through(counting(), pushes)
    assert shapes == [(4,)] * 3
    assert rows == [[float(i)] for i in range(10)]
    assert node.inputs == 10


def test_the_last_batch_is_padded_by_its_last_input() -> None:
    seen: list[list[float]] = []

    def forward(batch: NDArray[Any], /) -> Floats:
        seen.append(batch.tolist())
        return batch.reshape(len(batch), -1)

    through(counting(), [6], forward)
    assert seen == [[0, 1, 2, 3], [4, 5, 5, 5]]


@pytest.mark.parametrize(
    ("window", "stride", "frames", "expected"),
    [
        (3, 2, 8, [[0, 1, 2], [2, 3, 4], [4, 5, 6]]),  # the tail 6, 7 is dropped
        (3, 3, 8, [[0, 1, 2], [3, 4, 5]]),
        (2, 3, 8, [[0, 1], [3, 4], [6, 7]]),  # every third frame is skipped
        (3, 5, 10, [[0, 1, 2], [5, 6, 7]]),
        (3, 1, 5, [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        (4, 4, 3, []),
        (1, 2, 5, [[0], [2], [4]]),
        (16, 8, 16, [list(range(16))]),
    ],
)
@pytest.mark.parametrize("portion", [1, 3, 100])
def test_windows(window: int, stride: int, frames: int, expected: list[list[int]], portion: int) -> None:
    extractor = counting(window=window, stride=stride, batch=2)
    pushes = [min(portion, frames - start) for start in range(0, frames, portion)]
    rows, shapes, _ = through(extractor, pushes)
    assert rows == expected
    assert windows(extractor, frames) == len(expected)
    assert set(shapes) <= {(2, window) if window > 1 else (2,)}
    assert len(shapes) == -(-len(expected) // 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused_with_their_place(bad: float) -> None:
    def forward(batch: NDArray[Any], /) -> Floats:
        return np.where(batch == 6, bad, batch).reshape(-1, 1).astype(np.float32)

    with pytest.raises(Unscored) as reason:
        through(counting(), [10], forward)
    assert (reason.value.reason, reason.value.detail) == ("nan-features", "zz-count gives non-finite features for input 6")


# ------------------------------------------------------------------------------------------------------------------ shards


def test_a_shard_is_complete_or_absent(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    key = "ab" + 62 * "0"
    rows = np.arange(15, dtype=np.float32).reshape(5, 3)
    writer = shards.writer(key, 5, 3)
    writer(rows[:2])
    assert not shards.has(key)
    writer(rows[2:])
    assert not shards.has(key)
    writer.close()
    assert shards.has(key)
    assert shards.path(key) == tmp_path / "ab" / f"{key}.npy"
    loaded = shards.load(key)
    assert isinstance(loaded, np.memmap)
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, rows)
    assert [p.name for p in (tmp_path / "ab").iterdir()] == [f"{key}.npy"]


def test_an_unfinished_shard_leaves_nothing(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    for end in ("close", "abandon"):
        writer = shards.writer("cd", 5, 3)
        writer(np.zeros((4, 3), np.float32))
        if end == "close":
            with pytest.raises(RuntimeError, match="4 of 5 rows"):
                writer.close()
        else:
            writer.abandon()
        assert not shards.has("cd")
        assert list((tmp_path / "cd").iterdir()) == []


KEY: dict[str, Any] = {
    "clip": "a" * 64,
    "frames": (0, 1, 2),
    "view": {"crop": None, "size": (64, 48), "filter": "bicubic"},
    "weights": "b" * 64,
    "machine": {
        "device": "cpu",
        "backend": "torch",
        "decoder": "x",
        "threads": 2,
        "dtype": "float32",
        "torch": "2",
        "opencv": "4",
        "pillow": "10",
        "cpu": "c",
    },
}


def test_the_key_names_everything_that_decides_a_feature() -> None:
    """Every single change gives a key of its own, and the same facts the same key."""
    base = counting()
    keys = [feature_key(base, **KEY)]
    assert feature_key(counting(), **KEY) == keys[0]
    for change in (
        {"clip": "c" * 64},
        {"frames": (0, 1)},
        {"frames": (0, 1, 3)},
        {"frames": (1, 0, 2)},
        {"weights": "seeded-1"},
        *(
            {"view": {**KEY["view"], **look}}
            for look in ({"crop": Rect(0, 0, 8, 8)}, {"crop": Rect(0, 0, 8, 8, True)}, {"size": (48, 64)}, {"filter": "cv2-bilinear"})
        ),
        *({"machine": {**KEY["machine"], name: "other"}} for name in KEY["machine"]),
        {"machine": {**KEY["machine"], "onnxruntime": "1"}},
    ):
        keys.append(feature_key(base, **{**KEY, **change}))
    for more in ({"id": "zz-other"}, {"version": 2}, {"window": 2}, {"stride": 2}, {"batch": 5}, {"dimension": 7}):
        keys.append(feature_key(replace(base, **more), **KEY))  # type: ignore[arg-type]
    assert len(set(keys)) == len(keys) == 1 + 10 + len(KEY["machine"]) + 6
    assert all(len(key) == 64 for key in keys)


def test_the_machine_part_of_a_key_holds_what_is_promised() -> None:
    assert set(KEY["machine"]) == set(machine.numerics("cpu"))
    assert set(machine.numerics("cpu", machine.ONNX)) - set(KEY["machine"]) == {"onnxruntime", "onnxscript"}
    assert set(machine.numerics("cuda", machine.TF32)) - set(KEY["machine"]) == {"gpus"}


# ------------------------------------------------------------------------------------------------ a network of our own

SHAPES = {"conv.weight": (4, 3, 4, 4), "conv.bias": (4,)}
CORNER = 16
ENTRY = WeightsEntry(name="zz-net", file="zz-net.safetensors", format="safetensors", licence="none")


class Net:
    """A convolution of 4x4 patches, rectified, averaged over the picture: (b, 3, 16, 16) -> (b, 4). Counts what it is asked."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.threads: set[int] = set()

    def build(self, state: Mapping[str, NDArray[Any]], device: str) -> Forward:
        import torch

        weight, bias = (torch.from_numpy(state[name]).to(device) for name in ("conv.weight", "conv.bias"))

        def forward(batch: NDArray[Any], /) -> Floats:
            self.shapes.append(batch.shape)
            self.threads.add(torch.get_num_threads())
            with torch.inference_mode():
                maps = torch.nn.functional.conv2d(torch.from_numpy(batch).to(device), weight, bias, stride=4).relu()
                found: Floats = maps.mean((2, 3)).cpu().numpy()
            return found

        return forward


def preprocess(frames: NDArray[Any]) -> Floats:
    """The upper left 16x16 pixels on 0..1, channels first."""
    return np.ascontiguousarray(frames[:, :CORNER, :CORNER].transpose(0, 3, 1, 2), np.float32) / 255


def by_hand(frames: NDArray[np.uint8], state: Mapping[str, NDArray[Any]] | None = None) -> NDArray[np.float64]:
    """The network's features in NumPy, float64: patches times filters."""
    state = state or formula(SHAPES)
    pixels = frames[:, :CORNER, :CORNER].astype(np.float64) / 255
    patches = pixels.reshape(len(frames), 4, 4, 4, 4, 3)  # n, patch row, y, patch column, x, channel
    maps = np.einsum("nayxbc,ocyb->naxo", patches, state["conv.weight"].astype(np.float64)) + state["conv.bias"]
    found: NDArray[np.float64] = np.maximum(maps, 0).mean(axis=(1, 2))
    return found


def network(net: Net, **more: Any) -> Extractor:
    facts = {
        "id": "zz-conv",
        "version": 1,
        "summary": "a convolution for tests",
        "source": "here",
        "dimension": 4,
        "batch": 8,
        "preprocess": preprocess,
        "build": net.build,
        "weights": "zz-net",
        "shapes": lambda: SHAPES,
    }
    return Extractor(**{**facts, **more})


def square(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = ((ours.astype(np.float64) - theirs) ** 2).mean(axis=1)
    return found


def metric(extractor: str = "zz-conv", paired: bool = True) -> Metric:
    pair = FeatureVariant(id="pair", summary="mean square of the difference", source="here", extractor=extractor, score=square)
    whole = SetVariant(id="set", summary="Frechet distance", source="here", extractor=extractor, distance=statistics.frechet_distance)
    return Metric(name="zz", title="Z", higher_is_better=False, variants=(pair, whole) if paired else (whole,))


@pytest.fixture
def net(register: Register) -> Net:
    made = Net()
    register(ENTRY, network(made), metric())
    return made


CASES, LENGTH = ("one", "two", "three"), 20
BOTH = ("zz@set", "zz@pair")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study(tmp_path_factory.mktemp("study"), ("a", "b"), CASES, n=LENGTH, side=32)


def decoded(path: Path) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(path))))


def features(folder: Path, cases: tuple[str, ...] = CASES) -> list[NDArray[np.float64]]:
    return [by_hand(decoded(folder / f"{case}.mkv")) for case in cases]


def score(made: Study, out: Path, methods: tuple[str, ...] = ("a", "b"), **more: Any) -> Record:
    facts: dict[str, Any] = {
        "suite": "tiktok",
        "truth": made.root / "truth",
        "outputs": {m: made.root / m for m in methods},
        "metrics": BOTH,
        "weights": "seeded",
    }
    return run(out=out, **{**facts, **more})


def row(record: Record, adapter: str, name: str) -> dict[str, Any]:
    (found,) = [r for r in record.scores if (r["adapter"], f"{r['metric']}@{r['variant']}") == (adapter, name)]
    return found


def frechet(ours: list[NDArray[np.float64]], theirs: list[NDArray[np.float64]], kept: list[int] | None = None) -> float:
    """Of pooled rows in float32, as features are stored."""
    take = range(len(ours)) if kept is None else kept
    x, y = (np.concatenate([side[k] for k in take]).astype(np.float32) for side in (ours, theirs))
    return statistics.frechet_distance(x, y)


NEAR = {"rel": 2e-5}
"""Features are float32 (6e-8 relative), the distances are small differences of larger traces."""


def test_the_pass_gives_what_numpy_gives(net: Net, clips: Study, tmp_path: Path) -> None:
    record = score(clips, tmp_path / "run")
    truth = features(clips.root / "truth")
    for method in ("a", "b"):
        ours = features(clips.root / method)
        pair = row(record, method, "zz@pair")
        assert pair["value"] == pytest.approx(np.mean([square(o, t).mean() for o, t in zip(ours, truth, strict=True)]), **NEAR)
        assert (pair["n_clips"], pair["n_frames"], pair["n_failed"], pair["weights"]) == (3, 3 * LENGTH, 0, "seeded-1")
        whole = row(record, method, "zz@set")
        assert whole["value"] == pytest.approx(frechet(ours, truth), **NEAR)
        assert (whole["n_clips"], whole["n_frames"], whole["weights"]) == (3, 3 * LENGTH, "seeded-1")
        assert whole["flags"] == ["few clips", "seeded-1"]
        assert whole["ci_method"] == "jackknife"
    assert record.header["plan"]["networks"] == {"zz-conv": {"weights": "seeded-1", "sha256": "seeded-1", "backend": "torch", "batch": 8}}


def test_forwards_are_constant_shared_and_cached(net: Net, clips: Study, tmp_path: Path) -> None:
    """Per clip of 20 frames 3 batches of 8. The truth of 3 cases and 2 methods: 9 clips. A further method later: its own 3 clips only."""
    score(clips, tmp_path / "first", metrics=["zz@set"])
    assert net.shapes == [(8, 3, CORNER, CORNER)] * 27
    net.shapes.clear()
    shutil.copytree(clips.root / "truth", tmp_path / "c")
    for case in CASES:
        write(tmp_path / "c" / f"{case}.mkv", worse(decoded(clips.root / "truth" / f"{case}.mkv"), 9))
    score(clips, tmp_path / "second", (), outputs={"c": tmp_path / "c"}, metrics=["zz@set"])
    assert len(net.shapes) == 9
    # What the first run stored also serves a run of the same clips in another folder.
    net.shapes.clear()
    again = score(clips, tmp_path / "third", metrics=["zz@set"])
    assert net.shapes == []
    assert again.scores == load(tmp_path / "first").scores


def test_threads_during_forwards_are_the_recorded_constant(net: Net, clips: Study, tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        record = score(clips, tmp_path / "run", ("a",), cases=["one"])
    finally:
        torch.set_num_threads(before)
    assert net.threads == {record.header["machine"]["torch_threads"]} == {machine.THREADS}


def test_one_sequence_serves_two_protocols(net: Net, clips: Study, tmp_path: Path) -> None:
    """strict-1 and strict-1-retime pair these clips alike (equal rates): the same features, computed once, the same values."""
    record = score(clips, tmp_path / "run", ("a",), protocols=["strict-1", "strict-1-retime"])
    rows = {(r["protocol"], r["variant"]): r for r in record.scores if r["metric"] == "zz"}
    expected = frechet(features(clips.root / "a"), features(clips.root / "truth"))
    for protocol in ("strict-1", "strict-1-retime"):
        assert rows[protocol, "set"]["value"] == pytest.approx(expected, **NEAR)
        assert rows[protocol, "set"]["n_failed"] == 0
    assert rows["strict-1", "pair"]["value"] == rows["strict-1-retime", "pair"]["value"]
    assert len(net.shapes) == 18


def test_clips_of_equal_bytes(net: Net, clips: Study, tmp_path: Path) -> None:
    """A method that is the truth itself, and two methods with the same files: one content, one key, and still every value."""
    outputs = {"copy": clips.root / "truth", "a": clips.root / "a", "twin": tmp_path / "twin"}
    shutil.copytree(clips.root / "a", tmp_path / "twin")
    record = score(clips, tmp_path / "run", outputs=outputs)
    assert row(record, "copy", "zz@pair")["value"] == 0
    assert row(record, "copy", "zz@set")["value"] == pytest.approx(0, abs=1e-10)
    for name in BOTH:
        value = row(record, "a", name)["value"]
        assert value > 0
        assert row(record, "twin", name)["value"] == value
    expected = frechet(features(clips.root / "a"), features(clips.root / "truth"))
    assert row(record, "twin", "zz@set")["value"] == pytest.approx(expected, **NEAR)
    # Once more with the features in the cache.
    again = score(clips, tmp_path / "again", outputs=outputs)
    assert again.scores == record.scores


def test_an_offset_and_a_crop_reach_the_network(net: Net, clips: Study, tmp_path: Path) -> None:
    """Output frames 0..18 belong to truth frames 1..19; of both sides only the right half is looked at."""
    truth = decoded(clips.root / "truth" / "one.mkv")
    ours = worse(truth, 5)[1:]
    write(tmp_path / "m" / "one.mkv", ours)
    half = "0.5,0.0,0.5,1.0"
    record = run(
        suite="tiktok", truth=clips.root / "truth", outputs={"m": tmp_path / "m"}, cases=["one"], metrics=BOTH, weights="seeded",
        offset={"m": 1}, crop={"*": half, "truth": half}, out=tmp_path / "run",
    )  # fmt: skip
    x, y = by_hand(ours[:, :, 16:]), by_hand(truth[1:, :, 16:])
    assert row(record, "m", "zz@pair")["value"] == pytest.approx(square(x, y).mean(), **NEAR)
    assert row(record, "m", "zz@set")["value"] == pytest.approx(frechet([x], [y]), **NEAR)


# ---------------------------------------------------------------------------------------------------------- missing weights


def test_missing_weights_leave_rows_unscored_with_what_to_type(
    net: Net, register: Register, clips: Study, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    strict = registry().protocols["strict-1"].item
    register(replace(strict, id="zz-1", variants=("l1@unit", *BOTH), primary=("l1@unit",)))
    words = ["run", *clips.words, "--out", tmp_path / "run"]
    told = call(capfd, *words, "--protocol", "zz-1")
    assert told.code == 0
    assert "hvbench weights pull zz-net" in told.out
    rows = {f"{r['metric']}@{r['variant']}": r for r in scores(tmp_path / "run") if r["adapter"] == "a"}
    assert rows["l1@unit"]["value"] is not None
    for name in BOTH:
        found = rows[name]
        assert (found["value"], found["ci_low"], found["n_clips"], found["n_failed"]) == (None, None, 0, 3)
        assert (found["reason"], found["detail"]) == ("weights-missing", "hvbench weights pull zz-net")
    told = call(capfd, *words[:-1], tmp_path / "asked", "--metric", "zz@set")
    assert told.code == 3
    assert "zz@set" in told.err
    assert "hvbench weights pull zz-net" in told.err
    assert call(capfd, *words[:-1], tmp_path / "all", "--protocol", "zz-1", "--require", "all").code == 3
    assert net.shapes == []


def test_the_same_run_goes_on_when_the_weights_have_come(net: Net, clips: Study, tmp_path: Path) -> None:
    """Unscored first; then the file is there and only what needs it is computed."""
    from safetensors.numpy import save_file

    unscored = score(clips, tmp_path / "run", ("a",), weights="real", protocols=["strict-1"])
    assert row(unscored, "a", "zz@set")["reason"] == "weights-missing"
    folder = paths.cache_dir() / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(formula(SHAPES), folder / ENTRY.file)
    scored = score(clips, tmp_path / "run", ("a",), weights="real", protocols=["strict-1"])
    found = row(scored, "a", "zz@set")
    assert found["value"] == pytest.approx(frechet(features(clips.root / "a"), features(clips.root / "truth")), **NEAR)
    assert found["weights"] == "first-use"
    assert "first-use" in found["flags"]
    assert row(scored, "a", "psnr@float") == row(unscored, "a", "psnr@float")


def test_seeded_weights_without_shapes_are_unscored(register: Register, clips: Study, tmp_path: Path) -> None:
    register(ENTRY, network(Net(), shapes=None), metric())
    record = score(clips, tmp_path / "run", ("a",))
    for name in BOTH:
        assert row(record, "a", name)["reason"] == "weights-missing"


# ----------------------------------------------------------------------------------------------------------- an unpaired set


def test_a_real_set_may_have_other_counts_and_lengths(net: Net, clips: Study, tmp_path: Path) -> None:
    """5 real clips of 7 to 11 frames at other sizes against 3 outputs of 20 frames."""
    real = [movie(10 + k, 7 + k, 24 + 8 * k, 40) for k in range(5)]
    for k, frames in enumerate(real):
        write(tmp_path / "real" / f"r{k}.mkv", frames)
    record = run(
        suite="tiktok", outputs={"a": clips.root / "a"}, real=tmp_path / "real", metrics=BOTH, weights="seeded", out=tmp_path / "run"
    )
    ours = np.concatenate(features(clips.root / "a")).astype(np.float32)
    theirs = np.concatenate([by_hand(frames) for frames in real]).astype(np.float32)
    found = row(record, "a", "zz@set")
    assert found["value"] == pytest.approx(statistics.frechet_distance(ours, theirs), **NEAR)
    assert (found["n_clips"], found["n_frames"], found["n_failed"]) == (3, 3 * LENGTH, 0)
    pair = row(record, "a", "zz@pair")
    assert (pair["value"], pair["reason"], pair["n_failed"]) == (None, "not-applicable", 0)
    assert sum(unit.adapter == "@real" for unit in record.journal) == 5


def test_units_without_a_truth_are_not_done_twice(net: Net, clips: Study, tmp_path: Path) -> None:
    """The run dies before its scores are written: typed again it computes no feature and writes no further journal line."""
    facts: dict[str, Any] = {"outputs": {"a": clips.root / "a"}, "real": clips.root / "truth", "metrics": BOTH, "weights": "seeded"}
    first = run(suite="tiktok", **facts, out=tmp_path / "run")
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes()
    (tmp_path / "run" / "scores.json").unlink()
    net.shapes.clear()
    again = run(suite="tiktok", **facts, out=tmp_path / "run")
    assert net.shapes == []
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == journal
    assert again.scores == first.scores


def test_without_truth_or_real_set_nothing_is_applicable(net: Net, clips: Study, tmp_path: Path) -> None:
    record = run(suite="tiktok", outputs={"a": clips.root / "a"}, metrics=[*BOTH, "l1@unit"], weights="seeded", out=tmp_path / "run")
    for name in (*BOTH, "l1@unit"):
        found = row(record, "a", name)
        assert (found["value"], found["reason"], found["n_failed"]) == (None, "not-applicable", 0)


# ------------------------------------------------------------------------------------------------- flags, replicates, seeds


def test_few_rows_are_flagged_rank_deficient(register: Register, clips: Study, tmp_path: Path) -> None:
    """64 features from 60 rows: no covariance of full rank. From 4 features none is lacking (see above)."""
    wide = network(
        Net(), id="zz-wide", dimension=64, weights=None, shapes=None,
        preprocess=lambda frames: frames[:, :8, :8, 0].astype(np.float32), build=lambda state, device: lambda batch: batch.reshape(len(batch), -1),
    )  # fmt: skip
    register(wide, metric("zz-wide"))
    found = row(score(clips, tmp_path / "run", ("a",)), "a", "zz@set")
    assert found["flags"] == ["rank-deficient", "few clips"]
    assert found["weights"] == "none"
    sides = [[decoded(clips.root / side / f"{case}.mkv")[:, :8, :8, 0].reshape(LENGTH, -1) for case in CASES] for side in ("a", "truth")]
    assert found["value"] == pytest.approx(statistics.frechet_distance(*(np.concatenate(side) for side in sides)), rel=1e-12)


def test_fifty_clips_are_no_longer_few(register: Register, tmp_path: Path) -> None:
    """49 single-frame clips carry the flag, 50 do not. Beyond 40 clips the jackknife deletes blocks: 40 of them."""
    wide = network(
        Net(), id="zz-tiny", dimension=3, weights=None, shapes=None,
        preprocess=lambda frames: frames[:, 0, 0].astype(np.float32), build=lambda state, device: lambda batch: batch,
    )  # fmt: skip
    register(wide, metric("zz-tiny"))
    for k in range(50):
        write(tmp_path / "truth" / f"{k:02d}.mkv", movie(k, 2, 16, 16))
        write(tmp_path / "a" / f"{k:02d}.mkv", worse(movie(k, 2, 16, 16), 20, k))
    made = Study(tmp_path, ("a",), ())
    for count, flags in ((49, ["few clips"]), (50, [])):
        record = score(made, tmp_path / f"run{count}", ("a",), protocols=["disco-2024"], limit=count, metrics=["zz@set"], weights="real")
        found = row(record, "a", "zz@set")
        assert (found["flags"], found["n_clips"], found["ci_method"]) == (flags, count, "jackknife-40")
        (kept,) = record.replicates
        assert len(kept["values"]) == 41
        # Blocks of 50 clips by 40: ten of two clips, thirty of one.
        assert sorted(len(deleted) for deleted, _ in kept["values"]) == [0] + (31 if count == 49 else 30) * [1] + (
            9 if count == 49 else 10
        ) * [2]


def test_replicates_and_interval_of_a_set_metric(net: Net, clips: Study, tmp_path: Path) -> None:
    """Leave one clip out by hand; se^2 = (n-1)/n sum (left - mean)^2; t(0.975, 2) = 4.302653 from any table."""
    record = score(clips, tmp_path / "run", ("a",))
    ours, theirs = features(clips.root / "a"), features(clips.root / "truth")
    (kept,) = record.replicates
    assert (kept["adapter"], kept["protocol"], kept["metric"], kept["variant"]) == ("a", "strict-1", "zz", "set")
    # list_clips orders by stem.
    order = sorted(CASES)
    assert kept["clips"] == order
    at = [CASES.index(case) for case in order]
    values = {tuple(deleted): value for deleted, value in kept["values"]}
    assert set(values) == {(), (0,), (1,), (2,)}
    for deleted, value in values.items():
        assert value == pytest.approx(frechet(ours, theirs, [at[k] for k in range(3) if k not in deleted]), **NEAR)
    left = np.array([values[k,] for k in range(3)])
    se = np.sqrt(2 / 3 * ((left - left.mean()) ** 2).sum())
    found = row(record, "a", "zz@set")
    assert found["ci_high"] - found["value"] == pytest.approx(4.302652729911275 * se, rel=1e-9)
    assert found["value"] - found["ci_low"] == pytest.approx(4.302652729911275 * se, rel=1e-9)


def test_compare_takes_the_jackknife_of_the_difference(net: Net, clips: Study, tmp_path: Path) -> None:
    from reports.compare import rows

    record = score(clips, tmp_path / "run")
    order = sorted(CASES)
    a, b, truth = (features(clips.root / side, tuple(order)) for side in ("a", "b", "truth"))
    expected = statistics.jackknife_difference(
        lambda kept: frechet(a, truth, list(kept)), lambda kept: frechet(b, truth, list(kept)), 3, False, margin=None
    )
    (found,) = [r for r in rows(record, "a", "b", "strict-1", {})[0] if r.name == "zz@set"]
    ours = found.judged.comparison
    assert (ours.test, ours.n, ours.higher_is_better) == ("jackknife", 3, False)
    for name in ("difference", "low", "high", "p"):
        assert getattr(ours, name) == pytest.approx(getattr(expected, name), rel=1e-3), name
    assert found.a == row(record, "a", "zz@set")["value"]
    assert found.b == row(record, "b", "zz@set")["value"]
    # `a` has a third of the noise of `b`.
    assert ours.difference < 0


def noisy(case: Case, settings: Settings, stem: Path) -> Path:
    """The truth with noise that depends on the seed."""
    assert case.truth is not None
    path = stem.with_name(stem.name + ".mkv")
    encode(path, [worse(decoded(case.truth.path), 3 + 6 * settings.seed, settings.seed)], Fraction(25))
    return path


def test_seeds_are_averaged_and_never_pooled(net: Net, register: Register, clips: Study, tmp_path: Path) -> None:
    register(Adapter(id="zz-noisy", version=1, title="noisy", summary="truth with noise", generate=noisy))
    record = run(
        suite="tiktok", truth=clips.root / "truth", adapters=["zz-noisy"], seeds=[0, 1, 2], metrics=[*BOTH, "l1@unit"], weights="seeded",
        out=tmp_path / "run",
    )  # fmt: skip
    truth = [decoded(clips.root / "truth" / f"{case}.mkv") for case in CASES]
    made = [[worse(frames, 3 + 6 * seed, seed) for frames in truth] for seed in range(3)]
    theirs = [by_hand(frames) for frames in truth]
    ours = [[by_hand(frames) for frames in clips_of] for clips_of in made]
    found = row(record, "zz-noisy", "zz@set")
    assert found["value"] == pytest.approx(np.mean([frechet(one, theirs) for one in ours]), **NEAR)
    pooled = frechet([rows for one in ours for rows in one], theirs * 3)
    assert abs(found["value"] / pooled - 1) > 0.01, "pooling would have given another number"
    assert (found["n_clips"], found["n_frames"]) == (3, 3 * 3 * LENGTH)
    clip_means = [np.mean([np.abs(one[k].astype(int) - truth[k]).mean() / 255 for one in made]) for k in range(3)]
    mean = row(record, "zz-noisy", "l1@unit")
    assert mean["value"] == pytest.approx(np.mean(clip_means), rel=1e-12)
    # The interval is over clips: seeds are no further clips. t(0.975, 2) = 4.302653.
    assert mean["ci_high"] - mean["value"] == pytest.approx(4.302652729911275 * np.std(clip_means, ddof=1) / np.sqrt(3), rel=1e-9)


# --------------------------------------------------------------------------------------------------------------- failures


def white_is_nan(state: Mapping[str, NDArray[Any]], device: str) -> Forward:
    return lambda batch: np.where((batch == 255).all(axis=1, keepdims=True), np.nan, batch).astype(np.float32)


@pytest.fixture
def fragile(register: Register) -> None:
    """A network that gives NaN for a white corner."""
    register(
        network(
            Net(),
            id="zz-fragile",
            dimension=3,
            weights=None,
            shapes=None,
            preprocess=lambda f: f[:, 0, 0].astype(np.float32),
            build=white_is_nan,
        ),
        metric("zz-fragile"),
    )


@pytest.mark.parametrize("side", ["a", "truth"])
def test_nan_features_leave_the_clip_unscored(fragile: None, clips: Study, tmp_path: Path, side: str) -> None:
    """One white frame, the twelfth, in one clip of one side: that clip has no features, the other two are scored, and the row says so."""
    for folder in ("a", "truth"):
        shutil.copytree(clips.root / folder, tmp_path / folder)
    spoilt = decoded(clips.root / side / "two.mkv")
    spoilt[11] = 255
    write(tmp_path / side / "two.mkv", spoilt)
    record = score(Study(tmp_path, ("a",), CASES), tmp_path / "run", ("a",), metrics=[*BOTH, "l1@unit"])
    for name in BOTH:
        found = row(record, "a", name)
        assert found["value"] is not None
        assert (found["n_clips"], found["n_failed"]) == (2, 1)
        assert "incomplete" in found["flags"]
    kept = ("one", "three")
    sides = [[decoded(clips.root / s / f"{case}.mkv")[:, 0, 0] for case in kept] for s in ("a", "truth")]
    assert row(record, "a", "zz@set")["value"] == pytest.approx(statistics.frechet_distance(*(np.concatenate(s) for s in sides)), rel=1e-12)
    assert row(record, "a", "l1@unit")["n_failed"] == 0
    (entry,) = [e for unit, e in record.journal.items() if unit.case == "two"]
    (view,) = entry["features"].values()
    assert view["zz-fragile"] == {"reason": "nan-features", "detail": "zz-fragile gives non-finite features for input 11"}
    json.dumps(record.scores, allow_nan=False)
    # Nothing half-written is left for the next run to take.
    assert not list((paths.cache_dir() / "features").rglob(".*"))


def test_all_clips_unscored_is_told_with_the_reason(fragile: None, tmp_path: Path) -> None:
    for side in ("truth", "a"):
        write(tmp_path / side / "one.mkv", np.full((20, 16, 16, 3), 255, np.uint8))
    record = score(Study(tmp_path, ("a",), ("one",)), tmp_path / "run", ("a",))
    for name in BOTH:
        found = row(record, "a", name)
        assert (found["value"], found["reason"], found["n_clips"], found["n_failed"]) == (None, "nan-features", 0, 1)


def test_a_clip_shorter_than_a_window_is_unscored(register: Register, clips: Study, tmp_path: Path) -> None:
    register(counting(id="zz-long", window=LENGTH + 1, batch=1), metric("zz-long", paired=False))
    found = row(score(clips, tmp_path / "run", ("a",), metrics=["zz@set"]), "a", "zz@set")
    assert (found["value"], found["reason"], found["n_clips"], found["n_failed"]) == (None, "too-short", 0, 3)
    assert "needs 21 frames, 20 are compared" in found["detail"]


def test_windows_of_frames_in_the_pass(register: Register, clips: Study, tmp_path: Path) -> None:
    """Windows of 8 every 4 of 20 frames: starts 0, 4, 8, 12, four rows a clip of eight red values each.

    12 rows of 8 features: nearly singular, so the order of rows shows in the ninth digit.
    """
    register(counting(id="zz-window", window=8, stride=4, batch=3), metric("zz-window", paired=False))
    found = row(score(clips, tmp_path / "run", ("a",), metrics=["zz@set"]), "a", "zz@set")
    sides = []
    for side in ("a", "truth"):
        red = [decoded(clips.root / side / f"{case}.mkv")[:, 0, 0, 0] for case in CASES]
        sides.append(np.stack([clip[start : start + 8] for clip in red for start in (0, 4, 8, 12)]))
    assert found["value"] == pytest.approx(statistics.frechet_distance(*sides), rel=1e-7)
    assert found["n_frames"] == 12


def test_a_paired_variant_of_windows_is_refused(register: Register, clips: Study, tmp_path: Path) -> None:
    """Paired rows are frames: with windows nobody could say which frame a value belongs to."""
    register(counting(id="zz-window", window=8, stride=4), metric("zz-window"))
    with pytest.raises(InputError) as error:
        score(clips, tmp_path / "run", ("a",))
    assert "zz@pair" in str(error.value)


def test_metric_of_arrays_refuses_what_needs_a_network(net: Net) -> None:
    import benchmark

    with pytest.raises(InputError, match="not computed from frames alone"):
        benchmark.metric("zz@set")
