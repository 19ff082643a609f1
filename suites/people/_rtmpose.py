"""133 points of a person as DWPose finds them: the crop that RTMPose is fed, and the points that its two responses stand for.

All of it after IDEA-Research/DWPose@3dca5db ControlNet-v1-1-nightly/annotator/dwpose/onnxpose.py; antgroup/echomimic_v2@a312dec
src/models/dwpose/onnxpose.py gives the same bits. The network is a function of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH, HEIGHT = 288, 384
"""Pixels of the network's input."""
MARGIN = 1.25
"""Size of the crop in sizes of the box, before its shape is changed."""
SPLIT = 2.0
"""Steps of a response in a pixel of the network's input."""
POINTS = 133
MEAN = np.array([123.675, 116.28, 103.53])
STD = np.array([58.395, 57.12, 57.375])
"""Of the channels in the order given: nothing swaps them."""

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]
Single = NDArray[np.float32]
Pose = Callable[[Single], tuple[Single, Single]]
"""(1, 3, 384, 288) -> ((1, 133, 576) response along x, (1, 133, 768) along y)."""


def padded_size(box: ArrayLike) -> NDArray[Any]:
    """(2,) width and height of a box with its margin, before its shape is changed. ValueError where it has no area."""
    corners = np.asarray(box)
    if corners.shape != (4,) or not (corners[2:] > corners[:2]).all():
        raise ValueError(f"a box is x1, y1, x2, y2 with an area, not {corners.tolist()}")
    size: NDArray[Any] = (corners[2:] - corners[:2]) * MARGIN
    return size


@dataclass(frozen=True)
class Crop:
    """What the network sees of a picture: centre (2,) and size (2,) as x, y in pixels of the picture, three wide to four tall."""

    centre: NDArray[np.floating[Any]]
    size: NDArray[np.floating[Any]]

    @classmethod
    def around(cls, box: ArrayLike) -> Crop:
        """The crop of a box x1, y1, x2, y2: 1.25 times its size, then the shorter side grown to 3 : 4. float32 boxes are reckoned with in float32.

        ValueError where the box has no area.
        """
        corners = np.asarray(box)
        low, high = corners[:2], corners[2:]
        width, height = padded_size(box)
        aspect = WIDTH / HEIGHT
        size = (width, width / aspect) if width > height * aspect else (height * aspect, height)
        return cls((low + high) * 0.5, np.array(size, corners.dtype if corners.dtype.kind == "f" else np.float64))

    def matrix(self) -> Floats:
        """(2, 3) from pixels of the picture to those of the crop: no rotation, centre to centre."""
        import cv2

        source, target = _corners(self.centre, self.size[0]), _corners(np.array([WIDTH * 0.5, HEIGHT * 0.5]), WIDTH)
        found: Floats = cv2.getAffineTransform(source, target)
        return found

    def cut(self, picture: Picture) -> Picture:
        """(384, 288, 3) uint8 of a (h, w, 3) uint8 picture: bilinear (OpenCV), black outside the picture."""
        import cv2

        found: Picture = cv2.warpAffine(picture, self.matrix(), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        return found

    def to_picture(self, points: NDArray[Any]) -> Floats:
        """(..., 2) x, y in pixels of the crop -> in pixels of the picture."""
        found: Floats = points / np.array([WIDTH, HEIGHT]) * self.size + self.centre - self.size / 2
        return found


def _corners(centre: NDArray[Any], width: float) -> Single:
    """(3, 2) three points that fix an upright map: the centre, half a width above it, and that one's turn by a right angle."""
    made = np.zeros((3, 2), np.float32)
    made[0] = centre
    made[1] = centre + np.array([0.0, width * -0.5])
    away = made[0] - made[1]
    made[2] = made[1] + np.array([-away[1], away[0]])
    return made


def normalised(pixels: Picture) -> Floats:
    """(384, 288, 3) uint8 -> (3, 384, 288) float64: less the mean, by the standard deviation of each channel."""
    found: Floats = ((pixels - MEAN) / STD).transpose(2, 0, 1)
    return found


def maxima(x: Single, y: Single) -> tuple[Single, Single]:
    """((k, 2) places of the first maxima of (k, width) and (k, height) responses, (k,) the lower of the two maxima).

    The value is raw: it has no upper bound, and is no probability. Where it is not above 0, the place is -1, -1. ValueError for other shapes.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"responses are (k, width) and (k, height), not {x.shape} and {y.shape}")
    places = np.stack([x.argmax(axis=1), y.argmax(axis=1)], axis=1).astype(np.float32)
    values: Single = np.minimum(x.max(axis=1), y.max(axis=1))
    places[values <= 0] = -1
    return places, values


def keypoints(x: Single, y: Single, crop: Crop) -> tuple[Floats, Single]:
    """((k, 2) x, y in pixels of the picture, (k,) scores) of responses (k, 576) and (k, 768) to a crop.

    Steps of half a pixel of the crop. A point whose score is not above 0 lies half a pixel beyond the crop's upper left corner.
    """
    places, values = maxima(x, y)
    return crop.to_picture(places / np.float32(SPLIT)), values


def estimate(picture: Picture, boxes: NDArray[Any], network: Pose) -> tuple[Floats, Single]:
    """((n, 133, 2) x, y in pixels, (n, 133) scores) of the persons in (n, 4) boxes of a (h, w, 3) uint8 picture.

    ValueError where the network gives anything but (1, 133, 576) and (1, 133, 768).
    """
    points, scores = np.empty((len(boxes), POINTS, 2), np.float64), np.empty((len(boxes), POINTS), np.float32)
    for i, box in enumerate(boxes):
        crop = Crop.around(box)
        x, y = network(np.ascontiguousarray(normalised(crop.cut(picture))[None], np.float32))
        wanted = (1, POINTS, int(WIDTH * SPLIT)), (1, POINTS, int(HEIGHT * SPLIT))
        if (x.shape, y.shape) != wanted:
            raise ValueError(f"the pose network gives {wanted[0]} and {wanted[1]}, not {x.shape} and {y.shape}")
        points[i], scores[i] = keypoints(x[0], y[0], crop)
    return points, scores
