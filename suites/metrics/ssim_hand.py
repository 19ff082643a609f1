"""SSIM of the hand: the whole picture's SSIM map, averaged over the hand only."""

from __future__ import annotations

from suites.metrics._hands import HAND_PART
from suites.metrics._region_scores import ssim_of

SPEC = ssim_of(HAND_PART)
