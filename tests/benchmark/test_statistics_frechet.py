"""Distances of feature sets, against frozen numbers, closed forms, identities and SciPy."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from benchmark.statistics import frechet, frechet_distance, frechet_from_moments, kid
from tests.deviations import Recorder
from tests.formula import hashed

Array = NDArray[np.float64]
FIXTURE = json.loads((Path(__file__).parent.parent / "fixtures" / "frechet.json").read_text(encoding="utf-8"))
SHAPES = {name: entry for name, entry in FIXTURE["from_features"].items() if "shape" in entry["y"]}
MOMENTS = FIXTURE["from_given_moments"]


def shape_of(text: str) -> tuple[int, int]:
    """The (n, d) a fixture's recipe ends with."""
    found = re.search(r"shape \((\d+), (\d+)\)", text)
    assert found
    return int(found[1]), int(found[2])


def features(n: int, d: int, key: str = "x") -> Array:
    """The fixture's recipe."""
    return ((hashed(key, n * d) >> np.uint64(40)).astype(np.float64) / 2**24).reshape(n, d)


def pair(name: str) -> tuple[Array, Array]:
    """Both sides of a fixture's entry."""
    x, y = (shape_of(SHAPES[name][side]) for side in "xy")
    return features(*x), 0.75 * features(*y, key="y") + 0.125


def traces(x: Array, y: Array) -> float:
    return sum(float(((s - s.mean(0)) ** 2).sum()) / max(len(s) - 1, 1) for s in (x, y))


def random(n: int, d: int, seed: int, decay: float = 0.5, rank: int | None = None) -> Array:
    """Rows with a decaying spectrum in a random orientation, of the given rank, shifted off zero."""
    rng = np.random.default_rng(seed)
    rank = rank or d
    return (rng.standard_normal((n, rank)) * np.arange(1, rank + 1) ** -decay) @ rng.standard_normal((rank, d)) + rng.standard_normal(d)


def by_definition(x: Array, y: Array, ddof: int = 1) -> float:
    """The formula with SciPy's symmetric eigen-solver and its roots, no code shared: Tr sqrt(S1 S2) = Tr sqrt(sqrt(S1) S2 sqrt(S1))."""
    s1, s2 = (np.atleast_2d(np.cov(s, rowvar=False, ddof=ddof)) for s in (x, y))

    def root(s: Array) -> Array:
        w, v = scipy.linalg.eigh(s)
        return (v * np.sqrt(np.maximum(w, 0))) @ v.T

    middle = root(s1) @ s2 @ root(s1)
    cross = np.sqrt(np.maximum(scipy.linalg.eigvalsh((middle + middle.T) / 2), 0)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * cross)


@pytest.mark.parity
@pytest.mark.parametrize(("ddof", "column"), [(1, "exact, covariance / (N - 1)"), (0, "exact, covariance / N")])
@pytest.mark.parametrize("name", SHAPES)
def test_frozen_features(name: str, ddof: int, column: str, record_deviation: Recorder) -> None:
    """Expected: the fixture's exact columns, to the 1e-9 it states."""
    expected = SHAPES[name]["results"][column]
    off = frechet_distance(*pair(name), ddof=ddof) / expected - 1
    record_deviation("frechet_distance", column, off, tolerance=1e-9, unit="relative")


@pytest.mark.parity
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "code",
    [
        "DisCo fid_from_feats",
        "pytorch_fid calculate_frechet_distance on mean and np.cov",
        "clean-fid frechet_distance on mean and np.cov",
        "common_metrics videogpt frechet_distance (float64 input)",
        "common_metrics styleganv frechet_distance",
        "DisCo frechet_distance under SciPy 1.11.1 and NumPy 1.26.4",
    ],
)
def test_original_code_is_within_the_gap_of_its_matrix_root(name: str, code: str, record_deviation: Recorder) -> None:
    """Expected: what the original code returned, within 1e-4 (the gap of a matrix root of a singular product).

    Where it raised (text instead of a number) there is nothing to agree with; with one row the number belongs to another covariance when
    NumPy is old (`versions_matter` in the fixture). Our own value there is held by the exact columns above.
    """
    value = SHAPES[name]["results"][code]
    if isinstance(value, str) or (name == "n = 1" and "NumPy 1.26.4" in code):
        assert math.isfinite(frechet_distance(*pair(name)))
    else:
        off = frechet_distance(*pair(name)) / value - 1
        record_deviation("frechet_distance", f"{code}: its value", off, tolerance=1e-4, unit="relative")


