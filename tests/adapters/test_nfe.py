"""Counted evaluations: whole-number arithmetic by hand."""

from __future__ import annotations

import pytest

from adapters._nfe import Call, counted, steps
from benchmark.errors import InputError


@pytest.mark.parametrize("clips", [1, 3])
def test_batched_and_unbatched_guidance_count_the_same(clips: int) -> None:
    # 50 steps under guidance are 100 evaluations of each clip, as one call of twice the clips or as two calls.
    batched = [Call("transformer", 2 * clips)] * 50
    unbatched = [Call("transformer", clips)] * 100
    assert counted(batched, clips) == counted(unbatched, clips) == {"transformer": 100}
    assert steps(100, passes=2) == 50


def test_two_denoisers_are_counted_together() -> None:
    # Wan2.2, 40 steps under guidance, 13 of them above the border: 26 + 54 = 80 evaluations.
    found = counted([Call("transformer", 1)] * 26 + [Call("transformer_2", 1)] * 54)
    assert found == {"transformer": 26, "transformer_2": 54}
    assert sum(found.values()) == 80


def test_guidance_in_a_part_of_the_steps() -> None:
    # Ten steps with guidance in one batch, 20 without: 10 * 2 + 20 = 40, which no number of passes gives.
    assert counted([Call("transformer", 2)] * 10 + [Call("transformer", 1)] * 20) == {"transformer": 40}


@pytest.mark.parametrize(
    ("calls", "clips", "names"),
    [
        ([], 1, "no denoiser was called"),
        ([Call("transformer", 3)], 2, r"`transformer`[\s\S]*a batch of 3, 2 clips[\s\S]*a multiple of 2"),
        ([Call("transformer", 0)], 1, "a batch of 0"),
        ([Call("transformer", 1)], 0, "one clip or more"),
    ],
)
def test_calls_that_do_not_count(calls: list[Call], clips: int, names: str) -> None:
    with pytest.raises(InputError, match=names):
        counted(calls, clips)
