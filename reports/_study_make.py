"""A study's folder: clips by opaque names, a page that works from disk, and the key that stays with whoever runs the study."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.data import canonical, load_toml
from benchmark.errors import InputError
from benchmark.paths import write_atomic
from benchmark.record import Record, to_text
from reports import _study_clips as media
from reports._study_design import Draws, Sides, opaque, pairs_of, places, sequences

FORMAT = "human-video-benchmark study"
VERSION = 1
PAGE = Path(__file__).parent / "study_page"
KINDS = ("rating", "pairs")
MOST_CASES, MOST_ITEMS = 20, 40
"""Where nobody says how many: more than this tires a rater."""


@dataclass(frozen=True)
class Dimension:
    """What is asked of each clip or pair."""

    name: str
    question: str
    low: str = "very bad"
    high: str = "excellent"
    sound: bool = False
    default: bool = False


@dataclass(frozen=True)
class Plan:
    """What the command asks for; None = the default."""

    kind: str
    dimensions: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    clips: int | None = None
    per_rater: int | None = None
    raters: int = 24
    seed: int = 0
    attention: int = 4
    with_truth: bool = False
    side: int = 512
    copy: bool = False
    title: str = "Video study"


@dataclass(frozen=True)
class Made:
    """What was made. notes: what whoever runs the study should know."""

    page: Path
    key: Path
    study: str
    methods: tuple[str, ...]
    cases: tuple[str, ...]
    per_rater: int
    checks: int
    notes: tuple[str, ...]


def make(record: Record, out: Path, plan: Plan, told: Callable[[str], None] = lambda _: None) -> Made:
    """Write OUT/page (for raters) and OUT/key.json (not for raters). The same record and plan give the same page and study id; clips are
    the same to the byte as far as the encoder is.

    told: is called with the id of each case before it is written. InputError: methods or clips that the record has not, a folder that holds something
    already, numbers that make no study.
    """
    methods = _methods(record, plan)
    found, left = media.sources(record, [m for m in methods if m != media.TRUTH or not plan.with_truth], plan.with_truth)
    cases = _cases(found, left, plan, record)
    notes = [f"{why}: left out {', '.join(c for c in left if left[c] == why)}" for why in dict.fromkeys(left.values())]
    stimuli = list(range(len(methods))) if plan.kind == "rating" else list(range(len(pairs_of(len(methods)))))
    per_rater = min(plan.per_rater or MOST_ITEMS, len(stimuli) * len(cases))
    if plan.per_rater and per_rater < plan.per_rater:
        notes.append(f"--per-rater {plan.per_rater}: there are {per_rater} {'clips' if plan.kind == 'rating' else 'pairs'}")
    checks = min(plan.attention, per_rater)
    _dimensions(plan, {})  # names and questions are looked at before clips are written
    if (out / "page").exists() or (out / "key.json").exists():
        raise InputError("there is a study already", code="exists", path=out, hint="name another --out")
    for case in cases:
        for source in found[case]:
            media.check(source)
    salt = opaque(record.header["spec_sha256"], plan.seed, plan.kind)
    temporary = out / f".page.{os.getpid()}"
    try:
        (temporary / "clips").mkdir(parents=True)
        design = _Design(methods, cases, plan, per_rater, checks, salt)
        hashes, audible, uneven = _write_clips(temporary / "clips", design, found, plan, told)
        dimensions = _dimensions(plan, audible)
        if plan.copy:
            notes.append("clips are copied as they are: size, rate, length and bytes of a file can tell its method")
        elif any(audible.values()) != all(audible.values()):
            notes.append(f"without sound: {', '.join(case for case in cases if not audible[case])}")
        if uneven:
            notes.append(f"methods differ in the shape of the picture, which raters can see: {', '.join(uneven)}")
        data = design.page(dimensions, any(audible.values()))
        # of what was scored, not of what the encoder made of it: the id is the same on every machine
        contents = {f"{source.method}/{case}": source.sha256 for case in cases for source in found[case]}
        study = hashlib.sha256(canonical([data, contents, plan.side, plan.copy]).encode()).hexdigest()[:16]
        _write_page(temporary, {"study": study, **data})
        key = {"format": FORMAT, "version": VERSION, "study": study, **design.key(record, dimensions, hashes)}
        temporary.replace(out / "page")
        write_atomic(out / "key.json", to_text(key))
    except OSError as error:
        raise InputError("the study cannot be written", code="unwritable", path=out, found=str(error), hint="name another --out") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Made(out / "page", out / "key.json", study, tuple(methods), tuple(cases), per_rater, checks, tuple(notes))


def _methods(record: Record, plan: Plan) -> list[str]:
    known = [str(m["name"]) for m in record.header["spec"]["methods"]]
    unknown = [name for name in plan.methods if name not in known]
    if unknown:
        raise InputError("the run has no such method", code="unknown-name", path=record.path, found=unknown[0], expected=", ".join(known))
    methods = list(dict.fromkeys(plan.methods)) or known
    if plan.with_truth:
        if media.TRUTH in methods:
            raise InputError("a method is called `truth`", code="collision", path=record.path, hint="leave --with-truth or the method out")
        methods.append(media.TRUTH)
    if len(methods) < 2:
        raise InputError(
            "a study compares two methods at least", code="usage", path=record.path, found=", ".join(methods), hint="--with-truth"
        )
    return methods


def _cases(found: Mapping[str, Any], left: Mapping[str, str], plan: Plan, record: Record) -> list[str]:
    if not found:
        why = next(iter(left.values()), "the run has no clips")
        raise InputError("no case has a clip of every method", code="no-clips", path=record.path, found=why, hint="--methods A --methods B")
    if plan.clips and plan.clips > len(found):
        raise InputError(
            "--clips is more than there are", code="usage", path=record.path, found=str(plan.clips), expected=f"at most {len(found)}"
        )
    number = plan.clips or min(MOST_CASES, len(found))
    chosen = set(Draws(plan.seed).order(len(found))[:number])
    return [case for i, case in enumerate(found) if i in chosen]


def _dimensions(plan: Plan, audible: Mapping[str, bool]) -> list[Dimension]:
    table = {name: Dimension(name, **facts) for name, facts in load_toml(PAGE / "dimensions.toml")[plan.kind].items()}
    if not plan.dimensions:
        return [d for d in table.values() if d.default and (not d.sound or all(audible.values()))]
    chosen: list[Dimension] = []
    for word in plan.dimensions:
        name, equals, question = word.partition("=")
        if not name.strip() or not name.isprintable() or (equals and not question.strip()):
            raise InputError("--dimension takes NAME or NAME=question", code="usage", found=repr(word))
        if name in (d.name for d in chosen):
            raise InputError("--dimension names one twice", code="usage", found=name)
        if not equals and name not in table:
            raise InputError("--dimension has no question", code="usage", found=name, expected=f"{name}=question, or {', '.join(table)}")
        dimension = Dimension(name, question) if equals else table[name]
        if dimension.sound and not all(audible.values()):
            silent = [case for case, heard in audible.items() if not heard]
            raise InputError(
                "is asked of clips that cannot be heard", code="no-sound", path=name, found=f"without sound: {', '.join(silent)}"
            )
        chosen.append(dimension)
    return chosen


class _Design:
    """Clips, items and sequences by opaque ids."""

    def __init__(self, methods: Sequence[str], cases: Sequence[str], plan: Plan, per_rater: int, checks: int, salt: str) -> None:
        self.methods, self.cases, self.plan, self.salt = methods, cases, plan, salt
        self.items: dict[str, dict[str, Any]] = {}
        self.clips: dict[str, dict[str, Any]] = {}
        self.pairs = pairs_of(len(methods))
        stimuli = len(methods) if plan.kind == "rating" else len(self.pairs)
        order = sequences(stimuli, len(cases), plan.raters, per_rater, plan.seed)
        draws = Draws(plan.seed + 1)
        sides = Sides(self.pairs, draws)
        self.raters = [self._rater(number, run, sides, draws, checks) for number, run in enumerate(order, 1)]
        for i in range(len(cases)):
            for m in range(len(methods)):
                self.clip(m, i, False)

    def clip(self, method: int, case: int, degraded: bool) -> str:
        name = opaque(self.salt, "clip", self.methods[method], self.cases[case], degraded)
        self.clips[name] = {"method": self.methods[method], "case": self.cases[case], "degraded": degraded}
        return name

    def _item(self, role: str, clips: list[str], of: str | None = None, rater: int = 0) -> str:
        name = opaque(self.salt, "item", role, *clips, of, rater)
        self.items[name] = {"role": role, "clips": clips, **({"of": of} if of else {})}
        return name

    def _rater(self, number: int, run: Sequence[tuple[int, int]], sides: Sides, draws: Draws, checks: int) -> list[str]:
        lefts: dict[int, int] = {}
        shown: list[str] = []
        for stimulus, case in run:
            if self.plan.kind == "rating":
                shown.append(self._item("main", [self.clip(stimulus, case, False)]))
            else:
                pair = self.pairs[stimulus]
                pair = pair[::-1] if sides.swapped((stimulus, case), lefts) else pair
                shown.append(self._item("main", [self.clip(m, case, False) for m in pair]))
        at = places(len(run), checks) if checks else []
        used: set[int] = set()
        extra: list[tuple[int, str]] = []
        for i, place in enumerate(at):
            # of an item shown in the first half of what came before, so that it is no longer in mind
            fresh = [j for j in range(max(1, place // 2)) if j not in used] or list(range(place))
            if i % 2 == 0:  # a degraded copy that is there already saves the raters' disk
                fresh = [j for j in fresh if self._spoilt(shown[j]) in self.clips] or fresh
            chosen = fresh[draws.below(len(fresh))]
            used.add(chosen)
            extra.append((place, self._check(number, i, shown[chosen], draws)))
        for place, name in reversed(extra):
            shown.insert(place, name)
        return shown

    def _spoilt(self, item: str) -> str:
        facts = self.clips[self.items[item]["clips"][0]]
        return opaque(self.salt, "clip", facts["method"], facts["case"], True)

    def _check(self, rater: int, number: int, of: str, draws: Draws) -> str:
        """Even ones: the answer is obvious. Odd ones: asked before."""
        clips = list(self.items[of]["clips"])
        if number % 2:
            return self._item("repeat", clips[::-1], of, rater)
        facts = self.clips[clips[0]]
        bad = self.clip(self.methods.index(facts["method"]), self.cases.index(facts["case"]), True)
        if self.plan.kind == "rating":
            return self._item("degraded", [bad], of, rater)
        return self._item("degraded", [bad, clips[0]] if draws.below(2) else [clips[0], bad], of, rater)

    def page(self, dimensions: Sequence[Dimension], sound: bool) -> dict[str, Any]:
        """What the page knows: no method, no case, no role."""
        asked = [{k: v for k, v in asdict(d).items() if k in ("name", "question", "low", "high")} for d in dimensions]
        items = {name: self.items[name]["clips"] for name in sorted(self.items)}
        head = {"format": FORMAT, "version": VERSION, "kind": self.plan.kind, "title": self.plan.title, "sound": sound}
        return {**head, "dimensions": asked, "items": items, "raters": self.raters}

    def key(self, record: Record, dimensions: Sequence[Dimension], hashes: Mapping[str, str]) -> dict[str, Any]:
        """All of it."""
        header = record.header
        return {
            "kind": self.plan.kind,
            "title": self.plan.title,
            "suite": f"{header['suite']['id']}/{header['split']['id']}",
            "spec_sha256": header["spec_sha256"],
            "seed": self.plan.seed,
            "dimensions": [d.name for d in dimensions],
            "methods": list(self.methods),
            "cases": list(self.cases),
            "clips": {name: {**self.clips[name], "sha256": hashes[name]} for name in sorted(self.clips)},
            "items": {name: self.items[name] for name in sorted(self.items)},
            "raters": self.raters,
        }


def _write_clips(
    folder: Path, design: _Design, found: Mapping[str, Sequence[media.Source]], plan: Plan, told: Callable[[str], None]
) -> tuple[dict[str, str], dict[str, bool], list[str]]:
    audible: dict[str, bool] = {}
    uneven = []
    for case in design.cases:
        told(case)
        by = {source.method: source for source in found[case]}
        wanted = sorted((facts["degraded"], name) for name, facts in design.clips.items() if facts["case"] == case)
        listed = [(by[design.clips[name]["method"]], folder / f"{name}.mp4", bad) for bad, name in wanted]
        # the truth's shape where it competes, else the first method's, whatever the order of ids
        listed.sort(key=lambda item: (item[2], item[0].method != media.TRUTH, design.methods.index(item[0].method)))
        if plan.copy:
            audible[case] = media.copy_case(listed, plan.side)
        else:
            audible[case], alike = media.write_case(listed, plan.side)
            uneven += [] if alike else [case]
    return {name: media.digest(folder / f"{name}.mp4") for name in sorted(design.clips)}, audible, uneven


def _write_page(folder: Path, data: Mapping[str, Any]) -> None:
    # `<` inside a string could end the script element of a page that includes the text itself
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    (folder / "study.js").write_text(f'"use strict";\nwindow.STUDY = {text};\n', encoding="utf-8", newline="\n")
    for name in ("index.html", "style.css", "page.js"):
        shutil.copyfile(PAGE / name, folder / name)
    for path in (*folder.iterdir(), *(folder / "clips").iterdir()):
        os.utime(path, (media.EPOCH, media.EPOCH))
