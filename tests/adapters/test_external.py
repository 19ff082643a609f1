"""A repository of somebody else's, run by a recipe. The stand-in draws grey 5 (i + 1) as frame i of its result, so every expected frame is a closed form."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchmark
from adapters import _confined as confined
from adapters import external
from adapters._recipe import SHELL, Recipe, fill, load
from benchmark.errors import InputError
from benchmark.generating import Settings
from benchmark.media import decode, probe
from benchmark.model import Case, Source
from tests.make import call, entry, journal, movie, row, told, write

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process limits are POSIX")
LINUX = sys.platform == "linux"
STANDIN = Path(__file__).parent.parent / "standins" / "repository"
COUNT, SIDE = 20, 48
SHIPPED = [
    *("champ", "disco", "dreampose", "echomimicv2", "fantasy-talking", "go-with-the-flow", "hallo3", "hunyuanvideo-avatar", "magicanimate"),
    *("mimicmotion", "moore-animateanyone", "multitalk", "omniavatar", "stableanimator", "unianimate", "unianimate-dit"),
]
RECIPE = """
id = "worst"
version = 1
title = "Worst"
repository = "https://example.org/worst"
commit = "0123456"
licence = "none"
seconds = 60
gib = 4
prompt = "a person"
[env]
CALLS = "{calls}"
MODE = "{mode}"
[inputs]
reference = "PNG"
driving = "mp4"
prompt = "text"
[[step]]
argv = ["python", "{{repo}}/worst.py", "--reference", "{{reference}}", "--driving", "{{driving}}", "--out", "{{out}}", "--case", "{{case}}",
    "--text", "{{prompt}}", "--seed", "{{seed}}", "--frames", "{{frames}}"]
source = "worst.py@0123456"
[output]
found = "out/*.mkv"
whole = [152, 52]
crop = [102, 2, 48, 48]
tag = 8
rate = "driving"
offset = 1
source = "worst.py@0123456"
"""


class Bench:
    """A checkout of the stand-in, truths, a recipe, and runs."""

    def __init__(self, folder: Path, register: Callable[..., None]) -> None:
        self.folder, self.register = folder, register
        self.repo = Path(shutil.copytree(STANDIN, folder / "checkout", ignore=shutil.ignore_patterns("__pycache__")))
        self.calls = folder / "calls"
        for k, name in enumerate(("one", "two", "three", "four")):
            write(folder / "truth" / f"{name}.mp4", movie(k, COUNT, SIDE, SIDE))
        self.configure()

    def configure(self, **more: Any) -> None:
        table = {"path": str(self.repo), "python": sys.executable, **more}
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None)
        Path(os.environ["BENCHMARK_CONFIG"]).write_text(f"[repositories.worst]\n{lines}\n")

    def recipe(self, mode: str = "good") -> Recipe:
        path = self.folder / "worst.toml"
        path.write_text(RECIPE.format(calls=self.calls, mode=mode))
        return load(path)

    def run(self, mode: str = "good", out: str = "run", **more: Any) -> Path:
        from benchmark.registry import registry

        registry().adapters.pop("worst", None)
        self.register(external.adapter(self.recipe(mode)))
        with_cases = {"reference_frame": {"*": 0}, "metrics": ["l1@unit"], **more}
        benchmark.run(suite="tiktok", truth=self.folder / "truth", adapters=["worst"], out=self.folder / out, **with_cases)
        return self.folder / out

    def called(self) -> list[str]:
        return self.calls.read_text().split("\n")[:-1] if self.calls.exists() else []


@pytest.fixture
def bench(tmp_path: Path, register: Callable[..., None]) -> Bench:
    return Bench(tmp_path, register)


def failure(run: Path, case: str = "one") -> dict[str, str]:
    found = entry(run, "worst", case)
    assert found["status"] == "failed", found
    return dict(found["error"])


def test_panels_first_frame_and_rate(bench: Bench) -> None:
    """The clip is the third panel; frame i is the truth's frame i + 1, at the driving clip's 25 fps though the file says 8; nothing else is left."""
    run = bench.run(cases=["one", "two"])
    clip = probe(run / "clips" / "worst" / "one-0.mkv")
    frames = np.concatenate(list(decode(clip)))
    assert frames.shape == (COUNT - 1, SIDE, SIDE, 3)
    assert np.array_equal(frames, np.broadcast_to(5 * np.arange(1, COUNT)[:, None, None, None], frames.shape))
    assert clip.fps == 25
    scored = row(run, "worst", "l1@unit")
    assert (scored["n_clips"], scored["n_frames"]) == (2, 2 * (COUNT - 1))
    # L1 on 0..1 by hand: the truth's frames 1, 2, ... against the greys
    truth = [np.concatenate(list(decode(probe(bench.folder / "truth" / f"{case}.mp4"))))[1:] for case in ("one", "two")]
    by_hand = [np.abs(clip_truth.astype(float) - frames).mean() / 255 for clip_truth in truth]
    assert scored["value"] == pytest.approx(np.mean(by_hand), rel=1e-9)
    facts = json.loads((run / "clips" / "worst" / "one-0.run.json").read_text())
    assert facts["steps"][0]["ending"] == "ok"
    assert facts["clip"] == {"file": "out/result.mkv", "size": "152x52", "frames": COUNT - 1, "tag": "8", "rate": "25"}
    assert "this" in (run / "clips" / "worst" / "one-0.log").read_text()
    assert facts["outside"] == []


def test_the_users_offset_wins(bench: Bench) -> None:
    """With --offset 0 every output frame meets the truth's frame of the same number; frame 0, the reference, is left out by strict-1."""
    run = bench.run(cases=["one"], offset={"worst": 0})
    truth = np.concatenate(list(decode(probe(bench.folder / "truth" / "one.mp4"))))[1 : COUNT - 1]
    greys = 5 * np.arange(2, COUNT)[:, None, None, None]
    assert row(run, "worst", "l1@unit")["value"] == pytest.approx(np.abs(truth.astype(float) - greys).mean() / 255, rel=1e-9)


