"""Suites made on the machine: equal frames keep the suite's name, other frames change it, whatever the container."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import made
from benchmark.errors import InputError
from benchmark.media import encode
from benchmark.model import Case, Source
from benchmark.registry import Maker, registry
from benchmark.request import Request
from benchmark.spec import resolve
from tests.make import movie


def build(folder: Path) -> tuple[Case, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(2):
        if not (folder / f"c{k}.mkv").exists():
            encode(folder / f"c{k}.mkv", [movie(k, 4, 32, 32)], Fraction(15), codec="ffv1")
    return tuple(Case(id=f"c{k}", truth=Source(folder / f"c{k}.mkv")) for k in range(2))


def test_the_hash_is_of_frames(tmp_path: Path) -> None:
    """Another container of the same frames has the same hash; one level of one pixel, or another size, another."""
    frames = movie(1, 4, 32, 48)
    other = frames.copy()
    other[2, 3, 4, 1] ^= 1
    turned = frames.reshape(4, 48, 32, 3)
    found = {}
    for name, content, rate in (("a", frames, 15), ("b", frames, 30), ("c", other, 15), ("d", turned, 15)):
        encode(tmp_path / f"{name}.mkv", [content], Fraction(rate), codec="ffv1")
        found[name] = made.frames_sha256(tmp_path / f"{name}.mkv")
    assert found["a"] == found["b"]
    assert len(set(found.values())) == 3


def test_a_suite_whose_frames_differ_goes_by_another_name(
    register: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = made.found(tmp_path / "here", build(tmp_path / "here"))
    suite = registry().suites["tiktok-embedded"].item
    assert made.named(suite, tmp_path / "here", build(tmp_path / "here"), published) == (suite, None)
    assert made.named(suite, tmp_path / "here", build(tmp_path / "here"), None) == (suite, None)
    other, note = made.named(suite, tmp_path / "here", build(tmp_path / "here"), {**published, "c1": "0" * 64})
    assert other.id == "tiktok-embedded+local"
    assert note is not None
    assert note.startswith("1 of 2 made clips differ from the published ones (c1)")

    register(
        Maker(id="zz", version=1, summary="x", build=build, expected=dict), replace(suite, id="zz-made", make="zz", adapters=("still",))
    )
    spec = resolve(Request(suite="zz-made", adapters=("reencode",)))
    assert spec.suite.id == "zz-made+local"
    assert any("zz-made+local" in note for note in spec.notes)


@pytest.mark.parametrize(
    "wrong",
    [{"adapters": ("zz-none",)}, {"protocols": ("zz-none",)}, {"metrics": ("psnr@none",)}],
    ids=lambda w: next(iter(w)),
)
def test_nothing_is_made_for_a_wrong_name(wrong: dict[str, Any], register: Callable[..., None]) -> None:
    """A name that nobody registered is said before anything is drawn; drawing is announced once."""
    asked: list[Path] = []
    suite = replace(registry().suites["tiktok-embedded"].item, id="zz-made", make="zz", adapters=("still",))
    register(
        Maker(id="zz", version=1, summary="two clips", build=lambda folder: asked.append(folder) or build(folder), expected=dict), suite
    )
    with pytest.raises(InputError):
        resolve(Request(**{"suite": "zz-made", "adapters": ("reencode",), **wrong}))
    assert asked == []
    said: list[str] = []
    for _ in range(2):
        resolve(Request(suite="zz-made", adapters=("reencode",)), say=said.append)
    assert len(asked) == 2
    assert [line.split(" in ")[0] for line in said if line.startswith("making")] == ["making zz-made"]


def test_frames_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again when a file changes."""
    folder = tmp_path / "here"
    first = made.found(folder, build(folder))
    real, calls = made.frames_sha256, []
    monkeypatch.setattr(made, "frames_sha256", lambda path: calls.append(path.name) or real(path))
    assert made.found(folder, build(folder)) == first
    assert calls == []
    encode(folder / "c1.mkv", [np.zeros((4, 32, 32, 3), np.uint8)], Fraction(15), codec="ffv1")
    os.utime(folder / "c1.mkv", ns=(1, 1))
    assert made.found(folder, build(folder))["c1"] != first["c1"]
    assert calls == ["c1.mkv"]
