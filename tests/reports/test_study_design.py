"""Who sees what: balance, by counting. Expected counts follow from the sizes alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from reports._study_design import Draws, Sides, cells, opaque, pairs_of, places, sequences, williams

SIZES = [(4, 10, 24, 20), (5, 20, 24, 40), (3, 7, 12, 10), (6, 10, 10, 30), (4, 4, 8, 16), (2, 1, 4, 2), (10, 3, 9, 7)]


@pytest.mark.parametrize(("stimuli", "clips"), [(s, c) for s, c, _, _ in SIZES])
def test_every_cell_stands_in_the_ring_once(stimuli: int, clips: int) -> None:
    ring = cells(stimuli, clips)
    assert sorted(ring) == [(s, c) for s in range(stimuli) for c in range(clips)]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 12])
def test_williams_square_is_latin_and_balanced_for_what_comes_before(n: int) -> None:
    rows = williams(n)
    times = len(rows) // n
    assert all(sorted(row) == list(range(n)) for row in rows)
    for place in range(n):
        assert set(Counter(row[place] for row in rows).values()) == {times}
    follows = Counter(step for row in rows for step in pairwise(row))
    assert len(follows) == n * (n - 1)
    assert set(follows.values()) == {times}


@pytest.mark.parametrize(("stimuli", "clips", "raters", "per"), SIZES)
def test_sequences_are_balanced(stimuli: int, clips: int, raters: int, per: int) -> None:
    """A rater: nothing twice, stimuli up to one alike, clips up to two. Over raters: cells up to one alike."""
    shown = sequences(stimuli, clips, raters, per, seed=7)
    assert [len(run) for run in shown] == [per] * raters
    total: Counter[tuple[int, int]] = Counter()
    for run in shown:
        assert len(set(run)) == per
        of = Counter(s for s, _ in run)
        assert max(of.values()) - min(of.get(s, 0) for s in range(stimuli)) <= 1
        on = Counter(c for _, c in run)
        assert max(on.values()) - min(on.get(c, 0) for c in range(clips)) <= 2
        total.update(run)
    assert max(total.values()) - min(total.get(cell, 0) for cell in cells(stimuli, clips)) <= 1


def test_each_stimulus_stands_at_each_place_equally_often() -> None:
    """4 stimuli, 24 raters, 20 items: 5 blocks of 4 places; a Williams square of 4 rows, 24 a multiple of 4: 6 times at each of the 20 places."""
    shown = sequences(4, 10, 24, 20, seed=0)
    for place in range(4):
        found = Counter(run[block * 4 + place][0] for run in shown for block in range(5))
        assert set(found.values()) == {30}


def test_neighbours_show_other_clips_where_there_are_enough() -> None:
    assert not any(a[1] == b[1] for run in sequences(4, 10, 24, 20, seed=3) for a, b in pairwise(run))


def test_the_seed_decides() -> None:
    assert sequences(4, 10, 6, 20, 1) == sequences(4, 10, 6, 20, 1)
    assert sequences(4, 10, 6, 20, 1) != sequences(4, 10, 6, 20, 2)


@pytest.mark.parametrize("seed", range(5))
def test_sides_are_balanced(seed: int) -> None:
    """Each pair stands left as often as right, up to one, over all raters; and left-minus-right of a method within a rater stays small."""
    pairs, draws = pairs_of(4), Draws(seed)
    sides = Sides(pairs, draws)
    lead: Counter[int] = Counter()
    for run in sequences(len(pairs), 5, 13, 15, seed):
        lefts: dict[int, int] = {}
        for cell in run:
            lead[cell[0]] += -1 if sides.swapped(cell, lefts) else 1
        assert sum(lefts.values()) == 0
        assert max(map(abs, lefts.values())) <= 5
    assert set(map(abs, lead.values())) <= {0, 1}


def test_checks_come_late_and_spread_out() -> None:
    assert places(20, 4) == [9, 13, 17, 20]
    assert places(3, 1) == [3]
    assert all(a <= b for a, b in pairwise(places(7, 7)))
    assert min(places(40, 4)) > 40 / 4


def test_opaque_ids_differ_and_tell_nothing() -> None:
    names = {opaque("salt", m, c) for m in ("a", "b") for c in ("1", "2")}
    assert len(names) == 4
    assert all(len(name) == 12 and set(name) <= set("0123456789abcdef") for name in names)
    assert opaque("a", "bc") != opaque("ab", "c")
