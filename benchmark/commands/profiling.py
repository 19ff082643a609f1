"""profile."""

from __future__ import annotations

import argparse

from benchmark.commands import arguments as shared
from benchmark.commands.progress import reporter
from benchmark.errors import InputError


def configure(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    profile = verbs.add_parser(
        "profile",
        help="what a generator's clips cost at several numbers of function evaluations",
        description="Make a suite's clips at several numbers of function evaluations (NFE), again and again, and write what each cost into the record.",
    )
    profile.add_argument(
        "--nfe",
        required=True,
        metavar="100,50,30",
        help="counted evaluations a clip: steps = NFE / passes of a step; a remainder is an error",
    )
    profile.add_argument("--repeats", type=int, default=3, metavar="N", help="timed makings of every clip (default 3)")
    profile.add_argument("--warm-up", type=int, default=1, metavar="N", help="untimed makings before them (default 1)")
    profile.add_argument("--quality", action="store_true", help="score the same clips by the suite's metrics")
    profile.add_argument(
        "--against", metavar="ROW", help="the row that speed-ups are counted against (default: of each method the one with the largest NFE)"
    )
    profile.add_argument("--plots", metavar="DIR", help="where the two plots go (default: the run's folder)")
    shared.inputs(profile)
    shared.scoring(profile)
    profile.set_defaults(call=_profile, limit=1)


def _profile(arguments: argparse.Namespace) -> int:
    from benchmark.profiling import profile
    from benchmark.registry import find, registry

    try:
        nfe = tuple(int(word) for word in arguments.nfe.split(","))
    except ValueError:
        raise InputError("--nfe takes whole numbers with commas between", code="usage", found=arguments.nfe) from None
    record = profile(
        shared.request(arguments),
        nfe,
        repeats=arguments.repeats,
        warm_up=arguments.warm_up,
        quality=arguments.quality,
        reporter=reporter(),
    )
    if arguments.quality:
        find(registry().verbs, "show", "verb").run(argparse.Namespace(run=record.path, protocol=[], format="terminal", clips=False))
    shown = argparse.Namespace(run=record.path, against=arguments.against, format="terminal", plots=arguments.plots or str(record.path))
    return find(registry().verbs, "speed", "verb").run(shown)
