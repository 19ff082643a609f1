"""A cases.toml from folders."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from benchmark import cases, paths
from benchmark.errors import InputError
from benchmark.media import HashCache
from benchmark.model import Rect, Source, Split, Suite
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
    text = to_toml(found, {clip.path: hashes.sha256(clip.path) for clip in every}, suite.id, (out.parent if out else Path()).resolve())
    if out is not None:
        write_atomic(out, text)
    return text


def rect_text(rect: Rect) -> str:
    """The `x,y,w,h` that parse_rect reads back."""
    numbers = (rect.x, rect.y, rect.w, rect.h)
    return ",".join(f"{v!r}" if rect.fractions else f"{int(v)}" for v in map(float, numbers))


def to_toml(found: cases.Gathered, hashes: Mapping[Path, str], suite: str, base: Path) -> str:
    """A cases.toml of `found`, with hashes, paths relative to `base` where they lie below it."""

    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    def clip(table: str, entry: Source) -> list[str]:
        lines = [f"[{table}]", f"path = {text(os.path.relpath(entry.path, base))}"]
        if entry.path in hashes:
            lines.append(f'sha256 = "{hashes[entry.path]}"')
        for key, rect in (("crop", entry.crop), ("ignore", entry.ignore)):
            if rect is not None:
                lines.append(f'{key} = "{rect_text(rect)}"')
        if entry.fps is not None:
            lines.append(f'fps = "{entry.fps}"')
        if entry.offset:
            lines.append(f"offset = {entry.offset}")
        if entry.range is not None:
            lines.append(f"range = [{entry.range[0]}, {entry.range[1]}]")
        if entry.keypoints is not None:
            lines.append(f"keypoints = {text(os.path.relpath(entry.keypoints, base))}")
        if entry.reference_frame is not None:
            lines.append(f"reference_frame = {entry.reference_frame}")
        return lines

    lines = [f"format = {cases.FORMAT}", f"suite = {text(suite)}", f"split = {text(found.split or 'folder')}"]
    for case in found.cases:
        lines += ["", "[[case]]", f"id = {text(case.id)}"]
        for key in ("reference", "pose", "uv", "masks", "audio"):
            where: Path | None = getattr(case, key)
            lines += [f"{key} = {text(os.path.relpath(where, base))}"] if where is not None else []
        lines += [f"reference_frame = {case.reference_frame}"] if case.reference_frame is not None else []
        lines += [f"prompt = {text(case.prompt)}"] if case.prompt is not None else []
        lines += [f'fps = "{case.fps}"'] if case.fps is not None else []
        lines += [f"frames = {case.frames}"] if case.frames is not None else []
        if case.truth:
            lines += clip("case.truth", case.truth)
        for name, clips in found.outputs.items():
            if case.id in clips:
                lines += clip(f"case.outputs.{text(name)}", clips[case.id])
    for stem, entry in found.real.items():
        lines += ["", *clip(f"real.{text(stem)}", entry)]
    return "\n".join(lines) + "\n"
