"""Write docs/statistics.md: every number in it is computed here, by the functions it describes.

`python docs/make_statistics.py` rewrites the page (about a minute on one core); `--check` exits 1 when it is stale.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Thousands of tiny matrices: threads would only get in each other's way. Before numpy, which reads it when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmark import statistics as st

PAGE = Path(__file__).with_name("statistics.md")
SIZES = (4, 10, 40)
SHAPES = ("normal", "skewed")
MEANS = 10_000
SETS = 2_000
WIDE_SETS = 400
ALARMS = 600
SIGMA = 0.75
"""Of the log-normal: skewness 3.3."""
ALPHA = 0.05

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Features of a simulated set: rows a clip, and features a row."""

    windows: int
    dimensions: int


TALL = Layout(windows=8, dimensions=3)
"""More rows than features."""
WIDE = Layout(windows=1, dimensions=48)
"""Fewer rows than features at every n simulated, as FID and FVD over a handful of clips."""


@dataclass(frozen=True)
class Rates:
    """Shares of `repeats` simulated experiments.

    of_mean: the t interval held the true mean. of_average: the jackknife interval held what n clips give on average. of_limit: it held the
    value at infinitely many clips. ratio: mean of the set metric at n clips over that limit.
    """

    repeats: int
    of_mean: float = math.nan
    of_average: float = math.nan
    of_limit: float = math.nan
    ratio: float = math.nan


def draw(rng: np.random.Generator, shape: str, size: tuple[int, ...]) -> Array:
    """Clip values: standard normal, or log-normal divided by its own standard deviation (skewed)."""
    normal = rng.standard_normal(size)
    return normal if shape == "normal" else np.exp(SIGMA * normal) / log_normal_sd()


def log_normal_sd() -> float:
    """Standard deviation of exp(SIGMA z): closed form."""
    return math.sqrt(math.expm1(SIGMA**2)) * math.exp(SIGMA**2 / 2)


def true_mean(shape: str) -> float:
    """Mean of `draw`: 0, or the log-normal's closed form."""
    return 0.0 if shape == "normal" else math.exp(SIGMA**2 / 2) / log_normal_sd()


def mean_rates(shape: str, n: int, repeats: int, seed: int) -> Rates:
    """Coverage of the t interval of a mean over n clips."""
    rng = np.random.default_rng([seed, n, SHAPES.index(shape), 0])
    target, held = true_mean(shape), 0
    for values in draw(rng, shape, (repeats, n)):
        interval = st.t_interval(values)
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= target <= interval.high
    return Rates(repeats, of_mean=held / repeats)


def clips(rng: np.random.Generator, shape: str, n: int, layout: Layout = TALL) -> tuple[Array, Array, Array]:
    """(truth, method a, method b): (n, windows, dimensions) features of n clips, whose windows share what is particular to their clip.

    Clip part c per feature, window noise N(0, 0.25). Both methods give 0.8 c + 0.5 + their own window noise: equally good.
    """
    part = draw(rng, shape, (n, 1, layout.dimensions))
    noise = 0.5 * rng.standard_normal((3, n, layout.windows, layout.dimensions))
    return part + noise[0], 0.8 * part + 0.5 + noise[1], 0.8 * part + 0.5 + noise[2]


def limit(shape: str, layout: Layout = TALL) -> float:
    """Frechet distance of method and truth of `clips` at infinitely many clips: independent features, so a sum of closed forms."""
    return layout.dimensions * ((0.5 - 0.2 * true_mean(shape)) ** 2 + (math.sqrt(0.64 + 0.25) - math.sqrt(1.25)) ** 2)


def distance(generated: Array, truth: Array) -> Callable[[NDArray[np.intp]], float]:
    """The Frechet distance over the windows of the kept clips."""

    def statistic(kept: NDArray[np.intp]) -> float:
        return st.frechet_distance(np.concatenate(generated[kept]), np.concatenate(truth[kept]))

    return statistic


def set_rates(shape: str, n: int, repeats: int, seed: int, layout: Layout = TALL) -> Rates:
    """Coverage of the jackknife interval of a Frechet distance over n clips."""
    rng = np.random.default_rng([seed, n, SHAPES.index(shape), 1])
    low, high, value = np.empty(repeats), np.empty(repeats), np.empty(repeats)
    for at in range(repeats):
        truth, a, _ = clips(rng, shape, n, layout)
        interval = st.jackknife(distance(a, truth), n)
        assert interval.low is not None
        assert interval.high is not None
        low[at], high[at], value[at] = interval.low, interval.high, interval.value
    average, end = float(value.mean()), limit(shape, layout)
    return Rates(
        repeats,
        of_average=float(((low <= average) & (average <= high)).mean()),
        of_limit=float(((low <= end) & (end <= high)).mean()),
        ratio=average / end,
    )


