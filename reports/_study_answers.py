"""The files that raters saved, read back with the study's key: what each said of which clip, and who paid attention."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError, InputError, unreadable
from reports._study_make import FORMAT, VERSION

Answer = float | str
"""0..10 of a rating; A, B or same of a pair."""
CHOICES = ("A", "same", "B")
DROP = 2.0
"""A degraded copy must be rated this much below its clip, mean over the dimensions both were rated in."""
APART = 3.0
"""A repeat may differ by this much, mean over dimensions of the absolute difference."""
COLUMNS = ("study", "version", "rater", "session", "item", "position", "dimension", "answer", "seconds", "plays")


@dataclass
class Rater:
    """One rater's answers: {item: {dimension: answer}}. degraded, repeats: [passed?] of each check answered."""

    number: int
    path: Path
    session: str
    answers: dict[str, dict[str, Answer]]
    asked: int
    degraded: list[bool] = field(default_factory=list)
    repeats: list[bool] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)

    @property
    def failed(self) -> str:
        """Why the rater is left out; empty if not: any degraded copy not told from its clip, or two or more repeats, and more than half, contradicted.

        One contradiction is no sign: of two clips that look alike everybody says now this, now that.
        """
        if not all(self.degraded):
            return f"{self.degraded.count(False)} of {len(self.degraded)} degraded copies not noticed"
        if self.repeats.count(False) > max(1, len(self.repeats) / 2):
            return f"{self.repeats.count(False)} of {len(self.repeats)} repeats contradicted"
        return ""


@dataclass(frozen=True)
class Answers:
    """All that could be read. refused: (file, why)."""

    key: Mapping[str, Any]
    raters: Sequence[Rater]
    refused: Sequence[tuple[Path, str]]


class _BadFileError(BenchmarkError):
    """Why a file is left out."""


def read(paths: Sequence[Path], key: Path) -> Answers:
    """Read every file against the key. Files that are damaged, of another study or double are refused with a reason, the others count.

    InputError: the key cannot be read, or no file is left.
    """
    study = read_key(key)
    raters: dict[int, Rater] = {}
    refused: list[tuple[Path, str]] = []
    for path in paths:
        try:
            rater = _rater(path, study)
            if (other := raters.get(rater.number)) is not None:
                who = "the same session" if other.session == rater.session else "another session"
                same = ", with the same answers" if other.answers == rater.answers else ""
                raise _BadFileError(f"double: rater {rater.number} is in {other.path.name} already ({who}{same})")
            raters[rater.number] = rater
        except _BadFileError as error:
            refused.append((path, str(error)))
    if not raters:
        told = "\n".join(f"  {path}: {why}" for path, why in refused)
        raise InputError(f"no file of answers is left\n{told}", code="no-answers", expected=f"files saved by study {study['study']}")
    for rater in raters.values():
        _attention(rater, study)
    return Answers(study, [raters[number] for number in sorted(raters)], refused)


def read_key(path: Path) -> dict[str, Any]:
    """key.json of `study make`."""
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        raise InputError("the key is damaged", code="damaged", path=path, found=str(error)[:200]) from None
    needed = {"format", "version", "study", "kind", "dimensions", "methods", "cases", "clips", "items", "raters"}
    if not isinstance(key, dict) or key.get("format") != FORMAT or needed - set(key):
        raise InputError(
            "is not the key of a study", code="not-a-key", path=path, expected="key.json, written by study make", hint="--key DIR/key.json"
        )
    if key["version"] > VERSION:
        raise InputError(
            "the study is of a newer version", code="newer", path=path, found=f"version {key['version']}", expected=f"<= {VERSION}"
        )
    return key


def _rater(path: Path, key: Mapping[str, Any]) -> Rater:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _BadFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _BadFileError("damaged: not UTF-8 text") from None
    number, session, said = _json(text, key) if text.lstrip().startswith("{") else _csv(text, key)
    if not 1 <= number <= len(key["raters"]):
        raise _BadFileError(f"damaged: rater {number}, the study has 1 to {len(key['raters'])}")
    own = key["raters"][number - 1]
    answers: dict[str, dict[str, Answer]] = {}
    for item, dimension, value in said:
        if item not in own:
            raise _BadFileError(f"damaged: item {item[:20]!r} was not shown to rater {number}")
        if dimension not in key["dimensions"]:
            raise _BadFileError(f"damaged: no dimension {dimension[:40]!r} was asked")
        if dimension in answers.get(item, {}):
            raise _BadFileError(f"damaged: item {item}, {dimension} is answered twice")
        answers.setdefault(item, {})[dimension] = _answer(value, str(key["kind"]))
    if not answers:
        raise _BadFileError("holds no answer")
    return Rater(number, path, session, answers, len(own))


def _answer(value: object, kind: str) -> Answer:
    if kind == "pairs":
        if isinstance(value, str) and value in CHOICES:
            return value
        raise _BadFileError(f"damaged: the answer {str(value)[:20]!r} is none of {', '.join(CHOICES)}")
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        found = math.nan
    if not 0 <= found <= 10:
        raise _BadFileError(f"damaged: the answer {str(value)[:20]!r} is no number of 0 to 10")
    return found


