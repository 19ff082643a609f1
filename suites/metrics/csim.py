"""CSIM: is it still the same person? The cosine of two faces' embeddings."""

from __future__ import annotations

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric, Values
from benchmark.rows import ClipVariant, Found, Rows


def _cosine(ours: Rows, theirs: Rows) -> Values:
    """(n,) in -1..1 of (n, 513) and (n or 1, 513); NaN where one side shows no face."""
    mine, real = (side.astype(np.float64) for side in np.broadcast_arrays(ours, theirs))
    lengths = np.linalg.norm(mine[:, 1:], axis=1) * np.linalg.norm(real[:, 1:], axis=1)
    there = (mine[:, 0] > 0) & (real[:, 0] > 0) & (lengths > 0)
    values = np.full(len(mine), np.nan)
    values[there] = np.einsum("nd,nd->n", mine[there, 1:], real[there, 1:]) / lengths[there]
    return values


def _truth(found: Found) -> Values:
    assert found.truth is not None
    return _cosine(found.generated, found.truth)


def _reference(found: Found) -> Values:
    assert found.reference is not None
    if found.reference[0, 0] <= 0:
        raise Unscored("no-face", "the reference picture shows no face")
    return _cosine(found.generated, found.reference)


_WHOSE = "by the user's own recognition network (face_embedding.onnx; its values mean nothing beside another network's: its sha256 stands in the record)"
_SOURCE = "ArcFace (Deng et al. 2019, arXiv:1801.07698), the embedder the field's identity scores rest on"
_DEVIATION = "the five points of the alignment are MediaPipe's, not RetinaFace's"

SPEC = Metric(
    name="csim",
    title="CSIM",
    higher_is_better=True,
    decimals=4,
    variants=(
        ClipVariant(
            id="arcface-truth",
            extractor="face-embedding",
            score=_truth,
            paired=True,
            left_out="no-face",
            summary=f"cosine of the embeddings of the largest face in the generated frame and in the truth's, {_WHOSE}; frames in which one side shows no "
            "face are left out and counted; mean over frames, then clips",
            source=_SOURCE,
            deviation=_DEVIATION,
        ),
        ClipVariant(
            id="arcface-reference",
            extractor="face-embedding",
            score=_reference,
            reference=True,
            left_out="no-face",
            summary=f"cosine of the embeddings of the largest face in the generated frame and in the reference picture, {_WHOSE}; the reference is the case's "
            "picture at its own size, or the truth's frame known to be it (--reference-frame); frames without a face are left out and counted; mean over "
            "frames, then clips",
            source=_SOURCE,
            deviation=_DEVIATION,
        ),
    ),
)
