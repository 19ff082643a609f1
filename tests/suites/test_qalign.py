"""iqa and aes by Q-Align, through whole runs: a tiny model drawn at random behind the interface of the original, in a Python process of its own.

Expected numbers: the same model called in this process with the fixture's prompts, pixels by `suites.people._qalign` (held to the original in
test_parity_qalign.py), scores by its `opinion_score`. No test runs the real checkpoint.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import licences, worker
from benchmark.api import run
from benchmark.errors import InputError
from benchmark.model import Unit
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.rows import ClipVariant
from benchmark.workers import WorkerExtractor
from suites.networks.qalign import TERMS
from suites.people import _qalign
from suites.workers import qalign_worker
from tests.frozen import fixture
from tests.make import ROOT, call, hvbench, movie, write

FROZEN = fixture("qalign")
PROMPTS = FROZEN["prompts"]
SCORERS, HUB = PROMPTS["repo scorers"], PROMPTS["Q-Align q_align/model/modeling_mplug_owl2.py score()"]
PYIQA = PROMPTS["IQA-PyTorch pyiqa/archs/q_align/modeling_mplug_owl2.py score()"]
EXPECTED = {
    "iqa@qalign": SCORERS["QAlignScorer"],
    "iqa@qalign-01": SCORERS["QAlignScorer"],
    "iqa@qalign-video": SCORERS["QAlignVideoScorer"],
    "iqa@qalign-video-01": SCORERS["QAlignVideoScorer"],
    "iqa@qalign-hub": HUB["task_=quality, input_=image"],
    "iqa@qalign-hub-video": HUB["task_=quality, input_=video"],
    "aes@qalign": SCORERS["QAlignAestheticScorer"],
    "aes@qalign-01": SCORERS["QAlignAestheticScorer"],
    "aes@qalign-video": PYIQA["task_=aesthetics, input_=video"],
    "aes@qalign-video-01": PYIQA["task_=aesthetics, input_=video"],
    "aes@qalign-hub": HUB["task_=aesthetics, input_=image"],
    "aes@qalign-hub-video": HUB["task_=aesthetics, input_=video"],
    "aes@qalign-aesthetic": PYIQA["task_=aesthetic, input_=image"],
    "aes@qalign-aesthetic-video": PYIQA["task_=aesthetic, input_=video"],
}
CODE = ROOT / "tests" / "standins"
CLIPS = {name: movie(seed, 52, 48, 64) for seed, name in enumerate(("one", "two"))}
"""At 25 frames a second: two seconds, frames 0 and 25."""


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def draw(path: Path, seed: int = 0, without: str = "") -> Path:
    """A checkpoint whose vocabulary is the prompts' and the levels' words."""
    from tests.standins.q_align.model import builder

    every = [word for prompt in EXPECTED.values() for word in words(prompt.replace("<|image|>", " "))]
    builder.draw(path, [word for word in (*_qalign.LEVELS, *every) if word != without], seed)
    return path


def cases(folder: Path, names: tuple[str, ...] = tuple(CLIPS)) -> Path:
    lines = ["format = 1", 'suite = "tiktok"']
    for name in names:
        write(folder / "m" / f"{name}.mkv", CLIPS[name], rate=25)
        lines += ["[[case]]", f'id = "{name}"', f'outputs = {{ m = {{ path = "m/{name}.mkv" }} }}']
    (folder / "cases.toml").write_text("\n".join(lines))
    return folder / "cases.toml"


def values(record: Record, case: str) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(record.journal[Unit("m", case)]["values"].values()))
    return found


def by_hand(checkpoint: Path, clip: NDArray[np.uint8]) -> dict[str, float]:
    """Every variant's number of a clip, from the stand-in in this process."""
    import torch

    from tests.standins.q_align.model.builder import load_pretrained_model

    tokenizer, model, _, _ = load_pretrained_model(str(checkpoint), None, "mplug_owl2")
    pixels = torch.from_numpy(_qalign.preprocess(clip[[0, 25]]))
    levels = [tokenizer.vocabulary[level] for level in _qalign.LEVELS]
    found = {}
    for name, prompt in EXPECTED.items():
        before, after = prompt.split("<|image|>")
        ids = [1, *(tokenizer.vocabulary[w] for w in words(before)), -200, *(tokenizer.vocabulary[w] for w in words(after))]
        with torch.inference_mode():
            if "video" in name:
                logits = model(torch.tensor([ids]), images=[pixels])["logits"][:, -1, levels]
            else:
                logits = model(torch.tensor([ids, ids]), images=pixels)["logits"][:, -1, levels]
        scores = _qalign.opinion_score(logits.numpy())
        found[name] = float(((scores - 1) / 4 if name.endswith("-01") else scores).mean())
    return found


