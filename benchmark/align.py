"""Which frame offset (and frame rate) fits: PSNR of small pictures at every offset, common to a method and for each clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.media import VideoInfo, decode, probe
from benchmark.model import Source
from benchmark.request import Request
from benchmark.spec import resolve

SIDE = 64
"""Clips are compared at 64x64, area-averaged: enough to tell frames apart, and every aspect fits."""
RATES = tuple(
    Fraction(r) for r in ("8", "10", "12", "12.5", "15", "16", "20", "23", "24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60")
)
OVERLAP = 0.5
"""An offset is tried where at least this share of the shorter clip's frames meet a partner."""
Grid = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The best offset of one clip or method at one rate. psnr: mean over frames in dB at 64x64; curve: {offset: dB}."""

    offset: int
    psnr: float
    curve: dict[int, float]


def thumbnails(info: VideoInfo, source: Source) -> NDArray[np.float32]:
    """(frames, 64 * 64 * 3) float32 of a clip, area-averaged."""
    import cv2

    rows = [
        cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(-1).astype(np.float32)
        for chunk in decode(info, crop=source.crop)
        for frame in chunk
    ]
    return np.stack(rows)


def distances(generated: NDArray[np.float32], truth: NDArray[np.float32]) -> Grid:
    """(n, m) mean squared error of every output frame with every truth frame, grey levels squared, at least 0.01 so that a dB value exists."""
    g, t = generated.astype(np.float64), truth.astype(np.float64)
    squared = (g**2).sum(1)[:, None] + (t**2).sum(1)[None] - 2 * g @ t.T
    grid: Grid = np.maximum(squared / g.shape[1], 0.01)
    return grid


def curve(grid: Grid, ratio: Fraction, limit: int) -> dict[int, float]:
    """{offset: mean PSNR} for output frames that are `ratio` output frames apart per truth frame; offsets with too little overlap are absent."""
    n, m = grid.shape
    needed = OVERLAP * min(float(n / ratio), m)
    found = {}
    decibels = 10 * np.log10(255.0**2 / grid)
    for offset in range(-limit, limit + 1):
        frames = np.arange(m)
        index = np.floor((frames - offset) * float(ratio) + 0.5).astype(int)
        inside = (index >= 0) & (index < n)
        if inside.sum() >= max(1.0, needed):
            found[offset] = float(decibels[index[inside], frames[inside]].mean())
    return found


def best(curves: list[dict[int, float]]) -> Fit | None:
    """The offset with the best mean PSNR over all clips that share it; ties go to the smaller shift."""
    common = set.intersection(*(set(c) for c in curves)) if curves else set()
    if not common:
        return None
    mean = {k: float(np.mean([c[k] for c in curves])) for k in sorted(common)}
    offset = min(mean, key=lambda k: (-mean[k], abs(k), k))
    return Fit(offset, mean[offset], mean)


def report(request: Request, limit: int) -> Iterator[str]:
    """Lines for the user: per method the best common offset (and the rate that fits best, where rates differ), then each clip's own."""
    import dataclasses

    spec = resolve(dataclasses.replace(request, offsets={}))
    truths: dict[str, tuple[VideoInfo, NDArray[np.float32]]] = {}
    for method in spec.methods:
        if method.adapter:
            continue
        grids: dict[str, Grid] = {}
        pairs: dict[str, tuple[VideoInfo, VideoInfo]] = {}
        for case in spec.cases:
            clip, truth = spec.outputs[method.name, case.id], spec.truths.get(case.id)
            if truth is None or case.truth is None:
                raise InputError("align needs a truth", code="usage", expected="--truth DIR")
            try:
                for one in (truth, clip):
                    if one.error:
                        raise one.error
                if case.id not in truths:
                    info = probe(case.truth.path, fps=case.truth.fps)
                    truths[case.id] = info, thumbnails(info, case.truth)
                info = probe(clip.source.path, fps=clip.source.fps)
                grids[case.id] = distances(thumbnails(info, clip.source), truths[case.id][1])
                pairs[case.id] = info, truths[case.id][0]
            except InputError as error:
                yield f"{method.name}, case {case.id}: {error}"
        if grids:
            yield from _method(method.name, grids, pairs, limit)


def _method(name: str, grids: dict[str, Grid], pairs: dict[str, tuple[VideoInfo, VideoInfo]], limit: int) -> Iterator[str]:
    tried: list[tuple[Fraction | None, Fit, dict[str, dict[int, float]]]] = []
    for rate in _rates(pairs):
        curves = {}
        for case, grid in grids.items():
            truth = pairs[case][1].fps
            curves[case] = curve(grid, rate / truth if rate is not None and truth is not None else Fraction(1), limit)
        fit = best(list(curves.values()))
        if fit is not None:
            tried.append((rate, fit, curves))
    if not tried:
        yield f"{name}: no offset within {limit} frames overlaps enough"
        return
    tried.sort(key=lambda t: -t[1].psnr)
    rate, fit, curves = tried[0]
    near = ", ".join(f"{k}: {fit.curve[k]:.2f}" for k in range(fit.offset - 2, fit.offset + 3) if k in fit.curve)
    own = {case: fitted.offset for case, c in curves.items() if (fitted := best([c])) is not None}
    at = "frame by frame" if rate is None else f"at {float(rate):g} fps"
    yield f"{name}: best common offset {fit.offset} {at}, {fit.psnr:.2f} dB at {SIDE}x{SIDE} over {len(curves)} clip(s)"
    yield f"  PSNR by offset: {near}"
    yield f"  each clip's own: {', '.join(f'{case} -> {offset}' for case, offset in own.items())}"
    if len(tried) > 1:
        yield "  rates tried: " + ", ".join(f"{_rate(r)}: {f.psnr:.2f} dB at offset {f.offset}" for r, f, _ in tried)
    if any(abs(k) == limit for k in [fit.offset, *own.values()]):
        yield f"  an offset at the edge of the search: try --max-offset {2 * limit}"
    changed = any(rate != info.fps for info, _ in pairs.values()) and rate is not None
    options = f"--offset {name}={fit.offset}" + (f" --fps {name}={rate}" if changed else "")
    retime = rate is not None and any(rate != truth.fps for _, truth in pairs.values())
    yield f"  next: hvbench run ... {options}" + (" --protocol strict-1-retime" if retime else "")


def _rate(rate: Fraction | None) -> str:
    return "frame by frame" if rate is None else f"{float(rate):g} fps"


def _rates(pairs: dict[str, tuple[VideoInfo, VideoInfo]]) -> list[Fraction | None]:
    """Rates worth trying: none (frame by frame) where they agree or are unknown; else the file's own, the truth's, and the common rate nearest to
    what the two lengths suggest."""
    out, truth = next(iter(pairs.values()))
    if out.fps is None or truth.fps is None:
        return [None]
    if abs(float(out.fps / truth.fps) - 1) <= 0.001:
        return [out.fps]
    # What the two lengths suggest; among the common rates near it, the one in the simplest ratio to the truth's (30 to 15 rather than 29.97).
    truth_fps, guess = truth.fps, truth.fps * Fraction(out.frames, truth.frames)
    near = [r for r in RATES if abs(float(r / guess) - 1) <= 0.03] or [min(RATES, key=lambda r: abs(float(r / guess) - 1))]
    simplest = min(near, key=lambda r: ((r / truth_fps).denominator, abs(float(r / guess) - 1)))
    return list(dict.fromkeys([out.fps, truth.fps, simplest]))
