"""The leaderboard as one self-contained page: no script, no request, light and dark, from a phone to a wide screen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from reports import _escape
from reports._board import Block, Line, Part
from reports._board_text import DRAWN, EMPTY, HEADS, HOW, RULES, SUBMIT, set_name, tail
from reports._submission import MANIFEST
from reports._table import Cell

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#566475;--line:#dde3ea;--head:#eef1f5;--best:#0b6b4f;--bestbg:#e3f4ec;
--link:#0a58b0;--warn:#7a4b00;--warnbg:#fff3d9;--warnline:#e9c46a}
@media (prefers-color-scheme:dark){:root{--page:#0f141a;--card:#171e26;--ink:#e8edf3;--soft:#a3b1c0;--line:#2b3642;--head:#1f2832;--best:#7fdcb5;
--bestbg:#143329;--link:#82b8ff;--warn:#ffd98a;--warnbg:#33280f;--warnline:#7a5f1d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,header,footer{max-width:92rem;margin:0 auto;padding:0 clamp(1rem,3vw,2.5rem)}
header{padding-top:2.25rem}
h1{font-size:clamp(1.7rem,4vw,2.4rem);line-height:1.15;margin:0 0 .5rem;letter-spacing:-.02em}
h2{font-size:1.35rem;margin:2.5rem 0 .25rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h3{font-size:1.05rem;margin:1rem 0 0;overflow-wrap:anywhere}
p{margin:.4rem 0;max-width:75ch}
a{color:var(--link);text-underline-offset:.15em}
a:focus-visible,.scroll:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:4px}
.soft,.notes{color:var(--soft)}
nav ul{display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:1rem 0 0;list-style:none}
nav a{display:block;padding:.3rem .8rem;border:1px solid var(--line);border-radius:99px;background:var(--card);text-decoration:none;font-size:.9rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;margin:1rem 0;overflow:hidden}
.card>.top{padding:1rem 1.1rem .8rem}
.top h3{margin:0}
.top p{margin:.1rem 0 0;font-size:.92rem}
.chip{display:inline-block;font-size:.8rem;padding:.05rem .55rem;border-radius:99px;background:var(--head);color:var(--soft);
margin-left:.4rem;white-space:nowrap}
.scroll{overflow-x:auto;border-block:1px solid var(--line)}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.5rem .75rem;text-align:right;vertical-align:top;white-space:nowrap;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}
thead th{background:var(--head);font-size:.82rem;font-weight:600;vertical-align:bottom;line-height:1.3}
thead small{display:block;font-weight:400;color:var(--soft)}
th:first-child{position:sticky;left:0;z-index:1;text-align:left;background:var(--card);min-width:8.5rem;max-width:16rem;white-space:normal;overflow-wrap:break-word;
box-shadow:1px 0 0 var(--line)}
thead th:first-child{background:var(--head)}
tbody th{font-weight:600}
td small,th small{display:block;color:var(--soft);font-weight:400;font-size:.8rem}
td.text,th.text{text-align:left}
td.best{background:var(--bestbg)}
td.best strong{color:var(--best)}
td u{text-decoration-thickness:2px;text-underline-offset:.2em}
tr.part>*{color:var(--soft)}
sup{font-size:.72em;margin-left:.1em}
abbr{text-decoration:none}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em}
pre{background:var(--head);padding:.8rem 1rem;border-radius:8px;overflow-x:auto}
details{padding:.6rem 1.1rem .8rem;font-size:.88rem}
summary{cursor:pointer;color:var(--soft)}
.notes{margin:.4rem 0 0;padding-left:1.1rem;overflow-wrap:anywhere}
.warn{background:var(--warnbg);color:var(--warn);border:1px solid var(--warnline);border-radius:10px;padding:.7rem 1rem;font-weight:600;max-width:none}
footer{padding-block:2rem 3rem}
@media (max-width:40rem){th,td{padding:.45rem .55rem}th:first-child{min-width:6.6rem;max-width:8.5rem}}
@media print{body{background:#fff}.card{break-inside:avoid}.scroll{overflow:visible}}
"""


