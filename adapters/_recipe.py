"""A recipe: how the stock script of somebody else's repository is run for one case, and where its clip appears. Data, read from a TOML file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from benchmark.data import from_mapping, load_toml
from benchmark.errors import InputError

GIVEN = ("reference", "driving", "pose", "audio", "prompt", "prepared")
"""What a case gives, in the words of a recipe."""
PLACES = ("repo", "checkpoint", "given", "out", "work")
"""The checkout, the weights the user named, the folder of the inputs' copies, the working folder and `out` in it."""
NUMBERS = ("seed", "frames", "case")
_PLACE = re.compile(r"\{([a-z]+)\}")
SHELL = re.compile(r"[;&|<>`$\n*?~!\\]")
"""Nothing of this has a meaning without a shell; in an argument it is a slip."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command. argv: its words; `python` as the first is the repository's Python. source: file@commit where the script reads them."""

    argv: tuple[str, ...]
    source: str


@dataclass(frozen=True, kw_only=True)
class Output:
    """The clip a script leaves.

    found: pattern below its working folder for exactly one file, or folder of numbered pictures. whole: (width, height) it must have. crop: x, y, w, h in
    its pixels, where it holds panels. tag: frames per second the file itself must state. rate: the true rate of its frames: a number, `driving`,
    `driving/2` (every second frame of the driving clip), `pose`; empty = what the file states. offset: frame i belongs to truth frame i + offset.
    frames: `asked` = as many as {frames}. source: file@commit.
    """

    found: str
    source: str
    whole: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()
    tag: Fraction | None = None
    rate: str = ""
    offset: int = 0
    frames: Literal["", "asked"] = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything of one method. status: `unrun` until somebody has run it on the real repository.

    inputs: {reference, driving, pose, audio, prompt or prepared: what becomes of it, in words}. files: text files written for the script, with the same
    placeholders, each value escaped as in a JSON string. links: names in the checkout that the working folder links to. most: largest {frames}.
    multiple: {frames} is multiple * n + 1. gib: memory. quirks: what a user must know, unknown: what could not be confirmed.
    """

    id: str
    version: int
    title: str
    repository: str
    commit: str
    licence: str
    inputs: Mapping[str, str]
    output: Output
    step: tuple[Step, ...] = ()
    status: str = "unrun"
    paper: str = ""
    prompt: str = ""
    links: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None
    multiple: int = 1
    seconds: int = 3600
    gib: int = 64
    seeded: bool = True
    quirks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """REPOSITORY@COMMIT, as it was read."""
        return f"{self.repository}@{self.commit}"


def load(path: Path) -> Recipe:
    """Read and check one file. Raises InputError that names it."""
    recipe = from_mapping(Recipe, load_toml(path), where=str(path))
    texts = [word for step in recipe.step for word in step.argv] + [*recipe.files.values(), *recipe.env.values()]
    for wrong, found, expected in (
        ("a recipe's id is its file's name", recipe.id if recipe.id != path.stem else "", path.stem),
        ("unknown input", ", ".join(set(recipe.inputs) - set(GIVEN)), ", ".join(GIVEN)),
        (
            "unknown placeholder",
            ", ".join(sorted(_used(texts) - {*recipe.inputs, *PLACES, *NUMBERS})),
            "an input, " + ", ".join((*PLACES, *NUMBERS)),
        ),
        ("a word only a shell could make sense of", next((w for s in recipe.step for w in s.argv if SHELL.search(w)), ""), "plain words"),
        (
            "a crop needs the size of the whole",
            "crop alone" if recipe.output.crop and not recipe.output.whole else "",
            "whole = [width, height]",
        ),
        (
            "a size has two numbers and a crop four",
            "another count" if (len(recipe.output.whole), len(recipe.output.crop)) not in ((0, 0), (2, 0), (2, 4)) else "",
            "[w, h], [x, y, w, h]",
        ),
        ("a recipe without a step says what is unknown", "neither" if not recipe.step and not recipe.unknown else "", "unknown = [...]"),
    ):
        if found:
            raise InputError(wrong, code="recipe", path=path, found=found, expected=expected)
    return recipe


def _used(texts: list[str]) -> set[str]:
    return {name for text in texts for name in _PLACE.findall(text)}


def uses(recipe: Recipe, name: str) -> bool:
    """Does a step or a file ask for {name}?"""
    return name in _used([word for step in recipe.step for word in step.argv] + [*recipe.files.values(), *recipe.env.values()])


def fill(text: str, values: Mapping[str, str], *, quoted: bool = False) -> str:
    """Put values into {places}. quoted: as they are written inside a JSON (and YAML) string."""

    def one(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            return match[0]
        return json.dumps(value, ensure_ascii=False)[1:-1] if quoted else value

    return _PLACE.sub(one, text)


def details(recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """All of it as lines for a reader."""
    output = recipe.output
    look: list[str] = [f"found at {output.found}"]
    look += [f"{output.whole[0]}x{output.whole[1]}" if output.whole else ""]
    look += ["cut to x, y, w, h = " + ", ".join(map(str, output.crop)) if output.crop else ""]
    look += [f"tagged {output.tag} fps" if output.tag else ""]
    look += [f"true rate: {output.rate}" if output.rate else "rate as tagged"]
    look += [f"offset {output.offset}" if output.offset else ""]
    rows: list[tuple[str, Any]] = [
        ("paper", recipe.paper),
        ("licence", recipe.licence),
        ("inputs", "\n".join(f"{name}: {text}" for name, text in recipe.inputs.items())),
        *(("command", f"{' '.join(step.argv)}\n({step.source})") for step in recipe.step),
        *(("writes", name) for name in recipe.files),
        ("links", ", ".join(recipe.links)),
        ("variables", ", ".join(f"{name}={value}" for name, value in recipe.env.items())),
        ("limits", f"{recipe.seconds} s, {recipe.gib} GiB" + (f", {recipe.most} frames" if recipe.most else "")),
        ("output", "; ".join(part for part in look if part) + f"\n({output.source})"),
        ("seed", "" if recipe.seeded else "not passed on: every seed gives what the script's own gives"),
        *(("quirk", text) for text in recipe.quirks),
        *(("unknown", text) for text in recipe.unknown),
    ]
    return tuple((label, str(value)) for label, value in rows if value)
