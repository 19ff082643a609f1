"""Tables and verdicts from records written by hand: every number printed can be seen going in.

The p values: n clips that all agree give 2 / 2^n under the exact sign flip; Holm multiplies the smallest of two primary p by two.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.record import Record, load
from reports._table import Cell, Table, number
from reports.compare import rows
from reports.show import tables
from tests.make import Said, call

VIEW = "0123abcd"
DIRECTIONS = {"psnr@float": True, "l1@unit": False, "ssim@gaussian": True, "tone@mean": None}
DECIMALS = {"psnr@float": 2, "l1@unit": 4, "ssim@gaussian": 3, "tone@mean": -3}
Values = Mapping[str, Sequence[float | None]]


def craft(
    path: Path,
    methods: Mapping[str, Values],
    *,
    primary: Sequence[str] = ("psnr@float", "ssim@gaussian"),
    banner: str = "",
    **changes: Mapping[str, Any],
) -> Record:
    """A finished run under `strict-1`: clip values by method and variant (None = the clip failed). changes: method__metric_variant={field: value}."""
    path.mkdir(parents=True)
    names = list(next(iter(methods.values())))
    n = len(next(iter(next(iter(methods.values())).values())))
    cases = [f"c{i}" for i in range(n)]
    header = {
        "schema": 1,
        "status": "success",
        "spec_sha256": "0" * 64,
        "spec": {"cases": [{"id": case} for case in cases], "methods": [{"name": m} for m in methods], "variants": {"strict-1": names}},
        "suite": {"id": "tiktok", "version": 1, "title": "T", "banner": banner},
        "split": {"id": "folder"},
        "protocols": [{"id": "strict-1", "pooling": "clips"}],
        "plan": {"views": {VIEW: {"protocols": ["strict-1"]}}},
    }
    (path / "run.json").write_text(json.dumps(header), encoding="utf-8")
    scores = []
    with (path / "journal.jsonl").open("w", encoding="utf-8") as journal:
        for method, values in methods.items():
            for i, case in enumerate(cases):
                found = {name: {"value": values[name][i], "n_frames": 20} for name in names if values[name][i] is not None}
                entry: dict[str, Any] = {
                    "adapter": method,
                    "case": case,
                    "seed": 0,
                    "status": "scored",
                    "views": {VIEW: {}},
                    "values": {VIEW: found},
                }
                if not found:
                    entry |= {
                        "status": "failed",
                        "views": {},
                        "values": {},
                        "error": {"code": "truncated", "what": "ends early", "found": "3 of 20 frames"},
                    }
                journal.write(json.dumps(entry) + "\n")
            for name in names:
                metric, _, variant = name.partition("@")
                kept = [v for v in values[name] if v is not None]
                row = {
                    "adapter": method, "suite": "tiktok", "suite_version": 1, "split": "folder", "protocol": "strict-1", "metric": metric, "variant": variant,
                    "weights": "none", "value": float(np.mean(kept)) if kept else None, "ci_low": None, "ci_high": None, "ci_method": "none", "unit": "",
                    "higher_is_better": DIRECTIONS[name], "n_clips": len(kept), "n_frames": 20 * len(kept), "n_failed": n - len(kept), "n_left_out": 0,
                    "reason": "" if kept else "truncated", "detail": "" if kept else "ends early", "primary": name in primary, "decimals": DECIMALS[name],
                    "flags": ["incomplete"] if kept and len(kept) < n else [],
                }  # fmt: skip
                scores.append({**row, **changes.get(f"{method}__{metric}_{variant}", {})})
    (path / "scores.json").write_text(
        json.dumps({"schema": 1, "spec_sha256": "0" * 64, "scores": scores, "replicates": []}), encoding="utf-8"
    )
    return load(path)


def constant(psnr: float, l1: float) -> Values:
    return {"psnr@float": [psnr] * 2, "l1@unit": [l1] * 2}


FOUR = {"low": constant(20, 0.4), "best": constant(30, 0.2), "also": constant(30, 0.3), "mid": constant(25, 0.1)}


def show(capfd: pytest.CaptureFixture[str], record: Record, form: str, *more: str) -> Said:
    told = call(capfd, "show", record.path, "--format", form, *more)
    assert told.code == 0, told.err
    return told


# --------------------------------------------------------------------------------------------------------------------- show


def test_ranks_ties_and_directions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """PSNR higher is better: two share the first place, 25 is second. L1 lower is better: 0.1 before 0.2."""
    record = craft(tmp_path / "run", FOUR)
    (table,) = tables(record)
    assert table.title == "tiktok/folder : strict-1"
    assert list(table.columns) == ["method", "psnr@float ↑", "l1@unit ↓", "clips", "failed"]
    ranks = {row[0].text: (row[1].rank, row[2].rank) for row in table.rows}
    assert ranks == {"low": (0, 0), "best": (1, 2), "also": (1, 0), "mid": (2, 1)}
    markdown = show(capfd, record, "markdown").out.splitlines()
    assert markdown[:4] == [
        "**tiktok/folder : strict-1**",
        "",
        "| method | psnr@float ↑ | l1@unit ↓ | clips | failed |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    assert markdown[4:8] == [
        "| low | 20.00 | 0.4000 | 2 | 0 |",
        "| best | **30.00** | <u>0.2000</u> | 2 | 0 |",
        "| also | **30.00** | 0.3000 | 2 | 0 |",
        "| mid | <u>25.00</u> | **0.1000** | 2 | 0 |",
    ]


def test_nothing_is_ranked_without_a_rival_or_a_direction(tmp_path: Path) -> None:
    (table,) = tables(craft(tmp_path / "one", {"only": constant(20, 0.4)}))
    assert [cell.rank for cell in table.rows[0]] == [0] * 5
    both = {name: {"tone@mean": [value, value]} for name, value in (("a", 123.456), ("b", 2.0))}
    (table,) = tables(craft(tmp_path / "two", both))
    assert table.columns[1] == "tone@mean"
    assert [(row[1].text, row[1].rank) for row in table.rows] == [("1.23e+02", 0), ("2.00e+00", 0)]


def test_an_incomplete_row_is_marked_and_not_ranked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The incomplete 99 dB is over one clip only: 30 and 20 hold the ranks."""
    record = craft(
        tmp_path / "run", {"some": {"psnr@float": [99.0, None]}, "a": {"psnr@float": [30.0, 30.0]}, "b": {"psnr@float": [20.0, 20.0]}}
    )
    (table,) = tables(record)
    assert [row[1].rank for row in table.rows] == [0, 1, 2]
    out = show(capfd, record, "terminal").out
    assert "99.00[a]" in out
    assert "[a] incomplete: over the scored clips only" in out
    assert [row[-2].text for row in table.rows] == ["1", "2", "2"]
    assert [row[-1].text for row in table.rows] == ["1", "0", "0"]