def test_a_crash_fails_one_unit_and_only_it_is_done_again(bench: Bench) -> None:
    run = bench.run("crash")
    assert sorted(bench.called()) == ["four 0", "one 0", "three 0", "two 0"]
    error = failure(run, "three")
    assert error["code"] == "exit-status"
    assert "exit status 1" in error["found"]
    assert "illegal memory access" in error["found"]
    assert "RuntimeError" in Path(error["path"]).read_text()
    assert row(run, "worst", "l1@unit")["n_clips"] == 3
    Path(f"{bench.calls}.mended").touch()
    bench.run("crash")
    assert bench.called()[4:] == ["three 0"]
    assert row(run, "worst", "l1@unit")["n_clips"] == 4
    bench.run("crash")
    assert len(bench.called()) == 5


def gone(number: int) -> bool:
    for _ in range(50):
        try:
            os.kill(number, 0)
            if Path(f"/proc/{number}/stat").read_text().split(")")[1].split()[0] == "Z":
                return True  # ended, and its new parent has not looked yet
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not LINUX, reason="processes are found by their mark in /proc")
def test_a_hang_ends_with_all_it_started(bench: Bench) -> None:
    """The script and a child that went into a session of its own are both gone."""
    bench.configure(seconds=3)
    error = failure(bench.run("hang", cases=["one"]))
    assert error["code"] == "timeout"
    assert "3 s" in error["found"]
    assert all(gone(int(number)) for number in Path(f"{bench.calls}.children").read_text().split())


def test_too_much_memory(bench: Bench) -> None:
    """1 GiB against a limit of 0.5: an allocation is refused."""
    bench.configure(memory_gib=0.5)
    assert failure(bench.run("greedy", cases=["one"]))["code"] == "out-of-memory"


@pytest.mark.skipif(not LINUX, reason="memory of several processes is read from /proc")
def test_too_much_memory_in_several_processes(bench: Bench) -> None:
    """Three times 180 MiB against a limit of 0.45 GiB: none is too large alone."""
    bench.configure(memory_gib=0.45)
    error = failure(bench.run("greedy-together", cases=["one"]))
    assert error["code"] == "out-of-memory"
    assert "GiB in use" in error["found"]


def test_files_written_outside_are_told(bench: Bench) -> None:
    """A new file and a changed one in the checkout are named in the journal; what goes to the home folder lands in its own."""
    run = bench.run("outside", cases=["one"])
    found = entry(run, "worst", "one")
    assert found["status"] == "scored"
    (note,) = [note for note in found["notes"] if "outside" in note]
    assert "2 file(s)" in note
    assert "cache/one.pt" in note
    assert "helper.py" in note
    assert any("no known commit" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [
        ("nothing", "no-output", "out/log.txt"),
        ("two", "ambiguous-output", "out/other.mkv, out/result.mkv"),
        ("wide", "wrong-size", "156x52"),
        ("rate", "wrong-rate", "12 fps"),
    ],
)
def test_what_was_left_is_not_what_was_meant(bench: Bench, mode: str, code: str, said: str) -> None:
    error = failure(bench.run(mode, cases=["one"]))
    assert error["code"] == code
    assert said in error["found"]
    told(str(InputError(**{"what": "", **error})))
    assert Path(error["path"]).is_file()


