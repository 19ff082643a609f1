"""Drawn people before detectors that never saw them: MediaPipe's pose, face mesh and hands must take them for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.media import decode, probe
from suites.embedded import hand_bench, talking
from suites.embedded._facts import facts

pytestmark = pytest.mark.real_weights
STEP = 8


@pytest.fixture(scope="module")
def models(weights_folder: Path) -> Path:
    pytest.importorskip("ai_edge_litert", reason="the extra [litert] is not installed")
    return weights_folder / "mediapipe_tflite"


def test_pose_finds_the_dancers(models: Path, drawn: Path) -> None:
    """In at least 90 % of frames the best detection is sure by half and its middle lies within the person's box."""
    from suites.networks._mediapipe import Detector

    detect = Detector("pose", (models / "pose_detection.tflite").read_bytes())
    found = []
    for clip in sorted(drawn.glob("*.mkv")):
        frames = np.concatenate(list(decode(probe(clip))))
        masks = np.load(clip.with_suffix(".masks.npz"))["person"]
        for k in range(0, len(frames), STEP):
            seen = detect(frames[k])
            y, x = np.nonzero(masks[k])
            at = seen[0].centre if seen else np.array([-1.0, -1.0])
            found.append(x.min() <= at[0] <= x.max() and y.min() <= at[1] <= y.max())
    assert len(found) == 30
    assert np.mean(found) >= 0.9


@pytest.mark.slow
def test_the_mesh_finds_the_speakers(models: Path) -> None:
    """In at least 90 % of frontal faces: sure by half, and the mesh's 468 points lie around the face's own (middle within a quarter of its width)."""
    from suites.networks._mediapipe import Faces

    files = ("face_detection_short_range", "face_landmark")
    detect = Faces(*((models / f"{name}.tflite").read_bytes() for name in files))
    found = []
    for number in range(talking.PEOPLE):
        scene, shots = talking.stage(number, replace(talking.SIZE, frames=26))
        for shot in shots[::25]:
            picture = scene.colours(shot, 256, 256)
            points = facts(scene, shot, 256, 256).keypoints[23:91]
            wide = np.ptp(points[:, 0])
            seen = [marks for score, marks in detect(picture) if score > 0.5]
            found.append(any(np.abs(marks.mean(axis=0) - points.mean(axis=0)).max() < 0.25 * wide for marks in seen))
    assert len(found) == 20
    assert np.mean(found) >= 0.9


@pytest.mark.slow
def test_hands_are_found_and_their_joints_agree(models: Path) -> None:
    """At least 60 % of the hands of which half the joints are seen; the mean distance of 21 landmarks from the exact joints is below 15 % of the box."""
    from suites.networks._mediapipe import Detector, Hand, palm_square

    palms = Detector("palm", (models / "palm_detection_lite.tflite").read_bytes())
    look = Hand((models / "hand_landmark_lite.tflite").read_bytes())
    hands, errors = 0, []
    for number in range(hand_bench.VIEWS):
        scene, shots = hand_bench.stage(number, hand_bench.SIZE)
        for shot in shots[2::11]:
            known = facts(scene, shot, 512, 512)
            picture = scene.colours(shot, 512, 512)
            looks = [look(picture, palm_square(palm)) for palm in palms(picture)]
            seen = [marks for presence, marks, _ in looks if presence > 0.5]
            for side, rows in (("left", slice(91, 112)), ("right", slice(112, 133))):
                if known.visible[rows].mean() < 0.5:
                    continue
                hands += 1
                x0, y0, x1, y1 = known.boxes[side]
                best = min((_gap(marks, known.keypoints[rows]) / max(x1 - x0, y1 - y0) for marks in seen), default=np.inf)
                if best < 0.5:  # the nearest detection is this hand, not the other
                    errors.append(best)
    assert hands >= 20
    assert len(errors) >= 0.6 * hands
    assert np.mean(errors) < 0.15


def _gap(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.sqrt(((a - b) ** 2).sum(axis=1)).mean())
