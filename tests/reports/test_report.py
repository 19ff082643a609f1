"""`hvbench report`: papers, papers beside runs, protocols side by side, the linter as a command.

Records are written by hand, so every measured number can be seen going in.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark.record import Record, load
from reports import _papers
from reports._rosetta import tables
from reports._table import FORMATS
from tests.make import Said, call, environment, hvbench

RULES: dict[str, dict[str, Any]] = {
    "plain-1": {
        "pooling": "clips",
        "variants": ["psnr@float"],
        "frames": {"match": "covered", "coverage": 0.95, "minimum": 16, "first": None, "drop_reference": True},
        "size": {"to": "truth", "filter": "bicubic", "width": None, "height": None, "side": None},
        "time": {"rule": "equal"},
    },
    "small-1": {
        "pooling": "frames",
        "variants": ["psnr@cap"],
        "frames": {"match": "common", "coverage": 0.0, "minimum": 1, "first": None, "drop_reference": False},
        "size": {"to": "fixed", "filter": "cv2-bilinear", "width": 256, "height": 256, "side": None},
        "time": {"rule": "ignore"},
    },
}
FACTS = {"psnr": ("dB", True, 2), "l1": ("", False, 4), "ssim": ("", True, 3)}
PAPER = """
id = "mine"
title = "A & B_<c>"
source = "arXiv 0"
notes = ["100 % a note with <b> & $"]
[[table]]
id = "1"
caption = "main"
set = "S"
known = "KNOWN"
follows = ["plain-1"]
suites = ["tiktok"]
columns = [
  { name = "PSNR", direction = "up", unit = "dB", ours = ["psnr@float", "psnr@cap"] },
  { name = "people", direction = "up" },
]
rows = [{ name = "Ours_1", values = ["23.8", "7.1"] }, { name = "base", values = ["20.2", ""] }, { name = "other", values = ["-", "6.0"] }]
"""


def craft(path: Path, values: Mapping[tuple[str, str, str], float | None], suite: str = "tiktok", **more: Any) -> Record:
    """A finished run: {(method, protocol, metric@variant): value}; the interval is +-1."""
    path.mkdir()
    methods = list(dict.fromkeys(m for m, _, _ in values))
    header = {
        "schema": 1,
        "status": "success",
        "spec": {"cases": [], "methods": [{"name": m} for m in methods]},
        "suite": {"id": suite},
        "split": {"id": "folder"},
        "protocols": [{"id": name, **rules} for name, rules in RULES.items()],
        "metrics": {"psnr@float": {"summary": "as floats"}},
    }
    scores = []
    for (method, protocol, name), value in values.items():
        metric, _, variant = name.partition("@")
        unit, up, decimals = FACTS[metric]
        scored = value is not None
        score = {
            "adapter": method, "protocol": protocol, "metric": metric, "variant": variant, "value": value, "unit": unit, "higher_is_better": up,
            "decimals": decimals, "ci_low": value - 1 if scored else None, "ci_high": value + 1 if scored else None, "n_clips": 4 if scored else 0,
            "reason": "" if scored else "truncated", "flags": [],
        }  # fmt: skip
        scores.append(score | more.get(method, {}))
    (path / "run.json").write_text(json.dumps(header), encoding="utf-8")
    (path / "scores.json").write_text(json.dumps({"scores": scores, "replicates": []}), encoding="utf-8")
    return load(path)


def paper(tmp_path: Path, known: str = "text") -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(PAPER.replace("KNOWN", known), encoding="utf-8")
    return path


def lines(told: Said) -> list[dict[str, str]]:
    assert told.code == 0, told.err
    return list(csv.DictReader(io.StringIO(told.out)))


def squeezed(told: Said) -> str:
    return " ".join(told.out.split())


VALUES = {
    ("new", "plain-1", "psnr@float"): 24.5,
    ("new", "small-1", "psnr@cap"): 30.25,
    ("base", "plain-1", "psnr@float"): None,
    ("base", "small-1", "psnr@cap"): 29.0,
}


def beside(capfd: pytest.CaptureFixture[str], tmp_path: Path, *words: object, known: str = "text", suite: str = "tiktok") -> Said:
    run = craft(tmp_path / "run", VALUES, suite).path
    return call(capfd, "report", "--paper", paper(tmp_path, known), run, "--as", "Ours_1=new", *words)


def test_measured_numbers_stand_beside_with_their_full_names(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """24.5 - 23.8 = 0.70; 30.25 - 23.8 = 6.45. `base` is found by its name; `other` was not run."""
    found = lines(beside(capfd, tmp_path, "--format", "csv"))
    first = [(r["row"], r["metric"], r["printed"], r["measured"], r["protocol"]) for r in found]
    assert first == [
        ("Ours_1", "PSNR (dB) ↑", "23.8", "24.5", "tiktok/folder : plain-1 : psnr@float"),
        ("Ours_1", "PSNR (dB) ↑", "23.8", "30.25", "tiktok/folder : small-1 : psnr@cap"),
        ("Ours_1", "people ↑", "7.1", "", "nothing here measures it"),
        ("base", "PSNR (dB) ↑", "20.2", "29.0", "tiktok/folder : small-1 : psnr@cap"),
        ("base", "people ↑", "", "", "nothing here measures it"),
        ("other", "PSNR (dB) ↑", "", "", "not run"),
        ("other", "people ↑", "6.0", "", "not run"),
    ]
    assert [float(r["difference"]) for r in found if r["difference"]] == pytest.approx([0.7, 6.45, 8.8])
    assert found[0]["interval"] == "[23.50, 25.50]"


def test_no_number_of_another_protocol_without_a_mark(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The paper follows plain-1 in words only: a reading [r]; small-1 is another [x]. Where its code is known, plain-1 needs no mark."""
    out = squeezed(beside(capfd, tmp_path))
    assert "24.50[r] +0.70[r]" in out
    assert "30.25[x] +6.45[x]" in out
    for mark in ("[r] our reading", "[x] another protocol", "[m] not known here"):
        assert mark in out
    known = squeezed(call(capfd, "report", "--paper", paper(tmp_path, "code"), tmp_path / "run", "--as", "Ours_1=new"))
    assert "24.50 +0.70 [23.50, 25.50]" in known
    assert "[r]" not in known
    assert "30.25[x]" in known


