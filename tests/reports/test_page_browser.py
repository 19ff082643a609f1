"""A page in a real Chromium, from disk and from a web server that cannot even send parts of a file: it plays in step, sorts, finds, and asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark.record import load
from reports._page import build
from tests.browser import browser, found
from tests.make import Frames, write

pytestmark = pytest.mark.browser
COUNT, BITS, BLOCK = 40, 6, 16
HOSTILE = "<img src=x onerror=boom()> & 'q' \"d\" $x_1 `id`"
READ = """() => Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => {
  const canvas = tile.querySelector('canvas'), width = canvas.width / 6, y = Math.round(canvas.height / 2);
  const line = canvas.getContext('2d').getImageData(0, y, canvas.width, 1).data;
  let code = 0;
  for (let k = 0; k < 6; k++) code |= (line[4 * Math.round((k + 0.5) * width)] > 127) << k;
  return [tile.querySelector('.who').textContent, code];
}))"""
"""The number of the frame that each canvas shows, by its bars: all in one task, so no picture can change in between."""


def bars(numbers: range, level: int = 235) -> Frames:
    """(n, 96, 96, 3): frame k shows the six binary digits of its number as bright and dark bars."""
    frames = np.full((len(numbers), 96, BITS * BLOCK, 3), 20, np.uint8)
    for row, number in enumerate(numbers):
        for bit in range(BITS):
            if number >> bit & 1:
                frames[row, :, bit * BLOCK : (bit + 1) * BLOCK] = level
    return frames


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truth and two methods whose frames carry numbers; frame i of `late` belongs to frame i + 3 of the truth. The second clip has a hostile name."""
    found()
    root = tmp_path_factory.mktemp("bars")
    for case in ("first", HOSTILE.replace("/", "")):
        write(root / "truth" / f"{case}.mkv", bars(range(COUNT)), 10)
        write(root / "same" / f"{case}.mkv", bars(range(COUNT), 225), 10)
        write(root / "late" / f"{case}.mkv", bars(range(3, COUNT), 215), 10)
    benchmark.run(
        suite="tiktok",
        truth=root / "truth",
        outputs={"same": root / "same", "late": root / "late"},
        offset={"late": 3},
        protocols=["disco-2023"],
        metrics=["psnr@cap100", "l1@unit", "ssim@disco"],
        out=root / "run",
    )
    build([load(root / "run")], root / "page", side=192)
    return root / "page"


class Quiet(SimpleHTTPRequestHandler):
    """The standard library's server: no byte ranges."""

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server(page: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(page))) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()
        thread.join()


def until(page: Any, holds: str) -> None:
    """Ask every 30 ms, 10 s at most. (The page's own policy forbids the eval that Playwright's waiting needs.)"""
    for _ in range(330):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(30)
    raise AssertionError(f"never true: {holds}")


def ready(page: Any) -> None:
    until(page, "document.querySelector('#video')?.readyState >= 2 && document.querySelectorAll('.tile').length === 3")
    page.wait_for_timeout(150)


def step(page: Any) -> int:
    return int(page.evaluate("Number(document.getElementById('seek').value)"))


def test_all_play_in_step_and_every_frame_can_be_reached(server: str) -> None:
    """Expected by construction: the truth's frame k, `same` its k, `late` its k (drawn with number k, though it is frame k - 3 of its file)."""
    with browser() as watched:
        page = watched.page
        page.goto(f"{server}/clip.html#0/0")
        ready(page)
        for wanted in (0, 3, 17, 18, COUNT - 1, 5):
            page.evaluate("k => { const s = document.getElementById('seek'); s.value = k; s.dispatchEvent(new Event('input')); }", wanted)
            page.wait_for_function(
                "k => !document.querySelector('#video').seeking && Number(document.getElementById('seek').value) === k", arg=wanted
            )
            page.wait_for_timeout(120)
            shown = page.evaluate(READ)
            assert shown["truth"] == shown["same"] == wanted
            assert shown["late"] == (wanted if wanted >= 3 else shown["late"])
            gap = page.locator(".tile", has_text="late").locator(".gap")
            assert gap.is_visible() == (wanted < 3)
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
        assert page.evaluate(READ)["truth"] == 6
        page.keyboard.press("Home")
        page.wait_for_timeout(200)
        page.keyboard.press("Space")
        seen = []
        for _ in range(12):
            page.wait_for_timeout(130)
            both = page.evaluate(f"() => [Number(document.getElementById('seek').value), ({READ})()]")
            seen.append(both[0])
            codes = both[1]
            assert codes["truth"] == codes["same"], "two pictures of one moment differ"
            assert codes["late"] in (codes["truth"], 0) or codes["truth"] < 3
            assert abs(codes["truth"] - both[0]) <= 1, "the pictures are not where the slider is"
        page.keyboard.press("Space")
        assert len(set(seen)) > 4, f"it did not play: {seen}"


