"""A real Chromium for tests of pages: what it finds, what goes wrong in a page, and every request that leaves it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOCAL = ("file:", "data:", "blob:", "about:", "http://127.0.0.1")


def found() -> str:
    """Path of a Chromium: BENCHMARK_CHROMIUM, else the first on PATH. Skips the test where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed: python -m pip install -e '.[dev]'")
    path = os.environ.get("BENCHMARK_CHROMIUM") or next((p for name in NAMES if (p := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium: install one, or set BENCHMARK_CHROMIUM")
    return path


@dataclass
class Watched:
    """A page, and what it said and asked for. left: addresses that are neither a file of this disk nor this machine's."""

    page: Page
    errors: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@contextmanager
def browser(width: int = 1280, height: int = 900, *, scheme: str = "light", touch: bool = False) -> Iterator[Watched]:
    """A fresh page of that size; nothing is kept, nothing is downloaded. At the end the page has said no error and asked nobody outside."""
    executable = found()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            context = chromium.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                has_touch=touch,
                accept_downloads=True,
                offline=False,
            )
            watched = Watched(context.new_page())
            page = watched.page

            def said(message: ConsoleMessage) -> None:
                # a test that reads a canvas is told that it could be faster
                if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
                    watched.errors.append(message.text)

            page.on("console", said)
            page.on("pageerror", lambda error: watched.errors.append(str(error)))
            page.on("request", lambda request: None if request.url.startswith(LOCAL) else watched.left.append(request.url))
            yield watched
            assert watched.errors == [], watched.errors
            assert watched.left == [], watched.left
        finally:
            chromium.close()
