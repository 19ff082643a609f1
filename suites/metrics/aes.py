"""AES: how pleasing the pictures are, as a model grades them without a reference."""

from __future__ import annotations

from benchmark.model import Metric
from suites.metrics._qalign import AESTHETICS

SPEC = Metric(name="aes", title="AES", higher_is_better=True, variants=(*AESTHETICS,))
