"""A clip's sheet as it is used for long: by keyboard, from clip to clip, with sound, on a phone, and where a file of it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import benchmark
from benchmark.record import load
from reports._page import build
from tests.browser import browser, found
from tests.clips import write_video
from tests.make import movie
from tests.reports.test_page_browser import until

pytestmark = pytest.mark.browser
LONG = "a-method-with-a-long-name-that-ends-in-needle"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truth and two methods with sound, three clips of 3 s; the third's data are missing."""
    found()
    root = tmp_path_factory.mktemp("used")
    for k, case in enumerate(("one", "three", "two")):
        for m, name in enumerate(("truth", "short", LONG)):
            (root / name).mkdir(exist_ok=True)
            write_video(root / name / f"{case}.mkv", movie(3 * k + m, 30), rate=10, audio=True)
    benchmark.run(
        suite="tiktok",
        truth=root / "truth",
        outputs={name: root / name for name in ("short", LONG)},
        protocols=["disco-2024"],
        metrics=["psnr@cap100", "l1@disco"],
        out=root / "run",
    )
    build([load(root / "run")], root / "page", side=64)
    (root / "page/data/0/00002.js").unlink()
    return root / "page"


def opened(sheet: Any, page: Path, clip: int) -> None:
    sheet.goto(f"file://{page}/clip.html#0/{clip}")
    loaded(sheet)


def loaded(sheet: Any) -> None:
    until(sheet, "document.querySelector('#video').readyState >= 2 && document.querySelectorAll('.tile').length === 3")
    sheet.wait_for_timeout(150)


