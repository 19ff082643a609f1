"""Suites made on the machine: are the made frames those that everybody else has? Where they are not, the suite goes by another name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark import paths
from benchmark.model import Case, Suite
from benchmark.registry import LOCAL

CHECKED = "checked.json"


def frames_sha256(path: Path) -> str:
    """sha256 over the size and the decoded uint8 RGB frames of a clip: the container and the codec's version do not matter."""
    from benchmark.media import decode, probe

    info = probe(path)
    digest = hashlib.sha256(f"{info.width}x{info.height}".encode())
    for chunk in decode(info):
        digest.update(chunk.tobytes())
    return digest.hexdigest()


def found(folder: Path, cases: Sequence[Case]) -> dict[str, str]:
    """{case id: hash of its truth's frames}. What was hashed once is remembered in the folder by the file's size and time."""
    memory = folder / CHECKED
    known: dict[str, list[object]] = json.loads(memory.read_bytes()) if memory.exists() else {}
    hashes: dict[str, list[object]] = {}
    for case in cases:
        assert case.truth is not None
        facts = case.truth.path.stat()
        stamp = [facts.st_size, facts.st_mtime_ns]
        before = known.get(case.id)
        hashes[case.id] = before if before and before[:2] == stamp else [*stamp, frames_sha256(case.truth.path)]
    if hashes != known:
        paths.write_atomic(memory, json.dumps(hashes, indent=1))
    return {name: str(facts[2]) for name, facts in hashes.items()}


def named(suite: Suite, folder: Path, cases: Sequence[Case], expected: Mapping[str, str] | None) -> tuple[Suite, str | None]:
    """(the suite, None), or the suite under `ID+local` and a note that says which clips differ. expected None: nothing was published, nothing is
    checked."""
    if expected is None:
        return suite, None
    made = found(folder, cases)
    other = [name for name, digest in made.items() if expected.get(name) != digest]
    if not other:
        return suite, None
    some = ", ".join(other[:3]) + (", ..." if len(other) > 3 else "")
    note = f"{len(other)} of {len(made)} made clips differ from the published ones ({some}): the run goes by {suite.id}{LOCAL} and compares with nobody's"
    return replace(suite, id=suite.id + LOCAL), note
