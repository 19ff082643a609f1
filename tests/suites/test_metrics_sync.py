"""Sync-C, Sync-D and the offset through whole runs: frozen numbers of the original from files, where the sound comes from, and why there is no number."""

from __future__ import annotations

import json
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import weights
from benchmark.api import run
from benchmark.errors import Unscored
from benchmark.model import Unit
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.weights import seeded_tensor
from suites.embedded import talking
from suites.embedded._speech import shifted, sound, speech, write_wav
from suites.networks import _light_asd, mediapipe_faces
from suites.networks._syncnet import forward_aud, forward_lip
from suites.networks.syncnet import build, floats, preprocess
from suites.sync._asd import speaking
from suites.sync._crop import crops
from suites.sync._distances import distances, embed, summarise
from suites.sync._faces import unpack
from suites.sync._mfcc import mfcc
from tests.formula import frames, weight
from tests.formula import weights as drawn_weights
from tests.formula_audio import waveform
from tests.frozen import fixture
from tests.make import movie, write

FROZEN = fixture("syncnet_evaluate")
NAMES = ["sync-c@wav2lip-wholeframe", "sync-d@wav2lip-wholeframe", "sync-offset@wav2lip-wholeframe"]


def frozen_state() -> dict[str, NDArray[np.float32]]:
    """Weights by formula, last layers scaled and biases shared, as the frozen scores have them."""
    state = {name: np.asarray(value, np.float32) for name, value in drawn_weights(floats()).items()}
    for branch, divisor in (("lip", 128), ("aud", 64)):
        state[f"netfc{branch}.3.weight"] = state[f"netfc{branch}.3.weight"] / np.float32(divisor)
        state[f"netfc{branch}.3.bias"] = (64 * weight("syncnet.shared.bias", (1024,))).astype(np.float32)
    return state


def test_frozen_scores_of_40_frames() -> None:
    """The original's distances, within 1e-5 relative, and its confidence and offset, through the extractor."""
    clip = frames("truth", 40, 224, 224, 0)
    means = build(frozen_state(), "cpu")(preprocess(clip)[None], sound=waveform(129 * 640)[: 40 * 640])
    expected = FROZEN["outputs"]["40"]
    assert means.shape == (1, 31)
    assert means[0] == pytest.approx(expected["mean_distances"], rel=1e-5)
    score = summarise(means)
    assert score.offset == expected["offset"]
    assert score.distance == pytest.approx(expected["min_distance"], rel=1e-5)
    assert score.confidence == pytest.approx(expected["confidence"], abs=1e-3)


def test_frames_are_squashed() -> None:
    assert preprocess(np.zeros((2, 48, 64, 3), np.float32)).shape == (2, 224, 224, 3)


def scored(record: Record, case: str) -> dict[str, Any]:
    values: dict[str, Any] = next(iter(record.journal[Unit("m", case)]["values"].values()))
    return values


def cases(path: Path, audio: dict[str, str]) -> Path:
    """A cases.toml with a sound for some clips."""
    lines = ["format = 1", 'suite = "tiktok"']
    for name in ("one", "two"):
        lines += ["[[case]]", f'id = "{name}"', *([f'audio = "{audio[name]}"'] if name in audio else [])]
        lines += [f'outputs = {{ m = {{ path = "m/{name}.mkv" }} }}']
    path.write_text("\n".join(lines))
    return path


def test_a_run_with_sound_beside_the_clips(tmp_path: Path) -> None:
    """Seeded weights: the run's numbers are those of the network on the same frames and samples; another sound is another run; none is a reason."""
    clip = movie(1, 26, 40, 40)  # more windows than offsets, or at some offset every comparison would be with zeros
    for name in ("one", "two"):
        write(tmp_path / "m" / f"{name}.mkv", clip, rate=25)
    samples = waveform(26 * 640)
    write_wav(tmp_path / "one.wav", samples)
    file = cases(tmp_path / "cases.toml", {"one": "one.wav"})
    record = run(cases_file=file, metrics=NAMES, weights="seeded", out=tmp_path / "run")
    state = {name: seeded_tensor(name, shape) for name, shape in floats().items()}
    expected = summarise(build(state, "cpu")(preprocess(clip)[None], sound=samples))
    one, two = scored(record, "one"), scored(record, "two")
    assert one[NAMES[0]]["value"] == pytest.approx(expected.confidence, rel=1e-5)
    assert one[NAMES[1]]["value"] == pytest.approx(expected.distance, rel=1e-6)
    assert one[NAMES[2]]["value"] == expected.offset
    assert {two[name]["reason"] for name in NAMES} == {"no-audio"}
    (row,) = (r for r in record.scores if f"{r['metric']}@{r['variant']}" == NAMES[0])
    assert (row["n_clips"], row["n_failed"]) == (1, 1)
    assert "seeded-1" in row["flags"]

    first = json.loads((tmp_path / "run" / "run.json").read_text())["spec_sha256"]
    write_wav(tmp_path / "one.wav", samples[::-1].copy())
    again = run(cases_file=file, metrics=NAMES, weights="seeded", out=tmp_path / "again")
    assert again.header["spec_sha256"] != first
    assert scored(again, "one")[NAMES[1]]["value"] != one[NAMES[1]]["value"]


