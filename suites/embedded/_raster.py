"""Which triangle is seen at each pixel, and where on it: a z-buffer in NumPy, all triangles at once, exact in integers where it decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SUB = 256
"""Screen positions are whole multiples of 1/256 pixel, so that the last bits of a library's sine cannot move an edge."""
_NEAR = 1 << 38
"""Inverse depths (1/m) are compared in steps of 2^-38."""


@dataclass(frozen=True)
class Hits:
    """What is seen. pixel: (n,) row-major numbers of the covered pixels, ascending. triangle: (n,). bary: (n, 3) weights of its corners on the
    surface (perspective-correct, sum 1). depth: (n,) metres."""

    pixel: Ints
    triangle: Ints
    bary: Floats
    depth: Floats


def snap(points: Floats) -> Floats:
    """(..., 2) pixels -> the nearest multiples of 1/256."""
    found: Floats = np.rint(points * SUB) / SUB
    return found


def rasterise(points: Floats, depth: Floats, triangles: Ints, height: int, width: int) -> Hits:
    """points: (v, 2) x and y in pixels (the centre of the first pixel is at 0.5, 0.5). depth: (v,) metres before the camera. triangles: (t, 3);
    only those whose corners run clockwise on the screen are seen. Triangles with a corner nearer than 5 cm are left out.
    """
    xy = np.rint(points * SUB).astype(np.int64)
    inverse = 1.0 / np.maximum(depth, 0.05)
    a, b, c = (xy[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    near = (depth[triangles] > 0.05).all(axis=1)
    low = np.minimum(np.minimum(a, b), c)
    high = np.maximum(np.maximum(a, b), c)
    # Pixel k has its centre at k * SUB + SUB / 2.
    first = np.maximum(-((SUB // 2 - low) // SUB), 0)
    last = np.minimum((high - SUB // 2) // SUB, np.array([width - 1, height - 1]))
    across, down = (last - first + 1).T
    seen = np.flatnonzero((area > 0) & near & (across > 0) & (down > 0))
    a, b, c, area, first, across, down = a[seen], b[seen], c[seen], area[seen], first[seen], across[seen], down[seen]
    counts = across * down
    which = np.repeat(np.arange(len(seen)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    wide = across[which]
    row = place // wide
    px = (first[which, 0] + place - row * wide) * SUB + SUB // 2
    py = (first[which, 1] + row) * SUB + SUB // 2
    edges = []
    for p, q in ((b, c), (c, a), (a, b)):
        step = q - p
        constant = step[:, 1] * p[:, 0] - step[:, 0] * p[:, 1]
        edges.append(step[which, 0] * py - step[which, 1] * px + constant[which])
    inside = np.flatnonzero((edges[0] | edges[1] | edges[2]) >= 0)
    which = which[inside]
    weights = np.stack([edge[inside] for edge in edges], axis=1) / area[which][:, None]
    corner = inverse[triangles[seen]][which]
    shares = weights * corner
    nearness = shares.sum(axis=1)
    pixel = (py[inside] // SUB) * width + px[inside] // SUB
    key = (nearness * _NEAR).astype(np.int64)  # nearest wins; equal ones: the later triangle
    rank = (key << 18) | which
    best = np.full(height * width, -1, np.int64)
    np.maximum.at(best, pixel, rank)
    won = np.flatnonzero(best[pixel] == rank)
    order = won[np.argsort(pixel[won], kind="stable")]
    bary: Floats = shares[order] / nearness[order][:, None]
    return Hits(pixel[order], seen[which[order]], bary, 1.0 / nearness[order])


def blend(values: NDArray[np.floating], triangles: Ints, hits: Hits) -> Floats:
    """(v, ...) values at vertices -> (n, ...) at the hits."""
    corners = values[triangles[hits.triangle]]
    found: Floats = np.einsum("nk,nk...->n...", hits.bary, corners)
    return found
