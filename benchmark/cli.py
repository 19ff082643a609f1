"""The command line: `hvbench` or `python -m benchmark`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from benchmark import machine
from benchmark.errors import InputError, Unscored

EXIT_CODES = "exit codes: 0 done, 1 internal error, 2 bad input or usage, 3 something asked for is unscored, 4 a gate said no, 130 interrupted (resumable)"


def parser() -> argparse.ArgumentParser:
    """The whole parser: our verbs, then those that reports, adapters and plugins register."""
    from benchmark.commands import files, looking, profiling, running, stores
    from benchmark.registry import registry

    top = argparse.ArgumentParser(
        prog="hvbench", description="Benchmark of human-video generation: numbers that can be trusted and traced.", epilog=EXIT_CODES
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {machine.packages()['human-video-benchmark']}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in (running, profiling, looking, files, stores):
        module.configure(verbs)
    for name, entry in sorted(registry().verbs.items()):
        sub = verbs.add_parser(name, help=entry.item.summary, description=entry.item.summary)
        entry.item.configure(sub)
        sub.set_defaults(call=entry.item.run)
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    intruder = machine.siblings()
    if intruder:
        print(f"hvbench: {intruder}", file=sys.stderr)
        return 2
    try:
        arguments = parser().parse_args(words)
        code = int(arguments.call(arguments))
        sys.stdout.flush()
        return code
    except (InputError, Unscored) as error:
        print(f"hvbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("hvbench: interrupted; the same command, or `hvbench resume RUN`, goes on where it stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); nothing is wrong with the run.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last stand: a bug is told as one, with its trace, and has its own exit code
        traceback.print_exc()
        print(f"hvbench: internal error ({type(error).__name__}); please report it with the lines above", file=sys.stderr)
        return 1
