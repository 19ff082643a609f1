"""Decoding ahead in a thread: same items, same errors, no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.media import decode, decode_ahead, probe
from tests.clips import scene, write_video


def test_decode_ahead_gives_the_same_in_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", scene(20, 48, 64))
    info = probe(path)
    plain, ahead = list(decode(info, chunk=3)), list(decode_ahead(decode(info, chunk=3), depth=1))
    assert all((a == b).all() for a, b in zip(plain, ahead, strict=True))
    assert not _workers()


def test_decode_ahead_hands_on_errors_and_leaves_no_thread() -> None:
    closed = threading.Event()

    def source(fail_at: int) -> Iterator[int]:
        try:
            for i in range(100):
                if i == fail_at:
                    raise InputError("broken", code="corrupt")
                yield i
        finally:
            closed.set()

    seen: list[int] = []
    with pytest.raises(InputError, match="broken"):
        seen.extend(decode_ahead(source(3)))
    assert seen == [0, 1, 2]
    assert not _workers()

    closed.clear()
    running = decode_ahead(source(-1), depth=2)
    assert next(running) == 0
    assert len(_workers()) == 1
    running.close()
    assert not _workers()
    assert closed.is_set()

    untouched = decode_ahead(source(-1))
    assert not _workers()
    del untouched


def test_decode_ahead_works_ahead_but_not_without_bound() -> None:
    made = []

    def source() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    running = decode_ahead(source(), depth=2)
    next(running)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert len(made) == 4  # one taken, two waiting, one held by the worker
    running.close()


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "decode-ahead"]
