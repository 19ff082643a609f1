"""Clip scores: a panel a variant, a row a method, a dot a clip, quartiles behind them; a clip's dots joined where clips are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports._figures_data import Block
from reports._plot_style import headed, sheet, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "distributions"
JOINED = 20
"""Up to so many clips are joined from method to method."""
RASTER = 4000
"""Beyond so many dots a vector file holds them as a picture."""
GOLDEN = 0.6180339887498949


def draw(block: Block) -> Figure | str:
    """The figure, or why there is none."""
    shown = block.with_clips
    if not shown:
        return "no variant has a value by clip"
    most = max(len(block.clips(m, name)) for m in block.methods for name in shown)
    joined = most <= JOINED and len(block.methods) > 1
    lines = [
        f"a dot is a clip ({most}), mean over frames; box: quartiles and median"
        + ("; grey line: the same clip under the next method" if joined else "")
    ]
    if any(len(block.clips(m, name)) < most for m in block.methods for name in shown):
        lines.append("rows with fewer clips: some were not scored")
    rows = len(block.methods)
    made = sheet(
        len(shown),
        f"{block.heading}: clips",
        block.loud,
        lines,
        height=0.62 + (0.27 if rows < 12 else 0.21) * max(3, rows),
        across=3,
        share=True,
    )
    dots = sum(len(block.clips(m, name)) for m in block.methods for name in shown)
    for axes, name in zip(made.axes, shown, strict=True):
        of = [block.clips(method, name) for method in block.methods]
        if joined:
            for case in block.cases:
                path = [(one[case], place) for place, one in enumerate(of) if case in one]
                axes.plot([x for x, _ in path], [y for _, y in path], color="#bbbbbb", linewidth=0.6, zorder=1)
        for place, (method, one) in enumerate(zip(block.methods, of, strict=True)):
            if not one:
                axes.text(0.03, place, "–", transform=axes.get_yaxis_transform(), fontsize=8, va="center")
                continue
            values = np.array(list(one.values()))
            low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
            # few dots stand on the box, many would hide it
            many = most > 100
            axes.barh(place, high - low, left=low, height=0.62, color="#e9e9e9", edgecolor="#c4c4c4", linewidth=0.6, zorder=0.5)
            axes.barh(
                place, high - low, left=low, height=0.62, color="none", edgecolor="#333333", linewidth=0.7, zorder=3
            ) if many else None
            axes.vlines(middle, place - 0.31, place + 0.31, color="black" if many else "#777777", linewidth=1.2, zorder=3 if many else 0.6)
            # many dots are spread over the row's height by a sequence that fills it evenly; nothing is drawn at random
            shift = np.zeros(len(values)) if most <= JOINED else 0.5 * (np.arange(1, len(values) + 1) * GOLDEN % 1) - 0.25
            axes.scatter(
                values, place + shift, s=16 if most <= JOINED else 2 if many else 8, alpha=0.85 if most <= JOINED else 0.25 if many else 0.5,
                linewidths=0, zorder=2, rasterized=dots > RASTER, **block.look[method].point,
            )  # fmt: skip
        axes.set_yticks(range(rows), [block.said[m] for m in block.methods])
        axes.set_ylim(rows - 0.4, -0.6)
        ticks(axes, "x", 4)
        axes.grid(visible=False, axis="y")
        some = block.some(name)
        headed(axes, name, some["higher_is_better"], [some["unit"], block.weights(name)], made.across)
    return made.figure
