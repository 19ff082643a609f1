"""What the hand metrics share: where the hands are, by detector, in pixels of the compared picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.rows import Found, Rows
from suites.metrics._region_scores import Groups, Part
from suites.people import _dwpose_rows as dwpose_rows
from suites.people import _given as given_rows
from suites.people._layout import LEFT_HAND, RIGHT_HAND, SEEN
from suites.people._layout import SHOULDERS as DWPOSE_SHOULDERS
from suites.people._mediapipe_rows import HAND, SHOULDERS, SURE, unpack

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SHORT_SIDE = 512.0
"""Positions are carried to this short side before they are compared, so that a clip's size is no matter."""
NO_HAND = "no-hand"
MOST = 11
"""With DWPose a hand is there where so many of its 21 points are seen."""


@dataclass(frozen=True)
class Hands:
    """points: (n, 2, 21, 2) left and right, pixels of the compared picture. seen: (n, 2, 21) by point. there: (n, 2) is the hand as a whole there?
    score: (n, 2, 21) by point, the same for all points where the detector scores a hand. person: (n,). shoulders: (n,) pixels between them, NaN where
    they are not seen. body: (n, b, 2) all further points, body_seen: (n, b)."""

    points: Floats
    seen: Flags
    there: Flags
    score: Floats
    person: Flags
    shoulders: Floats
    body: Floats
    body_seen: Flags


def _apart(left: Floats, right: Floats, seen: Flags) -> Floats:
    found: Floats = np.where(seen, np.sqrt(((left - right) ** 2).sum(axis=1)), np.nan)
    return found


def mediapipe(rows: Rows) -> Hands:
    """Rows of `mediapipe-holistic`: a hand's points are seen where its presence is at least 0.5, the body's by their visibility."""
    found = unpack(rows)
    person = found.person >= SURE
    visible = (found.pose[..., 2] >= SURE) & person[:, None]
    left, right = SHOULDERS
    return Hands(
        points=found.hands,
        seen=np.repeat(found.seen[..., None], HAND, axis=2),
        there=found.seen,
        score=np.repeat(found.presence[..., None], HAND, axis=2),
        person=person,
        shoulders=_apart(found.pose[:, left, :2], found.pose[:, right, :2], visible[:, left] & visible[:, right]),
        body=found.pose[..., :2],
        body_seen=visible,
    )


def dwpose(rows: Rows) -> Hands:
    """Rows of `dwpose`, the main person's: a point is seen where its score is at least 0.3."""
    person, points, scores = dwpose_rows.main(rows)
    visible = (scores >= SEEN) & person[:, None]
    hands = np.stack([points[:, LEFT_HAND], points[:, RIGHT_HAND]], axis=1)
    seen = np.stack([visible[:, LEFT_HAND], visible[:, RIGHT_HAND]], axis=1)
    left, right = DWPOSE_SHOULDERS
    return Hands(
        points=hands,
        seen=seen,
        there=seen.sum(axis=2) >= MOST,
        score=np.stack([scores[:, LEFT_HAND], scores[:, RIGHT_HAND]], axis=1),
        person=person,
        shoulders=_apart(points[:, left], points[:, right], visible[:, left] & visible[:, right]),
        body=points[:, : LEFT_HAND.start],
        body_seen=visible[:, : LEFT_HAND.start],
    )


def given(rows: Rows) -> Hands:
    """Rows of `given`: a point is seen where the file says so."""
    points, seen = given_rows.unpack(rows)
    hands_seen = np.stack([seen[:, LEFT_HAND], seen[:, RIGHT_HAND]], axis=1)
    left, right = DWPOSE_SHOULDERS
    return Hands(
        points=np.stack([points[:, LEFT_HAND], points[:, RIGHT_HAND]], axis=1),
        seen=hands_seen,
        there=hands_seen.sum(axis=2) >= MOST,
        score=hands_seen.astype(np.float64),
        person=np.asarray(seen.any(axis=1)),
        shoulders=_apart(points[:, left], points[:, right], seen[:, left] & seen[:, right]),
        body=points[:, : LEFT_HAND.start],
        body_seen=seen[:, : LEFT_HAND.start],
    )


Reader = Callable[[Rows], Hands]


@dataclass(frozen=True)
class By:
    """A detector: name in variants, its extractor, the reader of its rows, and in words when a hand's points count."""

    name: str
    extractor: str
    read: Reader
    words: str


MEDIAPIPE = By("mediapipe", "mediapipe-holistic", mediapipe, "of a hand that MediaPipe sees (presence 0.5)")
DWPOSE = By(
    "dwpose",
    "dwpose",
    dwpose,
    "of a hand of the main person (the largest box, then followed by overlap) that DWPose sees (raw score at least 0.3)",
)
GIVEN = By("given", "given", given, "of a hand of which the file beside the clip has at least 11 points")
DETECTORS = (MEDIAPIPE, DWPOSE, GIVEN)


def _groups(read: Reader, rows: Rows) -> Groups:
    """The two hands, for regions."""
    hands = read(rows)
    return Groups(hands.points, hands.seen, hands.there)


HAND_PART = Part(
    "hand",
    tuple((by.name, by.extractor, partial(_groups, by.read), f"the keypoints {by.words}") for by in DETECTORS),
    "IPA (arXiv:2605.07545) names the metric and publishes no definition: this one is this project's",
)


def scale(found: Found) -> float:
    """Factor that brings the compared picture to the short side of 512."""
    return SHORT_SIDE / min(found.size)


def some(value: float | None, why: str = "no hand is seen in 8 frames") -> float:
    """The value; Unscored(`no-hand`) where there is none."""
    if value is None:
        raise Unscored(NO_HAND, why)
    return value