def test_fewer_frames_than_asked(bench: Bench) -> None:
    recipe = bench.recipe("short")
    recipe = replace(recipe, output=replace(recipe.output, frames="asked"))
    with pytest.raises(InputError, match="not the frames asked for") as raised:
        external.generate(case_of(bench), Settings(), bench.folder / "clip", recipe)
    assert (raised.value.code, raised.value.found, raised.value.expected) == ("wrong-frames", str(COUNT - 2), str(COUNT))


def case_of(bench: Bench, **more: Any) -> Case:
    return replace(Case(id="one", truth=Source(bench.folder / "truth" / "one.mp4"), reference_frame=0), **more)


def test_nothing_of_ours_reaches_the_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no PYTHONPATH; a home and a folder of its own; and words are words, whatever a shell would make of them."""
    monkeypatch.setenv("MY_API_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    text = f"$(touch {bench.folder}/made); `id` | cat > {bench.folder}/made"
    external.generate(case_of(bench, prompt=text), Settings(seed=7), bench.folder / "clip", bench.recipe())
    log = (bench.folder / "clip.log").read_text()
    seen = next(line for line in log.splitlines() if line.startswith("sees: ")).split()
    assert {"MY_API_TOKEN", "PYTHONPATH", "BENCHMARK_CONFIG"}.isdisjoint(seen)
    assert {"PATH", "HOME", "HF_HUB_OFFLINE"} <= set(seen)
    assert f"text: {text}" in log
    assert not (bench.folder / "made").exists()
    home, folder = re.search(r"home: (.+); cwd: (.+)", log).groups()  # type: ignore[union-attr]
    assert Path(home) != Path.home()
    assert Path(home).parent == Path(folder).parent
    assert not Path(home).parent.exists()
    assert bench.called() == ["one 7"]


def test_inputs_are_copies(bench: Bench) -> None:
    """The script is given paths of the working folder, not the user's."""
    external.generate(case_of(bench), Settings(), bench.folder / "clip", bench.recipe())
    argv = json.loads((bench.folder / "clip.run.json").read_text())["steps"][0]["argv"]
    assert not any(str(bench.folder / "truth") in word for word in argv)


def refused(bench: Bench, case: Case | None = None, recipe: Recipe | None = None) -> InputError:
    with pytest.raises(InputError) as raised:
        external.generate(case or case_of(bench), Settings(), bench.folder / "clip", recipe or bench.recipe())
    assert bench.called() == []
    return raised.value


def test_what_is_missing_is_named(bench: Bench) -> None:
    recipe = bench.recipe()
    bench.configure(path=None)
    assert refused(bench).code == "repository-missing"
    told(str(refused(bench)), "[repositories.worst]", "config.toml")
    bench.configure(path=str(bench.folder / "nowhere"))
    assert refused(bench).code == "repository-missing"
    bench.configure(python=str(bench.folder / "nowhere"))
    assert refused(bench).code == "environment-missing"
    bench.configure(python=None)
    assert refused(bench).path == str(bench.repo / ".venv" / "bin" / "python")
    bench.configure(memory_gib=0)
    assert refused(bench).code == "config"
    bench.configure(colour="red")
    assert refused(bench).found == "colour"
    bench.configure()
    assert refused(bench, case_of(bench, reference_frame=None)).code == "input-missing"
    assert refused(bench, Case(id="one", reference=STANDIN / "none.png")).code in ("absent", "unreadable", "not-an-image")
    for name in ("pose", "audio", "prepared"):
        error = refused(bench, recipe=replace(recipe, inputs={**recipe.inputs, name: "something"}))
        assert error.code == "input-missing"
        told(str(error))
    np.savez(bench.folder / "pose.npz", points=np.zeros(3))
    error = refused(bench, case_of(bench, pose=bench.folder / "pose.npz"), replace(recipe, inputs={"pose": "mp4"}))
    assert (error.code, error.path) == ("input-missing", str(bench.folder / "pose.npz"))
    assert refused(bench, recipe=replace(recipe, step=(), unknown=("all of it",))).code == "recipe-incomplete"
    assert refused(bench, recipe=replace(recipe, env={**recipe.env, "X": "{checkpoint}"})).code == "environment-missing"


def test_checkouts_of_one_folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """BENCHMARK_REPOSITORIES holds one checkout a recipe."""
    Path(os.environ["BENCHMARK_CONFIG"]).unlink()
    (bench.folder / "all").mkdir()
    bench.repo.rename(bench.folder / "all" / "worst")
    monkeypatch.setenv("BENCHMARK_REPOSITORIES", str(bench.folder / "all"))
    assert refused(bench).path == str(bench.folder / "all" / "worst" / ".venv" / "bin" / "python")


