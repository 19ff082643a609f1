"""Tiny networks in one thread: a second one only waits for the first, and on a busy machine both wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmark import machine


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "THREADS", 1)
        machine.settle_torch()
        yield
    machine.settle_torch()
