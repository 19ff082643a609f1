"""SyncNet's published file as its authors saved it, and the scores that MoChaBench's authors publish for clips at hand.

The file is a state dict in torch's format of before 2020, made on a GPU; here such a file is made from weights by formula. Published scores need the real
syncnet_v2.model and sfd_face.pth in BENCHMARK_WEIGHTS and the clips in BENCHMARK_FOOTAGE: a machine without them skips with the reason.
"""

from __future__ import annotations

import csv
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import paths, weights
from benchmark.api import run
from benchmark.errors import InputError
from benchmark.seeded import seeded_tensor
from suites.networks import _syncnet
from suites.networks.syncnet import floats, rename
from tests.make import call

NAME, FILE = "syncnet-v2", "syncnet_v2.model"


# ------------------------------------------------------------------------------------------------------------ the file


@pytest.fixture(scope="module")
def state() -> dict[str, NDArray[Any]]:
    return {name: seeded_tensor(name, shape) for name, shape in _syncnet.shapes().items()}


def old(path: Path, content: dict[str, Any]) -> Path:
    """torch's format of before 1.6: pickles one after the other, then the numbers; no zip."""
    import torch

    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert path.read_bytes()[:2] != b"PK"
    return path


def from_a_gpu(path: Path) -> Path:
    """The same file as a GPU would have written it: storages are CUDA's and lie there."""
    told = path.read_bytes()
    head, tail = told[:200_000], told[200_000:]
    for name in (b"FloatStorage", b"LongStorage"):
        head = head.replace(b"ctorch\n" + name + b"\n", b"ctorch.cuda\n" + name + b"\n")
    made = head.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    assert made != head
    path.write_bytes(made + tail)
    return path


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
def test_an_old_file_is_imported_and_loaded(
    gpu: bool, state: dict[str, NDArray[Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the command, then by the network's own road: all tensors to the bit, the counters of batches left out."""
    import torch

    path = old(tmp_path / FILE, {name: torch.from_numpy(np.asarray(values)) for name, values in state.items()})
    if gpu:
        from_a_gpu(path)
    said = call(capfd, "weights", "import", tmp_path, NAME)
    assert said.code == 0, said.err
    loaded = weights.state_for(NAME, floats, "real", None, rename)[0]
    assert set(loaded) == set(floats())
    for name, values in loaded.items():
        assert np.array_equal(values, state[name]), name


def test_parameters_are_tensors_too(tmp_path: Path) -> None:
    """Early torch saved what is trained as it was, with its wish for a gradient."""
    import torch

    item = weights.entry(NAME)
    path = old(tmp_path / FILE, {"w": torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))})
    assert np.array_equal(weights.load(item, weights.check(item, path))["w"], np.arange(6.0).reshape(2, 3))


class Payload:
    """Unpickled, it would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_an_old_file_with_an_object_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Named, not run, not copied, and the right file can still come: no hash is remembered."""
    import torch

    planted = tmp_path / "planted"
    path = old(tmp_path / FILE, {"w": torch.zeros(2), "x": Payload(planted)})
    with pytest.raises(InputError) as error:
        weights.load(weights.entry(NAME), weights.check(weights.entry(NAME), path))
    assert error.value.code == "weights-unsafe"
    said = call(capfd, "weights", "import", tmp_path, NAME)
    assert said.code == 2
    assert "holds more than tensors" in said.err
    assert not planted.exists()
    assert not (paths.cache_dir() / "weights" / FILE).exists()
    assert weights.locate(weights.entry(NAME)) is None
    pickle.loads(pickle.dumps(Payload(planted)))
    assert planted.exists()  # the payload is real


# ---------------------------------------------------------------------------------------------------- published scores


@pytest.fixture
def published(weights_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both published files, wherever they lie below BENCHMARK_WEIGHTS."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in (FILE, "sfd_face.pth"):
        found = sorted(weights_folder.rglob(name))
        if not found:
            pytest.skip(f"{name} is not in BENCHMARK_WEIGHTS")
        (folder / name).symlink_to(found[0])
    monkeypatch.setenv("BENCHMARK_WEIGHTS", str(folder))


METRICS = ("sync-c@mochabench", "sync-d@mochabench")
TOLERANCE = 0.1
"""What the authors state between versions of ffmpeg."""


@pytest.mark.footage
@pytest.mark.real_weights
@pytest.mark.slow
def test_the_example_of_mochabench(published: None, footage: Path, tmp_path: Path) -> None:
    """congwei1230/MoChaBench eval-lipsync/example: offset 1, distance 9.255, confidence 4.497. Its AVI leaves out its second frame."""
    (tmp_path / "m").mkdir()
    (tmp_path / "sound").mkdir()
    shutil.copy(footage / "syncnet-anchor" / "video.avi", tmp_path / "m" / "one.avi")
    shutil.copy(footage / "syncnet-anchor" / "speech.wav", tmp_path / "sound" / "one.wav")
    record = run(
        suite="mochabench",
        split="folder",
        outputs={"m": tmp_path / "m"},
        audio=tmp_path / "sound",
        metrics=METRICS,
        out=tmp_path / "run",
    )
    (entry,) = record.journal.values()
    found = next(iter(entry["values"].values()))
    assert found["sync-d@mochabench"]["value"] == pytest.approx(9.255, abs=TOLERANCE)
    assert found["sync-c@mochabench"]["value"] == pytest.approx(4.497, abs=TOLERANCE)
    assert [track["offset"] for track in found["sync-c@mochabench"]["facts"]["tracks"]] == [1]


@pytest.mark.footage
@pytest.mark.real_weights
@pytest.mark.slow
def test_published_scores_of_mocha(published: None, footage: Path, tmp_path: Path) -> None:
    """eval-lipsync's results for eight clips beside their clean speech: every clip within the authors' own tolerance, offsets equal."""
    folder = footage / "mochabench"
    with (folder / "published_sync.csv").open(encoding="utf-8", newline="") as file:
        expected = {line["case"]: line for line in csv.DictReader(file)}
    record = run(
        suite="mochabench",
        split="folder",
        outputs={"mocha": folder / "mocha"},
        audio=folder / "speech",
        metrics=METRICS,
        out=tmp_path / "run",
    )
    found = {unit.case: next(iter(entry["values"].values())) for unit, entry in record.journal.items()}
    assert set(found) == set(expected)
    wrong = {}
    for case, line in expected.items():
        here = [found[case][name].get("value", np.nan) for name in METRICS]
        there = [float(line["sync_c"]), float(line["sync_d"])]
        offsets = [track["offset"] for track in found[case]["sync-c@mochabench"].get("facts", {"tracks": []})["tracks"]]
        if not np.allclose(here, there, rtol=0, atol=TOLERANCE) or str(offsets) != line["offsets"]:
            wrong[case] = (here, there, offsets, line["offsets"])
    assert not wrong
