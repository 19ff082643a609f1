"""The gate on records made through the public API: planted faults are found, nothing else is, and what cannot be compared is said to be so.

Expected p: five clips that all agree give 2 / 2^5 = 0.0625 under the exact sign flip, eight give 2 / 2^8 = 0.0078; Holm multiplies the smallest of m by m.
"""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.api import run
from benchmark.record import load, to_text
from tests.make import Said, call, movie, told, worse, write

CASES = tuple(f"c{i}" for i in range(8))
METRICS = ["psnr@float", "l1@unit"]
N, SIDE = 16, 32


def clips(folder: Path, amount: int, seed: int, cases: tuple[str, ...] = CASES) -> Path:
    """Truth plus noise of +-amount grey levels, drawn from a seed."""
    for i, case in enumerate(cases):
        write(folder / f"{case}.mkv", worse(movie(i, N, SIDE, SIDE), amount, 100 * seed + i))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """truth/, and run-NAME: `before`, `again` (same noise, other seed), `worse` (more of it), `better` (less)."""
    root = tmp_path_factory.mktemp("gate")
    for i, case in enumerate(CASES):
        write(root / "truth" / f"{case}.mkv", movie(i, N, SIDE, SIDE))
    for seed, (name, amount) in enumerate({"before": 6, "again": 6, "worse": 8, "better": 4}.items()):
        run(
            suite="tiktok",
            truth=root / "truth",
            outputs={"gen": clips(root / name, amount, seed)},
            metrics=METRICS,
            out=root / f"run-{name}",
        )
    return root