@pytest.mark.parity
@pytest.mark.parametrize("name", SHAPES)
def test_cdfvd_divides_by_n(name: str, record_deviation: Recorder) -> None:
    """Expected: cd-fvd's value, features cast to float32, is ours with ddof 0 within 1e-4."""
    code = "cd-fvd FeatureStats (covariance / N, features cast to float32) + compute_fvd_from_stats"
    value = SHAPES[name]["results"][code]
    if isinstance(value, str):
        assert math.isfinite(frechet_distance(*pair(name), ddof=0))
    else:
        off = frechet_distance(*pair(name), ddof=0) / value - 1
        record_deviation(
            "frechet_distance, ddof 0", "cd-fvd compute_fvd_from_stats (float32 features)", off, tolerance=1e-4, unit="relative"
        )


@pytest.mark.parity
def test_frozen_identical_sets() -> None:
    """Expected: exactly 0 in the fixture, where the originals return -2e-7 and -1.5e-4."""
    x = features(15, 64)
    assert FIXTURE["from_features"]["identical sets, n < d"]["results"]["exact"] == 0
    assert 0 <= frechet_distance(x, x) <= 1e-8 * traces(x, x)


@pytest.mark.parity
@pytest.mark.parametrize("name", MOMENTS)
def test_frozen_moments(name: str, record_deviation: Recorder) -> None:
    """Expected: the fixture's column by eigenvalues. It is itself 4e-8 off where both matrices are singular (true value 1.3125)."""
    entry = MOMENTS[name]
    value = frechet_from_moments(entry["mu1"], entry["sigma1"], entry["mu2"], entry["sigma2"])
    # the column itself is 4e-8 off where both matrices are singular; that case has a closed form of its own below
    if name == "both singular":
        assert value == pytest.approx(entry["results"]["by eigenvalues"], abs=1e-7)
    else:
        off = value - entry["results"]["by eigenvalues"]
        record_deviation("frechet_from_moments", "given moments, by eigenvalues", off, tolerance=1e-9)


def test_both_singular_moments_closed_form() -> None:
    """Equal covariances leave the squared distance of the means: 0.25 + 1 + 0.0625."""
    entry = MOMENTS["both singular"]
    assert frechet_from_moments(entry["mu1"], entry["sigma1"], entry["mu2"], entry["sigma2"]) == pytest.approx(1.3125, rel=1e-12)


@pytest.mark.parametrize(
    ("n1", "n2", "d"),
    [(60, 80, 8), (9, 9, 8), (8, 9, 8), (5, 90, 20), (90, 5, 20), (6, 7, 30), (200, 150, 64), (2, 2, 5)],
)
@pytest.mark.parametrize("ddof", [0, 1])
def test_against_the_definition(n1: int, n2: int, d: int, ddof: int) -> None:
    """Expected: the definition through SciPy; 1e-6 because roots of zero eigenvalues cost it half the digits."""
    x, y = random(n1, d, 1), random(n2, d, 2) * 1.3
    tolerance = 1e-10 if min(n1, n2) > d + 1 else 1e-6
    assert frechet_distance(x, y, ddof) == pytest.approx(by_definition(x, y, ddof), rel=tolerance)


def test_one_dimension_closed_form() -> None:
    """(m1 - m2)^2 + (s1 - s2)^2 for d = 1."""
    x, y = features(20, 1), 3 * features(30, 1, "y")
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert frechet_distance(x, y) == pytest.approx(float(expected), rel=1e-12)


REGIMES = [(12, 40, None), (41, 40, None), (120, 40, None), (120, 40, 10), (300, 6, None)]