# ----------------------------------------------------------------------------------------------------------------- as data


def test_every_variant_asks_the_originals_words() -> None:
    """Letter by letter, from the fixture; medium and window go together."""
    known = registry()
    listed = [f"{m}@{v.id}" for m in ("iqa", "aes") for v in known.metrics[m].item.variants if v.id.startswith("qalign")]
    assert sorted(listed) == sorted(EXPECTED)
    for name, prompt in EXPECTED.items():
        variant = known.variant(name)[1]
        assert isinstance(variant, ClipVariant)
        extractor = known.extractors[variant.extractor].item
        assert isinstance(extractor, WorkerExtractor)
        video = "video" in name
        assert extractor.ask == {"prompt": prompt, "medium": "video" if video else "image"}
        assert extractor.window == (0 if video else 1)


def test_explain_says_the_words_and_the_licence(capfd: pytest.CaptureFixture[str]) -> None:
    told = call(capfd, "explain", "iqa@qalign-hub").out
    assert "The image of the quality is" in told
    assert "never run by this project" in told
    told = call(capfd, "explain", "q-align").out
    assert "--qalign-python" in told
    assert "not accepted yet: --accept-licence q-align" in told


# ------------------------------------------------------------------------------------------------------------------- whole


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A finished run of all variants over two clips, and its folder."""
    folder = tmp_path_factory.mktemp("qalign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHMARK_CACHE", str(folder / "cache"))
        patch.setenv("BENCHMARK_CONFIG", str(folder / "config" / "config.toml"))
        licences.accept("q-align", TERMS)
        options = {"qalign-model": str(draw(folder / "model")), "qalign-code": str(CODE)}
        record = run(cases_file=cases(folder), metrics=list(EXPECTED), worker_options=options, out=folder / "run")
    return folder, record


@pytest.mark.parametrize("case", CLIPS)
def test_scores_are_those_of_the_model_called_by_hand(road: tuple[Path, Record], case: str) -> None:
    folder, record = road
    expected, found = by_hand(folder / "model", CLIPS[case]), values(record, case)
    assert {name: found[name]["value"] for name in EXPECTED} == pytest.approx(expected, rel=1e-5)
    assert len({round(value, 6) for value in expected.values()}) == len(
        EXPECTED
    )  # prompts, media and scales all differ: no road is mixed up


def test_the_record_says_who_scored(road: tuple[Path, Record]) -> None:
    """Hashes of the files by hashlib, versions by this same Python, ids by the vocabulary."""
    import hashlib
    import platform
    from importlib.metadata import version

    folder, record = road
    stated = record.header["plan"]["workers"]["q-align"]
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "model").iterdir()}
    assert stated["content"]["model"]["files"] == files
    assert stated["content"]["program"] == hashlib.sha256(Path(qalign_worker.__file__).read_bytes()).hexdigest()
    assert (stated["name"], stated["python"]) == ("q-align", platform.python_version())
    assert stated["packages"]["torch"] == version("torch")
    network = record.header["plan"]["networks"]["qalign-quality-hub"]
    assert network["ask"]["prompt"] == EXPECTED["iqa@qalign-hub"]
    assert network["weights"] == f"own-files-{stated['sha256'][:8]}"
    assert record.header["spec"]["workers"] == {"q-align": stated["sha256"]}
    (entry,) = record.journal[Unit("m", "one")]["features"].values()
    vocabulary = json.loads((folder / "model" / "vocab.json").read_text())
    assert entry["qalign-quality"]["facts"]["token_ids"] == {level: vocabulary[level] for level in _qalign.LEVELS}
    assert (entry["qalign-quality"]["rows"], entry["qalign-quality-video"]["rows"]) == (2, 1)
    assert all(network["weights"] in row["flags"] for row in record.scores)
    assert worker._running == {}  # no process outlives its run


def test_two_processes_give_the_same_bits(road: tuple[Path, Record], tmp_path: Path) -> None:
    """From the command line, with a cache of its own; the licence is accepted there."""
    folder, record = road
    metrics = [word for name in EXPECTED for word in ("--metric", name)]
    told = hvbench(
        *("run", "--cases", folder / "cases.toml", *metrics, "--workers", "2", "--accept-licence", "q-align"),
        *("--qalign-model", folder / "model", "--qalign-code", CODE, "--out", tmp_path / "run", "--json"),
        cwd=tmp_path,
    )
    assert told.code == 0, told.err
    assert json.loads(told.out) == record.scores
    assert "S-Lab License 1.0" in told.err


def test_killed_in_the_middle(road: tuple[Path, Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth forward never answers: one network of one clip is unscored with the reason, the rest goes on; the same command mends it to the bit."""
    folder, record = road
    licences.accept("q-align", TERMS)
    (tmp_path / "left").write_text("4")
    monkeypatch.setenv("STANDIN_KILL", str(tmp_path / "left"))
    asked: dict[str, Any] = {
        "cases_file": folder / "cases.toml",
        "metrics": list(EXPECTED),
        "worker_options": {"qalign-model": str(folder / "model"), "qalign-code": str(CODE)},
        "out": tmp_path / "run",
    }
    first = run(**asked)
    lacking = {name: found for case in CLIPS for name, found in values(first, case).items() if "reason" in found}
    assert {found["reason"] for found in lacking.values()} == {"worker-died"}
    assert all("SIGKILL at `score`" in found["detail"] for found in lacking.values())
    assert 1 <= len({registry().variant(name)[1].extractor for name in lacking}) <= 1  # type: ignore[attr-defined]
    assert {row["n_failed"] for row in first.scores} == {0, 1}
    assert run(**asked).scores == record.scores


