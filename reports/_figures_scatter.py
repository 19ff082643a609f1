"""Do two metrics tell the same? A panel a pair, a point a clip of a method, with Spearman's rank correlation."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from benchmark import statistics
from reports._figures_data import Block
from reports._plot_style import ARROWS, keys, sheet, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "scatter"
MOST = 4
"""Variants that are paired where none were named: six panels."""
RASTER = 4000


def draw(block: Block) -> Figure | str:
    """The figure, or why there is none."""
    shown = _chosen(block)
    if len(shown) < 2:
        return "fewer than two variants have a value by clip"
    pairs = list(combinations(shown, 2))
    counts = [sum(case in block.clips(m, b) for m in block.methods for case in block.clips(m, a)) for a, b in pairs]
    most = max(counts)
    lines = [
        f"{most} points, each one clip of one method; ρ: Spearman's rank correlation over all points, nominal 95 % interval by leaving out clips"
    ]
    left = [name for name in block.with_clips if name not in shown]
    lines += [f"one variant a metric, primary first; not drawn: {', '.join(left)} (--metric chooses)"] if left else []
    across = 2 if len(pairs) in (2, 4) else 3
    handles = keys([m for m in block.methods if any(block.clips(m, name) for name in shown)], block.look)
    made = sheet(len(pairs), f"{block.heading}: metric against metric", block.loud, lines, height=2.25, across=across, handles=handles)
    for axes, (one, other) in zip(made.axes, pairs, strict=True):
        points: list[tuple[float, float, str]] = []
        for method in block.methods:
            a, b = block.clips(method, one), block.clips(method, other)
            mine = [(a[case], b[case], case) for case in block.cases if case in a and case in b]
            points += mine
            if mine:
                many = len(block.cases) * len(block.methods) > 400
                axes.scatter(
                    [x for x, _, _ in mine], [y for _, y, _ in mine], s=4 if many else 18, alpha=0.4 if many else 0.8, linewidths=0,
                    rasterized=len(block.cases) * len(block.methods) > RASTER, **block.look[method].point,
                )  # fmt: skip
        axes.set_title(_said(points, most), fontsize=8.5, loc="left", pad=4)
        for name, put in ((one, axes.set_xlabel), (other, axes.set_ylabel)):
            some = block.some(name)
            put(f"{name} {ARROWS[some['higher_is_better']]}".rstrip() + (f" ({some['unit']})" if some["unit"] else ""), fontsize=8)
        ticks(axes, "x", 4)
        ticks(axes, "y", 5)
    return made.figure


def _chosen(block: Block) -> list[str]:
    """Primary variants, then the first of every metric that is not among them. All of a metric's where no other metric is there."""
    there = block.with_clips
    families: dict[str, str] = {}
    for name in [*(n for n in there if block.some(n).get("primary")), *there]:
        families.setdefault(name.partition("@")[0], name)
    chosen = [name for name in there if name in families.values()]
    order = sorted(chosen, key=lambda name: not block.some(name).get("primary"))
    return (order if len(order) > 1 else there)[:MOST]


def _said(points: list[tuple[float, float, str]], most: int) -> str:
    """rho with its interval; the number of points where others have more."""
    table = np.array([(x, y) for x, y, _ in points]).reshape(-1, 2)
    found = statistics.spearman(table[:, 0], table[:, 1], [case for *_, case in points])
    if found.value is None:
        return f"ρ: none, {found.why}"
    interval = (
        f" [{_two(found.low)}, {_two(found.high)}]" if found.low is not None and found.high is not None else f" (no interval: {found.why})"
    )
    return f"ρ {_two(found.value)}{interval}" + (f", {found.n} points" if found.n < most else "")


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
