"""What a row of scores.json says, in words: shared by the tables that print rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from benchmark import statistics
from reports._table import number

K = TypeVar("K")
SAID = {"rehearsal": "rehearsal: a stand-in for the model made the clips, no result"}
"""What a flag says where its name says too little."""
POOLING = {"clips": "mean over frames, then clips", "frames": "every frame weighs the same"}
"""What a protocol's pooling is called."""
Rows = Mapping[tuple[str, str], Mapping[str, Any]]
"""(who, variant) -> row of scores.json."""
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


def worth_a_column(variants: list[str], methods: list[str], by: Rows) -> tuple[list[str], dict[str, list[str]]]:
    """Variants with a value somewhere; and by reason those that every method lacks alike, which a footnote tells. All of them where nothing is scored."""
    absent: dict[str, list[str]] = {}
    for name in variants:
        reasons = {why(by[method, name]) if by[method, name]["value"] is None else "" for method in methods}
        if len(reasons) == 1 and (reason := reasons.pop()):
            absent.setdefault(reason, []).append(name)
    hidden = {name for names in absent.values() for name in names}
    kept = [name for name in variants if name not in hidden]
    return (kept, absent) if kept else (variants, {})


def intervals(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What `±` is, for each way an interval was made, with its simulated coverage at the fewest clips."""
    foot = []
    for method in sorted({row["ci_method"] for row in rows if row["ci_low"] is not None}):
        n = min(row["n_clips"] for row in rows if row["ci_method"] == method and row["ci_low"] is not None)
        simulated = statistics.coverage(method, n)
        said = f" (simulated at {simulated[0]} clips: {simulated[1]:.0f} %, skewed values {simulated[2]:.0f} %)" if simulated else ""
        foot.append(f"±: half the {method} interval over clips, nominal 95 %{said}")
    return foot
