"""Metrics against people: planted agreement whose accuracy is known by counting, thresholds, held-out folds, and what is refused.

Expected: counts by hand, brute force over thresholds, SciPy's correlations, and the binomial for what chance does.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import InputError
from reports._agree import best_threshold, compare, detectable_accuracy, detectable_rank_correlation
from reports._agree_tables import ASPECTS, read_ratings
from tests.make import call

METHODS = ("a", "b", "c")
CASES = tuple(f"{i:02}" for i in range(8))
QUALITY = {"a": 3.0, "b": 2.0, "c": 1.0}


def record(root: Path, values: dict[str, dict[tuple[str, str], float]], directions: dict[str, bool | None] | None = None) -> Path:
    """A run with these clip values, written by hand: {metric@variant: {(case, method): value}}."""
    root.mkdir(parents=True, exist_ok=True)
    header = {
        "schema": 1,
        "status": "success",
        "suite": {"id": "fantasytalking", "banner": ""},
        "split": {"id": "folder"},
        "spec": {"cases": [{"id": case} for case in CASES], "methods": [{"name": m} for m in METHODS]},
        "protocols": [{"id": "p-1"}],
        "plan": {"views": {"v": {"protocols": ["p-1"]}}},
    }
    rows = []
    for name in values:
        metric, _, variant = name.partition("@")
        higher = (directions or {}).get(name, True)
        rows += [{"adapter": m, "protocol": "p-1", "metric": metric, "variant": variant, "higher_is_better": higher} for m in METHODS]
    lines = []
    for m in METHODS:
        for case in CASES:
            found = {name: {"value": table[case, m]} for name, table in values.items() if (case, m) in table}
            lines.append(json.dumps({"adapter": m, "case": case, "seed": 0, "values": {"v": found}}))
    (root / "run.json").write_text(json.dumps(header), encoding="utf-8")
    (root / "scores.json").write_text(json.dumps({"scores": rows, "replicates": []}), encoding="utf-8")
    (root / "journal.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def ratings(path: Path, scores: dict[tuple[str, str], float], aspect: str = "look", head: str = "score_1_to_4") -> Path:
    lines = [f"case,method,aspect,{head}", *(f"{case},{m},{aspect},{value:g}" for (case, m), value in scores.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def flat(value: dict[str, float] = QUALITY) -> dict[tuple[str, str], float]:
    return {(case, m): value[m] for case in CASES for m in METHODS}


def first_row(text: str) -> dict[str, Any]:
    return dict(json.loads(text)["rows"][0])


def test_planted_agreement_is_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """People: a > b > c in each of 8 cases, 24 pairs. The metric turns a and b round in 3 cases: 21 of 24 by sign. The interval is Student's t over
    the shares of the 8 cases, which are 2/3 or 1."""
    values = flat()
    for case in CASES[:3]:
        values[case, "a"], values[case, "b"] = 2.0, 3.0
    run = record(tmp_path / "run", {"m@v": values})
    said = call(capfd, "study", "agree", run, "--ratings", ratings(tmp_path / "r.csv", flat()), "--metric", "m@v=look", "--format", "json")
    assert said.code == 0, said.err
    row = first_row(said.out)
    assert row["accuracy by sign"] == pytest.approx(21 / 24, abs=1e-14)
    assert (row["pairs"], row["ties"], row["cases"]) == (24, 0, 8)
    # the best of all thresholds is as good as 0 at least, in any order of first and second
    assert 21 / 24 <= row["accuracy of the best threshold"] < 1
    from benchmark.statistics import t_interval

    expected = t_interval([2 / 3] * 3 + [1.0] * 5)
    found = compare("m@v", "look", values, flat(), True)
    assert found is not None
    assert found.plain.low == pytest.approx(expected.low, abs=1e-12)


def test_directions_and_ties(tmp_path: Path) -> None:
    """Lower is better: the same numbers, turned. A difference of 0 is half right; pairs that people rated alike are counted and left out."""
    people = flat({"a": 2.0, "b": 2.0, "c": 1.0})
    for higher, sign in ((True, 1), (False, -1), (None, 1)):
        found = compare("m@v", "look", {key: sign * value for key, value in flat().items()}, people, higher)
        assert found is not None
        assert (found.pairs, found.ties, found.plain.value) == (16, 8, 1.0)
        assert found.plain.method == "exact"
    tied = compare("m@v", "look", flat({"a": 1.0, "b": 1.0, "c": 1.0}), people, True)
    assert tied is not None
    assert tied.plain.value == 0.5
    assert tied.spearman.why == "constant"
    assert compare("m@v", "look", flat(), flat({"a": 1.0, "b": 1.0, "c": 1.0}), True) is None


def test_best_threshold_is_that_of_brute_force() -> None:
    """Every threshold on a fine grid around the data: none is better."""
    generator = np.random.default_rng(1)
    for n in (1, 2, 7, 30):
        d = generator.integers(-9, 10, n).astype(float)
        first = generator.random(n) < 0.5 + 0.03 * d
        threshold, accuracy = best_threshold(d, first)
        grid = np.arange(-20, 20, 0.25) + 0.125
        assert accuracy == max(((d > t) == first).mean() for t in grid)
        assert ((d > threshold) == first).mean() == accuracy


def test_held_out_is_below_the_fitted_one_for_a_metric_that_knows_nothing() -> None:
    """25 records of pure noise, 8 cases with 3 pairs: chosen on the test set a threshold gives well above 50 %, about what `knowing nothing` says; held out
    it gives 50 % within four Monte-Carlo errors (25 x 8 cases, whose pairs hang together: 9 points)."""
    generator = np.random.default_rng(3)
    fitted, held, random, plain = [], [], [], []
    for _ in range(25):
        found = compare("m@v", "look", {key: generator.normal() for key in flat()}, {key: generator.normal() for key in flat()}, True)
        assert found is not None
        assert found.held is not None
        fitted.append(found.fitted), held.append(found.held.value), random.append(found.random), plain.append(found.plain.value)
    assert np.mean(plain) == pytest.approx(0.5, abs=0.09)
    assert np.mean(held) == pytest.approx(0.5, abs=0.09)
    assert np.mean(fitted) > 0.6
    assert np.mean(fitted) == pytest.approx(np.mean(random), abs=0.04)


def test_held_out_folds_are_cases() -> None:
    """One case is turned round, with differences beyond all others: the other cases' threshold, which is near 0, is wrong on its 3 pairs and right on 21."""
    values = flat()
    values["00", "a"], values["00", "b"], values["00", "c"] = -30.0, 0.0, 30.0
    found = compare("m@v", "look", values, flat(), True)
    assert found is not None
    assert found.held is not None
    assert found.plain.value == 21 / 24
    assert found.held.value == pytest.approx(21 / 24, abs=1e-12)


