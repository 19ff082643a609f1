"""Decode the next chunk while the consumer works on this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


class _Failure:
    """An exception on its way from the worker to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def decode_ahead(iterator: Iterator[T], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, made in a background thread: at most `depth` wait, one more is in the making.

    An exception of the source is raised here, at the place in the order where it happened. The thread starts with the first item asked
    for and is joined before the end, the exception or `close()` returns; the source is closed in that thread.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    return _consume(iterator, depth)


def _consume(iterator: Iterator[T], depth: int) -> Generator[T, None, None]:
    ready: queue.Queue[object] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def work() -> None:
        last: object = _END
        try:
            for item in iterator:
                ready.put(item)
                if stop.is_set():
                    break
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        except BaseException as error:  # noqa: BLE001 - handed to the consumer as it is, whatever it is
            last = _Failure(error)
        ready.put(last)

    thread = threading.Thread(target=work, name="decode-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]  # the queue holds T beside the two markers handled above
    finally:
        stop.set()
        while thread.is_alive():
            # the worker may be blocked on a full queue: make room until it has seen the flag
            try:
                ready.get(timeout=0.02)
            except queue.Empty:
                continue
        thread.join()
