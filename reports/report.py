"""Papers' tables, alone or beside measured numbers; the same clips under every protocol; figures; and what is wrong inside published tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import InputError
from benchmark.record import Record
from benchmark.registry import Verb
from reports import _beside, _escape, _findings, _papers, _rosetta, _runs
from reports._lint import lint
from reports._read_tables import read
from reports._table import FORMATS, Cell, Table

FOUND = 4
"""Exit code of the linter when it found something."""
KINDS = ("dots", "curves", "distributions", "sets", "scatter", "speed")
"""Of figures; written out, because what draws them is loaded only then."""
FLAT = ("csv", "json")


def papers_table() -> Table:
    """What is shipped."""
    rows = []
    for name in _papers.known():
        paper = _papers.find(name)
        values = sum(1 for t in paper.table for c in t.columns for _ in t.cells(c))
        hand = (
            "second-hand"
            if paper.table and all(t.second_hand for t in paper.table)
            else "from the paper"
            if paper.table
            else "no table published"
        )
        ids = "; ".join(t.id for t in paper.table) or "-"
        counts = [Cell(str(n), value=float(n)) for n in (values, len(paper.claim))]
        rows.append([Cell(name), Cell(paper.title), Cell(ids), *counts, Cell(hand)])
    return Table("papers", ["paper", "title", "tables", "values", "claims", "numbers"], rows, ["next: hvbench report --paper ipa"])


def paper_tables(paper: _papers.Paper, only: Sequence[str], records: Sequence[Record], named: dict[str, str], form: str) -> list[Table]:
    """The paper's tables in a form that fits the format. Raises InputError for a table it has not."""
    chosen = [paper.find(name) for name in only] if only else list(paper.table)
    _beside.check_names(paper, records, named)
    if records:
        made = [_beside.flat(paper, chosen, records, named)] if form in FLAT else [_beside.beside(paper, t, records, named) for t in chosen]
    elif form in FLAT:
        made = [_beside.long(paper, chosen)]
    else:
        made = [_beside.wide(paper, table) for table in chosen]
    if form not in FLAT:
        about = [[Cell(note)] for note in [*paper.notes, *(f"the text says: {claim.text}" for claim in paper.claim if claim.text)]]
        made += [Table(f"{paper.title}: notes", ["what no table shows"], about)] if about else []
    return made


def _names(words: Sequence[str]) -> dict[str, str]:
    named = {}
    for word in words:
        row, equals, method = word.rpartition("=")
        if not equals or not row or not method:
            raise InputError("--as takes PAPERROW=METHOD", code="usage", found=word)
        named[row] = method
    return named


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN", help="run directories, whose numbers stand beside the paper's")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--protocols", action="store_true", help="the same clips under every protocol of RUN, and what moved the number")
    what.add_argument("--figures", action="store_true", help="every figure of every RUN, as SVG, PDF and PNG")
    what.add_argument(
        "--lint",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="what is wrong inside tables (.csv, .tsv, .tex, .toml; default: the shipped papers); exit code 4 when something is",
    )
    what.add_argument("--html", action="store_true", help="a page of RUN... to look at: tables, pictures, every clip side by side")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where a page goes (default: page below RUN; of several runs: page), or figures, in a folder a run (default: figures)",
    )
    parser.add_argument("--videos", type=int, metavar="N", help="--html: clips of a run that get a video (default 40)")
    parser.add_argument("--paper", action="append", default=[], metavar="NAME", help="a shipped paper or a .toml file of one")
    parser.add_argument("--table", action="append", default=[], metavar="ID", help="of the paper: this table only")
    parser.add_argument(
        "--as", action="append", default=[], dest="named", metavar="PAPERROW=METHOD", help="which method of RUN is which row"
    )
    parser.add_argument("--clips", type=int, metavar="N", help="--lint: clips behind each value of a .csv or .tex")
    parser.add_argument("--frames", type=int, metavar="N", help="--lint: frames of each clip")
    parser.add_argument("--protocol", action="append", default=[], metavar="NAME", help="--figures: of this protocol only")
    parser.add_argument("--metric", action="append", default=[], metavar="METRIC[@VARIANT]", help="--figures: of these only")
    parser.add_argument("--clip", metavar="ID", help="--figures: the clip shown frame by frame (default: where methods lie farthest apart)")
    parser.add_argument("--only", action="append", default=[], choices=KINDS, help="--figures: this kind only")
    parser.add_argument("--format", choices=FORMATS, default="terminal")


