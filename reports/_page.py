"""A page of one or several runs: a folder that opens from disk and from any web server, and asks no other host for anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import InputError
from benchmark.record import Record
from reports._page_cards import INPUTS, inputs
from reports._page_clip import clock, media, otherwise, shard, unknown
from reports._page_data import Run, readable, script, series
from reports._page_index import clip_sheet, index
from reports._page_marks import marks

ASSETS = ("page.css", "theme.js", "hvb.js", "index.js", "clip.js")
STAMP = "page.json"
"""Stands in every page's folder: only a folder with ours is written over."""
MAKER = {"made by": "human-video-benchmark"}
VIDEOS = 40
SIDE = 360


def build(
    records: Sequence[Record],
    folder: Path,
    *,
    left_out: Sequence[str] = (),
    videos: int = VIDEOS,
    side: int = SIDE,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the page. videos: at most so many clips of a run get a video, the worst and the best of the primary metrics first. side: pixels of a picture's
    longer side in it. Raises InputError (`occupied`) where the folder holds something else."""
    _begin(folder)
    runs = [Run(record, number) for number, record in enumerate(records)]
    for run in runs:
        chosen = set(picked(run, videos))
        by_case = series(run)
        for case in run.cases:
            by = by_case.pop(case, {})
            time = clock(run, case, by)
            shown: dict[str, Any] = {"video": None, "tiles": [], "sounds": {}, "notes": [], "marks": {}}
            if time is None:
                shown["notes"] = ["no method has a frame that was compared"]
            elif case not in chosen:
                shown["notes"] = [f"no video: the page was made with --videos {videos}"]
            else:
                tell(f"{run.title}: {case}")
                shown |= media(run, case, time, folder, side)
                shown["marks"] = marks(run, case, by, time) if shown["video"] else {}
            if time is not None:
                shown["notes"] = [*shown["notes"], *unknown(run, case, time), *otherwise(run, case, by, time)]
            _put(folder / run.shard(case), script("clip", shard(run, case, by, time, shown)))
    for run in runs:
        _put(folder / INPUTS.format(run.number), "".join(f"{digest}\t{name}\n" for name, digest in inputs(run)))
    _put(folder / "data" / "index.js", script("index", {"runs": [run.to_index() for run in runs]}))
    _put(folder / "clip.html", clip_sheet())
    for name in ASSETS:
        _put(folder / "assets" / name, files("reports").joinpath(f"page/{name}").read_text(encoding="utf-8"))
    _put(folder / STAMP, json.dumps({**MAKER, "specs": [r.record.header["spec_sha256"] for r in runs]}) + "\n")
    _put(folder / "index.html", index(runs, left_out))


def trial(record: Record) -> object:
    """What a page needs of a record, so that one that lacks it is found before anything is written."""
    run = Run(record, 0)
    readable(record)
    return run.to_index(), run.units, index([run], ())


def picked(run: Run, count: int) -> list[str]:
    """Cases that get a video, at most `count`: all where they are so few, else by turns the worst and the best of every primary metric and method."""
    if len(run.cases) <= count:
        return list(run.cases)
    orders = []
    for column in run.columns:
        for row in run.values[column.number]:
            there = np.flatnonzero(np.isfinite(row))
            if column.facts["primary"] and len(there):
                order = there[np.argsort(row[there], kind="stable")]
                orders += [order, order[::-1]] if column.facts["higher_is_better"] is not False else [order[::-1], order]
    chosen = dict.fromkeys(int(order[k]) for k in range(len(run.cases)) for order in orders if k < len(order))
    return [run.cases[k] for k in [*chosen, *(k for k in range(len(run.cases)) if k not in chosen)][:count]]


def _begin(folder: Path) -> None:
    """An empty folder, or one that holds an earlier page, whose files go."""
    if folder.is_dir() and any(folder.iterdir()):
        if not _ours(folder / STAMP):
            raise InputError(
                "the folder holds something else than a page",
                code="occupied",
                path=folder,
                found=", ".join(sorted(p.name for p in folder.iterdir())[:4]),
                hint="name another --out",
            )
        for name in ("data", "media", "assets"):
            shutil.rmtree(folder / name, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder / STAMP, json.dumps(MAKER) + "\n")
    except OSError as error:
        raise InputError(
            "the page cannot be written", code="unwritable", path=folder, found=str(error), hint="name another --out"
        ) from None


def _ours(stamp: Path) -> bool:
    """Other programs write a page.json too, and their data/ is not ours to remove."""
    try:
        said = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and all(said.get(key) == value for key, value in MAKER.items())


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
