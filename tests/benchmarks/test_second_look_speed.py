"""Networks that look at followed faces: what a run adds to decoding, the bare face detector and the bare network on crops; what a further metric costs."""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import weights
from benchmark.api import run
from benchmark.media import decode, probe
from benchmark.registry import registry
from suites.embedded import talking
from suites.embedded._speech import sound, speech, write_wav
from suites.networks import _light_asd, mediapipe_faces
from suites.networks._syncnet import forward_aud, forward_lip
from suites.sync._asd import speaking
from suites.sync._crop import crops
from suites.sync._distances import count_windows, distances, embed
from suites.sync._faces import unpack
from suites.sync._mfcc import mfcc
from tests.make import write

pytestmark = [pytest.mark.speed, pytest.mark.real_weights]
TURNS, FRAMES = 3, 60
SETS = {
    "light-asd": ("real", ("asd@light-asd",)),
    "syncnet-clean25-mediapipe": (
        "seeded",
        ("sync-c@clean25-mediapipe", "sync-d@clean25-mediapipe", "sync-d@clean25-mediapipe-zero", "sync-offset@clean25-mediapipe"),
    ),
}
"""Extractor -> whose weights, and the metrics that rest on it."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn speakers of 60 frames with their sound, as one method's outputs."""
    folder = tmp_path_factory.mktemp("drawn")
    for number in (0, 2):
        reel = talking.draw(number, replace(talking.SIZE, frames=FRAMES))
        write(folder / "m" / f"{number}.mkv", reel.frames, rate=25)
        (folder / "sound").mkdir(exist_ok=True)
        write_wav(folder / "sound" / f"{number}.wav", sound(speech(talking.seed_of(number), FRAMES / 25)))
    return folder


@pytest.mark.parametrize("name", list(SETS))
def test_a_second_look(name: str, clips: Path, weights_folder: Path, tmp_path: Path, benchmark: Any) -> None:
    """A whole run in this process, all metrics that rest on the network, against the bare work on the same clips; and against one metric."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in (*(weights_folder / "mediapipe_tflite").iterdir(), *(weights_folder / "asd").iterdir()):
        (folder / path.name).symlink_to(path)
    mode, metrics = SETS[name]
    find = mediapipe_faces.build((folder / "face_detection_short_range.tflite").read_bytes(), "cpu")
    extractor = registry().extractors[name].item
    state = weights.state_for(str(extractor.weights), extractor.shapes, mode, folder, extractor.rename)[0]
    lip, aud = (forward_lip(state, "cpu"), forward_aud(state, "cpu")) if mode == "seeded" else (None, None)
    score = None if mode == "seeded" else _light_asd.build(state, "cpu")
    heard = {number: sound(speech(talking.seed_of(number), FRAMES / 25)) for number in (0, 2)}

    def network(faces: NDArray[np.uint8], samples: NDArray[np.int16]) -> None:
        if score is not None:
            speaking(score, faces, samples)
        else:
            assert lip is not None
            assert aud is not None
            distances(*embed(lip, aud, faces, mfcc(samples), count_windows(len(faces), len(samples))), padded=False)

    def bare() -> float:
        start = time.perf_counter()
        for number, samples in heard.items():
            frames = np.concatenate(list(decode(probe(clips / "m" / f"{number}.mkv"))))
            boxes = np.stack([unpack(find(frame[None]))[0][0] for frame in frames])
            network(crops(list(frames), boxes), samples[: len(frames) * 640])
        return time.perf_counter() - start

    def ours(wanted: tuple[str, ...], turn: int) -> float:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
            patch.setenv("BENCHMARK_WEIGHTS", str(folder))
            start = time.perf_counter()
            record = run(
                suite="tiktok",
                outputs={"m": clips / "m"},
                audio=clips / "sound",
                metrics=wanted,
                weights=mode,
                out=tmp_path / f"{len(wanted)}-{turn}",
            )
            spent = time.perf_counter() - start
        assert all(each["value"] is not None for each in record.scores)
        return spent

    bare()
    ours(metrics, -1)
    ratios, further = [], []
    for turn in range(TURNS):
        whole, work, one = ours(metrics, turn), bare(), ours(metrics[:1], 100 + turn)
        ratios.append(whole / work)
        further.append(whole / one)
    benchmark.pedantic(bare, rounds=1)
    ratio = statistics.median(ratios)
    benchmark.extra_info.update(
        ratio=round(ratio, 2),
        bar="<= 1.25",
        forward_ms=round(1000 * benchmark.stats.stats.median / (2 * FRAMES), 1),
        further=round(float(np.median(further)), 2),
    )
    assert ratio <= 1.25, ratios
    assert len(metrics) == 1 or statistics.median(further) <= 1.15, further
