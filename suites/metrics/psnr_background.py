"""PSNR of the background: the pixels outside the person."""

from __future__ import annotations

from suites.metrics._background import BACKGROUND
from suites.metrics._region_scores import psnr_of

SPEC = psnr_of(BACKGROUND)
