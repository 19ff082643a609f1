"""Scores as dots with their intervals: a panel a variant, a row a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports._figures_data import Block
from reports._plot_style import GREY, headed, sheet, ticks, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "dots"


def draw(block: Block) -> Figure | str:
    """The figure, or why there is none."""
    from matplotlib.lines import Line2D

    shown = [name for name in block.variants if any(block.by[m, name]["value"] is not None for m in block.methods if (m, name) in block.by)]
    if not shown:
        return "nothing is scored"
    scored = [row for row in block.rows if row["value"] is not None and f"{row['metric']}@{row['variant']}" in shown]
    counts = sorted({int(row["n_clips"]) for row in scored})
    kinds = sorted({str(row["ci_method"]) for row in scored if row["ci_low"] is not None})
    said = (
        f"{counts[0]} clip{'s' if counts[-1] > 1 else ''}"
        if len(counts) == 1
        else f"{counts[-1]} clips, n at the right where fewer were scored"
    )
    lines = [f"{said}; line: interval over clips ({', '.join(kinds)}), nominal 95 %" if kinds else f"{said}; one clip has no interval"]
    absent: dict[str, list[str]] = {}
    for name in block.variants:
        if name not in shown:
            absent.setdefault(str(block.some(name)["reason"]), []).append(name)
    lines += [f"unscored: {', '.join(variants)} ({why})" for why, variants in absent.items()]
    handles = []
    if any("incomplete" in row["flags"] for row in scored):
        hollow: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 5.5, "markerfacecolor": "white", "color": GREY}
        handles.append(Line2D([], [], label="hollow: not every clip was scored", **hollow))
    made = sheet(
        len(shown),
        f"{block.heading}: scores",
        block.loud,
        lines,
        height=0.62 + 0.19 * max(3, len(block.methods)),
        share=True,
        handles=handles,
    )
    for axes, name in zip(made.axes, shown, strict=True):
        some = block.some(name)
        for place, method in enumerate(block.methods):
            row = block.by.get((method, name))
            look = block.look[method]
            if row is None or row["value"] is None:
                why = "not asked for" if row is None else told(str(row["reason"]), 22)
                axes.text(0.03, place, f"– {why}", transform=axes.get_yaxis_transform(), fontsize=7, color=GREY, va="center")
                continue
            if row["ci_low"] is not None:
                axes.hlines(place, row["ci_low"], row["ci_high"], color=look.color, linewidth=1.6, alpha=0.75)
            inside = "white" if "incomplete" in row["flags"] else look.color
            axes.plot([row["value"]], [place], **look.point, markersize=5.5, markerfacecolor=inside, linestyle="", zorder=3)
            if row["n_clips"] != counts[-1]:
                axes.annotate(
                    f"n {row['n_clips']}",
                    (1.01, place),
                    xycoords=("axes fraction", "data"),
                    fontsize=6.5,
                    color=GREY,
                    va="center",
                    annotation_clip=False,
                )
        axes.set_yticks(range(len(block.methods)), [block.said[m] for m in block.methods])
        axes.set_ylim(len(block.methods) - 0.4, -0.6)
        axes.margins(x=0.08)
        ticks(axes, "x", 4)
        axes.grid(visible=False, axis="y")
        headed(
            axes, name, some["higher_is_better"], [some["unit"], "primary" if some.get("primary") else "", block.weights(name)], made.across
        )
    return made.figure
