"""One finished run as a small folder of numbers, and whether such a folder may stand in the leaderboard."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmark.data import plain
from benchmark.errors import InputError
from benchmark.paths import write_atomic
from benchmark.record import HEADER, JOURNAL, SCORES, Record, load, to_text
from benchmark.registry import registry, suite_of
from reports import _strip
from reports._baseline import RULES

MANIFEST, KIND, SCHEMA = "submission.json", "human-video-benchmark submission", 1
FILES = (HEADER, SCORES, JOURNAL)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
LARGEST = 64 << 20
"""Bytes of a file at most: numbers of a thousand clips take a quarter of it."""


@dataclass(frozen=True)
class Submission:
    """A folder below the records. problems: why it may not stand in the leaderboard, one line each. stated: numbers that could not be recomputed."""

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    record: Record | None = None
    problems: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name, which tells two submissions of one method apart."""
        return self.folder.name


def refusals(record: Record) -> tuple[list[str], list[str]]:
    """(why a record may not stand in the leaderboard, numbers taken as stated)."""
    from benchmark.recount import recount  # it brings half of the engine, which --help does not need

    header = record.header
    if header["status"] != "success":
        return [f"not finished (status {header['status']}): hvbench resume {record.path}"], []
    findings, stated = recount(record)
    if findings:
        return findings, stated
    return [*_of_code(header.get("git") or {}), *_of_models(record), *_of_rules(header)], stated


def _of_code(git: Mapping[str, Any]) -> Iterator[str]:
    again = "run it again from a checkout without changes"
    if not git.get("revision"):
        yield f"unknown code: no revision stands in its header; {again}"
    elif not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", str(git["revision"])):
        yield f"unknown code: {str(git['revision'])[:80]!r} is no revision; {again}"
    elif before := git.get("before"):
        named = ", ".join(f"{str(one['revision'])[:8]}{' with changes' if one['dirty'] else ''}" for one in before)
        yield f"code of several revisions: units were kept that {named} made; run it anew into another --out"
    elif git.get("dirty") is not False:
        yield f"dirty code: revision {str(git['revision'])[:8]} with changes that are not committed; {again}"


def _of_models(record: Record) -> Iterator[str]:
    rows = record.scores
    if seeded := sorted({_name(row) for row in rows if "seeded" in row["weights"]}):
        yield f"seeded weights, a rehearsal: {_some(seeded)}; run it with --weights real"
    elif record.header["spec"].get("weights") != "real":
        yield f"weights {record.header['spec'].get('weights')!r}, not 'real'"
    made = {one["name"] for one in record.header["spec"]["methods"] if (one.get("generator") or {}).get("rehearsal")}
    made |= {unit.adapter for unit, entry in record.journal.items() if entry.get("generation", {}).get("facts", {}).get("rehearsal")}
    made |= {row["adapter"] for row in rows if "rehearsal" in row["flags"]}
    if made:
        yield f"rehearsal: a stand-in for the model (a tiny checkpoint) made the clips of {_some(sorted(made))}"
    if not any(row["value"] is not None for row in rows):
        yield "not one score"


def _of_rules(header: Mapping[str, Any]) -> Iterator[str]:
    """What a suite, a split or a protocol is called is what it must be."""
    suite = suite_of(header["suite"]["id"])
    if suite is None:
        yield f"suite {header['suite']['id']!r} is not known here"
    else:
        yield from _newer(f"suite {header['suite']['id']}", header["suite"]["version"], suite.version)
        if header["suite"]["banner"] != suite.banner:
            yield f"suite {header['suite']['id']}: its banner is {header['suite']['banner']!r}, not {suite.banner!r}"
        listed = asked_for(header)
        if listed and (strange := [one["id"] for one in header["spec"]["cases"] if one["id"] not in listed]):
            yield f"split {header['split']['id']}: {_some(strange)}: of no clip that was published under this name"
    for protocol in header["protocols"]:
        known = registry().protocols.get(protocol["id"])
        if known is None:
            yield f"protocol {protocol['id']!r} is not known here"
            continue
        yield from _newer(f"protocol {protocol['id']}", protocol["version"], known.item.version)
        if known.item.version == protocol["version"] and not _within(
            {part: protocol.get(part) for part in (*RULES, "primary")}, plain(known.item)
        ):
            yield f"protocol {protocol['id']} (version {protocol['version']}): its rules are not those published under this name"