def test_one_method_that_people_always_prefer_gives_a_blind_metric_nothing() -> None:
    """People always prefer `a` to `b` to `c`. In the order of the methods, `always the first` would be right on all pairs; in drawn orders a constant metric
    gets half of the pairs by sign, and held out about half too."""
    found = compare("m@v", "look", flat({"a": 1.0, "b": 1.0, "c": 1.0}), flat(), True)
    assert found is not None
    assert found.held is not None
    assert found.plain.value == 0.5
    assert found.fitted < 0.65
    assert found.held.value < 0.55


def test_knowing_nothing_is_what_shuffled_people_give() -> None:
    """An independent simulation: scores dealt anew by numpy's permutation, thresholds tried one by one."""
    generator = np.random.default_rng(9)
    values = {key: generator.normal() for key in flat()}
    found = compare("m@v", "look", values, flat(), True)
    assert found is not None
    best = []
    for _ in range(300):
        d, first = [], []
        for case in CASES:
            dealt = dict(zip(METHODS, generator.permutation([3, 2, 1]), strict=True))
            for a, b in (("a", "b"), ("a", "c"), ("b", "c")):
                one, other = (a, b) if generator.random() < 0.5 else (b, a)
                d.append(values[case, one] - values[case, other])
                first.append(dealt[one] > dealt[other])
        best.append(max((np.greater(d, t) == first).mean() for t in [-99, *(np.array(d) + 1e-9)]))
    assert found.random == pytest.approx(np.mean(best), abs=4 * float(np.std(best)) / math.sqrt(300))


def test_rank_correlations_are_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(4)
    people = {key: float(generator.integers(1, 5)) for key in flat()}
    values = {key: people[key] + generator.normal() for key in flat()}
    found = compare("m@v", "look", values, people, True)
    assert found is not None
    x, y = [values[key] for key in people], list(people.values())
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert found.kendall.value == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    assert found.spearman.clusters == len(CASES)
    lower = compare("m@v", "look", {key: -value for key, value in values.items()}, people, False)
    assert lower is not None
    assert lower.spearman.value == found.spearman.value


def test_what_can_be_detected() -> None:
    """The correlation that n points find: Fisher's z by hand, and the accuracy by simulation of the t test over cases."""
    z = (1.959963984540054 + 0.8416212335729143) * math.sqrt(1.06 / 37)
    assert detectable_rank_correlation(40) == pytest.approx(math.tanh(z), abs=1e-12)
    assert detectable_rank_correlation(4) is None
    generator = np.random.default_rng(6)
    values = {key: value + generator.normal(0, 2) for key, value in flat().items()}
    found = compare("m@v", "look", values, flat(), True)
    assert found is not None
    needed = detectable_accuracy(found.plain)
    assert needed is not None
    stats = pytest.importorskip("scipy.stats")
    assert found.plain.se is not None
    sd = found.plain.se * math.sqrt(8)
    draws = generator.normal(needed, sd, (4000, 8))
    power = (stats.ttest_1samp(draws, 0.5, axis=1).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 4000))


