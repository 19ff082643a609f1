"""Methods that live in a repository of their own: the user's checkout, in the user's Python, run by a recipe (`adapters/recipes/*.toml`).

Nothing is downloaded and nothing is imported: the stock script runs as a process with limits, in a folder and an environment of its own, and only the
clip it leaves is looked at. That clip is cut, given its true rate and written without loss beside the log of the run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from adapters import _confined as confined
from adapters import _material
from adapters._recipe import Recipe, Step, details, fill, load, uses
from benchmark import paths
from benchmark.errors import InputError
from benchmark.generating import Generating, Settings
from benchmark.model import Case, Rect

RECIPES = Path(__file__).with_name("recipes")
LOG = 1 << 20
"""Bytes of a log's end that are kept."""
TOLERANCE = 0.001


@dataclass(frozen=True)
class Place:
    """A checkout and what runs it, as the user named them. inputs: folder with one folder a case of prepared inputs; seconds, memory: limits."""

    repo: Path
    python: Path
    checkpoint: Path | None
    inputs: Path | None
    seconds: float
    memory: int


def place_of(recipe: Recipe) -> Place:
    """Where the user says it is. Raises InputError `repository-missing`, `environment-missing`, `config`."""
    table = paths.repository(recipe.id)
    hint = f'in {paths.config_file()}: [repositories.{recipe.id}] path = "CHECKOUT", python = "CHECKOUT/.venv/bin/python"'
    unknown = sorted(set(table) - {"path", "python", "checkpoint", "inputs", "seconds", "memory_gib"})
    numbers = {key: table.get(key, default) for key, default in (("seconds", recipe.seconds), ("memory_gib", recipe.gib))}
    wrong = [key for key, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0]
    wrong += [key for key in ("path", "python", "checkpoint", "inputs") if not isinstance(table.get(key, ""), str)]
    if unknown or wrong:
        raise InputError(
            f"[repositories.{recipe.id}] is wrong",
            code="config",
            path=paths.config_file(),
            found=", ".join(unknown or wrong),
            expected="path, python, checkpoint, inputs (text), seconds, memory_gib (numbers above 0)",
            hint="edit the file",
        )

    def named(key: str) -> Path | None:
        return Path(table[key]).expanduser().absolute() if table.get(key) else None

    repo = named("path")
    if repo is None or not repo.is_dir():
        raise InputError(
            f"the checkout of {recipe.title} is not here",
            code="repository-missing",
            path=repo,
            found="no such folder" if repo else "nobody named one",
            expected=f"a clone of {recipe.repository}, read at {recipe.commit}",
            hint=hint,
        )
    # Links are not followed: the python of a virtual environment is one.
    python = named("python") or repo / ".venv" / "bin" / "python"
    if os.name != "posix" or not (python.is_file() and os.access(python, os.X_OK)):
        raise InputError(
            f"the Python of {recipe.title} cannot be run",
            code="environment-missing",
            path=python,
            found="no program there" if os.name == "posix" else f"a system ({os.name}) without process limits",
            expected="the Python of an environment with what the repository requires",
            hint=hint,
        )
    return Place(repo, python, named("checkpoint"), named("inputs"), numbers["seconds"], int(numbers["memory_gib"] * 2**30))


def generate(case: Case, settings: Settings, stem: Path, recipe: Recipe) -> Path:
    """Run the recipe for one case; the clip at STEM.mkv, the end of its log at STEM.log, what was run at STEM.run.json.

    Raises InputError: `recipe-incomplete`, `repository-missing`, `environment-missing`, `input-missing`, `timeout`, `out-of-memory`, `exit-status`,
    `no-output`, `ambiguous-output`, `wrong-size`, `wrong-rate`, `wrong-frames`, and what `benchmark.media` finds wrong with a clip.
    """
    from filelock import FileLock

    if not recipe.step:
        raise InputError(
            f"the recipe of {recipe.title} is incomplete",
            code="recipe-incomplete",
            found="; ".join(recipe.unknown),
            expected="a script that takes its inputs as arguments",
            hint=f"hvbench explain {recipe.id}; make the clips by hand, then --outputs NAME=DIR",
        )
    place = place_of(recipe)
    locks = paths.cache_dir() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(place.repo.resolve()).encode()).hexdigest()[:16]
    # One at a time a checkout: two would share its relative paths, its GPU and its memory, and nobody could say who wrote what.
    with FileLock(str(locks / f"repository-{name}")), tempfile.TemporaryDirectory(prefix="hvbench-", ignore_cleanup_errors=True) as folder:
        return _Unit(recipe, place, case, settings, stem, Path(folder)).make()


