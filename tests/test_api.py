"""What Python users get: the lines that README prints, and the same numbers as on the command line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark.commands.arguments import request as parsed
from benchmark.errors import InputError
from benchmark.model import FrameVariant
from benchmark.registry import registry
from benchmark.request import Request
from tests.make import ROOT, Study, call, movie, scores, study, worse


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study(tmp_path_factory.mktemp("study"))


def readme_block() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^From Python:\n\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


def test_the_lines_of_the_readme_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that has truth/ and moore/; the names it uses for arrays are ours to fill. Values: NumPy, and the closed form |mu|^2 of a shift."""
    made = study(tmp_path, methods=("moore",), n=24)
    # The README compares with offset 1: the outputs lack the first frame.
    from benchmark.media import decode, probe
    from tests.make import write

    for case in made.cases:
        whole = np.concatenate(list(decode(probe(tmp_path / "moore" / f"{case}.mkv"))))
        write(tmp_path / "moore" / f"{case}.mkv", whole[1:])
    monkeypatch.chdir(tmp_path)
    truth = movie(0, 3, 32, 32)
    x = np.random.default_rng(0).standard_normal((50, 4))
    names: dict[str, Any] = {"generated": worse(truth, 5), "truth": truth, "x": x, "y": x + 2.0}
    lines = readme_block().strip().splitlines()
    for line in lines:
        exec(line, names)
    record = names["record"]
    assert isinstance(record, benchmark.Record)
    assert record.status == "success"
    assert len(record.to_pandas()) == len(registry().protocols["strict-1"].item.variants)
    off = [np.abs(worse(movie(k), 2, k)[1:].astype(int) - movie(k)[1:]).mean() / 255 for k in range(2)]
    assert record.to_pandas().set_index("metric").value["l1"] == pytest.approx(np.mean(off), rel=1e-12)
    (line,) = [line for line in lines if line.startswith("benchmark.metric(")]
    assert eval(line, names) == pytest.approx(benchmark.metric("ssim@gaussian")(names["generated"], truth))
    (line,) = [line for line in lines if line.startswith("benchmark.statistics.")]
    assert eval(line, names) == pytest.approx(4 * 2.0**2, rel=1e-9)


def test_run_load_and_pandas(clips: Study, tmp_path: Path) -> None:
    outputs = {method: clips.root / method for method in clips.methods}
    record = benchmark.run(suite="tiktok", truth=clips.root / "truth", outputs=outputs, out=tmp_path / "run")
    again = benchmark.load(str(tmp_path / "run"))
    assert again.header == record.header
    assert again.scores == record.scores == scores(tmp_path / "run")
    table = record.to_pandas()
    listed = len(registry().protocols["strict-1"].item.variants)
    assert list(table["adapter"]) == ["a"] * listed + ["b"] * listed
    assert [None if np.isnan(value) else value for value in table["value"]] == [row["value"] for row in record.scores]
    values = record.clip_values("a", "strict-1", "l1@unit")
    for number, case in enumerate(clips.cases):
        truth = movie(number)
        assert values[case] == pytest.approx(np.abs(worse(truth, 2, number).astype(int) - truth).mean() / 255, rel=1e-12)
    frames = record.values().to_pandas()
    assert len(frames) == 2 * 2 * 3 * 24
    one = frames[(frames.adapter == "a") & (frames.case == "two") & (frames.metric == "l1@unit")]
    assert one.value.mean() == pytest.approx(values["two"], rel=1e-12)


