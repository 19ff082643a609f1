"""What a unit sounds like beside its compared frames, and how fast these follow each other."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.media import Sound, VideoInfo, from_second, read_sound
from benchmark.model import TimeRule

if TYPE_CHECKING:
    from benchmark.jobs import CaseJob, Runner, Track

SILENT = 3
"""Of 32767: what a lossy codec leaves of silence (80 dB below full scale)."""
FULL, CLIPPED = 32767, 0.001
"""A sample at full scale, and the share of such that is worth a note."""
EQUAL = TimeRule(rule="equal").tolerance
"""Relative difference of two frame rates that are one."""


def track_rate(runner: Runner, truth: VideoInfo | None) -> float | None:
    """Compared frames a second: they follow the truth in time, whatever the clip's own rate."""
    assert runner.info is not None
    rate = truth.fps if truth is not None else runner.source.fps or runner.info.fps
    return float(rate) if rate else None


def track_times(runner: Runner, track: Track, truth: VideoInfo | None) -> NDArray[np.float64] | None:
    """(n,) seconds from the first to each compared frame, of the clip whose rate `track_rate` gives; None where they are even."""
    info = runner.info if truth is None else truth
    assert info is not None
    if not info.variable or info.times is None:
        return None
    shown = [info.times[frame] for frame in track.pairing.truth or track.pairing.generated]
    return np.array([float(time - shown[0]) for time in shown])


def timing(times: NDArray[np.float64] | None) -> dict[str, str]:
    """What uneven times add to the key of rows."""
    return {} if times is None else {"times": hashlib.sha256(np.ascontiguousarray(times, "<f8").tobytes()).hexdigest()}


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
    own = _own(runner, job, first)
    path = runner.info.path if own else job.case.audio
    if path is None:
        return Unscored("no-audio", "neither the clip nor its case has sound")
    start = (
        _shown(runner.info, track.pairing.generated[0], Fraction(runner.source.fps or runner.info.fps or rate)) if own else times[0] / rate
    )
    try:
        state = path.stat()
        samples = from_second(_read(path, state.st_mtime_ns, state.st_size), start)
    except Unscored as reason:
        return reason
    except InputError as error:
        return Unscored(error.code, str(error))
    except OSError as error:
        return Unscored("unreadable", f"{path}: {error}")
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    if peak <= SILENT:
        return Unscored("silent-audio", f"{path.name}: no sample is louder than {peak} of 32767")
    clipped = float((np.abs(samples.astype(np.int32)) >= FULL).mean())
    note = f"{path}: its sound is clipped, {clipped:.1%} of the samples are at full scale"
    if clipped >= CLIPPED and note not in runner.notes:
        runner.notes.append(note)
    return samples


def _own(runner: Runner, job: CaseJob, first: str) -> bool:
    """Is it the clip's own sound that is heard?"""
    assert runner.info is not None
    return runner.info.has_audio and (first == "clip" or job.case.audio is None)


def out_of_step(runner: Runner, track: Track, job: CaseJob, fps: float | None, first: str) -> Unscored | None:
    """Why sound and frames do not keep step: frames compared one by one whatever their rates follow the truth in time, the clip's own sound does not."""
    assert runner.info is not None
    mine = runner.info.fps
    if track.pairing.rates != "ignored" or not fps or not mine or abs(float(mine) / fps - 1) <= EQUAL or not _own(runner, job, first):
        return None
    return Unscored(
        "fps-mismatch",
        f"frame by frame at {fps:g} a second beside sound of a clip at {float(mine):g}: --protocol strict-1-retime, or --fps NAME=F",
    )


def _shown(info: VideoInfo, frame: int, rate: Fraction) -> Fraction:
    """When a clip shows a frame, in seconds from its first."""
    return info.times[frame] if info.variable and info.times is not None else frame / rate


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int) -> Sound:
    """A file's sound, decoded once for all metrics and views of a clip; another state of the file is another call."""
    return read_sound(path)
