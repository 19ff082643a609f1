"""Judges through whole runs: the program in docs/judges.md, and a Qwen2.5-Omni of the real class drawn at random, with a random LoRA.

Expected inputs: transformers' own processor. Expected scores: the same checkpoint loaded in this process. No test runs a real checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.api import run
from benchmark.model import Unit
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.workers import WorkerExtractor
from suites.embedded._speech import write_wav
from suites.networks import judge
from suites.workers import qwen_omni_worker
from tests.formula_audio import waveform
from tests.make import ROOT, call, movie, write

CLIP = movie(3, 50, 48, 64)
"""Two seconds at 25 frames: pictures 0, 12, 25 (half a second is 12.5, to the even), 38."""
SEEN = [0, 12, 25, 38]
SOUND = waveform(2 * 16000)
NAMES = [f"judge-{about}@qwen-omni" for about in judge.ABOUT]


def ask(about: str) -> dict[str, Any]:
    extractor = registry().extractors[f"qwen-omni-{about}"].item
    assert isinstance(extractor, WorkerExtractor)
    return dict(extractor.ask)


def cases(folder: Path, sound: bool = True) -> Path:
    write(folder / "m" / "one.mkv", CLIP, rate=25)
    write_wav(folder / "one.wav", SOUND)
    audio = ['audio = "one.wav"'] if sound else []
    lines = ["format = 1", 'suite = "tiktok"', "[[case]]", 'id = "one"', *audio, 'outputs = { m = { path = "m/one.mkv" } }']
    (folder / "cases.toml").write_text("\n".join(lines))
    return folder / "cases.toml"


def values(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(record.journal[Unit("m", "one")]["values"].values()))
    return found


# ------------------------------------------------------------------------------------------------------- a judge of one's own


def documented() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "judges.md").read_text(encoding="utf-8"), re.S)
    assert len(block.splitlines()) < 30
    return str(block)


def test_the_documented_judge(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Closed form: the mean absolute step between neighbours over 32, on pictures at half seconds; its facts and its hash are in the record."""
    (tmp_path / "mine.py").write_text(documented())
    told = call(
        capfd,
        *("run", "--cases", cases(tmp_path), "--metric", "judge-quality@own", "--metric", "judge-sync@own"),
        *("--judge-worker", tmp_path / "mine.py", "--out", tmp_path / "run"),
    )
    assert told.code == 3  # lip sync was asked for and has no number
    record = Record(tmp_path / "run", json.loads((tmp_path / "run" / "run.json").read_text()))
    found = values(record)
    steps = np.abs(np.diff(CLIP[SEEN].astype(np.float64), axis=2)).mean()
    assert found["judge-quality@own"]["value"] == pytest.approx(steps / 32, rel=1e-6)
    assert found["judge-sync@own"] == {"reason": "not-judged", "detail": "judge: sharpness says nothing of sync"}
    (entry,) = record.journal[Unit("m", "one")]["features"].values()
    assert entry["judge-quality"]["facts"] == {"scale": 32.0}
    stated = record.header["plan"]["workers"]["judge"]
    import hashlib

    assert (stated["name"], stated["content"]["program"]) == ("sharpness", hashlib.sha256(documented().encode()).hexdigest())


