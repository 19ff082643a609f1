"""The leaderboard made from submissions: what it shows, what it refuses and why, and that its files are what the records give.

Expected numbers are those of the packed records themselves (identity); places are worked out beside each test.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmark.api import run
from benchmark.data import canonical
from benchmark.registry import registry
from reports import _board_html, _board_text
from reports._board import Block, ClipSet, Line, Part
from reports._submission import MANIFEST
from reports._table import Cell
from tests.browser import browser
from tests.make import ROOT, call, movie, worse, write

METRICS = ["psnr@float", "l1@unit", "ssim@gaussian"]
CLEAN = {"revision": "0123456789abcdef0123456789abcdef01234567", "dirty": False}
Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """run-one: methods near, far; run-two: near again, by somebody else; run-other: another clip."""
    root = tmp_path_factory.mktemp("board")
    for i, case in enumerate("abc"):
        write(root / "truth" / f"{case}.mkv", movie(i, 16, 32, 32))
        for name, amount in (("near", 3), ("far", 9), ("again", 5)):
            write(root / name / f"{case}.mkv", worse(movie(i, 16, 32, 32), amount, i))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.machine.git", lambda: CLEAN)
        common: dict[str, Any] = {"suite": "tiktok", "truth": root / "truth", "metrics": METRICS, "protocols": ["strict-1", "disco-2023"]}
        run(**common, outputs={"near": root / "near", "far": root / "far"}, out=root / "run-one")
        run(**common, outputs={"near": root / "again"}, out=root / "run-two")
        run(**common, outputs={"near": root / "near"}, cases=["a", "b"], out=root / "run-other")
        yield root


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without a submission, where the command stands."""
    (tmp_path / "reports" / "records").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def submit(capfd: pytest.CaptureFixture[str], source: Path, *more: object) -> Path:
    said = call(capfd, "submit", source, *more)
    assert said.code == 0, said.err
    return Path(said.out.partition(": ")[0])


def board(capfd: pytest.CaptureFixture[str]) -> str:
    said = call(capfd, "leaderboard")
    assert said.code == 0, said.err
    return Path("leaderboard.md").read_text(encoding="utf-8")


def table(text: str, protocol: str) -> list[list[str]]:
    """Rows of the first table under a protocol's name, heads first."""
    lines = text[text.index(f"**{protocol} (version") :].splitlines()
    rows = [line for line in lines[2:] if not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[: next(i for i, line in enumerate(rows) if not line)]]


def edit(path: Path, change: Change) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def copy(source: Path, to: Path, change: Change | None = None, file: str = "run.json") -> Path:
    shutil.copytree(source, to)
    if change:
        edit(to / file, change)
    return to


# ---------------------------------------------------------------------------------------------------------------- what it shows


