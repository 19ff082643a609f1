"""Networks that run in another Python: what such a worker is, which files decide its numbers, and the extractors that rest on it.

A worker is a program in an environment of its own, so that what its model needs never meets what this package needs. `benchmark.worker` talks to
it, `benchmark/worker_main.py` is the other end. Nothing here starts anything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark import licences
from benchmark.data import canonical
from benchmark.errors import InputError, Unscored
from benchmark.model import Extractor, Forward

if TYPE_CHECKING:
    from benchmark.media import HashCache

Kind = Literal["python", "program", "folder", "code", "yes"]
LABEL = "own-files"
"""Weights label of a worker's networks, with the first 8 digits of its hash: files of the user's own, which nobody pins."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """Something the user says of a worker: `--FLAG VALUE` on the command line, `key` for the worker's program.

    kind: `python` (which Python runs it; not handed on), `program` (a file that takes the place of the worker's own), `folder` (every file in it is
    hashed), `code` (a folder of which the .py files are hashed), `yes` (a switch). All but `python` are part of the worker's identity.
    """

    flag: str
    key: str
    kind: Kind
    help: str


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A program that scores frames in another Python.

    program: its file (None = the option of kind `program` names it). settings: plain data handed to it when it loads, part of its identity.
    needed: keys of the options without which it cannot run. packages: distributions whose versions there are recorded. terms: what a user must have
    accepted once before it runs (empty = nothing).
    start, load, answer: seconds it may take to say hello, to load its model, to answer one request.
    """

    id: str
    title: str
    program: Path | None
    options: tuple[Option, ...]
    source: str
    licence: str
    terms: str = ""
    needed: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ("numpy", "torch")
    start: float = 120.0
    load: float = 3600.0
    answer: float = 900.0


def _elsewhere(state: Any, device: str) -> Forward:
    raise TypeError("a worker's network is not built in this process")


@dataclass(frozen=True, kw_only=True)
class WorkerExtractor(Extractor):
    """An extractor whose forward is done by a worker. ask: plain data sent with every batch (a prompt, words), part of the features' key."""

    worker: str
    ask: Mapping[str, Any] = field(default_factory=dict)
    build: Callable[[Any, str], Forward] = _elsewhere


@dataclass(frozen=True)
class Identity:
    """A worker as it will be run. given: {key: path or True} for its program. content: what decides its numbers, by sha256."""

    worker: str
    python: str
    program: Path
    given: Mapping[str, str | bool]
    content: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Over program, settings, switches and the contents of every folder; not over paths or library versions."""
        return hashlib.sha256(canonical(self.content).encode()).hexdigest()


def flags(workers: Iterable[Worker]) -> dict[str, Option]:
    """{flag: option} of several workers. Workers may share an option; two that mean different things by one flag are an InputError."""
    found: dict[str, Option] = {}
    for worker in workers:
        for option in worker.options:
            if found.setdefault(option.flag, option) != option:
                raise InputError(
                    "two workers mean different things by one option", code="collision", found=f"--{option.flag} of {worker.id}"
                )
    return found


def identify(worker: Worker, given: Mapping[str, str], hashes: HashCache) -> Identity:
    """What will run, with the hashes of its files. given: {flag: value} of all workers' options.

    Raises Unscored(`licence-not-accepted`) and Unscored(`weights-missing`) with what to type, InputError for a path that does not fit.
    """
    if worker.terms and not licences.accepted(worker.id, worker.terms):
        raise Unscored(
            "licence-not-accepted", f"{worker.licence}; read it: hvbench explain {worker.id}; then add: --accept-licence {worker.id}"
        )
    python, program = sys.executable, worker.program
    known: dict[str, str | bool] = {}
    content: dict[str, Any] = {"worker": worker.id, "settings": worker.settings}
    for option in worker.options:
        value = given.get(option.flag)
        if value is None:
            if option.key in worker.needed:
                raise Unscored("weights-missing", f"--{option.flag}: {option.help}")
        elif option.kind == "python":
            python = _executable(option, value)
        elif option.kind == "program":
            program = _path(option, value, Path.is_file, "a Python file")
        elif option.kind == "yes":
            known[option.key] = content[option.key] = True
        else:
            folder = _path(option, value, Path.is_dir, "a folder")
            known[option.key] = str(folder)
            content[option.key] = _files(option, folder, hashes)
    if program is None:
        raise Unscored("weights-missing", f"{worker.id} has no program")
    return Identity(worker.id, python, program, known, {**content, "program": hashes.sha256(program)})


def _path(option: Option, value: str, good: Callable[[Path], bool], expected: str) -> Path:
    path = Path(value).expanduser().absolute()
    if not good(path):
        found = "nothing" if not path.exists() else "a folder" if path.is_dir() else "a file"
        raise InputError(f"--{option.flag} takes {expected}", code="usage", path=path, found=found, expected=option.help)
    return path


def _executable(option: Option, value: str) -> str:
    # Links are not followed: the python of a virtual environment is one, and what it links to knows nothing of that environment.
    found = shutil.which(os.path.expanduser(value))  # noqa: PTH111 - `python3` without a folder is looked up, which Path would lose
    if found is None:
        raise InputError(f"--{option.flag} takes a Python that can be run", code="usage", path=value, expected=option.help)
    return str(Path(found).absolute())


def _files(option: Option, folder: Path, hashes: HashCache) -> dict[str, Any]:
    """{"sha256": over all, "files": {name: sha256}} of a folder; names alone without hashes for code."""
    pattern = "*.py" if option.kind == "code" else "*"
    names = sorted(path.relative_to(folder) for path in folder.rglob(pattern) if path.is_file())
    names = [name for name in names if not any(part.startswith(".") or part == "__pycache__" for part in name.parts)]
    if not names:
        raise InputError(f"--{option.flag}: the folder is empty", code="usage", path=folder, expected=option.help)
    each = {name.as_posix(): hashes.sha256(folder / name) for name in names}
    total = hashlib.sha256(canonical(each).encode()).hexdigest()
    return {"sha256": total} if option.kind == "code" else {"sha256": total, "files": each}
