"""ls and explain."""

from __future__ import annotations

import argparse

KINDS = ("suites", "metrics", "protocols", "adapters", "weights", "workers")


def configure(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs."""
    ls = verbs.add_parser("ls", help="what there is: suites, metrics, protocols, adapters, weights", description="List what is registered.")
    ls.add_argument("kind", choices=KINDS)
    ls.set_defaults(call=_ls)
    explain = verbs.add_parser(
        "explain", help="what exactly a variant, protocol, suite or adapter is", description="Everything that decides a number, in words."
    )
    explain.add_argument("name", help="for instance psnr@uint8-wrap, psnr, strict-1, tiktok, still")
    explain.set_defaults(call=_explain)


def _ls(arguments: argparse.Namespace) -> int:
    from benchmark import explain

    for line in explain.listing(arguments.kind):
        print(line)
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from benchmark.explain import explain

    print(explain(arguments.name))
    return 0
