"""The other end of a worker: runs in the worker's own Python, which needs numpy and whatever the program needs, never this package.

    python worker_main.py PROGRAM.py

PROGRAM.py is a module with `NAME`, and `load(options, settings, device)` -> (answer, facts): facts is plain data for the record, and
answer(ask, frames, sound) gives one row of numbers for each input of a batch. frames: (b, ...) as the extractor preprocesses them. sound: (n,) int16
at 16 kHz, or None. A class named `Refused` raised with (reason, detail) is a named reason: it leaves the clip, or the network, unscored.

One JSON object a line, in on standard input, out on what was standard output; arrays travel as .npy files named in the request, which are
uncompressed, exact, and read without a library. Python 3.8 and later.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    # This file's folder holds modules with names of the standard library (statistics), which must not come first.
    del sys.path[0]

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

PROTOCOL = 1


class Refused(Exception):
    """(reason, detail): said by its name to the other end."""


def _versions(names: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def _program(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("worker_program", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["worker_program"] = module
    spec.loader.exec_module(module)
    return module


def _named(error: BaseException) -> dict[str, str]:
    """{"reason", "detail"} of whatever went wrong."""
    if type(error).__name__ == "Refused" and len(error.args) == 2:
        return {"reason": str(error.args[0]), "detail": str(error.args[1])}
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return {"reason": "out-of-memory", "detail": str(error)[:300]}
    traceback.print_exc()
    if isinstance(error, ModuleNotFoundError):
        return {"reason": "not-installed", "detail": f"{sys.executable}: {error}"}
    return {"reason": "worker-failed", "detail": f"{type(error).__name__}: {str(error)[:500]}"}


def serve(path: str, lines: TextIO, answers: TextIO) -> None:
    """Answer line by line until the input ends."""
    state: dict[str, Any] = {}

    def hello(message: dict[str, Any]) -> dict[str, Any]:
        state["program"] = _program(path)
        return {
            "protocol": PROTOCOL,
            "name": str(getattr(state["program"], "NAME", "")),
            "python": platform.python_version(),
            "packages": _versions(message["packages"]),
        }

    def load(message: dict[str, Any]) -> dict[str, Any]:
        state["answer"], facts = state["program"].load(message["options"], message["settings"], message["device"])
        return {"facts": facts}

    def score(message: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        frames = np.load(message["frames"], allow_pickle=False)
        sound = None if message["sound"] is None else np.load(message["sound"], allow_pickle=False)
        rows = state["answer"](message["ask"], frames, sound)
        found = [[float(number) for number in row] for row in rows]
        if not np.isfinite(np.asarray(found)).all():
            raise Refused("nan-features", f"{state['program'].NAME} gives numbers that are not finite")
        return {"rows": found}

    verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"hello": hello, "load": load, "score": score}
    while line := lines.readline():
        message = json.loads(line)
        try:
            reply = verbs[message["say"]](message)
            text = json.dumps({"id": message["id"], **reply}, allow_nan=False)
        except Exception as error:  # noqa: BLE001 - told to the other end, whatever it is
            text = json.dumps({"id": message["id"], "error": _named(error)})
        answers.write(text + "\n")
        answers.flush()


def main() -> None:
    """Serve standard input. What a library prints goes where errors go, never between two answers."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(sys.argv[1], sys.stdin, answers)
    _clear()


def _watch(parent: int) -> None:
    """A worker in the middle of an answer must not go on for nobody."""
    while os.getppid() == parent:
        time.sleep(0.5)
    _clear()
    os._exit(1)


def _clear() -> None:
    """Drop the folder made for this worker: whoever made it may be gone."""
    here = Path.cwd()
    if here.name.startswith("hvbench-worker-"):
        shutil.rmtree(here, ignore_errors=True)


if __name__ == "__main__":
    main()
