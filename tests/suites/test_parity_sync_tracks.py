"""Face tracks, crops, re-timing and scenes of three lip-sync pipelines against frozen numbers (tests/fixtures/syncnet_pipeline.json and
syncnet_retiming.json: joonson/syncnet_python@6efbb1c, bytedance/LatentSync@a229c39, congwei1230/MoChaBench@043908d).

Left out of syncnet_pipeline.json:

- mochabench_published_aggregation: means over 199 and 15 clips of a table whose rows are not in the file, so nothing can be averaged here.
- commands_syncnet_python: ffmpeg's command lines that cut the sound and join it to the crop; no sound file is written here.
- differences: words. What they say of tracking and of a clip's value is held by the tracks below and in test_sync.py; containers and codecs
  are not reproduced.

Left out of syncnet_retiming.json:

- of scenes, the content score by which PySceneDetect finds a change: the file gives the frames at which content changes, and the lists of shots
  that follow from them are held.
- findings, notes and environment in words.

The frozen counts say how many frames there are. Which source frame each shows is not frozen; test_sync.py holds what is known of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.sync import _crop, _retiming
from suites.sync._crop import crops, cut, median_filter, rectangle, smoothed
from suites.sync._tracks import LATENTSYNC, MOCHABENCH, SYNCNET_PYTHON, Rule, Track, iou, tracks, tracks_of_shots
from tests.deviations import Recorder
from tests.formula import frames
from tests.formula_audio import face_boxes
from tests.frozen import fixture, off

pytestmark = pytest.mark.parity

PIPELINE, RETIMING = fixture("syncnet_pipeline"), fixture("syncnet_retiming")
HEADS = "syncnet_python 6efbb1c, LatentSync a229c39, MoChaBench 043908d"
BOXES = {"tolerance": 1e-9, "unit": "pixels"}
RULES = {
    "syncnet_python (min_track 100)": SYNCNET_PYTHON,
    "syncnet_python with --min_track 50": Rule(min_track=50),
    "LatentSync (min_track 50)": LATENTSYNC,
    "MoChaBench (min_track 50)": MOCHABENCH,
}
Faces = list[list[list[float]]]


# ------------------------------------------------------------------------------------------------------------------ tracks


def seen(n: int, numbers: Iterable[int], name: str, cx: float = 300, cy: float = 260, side: float = 140, vx: float = 0) -> Faces:
    """n frames with one face in those numbered."""
    numbers = list(numbers)
    at = dict(zip(numbers, face_boxes(name, numbers, cx, cy, side, vx=vx), strict=True))
    return [[at[number]] if number in at else [] for number in range(n)]


def without(n: int, *holes: range) -> list[int]:
    return [number for number in range(n) if not any(number in hole for hole in holes)]


def two_faces(swapping: bool) -> Faces:
    first, second = seen(130, range(130), "F1", 200, 200, 140), seen(130, range(130), "F2", 520, 220, 160)
    return [b + a if swapping and number // 10 % 2 else a + b for number, (a, b) in enumerate(zip(first, second, strict=True))]


HOME, HALF, AWAY = [0.0, 0.0, 120.0, 120.0], [40.0, 0.0, 160.0, 120.0], [300.0, 0.0, 420.0, 120.0]
FACES: dict[str, Faces] = {
    "A_gaps": seen(130, without(130, range(40, 50), range(70, 71)), "A", vx=0.5),
    **{f"B_length_{n}": seen(n, range(n), "B") for n in (50, 51, 100, 101, 102)},
    "B2_span_110_detections_100": seen(110, without(110, range(50, 60)), "B"),
    "C_gap_25": seen(130, without(130, range(60, 84)), "C"),
    "C_gap_26": seen(130, without(130, range(60, 85)), "C"),
    "D_size_100": [[[50.0, 50.0, 150.0, 133.0]] for _ in range(120)],
    "D_size_100.01": [[[50.0, 50.0, 150.01, 133.0]] for _ in range(120)],
    "E_iou_half": [[HOME if number < 60 else HALF] for number in range(130)],
    "E_jump_back": [[AWAY if 60 <= number < 75 else HOME] for number in range(130)],
    "F_two_faces": two_faces(swapping=False),
    "G_two_faces_order_swaps": two_faces(swapping=True),
}
"""The detections that the cases describe."""


def test_every_case_is_here() -> None:
    assert set(FACES) == set(PIPELINE["tracking"])
    for case, faces in FACES.items():
        assert len(faces) == PIPELINE["tracking"][case]["frames"]
        assert set(PIPELINE["tracking"][case]["result"]) == set(RULES)


def test_defaults() -> None:
    frozen = PIPELINE["defaults"]
    for name, rule in {"syncnet_python": SYNCNET_PYTHON, "LatentSync": LATENTSYNC, "MoChaBench": MOCHABENCH}.items():
        assert (rule.min_track, rule.size, rule.gap) == (frozen["min_track"][name], frozen["min_face_size"], frozen["num_failed_det"])
        assert f"> {rule.overlap}" == frozen["iou"]
    assert (frozen["crop_scale"], frozen["frame_rate"]) == (_crop.SCALE, _retiming.RATE)


def test_sample_boxes(record_deviation: Recorder) -> None:
    a, b = PIPELINE["sample_boxes"].values()
    found = [face_boxes("A", [0, 1, 129], 300, 260, 140, vx=0.5), face_boxes("B", [0, 1, 2], 300, 260, 140)]
    record_deviation("boxes of the formula", "their frozen values", np.subtract(found, [a, b]), **BOXES)


def track_off(track: Track, frozen: dict[str, Any]) -> float:
    assert (track.frames[0], track.frames[-1], len(track.frames)) == (frozen["first"], frozen["last"], frozen["length"])
    assert (np.diff(track.frames) == 1).all()
    rows = track.boxes[[0, len(track.boxes) // 2, -1]] - np.array([frozen["row_0"], frozen["row_mid"], frozen["row_last"]])
    return max(off(track.boxes, frozen["bbox"]), float(np.abs(rows).max()))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", FACES)
def test_tracks(case: str, rule: str, record_deviation: Recorder) -> None:
    """The same tracks in the same order: frame numbers exactly, boxes within 1e-9."""
    frozen = PIPELINE["tracking"][case]["result"][rule]
    found = tracks(FACES[case], RULES[rule])
    assert len(found) == len(frozen)
    deviations = [track_off(track, expected) for track, expected in zip(found, frozen, strict=True)]
    record_deviation("tracks", HEADS, [0.0, *deviations], **BOXES)


@pytest.mark.parametrize("entry", PIPELINE["iou"], ids=lambda entry: str(entry["b"]))
def test_iou(entry: dict[str, Any], record_deviation: Recorder) -> None:
    for head, rule in (("syncnet_python", SYNCNET_PYTHON), ("MoChaBench", MOCHABENCH)):
        record_deviation("iou", head, iou(entry["a"], entry["b"], rule.epsilon) - entry[head], tolerance=1e-15)


# ------------------------------------------------------------------------------------------------------------------- crops


def test_median_filter() -> None:
    for entry in PIPELINE["median_filter"]:
        assert median_filter(np.array(entry["input"])).tolist() == entry["medfilt13"]


BOXES_OF = {
    "inside": face_boxes("K", range(30), 240, 160, 110, vx=1.5, vy=0.7),
    "border": face_boxes("L", range(20), 300, 215, 120, vx=-0.5, vy=1.2),
    "jump": [[130.0, 100.0, 260.0, 260.0] if number == 15 else [100.0, 80.0, 220.0, 210.0] for number in range(30)],
}
PICTURES = {"inside": (30, 360, 480, 2), "border": (20, 240, 320, 3), "jump": (30, 360, 480, 2)}
"""frames('truth', ...) of the three crops; the file does not say it of the third, whose pixels fit those of the first."""


@pytest.mark.parametrize("case", PIPELINE["crop"])
def test_crop_rectangles(case: str, record_deviation: Recorder) -> None:
    frozen, (_, h, w, _) = PIPELINE["crop"][case], PICTURES[case]
    boxes = np.array(BOXES_OF[case])
    record_deviation("boxes of the crops", HEADS, boxes - np.array(frozen["boxes"]), **BOXES)
    middle = smoothed(boxes)
    for ours, axis in zip(middle, "xys", strict=True):
        record_deviation("smoothed centres and sizes", HEADS, ours - np.array(frozen[f"smoothed_{axis}"]), **BOXES)
    found = [rectangle(x, y, half) for x, y, half in zip(*middle, strict=True)]
    assert [where.margin for where in found] == frozen["pad"]
    assert [list(where[1:]) for where in found] == frozen["slice_y1_y2_x1_x2"]
    blank = np.zeros((h, w, 3), np.uint8)
    assert [list(cut(blank, where).shape[:2]) for where in found] == frozen["crop_shape"]


@pytest.mark.parametrize("case", PIPELINE["crop"])
def test_crop_pixels(case: str, record_deviation: Recorder) -> None:
    """Probes and the sum of every frame within a grey level; with the OpenCV that made them, all pixels to the bit."""
    import cv2

    frozen = PIPELINE["crop"][case]
    found = cast("NDArray[np.uint8]", crops(frames("truth", *PICTURES[case]), np.array(BOXES_OF[case]))[..., ::-1])
    deviations = [(found.sum(axis=(1, 2, 3), dtype=np.int64) - np.array(frozen["sum_per_frame"])) / found[0].size]
    y, x = np.array(frozen["probes"]["points_y_x"]).T
    for number in (0, 10):
        deviations.append((found[number, y, x].astype(int) - np.array(frozen["probes"][f"BGR_frame_{number}"])).ravel())
    record_deviation("pixels of the crops", HEADS, np.concatenate(deviations), tolerance=1.0, unit="grey levels")
    if cv2.__version__.startswith(".".join(PIPELINE["versions"]["opencv-python-headless"].split(".")[:3])):
        assert hashlib.sha256(found.tobytes()).hexdigest() == frozen["sha256_of_all_224_crops_uint8_BGR"]
    assert frozen["LatentSync_equal"]
    assert frozen["MoChaBench_equal"]


# ------------------------------------------------------------------------------------------------------------- re-timing, scenes


CLIPS = [(entry["frames"], entry["fps"], version) for entry in RETIMING["retiming"] for version in RETIMING["versions"]["ffmpeg"]]


@pytest.mark.parametrize(("n", "fps", "version"), CLIPS)
def test_counts_after_retiming(n: int, fps: int, version: str) -> None:
    """All counts of three ffmpeg versions: JPEGs, frames in the AVI, frames and JPEGs of the mp4, samples of sound."""
    (entry,) = (entry for entry in RETIMING["retiming"] if (entry["frames"], entry["fps"]) == (n, fps))
    frozen, release = entry[f"ffmpeg {version}"], cast("_retiming.Version", version.rpartition(".")[0])
    assert entry["frames_x_25/fps"] == n * 25 / fps
    stored = _retiming.avi(n, fps, release)
    assert len(stored) == frozen["opencv_reads_from_avi"]
    assert _retiming.scenes([], len(stored), "0.5.1") == [tuple(scene) for scene in frozen["scenes"]]
    assert len(_retiming.jpegs(n, fps, release)) == frozen["jpeg_frames"]
    assert len(_retiming.mp4(n, fps, release)) == frozen["opencv_reads_from_mp4"] == frozen["latentsync_mp4_jpeg_frames"]
    assert _retiming.avi_samples(n, fps) == frozen["audio_samples"]


@pytest.mark.parametrize("detector", ["0.5.1", "0.6.6"])
@pytest.mark.parametrize("changes", ["none", "60", "8", "40_and_70", "110"])
def test_scenes(changes: str, detector: _retiming.Detector) -> None:
    frozen = RETIMING["scenes"][detector]
    assert set(frozen) == {"none", "60", "8", "40_and_70", "110"}
    found = _retiming.scenes([int(word) for word in changes.split("_") if word.isdigit()], 120, detector)
    assert found == [tuple(scene) for scene in frozen[changes]]


def test_a_slow_clip_loses_its_score_before_ffmpeg_7() -> None:
    """The finding of the file: 81 frames at 16 a second give 127 JPEGs but a scene of 81, below the 100 that syncnet_python asks for."""
    for version, length in (("5.1", 0), ("7.0", 127)):
        release = cast("_retiming.Version", version)
        faces = seen(len(_retiming.jpegs(81, 16, release)), range(127), "B")
        shots = _retiming.scenes([], len(_retiming.avi(81, 16, release)), "0.5.1")
        assert sum(len(track.frames) for track in tracks_of_shots(faces, shots, SYNCNET_PYTHON)) == length


def test_consequence_for_length() -> None:
    """The file's words: 101 detections for syncnet_python, 51 for the others."""
    assert RETIMING["consequence_for_length"]["track rule at 25 fps"].startswith(
        "more than min_track detections: 101 for syncnet_python, 51"
    )
    for rule, least in ((SYNCNET_PYTHON, 101), (LATENTSYNC, 51), (MOCHABENCH, 51)):
        counts = [len(tracks(seen(n, range(n), "B"), rule)) for n in (least - 1, least)]
        assert counts == [0, 1]