def test_too_little_of_either(tmp_path: Path) -> None:
    clip = movie(1, 9, 40, 40)
    write(tmp_path / "m" / "one.mkv", clip, rate=25)
    write(tmp_path / "m" / "two.mkv", clip[:5], rate=25)
    write_wav(tmp_path / "one.wav", waveform(5 * 640))
    write_wav(tmp_path / "two.wav", waveform(9 * 640))
    record = run(
        cases_file=cases(tmp_path / "cases.toml", {"one": "one.wav", "two": "two.wav"}),
        metrics=NAMES,
        weights="seeded",
        out=tmp_path / "run",
    )
    assert {scored(record, case)[NAMES[0]]["reason"] for case in ("one", "two")} == {"too-short"}
    with pytest.raises(Unscored, match="too-short"):
        build({name: seeded_tensor(name, shape) for name, shape in floats().items()}, "cpu")(preprocess(clip)[None], sound=waveform(1000))


def test_a_frame_left_out_in_between_is_a_reason(tmp_path: Path) -> None:
    """The reference in the middle of the truth is not compared: what follows would be a frame off the sound. At the beginning it only moves the start."""
    clip = movie(1, 24, 40, 40)
    write(tmp_path / "truth" / "one.mkv", clip, rate=25)
    write(tmp_path / "m" / "one.mkv", clip, rate=25)
    write_wav(tmp_path / "one.wav", waveform(24 * 640))
    for frame, reason in ((7, "frames-missing"), (0, None)):
        lines = ["format = 1", 'suite = "tiktok"', "[[case]]", 'id = "one"', f"reference_frame = {frame}", 'audio = "one.wav"']
        (tmp_path / "cases.toml").write_text(
            "\n".join([*lines, 'truth = { path = "truth/one.mkv" }', 'outputs = { m = { path = "m/one.mkv" } }'])
        )
        record = run(cases_file=tmp_path / "cases.toml", metrics=NAMES[2:], weights="seeded", out=tmp_path / f"run-{frame}")
        assert scored(record, "one")[NAMES[2]].get("reason") == reason


def test_without_the_package_of_cepstra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unscored) as error:
        build({}, "cpu")
    assert error.value.reason == "not-installed"
    assert "human-video-benchmark[sync]" in error.value.detail


def talker(n: int) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """The first frames of a drawn speaker, and what is said."""
    size = replace(talking.SIZE, frames=n)
    reel = talking.draw(0, size)
    return np.asarray(reel.frames, np.uint8), sound(speech(talking.seed_of(0), n / 25))