def _newer(name: str, version: Any, published: int) -> Iterator[str]:
    """An older version may stand, in a table of its own; one that nobody published may not."""
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= published:
        yield f"{name}: version {version!r} was never published, {published} is the newest here"


def asked_for(header: Mapping[str, Any]) -> tuple[str, ...]:
    """The clips of a published split; none where a split takes whatever it finds, or is of another version."""
    suite = suite_of(header["suite"]["id"])
    if suite is None or suite.version != header["suite"]["version"]:
        return ()
    split = next((one for one in suite.splits if one.id == header["split"]["id"]), None)
    maker = registry().makers.get(suite.make or "")
    if split and maker and not split.cases and maker.item.expected:
        return tuple(maker.item.expected())
    return split.cases if split else ()


def _within(part: Any, whole: Any) -> bool:
    """Equal in all that `part` states: a rule that came later is absent in older records."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(key in whole and _within(item, whole[key]) for key, item in part.items())
    return bool(part == whole)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['metric']}@{row['variant']} ({row['weights']})"


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def read(folder: Path) -> Submission:
    """Everything that can be wrong with a submission, told; never raises for what lies in the folder."""
    try:
        manifest = _manifest(folder)
        problems = list(_files(folder, manifest))
        if problems:
            return Submission(folder, manifest, problems=tuple(problems))
        data = {name: [_json(line) for line in text.splitlines()] if name == JOURNAL else _json(text) for name, text in _texts(folder)}
        record = load(folder)
        problems, stated = refusals(record)
        if not problems and manifest["spec_sha256"] != record.header["spec_sha256"]:
            problems = [
                f"{MANIFEST}: speaks of spec {str(manifest['spec_sha256'])[:8]}, the record is of {record.header['spec_sha256'][:8]}"
            ]
        if not problems and (strip := _strip.Strip())([*data.values()]) is not None and strip.cut:
            problems = [f"{strip.cut} absolute paths of a machine: pack the run with hvbench submit"]
        if not problems and (strange := sorted(set(manifest["methods"]) - {one["name"] for one in record.header["spec"]["methods"]})):
            problems = [f"{MANIFEST}: speaks of methods that the record has not: {_some(strange)}"]
        return Submission(folder, manifest, record, tuple(problems), tuple(stated))
    except InputError as error:
        return Submission(folder, problems=(" ".join(str(error).split()),))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError) as error:
        return Submission(folder, problems=(f"damaged: {type(error).__name__}: {error}"[:200],))


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    yield from ((name, (folder / name).read_text(encoding="utf-8")) for name in FILES)


def _json(text: str) -> Any:
    def refused(word: str) -> None:
        raise ValueError(f"{word} is no JSON number")

    return json.loads(text, parse_constant=refused)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    hint = "hvbench submit RUN"
    if not path.is_file() or path.is_symlink():
        raise InputError(
            "is no submission", code="absent", path=folder, found=f"no {MANIFEST}", expected="a folder that submit wrote", hint=hint
        )
    data = _json(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("kind") != KIND or data.get("schema") != SCHEMA:
        raise InputError("is no submission of this version", code="foreign", path=path, expected=f"{KIND}, schema {SCHEMA}", hint=hint)
    for method, facts in data["methods"].items():
        check_url(facts["url"], method)
    if not isinstance(data["note"], str) or not isinstance(data["paths"], str) or not isinstance(data["files"], dict):
        raise InputError("is damaged", code="damaged", path=path, found="note, paths or files are of another kind", hint=hint)
    return data


def _files(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    if not NAME.fullmatch(folder.resolve().name):
        yield f"the folder's name must be lower case letters, digits, `.`, `_` and `-`: {folder.resolve().name!r}"
    there = {path.name for path in folder.iterdir()}
    listed = set(manifest["files"])
    if listed != set(FILES):
        yield f"{MANIFEST} lists {', '.join(sorted(listed)) or 'nothing'}, not {', '.join(FILES)}"
    yield from (f"{name}: is listed and not there" for name in sorted(listed - there))
    yield from (f"{name}: is in no list; a submission holds numbers only" for name in sorted(there - listed - {MANIFEST}))
    for name in sorted(set(FILES) & there & listed):
        path, stated = folder / name, manifest["files"][name]["sha256"]
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            yield f"{name}: is no plain file of at most {LARGEST >> 20} MiB"
        elif (found := hashlib.sha256(path.read_bytes()).hexdigest()) != stated:
            yield f"{name}: sha256 {found[:12]}..., {MANIFEST} says {str(stated)[:12]}..."


def check_url(url: str, method: str) -> None:
    """Raises InputError where it is none that a page may link to."""
    parts = urlsplit(url) if url.isascii() and url.isprintable() and not set(url) & set(' <>"\\`|') else None
    if parts is None or parts.scheme not in ("https", "http") or not parts.netloc or len(url) > 300:
        raise InputError("is no address of a page", code="usage", found=f"{method}={url}"[:200], expected="NAME=https://...")


def contents(record: Record, urls: Mapping[str, str], note: str) -> dict[str, bytes]:
    """{file name: bytes} of a submission: the same run, the same bytes."""
    header = plain(record.header)
    strip = _strip.of_record(header, str(record.path.resolve()))
    scores = json.loads((record.path / SCORES).read_text(encoding="utf-8"))
    # What decides numbers is hashed and holds no path; names in it stay as they are.
    kept = {part: header[part] for part in ("spec", "protocols", "suite", "split")}
    journal = [json.dumps(strip(entry), ensure_ascii=False, allow_nan=False, separators=(",", ":")) for entry in record.journal.values()]
    files = {
        HEADER: to_text({**strip(header), **kept}).encode(),
        SCORES: to_text(strip(scores)).encode(),
        JOURNAL: "".join(line + "\n" for line in journal).encode(),
    }
    manifest = {
        "kind": KIND,
        "schema": SCHEMA,
        "spec_sha256": header["spec_sha256"],
        "methods": {name: {"url": urls[name]} for name in sorted(urls)},
        "note": note,
        "paths": f"{strip.cut} paths of the machine were cut to names; every sha256 of an input is of the file itself",
        "files": {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()},
        "full": {
            path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in sorted(record.path.iterdir())
            if path.is_file() and path.suffix in (".json", ".jsonl", ".parquet")
        },
    }
    return {**files, MANIFEST: to_text(manifest).encode()}


def pack(record: Record, folder: Path, urls: Mapping[str, str], note: str) -> Submission:
    """Write the folder, in one step. Raises InputError (`taken`) where another submission lies there; the same one again is fine."""
    files = contents(record, urls, note)
    if folder.exists():
        if {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == files:
            return read(folder)
        raise InputError(
            "another submission lies there", code="taken", path=folder, found="other files", expected="a new folder", hint="--name NAME"
        )
    aside = folder.with_name(f".{folder.name}.packing") / folder.name
    try:
        for name, data in files.items():
            write_atomic(aside / name, data)
        found = read(aside)
        if not found.problems:
            aside.rename(folder)
            found = replace(found, folder=folder, record=load(folder))
        return found
    except OSError as error:
        raise InputError("cannot be written", code="unwritable", path=folder, found=str(error), hint="name another --to") from None
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)
