"""PSNR of the eye: from the mean squared error of the eye's pixels only."""

from __future__ import annotations

from suites.metrics._faces import EYES_PART
from suites.metrics._region_scores import psnr_of

SPEC = psnr_of(EYES_PART)
