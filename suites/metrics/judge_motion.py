"""judge-motion: does the person move naturally? Asked of a model that sees clips."""

from __future__ import annotations

from suites.metrics._judge import metric

SPEC = metric("motion", "Judge: motion", "does the person move naturally")
