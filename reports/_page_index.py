"""The first sheet of a page: tables, a picture a metric, the list of clips, where all of it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from reports._escape import to_html
from reports._page_cards import card_id, protocol_card, provenance
from reports._page_data import Column, Run
from reports._page_svg import dots
from reports._ranks import rank_table
from reports._rows import SAID
from reports.show import tables

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; img-src 'self' file: data:; "
    "media-src 'self' file: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
"""What a sheet may load: its own files, and nothing from any other host."""
RANKED = 8
"""Methods at most whose places are worked out."""
ARROWS = {True: ("↑", "higher is better"), False: ("↓", "lower is better"), None: ("", "no better side")}


def sheet(title: str, body: str, scripts: Sequence[str], name: str) -> str:
    """A whole HTML file."""
    loaded = "\n".join(f'<script src="{source}"></script>' for source in scripts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{to_html(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/page.css">
<script src="assets/theme.js"></script>
</head>
<body class="{name}">
{body}
{loaded}
</body>
</html>
"""


def _bar(inside: str) -> str:
    return (
        '<a class="skip" href="#main">To the content</a>\n'
        f'<header class="bar"><a class="home" href="index.html">Human video benchmark</a>{inside}'
        '<button type="button" class="theme" id="theme" aria-label="Light or dark">◐</button></header>'
    )


def index(runs: Sequence[Run], left_out: Sequence[str]) -> str:
    """index.html. left_out: records that could not be read, each with its reason."""
    several = len(runs) > 1
    links = "".join(
        f'<a href="#{part}">{word}</a>' for part, word in (("numbers", "Numbers"), ("clips", "Clips"), ("origin", "Provenance"))
    )
    title = ", ".join(dict.fromkeys(run.title for run in runs))
    parts = [_bar(f'<nav aria-label="Parts of the page">{links}</nav>'), '<main id="main">', f"<h1>{to_html(title)}</h1>"]
    parts += [f'<p class="warning" role="note">Left out: {to_html(text)}</p>' for text in left_out]
    parts.append(
        '<noscript><p class="warning">Without JavaScript the tables and pictures are whole; sorting, clips and videos are not there.</p></noscript>'
    )
    parts.append(
        '<section id="numbers" aria-label="Numbers"><div class="tools"><label>Methods <input type="search" id="filter" '
        'placeholder="part of a name" autocomplete="off"></label><span id="filtered" role="status"></span></div>'
    )
    for run in runs:
        parts += _run(run, several)
    parts.append("</section>")
    parts.append(_clips(runs))
    parts.append('<section id="origin"><h2>Provenance</h2>')
    for run in runs:
        parts.append((f"<h3>{to_html(run.title)} <code>{to_html(run.name)}</code></h3>" if several else "") + provenance(run))
    parts.append(
        "</section></main><footer><p>Made from the record alone. Every clip, weight and setting that decided a number is named above by its hash.</p></footer>"
    )
    return sheet(f"{title}: scores", "\n".join(parts), ["assets/hvb.js", "data/index.js", "assets/index.js"], "on-index")


def _run(run: Run, several: bool) -> list[str]:
    header = run.record.header
    parts = [f'<section class="run" id="run-{run.number}">']
    if several:
        parts.append(f"<h2>{to_html(run.title)} <code>{to_html(run.name)}</code></h2>")
    parts.append(f'<p class="lede">{to_html(header["suite"].get("title") or "")}. {len(run.methods)} methods, {len(run.cases)} clips.</p>')
    parts += [f'<p class="warning" role="note">{to_html(text)}</p>' for text in _warnings(run)]
    protocols = {p["id"]: p for p in header["protocols"]}
    shown = {table.title.rsplit(" : ", 1)[-1]: table for table in tables(run.record)}
    for name, protocol in protocols.items():
        columns = [c for c in run.columns if c.protocol == name]
        if name not in shown:
            continue
        parts.append(
            f'<section class="protocol" id="{card_id(run, name)}-table"><h3><code>{to_html(name)}</code> {to_html(protocol.get("title") or "")}</h3>'
        )
        parts.append(f'<div class="scroll" tabindex="0" role="region" aria-label="{to_html(name)}">{shown[name].render("html")}</div>')
        parts += _figures(run, columns)
        parts += _ranks(run, name)
        parts.append(protocol_card(run, protocol, columns))
        parts.append("</section>")
    return [*parts, "</section>"]