@pytest.mark.slow
@pytest.mark.real_weights
def test_a_drawn_speaker_is_followed(weights_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces by MediaPipe's real detector, SyncNet's weights by formula: the whole road gives what its parts give when they are put together by hand; a
    late sound is another number; one track, all frames long, is in the record and is flagged as short."""
    monkeypatch.setenv("BENCHMARK_WEIGHTS", str(weights_folder / "mediapipe_tflite"))
    clip, samples = talker(40)
    for name, late in (("one", 0), ("two", 3)):
        write(tmp_path / "m" / f"{name}.mkv", clip, rate=25)
        write_wav(tmp_path / f"{name}.wav", shifted(samples, late, 25.0) if late else samples)
    names = [f"{metric}@clean25-mediapipe" for metric in ("sync-c", "sync-d", "sync-offset")] + ["sync-d@clean25-mediapipe-zero"]
    record = run(
        cases_file=cases(tmp_path / "cases.toml", {"one": "one.wav", "two": "two.wav"}),
        metrics=names,
        weights="seeded",
        out=tmp_path / "run",
    )
    one, two = scored(record, "one"), scored(record, "two")
    (track,) = one[names[0]]["facts"]["tracks"]
    assert (track["first"], track["frames"], track["detections"]) == (0, 40, 40)
    assert track["confidence"] == one[names[0]]["value"]

    graph = (weights_folder / "mediapipe_tflite" / "face_detection_short_range.tflite").read_bytes()
    state = {name: seeded_tensor(name, shape) for name, shape in floats().items()}
    find = mediapipe_faces.build(graph, "cpu")
    boxes = np.stack([unpack(find(frame[None]))[0][0] for frame in clip])
    lips, sounds = embed(forward_lip(state, "cpu"), forward_aud(state, "cpu"), crops(list(clip), boxes), mfcc(samples[: 40 * 640]), 35)
    expected = summarise(distances(lips, sounds, padded=False))
    assert one[names[0]]["value"] == pytest.approx(expected.confidence, rel=1e-4)
    assert one[names[1]]["value"] == pytest.approx(expected.distance, rel=1e-6)
    assert one[names[2]]["value"] == expected.offset
    assert one[names[3]]["value"] == pytest.approx(expected.at_zero, rel=1e-6)
    assert two[names[3]]["value"] != one[names[3]]["value"]
    (row,) = (r for r in record.scores if r["metric"] == "sync-c")
    assert {"seeded-1", "short track"} <= set(row["flags"])


def test_the_original_pipelines_run_to_a_reason(tmp_path: Path) -> None:
    """Three frames are too few for a track, whatever S3FD with weights by formula takes for a face; below its smallest picture it says so."""
    names = [f"sync-c@{way}" for way in ("pipeline-a", "pipeline-b", "latentsync", "mochabench", "clean25")]
    for name, side in (("one", 128), ("two", 64)):
        write(tmp_path / "m" / f"{name}.mkv", movie(1, 3, side, side), rate=25)
        write_wav(tmp_path / f"{name}.wav", waveform(3 * 640))
    record = run(
        cases_file=cases(tmp_path / "cases.toml", {"one": "one.wav", "two": "two.wav"}),
        metrics=names,
        weights="seeded",
        out=tmp_path / "run",
    )
    assert {scored(record, "one")[name]["reason"] for name in names} == {"short-track"}
    assert {scored(record, "two")[name]["reason"] for name in names} == {"too-small"}


@pytest.mark.slow
@pytest.mark.real_weights
def test_active_speaker_of_a_drawn_face(weights_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real weights throughout: the run's number is that of the parts put together by hand, and silence has none."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in (weights_folder / "mediapipe_tflite" / "face_detection_short_range.tflite", weights_folder / "asd" / "light_asd_AVA.model"):
        (folder / path.name).symlink_to(path)
    monkeypatch.setenv("BENCHMARK_WEIGHTS", str(folder))
    clip, samples = talker(50)
    for name in ("one", "two"):
        write(tmp_path / "m" / f"{name}.mkv", clip, rate=25)
    write_wav(tmp_path / "one.wav", samples)
    write_wav(tmp_path / "two.wav", np.zeros_like(samples))
    record = run(
        cases_file=cases(tmp_path / "cases.toml", {"one": "one.wav", "two": "two.wav"}), metrics=["asd@light-asd"], out=tmp_path / "run"
    )
    one, two = scored(record, "one")["asd@light-asd"], scored(record, "two")["asd@light-asd"]
    find = mediapipe_faces.build((folder / "face_detection_short_range.tflite").read_bytes(), "cpu")
    boxes = np.stack([unpack(find(frame[None]))[0][0] for frame in clip])
    entry = weights.entry("light-asd-ava")
    network = registry().extractors["light-asd"].item
    state = weights.state_for(entry.name, network.shapes, "real", folder, network.rename)[0]
    expected = speaking(_light_asd.build(state, "cpu"), crops(list(clip), boxes), samples[: 50 * 640])
    assert one["facts"]["tracks"][0]["scored"] == len(expected) == 49
    assert one["value"] == pytest.approx(expected.astype(np.float64).mean(), abs=1e-4)
    assert two["reason"] == "silent-audio"


def test_sounds_that_are_wrong_or_only_strange(tmp_path: Path) -> None:
    """Silence and a text file have their own reasons; clipped sound is scored and noted; 8 and 48 kHz, two channels and a sound that is too long are scored
    like the same sound at 16 kHz, within what resampling leaves."""
    clip = movie(1, 24, 40, 40)
    samples = waveform(24 * 640)
    wave48 = np.repeat(samples, 3)
    sounds: dict[str, tuple[NDArray[np.int16], int, int]] = {
        "plain": (samples, 16_000, 1),
        "silent": (np.full(24 * 640, 2, np.int16), 16_000, 1),
        "clipped": (np.clip(samples.astype(np.int32) * 40, -32768, 32767).astype(np.int16), 16_000, 1),
        "longer": (np.concatenate([samples, samples]), 16_000, 1),
        "stereo": (np.stack([wave48, wave48], axis=1).ravel(), 48_000, 2),
        "slow": (samples[::2].copy(), 8_000, 1),
    }
    lines = ["format = 1", 'suite = "tiktok"']
    for name, (values, rate, channels) in sounds.items():
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(values.astype("<i2").tobytes())
    (tmp_path / "text.wav").write_text("no sound at all")
    for name in (*sounds, "text"):
        write(tmp_path / "m" / f"{name}.mkv", clip, rate=25)
        lines += ["[[case]]", f'id = "{name}"', f'audio = "{name}.wav"', f'outputs = {{ m = {{ path = "m/{name}.mkv" }} }}']
    (tmp_path / "cases.toml").write_text("\n".join(lines))
    record = run(cases_file=tmp_path / "cases.toml", metrics=[NAMES[1]], weights="seeded", out=tmp_path / "run")
    found = {name: scored(record, name)[NAMES[1]] for name in (*sounds, "text")}
    assert found["silent"]["reason"] == "silent-audio"
    assert found["text"]["reason"] == "bad-audio"
    assert "text.wav" in found["text"]["detail"]
    assert "value" in found["clipped"]
    assert any("clipped" in note for note in record.journal[Unit("m", "clipped")]["notes"])
    assert record.journal[Unit("m", "plain")]["notes"] == []
    assert found["longer"]["value"] == found["plain"]["value"]
    for name in ("stereo", "slow"):
        assert found[name]["value"] == pytest.approx(found["plain"]["value"], rel=0.05)
