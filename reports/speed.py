"""What clips cost at several numbers of function evaluations (NFE): a table of rows, a line a generator, and two plots."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmark import statistics
from benchmark.registry import Verb
from reports._profile import PARTS, Line, Panel, Profile, fits, lines, panels, read
from reports._table import FORMATS, Cell, Table, banner, number

REHEARSAL = "rehearsal: rows marked [r] are tiny networks with random weights; their seconds say nothing of the published ones"
NOISE = {"overlap": "[~]", "few": "[?]", "": ""}
NOTES = {
    "[r]": "[r] a rehearsal",
    "[d]": "[d] the evaluations counted, or those the settings come to, are not the nominal number",
    "[~]": "[~] within noise: the quartile ranges of both rows overlap",
    "[?]": "[?] fewer than three runs in one of both rows: how large the noise is cannot be told",
    "[c]": "[c] timed on other clips than the row it is compared with",
}


def table(profile: Profile, found: Sequence[Line], shown: Sequence[Panel] = ()) -> Table:
    """One row a level. Seconds are those of a clip: the median over all runs, and quartiles by numpy's linear rule. Shares are of the seconds of all runs.
    Frames a second count those that are made. Speed-up is median / median. shown: panels whose knees stand below."""
    cells = []
    for line in found:
        counted = _plain(line.nfe) if line.nfe_low == line.nfe_high else f"{_plain(line.nfe_low)}-{_plain(line.nfe_high)}"
        cells.append(
            [
                Cell(line.name, note="[r]" if line.rehearsal else ""),
                Cell(counted, note="" if line.as_stated else "[d]", value=line.nfe),
                Cell(str(line.nominal), value=float(line.nominal)),
                Cell(str(line.runs), value=float(line.runs)),
                *(Cell(digits(value), value=value) for value in (line.median, line.q1, line.q3, line.per_nfe)),
                *(_percent(line.shares[part]) for part in PARTS),
                _percent(line.rest),
                Cell(digits(line.fps), value=line.fps),
                Cell("-") if line.peak_bytes is None else Cell(digits(line.peak_bytes / 2**30), value=line.peak_bytes / 2**30),
                Cell(f"{line.speed_up:.2f}", note=NOISE[line.noise] + ("" if line.same_clips else "[c]"), value=line.speed_up),
            ]
        )
    heads = [
        "row",
        "NFE",
        "nominal",
        "runs",
        "median s",
        "q1 s",
        "q3 s",
        "s/NFE",
        *(_title(p) for p in PARTS),
        "rest",
        "frames/s",
        "peak GiB",
    ]
    marks = {mark for row in cells for cell in row for mark in NOTES if mark in cell.note}
    return Table(_heading(profile), [*heads, "speed-up"], cells, [*_foot(profile, found, shown), *(NOTES[m] for m in NOTES if m in marks)])


def _title(part: str) -> str:
    return "VAE" if part == "vae" else part


def _heading(profile: Profile) -> str:
    return f"{profile.facts['suite']}/{profile.facts['split']} : speed"


def _foot(profile: Profile, found: Sequence[Line], shown: Sequence[Panel]) -> list[str]:
    facts = profile.facts
    against = list(dict.fromkeys(line.against for line in found))
    foot = [
        machine(profile),
        f"seconds of a clip: median and quartiles over {facts['repeats']} timed makings of every clip, {facts['warm_up']} untimed before; "
        f"{len(facts['cases'])} clip(s)",
        "NFE: forwards of the denoiser for one clip, counted; frames/s: those that are made; shares: of the seconds of all runs",
        f"speed-up: median seconds of {' and '.join(against)} over those of the row",
    ]
    lengths = sorted({run.made for row in profile.rows for run in row.runs})
    if len(lengths) > 1:
        foot.append(f"clips of {lengths[0]} to {lengths[-1]} frames are pooled: quartiles hold their spread too")
    if any(line.peak_bytes is None for line in found):
        foot.append("peak GiB: - where the device does not tell")
    other = [row.name for row in profile.rows if any(run.same_frames is False for run in row.runs)]
    if other:
        foot.append(f"made again, a clip is not the record's to the bit: {', '.join(other)}")
    for generator, rows in profile.generators.items():
        knees: dict[str, list[str]] = {}
        for panel in shown:
            if generator in panel.knees:
                knees.setdefault(f"NFE {_plain(panel.knees[generator].nfe)}", []).append(_panel_name(panel, shown))
        said = "; ".join(f"{at} ({', '.join(names)})" for at, names in knees.items())
        if shown:
            levels = len({row.nfe for row in rows})
            foot.append(f"knee of {generator}: {said or ('none' if levels > 2 else f'none, {levels} level(s) of three at least')}")
    if shown:
        foot.append(
            "knee: the level farthest above the chord from first to last (Kneedle, 2011); none where the intervals of those two overlap"
        )
    return foot


def machine(profile: Profile) -> str:
    """One line: every fact of the machine that is set, torch's and diffusers' versions, the revision."""
    facts = profile.facts
    words = [f"{key} {_said(value)}" for key, value in facts["machine"].items() if value not in (None, "", [], {})]
    words += [f"{name} {version}" for name, version in facts["packages"].items() if name in ("torch", "diffusers") and version]
    if revision := facts["git"].get("revision"):
        words.append(f"revision {revision[:8]}{' with changes' if facts['git'].get('dirty') else ''}")
    return "machine: " + ", ".join(words)


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_said(inner)}" for key, inner in value.items())
    return " + ".join(map(_said, value)) if isinstance(value, list) else str(value)


def lines_table(profile: Profile, found: Mapping[str, statistics.Fit]) -> Table:
    """seconds = fixed cost + slope * NFE by least squares over the runs, one row a generator."""
    cells, foot = [], []
    for name, rows in profile.generators.items():
        if name not in found:
            foot.append(f"{name}: no line, which needs two different NFE")
            continue
        line = found[name]
        cells.append(
            [
                Cell(name, note="[r]" if any(row.rehearsal for row in rows) else ""),
                Cell(str(line.levels), value=float(line.levels)),
                Cell(str(line.points), value=float(line.points)),
                Cell(digits(line.base), value=line.base),
                Cell(digits(line.each), value=line.each),
                Cell("-") if line.r2 is None else Cell(f"{line.r2:.4f}", value=line.r2),
            ]
        )
        if line.base < 0 or line.each <= 0:
            foot.append(f"{name}: this line is no cost (below 0): time was noise, or does not follow NFE")
        if line.points == 2:
            foot.append(f"{name}: a line through two points fits by itself, R2 says nothing")
    return Table("seconds = fixed + slope * NFE", ["generator", "levels", "runs", "fixed s", "slope s/NFE", "R2"], cells, foot)


def flat(whole: Table, profile: Profile, found: Sequence[Line], drawn: Mapping[str, statistics.Fit]) -> Table:
    """The table with the generator's line in every row, for a spreadsheet: marks are columns."""
    rows = []
    for line, cells in zip(found, whole.rows, strict=True):
        of = drawn.get(line.generator)
        values = (None, None, None) if of is None else (of.base, of.each, of.r2)
        rows.append(
            [
                *cells,
                Cell(line.against),
                Cell({"overlap": "within", "few": "unknown", "": ""}[line.noise]),
                Cell(line.generator),
                *(Cell("-" if value is None else "", value=value) for value in values),
                Cell("yes" if line.rehearsal else "no"),
            ]
        )
    heads = [*whole.columns, "against", "noise", "generator", "fixed s", "slope s/NFE", "R2", "rehearsal"]
    return Table(whole.title, heads, rows, whole.footnotes)


