"""What travels through the pass: jobs in, units on their way, results out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.generating import Settings
from benchmark.loading import Networks
from benchmark.making import Made
from benchmark.media import VideoInfo
from benchmark.model import Case, Counted, Source, Unit
from benchmark.pairing import Pairing
from benchmark.plan import View
from benchmark.rows import Facts

CHUNK = 16
"""Frames decoded at a time. No result depends on it."""
NOT_APPLICABLE = "not-applicable"
"""Reason of a paired metric where there is no truth: no failure."""


@dataclass(frozen=True)
class UnitJob:
    """A unit to be done. adapter: id of the adapter that makes the clip (None = finished output). settings: what that is told, ready: the clip, where it was
    made before the pass. error: known before any decoding."""

    unit: Unit
    source: Source
    sha256: str | None
    adapter: str | None = None
    error: InputError | None = None
    settings: Settings = field(default_factory=Settings)
    ready: Made | None = None


@dataclass(frozen=True)
class CaseJob:
    """A case with the units still to be done: what an executor hands to a worker. Picklable, self-contained."""

    case: Case
    truth_sha256: str | None
    truth_error: InputError | None
    units: tuple[UnitJob, ...]
    views: tuple[View, ...]
    clips: Path
    networks: Networks
    device: str = "cpu"
    chunk: int = CHUNK
    threads: int = 1


@dataclass
class UnitResult:
    """What a unit gives: its journal entry, and per view the frame numbers and each variant's values."""

    entry: dict[str, Any]
    frames: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    values: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)


@dataclass
class Track:
    """A unit under one view: pairing, size, and what has been computed so far."""

    view: View
    pairing: Pairing
    size: tuple[int, int]
    counted: Counted | None
    parts: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    reasons: dict[str, Unscored] = field(default_factory=dict)
    clip_values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    position: int = 0


class Runner:
    """One unit on its way through the pass."""

    def __init__(self, job: UnitJob) -> None:
        self.job = job
        self.info: VideoInfo | None = None
        self.box: tuple[int, int, int, int] | None = None
        self.tracks: list[Track] = []
        self.view_errors: dict[str, InputError] = {}
        self.error: InputError | None = job.error
        self.cursor: Cursor | None = None
        self.notes: list[str] = []
        self.source = job.source
        self.sha256 = job.sha256
        self.generated: str | None = None
        self.reference: int | None = None


def bad_truth(case: str, error: InputError) -> InputError:
    """The error of every unit of a case whose truth cannot be used."""
    return InputError(
        f"the truth of case {case} cannot be used: {error.what}",
        code="bad-truth",
        path=error.path,
        found=error.found,
        expected=error.expected,
        hint=error.hint,
    )


class Cursor:
    """Frames of a clip by nondecreasing index, over chunks that come in order. Keeps only what may still be asked for."""

    def __init__(self, chunks: Iterator[NDArray[np.uint8]]) -> None:
        self._chunks = chunks
        self._held: list[NDArray[np.uint8]] = []
        self._first = 0

    def take(self, indices: list[int], keep_from: int) -> NDArray[np.uint8]:
        """(len(indices), h, w, 3); afterwards frames before `keep_from` are dropped."""
        while self._first + len(self._held) <= indices[-1]:
            self._drop(indices[0])
            self._held.extend(next(self._chunks))
        picked = [self._held[i - self._first] for i in indices]
        self._drop(keep_from)
        return np.stack(picked)

    def drain(self) -> None:
        """Decode what is left: damage anywhere in a clip is found, whatever the size of a chunk."""
        self._held.clear()
        for _ in self._chunks:
            pass

    def _drop(self, before: int) -> None:
        count = min(max(0, before - self._first), len(self._held))
        del self._held[:count]
        self._first += count
