"""What a user asks for, before anything is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmark.data import plain
from benchmark.model import Rect


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of a run. Maps are keyed by a method's name, `truth`, `real`, or `*` (every method, never the truth).

    bare: make the clips, score nothing. adapters: `ID` or `NAME=ID`. settings: {method or `*`: {field of generating.Settings: value}}.
    """

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
    bare: bool = False
    max_frames: int = 512
    worker_options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    out: Path | None = None


def request_to_json(request: Request) -> dict[str, Any]:
    """The request as plain data, with absolute paths, so that `resume` works from any folder."""
    data: dict[str, Any] = {}
    for item in fields(request):
        value = getattr(request, item.name)
        if isinstance(value, Path):
            value = value.absolute()
        if item.name in ("outputs", "keypoints"):
            value = {name: path.absolute() for name, path in value.items()}
        if item.name == "worker_options":
            value = {flag: str(Path(said).absolute()) if "/" in said or Path(said).is_dir() else said for flag, said in value.items()}
        if item.name == "settings":
            value = {name: {key: _absolute(key, said) for key, said in told.items()} for name, told in value.items()}
        data[item.name] = plain(value)
    return data


def _absolute(name: str, value: Any) -> Any:
    """A checkpoint that is a path here, so that it is found from any folder."""
    there = name == "checkpoint" and value != "tiny" and Path(str(value)).exists()
    return str(Path(value).absolute()) if there else value


def request_from_json(data: Mapping[str, Any]) -> Request:
    """The inverse of request_to_json."""
    values = dict(data)
    for name in ("truth", "data", "real", "cases_file", "audio", "weights_folder", "out"):
        values[name] = Path(values[name]) if values.get(name) else None
    for name in ("outputs", "keypoints"):
        values[name] = {key: Path(path) for key, path in values.get(name, {}).items()}
    for name in ("adapters", "cases", "protocols", "metrics", "seeds"):
        values[name] = tuple(values[name])
    for name in ("crops", "ignores"):
        values[name] = {key: Rect(**rect) for key, rect in values[name].items()}
    values["fps"] = {key: Fraction(rate) for key, rate in values["fps"].items()}
    values["ranges"] = {key: tuple(pair) for key, pair in values["ranges"].items()}
    return Request(**values)
