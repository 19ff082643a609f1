"""Rectangles: expected boxes worked out by hand."""

from __future__ import annotations

import pytest

from benchmark.errors import InputError
from benchmark.media import crop_box, parse_rect
from benchmark.model import Rect


@pytest.mark.parametrize(
    ("text", "rect"),
    [
        ("0,0,1,1", Rect(0, 0, 1, 1)),
        ("0.0,0.0,1.0,1.0", Rect(0, 0, 1, 1, fractions=True)),
        (" 10, 20 ,30,40", Rect(10, 20, 30, 40)),
        ("50%,0%,50%,100%", Rect(0.5, 0, 0.5, 1, fractions=True)),
        ("0.5,0%,.5,1.", Rect(0.5, 0, 0.5, 1, fractions=True)),
    ],
)
def test_parse(text: str, rect: Rect) -> None:
    assert parse_rect(text) == rect


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "0,0,0.5,1",
        "a,b,c,d",
        "-1,0,5,5",
        "0.0,0.0,1.5,1.0",
        "nan.,0.,1.,1.",
        "1e3,0,1,1",
        "0,0,50%,50%",
        "%,%,%,%",
    ],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rect(text)
    assert caught.value.code == "bad-rect"
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("rect", "size", "box"),
    [
        (Rect(0, 0, 1, 1, fractions=True), (604, 604), (0, 0, 604, 604)),
        (Rect(1 / 3, 0, 1 / 3, 1, fractions=True), (1536, 768), (512, 0, 512, 768)),
        (Rect(0, 0, 0.5, 1, fractions=True), (5, 3), (0, 0, 3, 3)),  # 2.5 goes up ...
        (Rect(0.5, 0, 0.5, 1, fractions=True), (5, 3), (3, 0, 2, 3)),  # ... on both sides of the edge
        (Rect(0.1, 0.2, 0.9, 0.8, fractions=True), (10, 10), (1, 2, 9, 8)),  # 0.1 + 0.9 is 1.0 up to rounding
        (Rect(3, 4, 5, 6), (8, 10), (3, 4, 5, 6)),
    ],
)
def test_box(rect: Rect, size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    assert crop_box(rect, *size) == box


@pytest.mark.parametrize(
    "rect",
    [
        Rect(0, 0, 9, 10),
        Rect(1, 0, 8, 10),
        Rect(0, 0, 0, 5),
        Rect(0.5, 0, 2, 2),
        Rect(-1, 0, 2, 2),
        Rect(0.5, 0, 0.6, 1, True),
        Rect(0.5, 0, 0.01, 1, True),
        Rect(float("nan"), 0, 1, 1),
    ],
)
def test_box_refuses(rect: Rect) -> None:
    with pytest.raises(InputError) as caught:
        crop_box(rect, 8, 10)
    assert caught.value.code == "bad-rect"
