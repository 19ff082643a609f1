"""weights and cache."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def configure(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs."""
    weights = verbs.add_parser(
        "weights", help="list, fetch, check and import network weights", description="The catalogue of network weights."
    )
    actions = weights.add_subparsers(title="actions", required=True, metavar="ACTION")
    ls = actions.add_parser("ls", help="what is here and what is not")
    ls.set_defaults(call=_ls)
    pull = actions.add_parser("pull", help="fetch what is missing, checked against its sha256")
    pull.add_argument("name", nargs="*", help="default: everything in the catalogue")
    pull.set_defaults(call=_pull)
    verify = actions.add_parser("verify", help="hash what is here against the catalogue")
    verify.add_argument("name", nargs="*")
    verify.set_defaults(call=_verify)
    bring = actions.add_parser("import", help="copy files from a folder into the cache, checked")
    bring.add_argument("folder", type=Path)
    bring.add_argument("name", nargs="*")
    bring.set_defaults(call=_import)
    cache = verbs.add_parser(
        "cache", help="see and prune what is kept between runs", description="Features, made clips, hashes and weights in the user cache."
    )
    actions = cache.add_subparsers(title="actions", required=True, metavar="ACTION")
    shown = actions.add_parser("ls", help="what is kept, and its size")
    shown.set_defaults(call=_cache_ls)
    prune = actions.add_parser("prune", help="delete features and made clips (weights and hashes stay)")
    prune.add_argument(
        "--days", type=float, default=0.0, metavar="N", help="only what was not read or written for N days (default 0: everything)"
    )
    prune.set_defaults(call=_cache_prune)


def _ls(arguments: argparse.Namespace) -> int:
    from benchmark.explain import listing

    for line in listing("weights"):
        print(line)
    return 0


def _pull(arguments: argparse.Namespace) -> int:
    from benchmark import weights
    from benchmark.errors import InputError
    from benchmark.registry import registry

    failed = 0
    for name in arguments.name or sorted(registry().weights):
        try:
            located = weights.pull(weights.entry(name), report=lambda line: print(line, file=sys.stderr))
            print(f"{name}: {located.path} ({located.origin}, sha256 {located.sha256})")
        except InputError as error:
            if error.code == "unknown-name":
                raise
            failed = 2
            print(f"hvbench: {error}", file=sys.stderr)
    return failed


def _verify(arguments: argparse.Namespace) -> int:
    from benchmark import weights
    from benchmark.errors import InputError
    from benchmark.registry import registry

    code = 0
    for name in arguments.name or sorted(registry().weights):
        try:
            located = weights.locate(weights.entry(name))
            print(f"{name}: {'not here' if located is None else f'{located.path} ({located.origin})'}")
            if located is None and arguments.name:
                code = 2
        except InputError as error:
            if error.code == "unknown-name":
                raise
            code = 2
            print(f"hvbench: {error}", file=sys.stderr)
    return code


def _import(arguments: argparse.Namespace) -> int:
    from benchmark import weights

    count = 0
    for item, located in weights.import_folder(arguments.folder, tuple(arguments.name)):
        print(f"{item.name}: {located.path} ({located.origin})")
        count += 1
    if not count:
        print(f"hvbench: {arguments.folder} holds no file of the catalogue (hvbench ls weights)", file=sys.stderr)
    return 0 if count else 2


def _cache_ls(arguments: argparse.Namespace) -> int:
    from benchmark import cache

    root, parts = cache.contents()
    print(root)
    for part in parts:
        print(f"  {part.name:<10} {part.files:>6} files  {part.bytes / 1e6:>10.1f} MB  {part.what}")
    return 0


def _cache_prune(arguments: argparse.Namespace) -> int:
    from benchmark import cache

    files, freed = cache.prune(arguments.days)
    print(f"{files} files, {freed / 1e6:.1f} MB freed")
    return 0
