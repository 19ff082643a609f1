"""MediaPipe's models on single pictures: detectors with their anchors, turned crops, landmarks. Every picture for itself, nothing is tracked.

Numbers of the graphs: google-ai-edge/mediapipe mediapipe/modules/{pose_detection,pose_landmark,palm_detection,hand_landmark,holistic_landmark,
face_detection}/*.pbtxt. Positions are in pixels, the first pixel's centre at 0.5. What differs from the original's own runtime: pictures are made
smaller with an area filter, where it samples bilinearly, and no region is carried from frame to frame.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.machine import THREADS

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]
LAYERS = {
    "pose": ((28, 2), (14, 2), (7, 6)),
    "face": ((16, 2), (8, 6)),
    "palm": ((24, 2), (12, 6)),
}
"""Detector -> (cells a side, anchors a cell) of each layer."""
RANGE = {"pose": (-1.0, 1.0), "face": (-1.0, 1.0), "palm": (0.0, 1.0)}
"""Detector -> what black and white become."""
OVERLAP = 0.3
"""Boxes that overlap by more (intersection over union) are averaged into one, weighted by score."""


class Lite:
    """A TensorFlow Lite graph: one square picture of floats in, its outputs as they are. Raises Unscored(`not-installed`) without ai-edge-litert."""

    def __init__(self, graph: bytes) -> None:
        if importlib.util.find_spec("ai_edge_litert") is None:
            raise Unscored("not-installed", "python -m pip install 'human-video-benchmark[litert]'")
        from ai_edge_litert.interpreter import Interpreter

        self.net = Interpreter(model_content=graph, num_threads=THREADS)
        self.net.allocate_tensors()
        self.side = int(self.net.get_input_details()[0]["shape"][1])

    def __call__(self, picture: NDArray[Any]) -> list[Floats]:
        """(side, side, 3) -> the outputs without their first axis."""
        self.net.set_tensor(self.net.get_input_details()[0]["index"], picture[None].astype(np.float32))
        self.net.invoke()
        return [self.net.get_tensor(given["index"])[0].astype(np.float64) for given in self.net.get_output_details()]


@dataclass(frozen=True)
class Square:
    """A turned square of a picture: centre (x, y), side in pixels, angle in radians (clockwise on the screen)."""

    centre: Floats
    size: float
    angle: float

    def out(self, points: Floats) -> Floats:
        """(n, 2) places 0..1 within the square -> pixels of the picture."""
        c, s = float(np.cos(self.angle)) * self.size, float(np.sin(self.angle)) * self.size
        x, y = points[:, 0] - 0.5, points[:, 1] - 0.5
        return np.stack([c * x - s * y, s * x + c * y], axis=1) + self.centre

    def cut(self, picture: Picture, side: int) -> NDArray[np.float64]:
        """(side, side, 3) 0..1: the square's content, bilinear, black outside; a large one is first made smaller with an area filter."""
        import cv2

        shrink = min(1.0, side / max(self.size, 1.0))
        source, scale = picture, np.ones(2)
        if shrink < 0.75:
            height, width = picture.shape[:2]
            small = max(1, round(width * shrink)), max(1, round(height * shrink))
            source = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
            scale = np.array([small[0] / width, small[1] / height])
        corners = self.out(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])) * scale
        matrix = np.stack([(corners[1] - corners[0]) / side, (corners[2] - corners[0]) / side], axis=1)
        shift = corners[0] + 0.5 * matrix.sum(axis=1) - 0.5
        cut = cv2.warpAffine(
            source, np.concatenate([matrix, shift[:, None]], axis=1), (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        piece: NDArray[np.float64] = cut / 255.0
        return piece

    def moved(self, x: float, y: float, scale: float) -> Square:
        """Shifted by parts of its side along its own axes, then scaled."""
        (at,) = self.out(np.array([[0.5 + x, 0.5 + y]]))
        return Square(at, self.size * scale, self.angle)


def anchors(layers: tuple[tuple[int, int], ...]) -> Floats:
    """(n, 2) centres 0..1."""
    found = []
    for cells, many in layers:
        y, x = np.meshgrid((np.arange(cells) + 0.5) / cells, (np.arange(cells) + 0.5) / cells, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), many, axis=0))
    return np.concatenate(found)


@dataclass(frozen=True)
class Detection:
    """score 0..1; centre, size (width, height) and points (k, 2) in pixels."""

    score: float
    centre: Floats
    size: Floats
    points: Floats


class Detector:
    """A single-shot detector: `pose`, `face` or `palm`."""

    def __init__(self, kind: str, graph: bytes) -> None:
        self.net, self.at, self.range = Lite(graph), anchors(LAYERS[kind]), RANGE[kind]

    def __call__(self, picture: Picture, least: float = 0.5) -> list[Detection]:
        """What is sure by `least`, best first, overlapping boxes averaged by score. The picture is centred on a black square."""
        height, width = picture.shape[:2]
        square = Square(np.array([width / 2, height / 2]), float(max(height, width)), 0.0)
        low, high = self.range
        outputs = sorted(self.net(square.cut(picture, self.net.side) * (high - low) + low), key=lambda out: out.shape[-1])
        scores = 1 / (1 + np.exp(-np.clip(outputs[0][:, 0], -100, 100)))
        sure = np.flatnonzero(scores >= least)
        sure = sure[np.argsort(-scores[sure], kind="stable")]
        if not len(sure):
            return []
        raw = outputs[1][sure].reshape(len(sure), -1, 2) / self.net.side
        raw[:, 0] += self.at[sure]
        raw[:, 2:] += self.at[sure][:, None]
        return [self._out(square, float(score), rows) for score, rows in weighted(scores[sure], raw)]

    def _out(self, square: Square, score: float, rows: Floats) -> Detection:
        places = square.out(np.concatenate([rows[:1], rows[2:]]))
        return Detection(score, places[0], rows[1] * square.size, places[1:])


