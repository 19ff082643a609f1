"""Who makes the clips: adapters, what they are told, and what a run and a reader must know of those that run a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark.data import from_mapping
from benchmark.errors import InputError
from benchmark.model import Case

if TYPE_CHECKING:
    from benchmark.media import HashCache

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a generating adapter is told besides the case; all of it is part of the record.

    checkpoint: a folder, a .toml file, a hub's id, or `tiny` (None = what the configuration names). steps, guidance, size (width, height): None = what the
    checkpoint says, else its class's published default. dtype: None = what the checkpoint says, else float32 on a CPU and bfloat16 elsewhere. frames: make
    only the first so many of the case's (None = all). offload: parts of the model wait on the CPU until they are needed.
    """

    seed: int = 0
    device: str = "cpu"
    checkpoint: str | None = None
    steps: int | None = None
    guidance: float | None = None
    size: tuple[int, ...] | None = None
    frames: int | None = None
    dtype: Dtype | None = None
    offload: bool = False


EVERY = "*"
OWN = tuple(item.name for item in fields(Settings) if item.name not in ("seed", "device"))
"""What a user may set, for one method or for all."""


def settings_of(method: str, asked: Mapping[str, Mapping[str, Any]], device: str) -> Settings:
    """The settings of a method: what is asked for by its name, else for `*`. asked: {method or `*`: {field: value}}.

    Raises InputError for a field that does not exist or a value that cannot be.
    """
    merged = {**asked.get(EVERY, {}), **asked.get(method, {}), "device": device}
    found = from_mapping(Settings, merged, where=f"settings of {method}")
    wrong = [
        f"{name} {value}"
        for name, value, least in (("steps", found.steps, 1), ("frames", found.frames, 1), ("guidance", found.guidance, 0))
        if value is not None and not least <= value < math.inf
    ]
    if found.size is not None and (len(found.size) != 2 or min(found.size) < 1):
        wrong.append(f"size {found.size}")
    if wrong:
        raise InputError(
            f"settings of {method} cannot be", code="usage", found=", ".join(wrong), expected="steps, frames >= 1; guidance >= 0; size WxH"
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """Who makes the clips. generate(case, settings, stem) writes one clip and returns its path: `stem` is a path without suffix inside the run.

    version is part of a generated clip's key. needs: what must be there before it can run, in words (empty = nothing).
    """

    id: str
    version: int
    title: str
    summary: str
    generate: Callable[[Case, Settings, Path], Path]
    needs: str = ""
    source: str = ""
    status: str = "ready"


def _no_notes(clip: Path) -> list[str]:
    return []


def _no_facts(clip: Path) -> Mapping[str, Any]:
    return {}


def _ready() -> str:
    return ""


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Generating(Adapter):
    """An adapter whose clips a model makes: they are made before the pass, method by method, and each is kept with its key.

    details: (label, text) lines that `explain` prints below the others. offset: frame i of a made clip belongs to truth frame i + offset, where the
    user says nothing else. notes(clip), facts(clip): what a reader of the record should know of one made clip, in words and as data (`cost` is what
    `profile` reads); they go into the journal. identify(settings, hashes): what the clips come from, by content, never by path, and the settings as they
    were resolved: part of the spec and of every clip's key; `rehearsal: true` in it marks what must never be taken for a result (None = only the adapter's
    version is known; such clips are kept within their run alone). passes(case, settings): nominal function evaluations a step (None = the adapter has no
    steps that one could ask for). takes: which settings it heeds. lacks(): what is still missing on this machine, in words. free(): let go of the networks.
    """

    details: tuple[tuple[str, str], ...] = ()
    offset: int = 0
    notes: Callable[[Path], list[str]] = _no_notes
    facts: Callable[[Path], Mapping[str, Any]] = _no_facts
    identify: Callable[[Settings, HashCache], Mapping[str, Any]] | None = None
    passes: Callable[[Case, Settings], int] | None = None
    takes: tuple[str, ...] = OWN
    lacks: Callable[[], str] = _ready
    free: Callable[[], None] = _nothing