def test_the_link_to_the_content_stays_on_its_clip(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        opened(sheet, page, 1)
        sheet.keyboard.press("Tab")
        sheet.keyboard.press("Enter")
        sheet.wait_for_timeout(200)
        assert sheet.locator("h1").inner_text() == "three"
        assert sheet.evaluate("document.activeElement.id") == "main"
        assert sheet.url.endswith("#0/1")


def test_keys_open_what_has_the_focus_and_pausing_at_once_is_no_error(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        opened(sheet, page, 0)
        sheet.locator(".keys summary").focus()
        sheet.keyboard.press("Space")
        assert sheet.evaluate("document.querySelector('.keys').open && document.querySelector('#video').paused")
        sheet.evaluate("() => { for (let k = 0; k < 8; k++) document.getElementById('play').click(); }")
        sheet.wait_for_timeout(300)
        # a table that scrolls sideways keeps its arrows: the picture stays
        before = sheet.locator("#where").inner_text()
        sheet.locator(".scroll").focus()
        sheet.keyboard.press("ArrowRight")
        sheet.wait_for_timeout(150)
        assert sheet.locator("#where").inner_text() == before


def test_a_picture_is_drawn_once_however_many_clips_were_looked_at(page: Path) -> None:
    """10 pictures a second: a second and a half shows 15, each calls back once."""
    with browser() as watched:
        sheet = watched.page
        sheet.add_init_script(
            """window.called = 0;
            const ask = HTMLVideoElement.prototype.requestVideoFrameCallback;
            HTMLVideoElement.prototype.requestVideoFrameCallback = function (f) { return ask.call(this, (...a) => { window.called += 1; f(...a); }); };"""
        )
        opened(sheet, page, 0)
        for k in range(1, 11):
            sheet.evaluate(f"location.hash = '#0/{k % 2}'")
            until(sheet, f"document.querySelector('h1').textContent === '{('one', 'three')[k % 2]}'")
            loaded(sheet)
        sheet.evaluate("window.called = 0")
        sheet.keyboard.press("Space")
        sheet.wait_for_timeout(1500)
        sheet.keyboard.press("Space")
        assert 3 <= sheet.evaluate("window.called") <= 20
        assert sheet.evaluate("Object.keys(HVB.held.clips).length") <= 1


def test_the_sound_of_a_clip_ends_with_it(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        sheet.add_init_script(
            """window.made = []; const Real = window.Audio;
            window.Audio = function (...a) { const made = new Real(...a); window.made.push(made); return made; };"""
        )
        opened(sheet, page, 0)
        sheet.locator("#sound").select_option("truth")
        sheet.locator("#play").click()
        until(sheet, "window.made.length === 1 && !window.made[0].paused")
        sheet.locator("#after").click()
        until(sheet, "document.querySelector('h1').textContent === 'three'")
        loaded(sheet)
        assert sheet.locator("#sound").input_value() == ""
        sheet.locator("#play").click()
        sheet.wait_for_timeout(500)
        assert sheet.evaluate("!document.querySelector('#video').paused && window.made.every((a) => a.paused)")


def test_nothing_of_another_clip_stands_under_the_name_of_one_that_is_missing(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        opened(sheet, page, 1)
        assert sheet.locator("#values td").count() > 0
        sheet.keyboard.press("]")
        until(sheet, "document.querySelector('#warnings').textContent.includes('missing')")
        assert sheet.locator("h1").inner_text() == "two"
        assert "hvbench report --html" in sheet.locator("#warnings").inner_text()
        assert sheet.locator("#values td").count() == 0
        assert not sheet.locator("#stage").is_visible()
        assert not sheet.locator("#curves-part").is_visible()
        sheet.keyboard.press("ArrowRight")
        sheet.locator("#before").click()
        loaded(sheet)
        assert sheet.locator("#stage").is_visible()
        watched.errors[:] = [text for text in watched.errors if "ERR_FILE_NOT_FOUND" not in text]


def test_a_word_finds_a_method_in_tables_and_pictures_alike(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        sheet.goto(f"file://{page}/index.html")
        sheet.locator("#filter").fill("needle")
        assert sheet.locator(".protocol .hvb-table").first.locator("tbody tr:not([hidden]) th").all_inner_texts() == [LONG]
        shown = sheet.locator(".protocol svg").first.locator("g.method:not(.faded)")
        assert shown.count() == 1
        assert shown.get_attribute("data-name") == LONG


def test_on_a_phone_the_numbers_have_their_whole_names(page: Path) -> None:
    with browser(390, 844) as watched:
        opened(watched.page, page, 0)
        cut = watched.page.evaluate(
            "[...document.querySelectorAll('#values tbody th')].filter((e) => e.scrollWidth > e.clientWidth).length"
        )
        assert cut == 0


def test_a_torn_address_is_no_error(page: Path) -> None:
    with browser() as watched:
        watched.page.goto(f"file://{page}/index.html#%E0%A4%A")
        until(watched.page, "document.querySelectorAll('.clip').length === 3")


def test_a_clip_on_which_the_bad_method_failed_is_not_the_best(page: Path) -> None:
    """Higher is better. `good` has 40, 38, 39, `bad` 30, none, 30: the second clip is the worst of `good`, 1 below its mean, and nothing else is known."""
    with browser() as watched:
        sheet = watched.page
        sheet.goto(f"file://{page}/index.html")
        sheet.evaluate(
            """() => { const run = HVB.held.index.runs[0], good = [40, 38, 39], bad = [30, NaN, 30];
            run.value = (column, m, k) => (m ? bad : good)[k]; document.getElementById('order').dispatchEvent(new Event('change')); }"""
        )
        assert sheet.locator("#metric option:checked").inner_text() == "disco-2024 : psnr@cap100"
        assert sheet.locator(".clip .clip-name").all_inner_texts() == ["three", "two", "one"]


def test_a_frame_that_stands_alone_is_a_dot(tmp_path: Path) -> None:
    """Of a clip of one frame the curve is a point, which a line through it would not show: a subpath without length and a round cap."""
    for k, name in enumerate(("truth", "a")):
        write_video((tmp_path / name).with_suffix(".mkv"), movie(k, 1))
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.mkv").rename(tmp_path / name / "one.mkv")
    benchmark.run(
        suite="tiktok",
        truth=tmp_path / "truth",
        outputs={"a": tmp_path / "a"},
        protocols=["disco-2024"],
        metrics=["psnr@cap100"],
        out=tmp_path / "run",
    )
    build([load(tmp_path / "run")], tmp_path / "page", videos=0)
    with browser() as watched:
        watched.page.goto(f"file://{tmp_path}/page/clip.html#0/0")
        until(watched.page, "document.querySelectorAll('path.curve').length > 0")
        curve = watched.page.locator("path.curve").first
        assert str(curve.get_attribute("d")).endswith("h0")
        assert curve.evaluate("e => getComputedStyle(e).strokeLinecap") == "round"
