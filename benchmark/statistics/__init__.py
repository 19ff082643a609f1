"""Statistics of the benchmark: distances of feature sets, intervals over clips, paired comparisons, what evaluations cost. Pure functions, numpy only, seeded.

What is used where, and how well it does, stands in docs/statistics.md.
"""

from __future__ import annotations

from benchmark.statistics.agreement import Alpha, exact_share, krippendorff
from benchmark.statistics.association import Association, average_ranks, kendall, spearman
from benchmark.statistics.comparisons import (
    Comparison,
    Judged,
    SignFlip,
    family,
    holm,
    jackknife_difference,
    paired,
    paired_all,
    sign_flip,
    sign_flips,
    verdict,
)
from benchmark.statistics.frechet import frechet_distance, frechet_from_moments, kid
from benchmark.statistics.intervals import COVERAGE, Interval, SampleBias, Statistic, coverage, jackknife, small_sample_bias, t_interval
from benchmark.statistics.power import Detectable, clips_needed, detectable, smallest_p
from benchmark.statistics.preference import Clustered, Strengths, bradley_terry, clustered_mean, strengths
from benchmark.statistics.ranking import Rank, ranks
from benchmark.statistics.slowdown import Ratio, slowdown
from benchmark.statistics.speed import Fit, Times, fit, knee, speed_up, steps_of, times
from benchmark.statistics.student import detectable_difference, t_quantile, t_tail

__all__ = [
    "COVERAGE",
    "Alpha",
    "Association",
    "Clustered",
    "Comparison",
    "Detectable",
    "Fit",
    "Interval",
    "Judged",
    "Rank",
    "Ratio",
    "SampleBias",
    "SignFlip",
    "Statistic",
    "Strengths",
    "Times",
    "average_ranks",
    "bradley_terry",
    "clips_needed",
    "clustered_mean",
    "coverage",
    "detectable",
    "detectable_difference",
    "exact_share",
    "family",
    "fit",
    "frechet_distance",
    "frechet_from_moments",
    "holm",
    "jackknife",
    "jackknife_difference",
    "kendall",
    "kid",
    "knee",
    "krippendorff",
    "paired",
    "paired_all",
    "ranks",
    "sign_flip",
    "sign_flips",
    "slowdown",
    "small_sample_bias",
    "smallest_p",
    "spearman",
    "speed_up",
    "steps_of",
    "strengths",
    "t_interval",
    "t_quantile",
    "t_tail",
    "times",
    "verdict",
]