@pytest.mark.parametrize(("n", "d", "rank"), REGIMES)
@pytest.mark.parametrize("decay", [0.0, 1.0, 3.0])
def test_identical_sets_give_zero(n: int, d: int, rank: int | None, decay: float) -> None:
    """Identity, within the promised 1e-8 of the traces, and never below 0; also when the rows come in another order."""
    x = random(n, d, 3, decay, rank)
    for other in (x, x[::-1]):
        assert 0 <= frechet_distance(x, other) <= 1e-8 * traces(x, x)


@pytest.mark.parametrize(("n", "d", "rank"), REGIMES)
def test_symmetry(n: int, d: int, rank: int | None) -> None:
    """Identity: F(x, y) = F(y, x)."""
    x, y = random(n, d, 4, rank=rank), random(n + 9, d, 5)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)


@pytest.mark.parametrize(("n", "d", "rank"), REGIMES)
def test_translation_and_scaling(n: int, d: int, rank: int | None) -> None:
    """Identities: F(x + t, x) = |t|^2; F(c x, c y) = c^2 F(x, y); F(c (x - m), x - m) = (c - 1)^2 Tr S."""
    x, y = random(n, d, 6, rank=rank), random(n, d, 7)
    t = np.linspace(-1, 1, d)
    assert frechet_distance(x + t, x) == pytest.approx(float(t @ t), rel=1e-8, abs=1e-8 * traces(x, x))
    assert frechet_distance(5 * x, 5 * y) == pytest.approx(25 * frechet_distance(x, y), rel=1e-9)
    centred = x - x.mean(0)
    assert frechet_distance(3 * centred, centred) == pytest.approx(4 * traces(x, x) / 2, rel=1e-9)


@pytest.mark.parametrize(("n1", "n2"), [(100, 90), (12, 90), (12, 9)])
def test_dead_columns_change_nothing(n1: int, n2: int) -> None:
    """Identity: columns that are constant and equal on both sides add nothing; constant and unequal ones add their squared difference."""
    x, y = random(n1, 10, 8), random(n2, 10, 9)
    expected = frechet_distance(x, y)
    dead_x, dead_y = np.full((n1, 3), 0.25), np.full((n2, 3), 0.25)
    assert frechet_distance(np.hstack((dead_x, x)), np.hstack((dead_y, y))) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(np.hstack((dead_x + 2, x)), np.hstack((dead_y, y))) == pytest.approx(expected + 12, rel=1e-9)


def test_column_dead_on_one_side_only() -> None:
    """A column alive in x alone adds its variance: the block of the product is zero, so closed form."""
    x, y = random(100, 6, 10), random(90, 6, 11)
    alive = features(100, 1)
    alive -= x @ np.linalg.lstsq(x - x.mean(0), alive - alive.mean(), rcond=None)[0]  # uncorrelated with the others in this sample
    alive -= alive.mean()
    wide = frechet_distance(np.hstack((x, alive)), np.hstack((y, np.zeros((90, 1)))))
    assert wide == pytest.approx(frechet_distance(x, y) + float(alive.var(ddof=1)), rel=1e-9)


@pytest.mark.parametrize("n", [60, 12])
def test_repeated_columns(n: int) -> None:
    """Every column twice doubles the distance: an isometry times sqrt(2). Makes both covariances singular without a dead column."""
    x, y = random(n, 20, 12), random(n, 20, 13)
    assert frechet_distance(np.hstack((x, x)), np.hstack((y, y))) == pytest.approx(2 * frechet_distance(x, y), rel=1e-9)


