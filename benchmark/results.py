"""After the pass: a unit's journal entry and its values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.feature_pass import FeaturePass
from benchmark.hearing import track_rate
from benchmark.jobs import NOT_APPLICABLE, CaseJob, Runner, Track, UnitResult
from benchmark.media import VideoInfo
from benchmark.model import REAL, FeatureVariant, FrameVariant
from benchmark.opening import reference_of, score_opening
from benchmark.registry import registry
from benchmark.rows import ClipVariant, Found, OpeningVariant, RegionVariant


def to_result(runner: Runner, job: CaseJob, truth: VideoInfo | None, features: FeaturePass, seconds: float) -> UnitResult:
    """The journal entry of a unit that has gone through the pass, whatever became of it, with its frame values."""
    unit = runner.job.unit
    entry: dict[str, Any] = {"adapter": unit.adapter, "case": unit.case, "seed": unit.seed}
    if runner.job.adapter:
        entry["made"] = runner.job.adapter
    if runner.job.ready is not None:
        entry["generation"] = runner.job.ready.to_json()
    if runner.info is not None:
        entry["generated"] = {**runner.info.to_json(), "sha256": runner.sha256, "crop": list(runner.box) if runner.box else None}
        if runner.generated:
            entry["generated"]["path"] = runner.generated
    if truth is not None:
        entry["truth"] = {**truth.to_json(), "sha256": job.truth_sha256}
    entry["notes"] = list(runner.notes)
    entry["time"] = {"seconds": round(seconds, 3), "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if runner.error is not None:
        features.drop(runner)
        return UnitResult({**entry, "status": "failed", "error": runner.error.to_json(), "views": {}, "values": {}, "features": {}})
    result = UnitResult({**entry, "status": "scored", "views": {}, "values": {}, "features": features.keys(runner)})
    for view_id, error in runner.view_errors.items():
        result.entry["views"][view_id] = {"error": error.to_json()}
    if truth is None:
        for view in job.views:
            result.entry["views"][view.id] = {"unpaired": True}
            paired = [name for name, _ in (*view.of(FrameVariant), *view.of(FeatureVariant), *view.of(RegionVariant))]
            paired += [name for name, variant in view.of(ClipVariant) if variant.paired]
            result.entry["values"][view.id] = {name: {"reason": NOT_APPLICABLE, "detail": "no truth"} for name in paired}
    for track in runner.tracks:
        features.collect(runner, track)
        if unit.adapter != REAL:
            _score_clip(runner, track, job, truth, features)
            score_opening(runner, track, job, truth)
        if truth is None:
            values = {name: _clip_value(track, name, result) for name in _known(track)}
            result.entry["values"][track.view.id] |= values
            result.frames[track.view.id] = (track.pairing.generated, track.pairing.generated)
            continue
        result.entry["views"][track.view.id] = {"pairing": track.pairing.to_json(), "size": list(track.size)}
        result.frames[track.view.id] = (track.pairing.truth, track.pairing.generated)
        result.entry["values"][track.view.id] = {name: _clip_value(track, name, result) for name in _known(track)}
    return result


def _known(track: Track) -> list[str]:
    """The variants of which something can be said, in order."""
    return [name for name in track.view.variants if name in track.parts or name in track.reasons or name in track.clip_values]


def _score_clip(runner: Runner, track: Track, job: CaseJob, truth: VideoInfo | None, features: FeaturePass) -> None:
    """Variants on the rows of the clip: values by frame go where those of the pass are, a single value stands for itself."""
    for name, variant in track.view.of(ClipVariant):
        if name in track.reasons or (variant.paired and truth is None):
            continue
        try:
            ours, theirs = features.found(runner, track, variant.extractor)
            shown = features.row_of(variant.extractor, reference_of(runner, job, truth)) if variant.reference else None
            found = Found(ours, theirs if variant.paired else None, track.size, track_rate(runner, truth), shown)
            scored = variant.score(found)
            facts = None if variant.tell is None else variant.tell(found)
        except (InputError, Unscored) as error:
            track.reasons[name] = error if isinstance(error, Unscored) else Unscored(error.code, str(error))
            continue
        if facts is not None:
            track.facts[name] = facts
        if np.ndim(scored) == 0:
            track.clip_values[name] = float(scored)
        else:
            track.parts[name] = [np.asarray(scored)]


def _clip_value(track: Track, name: str, result: UnitResult) -> Mapping[str, Any]:
    facts = track.facts.get(name)
    said: dict[str, Any] = {"flags": list(facts.flags), "facts": dict(facts.more)} if facts else {}
    variant: Any = registry().variant(name)[1]
    reason = track.reasons.get(name)
    if reason is None and name in track.clip_values:
        value = track.clip_values[name]
        if np.isfinite(value):
            frames = 1 if isinstance(variant, OpeningVariant) else len(track.pairing.generated)
            return {"value": value, "n_frames": frames, "n_left_out": 0, **said}
        reason = Unscored("not-finite", "the clip's value is not finite")
    if reason is None:
        values = np.concatenate(track.parts[name])
        result.values[track.view.id, name] = values
        try:
            return {**pool(values, variant), **said}
        except Unscored as unscored:
            reason = unscored
    return {"reason": reason.reason, "detail": reason.detail}


def pool(values: NDArray[np.float64], variant: Any) -> dict[str, Any]:
    """Frame values (n,) -> {"value", "n_frames", "n_left_out"}. NaN frames are left out for the variant's stated reason; none left is Unscored by it."""
    kept = values[~np.isnan(values)]
    left_out = getattr(variant, "left_out", "")
    if len(kept) < len(values) and not left_out:
        raise Unscored("not-finite", f"{len(values) - len(kept)} of {len(values)} frames have no finite value")
    if not len(kept):
        raise Unscored(left_out, f"all {len(values)} frames")
    value = float(variant.pool(kept))
    if not np.isfinite(value):
        raise Unscored("not-finite", "the clip's value is not finite")
    return {"value": value, "n_frames": len(kept), "n_left_out": len(values) - len(kept)}