def test_an_extra_variant_under_the_right_protocol_is_another_number(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """psnr@cap is not among plain-1's variants."""
    run = craft(tmp_path / "run", {("new", "plain-1", "psnr@cap"): 24.5}).path
    assert "24.50[x]" in call(capfd, "report", "--paper", paper(tmp_path, "code"), run, "--as", "Ours_1=new").out


def test_another_set_rehearsals_and_incomplete_rows_are_marked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "24.50[r][s]" in beside(capfd, tmp_path, suite="elsewhere").out
    run = craft(tmp_path / "two", VALUES, new={"flags": ["incomplete", "rehearsal"]}).path
    out = call(capfd, "report", "--paper", paper(tmp_path, "code"), run, "--as", "Ours_1=new").out
    assert "24.50[i][h]" in out
    assert "[h] a rehearsal" in out


def test_second_hand_values_are_marked_everywhere(capfd: pytest.CaptureFixture[str]) -> None:
    for form in ("terminal", "markdown", "latex", "html"):
        out = call(capfd, "report", "--paper", "omnihuman", "--table", "RAVDESS", "--format", form).out
        assert out.count({"html": "<sup>[2]</sup>", "latex": "textsuperscript{{[}2{]}}"}.get(form, "[2]")) >= 10
    assert all(row["second-hand"] == "yes" for row in lines(call(capfd, "report", "--paper", "omnihuman", "--format", "csv")))


def test_every_paper_in_every_format(capfd: pytest.CaptureFixture[str]) -> None:
    """Every printed digit of every paper reaches every format."""
    for name in _papers.known():
        values = {v for t in _papers.find(name).table for r in t.rows for v in r.values if v not in ("", "-")}
        for form in FORMATS:
            told = call(capfd, "report", "--paper", name, "--format", form)
            assert told.code == 0
            assert all(value in told.out for value in values), (name, form)
            if form == "json":
                assert json.loads(told.out)


def test_the_list_of_papers(capfd: pytest.CaptureFixture[str]) -> None:
    out = call(capfd, "report").out
    assert all(name in out for name in _papers.known())
    assert "no table published" in out


def test_names_from_a_paper_are_escaped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = paper(tmp_path)
    page = call(capfd, "report", "--paper", path, "--format", "html").out
    assert "A &amp; B_&lt;c&gt;" in page
    assert "<b>" not in page
    latex = call(capfd, "report", "--paper", path, "--format", "latex").out
    assert "A \\& B\\_\\textless{}c\\textgreater{}" in latex
    assert "100 \\% a note" in latex


def test_protocols_side_by_side(tmp_path: Path) -> None:
    """plain: a 20, b 22; small: a 30, b 29. Shift: median of 10 and 7 = 8.5; a and b change order: 1 pair of 1."""
    numbers = {("a", "plain-1"): 20.0, ("b", "plain-1"): 22.0, ("a", "small-1"): 30.0, ("b", "small-1"): 29.0}
    record = craft(tmp_path / "run", {(m, p, "psnr@float"): v for (m, p), v in numbers.items()})
    values, rules = tables(record)
    assert list(values.columns) == ["method", "plain-1:float ↑ (dB)", "small-1:float ↑ (dB)"]
    assert [[c.text for c in row] for row in values.rows] == [["a", "20.00 ±1.00", "30.00 ±1.00"], ["b", "22.00 ±1.00", "29.00 ±1.00"]]
    assert [[c.rank for c in row] for row in values.rows] == [[0, 2, 1], [0, 1, 2]]
    first, second = ([c.text for c in row] for row in rules.rows)
    assert first == [
        "plain-1:float",
        "95 % covered, at least 16, reference left out",
        "truth, bicubic",
        "equal",
        "frames, then clips",
        "float",
        "-",
        "-",
    ]
    same = ["small-1:float", "common, reference kept", "256x256, cv2-bilinear", "ignore", "all frames alike", "=", "+8.50", "1 of 1"]
    assert second == same
    assert "psnr@float: as floats" in rules.footnotes


def test_a_hole_is_a_dash_with_its_reason_and_published_values_can_be_placed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = craft(tmp_path / "run", VALUES).path
    out = call(capfd, "report", "--protocols", run, "--paper", paper(tmp_path)).out
    assert "-[1]" in out
    assert "[1] truncated" in out
    assert "published (mine, table 1, PSNR (dB) ↑; S): Ours_1 23.8, base 20.2." in out
    found = lines(call(capfd, "report", "--protocols", run, "--format", "csv"))
    assert [(r["method"], r["protocol"], r["variant"], float(r["value"])) for r in found] == [
        ("new", "plain-1", "float", 24.5),
        ("new", "small-1", "cap", 30.25),
        ("base", "small-1", "cap", 29.0),
    ]
    assert found[1]["size"] == "256x256, cv2-bilinear"


def test_the_linter_as_a_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 4 on findings, 0 on none; every finding with rule, place, what and arithmetic."""
    told = call(capfd, "report", "--lint")
    assert told.code == 4
    assert "error  columns-swapped  humandiff.toml: table 2, row +GMCL, column FVD, FID-VID" in told.out
    assert told.out.rstrip().endswith("8 error(s), 13 warning(s) in 8 file(s)")
    rows = list(csv.DictReader(io.StringIO(call(capfd, "report", "--lint", "--format", "csv").out)))
    assert len(rows) == 21
    assert all(row["rule"] and row["file"] and row["what"] and row["arithmetic"] for row in rows)
    good = tmp_path / "good.csv"
    good.write_text("m,PSNR,FVD\na,20.5,301.2\nb,21.5,300.1\n", encoding="utf-8")
    told = call(capfd, "report", "--lint", good)
    assert (told.code, told.out) == (0, "nothing found in 1 file(s)\n")
    told = call(capfd, "report", "--lint", good, "--clips", "10")
    assert told.code == 4
    assert "few-clips" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--paper", "nobody"], "no such paper"),
        (["--paper", "ipa", "--table", "9"], "no such table"),
        (["--paper", "ipa", "--as", "IPA"], "--as takes"),
        (["--paper", "ipa", "--as", "nobody=a"], "a row that the paper has not"),
        (["--paper", "ipa", "--as", "IPA=a"], "a method that no run has"),
        (["--protocols"], "needs a RUN"),
        (["nowhere"], "no such run"),
        (["--lint", "nowhere.csv"], "no such file"),
        (["--lint", "--clips", "0"], "above 0"),
        (["--lint", "--paper", "ipa"], "takes files"),
    ],
)
def test_what_makes_no_sense_is_refused(capfd: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    told = call(capfd, "report", *words)
    assert (told.code, told.out) == (2, ""), told
    assert said in told.err


def test_an_unfinished_run_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = craft(tmp_path / "run", VALUES).path
    (run / "scores.json").unlink()
    told = call(capfd, "report", "--protocols", run)
    assert told.code == 2
    assert f"hvbench resume {run}" in told.err


def test_it_loads_nothing_heavy(tmp_path: Path) -> None:
    """A process of its own, so that what other tests loaded does not count."""
    told = hvbench("report", "--lint", cwd=tmp_path, timeout=20)
    assert told.code == 4
    code = "import sys; from reports import report; print(sorted({'torch', 'pandas', 'matplotlib', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
