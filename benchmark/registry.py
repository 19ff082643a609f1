"""Names -> specs. The only place that imports by name.

Built-ins are found by scanning the packages `suites`, `adapters` and `reports` beside this one; plugins come through entry points of the group
`human_video_benchmark`, each a spec or a tuple of specs. A name that two places claim is an error that names both.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from benchmark import data
from benchmark.errors import InputError
from benchmark.generating import Adapter
from benchmark.model import Case, Extractor, Metric, ProtocolSpec, Suite, Variant
from benchmark.workers import Worker

if TYPE_CHECKING:
    import argparse

T = TypeVar("T")
GROUP = "human_video_benchmark"


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A command that a report or adapter package adds: configure(parser) declares arguments, run(arguments) returns the exit code."""

    name: str
    summary: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


LOCAL = "+local"
"""What is added to the id of a suite whose frames differ from the published hashes: such a run can be compared with nobody's."""


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A set of clips made on the spot: build(folder) writes them once and returns the cases, ids in order.

    expected(): {case id: `made.frames_sha256` of its truth}; where a machine makes other frames, the suite goes by `ID+local`. None = not checked.
    """

    id: str
    version: int
    summary: str
    build: Callable[[Path], tuple[Case, ...]]
    expected: Callable[[], Mapping[str, str]] | None = None


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """One file of network weights. sha256 None = never published: recorded at the first pull (`first-use`).

    format: `safetensors`, `torch` (state dict, loaded with weights_only=True), `torchscript` (run only if its hash is pinned here), `onnx`, `tflite`, `mat`
    (arrays of numbers). given: any file of the right shape will do and the user brings it, an ONNX graph: its sha256 is recorded at first use.
    """

    name: str
    file: str
    format: str
    licence: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    bytes: int | None = None
    source: str = ""
    given: bool = False


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered object and where it comes from."""

    name: str
    origin: str
    item: T


class Registry:
    """All specs of one kind by name, in sorted order."""

    def __init__(self) -> None:
        self.metrics: dict[str, Entry[Metric]] = {}
        self.extractors: dict[str, Entry[Extractor]] = {}
        self.protocols: dict[str, Entry[ProtocolSpec]] = {}
        self.suites: dict[str, Entry[Suite]] = {}
        self.makers: dict[str, Entry[Maker]] = {}
        self.adapters: dict[str, Entry[Adapter]] = {}
        self.verbs: dict[str, Entry[Verb]] = {}
        self.weights: dict[str, Entry[WeightsEntry]] = {}
        self.workers: dict[str, Entry[Worker]] = {}

    def add(self, item: object, origin: str) -> None:
        """Register one spec. Raises InputError when the name is taken, is not lower case, or the object is of no known kind."""
        for kind, table, name in (
            (Metric, self.metrics, "name"),
            (Extractor, self.extractors, "id"),
            (ProtocolSpec, self.protocols, "id"),
            (Suite, self.suites, "id"),
            (Maker, self.makers, "id"),
            (Adapter, self.adapters, "id"),
            (Verb, self.verbs, "name"),
            (WeightsEntry, self.weights, "name"),
            (Worker, self.workers, "id"),
        ):
            if isinstance(item, kind):
                if isinstance(item, Metric):
                    ids: dict[str, Entry[Variant]] = {}
                    for variant in item.variants:
                        _insert(ids, variant.id, variant, origin)
                _insert(cast("dict[str, Entry[Any]]", table), getattr(item, name), item, origin)
                return
        raise InputError("does not provide a spec this version knows", code="plugin", path=origin, found=type(item).__name__)

    def variant(self, name: str) -> tuple[Metric, Variant]:
        """`psnr@float` -> (metric, variant). Raises InputError that lists what there is."""
        metric_name, _, variant_id = name.partition("@")
        metric = find(self.metrics, metric_name, "metric")
        try:
            return metric, metric.variant(variant_id)
        except KeyError:
            known = ", ".join(f"{metric.name}@{v.id}" for v in metric.variants)
            found = name if variant_id else f"{name} (no variant named)"
            raise InputError("no such variant", code="unknown-name", found=found, expected=known, hint="hvbench ls metrics") from None


def _insert(table: dict[str, Entry[T]], name: str, item: T, origin: str) -> None:
    if name != name.lower() or not name or any(c in name for c in " @:/="):
        raise InputError("ids are lower case, without space, @, :, / or =", code="bad-id", path=origin, found=repr(name))
    if name in table:
        raise InputError(
            f"the name {name!r} is taken",
            code="collision",
            path=origin,
            found=f"already registered by {table[name].origin}",
            expected="unique names",
        )
    table[name] = Entry(name, origin, item)


def find(table: dict[str, Entry[T]], name: str, kind: str) -> T:
    """Look up; InputError that lists the known names otherwise."""
    try:
        return table[name].item
    except KeyError:
        raise InputError(
            f"no such {kind}",
            code="unknown-name",
            found=repr(name),
            expected=", ".join(sorted(table)) or "none registered",
            hint="hvbench ls weights" if kind.startswith("weights") else f"hvbench ls {kind}s",
        ) from None


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The one registry of this process, filled at first use (well under 0.2 s: spec modules import neither torch nor pandas)."""
    found = Registry()
    for item, origin in _built_in():
        found.add(item, origin)
    for item, origin in _plugins():
        found.add(item, origin)
    return found


def _built_in() -> Iterator[tuple[object, str]]:
    for package in ("suites.metrics", "suites.networks", "suites.embedded", "adapters", "reports"):
        yield from _specs_of(package)
    suites = _folder("suites")
    for path in sorted((suites / "protocols").glob("*.toml")):
        yield data.load_protocol(path), str(path)
    for path in sorted(suites.glob("*/suite.toml")):
        yield data.load_suite(path), str(path)
    yield from weights_of(suites / "weights.toml")


def weights_of(path: Path) -> Iterator[tuple[WeightsEntry, str]]:
    """The entries of a weights file: one table `[name]` each."""
    for name, table in data.load_toml(path).items():
        yield data.from_mapping(WeightsEntry, {"name": name, **table}, where=f"{path} [{name}]"), str(path)


def _specs_of(package: str) -> Iterator[tuple[object, str]]:
    root = _folder(package)
    for info in sorted(pkgutil.iter_modules([str(root)]), key=lambda m: m.name):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        for attribute in ("SPEC", "VERB"):
            for item in _several(getattr(module, attribute, ())):
                yield item, module.__name__


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, tuple | list) else (value,)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the package {package!r} is not installed beside benchmark", code="foreign-package", hint="python -m pip install -e ."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _plugins() -> Iterator[tuple[object, str]]:
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        origin = f"plugin {entry.dist.name if entry.dist else '?'} ({entry.value})"
        try:
            loaded: Any = entry.load()
        except Exception as error:
            raise InputError("the plugin cannot be loaded", code="plugin", path=origin, found=f"{type(error).__name__}: {error}") from error
        for item in _several(loaded):
            yield item, origin


def suite_of(name: str) -> Suite | None:
    """The suite behind the id that a record has: that of the name or, of one made with other frames (`ID+local`), the made one; None where nobody knows it."""
    found = registry().suites.get(name.removesuffix(LOCAL))
    return found.item if found and (found.item.id == name or found.item.make) else None
