"""Articulated noise: every value N(0, 1), and what one value says about another is what the surface says.

Expected numbers: moments of the normal distribution with the sampling error of the estimator; closed forms of the mix; identity of texels, computed
here from the maps by integer division; indices of torch; tracks of surface points found here by search in uv, without the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from adapters import _articulated_noise as an
from benchmark.errors import InputError
from suites.embedded import tiktok
from suites.embedded._film import Size

FRAMES, SIDE = 13, 128


@dataclass(frozen=True)
class Drawn:
    surface: an.Surface
    flow: np.ndarray
    seen: np.ndarray


@pytest.fixture(scope="module")
def dancer() -> Drawn:
    """Thirteen exact frames of a person who dances: with them four latent frames."""
    reel = tiktok.draw(3, Size(frames=FRAMES, height=SIDE, width=SIDE, fps=Fraction(15)))
    uv = reel.uv
    return Drawn(
        an.Surface(np.asarray(uv["part"], np.uint8), np.asarray(uv["uv"], np.uint16)), np.asarray(uv["flow"]), np.asarray(uv["flow_seen"])
    )


def random_surface(n: int, h: int, w: int, seed: int = 0) -> an.Surface:
    rng = np.random.default_rng(seed)
    return an.Surface(rng.integers(0, 4, (n, h, w), np.uint8), rng.integers(0, 65536, (n, h, w, 2), np.uint16))


def pairs(surface: an.Surface, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat pixels of frames a and b that show the same point of the surface, to half the distance of a pixel from its neighbour on the surface."""
    first, second = [], []
    for number in np.unique(surface.part[a])[1:]:
        p, q = np.flatnonzero(surface.part[a] == number), np.flatnonzero(surface.part[b] == number)
        if len(p) < 2 or not len(q):
            continue
        x = surface.uv[a].reshape(-1, 2)[p].astype(float)
        y = surface.uv[b].reshape(-1, 2)[q].astype(float)
        between = np.hypot(*(x[:, None] - x[None]).transpose(2, 0, 1))
        np.fill_diagonal(between, np.inf)
        far = np.hypot(*(x[:, None] - y[None]).transpose(2, 0, 1))
        near = far.argmin(axis=1)
        good = far[np.arange(len(p)), near] <= between.min(axis=1) / 2
        first.append(p[good])
        second.append(q[near[good]])
    return np.concatenate(first), np.concatenate(second)


def correlation(noise: np.ndarray, a: int, b: int, p: np.ndarray, q: np.ndarray) -> float:
    """Of N(0, 1) values: the mean product over points and channels, (n, C, H, W)."""
    flat = noise.reshape(*noise.shape[:2], -1)
    return float(np.mean(flat[a][:, p] * flat[b][:, q]))


def carried(drawn: Drawn, channels: int, seed: int) -> np.ndarray:
    """Noise carried from frame to frame by the exact flow, to the nearest pixel, without averaging; uncovered pixels are drawn anew."""
    rng = np.random.default_rng(seed)
    n, h, w = drawn.surface.part.shape
    frames = [rng.standard_normal((channels, h * w))]
    ys, xs = np.mgrid[:h, :w]
    for t in range(n - 1):
        after = rng.standard_normal((channels, h * w))
        ok = drawn.seen[t] & (drawn.surface.part[t] > 0)
        x = np.floor(xs[ok] + 0.5 + drawn.flow[t][ok][:, 0]).astype(int)
        y = np.floor(ys[ok] + 0.5 + drawn.flow[t][ok][:, 1]).astype(int)
        after[:, y * w + x] = frames[-1][:, np.flatnonzero(ok)]
        frames.append(after)
    return np.stack(frames).reshape(n, channels, h, w)


@pytest.mark.parametrize(("gamma", "background"), [(0.0, "fresh"), (0.0, "fixed"), (0.1, "fresh"), (0.5, "fixed")])
def test_every_value_is_standard_normal(gamma: float, background: an.Background) -> None:
    # One value a seed is an independent draw: over N seeds mean, variance and 4th moment of N(0, 1) are 0, 1, 3 with standard errors
    # 1/sqrt(N), sqrt(2/N), sqrt(96/N). Five of them bound 16 x 4 values by chance with probability < 1e-4.
    surface = random_surface(5, 16, 16)
    n = 3000
    drawn = np.stack(
        [an.latents(surface, 5, (16, 16), k, layout="wan", channels=1, gamma=gamma, texels=3, background=background) for k in range(n)]
    )
    values = drawn.reshape(n, -1).astype(np.float64)
    assert np.abs(values.mean(axis=0)).max() < 5 / n**0.5
    assert np.abs(values.var(axis=0) - 1).max() < 5 * (2 / n) ** 0.5
    assert np.abs((values**4).mean(axis=0) - 3).max() < 5 * (96 / n) ** 0.5