def _fitting(arguments: argparse.Namespace) -> None:
    """Nothing that was typed is passed over. Raises InputError (`usage`) for an option that its report does not know."""
    if arguments.out is not None and not (arguments.html or arguments.figures):
        raise InputError("--out goes with --html or --figures", code="usage", found=str(arguments.out), hint="tables go to standard output")
    if arguments.videos is not None and not arguments.html:
        raise InputError("--videos goes with --html", code="usage", hint="hvbench report --html RUN --videos N")
    for option in ("paper", "table", "named"):
        if arguments.html and getattr(arguments, option):
            said = {"named": "--as"}.get(option, f"--{option}")
            raise InputError(f"{said} is of tables, not of a page", code="usage", found=f"--html and {said}", expected="one of them")


def _run(arguments: argparse.Namespace) -> int:
    form = str(arguments.format)
    _fitting(arguments)
    if arguments.figures:
        from reports._figures import draw_runs

        return draw_runs(arguments)
    for option in ("protocol", "metric", "clip", "only"):
        if getattr(arguments, option):
            raise InputError(f"--{option} goes with --figures", code="usage", hint="hvbench report --figures RUN")
    if arguments.lint is not None:
        return _lint(arguments, form)
    if arguments.html:
        return _page(arguments)
    papers = [_papers.find(name) for name in arguments.paper]
    if arguments.protocols and not arguments.runs:
        raise InputError("--protocols needs a RUN", code="usage", hint="hvbench report --protocols runs/NAME")

    def trial(record: Record) -> object:
        return _rosetta.flat([record]) if arguments.protocols else [paper_tables(p, arguments.table, [record], {}, form) for p in papers]

    records, left_out = _runs.readable(arguments.runs, trial)
    if arguments.protocols:
        shown = [_rosetta.flat(records)] if form in FLAT else [t for record in records for t in _rosetta.tables(record, papers)]
    elif papers:
        named = _names(arguments.named)
        shown = [table for paper in papers for table in paper_tables(paper, arguments.table, records, named, form)]
    elif records:
        raise InputError(
            "a RUN stands beside a paper", code="usage", expected="--paper NAME, or --protocols", hint=f"hvbench show {arguments.runs[0]}"
        )
    else:
        shown = [papers_table()]
    blocks = [table.render(form, colour=form == "terminal" and sys.stdout.isatty()) for table in shown]
    print(f"[{', '.join(blocks)}]" if form == "json" and len(blocks) > 1 else "\n\n".join(blocks))
    return _runs.LEFT_OUT if left_out else 0


def _shortly(error: InputError) -> str:
    """What is wrong with a run, without the folders of this machine."""
    path = Path(error.path).resolve() if error.path else None
    name = "a run" if path is None else f"{path.parent.name}/{path.name}" if path.is_file() else path.name
    return _escape.without_folders(f"{name}: {error.what}" + (f" ({error.found})" if error.found else ""))


def _page(arguments: argparse.Namespace) -> int:
    from reports._page import VIDEOS, build, trial

    if not arguments.runs:
        raise InputError("--html needs a RUN", code="usage", hint="hvbench report --html runs/NAME")
    videos = VIDEOS if arguments.videos is None else arguments.videos
    if videos < 0:
        raise InputError("--videos takes 0 or more", code="usage", found=str(videos))
    records, refused = _runs.readable(arguments.runs, trial)
    folder = arguments.out or (records[0].path / "page" if len(arguments.runs) == 1 else Path("page"))
    terminal = sys.stderr.isatty()
    build(
        records,
        folder,
        left_out=[_shortly(error) for error in refused],
        videos=videos,
        tell=(lambda text: print(text, file=sys.stderr)) if terminal else lambda _: None,
    )
    print(f"written: {folder / 'index.html'}")
    return _runs.LEFT_OUT if refused else 0


def _lint(arguments: argparse.Namespace, form: str) -> int:
    if arguments.runs or arguments.paper:
        raise InputError("--lint takes files", code="usage", hint="hvbench report --lint FILE")
    for name in ("clips", "frames"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise InputError(f"--{name} takes a number above 0", code="usage", found=str(getattr(arguments, name)))
    files = arguments.lint or list(_papers.known().values())
    found = [finding for path in files for finding in lint(read(path, arguments.clips, arguments.frames))]
    print(_findings.to_text(found, len(files)) if form == "terminal" else _findings.table(found).render(form))
    return FOUND if found else 0


VERB = Verb(
    name="report",
    summary="papers' tables beside measured numbers, protocols side by side, a page, figures, a linter for tables",
    configure=_configure,
    run=_run,
)
