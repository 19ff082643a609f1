"""SSIM of the face: the whole picture's SSIM map, averaged over the face only."""

from __future__ import annotations

from suites.metrics._faces import FACE
from suites.metrics._region_scores import ssim_of

SPEC = ssim_of(FACE)
