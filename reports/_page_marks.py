"""Points, lines and boxes that extractors found, to be drawn over the pictures: from stored features, where the machine still has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark.features import Shards
from benchmark.paths import cache_dir
from benchmark.registry import registry
from reports import _escape
from reports._page_clip import Clock
from reports._page_data import Run, packed


def marks(run: Run, case: str, time: Clock) -> dict[str, Any]:
    """{extractor: {"lines": [[i, j]...], "points": k, "of": {method: base64 of float32 (steps, k, 2)}}}: positions as fractions of the picture, NaN where
    nothing was found. Only extractors whose features are a row a frame and say what may be drawn."""
    shards = Shards(cache_dir() / "features")
    found: dict[str, Any] = {}
    for method in run.methods:
        entry = run.units.get((method, case))
        if entry is None or method not in time.shown:
            continue
        for view, extractors in entry.get("features", {}).items():
            for name, facts in extractors.items():
                extractor = registry().extractors.get(name)
                drawn = None if extractor is None else extractor.item.marks
                size = entry["views"].get(view, {}).get("size") or [entry["generated"]["width"], entry["generated"]["height"]]
                if drawn is None or "generated" not in facts or (name in found and method in found[name]["of"]):
                    continue
                for who, key in ((method, facts["generated"]), (time.truth, facts.get("truth"))):
                    at = _places(entry, view, who == time.truth, time.shown.get(who))
                    if key is None or at is None or not shards.has(key):
                        continue
                    rows = shards.load(key)
                    if len(rows) != len(at):
                        continue
                    points = drawn.points(np.asarray(rows)) / np.array([float(size[0]), float(size[1])])
                    whole = np.full((time.steps, points.shape[1], 2), np.nan, np.float32)
                    inside = (at >= 0) & (at < time.steps)
                    whole[at[inside]] = points[inside]
                    mine = found.setdefault(name, {"points": points.shape[1], "lines": [list(pair) for pair in drawn.lines], "of": {}})
                    mine["of"].setdefault(_escape.visible(who), packed(whole, "<f4"))
    return found


def _places(entry: Any, view: str, truth: bool, shown: Any) -> Any:
    """(rows,) the step of each compared frame; None where the record does not tell."""
    said = entry["views"].get(view, {}).get("pairing")
    if shown is None:
        return None
    if said is None:
        order = np.flatnonzero(np.diff(shown, prepend=-2) != 0)
        return order[shown[order] >= 0]
    first, last = said["truth" if truth else "generated"]
    if last - first + 1 != said["frames"]:
        return None
    steps = {int(frame): step for step, frame in reversed(list(enumerate(shown))) if frame >= 0}
    return np.array([steps.get(frame, -1) for frame in range(first, last + 1)])
