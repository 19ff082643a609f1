"""Exports, read back by the libraries they are for.

Expected: the record's own numbers; huggingface_hub's parser and its own writer; the trackers' readers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.record import Record, load
from reports._export_model_index import model_index, to_yaml
from reports._export_rows import Asked, choose
from tests.make import call
from tests.test_reports import craft

NAME = 'm: "x" - #1 \\ \x7f 人\n<b>'
TWO = {NAME: {"psnr@float": [20.0, 22.0], "l1@unit": [1e-5, 3e-5]}, "other": {"psnr@float": [25.0, None], "l1@unit": [None, None]}}


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Two methods; `other` lacks a clip, and has no l1 at all. Spec, revision and metrics as a real header has them."""
    made = craft(tmp_path / "run", TWO, **{f"{NAME}__psnr_float": {"ci_low": 8.3, "ci_high": 33.7, "ci_method": "t"}})
    header = json.loads((made.path / "run.json").read_text(encoding="utf-8"))
    header |= {
        "git": {"revision": "0123456789", "dirty": True},
        "packages": {"human-video-benchmark": "0.1.0"},
        "machine": {"device": "cpu"},
        "metrics": {"psnr@float": {"title": "PSNR", "source": "a book"}, "l1@unit": {"title": "L1", "source": "a paper"}},
    }
    (made.path / "run.json").write_text(json.dumps(header), encoding="utf-8")
    return load(made.path)


def asked(record: Record, **more: Any) -> Asked:
    rows, _ = choose(record, [], [])
    return Asked(record, rows, list(dict.fromkeys(row["adapter"] for row in rows)), **more)


def test_units_of_other_code_are_told(record: Record) -> None:
    """A run that was resumed after its code had changed: every export that names the revision names the others."""
    assert "units_of_other_code" not in asked(record).facts("other")
    record.header["git"]["before"] = [{"revision": "aaaa", "dirty": True}, {"revision": None, "dirty": None}]
    assert asked(record).facts("other")["units_of_other_code"] == "aaaa with changes, unknown"
    (metric,) = model_index(asked(record))[1]["results"][0]["metrics"]
    assert metric["args"]["units_of_other_code"] == "aaaa with changes, unknown"


# -------------------------------------------------------------------------------------------------------------- model-index


