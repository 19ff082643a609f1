"""What is scored while frames go by: features or regions of both sides, as soon as both are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import Unscored
from benchmark.model import FeatureVariant, Frames
from benchmark.rows import Look, RegionVariant

if TYPE_CHECKING:
    from benchmark.jobs import Track


class Pairs:
    """Rows of both sides of one variant. For regions the frames wait beside them; what looks at the regions again goes with each call."""

    def __init__(self, track: Track, name: str, variant: FeatureVariant | RegionVariant, look: Look | None = None) -> None:
        self.track, self.name, self.variant = track, name, variant
        self._further = () if look is None else (look,)
        self._rows: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._frames: tuple[deque[Any], deque[Any]] = (deque(), deque())

    def sink(self, side: int) -> Callable[[NDArray[np.float32]], None]:
        """Where the rows of a side go: 0 generated, 1 truth."""
        return lambda rows: self._add(self._rows[side], rows)

    def frames(self, ours: Frames, theirs: Frames) -> None:
        """The next frames of both sides, before their rows."""
        if isinstance(self.variant, RegionVariant):
            self._frames[0].extend(ours)
            self._frames[1].extend(theirs)
            self._score()

    def _add(self, side: deque[Any], rows: NDArray[np.float32]) -> None:
        side.extend(rows)
        self._score()

    def _score(self) -> None:
        # One by one: rows can be tens of megabytes, and how many come at a time must not reach the arithmetic.
        waiting = self._rows if isinstance(self.variant, FeatureVariant) else (*self._frames, *self._rows)
        while all(waiting) and self.name not in self.track.reasons:
            values = [queue.popleft()[None] for queue in waiting]
            try:
                value = self.variant.score(*values, *self._further)
            except Unscored as reason:
                self.track.reasons[self.name] = reason
                return
            self.track.parts.setdefault(self.name, []).append(np.asarray(value, np.float64))
