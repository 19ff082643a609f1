"""One clip of a page: a common time for all methods, their frames in step as one video, every metric's curve over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.media import HashCache
from benchmark.mosaic import Strip, write_mosaic, write_sound
from benchmark.paths import cache_dir
from reports import _escape
from reports._page_data import Key, Run, Series, packed, rate

TRUTH = "truth"
"""The truth's name among the methods': no method can be called so."""
LONGEST = 60
"""Seconds of a clip that are shown at most."""

Numbers = NDArray[np.int64]


@dataclass
class Clock:
    """The steps of a clip. fps: steps a second. steps: how many. first: number of the truth's frame (the output's own, where there is no truth) at step 0.
    truth: the truth's name among the methods', empty where there is none. left: steps beyond those that are shown. guessed: the rate is not known.
    shown: {method or truth: (steps,) number of its frame at each step, -1 = none}."""

    fps: Fraction
    steps: int
    first: int
    truth: str
    shown: dict[str, Numbers] = field(default_factory=dict)
    left: int = 0
    guessed: bool = False

    def at(self, found: Series, entry: Mapping[str, Any]) -> NDArray[np.float64]:
        """(n,) steps at which a curve's points lie."""
        if self.truth:
            return found.frames.astype(np.float64) - self.first
        return found.generated.astype(np.float64) * float(self.fps / rate(entry["generated"]))


def pairing(entry: Mapping[str, Any], view: str, by: Mapping[Key, Series], method: str) -> tuple[Numbers, Numbers] | None:
    """(numbers of the truth's frames, numbers of the output's), as they were compared; None where neither curves nor ends tell."""
    for (adapter, of, _), found in by.items():
        if adapter == method and of == view:
            return found.frames.astype(np.int64), found.generated.astype(np.int64)
    said = entry.get("views", {}).get(view, {}).get("pairing")
    if said and all(said[side][1] - said[side][0] + 1 == said["frames"] for side in ("truth", "generated")):
        return tuple(np.arange(said[side][0], said[side][1] + 1) for side in ("truth", "generated"))  # type: ignore[return-value]
    return None


def clock(run: Run, case: str, by: Mapping[Key, Series]) -> Clock | None:
    """The common time of a clip's methods; None where no method has a frame that was compared."""
    units = {m: e for m in run.methods if (e := run.units.get((m, case))) and e["status"] == "scored" and "generated" in e}
    if not units:
        return None
    truth = next((e["truth"] for e in units.values() if "truth" in e), None)
    if truth is not None:
        views = list(dict.fromkeys(c.view for c in run.columns)) or list(run.record.header["plan"]["views"])
        # a clip that the first view refuses may be compared under another
        pairs = {m: found for m, e in units.items() if (found := [p for v in views if (p := pairing(e, v, by, m))])}
        if not pairs:
            return None
        ends = [end for found in pairs.values() for t, _ in found for end in (int(t[0]), int(t[-1]))]
        first, last = min(ends), max(ends)
        steps = min(last - first + 1, ceil(LONGEST * rate(truth)))
        made = Clock(rate(truth), steps, first, TRUTH, {TRUTH: np.arange(first, first + steps)})
        made.left, made.guessed = last - first + 1 - steps, not truth.get("fps")
        for m, found in pairs.items():
            made.shown[m] = _together(found, first, steps)
        return made
    fps = max(rate(e["generated"]) for e in units.values())
    steps = max(ceil(e["generated"]["frames"] * fps / rate(e["generated"])) for e in units.values())
    made = Clock(fps, min(steps, ceil(LONGEST * fps)), 0, "")
    made.left, made.guessed = steps - made.steps, not all(e["generated"].get("fps") for e in units.values())
    for m, e in units.items():
        frames = np.arange(made.steps) * float(rate(e["generated"]) / fps) + 1e-6
        made.shown[m] = np.where(frames < e["generated"]["frames"], np.floor(frames), -1).astype(np.int64)
    return made


def _together(pairs: Sequence[tuple[Numbers, Numbers]], first: int, steps: int) -> Numbers:
    """(steps,) the output's frames as the first pairing has them. What it leaves out (a reference frame, a range) is filled in from the others, where the
    frames still follow one another."""
    shown: Numbers = np.full(steps, -1)
    for t, g in pairs:
        tried = shown.copy()
        inside = t - first < steps
        at = (t - first)[inside]
        empty = tried[at] < 0
        tried[at[empty]] = g[inside][empty]
        there = tried[tried >= 0]
        if bool((np.diff(there) >= 0).all()):
            shown = tried
    return shown


def unknown(run: Run, case: str, time: Clock) -> list[str]:
    """Methods that were compared, and are not shown; how much of a long clip is not."""
    said = [f"the first {LONGEST} seconds are shown: {time.steps} of {time.steps + time.left} frames"] if time.left else []
    for method in run.methods:
        entry = run.units.get((method, case), {})
        compared = any("pairing" in view for view in entry.get("views", {}).values())
        if method not in time.shown and compared:
            said.append(
                _escape.visible(f"{method}: not shown; without its values by frame the record does not tell which frames were compared")
            )
    return said


def otherwise(run: Run, case: str, by: Mapping[Key, Series], time: Clock) -> list[str]:
    """Protocols that compared other frames of a method than the pictures show together."""
    said = []
    for method, shown in time.shown.items():
        entry = run.units.get((method, case))
        if method == time.truth or entry is None or not time.truth:
            continue
        others = []
        for protocol, view in dict.fromkeys((c.protocol, c.view) for c in run.columns):
            if found := pairing(entry, view, by, method):
                t, g = found
                at = t - time.first
                inside = at < time.steps
                if bool((shown[at[inside]] != g[inside]).any()):
                    others.append(protocol)
        if others:
            said.append(_escape.visible(f"{method}: {', '.join(others)} compared other frames than the pictures show together"))
    return said


