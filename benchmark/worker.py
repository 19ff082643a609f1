"""Talk to a worker: start it, greet it, let it load its model, hand it frames, take numbers, and say by name what went wrong.

One JSON object a line over its standard input and output. Frames and sound go as .npy files in a folder of the worker's own: exact, uncompressed,
read by numpy alone, and no line is ever megabytes long (a PNG costs encoding, base64 a third more and a copy on either side).
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from benchmark import machine
from benchmark.errors import Unscored
from benchmark.workers import Identity, Worker

PROTOCOL = 1
MAIN = Path(__file__).with_name("worker_main.py")
LONGEST = 1 << 24
"""Characters of the longest line that is read; a longer one is no answer."""
DEATHS = 2
"""After so many deaths without an answer in between a worker is not started again in this process."""
_HIDDEN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_REASON = re.compile(r"[a-z][a-z0-9-]{1,40}")


class Process:
    """A worker while it runs. It is started by the first request, and again after a death; `stop` ends it."""

    def __init__(self, worker: Worker, identity: Identity, device: str) -> None:
        self.worker, self.identity, self.device = worker, identity, device
        self.facts: Mapping[str, Any] = {}
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._words: deque[str] = deque(maxlen=20)
        self._threads: list[threading.Thread] = []
        self._folder: Path | None = None
        self._number = 0
        self._deaths = 0
        self._refused: Unscored | None = None
        self._loaded = False

    def hello(self) -> Mapping[str, Any]:
        """{"name", "python", "packages"} of the worker's side, without loading its model. Raises Unscored."""
        self._start()
        reply = self._ask({"say": "hello", "packages": list(self.worker.packages)}, self.worker.start)
        if reply.get("protocol") != PROTOCOL:
            raise self._strange(f"speaks protocol {reply.get('protocol')!r}, not {PROTOCOL}")
        return {key: reply.get(key) for key in ("name", "python", "packages")}

    def score(self, ask: Mapping[str, Any], frames: NDArray[Any], sound: NDArray[np.int16] | None, width: int) -> NDArray[np.float32]:
        """(b, ...) inputs -> (b, width) numbers. Raises Unscored with the worker's own reason, or `worker-died`, `worker-timeout`, `worker-answer`."""
        if self._refused is not None:
            raise self._refused
        if not self._loaded:
            self._load()
        assert self._folder is not None
        paths = {"frames": self._folder / f"{self._number}.npy", "sound": self._folder / f"{self._number}-sound.npy"}
        try:
            for name, values in (("frames", frames), ("sound", sound)):
                if values is not None:
                    np.save(paths[name], np.ascontiguousarray(values), allow_pickle=False)
            said = {"say": "score", "ask": ask, "frames": str(paths["frames"]), "sound": None if sound is None else str(paths["sound"])}
            reply = self._ask(said, self.worker.answer)
        finally:
            for path in paths.values():
                path.unlink(missing_ok=True)
        try:
            rows = np.asarray(reply["rows"], np.float32)
        except (KeyError, TypeError, ValueError):
            raise self._strange("gives no rows of numbers") from None
        if rows.shape != (len(frames), width) or not np.isfinite(rows).all():
            raise self._strange(f"gives {rows.shape} numbers, expected {(len(frames), width)}, all finite")
        self._deaths = 0
        return rows

    def stop(self) -> None:
        """End the process and what it started, and drop its folder."""
        child, self._child, self._loaded = self._child, None, False
        if child is not None:
            if child.poll() is None:
                _kill(child)
            child.wait()
            for thread in self._threads:
                thread.join(timeout=5)
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    _close(pipe)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _load(self) -> None:
        said = {"say": "load", "options": dict(self.identity.given), "settings": self.worker.settings, "device": self.device}
        try:
            self.hello()
            reply = self._ask(said, self.worker.load)
        except Unscored as reason:
            if self._child is not None:  # it lives and says why it cannot: asking again changes nothing
                self._refused = reason
                self.stop()
            raise
        self.facts, self._loaded = reply.get("facts") or {}, True

    def _start(self) -> None:
        if self._child is not None:
            return
        threads = str(machine.THREADS)
        env = {key: value for key, value in os.environ.items() if key not in _HIDDEN}
        env |= {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        # Nothing is fetched: a checkpoint is a folder, and a hub is never asked.
        env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "NVIDIA_TF32_OVERRIDE": "0"}
        self._folder = Path(tempfile.mkdtemp(prefix="hvbench-worker-"))
        self._lines, self._words = queue.Queue(), deque(maxlen=20)
        try:
            self._child = subprocess.Popen(
                [self.identity.python, "-u", str(MAIN), str(self.identity.program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=env,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except OSError as error:
            raise Unscored("worker-died", f"{self.worker.id}: {self.identity.python} cannot be started: {error}") from error
        self._threads = [
            threading.Thread(target=_read, args=(self._child.stdout, self._lines), daemon=True),
            threading.Thread(target=_keep, args=(self._child.stderr, self._words), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, message: Mapping[str, Any], patience: float) -> Mapping[str, Any]:
        assert self._child is not None
        assert self._child.stdin is not None
        self._number += 1
        try:
            try:
                self._child.stdin.write(json.dumps({"id": self._number, **message}) + "\n")
                self._child.stdin.flush()
                line = self._lines.get(timeout=patience)
            except (BrokenPipeError, OSError):
                line = None
            except queue.Empty:
                raise self._dead("worker-timeout", f"no answer to `{message['say']}` in {patience:g} s") from None
        except BaseException:
            self.stop()  # an answer that comes later would be taken for that to another question
            raise
        if line is None:
            try:
                self._child.wait(timeout=10)
            except subprocess.TimeoutExpired:  # it closed its output and lives on
                _kill(self._child)
            raise self._dead("worker-died", f"{_ending(self._child.wait())} at `{message['say']}`")
        try:
            reply = json.loads(line, parse_constant=lambda word: None)
        except ValueError:
            raise self._strange(f"says {line[:120]!r}, which is no JSON") from None
        if not isinstance(reply, dict) or reply.get("id") != self._number:
            raise self._strange(f"says {line[:120]!r}, which is no answer to request {self._number}")
        if "error" in reply:
            named = reply["error"] if isinstance(reply["error"], dict) else {}
            if not _REASON.fullmatch(str(named.get("reason", ""))):
                raise self._strange(f"says {line[:120]!r}, which names no reason")
            raise Unscored(str(named["reason"]), f"{self.worker.id}: {named.get('detail', '')}")
        return reply

    def _strange(self, what: str) -> Unscored:
        return self._dead("worker-answer", what)

    def _dead(self, reason: str, what: str) -> Unscored:
        """End what is left of it, and the reason with its last words."""
        self.stop()
        self._deaths += 1
        words = " | ".join(list(self._words)[-4:])
        found = Unscored(reason, f"{self.worker.id} {what}" + (f"; its last words: {words[-500:]}" if words else ""))
        if self._deaths >= DEATHS:
            self._refused = found
        return found


def _read(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    while line := pipe.readline(LONGEST):
        lines.put(line)
    lines.put(None)


def _keep(pipe: IO[str], words: deque[str]) -> None:
    while line := pipe.readline(LONGEST):
        if line.strip():
            words.append(line.strip()[:300])


def _kill(child: subprocess.Popen[str]) -> None:
    """End a process and all it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()


def _close(pipe: IO[str]) -> None:
    with suppress(OSError):  # what a dead worker did not read is of no use to anybody
        pipe.close()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


# ------------------------------------------------------------------------------------------------------- one for each process

_running: dict[tuple[str, str, str], Process] = {}


def running(worker: Worker, identity: Identity, device: str) -> Process:
    """The worker's process for a device, one whatever the number of extractors that rest on it."""
    key = (identity.sha256, identity.python, device)
    if key not in _running:
        _running[key] = Process(worker, identity, device)
    return _running[key]


def stop() -> None:
    """End every worker of this process, and forget what they said of themselves: the next run asks anew."""
    _greetings.clear()
    while _running:
        _running.popitem()[1].stop()


atexit.register(stop)


_greetings: dict[tuple[str, str], Mapping[str, Any] | Unscored] = {}


def greeting(worker: Worker, identity: Identity) -> Mapping[str, Any]:
    """What the worker's side says of itself: {"name", "python", "packages"}. Raises Unscored; asked once a run."""
    key = (identity.sha256, identity.python)
    if key not in _greetings:
        process = Process(worker, identity, "cpu")
        try:
            _greetings[key] = process.hello()
        except Unscored as reason:
            _greetings[key] = reason
        finally:
            process.stop()
    found = _greetings[key]
    if isinstance(found, Unscored):
        raise found
    return found