def page(parts: Sequence[Part], records: str) -> str:
    """The whole page. records: the folder of the records as seen from the page."""
    real, drawn = [part for part in parts if not part.banner], [part for part in parts if part.banner]
    names = {id(part): _anchor(part, i) for i, part in enumerate(parts)}
    body: list[str] = []
    for part in real:
        body += [f'<section aria-labelledby="{names[id(part)]}">', *_part(part, names[id(part)], records), "</section>"]
    if drawn:
        body += ['<section aria-labelledby="procedural">', '<h2 id="procedural">Procedural people</h2>', f'<p class="warn">{DRAWN}</p>']
        body += [line for part in drawn for line in _part(part, names[id(part)], records)]
        body.append("</section>")
    if not parts:
        body += [f'<p class="warn">{line}</p>' for line in EMPTY]
    links = "".join(f'<li><a href="#{names[id(part)]}">{_escape.to_html(part.name)}</a></li>' for part in [*real, *drawn])
    count = sum(len(block.lines) for part in parts for one in part.sets for block in one.blocks)
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        # nothing is fetched, whatever a record may hold
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">",
        '<link rel="icon" href="data:,">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        '<meta name="description" content="Measured numbers of generators of moving people, each with its protocol, clips, weights and interval">',
        "<title>Leaderboard: human video benchmark</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<header>",
        "<h1>Leaderboard</h1>",
        f'<p class="soft">Generators of moving people, {count} row{"" if count == 1 else "s"}. {_code(HOW[0])}</p>',
        f'<nav aria-label="Suites"><ul>{links}</ul></nav>' if links else "",
        "</header>",
        "<main>",
        *body,
        *(["<section>", "<h2>How to read it</h2>", *(f"<p>{_code(line)}</p>" for line in HOW[1:]), "</section>"] if parts else []),
        "<section>",
        "<h2>How to submit</h2>",
        f"<p>{_code(RULES[0])}</p>",
        '<pre tabindex="0">' + "\n".join(map(_escape.to_html, SUBMIT)) + "</pre>",
        f"<p>{_code(RULES[1])}</p>",
        "</section>",
        "</main>",
        '<footer class="soft"><p>Made by <code>hvbench leaderboard</code> from the committed records; the same records, the same bytes.</p></footer>',
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(line for line in lines if line or line == lines[-1])


def _anchor(part: Part, number: int) -> str:
    return f"part-{number + 1}-{re.sub('[^a-z0-9]+', '-', part.name.lower()).strip('-')}"


def _code(text: str) -> str:
    """Our own words, with their `code`."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _escape.to_html(text))


def _part(part: Part, anchor: str, records: str) -> Iterator[str]:
    head = "h3" if part.banner else "h2"
    yield f'<{head} id="{anchor}">{_escape.to_html(part.name)} <span class="chip">version {part.version}</span></{head}>'
    yield f'<p class="soft">{_escape.to_html(part.title)}</p>'
    for one in part.sets:
        for block in one.blocks:
            yield from _card(block, f"{part.name}, {set_name(one, one.digest)}", set_name(one, one.digest), records)


def _card(block: Block, label: str, clips: str, records: str) -> Iterator[str]:
    escape = _escape.to_html
    told = f"{label}, protocol {block.protocol}"
    yield f'<div class="card"><div class="top"><h3>{escape(block.protocol)}<span class="chip">{escape(clips)}</span></h3>'
    yield f'<p class="soft">{escape(block.title)}</p></div>'
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(told)}"><table>'
    heads = "".join(f'<th scope="col">{_head(column)}</th>' for column in block.columns)
    tails = "".join(f'<th scope="col"{"" if i < 2 else _TEXT}>{head}</th>' for i, head in enumerate(HEADS))
    yield f'<thead><tr><th scope="col">method</th>{heads}{tails}</tr></thead><tbody>'
    yield from (_row(line, records) for line in block.lines)
    yield "</tbody></table></div>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in block.notes)
    yield f'<details open><summary>What these numbers are</summary><ul class="notes">{notes}</ul></details></div>'


_TEXT = ' class="text"'


def _head(column: str) -> str:
    """`psnr@float ↑`: the metric, and its variant below."""
    name, at, variant = column.partition("@")
    return _escape.html_head(name) if not at else f"{_escape.html_head(name)}<small>@{_escape.html_head(variant)}</small>"


def _row(line: Line, records: str) -> str:
    escape = _escape.to_html
    name = escape(line.method)
    name = f'<a href="{escape(line.url)}" rel="nofollow noopener">{name}</a>' if line.url else name
    name += "" if line.complete else "<small>incomplete</small>"
    clips, failed, made, code, date = map(escape, tail(line))
    link = f'<a href="{escape(quote(f"{records}/{line.record}/{MANIFEST}"))}">{escape(line.record)}</a>'
    cells = "".join(map(_cell, line.cells))
    rest = f"<td{_TEXT}>{made}</td><td{_TEXT}><code>{code}</code></td><td{_TEXT}>{date}</td><td{_TEXT}>{link}</td>"
    kind = "" if line.complete else ' class="part"'
    return f'<tr{kind}><th scope="row">{name}</th>{cells}<td>{clips}</td><td>{failed}</td>{rest}</tr>'


def _cell(cell: Cell) -> str:
    value, space, half = cell.text.partition(" ")
    marks = {0: "{}", 1: "<strong>{}</strong>", 2: "<u>{}</u>"}
    note = f"<sup>{_escape.to_html(cell.note)}</sup>" if cell.note else ""
    below = f"<small>{_escape.to_html(half)}</small>" if space else ""
    return f"<td{' class=best' if cell.rank == 1 else ''}>{marks[cell.rank].format(_escape.to_html(value))}{note}{below}</td>"