def test_unscored_is_a_dash_with_its_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    gone = {"value": None, "n_clips": 0, "reason": "weights-missing", "detail": "hvbench weights pull net"}
    record = craft(tmp_path / "run", FOUR, best__psnr_float=gone, also__psnr_float=gone)
    out = show(capfd, record, "terminal").out
    assert out.count("-[a]") == 2
    assert out.count("[a] unscored, weights-missing: hvbench weights pull net") == 1
    (table,) = tables(record)
    assert {row[0].text: row[1].rank for row in table.rows} == {"low": 2, "best": 0, "also": 0, "mid": 1}
    cells = list(csv.reader(io.StringIO(show(capfd, record, "csv").out)))
    assert cells[2] == ["best", "", "0.2", "0.0", "0.0"] or cells[2][:3] == ["best", "", "0.2"]
    data = json.loads(show(capfd, record, "json").out)
    assert data["rows"][1]["psnr@float ↑"] == "-"


def test_notes_say_what_a_number_lacks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Equal notes share one mark; frames left out are counted; seeded weights are flagged."""
    record = craft(
        tmp_path / "run", FOUR,
        low__psnr_float={"n_left_out": 3}, best__psnr_float={"n_left_out": 3}, mid__psnr_float={"flags": ["seeded-1", "few clips"], "n_left_out": 1},
    )  # fmt: skip
    out = show(capfd, record, "terminal").out
    assert out.count("20.00[a]") == out.count("30.00[a]") == out.count("25.00[b]") == 1
    assert "  [a] 3 frames left out\n" in out
    assert "  [b] seeded-1, few clips, 1 frames left out\n" in out


def test_half_widths_of_intervals(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = craft(tmp_path / "run", FOUR, best__psnr_float={"ci_low": 28.5, "ci_high": 31.5, "ci_method": "t"})
    out = show(capfd, record, "terminal").out
    assert "30.00 ±1.50" in out
    assert "±: half the t interval over clips, nominal 95 %" in out


def test_csv_and_json_carry_the_full_numbers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is rounded on the screen is not rounded there."""
    record = craft(tmp_path / "run", {"a": constant(1 / 3, 0.1), "b": constant(2 / 3, 0.2)})
    (table,) = (csv.DictReader(io.StringIO(show(capfd, record, "csv").out)),)
    values = [float(row["psnr@float ↑"]) for row in table]
    assert values == [1 / 3, 2 / 3]
    data = json.loads(show(capfd, record, "json").out)
    assert data["title"] == "tiktok/folder : strict-1"
    assert [row["psnr@float ↑"] for row in data["rows"]] == [1 / 3, 2 / 3]
    assert [row["method"] for row in data["rows"]] == ["a", "b"]


