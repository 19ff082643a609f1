"""Points, lines and boxes that extractors found, to be drawn over the pictures: from stored features, where the machine still has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmark.features import Shards
from benchmark.paths import cache_dir
from benchmark.registry import registry
from reports import _escape
from reports._page_clip import Clock, Numbers, pairing
from reports._page_data import Key, Run, Series, packed


def marks(run: Run, case: str, by: Mapping[Key, Series], time: Clock) -> dict[str, Any]:
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
                    numbers = _numbers(entry, view, by, method, who == time.truth)
                    if key is None or numbers is None or who not in time.shown or not shards.has(key):
                        continue
                    rows = shards.load(key)
                    if len(rows) != len(numbers):
                        continue
                    row = {int(frame): k for k, frame in reversed(list(enumerate(numbers)))}
                    at = np.array([row.get(int(frame), -1) for frame in time.shown[who]])
                    points = drawn.points(np.asarray(rows)) / np.array([float(size[0]), float(size[1])])
                    whole = np.full((time.steps, points.shape[1], 2), np.nan, np.float32)
                    there = at >= 0
                    whole[there] = points[at[there]]
                    mine = found.setdefault(name, {"points": points.shape[1], "lines": [list(pair) for pair in drawn.lines], "of": {}})
                    mine["of"].setdefault(_escape.visible(who), packed(whole, "<f4"))
    return found


def _numbers(entry: Mapping[str, Any], view: str, by: Mapping[Key, Series], method: str, truth: bool) -> Numbers | None:
    """(rows,) the frame that each row was found in; None where the record does not tell. A frame that is shown longer keeps its row."""
    if found := pairing(entry, view, by, method):
        return found[0] if truth else found[1]
    return np.arange(entry["generated"]["frames"]) if entry["views"].get(view, {}).get("unpaired") and not truth else None
