"""A cases.toml from folders."""

from __future__ import annotations

from pathlib import Path

from benchmark import cases, paths
from benchmark.errors import InputError
from benchmark.media import HashCache
from benchmark.model import Split, Suite
from benchmark.paths import write_atomic
from benchmark.registry import find, registry
from benchmark.request import Request

FOLDER = Split(id="folder", summary="every clip found in the folders named")


def write(request: Request, out: Path | None) -> str:
    """Gather as `run` would, hash every clip, and write the file (or only return its text). Paths are relative to the file's folder."""
    name = request.suite or "tiktok"
    suite: Suite = find(registry().suites, name, "suite")
    if not (request.truth or request.outputs or request.cases_file or request.data):
        raise InputError("no folder named", code="usage", expected="hvbench manifest truth=DIR NAME=DIR ...")
    split = next((s for s in suite.splits if s.id == request.split), FOLDER)
    found = cases.gather(request, suite, split)
    hashes = HashCache(paths.cache_dir())
    every = (
        [case.truth for case in found.cases if case.truth]
        + [clip for clips in found.outputs.values() for clip in clips.values()]
        + list(found.real.values())
    )
    text = cases.to_toml(
        found, {clip.path: hashes.sha256(clip.path) for clip in every}, suite.id, (out.parent if out else Path()).resolve()
    )
    if out is not None:
        write_atomic(out, text)
    return text
