"""What a row of scores.json says, in words: shared by the tables that print rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from reports._table import number

K = TypeVar("K")
SAID = {"rehearsal": "rehearsal: a stand-in for the model made the clips, no result"}
"""What a flag says where its name says too little."""
MARKS = "abcdefghijklmnopqrstuvwxyz"


def name_of(row: Mapping[str, Any]) -> str:
    """`metric@variant`."""
    return f"{row['metric']}@{row['variant']}"


def arrow(row: Mapping[str, Any]) -> str:
    """Which direction is better."""
    return {True: " ↑", False: " ↓", None: ""}[row["higher_is_better"]]


def half(row: Mapping[str, Any]) -> str:
    """` ±0.02`: half its interval, or nothing."""
    return "" if row["ci_low"] is None else f" ±{number((row['ci_high'] - row['ci_low']) / 2, row['decimals'])}"


def why(row: Mapping[str, Any]) -> str:
    """The reason for no value."""
    return f"{row['reason']}: {row['detail']}" if row["detail"] else str(row["reason"])


def remarks(row: Mapping[str, Any]) -> str:
    """What must be known beside a value: its flags, and frames left out."""
    flags = [SAID.get(flag, flag) for flag in row["flags"] if flag != "incomplete"]
    if "incomplete" in row["flags"]:
        flags.append("incomplete: over the scored clips only")
    if row["n_left_out"]:
        flags.append(f"{row['n_left_out']} frames left out")
    return ", ".join(flags)


def mark(text: str, notes: dict[str, str]) -> str:
    """The footnote mark of a text: the same text, the same mark."""
    if text not in notes:
        notes[text] = f"[{MARKS[len(notes)] if len(notes) < len(MARKS) else len(notes)}]"
    return notes[text]


def places(values: Mapping[K, float], higher_is_better: bool | None) -> dict[K, int]:
    """{who: 1 or 2} of the two best values; ties share a place. Nothing where fewer than two have a value or neither direction is better."""
    if len(values) < 2 or higher_is_better is None:
        return {}
    best = sorted(set(values.values()), reverse=higher_is_better)[:2]
    return {who: best.index(value) + 1 for who, value in values.items() if value in best}
