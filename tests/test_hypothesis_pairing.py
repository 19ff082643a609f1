"""Which output frame meets which truth frame, for random lengths, offsets, ranges and rates. Expected pairs come from brute force over the definitions:
frame i of the output belongs to frame i + offset of the truth, or lies nearest in time; of two equally near the earlier."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.media import VideoInfo
from benchmark.model import FrameRule, ProtocolSpec, SizeRule, Source, TimeRule
from benchmark.pairing import Pairing, check_panels, pair, sizes

FPS = Fraction(25)
LENGTHS = st.integers(1, 60)
RATES = st.one_of(
    st.sampled_from(
        [Fraction(8), Fraction(25, 2), Fraction(15), Fraction(24000, 1001), Fraction(24), FPS, Fraction(30000, 1001), Fraction(30)]
    ),
    st.fractions(min_value=1, max_value=120, max_denominator=1001),
)


def info(frames: int, fps: Fraction | None = FPS, times: tuple[Fraction, ...] | None = None) -> VideoInfo:
    even = None if fps is None else tuple(i / fps for i in range(frames))
    return VideoInfo(
        path=Path("clip.mkv"), kind="video", width=64, height=64, frames=frames, times=times or even, fps=fps, variable=times is not None,
        codec="ffv1", pix_fmt="bgr0", matrix="rgb", color_range="full", colour_assumed=False, rotation=0, has_alpha=False, has_audio=False,
        bit_depth=8,
    )  # fmt: skip


def protocol(
    match: str = "common", rule: str = "equal", coverage: float = 0.0, minimum: int = 1, drop: bool = False, first: int | None = None
) -> ProtocolSpec:
    return ProtocolSpec(
        id="test-1", version=1, title="", pooling="clips", variants=(), primary=(),
        frames=FrameRule(match=match, coverage=coverage, minimum=minimum, drop_reference=drop, first=first),  # type: ignore[arg-type]
        size=SizeRule(to="truth", filter="bicubic"), time=TimeRule(rule=rule),  # type: ignore[arg-type]
    )  # fmt: skip


def attempt(*arguments: object) -> Pairing | InputError:
    try:
        return pair(*arguments)  # type: ignore[arg-type]
    except InputError as error:
        return error


def sound(found: Pairing, generated: int, truth: int) -> None:
    """What holds for every pairing: equal lengths, no frame outside, truth frames once and in order, output frames in order."""
    assert len(found.generated) == len(found.truth) >= 1
    assert all(0 <= i < generated for i in found.generated)
    assert all(0 <= j < truth for j in found.truth)
    assert all(a < b for a, b in pairwise(found.truth))
    assert all(a <= b for a, b in pairwise(found.generated))


SOURCE = Source(Path("clip.mkv"))


@given(LENGTHS, LENGTHS, st.integers(-80, 80), st.none() | st.integers(0, 60), st.none() | st.integers(1, 60))
def test_common_frames(ours: int, theirs: int, offset: int, reference: int | None, first: int | None) -> None:
    """Exactly the pairs (i, i + offset) both sides have, without the reference; an error where none is left."""
    rules = protocol(drop=True, first=first)
    found = attempt(info(ours), info(theirs), replace(SOURCE, offset=offset), rules, reference)
    if reference is not None and reference >= theirs:
        assert isinstance(found, InputError)
        assert found.code in ("bad-range", "too-short")
        return
    stop = theirs if first is None else min(theirs, first)
    expected = [(j - offset, j) for j in range(stop) if 0 <= j - offset < ours and j != reference]
    if not expected:
        assert isinstance(found, InputError)
        return
    assert isinstance(found, Pairing), str(found)
    sound(found, ours, theirs)
    assert list(zip(found.generated, found.truth, strict=True)) == expected
    met = reference is not None and 0 <= reference < stop and 0 <= reference - offset < ours
    assert found.reference == (reference if met else None)


@given(LENGTHS, LENGTHS, st.integers(-5, 5), st.sampled_from([0.5, 0.9, 0.95, 1.0]), st.integers(1, 20))
def test_covered_frames(ours: int, theirs: int, offset: int, coverage: float, minimum: int) -> None:
    """Accepted exactly where every output frame meets a truth frame, the share of truth frames is reached and enough are left."""
    found = attempt(info(ours), info(theirs), replace(SOURCE, offset=offset), protocol("covered", "equal", coverage, minimum), None)
    inside = offset >= 0 and ours + offset <= theirs
    enough = inside and Fraction(ours, theirs) >= Fraction(str(coverage)) and ours >= minimum
    assert isinstance(found, Pairing) == enough, str(found)
    if isinstance(found, Pairing):
        assert (found.generated, found.truth) == (tuple(range(ours)), tuple(range(offset, ours + offset)))
    else:
        assert found.code in ("uncovered", "too-short")


@given(LENGTHS, LENGTHS, st.integers(-5, 5), st.integers(-3, 65), st.integers(-3, 65))
def test_named_range(ours: int, theirs: int, offset: int, first: int, last: int) -> None:
    """A range replaces the rule that every output frame is met; its own frames must be covered; one that does not fit the truth is an error."""
    source = replace(SOURCE, offset=offset, range=(first, last))
    found = attempt(info(ours), info(theirs), source, protocol("covered", "equal", 0.95), None)
    if not 0 <= first < last <= theirs:
        assert isinstance(found, InputError)
        return
    expected = [j for j in range(first, last) if 0 <= j - offset < ours]
    if len(expected) < 0.95 * (last - first):
        assert isinstance(found, InputError)
        assert found.code == "uncovered"
    else:
        assert isinstance(found, Pairing), str(found)
        assert list(found.truth) == expected
        assert [i + offset for i in found.generated] == expected


def nearest(times: tuple[Fraction, ...], now: Fraction) -> int:
    """The definition: smallest distance, then the earlier time, then the first index."""
    return min(range(len(times)), key=lambda i: (abs(times[i] - now), times[i], i))


def within(times: tuple[Fraction, ...], now: Fraction, fps: Fraction) -> bool:
    """From half an output frame before the first to half a frame behind the last."""
    return times[0] - 1 / (2 * fps) <= now <= times[-1] + 1 / (2 * fps)


def check_nearest(ours: VideoInfo, theirs: VideoInfo, offset: int, found: Pairing) -> None:
    sound(found, ours.frames, theirs.frames)
    assert ours.times and theirs.times and ours.fps and theirs.fps  # noqa: PT018 - for the type checker
    shift = theirs.times[offset] if 0 <= offset < theirs.frames else offset / theirs.fps
    times = tuple(t + shift for t in ours.times)
    pairs = dict(zip(found.truth, found.generated, strict=True))
    for j, now in enumerate(theirs.times):
        best = nearest(times, now)
        if within(times, now, ours.fps):
            assert pairs.get(j) == best, (j, now, pairs.get(j), best)
        else:
            assert j not in pairs


@settings(max_examples=200)
@given(LENGTHS, LENGTHS, RATES, RATES, st.integers(-10, 40))
def test_retime_even_rates(ours: int, theirs: int, rate: Fraction, other: Fraction, offset: int) -> None:
    """Every pair is nearest, monotone, within both clips, and a tie goes to the earlier; truth frames before or behind the output stay unmatched."""
    a, b = info(ours, rate), info(theirs, other)
    found = attempt(a, b, replace(SOURCE, offset=offset), protocol("common", "nearest"), None)
    if isinstance(found, InputError):
        assert found.code == "too-short"
        assert a.times and b.times  # noqa: PT018 - for the type checker
        shift = b.times[offset] if 0 <= offset < theirs else offset / other
        assert not any(within(tuple(t + shift for t in a.times), now, rate) for now in b.times)
        return
    check_nearest(a, b, offset, found)


STEPS = st.lists(st.sampled_from([0, 0, 10, 20, 40, 40, 40, 55, 120]), min_size=1, max_size=40)


@settings(max_examples=200)
@given(STEPS, STEPS, st.integers(0, 10))
def test_retime_uneven_times(ours: list[int], theirs: list[int], offset: int) -> None:
    """The same for uneven clips, also where two frames carry one time (a broken muxer's habit)."""
    assume(sum(ours) > 0 and sum(theirs) > 0)
    clips = []
    for steps in (ours, theirs):
        times = tuple(Fraction(t, 1000) for t in accumulate(steps, initial=0))
        clips.append(info(len(times), (len(times) - 1) / times[-1], times))
    found = attempt(*clips, replace(SOURCE, offset=offset), protocol("common", "nearest"), None)
    if isinstance(found, Pairing):
        check_nearest(*clips, offset, found)


@given(st.integers(16, 60), RATES, st.integers(1, 6))
def test_retime_of_a_whole_multiple(frames: int, rate: Fraction, factor: int) -> None:
    """An output at `factor` times the truth's rate: truth frame j meets output frame factor * j, whatever the rate."""
    found = pair(info(factor * (frames - 1) + 1, rate * factor), info(frames, rate), SOURCE, protocol("covered", "nearest", 0.95, 16), None)
    assert found.generated == tuple(range(0, factor * (frames - 1) + 1, factor))
    assert found.rates == "nearest"


def test_ties_go_to_the_earlier() -> None:
    """Output at 1 frame a second, truth at 2: truth frame 1 lies exactly between output frames 0 and 1."""
    found = pair(info(3, Fraction(1)), info(5, Fraction(2)), SOURCE, protocol("common", "nearest"), None)
    assert dict(zip(found.truth, found.generated, strict=True)) == {0: 0, 1: 0, 2: 1, 3: 1, 4: 2}


@given(RATES, RATES)
def test_rates_equal_within_a_thousandth(ours: Fraction, theirs: Fraction) -> None:
    """Exact arithmetic: accepted exactly where |a / b - 1| <= 0.1 %."""
    found = attempt(info(20, ours), info(20, theirs), SOURCE, protocol("common", "equal"), None)
    limit = Fraction(0.001)
    assert isinstance(found, Pairing) == (abs(ours / theirs - 1) <= limit)
    ignored = pair(info(20, ours), info(20, theirs), SOURCE, protocol("common", "ignore"), None)
    assert ignored.rates == "ignored"


@pytest.mark.parametrize(("ours", "theirs"), [(None, FPS), (FPS, None), (None, None)])
def test_unknown_rates(ours: Fraction | None, theirs: Fraction | None) -> None:
    """Not checked and recorded as unknown; where frames are matched in time, an error that says whose rate is missing."""
    assert pair(info(20, ours), info(20, theirs), SOURCE, protocol("common", "equal"), None).rates == "unknown"
    with pytest.raises(InputError) as caught:
        pair(info(20, ours), info(20, theirs), SOURCE, protocol("common", "nearest"), None)
    assert "--fps" in str(caught.value)


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([None, 0.02]))
def test_sizes(w: int, h: int, tw: int, th: int, aspect: float | None) -> None:
    """To the truth's size; refused as panels within 2 % of 2, 3, 4 times its aspect unless a crop was named, and as another shape beyond 2 %."""
    rule = SizeRule(to="truth", filter="bicubic", aspect=aspect)
    relative = Fraction(w, h) / Fraction(tw, th)
    margins = [abs(abs(float(relative / k) - 1) - 0.02) for k in (1, 2, 3, 4)]
    assume(min(margins) > 1e-9)  # the edge itself is decided in floating point
    panels = any(abs(float(relative / k) - 1) <= 0.02 for k in (2, 3, 4))
    for cropped in (False, True):
        other = aspect is not None and abs(float(relative) - 1) > 0.02
        if other or (panels and not cropped):
            with pytest.raises(InputError) as caught:
                sizes((w, h), (tw, th), rule, path="x", cropped=cropped)
            assert caught.value.code == ("panels" if panels and not cropped else "aspect")
            assert caught.value.hint
        else:
            assert sizes((w, h), (tw, th), rule, path="x", cropped=cropped) == (tw, th)


@given(st.integers(1, 600), st.integers(1, 600), st.sampled_from([2, 3, 4]))
def test_panels_side_by_side(w: int, h: int, k: int) -> None:
    with pytest.raises(InputError, match=f"looks like {k} panels"):
        check_panels((k * w, h), (w, h), "x")
