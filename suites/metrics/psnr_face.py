"""PSNR of the face: from the mean squared error of the face's pixels only."""

from __future__ import annotations

from suites.metrics._faces import FACE
from suites.metrics._region_scores import psnr_of

SPEC = psnr_of(FACE)