# --------------------------------------------------------------------------------------------------------------- refusals


def test_without_the_licence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is started; the message is the command to type. Accepted once, it is remembered, and then the model is asked for."""
    words_ = ["run", "--cases", cases(tmp_path, ("one",)), "--metric", "iqa@qalign", "--out", tmp_path / "run"]
    told = call(capfd, *words_)
    assert told.code == 3
    assert "licence-not-accepted" in told.err
    assert "--accept-licence q-align" in told.err
    told = call(capfd, *words_, "--accept-licence", "q-align")
    assert "accepted the terms of q-align" in told.err
    assert "weights-missing" in told.err
    assert "--qalign-model" in told.err
    again = call(capfd, *words_)
    assert "accepted the terms" not in again.err
    assert "--qalign-model" in again.err


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    """`fair` is unknown: the ids found are told."""
    from tests.standins.q_align.model.builder import Tokenizer

    vocabulary = json.loads((draw(tmp_path / "model", without="fair") / "vocab.json").read_text())
    with pytest.raises(qalign_worker.Refused) as error:
        qalign_worker.level_ids(Tokenizer(vocabulary), list(_qalign.LEVELS))
    reason, detail = error.value.args
    assert reason == "other-tokenizer"
    assert f'"good": [{vocabulary["good"]}]' in detail
    assert '"fair": [0]' in detail


def test_pictures_prepared_otherwise_are_refused(tmp_path: Path) -> None:
    settings = registry().workers["q-align"].item.settings
    qalign_worker._pictures(str(draw(tmp_path / "model")), dict(settings))
    path = tmp_path / "model" / "preprocessor_config.json"
    path.write_text(path.read_text().replace("448", "224"))
    with pytest.raises(qalign_worker.Refused, match="other-preprocessing"):
        qalign_worker._pictures(str(tmp_path / "model"), dict(settings))


def test_without_the_models_code(tmp_path: Path) -> None:
    with pytest.raises(qalign_worker.Refused, match="code-missing"):
        qalign_worker._loaded({"model": str(tmp_path)}, "cpu")


class Evil:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_weights_are_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle that would run something is not run, whatever the model's code asks of torch.load."""
    import pickle

    import torch

    monkeypatch.setattr(torch, "load", torch.load)  # put back afterwards: the program puts a careful one in its place
    monkeypatch.syspath_prepend(str(CODE))
    model = draw(tmp_path / "model")
    settings = dict(registry().workers["q-align"].item.settings)
    qalign_worker.load({"model": str(model), "code": str(CODE)}, settings, "cpu")
    torch.save({"out.weight": Evil(tmp_path / "ran")}, model / "weights.pt")
    with pytest.raises(pickle.UnpicklingError):
        qalign_worker.load({"model": str(model), "code": str(CODE)}, settings, "cpu")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(model / "weights.pt", weights_only=False)
    assert not (tmp_path / "ran").exists()


