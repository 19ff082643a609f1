"""Is a record what it says it is? Is a cases.toml what it pins?"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import cases, paths
from benchmark.data import canonical
from benchmark.errors import InputError, Unscored
from benchmark.media import HashCache, sha256_file
from benchmark.profiling import FILE as PROFILE
from benchmark.record import HEADER, JOURNAL, SCORES, VALUES, Record, load, read_journal
from benchmark.registry import find, registry
from benchmark.request import Request
from benchmark.results import pool
from benchmark.rows import ClipVariant
from benchmark.runs import scores_json
from benchmark.scores import FrameValues

if TYPE_CHECKING:
    import jsonschema


def schema(name: str) -> dict[str, Any]:
    """The shipped JSON Schema `run`, `journal`, `scores` or `profile`."""
    text = files("benchmark").joinpath(f"schemas/{name}.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def validate(path: Path) -> list[str]:
    """Findings, one line each; empty when all is well. Raises InputError when `path` is neither a run nor a cases.toml."""
    if path.is_file():
        return _cases(path)
    record = load(path)
    findings = [*against("run", record.header, path / HEADER), *_profile(path / PROFILE)]
    for number, entry in enumerate(read_journal(path / JOURNAL), 1):
        findings += against("journal", entry, path / f"{JOURNAL}:{number}")
    if not (path / SCORES).exists():
        return [*findings, f"{path}: not finished (status {record.status}); hvbench resume {path}"]
    stored = json.loads((path / SCORES).read_text(encoding="utf-8"))
    findings += against("scores", stored, path / SCORES)
    if findings:
        return findings
    found = hashlib.sha256(canonical(record.header["spec"]).encode()).hexdigest()
    if found != record.header["spec_sha256"]:
        findings.append(f"{path / HEADER}: the spec hashes to {found[:8]}, the header says {record.header['spec_sha256'][:8]}")
    findings += _frames(record) + _made(record)
    if stored["spec_sha256"] != record.header["spec_sha256"]:
        findings.append(f"{path / SCORES}: belongs to spec {stored['spec_sha256'][:8]}, the header says {record.header['spec_sha256'][:8]}")
    again = scores_json(record, paths.cache_dir() / "features")["scores"]
    for old, new in zip(stored["scores"], again, strict=False):
        if old != new:
            where = f"{old['adapter']} {old['protocol']} {old['metric']}@{old['variant']}"
            keys = [key for key in new if old.get(key) != new[key]]
            findings.append(f"{path / SCORES}: {where}: {', '.join(f'{k} is {old.get(k)!r}, the journal gives {new[k]!r}' for k in keys)}")
    if len(stored["scores"]) != len(again):
        findings.append(f"{path / SCORES}: {len(stored['scores'])} rows, the journal gives {len(again)}")
    return findings + _inputs(record.header["inputs"])


def _profile(path: Path) -> list[str]:
    """What clips cost, where it was measured: the layout, and that runs are of the cases it names."""
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        return [f"{path}: no JSON: {error}"]
    if findings := against("profile", found, path):
        return findings
    strange = {f"{row['name']} {run['case']}" for row in found["rows"] for run in row["runs"] if run["case"] not in found["cases"]}
    names = [row["name"] for row in found["rows"]]
    return [f"{path}: {name}: a run of a case that is not among `cases`" for name in sorted(strange)] + [
        f"{path}: {name}: a row's name stands twice" for name in sorted({name for name in names if names.count(name) > 1})
    ]


def _frames(record: Record) -> list[str]:
    """Every clip value of the journal must follow from its frames' values."""
    frames = FrameValues(record)
    findings = []
    for unit, entry in record.journal.items():
        for view, values in entry["values"].items():
            for name, stored in values.items():
                if "value" not in stored:
                    continue
                variant = registry().variant(name)[1]
                try:
                    again = pool(frames.of(unit, view, name), variant)
                except (KeyError, Unscored) as error:
                    if isinstance(error, KeyError) and isinstance(variant, ClipVariant):
                        continue  # a single value for a clip has none by frame
                    again = {"value": None}
                if any(stored[key] != again.get(key) for key in stored):
                    where = f"{unit.adapter} {unit.case} {name}"
                    findings.append(f"{record.path / VALUES}: {where}: frames give {again['value']}, the journal says {stored['value']}")
    return findings


def _made(record: Record) -> list[str]:
    """Clips an adapter made must be those that were scored."""
    findings = []
    for unit, entry in record.journal.items():
        clip = entry.get("generated", {})
        path = record.path / clip["path"] if "made" in entry and clip else None
        if path is not None and path.exists() and (found := sha256_file(path)) != clip["sha256"]:
            findings.append(f"{path}: {unit.adapter} {unit.case}: has changed since it was scored (sha256 {found[:12]}...)")
    return findings


def _inputs(inputs: dict[str, str]) -> list[str]:
    """Clips that are still there must still be the ones that were scored; clips that have gone are no finding."""
    hashes = HashCache(paths.cache_dir())
    return [
        f"{name}: has changed since it was scored (sha256 {found[:12]}..., scored {digest[:12]}...)"
        for name, digest in inputs.items()
        if Path(name).exists() and (found := hashes.sha256(Path(name))) != digest
    ]


def _cases(path: Path) -> list[str]:
    table = cases.read_file(path)
    suite = find(registry().suites, table.suite or "tiktok", "suite")
    found = cases.from_file(path, Request(suite=suite.id, cases_file=path))
    findings = []
    hashes = HashCache(paths.cache_dir())
    sources = (
        [case.truth for case in found.cases if case.truth]
        + [clip for clips in found.outputs.values() for clip in clips.values()]
        + list(found.real.values())
    )
    for source in sources:
        try:
            digest = hashes.sha256(source.path)
        except InputError as error:
            findings.append(str(error))
            continue
        if found.pinned.get(source.path, digest) != digest:
            findings.append(f"{source.path}: sha256 {digest}, the manifest pins {found.pinned[source.path]}")
    return findings


def against(name: str, data: object, where: Path) -> list[str]:
    """Where JSON data departs from the shipped schema of that name."""
    return [
        f"{where}: {'/'.join(map(str, error.absolute_path)) or 'top'}: {error.message[:200]}" for error in _checker(name).iter_errors(data)
    ]


@lru_cache
def _checker(name: str) -> jsonschema.Draft202012Validator:
    """Made once: a journal has thousands of lines."""
    import jsonschema

    return jsonschema.Draft202012Validator(schema(name))
