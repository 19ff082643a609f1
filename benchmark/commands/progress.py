"""Progress on a terminal as bars, elsewhere as plain lines; always on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from benchmark.model import Unit

if TYPE_CHECKING:
    from benchmark.runs import Reporter


class Bars:
    """One bar over clips with frames a second and the time left."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._frames = 0
        self._since = time.monotonic()

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._write(text)

    def start(self, clips: int, done: int) -> None:
        """Show the bar."""
        from tqdm import tqdm

        self._bar = tqdm(total=clips, initial=done, unit="clip", file=sys.stderr, dynamic_ncols=True)

    def frames(self, count: int) -> None:
        """Count frames."""
        self._frames += count
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._frames / max(1e-6, time.monotonic() - self._since):.0f} frames/s", refresh=False)
            self._bar.refresh()

    def clip(self, unit: Unit, error: str | None) -> None:
        """A clip is done."""
        if error:
            self._write(f"{unit.adapter}, case {unit.case}: {error}")
        if self._bar is not None:
            self._bar.update(1)

    def stop(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _write(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr)


class Lines:
    """Quiet plain lines: notes, errors, and a count at the end."""

    def __init__(self) -> None:
        self._total = self._done = self._frames = 0
        self._since = time.monotonic()

    def note(self, text: str) -> None:
        """A line."""
        print(text, file=sys.stderr)

    def start(self, clips: int, done: int) -> None:
        """Remember the count."""
        self._total, self._done = clips, done
        if done:
            print(f"{done} of {clips} clips are done already", file=sys.stderr)

    def frames(self, count: int) -> None:
        """Count frames."""
        self._frames += count

    def clip(self, unit: Unit, error: str | None) -> None:
        """Only trouble is worth a line."""
        self._done += 1
        if error:
            print(f"{unit.adapter}, case {unit.case}: {error}", file=sys.stderr)

    def stop(self) -> None:
        """The count and the speed."""
        if self._total:
            seconds = time.monotonic() - self._since
            print(f"{self._done} of {self._total} clips, {self._frames} frames in {seconds:.1f} s", file=sys.stderr)
            self._total = 0


def reporter() -> Reporter:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()
