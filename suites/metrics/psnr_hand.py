"""PSNR of the hand: from the mean squared error of the hand's pixels only."""

from __future__ import annotations

from suites.metrics._hands import HAND_PART
from suites.metrics._region_scores import psnr_of

SPEC = psnr_of(HAND_PART)
