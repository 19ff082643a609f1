"""The speed report from profiles written by hand: every number printed can be worked out from the seconds going in.

Seconds are 3 + NFE / 2, a quarter of a second less and more in two further runs, so medians and lines are exact and quartiles an eighth away.
"""

from __future__ import annotations

import csv
import io
import json
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from benchmark.validate import schema
from reports._profile import panels, read
from reports.speed import digits
from tests.make import ROOT, Said, call, environment, study

SPREAD = (0.0, -0.25, 0.25)
UGLY = 'a<b>&"$x$"|--'
Scores = Mapping[str, Sequence[float | None]]


def runs(seconds: Sequence[float], nfe: float, **more: Any) -> list[dict[str, Any]]:
    """One case made as often as there are seconds: 80 % of them in the denoiser, 10 % in the VAE, 5 % in the text encoder."""
    return [
        {
            "case": "dance-01", "repeat": k, "nfe": nfe, "nominal_nfe": nfe, "calls": {"transformer": int(nfe)}, "frames": 46, "made": 49, "peak_bytes": None,
            "seconds": {"total": s, "denoiser": 0.8 * s, "text": 0.05 * s, "vae": 0.1 * s}, **more,
        }
        for k, s in enumerate(seconds)
    ]  # fmt: skip


def level(method: str, nfe: int, seconds: Sequence[float] | None = None, **more: Any) -> dict[str, Any]:
    """A row `METHOD-NFE`."""
    times = [3 + nfe / 2 + off for off in SPREAD] if seconds is None else seconds
    row = {
        "name": f"{method}-{nfe}",
        "adapter": "wan-i2v",
        "method": method,
        "nfe": nfe,
        "steps": nfe // 2,
        "passes": 2,
        "rehearsal": False,
    }
    return {**row, "settings": {}, "runs": runs(times, float(nfe)), **more}


LEVELS = [level("new", nfe) for nfe in (30, 100, 50)]


def craft(folder: Path, levels: Sequence[Mapping[str, Any]], scores: Scores | None = None, **changes: Any) -> Path:
    """A run folder with a profile, and the scores of its rows by `protocol metric@variant`."""
    folder.mkdir(parents=True)
    data = {
        "schema": 1,
        "machine": {"cpu": "Abacus 9", "cores": 2, "device": "cuda", "gpus": [{"name": "H100"}], "tf32": None},
        "packages": {"torch": "2.11", "numpy": "2.1"},
        "git": {"revision": "0123456789abcdef", "dirty": True},
        "suite": "tiktok-embedded",
        "split": "all",
        "cases": ["dance-01"],
        "warm_up": 1,
        "repeats": 3,
        "rows": levels,
        **changes,
    }
    (folder / "profile.json").write_text(json.dumps({key: value for key, value in data.items() if value is not ...}), encoding="utf-8")
    if scores is not None:
        found = []
        for name, values in scores.items():
            protocol, _, variant = name.partition(" ")
            for row, value in zip(levels, values, strict=True):
                found.append(
                    {
                        "adapter": row["name"], "protocol": protocol, "metric": variant.partition("@")[0], "variant": variant.partition("@")[2], "value": value,
                        "ci_low": value, "ci_high": value, "unit": "dB", "decimals": 2, "higher_is_better": variant != "l1@unit",
                    }
                )  # fmt: skip
        (folder / "scores.json").write_text(json.dumps({"schema": 1, "scores": found, "replicates": []}), encoding="utf-8")
    return folder


def told(capfd: pytest.CaptureFixture[str], run: Path, *more: object) -> Said:
    said = call(capfd, "speed", run, *more)
    assert said.code == 0, said.err
    return said


def rows_of(capfd: pytest.CaptureFixture[str], run: Path, *more: object) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(told(capfd, run, "--format", "json", *more).out)["rows"]}


