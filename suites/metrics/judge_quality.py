"""judge-quality: is the picture clear and free of artefacts? Asked of a model that sees clips."""

from __future__ import annotations

from suites.metrics._judge import metric

SPEC = metric("quality", "Judge: quality", "is the picture clear and free of artefacts")
