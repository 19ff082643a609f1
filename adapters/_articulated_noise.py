"""Initial latents from articulated noise: Gaussian noise that lies on the body's surface and moves with it. numpy only.

Source: HumANDiff (arXiv:2604.05961), which replaces unstructured Gaussian noise by noise sampled on the surface of a body template, mixes it with
fresh noise and takes nearest neighbours, 8x8 in space and 4x in time. It has no public code. What it leaves open is a parameter here, with what
this project chose:

- The texture. Every body part has a square grid of texels with one independent N(0, 1) number a texel and channel. A pixel takes its texel's
  number as it is: no averaging, so every value is exactly N(0, 1) by itself. Pixels that share a texel are equal (correlation 1), pixels of
  different texels are independent (correlation 0), and channels are independent. `fitted` makes a texel as large as a latent's cell.
- The background. `fresh`: independent in every frame, the base model's own noise; this project's choice, since the paper puts noise on the body's
  surface and nowhere else. `fixed`: one field for all frames, which Go-with-the-Flow yields where nothing moves.
- The order. Fresh noise is mixed in after the down-sampling, as Go-with-the-Flow does; with nearest neighbours the distribution is the same.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, unreadable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rule = Literal["stride", "nearest"]
Background = Literal["fresh", "fixed"]
Layout = Literal["cogvideox", "wan"]
GAMMA = 0.1
"""Share of fresh noise at inference (HumANDiff); Go-with-the-Flow's script has 0.5."""
LEVELS = 65536
"""uv is stored as whole numbers of 0..65535."""
MOST_TEXELS = 1024
_TEXTURE, _BACKGROUND, _FRESH, _LEAD = range(4)


@dataclass(frozen=True)
class Surface:
    """part: (n, h, w) number of the body part at each pixel, 0 = none. uv: (n, h, w, 2) the place on it, 0..65535."""

    part: NDArray[np.uint8]
    uv: NDArray[np.uint16]


@dataclass(frozen=True)
class Cells:
    """Where a latent looks: numbers of frames (F,), of rows (H,) and of columns (W,) of the surface's maps."""

    frames: Ints
    rows: Ints
    columns: Ints


def read(path: Path, frames: int | None = None, size: tuple[int, int] | None = None) -> Surface:
    """The surface's maps from a `NAME.uv.npz` (docs/people.md). frames, size = (height, width): what they must have, where known.

    Raises InputError where the file cannot be read, holds other arrays, other types, other shapes, or another number or size of frames.
    """
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise _bad(path, "the uv file is a single array", f"shape {file.shape}", "an .npz that holds part and uv")
            held = {key: file[key] for key in ("part", "uv") if key in file}
            names = ", ".join(file.files)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise unreadable(path, error) from error
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise _bad(path, "the uv file cannot be read", str(error), "an .npz of plain arrays") from error
    if set(held) != {"part", "uv"}:
        raise _bad(path, "the uv file lacks arrays", names or "nothing", "part, uv")
    part, uv = held["part"], held["uv"]
    if part.dtype != np.uint8 or uv.dtype != np.uint16:
        raise _bad(path, "the uv file holds other types", f"part {part.dtype}, uv {uv.dtype}", "part uint8, uv uint16")
    if part.ndim != 3 or uv.shape != (*part.shape, 2) or 0 in part.shape:
        raise _bad(path, "the uv file holds other shapes", f"part {part.shape}, uv {uv.shape}", "part (n, h, w), uv (n, h, w, 2)")
    if frames is not None and len(part) != frames:
        raise _bad(path, "the uv file is of another length", f"{len(part)} frames", f"{frames} frames")
    if size is not None and part.shape[1:] != size:
        raise _bad(path, "the uv file is of another size", f"{part.shape[1]}x{part.shape[2]} (height x width)", f"{size[0]}x{size[1]}")
    return Surface(part, uv)


def _bad(path: Path, what: str, found: str, expected: str) -> InputError:
    show = f"print({{k: (v.dtype, v.shape) for k, v in numpy.load('{path}').items()}})"
    return InputError(what, code="bad-uv", path=path, found=found, expected=expected, hint=f'python -c "import numpy; {show}"')


def strided(count: int, step: int, first: int) -> Ints:
    """first, first + step, ... below count: 4i in time (step 4, first 0), 8j + 4 in space (step 8, first 4)."""
    return np.arange(first, count, step, dtype=np.int64)


