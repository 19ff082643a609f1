"""Equal to the bit on one machine: chunk size, threads, workers, order of methods, company of protocols, order of arrival and a second run cannot change
a result. The expected result is always the same run done the plain way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import machine
from benchmark.model import Extractor, FeatureVariant, FrameRule, Metric, ProtocolSpec, SetVariant, SizeRule, TimeRule
from benchmark.registry import registry
from benchmark.rows import ClipVariant, RegionVariant
from tests import clips
from tests.make import (
    Study,
    call,
    entry,
    environment,
    header,
    hvbench,
    movie,
    row,
    same_result,
    scores,
    study,
    values,
    without_time,
    worse,
    write,
)

Capture = pytest.CaptureFixture[str]
Register = Callable[..., None]
Array = NDArray[Any]
CASES, COUNT = ("one", "two"), 24
ROWS = len(CASES) * COUNT
PADDED = len(CASES) * 25
"""Inputs of a set of clips in whole batches of 5."""
PROTOCOLS = ["strict-1", "strict-1-retime", "disco-2024", "disco-2023"]
ALL = [word for name in PROTOCOLS for word in ("--protocol", name)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three methods of other sizes and lengths on two clips: a smaller one, one with an offset, a plain one."""
    root = tmp_path_factory.mktemp("inputs")
    for number, case in enumerate(CASES):
        truth = movie(number, COUNT, 64, 80)
        write(root / "truth" / f"{case}.mkv", truth)
        write(root / "small" / f"{case}.mkv", worse(movie(number, COUNT, 48, 60), 3, number))
        write(root / "late" / f"{case}.mkv", worse(truth[1:], 5, number))
        write(root / "plain" / f"{case}.mp4", worse(truth, 2, number))
    return Study(root, ("small", "late", "plain"), CASES)


LOOK = ["--offset", "late=1", "--reference-frame", "*=7", "--ignore", "plain=0,0,9,9"]