def test_a_judge_that_leaves_its_range(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(documented().replace("min(1.0, value / scale)", "1.5"))
    record = run(cases_file=cases(tmp_path), metrics=["judge-quality@own"], worker_options={"judge-worker": str(tmp_path / "mine.py")})
    assert values(record)["judge-quality@own"] == {"reason": "out-of-range", "detail": "the judge says 1.5, expected 0..1"}


def test_without_a_program_or_a_checkpoint(tmp_path: Path) -> None:
    record = run(cases_file=cases(tmp_path), metrics=["judge-motion@own", *NAMES], out=tmp_path / "run")
    assert {row["reason"] for row in record.scores} == {"weights-missing"}
    assert {row["detail"].partition(":")[0] for row in record.scores} == {"--judge-worker", "--judge-model"}


# ------------------------------------------------------------------------------------------------------------- Qwen2.5-Omni


@dataclass(frozen=True)
class Tiny:
    """Drawn folders, and the checkpoint loaded here with and without its LoRA."""

    root: Path
    model: Path
    lora: Path
    plain: Callable[..., Any]
    tuned: Callable[..., Any]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    from tests.standins import qwen_omni

    root = tmp_path_factory.mktemp("qwen")
    said = " ".join(re.sub(r"<\|\w+\|>", " ", ask(about)["prompt"]) for about in judge.ABOUT)
    words = [*re.findall(r"\w+|[^\w\s]+", said), "yes", "no"]
    model = qwen_omni.draw(root / "model", words)
    lora = qwen_omni.draw_lora(root / "lora", model)
    qwen_omni.draw_lora(root / "wide-lora", qwen_omni.draw(root / "wide", words, width=64))
    qwen_omni.draw_lora(root / "deep-lora", qwen_omni.draw(root / "deep", words, layers=3))
    settings = dict(judge.QWEN.settings)
    plain, _ = qwen_omni_worker.load({"model": str(model)}, settings, "cpu")
    tuned, _ = qwen_omni_worker.load({"model": str(model), "lora": str(lora)}, settings, "cpu")
    return Tiny(root, model, lora, plain, tuned)


def probabilities(answer: Callable[..., Any], clip: NDArray[np.uint8]) -> dict[str, float]:
    frames = judge.preprocess(clip[SEEN])[None]
    found = {}
    for about in judge.ABOUT:
        positive, negative = np.exp(np.float64(answer(ask(about), frames, SOUND if about == "sync" else None)[0]))
        found[f"judge-{about}@qwen-omni"] = float(positive / (positive + negative))
    return found


def test_a_whole_run_with_a_lora(tiny: Tiny, tmp_path: Path) -> None:
    """By the worker what the same files give here; the LoRA moves every score; the record has both folders' files."""
    options = {"judge-model": str(tiny.model), "judge-lora": str(tiny.lora)}
    record = run(cases_file=cases(tmp_path), metrics=NAMES, worker_options=options, out=tmp_path / "run")
    expected, without = probabilities(tiny.tuned, CLIP), probabilities(tiny.plain, CLIP)
    assert {name: found["value"] for name, found in values(record).items()} == pytest.approx(expected, rel=1e-4)
    assert all(abs(expected[name] - without[name]) > 0.01 for name in NAMES)
    stated = record.header["plan"]["workers"]["qwen-omni"]
    assert set(stated["content"]["lora"]["files"]) >= {"adapter_config.json", "adapter_model.safetensors"}
    assert "model.safetensors" in stated["content"]["model"]["files"]
    (entry,) = record.journal[Unit("m", "one")]["features"].values()
    facts = entry["qwen-omni-sync"]["facts"]
    assert (facts["class"], facts["dtype"]) == ("Qwen2_5OmniThinkerForConditionalGeneration", "float32")
    assert set(facts["token_ids"]) == {"yes", "no"}
    assert record.header["plan"]["networks"]["qwen-omni-sync"]["ask"]["prompt"].count("<|VIDEO|>") == 1


def test_sound_moves_the_answer_and_its_absence_is_a_reason(tiny: Tiny, tmp_path: Path) -> None:
    frames = judge.preprocess(CLIP[SEEN])[None]
    loud, quiet = (tiny.plain(ask("sync"), frames, sound)[0] for sound in (SOUND, np.zeros_like(SOUND)))
    assert np.abs(loud - quiet).max() > 1e-3
    with pytest.raises(qwen_omni_worker.Refused, match="too-long"):
        tiny.plain(ask("sync"), frames, np.zeros(31 * 16000, np.int16))
    options = {"judge-model": str(tiny.model)}
    record = run(cases_file=cases(tmp_path, sound=False), metrics=NAMES[1:2], worker_options=options, out=tmp_path / "run")
    assert values(record)[NAMES[1]]["reason"] == "no-audio"


@pytest.mark.parametrize("which", ["wide-lora", "deep-lora", "model"])
def test_a_lora_of_another_model_is_refused_by_name(tiny: Tiny, which: str) -> None:
    """Other shapes, one layer more, and a folder that holds none."""
    told = {"wide-lora": "size mismatch", "deep-lora": "layers.2.", "model": "adapter_model.safetensors"}[which]
    with pytest.raises(qwen_omni_worker.Refused) as error:
        qwen_omni_worker.load({"model": str(tiny.model), "lora": str(tiny.root / which)}, dict(judge.QWEN.settings), "cpu")
    reason, detail = error.value.args
    assert reason == "lora-unusable"
    assert told in detail


def test_answers_are_one_token_each(tiny: Tiny) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny.model)
    found = qwen_omni_worker.answer_ids(tokenizer, ["yes", "no"])
    assert tokenizer.convert_ids_to_tokens(list(found.values())) == ["yes", "no"]
    for words in (["yes", "certainly"], ["yes no", "no"], ["yes", "yes"]):
        with pytest.raises(qwen_omni_worker.Refused, match="other-tokenizer"):
            qwen_omni_worker.answer_ids(tokenizer, words)