def false_alarms(shape: str, n: int, repeats: int, seed: int) -> tuple[float, float]:
    """Share of p <= 0.05 between two equally good methods: (sign flip of a mean, jackknife of the difference of a Frechet distance)."""
    rng = np.random.default_rng([seed, n, SHAPES.index(shape), 2])
    flips = sets = 0
    for _ in range(repeats):
        a, b = draw(rng, shape, (2, n))
        flips += st.sign_flip(a - b, flips=500).p <= ALPHA
        truth, first, second = clips(rng, shape, n)
        p = st.jackknife_difference(distance(first, truth), distance(second, truth), n, False).p
        sets += p is not None and p <= ALPHA
    return flips / repeats, sets / repeats


def percent(share: float) -> str:
    """One digit, which is what the simulation can carry."""
    return f"{100 * share:.1f} %"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def coverage_table() -> str:
    """Nominal 95 %, and what comes of it."""
    rows = []
    for shape in SHAPES:
        for n in SIZES:
            mean = mean_rates(shape, n, MEANS, 0)
            tall, wide = set_rates(shape, n, SETS, 0), set_rates(shape, n, WIDE_SETS, 0, WIDE)
            sets = [text for s in (tall, wide) for text in (percent(s.of_average), percent(s.of_limit), f"{s.ratio:.2f}")]
            rows.append([shape, str(n), percent(mean.of_mean), *sets])
    columns = ("average at n", "limit", "bias factor")
    head = ["clips are", "n", "mean, t", *(f"{name}: {column}" for name in ("tall", "wide") for column in columns)]
    return table(head, rows)


def alarm_table() -> str:
    """How often equal methods are told apart."""
    rows = [[shape, str(n), *map(percent, false_alarms(shape, n, ALARMS, 0))] for shape in SHAPES for n in SIZES]
    return table(["clips are", "n", "mean: sign flip", "set metric: jackknife of the difference"], rows)


def smallest_table() -> str:
    """What n clips can show at best, alone and in the largest family."""
    rows = []
    for n in range(2, 13):
        p = st.sign_flip(np.ones(n)).smallest_p
        rows.append([str(n), f"{p:.5g}", "yes" if p <= ALPHA else "no", f"{min(1.0, 6 * p):.5g}", "yes" if 6 * p <= ALPHA else "no"])
    return table(["n", "smallest p", "can reach 0.05", "after Holm, first of 6", "can reach 0.05 there"], rows)


def detectable_table() -> str:
    """In standard deviations of the paired differences."""
    rows = [[str(n), f"{st.detectable_difference(1.0, n):.2f}"] for n in (2, 3, 4, 6, 10, 20, 40, 100)]
    return table(["n", "difference / sd"], rows)


def example() -> str:
    """Four clips, every one in favour, and no verdict."""
    a, b = [28.31, 26.92, 30.05, 27.44], [27.90, 26.51, 29.12, 27.13]
    judged = st.family([st.paired(a, b, True)])[0]
    c = judged.comparison
    more = st.family([st.paired([*a, 29.02, 26.18], [*b, 28.55, 25.60], True)])[0]
    assert c.low is not None
    assert c.high is not None
    assert c.effect is not None
    return f"""```
psnr of a: {a}
psnr of b: {b}
difference {c.difference:+.3f} dB, nominal 95 % {c.low:+.3f} .. {c.high:+.3f}, effect {c.effect:.2f}
p {c.p:.3f}, smallest attainable p {c.smallest_p:.3f}
verdict: {judged.verdict}
```

All four clips favour a, and the t interval leaves out 0, yet p cannot fall below {c.smallest_p:.3f} with four clips: the interval leans
on the differences being normal, which four clips cannot show, the sign flip leans on nothing. With two more clips in favour p is
{more.p:.5f} and the verdict `{more.verdict}`."""


def bias_example() -> str:
    """One simulated set of 40 clips."""
    truth, a, _ = clips(np.random.default_rng(7), "normal", 40)
    found = st.small_sample_bias(distance(a, truth), 40)
    assert found is not None
    rows = [[str(size), f"{mean:.4f}"] for size, mean in zip(found.sizes, found.means, strict=True)]
    return f"""{table(["clips", "Frechet distance"], rows)}

Value at 40 clips {found.value:.4f}, extrapolated {found.limit:.4f}, bias {found.bias:+.4f}. The limit of this simulation is
{limit("normal"):.4f}."""


