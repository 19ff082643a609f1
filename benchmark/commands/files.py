"""manifest, validate, align."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmark.commands import arguments as shared


def configure(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs."""
    manifest = verbs.add_parser(
        "manifest",
        help="write a cases.toml with hashes",
        description="Everything a run needs to know of its clips, in one file with their sha256.",
    )
    manifest.add_argument(
        "folder", nargs="*", metavar="[NAME=]DIR", help="folders by method; one called truth (or truth=DIR) holds the real videos"
    )
    shared.inputs(manifest)
    manifest.add_argument("--out", "-o", type=Path, metavar="FILE", help="where to write (default: standard output)")
    manifest.set_defaults(call=_manifest)
    validate = verbs.add_parser(
        "validate",
        help="check a run directory or a cases.toml",
        description="Schemas, hashes and, for a run, that its scores follow from its journal.",
    )
    validate.add_argument("path", type=Path)
    validate.set_defaults(call=_validate)
    align = verbs.add_parser(
        "align",
        help="find the frame offset (and rate) of each method by PSNR",
        description="The best common offset of every method, and each clip's own.",
    )
    shared.inputs(align)
    align.add_argument("--max-offset", type=int, default=30, metavar="N", help="largest offset tried, both ways (default 30)")
    align.set_defaults(call=_align)


def _manifest(arguments: argparse.Namespace) -> int:
    from benchmark.manifest import write

    for word in arguments.folder:
        name, equals, folder = word.partition("=")
        if not equals:
            name, folder = Path(word).resolve().name.lower(), word
        if name == "truth":
            arguments.truth = Path(folder)
        else:
            arguments.outputs.append(f"{name}={folder}")
    text = write(shared.request(arguments), arguments.out)
    if arguments.out is None:
        print(text, end="")
    else:
        print(f"wrote {arguments.out}; next: hvbench run --cases {arguments.out}", file=sys.stderr)
    return 0


def _validate(arguments: argparse.Namespace) -> int:
    from benchmark.validate import validate

    findings = validate(arguments.path)
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"{arguments.path}: " + ("valid" if not findings else f"{len(findings)} finding(s)"))
    return 2 if findings else 0


def _align(arguments: argparse.Namespace) -> int:
    from benchmark.align import report

    for line in report(shared.request(arguments), arguments.max_offset):
        print(line, flush=True)
    return 0
