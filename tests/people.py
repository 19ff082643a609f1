"""Small runs with clips, and people who answer a study as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmark.api import run
from tests.make import movie, study, worse, write

Said = Callable[[str, str, bool, str], Any]
"""(method, case, degraded?, dimension) -> 0..10 of a clip."""


def record(
    root: Path, methods: Sequence[str] = ("good", "fair", "poor"), cases: Sequence[str] = ("one", "two", "three"), n: int = 12
) -> Path:
    """A finished run; the clips lie beside it."""
    made = study(root, methods, cases, n=n)
    return score(root, made.methods)


def score(root: Path, methods: Sequence[str]) -> Path:
    run(suite="tiktok", truth=root / "truth", outputs={m: root / m for m in methods}, metrics=["l1@unit"], out=root / "run")
    return root / "run"


def uneven(root: Path) -> Path:
    """Two methods that files tell apart: one writes 32 x 32 at 25 a second as FFV1, the other 64 x 48 at 12.5 as H.264 with many more bytes a picture."""
    truth = movie(0, 20, 48, 64)
    write(root / "truth" / "one.mkv", truth)
    write(root / "small" / "one.mkv", worse(truth, 4)[:, ::2, ::2])
    write(root / "slow" / "one.mp4", worse(truth, 40)[::2], Fraction(25, 2))
    run(
        suite="tiktok",
        truth=root / "truth",
        outputs={"small": root / "small", "slow": root / "slow"},
        metrics=["l1@disco"],
        out=root / "run",
    )
    return root / "run"


def key_of(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "key.json").read_text(encoding="utf-8")))


def page_of(out: Path) -> dict[str, Any]:
    """What study.js holds."""
    text = (out / "page" / "study.js").read_text(encoding="utf-8")
    return dict(json.loads(text.split("window.STUDY = ", 1)[1].removesuffix(";\n")))


def answers(key: Mapping[str, Any], rater: int, said: Said) -> dict[str, Any]:
    """The file of one rater: of a pair the clip with the higher number is better."""
    found = []
    for position, item in enumerate(key["raters"][rater - 1], 1):
        clips = [key["clips"][clip] for clip in key["items"][item]["clips"]]
        told = {}
        for d in key["dimensions"]:
            values = [said(clip["method"], clip["case"], clip["degraded"], d) for clip in clips]
            told[d] = values[0] if key["kind"] == "rating" else "same" if values[0] == values[1] else "A" if values[0] > values[1] else "B"
        found.append({"item": item, "position": position, "answers": told, "seconds": 3.5, "plays": 1})
    head = {
        "format": key["format"],
        "version": key["version"],
        "study": key["study"],
        "kind": key["kind"],
        "rater": rater,
        "session": f"s{rater}",
    }
    return {**head, "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:10:00Z", "answers": found}


def save(folder: Path, key: Mapping[str, Any], said: Said, raters: Sequence[int]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"rater-{rater:02}.json" for rater in raters]
    for path, rater in zip(paths, raters, strict=True):
        path.write_text(json.dumps(answers(key, rater, said)), encoding="utf-8")
    return paths
