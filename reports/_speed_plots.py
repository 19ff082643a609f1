"""Two plots of a profile: seconds over NFE, quality over NFE. Colours are Okabe and Ito's, and every generator has a marker of its own, smaller than
the one before it, so that none hides another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import statistics
from reports._plot_style import COLOURS, DIRECTIONS, MARKERS, head, label, save, style, told
from reports._profile import Panel, Profile
from reports.speed import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NFE = "function evaluations a clip (NFE, counted)"
ACROSS = 3
"""Panels in a row."""


def write(
    profile: Profile, fits: Mapping[str, statistics.Fit], panels: Sequence[Panel], folder: Path, forms: Sequence[str] = ("svg", "png")
) -> Iterator[Path]:
    """speed.svg and .png, and where there are scores quality.svg and .png. forms: these instead. Raises InputError (`not-installed`) without matplotlib."""
    with style():
        for name, figure in (("speed", speed(profile, fits)), ("quality", quality(profile, panels) if panels else None)):
            if figure is None:
                continue
            for form in forms:
                yield save(figure, folder / f"{name}.{form}", form)


def _looks(profile: Profile) -> dict[str, dict[str, Any]]:
    """Colour, marker and sizes of every generator, the same in both plots."""
    return {
        name: {
            "color": COLOURS[k % len(COLOURS)],
            "marker": MARKERS[k % len(MARKERS)],
            "markersize": max(3.5, 8 - 1.5 * k),
            "linewidth": max(1.0, 2.6 - 0.5 * k),
        }
        for k, name in enumerate(profile.generators)
    }


def _legend(figure: Figure, ours: list[Any], general: list[Any]) -> None:
    """The generators in the first column, what is drawn for all of them in the second."""
    from matplotlib.lines import Line2D

    empty = Line2D([], [], linestyle="", label=" ")
    longest = max(len(ours), len(general))
    columns = [*ours, *[empty] * (longest - len(ours)), *general, *[empty] * (longest - len(general))] if general else ours
    figure.legend(handles=columns, loc="outside lower left", fontsize=9, ncols=2 if general else 1)


def _headed(figure: Figure, profile: Profile, title: str) -> None:
    """Title, and below it in words what is drawn from a rehearsal, and on what it was timed."""
    machine = profile.facts["machine"]
    gpus = machine.get("gpus") or []
    named = [str(gpu.get("name", gpu) if isinstance(gpu, Mapping) else gpu) for gpu in (gpus if isinstance(gpus, list) else [gpus])]
    on = ", ".join(named) if named and machine.get("device") != "cpu" else str(machine.get("cpu") or machine.get("device") or "")
    rehearsed = sorted(name for name, rows in profile.generators.items() if any(row.rehearsal for row in rows))
    about = f"{profile.facts['suite']}/{profile.facts['split']}, {on}"
    loud = ["REHEARSAL, tiny networks with random weights: " + ", ".join(map(_name, rehearsed))] if rehearsed else []
    head(figure, title, loud, [told(about, None)])


def _name(text: str) -> str:
    return told(text, None)


def speed(profile: Profile, fits: Mapping[str, statistics.Fit]) -> Figure:
    """Every run a point, medians joined, the least-squares line dashed down to its fixed cost at NFE 0."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    keys = []
    widest = max(run.nfe for row in profile.rows for run in row.runs)
    for name, look in _looks(profile).items():
        rows = sorted(profile.generators[name], key=lambda row: row.nfe)
        runs = [run for row in rows for run in row.runs]
        at, took = [run.nfe for run in runs], [run.seconds["total"] for run in runs]
        axes.scatter(at, took, s=26, alpha=0.45, linewidths=0, zorder=3, color=look["color"], marker=look["marker"])
        axes.plot([row.nfe for row in rows], [statistics.times(row.seconds).median for row in rows], linewidth=1.8, color=look["color"])
        said = "one NFE, no line"
        if (line := fits.get(name)) is not None:
            axes.plot([0, widest], [line.base, line.base + line.each * widest], color=look["color"], linewidth=1.1, linestyle=(0, (5, 4)))
            r2 = "not defined" if line.r2 is None else f"{line.r2:.4f}"
            said = f"{digits(line.base)} s + {digits(line.each)} s per NFE, R² {r2}"
        keys.append(Line2D([], [], linewidth=1.8, marker=look["marker"], color=look["color"], label=label(f"{_name(name)}:  {said}")))
    grey: dict[str, Any] = {"color": "#555555"}
    general = [
        Line2D([], [], linestyle="", marker="o", alpha=0.45, markersize=5, label="one run", **grey),
        Line2D([], [], linewidth=1.8, label="medians", **grey),
    ]
    if fits:
        general.append(Line2D([], [], linewidth=1.1, linestyle=(0, (5, 4)), label="least squares over the runs", **grey))
    axes.set(xlabel=NFE, ylabel="seconds a clip")
    axes.set_xlim(left=0)
    _from_zero(axes, [line.base for line in fits.values()])
    _headed(figure, profile, "Seconds over function evaluations")
    _legend(figure, keys, general)
    return figure


def _from_zero(axes: Axes, bases: Sequence[float]) -> None:
    """Seconds begin at 0, unless a fitted fixed cost lies below."""
    if min(bases, default=0.0) >= 0:
        axes.set_ylim(bottom=0)


def quality(profile: Profile, panels: Sequence[Panel]) -> Figure:
    """A panel a variant: values with their intervals over NFE, the knee in a ring."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(max(6.4, 3.9 * across), 2.9 * down + 1.6), layout="constrained")
    looks = _looks(profile)
    several = len({panel.protocol for panel in panels}) > 1
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(down, across, number + 1)
        for name, points in panel.curves.items():
            look = looks[name]
            at, values = [p.nfe for p in points], [p.value for p in points]
            axes.plot(at, values, **look)
            for p in points:
                if p.low is not None and p.high is not None:
                    axes.vlines(p.nfe, p.low, p.high, color=look["color"], linewidth=1, alpha=0.6)
            if (knee := panel.knees.get(name)) is not None:
                ring = look["markersize"] + 8
                axes.plot([knee.nfe], [knee.value], marker="o", markersize=ring, markerfacecolor="none", color=look["color"], linewidth=0)
        arrow = DIRECTIONS[panel.higher_is_better]
        axes.set_title(panel.name + (f"  ({panel.protocol})" if several else "") + f"\n{arrow}", fontsize=10, loc="left")
        axes.set_ylabel(panel.unit or "score")
        if number >= len(panels) - across:
            axes.set_xlabel(NFE if across < 3 else "NFE")
        axes.set_xlim(left=0)
        axes.margins(y=0.15)
    drawn = [name for name in looks if any(name in panel.curves for panel in panels)]
    keys = [Line2D([], [], label=label(_name(name)), **looks[name]) for name in drawn]
    general = []
    grey: dict[str, Any] = {"color": "#555555"}
    if any(panel.knees for panel in panels):
        general.append(Line2D([], [], linestyle="", marker="o", markersize=11, markerfacecolor="none", label="knee of the curve", **grey))
    if any(p.low is not None for panel in panels for points in panel.curves.values() for p in points):
        general.append(Line2D([], [], linestyle="", marker="|", markersize=11, label="interval over clips, nominal 95 %", **grey))
    _headed(figure, profile, "Quality over function evaluations")
    _legend(figure, keys, general)
    return figure
