"""Light-ASD: what follows from its structure, the two files as published, and what real faces score with their own sound, none and a shifted one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.media import decode, from_second, probe, read_sound
from benchmark.registry import registry
from benchmark.weights import seeded_tensor, state_for
from suites.networks._light_asd import build, rename, shapes, whole
from suites.networks._mediapipe import Faces
from suites.sync._asd import DURATIONS, averaged, grey, published, scored, sound_of, speaking
from suites.sync._crop import crops
from suites.sync._mfcc import mfcc
from suites.sync._tracks import Rule, tracks
from tests.formula import frames
from tests.formula_audio import waveform

CLIPS = ("cyberhost_1", "moore_1", "vox_00098")
State = dict[str, NDArray[Any]]


def seeded(**changed: float) -> State:
    """Every tensor by formula; those whose name holds a word of `changed` are that number throughout."""
    made = {name: seeded_tensor(name, shape) for name, shape in shapes().items()}
    for word, value in changed.items():
        made |= {name: np.full_like(values, value) for name, values in made.items() if word in name}
    return made


def inputs(n: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    return np.ascontiguousarray(frames("truth", n, 112, 112, 0)[..., 0]), mfcc(waveform(640 * n + 640))[: 4 * n]


def silent(state: State, word: str) -> State:
    """A branch whose last norm has neither gain nor offset gives noughts."""
    return {
        name: np.zeros_like(v) if f"{word}.block3.bn_last." in name and name.endswith(("weight", "bias")) else v
        for name, v in state.items()
    }


# --------------------------------------------------------------------------------------------------------------- arithmetic


def test_the_middle_of_a_grey_crop() -> None:
    """Rows and columns 56 to 167; 0.299 R + 0.587 G + 0.114 B in whole levels."""
    crop = np.zeros((1, 224, 224, 3), np.uint8)
    crop[0, :, :, 0], crop[0, 56:168, 56:168] = 255, (200, 100, 50)
    found = grey(crop)
    assert (found.shape, found.dtype) == ((1, 112, 112), np.uint8)
    assert (found == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()
    with pytest.raises(ValueError, match="224"):
        grey(crop[:, :200])


def test_how_many_frames_are_scored() -> None:
    """n frames of sound have 1 + ceil((640 n - 400) / 160) = 4n - 1 rows, so n - 1 frames; longer sound, all of them."""
    assert len(mfcc(np.zeros(640 * 30, np.int16))) == 119
    assert scored(30, 119) == 29
    assert scored(30, 500) == 30
    with pytest.raises(Unscored) as error:
        scored(5, 3)
    assert error.value.reason == "too-short"


def test_sound_of_a_track() -> None:
    samples = np.arange(640 * 10, dtype=np.int16)
    assert sound_of(samples, 3, 2).tolist() == list(range(1920, 3200))
    assert len(sound_of(samples, 9, 5)) == 640


def test_the_mean_over_chunks() -> None:
    """A score that is the place in its chunk: frame 60 is the 10th, 10th, 60th, ... of chunks of 25, 50, 75, ... frames; each length counts once."""
    found = averaged(lambda c, k: np.arange(len(c), dtype=np.float32), np.zeros((80, 112, 112), np.uint8), np.zeros((320, 13)))
    assert found[60] == pytest.approx((10 + 10 + 60 + 60 + 60 + 60) / 6)
    assert found[24] == 24
    assert DURATIONS == (1, 2, 3, 4, 5, 6)
    # The chunks of frames and of cepstra begin and end together.
    seen: list[tuple[int, int]] = []

    def note(c: NDArray[np.uint8], k: NDArray[np.float64]) -> NDArray[np.float32]:
        seen.append((len(c), len(k)))
        return np.zeros(len(c), np.float32)

    averaged(note, np.zeros((60, 112, 112), np.uint8), np.zeros((240, 13)), (1, 2))
    assert seen == [(25, 100), (25, 100), (10, 40), (50, 200), (10, 40)]


def test_rounded_as_published() -> None:
    assert published(np.array([0.26, -1.14, 2.0], np.float32)) == pytest.approx([0.3, -1.1, 2.0], abs=1e-6)


# ------------------------------------------------------------------------------------------------------------------ network


def test_number_of_parameters() -> None:
    """1.0 million, as the paper says (Liao et al. 2023, table 1), counters and running averages not counted."""
    learned = [shape for name, shape in shapes().items() if "running" not in name]
    assert 0.95e6 < sum(int(np.prod(shape)) for shape in learned) < 1.05e6


def test_a_head_without_weights_gives_its_second_offset() -> None:
    state = seeded() | {"lossAV.FC.weight": np.zeros((2, 128), np.float32), "lossAV.FC.bias": np.array([3, -7], np.float32)}
    assert whole(state, "cpu")(*inputs(3)).tolist() == [-7, -7, -7]


def test_a_deaf_and_a_blind_network() -> None:
    """With one branch at nought the score does not depend on that branch's input, and does on the other's."""
    (crops_a, sound_a), (crops_b, sound_b) = inputs(8), (255 - inputs(8)[0], inputs(8)[1] + 5)
    deaf, blind = (whole(silent(seeded(), word), "cpu") for word in ("audioEncoder", "visualEncoder"))
    assert np.array_equal(deaf(crops_a, sound_a), deaf(crops_a, sound_b))
    assert not np.array_equal(deaf(crops_a, sound_a), deaf(crops_b, sound_a))
    assert np.array_equal(blind(crops_a, sound_a), blind(crops_b, sound_a))
    assert not np.array_equal(blind(crops_a, sound_a), blind(crops_a, sound_b))


def test_how_far_a_change_reaches() -> None:
    """Without memory - a recurrent unit of what comes in now alone - three blocks of 5 taps see 6 frames to either side. In sound rows 60 to 63 change
    rows 58 to 65 of the first block; a maximum of 3 rows every 2 makes these 29 to 33, the second block 27 to 35, a maximum 13 to 18, the third 11 to 20.
    """
    state = seeded(weight_hh=0.0, bias_hh=0.0)
    still, rows = inputs(1)[0].repeat(30, axis=0), np.tile(inputs(1)[1][:1], (120, 1))
    other = still.copy()
    other[15] = 255 - other[15]
    # The update gate still mixes in the state before; with its offset at -1e4 it never does.
    for way in ("forward", "backward"):
        state[f"model.GRU.gru_{way}.bias_ih_l0"] = np.repeat(np.float32([0, -1e4, 0]), 128)
    network = whole(state, "cpu")
    changed = np.flatnonzero(network(still, rows) != network(other, rows))
    assert (changed.min(), changed.max()) == (9, 21)
    heard = rows.copy()
    heard[60:64] += 9
    changed = np.flatnonzero(network(still, rows) != network(still, heard))
    assert (changed.min(), changed.max()) == (11, 20)


def test_chunks_are_independent() -> None:
    """Two chunks of a second are what they are alone, and the mean over one length is that length's."""
    state, (crop, rows) = seeded(), inputs(50)
    network = whole(state, "cpu")
    halves = [network(crop[i : i + 25], rows[4 * i : 4 * i + 100]) for i in (0, 25)]
    assert np.array_equal(averaged(network, crop, rows, (1,)), np.concatenate(halves))
    assert np.array_equal(averaged(network, crop, rows, (2,)), network(crop, rows))
    # A file of two seconds is one chunk for all lengths but the first.
    expected = (np.concatenate(halves) + 5 * network(crop, rows)) / 6
    assert build(state, "cpu")(crop, rows) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_inputs_that_do_not_fit_are_refused() -> None:
    network, (crop, rows) = whole(seeded(), "cpu"), inputs(2)
    for wrong in ((crop, rows[:7]), (crop[:, :100], rows), (crop[:0], rows[:0]), (crop, rows[:, :12])):
        with pytest.raises(ValueError, match="need cepstra"):
            network(*wrong)