def to_json(profile: Profile, found: Sequence[Line], drawn: Mapping[str, statistics.Fit], shown: Sequence[Panel]) -> str:
    """All numbers with the machine they are of."""
    data = {
        **{key: profile.facts[key] for key in ("machine", "packages", "git", "suite", "split", "cases", "warm_up", "repeats")},
        "rehearsal": any(line.rehearsal for line in found),
        "rows": [asdict(line) for line in found],
        "lines": {name: asdict(line) for name, line in drawn.items()},
        "knees": [
            {"protocol": panel.protocol, "metric": panel.name, "generator": generator, "row": point.row, "nfe": point.nfe}
            for panel in shown
            for generator, point in panel.knees.items()
        ],
    }
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1)


def digits(value: float, count: int = 3) -> str:
    """Three significant digits without an exponent: 0.0123, 1.23, 12.3, 1234."""
    return number(value, max(0, count - 1 - math.floor(math.log10(abs(value))))) if value and math.isfinite(value) else "0"


def _plain(value: float) -> str:
    return f"{value:g}"


def _percent(share: float | None) -> Cell:
    return Cell("-") if share is None else Cell(f"{100 * share:.0f} %", value=share)


def _panel_name(panel: Panel, shown: Sequence[Panel]) -> str:
    """The variant, with its protocol where there are several."""
    return panel.name if len({p.protocol for p in shown}) == 1 else f"{panel.name} {panel.protocol}"


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory with a profile.json")
    parser.add_argument("--against", metavar="NAME", help="the row to compare with (default: each generator's row of the largest NFE)")
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write speed.svg, quality.svg and both as .png here")


def _run(arguments: argparse.Namespace) -> int:
    profile = read(Path(arguments.run))
    found, drawn, shown = lines(profile, arguments.against), fits(profile), panels(profile)
    whole = table(profile, found, shown)
    form = arguments.format
    if form == "json":
        print(to_json(profile, found, drawn, shown))
    elif form == "csv":
        print(flat(whole, profile, found, drawn).render(form))
    else:
        blocks = [banner(REHEARSAL, form)] if any(line.rehearsal for line in found) else []
        straight = lines_table(profile, drawn)
        if not straight.rows:
            whole = replace(whole, footnotes=[*whole.footnotes, *straight.footnotes])
        blocks += [t.render(form, colour=form == "terminal" and sys.stdout.isatty()) for t in (whole, straight) if t.rows]
        print("\n\n".join(blocks))
    if arguments.plots is not None:
        from reports._speed_plots import write

        for path in write(profile, drawn, shown, Path(arguments.plots)):
            print(f"written: {path}", file=sys.stderr)
    return 0


VERB = Verb(name="speed", summary="what clips cost at several numbers of function evaluations", configure=_configure, run=_run)
