"""A picture a metric: every method a row, its value with its interval, every clip a dot behind it. Scalable, and read aloud as words."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports._escape import to_html, visible
from reports._table import number

WIDTH, ROW, TOP, FOOT = 420, 30, 6, 28
LEFT, RIGHT = 112, 76
DOTS = 60
"""Clips up to this many are dots; of more, a bar spans their middle half and a line the 5th to the 95th in a hundred."""
FITTING = 11
"""Letters that surely fit beside a row; more are drawn as narrow as they must be."""
COLOURS = 8
"""Colours of the style sheet, --m0 to --m7."""


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers within [low, high], about `count` of them: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick with as many digits as its step needs."""
    if value == 0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def shorter(text: str, letters: int = 15) -> str:
    """A label that fits; its full text stands in the title."""
    said = visible(text)
    if _letters(said) <= letters:
        return said
    kept = next(k for k in range(len(said), -1, -1) if _letters(said[:k]) <= letters - 1)
    return f"{said[:kept]}…"


def _letters(text: str) -> int:
    """Its width in letters: Chinese, Japanese and Korean ones are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def dots(name: str, rows: Sequence[tuple[str, Mapping[str, Any]]], clips: NDArray[np.float64], identity: str) -> str:
    """An <svg>. rows: (method, its row of scores.json) in order; clips: (methods, cases), NaN = none. identity: unique within the sheet."""
    facts = next(row for _, row in rows if row["value"] is not None)
    numbers = [v for _, r in rows for v in (r["value"], r["ci_low"], r["ci_high"]) if v is not None] + clips[np.isfinite(clips)].tolist()
    low, high = min(numbers), max(numbers)
    if facts["ci_low"] is not None or clips.size:
        room = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
    else:
        room = (high - low) * 0.15 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room
    inside = WIDTH - LEFT - RIGHT
    height = TOP + ROW * len(rows) + FOOT

    def x(value: float) -> str:
        return f"{LEFT + (value - low) / (high - low) * inside:.1f}"

    marks = ticks(low, high)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    bottom = height - FOOT + 4
    parts = [
        f'<svg class="dots" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{identity}-t">',
        f'<title id="{identity}-t">{to_html(_told(name, rows))}</title>',
        '<g class="grid">' + "".join(f'<line x1="{x(m)}" x2="{x(m)}" y1="{TOP - 4}" y2="{bottom}"/>' for m in marks) + "</g>",
        '<g class="ticks">'
        + "".join(f'<text x="{x(m)}" y="{bottom + 17}" text-anchor="middle">{tick_text(m, step)}</text>' for m in marks)
        + "</g>",
    ]
    for k, (method, row) in enumerate(rows):
        y = TOP + ROW * k + ROW / 2
        parts.append(f'<g class="method" data-name="{to_html(method)}" style="--c:var(--m{k % COLOURS})">')
        label = to_html(shorter(method))
        fit = f' textLength="{LEFT - 12}" lengthAdjust="spacingAndGlyphs"' if _letters(shorter(method)) > FITTING else ""
        parts.append(f'<text class="name" x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end"{fit}>{label}</text>')
        values = clips[k][np.isfinite(clips[k])] if clips.size else np.zeros(0)
        parts += _clips(values, x, y)
        if row["value"] is None:
            parts.append(
                f'<text class="none" x="{LEFT + 4}" y="{y + 4:.1f}">{to_html(shorter("unscored: " + row["reason"], 34))}</text></g>'
            )
            continue
        if row["ci_low"] is not None:
            parts.append(f'<line class="interval" x1="{x(row["ci_low"])}" x2="{x(row["ci_high"])}" y1="{y}" y2="{y}"/>')
        hollow = " hollow" if {"incomplete", "rehearsal"} & set(row["flags"]) else ""
        parts.append(f'<circle class="mean{hollow}" cx="{x(row["value"])}" cy="{y}" r="5"/>')
        parts.append(
            f'<text class="value" x="{WIDTH - 2}" y="{y + 4:.1f}" text-anchor="end">{number(row["value"], row["decimals"])}</text></g>'
        )
    return "\n".join([*parts, "</svg>"])


def _clips(values: NDArray[np.float64], x: Any, y: float) -> list[str]:
    if not len(values):
        return []
    if len(values) <= DOTS:
        return ['<g class="clips">' + "".join(f'<circle cx="{x(v)}" cy="{y + 8:.1f}" r="2.4"/>' for v in values) + "</g>"]
    low, first, third, high = (float(v) for v in np.quantile(values, [0.05, 0.25, 0.75, 0.95]))
    width = float(x(third)) - float(x(first))
    return [
        f'<line class="whisker" x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}"/>',
        f'<rect class="half" x="{x(first)}" width="{max(width, 1):.1f}" y="{y - 6}" height="12" rx="3"/>',
    ]


def _told(name: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The picture in words."""
    said = []
    for method, row in rows:
        if row["value"] is None:
            said.append(f"{method} unscored")
            continue
        text = f"{method} {number(row['value'], row['decimals'])}"
        if row["ci_low"] is not None:
            text += f" ({number(row['ci_low'], row['decimals'])} to {number(row['ci_high'], row['decimals'])})"
        said.append(text)
    return f"{name}: " + "; ".join(said)
