"""Adapters that run a model: what a run and a reader must know of them beyond an adapter's own fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.model import Adapter


def _nothing(clip: Path) -> list[str]:
    return []


@dataclass(frozen=True, kw_only=True)
class Generating(Adapter):
    """An adapter whose clips a model makes.

    details: (label, text) lines that `explain` prints below the others. offset: frame i of a made clip belongs to truth frame i + offset, where the
    user says nothing else. notes(clip): what a reader of the record should know of one made clip; they go into the journal.
    """

    details: tuple[tuple[str, str], ...] = ()
    offset: int = 0
    notes: Callable[[Path], list[str]] = _nothing
