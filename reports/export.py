"""A record's numbers for other tools: a model card's metadata, and experiment trackers through their own libraries."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmark.errors import InputError
from benchmark.registry import Verb
from reports import _export_mlflow, _export_model_index, _export_tensorboard, _export_wandb
from reports._escape import visible
from reports._export_rows import Asked, choose
from reports._runs import guarded, opened
from reports._submission import check_url

WAYS: Mapping[str, Callable[[Asked], str]] = {
    "model-index": _export_model_index.export,
    "wandb": _export_wandb.export,
    "mlflow": _export_mlflow.export,
    "tensorboard": _export_tensorboard.export,
}
TAKES = {
    "project": ("wandb", "mlflow"),
    "uri": ("mlflow",),
    "task": ("model-index",),
    "source": ("model-index",),
    "step": ("wandb", "mlflow", "tensorboard"),
}
"""Which ways an option goes with; --to goes with all."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a finished run directory")
    parser.add_argument(
        "--as", dest="way", choices=list(WAYS), required=True, help="model-index: YAML of a Hugging Face model card; or a tracker"
    )
    parser.add_argument("--method", action="append", default=[], metavar="NAME", help="only this method; repeatable")
    parser.add_argument("--protocol", action="append", default=[], metavar="NAME", help="only this protocol; repeatable")
    parser.add_argument(
        "--to", type=Path, metavar="PATH", help="model-index: a file (default: printed); trackers: a folder, written offline"
    )
    parser.add_argument("--project", metavar="NAME", help="wandb: project; mlflow: experiment")
    parser.add_argument("--uri", metavar="URI", help="mlflow: a tracking server or store")
    parser.add_argument("--task", metavar="TYPE", help="model-index: the hub's task (default image-to-video)")
    parser.add_argument("--source", metavar="URL", help="model-index: where the record can be seen")
    parser.add_argument("--step", type=int, metavar="N", help="trackers: the training step of the numbers (default 0)")


def _run(arguments: argparse.Namespace) -> int:
    for option, ways in TAKES.items():
        if getattr(arguments, option) is not None and arguments.way not in ways:
            raise InputError(f"--{option} goes with --as {' or '.join(ways)}", code="usage", found=f"--as {arguments.way}")
    if arguments.uri and arguments.to:
        raise InputError(
            "--uri or --to, not both", code="usage", found="both", expected="--uri of a store, or --to DIR for a file of its own"
        )
    if arguments.source:
        check_url(arguments.source, "--source")
    record = opened(arguments.run)
    rows, left = guarded(record, lambda one: choose(one, arguments.method, arguments.protocol))
    asked = Asked(
        record,
        rows,
        list(dict.fromkeys(row["adapter"] for row in rows)),
        arguments.to,
        arguments.project,
        arguments.uri,
        arguments.task or "image-to-video",
        arguments.source,
        arguments.step or 0,
    )
    guarded(record, lambda _: _trial(asked))
    said = WAYS[arguments.way](asked)
    for line in left:
        print(f"not exported: {visible(line)}", file=sys.stderr)
    print(said if arguments.way == "model-index" else visible_lines(said))
    return 0


def _trial(asked: Asked) -> None:
    """All that any way reads of the record, before a library is given the first number."""
    _export_model_index.model_index(asked)
    for row in asked.rows:
        asked.clips(row)
    for method in asked.methods:
        asked.facts(method)


def visible_lines(text: str) -> str:
    """Several lines, each safe for a terminal."""
    return "\n".join(map(visible, text.split("\n")))


VERB = Verb(name="export", summary="a record's numbers for a model card, wandb, mlflow or tensorboard", configure=_configure, run=_run)
