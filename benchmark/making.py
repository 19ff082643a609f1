"""Clips made by a model, before the pass: method by method, so that its networks are loaded once, and each clip once for its key.

A key is what decides a clip: the adapter's version, what its clips come from (checkpoints by content), its settings, the seed, what the case gives (by
content), the kind of device. A clip whose adapter knows all that is kept in the user's cache too, where another run finds it. A job is self-contained and
picklable, as those of the pass are.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmark import machine, paths
from benchmark.data import canonical, plain
from benchmark.errors import InputError
from benchmark.generating import OWN, Adapter, Generating, Settings
from benchmark.media import sha256_file
from benchmark.methods import Method
from benchmark.model import Case, Unit
from benchmark.record import safe_name, to_text
from benchmark.registry import find, registry
from benchmark.spec import Spec

KEPT = "clips"
"""Folder of the user's cache."""
PROXY = ".proxy.mp4"
END = ".made.json"
"""What stands beside a clip, written last: a clip without it is made again."""


@dataclass(frozen=True)
class MakeJob:
    """One clip to be had. folder: of its method, in the run. shared: looked for, and left, in the user's cache."""

    unit: Unit
    adapter: str
    case: Case
    settings: Settings
    key: str
    shared: bool
    folder: Path

    @property
    def stem(self) -> Path:
        """Path without suffix of all that belongs to the clip."""
        return self.folder / f"{safe_name(self.unit.case)}-{self.unit.seed}"


@dataclass(frozen=True)
class Made:
    """A clip that is there. reused: it was not made now. notes, facts: what its adapter says of it."""

    path: Path
    sha256: str
    key: str
    reused: bool
    notes: tuple[str, ...]
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """For the journal."""
        return {"key": self.key, "reused": self.reused, "facts": dict(self.facts)}


def key(method: Method, given: Mapping[str, Any], seed: int, device: str) -> str:
    """sha256 of what decides a clip. given: of the case, by content."""
    assert method.adapter is not None
    told = {name: getattr(method.settings, name) for name in OWN if name not in ("checkpoint", "offload")}
    kind = device.partition(":")[0]
    facts = {
        "adapter": method.adapter.id,
        "version": method.adapter.version,
        # An adapter that knows what its clips come from knows which settings they are made with; two ways of saying one thing are one clip.
        "generator": {"settings": plain(told)} if method.identity is None else method.identity,
        "seed": seed,
        "device": [kind, *(machine.gpus() if kind != "cpu" else ())],
        "case": given,
    }
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def jobs(settled: Spec, done: set[Unit], out: Path) -> list[MakeJob]:
    """The clips that the run's generating adapters are still to make: method, then case, then seed."""
    found = []
    for method in settled.methods:
        if not isinstance(method.adapter, Generating):
            continue
        for case in settled.cases:
            seen = shown(case, method)
            given = {**settled.given(case), "reference_frame": seen.reference_frame}
            for seed in settled.seeds:
                unit = Unit(method.name, case.id, seed)
                if unit not in done:
                    made = key(method, given, seed, settled.device)
                    told = replace(method.settings, seed=seed)
                    found.append(
                        MakeJob(unit, method.adapter.id, seen, told, made, method.identity is not None, out / KEPT / safe_name(method.name))
                    )
    return found


def shown(case: Case, method: Method) -> Case:
    """The case as a method sees it: with the reference frame that was named for it."""
    own = method.view.reference_frame if method.view is not None else None
    return case if own is None else replace(case, reference_frame=own)


def free(adapters: Iterable[Adapter | None]) -> None:
    """Let go of what these adapters hold."""
    for adapter in {adapter.id: adapter for adapter in adapters if adapter is not None}.values():
        if isinstance(adapter, Generating):
            adapter.free()


def make_all(todo: Iterable[MakeJob], say: Callable[[str], None]) -> dict[Unit, Made | InputError]:
    """Every clip, or why it could not be had. One after the other: a model fills its device."""
    found: dict[Unit, Made | InputError] = {}
    used: dict[str, Adapter] = {}
    try:
        for job in todo:
            if job.adapter not in used:
                # Two methods of one adapter often share what it holds; two adapters do not.
                free(used.values())
                used = {job.adapter: find(registry().adapters, job.adapter, "adapter")}
            method, began = job.unit.adapter, time.perf_counter()
            try:
                made = found[job.unit] = make(job)
            except InputError as error:
                found[job.unit] = error.named(method)
                continue
            how = "here already" if made.reused else f"made in {time.perf_counter() - began:.1f} s"
            say(f"{method}: {job.unit.case}, seed {job.unit.seed}: {how}")
    finally:
        free(used.values())
    return found