def test_an_empty_leaderboard_says_how_to_submit(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = board(capfd)
    assert "Nothing has been submitted yet." in text
    assert "hvbench submit RUN" in text
    assert "How to read it" not in text
    assert call(capfd, "leaderboard", "--check").code == 0


def test_rows_places_and_where_they_come_from(runs: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Noise of 3, 5 and 9 levels: near of one is best, near of two second, far last. Both submissions of `near` are there, told apart by their folder."""
    submit(capfd, runs / "run-one", "--name", "one", "--method-url", "near=https://example.org/near", "--note", "the | first")
    submit(capfd, runs / "run-two", "--name", "two")
    text = board(capfd)
    heads, *rows = table(text, "strict-1")
    assert heads == [
        "method",
        "l1@unit ↓",
        "psnr@float ↑",
        "ssim@gaussian ↑",
        "clips",
        "failed",
        "clips from",
        "code",
        "finished",
        "record",
    ]
    assert [(row[0], row[-1]) for row in rows] == [
        ("[near](<https://example.org/near>)", "[one](reports/records/one)"),
        ("near", "[two](reports/records/two)"),
        ("far", "[one](reports/records/one)"),
    ]
    for column in (1, 2, 3):
        assert [re.match(r"\*\*|<u>", row[column]) and row[column][:2] for row in rows] == ["**", "<u", None]
    scores = json.loads((runs / "run-one" / "scores.json").read_text(encoding="utf-8"))["scores"]
    value = next(row for row in scores if (row["adapter"], row["metric"], row["protocol"]) == ("far", "psnr", "strict-1"))
    assert rows[2][2] == f"{value['value']:.2f} ±{(value['ci_high'] - value['value']):.2f}"
    assert {tuple(row[4:8]) for row in rows} == {("3", "0", "finished clips", "01234567")}
    assert "one: the \\| first" in text
    assert "psnr@float, ssim@gaussian" in text  # what is primary
    assert text.index("strict-1 (version 1)") < text.index("disco-2023 (version 1)")  # the suite's order
    assert "every frame weighs the same" in text


def test_other_clips_share_no_table(runs: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "other"):
        submit(capfd, runs / f"run-{name}", "--name", name)
    text = board(capfd)
    sets = re.findall(r"\*\*strict-1 \(version 1\)\*\* on (\d) clips, set `([0-9a-f]{8})`", text)
    assert [count for count, _ in sets] == ["3", "2"]
    assert len({digest for _, digest in sets}) == 2
    assert [row[-1] for row in table(text, "strict-1")[1:]] == ["[one](reports/records/one)"] * 2


def test_a_part_of_a_published_split_is_complete_nowhere(runs: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """IPA's split has six clips. Three of them, chosen by whoever submits, may be the easy ones: told as 3 of 6, nobody is best."""

    def three(data: Any) -> None:
        ipa(data)
        for case, name in zip(data["spec"]["cases"], ("00335", "00337", "00340"), strict=True):
            case["id"] = name

    source = copy(runs / "run-one", tmp_path / "run")
    text = (source / "journal.jsonl").read_text(encoding="utf-8")
    for letter, name in zip("abc", ("00335", "00337", "00340"), strict=True):
        text = text.replace(f'"case":"{letter}"', f'"case":"{name}"')
    (source / "journal.jsonl").write_text(text, encoding="utf-8")
    consistent(source, three)
    submit(capfd, source, "--name", "three")
    text = board(capfd)
    assert "## tiktok/ipa-6, version 1" in text
    assert re.search(r"\*\*strict-1 \(version 1\)\*\* on 3 of 6 clips, set `", text)
    assert "3 of 6 clips, set" in Path("reports/leaderboard.html").read_text(encoding="utf-8")
    rows = table(text, "strict-1")[1:]
    assert [row[0] for row in rows] == ["near (incomplete)", "far (incomplete)"]
    assert not re.search(r"\*\*|<u>", "".join(map("".join, rows)))


def test_a_run_that_did_not_ask_for_what_is_primary_is_incomplete(
    runs: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """SSIM is primary in strict-1. Nobody else is there who has it, and still PSNR alone is a part."""
    monkeypatch.setattr("benchmark.machine.git", lambda: CLEAN)
    outputs = {"near": runs / "near", "far": runs / "far"}
    run(suite="tiktok", truth=runs / "truth", outputs=outputs, metrics=["psnr@float"], out=tmp_path / "run")
    submit(capfd, tmp_path / "run", "--name", "part")
    assert [row[0] for row in table(board(capfd), "strict-1")[1:]] == ["near (incomplete)", "far (incomplete)"]


def test_no_submission_writes_the_words_above_the_others(runs: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Titles are prose and no rule, so a record may hold others; what is shown is what the project published."""

    def titled(data: Any) -> None:
        data["suite"]["title"] = "all others are wrong"
        for side in (data, data["spec"]):
            side["protocols"][0]["title"] = "all others are wrong"

    consistent(source := copy(runs / "run-one", tmp_path / "run"), titled)
    submit(capfd, source, "--name", "a")
    submit(capfd, runs / "run-two", "--name", "b")
    text = board(capfd)
    assert "all others are wrong" not in text
    assert len(table(text, "strict-1")) == 4


def test_incomplete_rows_come_last_and_have_no_place(runs: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The best method lacks a clip: its mean is over the easier ones, so it leads nothing."""
    for name in ("near", "far"):
        shutil.copytree(runs / name, tmp_path / name)
    (tmp_path / "near" / "a.mkv").write_bytes(b"no video")
    run(
        suite="tiktok",
        truth=runs / "truth",
        outputs={"near": tmp_path / "near", "far": tmp_path / "far"},
        metrics=METRICS,
        protocols=["strict-1"],
        out=tmp_path / "run",
    )
    submit(capfd, tmp_path / "run", "--name", "lame")
    submit(capfd, runs / "run-two", "--name", "two")
    rows = table(board(capfd), "strict-1")[1:]
    assert [(row[0], row[4], row[5]) for row in rows] == [("near", "3", "0"), ("far", "3", "0"), ("near (incomplete)", "2", "1")]
    assert rows[0][1].startswith("**")
    assert not re.search(r"\*\*|<u>", "".join(rows[2]))


def test_drawn_people_stand_apart(runs: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The first line of their section says what they are, in both files; the section comes after the real ones."""
    drawn = registry().suites["tiktok-embedded"].item

    def embedded(data: Any) -> None:
        data["suite"] = {"id": drawn.id, "version": drawn.version, "title": drawn.title, "banner": drawn.banner}
        data["spec"]["suite"] = {"id": drawn.id, "version": drawn.version}

    source = copy(runs / "run-one", tmp_path / "run")
    consistent(source, embedded)
    submit(capfd, source, "--name", "drawn")
    submit(capfd, runs / "run-two", "--name", "real")
    real, apart = board(capfd).split("## Procedural people\n")
    assert ("[real]" in real, "[drawn]" in real) == (True, False)
    lines = [line for line in apart.splitlines() if line]
    assert lines[0] == "**These are procedural people: drawn figures, not comparable with published numbers.**"
    assert lines[1].startswith("### tiktok-embedded/folder")
    page = Path("reports/leaderboard.html").read_text(encoding="utf-8")
    assert re.search(
        r'<h2 id="procedural">Procedural people</h2>\n<p class="warn">These are procedural people: drawn figures, not comparable', page
    )


def test_the_same_records_give_the_same_bytes(
    runs: Path, home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Packed twice, in another folder; and no file names this machine's folders."""
    found = []
    for place in (home, tmp_path_factory.mktemp("elsewhere")):
        (place / "reports" / "records").mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(place)
        submit(capfd, runs / "run-one", "--name", "one")
        board(capfd)
        found.append({str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()})
    assert found[0] == found[1]
    assert sorted(found[0]) == [
        "leaderboard.md",
        "reports/leaderboard.html",
        *(f"reports/records/one/{name}" for name in ("journal.jsonl", "run.json", "scores.json", "submission.json")),
    ]
    assert not [name for name, data in found[0].items() if str(runs).encode() in data or b"/tmp/" in data]
    header = json.loads(found[0]["reports/records/one/run.json"])
    assert header["inputs"]["truth/a.mkv"] == hashlib.sha256((runs / "truth" / "a.mkv").read_bytes()).hexdigest()


# ------------------------------------------------------------------------------------------------------------ what it refuses


def generator(data: Any) -> None:
    data["spec"]["methods"][0]["generator"] = {"rehearsal": True}


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("run.json", lambda data: data["git"].update(dirty=True), "dirty code: revision 01234567 with changes"),
        ("run.json", lambda data: data["git"].update(revision=None, dirty=None), "unknown code"),
        ("run.json", lambda data: data["git"].update(revision="mine"), "unknown code: 'mine' is no revision"),
        (
            "run.json",
            lambda data: data["git"].update(before=[{"revision": "f" * 40, "dirty": True}]),
            "code of several revisions: units were kept that ffffffff with changes made",
        ),
        ("run.json", lambda data: data.update(status="interrupted"), "not finished (status interrupted)"),
        ("run.json", lambda data: data.update(spec_sha256="0" * 64), "the spec hashes to"),
        ("run.json", generator, "the spec hashes to"),
        ("run.json", lambda data: data["suite"].update(banner="all is real"), "its banner is 'all is real'"),
        ("scores.json", lambda data: data.update(spec_sha256="1" * 64), "belongs to spec 11111111"),
        ("scores.json", lambda data: data["scores"][0].update(weights="seeded-1"), "weights is 'seeded-1', the journal gives 'none'"),
        ("scores.json", lambda data: data["scores"][0].update(value=99.0), "value is 99.0, the journal gives"),
        ("scores.json", lambda data: data["scores"].pop(), "rows, the spec asks for"),
    ],
    ids=[
        "dirty",
        "unknown",
        "no-revision",
        "resumed",
        "unfinished",
        "hash",
        "generator",
        "banner",
        "other-spec",
        "weights",
        "value",
        "row",
    ],
)
def test_what_may_not_stand_there_is_not_packed(
    runs: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], file: str, change: Change, said: str
) -> None:
    source = copy(runs / "run-one", tmp_path / "run", change, file)
    told = call(capfd, "submit", source)
    assert told.code == 4
    assert said in told.err
    assert not list((home / "reports" / "records").iterdir())


def consistent(source: Path, change: Change) -> None:
    """A spec that was changed with all its hashes: what somebody would do who wants to pass."""

    def both(data: Any) -> None:
        change(data)
        data["spec_sha256"] = hashlib.sha256(canonical(data["spec"]).encode()).hexdigest()

    edit(source / "run.json", both)
    for protocol in json.loads((source / "run.json").read_text(encoding="utf-8"))["protocols"]:
        renamed(source, protocol)
    header = json.loads((source / "run.json").read_text(encoding="utf-8"))

    def rows(data: Any) -> None:
        data["spec_sha256"] = header["spec_sha256"]
        for row in data["scores"]:
            row["suite"], row["suite_version"] = header["suite"]["id"], header["suite"]["version"]
            row["split"] = header["split"]["id"]

    edit(source / "scores.json", rows)


def renamed(source: Path, protocol: Any) -> None:
    """A view is called by its rules."""
    views = json.loads((source / "run.json").read_text(encoding="utf-8"))["plan"]["views"]
    before = next(view for view, facts in views.items() if protocol["id"] in facts["protocols"])
    rules = [protocol[part] for part in ("frames", "size", "time")]
    for name in ("run.json", "journal.jsonl"):
        text = (source / name).read_text(encoding="utf-8")
        (source / name).write_text(text.replace(before, hashlib.sha256(canonical(rules).encode()).hexdigest()[:8]), encoding="utf-8")


def seeded(data: Any) -> None:
    data["spec"]["weights"] = "seeded"


def lenient(data: Any) -> None:
    for side in (data, data["spec"]):
        side["protocols"][0]["frames"]["coverage"] = 0.5


def unpublished(data: Any) -> None:
    """Another version is no way round the rules of a name."""
    lenient(data)
    for side in (data, data["spec"]):
        side["protocols"][0]["version"] = 2


def old_suite(data: Any) -> None:
    data["spec"]["suite"]["version"] = data["suite"]["version"] = 0


def local(data: Any) -> None:
    data["spec"]["suite"]["id"] = data["suite"]["id"] = "tiktok+best"


def ipa(data: Any) -> None:
    """Clips of one's own under the name of a published split."""
    data["spec"]["split"] = data["split"]["id"] = "ipa-6"


def unknown(data: Any) -> None:
    data["spec"]["suite"]["id"] = data["suite"]["id"] = "mine"


@pytest.mark.parametrize(
    ("change", "flags", "said"),
    [
        (seeded, [], "weights 'seeded', not 'real'"),
        (lenient, [], "strict-1 (version 1): its rules are not those published under this name"),
        (generator, ["rehearsal"], "rehearsal: a stand-in for the model (a tiny checkpoint) made the clips of near"),
        (unknown, [], "suite 'mine' is not known here"),
        (unpublished, [], "protocol strict-1: version 2 was never published, 1 is the newest here"),
        (old_suite, [], "suite tiktok: version 0 was never published"),
        (local, [], "suite 'tiktok+best' is not known here"),
        (ipa, [], "split ipa-6: a, b, c: of no clip that was published under this name"),
    ],
    ids=["seeded", "rules", "rehearsal", "suite", "unpublished", "old-suite", "local", "split"],
)
def test_a_record_that_agrees_with_itself_may_still_be_refused(
    runs: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], change: Change, flags: list[str], said: str
) -> None:
    source = copy(runs / "run-one", tmp_path / "run")
    consistent(source, change)

    def flagged(data: Any) -> None:
        for row in data["scores"]:
            row["flags"] = [*flags, *row["flags"]] if row["adapter"] == "near" else row["flags"]

    edit(source / "scores.json", flagged)
    told = call(capfd, "submit", source)
    assert (told.code, said in told.err) == (4, True), told.err


def test_seeded_networks_are_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A real rehearsal: one column is drawn by formula, the whole record is refused."""
    monkeypatch.setattr("benchmark.machine.git", lambda: CLEAN)
    write(tmp_path / "truth" / "a.mkv", movie(0, 16, 64, 64))
    write(tmp_path / "m" / "a.mkv", worse(movie(0, 16, 64, 64), 3))
    given: dict[str, Any] = {"suite": "tiktok", "truth": tmp_path / "truth", "outputs": {"m": tmp_path / "m"}, "weights": "seeded"}
    run(**given, metrics=["l1@unit", "lpips@alex"], out=tmp_path / "run")
    told = call(capfd, "submit", tmp_path / "run")
    assert told.code == 4
    assert "seeded weights, a rehearsal: lpips@alex (seeded-1)" in told.err


def seal(folder: Path) -> None:
    """The manifest of what now lies there."""

    def change(data: Any) -> None:
        for name in data["files"]:
            content = (folder / name).read_bytes()
            data["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    edit(folder / MANIFEST, change)


def unsealed(folder: Path) -> None:
    edit(folder / "scores.json", lambda data: data["scores"][0].update(value=99.0))


def resealed(folder: Path) -> None:
    unsealed(folder)
    seal(folder)


def not_a_number(folder: Path) -> None:
    path = folder / "scores.json"
    path.write_text(re.sub(r'"value": [0-9.]+', '"value": NaN', path.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    seal(folder)


def with_paths(folder: Path) -> None:
    edit(folder / "run.json", lambda data: data["notes"].append("read from /home/somebody/clips/a.mkv"))
    seal(folder)


def linked(folder: Path) -> None:
    (folder / "scores.json").rename(folder.parent.parent / "elsewhere.json")
    (folder / "scores.json").symlink_to(folder.parent.parent / "elsewhere.json")


def no_version(folder: Path) -> None:
    """Only the table reads who made the clips."""

    def change(data: Any) -> None:
        method = data["spec"]["methods"][0]
        method["kind"] = "adapter"
        del method["version"]

    consistent(folder, change)
    edit(folder / MANIFEST, lambda data: data.update(spec_sha256=json.loads((folder / "run.json").read_text())["spec_sha256"]))
    seal(folder)


def cut_off(folder: Path) -> None:
    path = folder / "run.json"
    path.write_bytes(path.read_bytes()[:-40])
    seal(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unsealed, "scores.json: sha256"),
        (resealed, "value is 99.0, the journal gives"),
        (not_a_number, "NaN is no JSON number"),
        (with_paths, "1 absolute paths of a machine"),
        (linked, "scores.json: is no plain file"),
        (cut_off, "damaged: JSONDecodeError"),
        (lambda folder: edit(folder / MANIFEST, lambda data: data.pop("paths")), "damaged: KeyError: 'paths'"),
        (lambda folder: edit(folder / MANIFEST, lambda data: data.update(spec_sha256="1" * 64)), "speaks of spec 11111111"),
        (no_version, "damaged: no line can be made of it: KeyError: 'version'"),
        (lambda folder: (folder / "clip.mp4").write_bytes(b"x"), "clip.mp4: is in no list"),
        (lambda folder: (folder / "journal.jsonl").unlink(), "journal.jsonl: is listed and not there"),
        (lambda folder: (folder / MANIFEST).unlink(), "is no submission"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), "is no submission of this version"),
        (
            lambda folder: edit(folder / MANIFEST, lambda data: data["methods"].update(far={"url": "javascript:alert(1)"})),
            "is no address of a page",
        ),
        (
            lambda folder: edit(folder / MANIFEST, lambda data: data["methods"].update(me={"url": "https://a.org"})),
            "methods that the record has not: me",
        ),
        (lambda folder: edit(folder / MANIFEST, lambda data: data["files"].update({"../x": {"sha256": "0"}})), "lists ../x"),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("<>") or str(value)[:16],
)
def test_a_spoiled_submission_is_named_with_its_reason(
    runs: Path, home: Path, capfd: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], said: str
) -> None:
    """Alone it is an error; beside a good one the good one is still shown, and the exit code says that something was left out."""
    folder = submit(capfd, runs / "run-one", "--name", "bad")
    spoil(folder)
    told = call(capfd, "leaderboard", "--validate", folder)
    assert (told.code, said in told.err) == (4, True), told.err
    told = call(capfd, "leaderboard")
    assert (told.code, said in told.err) == (2, True)
    assert not Path("leaderboard.md").exists()
    submit(capfd, runs / "run-two", "--name", "good")
    told = call(capfd, "leaderboard")
    assert (told.code, said in told.err) == (2, True)
    assert "1 submission; 1 left out" in told.out
    assert "[good]" in Path("leaderboard.md").read_text(encoding="utf-8")
    told = call(capfd, "leaderboard", "--check")
    assert (told.code, said in told.err) == (4, True)


def test_packing_again(runs: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same bytes are welcome, others are refused, and a name or method that cannot be is an error."""
    one = submit(capfd, runs / "run-one")
    assert re.fullmatch(r"reports/records/tiktok-[0-9a-f]{8}", str(one))
    before = {path.name: path.read_bytes() for path in one.iterdir()}
    assert submit(capfd, runs / "run-one") == one
    assert {path.name: path.read_bytes() for path in one.iterdir()} == before
    told = call(capfd, "submit", runs / "run-one", "--note", "another")
    assert (told.code, "another submission lies there" in told.err) == (2, True)
    for word, said in (
        (("--name", "../up"), "no folder's name"),
        (("--method-url", "me=https://a.org"), "far"),
        (("--method-url", "far=ftp://a"), "no address"),
    ):
        told = call(capfd, "submit", runs / "run-one", *word)
        assert (told.code, said in told.err) == (2, True)
    assert [path.name for path in (home / "reports" / "records").iterdir()] == [one.name]


def test_validate_says_what_it_looked_at(runs: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = call(capfd, "leaderboard", "--validate", submit(capfd, runs / "run-one"))
    assert told.code == 0
    assert told.out.splitlines()[-1] == "valid"
    rows = json.loads((runs / "run-one" / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert f"{sum(row['value'] is not None for row in rows)} recomputed from the journal" in told.out


# -------------------------------------------------------------------------------------------------------------- check


def test_check_tells_which_file_and_what_to_type(runs: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    submit(capfd, runs / "run-one", "--name", "one")
    board(capfd)
    assert call(capfd, "leaderboard", "--check").out == "1 submission, 2 pages: as the records give them\n"
    page = Path("reports/leaderboard.html")
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("Leaderboard</h1>", "Best of all</h1>"), encoding="utf-8")
    stamp = page.stat().st_mtime_ns
    told = call(capfd, "leaderboard", "--check")
    assert told.code == 4
    number = text.splitlines().index("<h1>Leaderboard</h1>") + 1
    assert (
        told.err == f"hvbench: reports/leaderboard.html: is not what the records give (line {number} differs); type: hvbench leaderboard\n"
    )
    assert page.stat().st_mtime_ns == stamp
    page.unlink()
    assert "reports/leaderboard.html: is not there" in call(capfd, "leaderboard", "--check").err


def test_the_committed_leaderboard_is_what_the_committed_records_give(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What CI runs."""
    monkeypatch.chdir(ROOT)
    told = call(capfd, "leaderboard", "--check")
    assert told.code == 0, told.err


# ---------------------------------------------------------------------------------------------------------- names from anywhere

HOSTILE = "<script>alert(1)</script>|[a](javascript:x) `*_ \"'&\x1b[31m\u202e]\n# x"


def hostile() -> list[Part]:
    line = Line(HOSTILE, "", [Cell("1.0 ±0.1", 1, "[a]", 1.0)], "3", 0, False, HOSTILE, HOSTILE, HOSTILE, "one")
    linked_line = Line(HOSTILE, "https://a.org/x(y)", [Cell("-", note="[b]")], "3", 0, True, HOSTILE, HOSTILE, HOSTILE, "one")
    block = Block(HOSTILE, HOSTILE, [HOSTILE], [line, linked_line], [HOSTILE])
    return [Part(HOSTILE, 1, HOSTILE, banner, [ClipSet("01234567", 3, [block])]) for banner in ("", HOSTILE)]


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_names_in_the_page() -> None:
    seen = Elements()
    page = _board_html.page(hostile(), "records")
    seen.feed(page)
    assert seen.open == []
    assert not seen.names & {"script", "img", "iframe"}
    assert all(link.startswith(("#", "https://a.org/", "records/one/", "data:,")) for link in seen.links)
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_hostile_names_in_markdown() -> None:
    """Every line of a table keeps its cells; nothing opens an element, a link or a heading of its own."""
    text = _board_text.markdown(hostile(), "records")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 * 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {9}
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert "\n# x" not in text
    assert "\x1b" not in text


# -------------------------------------------------------------------------------------------------------------- in a browser


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (800, "dark"), (1400, "light")])
def test_the_page_fits_and_asks_nobody(runs: Path, home: Path, capfd: pytest.CaptureFixture[str], width: int, scheme: str) -> None:
    """No scroll bar of the page itself at any width (tables scroll inside their own frame, by keyboard too), text as dark on light as WCAG AA asks (4.5)."""
    for name in ("one", "two", "other"):
        submit(capfd, runs / f"run-{name}", "--name", name)
    board(capfd)
    with browser(width, scheme=scheme) as watched:
        page = watched.page
        page.goto((home / "reports" / "leaderboard.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("table").count() == 4
        assert page.locator("td.best strong").count() >= 6
        frames = page.locator(".scroll")
        assert all(frames.nth(i).get_attribute("tabindex") == "0" for i in range(frames.count()))
        assert {page.locator("tbody th").nth(i).bounding_box()["width"] >= 90 for i in range(3)} == {True}  # type: ignore[index]
        worst = page.evaluate(CONTRAST)
        assert worst[0] >= 4.5, worst


CONTRAST = """() => {
  const lin = x => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4 };
  const lum = c => .2126 * lin(c[0]) + .7152 * lin(c[1]) + .0722 * lin(c[2]);
  const rgb = s => s.match(/[0-9.]+/g).map(Number);
  let worst = [99, ''];
  for (const e of document.querySelectorAll('p,th,td,small,a,li,summary,code,strong,u,span,h1,h2,h3,pre')) {
    let b = e; while (b && (rgb(getComputedStyle(b).backgroundColor)[3] ?? 1) === 0) b = b.parentElement;
    const behind = b ? rgb(getComputedStyle(b).backgroundColor) : [255, 255, 255];
    const pair = [lum(rgb(getComputedStyle(e).color)), lum(behind)].sort((x, y) => y - x);
    const ratio = (pair[0] + .05) / (pair[1] + .05);
    if (ratio < worst[0]) worst = [ratio, e.tagName + ' ' + e.textContent.slice(0, 40)];
  }
  return worst;
}"""
"""The smallest contrast of a text against what is painted behind it, by the formula of WCAG 2."""