@pytest.mark.parametrize("n", [300, 12])
def test_one_huge_feature(n: int) -> None:
    """Two independent blocks in closed form: the small ones' part is below rounding of the huge one's, (m1-m2)^2 + (s1-s2)^2 stays."""
    x, y = random(n, 20, 14), random(n, 20, 15)
    big_x, big_y = 1e9 * features(n, 1), 1e9 * features(n, 1, "y")
    expected = float((big_x.mean() - big_y.mean()) ** 2 + (big_x.std(ddof=1) - big_y.std(ddof=1)) ** 2)
    assert frechet_distance(np.hstack((x, big_x)), np.hstack((y, big_y))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scale", [1e150, 1e-150])
def test_magnitudes_whose_squares_leave_float64_cancel(scale: float) -> None:
    """Identity: F(c x, c y) = c^2 F(x, y), computed as ratio of two roots so that the expectation itself stays in range."""
    x, y = random(30, 5, 16), random(30, 5, 17)
    assert math.sqrt(frechet_distance(scale * x, scale * y)) / scale == pytest.approx(math.sqrt(frechet_distance(x, y)), rel=1e-9)


def test_beyond_float64_is_an_error() -> None:
    """1e200 squared does not exist in float64: no infinity leaves the function."""
    with pytest.raises(ValueError, match="too large"):
        frechet_distance(np.eye(3) * 1e200, np.ones((4, 3)))


def test_one_row_has_no_covariance() -> None:
    """Closed form: |mu1 - mu2|^2 + Tr S2, with the trace by NumPy's variance; two single rows leave the first term."""
    x, y = features(1, 8), features(12, 8, "y")
    gap = float(((x[0] - y.mean(0)) ** 2).sum())
    for ddof in (0, 1):
        assert frechet_distance(x, y, ddof) == pytest.approx(gap + float(y.var(axis=0, ddof=ddof).sum()), rel=1e-12)
        assert frechet_distance(x, y[:1], ddof) == pytest.approx(float(((x - y[:1]) ** 2).sum()), rel=1e-12)


def test_all_columns_constant() -> None:
    """Closed form: no spread on either side leaves the squared distance of the means, 4 columns x 3^2."""
    assert frechet_distance(np.full((9, 4), 5.0), np.full((8, 4), 2.0)) == pytest.approx(36, rel=1e-12)


def test_float32_is_computed_in_float64() -> None:
    """Identity: the same as after widening by hand, to the bit."""
    x, y = random(50, 8, 18).astype(np.float32), random(40, 8, 19).astype(np.float32)
    assert frechet_distance(x, y) == frechet_distance(x.astype(np.float64), y.astype(np.float64))


def test_input_is_left_alone() -> None:
    x, y = random(50, 8, 18), random(40, 8, 19)
    before = x.copy(), y.copy()
    frechet_distance(x, y)
    kid(x, y)
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


def test_both_routes_of_many_rows_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identity: the eigenvalue route, shown to be taken, against the QR route, forced."""
    x, y = random(400, 60, 20, 1.0), random(300, 60, 21, 1.0)
    a, b = x - x.mean(0), y - y.mean(0)
    assert frechet._root_by_eigenvalues(a, b, 399, 299) is not None
    fast = frechet_distance(x, y)
    monkeypatch.setattr(frechet, "_root_by_eigenvalues", lambda *_: None)
    assert frechet_distance(x, y) == pytest.approx(fast, rel=1e-10)


@pytest.mark.parametrize("side", ["x", "y"])
def test_near_singular_covariances_leave_the_fast_route(side: str) -> None:
    """A covariance of rank 59 of 60 on either side must not go through eigenvalues."""
    full, thin = random(400, 60, 22, 0.0), random(300, 60, 23, 0.0, rank=59)
    a, b = (thin, full) if side == "x" else (full, thin)
    a, b = a - a.mean(0), b - b.mean(0)
    assert frechet._root_by_eigenvalues(a, b, len(a) - 1, len(b) - 1) is None


@pytest.mark.parametrize(
    ("x", "y", "ddof", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), 1, "2 features a row, y has 4"),
        (np.ones(3), np.ones((3, 4)), 1, "x must be a matrix"),
        (np.ones((3, 4)), np.ones((0, 4)), 1, "y must be a matrix"),
        (np.ones((3, 0)), np.ones((3, 0)), 1, "x must be a matrix"),
        (np.ones((3, 4)), np.ones((3, 4)), 2, "ddof"),
        (np.ones((3, 4), complex), np.ones((3, 4)), 1, "real numbers"),
        (np.ones((3, 4)), np.array([[1.0] * 4, [1, np.nan, 1, 1], [np.inf] * 4]), 1, r"y holds .* first in row 1 \(2 of 3 rows\)"),
    ],
)
def test_refused(x: Any, y: Any, ddof: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(x, y, ddof)


@pytest.mark.parametrize(
    ("mu1", "s1", "mu2", "s2", "message"),
    [
        ([1.0], [[1.0]], [1.0, 2.0], np.eye(2), "one length"),
        ([1.0, 2.0], np.eye(3), [1.0, 2.0], np.eye(2), "s1 must be of shape"),
        ([1.0, 2.0], np.eye(2), [1.0, 2.0], [[1.0, 0.5], [0.0, 1.0]], "s2 is not symmetric"),
        ([1.0, 2.0], [[1.0, 0.0], [0.0, -1.0]], [1.0, 2.0], np.eye(2), "s1 is no covariance"),
        ([1.0, np.nan], np.eye(2), [1.0, 2.0], np.eye(2), "mu1 holds a NaN"),
    ],
)
def test_refused_moments(mu1: Any, s1: Any, mu2: Any, s2: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_from_moments(mu1, s1, mu2, s2)


@pytest.mark.parametrize("n", [80, 15])
def test_moments_agree_with_features(n: int) -> None:
    """Identity: the same distance from features and from their NumPy moments; singular ones within roots of rounding."""
    x, y = random(n, 30, 24), random(n + 5, 30, 25)
    moments = frechet_from_moments(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))
    assert moments == pytest.approx(frechet_distance(x, y), rel=1e-9)


def kid_by_loops(x: Array, y: Array) -> float:
    """The definition of the unbiased MMD^2, pair by pair."""

    def k(a: Array, b: Array) -> float:
        return (float(a @ b) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    own_x = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    own_y = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return own_x + own_y - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


@pytest.mark.parametrize(("m", "n", "d"), [(2, 2, 3), (7, 5, 4), (12, 9, 30)])
def test_kid_by_definition(m: int, n: int, d: int) -> None:
    """Expected: the double sum, by hand."""
    x, y = features(m, d), 2 * features(n, d, "y")
    assert kid(x, y) == pytest.approx(kid_by_loops(x, y), rel=1e-10)


def test_kid_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identity: the block size is no part of the number."""
    x, y = features(50, 6), features(33, 6, "y")
    whole = kid(x, y)
    monkeypatch.setattr(frechet, "BLOCK", 7)
    assert kid(x, y) == pytest.approx(whole, rel=1e-10, abs=1e-14)


def test_kid_small_closed_form() -> None:
    """By hand, d = 1: x = 0, 0; y = 1, 1: k(0, 0) = 1, k(1, 1) = 8, k(0, 1) = 1, so 1 + 8 - 2."""
    assert kid([[0.0], [0.0]], [[1.0], [1.0]]) == pytest.approx(7)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((1, 3)), np.ones((4, 3)), "two rows"),
        (np.ones((3, 2)), np.ones((3, 3)), "features a row"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), "y holds a NaN"),
        (np.full((3, 2), 1e200), np.ones((3, 2)), "too large"),
    ],
)
def test_kid_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kid(x, y)


@pytest.mark.peers
@pytest.mark.parametrize(("n", "d"), [(200, 40), (500, 64)])
def test_pytorch_fid(n: int, d: int) -> None:
    """Expected: pytorch-fid on full-rank moments, where its matrix root is sound."""
    peer = pytest.importorskip("pytorch_fid.fid_score").calculate_frechet_distance
    x, y = random(n, d, 26), random(n + 50, d, 27)
    expected = peer(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))
    assert frechet_distance(x, y) == pytest.approx(float(expected), rel=1e-8)


@pytest.mark.peers
def test_torchmetrics_kid() -> None:
    """Expected: torchmetrics' polynomial MMD over all samples, in float64."""
    peer = pytest.importorskip("torchmetrics.image.kid").poly_mmd
    torch = pytest.importorskip("torch")
    x, y = random(60, 20, 28), random(60, 20, 29)
    assert kid(x, y) == pytest.approx(float(peer(torch.from_numpy(x), torch.from_numpy(y))), rel=1e-9)
