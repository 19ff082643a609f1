"""CSIM: is it still the same person? The cosine of two faces' embeddings."""

from __future__ import annotations

import numpy as np

from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found


def _cosine(found: Found) -> Values:
    """(n,) in -1..1; NaN where one side shows no face."""
    assert found.truth is not None
    ours, theirs = (side.astype(np.float64) for side in (found.generated, found.truth))
    lengths = np.linalg.norm(ours[:, 1:], axis=1) * np.linalg.norm(theirs[:, 1:], axis=1)
    there = (ours[:, 0] > 0) & (theirs[:, 0] > 0) & (lengths > 0)
    values = np.full(len(ours), np.nan)
    values[there] = np.einsum("nd,nd->n", ours[there, 1:], theirs[there, 1:]) / lengths[there]
    return values


SPEC = Metric(
    name="csim",
    title="CSIM",
    higher_is_better=True,
    decimals=4,
    variants=(
        ClipVariant(
            id="arcface-truth",
            extractor="face-embedding",
            score=_cosine,
            paired=True,
            left_out="no-face",
            summary="cosine of the embeddings of the largest face in the generated frame and in the truth's, by the user's own recognition network "
            "(face_embedding.onnx; whose values mean nothing beside another network's: its sha256 stands in the record); frames in which one side shows "
            "no face are left out and counted; mean over frames, then clips",
            source="ArcFace (Deng et al. 2019, arXiv:1801.07698), the embedder the field's identity scores rest on",
            deviation="the five points of the alignment are MediaPipe's, not RetinaFace's",
        ),
    ),
)