def media(run: Run, case: str, time: Clock, folder: Path, side: int) -> dict[str, Any]:
    """Write the clip's video and sounds below `folder`: {"video", "tiles", "sounds", "notes"}. A clip that is gone or has changed is left out, and a note
    says so."""
    stem = f"media/{run.number}/{run.shard(case).rsplit('/', 1)[-1].removesuffix('.js')}"
    notes: list[str] = []
    strips: dict[str, Strip] = {}
    sides: dict[str, Mapping[str, Any]] = {}
    for name, frames in time.shown.items():
        entry = (
            next((e for m in run.methods if (e := run.units.get((m, case))) and "truth" in e), {})
            if name == time.truth
            else run.units[name, case]
        )
        facts = sides[name] = entry["truth" if name == time.truth else "generated"]
        strip = _strip(run, name, facts, frames, notes)
        if strip is not None:
            strips[name] = strip
    made: dict[str, Any] = {"video": None, "tiles": [], "sounds": {}, "notes": notes}
    if not strips:
        return made
    try:
        boxes = write_mosaic(list(strips.values()), folder / f"{stem}.mp4", time.fps, side)
    except InputError as error:
        notes.append(_escape.visible(_escape.without_folders(f"no video: {error.what}")))
        return made
    made["video"] = f"{stem}.mp4"
    made["tiles"] = [{"name": _escape.visible(name), "box": list(box)} for name, box in zip(strips, boxes, strict=True)]
    for number, (name, strip) in enumerate(strips.items()):
        facts = sides[name]
        if not facts.get("has_audio"):
            continue
        # the first picture is heard when it is seen, which may be some steps after the others begin
        step, first = next(((k, int(f)) for k, f in enumerate(strip.frames) if f >= 0), (0, 0))
        try:
            write_sound(strip.path, first / rate(facts) - step / time.fps, time.steps / time.fps, folder / f"{stem}-{number}.wav")
        except (InputError, Unscored) as error:
            why = error.what if isinstance(error, InputError) else error.detail
            notes.append(_escape.visible(_escape.without_folders(f"{name}: no sound: {why}")))
            continue
        made["sounds"][_escape.visible(name)] = f"{stem}-{number}.wav"
    return made


def _strip(run: Run, name: str, facts: Mapping[str, Any], frames: Numbers, notes: list[str]) -> Strip | None:
    path = Path(facts["path"]) if "path" in facts else None
    path = run.record.path / path if path is not None and not path.is_absolute() else path
    if path is None or not path.exists():
        notes.append(_escape.visible(f"{name}: the clip is no longer where it was scored"))
        return None
    if HashCache(cache_dir()).sha256(path) != facts["sha256"]:
        notes.append(_escape.visible(f"{name}: the clip has changed since it was scored"))
        return None
    crop = facts.get("crop")
    fps = Fraction(facts["fps"]) if facts.get("kind") == "images" and facts.get("fps") else None
    return Strip(path, frames.tolist(), tuple(crop) if crop else None, fps)


def shard(run: Run, case: str, by: Mapping[Key, Series], time: Clock | None, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the clip's sheet is drawn from."""
    curves = []
    places = {name: number for number, name in enumerate(run.methods)}
    if time is not None:
        for column in run.columns:
            for method in run.methods:
                found = by.get((method, column.view, column.name))
                if found is None:
                    continue
                at = time.at(found, run.units[method, case])
                curves.append([column.number, places[method], _axis(at), packed(found.values, "<f4")])
    return {
        "key": run.shard(case).removeprefix("data/").removesuffix(".js"),
        "run": run.number,
        "case": _escape.visible(case),
        "fps": float(time.fps) if time else None,
        "guessed": bool(time and time.guessed),
        "steps": time.steps if time else 0,
        "first": time.first if time else 0,
        "truth": _escape.visible(time.truth) if time else "",
        **shown,
        "frames": {_escape.visible(name): _axis(frames) for name, frames in time.shown.items()} if time else {},
        "curves": curves,
        "said": [[_escape.visible(m), said] for m in run.methods for said in _said(run, m, case)],
    }


def _axis(numbers: NDArray[Any]) -> list[float] | str:
    """[first, count] where numbers follow one another, else base64 of float32."""
    n = len(numbers)
    if n and numbers[-1] - numbers[0] == n - 1 and bool((np.diff(numbers) == 1).all()):
        return [float(numbers[0]), n]
    return packed(numbers, "<f4")


def _said(run: Run, method: str, case: str) -> Sequence[str]:
    """Why the clip, a view or a variant of it has no value."""
    entry = run.units.get((method, case))
    if entry is None:
        return ["not done"]
    found = []
    if entry["status"] == "failed":
        error = entry["error"]
        found.append(f"failed: {error['what']}" + (f" ({error['found']})" if "found" in error else ""))
    for view, facts in entry["views"].items():
        if "error" in facts:
            protocols = ", ".join(run.record.header["plan"]["views"].get(view, {}).get("protocols", ()))
            error = facts["error"]
            found.append(f"{protocols}: {error['what']}" + (f" ({error['found']})" if "found" in error else ""))
    wanted = {(c.view, c.name) for c in run.columns}
    for view, values in entry["values"].items():
        for name, value in values.items():
            if "reason" in value and (view, name) in wanted:
                found.append(f"{name}: {value['reason']}" + (f", {value['detail']}" if value.get("detail") else ""))
            found += [f"{name}: {flag}" for flag in value.get("flags", ()) if (view, name) in wanted]
    return [_escape.visible(_escape.without_folders(text)) for text in dict.fromkeys(found)]
