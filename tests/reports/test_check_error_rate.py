"""How often the gate says `worse` when nothing changed, and whether it says it when something did: simulated clips, no videos."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from benchmark import statistics
from reports._gate import Finding, settle

ALPHA, METRICS, CLIPS = 0.05, 8, 10
PAIRS = 400
ALLOWED = int(scipy.stats.binom.ppf(0.9999, PAIRS, ALPHA))
"""Were the rate exactly alpha, more runs than this would say `worse` once in 10,000 such tests: 35 of 400 (expected 20)."""


def metrics(rng: np.random.Generator, heavy: bool) -> np.ndarray:
    """(metrics, clips): what one seed gives. Metrics share half of their noise, as those of one clip do; clips differ by far more than seeds."""
    noise = rng.standard_normal((METRICS + 1, CLIPS))
    noise = np.sign(noise) * np.abs(noise) ** 2.5 if heavy else noise
    return np.asarray(noise[:METRICS] + noise[METRICS] + 20 * np.arange(CLIPS))


def finding(number: int, a: np.ndarray, b: np.ndarray, margin: float = 0.02) -> Finding:
    """As the gate makes it of clip values; odd metrics are lower-is-better."""
    compared = statistics.paired(a, b, number % 2 == 0, margin=margin)
    return Finding(
        method="gen", protocol="p", name=f"m{number}@v", unit="", decimals=2, tolerance=margin, theirs=float(b.mean()), ours=float(a.mean()),
        difference=compared.difference, low=compared.low, high=compared.high, p=compared.p, smallest_p=compared.smallest_p, n=compared.n,
        comparison=compared,
    )  # fmt: skip


def verdicts(a: np.ndarray, b: np.ndarray) -> list[str]:
    return [f.verdict for f in settle([finding(i, a[i], b[i]) for i in range(METRICS)], ALPHA)]


@pytest.mark.parametrize("heavy", [False, True])
def test_reseeded_pairs_are_rarely_called_worse(heavy: bool) -> None:
    """Stated: `worse` for any metric in at most 5 % of the runs. 400 pairs of seeds of one method, normal noise and noise with heavy tails; and never `same`,
    whose margin is far below this noise."""
    rng = np.random.default_rng(int(heavy))
    said = [verdicts(metrics(rng, heavy), metrics(rng, heavy)) for _ in range(PAIRS)]
    assert sum("worse" in found for found in said) <= ALLOWED
    assert sum("same" in found for found in said) <= ALLOWED


def test_without_holm_this_test_would_fail() -> None:
    """The bound can be missed: eight metrics, each at 5 % alone, say `worse` far more often."""
    rng, alarms = np.random.default_rng(2), 0
    for _ in range(PAIRS):
        a, b = metrics(rng, False), metrics(rng, False)
        alone = [statistics.paired(a[i], b[i], i % 2 == 0) for i in range(METRICS)]
        alarms += any(statistics.verdict(c, c.p, ALPHA) == "worse" for c in alone)
    assert alarms > ALLOWED


def test_a_planted_fault_is_worse_there_and_nowhere_else() -> None:
    """One metric loses 5 standard deviations on every clip: p = 2/2^10, times 8 below 0.05, in each of 50 runs; the rest as without it."""
    rng, elsewhere = np.random.default_rng(3), 0
    for _ in range(50):
        a, b = metrics(rng, False), metrics(rng, False)
        a[0] -= 10
        found = verdicts(a, b)
        assert found[0] == "worse"
        elsewhere += "worse" in found[1:]
    assert elsewhere <= scipy.stats.binom.ppf(0.9999, 50, ALPHA)


def test_questions_without_a_possible_answer_cost_nothing() -> None:
    """Ten clips, p = 2/1024 for one metric. Among 40 metrics of which 39 are equal to the bit the family is one; were all asked, Holm would say 0.078."""
    rng = np.random.default_rng(4)
    base = rng.standard_normal(CLIPS)
    findings = [finding(0, base - 1, base, 0.01)]
    for i in range(1, 40):
        same = finding(i, base, base)
        findings.append(Finding(**{**vars(same), "smallest_p": 1.0}))
    judged = settle(findings, ALPHA)
    assert [f.verdict for f in judged] == ["worse"] + ["same"] * 39
    assert judged[0].adjusted == 2 / 2**10
    assert ALPHA < 40 * 2 / 2**10


def test_direction_none_is_never_worse() -> None:
    """A metric without a better side can be the same, or not be told; it is in no family."""
    base = np.random.default_rng(5).standard_normal(CLIPS)
    compared = statistics.paired(base + 1, base, None, margin=0.1)
    judged = settle([Finding(**{**vars(finding(0, base + 1, base)), "comparison": compared})], ALPHA)
    assert (judged[0].verdict, judged[0].adjusted) == ("cannot tell", None)
    assert "neither direction is better" in judged[0].reason


def timed(rng: np.random.Generator, factor: float) -> dict[str, list[float]]:
    return {clip: (factor * long * np.exp(0.05 * rng.exponential(size=3))).tolist() for clip, long in (("x", 1.0), ("y", 3.0), ("z", 3.0))}


def speed(rng: np.random.Generator, factor: float) -> Finding:
    """Three clips, three runs each, on both sides; as the gate makes it of a profile."""
    ratio = statistics.slowdown(timed(rng, factor), timed(rng, 1.0), slack=1.1)
    return Finding(
        method="gen-8", protocol="speed", name="seconds", unit="s", decimals=3, tolerance=0.1, theirs=1.0, ours=1.0, difference=ratio.ratio,
        low=ratio.low, high=ratio.high, p=min(1.0, 2 * min(ratio.p_slower, ratio.p_faster)), smallest_p=2 * ratio.smallest_p, n=9,
    )  # fmt: skip


@pytest.mark.parametrize(("factor", "verdict", "at_least"), [(1.0, "same", 0.9), (1.5, "worse", 0.9), (0.6, "better", 0.9)])
def test_seconds(factor: float, verdict: str, at_least: float) -> None:
    """Of 100 pairs of profiles 90 are told as they are; `worse` without a cause in no more than the binomial bound of 5 %, at the edge of the slack too."""
    rng = np.random.default_rng(6)
    said = [settle([speed(rng, factor)], ALPHA)[0].verdict for _ in range(100)]
    assert said.count(verdict) >= 100 * at_least
    edge = [settle([speed(rng, 1.1)], ALPHA)[0].verdict for _ in range(100)]
    assert edge.count("worse") <= scipy.stats.binom.ppf(0.9999, 100, ALPHA)