def page() -> str:
    """The whole page."""
    return f"""# Statistics: which interval, which test, and how far to trust them

Made by `python docs/make_statistics.py` from the functions in `benchmark/statistics`; do not edit. `--check` exits 1 when it is stale.

## What is used where

| for | interval | comparison of two methods |
| --- | --- | --- |
| a metric with a value a clip (PSNR, SSIM, LPIPS ...) | Student-t over clips (`t_interval`) | exact sign flip over clips up to 20, \
beyond that 100,000 seeded flips (`paired`) |
| a metric of the whole set (FID, FVD, KID ...) | delete-one-clip jackknife, beyond 40 clips 40 blocks in case order (`jackknife`) \
| jackknife of the difference, the same clip deleted on both sides (`jackknife_difference`) |
| one clip | none: the method says `none` | none |
| places of several methods | places left open, all at once in 95 % (`ranks`) | all pairs as above, under Holm |
| votes of people | t, clustered by rater and by clip (`clustered_mean`; its simulated coverage: docs/study.md) | win rates, Bradley-Terry (`bradley_terry`) |
| agreement of raters | bootstrap over units (`krippendorff`) | none |
| rank correlations | jackknife over clusters on Fisher's scale (`spearman`, `kendall`) | none |

- Frames of a clip resemble each other, so clips are counted, never frames.
- No percentile bootstrap: with 4 clips its 95 % interval of a mean covers 80 %, with 10 it covers 90 %, and for a Frechet distance,
  which grows when clips repeat, it does not even contain its own value.
- The p values of a comparison's family (a protocol's primary variants, at most 6) are adjusted by Holm's method (`family`).
- A set metric of few clips is biased. The jackknife interval does not contain that bias; `small_sample_bias` shows it beside the value.

## Verdicts

- `better`, `worse`: the adjusted p is at most 0.05; the direction follows the metric. `differs`: the same where neither direction is
  better.
- `same`: only where an equivalence margin was stated and the whole interval of the difference lies inside it. A large p is not evidence
  of equality. Such an interval outranks p: who states a margin says that less does not matter.
- `cannot tell (n clips)`: everything else.

## Coverage: what `nominal 95 %` comes to

How often the interval holds what it should, simulated: {MEANS:,} experiments for means (Monte-Carlo error 0.2 to 0.3 points), {SETS:,}
for the tall set metric (0.5 points), {WIDE_SETS} for the wide one (1.1 points, up to 2.5 near 50 %). Normal clips, and skewed ones
(log-normal, sigma {SIGMA}, skewness {skewness():.1f}). The set metrics are Frechet distances to the truth of the same clips: *tall* has
{TALL.dimensions} features and {TALL.windows} windows a clip, so more rows than features; *wide* has {WIDE.dimensions} features and one
window a clip, so fewer, as FID and FVD over a handful of clips have.

*Average at n*: the interval holds what other draws of n clips would give on average. *Limit*: it holds the value at infinitely many
clips. *Bias factor*: average at n over limit.

{coverage_table()}

So a mean of skewed clips is covered less often than the label says. The jackknife holds near the label for what n clips give on
average; for the limit only where the bias factor is near 1. With fewer rows than features the distance is mostly bias: it says nothing
about the limit, and two scores may be compared only at the same clips.

## False alarms

How often p <= 0.05 between two methods that are equally good ({ALARMS:,} experiments, Monte-Carlo error about 0.9 points). 5 % or less
is honest.

{alarm_table()}

## Smallest attainable p

With n clips there are 2^n sign patterns, and the observed one and its mirror image always count: p cannot go below 2 / 2^n, however
large the difference. In a family of 6 the first step of Holm multiplies it by 6.

{smallest_table()}

Beyond 20 clips 100,000 patterns are drawn, and p cannot go below {st.sign_flip(np.ones(21)).smallest_p:.3g}.

## Example of `cannot tell`

{example()}

## Detectable difference

The smallest true mean difference, in standard deviations of the paired differences, that a two-sided paired t test at 0.05 finds four
times out of five (`detectable_difference`, exact non-central t).

{detectable_table()}

## Small-sample bias

One simulated set of 40 clips, value against number of clips, extrapolated in 1/clips (Chong and Forsyth 2020):

{bias_example()}

## Frechet distance

`frechet_distance` takes no matrix root. Tr sqrt(S1 S2) is the sum of the singular values of Xc Yc^T over sqrt((n1 - ddof)(n2 - ddof)):
for any n1, n2 and d, dead features and single rows included. With more rows than features on both sides, the same number comes from a
Cholesky factor and symmetric eigenvalues where both covariances are of full rank, else from QR factors. Identical sets give 0 within
1e-8 of the traces; a value below 0 by less than that is rounding and reported as 0. `ddof` 1 divides by n - 1 (pytorch-fid, DisCo,
clean-fid), 0 by n (StyleGAN-V, cd-fvd). Another number of BLAS threads may change the last digits (1e-5 relative is promised).
"""


def skewness() -> float:
    """Of the log-normal: closed form."""
    w = math.exp(SIGMA**2)
    return (w + 2) * math.sqrt(w - 1)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write docs/statistics.md.")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when the page is stale")
    check = parser.parse_args().check
    text = page()
    if check:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print("up to date" if fresh else f"{PAGE.name} is stale: run python docs/make_statistics.py")
        return 0 if fresh else 1
    temporary = PAGE.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
