"""Rectangles: from what a user types to pixel edges."""

from __future__ import annotations

import math

from benchmark.errors import InputError
from benchmark.model import Rect

_HINT = "give x,y,w,h as four integers (pixels) or as four fractions with a decimal point or % (0.0,0.5,1.0,0.5)"


def parse_rect(text: str) -> Rect:
    """`x,y,w,h` -> Rect. All four with a decimal point or a % are fractions of width and height; all four integers are pixels.

    Raises InputError `bad-rect` for anything else, a mixture of both kinds included: `0,0,1,1` is one pixel, `0.0,0.0,1.0,1.0` the whole
    picture.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4:
        raise InputError("a rectangle has four parts", code="bad-rect", found=repr(text), hint=_HINT)
    fractional = ["." in part or part.endswith("%") for part in parts]
    if any(fractional) and not all(fractional):
        raise InputError("a rectangle mixes pixels and fractions", code="bad-rect", found=repr(text), hint=_HINT)
    try:
        if all(fractional):
            x, y, w, h = (float(part[:-1]) / 100 if part.endswith("%") else float(part) for part in parts)
        else:
            x, y, w, h = (float(int(part)) for part in parts)
    except ValueError:
        raise InputError("a part of the rectangle is not a number", code="bad-rect", found=repr(text), hint=_HINT) from None
    values = (x, y, w, h)
    if not all(math.isfinite(value) and value >= 0 for value in values) or (all(fractional) and max(values) > 1):
        raise InputError("a part of the rectangle is out of range", code="bad-rect", found=repr(text), hint=_HINT)
    return Rect(x, y, w, h, fractions=all(fractional))


def crop_box(rect: Rect, width: int, height: int) -> tuple[int, int, int, int]:
    """(x, y, w, h) in whole pixels of a rectangle on a picture of width x height pixels.

    Fractions: each of the four edges goes to the nearest pixel edge, halves upwards, so rectangles that share an edge keep sharing it.
    Raises InputError `bad-rect` where the rectangle leaves the picture, is empty, or names parts of pixels.
    """
    values = (rect.x, rect.y, rect.w, rect.h)
    named = f"{rect.x:g},{rect.y:g},{rect.w:g},{rect.h:g}" + (" (fractions)" if rect.fractions else "")
    if not all(math.isfinite(value) for value in values):
        raise InputError("the rectangle is not finite", code="bad-rect", found=named)
    if rect.fractions:
        left, top = math.floor(rect.x * width + 0.5), math.floor(rect.y * height + 0.5)
        right, bottom = math.floor((rect.x + rect.w) * width + 0.5), math.floor((rect.y + rect.h) * height + 0.5)
    elif all(float(value).is_integer() for value in values):
        left, top, right, bottom = int(rect.x), int(rect.y), int(rect.x + rect.w), int(rect.y + rect.h)
    else:
        raise InputError("the rectangle cuts through pixels", code="bad-rect", found=named, hint=_HINT)
    if right <= left or bottom <= top:
        raise InputError("the rectangle is empty", code="bad-rect", found=named, expected=f"at least one pixel of {width}x{height}")
    if left < 0 or top < 0 or right > width or bottom > height:
        raise InputError("the rectangle leaves the picture", code="bad-rect", found=named, expected=f"within {width}x{height}")
    return left, top, right - left, bottom - top
