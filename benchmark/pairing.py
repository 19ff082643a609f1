"""Which output frame is compared with which truth frame, and at which size: the frame, time and size rules of a protocol. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from benchmark.errors import InputError
from benchmark.media import VideoInfo
from benchmark.model import FrameRule, ProtocolSpec, SizeRule, Source, TimeRule
from benchmark.resize import short_side

PANELS = (2, 3, 4)
PANEL_TOLERANCE = 0.02
SIZE = tuple[int, int]


@dataclass(frozen=True)
class Pairing:
    """Matched frames in truth order. generated[k] is compared with truth[k]; both are nondecreasing frame indices.

    rates: `equal`, `nearest`, `ignored` or `unknown` - what was found out about the two frame rates. reference: the truth frame left out, if any.
    """

    generated: tuple[int, ...]
    truth: tuple[int, ...]
    rates: str
    reference: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Counts and ends; the full list follows from the rules."""
        return {
            "frames": len(self.truth),
            "truth": [self.truth[0], self.truth[-1]],
            "generated": [self.generated[0], self.generated[-1]],
            "rates": self.rates,
            "reference_left_out": self.reference,
        }


def pair(generated: VideoInfo, truth: VideoInfo, source: Source, protocol: ProtocolSpec, reference_frame: int | None) -> Pairing:
    """Apply the time rule, the offset, the range and the frame rule. Raises InputError where the protocol states no rule that repairs the mismatch."""
    rates = _rates(generated, truth, protocol.time)
    lengths = f"{generated.frames} output frames, offset {source.offset}, {truth.frames} truth frames"
    if rates == "nearest":
        matches = _nearest(generated, truth, source, protocol)
    else:
        matches = {i + source.offset: i for i in range(generated.frames) if 0 <= i + source.offset < truth.frames}
        if protocol.frames.match == "covered" and source.range is None and len(matches) < generated.frames:
            raise InputError(
                "output frames meet no truth frame",
                code="uncovered",
                path=generated.path,
                found=f"{generated.frames - len(matches)} of them ({lengths})",
                expected="every output frame has a truth frame",
                hint="hvbench align finds the offset; --frames NAME=A:B names a range of truth frames",
            )
    first, last = _range(truth, source, protocol.frames)
    matches = {j: i for j, i in matches.items() if first <= j < last}
    if protocol.frames.coverage and len(matches) < protocol.frames.coverage * (last - first):
        raise InputError(
            "too few truth frames are covered",
            code="uncovered",
            path=generated.path,
            found=f"{len(matches)} of {last - first} truth frames ({lengths})",
            expected=f"at least {protocol.frames.coverage:.0%}",
            hint="hvbench align finds the offset; --frames NAME=A:B names a range of truth frames; strict-1-retime repairs other frame rates",
        )
    dropped = None
    if reference_frame is not None and not 0 <= reference_frame < truth.frames:
        raise InputError(
            "the reference frame is not in the truth",
            code="bad-range",
            path=truth.path,
            found=f"frame {reference_frame}",
            expected=f"0..{truth.frames - 1}",
            hint="--reference-frame NAME=K",
        )
    if protocol.frames.drop_reference and reference_frame is not None and matches.pop(reference_frame, None) is not None:
        dropped = reference_frame
    if len(matches) < protocol.frames.minimum:
        raise InputError(
            "too few matched frames",
            code="too-short",
            path=generated.path,
            found=f"{len(matches)} ({lengths})",
            expected=f"at least {protocol.frames.minimum} under {protocol.id}",
        )
    order = sorted(matches)
    return Pairing(tuple(matches[j] for j in order), tuple(order), rates, dropped)


def _range(truth: VideoInfo, source: Source, rule: FrameRule) -> tuple[int, int]:
    first, last = 0, truth.frames
    if rule.first is not None:
        last = min(last, rule.first)
    if source.range is not None:
        first, last = source.range
        if not 0 <= first < last <= truth.frames:
            raise InputError(
                "the range of truth frames does not fit",
                code="bad-range",
                path=truth.path,
                found=f"{first}:{last}",
                expected=f"0 <= A < B <= {truth.frames}",
            )
    return first, last


