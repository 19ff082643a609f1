"""The columns of a result: finished outputs, or adapters with what they are told and what their clips come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark import cases as gathering
from benchmark.data import plain
from benchmark.errors import InputError
from benchmark.generating import EVERY, OWN, Adapter, Generating, Settings, settings_of
from benchmark.media import HashCache
from benchmark.model import Case, Source
from benchmark.registry import find, registry
from benchmark.request import Request


@dataclass(frozen=True)
class Method:
    """A column of the result: finished outputs of that name, or a registered adapter that makes its clips.

    view: how a made clip is looked at (offset, fps, ...); its path is not known yet. settings: what the adapter is told (the seed is the unit's). identity:
    what its clips come from, by content, where the adapter knows.
    """

    name: str
    adapter: Adapter | None = None
    view: Source | None = None
    settings: Settings = field(default_factory=Settings)
    identity: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the spec."""
        told = {
            name: value for name in OWN if (value := getattr(self.settings, name)) is not None and name not in ("checkpoint", "offload")
        }
        return {
            "name": self.name,
            "kind": "adapter" if self.adapter else "outputs",
            "version": self.adapter.version if self.adapter else None,
            "view": view_json(self.view),
            **({"adapter": self.adapter.id} if self.adapter and self.adapter.id != self.name else {}),
            **({"settings": plain(told)} if told and self.identity is None else {}),
            **({"generator": plain(self.identity)} if self.identity is not None else {}),
        }


def view_json(source: Source | None) -> dict[str, Any]:
    """How a clip is looked at, as plain data without its path."""
    return {key: value for key, value in plain(source).items() if key not in ("path", "keypoints") and value is not None} if source else {}


def adapter_of(word: str) -> tuple[str, Adapter]:
    """`ID` or `NAME=ID` -> (the method's name, its adapter). Raises InputError for a name that nobody registered."""
    name, equals, id = word.partition("=")
    return name, find(registry().adapters, id if equals else name, "adapter")


def methods_of(request: Request, found: gathering.Gathered, hashes: HashCache) -> tuple[Method, ...]:
    """The methods that are asked for, outputs first. Raises InputError for names and settings that cannot be, or where nothing is left to score."""
    methods = [Method(name) for name in found.outputs]
    for word in dict.fromkeys(request.adapters):
        name, adapter = adapter_of(word)
        if name in {method.name for method in methods}:
            raise InputError("two methods of one name", code="collision", found=name, hint=f"--adapter OTHER={adapter.id}")
        gathering.check_name(name, "--adapter", adapter.id)
        takes = adapter.takes if isinstance(adapter, Generating) else ()
        settings = settings_of(name, request.settings, request.device)
        settings = replace(Settings(device=settings.device), **{key: getattr(settings, key) for key in takes})
        view = gathering.source(Path(), name, request, base=Source(Path(), offset=adapter.offset if isinstance(adapter, Generating) else 0))
        asked = [key for key in OWN if key in request.settings.get(name, {}) and key not in takes]
        if asked:
            raise InputError(
                f"the adapter {adapter.id} takes no such settings",
                code="usage",
                found=", ".join(asked),
                expected=", ".join(takes) or "none",
            )
        identity = adapter.identify(settings, hashes) if isinstance(adapter, Generating) and adapter.identify else None
        methods.append(Method(name, adapter, view, settings, identity))
    strange = [name for name in request.settings if name != EVERY and name not in {method.name for method in methods}]
    if strange:
        raise InputError(
            "settings for a method that is not run",
            code="usage",
            found=", ".join(strange),
            expected=", ".join(method.name for method in methods if method.adapter) or "an --adapter",
        )
    if not methods:
        raise InputError(
            "there is nothing to score", code="usage", expected="--outputs NAME=DIR or --adapter NAME", hint="hvbench ls adapters"
        )
    if not found.cases:
        raise InputError("there is no case to score", code="empty")
    return tuple(methods)


def inputs_of(cases: Iterable[Case], hashes: HashCache) -> dict[str, dict[str, str]]:
    """{case: {what: sha256}} of the files that only generators read."""
    found: dict[str, dict[str, str]] = {}
    for case in cases:
        for name in ("pose", "uv", "masks"):
            path: Path | None = getattr(case, name)
            if path is not None and path.exists():
                found.setdefault(case.id, {})[name] = hashes.sha256(path)
    return found