def test_python_and_the_command_line_are_the_same_run(clips: Study, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outputs = {method: clips.root / method for method in clips.methods}
    options: dict[str, Any] = {
        "offset": {"*": 0, "b": 1}, "crop": {"b": "0.0,0.0,1.0,1.0"}, "ignore": {"*": "0,0,4,4"}, "fps": {"a": 25}, "frames": {"b": (1, 20)},
        "reference_frame": {"*": 1},
    }  # fmt: skip
    record = benchmark.run(
        suite="tiktok",
        truth=str(clips.root / "truth"),
        outputs=outputs,
        protocols=["strict-1"],
        metrics=["psnr@pooled"],
        cases=["two"],
        out=tmp_path / "run",
        **options,
    )
    words = [
        "run", *clips.words, "--protocol", "strict-1", "--metric", "psnr@pooled", "--case", "two", "--offset", "*=0", "--offset", "b=1", "--crop",
        "b=0.0,0.0,1.0,1.0", "--ignore", "*=0,0,4,4", "--fps", "a=25", "--frames", "b=1:20", "--reference-frame", "*=1", "--out", tmp_path / "other",
    ]  # fmt: skip
    assert call(capfd, *words).code == 0
    other = benchmark.load(tmp_path / "other")
    assert other.header["spec_sha256"] == record.header["spec_sha256"]
    assert other.scores == record.scores
    # And the very same folder is met, not refused.
    assert call(capfd, *words[:-1], tmp_path / "run").code == 0


def test_run_offers_what_a_request_can_hold() -> None:
    """Every field of a Request has its argument in Python, but for what only a command line needs."""
    renamed = {"offsets": "offset", "crops": "crop", "ignores": "ignore", "ranges": "frames", "reference_frames": "reference_frame"}
    fields = {renamed.get(name, name) for name in Request.__dataclass_fields__}
    assert fields - set(inspect.signature(benchmark.run).parameters) <= {"weights_folder", "pull", "offline", "require_all"}
    assert set(inspect.signature(benchmark.run).parameters) <= fields
    assert callable(parsed)


def test_default_out_is_named_by_the_spec(clips: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = benchmark.run(suite="tiktok", truth=clips.root / "truth", outputs={"a": clips.root / "a"}, metrics=["l1@unit"])
    assert record.path == Path("runs") / f"tiktok-{record.header['spec_sha256'][:8]}"
    before = (record.path / "journal.jsonl").read_bytes()
    again = benchmark.run(suite="tiktok", truth=clips.root / "truth", outputs={"a": clips.root / "a"}, metrics=["l1@unit"])
    assert (again.path / "journal.jsonl").read_bytes() == before
    assert [path.name for path in Path("runs").iterdir()] == [record.path.name]


def test_a_metric_of_arrays() -> None:
    """l1 and PSNR by NumPy; the identical second frame has no PSNR."""
    truth = movie(0, 2, 24, 40)
    generated = truth.copy()
    generated[0] = worse(truth[:1], 9)[0]
    difference = generated[0].astype(float) - truth[0]
    assert benchmark.metric("l1@unit")(generated, truth) == pytest.approx([np.abs(difference).mean() / 255, 0], rel=1e-12)
    found = benchmark.metric("psnr@float")(generated, truth)
    assert found[0] == pytest.approx(10 * np.log10(255**2 / (difference**2).mean()), rel=1e-12)
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    "name", [f"{m}@{v.id}" for m, e in registry().metrics.items() for v in e.item.variants if isinstance(v, FrameVariant)]
)
def test_every_frame_variant_gives_one_float_a_frame(name: str) -> None:
    truth = movie(3, 5, 32, 48)
    found = benchmark.metric(name)(worse(truth, 7), truth)
    assert (found.shape, found.dtype) == ((5,), np.float64)
    assert np.isfinite(found).all()


GOOD = movie(0, 2, 16, 16)


@pytest.mark.parametrize(
    ("generated", "truth", "said"),
    [
        (GOOD.astype(np.float32), GOOD, "generated is not an array of RGB frames"),
        (GOOD, GOOD / 255, "truth is not an array of RGB frames"),
        (GOOD[0], GOOD, "generated is not"),
        (GOOD[..., :1], GOOD, "generated is not"),
        (GOOD[:0], GOOD[:0], "generated is not"),
        (GOOD.tolist(), GOOD, "list"),
        (GOOD[:1], GOOD, "differ in shape"),
        (GOOD[:, :6], GOOD[:, :6], "needs larger pictures"),
    ],
)
def test_arrays_that_do_not_fit_are_told(generated: Any, truth: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as error:
        benchmark.metric("ssim@gaussian")(generated, truth)
    assert error.value.found is not None
    assert error.value.expected is not None


@pytest.mark.parametrize(
    "call_it", [lambda: benchmark.metric("ssim"), lambda: benchmark.metric("ssim@none"), lambda: benchmark.metric("no@such")]
)
def test_unknown_metrics_are_told(call_it: Callable[[], object]) -> None:
    with pytest.raises(InputError) as error:
        call_it()
    assert error.value.code == "unknown-name"


def test_public_names() -> None:
    """What `__all__` promises is there, and nothing else is."""
    for name in benchmark.__all__:
        assert getattr(benchmark, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = benchmark.no_such_name
    assert benchmark.statistics.frechet_distance(np.eye(3), np.eye(3)) == pytest.approx(0, abs=1e-8)


def test_bad_input_raises_and_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(benchmark.InputError) as error:
        benchmark.load(tmp_path / "none")
    assert error.value.path == str(tmp_path / "none")
    with pytest.raises(benchmark.InputError):
        benchmark.run(suite="tiktok", truth=tmp_path / "none", outputs={"a": tmp_path})
