"""Files of answers to tables: arithmetic of made-up raters, attention checks, and files that are left out.

Expected: what the raters were told to say (tests.people), closed forms of it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.record import load
from reports._study_answers import passes_at_random, read
from reports._study_make import Plan, make
from tests.make import Said as Printed
from tests.make import call, told
from tests.people import Said, answers, key_of, record, save

MEANS = {"good": 8.0, "fair": 6.0, "poor": 3.0}


def steady(method: str, case: str, degraded: bool, dimension: str) -> float:
    return 0.0 if degraded else MEANS[method]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("score")
    run = load(record(root))
    for kind in ("rating", "pairs"):
        make(run, root / kind, Plan(kind, ("overall",) if kind == "pairs" else ("motion", "quality"), raters=12, side=32))
    return {kind: root / kind for kind in ("rating", "pairs")}


def score(capfd: pytest.CaptureFixture[str], out: Path, files: list[Path], *words: object) -> Printed:
    return call(capfd, "study", "score", *files, "--key", out / "key.json", *words)


def flat(text: str) -> dict[tuple[str, ...], dict[str, str]]:
    return {(row["what"], row["dimension"], row["method"], row["other"]): row for row in csv.DictReader(io.StringIO(text))}


def test_means_are_what_was_said(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Rater r says 1 more than the mean for odd r and 1 less for even, in quality only; each sees all 9 clips: 6 raters do not move the mean. Rater sums are
    +-3 on 3 clips of a method: variance 6/5 * 6 * 9 / 18^2 = 1/5, clips and cells: 0 and 18/17 * 18 / 18^2."""
    out = studies["rating"]
    key = key_of(out)
    files = []
    for r in range(1, 7):

        def said(method: str, case: str, degraded: bool, dimension: str, r: int = r) -> float:
            return steady(method, case, degraded, dimension) + (0 if degraded or dimension == "motion" else 1 if r % 2 else -1)

        files += save(tmp_path, key, said, [r])
    rows = flat(score(capfd, out, files, "--format", "csv").out)
    for method, mean in MEANS.items():
        assert float(rows["mean", "motion", method, ""]["value"]) == mean
        row = rows["mean", "quality", method, ""]
        assert float(row["value"]) == pytest.approx(mean, abs=1e-12)
        assert row["n"] == "18.0"
        from benchmark.statistics import t_quantile

        assert float(row["high"]) - mean == pytest.approx(t_quantile(0.975, 2) * math.sqrt(1 / 5), abs=1e-12)
    # everybody ranks alike: whoever is better wins all its pairs; so no strength exists
    assert float(rows["implied win rate", "motion", "good", ""]["value"]) == 1.0
    assert float(rows["implied win rate", "motion", "fair", "poor"]["value"]) == 1.0
    assert float(rows["implied win rate", "motion", "fair", ""]["value"]) == 0.5
    assert "separated: good: never lost" in rows["implied strength", "motion", "good", ""]["note"]
    assert rows["implied strength", "motion", "good", ""]["value"] == ""
    assert float(rows["alpha, interval", "motion", "", ""]["value"]) == 1.0