def weighted(scores: Floats, rows: Floats) -> list[tuple[float, Floats]]:
    """Weighted non-maximum suppression. scores (n,) falling; rows (n, k, 2): centre, size, points. Each group around its best box becomes the mean by
    score, and keeps the best's score."""
    found, left = [], np.arange(len(scores))
    while len(left):
        best = rows[left[0]]
        low = np.maximum(rows[left, 0] - rows[left, 1] / 2, best[0] - best[1] / 2)
        high = np.minimum(rows[left, 0] + rows[left, 1] / 2, best[0] + best[1] / 2)
        both = np.clip(high - low, 0, None).prod(axis=1)
        share = both / np.maximum(rows[left, 1].prod(axis=1) + best[1].prod() - both, 1e-12)
        same = share > OVERLAP
        same[0] = True
        weight = scores[left[same]]
        found.append((float(scores[left[0]]), (rows[left[same]] * weight[:, None, None]).sum(axis=0) / weight.sum()))
        left = left[~same]
    return found


def pointing(start: Floats, end: Floats, target: float) -> float:
    """Angle by which a square is turned so that start -> end points to `target` (radians, anticlockwise from the right)."""
    angle = target - float(np.arctan2(-(end[1] - start[1]), end[0] - start[0]))
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


class Pose:
    """The 33 landmarks of the largest person."""

    def __init__(self, detector: bytes, landmarks: bytes) -> None:
        self.people, self.net = Detector("pose", detector), Lite(landmarks)

    def __call__(self, picture: Picture) -> tuple[float, Floats] | None:
        """(presence 0..1, (33, 3) x, y in pixels and visibility 0..1) of the person with the largest circle; None where nobody is."""
        people = self.people(picture)
        if not people:
            return None
        main = max(people, key=lambda found: float(np.hypot(*(found.points[1] - found.points[0]))))
        centre, rim = main.points[0], main.points[1]
        square = Square(centre, 1.25 * 2 * float(np.hypot(*(rim - centre))), pointing(centre, rim, np.pi / 2))
        outputs = self.net(square.cut(picture, self.net.side))
        marks = next(out for out in outputs if out.size == 195).reshape(39, 5)[:33]
        score = next(float(out.ravel()[0]) for out in outputs if out.size == 1)
        seen = 1 / (1 + np.exp(-np.clip(marks[:, 3], -50, 50)))
        return score, np.concatenate([square.out(marks[:, :2] / self.net.side), seen[:, None]], axis=1)


class Hand:
    """The 21 landmarks of the hand in a square."""

    def __init__(self, graph: bytes) -> None:
        self.net = Lite(graph)

    def __call__(self, picture: Picture, square: Square) -> tuple[float, Floats, float]:
        """(presence 0..1, (21, 2) pixels, 0..1 how much it looks like the right hand of a mirrored picture)."""
        marks, presence, side, _ = self.net(square.cut(picture, self.net.side))
        return float(presence.ravel()[0]), square.out(marks.reshape(21, 3)[:, :2] / self.net.side), float(side.ravel()[0])


def palm_square(palm: Detection) -> Square:
    """Where a detected palm's whole hand is: turned from the wrist (point 0) to the middle finger's knuckle (point 2), shifted by half, 2.6 times as large."""
    angle = pointing(palm.points[0], palm.points[2], np.pi / 2)
    return Square(palm.centre, float(palm.size.max()), angle).moved(0, -0.5, 2.6)


def wrist_square(wrist: Floats, index: Floats, pinky: Floats) -> Square:
    """Where a pose's hand is, from its three hand points: around a place between the knuckles, twice as large as far, then 2.7 times and shifted by a tenth."""
    middle = (2 * index + pinky) / 3
    return Square(middle, 2 * float(np.hypot(*(middle - wrist))), pointing(wrist, middle, np.pi / 2)).moved(0, -0.1, 2.7)


class Recrop:
    """A better square around the hand in a rough one."""

    def __init__(self, graph: bytes) -> None:
        self.net = Lite(graph)

    def __call__(self, picture: Picture, rough: Square) -> Square:
        """Centre and rim as the network sees them, shifted by a tenth towards the fingers."""
        (found,) = self.net(rough.cut(picture, self.net.side))
        centre, rim = rough.out(found.reshape(2, 2) / self.net.side)
        return Square(centre, 2 * float(np.hypot(*(rim - centre))), pointing(centre, rim, -np.pi / 2)).moved(0, -0.1, 1.0)


class Faces:
    """The 468 points of every face."""

    def __init__(self, detector: bytes, mesh: bytes) -> None:
        self.faces, self.net = Detector("face", detector), Lite(mesh)

    def __call__(self, picture: Picture) -> list[tuple[float, Floats]]:
        """(presence 0..1, (468, 2) pixels) of each detected face, best detection first."""
        found = []
        for face in self.faces(picture):
            right, left = face.points[0], face.points[1]
            square = Square(face.centre, 1.5 * float(face.size.max()), pointing(right, left, 0.0))
            outputs = self.net(square.cut(picture, self.net.side))
            marks = next(out for out in outputs if out.size == 1404).reshape(468, 3)
            score = next(float(out.ravel()[0]) for out in outputs if out.size == 1)
            found.append((1 / (1 + float(np.exp(-score))), square.out(marks[:, :2] / self.net.side)))
        return found
