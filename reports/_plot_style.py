"""One look for all plots. Colours are Okabe and Ito's, and every method has a marker of its own, so that nothing is told by colour alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError
from benchmark.paths import write_atomic
from reports import _escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008): apart for every kind of colour vision; without their yellow, which is weak on white."""
MARKERS = "osD^vPX"
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
GREY = "#555555"
LOUD = "#8f1d00"
"""What must not be missed: rehearsals, drawn people."""
ARROWS = {True: "↑", False: "↓", None: ""}
DIRECTIONS = {True: "↑ higher is better", False: "↓ lower is better", None: "no better side"}
LONGEST = 26
"""Letters of a name that fit beside a panel."""
OTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans JP",
    "WenQuanYi Zen Hei",
    "IPAGothic",
    "Droid Sans Fallback",
)
"""For what the font that matplotlib brings has not: the first that is installed."""


@contextmanager
def style() -> Iterator[None]:
    """Names are printed as they stand (`$` starts no formula); the same numbers give the same bytes. Raises InputError (`not-installed`) without
    matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise InputError(
            "matplotlib is not installed",
            code="not-installed",
            found=str(error),
            hint="python -m pip install 'human-video-benchmark[report]'",
        ) from error
    settings: Any = {
        "text.parse_math": False,
        "text.usetex": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "speed",
        "pdf.fonttype": 42,
        "font.family": list(_fonts()),
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.unicode_minus": True,
        "axes.formatter.limits": (-3, 5),
        "grid.color": "#e4e4e4",
        "axes.axisbelow": True,
        "axes.edgecolor": "#999999",
        "xtick.color": "#999999",
        "ytick.color": "#999999",
        "xtick.labelcolor": "black",
        "ytick.labelcolor": "black",
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "legend.frameon": False,
    }
    with mpl.rc_context(settings):
        yield


def save(figure: Figure, path: Path, form: str) -> Path:
    """Whole or not at all; without the time it was made. form: svg, pdf or png."""
    if figure.get_layout_engine() is not None:
        # laid out once, for all forms alike
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    held = io.BytesIO()
    without: dict[str, Any] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    figure.savefig(held, format=form, dpi=160, metadata=without[form])
    write_atomic(path, held.getvalue())
    return path


def label(text: str) -> str:
    """A legend leaves out what begins with an underscore; a space before it is not seen."""
    return f" {text}" if text.startswith("_") else text


def told(text: str, longest: int | None = LONGEST) -> str:
    """A name that can be drawn: control characters and what no font has as escapes, the middle of a long one left out."""
    known = _letters()
    said = "".join(c if ord(c) in known else c.encode("unicode_escape").decode("ascii") for c in _escape.visible(text))
    if longest and len(said) > longest:
        said = said[: longest - 9] + "…" + said[-8:]
    return said


def names(words: Iterable[str]) -> dict[str, str]:
    """How each is told; two that would be told alike get a number."""
    found: dict[str, str] = {}
    for word in words:
        said, count = told(word), 1
        while said in found.values():
            count += 1
            said = f"{told(word)} ({count})"
        found[word] = said
    return found


@lru_cache(maxsize=1)
def _fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ("DejaVu Sans", *[name for name in OTHER_FONTS if name in installed][:1])


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    """Every character that some font has."""
    from matplotlib.font_manager import findfont, get_font

    found: set[int] = set()
    for name in _fonts():
        found |= set(get_font(findfont(name)).get_charmap())
    return frozenset(found)


@dataclass(frozen=True)
class Look:
    """How a method is drawn, in every figure alike."""

    color: str
    marker: str
    dash: Any

    @property
    def point(self) -> dict[str, Any]:
        """For a single mark."""
        return {"color": self.color, "marker": self.marker}

    @property
    def line(self) -> dict[str, Any]:
        """For a curve."""
        return {"color": self.color, "linestyle": self.dash}


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """By place: colour first; the eighth has the first's colour, another marker and another dash."""
    return {
        name: Look(COLOURS[k % len(COLOURS)], MARKERS[(k + k // len(COLOURS)) % len(MARKERS)], DASHES[k // len(COLOURS) % len(DASHES)])
        for k, name in enumerate(methods)
    }


@dataclass(frozen=True)
class Sheet:
    """A figure under construction: panels in rows, words above, a legend below."""

    figure: Figure
    axes: list[Axes]
    across: int

    @property
    def bottom(self) -> list[Axes]:
        """Panels with none below."""
        return self.axes[-self.across :]


def sheet(
    count: int,
    heading: str,
    loud: Sequence[str],
    lines: Sequence[str],
    *,
    height: float,
    across: int = 3,
    share: bool = False,
    handles: Sequence[Any] = (),
) -> Sheet:
    """An empty figure of `count` panels, each `height` inches high. loud: what must not be missed, first and dark red. share: panels of a row have the left
    one's y axis. handles: the legend below, for which there is room."""
    from matplotlib.figure import Figure

    across = max(1, min(across, count))
    width = {1: 5.2, 2: 6.0}.get(across, 7.2)
    down = -(-count // across)
    longest = max((len(str(one.get_label())) for one in handles), default=0)
    columns = max(1, min(5, len(handles), int(width * 12.5 / (longest + 6))))
    room = 0.19 * -(-len(handles) // columns) + 0.1 if handles else 0.06
    figure = Figure(figsize=(width, down * height + room), layout="constrained")
    head(figure, heading, loud, lines)
    figure.get_layout_engine().set(hspace=0.04, wspace=0.05)  # type: ignore[union-attr, call-arg]
    if handles:
        figure.legend(handles=list(handles), loc="outside lower left", fontsize=8, ncols=columns, handlelength=2.2, columnspacing=1.4)
    axes: list[Axes] = []
    for k in range(count):
        left = axes[k - k % across] if share and k % across else None
        one = figure.add_subplot(down, across, k + 1, sharey=left)
        one.tick_params(labelsize=8)
        if left is not None:
            one.tick_params(labelleft=False)
        axes.append(one)
    return Sheet(figure, axes, across)


def head(figure: Figure, heading: str, loud: Sequence[str], lines: Sequence[str]) -> None:
    """A title and small lines above what is there: the sheet grows by their height. loud: first of the lines and dark red."""
    width, height = figure.get_size_inches()
    heads = _wrapped(heading, width - 0.2, 11, "bold")
    words = [(piece, LOUD) for line in loud for piece in _wrapped(line, width - 0.2, 7.5)]
    words += [(piece, GREY) for line in lines for piece in _wrapped(line, width - 0.2, 7.5)]
    top = 0.14 + 0.2 * len(heads) + 0.148 * len(words)
    total = height + top
    figure.set_size_inches(width, total)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, 0, 1, 1 - top / total))
    for k, line in enumerate(heads):
        figure.text(0.08 / width, 1 - (0.08 + 0.2 * k) / total, line, fontsize=11, fontweight="bold", va="top")
    for k, (line, colour) in enumerate(words):
        figure.text(0.08 / width, 1 - (0.12 + 0.2 * len(heads) + 0.148 * k) / total, line, fontsize=7.5, color=colour, va="top")


def _wrapped(text: str, inches: float, size: float, weight: str = "normal") -> list[str]:
    """Lines that are no wider than that, broken at spaces, inside a word only where it alone is wider."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
    font.set_size(size, 72)

    def fits(line: str) -> bool:
        font.set_text(line, 0.0)
        return bool(font.get_width_height()[0] / 64 / 72 <= inches)

    lines: list[str] = []
    held = ""
    for word in text.split():
        wider = f"{held} {word}" if held.strip() else held + word
        if fits(wider):
            held = wider
            continue
        lines += [held] if held.strip() else []
        held = ("  " if lines else "") + word
        while not fits(held) and len(held) > 4:
            cut = next(k for k in range(len(held) - 1, 2, -1) if fits(held[:k]) or k == 3)
            lines.append(held[:cut])
            held = "  " + held[cut:]
    return [*lines, held] if held.strip() else lines


def headed(axes: Axes, name: str, higher_is_better: bool | None, more: Sequence[str], across: int) -> None:
    """A panel's title: variant and arrow; below it, small, its unit and what else must be said."""
    said = f"{name} {ARROWS[higher_is_better]}".rstrip()
    small = ", ".join(word for word in more if word)
    size = 8.5 * min(1.0, {1: 50, 2: 34}.get(across, 22) / len(said))
    axes.set_title(said, fontsize=max(5.5, size), loc="left", pad=14)
    axes.annotate(
        small, (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points", fontsize=7, color=GREY, annotation_clip=False
    )


def ticks(axes: Axes, which: str, most: int) -> None:
    """Few, and each by itself: no factor of ten in a corner. which: x or y."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    low, high = sorted(axis.get_view_interval())
    if max(abs(low), abs(high)) < 1e-2 or max(abs(low), abs(high)) >= 1e5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _short(value: float) -> str:
    said, _, power = f"{value:.3g}".partition("e")
    return (f"{said}e{int(power)}" if power else said).replace("-", "−")


def keys(shown: Sequence[str], look: dict[str, Look], *, lines: bool = False) -> list[Any]:
    """Legend entries of methods. lines: with their dash instead of their marker."""
    from matplotlib.lines import Line2D

    said = names(look)
    return [
        Line2D([], [], linewidth=1.5, label=label(said[m]), **look[m].line)
        if lines
        else Line2D([], [], linestyle="", markersize=5.5, label=label(said[m]), **look[m].point)
        for m in shown
    ]
