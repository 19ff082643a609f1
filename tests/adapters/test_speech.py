"""The sound of a case, wav2vec2's features, and the windows of the latent frames: against numbers printed in the original, arithmetic by hand, NumPy."""

from __future__ import annotations

import json
import shutil
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters import _checkpoint, _tiny
from adapters._kinds import KINDS
from adapters._speech import Speech, from_original, hear, load, ranges, sound_of, windows
from benchmark.errors import InputError
from benchmark.model import Case
from tests.clips import write_audio, write_video
from tests.make import movie


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    return _checkpoint.load(_tiny.build("wan-i2v", folder), KINDS["wan-i2v"])


@pytest.fixture(scope="module")
def speech(pipeline: Any, folder: Path) -> Speech:
    encoder, weights = _tiny.speech(folder)
    return load(pipeline, weights, encoder)


def tone(seconds: float, rate: int = 16000, pitch: float = 220, loud: float = 0.3) -> NDArray[np.int16]:
    return np.rint(loud * 32767 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def wav(path: Path, samples: NDArray[np.int16], rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


# -------------------------------------------------------------------------------------------------------------------- windows


def test_windows_of_the_published_length() -> None:
    """81 frames at 23 a second: 175 tokens (comment in the original's model.py at the length of 81 frames), windows [-7, 1], [1, 9], ..., [165, 173] (its
    docstring) and 9 + 8 tokens long (comment in its infer.py)."""
    import torch

    found = ranges(175, 81)
    assert (len(found), found[:2], found[-1]) == (21, [(-7, 1), (1, 9)], (165, 173))
    heard = windows(torch.arange(1.0, 176)[:, None], 81)
    assert heard.tokens.shape == (21, 17, 1)
    # By hand: widened by 4 to [-11, 5], [-3, 13], [6, 22] (middle int((10.80 + 19.44) / 2) - 1 = 14) ... [161, 177], and the sound has tokens 0..174.
    assert heard.lengths.tolist()[:3] + heard.lengths.tolist()[-1:] == [6, 14, 17, 14]
    assert heard.tokens[0, :, 0].tolist() == [1, 2, 3, 4, 5, 6] + [0] * 11
    assert heard.tokens[2, :, 0].tolist() == list(range(7, 24))
    assert heard.tokens[20, :, 0].tolist() == [*range(162, 176), 0, 0, 0]


def test_windows_by_hand() -> None:
    """9 frames, 18 tokens: two a frame, half a window is int(8 / 2) = 4; middles int((2 + 10) / 2) - 1 = 5 and int((10 + 18) / 2) - 1 = 13; the first window
    ends where the second begins, at 1, and begins 8 before. 5 frames, 9 tokens: 1.8 a frame, half int(3.6) = 3, middle int((1.8 + 9) / 2) - 1 = 4."""
    assert ranges(18, 9) == [(-7, 1), (1, 9), (9, 17)]
    assert ranges(9, 5) == [(-5, 1), (1, 7)]


def test_windows_are_of_one_length_and_never_empty() -> None:
    """For 12 to 40 frames a second of wav2vec2's 50 tokens, and far beyond."""
    import torch

    for frames in range(5, 130, 4):
        for tokens in {round(frames * share / 8) for share in range(6, 60)}:
            spans = ranges(tokens, frames)
            assert len({last - first for first, last in spans}) == 1
            assert len(spans) == (frames - 1) // 4 + 1
            assert windows(torch.zeros(tokens, 1), frames).lengths.min() >= 1


@pytest.mark.parametrize("frames", [1, 4, 8, 82])
def test_lengths_that_no_clip_has(frames: int) -> None:
    with pytest.raises(ValueError, match=r"4 n \+ 1"):
        ranges(100, frames)


def test_later_features_are_heard_later() -> None:
    """Two tokens a frame: a latent frame has exactly eight, and features that come k latent frames later are heard k latent frames later, to the bit, by every
    window within the sound. Where a latent frame has no whole number of tokens, a window is where the ratio puts it, to less than a token."""
    import torch

    features = torch.randn(2 * 41, 5, generator=torch.Generator().manual_seed(0))
    before = windows(features, 41)
    for k in (1, 3):
        later = windows(torch.cat([torch.zeros(8 * k, 5), features[: -8 * k]]), 41)
        assert torch.equal(later.tokens[2 + k : 10], before.tokens[2 : 10 - k])
    for tokens in (127, 175, 173):
        middles = [sum(span) / 2 for span in ranges(tokens, 81)[1:]]
        assert max(abs(b - a - 4 * k * tokens / 81) for k in range(1, 19) for a, b in zip(middles, middles[k:], strict=False)) < 1


# ------------------------------------------------------------------------------------------------------------------- features


def test_features_are_those_of_the_cut_and_normalised_sound(speech: Speech) -> None:
    """int(81 / 23 * 16000) = 56347 samples, of mean 0 and variance 1 (+ 1e-7), through the encoder, projected and normalised in NumPy; 175 tokens: strides
    5 2 2 2 2 2 2 over kernels 10 3 3 3 3 2 2. What lies behind the cut is not heard."""
    import torch

    samples = np.random.default_rng(0).normal(0.01, 0.1, 60000).astype(np.float32)
    cut = samples[:56347].astype(np.float64)
    normal = (cut - cut.mean()) / np.sqrt(cut.var() + 1e-7)
    with torch.no_grad():
        found = speech.encoder(torch.tensor(normal[None], dtype=torch.float32)).last_hidden_state[0].numpy().astype(np.float64)
    assert found.shape == (175, 24)
    held = {name: tensor.numpy().astype(np.float64) for name, tensor in speech.projection.items()}
    made = found @ held["proj.weight"].T
    made = (made - made.mean(1, keepdims=True)) / np.sqrt(made.var(1, keepdims=True) + 1e-5) * held["norm.weight"] + held["norm.bias"]
    heard = hear(speech, samples, 81, Fraction(23))
    assert heard.tokens.dtype == torch.float32
    for k, (first, last) in enumerate(ranges(175, 81)):
        part = made[max(first - 4, 0) : last + 5]
        assert heard.lengths[k] == len(part)
        assert np.abs(heard.tokens[k, : len(part)].numpy() - part).max() < 1e-4
        assert not heard.tokens[k, len(part) :].any()
    other = samples.copy()
    other[56347:] = 1
    assert torch.equal(hear(speech, other, 81, 23).tokens, heard.tokens)
    with pytest.raises(ValueError, match="56000 samples for a clip of 56347"):
        hear(speech, samples[:56000], 81, 23)


def test_silence_is_heard_as_such(speech: Speech) -> None:
    """Finite, and of one mind: without anything to hear all samples are 0 after normalising too."""
    import torch

    heard = hear(speech, np.zeros(9000, np.float32), 9, 16)
    assert torch.isfinite(heard.tokens).all()
    assert not torch.equal(heard.tokens, hear(speech, tone(1).astype(np.float32) / 32768, 9, 16).tokens)


# ---------------------------------------------------------------------------------------------------------------------- sound


def test_sound_of_a_case(tmp_path: Path) -> None:
    """As it is, cut, filled up; at 48 kHz resampled; a clip's own sound as well as a file of sound. Every second of it is in the facts."""
    plain = tone(1)
    case = Case(id="one", audio=wav(tmp_path / "one.wav", plain))
    samples, facts = sound_of(case, 1)
    assert samples.dtype == np.float32
    assert np.array_equal(samples, plain / np.float32(32768))
    assert facts == {"audio": "case", "seconds": 1.0, "padded": 0.0, "cut": 0.0, "silent": False}
    samples, facts = sound_of(case, Fraction(3, 2))
    assert np.array_equal(samples[:16000], plain / np.float32(32768))
    assert not samples[16000:].any()
    assert (len(samples), facts["seconds"], facts["padded"], facts["cut"]) == (24000, 1.5, 0.5, 0.0)
    samples, facts = sound_of(case, 0.25)
    assert (len(samples), facts["padded"], facts["cut"]) == (4000, 0.0, 0.75)
    fine, _ = sound_of(Case(id="two", audio=wav(tmp_path / "two.wav", tone(1, 48000), 48000)), 1)
    assert np.abs(fine[500:15500] - plain[500:15500] / 32768).max() < 2e-3
    assert not sound_of(Case(id="aac", audio=write_audio(tmp_path / "tone.m4a")), 0.5)[1]["silent"]
    assert json.dumps(facts)


def test_silence_is_said(tmp_path: Path) -> None:
    samples, facts = sound_of(Case(id="none"), Fraction(81, 23))
    assert (len(samples), samples.any(), facts["audio"], facts["silent"], facts["padded"]) == (56347, False, "silence", True, 0.0)
    _, facts = sound_of(Case(id="mute", audio=wav(tmp_path / "mute.wav", np.full(16000, 2, np.int16))), 1)
    assert (facts["audio"], facts["silent"]) == ("case", True)


def test_sounds_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound at all")
    mute = write_video(tmp_path / "mute.mp4", movie(0, 4, 32, 32))
    for path, code in ((tmp_path / "bad.wav", "bad-audio"), (tmp_path / "none.wav", "bad-audio"), (mute, "no-audio")):
        with pytest.raises(InputError) as error:
            sound_of(Case(id="one", audio=path), 1)
        assert (error.value.code, error.value.path) == (code, str(path))


# -------------------------------------------------------------------------------------------------------------------- weights


def test_weights_that_do_not_fit(pipeline: Any, folder: Path, tmp_path: Path) -> None:
    """Missing, too many, of another shape, for another encoder: each is named."""
    import torch
    from safetensors.torch import load_file, save_file

    encoder, weights = _tiny.speech(folder)
    good = load_file(weights)

    def refused(name: str, says: str, **changes: Any) -> None:
        tensors = {key: value for key, value in {**good, **changes}.items() if value is not None}
        save_file(tensors, tmp_path / f"{name}.safetensors")
        with pytest.raises(InputError) as error:
            load(pipeline, tmp_path / f"{name}.safetensors", encoder)
        assert error.value.code == "audio-keys"
        assert says in str(error.value.found)

    key = "blocks.1.v_proj.weight"
    refused("short", f"lacks {key}", **{key: None})
    refused("long", "has blocks.3.k_proj.weight", **{"blocks.3.k_proj.weight": torch.zeros(24, 32)})
    refused("wide", f"other shape {key} (48, 32) for (24, 32)", **{key: torch.zeros(48, 32)})
    refused("deep", "other shape proj.weight (32, 768) for (32, 24)", **{"proj.weight": torch.zeros(32, 768)})
    refused("none", "lacks norm.weight", **{"norm.weight": None})


def test_files_that_are_none(pipeline: Any, folder: Path, tmp_path: Path) -> None:
    encoder, _ = _tiny.speech(folder)
    (tmp_path / "audio.ckpt").write_bytes(b"pickled")
    (tmp_path / "damaged.safetensors").write_bytes(b"short")
    for path, code in (
        (tmp_path / "none.safetensors", "checkpoint-missing"),
        (tmp_path / "audio.ckpt", "checkpoint-unsafe"),
        (tmp_path / "damaged.safetensors", "audio-keys"),
    ):
        with pytest.raises(InputError) as error:
            load(pipeline, path, encoder)
        assert (error.value.code, error.value.path) == (code, str(path))
    assert _tiny.speech(folder)[1].read_bytes() == _tiny.speech(tmp_path / "anew")[1].read_bytes()


def test_encoders_that_are_none(pipeline: Any, folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    encoder, weights = _tiny.speech(folder)

    def refused(name: str, change: Any) -> InputError:
        copy = tmp_path / name
        shutil.copytree(encoder, copy)
        change(copy)
        with pytest.raises(InputError) as error:
            load(pipeline, weights, copy)
        return error.value

    def configured(copy: Path) -> None:
        (copy / "config.json").write_text(json.dumps({**json.loads((copy / "config.json").read_text()), "model_type": "hubert"}))

    def bare(copy: Path) -> None:
        tensors = load_file(copy / "model.safetensors")
        del tensors["encoder.layers.1.attention.q_proj.weight"]
        save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})

    assert refused("empty", lambda copy: (copy / "config.json").unlink()).code == "checkpoint-missing"
    assert refused("gone", lambda copy: (copy / "model.safetensors").unlink()).code == "checkpoint-missing"
    pickled = refused("pickled", lambda copy: (copy / "model.safetensors").rename(copy / "pytorch_model.bin"))
    assert (pickled.code, pickled.found) == ("checkpoint-unsafe", "pytorch_model.bin")
    assert refused("code", lambda copy: (copy / "modeling.py").write_text("print('no')")).code == "checkpoint-unsafe"
    assert refused("other", configured).code == "checkpoint-class"
    lacks = refused("lacks", bare)
    assert (lacks.code, lacks.found) == ("checkpoint-keys", "lacks encoder.layers.1.attention.q_proj.weight")


def test_names_of_the_original() -> None:
    """Nested as its .ckpt holds them, or flat with prefixes, as its loader reads both; with and without `processor`. A name of neither is no weight."""
    projection = {"proj.weight": 1, "norm.weight": 2, "norm.bias": 3}
    blocks = {f"blocks.{k}.cross_attn.processor.{half}_proj.weight": 10 * k + len(half) for k in (0, 39) for half in "kv"}
    wanted = {**projection, **{f"blocks.{k}.{half}_proj.weight": 10 * k + 1 for k in (0, 39) for half in "kv"}}
    assert from_original({"proj_model": projection, "audio_processor": blocks}) == wanted
    flat = {f"proj_model.{key}": value for key, value in projection.items()}
    assert from_original({**flat, **{f"audio_processor.{key}": value for key, value in blocks.items()}}) == wanted
    assert from_original({**flat, **{key.replace("processor.", ""): value for key, value in blocks.items()}}) == wanted
    with pytest.raises(InputError) as error:
        from_original({"audio_processor": {"blocks.0.self_attn.q.weight": 1}})
    assert (error.value.code, error.value.found) == ("audio-keys", "audio_processor.blocks.0.self_attn.q.weight")


def test_two_denoisers(pipeline: Any, folder: Path) -> None:
    class Two:
        transformer = pipeline.transformer
        transformer_2 = pipeline.transformer

    encoder, weights = _tiny.speech(folder)
    with pytest.raises(InputError) as error:
        load(Two(), weights, encoder)
    assert error.value.code == "two-denoisers"