def test_pairs_become_win_rates_and_strengths(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of 12 raters 3 turn every answer round (and notice degraded copies): each better method wins 3/4 of its pairs. All pairs are compared equally often:
    win rates are 3/4, 1/2, 1/4, and each pair's fit is not its own logit: strengths solve the two-parameter equations below, by symmetry (b, 0, -b)."""
    out = studies["pairs"]
    key = key_of(out)
    files = save(tmp_path / "a", key, steady, range(1, 10))
    files += save(tmp_path / "b", key, lambda m, c, bad, d: -1.0 if bad else 10 - MEANS[m], range(10, 13))
    rows = flat(score(capfd, out, files, "--format", "csv").out)
    found = [float(rows["win rate", "overall", m, ""]["value"]) for m in MEANS]
    assert found == pytest.approx([0.75, 0.5, 0.25], abs=1e-12)
    b = float(rows["strength", "overall", "good", ""]["value"])
    # expected wins of the best are its wins: 1 / (1 + exp(-b)) + 1 / (1 + exp(-2 b)) = 3/2
    assert 1 / (1 + math.exp(-b)) + 1 / (1 + math.exp(-2 * b)) == pytest.approx(1.5, abs=1e-12)
    assert float(rows["strength", "overall", "poor", ""]["value"]) == pytest.approx(-b, abs=1e-12)
    # nine of twelve agree on each of 9 pairs. Half of the pairs may have their better method second by name: values 0 and 2.
    p = np.array([9, 3])
    order = sorted(MEANS)
    first_wins = [MEANS[a] > MEANS[b] for i, a in enumerate(order) for b in order[i + 1 :] for _ in range(3)]
    ones = sum(9 if won else 3 for won in first_wins)
    observed = 9 * 2 * p[0] * p[1] / 11
    expected = 2 * ones * (108 - ones) / 107
    assert float(rows["alpha, nominal", "overall", "", ""]["value"]) == pytest.approx(1 - observed / expected, abs=1e-12)


def test_ties_are_half_a_win(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = studies["pairs"]
    files = save(tmp_path, key_of(out), lambda m, c, bad, d: 0 if bad else 5, range(1, 13))
    said = score(capfd, out, files)
    assert said.code == 0
    assert "108 of 108 votes said: the same" in said.out
    rows = flat(score(capfd, out, files, "--format", "csv").out)
    for method in MEANS:
        assert float(rows["win rate", "overall", method, ""]["value"]) == 0.5
        assert float(rows["strength", "overall", method, ""]["value"]) == pytest.approx(0, abs=1e-14)
    assert rows["alpha, nominal", "overall", "", ""]["note"] == "constant"


def blind(kind: str) -> Said:
    """Always the same answer, whatever is shown: of pairs always the first clip."""
    return lambda method, case, degraded, dimension: 5


@pytest.mark.parametrize("kind", ["rating", "pairs"])
def test_who_does_not_look_is_left_out(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str) -> None:
    out = studies[kind]
    key = key_of(out)
    files = save(tmp_path, key, steady, range(1, 5)) + save(tmp_path, key, blind(kind), [5])
    text = score(capfd, out, files).out
    assert "rater 5" in text
    assert "left out: 2 of 2 degraded copies not noticed" in text
    assert "4 raters" in text
    kept = score(capfd, out, files, "--keep-failed").out
    assert "failed, counted" in kept
    assert "5 raters" in kept
    alone = score(capfd, out, files[-1:])
    assert alone.code == 2
    assert "--keep-failed" in alone.err


def test_contradicting_oneself_twice_is_left_out(studies: dict[str, Path], tmp_path: Path) -> None:
    """Repeats of pairs have their sides changed: the same side again is the opposite answer; once is forgiven."""
    key = key_of(studies["pairs"])
    for wrong, fails in ((1, False), (2, True)):
        data = answers(key, 1, steady)
        repeats = [a for a in data["answers"] if key["items"][a["item"]]["role"] == "repeat"]
        assert len(repeats) == 2
        for a in repeats[:wrong]:
            a["answers"]["overall"] = {"A": "B", "B": "A"}[a["answers"]["overall"]]
        path = tmp_path / f"{wrong}.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        (rater,) = read([path], studies["pairs"] / "key.json").raters
        assert bool(rater.failed) is fails
        assert rater.degraded == [True, True]


@pytest.mark.parametrize("kind", ["rating", "pairs"])
def test_chance_of_passing_at_random(studies: dict[str, Path], kind: str, tmp_path: Path) -> None:
    """The exact count against 400 raters who press anything (three Monte-Carlo errors)."""
    key, generator = key_of(studies[kind]), np.random.default_rng(2)
    exact = passes_at_random(key)
    assert exact is not None
    passed = 0
    path = tmp_path / "r.json"
    data = answers(key, 1, steady)
    for _ in range(400):
        for a in data["answers"]:
            a["answers"] = {
                d: int(generator.integers(0, 11)) if kind == "rating" else ["A", "same", "B"][generator.integers(3)] for d in a["answers"]
            }
        path.write_text(json.dumps(data), encoding="utf-8")
        (rater,) = read([path], studies[kind] / "key.json").raters
        passed += not rater.failed
    assert passed / 400 == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / 400))


def broken(data: dict[str, Any], how: str) -> str:
    first = data["answers"][0]
    if how == "cut":
        return json.dumps(data)[:-40]
    if how == "foreign":
        data["study"] = "0" * 16
    elif how == "newer":
        data["version"] = 2
    elif how == "value":
        first["answers"]["motion"] = 11
    elif how == "nan":
        first["answers"]["motion"] = "nan"
    elif how == "item":
        first["item"] = "\x1b[31mred"
    elif how == "dimension":
        first["answers"]["<b>"] = 3
    elif how == "rater":
        data["rater"] = 99
    elif how == "twice":
        data["answers"].append(first)
    elif how == "list":
        return "[1, 2]"
    elif how == "empty":
        data["answers"] = []
    return json.dumps(data)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("cut", "damaged: JSONDecodeError"),
        ("foreign", "of another study: '0000000000000000'"),
        ("newer", "version '2'"),
        ("value", "'11' is no number of 0 to 10"),
        ("nan", "'nan' is no number of 0 to 10"),
        ("item", "was not shown to rater 2"),
        ("dimension", "no dimension '<b>' was asked"),
        ("rater", "rater 99, the study has 1 to 12"),
        ("twice", "is answered twice"),
        ("list", "is no file of answers"),
        ("empty", "holds no answer"),
    ],
)
def test_bad_files_are_named_and_the_others_count(
    studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], how: str, why: str
) -> None:
    out = studies["rating"]
    files = save(tmp_path, key_of(out), steady, [1, 2])
    files[1].write_text(broken(json.loads(files[1].read_text(encoding="utf-8")), how), encoding="utf-8")
    said = score(capfd, out, files)
    assert said.code == 2
    assert f"rater-02.json: {why}" in said.err or why in said.err
    assert "\x1b" not in said.err + said.out
    assert "rater 1 " in said.out
    alone = score(capfd, out, files[1:])
    assert alone.code == 2
    assert "no file of answers is left" in alone.err