def make(job: MakeJob) -> Made:
    """The clip of a job: from the run, from the cache, or made now. Raises InputError where its adapter cannot make it."""
    from filelock import FileLock

    job.folder.mkdir(parents=True, exist_ok=True)
    if not job.shared:
        return _make(job)
    locks = paths.cache_dir() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    # Another run that wants the same clip waits for it, and then finds it.
    with FileLock(str(locks / f"clip-{job.key[:32]}")):
        return _make(job)


def _make(job: MakeJob) -> Made:
    kept = paths.cache_dir() / KEPT / job.key
    found = _there(job, job.stem) or (_fetched(job, kept) if job.shared else None)
    if found is not None:
        return found
    adapter = find(registry().adapters, job.adapter, "adapter")
    before = {path: path.stat().st_mtime_ns for path in job.folder.iterdir()}
    clip = call(adapter, job.case, job.settings, job.stem)
    _proxy(clip)
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = {}
    if isinstance(adapter, Generating):
        notes, facts = tuple(adapter.notes(clip)), adapter.facts(clip)
    files = [
        path
        for path in sorted(job.folder.iterdir())
        if path.name.startswith(f"{job.stem.name}.") and before.get(path) != path.stat().st_mtime_ns
    ]
    suffixes = [path.name.removeprefix(job.stem.name) for path in files]
    said = {
        "key": job.key,
        "clip": clip.name.removeprefix(job.stem.name),
        "sha256": sha256_file(clip),
        "files": suffixes,
        "notes": list(notes),
    }
    paths.write_atomic(_beside(job.stem, END), to_text({**said, "facts": plain(facts)}))
    if job.shared:
        _keep(job, kept, suffixes)
    return Made(clip, str(said["sha256"]), job.key, False, notes, facts)


def _proxy(clip: Path) -> None:
    """A small H.264 copy beside a lossless clip, for a page to play. Nothing is scored on it."""
    from benchmark.media import decode, encode, probe

    if clip.suffix == ".mkv":
        info = probe(clip)
        encode(clip.with_name(clip.name.removesuffix(".mkv") + PROXY), decode(info), info.fps or Fraction(25), codec="h264")


def known(job: MakeJob) -> bool:
    """Is the clip of a job in its run or in the cache?"""
    return (_there(job, job.stem) or (_there(job, paths.cache_dir() / KEPT / job.key / "clip") if job.shared else None)) is not None


def call(adapter: Adapter, case: Case, settings: Settings, stem: Path) -> Path:
    """Let an adapter make a clip. Raises InputError, `adapter-failed` for whatever else it raises; a full disk goes through."""
    try:
        return adapter.generate(case, settings, stem)
    except InputError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # no fault of the adapter, and no clip of this run can be made
        raise InputError(
            f"the adapter {adapter.id} failed",
            code="adapter-failed",
            path=stem,
            found=f"{type(error).__name__}: {error}",
            hint=f"hvbench explain {adapter.id}",
        ) from error


def _beside(stem: Path, end: str) -> Path:
    return stem.with_name(stem.name + end)


def _there(job: MakeJob, stem: Path) -> Made | None:
    """The clip that stands at `stem` under this key, if it is whole."""
    try:
        said = json.loads(_beside(stem, END).read_bytes())
        clip = _beside(stem, said["clip"])
        whole = all(_beside(stem, end).is_file() for end in said["files"])
        if whole and said["key"] == job.key and sha256_file(clip) == said["sha256"]:
            return Made(clip, said["sha256"], job.key, True, tuple(said["notes"]), said["facts"])
    except (OSError, ValueError, KeyError, TypeError, InputError):
        # Not there, or not whole: it is made again, which mends it.
        return None
    return None


def _keep(job: MakeJob, kept: Path, suffixes: Iterable[str]) -> None:
    """Leave the clip in the cache, whole or not at all."""
    shutil.rmtree(kept, ignore_errors=True)  # it was not whole, or it would have been taken
    temporary = kept.with_name(f".{kept.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for end in (*suffixes, END):
        _same(_beside(job.stem, end), temporary / f"clip{end}")
    temporary.replace(kept)


def _fetched(job: MakeJob, kept: Path) -> Made | None:
    """The clip from the cache, put into the run."""
    if _there(job, kept / "clip") is None:
        return None
    for path in sorted(kept.iterdir(), key=lambda path: path.name == f"clip{END}"):
        target = _beside(job.stem, path.name.removeprefix("clip"))
        target.unlink(missing_ok=True)
        _same(path, target)
    return _there(job, job.stem)


def _same(source: Path, target: Path) -> None:
    """One more name for a file; a copy where the file system knows no links or the folders are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
