"""Metrics of a whole set against the number of clips: few clips make every Frechet distance too large, and by how much differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reports._figures_data import Block, named
from reports._plot_style import GREY, headed, keys, sheet, ticks
from reports._table import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "sets"


def draw(block: Block) -> Figure | str:
    """The figure, or why there is none."""
    from matplotlib.lines import Line2D

    found: dict[str, dict[str, Any]] = {}
    for item in block.record.replicates:
        if item["protocol"] == block.protocol and item["bias"] is not None and named(item) in block.variants:
            found.setdefault(named(item), {})[item["adapter"]] = item
    if not found:
        held = any(item["protocol"] == block.protocol and named(item) in block.variants for item in block.record.replicates)
        return "its set metrics have too few clips to be tried at several sizes" if held else "no metric of a whole set is scored"
    lines = [
        "filled: mean over 4 fixed subsets of so many clips; dashed: least squares in 1 / clips, carried to infinitely many (Chong and Forsyth 2020); "
        "upright: interval over clips, nominal 95 %, which does not hold that bias"
    ]
    limits = {
        name: "→ ∞: " + ", ".join(f"{block.said[m]} {number(items[m]['bias']['limit'], int(block.some(name)['decimals']))}" for m in items)
        for name, items in found.items()
    }
    lines += [f"{name} {said}" for name, said in limits.items()] if max(map(len, found.values())) <= 8 else []
    handles = keys([m for m in block.methods if any(m in items for items in found.values())], block.look)
    handles.append(Line2D([], [], linestyle="", marker="o", markersize=6.5, markerfacecolor="white", color=GREY, label="carried to ∞"))
    made = sheet(len(found), f"{block.heading}: set metrics against clips", block.loud, lines, height=2.9, across=2, handles=handles)
    for axes, (name, items) in zip(made.axes, found.items(), strict=True):
        sizes: set[int] = set()
        for place, method in enumerate(m for m in block.methods if m in items):
            bias, look = items[method]["bias"], block.look[method]
            at, means = 1 / np.array(bias["sizes"], np.float64), np.array(bias["means"], np.float64)
            sizes |= set(bias["sizes"])
            slope = (means.mean() - bias["limit"]) / at.mean()
            axes.plot(
                [0, at.max()],
                [bias["limit"], bias["limit"] + slope * at.max()],
                color=look.color,
                linewidth=1,
                linestyle=(0, (5, 3)),
                alpha=0.8,
            )
            axes.plot(at, means, **look.point, linestyle="", markersize=5, zorder=3)
            axes.plot([0], [bias["limit"]], **look.point, linestyle="", markersize=6.5, markerfacecolor="white", zorder=4, clip_on=False)
            row = block.by[method, name]
            if row["ci_low"] is not None:
                # side by side, else the last would hide the others
                aside = at.min() + 0.008 * at.max() * (place - (len(items) - 1) / 2)
                axes.vlines(aside, row["ci_low"], row["ci_high"], color=look.color, linewidth=1.3, alpha=0.6)
        numbers = _apart(sorted(sizes))
        axes.set_xticks([0, *(1 / n for n in numbers)], ["∞", *map(str, numbers)])
        axes.set_xlim(0, 1.06 / min(sizes))
        axes.invert_xaxis()
        axes.spines["left"].set_visible(True)
        axes.set_xlabel("clips (axis linear in 1 / clips)", fontsize=8)
        ticks(axes, "y", 6)
        some = block.some(name)
        headed(axes, name, some["higher_is_better"], [some["unit"], block.weights(name)], made.across)
    return made.figure


def _apart(sizes: list[int]) -> list[int]:
    """Sizes whose labels do not touch on an axis in 1 / size; the largest is kept."""
    kept = [sizes[-1]]
    room = 0.08 / sizes[0]
    for size in reversed(sizes[:-1]):
        if 1 / size - 1 / kept[-1] >= room:
            kept.append(size)
    return sorted(kept)