@pytest.fixture(scope="module")
def plain_run(inputs: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from benchmark.cli import main

    out = tmp_path_factory.mktemp("plain") / "run"
    assert main(["run", *inputs.words, *LOOK, *ALL, "--out", str(out)]) == 0
    return out


# -------------------------------------------------------------------------------------------------------------- frame metrics


@pytest.mark.parametrize("chunk", [1, 7, 16, 64])
def test_chunk_size(chunk: int, inputs: Study, plain_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    _chunk(monkeypatch, chunk)
    assert call(capfd, "run", *inputs.words, *LOOK, *ALL, "--out", tmp_path / "run").code == 0
    same_result(tmp_path / "run", plain_run)


def _chunk(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Every job of this process decodes so many frames at a time."""
    from dataclasses import replace

    from benchmark import evaluate

    real = evaluate.evaluate
    monkeypatch.setattr("benchmark.execute.evaluate", lambda job, progress=lambda n: None: real(replace(job, chunk=size), progress))


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_threads(cores: int, inputs: Study, plain_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert call(capfd, "run", *inputs.words, *LOOK, *ALL, "--out", tmp_path / "run").code == 0
    same_result(tmp_path / "run", plain_run)


@pytest.mark.parametrize("threads", [1, 3])
def test_opencv_threads(threads: int, inputs: Study, plain_run: Path, tmp_path: Path, capfd: Capture) -> None:
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        assert call(capfd, "run", *inputs.words, *LOOK, *ALL, "--out", tmp_path / "run").code == 0
    finally:
        cv2.setNumThreads(before)
    same_result(tmp_path / "run", plain_run)


@pytest.mark.parametrize("workers", ["2"])
def test_workers(workers: str, inputs: Study, plain_run: Path, tmp_path: Path) -> None:
    said = hvbench("run", *inputs.words, *LOOK, *ALL, "--workers", workers, "--out", "run", cwd=tmp_path)
    assert said.code == 0, said.err
    same_result(tmp_path / "run", plain_run)


def test_order_of_methods(inputs: Study, plain_run: Path, tmp_path: Path, capfd: Capture) -> None:
    """Another order is another spec (columns come in it), but no value moves; nor when a method stands alone."""
    turned = Study(inputs.root, inputs.methods[::-1], inputs.cases)
    assert call(capfd, "run", *turned.words, *LOOK, *ALL, "--out", tmp_path / "run").code == 0
    assert values(tmp_path / "run") == values(plain_run)
    assert without_time(tmp_path / "run") == without_time(plain_run)
    assert _rows(tmp_path / "run") == _rows(plain_run)
    words = [
        "run",
        "--suite",
        "tiktok",
        "--truth",
        inputs.root / "truth",
        "--outputs",
        f"late={inputs.root / 'late'}",
        "--offset",
        "late=1",
    ]
    assert call(capfd, *words, "--reference-frame", "*=7", *ALL, "--out", tmp_path / "alone").code == 0
    assert _rows(tmp_path / "alone") == [r for r in _rows(plain_run) if "'late'" in r]


def _rows(run: Path) -> list[str]:
    return sorted(repr(sorted(r.items())) for r in scores(run))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocol_alone(protocol: str, inputs: Study, plain_run: Path, tmp_path: Path, capfd: Capture) -> None:
    assert call(capfd, "run", *inputs.words, *LOOK, "--protocol", protocol, "--out", tmp_path / "run").code == 0
    assert _rows(tmp_path / "run") == [r for r in _rows(plain_run) if f"('protocol', '{protocol}')" in r]


def test_case_alone(inputs: Study, plain_run: Path, tmp_path: Path, capfd: Capture) -> None:
    assert call(capfd, "run", *inputs.words, *LOOK, *ALL, "--case", "two", "--out", tmp_path / "run").code == 0
    assert values(tmp_path / "run") == [v for v in values(plain_run) if v[1] == "'two'"]


@pytest.mark.parametrize("side", ["output", "truth"])
def test_damage_behind_the_last_compared_frame(side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """Whether a damaged frame that no rule compares is noticed may not depend on how many frames are decoded at a time."""
    frames = movie(0, 40)
    for folder in ("truth", "ours"):
        long = folder == ("ours" if side == "output" else "truth")
        write(tmp_path / folder / "one.mkv", frames if long else frames[:21])
        if long:
            shutil.move(tmp_path / folder / "one.mkv", tmp_path / "whole.mkv")
            clips.damage(tmp_path / "whole.mkv", tmp_path / folder / "one.mkv", 38)
    found = set()
    for chunk in (1, 7, 16, 64):
        with monkeypatch.context() as patch:
            _chunk(patch, chunk)
            words = ["--suite", "tiktok", "--truth", tmp_path / "truth", "--outputs", f"m={tmp_path / 'ours'}", "--protocol", "disco-2024"]
            call(capfd, "run", *words, "--out", tmp_path / f"run-{chunk}")
        item = entry(tmp_path / f"run-{chunk}", "m", "one")
        found.add((item["status"], str(item.get("error")), str(item["views"])))
    assert len(found) == 1, found


# ------------------------------------------------------------------------------------------------------------------- features


class Net:
    """A tiny torch network as a plugin. It asserts its constant batch, counts forwards by content, and keeps what it saw."""

    def __init__(self, batch: int = 5, window: int = 1, stride: int = 1) -> None:
        self.shapes: set[tuple[int, ...]] = set()
        self.inputs = 0
        self.threads: set[int] = set()
        self.extractor = Extractor(
            id="test-net", version=1, summary="a convolution and a mean", source="this test", dimension=6, batch=batch, window=window,
            stride=stride, preprocess=self.preprocess, build=self.build,
        )  # fmt: skip

    @staticmethod
    def preprocess(frames: Array) -> Array:
        return np.asarray(frames[:, ::6, ::6], np.float32) / np.float32(255)

    def build(self, state: object, device: str) -> Callable[[Array], NDArray[np.float32]]:
        import torch

        weight = torch.linspace(-1, 1, 6 * 3 * 5 * 5).reshape(6, 3, 5, 5)

        def forward(batch: Array) -> NDArray[np.float32]:
            self.shapes.add(batch.shape)
            self.threads.add(torch.get_num_threads())
            self.inputs += len(batch)
            images = torch.from_numpy(batch.reshape(-1, *batch.shape[-3:])).permute(0, 3, 1, 2)
            with torch.no_grad():
                rows = torch.nn.functional.conv2d(images, weight, stride=3).relu().mean(dim=(2, 3))
            return rows.reshape(len(batch), -1, 6).mean(dim=1).numpy()

        return forward


def _gap(x: Array, y: Array) -> float:
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.abs(a.std(axis=0) - b.std(axis=0)).sum())


METRIC = Metric(
    name="test-far", title="far", higher_is_better=False,
    variants=(
        SetVariant(id="set", summary="s", source="t", extractor="test-net", distance=_gap),
        FeatureVariant(id="pair", summary="s", source="t", extractor="test-net",
                       score=lambda x, y: np.square(np.asarray(x, np.float64) - y).sum(axis=-1)),
        ClipVariant(id="clip", summary="s", source="t", extractor="test-net", score=lambda found: float(found.generated.astype(np.float64).std())),
        ClipVariant(id="both", summary="s", source="t", extractor="test-net", paired=True,
                    score=lambda found: np.abs(found.generated - found.truth).sum(axis=1, dtype=np.float64)),
        RegionVariant(id="region", summary="s", source="t", extractor="test-net", left_out="none",
                      score=lambda x, y, a, b: np.abs(x.astype(np.float64) - y).mean(axis=(1, 2, 3)) * a.sum(axis=1, dtype=np.float64) + b[:, 0]),
    ),
)  # fmt: skip
FAR = [word for kind in ("set", "pair", "clip", "both") for word in ("--metric", f"test-far@{kind}")]


@pytest.fixture
def net(register: Register) -> Net:
    made = Net()
    register(made.extractor, METRIC)
    return made


def new_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(folder))


def features(capfd: Capture, inputs: Study, out: Path, *more: object) -> None:
    said = call(capfd, "run", *inputs.words, *LOOK, "--protocol", "strict-1", "--protocol", "disco-2024", *FAR, *more, "--out", out)
    assert said.code == 0, said.err


def test_features_do_not_depend_on_chunks(net: Net, inputs: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """Every forward has the extractor's batch, whatever arrives; set and paired metrics are equal to the bit."""
    for chunk in (16, 1, 7, 64):
        with monkeypatch.context() as patch:
            new_cache(patch, tmp_path / f"cache-{chunk}")
            _chunk(patch, chunk)
            features(capfd, inputs, tmp_path / f"run-{chunk}")
        same_result(tmp_path / f"run-{chunk}", tmp_path / "run-16")
    assert {shape[0] for shape in net.shapes} == {5}
    assert row(tmp_path / "run-1", "small", "test-far@set", "strict-1")["n_frames"] == ROWS - len(CASES)


def test_regions_do_not_depend_on_chunks(
    register: Register, inputs: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """Frames wait for the rows of a network with batches of five, and are scored one by one, whatever arrives."""
    register(Net().extractor, METRIC)
    for chunk in (16, 1, 7):
        with monkeypatch.context() as patch:
            new_cache(patch, tmp_path / f"cache-{chunk}")
            _chunk(patch, chunk)
            out = tmp_path / f"run-{chunk}"
            said = call(
                capfd, "run", *inputs.words, "--offset", "late=1", "--protocol", "disco-2024", "--metric", "test-far@region", "--out", out
            )
            assert said.code == 0, said.err
        assert (out / "scores.json").read_bytes() == (tmp_path / "run-16" / "scores.json").read_bytes()


@pytest.mark.parametrize(("batch", "window", "stride"), [(1, 1, 1), (3, 4, 4), (3, 4, 2), (2, 3, 5), (4, 16, 16)])
def test_windows(
    batch: int, window: int, stride: int, register: Register, inputs: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """The same for networks over windows of frames, with overlaps and gaps; the number of rows is the number of whole windows."""
    made = Net(batch, window, stride)
    register(made.extractor, METRIC)
    for chunk in (16, 1, 5):
        with monkeypatch.context() as patch:
            new_cache(patch, tmp_path / f"cache-{chunk}")
            _chunk(patch, chunk)
            said = call(
                capfd,
                "run",
                *inputs.words,
                "--offset",
                "late=1",
                "--protocol",
                "disco-2024",
                "--metric",
                "test-far@set",
                "--out",
                tmp_path / f"run-{chunk}",
            )
            assert said.code == 0, said.err
        assert (tmp_path / f"run-{chunk}" / "scores.json").read_bytes() == (tmp_path / "run-16" / "scores.json").read_bytes()
    assert {shape[0] for shape in made.shapes} == {batch}
    windows = len(range(0, COUNT - window + 1, stride))
    assert row(tmp_path / "run-1", "plain", "test-far@set")["n_frames"] == len(CASES) * windows


def test_threads_of_forwards_are_the_recorded_constant(net: Net, inputs: Study, tmp_path: Path, capfd: Capture) -> None:
    """Whatever torch is set to outside, forwards run with the number that stands in the header, and the setting outside is left alone."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if machine.THREADS != 1 else 2)
    try:
        features(capfd, inputs, tmp_path / "run")
    finally:
        torch.set_num_threads(before)
    assert net.threads == {header(tmp_path / "run")["machine"]["torch_threads"]}


def test_truth_is_computed_once(net: Net, inputs: Study, tmp_path: Path, capfd: Capture) -> None:
    """Two clips, truth and two methods, every frame, under one view, in batches of 5: three times the padded frames."""
    words = ["run", "--suite", "tiktok", "--truth", inputs.root / "truth", "--protocol", "disco-2024", *FAR]
    two = ["--outputs", f"small={inputs.root / 'small'}", "--outputs", f"plain={inputs.root / 'plain'}"]
    assert call(capfd, *words, *two, "--out", tmp_path / "two").code == 0
    assert net.inputs == 3 * PADDED


def test_truth_is_computed_once_across_runs(net: Net, inputs: Study, tmp_path: Path, capfd: Capture) -> None:
    """A second run with another method finds the truth's features: only its own frames are forwarded; the same method finds its own, too; and the
    numbers are those of a run that computed everything."""
    words = ["run", "--suite", "tiktok", "--truth", inputs.root / "truth", "--protocol", "disco-2024", "--metric", "test-far@set"]
    assert call(capfd, *words, "--outputs", f"small={inputs.root / 'small'}", "--out", tmp_path / "first").code == 0
    assert net.inputs == 2 * PADDED
    assert call(capfd, *words, "--outputs", f"plain={inputs.root / 'plain'}", "--out", tmp_path / "second").code == 0
    assert net.inputs == 3 * PADDED
    both = [f"--outputs={m}={inputs.root / m}" for m in ("small", "plain")]
    assert call(capfd, *words, *both, "--out", tmp_path / "third").code == 0
    assert net.inputs == 3 * PADDED
    assert _rows(tmp_path / "third") == sorted([*_rows(tmp_path / "first"), *_rows(tmp_path / "second")])


def test_stored_and_fresh_features_are_equal(
    net: Net, inputs: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    features(capfd, inputs, tmp_path / "fresh")
    features(capfd, inputs, tmp_path / "stored")
    same_result(tmp_path / "stored", tmp_path / "fresh")
    new_cache(monkeypatch, tmp_path / "another")
    features(capfd, inputs, tmp_path / "again")
    same_result(tmp_path / "again", tmp_path / "fresh")


def test_key_names_what_decides_the_bits(net: Net, inputs: Study, tmp_path: Path, register: Register, capfd: Capture) -> None:
    """Another version of the extractor, another crop, other frames: none takes a stored feature for its own."""
    base = [
        "run",
        "--suite",
        "tiktok",
        "--truth",
        inputs.root / "truth",
        "--outputs",
        f"plain={inputs.root / 'plain'}",
        "--metric",
        "test-far@set",
    ]
    seen = {}
    for number, more in enumerate((
        ["--protocol", "disco-2024"],
        ["--protocol", "strict-1"],
        ["--protocol", "disco-2024", "--crop", "plain=0,0,60,60"],
        ["--protocol", "disco-2024", "--offset", "plain=1"],
        ["--protocol", "disco-2024", "--frames", "plain=0:20"],
    )):  # fmt: skip
        said = call(capfd, *base, *more, "--out", tmp_path / str(number))
        assert said.code == 0, said.err
        (view,) = entry(tmp_path / str(number), "plain", "one")["features"].values()
        seen[number] = view["test-net"]["generated"]
    assert len(set(seen.values())) == len(seen)


@pytest.mark.parametrize("case", ["one method is the truth", "two methods are one file", "two views of one size"])
def test_one_content_under_several_names(
    case: str, net: Net, inputs: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """Features are kept by content, so equal content must not be fed twice: a method that is the truth has distance 0, two methods with the same file
    have the same scores, as each would have alone; and the number of rows is the number of frames."""
    words = ["run", "--suite", "tiktok", "--truth", inputs.root / "truth", *FAR]
    one = ["--protocol", "disco-2024"]
    methods, alone = {
        "one method is the truth": (["same=truth"], ["same=truth"]),
        "two methods are one file": (["a=plain", "b=plain"], ["a=plain"]),
        "two views of one size": (["a=plain"], ["a=plain"]),
    }[case]
    if case == "two views of one size":
        one = ["--protocol", "strict-1", "--protocol", "strict-1-retime"]

    def named(pairs: list[str]) -> Iterator[str]:
        for pair in pairs:
            name, _, folder = pair.partition("=")
            yield f"--outputs={name}={inputs.root / folder}"

    said = call(capfd, *words, *one, *named(methods), "--out", tmp_path / "run")
    assert said.code == 0, said.err
    for name in ("test-far@set", "test-far@pair"):
        for score in scores(tmp_path / "run"):
            if f"{score['metric']}@{score['variant']}" == name:
                assert score["n_frames"] == ROWS, score
                if case == "one method is the truth":
                    assert score["value"] == 0
    new_cache(monkeypatch, tmp_path / "other")
    first = methods[0].partition("=")[0]
    said = call(capfd, *words, *one[:2], *named(alone), "--out", tmp_path / "alone")
    for name in ("test-far@set", "test-far@pair"):
        expected = row(tmp_path / "alone", first, name)["value"]
        assert {s["value"] for s in scores(tmp_path / "run") if f"{s['metric']}@{s['variant']}" == name} == {expected}


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("order", [("test-sets", "test-pairs"), ("test-pairs", "test-sets")])
def test_a_view_that_stores_and_one_that_pairs(
    order: tuple[str, str], again: bool, net: Net, register: Register, inputs: Study, tmp_path: Path, capfd: Capture
) -> None:
    """Two protocols with the same frames and size, one with a set metric and one with a paired metric of one network, with and without stored features."""
    rules = {"size": SizeRule(to="fixed", filter="cv2-bilinear", width=32, height=32), "time": TimeRule(rule="ignore"), "pooling": "clips"}
    for name, variant, least in (("test-sets", "test-far@set", 1), ("test-pairs", "test-far@pair", 2)):
        register(ProtocolSpec(id=name, version=1, title="t", frames=FrameRule(match="common", minimum=least), variants=(variant,), primary=(),
                              **rules))  # type: ignore[arg-type]  # fmt: skip
    words = ["run", "--suite", "tiktok", "--truth", inputs.root / "truth", "--outputs", f"plain={inputs.root / 'plain'}"]
    both = [f"--protocol={name}" for name in order]
    if again:
        assert call(capfd, *words, "--protocol", "test-sets", "--out", tmp_path / "before").code == 0
    said = call(capfd, *words, *both, "--out", tmp_path / "run")
    assert said.code == 0, said.err
    assert row(tmp_path / "run", "plain", "test-far@set")["n_frames"] == ROWS
    assert row(tmp_path / "run", "plain", "test-far@pair")["n_frames"] == ROWS


PLUGIN = """
import numpy as np
from benchmark.model import Extractor, FeatureVariant, Metric, SetVariant

def build(state, device):
    def forward(batch):
        assert len(batch) == 5, batch.shape
        flat = batch.reshape(5, -1, 3).astype(np.float32)
        return np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1)
    return forward

def gap(x, y):
    return float(np.square(x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)).sum())

ALL = (
    Extractor(id="plug-net", version=1, summary="moments", source="a test", dimension=6, batch=5, preprocess=lambda f: np.asarray(f), build=build),
    Metric(name="plug", title="plug", higher_is_better=False, variants=(
        SetVariant(id="set", summary="s", source="a test", extractor="plug-net", distance=gap),
        FeatureVariant(id="pair", summary="s", source="a test", extractor="plug-net", score=lambda x, y: np.abs(x - y).sum(axis=1, dtype=np.float64)),
    )),
)
"""


def test_workers_with_a_plugin(inputs: Study, tmp_path: Path) -> None:
    """An installed plugin is found by the workers too; their features are the same, each process with a cache of its own or a common one."""
    facts = tmp_path / "plugin" / "plug-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[human_video_benchmark]\nplug = plug_module:ALL\n")
    (tmp_path / "plugin" / "plug_module.py").write_text(PLUGIN)
    for name, workers in (("plain", "1"), ("many", "2")):
        env = environment(BENCHMARK_CACHE=str(tmp_path / f"cache-{name}"))
        env["PYTHONPATH"] += os.pathsep + str(tmp_path / "plugin")
        words = ["run", *inputs.words, *LOOK, *ALL, "--metric", "plug@set", "--metric", "plug@pair", "--workers", workers, "--out", name]
        said = hvbench(*words, cwd=tmp_path, env=env)
        assert said.code == 0, said.err
    same_result(tmp_path / "many", tmp_path / "plain")


def test_real_set_of_other_length(net: Net, inputs: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """Unpaired sets may differ in counts and lengths; chunks change nothing there either."""
    other = study(tmp_path / "other", ("x",), ("p", "q"), 33)
    for chunk in (16, 1, 64):
        with monkeypatch.context() as patch:
            new_cache(patch, tmp_path / f"cache-{chunk}")
            _chunk(patch, chunk)
            words = [
                "--suite",
                "tiktok",
                "--outputs",
                f"plain={inputs.root / 'plain'}",
                "--real",
                other.root / "x",
                "--protocol",
                "disco-2024",
            ]
            assert call(capfd, "run", *words, "--metric", "test-far@set", "--out", tmp_path / f"run-{chunk}").code == 0
        assert (tmp_path / f"run-{chunk}" / "scores.json").read_bytes() == (tmp_path / "run-16" / "scores.json").read_bytes()
    score = row(tmp_path / "run-1", "plain", "test-far@set")
    assert score["value"] is not None
    assert score["n_frames"] == ROWS


def test_registry_is_left_as_it_was() -> None:
    assert not [name for name in registry().metrics if name.startswith("test-")]