def test_channels_and_texels_are_independent_and_parts_too() -> None:
    # Two parts at the same uv, two texels of one part, one background pixel; two channels: ten values, no correlation, standard error 1/sqrt(N).
    uv = np.zeros((1, 1, 4, 2), np.uint16)
    uv[0, 0, 2] = 65535
    surface = an.Surface(np.array([[[1, 2, 1, 0]]], np.uint8), uv)
    n = 4000
    values = np.stack([an.articulated(surface, an.every_pixel(surface), 2, k, texels=2).ravel() for k in range(n)])
    found = values.T @ values / n
    assert np.abs(found - np.diag(np.diag(found))).max() < 5 / n**0.5


def test_equal_where_texels_are_equal_and_only_there(dancer: Drawn) -> None:
    # A texel is floor(u * T / 65536), floor(v * T / 65536): computed here, compared pixel by pixel over the whole clip.
    side = 20
    noise = an.articulated(dancer.surface, an.every_pixel(dancer.surface), 2, 7, texels=side)
    part, uv = dancer.surface.part.astype(int), dancer.surface.uv.astype(int)
    on = part > 0
    name = (part * 10**6 + uv[..., 0] * side // 65536 * 1000 + uv[..., 1] * side // 65536)[on]
    values = noise.transpose(0, 2, 3, 1)[on]
    _, where, back = np.unique(name, return_index=True, return_inverse=True)
    assert (values == values[where][back]).all()
    assert len(np.unique(values[:, 0])) == len(where)


def test_noise_sticks_to_the_surface_flow_drifts_and_plain_knows_nothing(dancer: Drawn) -> None:
    # Tracks come from the search in uv. Texels of a map's pixel: two views of a point fall into one texel by the share that is counted here from uv.
    channels, sizes = 16, an.fitted(dancer.surface, 1.0)
    every = an.every_pixel(dancer.surface)
    noise = {
        "articulated": an.articulated(dancer.surface, every, channels, 1, texels=sizes),
        "coarse": an.articulated(dancer.surface, every, channels, 1, texels=an.fitted(dancer.surface, 8.0)),
        "flow": carried(dancer, channels, 2),
        "plain": np.random.default_rng(3).standard_normal((FRAMES, channels, SIDE, SIDE)),
    }
    found: dict[str, list[float]] = {key: [] for key in noise}
    for lag in (1, 4, 12):
        p, q = pairs(dancer.surface, 0, lag)
        assert len(p) > 250
        part, uv = dancer.surface.part.reshape(FRAMES, -1), dancer.surface.uv.reshape(FRAMES, -1, 2).astype(int)
        side = np.array([sizes.get(k, 1) for k in range(256)])[part[0][p]][:, None]
        first, then = uv[0][p] * side // 65536, uv[lag][q] * side // 65536
        same = float(np.mean((first == then).all(axis=1)))
        for key, values in noise.items():
            found[key].append(correlation(values, 0, lag, p, q))
        # Five standard errors: sums of z_a z_b over pairs of texels have a variance of at most 2 sum c^2, c = how often a texel stands in frame 0.
        times = np.unique(np.column_stack([part[0][p], first]), axis=0, return_counts=True)[1]
        assert found["articulated"][-1] == pytest.approx(same, abs=5 * (2 * float(np.sum(times**2)) / channels) ** 0.5 / len(p))
        assert abs(found["plain"][-1]) < 5 / (len(p) * channels) ** 0.5
    assert found["flow"][0] > found["flow"][1] > found["flow"][2]
    assert found["articulated"][2] > 2 * found["flow"][2]
    assert min(found["coarse"]) > 0.75


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_mix_has_the_closed_forms(gamma: float) -> None:
    # Var 1, and for values that were equal (1-g)^2 / ((1-g)^2 + g^2): 200,000 draws, standard error of a correlation <= 1/sqrt(N), of a variance
    # sqrt(2/N).
    n = 200_000
    texture = np.random.default_rng(1).standard_normal(n)
    mixed = an.degrade(np.stack([texture, texture])[:, None], gamma, 5)[:, 0]
    kept = (1 - gamma) ** 2 / ((1 - gamma) ** 2 + gamma**2)
    assert mixed.var(axis=1) == pytest.approx(1, abs=5 * (2 / n) ** 0.5)
    assert float(np.mean(mixed[0] * mixed[1])) == pytest.approx(kept, abs=5 * (2 / n) ** 0.5)
    # Cov(n', n) = (1-g) / sqrt((1-g)^2 + g^2)
    assert float(np.mean(mixed[0] * texture)) == pytest.approx(kept**0.5, abs=5 * (2 / n) ** 0.5)
    if gamma == 0:
        assert (mixed == texture).all()


def test_a_point_seen_twice_keeps_the_closed_form_under_the_mix() -> None:
    # The second frame shows the first one's points at other pixels: at gamma 0 the noise is moved with them to the bit; at 0.1 it correlates by
    # 0.81 / 0.82.
    first = random_surface(1, 64, 64, 4)
    order = np.random.default_rng(5).permutation(64 * 64)
    moved = an.Surface(first.part.reshape(1, -1)[:, order].reshape(1, 64, 64), first.uv.reshape(1, -1, 2)[:, order].reshape(1, 64, 64, 2))
    both = an.Surface(np.concatenate([first.part, moved.part]), np.concatenate([first.uv, moved.uv]))
    noise = an.articulated(both, an.every_pixel(both), 16, 9, texels=500)
    on = both.part[1].ravel() > 0
    flat = noise.reshape(2, 16, -1)
    assert (flat[1][:, on] == flat[0][:, order][:, on]).all()
    assert abs(float(np.mean(flat[1][:, ~on] * flat[0][:, order][:, ~on]))) < 5 / (16 * np.sum(~on)) ** 0.5
    mixed = an.degrade(noise, 0.1, 9).reshape(2, 16, -1)
    found = float(np.mean(mixed[1][:, on] * mixed[0][:, order][:, on]))
    assert found == pytest.approx(0.81 / 0.82, abs=5 * (2 / (16 * on.sum())) ** 0.5)


def test_background_is_fixed_or_fresh() -> None:
    surface = an.Surface(np.zeros((5, 16, 16), np.uint8), np.zeros((5, 16, 16, 2), np.uint16))
    fixed = an.articulated(surface, an.every_pixel(surface), 3, 1, background="fixed")
    fresh = an.articulated(surface, an.every_pixel(surface), 3, 1)
    assert (fixed == fixed[0]).all()
    assert abs(float(np.mean(fresh[0] * fresh[1]))) < 5 / (3 * 256) ** 0.5
    assert len(np.unique(fresh)) == fresh.size


def test_seed_decides_all_and_a_part_more_changes_no_other_part() -> None:
    surface = random_surface(5, 16, 16)
    made = [an.latents(surface, 5, (16, 16), seed, layout="wan", texels=4) for seed in (1, 1, 2)]
    assert (made[0] == made[1]).all()
    assert not np.isin(made[0], made[2]).any()
    fewer = an.Surface(np.where(surface.part == 2, 0, surface.part).astype(np.uint8), surface.uv)
    a, b = (an.articulated(s, an.every_pixel(s), 4, 1, texels=4).transpose(0, 2, 3, 1) for s in (surface, fewer))
    assert (a[surface.part != 2] == b[surface.part != 2]).all()
    assert not np.isin(a[surface.part == 2], b).any()


@pytest.mark.parametrize("layout", ["cogvideox", "wan"])
def test_shapes_of_the_two_models(layout: an.Layout) -> None:
    # CogVideoX: 49 frames of 480x720 are (B, 13, 16, 60, 90); Wan: 81 frames of 480x832 are (B, 16, 21, 60, 104). The second axis differs.
    frames, size, shape = (49, (480, 720), (1, 13, 16, 60, 90)) if layout == "cogvideox" else (81, (480, 832), (1, 16, 21, 60, 104))
    surface = random_surface(frames, 60, 90)
    made = an.latents(surface, frames, size, 0, layout=layout, texels=8)
    assert made.shape == shape
    assert made.dtype == np.float32
    other = an.latents(surface, frames, size, 0, layout="wan" if layout == "cogvideox" else "cogvideox", texels=8)
    assert (other.transpose(0, 2, 1, 3, 4) == made).all()
    more = an.latents(surface, frames, size, 0, layout=layout, texels=8, lead=1)
    axis = 1 if layout == "cogvideox" else 2
    assert (np.delete(more, 0, axis) == made).all()


def test_down_sampling_takes_the_pixels_it_says() -> None:
    surface = random_surface(9, 48, 64)
    full = an.articulated(surface, an.every_pixel(surface), 2, 3, texels=9, background="fixed")
    on = surface.part > 0
    by_stride = an.articulated(surface, an.cells(surface, 9, (48, 64)), 2, 3, texels=9)
    mask = on[::4, 4::8, 4::8][:, None].repeat(2, 1)
    assert (by_stride[mask] == full[::4, :, 4::8, 4::8][mask]).all()


@pytest.mark.parametrize(
    ("count", "made"), [(49, 13), (81, 21), (48, 13), (480, 60), (832, 104), (720, 90), (24, 7), (13, 13), (5, 9), (1000, 7), (77, 20)]
)
def test_nearest_is_torchs(count: int, made: int) -> None:
    import torch

    asked = torch.arange(count, dtype=torch.float64)[None, None]
    expected = torch.nn.functional.interpolate(asked, size=made, mode="nearest")[0, 0].numpy()
    assert (an.nearest(count, made) == expected).all()


def test_three_rules_of_time_differ_as_documented() -> None:
    assert an.strided(49, 4, 0).tolist() == an.resized(49, 13).tolist() == list(range(0, 49, 4))
    assert an.nearest(49, 13).tolist() == [0, 3, 7, 11, 15, 18, 22, 26, 30, 33, 37, 41, 45]
    assert an.strided(480, 8, 4).tolist() == list(range(4, 480, 8))
    assert an.nearest(480, 60).tolist() == list(range(0, 480, 8))
    assert an.resized(81, 21).tolist() == list(range(0, 81, 4))


def test_maps_of_another_size_are_read_where_the_centre_falls() -> None:
    # Clip pixel 8j + 4, centre 8j + 4.5, of 32; a map of 8 pixels: floor((8j + 4.5) / 4) = 2j + 1. A map of 64: floor((8j + 4.5) * 2) = 16j + 9.
    for side, expected in ((8, [1, 3, 5, 7]), (64, [9, 25, 41, 57]), (32, [4, 12, 20, 28])):
        found = an.cells(random_surface(5, side, side), 5, (32, 32))
        assert found.rows.tolist() == found.columns.tolist() == expected


def test_fitted_texels_are_as_large_as_a_cell() -> None:
    # A part that spans uv 0..1 over 256 x 256 pixels: 256 / 8 = 32 texels a side. Half of it each way over as many pixels: 64, for the whole is twice as wide.
    grid = np.arange(256) * 256
    for part_of, expected in ((1, 32), (2, 64)):
        uv = np.stack(np.broadcast_arrays(grid[None, :] // part_of, grid[:, None] // part_of), axis=-1).astype(np.uint16)
        assert an.fitted(an.Surface(np.ones((1, 256, 256), np.uint8), uv[None]), 8.0) == {1: expected}
    alone = an.Surface(np.eye(8, dtype=np.uint8)[None], np.zeros((1, 8, 8, 2), np.uint16))
    assert an.fitted(alone) == {1: 1}


def test_texels_of_a_cell_survive_the_down_sampling_and_those_of_a_pixel_do_not(dancer: Drawn) -> None:
    # Where a latent's own pixel is seen again four frames later, does the latent there hold the same number? A texel of 1/8 of a cell's side is
    # hit again by about 1 in 64 (1/64 of the cell's area), one of a cell's size by chance of overlap, about a half.
    at = an.cells(dancer.surface, FRAMES, (SIDE, SIDE))
    share = {}
    for cell in (1.0, 8.0):
        noise = an.articulated(dancer.surface, at, 1, 1, texels=an.fitted(dancer.surface, cell))[:, 0]
        kept = []
        for f in range(len(at.frames) - 1):
            p, q = pairs(dancer.surface, int(at.frames[f]), int(at.frames[f + 1]))
            picked = (p // SIDE % 8 == 4) & (p % SIDE % 8 == 4)
            p, q = p[picked], q[picked]
            kept.extend(noise[f][p // SIDE // 8, p % SIDE // 8] == noise[f + 1][q // SIDE // 8, q % SIDE // 8])
        assert len(kept) > 25
        share[cell] = float(np.mean(kept))
    assert share[1.0] < 0.15
    assert share[8.0] > 0.3


def test_a_clip_longer_than_its_maps_is_allowed_where_no_latent_looks_past_them() -> None:
    # 24 frames: a 25-frame clip looks at 0, 4, .., 24, which is not there; by `nearest` at floor(i * 25 / 7) <= 21, which is.
    surface = random_surface(24, 16, 16)
    with pytest.raises(InputError, match=r"24 frames[\s\S]*25 frames or more") as error:
        an.cells(surface, 25, (16, 16))
    assert error.value.code == "bad-uv"
    assert an.cells(surface, 25, (16, 16), rule="nearest").frames.max() == 21
    assert an.cells(surface, 21, (16, 16)).frames.tolist() == [0, 4, 8, 12, 16, 20]


@pytest.mark.parametrize(
    ("frames", "size", "code", "names"),
    [
        (24, (16, 16), "bad-length", "21 or 25"),
        (5, (20, 16), "bad-size", "20x16"),
        (0, (16, 16), "bad-length", "1 or 5"),
        (5, (0, 16), "bad-size", "0x16"),
    ],
)
def test_lengths_and_sizes_that_no_encoder_takes(frames: int, size: tuple[int, int], code: str, names: str) -> None:
    with pytest.raises(InputError, match=names) as error:
        an.cells(random_surface(24, 16, 16), frames, size)
    assert error.value.code == code


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_share_out_of_range(gamma: float) -> None:
    with pytest.raises(InputError, match=r"0\.\.1"):
        an.degrade(np.zeros((1, 1, 1, 1)), gamma, 0)


@pytest.mark.parametrize("texels", [0, 5000, {1: 4, 2: 4}])
def test_parts_without_texels(texels: int | dict[int, int]) -> None:
    surface = random_surface(1, 16, 16)
    with pytest.raises(InputError, match="part"):
        an.articulated(surface, an.every_pixel(surface), 1, 0, texels=texels)


PART, UV = np.zeros((3, 4, 6), np.uint8), np.zeros((3, 4, 6, 2), np.uint16)


def test_a_file_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "one.uv.npz", part=PART + 1, uv=UV + 7, flow=np.zeros(3))
    found = an.read(tmp_path / "one.uv.npz", frames=3, size=(4, 6))
    assert (found.part == 1).all()
    assert (found.uv == 7).all()


@pytest.mark.parametrize(
    ("arrays", "found", "expected"),
    [
        ({"part": PART}, "part", "part, uv"),
        ({"part": PART.astype(np.int64), "uv": UV}, "part int64", "part uint8"),
        ({"part": PART, "uv": UV.astype(np.float32)}, "uv float32", "uv uint16"),
        ({"part": PART, "uv": UV[:2]}, r"uv \(2, 4, 6, 2\)", r"uv \(n, h, w, 2\)"),
        ({"part": PART, "uv": UV[..., 0]}, r"uv \(3, 4, 6\)", r"uv \(n, h, w, 2\)"),
        ({"part": PART[:0], "uv": UV[:0]}, r"part \(0, 4, 6\)", r"part \(n, h, w\)"),
        ({"part": PART[:2], "uv": UV[:2]}, "2 frames", "3 frames"),
        ({"part": PART[:, :3], "uv": UV[:, :3]}, "3x6", "4x6"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, arrays: dict[str, np.ndarray], found: str, expected: str) -> None:
    path = tmp_path / "bad.uv.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=rf"bad\.uv\.npz[\s\S]*found: +.*{found}[\s\S]*expected: +.*{expected}") as error:
        an.read(path, frames=3, size=(4, 6))
    assert error.value.code == "bad-uv"


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_files_that_are_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.uv.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.uv\.npz"):
        an.read(path)


def test_damaged_pickled_or_single_arrays_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.uv.npz"
    np.savez_compressed(path, part=PART, uv=np.random.default_rng(0).integers(0, 9, UV.shape).astype(np.uint16))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 255
    path.write_bytes(whole)
    with pytest.raises(InputError, match="cannot be read"):
        an.read(path)
    np.savez(path, part=np.array([{}], object), uv=UV)
    with pytest.raises(InputError, match="cannot be read"):
        an.read(path)
    with (tmp_path / "single.uv.npz").open("wb") as file:
        np.save(file, PART)
    with pytest.raises(InputError, match=r"single\.uv\.npz"):
        an.read(tmp_path / "single.uv.npz")
    with pytest.raises(InputError, match=r"none\.uv\.npz"):
        an.read(tmp_path / "none.uv.npz")