@pytest.mark.parametrize("seconds", [None, 1.0, 6.3])
def test_inputs_are_those_of_the_models_own_processor(tiny: Tiny, seconds: float | None) -> None:
    """Tokens, grid, mask and features of the sound to the bit, pixels to the last bits of float32; 12 pictures are three chunks of two seconds."""
    import torch
    import transformers

    frames = judge.preprocess(movie(0, 12, 64, 80))
    sound = None if seconds is None else waveform(int(seconds * 16000))
    config, tokenizer = transformers.AutoConfig.from_pretrained(tiny.model), transformers.AutoTokenizer.from_pretrained(tiny.model)
    processor = transformers.Qwen2_5OmniProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(),
        video_processor=transformers.Qwen2VLVideoProcessor(),
        feature_extractor=transformers.WhisperFeatureExtractor.from_pretrained(tiny.model),
        tokenizer=tokenizer,
    )
    heard = {} if sound is None else {"audio": [sound.astype(np.float32) / 32768]}
    if sound is not None:
        heard |= {"load_audio_from_video": True, "audio_from_video_indices": [0]}
    about = ask("sync" if heard else "motion")
    try:
        expected = processor(
            text=[about["prompt"]],
            videos=[torch.from_numpy(frames).permute(0, 3, 1, 2)],
            videos_kwargs={"fps": about["rate"], "do_sample_frames": False},
            return_tensors="pt",
            **heard,
        )
    except TypeError as error:  # another version's processor has other arguments
        pytest.skip(f"transformers {transformers.__version__}: {error}")
    hear = qwen_omni_worker._ears(tiny.model, config)
    ours = qwen_omni_worker.inputs(tokenizer, config, dict(judge.QWEN.settings), about, frames, None if sound is None else hear(sound))
    assert set(expected) <= set(ours)
    for name in expected:
        tolerance = 1e-6 if name == "pixel_values_videos" else 0
        assert torch.as_tensor(ours[name]).shape == torch.as_tensor(expected[name]).shape
        assert np.abs(np.asarray(ours[name], np.float64) - np.asarray(expected[name], np.float64)).max() <= tolerance, name
    assert int((ours["input_ids"] == config.audio_token_id).sum()) == (0 if sound is None else int(seconds * 25))  # type: ignore[operator]


@pytest.mark.parametrize("size", [(48, 64), (256, 256), (480, 832), (1080, 1920), (1280, 720), (64, 3000)])
def test_sizes_are_those_of_the_models_own_processor(size: tuple[int, int]) -> None:
    resize = pytest.importorskip("transformers.models.qwen2_vl.video_processing_qwen2_vl").smart_resize
    assert judge.fitting(*size) == resize(*size, factor=28, min_pixels=judge.LEAST, max_pixels=judge.MOST)
    height, width = judge.fitting(*size)
    assert (height % 28, width % 28) == (0, 0)
