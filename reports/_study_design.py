"""Who sees what, in which order, on which side: balanced by construction, shuffled by a seed. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

Cell = tuple[int, int]
"""(stimulus, clip): index of a method, or of a pair of methods, and index of a clip."""


class Draws:
    """Seeded draws that stay the same with every numpy: raw 64-bit words, whose stream numpy guarantees."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.PCG64(seed)

    def below(self, n: int) -> int:
        """0..n-1; the bias of the remainder is below n / 2^64."""
        return int(self._words.random_raw()) % n

    def order(self, n: int) -> list[int]:
        """A permutation of 0..n-1."""
        found = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self.below(i + 1)
            found[i], found[j] = found[j], found[i]
        return found


def opaque(*parts: object) -> str:
    """12 hexadecimal digits that tell nothing of what they stand for."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def cells(stimuli: int, clips: int) -> list[Cell]:
    """Every stimulus with every clip once, so that any run of neighbours (the list is a ring) is balanced.

    Stimulus g mod S. Clip g mod C, one further after each L = lcm(S, C) cells: within such a round the two remainders meet in each way that they can once
    (Chinese remainder theorem), and the shifts bring the others. So in any run the counts of stimuli differ by 1 at most, those of clips by 2.
    """
    length = math.lcm(stimuli, clips)
    return [(g % stimuli, (g + g // length) % clips) for g in range(stimuli * clips)]


def williams(n: int) -> list[list[int]]:
    """Rows of a Latin square in which each item follows each other one equally often (Williams 1949): n rows for even n, 2 n for odd n."""
    first = [0]
    for i in range(1, n):
        first.append((n - (i // 2)) % n if i % 2 == 0 else i // 2 + 1)
    rows = [[(item + shift) % n for item in first] for shift in range(n)]
    return rows if n % 2 == 0 else [*rows, *(row[::-1] for row in rows)]


def sequences(stimuli: int, clips: int, raters: int, per_rater: int, seed: int) -> list[list[Cell]]:
    """The cells of each rater in the order of showing.

    Rater r gets the run of `per_rater` cells from r * per_rater on, so that over all raters each cell is shown equally often, up to one. A run is cut into
    blocks of S cells, which hold each stimulus once; within a block they stand in a row of a Williams square, the next one for the next rater, so that over
    as many raters as there are rows each stimulus stands equally often at each place of a block. The order of blocks is drawn; of a few tries the
    one with the fewest neighbours of one clip is taken.
    """
    draws = Draws(seed)
    stimulus_of, clip_of = draws.order(stimuli), draws.order(clips)
    ring = cells(stimuli, clips)
    rows = williams(stimuli)
    found = []
    for rater in range(raters):
        run = [ring[(rater * per_rater + i) % len(ring)] for i in range(per_rater)]
        blocks = [run[i : i + stimuli] for i in range(0, len(run), stimuli)]
        placed = []
        for number, block in enumerate(blocks):
            by = dict(block)
            placed.append([(s, by[s]) for s in rows[(rater + number) % len(rows)] if s in by])
        whole = [b for b in placed if len(b) == stimuli]
        rest = [b for b in placed if len(b) < stimuli]
        tries = []
        for _ in range(20):
            ordered = [cell for i in draws.order(len(whole)) for cell in whole[i]] + [cell for b in rest for cell in b]
            tries.append((sum(a[1] == b[1] for a, b in pairwise(ordered)), ordered))
        best = min(tries, key=lambda item: item[0])[1]
        found.append([(stimulus_of[s], clip_of[c]) for s, c in best])
    return found


def pairs_of(methods: int) -> list[tuple[int, int]]:
    """Unordered pairs (i < j) of methods: the stimuli of a study of pairs."""
    return list(combinations(range(methods), 2))


@dataclass
class Sides:
    """Which of a pair stands on the left: counts of each pair differ by one at most; where equal, of a rater's methods; else drawn."""

    pairs: Sequence[tuple[int, int]]
    draws: Draws

    def __post_init__(self) -> None:
        self._lead = [0] * len(self.pairs)
        self._cell: dict[Cell, int] = {}

    def swapped(self, cell: Cell, lefts: dict[int, int]) -> bool:
        """Shall the second method of the pair stand on the left? lefts: {method: left minus right} of this rater; is kept up to date."""
        one, other = self.pairs[cell[0]]
        lead = self._lead[cell[0]]
        if lead:
            swap = lead > 0
        elif self._cell.get(cell, 0):
            swap = self._cell[cell] > 0
        elif lefts.get(one, 0) != lefts.get(other, 0):
            swap = lefts.get(one, 0) > lefts.get(other, 0)
        else:
            swap = bool(self.draws.below(2))
        sign = -1 if swap else 1
        self._lead[cell[0]] += sign
        self._cell[cell] = self._cell.get(cell, 0) + sign
        for method, side in ((one, sign), (other, -sign)):
            lefts[method] = lefts.get(method, 0) + side
        return swap


def places(n: int, checks: int) -> list[int]:
    """After how many of n items the checks come: spread out, none in the first quarter, so that what they repeat was seen a while ago."""
    return [min(n, math.ceil(n * (0.25 + 0.75 * (i + 1) / checks))) for i in range(checks)]
