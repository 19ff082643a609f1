"""PSNR of the mouth: from the mean squared error of the mouth's pixels only."""

from __future__ import annotations

from suites.metrics._faces import MOUTH_PART
from suites.metrics._region_scores import psnr_of

SPEC = psnr_of(MOUTH_PART)
