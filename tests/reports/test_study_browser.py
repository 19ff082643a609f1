"""A study from its first click to a scored table, in a real Chromium, from disk: nothing is asked of any network and no error is said (tests.browser).

Expected: what the test answers is what the table says.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import browser
from tests.make import call
from tests.people import key_of, record

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
RATINGS = {"left": 8, "right": 3}
RUNNING = """new Promise((done) => {
  const apart = [], end = performance.now() + 4000;
  const look = () => {
    const [a, b] = document.querySelectorAll("#screens video");
    if (a && b && !a.paused && !b.paused && a.currentTime > 0.1 && !a.seeking && !b.seeking) apart.push(Math.abs(a.currentTime - b.currentTime));
    if (apart.length >= 8 || performance.now() > end) done(apart); else setTimeout(look, 40);
  };
  look();
})"""
"""Seconds between the two clips, looked at every 40 ms while both run (the page's policy forbids the driver to evaluate text again and again)."""


def made(root: Path, capfd: pytest.CaptureFixture[str], *words: object, cases: tuple[str, ...] = ("one", "two")) -> Path:
    run = record(root, tuple(RATINGS), cases)
    said = call(capfd, "study", "make", run, "--out", root / "s", "--size", 64, "--raters", 3, "--attention", 2, *words)
    assert said.code == 0, said.err
    return root / "s"


def shown(page: Page) -> list[str]:
    """Ids of the clips on the screen."""
    sources = page.eval_on_selector_all("#screens video", "all => all.map(v => v.src)")
    return [source.rpartition("/")[2].removesuffix(".mp4") for source in sources]


def seen(page: Page) -> None:
    page.wait_for_selector("#seen:empty", state="attached", timeout=15_000)


def save(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_rating_from_first_click_to_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The better method gets 8, the other 3, degraded copies 0; in the second dimension one less. Half way the page is loaded again."""
    out = made(tmp_path, capfd, "--dimension", "motion", "--dimension", "<i>odd</i>=Is <b>this</b> text?")
    key = key_of(out)

    def wanted(page: Page) -> int:
        facts = key["clips"][shown(page)[0]]
        return 0 if facts["degraded"] else RATINGS[facts["method"]]

    def by_keys(page: Page) -> None:
        value = wanted(page)
        page.keyboard.press(str(value))
        page.keyboard.press(str(max(0, value - 1)))
        seen(page)
        page.keyboard.press("Enter")

    with browser() as watched:
        page = watched.page
        page.goto((out / "page" / "index.html").as_uri())
        page.fill("#rater", "4")
        page.click("#begin")
        assert "1 to 3" in page.inner_text("#who-problem")
        page.fill("#rater", "2")
        page.click("#begin")
        assert page.inner_text("#count") == "1 of 6"
        assert page.inner_text("legend >> nth=1") == "Is <b>this</b> text?"
        # by mouse; Next waits for both answers and the end of the clip
        value = wanted(page)
        page.locator("fieldset >> nth=0").locator(f"input[value='{value}']").check(force=True)
        seen(page)
        assert page.is_disabled("#next")
        page.locator("fieldset >> nth=1").locator(f"input[value='{max(0, value - 1)}']").check(force=True)
        page.click("#next")
        # by keys; back and forth
        for _ in range(2):
            by_keys(page)
        page.keyboard.press("b")
        assert page.inner_text("#count") == "3 of 6"
        assert page.is_enabled("#next")
        page.keyboard.press("Enter")
        page.goto((out / "page" / "index.html").as_uri() + "?rater=2")
        assert page.inner_text("#begin") == "Go on"
        page.click("#begin")
        assert page.inner_text("#count") == "4 of 6"
        part = save(page, "#save-now", tmp_path)
        for _ in range(3):
            by_keys(page)
        assert page.is_visible("#thanks")
        whole, table = save(page, "#save-json", tmp_path / "saved"), save(page, "#save-csv", tmp_path / "saved")

    assert len(json.loads(part.read_text(encoding="utf-8"))["answers"]) == 3
    for path in (whole, table):
        said = call(capfd, "study", "score", path, "--key", out / "key.json", "--format", "csv")
        assert said.code == 0, said.err
        rows = {(r["what"], r["dimension"], r["method"]): r for r in csv.DictReader(io.StringIO(said.out))}
        for method, value in RATINGS.items():
            assert float(rows["mean", "motion", method]["value"]) == value
            assert float(rows["mean", "<i>odd</i>", method]["value"]) == value - 1
            assert rows["mean", "motion", method]["n"] == "2.0"
        assert rows["answered", "", "rater 2"]["note"] == ""
    both = call(capfd, "study", "score", whole, table, "--key", out / "key.json")
    assert both.code == 2
    assert "double: rater 2" in both.err


def test_pairs_play_in_step_and_are_scored(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On a phone's screen. Both clips run, never more than two pictures of 1/25 s apart once they run; the better one is chosen by key or by tap."""
    out = made(tmp_path, capfd, "--kind", "pairs", cases=("one", "two", "three"))
    key = key_of(out)

    def wanted(page: Page) -> str:
        facts: list[dict[str, Any]] = [key["clips"][clip] for clip in shown(page)]
        values = [-1 if f["degraded"] else RATINGS[f["method"]] for f in facts]
        return "A" if values[0] > values[1] else "B"

    with browser(390, 844, scheme="dark", touch=True) as watched:
        page = watched.page
        page.goto((out / "page" / "index.html").as_uri() + "?rater=1")
        page.click("#begin")
        apart = page.evaluate(RUNNING)
        assert len(apart) >= 3
        assert max(apart) < 2 / 25
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for i in range(5):
            assert page.inner_text("#count") == f"{i + 1} of 5"
            choice = wanted(page)
            if i % 2:
                page.keyboard.press({"A": "1", "B": "3"}[choice])
            else:
                page.locator(f".choice label:has(input[value={choice}])").tap()
            seen(page)
            page.tap("#next")
        saved = save(page, "#save-json", tmp_path)

    said = call(capfd, "study", "score", saved, "--key", out / "key.json", "--format", "csv")
    assert said.code == 0, said.err
    rows = {(r["what"], r["method"], r["other"]): r for r in csv.DictReader(io.StringIO(said.out))}
    assert float(rows["win rate", "left", "right"]["value"]) == 1.0
    assert rows["win rate", "left", "right"]["n"] == "3.0"
    assert rows["answered", "rater 1", ""]["note"] == ""


def test_a_broken_clip_does_not_stop_a_rater(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The file is gone: the page says so and lets the rater go on; the answer is missing, not zero."""
    out = made(tmp_path, capfd, "--dimension", "motion", cases=("one",))
    key = key_of(out)
    first = key["items"][key["raters"][0][0]]["clips"][0]
    (out / "page" / "clips" / f"{first}.mp4").unlink()
    with browser() as watched:
        page = watched.page
        page.goto((out / "page" / "index.html").as_uri() + "?rater=1")
        page.click("#begin")
        page.wait_for_selector("#video-problem:not(:empty)")
        assert page.is_enabled("#next")
        page.click("#next")
        assert page.inner_text("#count").startswith("2 of")
        part = save(page, "#save-now", tmp_path)
        # the browser itself tells the missing file on its console; nothing else is said
        assert all("ERR_FILE_NOT_FOUND" in error for error in watched.errors)
        watched.errors.clear()
    (answer,) = json.loads(part.read_text(encoding="utf-8"))["answers"]
    assert answer["unplayable"] is True
    assert answer["answers"] == {}


def test_a_key_held_down_answers_one_question(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two questions; the browser repeats a key that is held."""
    out = made(tmp_path, capfd, "--dimension", "motion", "--dimension", "quality", cases=("one",))
    with browser() as watched:
        page = watched.page
        page.goto(f"file://{out}/page/index.html?rater=1")
        page.click("#begin")
        for _ in range(3):
            page.keyboard.down("7")
        page.keyboard.up("7")
        assert page.locator("input:checked").count() == 1
        page.keyboard.press("7")
        assert page.locator("input:checked").count() == 2
