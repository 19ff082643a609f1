"""`check` beside the metric gate: a stale leaderboard and findings inside tables are test cases, and make exit code 4.

Expected counts: the linter's own findings on the same file, and the files named by hand.
"""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmark.data import canonical
from reports._lint import lint
from reports._read_tables import read
from tests.make import Said, call
from tests.test_reports import craft

WRONG = "method,PSNR ↑,SSIM ↑\na,29.1,0.71\nb,29.3,0.74\nc,29.9,0.75\n"
"""PSNR near 28 dB beside SSIM below 0.85: the overflow of uint8 squares."""
RIGHT = "method,PSNR ↑,SSIM ↑\na,19.1,0.71\nb,18.3,0.74\nc,20.9,0.75\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Path:
    """A checkout with an empty leaderboard, up to date."""
    (tmp_path / "reports" / "records").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert call(capfd, "leaderboard").code == 0
    return tmp_path


def check(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[Said, ET.Element]:
    Path("gate.xml").unlink(missing_ok=True)
    said = call(capfd, "check", *words, "--junit", "gate.xml", "--markdown", "gate.md")
    return said, ET.parse("gate.xml").getroot() if Path("gate.xml").exists() else ET.Element("none")


def cases(root: ET.Element) -> dict[str, str | None]:
    """{class : name: message of its failure, or None}."""
    found = {}
    for case in root.iter("testcase"):
        failure = case.find("failure")
        found[f"{case.get('classname')} : {case.get('name')}"] = None if failure is None else failure.get("message")
    return found


def test_an_up_to_date_leaderboard_passes(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said, root = check(capfd, "--leaderboard")
    assert (said.code, said.err) == (0, "")
    assert said.out == "leaderboard: 2 as they should be\n"
    assert cases(root) == {"leaderboard : leaderboard.md": None, "leaderboard : reports/leaderboard.html": None}
    assert (root.get("tests"), root.get("failures")) == ("2", "0")


def test_a_stale_leaderboard_and_a_stray_folder_fail(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("leaderboard.md").write_text("# Mine leads\n", encoding="utf-8")
    (home / "reports" / "records" / "clips").mkdir()
    said, root = check(capfd, "--leaderboard")
    assert said.code == 4
    found = cases(root)
    assert str(found["leaderboard : reports/records/clips"]).startswith("refused: reports/records/clips: is no submission")
    assert "type: hvbench leaderboard" in str(found["leaderboard : leaderboard.md"])
    assert found["leaderboard : reports/leaderboard.html"] is None
    assert "leaderboard: 2 wrong of 3" in said.err
    assert "## leaderboard: 2 wrong of 3" in Path("gate.md").read_text(encoding="utf-8")


def test_findings_of_the_linter_fail(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = home / "t.csv"
    path.write_text(WRONG, encoding="utf-8")
    expected = lint(read(path))
    assert [one.rule for one in expected] == ["psnr-overflow"]
    said, root = check(capfd, "--lint", path)
    assert said.code == 4
    assert [message for message in cases(root).values() if message] == [
        f"{one.severity}: {one.what} ({one.arithmetic})" for one in expected
    ]
    assert (root.get("tests"), root.get("failures")) == (str(len(expected)), str(len(expected)))
    path.write_text(RIGHT, encoding="utf-8")
    assert lint(read(path)) == []
    said, root = check(capfd, "--lint", path)
    assert (said.code, cases(root)) == (0, {"tables : t.csv": None})


def test_the_shipped_papers_when_no_file_is_named(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said, root = check(capfd, "--lint")
    assert said.code == 4
    assert any("columns-swapped" in name for name in cases(root))


def test_all_three_in_one_call(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The metrics are the same, the table is clean, the leaderboard is stale: one failure of three kinds of cases."""
    record = craft(home / "run", {"m": {"psnr@float": [20.0, 21.0]}})
    header = json.loads((record.path / "run.json").read_text(encoding="utf-8"))
    header |= {"git": {"revision": "0" * 40, "dirty": False}, "request": {}}
    header["spec"] |= {"seeds": [0], "max_frames": 512, "real": []}
    header["spec_sha256"] = hashlib.sha256(canonical(header["spec"]).encode()).hexdigest()
    (record.path / "run.json").write_text(json.dumps(header), encoding="utf-8")
    scores = json.loads((record.path / "scores.json").read_text(encoding="utf-8"))
    (record.path / "scores.json").write_text(json.dumps({**scores, "spec_sha256": header["spec_sha256"]}), encoding="utf-8")
    (home / "t.csv").write_text(RIGHT, encoding="utf-8")
    assert call(capfd, "check", "run", "--update", "--baseline", "b.json", "--reason", "first \x1b[31m").code == 0
    Path("reports/leaderboard.html").unlink()
    said, root = check(capfd, "run", "--baseline", "b.json", "--leaderboard", "--lint", "t.csv")
    assert said.code == 4
    assert [suite.get("name") for suite in root] == ["tiktok/folder", "leaderboard", "tables"]
    assert (root.get("tests"), root.get("failures")) == ("4", "1")
    assert [name for name, message in cases(root).items() if message] == ["leaderboard : reports/leaderboard.html"]
    assert "1 same" in said.out
    assert "\x1b" not in said.out  # a reason is text from a file: shown, not obeyed
    assert "hvbench check: leaderboard: 1 wrong of 2: reports/leaderboard.html" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a gate needs a RUN"),
        (("--baseline", "b.json"), "a gate needs a RUN"),
        (("--leaderboard", "--baseline", "b.json"), "a gate needs a RUN"),
        (("run",), "a RUN is held against a baseline"),
        (("run", "--leaderboard"), "a RUN is held against a baseline"),
        (("run", "--baseline", "b.json", "--update", "--leaderboard"), "--update looks at nothing else"),
        (("--leaderboard", "nowhere"), "no such folder of records"),
        (("--lint", "nowhere.csv"), "nowhere.csv"),
        (("--leaderboard", "--reason", "x"), "--reason goes with --update"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_asked(home: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    told, root = check(capfd, *words)
    assert told.code == 2
    assert said in told.err
    assert root.tag == "none"
