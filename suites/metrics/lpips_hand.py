"""LPIPS of the hand: each hand cut out of both frames, brought to one size, and compared as lpips compares whole pictures."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmark.model import Frames, Metric, Values
from benchmark.resize import bicubic
from benchmark.rows import Look, RegionVariant, Rows
from suites.metrics._hands import HAND_PART
from suites.metrics._region_scores import WHERE, Read
from suites.metrics.lpips import distance
from suites.people._regions import Rule, around

SIDE = 64
"""Pixels a side of every cut. LPIPS depends on the size it sees and AlexNet takes nothing below 31, so hands near and far are shown alike: at a short side
of 512 the boxes of drawn hands are 29 to 60 pixels large on whole dancers (median 41) and 97 to 205 in close views (median 175). One size also keeps
the network's input shape, and with it the bits, constant."""
RULES: tuple[Rule, ...] = ("box", "union")


def cut(frame: Frames, where: tuple[int, int, int, int]) -> Frames:
    """(h, w, 3) and a rectangle of it -> (1, SIDE, SIDE, 3) float32: antialiased bicubic, on 0..255, not rounded. A clipped one is stretched."""
    x0, y0, x1, y1 = where
    return np.asarray(bicubic(frame[None, y0:y1, x0:x1], SIDE, SIDE), np.float32)


def over(read: Read, rule: Rule, generated: Frames, truth: Frames, ours: Rows, theirs: Rows, look: Look) -> Values:
    """(n,) mean over the hands of the truth's frame; NaN where the truth shows none."""
    mine, real = read(ours), read(theirs)
    height, width = truth.shape[1:3]
    values = np.full(len(truth), np.nan)
    for k in range(len(truth)):
        found = []
        for g in np.flatnonzero(real.there[k]):
            other = mine.points[k, g][mine.seen[k, g]] if mine.there[k, g] else None
            where = around(rule, real.points[k, g][real.seen[k, g]], other, width, height)
            if where is not None:
                found.append(where)
        if found:
            rows = look(np.concatenate([cut(side[k], where) for side in (generated, truth) for where in found]))
            values[k] = float(distance(rows[: len(found)], rows[len(found) :]).mean())
    return values


def _variants() -> tuple[RegionVariant, ...]:
    where = {
        "box": WHERE["box"],
        "union": "the smallest rectangle around the box of the truth's keypoints and that of the generated frame's",
    }
    return tuple(
        RegionVariant(
            id=f"{detector}-{rule}{ending}",
            extractor=extractor,
            network=network,
            score=partial(over, read, rule),
            left_out="no-hand",
            summary=f"{network} as in {shown} on the cut-out of {where[rule]}, brought to {SIDE}x{SIDE} (antialiased bicubic, float; a clipped one is "
            f"stretched); each hand one sample, then the frame, then the clip; {words}; frames in whose truth there is no hand are left out "
            "and counted",
            source=f"{HAND_PART.source}; lpips 0.1.4",
        )
        for detector, extractor, read, words in HAND_PART.by
        for network, shown, ending in (("lpips-alex", "lpips@alex", ""), ("lpips-vgg", "lpips@vgg", "-vgg"))
        for rule in RULES
    )


SPEC = Metric(name="lpips-hand", title="LPIPS hand", higher_is_better=False, decimals=4, variants=_variants())