def _rates(generated: VideoInfo, truth: VideoInfo, rule: TimeRule) -> str:
    if rule.rule == "ignore":
        return "ignored"
    for side, info in (("truth", truth), ("NAME", generated)):
        if info.variable and rule.rule == "equal":
            raise InputError(
                "variable frame rate",
                code="variable-fps",
                path=info.path,
                found=f"uneven frame times, {_rate(info.fps)} on average",
                expected="evenly spaced frames",
                hint=f"--protocol strict-1-retime, or --fps {side}=F if its timestamps are wrong",
            )
    if generated.fps is None or truth.fps is None:
        if rule.rule == "nearest":
            info, side = (truth, "truth") if truth.fps is None else (generated, "NAME")
            raise InputError(
                "frame rate unknown", code="fps-unknown", path=info.path, expected="a rate, to match frames in time", hint=f"--fps {side}=F"
            )
        return "unknown"
    if rule.rule == "nearest":
        return "nearest"
    if abs(generated.fps / truth.fps - 1) > rule.tolerance:
        raise InputError(
            "frame rate differs from the truth's",
            code="fps-mismatch",
            path=generated.path,
            found=f"{_rate(generated.fps)}, truth {_rate(truth.fps)}",
            expected=f"equal within {rule.tolerance:.1%}",
            hint="--protocol strict-1-retime, or --fps NAME=F if the file's rate is wrong (hvbench align tries rates)",
        )
    return "equal"


def _rate(fps: Fraction | None) -> str:
    return "unknown" if fps is None else f"{float(fps):.6g} fps"


def _nearest(generated: VideoInfo, truth: VideoInfo, source: Source, protocol: ProtocolSpec) -> dict[int, int]:
    """Truth frame -> nearest output frame. Output frame 0 lies at the time of truth frame `offset`; exact rational arithmetic, ties to the earlier frame."""
    assert generated.times is not None
    assert truth.times is not None
    assert generated.fps is not None
    assert truth.fps is not None
    shift = truth.times[source.offset] if 0 <= source.offset < truth.frames else source.offset / truth.fps
    times = [t + shift for t in generated.times]
    half_out, step = 1 / (2 * generated.fps), 1 / truth.fps
    if protocol.frames.match == "covered" and source.range is None:
        outside = sum(1 for t in times if t < truth.times[0] - step or t > truth.times[-1] + step)
        if outside:
            raise InputError(
                "output frames lie outside the truth's time",
                code="uncovered",
                path=generated.path,
                found=f"{outside} of {len(times)}: output {_span(times)}, truth {_span(truth.times)}",
                expected="output within one truth frame of the truth's first and last",
                hint="hvbench align tries offsets and rates; --fps NAME=F; --frames NAME=A:B",
            )
    matches: dict[int, int] = {}
    i = 0
    for j, now in enumerate(truth.times):
        for k in range(i + 1, len(times)):  # over frames of one time, which a broken muxer writes: of equally near ones the first stays
            if abs(times[k] - now) > abs(times[i] - now):
                break
            i = k if abs(times[k] - now) < abs(times[i] - now) else i
        if times[0] - half_out <= now <= times[-1] + half_out:
            matches[j] = i
    return matches


def _span(times: Sequence[Fraction]) -> str:
    return f"{float(times[0]):.3f}..{float(times[-1]):.3f} s"


def sizes(generated: SIZE, truth: SIZE, rule: SizeRule, *, path: object, cropped: bool) -> SIZE:
    """(width, height) at which both sides are compared. generated, truth: (width, height) after cropping. Raises InputError on panels and other aspects."""
    relative = (generated[0] / generated[1]) / (truth[0] / truth[1])
    if not cropped:
        check_panels(generated, truth, path)
    if rule.aspect is not None and abs(relative - 1) > rule.aspect:
        raise InputError(
            "the picture's shape differs from the truth's",
            code="aspect",
            path=str(path),
            found=f"{generated[0]}x{generated[1]}, truth {truth[0]}x{truth[1]}",
            expected=f"width/height equal within {rule.aspect:.0%}",
            hint="--crop NAME=x,y,w,h (pixels, or fractions such as 0.5,0.0,0.5,1.0)",
        )
    if rule.to == "truth":
        return truth
    if rule.to == "fixed":
        assert rule.width is not None
        assert rule.height is not None
        return rule.width, rule.height
    assert rule.side is not None
    return short_side(truth[0], truth[1], rule.side)


def check_panels(size: SIZE, known: SIZE, path: object) -> None:
    """Refuse a picture that is k = 2, 3 or 4 times as wide for its height as the truth or reference (within 2 %): condition panels beside the result."""
    for k in PANELS:
        if abs((size[0] / size[1]) / (known[0] / known[1]) / k - 1) <= PANEL_TOLERANCE:
            raise InputError(
                f"looks like {k} panels side by side",
                code="panels",
                path=str(path),
                found=f"{size[0]}x{size[1]}, {k} times the width/height of {known[0]}x{known[1]}",
                expected="the result alone",
                hint=f"--crop NAME={(k - 1) / k:.6g},0.0,{1 / k:.6g},1.0 keeps the rightmost panel",
            )