@pytest.mark.skipif(not LINUX, reason="PR_SET_PDEATHSIG")
def test_a_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from adapters import _confined as c\n"
        "c.run([sys.executable, '-c', 'import os, time; open(\"pid\", \"w\").write(str(os.getpid())); time.sleep(600)'],"
        " folder=Path('.'), env={}, log=Path('log'), seconds=600, memory=1 << 30)"
    )
    root = str(Path(external.__file__).parent.parent)
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root})
    for _ in range(200):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(int((tmp_path / "pid").read_text()))


@given(st.text(max_size=40))
def test_values_survive_in_a_file(text: str) -> None:
    """json reads back what was put in: identity, for any text."""
    assert json.loads(fill('{"prompt": "{prompt}", "other": "{unknown}"}', {"prompt": text}, quoted=True)) == {
        "prompt": text,
        "other": "{unknown}",
    }


def test_the_commit_is_gits_own(tmp_path: Path) -> None:
    """Expected: `git rev-parse HEAD`; after packing its references too."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    assert confined.commit(tmp_path) is None
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "a")
    assert confined.commit(tmp_path) == git("rev-parse", "HEAD")
    git("pack-refs", "--all")
    assert confined.commit(tmp_path) == git("rev-parse", "HEAD")


def test_what_changed_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "same").write_text("1")
    (tmp_path / "a" / "gone").write_text("1")
    (tmp_path / ".git").mkdir()
    before = confined.listing(tmp_path)
    (tmp_path / "a" / "gone").unlink()
    (tmp_path / "new").write_text("1")
    (tmp_path / ".git" / "index").write_text("1")
    assert confined.changed(before, confined.listing(tmp_path)) == ["a/gone", "new"]


# ------------------------------------------------------------------------------------------------------------ shipped recipes


def test_every_method_has_a_recipe() -> None:
    assert [spec.id for spec in external.SPEC] == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe(name: str) -> None:
    """It parses, has a licence and a commit, was never run, and every command says where its words come from."""
    recipe = load(external.RECIPES / f"{name}.toml")
    place = re.compile(r"[\w./-]+@[0-9a-f]{7}")
    assert recipe.status == "unrun"
    assert recipe.licence
    assert recipe.quirks
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", recipe.repository)
    assert re.fullmatch(r"[0-9a-f]{7}", recipe.commit)
    assert recipe.output.source
    assert place.search(recipe.output.source)
    assert all(place.match(step.source) for step in recipe.step)
    assert not any(SHELL.search(word) for step in recipe.step for word in step.argv)
    assert recipe.step or recipe.unknown
    texts = [*recipe.files.values(), *(word for step in recipe.step for word in step.argv)]
    assert recipe.seeded == any("{seed}" in text for text in texts) or not recipe.step
    for given_name in recipe.inputs if recipe.step else ():
        assert any(f"{{{given_name}}}" in text or "{given}" in text for text in texts), given_name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{{repo}}/worst.py", "{{repo}}/worst.py; rm"), "only a shell"),
        (("--seed", "{{colour}}"), "unknown placeholder"),
        (("{{driving}}", "{{audio}}"), "unknown placeholder"),
        (("whole = [152, 52]\n", ""), "size of the whole"),
        (('id = "worst"', 'id = "other"'), "file's name"),
        (('reference = "PNG"', 'picture = "PNG"'), "unknown"),
        (("licence", "license"), "unknown key"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = tmp_path / "worst.toml"
    path.write_text(RECIPE.replace(*change, 1).format(calls="c", mode="m"))
    with pytest.raises(InputError, match=said) as raised:
        load(path)
    assert "worst.toml" in str(raised.value)


def test_they_are_listed_and_explained(capfd: pytest.CaptureFixture[str]) -> None:
    listed = call(capfd, "ls", "adapters").out.splitlines()
    assert all(any(line.startswith(f"{name} ") and "[unrun" in line for line in listed) for name in SHIPPED)
    said = call(capfd, "explain", "unianimate").out
    for needle in ("licence", "quirk", "unknown", "1024, 0, 512, 768", "8 fps", "run_align_pose.py@405e9de", "driving/2"):
        assert needle in said


def test_journal_is_one_line_a_unit(bench: Bench) -> None:
    """Two seeds are two units, each told its own."""
    run = bench.run(cases=["one"], seeds=[0, 3])
    assert bench.called() == ["one 0", "one 3"]
    assert len(journal(run)) == 2
    assert Fraction(25) == probe(run / "clips" / "worst" / "one-3.mkv").fps