def test_the_hub_reads_what_we_write(record: Record, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Parsed by huggingface_hub from the YAML, and written again by it: the same data."""
    hub = pytest.importorskip("huggingface_hub", reason="python -m pip install 'human-video-benchmark[hub]'")
    yaml = pytest.importorskip("yaml")
    from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

    told = call(capfd, "export", record.path, "--as", "model-index", "--to", tmp_path / "card.yaml", "--source", "https://example.org/r")
    assert told.code == 0
    parsed = yaml.safe_load((tmp_path / "card.yaml").read_text(encoding="utf-8"))["model-index"]
    assert parsed == model_index(asked(record, source="https://example.org/r"))
    assert [model["name"] for model in parsed] == [NAME, "other"]
    name, results = model_index_to_eval_results([parsed[0]])
    assert name == NAME
    assert [(one.metric_type, one.metric_value) for one in results] == [("psnr", 21.0), ("l1", pytest.approx(2e-5))]
    first = results[0]
    assert isinstance(first, hub.EvalResult)
    assert (first.task_type, first.dataset_type, first.dataset_config, first.dataset_split) == (
        "image-to-video",
        "human-video-benchmark/tiktok",
        "strict-1",
        "folder",
    )
    assert first.source_url == "https://example.org/r"
    assert first.metric_args["interval"] == [8.3, 33.7]
    told_of = {key: first.metric_args[key] for key in ("protocol", "variant", "clips", "clips_failed", "weights", "source", "revision")}
    assert told_of == {
        "protocol": "strict-1",
        "variant": "psnr@float",
        "clips": 2,
        "clips_failed": 0,
        "weights": "none",
        "source": "a book",
        "revision": "0123456789 with changes",
    }
    assert "interval" not in results[1].metric_args
    again = eval_results_to_model_index(name, results)
    assert len(again) == 1
    assert {metric["type"]: metric["value"] for result in again[0]["results"] for metric in result["metrics"]} == {
        metric["type"]: metric["value"] for metric in parsed[0]["results"][0]["metrics"]
    }


def test_a_card_with_it_is_valid(record: Record, capfd: pytest.CaptureFixture[str]) -> None:
    """ModelCard parses the metadata block and finds the results; what is printed is the block."""
    hub = pytest.importorskip("huggingface_hub", reason="python -m pip install 'human-video-benchmark[hub]'")
    told = call(capfd, "export", record.path, "--as", "model-index", "--method", "other")
    card = hub.ModelCard(f"---\n{told.out}---\n# A model\n")
    (result,) = card.data.eval_results
    assert (result.metric_value, result.metric_args["clips"], result.metric_args["clips_failed"]) == (25.0, 1, 1)
    assert result.metric_args["flags"] == ["incomplete"]


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, 1e-05, -1e300, 1e16, True, None, "yes", "1e5", "null", "- x", "a: b", "#", "", "\x7f\x85\u2028\ufeff", [], {}]},
        {"a b": {"c": [[1, [2, {"d": []}]], {"e": {"f": "g"}, "h": 1}]}},
        [{"x": [{"y": 1, "z": [3]}, 4]}],
    ],
    ids=["scalars", "keys", "nested"],
)
def test_yaml_reads_back(value: Any) -> None:
    """PyYAML, a YAML 1.1 reader, gives the data again."""
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(to_yaml(value)) == value


# ------------------------------------------------------------------------------------------------------------- what is left out


def test_what_is_no_result_is_named_and_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = craft(
        tmp_path / "run",
        {name: {"psnr@float": [20.0], "l1@unit": [None if name == "lost" else 0.1]} for name in ("good", "lost", "tiny", "drawn")},
        tiny__psnr_float={"flags": ["rehearsal"]},
        tiny__l1_unit={"flags": ["rehearsal"]},
        drawn__l1_unit={"weights": "seeded-1"},
    )
    rows, left = choose(made, [], [])
    assert [(row["adapter"], row["metric"]) for row in rows] == [("good", "psnr"), ("good", "l1"), ("lost", "psnr"), ("drawn", "psnr")]
    assert left == [
        "strict-1 : l1@unit: unscored, truncated: ends early (lost)",
        "strict-1 : psnr@float: a rehearsal: a stand-in for the model made the clips (tiny)",
        "strict-1 : l1@unit: a rehearsal: a stand-in for the model made the clips (tiny)",
        "strict-1 : l1@unit: a rehearsal: weights seeded-1 (drawn)",
    ]
    told = call(capfd, "export", made.path, "--as", "model-index", "--method", "tiny")
    assert told.code == 2
    assert "nothing to export" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "model-index", "--method", "nobody"), "--method names what the run has not"),
        (("--as", "model-index", "--protocol", "strict-9"), "--protocol names what the run has not"),
        (("--as", "model-index", "--project", "x"), "--project goes with --as wandb or mlflow"),
        (("--as", "tensorboard", "--task", "x"), "--task goes with --as model-index"),
        (("--as", "mlflow", "--uri", "sqlite:///x.db", "--to", "x"), "--uri or --to, not both"),
        (("--as", "model-index", "--source", "ftp://x"), "no address of a page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_asked(record: Record, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    told = call(capfd, "export", record.path, *words)
    assert told.code == 2
    assert said in told.err


@pytest.mark.parametrize("name", ["wandb", "mlflow", "tensorboard"])
def test_a_library_that_is_missing_is_named_with_its_command(
    record: Record, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    import sys

    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    told = call(capfd, "export", record.path, "--as", name)
    assert told.code == 2
    assert f"python -m pip install 'human-video-benchmark[{name}]'" in told.err


# ------------------------------------------------------------------------------------------------------------------- trackers

PSNR = "strict-1/psnr@float"


def test_tensorboard(record: Record, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Read back by TensorBoard's own accumulator; its numbers are float32."""
    pytest.importorskip("tensorboard", reason="python -m pip install 'human-video-benchmark[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert call(capfd, "export", record.path, "--as", "tensorboard", "--to", tmp_path / "tb", "--step", 700).code == 0
    folders = sorted(path.name for path in (tmp_path / "tb").iterdir())
    assert len(folders) == 2
    assert "other" in folders
    (mine,) = [name for name in folders if name != "other"]
    events = EventAccumulator(str(tmp_path / "tb" / mine), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars(PSNR)] == [(700, 21.0)]
    assert [event.value for event in events.Scalars(f"{PSNR}/ci_low")] == [pytest.approx(8.3, rel=1e-6)]
    assert [(event.step, event.value) for event in events.Scalars(f"clips/{PSNR}")] == [(0, 20.0), (1, 22.0)]
    assert b"spec_sha256" in events.Tensors("record")[0].tensor_proto.string_val[0]


def test_mlflow(record: Record, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A store in a file, without a server, read back by its client."""
    for name in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(name, reason="python -m pip install 'human-video-benchmark[mlflow]'")
    told = call(capfd, "export", record.path, "--as", "mlflow", "--to", tmp_path / "ml", "--project", "mine", "--step", 3)
    assert told.code == 0, told.err
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'ml' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert {run.info.run_name for run in runs} == {NAME, "other"}
    (mine,) = [run for run in runs if run.info.run_name == NAME]
    assert mine.data.metrics["strict-1/psnr/float"] == 21.0
    assert mine.data.metrics["strict-1/psnr/float/ci_low"] == 8.3
    assert mine.data.metrics["strict-1/l1/unit"] == pytest.approx(2e-5)
    assert client.get_metric_history(mine.info.run_id, "strict-1/psnr/float")[0].step == 3
    assert mine.data.params["spec_sha256"] == "0" * 64
    assert [item.path for item in client.list_artifacts(mine.info.run_id)] == ["scores.json"]
    (other,) = [run for run in runs if run.info.run_name == "other"]
    assert set(other.data.metrics) == {"strict-1/psnr/float", "strict-1/psnr/float/clips"}


def leveldb_log(data: bytes, block: int = 1 << 15) -> Iterator[bytes]:
    """Records of a run's file: LevelDB's log (blocks of 32 KiB; crc, length, type: whole, first, middle, last) behind seven bytes of wandb's own."""
    assert data.startswith(b":W&B")
    at, parts = 7, b""
    while at + 7 <= len(data):
        if block - at % block < 7:
            at += block - at % block
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


def test_wandb_offline(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """One offline run a method, its history read back from the run's own file."""
    pytest.importorskip("wandb", reason="python -m pip install 'human-video-benchmark[wandb]'")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    assert call(capfd, "export", record.path, "--as", "wandb", "--to", tmp_path / "wb", "--project", "mine").code == 0
    found: dict[str, dict[str, Any]] = {}
    for path in (tmp_path / "wb" / "wandb").glob("offline-run-*/run-*.wandb"):
        name, history = "", {}
        for data in leveldb_log(path.read_bytes()):
            entry = wandb_internal_pb2.Record()
            entry.ParseFromString(data)
            if entry.WhichOneof("record_type") == "run":
                name = entry.run.display_name
                assert entry.run.project == "mine"
            if entry.WhichOneof("record_type") == "history":
                history |= {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in entry.history.item}
        found[name] = history
    assert set(found) == {NAME, "other"}
    assert found[NAME][PSNR] == 21.0
    assert math.isclose(found[NAME]["strict-1/l1@unit"], 2e-5)
    assert found["other"][PSNR] == 25.0
    assert "strict-1/l1@unit" not in found["other"]
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "wb").rglob("clips_*.table.json")]
    assert sorted(row for table in rows for row in table["data"] if row[1] == "psnr@float") == [
        ["strict-1", "psnr@float", "c0", 20.0],
        ["strict-1", "psnr@float", "c0", 25.0],
        ["strict-1", "psnr@float", "c1", 22.0],
    ]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("scores.json", lambda data: data["scores"].__setitem__(0, ["a"])),
        ("scores.json", lambda data: data.pop("scores")),
        ("scores.json", lambda data: data["scores"][0].pop("flags")),
        ("run.json", lambda data: data["spec"].pop("methods")),
        ("run.json", lambda data: data.pop("status")),
        ("run.json", lambda data: data.clear()),
    ],
    ids=["row", "scores", "field", "methods", "status", "foreign"],
)
@pytest.mark.parametrize(
    "words", [("show",), ("compare", "--ranks"), ("export", "--as", "model-index"), ("submit",)], ids=lambda words: words[0]
)
def test_one_damaged_run_is_named(
    record: Record, words: tuple[str, ...], file: str, change: Callable[[Any], object], capfd: pytest.CaptureFixture[str]
) -> None:
    """No verb ends in an internal error (1) because of what lies in a record: 2 (or 4, refused) and where the fault is; a report that does not need the
    field may still be made."""
    data = json.loads((record.path / file).read_text(encoding="utf-8"))
    change(data)
    (record.path / file).write_text(json.dumps(data), encoding="utf-8")
    said = call(capfd, words[0], record.path, *words[1:])
    assert said.code in (0, 2, 4), said.err
    assert said.code == 0 or str(record.path) in said.err
