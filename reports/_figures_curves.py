"""One clip, frame by frame: a panel a variant, a line a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports._figures_data import Block, curves
from reports._plot_style import headed, keys, sheet, ticks, told
from reports._table import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "curves"


def draw(block: Block) -> Figure | str:
    """The figure, or why there is none."""
    chosen = (block.clip, "asked for") if block.clip is not None else farthest(block)
    if chosen is None:
        return "no clip has a value"
    case, why = chosen
    found = curves(block, case)
    shown = [name for name in block.variants if any((m, name) in found for m in block.methods)]
    if not shown:
        return f"no variant has values by frame of the clip {case}"
    lines = [f"clip ‘{told(case, 60)}’: {why}"]
    seeds = block.record.header["spec"].get("seeds", [0])
    lines += [f"of {len(seeds)} seeds the first that was made"] if len(seeds) > 1 else []
    lacking = [block.said[m] for m in block.methods if not any((m, name) in found for name in shown)]
    lines += [f"without values here: {', '.join(lacking)}"] if lacking else []
    across = 2 if len(shown) in (2, 4) else 3
    present = [m for m in block.methods if any((m, name) in found for name in shown)]
    handles = keys(present, block.look, lines=True)
    made = sheet(len(shown), f"{block.heading}: one clip, frame by frame", block.loud, lines, height=1.75, across=across, handles=handles)
    many = len(block.methods) > 7
    for axes, name in zip(made.axes, shown, strict=True):
        for method in block.methods:
            if (method, name) in found:
                frames, values = found[method, name]
                # a line shows no frame that stands alone: of a clip of one frame, or between frames without a value
                there = np.concatenate([[False], np.isfinite(values), [False]])
                alone = there[1:-1] & ~there[:-2] & ~there[2:]
                if alone.any():
                    colour = block.look[method].line["color"]
                    axes.plot(frames[alone], values[alone], linestyle="", marker="o", markersize=2.5, color=colour)
                axes.plot(frames, values, linewidth=0.8 if many else 1.1, alpha=0.8 if many else 0.95, **block.look[method].line)
        some = block.some(name)
        headed(axes, name, some["higher_is_better"], [some["unit"], block.weights(name)], made.across)
        ticks(axes, "y", 5)
        axes.locator_params(axis="x", nbins=6, integer=True)
        axes.margins(x=0.01)
    for axes in made.bottom:
        axes.set_xlabel("frame of the truth", fontsize=8)
    return made.figure


def farthest(block: Block) -> tuple[str, str] | None:
    """The clip on which the methods lie farthest apart, and the words for it: the range over methods, in standard deviations of the variant over all clips
    and methods, averaged over the variants that have one. The first of equals."""
    spans: dict[str, list[float]] = {}
    ranges: dict[tuple[str, str], tuple[float, float]] = {}
    for name in block.with_clips:
        of = [block.clips(method, name) for method in block.methods]
        sd = float(np.std([value for one in of for value in one.values()]))
        for case in block.cases:
            values = [one[case] for one in of if case in one]
            if values:
                ranges[case, name] = (min(values), max(values))
                spans.setdefault(case, []).append((max(values) - min(values)) / sd if sd else 0.0)
    if not spans:
        return None
    best = max(spans, key=lambda case: float(np.mean(spans[case])))
    if len(block.methods) < 2 or not any(spans[best]):
        return best, "the first; no two methods differ"
    primary = next((n for n in block.with_clips if block.some(n).get("primary") and (best, n) in ranges), None)
    name = primary or next(n for n in block.with_clips if (best, n) in ranges)
    low, high = ranges[best, name]
    decimals = int(block.some(name)["decimals"])
    return best, (
        f"methods lie farthest apart here, {np.mean(spans[best]):.1f} standard deviations on average over variants "
        f"({name} {number(low, decimals)} to {number(high, decimals)})"
    )