@pytest.fixture
def base(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "base.json"
    assert call(capfd, "check", made / "run-before", "--update", "--baseline", path, "--reason", "the first").code == 0
    return path


def check(capfd: pytest.CaptureFixture[str], record: Path, base: Path, *more: object) -> tuple[Said, dict[str, str]]:
    """The command, and {metric@variant: verdict} from its JUnit file."""
    junit = base.with_suffix(".xml")
    said = call(capfd, "check", record, "--baseline", base, "--junit", junit, *more)
    return said, verdicts(junit) if said.code in (0, 4) else {}


def verdicts(junit: Path) -> dict[str, str]:
    found = {}
    for case in ET.parse(junit).getroot().iter("testcase"):
        found[str(case.get("name"))] = str(case.findtext("system-out")).partition("\n")[0].rpartition("verdict ")[2]
    return found


def edit(path: Path, change: Any) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def section(data: dict[str, Any]) -> dict[str, Any]:
    return dict(data["sections"])["tiktok/folder"]  # type: ignore[no-any-return]


def test_the_same_record_is_the_same(made: Path, base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said, found = check(capfd, made / "run-before", base, "--fail-on", "cannot-tell")
    assert (said.code, found) == (0, dict.fromkeys(METRICS, "same"))
    assert "Holm over 0 questions" in said.out
    assert str(base) in said.out
    assert str(made / "run-before") in said.out


@pytest.mark.parametrize(("name", "verdict", "code"), [("worse", "worse", 4), ("better", "better", 0)])
def test_more_noise_is_worse_and_less_is_better(
    made: Path, base: Path, capfd: pytest.CaptureFixture[str], name: str, verdict: str, code: int
) -> None:
    """Noise of +-8 against +-6: every clip agrees, p = 2/256 each, Holm of two 4/256."""
    said, found = check(capfd, made / f"run-{name}", base)
    assert (said.code, found) == (code, dict.fromkeys(METRICS, verdict))
    assert "0.0156" in said.out
    assert ("psnr@float" in said.err) == (code == 4)


def test_other_noise_of_the_same_size_is_not_worse(made: Path, base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said, found = check(capfd, made / "run-again", base)
    assert said.code == 0
    assert set(found.values()) <= {"same", "cannot tell"}


def test_a_tolerance_that_was_edited_decides_and_survives_an_update(made: Path, base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """20 log10(8/6) is about 2.4 dB: inside a tolerance of 5 dB; l1 within 1."""
    edit(base, lambda data: [entry.update(tolerance=5.0) for entry in section(data)["entries"]])
    said, found = check(capfd, made / "run-worse", base)
    assert (said.code, found) == (0, dict.fromkeys(METRICS, "same"))
    call(capfd, "check", made / "run-worse", "--update", "--baseline", base, "--reason", "the second")
    data = json.loads(base.read_text(encoding="utf-8"))
    assert [item["reason"] for item in data["history"]] == ["the first", "the second"]
    assert [item["spec_sha256"] for item in data["history"]] == [
        load(made / f"run-{name}").header["spec_sha256"] for name in ("before", "worse")
    ]
    assert {entry["tolerance"] for entry in section(data)["entries"]} == {5.0}


def test_too_few_clips_cannot_tell(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Four clips: the smallest p is 0.125, so nothing can be worse; asked for, that fails too."""
    for name in ("before", "worse"):
        run(suite="tiktok", truth=made / "truth", outputs={"gen": made / name}, metrics=METRICS, cases=CASES[:4], out=tmp_path / name)
    base = tmp_path / "base.json"
    call(capfd, "check", tmp_path / "before", "--update", "--baseline", base, "--reason", "four")
    said, found = check(capfd, tmp_path / "worse", base)
    assert (said.code, found) == (0, dict.fromkeys(METRICS, "cannot tell"))
    assert "4 clips: the smallest p they can give is 0.125" in said.out
    said, found = check(capfd, tmp_path / "worse", base, "--fail-on", "cannot-tell")
    assert said.code == 4
    root = ET.parse(base.with_suffix(".xml")).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("2", "2", "0")


def test_clips_that_lack_are_named_and_never_hide_what_is_worse(
    made: Path, base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, outcome in (("before", "cannot tell"), ("worse", "worse")):
        run(suite="tiktok", truth=made / "truth", outputs={"gen": made / name}, metrics=METRICS, cases=CASES[:7], out=tmp_path / name)
        said, found = check(capfd, tmp_path / name, base)
        assert found == dict.fromkeys(METRICS, outcome)
        assert "not in the run: c7" in said.out


def test_a_failed_clip_and_another_clip_of_the_same_name(made: Path, base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for folder in ("truth", "before"):
        shutil.copytree(made / folder, tmp_path / folder)
    (tmp_path / "before" / "c0.mkv").write_bytes((made / "before" / "c0.mkv").read_bytes()[:200])
    write(tmp_path / "truth" / "c1.mkv", movie(77, N, SIDE, SIDE))
    run(suite="tiktok", truth=tmp_path / "truth", outputs={"gen": tmp_path / "before"}, metrics=METRICS, out=tmp_path / "run")
    said, found = check(capfd, tmp_path / "run", base)
    assert found == dict.fromkeys(METRICS, "cannot tell")
    assert "another clip under this name: c1; unscored in the run: c0" in said.out


def test_clips_and_numbers_without_a_baseline_are_said(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / "base.json"
    run(suite="tiktok", truth=made / "truth", outputs={"gen": made / "before"}, metrics=METRICS, cases=CASES[:6], out=tmp_path / "six")
    call(capfd, "check", tmp_path / "six", "--update", "--baseline", base, "--reason", "six, psnr", "--metric", "psnr@float")
    said, found = check(capfd, made / "run-before", base)
    assert (said.code, found) == (0, {"psnr@float": "same"})
    assert "clips without a baseline, left out: c6, c7" in said.out
    assert "not in the baseline, not judged: strict-1 : gen : l1@unit" in said.out


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("protocol", "version 9, rules 00", "other protocol: baseline version 9"),
        ("weights", "seeded", "other weights: baseline seeded, run none"),
        ("frames at once", 7, "other frames at once: baseline 7, run 512"),
    ],
)
def test_another_meaning_is_not_compared(
    made: Path, base: Path, capfd: pytest.CaptureFixture[str], field: str, value: object, said: str
) -> None:
    """One number of the two; the other is judged as ever."""
    edit(base, lambda data: section(data)["entries"][0]["meaning"].update({field: value}))
    done, found = check(capfd, made / "run-worse", base)
    name = section(json.loads(base.read_text(encoding="utf-8")))["entries"][0]["name"]
    assert found[name] == "cannot tell"
    assert sorted(found.values()) == ["cannot tell", "worse"]
    assert said in done.out
    assert done.code == 4


def foreign(data: dict[str, Any]) -> None:
    data["sections"]["other/all"] = data["sections"].pop("tiktok/folder")


DAMAGE: dict[str, tuple[Any, str]] = {
    "kind": (lambda data: data.update(kind="a shopping list"), "is no baseline"),
    "newer": (lambda data: data.update(schema=99), "newer version"),
    "foreign": (foreign, "does not speak of this run's suite"),
    "lacks": (lambda data: section(data)["entries"][1].pop("clips"), "lacks 'clips'"),
    "text": (lambda data: section(data)["entries"][0]["clips"].update(c0="30"), "no finite number"),
    "infinite": (lambda data: section(data)["entries"][0].update(tolerance=float("inf")), "no finite number"),
    "negative": (lambda data: section(data)["entries"][0].update(tolerance=-1), "no finite number"),
    "twice": (lambda data: section(data)["entries"].append(section(data)["entries"][0]), "stands twice"),
    "history": (lambda data: data.update(history=[]), "no reason"),
    "method": (lambda data: [entry.update(method="nobody") for entry in section(data)["entries"]], "shares not one number"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_foreign_baseline_is_named(made: Path, base: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    change, needle = DAMAGE[name]
    edit(base, change)
    said = call(capfd, "check", made / "run-before", "--baseline", base)
    assert said.code == 2
    told(said.err, str(base), needle)


def test_no_baseline_no_json_no_reason(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "base.json"
    said = call(capfd, "check", made / "run-before", "--baseline", path)
    assert said.code == 2
    told(said.err, "no such baseline")
    path.write_text("{", encoding="utf-8")
    said = call(capfd, "check", made / "run-before", "--baseline", path)
    assert said.code == 2
    told(said.err, "the baseline is damaged")
    said = call(capfd, "check", made / "run-before", "--baseline", path, "--update", "--reason", " ")
    assert said.code == 2
    told(said.err, "for a reason")
    assert path.read_text(encoding="utf-8") == "{"


@pytest.mark.parametrize("what", ["scores", "spec"])
def test_a_damaged_record_is_named(made: Path, base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str) -> None:
    copy = shutil.copytree(made / "run-before", tmp_path / "run")
    if what == "scores":
        (copy / "scores.json").write_text("{", encoding="utf-8")
    else:
        header = json.loads((copy / "run.json").read_text(encoding="utf-8"))
        header["spec"]["max_frames"] = 3
        (copy / "run.json").write_text(to_text(header), encoding="utf-8")
    said = call(capfd, "check", copy, "--baseline", base)
    assert said.code == 2
    assert str(copy) in said.err
    assert "hvbench validate" in said.err


def test_two_suites_share_a_file(made: Path, base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Another section is left as it is."""
    edit(base, lambda data: data["sections"].update({"other/all": section(data)}))
    before = json.loads(base.read_text(encoding="utf-8"))["sections"]["other/all"]
    call(capfd, "check", made / "run-again", "--update", "--baseline", base, "--reason", "again")
    data = json.loads(base.read_text(encoding="utf-8"))
    assert data["sections"]["other/all"] == before
    assert section(data)["spec_sha256"] == load(made / "run-again").header["spec_sha256"]


def test_names_with_markup(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A method's name comes back whole from XML; in Markdown it makes no tag, no cell, no emphasis, no mention."""
    name = "a<b>&\"'|_`~x$"
    record = run(suite="tiktok", truth=made / "truth", outputs={name: made / "before"}, metrics=["psnr@float"], out=tmp_path / "run")
    base, page = tmp_path / "base.json", tmp_path / "page.md"
    call(capfd, "check", record.path, "--update", "--baseline", base, "--reason", "<script>alert(1)</script> \x1b[31m")
    said, found = check(capfd, record.path, base, "--markdown", page)
    assert (said.code, found) == (0, {"psnr@float": "same"})
    case = next(ET.parse(base.with_suffix(".xml")).getroot().iter("testcase"))
    assert case.get("classname") == f"tiktok/folder : strict-1 : {name}"
    text = page.read_text(encoding="utf-8")
    assert "<" not in text
    row = next(line for line in text.splitlines() if "psnr&#64;float" in line)
    assert row.replace("\\|", "").count("|") == 11
    assert "a&lt;b&gt;&amp;\"'\\|\\_\\`\\~x\\$" in row


def test_speed_goes_through_the_same_gate(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Six runs a clip, two clips: 2 / C(12, 6)^2 = 2.3e-6. Half as slow again is worse, 3 % is same at 10 %, and another machine cannot tell."""
    before = shutil.copytree(made / "run-before", tmp_path / "before")
    profile(before, 1.0)
    base = tmp_path / "base.json"
    call(capfd, "check", before, "--update", "--baseline", base, "--reason", "timed")
    for factor, cpu, verdict, code in (
        (1.5, "X", "worse", 4),
        (1.03, "X", "same", 0),
        (0.6, "X", "better", 0),
        (1.5, "Y", "cannot tell", 0),
    ):
        profile(before, factor, cpu)
        said, found = check(capfd, before, base)
        assert (said.code, found["seconds"]) == (code, verdict)
    assert "another machine (baseline against run): cpu X against Y" in said.out
    (before / "profile.json").unlink()
    said, found = check(capfd, before, base)
    assert found["seconds"] == "cannot tell"
    assert "the run has no profile" in said.out


def test_seconds_alone_are_a_baseline(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A profile without scores, as `hvbench profile` writes it unless it is asked for quality."""
    bare = shutil.copytree(made / "run-before", tmp_path / "bare")
    data = json.loads((bare / "scores.json").read_text(encoding="utf-8"))
    (bare / "scores.json").write_text(to_text({**data, "scores": [], "replicates": []}), encoding="utf-8")
    base = tmp_path / "base.json"
    said = call(capfd, "check", bare, "--update", "--baseline", base, "--reason", "nothing")
    assert said.code == 2
    assert "nothing to hold others against" in said.err
    profile(bare, 1.0)
    assert call(capfd, "check", bare, "--update", "--baseline", base, "--reason", "timed").code == 0
    profile(bare, 2.0)
    said, found = check(capfd, bare, base)
    assert (said.code, found) == (4, {"seconds": "worse"})


def profile(run: Path, factor: float, cpu: str = "X") -> None:
    """One row: two clips of 1 and 4 s, six runs each, 1 % apart."""
    rng = np.random.default_rng(int(100 * factor))
    runs: list[dict[str, Any]] = []
    for case, seconds in (("c0", 1.0), ("c1", 4.0)):
        for took in factor * seconds * np.exp(0.01 * rng.standard_normal(6)):
            costs = {"seconds": {"total": float(took)}, "nfe": 8, "nominal_nfe": 8, "frames": 16, "made": 17, "peak_bytes": None}
            runs.append({"case": case, **costs})
    row = {"name": "gen-8", "adapter": "gen", "nfe": 8, "rehearsal": True, "runs": runs}
    facts = {"schema": 1, "machine": {"cpu": cpu, "cores": 2}, "packages": {}, "rows": [row]}
    (run / "profile.json").write_text(json.dumps(facts), encoding="utf-8")
