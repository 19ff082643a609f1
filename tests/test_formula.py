"""The formula inputs against the hashes that the frozen numbers were made with (tests/fixtures/inputs.json)."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formula import frames, hashed, weight, weights

INPUTS = json.loads((Path(__file__).parent / "fixtures" / "inputs.json").read_text(encoding="utf-8"))


def arguments(call: str) -> list[Any]:
    """The literal arguments of a call written as text."""
    expression = ast.parse(call, mode="eval").body
    assert isinstance(expression, ast.Call)
    return [ast.literal_eval(argument) for argument in expression.args]


@pytest.mark.parity
@pytest.mark.parametrize("entry", INPUTS["frames"], ids=lambda entry: entry["call"])
def test_frames_are_the_frozen_ones(entry: dict[str, Any]) -> None:
    clip = frames(*arguments(entry["call"]))
    assert clip.dtype == np.uint8
    assert clip.ravel()[:16].tolist() == entry["first16"]
    assert int(clip.sum()) == entry["sum"]
    assert hashlib.sha256(clip.tobytes()).hexdigest() == entry["sha256"]


@pytest.mark.parity
@pytest.mark.parametrize("entry", INPUTS["weights"], ids=lambda entry: entry["call"])
def test_weights_are_the_frozen_ones(entry: dict[str, Any]) -> None:
    name, shape = arguments(entry["call"])
    tensor = weight(name, shape)
    assert tensor.shape == shape
    assert tensor.dtype == entry["dtype"]
    assert tensor.ravel()[:8].tolist() == entry["first8"]
    little = tensor.astype(tensor.dtype.newbyteorder("<"))
    assert hashlib.sha256(little.tobytes()).hexdigest() == entry["sha256_little_endian"]


def test_hashed_is_splitmix64() -> None:
    """By the definition of SplitMix64 in Python integers, from the seed that sha256 of the key gives."""
    state = int.from_bytes(hashlib.sha256(b"x").digest()[:8], "little")
    expected = []
    for _ in range(5):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        expected.append(z ^ z >> 31)
    assert hashed("x", 5).tolist() == expected


def test_filters_are_centred() -> None:
    """From the definition: every output's weights sum to 0; their spread is that of a uniform law on +-3 / sqrt(fan_in)."""
    tensors = weights({"a.weight": (4, 30, 3, 3), "a.num_batches_tracked": ()})
    assert np.abs(tensors["a.weight"].sum(axis=(1, 2, 3), dtype=np.float64)).max() < 1e-6
    assert tensors["a.weight"].std() == pytest.approx(3 / np.sqrt(270) / np.sqrt(3), rel=0.05)
    assert tensors["a.num_batches_tracked"].dtype == np.int64


def test_frames_do_not_depend_on_the_length() -> None:
    """Identity: the first frames of a longer clip are the shorter clip."""
    for name in ("truth", "blur", "shifted", "noisy"):
        assert np.array_equal(frames(name, 14, 16, 24, 5)[:3], frames(name, 3, 16, 24, 5))


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of"):
        frames("sharpened", 1, 8, 8)
