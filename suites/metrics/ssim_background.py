"""SSIM of the background: the map of the whole picture's SSIM where its windows lie outside the person."""

from __future__ import annotations

from suites.metrics._background import BACKGROUND
from suites.metrics._region_scores import ssim_of

SPEC = ssim_of(BACKGROUND)