def test_missing_clips_are_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    values = {key: value for key, value in flat().items() if key != ("00", "b")}
    run = record(tmp_path / "run", {"m@v": values})
    said = call(capfd, "study", "agree", run, "--ratings", ratings(tmp_path / "r.csv", flat()), "--metric", "m@v=look", "--format", "json")
    row = first_row(said.out)
    assert (row["pairs"], row["clips"], row["clips not scored"]) == (22, 23, 1)


def test_default_map_a_map_of_ones_own_and_what_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path / "run", {"iqa@niqe": flat(), "m@v": flat()}, {"iqa@niqe": False, "m@v": None})
    path = ratings(tmp_path / "r.csv", flat(), "visual_quality", "score")
    path.write_text(path.read_text() + "00,a,action_naturalness,1\n00,b,action_naturalness,2\n", encoding="utf-8")
    said = call(capfd, "study", "agree", run, "--ratings", path)
    assert said.code == 0
    assert "iqa@niqe" in said.out
    assert "not in this run: sd@selfie-dis (action_naturalness)" in said.out
    assert "no metric set against it: action_naturalness" in said.out
    assert "scored, and set against no aspect: m@v" in said.out
    assert "lip sync: no aspect here speaks of it" in said.out
    own = tmp_path / "own.toml"
    own.write_text('[aspects]\n"m@v" = "visual_quality"\n')
    said = call(capfd, "study", "agree", run, "--ratings", path, "--map", own)
    assert "m@v[d]" in said.out
    assert "worse than chance" not in said.out
    assert ASPECTS.is_file()
    own.write_text('[other]\n"m@v" = "x"\n')
    assert "no table of aspects" in call(capfd, "study", "agree", run, "--ratings", path, "--map", own).err
    own.write_text('[aspects]\n"x@v" = "visual_quality"\n')
    assert "no metric of the run" in call(capfd, "study", "agree", run, "--ratings", path, "--map", own).err


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (["--metric", "m@v"], "takes METRIC@VARIANT=ASPECT"),
        (["--metric", "no@v=look"], "no such variant"),
        (["--metric", "m@v=feel"], "no such aspect"),
        (["--metric", "m@v=look", "--protocol", "p-2"], "not scored under this protocol"),
    ],
)
def test_what_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], needle: str) -> None:
    run = record(tmp_path / "run", {"m@v": flat()})
    said = call(capfd, "study", "agree", run, "--ratings", ratings(tmp_path / "r.csv", flat()), *words)
    assert said.code == 2
    assert needle in said.err
    assert "expected:" in said.err or "found:" in said.err


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("case,method,score\n", "no file of ratings"),
        ("", "no file of ratings"),
        ("case,method,aspect,score\n", "holds no rating"),
        ("case,method,aspect,score\n00,a,look,good\n", "line 2: 'good'"),
        ("case,method,aspect,score\n00,a,look\n", "line 2: None"),
        ("case,method,aspect,score\n00,a,look,1\n00,a,look,2\n", "line 3: 00, a, look"),
        ("case,method,aspect,score,score_b\n00,a,look,1,2\n", "one column whose name begins with score"),
    ],
)
def test_bad_ratings(tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, needle: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    said = call(capfd, "study", "agree", record(tmp_path / "run", {"m@v": flat()}), "--ratings", path, "--metric", "m@v=look")
    assert said.code == 2
    assert needle in said.err


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "html", "csv", "json"])
def test_every_format_and_hostile_names(tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str) -> None:
    run = record(tmp_path / "run", {"m@v": flat()})
    path = tmp_path / "r.csv"
    aspect = "<b>\x1b[31m&_"
    ratings(path, flat(), aspect)
    one = call(capfd, "study", "agree", run, "--ratings", path, "--metric", f"m@v={aspect}", "--format", form)
    assert one.code == 0, one.err
    # CSV holds the text itself
    assert form == "csv" or "\x1b[31m" not in one.out
    assert form not in ("html", "markdown") or "<b>" not in one.out
    assert one == call(capfd, "study", "agree", run, "--ratings", path, "--metric", f"m@v={aspect}", "--format", form)


@pytest.mark.footage
def test_the_real_ratings_read(footage: Path) -> None:
    """4 methods, 10 cases, 4 aspects: 40 votes each, of 1 to 4."""
    found = read_ratings(footage / "talking" / "human_ratings.csv")
    assert {aspect: len(scores) for aspect, scores in found.items()} == dict.fromkeys(
        ("facial_expression_naturalness", "action_naturalness", "text_alignment", "visual_quality"), 40
    )
    assert {value for scores in found.values() for value in scores.values()} <= {1.0, 2.0, 3.0, 4.0}


def test_ratings_that_are_not_there_are_said_to_be_so(tmp_path: Path) -> None:
    """Not that a permission is missing: stated by the system's own error (ENOENT)."""
    with pytest.raises(InputError, match="a file that is there"):
        read_ratings(tmp_path / "votes.csv")