def test_too_short_a_clip_and_a_wrong_road(tmp_path: Path) -> None:
    """24 frames at 25 a second hold no whole second. A folder that is not there is an error, not a reason."""
    licences.accept("q-align", TERMS)
    with pytest.raises(InputError, match="--qalign-model takes a folder"):
        run(cases_file=cases(tmp_path, ("one",)), metrics=["iqa@qalign"], worker_options={"qalign-model": str(tmp_path / "no")})
    with pytest.raises(InputError, match="no worker has this option"):
        run(cases_file=tmp_path / "cases.toml", metrics=["iqa@qalign"], worker_options={"qalign-modle": str(tmp_path)})
    write(tmp_path / "m" / "one.mkv", CLIPS["one"][:24], rate=25)
    options = {"qalign-model": str(draw(tmp_path / "model")), "qalign-code": str(CODE)}
    record = run(
        cases_file=tmp_path / "cases.toml", metrics=["iqa@qalign", "aes@qalign-video"], worker_options=options, out=tmp_path / "run"
    )
    assert {found["reason"] for found in values(record, "one").values()} == {"too-short"}


HUB_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel

class TinyConfig(PretrainedConfig):
    model_type = "tiny_owl"
    def __init__(self, words=8, **more):
        super().__init__(**more)
        self.words = words

class Tiny(PreTrainedModel):
    config_class = TinyConfig
    def __init__(self, config):
        super().__init__(config)
        self.out = torch.nn.Linear(3, config.words)
        self.post_init()
    def forward(self, input_ids, images=None):
        means = torch.stack([image.mean(dim=(-2, -1)).reshape(-1, 3).mean(0) for image in images])
        return {"logits": self.out(means)[:, None] * (input_ids != -200).sum(1)[:, None, None]}
"""
"""Grades by the mean colour, times the number of words asked."""


@pytest.mark.slow
def test_a_checkpoint_with_code_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not run unless told to; told to, the logits are those of the formula. transformers copies such code into its cache, here the test's own."""
    safetensors = pytest.importorskip("safetensors.numpy")
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("transformers")
    licences.accept("q-align", TERMS)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "tiny.py").write_text(HUB_CODE)
    every = dict.fromkeys(["<unk>", "<s>", *_qalign.LEVELS, *words(EXPECTED["iqa@qalign"].replace("<|image|>", " "))])
    known = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: number for number, word in enumerate(every)}, unk_token="<unk>"))
    known.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    known.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    known.save(str(model / "tokenizer.json"))
    stated = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "unk_token": "<unk>"}
    (model / "tokenizer_config.json").write_text(json.dumps(stated))
    auto = {"AutoConfig": "tiny.TinyConfig", "AutoModelForCausalLM": "tiny.Tiny"}
    (model / "config.json").write_text(
        json.dumps({"model_type": "tiny_owl", "words": len(every), "auto_map": auto, "architectures": ["Tiny"]})
    )
    weight = np.random.default_rng(0).standard_normal((len(every), 3)).astype(np.float32) / 20
    safetensors.save_file(
        {"out.weight": weight, "out.bias": np.zeros(len(every), np.float32)}, model / "model.safetensors", {"format": "pt"}
    )
    asked: dict[str, Any] = {"cases_file": cases(tmp_path, ("one",)), "metrics": ["iqa@qalign"], "out": tmp_path / "run"}
    record = run(**asked, worker_options={"qalign-model": str(model)})
    assert values(record, "one")["iqa@qalign"]["reason"] == "code-missing"
    asked["out"] = tmp_path / "told"
    record = run(**asked, worker_options={"qalign-model": str(model), "qalign-trust-model-code": "yes"})
    pixels = _qalign.preprocess(CLIPS["one"][[0, 25]]).astype(np.float64).mean(axis=(2, 3))
    count = 1 + len(words(EXPECTED["iqa@qalign"].replace("<|image|>", " ")))
    scores = _qalign.opinion_score((pixels @ weight[2:7].T.astype(np.float64)) * count)
    assert values(record, "one")["iqa@qalign"]["value"] == pytest.approx(scores.mean(), rel=1e-5)
    assert record.header["plan"]["workers"]["q-align"]["content"]["trust"] is True