def nearest(count: int, made: int) -> Ints:
    """The indices torch.nn.functional.interpolate(mode="nearest", size=made) takes of `count`: floor(i * count / made), the scale in float32.

    49 to 13: 0, 3, 7, 11, 15, 18, 22, 26, 30, 33, 37, 41, 45, so not 4i; and 8j in space, a cell's corner, where `stride` takes its middle.
    """
    # ATen computes scale = (float) input / output, then floor(i * scale) in float32 (UpSample.h, nearest_neighbor_compute_source_index).
    scale = np.float32(count) / np.float32(made)
    found: Ints = np.minimum(np.floor(np.arange(made, dtype=np.float32) * scale).astype(np.int64), count - 1)
    return found


def resized(count: int, made: int) -> Ints:
    """The frames Go-with-the-Flow's own script keeps (`resize_list`): round(i * (count - 1) / (made - 1)), halves to even.

    For 4k + 1 frames and k + 1 latents it is 4i: in time Go-with-the-Flow is `stride`, not `nearest`. In space it averages blocks, which only
    keeps the variance where all pixels of a block are independent; on a texture they are not.
    """
    step = (count - 1) / (made - 1) if count > 1 and made > 1 else 0.0
    return np.array([round(i * step) for i in range(made)], np.int64)


def cells(surface: Surface, frames: int, size: tuple[int, int], *, rule: Rule = "stride", time: int = 4, space: int = 8) -> Cells:
    """Where the latents of a clip of `frames` frames of size (height, width) look. time, space: the video encoder's strides.

    The maps may have another size than the clip: the map's pixel is the one in which the clip's pixel's centre falls. The clip may be longer than
    the maps by less than `time` frames (models want 4k + 1); no latent then looks at a frame that is not there, or it is an error.
    Raises InputError where frames is no multiple of time plus 1, the size no multiple of space, or a frame is missing.
    """
    if frames < 1 or (frames - 1) % time:
        low = max(0, (frames - 1) // time) * time + 1
        raise InputError(
            "the video encoder takes another number of frames",
            code="bad-length",
            found=f"{frames} frames",
            expected=f"a multiple of {time} plus 1: {low} or {low + time}",
        )
    height, width = size
    if height < space or width < space or height % space or width % space:
        raise InputError(
            "the video encoder takes another size",
            code="bad-size",
            found=f"{height}x{width} (height x width)",
            expected=f"multiples of {space}",
        )
    count = (frames - 1) // time + 1
    if rule == "nearest":
        chosen, rows, columns = nearest(frames, count), nearest(height, height // space), nearest(width, width // space)
    else:
        chosen, rows, columns = strided(frames, time, 0), strided(height, space, space // 2), strided(width, space, space // 2)
    held, tall, wide = surface.part.shape
    if chosen[-1] >= held:
        raise InputError(
            "the surface's maps are shorter than the clip",
            code="bad-uv",
            found=f"{held} frames",
            expected=f"{chosen[-1] + 1} frames or more for a clip of {frames}",
        )
    return Cells(chosen, (2 * rows + 1) * tall // (2 * height), (2 * columns + 1) * wide // (2 * width))


def every_pixel(surface: Surface) -> Cells:
    """The cells of noise that is not down-sampled: every pixel of every frame."""
    n, h, w = surface.part.shape
    return Cells(np.arange(n, dtype=np.int64), np.arange(h, dtype=np.int64), np.arange(w, dtype=np.int64))


def fitted(surface: Surface, cell: float = 8.0) -> dict[int, int]:
    """{part: texels along a side, 1..1024} that make a texel about as large as cell x cell of the map's pixels, in the middle of all it shows.

    Of the median, over pixels whose right and lower neighbours show the same part, of the area in uv that a pixel covers. A texel much smaller
    than a latent's cell is lost by the down-sampling, because the next latent frame looks at its neighbour; a much larger one makes neighbouring
    cells equal. One drawn dancer (dance-03) at 256 x 256, `stride`, four frames apart: the latent where a surface point went holds the same number in 3 % with
    texels of 1 pixel, 51 % of 8, 66 % of 16; neighbours are equal in 0 %, 21 %, 51 %. A part that nowhere shows three such pixels has 1 texel.
    """
    part = surface.part
    whole = (part[:, :-1, :-1] > 0) & (part[:, :-1, :-1] == part[:, :-1, 1:]) & (part[:, :-1, :-1] == part[:, 1:, :-1])
    at = np.nonzero(whole)
    uv = surface.uv
    here = uv[at].astype(np.float64) / LEVELS
    right = uv[at[0], at[1], at[2] + 1].astype(np.float64) / LEVELS - here
    down = uv[at[0], at[1] + 1, at[2]].astype(np.float64) / LEVELS - here
    area = np.abs(right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0])
    which = part[at]
    sizes = {}
    for number in np.unique(part[part > 0]):
        covered = float(np.median(area[which == number])) if np.any(which == number) else 1.0
        side = MOST_TEXELS if covered <= 0 else round(1 / (cell * covered**0.5))
        sizes[int(number)] = min(MOST_TEXELS, max(1, side))
    return sizes


def texel(uv: NDArray[np.uint16], side: int) -> Ints:
    """(..., 2) uv -> (...,) number of the texel, row by row: the one of side x side in whose square the point lies."""
    place = uv.astype(np.int64) * side // LEVELS
    found: Ints = place[..., 1] * side + place[..., 0]
    return found


def _normal(seed: int, key: tuple[int, ...], shape: tuple[int, ...]) -> Floats:
    # A stream of its own for every purpose and part: a part more in the picture changes no other part's noise.
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key))).standard_normal(shape)


