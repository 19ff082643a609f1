"""From the faces of every frame to tracks: one face through one shot, without holes. Three copies of one algorithm, with their differences.

joonson/syncnet_python@6efbb1c run_pipeline.py: bb_intersection_over_union, track_shot; bytedance/LatentSync@a229c39 eval/syncnet_detect.py:
bounding_box_iou, track_face; congwei1230/MoChaBench@043908d eval-lipsync/script/syncnet_pipeline.py: SyncNetPipeline._iou, _track.

A box is x1, y1, x2, y2 in pixels, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """How one of the copies tracks."""

    min_track: int
    """A track needs more detections than this, a shot as many frames."""
    epsilon: float = 0.0
    """Added to the union in the IoU."""
    stops_at_a_stranger: bool = False
    """Leave a frame at its first face that is not the one followed, even if that one comes later in the list."""
    overlap: float = 0.5
    """The followed face has an IoU above this with where it was last seen."""
    gap: int = 25
    """It may be missing so long: the difference of two frame numbers is this at most."""
    size: float = 100.0
    """The longer of mean width and mean height must be above this, in pixels."""


SYNCNET_PYTHON = Rule(min_track=100)
LATENTSYNC = Rule(min_track=50)
MOCHABENCH = Rule(min_track=50, epsilon=1e-8, stops_at_a_stranger=True)


@dataclass(frozen=True)
class Track:
    """One face: every frame from the first to the last detection."""

    frames: NDArray[np.intp]
    """(n,) consecutive frame numbers."""
    boxes: NDArray[np.float64]
    """(n, 4); where the face was not detected, on the line between the detections before and after."""
    detections: int
    """In how many frames it was detected."""


def iou(a: Box, b: Box, epsilon: float = 0.0) -> float:
    """Intersection over union of two boxes, 0..1. ZeroDivisionError for two boxes without area where epsilon is 0, as in the original."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    shared = wide * high
    return float(shared / (float(areas[0] + areas[1] - shared) + epsilon))


def tracks(faces: Sequence[Sequence[Box]], rule: Rule, first: int = 0) -> list[Track]:
    """The tracks of one shot, in the order in which they are found.

    faces: for every frame its boxes, best first, as the detector lists them. first: number of the first frame. The first face left starts a track
    and takes with it, frame by frame, the face that overlaps where it was last seen; then the next one starts. A face that lands in a track that
    is dropped later is used up all the same. After a face has been taken, the next one in that frame's list is not looked at: the originals
    remove from the list that they walk through.
    """
    left = [list(frame) for frame in faces]
    found: list[Track] = []
    while True:
        members = _follow(left, rule, first)
        if not members:
            return found
        if len(members) > rule.min_track:
            track = _without_holes(members)
            width, height = (track.boxes[:, 2:] - track.boxes[:, :2]).mean(axis=0)
            if max(width, height) > rule.size:
                found.append(track)


def tracks_of_shots(faces: Sequence[Sequence[Box]], shots: Sequence[tuple[int, int]], rule: Rule) -> list[Track]:
    """The tracks of a clip whose shots are [first, end): none crosses a cut, and a shot with fewer frames than `min_track` has none.

    Frames after the end of the last shot are not looked at, nor does it matter if a shot ends after the last frame.
    """
    found = []
    for start, end in shots:
        if end - start >= rule.min_track:
            found += tracks(faces[start:end], rule, start)
    return found


def _follow(left: list[list[Box]], rule: Rule, first: int) -> list[tuple[int, Box]]:
    """The first face that is left and the detections that continue it, taken out of `left`."""
    members: list[tuple[int, Box]] = []
    for number, here in enumerate(left, first):
        place = 0
        while place < len(here):
            if members:
                last, box = members[-1]
                near = number - last <= rule.gap
                follows = near and iou(here[place], box, rule.epsilon) > rule.overlap
                if not near or (rule.stops_at_a_stranger and not follows):
                    break
            if not members or follows:
                members.append((number, here.pop(place)))
            place += 1
    return members


def _without_holes(members: Sequence[tuple[int, Box]]) -> Track:
    seen = np.array([number for number, _ in members])
    boxes = np.array([box for _, box in members], np.float64)
    frames = np.arange(seen[0], seen[-1] + 1)
    return Track(frames, np.stack([np.interp(frames, seen, column) for column in boxes.T], axis=1), len(members))
