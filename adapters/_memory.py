"""Memory that is not there, told as what it is, and memory that is given back."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.errors import InputError


def is_full(error: BaseException) -> bool:
    """Does an error say that memory ran out, of a GPU or of the machine?"""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and ("out of memory" in words or "allocate memory" in words))


@contextmanager
def told(what: str) -> Iterator[None]:
    """Memory that runs out inside is InputError (`out-of-memory`); every other error goes through."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
        raise InputError(
            "the clip does not fit into memory",
            code="out-of-memory",
            found=what,
            expected=str(error).strip().splitlines()[0][:200] if str(error).strip() else None,
            hint="--offload (parts of the model wait on the CPU), or a smaller --size or --length",
        ) from error


def give_back() -> None:
    """What nothing refers to any more. diffusers' hooks and their modules refer to each other: without a collection the weights would stay."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