class _Unit:
    """One case on its way through one recipe."""

    def __init__(self, recipe: Recipe, place: Place, case: Case, settings: Settings, stem: Path, folder: Path) -> None:
        self.recipe, self.place, self.case, self.settings = recipe, place, case, settings
        self.log, self.facts_file, self.clip = (stem.with_name(stem.name + end) for end in (".log", ".run.json", ".mkv"))
        self.given, self.work, self.home, self.temporary = (folder / name for name in ("in", "work", "home", "tmp"))
        self.words = folder / "log"
        self.made: dict[str, Path] = {}
        self.facts: dict[str, Any] = {}

    def make(self) -> Path:
        for path in (self.given, self.work, self.work / "out", self.home, self.temporary):
            path.mkdir()
        self.words.touch()
        for old in (self.log, self.facts_file, self.clip):
            old.unlink(missing_ok=True)
        values = self._values()
        watched = [path for path in (self.place.repo, self.place.checkpoint, self.place.inputs) if path is not None and path.is_dir()]
        for name in self.recipe.links:
            if (self.place.repo / name).exists():
                (self.work / name).symlink_to(self.place.repo / name)
        for name, text in self.recipe.files.items():
            (self.work / name).write_text(fill(text, values, quoted=True), encoding="utf-8")
        self.facts = {
            "recipe": self.recipe.source,
            "checkout": confined.commit(self.place.repo),
            "python": str(self.place.python),
            "steps": [],
        }
        before = {path: confined.listing(path) for path in watched}
        try:
            for step in self.recipe.step:
                self._step(step, values)
            return self._finish(values)
        finally:
            found = {path: confined.changed(before[path], confined.listing(path)) for path in watched}
            self.facts["outside"] = [str(path / name) for path, names in found.items() for name in names or ()]
            self.facts["unwatched"] = [str(path) for path, names in found.items() if names is None]
            paths.write_atomic(self.log, confined.tail(self.words, LOG))
            from benchmark.record import to_text

            paths.write_atomic(self.facts_file, to_text(self.facts))

    def _values(self) -> dict[str, str]:
        """{placeholder: text}; what the recipe's inputs name is made here. Raises InputError `input-missing`."""
        from benchmark.record import safe_name

        recipe, case = self.recipe, self.case
        for name in recipe.inputs:
            if name in _material.MAKERS:
                self.made[name] = _material.MAKERS[name](recipe.id, case, self.given)
        values = {name: str(path) for name, path in self.made.items()}
        values |= {"repo": str(self.place.repo), "work": str(self.work), "out": str(self.work / "out"), "given": str(self.given)}
        values |= {"seed": str(self.settings.seed), "case": safe_name(case.id)}
        if "prompt" in recipe.inputs:
            text = case.prompt or recipe.prompt
            if not text:
                raise _material.missing(recipe.id, "prompt", case, 'prompt = "..." of the case in cases.toml')
            values["prompt"] = " ".join(text.split())
        if "prepared" in recipe.inputs:
            root = self.place.inputs
            folder = root / safe_name(case.id) if root else None
            if folder is None or not folder.is_dir():
                how = f'inputs = "DIR" in [repositories.{recipe.id}] of {paths.config_file()}'
                raise _material.missing(recipe.id, "prepared inputs", case, recipe.inputs["prepared"], how, folder)
            values["prepared"] = str(folder)
        if uses(recipe, "checkpoint"):
            if self.place.checkpoint is None or not self.place.checkpoint.exists():
                how = f'checkpoint = "DIR" in [repositories.{recipe.id}] of {paths.config_file()}'
                raise InputError(
                    "the weights are not here", code="environment-missing", path=self.place.checkpoint, expected="a folder", hint=how
                )
            values["checkpoint"] = str(self.place.checkpoint)
        if uses(recipe, "frames"):
            count = _material.counted(recipe.id, case, self.made, recipe.output.tag)
            count = min(count, recipe.most or count)
            values["frames"] = str(max(1, (count - 1) // recipe.multiple * recipe.multiple + 1))
        return values

    def _step(self, step: Step, values: dict[str, str]) -> None:
        recipe, place = self.recipe, self.place
        first, *rest = (fill(word, values) for word in step.argv)
        more = {name: fill(text, values) for name, text in recipe.env.items()}
        env = confined.environment(self.home, self.temporary, place.python, more)
        program = str(place.python) if first == "python" else shutil.which(first, path=env["PATH"])
        if program is None:
            raise InputError(
                "a program of the recipe is not installed", code="environment-missing", found=first, hint=f"hvbench explain {recipe.id}"
            )
        left = place.seconds - sum(done["seconds"] for done in self.facts["steps"])
        ending = confined.run([program, *rest], folder=self.work, env=env, log=self.words, seconds=max(left, 1.0), memory=place.memory)
        self.facts["steps"].append(
            {"argv": [program, *rest], "ending": ending.how, "words": ending.words, "seconds": round(ending.seconds, 2)}
        )
        if ending.how != "ok":
            what = {"timeout": "takes too long", "out-of-memory": "ran out of memory"}.get(ending.how, "failed")
            limits = f"an end within {place.seconds:g} s, at most {place.memory / 2**30:g} GiB, exit status 0"
            raise self._error(f"{recipe.title} {what}", ending.how, f"{ending.words}{self._last_words()}", limits)

    def _finish(self, values: dict[str, str]) -> Path:
        """The clip that the script left, looked at, cut and written without loss."""
        from benchmark.media import decode, encode, probe

        output = self.recipe.output
        found = sorted(self.work.glob(output.found))
        if len(found) != 1:
            listed = sorted(path.relative_to(self.work).as_posix() for path in (found or self.work.rglob("*")) if found or path.is_file())
            raise self._error(
                f"{self.recipe.title} ended well but left {'several clips' if found else 'no clip'}",
                "ambiguous-output" if found else "no-output",
                (", ".join(listed[:6]) or "no file") + ("" if found else self._last_words()),
                f"one {output.found}",
            )
        rate = self._rate(output.rate)
        info = probe(found[0], fps=rate if found[0].is_dir() else None)
        size = f"{info.width}x{info.height}"
        if output.whole and (info.width, info.height) != output.whole:
            raise self._error("the clip has another size than the recipe says", "wrong-size", size, "{}x{}".format(*output.whole))
        if output.tag and info.kind == "video" and (info.fps is None or abs(info.fps / output.tag - 1) > TOLERANCE):
            raise self._error(
                "the clip states another frame rate than the recipe says", "wrong-rate", f"{info.fps} fps", f"{output.tag} fps"
            )
        if output.frames == "asked" and info.frames != int(values["frames"]):
            raise self._error("the clip has not the frames asked for", "wrong-frames", f"{info.frames}", values["frames"])
        true = rate or info.fps
        if true is None:
            raise self._error("the clip states no frame rate", "wrong-rate", "none", "rate = ... in the recipe")
        self.facts["clip"] = {
            "file": found[0].relative_to(self.work).as_posix(),
            "size": size,
            "frames": info.frames,
            "tag": str(info.fps),
            "rate": str(true),
        }
        crop = None
        if output.crop:
            x, y, w, h = output.crop
            crop = Rect(x, y, w, h)
        encode(self.clip, decode(info, crop=crop), true, codec="ffv1")
        return self.clip

    def _rate(self, text: str) -> Fraction | None:
        """The true rate: a number, that of the driving or pose clip (`/2`: half of it), None = what the file says."""
        from benchmark.media import probe

        if not text:
            return None
        name, _, part = text.partition("/")
        if name not in self.made:
            return Fraction(text)
        fps = probe(self.made[name]).fps
        return None if fps is None else fps / int(part or 1)

    def _last_words(self) -> str:
        lines = [line.strip() for line in confined.tail(self.words, 2000).splitlines() if line.strip()]
        return f"; last words: {lines[-1][-300:]}" if lines else ""

    def _error(self, what: str, code: str, found: str, expected: str) -> InputError:
        return InputError(
            what, code=code, path=self.log, found=found, expected=expected, hint=f"less {self.log}; hvbench explain {self.recipe.id}"
        )


def notes(clip: Path, recipe: Recipe) -> list[str]:
    """What stands out in how a clip was made: another commit than the recipe was read at, files written outside, folders too large to watch."""
    import json

    facts = json.loads(clip.with_suffix(".run.json").read_text(encoding="utf-8"))
    said = []
    if facts["checkout"] is None or not facts["checkout"].startswith(recipe.commit):
        said.append(
            f"{recipe.id}: the checkout stands on {(facts['checkout'] or '')[:12] or 'no known commit'}, the recipe was read at {recipe.commit}"
        )
    if facts["outside"]:
        said.append(f"{recipe.id}: {len(facts['outside'])} file(s) written outside its own folder: {', '.join(facts['outside'][:3])}")
    said += [f"{recipe.id}: {path} has too many files to be watched" for path in facts["unwatched"]]
    return said


def facts(clip: Path) -> Mapping[str, Any]:
    """What was run and how it ended, for the journal."""
    import json

    found: dict[str, Any] = json.loads(clip.with_suffix(".run.json").read_text(encoding="utf-8"))
    return found


def lacks(recipe: Recipe) -> str:
    """What is still missing on this machine, in words."""
    try:
        place_of(recipe)
    except InputError as error:
        return f"{needs(recipe)} ({error.found})"
    return "" if recipe.step else "; ".join(recipe.unknown)


def needs(recipe: Recipe) -> str:
    """In a few words."""
    return f"a checkout of {recipe.repository} and its Python; {', '.join(recipe.inputs)}"


def adapter(recipe: Recipe) -> Generating:
    """A recipe as an adapter."""
    return Generating(
        id=recipe.id,
        version=recipe.version,
        title=recipe.title,
        summary=f"{recipe.title} by the stock script of its own repository",
        generate=partial(generate, recipe=recipe),
        needs=needs(recipe),
        source=recipe.source,
        status=recipe.status if recipe.step else f"{recipe.status}, incomplete",
        details=details(recipe),
        offset=recipe.output.offset,
        notes=partial(notes, recipe=recipe),
        facts=facts,
        lacks=partial(lacks, recipe),
        takes=(),
    )


SPEC = tuple(adapter(load(path)) for path in sorted(RECIPES.glob("*.toml"), key=lambda path: path.stem))