def test_no_sound_is_no_score() -> None:
    with pytest.raises(Unscored) as error:
        speaking(whole(seeded(), "cpu"), np.zeros((3, 224, 224, 3), np.uint8), np.zeros(0, np.int16))
    assert error.value.reason == "too-short"


# -------------------------------------------------------------------------------------------------------- the published files


@pytest.mark.real_weights
@pytest.mark.parametrize("name", ["light-asd-talkset", "light-asd-ava"])
def test_the_files_hold_exactly_these_tensors(name: str, weights_folder: Path) -> None:
    """The loader compares every name and shape and the sha256; the optimiser's counters and the faces' own head are all that is left out."""
    tensors, label, digest = state_for(name, shapes, "real", weights_folder / "asd", rename)
    assert (len(tensors), label, digest) == (160, "real", registry().weights[name].item.sha256)


@pytest.mark.slow
@pytest.mark.real_weights
@pytest.mark.footage
def test_real_faces(weights_folder: Path, footage: Path) -> None:
    """Three real people who talk, five seconds each, AVA's weights: with their own sound they speak (above 0 on average), in silence none does, and
    the sound a second early or late lowers the mean. Of the thirteen real clips at hand all fall by more than 3 in silence."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    network = whole(state_for("light-asd-ava", shapes, "real", weights_folder / "asd", rename)[0], "cpu")
    graphs = [
        (weights_folder / "mediapipe_tflite" / f"{file}.tflite").read_bytes() for file in ("face_detection_short_range", "face_landmark")
    ]
    find = Faces(*graphs)
    own, apart = [], []
    for clip in CLIPS:
        seen, sound = _face(footage / "talking-real" / f"{clip}.mp4", find)
        own.append(float(speaking(network, seen, sound).mean()))
        assert float(speaking(network, seen, np.zeros_like(sound)).mean()) < own[-1] - 3
        apart.append(np.mean([speaking(network, seen, np.roll(sound, shift)).mean() for shift in (16_000, -16_000)]))
    assert np.mean(own) > 0
    assert np.mean(own) > np.mean(apart)


@pytest.mark.real_weights
@pytest.mark.footage
@pytest.mark.parametrize("name", ["light-asd-talkset", "light-asd-ava"])
def test_a_still_face_does_not_speak(name: str, weights_folder: Path, footage: Path) -> None:
    """The mouth of the first frame, held for three seconds of speech, against the same mouth talking."""
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    network = whole(state_for(name, shapes, "real", weights_folder / "asd", rename)[0], "cpu")
    graphs = [
        (weights_folder / "mediapipe_tflite" / f"{file}.tflite").read_bytes() for file in ("face_detection_short_range", "face_landmark")
    ]
    seen, sound = _face(footage / "talking-real" / "vox_00086.mp4", Faces(*graphs), 75)
    assert speaking(network, seen, sound).mean() > 0
    assert speaking(network, seen[:1].repeat(75, axis=0), sound).mean() < 0


def _face(path: Path, find: Faces, most: int = 125) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Crops of the face followed longest over the first frames of a clip at 25 a second, and its sound."""
    cv2.setNumThreads(1)
    info = probe(path)
    assert info.fps is not None
    assert abs(float(info.fps) - 25) < 0.05
    pictures: list[NDArray[np.uint8]] = []
    for chunk in decode(info, threads=1):
        pictures += list(chunk)
        if len(pictures) >= most:
            break
    boxes = [[np.concatenate([m.min(axis=0), m.max(axis=0)]) for sure, m in find(picture) if sure > 0.5] for picture in pictures[:most]]
    track = max(tracks(boxes, Rule(min_track=10, gap=10, size=1)), key=lambda found: len(found.frames))
    sound = from_second(read_sound(path), Fraction(0))
    return crops([pictures[k] for k in track.frames], track.boxes), sound_of(sound, int(track.frames[0]), len(track.frames))