def _warnings(run: Run) -> list[str]:
    header, scores = run.record.header, run.record.scores
    found = [header["suite"]["banner"]] if header["suite"].get("banner") else []
    rehearsed = sorted({row["adapter"] for row in scores if "rehearsal" in row["flags"]})
    found += [f"{SAID['rehearsal']}: {', '.join(rehearsed)}"] if rehearsed else []
    if any(row["weights"] == "seeded-1" and row["value"] is not None for row in scores):
        found.append("some networks have weights drawn by formula: a rehearsal, no result")
    seeds = header["spec"].get("seeds") or [0]
    if len(seeds) > 1:
        found.append(f"{len(seeds)} seeds: values are means over them, pictures and curves are of seed {run.seed}")
    if header["status"] != "success":
        found.append(f"the run is not finished: status {header['status']}")
    return found


def _figures(run: Run, columns: Sequence[Column]) -> list[str]:
    """Primary metrics in view, the others below a summary."""
    first = [c for c in columns if c.facts["primary"]] or list(columns)
    rest = [c for c in columns if c not in first]

    def grid(some: Sequence[Column]) -> str:
        return '<div class="figures">' + "\n".join(_figure(run, column) for column in some) + "</div>"

    more = f'<details class="more"><summary>Secondary metrics ({len(rest)})</summary>{grid(rest)}</details>' if rest else ""
    return [grid(first), more]


def _ranks(run: Run, protocol: str) -> list[str]:
    """Places that the clips leave open: all pairs are compared, so only of a few methods."""
    if not 2 <= len(run.methods) <= RANKED or not any(c.protocol == protocol and c.facts["primary"] for c in run.columns):
        return []
    table = rank_table(run.record, protocol).render("html")
    return [
        f'<details class="card"><summary>Places, and which ones the clips leave open</summary><div class="scroll">{table}</div></details>'
    ]


def counted(clips: Sequence[int]) -> str:
    """Of how many clips the methods' values are: one number where it is the same for all, else the smallest and the largest."""
    return str(min(clips)) if min(clips) == max(clips) else f"{min(clips)} to {max(clips)}"


def _figure(run: Run, column: Column) -> str:
    rows: list[tuple[str, Mapping[str, Any]]] = [(method, run.score(method, column)) for method in run.methods]
    arrow, words = ARROWS[column.facts["higher_is_better"]]
    identity = f"f{run.number}-{column.number}"
    unit = f" ({column.facts['unit']})" if column.facts["unit"] else ""
    head = f'<a href="#{card_id(run, column.protocol, column.name)}">{to_html(column.name)}</a>{to_html(unit)} <abbr title="{words}">{arrow}</abbr>'
    counts = counted([row["n_clips"] for _, row in rows if row["value"] is not None])
    tag = "" if column.facts["primary"] else ' <span class="tag">secondary</span>'
    return (
        f"<figure class='metric'><figcaption>{head}{tag}<span class='n'>n = {counts}</span></figcaption>"
        f"{dots(column.name, rows, run.values[column.number], identity)}</figure>"
    )


def _clips(runs: Sequence[Run]) -> str:
    options = "".join(
        f'<option value="{run.number}/{c.number}">{to_html(f"{run.title} : " if len(runs) > 1 else "")}{to_html(c.protocol)} : {to_html(c.name)}</option>'
        for run in runs
        for c in sorted(run.columns, key=lambda c: not c.facts["primary"])
        if bool((run.values[c.number] == run.values[c.number]).any())
    )
    orders = "".join(
        f'<option value="{key}">{word}</option>'
        for key, word in (("worst", "worst first"), ("best", "best first"), ("spread", "methods apart first"), ("name", "by name"))
    )
    return (
        '<section id="clips"><h2>Clips</h2>'
        '<p class="lede">Open a clip to see the truth and every method side by side, in step, over the curve of each metric.</p>'
        f'<div class="tools"><label>Metric <select id="metric">{options}</select></label>'
        f'<label>Order <select id="order">{orders}</select></label>'
        '<label>by <select id="by"></select></label>'
        '<label>Clip <input type="search" id="find" placeholder="part of a name" autocomplete="off"></label></div>'
        '<div id="list" class="list" role="region" aria-label="Clips" tabindex="0"></div><p id="counted" role="status" class="quiet"></p></section>'
    )


def clip_sheet() -> str:
    """clip.html: one sheet for all clips; which one stands behind the #."""
    body = files("reports").joinpath("page/clip.html").read_text(encoding="utf-8")
    bar = _bar('<nav aria-label="Clips"><a href="index.html#clips">All clips</a></nav>')
    return sheet("Clip", f"{bar}\n{body}", ["assets/hvb.js", "data/index.js", "assets/clip.js"], "on-clip")