def test_the_arithmetic_of_a_row(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """53, 28 and 18 s: the largest NFE is 1, 50 is 53 / 28 as fast, whatever the order of rows. Quartiles of 52.75, 53, 53.25 are half-way."""
    data = json.loads(told(capfd, craft(tmp_path / "run", LEVELS), "--format", "json").out)
    rows = {row["name"]: row for row in data["rows"]}
    for nfe, seconds in ((100, 53.0), (50, 28.0), (30, 18.0)):
        row = rows[f"new-{nfe}"]
        assert (row["median"], row["q1"], row["q3"], row["runs"], row["nfe"]) == (seconds, seconds - 0.125, seconds + 0.125, 3, nfe)
        assert row["per_nfe"] == pytest.approx(seconds / nfe, rel=1e-15)
        assert row["speed_up"] == pytest.approx(53 / seconds, rel=1e-15)
        assert row["fps"] == pytest.approx(49 / seconds, rel=1e-15)
        assert row["shares"] == pytest.approx({"denoiser": 0.8, "vae": 0.1, "text": 0.05}, rel=1e-12)
        assert row["rest"] == pytest.approx(0.05, rel=1e-12)
        assert (row["against"], row["noise"], row["peak_bytes"]) == ("new-100", "", None)
    # The spread is the same about the line at every level: residual 6 * 0.0625 of a total that is theirs and 3 * (53^2 + 28^2 + 18^2 - 99^2 / 3).
    total = 6 * 0.0625 + 3 * (53**2 + 28**2 + 18**2 - 99**2 / 3)
    line = data["lines"]["new"]
    assert (line["base"], line["each"]) == (pytest.approx(3, rel=1e-12), pytest.approx(0.5, rel=1e-12))
    assert (line["r2"], line["points"], line["levels"]) == (pytest.approx(1 - 6 * 0.0625 / total, rel=1e-12), 9, 3)
    assert data["machine"]["cpu"] == "Abacus 9"


def test_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = told(capfd, craft(tmp_path / "run", LEVELS)).out
    assert out.splitlines()[0] == "tiktok-embedded/all : speed"
    (row,) = [line for line in out.splitlines() if line.strip().startswith("new-50")]
    # 28 / 50 = 0.56 s an evaluation; 49 / 28 = 1.75 frames a second; 53 / 28 = 1.89.
    assert row.split() == [
        "new-50",
        "50",
        "50",
        "3",
        "28.0",
        "27.9",
        "28.1",
        "0.560",
        *(word for share in ("80", "10", "5", "5") for word in (share, "%")),
        "1.75",
        "-",
        "1.89",
    ]
    # R2: 1 - 0.375 / 1950.375, see above.
    assert out.splitlines()[-1].split() == ["new", "3", "9", "3.00", "0.500", "0.9998"]
    assert "machine: cpu Abacus 9, cores 2, device cuda, gpus name H100, torch 2.11, revision 01234567 with changes" in out
    assert "speed-up: median seconds of new-100 over those of the row" in out
    assert "rehearsal" not in out
    assert "knee" not in out


def test_shares_and_memory_that_are_not_known(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A part that no run timed is a dash and in the rest; memory is the largest of the runs."""
    row = level("new", 10)
    row["runs"] = [
        {**run, "seconds": {"total": 4.0, "denoiser": 3.0}, "peak_bytes": peak}
        for run, peak in zip(row["runs"], (None, 2**30, 3 * 2**30), strict=True)
    ]
    run = craft(tmp_path / "run", [row])
    found = rows_of(capfd, run)["new-10"]
    assert (found["shares"], found["rest"], found["peak_bytes"]) == ({"denoiser": 0.75, "vae": None, "text": None}, 0.25, 3 * 2**30)
    (line,) = [line for line in told(capfd, run).out.splitlines() if line.strip().startswith("new-10")]
    assert line.split()[8:] == ["75", "%", "-", "-", "25", "%", "12.2", "3.00", "1.00"]


def test_noise_is_marked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Quartiles of 10, 11, 12 are 10.5 and 11.5: 11.4, 11.5, 11.6 overlap them, 11.6, 11.7, 11.8 do not; two runs tell nothing."""
    levels = [
        level("m", 40, (10, 11, 12)),
        level("m", 30, (11.4, 11.5, 11.6)),
        level("m", 20, (11.6, 11.7, 11.8)),
        level("m", 10, (5, 5.1)),
    ]
    run = craft(tmp_path / "run", levels)
    assert {name: row["noise"] for name, row in rows_of(capfd, run).items()} == {"m-40": "", "m-30": "overlap", "m-20": "", "m-10": "few"}
    out = told(capfd, run).out
    assert "0.96[~]" in out
    assert "2.18[?]" in out
    assert "[~] within noise: the quartile ranges of both rows overlap" in out
    assert "cannot be told" in out
    table = list(csv.DictReader(io.StringIO(told(capfd, run, "--format", "csv").out)))
    assert [row["noise"] for row in table] == ["", "within", "", "unknown"]


def test_against_a_named_row(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By default every generator against its own; two configurations of one adapter are two generators. By name all against one: 53 / 5."""
    levels = [*LEVELS, level("tuned", 50, (10, 10, 10)), level("tuned", 20, (5, 5, 5))]
    run = craft(tmp_path / "run", levels)
    rows = rows_of(capfd, run)
    assert (rows["tuned-20"]["speed_up"], rows["tuned-20"]["against"], rows["new-30"]["against"]) == (2, "tuned-50", "new-100")
    rows = rows_of(capfd, run, "--against", "new-100")
    assert (rows["tuned-20"]["speed_up"], rows["tuned-20"]["against"], rows["new-100"]["speed_up"]) == (pytest.approx(10.6), "new-100", 1)
    said = call(capfd, "speed", run, "--against", "old-100")
    assert said.code == 2
    assert "expected: new-30, new-100, new-50, tuned-50, tuned-20" in said.err


def test_adapters_group_rows_without_a_method(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    levels = [{key: value for key, value in row.items() if key != "method"} for row in LEVELS]
    assert {row["generator"] for row in rows_of(capfd, craft(tmp_path / "run", levels)).values()} == {"wan-i2v"}


def test_counted_that_is_not_nominal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A run that counted 98 for 100: marked, and the range is shown; the line goes through what was counted."""
    row = level("new", 100)
    row["runs"] = [{**row["runs"][0], "nfe": 98.0}, *row["runs"][1:]]
    out = told(capfd, craft(tmp_path / "run", [row, level("new", 50)])).out
    assert "98-100[d]" in out
    assert "[d] the evaluations counted" in out
    assert out.count("[d]") == 2


def test_one_level_has_no_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = told(capfd, craft(tmp_path / "one", LEVELS[:1])).out
    assert "new: no line, which needs two different NFE" in out
    assert "fixed s" not in out
    out = told(capfd, craft(tmp_path / "two", [level("new", 10, (1,)), level("new", 20, (2,))])).out
    assert "two points fits by itself" in out
    out = told(capfd, craft(tmp_path / "falls", [level("new", 10, (2, 2)), level("new", 20, (1, 1))])).out
    assert "this line is no cost" in out


def test_clips_that_are_not_alike(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Other cases than the reference row, other lengths, frames that did not come again: told."""
    other = level("new", 50)
    other["runs"] = [{**run, "case": "dance-02", "made": 81, "same_frames": False} for run in other["runs"]]
    out = told(capfd, craft(tmp_path / "run", [LEVELS[1], other], cases=["dance-01", "dance-02"])).out
    assert "1.89[c]" in out
    assert "clips of 49 to 81 frames are pooled" in out
    assert "made again, a clip is not the record's to the bit: new-50" in out


def test_a_rehearsal_says_so_everywhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = craft(tmp_path / "run", [*LEVELS, level("toy", 10, rehearsal=True)])
    for form in ("terminal", "markdown"):
        out = told(capfd, run, "--format", form).out
        assert out.startswith(("***", "**"))
        assert "tiny networks with random weights" in out.splitlines()[0]
        assert "toy-10[r]" in out
        assert "new-30[r]" not in out
    table = list(csv.DictReader(io.StringIO(told(capfd, run, "--format", "csv").out)))
    assert [(row["row"], row["rehearsal"]) for row in table if row["rehearsal"] == "yes"] == [("toy-10", "yes")]
    assert json.loads(told(capfd, run, "--format", "json").out)["rehearsal"] is True


def test_csv_holds_all_digits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = list(csv.DictReader(io.StringIO(told(capfd, craft(tmp_path / "run", [*LEVELS, level("lone", 7)]), "--format", "csv").out)))
    assert [row["row"] for row in table] == ["new-30", "new-100", "new-50", "lone-7"]
    assert float(table[0]["speed-up"]) == 53 / 18
    assert (float(table[0]["q1 s"]), table[0]["against"], table[0]["peak GiB"]) == (17.875, "new-100", "")
    assert float(table[0]["slope s/NFE"]) == pytest.approx(0.5, rel=1e-12)
    assert (table[3]["slope s/NFE"], table[3]["fixed s"], table[3]["R2"]) == ("", "", "")


def test_markdown_escapes_bars(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = told(capfd, craft(tmp_path / "run", [level(UGLY, 10), level(UGLY, 20)]), "--format", "markdown").out
    rows = [line.replace("\\|", "") for line in out.splitlines() if line.startswith("|")]
    # The heading, the rule, two rows; then those of the line.
    assert [row.count("|") for row in rows] == [16] * 4 + [7] * 3
    assert 'a&lt;b&gt;&amp;"\\$x\\$"\\|---10' in out


CURVES: Scores = {
    # In the order of LEVELS, 30, 100, 50. Scaled NFE of 50: 2 / 7. Scaled values 0.8 and 0.1 there: above the chord, and below it.
    "strict-1 psnr@float": [20.0, 30.0, 28.0],
    "strict-1 l1@unit": [0.5, 0.1, 0.46],
    "strict-1 ssim@gaussian": [0.5, None, 0.6],
}


def test_knees(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = craft(tmp_path / "run", LEVELS, CURVES)
    data = json.loads(told(capfd, run, "--format", "json").out)
    assert data["knees"] == [{"protocol": "strict-1", "metric": "psnr@float", "generator": "new", "row": "new-50", "nfe": 50.0}]
    assert "knee of new: NFE 50 (psnr@float)" in told(capfd, run).out
    few = craft(tmp_path / "few", LEVELS[:2], {"strict-1 psnr@float": [20.0, 30.0]})
    assert "knee of new: none, 2 level(s) of three at least" in told(capfd, few).out
    both = craft(tmp_path / "both", LEVELS, {**CURVES, "disco-2023 psnr@float": [20.0, 30.0, 28.0]})
    assert "NFE 50 (psnr@float strict-1, psnr@float disco-2023)" in told(capfd, both).out


def texts(path: Path) -> str:
    """What an SVG says: its comments, where matplotlib keeps the words that it draws as paths; parsed as XML."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    tree = ElementTree.parse(path, parser)
    return "\n".join(element.text or "" for element in tree.iter() if element.tag is ElementTree.Comment)


def test_plots(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two plots in two formats; names full of markup are text, in a file that parses; the same profile gives the same bytes."""
    rows = [*LEVELS, *(level(UGLY, nfe, rehearsal=True) for nfe in (100, 50)), level("_hidden", 40)]
    scores = {name: [*values, 21.0, 22.0, 23.0] for name, values in CURVES.items()}
    run = craft(tmp_path / "run", rows, scores)
    said = told(capfd, run, "--plots", tmp_path / "new" / "plots")
    names = ["speed.svg", "speed.png", "quality.svg", "quality.png"]
    assert said.err.splitlines() == [f"written: {tmp_path / 'new' / 'plots' / name}" for name in names]
    told(capfd, run, "--plots", tmp_path / "again", "--format", "json")
    for name in names:
        first = (tmp_path / "new" / "plots" / name).read_bytes()
        assert first == (tmp_path / "again" / name).read_bytes()
        if name.endswith("png"):
            assert first[:8] == b"\x89PNG\r\n\x1a\n"
            width, height = struct.unpack(">II", first[16:24])
            assert width > 900 < height + 300
    speed, quality = texts(tmp_path / "again" / "speed.svg"), texts(tmp_path / "again" / "quality.svg")
    for words in ("3.00 s + 0.500 s per NFE, R² 0.99", "seconds a clip", "REHEARSAL", "H100", "_hidden:  one NFE, no line"):
        assert words in speed, words
    for words in ("psnr@float", "↓ lower is better", "dB", "knee of the curve", "REHEARSAL", "_hidden"):
        assert words in quality, words
    for said_there in (speed, quality):
        assert 'a<b>&"$x$"|' in said_there.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("&quot;", '"')


def test_plots_without_scores(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told(capfd, craft(tmp_path / "run", LEVELS), "--plots", tmp_path / "plots")
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["speed.png", "speed.svg"]


def test_matplotlib_is_for_plots_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The help and a table in a process of their own load none; without it plots are refused in words."""
    run = craft(tmp_path / "run", LEVELS, CURVES)
    for words in (["speed", "--help"], ["speed", str(run)]):
        code = f"""
import sys
from benchmark.cli import main
try:
    main({words!r})
except SystemExit:
    pass
assert not {{"matplotlib", "torch"}} & set(sys.modules)
"""
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = call(capfd, "speed", run, "--plots", tmp_path / "plots")
    assert said.code == 2
    assert "human-video-benchmark[report]" in said.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machine": ...}, "seconds without their machine say nothing"),
        ({"machine": {}}, "seconds without their machine say nothing"),
        ({"machine": {"cpu": None}}, "seconds without their machine say nothing"),
        ({"schema": 2}, "newer version"),
        ({"rows": []}, "damaged"),
        ({"rows": [{**LEVELS[0], "runs": []}]}, "damaged"),
        ({"rows": [LEVELS[0], LEVELS[0]]}, "2 rows, 1 names"),
        ({"rows": [{**LEVELS[0], "runs": [{"case": "x"}]}]}, "KeyError('seconds')"),
        ({"rows": [level("new", 10, (0.0,))]}, "finite and above 0"),
    ],
)
def test_profiles_that_are_refused(changes: dict[str, Any], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = call(capfd, "speed", craft(tmp_path / "run", LEVELS, **changes))
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_no_profile(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = call(capfd, "speed", tmp_path)
    assert said.code == 2
    assert "hvbench profile" in said.err
    (tmp_path / "profile.json").write_text("{", encoding="utf-8")
    assert "damaged" in call(capfd, "speed", tmp_path).err


def test_three_digits() -> None:
    assert [digits(x) for x in (0.01234, 1.234, 12.34, 123.4, 1234.5, -0.605, 0.0)] == [
        "0.0123",
        "1.23",
        "12.3",
        "123",
        "1234",
        "-0.605",
        "0",
    ]


def test_validate_looks_at_the_profile(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The schema takes what is written here and refuses what is not in it; `validate` names the place."""
    checker = jsonschema.Draft202012Validator(schema("profile"))
    checker.check_schema(schema("profile"))
    good = craft(tmp_path / "good", LEVELS) / "profile.json"
    checker.validate(json.loads(good.read_text(encoding="utf-8")))
    inputs = study(tmp_path / "inputs", methods=("a",), cases=("one",))
    run = tmp_path / "run"
    assert call(capfd, "run", *inputs.words, "--metric", "l1@unit", "--out", run).code == 0
    (run / "profile.json").write_bytes(good.read_bytes())
    assert call(capfd, "validate", run).code == 0
    for number, (changes, words) in enumerate(
        (
            ({"machine": ...}, "'machine' is a required property"),
            ({"machine": {}}, "profile.json: machine: "),
            ({"more": 1}, "'more' was unexpected"),
            ({"rows": [{**LEVELS[0], "runs": []}]}, "profile.json: rows/0/runs: "),
            ({"cases": ["dance-09"]}, "new-100 dance-01: a run of a case that is not among `cases`"),
            ({"rows": [LEVELS[0], LEVELS[0]]}, "new-30: a row's name stands twice"),
        )
    ):
        bad = craft(tmp_path / f"bad{number}", LEVELS, **changes) / "profile.json"
        (run / "profile.json").write_bytes(bad.read_bytes())
        said = call(capfd, "validate", run)
        assert said.code != 0
        assert words in said.out + said.err
    (run / "profile.json").write_text("{", encoding="utf-8")
    said = call(capfd, "validate", run)
    assert "no JSON" in said.out + said.err


def test_no_knee_in_noise(tmp_path: Path) -> None:
    """The same curve, once with intervals that keep its ends apart, once with such that meet."""
    run = craft(tmp_path / "run", LEVELS, CURVES)
    scores = json.loads((run / "scores.json").read_text())
    for width, expected in ((4.9, ["new-50"]), (5.1, [])):
        for row in scores["scores"]:
            if row["value"] is not None:
                row["ci_low"], row["ci_high"] = row["value"] - width, row["value"] + width
        (run / "scores.json").write_text(json.dumps(scores))
        found = [point.row for panel in panels(read(run)) for point in panel.knees.values()]
        assert found == expected
