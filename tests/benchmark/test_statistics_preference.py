"""Means clustered two ways, and Bradley-Terry strengths.

Expected: closed forms worked out by hand, coverage by simulation, and an independent optimisation by SciPy.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from benchmark.errors import Unscored
from benchmark.statistics import exact_share, t_quantile
from benchmark.statistics.preference import FEW, bradley_terry, clustered_mean, strengths
from tests.make import ROOT


def grid(raters: int, clips: int) -> tuple[list[int], list[int]]:
    return np.repeat(np.arange(raters), clips).tolist(), np.tile(np.arange(clips), raters).tolist()


def test_two_way_error_by_hand() -> None:
    """Votes 0 4 / 2 10, mean 4, deviations -4 0 / -2 6. Raters sum to -4 and 4, clips to -6 and 6: 2 (16 + 16) / 16 = 4 and 2 (36 + 36) / 16 = 9; cells
    4/3 (16 + 0 + 4 + 36) / 16 = 14/3. Variance 4 + 9 - 14/3 = 25/3, but never below 9."""
    found = clustered_mean([0, 4, 2, 10], [1, 1, 2, 2], ["a", "b", "a", "b"])
    assert found.value == 4
    assert found.se == pytest.approx(3.0, abs=1e-15)
    assert (found.method, found.raters, found.clips, found.few) == ("two-way", 2, 2, True)
    assert found.high == pytest.approx(4 + 3 * t_quantile(0.975, 1), abs=1e-12)


def test_two_way_error_where_the_sum_is_larger() -> None:
    """Additive votes: rater effects -1, 0, 1 and clip effects -2, 0, 2 on a 3 x 3 grid. Rater sums are 3 times their effect: 3/2 * 9 * 2 / 81 = 1/3; clips
    3/2 * 9 * 8 / 81 = 4/3; cells 9/8 * (3 * 2 + 3 * 8) / 81 = 5/12. Variance 1/3 + 4/3 - 5/12 = 5/4 < 4/3, so 4/3 stands; without the cells'
    share, with rater effects doubled, 4/3 + 4/3 - 9/8 * 48 / 81 = 2."""
    raters, clips = grid(3, 3)
    one = [r - 1 + 2 * (c - 1) for r, c in zip(raters, clips, strict=True)]
    assert clustered_mean(one, raters, clips).se == pytest.approx(math.sqrt(4 / 3), abs=1e-14)
    two = [2 * (r - 1) + 2 * (c - 1) for r, c in zip(raters, clips, strict=True)]
    assert clustered_mean(two, raters, clips).se == pytest.approx(math.sqrt(2), abs=1e-14)


def test_one_rater_gives_the_t_interval_over_clips() -> None:
    """One vote a clip: sqrt(n / (n - 1) * sum of squares) / n is the usual standard error."""
    votes = [3.0, 7.0, 8.0, 4.0, 6.0]
    found = clustered_mean(votes, ["x"] * 5, range(5))
    assert found.method == "clips"
    assert found.se == pytest.approx(np.std(votes, ddof=1) / math.sqrt(5), abs=1e-15)
    assert clustered_mean(votes, range(5), ["x"] * 5).method == "raters"
    alone = clustered_mean([3.0, 4.0], [1, 1], [1, 1])
    assert (alone.value, alone.low, alone.method) == (3.5, None, "none")


def test_a_share_stays_inside_and_has_an_interval_where_all_agree() -> None:
    raters, clips = grid(12, 10)
    all_won = clustered_mean([1.0] * 120, raters, clips, share=True)
    assert (all_won.method, all_won.few) == ("exact", False)
    assert (all_won.low, all_won.high) == exact_share(10, 10)
    nearly = clustered_mean([1, 1, 1, 0.5, 1, 1], [1, 1, 1, 2, 2, 2], [1, 2, 3, 1, 2, 3], share=True)
    assert nearly.high == 1.0
    with pytest.raises(ValueError, match="share"):
        clustered_mean([2.0], [1], [1], share=True)


@pytest.mark.parametrize("shape", [(4, 4), (24, 10)], ids=str)
@pytest.mark.parametrize("spread", [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], ids=str)
def test_coverage(shape: tuple[int, int], spread: tuple[float, float]) -> None:
    """400 experiments, normal rater, clip and vote effects: at least 95 %, less three Monte-Carlo errors (3.3 points)."""
    generator, (raters, clips) = np.random.default_rng([3, *shape]), grid(*shape)
    held = 0
    for _ in range(400):
        effects = (
            generator.normal(0, spread[0], shape[0])[:, None] + generator.normal(0, spread[1], shape[1]) + generator.normal(size=shape)
        )
        found = clustered_mean(effects.ravel(), raters, clips)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
    assert held / 400 > 0.95 - 0.033


def effects(generator: np.random.Generator, sd: float, size: Any, skewed: bool) -> Any:
    """Mean 0 and this standard deviation: normal, or log-normal of sigma 0.75 (skewness 3.3)."""
    if not sd:
        return np.zeros(size)
    if not skewed:
        return generator.normal(0, sd, size)
    square = 0.75**2
    return sd * (np.exp(0.75 * generator.normal(size=size)) - math.exp(square / 2)) / math.sqrt((math.exp(square) - 1) * math.exp(square))


@pytest.mark.slow
def test_the_coverage_printed_in_docs_is_what_is_simulated() -> None:
    """docs/study.md, every cell: the same 2,000 seeded experiments."""
    table = [line for line in (ROOT / "docs" / "study.md").read_text(encoding="utf-8").splitlines() if re.match(r"\| \d+ x \d+ ", line)]
    assert len(table) == 5
    for line in table:
        size, *printed = [word.strip() for word in line.strip("| ").split("|")]
        shape = tuple(map(int, size.split(" x ")))
        raters, clips = grid(shape[0], shape[1])
        found = []
        for skewed in (False, True):
            for sds in ((1, 1), (1, 0), (0, 1), (0, 0)):
                generator, held = np.random.default_rng([7, *shape, int(skewed)]), 0
                for _ in range(2000):
                    votes = effects(generator, sds[0], shape[0], skewed)[:, None] + effects(generator, sds[1], shape[1], skewed)
                    one = clustered_mean((votes + effects(generator, 1, shape, skewed)).ravel(), raters, clips)
                    assert one.low is not None
                    assert one.high is not None
                    held += one.low <= 0 <= one.high
                found.append(f"{100 * held / 2000:.1f}")
        assert found == printed


def test_two_methods_have_a_closed_form() -> None:
    """Strengths differ by log(w12 / w21); each vote its own rater and clip: the sandwich is the variance of a logit, n / (w1 w2), times n / (n - 1)."""
    assert bradley_terry([[0, 7], [3, 0]]) == pytest.approx([math.log(7 / 3) / 2, -math.log(7 / 3) / 2], abs=1e-14)
    found = strengths([0] * 10, [1] * 10, [1] * 7 + [0] * 3, range(10), range(10), ["a", "b"])
    assert found.high is not None
    se = math.sqrt(10 / 21 * 10 / 9) / 2
    assert found.high[0] == pytest.approx(math.log(7 / 3) / 2 + t_quantile(0.975, 9) * se, abs=1e-12)
    assert found.wins == ((0.0, 7.0), (3.0, 0.0))


def test_ties_count_half_and_order_does_not_matter() -> None:
    tied = strengths([0, 0, 1, 1], [1, 1, 0, 0], [1, 0.5, 1, 0.5], range(4), range(4), ["a", "b"])
    assert tied.values == pytest.approx((0.0, 0.0), abs=1e-14)
    one = strengths([0, 0, 0], [1, 1, 1], [1, 1, 0], [1, 2, 3], [1, 1, 1], ["a", "b"])
    other = strengths([1, 1, 1], [0, 0, 0], [0, 0, 1], [1, 2, 3], [1, 1, 1], ["a", "b"])
    assert one == other


def test_strengths_are_the_maximum_that_scipy_finds() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    generator = np.random.default_rng(8)
    for k in (3, 6):
        wins = generator.integers(1, 30, (k, k)).astype(float)
        np.fill_diagonal(wins, 0)

        def loss(free: Any, wins: Any = wins) -> float:
            b = np.append(free, -free.sum())
            return float((wins * np.logaddexp(0, b[None, :] - b[:, None])).sum())

        best = optimize.minimize(loss, np.zeros(k - 1), method="BFGS", options={"gtol": 1e-9})
        assert bradley_terry(wins) == pytest.approx(np.append(best.x, -best.x.sum()), abs=1e-6)


def test_a_chain_that_is_nearly_separated_still_converges() -> None:
    """At the maximum the expected wins are the wins (Hunter 2004, eq. 4): checked to 1e-9 where MM alone needs very many steps."""
    wins = np.array([[0, 1000, 0, 0], [1, 0, 1000, 0], [0, 1, 0, 1000], [0, 0, 1, 0]], float)
    log = bradley_terry(wins)
    games = wins + wins.T
    assert (games / (1 + np.exp(log[None, :] - log[:, None]))).sum(1) == pytest.approx(wins.sum(1), rel=1e-9)


@pytest.mark.parametrize(
    ("wins", "reason", "named"),
    [
        ([[0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], "unconnected", "a, b: never compared"),
        ([[0, 7, 1], [3, 0, 2], [0, 0, 0]], "separated", "a, b: never lost"),
        ([[0, 0, 0], [1, 0, 2], [3, 1, 0]], "separated", "b, c: never lost"),
        ([[0]], "one-method", "two methods"),
    ],
)
def test_strengths_that_do_not_exist(wins: list[list[int]], reason: str, named: str) -> None:
    with pytest.raises(Unscored) as caught:
        bradley_terry(wins, ["a", "b", "c", "d"][: len(wins)])
    assert caught.value.reason == reason
    assert named in caught.value.detail


@pytest.mark.parametrize("wins", [[[0, 1]], [[1, 0], [0, 0]], [[0, -1], [1, 0]]])
def test_what_is_no_table_of_wins(wins: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="square"):
        bradley_terry(wins)


def test_votes_are_checked() -> None:
    for bad in ([0.3], [2.0]):
        with pytest.raises(ValueError, match="vote"):
            strengths([0], [1], bad, [1], [1], ["a", "b"])
    with pytest.raises(ValueError, match="vote"):
        strengths([0], [0], [1], [1], [1], ["a", "b"])
    with pytest.raises(ValueError, match="length"):
        clustered_mean([1.0], [], [1])
    assert FEW == 10


def test_strengths_cover_what_made_them() -> None:
    """200 studies of 12 raters, 8 clips, 3 methods of strengths 0.8, 0, -0.8, with tastes of raters and clips: 95 % nominally, less three Monte-Carlo
    errors of 200 studies (4.6 points; the three strengths of a study hang together)."""
    generator, truth = np.random.default_rng(4), np.array([0.8, 0.0, -0.8])
    raters, clips = grid(12, 8)
    held = total = 0
    for _ in range(200):
        taste, suits = generator.normal(0, 0.3, (12, 3)), generator.normal(0, 0.3, (8, 3))
        first, second, outcome, who, what = [], [], [], [], []
        for r, c in zip(raters, clips, strict=True):
            for a, b in ((0, 1), (0, 2), (1, 2)):
                edge = (truth + taste[r] + suits[c])[a] - (truth + taste[r] + suits[c])[b]
                first.append(a), second.append(b), who.append(r), what.append(c)
                outcome.append(float(generator.random() < 1 / (1 + math.exp(-edge))))
        found = strengths(first, second, outcome, who, what, ["a", "b", "c"])
        assert found.low is not None
        assert found.high is not None
        held += sum(low <= t <= high for low, t, high in zip(found.low, truth, found.high, strict=True))
        total += 3
    assert held / total > 0.95 - 0.046
