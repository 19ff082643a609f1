"""From a request to a spec: what exactly will be computed from which bytes. Two commands with one spec are the same run."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark import backends, made, paths
from benchmark import cases as gathering
from benchmark.data import canonical, plain
from benchmark.errors import InputError, Unscored
from benchmark.generating import Generating
from benchmark.machine import TORCH
from benchmark.media import HashCache
from benchmark.methods import Method, adapter_of, inputs_of, methods_of, view_json
from benchmark.model import Case, ProtocolSpec, Source, Split, Suite, Unit
from benchmark.registry import find, registry
from benchmark.request import Request
from benchmark.rows import GivenExtractor
from benchmark.workers import Identity, WorkerExtractor, flags, identify

FORMAT = 1
"""Raised whenever the meaning of a spec changes, so that an old run is never mistaken for a new one."""


@dataclass(frozen=True)
class Clip:
    """A clip of the spec: how to look at it, its content's sha256, or why it cannot be used. keypoints: sha256 of the file beside it, if a variant reads it."""

    source: Source
    sha256: str | None = None
    error: InputError | None = None
    keypoints: str | None = None


@dataclass(frozen=True)
class Spec:
    """Everything that decides a number. `to_json()` is what is hashed: contents by sha256, never paths."""

    suite: Suite
    split: Split
    cases: tuple[Case, ...]
    truths: Mapping[str, Clip]
    methods: tuple[Method, ...]
    outputs: Mapping[tuple[str, str], Clip]
    real: Mapping[str, Clip]
    protocols: tuple[ProtocolSpec, ...]
    variants: Mapping[str, tuple[str, ...]]
    asked: tuple[str, ...]
    seeds: tuple[int, ...]
    weights: str
    device: str
    backend: str
    references: Mapping[str, str]
    sounds: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workers: Mapping[str, Identity | Unscored] = field(default_factory=dict)
    max_frames: int = 512
    notes: tuple[str, ...] = ()

    def units(self) -> list[Unit]:
        """Every unit in record order: method, case, seed. Finished outputs have one seed."""
        return [Unit(m.name, c.id, seed) for m in self.methods for c in self.cases for seed in (self.seeds if m.adapter else (0,))]

    def to_json(self) -> dict[str, Any]:
        """The spec's identity as plain data."""
        return {
            "format": FORMAT,
            "suite": {"id": self.suite.id, "version": self.suite.version},
            "split": self.split.id,
            "protocols": [plain(protocol) for protocol in self.protocols],
            "variants": {name: list(variants) for name, variants in self.variants.items()},
            "methods": [method.to_json() for method in self.methods],
            "seeds": list(self.seeds),
            "weights": self.weights,
            "max_frames": self.max_frames,
            "device": self.device.partition(":")[0] + ("" if self.backend == TORCH else f"/{self.backend}"),
            "cases": [self._case_json(case) for case in self.cases],
            "real": {stem: _clip_json(clip) for stem, clip in self.real.items()},
            **({"workers": self._known_workers()} if self._known_workers() else {}),
        }

    def _known_workers(self) -> dict[str, str]:
        return {name: found.sha256 for name, found in self.workers.items() if isinstance(found, Identity)}

    def given(self, case: Case) -> dict[str, Any]:
        """What a generator is given for a case, by content: part of a made clip's key."""
        seen = self._case_json(case, outputs=False)
        truth = {key: value for key, value in (seen["truth"] or {}).items() if key in ("sha256", "crop", "fps")}
        return {**seen, "truth": truth, "fps": plain(case.fps), "frames": case.frames, "extra": plain(case.extra)}

    def _case_json(self, case: Case, outputs: bool = True) -> dict[str, Any]:
        truth = self.truths.get(case.id)
        said = {
            "id": case.id,
            "truth": _clip_json(truth) if truth else None,
            "reference": self.references.get(case.id),
            "reference_frame": case.reference_frame,
            "prompt": case.prompt,
            **({"sound": self.sounds[case.id]} if case.id in self.sounds else {}),
            **({"inputs": dict(self.inputs[case.id])} if case.id in self.inputs else {}),
        }
        if not outputs:
            return said
        return {
            **said,
            "outputs": {m.name: _clip_json(self.outputs[m.name, case.id]) for m in self.methods if (m.name, case.id) in self.outputs},
        }

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON."""
        return hashlib.sha256(canonical(self.to_json()).encode()).hexdigest()

    @property
    def default_out(self) -> Path:
        """runs/<suite>-<first 8 of the hash>: the same command meets its own run."""
        return Path("runs") / f"{self.suite.id}-{self.sha256[:8]}"


def _clip_json(clip: Clip) -> dict[str, Any]:
    view = {**view_json(clip.source), **({"keypoints": clip.keypoints} if clip.keypoints else {})}
    return {"sha256": clip.sha256, **view} if clip.error is None else {"error": clip.error.code, **view}


def resolve(request: Request, hashes: HashCache | None = None, say: Callable[[str], None] | None = None) -> Spec:
    """Look at the disk and settle what will be computed. say: takes the spec's notes, and a line before something that takes long.

    Raises InputError (exit 2) for anything that makes the whole request unusable; a single bad clip becomes a Clip with its error.
    """
    backends.check(request.backend, request.device)
    hashes = hashes or HashCache(paths.cache_dir())
    request = rooted_request(request)
    suite = _suite(request)
    rooted = bool(request.truth or request.data or request.cases_file or request.outputs or request.real)
    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        if say:
            say(line)

    if not rooted and suite.fallback and not suite.make:
        if request.split is not None:
            raise InputError(
                f"a split of suite {suite.id} needs its data",
                code="no-data",
                found=f"--split {request.split}, no root",
                expected="--data ROOT or BENCHMARK_DATA",
                hint=f"hvbench explain {suite.id}",
            )
        note(f"no data named for suite {suite.id} (--truth, --data, BENCHMARK_DATA or the configuration): running {suite.fallback} instead")
        suite = find(registry().suites, suite.fallback, "suite")
    split = _split(request, suite)
    protocols, variants = _columns(request, suite)
    if suite.make and not rooted:
        request = dataclasses.replace(request, adapters=request.adapters or suite.adapters)
        for word in request.adapters:
            adapter_of(word)
        maker = find(registry().makers, suite.make, "maker")
        folder = paths.cache_dir() / "suites" / f"{suite.make}-{maker.version}"
        if say and not (folder / made.CHECKED).exists():
            say(f"making {suite.id} in {folder}, once: {maker.summary}")
        cases = maker.build(folder)
        suite, differs = made.named(suite, folder, cases, maker.expected() if maker.expected else None)
        if differs:
            note(differs)
        found = gathering.from_made(cases, request, split)
    elif rooted:
        found = gathering.gather(request, suite, split)
    else:
        raise InputError(
            f"suite {suite.id} has no data of its own",
            code="no-data",
            expected="--truth DIR, --data ROOT or BENCHMARK_DATA",
            hint=f"hvbench explain {suite.id}",
        )
    for line in found.notes:
        note(line)
    methods = methods_of(request, found, hashes)
    for method in methods:
        if (method.identity or {}).get("rehearsal"):
            note(f"{method.name}: its clips come from a stand-in for the model: a rehearsal, never a result")
    given = any(_reads_files(name) for names in variants.values() for name in names)

    def hashed(source: Source) -> Clip:
        clip = _hashed(source, hashes, found.pinned)
        beside = source.keypoints if given and source.keypoints is not None and source.keypoints.is_file() else None
        return dataclasses.replace(clip, keypoints=hashes.sha256(beside)) if beside else clip

    truths = {case.id: hashed(case.truth) for case in found.cases if case.truth}
    outputs: dict[tuple[str, str], Clip] = {}
    for name, clips in found.outputs.items():
        for case in found.cases:
            if case.id in clips:
                outputs[name, case.id] = hashed(clips[case.id])
            else:
                where = request.outputs.get(name)
                missing = InputError(
                    "no clip for this case",
                    code="missing-clip",
                    path=where,
                    found=f"no {case.id}.* of method {name}",
                    expected=f"a clip with stem {case.id!r}",
                    hint="add the clip, or name the cases that are there with --case",
                )
                outputs[name, case.id] = Clip(Source(where or Path(case.id)), None, missing)
    return Spec(
        suite=suite,
        split=_named_split(found.split, split),
        cases=found.cases,
        truths=truths,
        methods=methods,
        outputs=outputs,
        real={stem: _hashed(entry, hashes, found.pinned) for stem, entry in found.real.items()},
        protocols=protocols,
        variants=variants,
        asked=request.metrics,
        seeds=tuple(dict.fromkeys(request.seeds)),
        weights=request.weights,
        device=request.device,
        backend=request.backend,
        max_frames=request.max_frames,
        workers=_workers(request, variants, hashes),
        references={case.id: hashes.sha256(case.reference) for case in found.cases if case.reference and case.reference.exists()},
        sounds={case.id: hashes.sha256(case.audio) for case in found.cases if case.audio and case.audio.exists()},
        inputs=inputs_of(found.cases, hashes) if any(isinstance(method.adapter, Generating) for method in methods) else {},
        notes=tuple(notes),
    )


def rooted_request(request: Request) -> Request:
    """The request with the data root that the environment or the configuration names, where the user named no truth; later calls change nothing."""
    if request.data or request.truth or request.cases_file or request.real:
        return request
    suite = _suite(request)
    # Clips made on the spot have no root, whatever the environment says of other suites.
    root = None if suite.make else paths.data_root(suite.id)
    return dataclasses.replace(request, data=root[0]) if root else request


def _columns(request: Request, suite: Suite) -> tuple[tuple[ProtocolSpec, ...], dict[str, tuple[str, ...]]]:
    """The protocols and {protocol: variants} that are asked for; raises InputError for a name that nobody registered."""
    protocols = tuple(
        find(registry().protocols, name, "protocol") for name in dict.fromkeys(request.protocols or (suite.default_protocol,))
    )
    for name in request.metrics:
        registry().variant(name)
    if request.bare:
        if request.metrics:
            raise InputError("a run that only makes clips scores nothing", code="usage", found=f"--metric {request.metrics[0]}")
        return protocols, {p.id: () for p in protocols}
    return protocols, {
        p.id: tuple(dict.fromkeys((*_known(p), *request.metrics) if request.protocols or not request.metrics else request.metrics))
        for p in protocols
    }


def _reads_files(name: str) -> bool:
    """Does this variant rest on rows that come with the data?"""
    entry = registry().extractors.get(getattr(registry().variant(name)[1], "extractor", ""))
    return entry is not None and isinstance(entry.item, GivenExtractor)


def _workers(request: Request, variants: Mapping[str, tuple[str, ...]], hashes: HashCache) -> dict[str, Identity | Unscored]:
    """{worker: what will run, or why it cannot} of the workers that the variants need."""
    known = registry()
    options = flags(entry.item for entry in known.workers.values())
    for flag in request.worker_options:
        if flag not in options:
            raise InputError(
                "no worker has this option", code="usage", found=f"--{flag}", expected=", ".join(f"--{one}" for one in options)
            )
    found: dict[str, Identity | Unscored] = {}
    for name in dict.fromkeys(v for each in variants.values() for v in each):
        entry = known.extractors.get(getattr(known.variant(name)[1], "extractor", ""))
        if entry is not None and isinstance(entry.item, WorkerExtractor) and entry.item.worker not in found:
            worker = find(known.workers, entry.item.worker, "worker")
            try:
                found[worker.id] = identify(worker, request.worker_options, hashes)
            except Unscored as reason:
                found[worker.id] = reason
    return found


def _known(protocol: ProtocolSpec) -> tuple[str, ...]:
    for name in protocol.variants:
        registry().variant(name)
    return protocol.variants


def _suite(request: Request) -> Suite:
    name = request.suite
    if name is None and request.cases_file:
        name = gathering.read_file(request.cases_file).suite
    if name is None:
        raise InputError("no suite named", code="usage", expected="--suite NAME", hint="hvbench ls suites")
    return find(registry().suites, name, "suite")


def _split(request: Request, suite: Suite) -> Split:
    folders = bool(request.truth or request.outputs or request.cases_file or request.real) and not request.data
    wanted = request.split or ("folder" if folders else suite.default_split)
    for split in suite.splits:
        if split.id == wanted:
            return split
    if wanted == "folder":
        return Split(id="folder", summary="every clip found in the folders named on the command line")
    raise InputError(
        f"suite {suite.id} has no such split", code="unknown-name", found=repr(wanted), expected=", ".join(s.id for s in suite.splits)
    )


def _named_split(name: str | None, split: Split) -> Split:
    return split if name in (None, split.id) else Split(id=str(name), summary="named by cases.toml")


def _hashed(source: Source, hashes: HashCache, pinned: Mapping[Path, str]) -> Clip:
    try:
        digest = hashes.sha256(source.path)
    except InputError as error:
        return Clip(source, None, error)
    except OSError as error:
        return Clip(source, None, InputError("cannot be read", code="unreadable", path=source.path, found=str(error)))
    except UnicodeEncodeError as error:
        raise InputError(
            "the name is no UTF-8 text and cannot stand in a record", code="bad-id", path=source.path, found=str(error), hint="rename it"
        ) from None
    if source.path in pinned and pinned[source.path] != digest:
        raise InputError(
            "is not the file the manifest pins",
            code="hash-mismatch",
            path=source.path,
            found=f"sha256 {digest}",
            expected=f"sha256 {pinned[source.path]}",
            hint="restore the file, or write the manifest anew: hvbench manifest",
        )
    return Clip(source, digest)
