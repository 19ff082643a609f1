"""MediaPipe's detectors as judges: anchors and boxes as its published graphs configure them, run by LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Lite:
    """A TensorFlow Lite file: floats in, the outputs by their last dimension."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.net = Interpreter(model_path=str(path), num_threads=2)
        self.net.allocate_tensors()
        self.side = int(self.net.get_input_details()[0]["shape"][1])

    def __call__(self, picture: NDArray[Any]) -> list[Floats]:
        self.net.set_tensor(self.net.get_input_details()[0]["index"], picture[None].astype(np.float32))
        self.net.invoke()
        return [self.net.get_tensor(given["index"])[0].astype(np.float64) for given in self.net.get_output_details()]


def anchors(layers: tuple[tuple[int, int], ...]) -> Floats:
    """(n, 2) centres 0..1. layers: (cells a side, anchors a cell)."""
    found = []
    for cells, many in layers:
        y, x = np.meshgrid((np.arange(cells) + 0.5) / cells, (np.arange(cells) + 0.5) / cells, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), many, axis=0))
    return np.concatenate(found)


LAYERS = {
    "pose_detection": ((28, 2), (14, 2), (7, 6)),
    "face_detection_short_range": ((16, 2), (8, 6)),
    "palm_detection_lite": ((24, 2), (12, 6)),
}
RANGE = {"pose_detection": (-1, 1), "face_detection_short_range": (-1, 1), "palm_detection_lite": (0, 1)}


class Detector:
    """A single-shot detector: pictures are put on a square, boxes come back in pixels."""

    def __init__(self, folder: Path, name: str) -> None:
        self.net, self.at, self.range = Lite(folder / f"{name}.tflite"), anchors(LAYERS[name]), RANGE[name]

    def __call__(self, picture: NDArray[np.uint8], least: float = 0.5) -> list[tuple[float, Floats]]:
        """(score, (k, 2) centre, size and keypoints in pixels), best first, without overlaps."""
        height, width = picture.shape[:2]
        side = max(height, width)
        square = np.zeros((side, side, 3), np.uint8)
        square[:height, :width] = picture
        low, high = self.range
        small = cv2.resize(square, (self.net.side, self.net.side), interpolation=cv2.INTER_AREA) / 255 * (high - low) + low
        outputs = sorted(self.net(small), key=lambda out: out.shape[-1])
        scores, raw = 1 / (1 + np.exp(-np.clip(outputs[0][:, 0], -50, 50))), outputs[1]
        kept: list[tuple[float, Floats]] = []
        for k in np.argsort(-scores):
            if scores[k] < least:
                break
            points = raw[k].reshape(-1, 2) / self.net.side
            points[0] += self.at[k]
            points[2:] += self.at[k]
            points *= side
            if all(np.abs(points[0] - other[0]).max() > 0.5 * max(points[1].max(), other[1].max()) for _, other in kept):
                kept.append((float(scores[k]), points))
        return kept


def crop(picture: NDArray[np.uint8], centre: Floats, size: float, angle: float, side: int) -> tuple[NDArray[np.uint8], Floats]:
    """A turned square of the picture, and the (2, 3) map from its pixels back to the picture's."""
    c, s = np.cos(angle) * size / side, np.sin(angle) * size / side
    back = np.array([[c, -s, 0], [s, c, 0]], np.float64)
    back[:, 2] = centre - back[:, :2] @ [side / 2, side / 2]
    return cv2.warpAffine(picture, back, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), back


class Hands:
    """Palms, then 21 landmarks of each, in pixels."""

    def __init__(self, folder: Path) -> None:
        self.palms, self.marks = Detector(folder, "palm_detection_lite"), Lite(folder / "hand_landmark_lite.tflite")

    def __call__(self, picture: NDArray[np.uint8]) -> list[tuple[float, Floats]]:
        found = []
        for _, points in self.palms(picture):
            wrist, middle = points[2], points[4]
            angle = float(np.arctan2(middle[1] - wrist[1], middle[0] - wrist[0])) + np.pi / 2
            size = 2.6 * points[1].max()
            centre = points[0] + 0.5 * points[1].max() * np.array([np.sin(angle), -np.cos(angle)])
            piece, back = crop(picture, centre, size, angle, self.marks.side)
            outputs = self.marks(piece / 255)
            flags = [out for out in outputs if out.size == 1]
            marks = next(out for out in outputs if out.size == 63).reshape(21, 3)[:, :2]
            found.append((float(flags[0].ravel()[0]), marks @ back[:, :2].T + back[:, 2]))
        return found


class Faces:
    """Faces, then the mesh: (score 0..1, (468, 2) landmarks in pixels)."""

    def __init__(self, folder: Path) -> None:
        self.faces, self.mesh = Detector(folder, "face_detection_short_range"), Lite(folder / "face_landmark.tflite")

    def __call__(self, picture: NDArray[np.uint8]) -> list[tuple[float, Floats]]:
        found = []
        for _, points in self.faces(picture):
            left, right = points[2], points[3]
            angle = float(np.arctan2(right[1] - left[1], right[0] - left[0]))
            piece, back = crop(picture, points[0], 1.5 * points[1].max(), angle, self.mesh.side)
            outputs = self.mesh(piece / 255)
            score = next(float(out.ravel()[0]) for out in outputs if out.size == 1)
            marks = next(out for out in outputs if out.size == 1404).reshape(468, 3)[:, :2]
            found.append((float(1 / (1 + np.exp(-score))), marks @ back[:, :2].T + back[:, 2]))
        return found
