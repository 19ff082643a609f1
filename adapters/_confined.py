"""A command of somebody else's: run with limits, in a folder and an environment of its own, and ended with all it has started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LIMITED = Path(__file__).with_name("_limited.py")
MARK = "HVBENCH_UNIT"
PASSED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "USER",
    "LOGNAME",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_HOME",
    "CUDA_DEVICE_ORDER",
)
"""What a command sees of our environment; anything else, tokens and proxies among it, stays here."""
TICK = 0.2
"""Seconds between two looks at time and memory."""
MOST_FILES = 200_000
"""A folder with more files is not watched."""
_MEMORY = re.compile(r"MemoryError|OutOfMemoryError|out of memory|bad_alloc|Cannot allocate memory")


@dataclass(frozen=True)
class Ending:
    """How a command ended. how: `ok`, `exit-status`, `timeout` or `out-of-memory`; words: the same for a reader; seconds: how long it ran."""

    how: str
    words: str
    seconds: float


def environment(home: Path, temporary: Path, python: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: a few of our variables, a home and a temporary folder of its own, hubs offline, then `more`.

    Caches of models are looked for where the user's are (HF_HOME, TORCH_HOME); the token that lies in the former is not.
    """
    user = Path.home()
    env = {name: os.environ[name] for name in PASSED if name in os.environ}
    env["PATH"] = os.pathsep.join([str(python.parent), env.get("PATH", os.defpath)])
    env |= {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "WANDB_MODE": "disabled", "HF_TOKEN_PATH": str(home / "no-token")}
    env["HF_HOME"] = os.environ.get("HF_HOME", str(user / ".cache" / "huggingface"))
    env["TORCH_HOME"] = os.environ.get("TORCH_HOME", str(user / ".cache" / "torch"))
    return {**env, **more}


def run(argv: Sequence[str], *, folder: Path, env: Mapping[str, str], log: Path, seconds: float, memory: int) -> Ending:
    """Run a command, its words appended to `log`. memory: bytes, a limit on each process and on all of them together (resident, Linux only).

    Whatever it started is ended with it: its process group, and on Linux every process that carries its mark, wherever it went. No shell.
    """
    mark = uuid.uuid4().hex
    started = time.monotonic()
    with log.open("ab") as words:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LIMITED), str(memory), *argv],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**env, MARK: mark},
            start_new_session=True,
        )
        used = 0
        how = ""
        try:
            while not how:
                try:
                    child.wait(timeout=TICK)
                    break
                except subprocess.TimeoutExpired:
                    used = max(used, _resident(_marked(mark)))
                    how = "out-of-memory" if used > memory else "timeout" if time.monotonic() - started > seconds else ""
        finally:
            _end(child, mark)
    took = time.monotonic() - started
    if how == "timeout":
        return Ending(how, f"no end after {seconds:g} s", took)
    if how:
        return Ending(how, f"{used / 2**30:.2f} GiB in use, more than {memory / 2**30:g}", took)
    if child.returncode == 0:
        return Ending("ok", "exit status 0", took)
    code = f"exit status {child.returncode}" if child.returncode > 0 else f"ended by {signal.Signals(-child.returncode).name}"
    return Ending("out-of-memory" if _MEMORY.search(tail(log, 4000)) else "exit-status", code, took)


def tail(log: Path, most: int) -> str:
    """The last `most` bytes of a log as text."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - most))
        return file.read().decode("utf-8", "replace")


def _end(child: subprocess.Popen[bytes], mark: str) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for _ in range(20):  # one that forks while it is looked for is found the next time
        strays = _marked(mark)
        if not strays:
            return
        for number in strays:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.05)


def _marked(mark: str) -> list[int]:
    """Processes with the mark in their environment, which is inherited; none where there is no /proc."""
    found, wanted = [], f"{MARK}={mark}".encode()
    with suppress(FileNotFoundError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with suppress(OSError):
                    if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
    return found


def _resident(numbers: Iterable[int]) -> int:
    """Bytes of memory that processes hold; pages they share count for each."""
    total = 0
    for number in numbers:
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def listing(folder: Path) -> dict[str, tuple[int, int]] | None:
    """{path: (bytes, time of the last change)} of every file below, git's own and caches of Python left out; None where there are too many."""
    found: dict[str, tuple[int, int]] = {}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", "__pycache__")]
        for name in files:
            with suppress(OSError):
                state = os.lstat(os.path.join(root, name))  # noqa: PTH118 - ten times faster than Path for a large checkout
                found[os.path.relpath(os.path.join(root, name), folder)] = (state.st_size, state.st_mtime_ns)  # noqa: PTH118
        if len(found) > MOST_FILES:
            return None
    return found


def changed(before: Mapping[str, tuple[int, int]] | None, after: Mapping[str, tuple[int, int]] | None) -> list[str] | None:
    """Files written, changed or removed between two listings; None where one could not be made."""
    if before is None or after is None:
        return None
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def commit(checkout: Path) -> str | None:
    """The commit a git checkout stands on, read from its files; None where that cannot be told."""
    git = checkout / ".git"
    with suppress(OSError):
        if git.is_file():
            git = (checkout / git.read_text().partition("gitdir:")[2].strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        name = head[4:].strip()
        common = (git / (git / "commondir").read_text().strip()).resolve() if (git / "commondir").exists() else git
        if (common / name).is_file():
            return (common / name).read_text().strip()
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(" " + name):
                return line.split()[0]
    return None
