"""What a unit sounds like beside its compared frames, and how fast these follow each other."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.media import VideoInfo, from_second, read_sound

if TYPE_CHECKING:
    from benchmark.jobs import CaseJob, Runner, Track


def track_rate(runner: Runner, truth: VideoInfo | None) -> float | None:
    """Compared frames a second: they follow the truth in time, whatever the clip's own rate."""
    assert runner.info is not None
    rate = truth.fps if truth is not None else runner.source.fps or runner.info.fps
    return float(rate) if rate else None


def sounding(hear: NDArray[np.int16] | Unscored | None) -> dict[str, str]:
    """What a sound adds to the key of rows."""
    return {"sound": hashlib.sha256(np.ascontiguousarray(hear, "<i2").tobytes()).hexdigest()} if isinstance(hear, np.ndarray) else {}


def heard(runner: Runner, track: Track, job: CaseJob, fps: float | None, first: str) -> NDArray[np.int16] | Unscored:
    """The sound from the first compared frame on. Or why there is none.

    first: `clip` = the clip's own, else the case's, which runs with the truth; `case` = the other way round.
    """
    assert runner.info is not None
    if fps is None:
        return Unscored("fps-unknown", "where its sound belongs cannot be told: --fps NAME=F")
    rate = Fraction(fps).limit_denominator(100_000)
    times = track.pairing.truth or track.pairing.generated
    if times[-1] - times[0] != len(times) - 1:
        return Unscored(
            "frames-missing",
            "a frame in between is left out (the reference?), so the sound would not fit what follows: --reference-frame NAME=0",
        )
    try:
        if runner.info.has_audio and (first == "clip" or job.case.audio is None):
            own = Fraction(runner.source.fps or runner.info.fps or rate)
            return from_second(read_sound(runner.info.path), track.pairing.generated[0] / own)
        if job.case.audio is None:
            return Unscored("no-audio", "neither the clip nor its case has sound")
        return from_second(read_sound(job.case.audio), times[0] / rate)
    except Unscored as reason:
        return reason
    except InputError as error:
        return Unscored(error.code, str(error))
