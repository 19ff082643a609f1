"""judge-sync: do the lips match the speech? Asked of a model that sees clips."""

from __future__ import annotations

from suites.metrics._judge import metric

SPEC = metric("sync", "Judge: lip sync", "do the lips match the speech")