def test_double_files_count_once(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = studies["rating"]
    (path,) = save(tmp_path, key_of(out), steady, [3])
    copy = tmp_path / "copy.json"
    copy.write_bytes(path.read_bytes())
    said = score(capfd, out, [path, copy])
    assert said.code == 2
    assert "copy.json: double: rater 3 is in rater-03.json already (the same session, with the same answers)" in said.err
    assert "18 votes" in said.out


def test_csv_and_json_of_one_rater_are_one(studies: dict[str, Path], tmp_path: Path) -> None:
    """The CSV that the page writes, by hand."""
    out = studies["rating"]
    key = key_of(out)
    (path,) = save(tmp_path, key, steady, [4])
    data = json.loads(path.read_text(encoding="utf-8"))
    lines = ["study,version,rater,session,item,position,dimension,answer,seconds,plays"]
    for a in data["answers"]:
        lines += [f"{data['study']},1,4,s4,{a['item']},{a['position']},{d},{v:g},3.5,1" for d, v in a["answers"].items()]
    table = tmp_path / "rater.csv"
    table.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    (one,), (other,) = read([path], out / "key.json").raters, read([table], out / "key.json").raters
    assert one.answers == other.answers
    assert one.session == other.session
    table.write_text("\r\n".join(lines)[:-30], encoding="utf-8", newline="")
    both = read([path, table], out / "key.json")
    assert "damaged: a row has too" in both.refused[0][1]


def test_the_key_is_checked(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = studies["rating"]
    files = save(tmp_path, key_of(out), steady, [1])
    for text in ("{}", "{"):
        (tmp_path / "key.json").write_text(text, encoding="utf-8")
        said = call(capfd, "study", "score", *files, "--key", tmp_path / "key.json")
        assert said.code == 2
        assert "key" in said.err
    (tmp_path / "key.json").write_text(json.dumps({**key_of(out), "version": 9}), encoding="utf-8")
    assert "newer version" in call(capfd, "study", "score", *files, "--key", tmp_path / "key.json").err
    assert call(capfd, "study", "score", *files, "--key", tmp_path / "none.json").code == 2


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "html", "csv", "json"])
@pytest.mark.parametrize("kind", ["rating", "pairs"])
def test_every_format_is_the_same_each_time(
    studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, form: str
) -> None:
    out = studies[kind]
    files = save(tmp_path, key_of(out), steady, [1, 2, 3])
    one, other = score(capfd, out, files, "--format", form), score(capfd, out, files[::-1], "--format", form)
    assert one.code == 0
    assert one.out == other.out
    if form == "json":
        assert {row["method"] for row in json.loads(one.out)["rows"]} >= set(MEANS)


def test_help_of_a_bad_command_says_what_to_type(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = call(capfd, "study", "make", tmp_path / "none", "--out", tmp_path / "s")
    assert said.code == 2
    told(said.err + "found:", "no such run")


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "html", "csv", "json"])
def test_hostile_names_come_out_as_text(studies: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """A method, a dimension and a title full of markup: what LaTeX, HTML and a terminal would obey is not there. CSV and JSON hold the text itself."""
    bad = "<img src=x>\x1b[31m&_%$#|`\\"
    text = (studies["pairs"] / "key.json").read_text(encoding="utf-8")
    for name in ("good", "overall"):
        text = text.replace(json.dumps(name), json.dumps(bad + name))
    (tmp_path / "key.json").write_text(text, encoding="utf-8")
    key = json.loads(text)
    files = save(tmp_path / "answers", key, lambda m, c, degraded, d: 0 if degraded else MEANS[m.removeprefix(bad)], [1, 2])
    said = call(capfd, "study", "score", *files, "--key", tmp_path / "key.json", "--format", form)
    assert said.code == 0, said.err
    assert "good" in said.out
    if form in ("terminal", "markdown", "latex", "html"):
        assert "\x1b[31m" not in said.out
    if form in ("markdown", "html"):
        assert "<img" not in said.out
    if form == "latex":
        assert not re.search(r"(?<!\\)[&_%$#]good|x>.*(?<!\\)_", said.out)
    if form == "json":
        assert any(row["method"] == bad + "good" for row in json.loads(said.out)["rows"])
