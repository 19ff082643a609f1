"""AKD: average keypoint distance. How far the keypoints of a generated frame lie from those of the truth."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found
from suites.metrics._hands import DWPOSE, GIVEN, MEDIAPIPE, By, Hands, Reader, scale


def _distances(ours: Hands, theirs: Hands) -> Values:
    """(n,) mean distance in pixels over the points that both sides see, NaN where there is none."""
    n = len(ours.points)
    a = np.concatenate([ours.body, ours.points.reshape(n, -1, 2)], axis=1)
    b = np.concatenate([theirs.body, theirs.points.reshape(n, -1, 2)], axis=1)
    seen = np.concatenate([ours.body_seen & theirs.body_seen, (ours.seen & theirs.seen).reshape(n, -1)], axis=1)
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


def _variants(by: By, points: str) -> tuple[ClipVariant, ...]:
    both = f"{points} that both sides see; frames without any are left out and counted"
    return (
        ClipVariant(
            id=f"{by.name}-px512",
            extractor=by.extractor,
            score=partial(_score, by.read, "px512"),
            paired=True,
            left_out="no-person",
            summary=f"mean distance of a keypoint from the truth's in pixels at a short side of 512, over {both}; mean over points, frames, clips",
            source="Siarohin et al. 2019, arXiv:2003.00196 (the idea, with another detector); detector and unit are this project's",
        ),
        ClipVariant(
            id=f"{by.name}-shoulder",
            extractor=by.extractor,
            score=partial(_score, by.read, "shoulder"),
            paired=True,
            left_out="no-person",
            unit="shoulders",
            decimals=4,
            summary=f"as {by.name}-px512, in the truth's median distance between the shoulders, over {both}",
            source="this project",
        ),
    )


SPEC = Metric(
    name="akd",
    title="AKD",
    higher_is_better=False,
    unit="px",
    decimals=2,
    variants=(
        *_variants(MEDIAPIPE, "the 33 landmarks of the body (visibility 0.5) and 21 of each hand (presence 0.5)"),
        *_variants(DWPOSE, "the main person's 133 points (raw score at least 0.3) of body, feet, face and hands"),
        *_variants(GIVEN, "the points of the files beside the two clips, up to 133 of body, feet, face and hands,"),
    ),
)
