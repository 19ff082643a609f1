"""`report --figures`: every figure of every protocol of every run, as SVG, PDF and PNG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmark.errors import InputError
from benchmark.record import Record, safe_name
from reports import _escape, _figures_curves, _figures_distributions, _figures_dots, _figures_scatter, _figures_sets, _runs
from reports._figures_data import Block, blocks
from reports._plot_style import save, style
from reports._profile import FILE

FORMS = ("svg", "pdf", "png")
DRAWN: Mapping[str, Callable[[Block], object]] = {
    module.NAME: module.draw for module in (_figures_dots, _figures_curves, _figures_distributions, _figures_sets, _figures_scatter)
}
SPEED = "speed"
KINDS = (*DRAWN, SPEED)
Said = tuple[str, str]
"""(`written` or `not drawn`, the file, or the figure and why)."""


def folders(records: Sequence[Record]) -> list[str]:
    """A folder's name for each run: its own; the second of one name gets a number."""
    found: list[str] = []
    for record in records:
        own = safe_name(record.path.resolve().name or "run")
        name, count = own, 1
        while name.casefold() in (other.casefold() for other in found):
            count += 1
            name = f"{own}-{count}"
        found.append(name)
    return found


def write(
    record: Record, folder: Path, only: Sequence[str], protocols: Sequence[str], metrics: Sequence[str], clip: str | None
) -> Iterator[Said]:
    """DIR/RUN/PROTOCOL.KIND.svg, .pdf and .png. only: kinds, all where empty. Raises InputError for names that the run has not."""
    from matplotlib.figure import Figure

    chosen = [kind for kind in KINDS if not only or kind in only]
    for block in blocks(record, protocols, metrics, clip):
        for kind in chosen:
            if kind == SPEED:
                continue
            with style():
                made = DRAWN[kind](block)
                if not isinstance(made, Figure):
                    yield "not drawn", f"{block.heading}: {kind}: {made}"
                    continue
                for form in FORMS:
                    yield "written", str(save(made, folder / f"{safe_name(block.protocol)}.{kind}.{form}", form))
    if SPEED in chosen:
        if not (record.path / FILE).exists():
            yield "not drawn", f"{record.path}: {SPEED}: the run has no {FILE} (hvbench profile)"
            return
        from reports import _profile, _speed_plots

        profile = _profile.read(record.path)
        for path in _speed_plots.write(profile, _profile.fits(profile), _profile.panels(profile), folder, FORMS):
            yield "written", str(path)


def draw_runs(arguments: argparse.Namespace) -> int:
    """`report --figures`: the files that were written, and what was not drawn and why, on standard error. The exit code."""
    if not arguments.runs:
        raise InputError("--figures needs a RUN", code="usage", hint="hvbench report --figures runs/NAME")
    if arguments.paper:
        raise InputError("--paper is a table of its own", code="usage", found="--figures and --paper", expected="one of them")
    with style():  # says that matplotlib is missing before anything is read
        pass
    records, left_out = _runs.readable(arguments.runs, lambda record: record.replicates, enough=FILE)
    folder = arguments.out or Path("figures")
    for record, name in zip(records, folders(records), strict=True):

        def draw(record: Record, name: str = name) -> None:
            told = write(record, folder / name, arguments.only, arguments.protocol, arguments.metric, arguments.clip)
            for what, words in told:
                print(f"{what}: {_escape.visible(words)}", file=sys.stderr)

        try:
            _runs.guarded(record, draw)
        except InputError as error:
            if len(arguments.runs) == 1:
                raise
            _runs.leave_out(error)
            left_out.append(error)
    return _runs.LEFT_OUT if left_out else 0