def test_the_clips_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = craft(tmp_path / "run", {"a": {"psnr@float": [30.5, None]}, "b": {"psnr@float": [20.25, 21.0]}})
    out = show(capfd, record, "markdown", "--clips").out
    assert "**clips : strict-1**" in out
    for line in ("| a c0 | 30.50 |", "| a c1 | - |", "| b c0 | 20.25 |", "| b c1 | 21.00 |"):
        assert line in out
    assert "a c1: ends early (3 of 20 frames)" in out


def test_the_terminal_says_where_the_record_lies_and_shows_the_banner(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = craft(tmp_path / "run", FOUR, banner="a rehearsal")
    out = show(capfd, record, "terminal").out
    assert out.startswith("*** a rehearsal ***\n")
    assert f"record: {record.path}" in out
    assert "\x1b[" not in out
    assert "rehearsal ***" not in show(capfd, record, "csv").out


def test_show_of_what_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = craft(tmp_path / "run", FOUR)
    told = call(capfd, "show", record.path, "--protocol", "disco-2024")
    assert (told.code, told.out) == (2, "")
    assert "disco-2024" in told.err
    (record.path / "scores.json").unlink()
    told = call(capfd, "show", record.path)
    assert told.code == 2
    assert f"hvbench resume {record.path}" in told.err
    assert call(capfd, "show", tmp_path / "none").code == 2


def test_a_table_by_itself() -> None:
    """Wide characters take two columns, combining marks none; pipes are escaped; ranks are bold and underlined where colour is asked for."""
    table = Table("t", ["m", "v"], [[Cell("日本"), Cell("1", 1)], [Cell("e\u0301"), Cell("10", 2, "[a]")]], ["[a] x|y"])
    assert table.render("terminal").splitlines() == [
        "t",
        "  m         v",
        "  ----  -----",
        "  日本      1",
        "  e\u0301     10[a]",
        "  [a] x|y",
    ]
    assert "\x1b[1m1\x1b[0m" in table.render("terminal", colour=True)
    assert "\x1b[4m10[a]\x1b[0m" in table.render("terminal", colour=True)
    assert table.render("markdown").splitlines()[-1] == "[a] x\\|y  "
    assert [number(1.23456, 2), number(0.000012345, -3), number(5, 0)] == ["1.23", "1.23e-05", "5"]


# ------------------------------------------------------------------------------------------------------------------ compare

CLIPS = 8
BASE = np.array([20.0, 22, 24, 21, 25, 23, 26, 27])
STEP = np.array([1.0, 1.5, 2, 1.2, 1.8, 1.1, 1.6, 1.4])
"""All positive, mean 1.45."""


def duel(path: Path, psnr: np.ndarray, ssim: np.ndarray, l1: np.ndarray, n: int = CLIPS) -> Record:
    """Method `new` = base + these differences, `old` = base."""
    base = {"psnr@float": BASE[:n], "ssim@gaussian": BASE[:n] / 30, "l1@unit": BASE[:n] / 100}
    delta = {"psnr@float": psnr[:n], "ssim@gaussian": ssim[:n] / 30, "l1@unit": l1[:n] / 100}
    return craft(path, {"new": {k: list(base[k] + delta[k]) for k in base}, "old": {k: list(v) for k, v in base.items()}})


def verdicts(record: Record, of: str = "new", over: str = "old", **margins: float) -> dict[str, tuple[str, float | None]]:
    named = {name.replace("_", "@"): value for name, value in margins.items()}
    return {row.name: (row.judged.verdict, row.judged.p) for row in rows(record, of, over, "strict-1", named)[0]}


def test_better_and_worse(tmp_path: Path) -> None:
    """8 clips that agree: 2/256 each. Two primary: both 4/256 after Holm. L1 is not primary: unadjusted; and lower is better there."""
    record = duel(tmp_path / "run", STEP, STEP, STEP)
    expected = {"psnr@float": ("better", 4 / 256), "ssim@gaussian": ("better", 4 / 256), "l1@unit": ("worse", 2 / 256)}
    assert verdicts(record) == expected
    turned = {name: ({"better": "worse", "worse": "better"}[word], p) for name, (word, p) in expected.items()}
    assert verdicts(record, "old", "new") == turned


def test_the_numbers_of_a_row(tmp_path: Path) -> None:
    """Interval of the differences: mean +- t(0.975, 7) sd / sqrt 8, t = 2.364624 from tables."""
    found = {row.name: row for row in rows(duel(tmp_path / "run", STEP, STEP, STEP), "new", "old", "strict-1", {})[0]}["psnr@float"]
    c = found.judged.comparison
    assert found.a == pytest.approx((BASE + STEP).mean())
    assert found.b == pytest.approx(BASE.mean())
    assert c.difference == pytest.approx(STEP.mean())
    reach = 2.3646242515927866 * STEP.std(ddof=1) / np.sqrt(8)
    assert c.high == pytest.approx(STEP.mean() + reach, rel=1e-9)
    assert c.low == pytest.approx(STEP.mean() - reach, rel=1e-9)
    assert (c.n, c.smallest_p, c.test, found.left_out) == (8, 2 / 256, "sign-flip", ())


def test_four_clips_cannot_tell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """However large the difference: 2/16 = 0.125 is the smallest p there is."""
    record = duel(tmp_path / "run", 100 * STEP, STEP, STEP, n=4)
    assert verdicts(record) == {
        "psnr@float": ("cannot tell (4 clips)", 0.25),
        "ssim@gaussian": ("cannot tell (4 clips)", 0.25),
        "l1@unit": ("cannot tell (4 clips)", 0.125),
    }
    out = call(capfd, "compare", record.path, "--of", "new", "--over", "old").out
    assert out.count("cannot tell (4 clips)") == 3
    assert "0.125" in out
    assert "[n] not primary" in out


def test_no_difference_is_never_the_same_without_a_margin(tmp_path: Path) -> None:
    """Equal to the digit: p = 1, and still `cannot tell`; with a margin `same`."""
    record = duel(tmp_path / "run", 0 * STEP, STEP, 0 * STEP)
    assert verdicts(record)["psnr@float"] == ("cannot tell (8 clips)", 1.0)
    assert verdicts(record, psnr_float=0.5)["psnr@float"][0] == "same"


def test_a_margin_is_about_the_interval(tmp_path: Path) -> None:
    """Differences of about 1.45 +- 0.29: inside 2, not inside 1.5, although the mean is."""
    record = duel(tmp_path / "run", STEP, STEP, STEP)
    assert verdicts(record, psnr_float=2.0)["psnr@float"][0] == "same"
    assert verdicts(record, psnr_float=1.5)["psnr@float"][0] == "better"


def test_clips_that_one_side_lacks_are_left_out_on_both(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Clip c1 failed for `old`: its value of 1000 for `new` must not count. Two clips remain: differences 1 and 3."""
    record = craft(tmp_path / "run", {"new": {"psnr@float": [21.0, 1000.0, 27.0]}, "old": {"psnr@float": [20.0, None, 24.0]}})
    (found,), notes = rows(record, "new", "old", "strict-1", {})
    assert (found.judged.comparison.difference, found.judged.comparison.n, found.left_out) == (2.0, 2, ("c1",))
    assert (found.a, found.b) == (24.0, 22.0)
    assert notes == []
    assert "left out: c1" in call(capfd, "compare", record.path, "--of", "new", "--over", "old").out


def test_a_variant_without_common_clips_is_noted(tmp_path: Path) -> None:
    record = craft(tmp_path / "run", {"new": {"psnr@float": [21.0, None]}, "old": {"psnr@float": [None, 20.0]}})
    assert rows(record, "new", "old", "strict-1", {}) == ([], ["psnr@float: no clip is scored for both"])


def test_compare_in_every_format(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = duel(tmp_path / "run", STEP, STEP, STEP)
    words = ["compare", record.path, "--of", "new", "--over", "old", "--margin", "psnr@float=2"]
    out = call(capfd, *words).out
    assert out.startswith("tiktok/folder : strict-1 : new over old\n")
    data = {row["name"]: row for row in json.loads(call(capfd, *words, "--format", "json").out)}
    assert data["psnr@float"]["judged"]["verdict"] == "same"
    assert data["psnr@float"]["judged"]["comparison"]["margin"] == 2
    assert data["l1@unit"]["judged"]["p"] == 2 / 256
    table = {row["variant"]: row for row in csv.DictReader(io.StringIO(call(capfd, *words, "--format", "csv").out))}
    assert float(table["psnr@float"]["difference"]) == pytest.approx(STEP.mean())
    assert table["l1@unit"]["verdict"] == "worse"
    assert "| l1@unit[n] |" in call(capfd, *words, "--format", "markdown").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--of", "none", "--over", "old"], "no such method"),
        (["--of", "old", "--over", "old"], "the same method"),
        (["--of", "new", "--over", "old", "--margin", "psnr@float"], "--margin takes"),
        (["--of", "new", "--over", "old", "--margin", "psnr@float=0"], "--margin takes"),
        (["--of", "new", "--over", "old", "--margin", "psnr@float=x"], "--margin takes"),
        (["--of", "new", "--over", "old", "--margin", "psnr@float=nan"], "--margin takes"),
        (["--of", "new", "--over", "old", "--margin", "psnr@float=inf"], "--margin takes"),
        (["--of", "new", "--over", "old", "--margin", "psrn@float=1"], "psrn@float"),
        (["--of", "new", "--over", "old", "--protocol", "disco-2024"], "disco-2024"),
    ],
)
def test_compare_refuses_what_makes_no_sense(tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    record = duel(tmp_path / "run", STEP, STEP, STEP)
    told = call(capfd, "compare", record.path, *words)
    assert (told.code, told.out) == (2, ""), told
    assert said in told.err
    assert "Traceback" not in told.err


def test_compare_of_an_unfinished_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = duel(tmp_path / "run", STEP, STEP, STEP)
    (record.path / "scores.json").unlink()
    told = call(capfd, "compare", record.path, "--of", "new", "--over", "old")
    assert told.code == 2
    assert f"hvbench resume {record.path}" in told.err
