"""IQA: how good the pictures look, as a model grades them without a reference."""

from __future__ import annotations

from benchmark.model import Metric
from suites.metrics._niqe import NIQE
from suites.metrics._qalign import QUALITY

SPEC = Metric(name="iqa", title="IQA", higher_is_better=True, variants=(*QUALITY, NIQE))
