"""SSIM of the eye: the whole picture's SSIM map, averaged over the eye only."""

from __future__ import annotations

from suites.metrics._faces import EYES_PART
from suites.metrics._region_scores import ssim_of

SPEC = ssim_of(EYES_PART)
