"""Arguments that several verbs share, and how their words become a Request."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from benchmark.data import fraction
from benchmark.errors import InputError
from benchmark.machine import TF32, TORCH
from benchmark.model import Rect
from benchmark.request import Request

T = TypeVar("T")


def inputs(parser: argparse.ArgumentParser) -> None:
    """Where clips lie and how they are looked at."""
    group = parser.add_argument_group("clips")
    group.add_argument("--suite", metavar="NAME", help="what is measured on what (hvbench ls suites)")
    group.add_argument("--truth", type=Path, metavar="DIR", help="the real videos: a folder with one clip a case, or one file")
    group.add_argument(
        "--outputs",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="finished outputs of a method, same stems as the truth; repeatable",
    )
    group.add_argument(
        "--data", type=Path, metavar="ROOT", help="root of the published data set, in its own layout (also BENCHMARK_DATA/<suite>)"
    )
    group.add_argument("--real", type=Path, metavar="DIR", help="an unpaired set of real videos, for set metrics")
    group.add_argument(
        "--cases", dest="cases_file", type=Path, metavar="FILE", help="cases.toml with everything in one file (hvbench manifest writes one)"
    )
    group.add_argument(
        "--audio", type=Path, metavar="DIR", help="sound files for the cases, same stems; used where a clip has no sound of its own"
    )
    group.add_argument("--split", metavar="NAME", help="a named list of cases of the suite")
    group.add_argument("--case", action="append", default=[], metavar="ID", help="only this case; repeatable")
    group.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    look = parser.add_argument_group("how a clip is looked at", "NAME is a method, truth, or real; '*' is every method, never the truth")
    look.add_argument(
        "--offset", action="append", default=[], metavar="NAME=K", help="frame i of NAME is compared with frame i+K of the truth"
    )
    look.add_argument(
        "--crop",
        action="append",
        default=[],
        metavar="NAME=x,y,w,h",
        help="cut condition panels; pixels, or fractions (0.5,0.0,0.5,1.0 or 50%%,0%%,50%%,100%%)",
    )
    look.add_argument("--ignore", action="append", default=[], metavar="NAME=x,y,w,h", help="leave an inset out of frame metrics")
    look.add_argument("--fps", action="append", default=[], metavar="NAME=F", help="set or override a frame rate (recorded)")
    look.add_argument("--frames", action="append", default=[], metavar="NAME=A:B", help="compare truth frames A to B-1 only")
    look.add_argument(
        "--reference-frame",
        action="append",
        default=[],
        metavar="NAME=K",
        help="the truth frame that was given to NAME as its reference picture",
    )
    look.add_argument(
        "--keypoints",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="files STEM.npz with the keypoints of every frame, for the variants @given-...",
    )


def scoring(parser: argparse.ArgumentParser) -> None:
    """What is computed and how."""
    group = parser.add_argument_group("scores")
    group.add_argument(
        "--protocol", action="append", default=[], metavar="NAME", help="bundle of rules and variants; repeatable (default: the suite's)"
    )
    group.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="M@V",
        help="a single variant, under the protocol's rules; alone it replaces the protocol's list, with --protocol it adds",
    )
    group.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME",
        help="a registered generator or baseline (hvbench ls adapters), or METHOD=NAME to run one twice under two names; repeatable",
    )
    group.add_argument("--seeds", default="0", metavar="0,1,2", help="seeds of generating adapters (default 0)")
    group.add_argument("--require", choices=["all"], help="exit 3 when anything is unscored")
    group.add_argument(
        "--weights",
        default="real",
        metavar="real|seeded|DIR",
        help="published weights, weights by formula (rehearsal), or a folder to look in first",
    )
    group.add_argument(
        "--max-frames", type=int, default=512, metavar="N", help="longest clip that whole-clip variants take at once (default 512)"
    )
    generators(parser)
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", "--devices", default="cpu", metavar="cpu|cuda|auto", help="where networks run (default cpu)")
    machine.add_argument(
        "--backend",
        choices=["torch", "onnxruntime"],
        default="torch",
        help="what runs networks on the CPU (default torch); the deviation is stated",
    )
    machine.add_argument("--fast", action="store_true", help="TF32 on a GPU; the deviation is printed beside each number")
    machine.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the cases (default 1)")
    machine.add_argument("--pull", action="store_true", help="fetch missing weights first")
    machine.add_argument("--offline", action="store_true", help="never ask the network")
    _workers(parser)
    group = parser.add_argument_group("result")
    group.add_argument("--out", type=Path, metavar="RUN", help="run directory (default runs/<suite>-<spec>)")
    group.add_argument("--json", action="store_true", help="scores as JSON on standard output and nothing else there")


GENERATORS: dict[str, tuple[str, str, str]] = {
    "checkpoint": (
        "checkpoint",
        "tiny|DIR|FILE|ID",
        "what a generator loads: a folder in diffusers' format or with a checkpoint.toml, the id of a hub's repository that is already on this machine, "
        "or tiny: a rehearsal with networks drawn from a seed",
    ),
    "steps": ("steps", "N", "denoising steps"),
    "guidance": ("guidance", "G", "scale of classifier-free guidance; 1 and less switches it off"),
    "size": ("size", "WxH", "size of the clips that are made"),
    "length": ("frames", "N", "make only the first N frames of every case"),
    "dtype": ("dtype", "float32|bfloat16|float16", "numbers the networks run in"),
}
"""{option: (field of Settings, what is shown, help)}."""


def generators(parser: argparse.ArgumentParser) -> None:
    """What generating adapters are told."""
    group = parser.add_argument_group(
        "generators", "each for all, or METHOD=VALUE for one; repeatable; the checkpoint says what is not said here"
    )
    for option, (_, shown, text) in GENERATORS.items():
        group.add_argument(f"--{option}", action="append", default=[], metavar=f"[METHOD=]{shown}", help=text)
    group.add_argument("--make-only", action="store_true", help="make the clips, score nothing")
    group.add_argument("--offload", action="store_true", help="parts of a model wait on the CPU until they are needed")


def _settings(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """{method or `*`: {field: value}} of the options of generators."""
    from benchmark.generating import EVERY

    found: dict[str, dict[str, Any]] = {}
    read: dict[str, Callable[[str], Any]] = {"steps": int, "frames": int, "guidance": float, "size": _size}
    for option, (field, _, _) in GENERATORS.items():
        words = [
            word if "=" in word and "/" not in word.partition("=")[0] else f"{EVERY}={word}" for word in vars(arguments).get(option) or ()
        ]
        for name, value in named(f"--{option}", words, read.get(field, str)).items():
            found.setdefault(name, {})[field] = value
    if vars(arguments).get("offload"):
        found.setdefault(EVERY, {})["offload"] = True
    return found


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return int(width), int(height)


def _workers(parser: argparse.ArgumentParser) -> None:
    """The options that registered workers declare."""
    from benchmark.registry import registry
    from benchmark.workers import flags

    shown = {"python": "PATH", "program": "FILE", "folder": "DIR", "code": "DIR"}
    workers = [entry.item for entry in registry().workers.values()]
    group = parser.add_argument_group("models in another Python")
    licence(group)
    for flag, option in flags(workers).items():
        if option.kind == "yes":
            group.add_argument(f"--{flag}", dest=f"worker {flag}", action="store_const", const="yes", help=option.help)
        else:
            group.add_argument(f"--{flag}", dest=f"worker {flag}", metavar=shown[option.kind], help=option.help)


def licence(parser: argparse._ActionsContainer) -> None:
    """--accept-licence, of the workers that have terms."""
    from benchmark.registry import registry

    parser.add_argument(
        "--accept-licence",
        action="append",
        default=[],
        choices=[name for name, entry in registry().workers.items() if entry.item.terms],
        help="accept the terms of a model once; remembered beside your configuration",
    )


def accept(arguments: argparse.Namespace) -> list[str]:
    """Remember the licences accepted on the command line; returns what was accepted, for the user to see."""
    from benchmark import licences
    from benchmark.registry import registry

    said = []
    for name in arguments.accept_licence:
        worker = registry().workers[name].item
        if not licences.accepted(name, worker.terms):
            licences.accept(name, worker.terms)
            said.append(f"accepted the terms of {name}, kept in {licences.file()}:\n{worker.terms}")
    return said


def request(arguments: argparse.Namespace) -> Request:
    """The Request of parsed arguments. Raises InputError with the option and the word that does not fit."""
    get = vars(arguments).get
    folder = None if get("weights", "real") in ("real", "seeded") else Path(arguments.weights)
    if folder is not None and not folder.is_dir():
        raise InputError("--weights takes real, seeded or a folder", code="usage", found=arguments.weights)
    return Request(
        suite=arguments.suite,
        split=arguments.split,
        truth=arguments.truth,
        data=arguments.data,
        real=arguments.real,
        cases_file=arguments.cases_file,
        outputs=named("--outputs", arguments.outputs, Path),
        adapters=tuple(get("adapter") or ()),
        cases=tuple(arguments.case),
        limit=arguments.limit,
        protocols=tuple(get("protocol") or ()),
        metrics=tuple(get("metric") or ()),
        seeds=_seeds(get("seeds") or "0"),
        offsets=named("--offset", arguments.offset, int),
        crops=named("--crop", arguments.crop, _rect),
        ignores=named("--ignore", arguments.ignore, _rect),
        fps=named("--fps", arguments.fps, _fps),
        ranges=named("--frames", arguments.frames, _range),
        reference_frames=named("--reference-frame", arguments.reference_frame, int),
        keypoints=named("--keypoints", arguments.keypoints, Path),
        audio=arguments.audio,
        weights="seeded" if get("weights") == "seeded" else "real",
        weights_folder=folder,
        pull=bool(get("pull")),
        offline=bool(get("offline")),
        device=device(get("device") or "cpu"),
        backend=_backend(get("backend") or TORCH, bool(get("fast"))),
        workers=get("workers") or 1,
        require_all=get("require") == "all",
        bare=bool(get("make_only")),
        max_frames=get("max_frames") or 512,
        out=get("out"),
        settings=_settings(arguments),
        worker_options={
            key.partition(" ")[2]: str(value) for key, value in vars(arguments).items() if key.startswith("worker ") and value is not None
        },
    )


def named(option: str, words: Iterable[str], read: Callable[[str], T]) -> dict[str, T]:
    """['a=1', 'b=2'] -> {'a': read('1'), 'b': read('2')}."""
    found: dict[str, T] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise InputError(
                f"{option} takes NAME=VALUE", code="usage", found=word, hint=f"{option} '*={value or name}'" if not equals else None
            )
        if name in found:
            raise InputError(f"{option} names {name!r} twice", code="usage", found=word)
        try:
            found[name] = read(value)
        except ValueError:
            kind = {float: "number", _size: "size WxH"}.get(read, "whole number")
            raise InputError(f"{option} {name}: not a {kind}", code="usage", found=value) from None
    return found


def device(word: str) -> str:
    """`auto` -> cuda where there is one, else cpu. Raises InputError for a device that is not there."""
    if word == "cpu":
        return "cpu"
    import torch

    if word == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if word.partition(":")[0] != "cuda" or not torch.cuda.is_available():
        raise InputError("no such device here", code="usage", found=word, expected="cpu" + (", cuda" if torch.cuda.is_available() else ""))
    return word


def _backend(word: str, fast: bool) -> str:
    """The back end of the options --backend and --fast. Raises InputError where they exclude each other."""
    if fast and word != TORCH:
        raise InputError("--fast and --backend exclude each other", code="usage", found=word)
    return TF32 if fast else word


def _rect(text: str) -> Rect:
    from benchmark.media import parse_rect

    return parse_rect(text)


def _fps(text: str) -> Fraction:
    return fraction(text, "--fps")


def _range(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    if not colon:
        raise InputError("--frames takes NAME=A:B", code="usage", found=text)
    return int(first), int(last)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError("--seeds takes whole numbers with commas between", code="usage", found=text) from None
