"""What a user asks for, before anything is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from benchmark.model import Rect


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of a run. Maps are keyed by a method's name, `truth`, `real`, or `*` (every method, never the truth)."""

    suite: str | None = None
    split: str | None = None
    truth: Path | None = None
    data: Path | None = None
    real: Path | None = None
    cases_file: Path | None = None
    outputs: Mapping[str, Path] = field(default_factory=dict)
    adapters: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    limit: int | None = None
    protocols: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    offsets: Mapping[str, int] = field(default_factory=dict)
    crops: Mapping[str, Rect] = field(default_factory=dict)
    ignores: Mapping[str, Rect] = field(default_factory=dict)
    fps: Mapping[str, Fraction] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    reference_frames: Mapping[str, int] = field(default_factory=dict)
    keypoints: Mapping[str, Path] = field(default_factory=dict)
    audio: Path | None = None
    weights: str = "real"
    weights_folder: Path | None = None
    pull: bool = False
    offline: bool = False
    device: str = "cpu"
    backend: str = "torch"
    workers: int = 1
    require_all: bool = False
    max_frames: int = 512
    out: Path | None = None