def articulated(
    surface: Surface,
    at: Cells,
    channels: int,
    seed: int,
    *,
    texels: int | Mapping[int, int] | None = None,
    background: Background = "fresh",
) -> Floats:
    """(F, C, H, W) noise at these cells: every value N(0, 1). texels: along a side of each part's grid, one for all or {part: side}; None = fitted
    to cells that far apart. Raises InputError for a part without texels.
    """
    part = surface.part[np.ix_(at.frames, at.rows, at.columns)]
    uv = surface.uv[np.ix_(at.frames, at.rows, at.columns)]
    f, h, w = part.shape
    if texels is None:
        texels = fitted(surface, (surface.part.shape[1] / h * surface.part.shape[2] / w) ** 0.5)
    field = _normal(seed, (_BACKGROUND,), (1 if background == "fixed" else f, h, w, channels))
    noise = np.broadcast_to(field, (f, h, w, channels)).copy()
    for number in (int(k) for k in np.unique(part) if k):
        side = texels if isinstance(texels, int) else texels.get(number, 0)
        if not 1 <= side <= MOST_TEXELS:
            raise InputError(
                "a body part has no usable grid of texels", code="bad-texels", found=f"part {number}: {side}", expected=f"1..{MOST_TEXELS}"
            )
        texture = _normal(seed, (_TEXTURE, number), (side * side, channels))
        mask = part == number
        noise[mask] = texture[texel(uv[mask], side)]
    return np.ascontiguousarray(noise.transpose(0, 3, 1, 2))


def degrade(noise: Floats, gamma: float, seed: int) -> Floats:
    """((1 - g) n + g e) / sqrt((1 - g)^2 + g^2) with fresh e ~ N(0, 1): the variance stays 1 (Go-with-the-Flow, `blend_noise`).

    Two values that were equal then correlate by (1 - g)^2 / ((1 - g)^2 + g^2): 0.9878 at g = 0.1, 0.5 at g = 0.5. Raises InputError outside 0..1.
    """
    if not 0 <= gamma <= 1:
        raise InputError("the share of fresh noise is out of range", code="bad-gamma", found=f"{gamma:g}", expected="0..1")
    if gamma == 0:
        return noise
    fresh = _normal(seed, (_FRESH,), noise.shape)
    mixed: Floats = ((1 - gamma) * noise + gamma * fresh) / np.hypot(1 - gamma, gamma)
    return mixed


def latents(
    surface: Surface,
    frames: int,
    size: tuple[int, int],
    seed: int,
    *,
    layout: Layout,
    channels: int = 16,
    rule: Rule = "stride",
    gamma: float = GAMMA,
    texels: int | Mapping[int, int] | None = None,
    background: Background = "fresh",
    lead: int = 0,
    time: int = 4,
    space: int = 8,
) -> NDArray[np.float32]:
    """Initial latents of one clip: (1, F, C, H, W) for layout `cogvideox`, (1, C, F, H, W) for `wan`.

    F = (frames - 1) / time + 1, H = height / space, W = width / space; 49 frames of 480x720 make (1, 13, 16, 60, 90). lead: latent frames of plain
    noise in front, for models that put reference pictures there (VACE: one each). Raises InputError as `cells`, `articulated` and `degrade` do.
    """
    found = articulated(
        surface, cells(surface, frames, size, rule=rule, time=time, space=space), channels, seed, texels=texels, background=background
    )
    mixed = degrade(found, gamma, seed)
    if lead:
        mixed = np.concatenate([_normal(seed, (_LEAD,), (lead, *mixed.shape[1:])), mixed])
    if layout == "wan":
        mixed = mixed.transpose(1, 0, 2, 3)
    return np.ascontiguousarray(mixed[None], np.float32)