def test_from_disk_a_click_on_a_curve_goes_to_its_frame(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        sheet.goto(f"file://{page}/clip.html#0/0")
        ready(sheet)
        charts = sheet.locator(".chart svg")
        assert charts.count() >= 1
        charts.first.scroll_into_view_if_needed()
        box = charts.first.bounding_box()
        assert box is not None
        width = float(charts.first.get_attribute("viewBox").split()[2])  # type: ignore[union-attr]
        for wanted in (30, 8):
            at = 62 + wanted / (COUNT - 1) * (width - 72)  # the chart's left and right edge, as clip.js draws them
            sheet.mouse.click(box["x"] + at / width * box["width"], box["y"] + box["height"] / 2)
            sheet.wait_for_timeout(300)
            assert step(sheet) == wanted
        assert "frame 8" in sheet.locator("#where").inner_text()
        sheet.locator("#versus").select_option("4")
        sheet.locator("#speed").select_option("0.25")
        assert sheet.evaluate("document.getElementById('video').playbackRate") == 0.25
        names = sheet.locator("#clip option").all_inner_texts()
        sheet.keyboard.press("]")
        sheet.wait_for_timeout(400)
        assert sheet.locator("h1").inner_text() == names[1]
        assert sorted(names) == sorted(["first", HOSTILE])
        assert sheet.evaluate("document.querySelectorAll('main img').length") == 0


def test_difference_to_the_truth_is_dark_where_nothing_differs(server: str) -> None:
    """`same` is 10 grey levels below the truth in bright bars: the difference is near 10, four times it near 40 (H.264 and chroma: within 12)."""
    with browser() as watched:
        page = watched.page
        page.goto(f"{server}/clip.html#0/0")
        ready(page)
        page.evaluate("() => { const s = document.getElementById('seek'); s.value = 63 & 37; s.dispatchEvent(new Event('input')); }")
        page.wait_for_timeout(300)
        levels = []
        for value in ("1", "4"):
            page.locator("#versus").select_option(value)
            page.wait_for_timeout(150)
            levels.append(
                page.evaluate(
                    """() => {
                    const tile = [...document.querySelectorAll('.tile')].find((t) => t.querySelector('.who').textContent === 'same');
                    const c = tile.querySelector('canvas');
                    return c.getContext('2d').getImageData(Math.round(c.width / 12), Math.round(c.height / 2), 1, 1).data[0]; }"""
                )
            )
        assert levels[0] == pytest.approx(10, abs=4)
        assert levels[1] == pytest.approx(40, abs=12)


def test_tables_sort_and_filter_and_clips_are_listed_worst_first(page: Path) -> None:
    with browser() as watched:
        sheet = watched.page
        sheet.goto(f"file://{page}/index.html")
        table = sheet.locator(".protocol table").first
        names = lambda: table.locator("tbody tr:not([hidden]) th").all_inner_texts()  # noqa: E731
        assert names() == ["same", "late"]
        table.locator("th button").first.click()
        assert names() == ["late", "same"]
        table.locator("th button").first.click()
        assert names() == ["same", "late"]
        head = table.locator("thead th").nth(1)
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        values = [float(v) for v in table.locator("tbody tr td:nth-of-type(1)").evaluate_all("cells => cells.map(c => c.dataset.value)")]
        assert values == sorted(values)
        sheet.locator("#filter").fill("lat")
        assert names() == ["late"]
        sheet.locator("#filter").fill("")
        listed = sheet.locator(".clip .clip-name").all_inner_texts()
        assert sorted(listed) == sorted(["first", HOSTILE])
        sheet.locator("#find").fill("first")
        assert sheet.locator(".clip").count() == 1
        sheet.locator(".clip").first.click()
        ready(sheet)
        assert sheet.locator("h1").inner_text() == "first"


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (800, "dark"), (1400, "light")])
def test_no_sheet_is_wider_than_its_screen(page: Path, width: int, scheme: str) -> None:
    with browser(width, 844, scheme=scheme) as watched:
        for name in ("index.html", "clip.html#0/1"):
            watched.page.goto(f"file://{page}/{name}")
            watched.page.wait_for_timeout(300)
            assert watched.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name


def test_everything_can_be_named_by_a_screen_reader(page: Path) -> None:
    """Every control has a name, every picture words, headings begin with one h1; text stands out from its paper by 4.5 to 1 (WCAG 2.1, 1.4.3)."""
    contrast = """() => {
      const channel = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
      const light = (rgb) => { const [r, g, b] = rgb.match(/[\\d.]+/g).map(Number);
        return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
      const paper = (e) => {
        for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.startsWith('rgba(0, 0, 0, 0')) return c; }
        return 'rgb(255,255,255)';
      };
      const bad = [];
      for (const e of document.querySelectorAll('h1,h2,h3,p,td,th,li,summary,figcaption,label,a,dt,dd,span')) {
        if (!e.innerText || !e.innerText.trim() || e.closest('.faded') || e.closest('.bar') || !/^rgb\\(/.test(getComputedStyle(e).color)) continue;
        const back = paper(e); if (!/^rgb\\(/.test(back)) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(back)].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(e.tagName + '.' + e.className + ' ' + e.innerText.slice(0, 30));
      }
      return [...new Set(bad)];
    }"""
    for scheme in ("light", "dark"):
        with browser(scheme=scheme) as watched:
            sheet = watched.page
            for name in ("index.html", "clip.html#0/0"):
                sheet.goto(f"file://{page}/{name}")
                sheet.wait_for_timeout(400)
                assert sheet.locator("h1").count() == 1
                nameless = sheet.evaluate(
                    """() => [...document.querySelectorAll('button,select,input,a,canvas,svg[role=img]')]
                    .filter((e) => e.offsetParent !== null || e.tagName === 'svg')
                    .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)
                      || e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML.slice(0, 80))"""
                )
                assert nameless == []
                assert sheet.evaluate(contrast) == [], (scheme, name)