def _same_study(study: object, version: object, key: Mapping[str, Any]) -> None:
    if study != key["study"]:
        raise _BadFileError(f"of another study: {str(study)[:20]!r}, not {key['study']}")
    if version != key["version"]:
        raise _BadFileError(f"version {str(version)[:10]!r} of the file, not {key['version']}")


def _json(text: str, key: Mapping[str, Any]) -> tuple[int, str, list[tuple[str, str, object]]]:
    try:
        data = json.loads(text)
        if data.get("format") != FORMAT:
            raise _BadFileError("is no file of answers")
        _same_study(data["study"], data["version"], key)
        said = [(str(a["item"]), str(name), value) for a in data["answers"] for name, value in dict(a["answers"]).items()]
        return _whole(data["rater"]), str(data["session"]), said
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _BadFileError(f"damaged: {type(error).__name__}: {str(error)[:80]}") from None


def _csv(text: str, key: Mapping[str, Any]) -> tuple[int, str, list[tuple[str, str, object]]]:
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _BadFileError(f"damaged: {error}") from None
    if not rows or set(COLUMNS) - set(rows[0]):
        raise _BadFileError("is no file of answers" if text.strip() else "is empty")
    if any(None in row or None in row.values() for row in rows):
        raise _BadFileError("damaged: a row has too many or too few fields")
    _same_study(rows[0]["study"], _whole(rows[0]["version"]), key)
    who = {(row["study"], row["version"], row["rater"], row["session"]) for row in rows}
    if len(who) > 1:
        raise _BadFileError("damaged: rows of several raters or studies in one file")
    return _whole(rows[0]["rater"]), rows[0]["session"], [(row["item"], row["dimension"], row["answer"]) for row in rows]


def _whole(value: object) -> int:
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise _BadFileError(f"damaged: {str(value)[:20]!r} is no whole number")


def _attention(rater: Rater, key: Mapping[str, Any]) -> None:
    """Judge the checks that were answered."""
    items = key["items"]
    for name, said in rater.answers.items():
        facts = items[name]
        if facts["role"] == "main":
            continue
        before = rater.answers.get(facts["of"], {})
        if facts["role"] == "degraded":
            if key["kind"] == "pairs":
                good = "AB"[[bool(key["clips"][clip]["degraded"]) for clip in facts["clips"]].index(False)]
                bad = "AB"[1 - "AB".index(good)]
                rater.degraded.append(_count(said, good) > _count(said, bad))
            elif both := [(before[d], said[d]) for d in said if d in before]:
                rater.degraded.append(_mean(float(clean) - float(worse) for clean, worse in both) >= DROP)
        elif both := [(before[d], said[d]) for d in said if d in before]:
            if key["kind"] == "pairs":
                # shown with sides changed: A then and A now contradict each other
                opposite = sum(one == other != "same" for one, other in both)
                rater.repeats.append(opposite <= len(both) / 2)
                rater.distance.append(opposite / len(both))
            else:
                apart = _mean(abs(float(one) - float(other)) for one, other in both)
                rater.repeats.append(apart <= APART)
                rater.distance.append(apart)


def passes_at_random(key: Mapping[str, Any]) -> float | None:
    """Probability that a rater who presses anything passes the checks of rater 1, every answer equally likely; None without checks. Exact, by counting."""
    roles = [key["items"][item]["role"] for item in key["raters"][0]]
    degraded, repeats, d = roles.count("degraded"), roles.count("repeat"), len(key["dimensions"])
    if not degraded + repeats:
        return None
    if key["kind"] == "pairs":
        # of a pair: good, same or bad; of two askings: the opposite in 2 of 9
        told = _sum_of({1: 1 / 3, 0: 1 / 3, -1: 1 / 3}, d, lambda total: total > 0)
        steady = _sum_of({1: 2 / 9, 0: 7 / 9}, d, lambda total: total <= d / 2)
    else:
        apart = {difference: (11 - abs(difference)) / 121 for difference in range(-10, 11)}
        told = _sum_of(apart, d, lambda total: total >= DROP * d)
        absolute = {size: (1 if size == 0 else 2) * apart[size] for size in range(11)}
        steady = _sum_of(absolute, d, lambda total: total <= APART * d)
    passed = math.fsum(
        math.comb(repeats, k) * (1 - steady) ** k * steady ** (repeats - k) for k in range(min(repeats, max(1, repeats // 2)) + 1)
    )
    return float(told**degraded * passed)


def _sum_of(one: Mapping[int, float], times: int, counts: Callable[[int], bool]) -> float:
    """P(counts(sum of that many independent draws))."""
    total = {0: 1.0}
    for _ in range(times):
        new: dict[int, float] = {}
        for a, p in total.items():
            for b, q in one.items():
                new[a + b] = new.get(a + b, 0.0) + p * q
        total = new
    return math.fsum(p for value, p in total.items() if counts(value))


def _count(said: Mapping[str, Answer], what: str) -> int:
    return sum(value == what for value in said.values())


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)
