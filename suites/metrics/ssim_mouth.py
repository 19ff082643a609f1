"""SSIM of the mouth: the whole picture's SSIM map, averaged over the mouth only."""

from __future__ import annotations

from suites.metrics._faces import MOUTH_PART
from suites.metrics._region_scores import ssim_of

SPEC = ssim_of(MOUTH_PART)
