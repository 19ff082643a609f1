"""Several runs named at once: one that cannot be read is named with its reason, and the others are still reported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmark.errors import InputError
from benchmark.record import HEADER, SCORES, Record, load

LEFT_OUT = 2
"""Exit code where a run was named and could not be reported."""
WRONG = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, OSError)
"""What a record that is not laid out as it should be leads to."""


def readable(paths: Sequence[Path], trial: Callable[[Record], object], enough: str = SCORES) -> tuple[list[Record], list[InputError]]:
    """The runs that can be reported, and why others cannot, which standard error says too.

    trial: what the report will do with a record by itself. enough: a file of the run that is worth a report where nothing was scored. Raises the InputError
    itself where none is left.
    """
    found: list[Record] = []
    refused: list[InputError] = []
    for path in paths:
        try:
            record = finished(path, enough)
            guarded(record, trial)
            found.append(record)
        except InputError as reason:
            refused.append(reason)
    if refused and not found and len(refused) == 1:
        raise refused[0]
    for error in refused:
        leave_out(error)
    if refused and not found:
        raise InputError("none of the runs can be reported", code="no-run", found=f"{len(refused)} runs, each named above")
    return found, refused


def leave_out(error: InputError) -> None:
    """Name it on standard error."""
    print(f"left out: {error}", file=sys.stderr)


def guarded(record: Record, use: Callable[[Record], Any]) -> Any:
    """use(record); what a wrong layout leads to becomes an InputError that says what is wrong with it."""
    try:
        return use(record)
    except (InputError, BrokenPipeError):
        raise
    except WRONG as error:
        raise _damaged(record.path, error) from error


def opened(path: Path) -> Record:
    """A run, finished or not. Raises InputError: as `load`; `damaged`; `not-a-run`."""
    try:
        record = load(path)
    except WRONG as error:
        raise _damaged(path, error) from error
    if not isinstance(record.header, dict) or "spec" not in record.header:
        raise InputError(
            "is not a run directory", code="not-a-run", path=path, found=f"a {HEADER} without `spec`", expected="a run's header"
        )
    return record


def finished(path: Path, enough: str = SCORES) -> Record:
    """A run with scores, or with the file that is enough. Raises InputError: as `load`; `unfinished`; `damaged`; `newer`."""
    record = opened(path)
    scores = path / SCORES
    try:
        data = json.loads(scores.read_text(encoding="utf-8")) if scores.exists() else {"scores": []}
        if isinstance(data, dict) and isinstance(data.get("schema"), int) and data["schema"] > 1:
            raise InputError(
                "the scores are of a newer version", code="newer", path=scores, found=f"schema {data['schema']}", expected="schema <= 1"
            )
        there = record.scores
    except WRONG as error:
        raise InputError(
            "the scores are damaged", code="damaged", path=scores, found=repr(error)[:200], hint=f"hvbench validate {path}"
        ) from error
    if not there and enough != SCORES and (path / enough).is_file():
        return record
    if not there and record.status == "success" and scores.exists():
        raise InputError("nothing was scored in this run", code="unscored", path=record.path, hint=f"hvbench show {record.path}")
    if not there:
        hint = f"hvbench resume {record.path}"
        raise InputError(
            "the run is not finished", code="unfinished", path=record.path, found=f"status {record.header.get('status')}", hint=hint
        )
    return record


def _damaged(path: Path, error: Exception) -> InputError:
    """The first place where the record is not what its schema says; the error itself where the schema has nothing against it."""
    import jsonschema

    what, said = "cannot be reported", f"{type(error).__name__}: {error}"
    for name, file in (("run", HEADER), ("scores", SCORES)):
        schema = json.loads(files("benchmark").joinpath(f"schemas/{name}.schema.json").read_text(encoding="utf-8"))
        try:
            data = json.loads((path / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for finding in jsonschema.Draft202012Validator(schema).iter_errors(data):
            what, said = "the record is damaged", f"{file}: {'/'.join(map(str, finding.absolute_path)) or 'top'}: {finding.message}"
            break
        else:
            continue
        break
    return InputError(what, code="damaged", path=path, found=said[:300], hint=f"hvbench validate {path}")
