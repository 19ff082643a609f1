"""Which expert is active at which timestep: a table of intervals of t, never of step indices, so that one table serves any number of steps.

Source: AlignHuman (arXiv:2506.11144): two LoRA experts, each active only in its interval of the denoising, the early one for motion, the late one
for fidelity. Its split points are not published: they are the caller's. Pure functions, no numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmark.errors import InputError


@dataclass(frozen=True)
class Segment:
    """Timesteps low < t <= high belong to `expert`; None = the base model alone. The lowest segment holds t = 0 as well."""

    high: float
    low: float
    expert: str | None

    def __str__(self) -> str:
        return f"{self.expert or 'base'} ({self.low:g}, {self.high:g}]"


@dataclass(frozen=True)
class Table:
    """Segments from high to low that hold every t of 0..scale once. scale: 1000, or 1 where timesteps are noise levels."""

    segments: tuple[Segment, ...]
    scale: float

    def at(self, t: float) -> Segment:
        """The segment of timestep t. Raises InputError outside 0..scale."""
        if not 0 <= t <= self.scale:
            raise InputError(
                "a timestep is outside the table of segments", code="bad-timestep", found=f"t = {t:g}", expected=f"0..{self.scale:g}"
            )
        return next(segment for segment in self.segments if t > segment.low or segment.low == 0)


def table(rows: Iterable[tuple[float, float, str | None]], scale: float = 1000) -> Table:
    """Rows (t_high, t_low, expert) in any order -> the table.

    Raises InputError that names the segments at fault: one without extent, out of 0..scale, a gap, an overlap.
    """
    found = sorted((Segment(float(high), float(low), expert) for high, low, expert in rows), key=lambda s: (-s.high, -s.low))
    if scale not in (1, 1000):
        raise _bad("timesteps are counted otherwise", f"scale {scale:g}", "1000 or 1")
    if not found:
        raise _bad("a table of segments is empty", "no segment", f"segments that hold 0..{scale:g}")
    for segment in found:
        if not 0 <= segment.low < segment.high <= scale:  # also false for NaN
            raise _bad("a segment has no extent or leaves the range", str(segment), f"0 <= t_low < t_high <= {scale:g}")
    if found[0].high != scale:
        raise _bad(
            "a gap before the first segment", f"{found[0].high:g} < t <= {scale:g} is nobody's; first: {found[0]}", f"t_high {scale:g}"
        )
    for before, after in pairwise(found):
        if after.high < before.low:
            raise _bad(
                "a gap between segments", f"{after.high:g} < t <= {before.low:g} is nobody's: {before}, {after}", "neighbours that touch"
            )
        if after.high > before.low:
            raise _bad("segments overlap", f"{before}, {after}", f"t_high {before.low:g} after {before}")
    if found[-1].low != 0:
        raise _bad("a gap after the last segment", f"0 <= t <= {found[-1].low:g} is nobody's; last: {found[-1]}", "t_low 0")
    return Table(tuple(found), float(scale))


def _bad(what: str, found: str, expected: str) -> InputError:
    return InputError(what, code="bad-segments", found=found, expected=expected)


def active(segments: Table, timesteps: Sequence[float]) -> list[str | None]:
    """The expert at each of the scheduler's timesteps, first step first. Schedulers of second order may give a timestep twice.

    Raises InputError where the timesteps rise, leave the table's range, or are counted 0..1 while the table counts 0..1000.
    """
    steps = [float(t) for t in timesteps]
    if not steps:
        raise InputError("a schedule is empty", code="bad-timestep", found="no timestep", expected="one or more")
    for i, (now, then) in enumerate(pairwise(steps)):
        if then > now:
            raise InputError(
                "timesteps rise", code="bad-timestep", found=f"{now:g} at step {i}, {then:g} at step {i + 1}", expected="from noise to clip"
            )
    if segments.scale == 1000 and steps[0] <= 1:
        raise InputError(
            "timesteps are counted otherwise than the segments",
            code="bad-timestep",
            found=f"timesteps of 0..{steps[0]:g}",
            expected="0..1000; or a table of scale 1",
        )
    return [segments.at(t).expert for t in steps]


@dataclass(frozen=True)
class Plan:
    """What a run does. first: the first of the scheduler's steps that is run; earlier ones are skipped. experts: of the steps that are run, numbered
    from 0. arm_first: what is armed before the loop. arm_after: {i: what a callback at the end of run step i must arm}, the expert of step i + 1,
    where it changes. None = the base model alone.
    """

    first: int
    experts: tuple[str | None, ...]
    arm_first: str | None
    arm_after: Mapping[int, str | None]


def plan(segments: Table, timesteps: Sequence[float], skip_above: float | None = None) -> Plan:
    """The plan of a schedule. skip_above: steps with t > skip_above are not run (the denoiser starts at the first t that is not above it).

    diffusers calls callback_on_step_end after step i and runs step i + 1 with what is then armed; hence `arm_after`.
    Raises InputError as `active` does, and where every step would be skipped.
    """
    experts = active(segments, timesteps)
    first = 0 if skip_above is None else sum(float(t) > skip_above for t in timesteps)
    if first == len(experts):
        raise InputError(
            "every step would be skipped",
            code="bad-segments",
            found=f"skip above t = {skip_above:g}; last timestep {float(timesteps[-1]):g}",
            expected=f"{float(timesteps[-1]):g} or more",
        )
    run = experts[first:]
    after = {i: then for i, (now, then) in enumerate(pairwise(run)) if then != now}
    return Plan(first, tuple(run), run[0], after)
