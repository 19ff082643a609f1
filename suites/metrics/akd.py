"""AKD: average keypoint distance. How far the keypoints of a generated frame lie from those of the truth."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import Hands, Reader, mediapipe, scale


def _distances(ours: Hands, theirs: Hands) -> Values:
    """(n,) mean distance in pixels over the points that both sides see, NaN where there is none."""
    n = len(ours.points)
    a = np.concatenate([ours.body, ours.points.reshape(n, -1, 2)], axis=1)
    b = np.concatenate([theirs.body, theirs.points.reshape(n, -1, 2)], axis=1)
    many = ours.points.shape[2]
    seen = np.concatenate([ours.body_seen & theirs.body_seen, np.repeat(ours.seen & theirs.seen, many, axis=1)], axis=1)
    away = np.sqrt(((a - b) ** 2).sum(axis=-1))
    count = seen.sum(axis=1)
    values: Values = np.where(count > 0, (away * seen).sum(axis=1) / np.maximum(count, 1), np.nan)
    return values


def _score(read: Reader, unit: Literal["px512", "shoulder"], found: Found) -> Values:
    assert found.truth is not None
    theirs = read(found.truth)
    values = _distances(read(found.generated), theirs)
    if unit == "px512":
        return values * scale(found)
    if not np.isfinite(theirs.shoulders).any():
        raise Unscored("no-shoulders", "both shoulders are seen in no frame of the truth")
    return values / float(np.nanmedian(theirs.shoulders))


_POINTS = "the 33 landmarks of the body (visibility 0.5) and 21 of each hand (presence 0.5) that both sides see; frames without any are left out and counted"

SPEC = Metric(
    name="akd",
    title="AKD",
    higher_is_better=False,
    unit="px",
    decimals=2,
    variants=(
        ClipVariant(
            id="mediapipe-px512",
            extractor="mediapipe-holistic",
            score=partial(_score, mediapipe, "px512"),
            paired=True,
            left_out="no-person",
            summary=f"mean distance of a keypoint from the truth's in pixels at a short side of 512, over {_POINTS}; mean over points, frames, clips",
            source="Siarohin et al. 2019, arXiv:2003.00196 (the idea, with another detector); detector and unit are this project's",
        ),
        ClipVariant(
            id="mediapipe-shoulder",
            extractor="mediapipe-holistic",
            score=partial(_score, mediapipe, "shoulder"),
            paired=True,
            left_out="no-person",
            unit="shoulders",
            decimals=4,
            summary=f"as mediapipe-px512, in the truth's median distance between the shoulders, over {_POINTS}",
            source="this project",
        ),
    ),
)
