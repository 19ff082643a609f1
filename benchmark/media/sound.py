"""The sound of a file: one channel at 16 kHz, and the part of it that belongs to compared frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored

if TYPE_CHECKING:
    from av import AudioFrame

RATE = 16_000
"""Samples a second."""


@dataclass(frozen=True)
class Sound:
    """samples: (n,) int16, one channel at 16 kHz. start: seconds by which the first sample lies behind the first picture (0 where there is none)."""

    samples: NDArray[np.int16]
    start: Fraction


def read_sound(path: Path) -> Sound:
    """Decode the first sound track of a file; channels are averaged, other rates resampled by FFmpeg.

    Raises Unscored(`no-audio`) where the file has no sound track or an empty one, InputError (`bad-audio`) where it cannot be decoded.
    """
    import av

    parts: list[NDArray[np.int16]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise Unscored("no-audio", f"{path.name} has no sound")
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            first: Fraction | None = None
            for frame in container.decode(stream):
                if first is None and frame.pts is not None and frame.time_base is not None:
                    first = frame.pts * Fraction(frame.time_base)
                parts += [_plain(made) for made in resampler.resample(frame)]
            parts += [_plain(made) for made in resampler.resample(None)]
            pictures = container.streams.video
            shown = Fraction(0)
            if pictures and pictures[0].start_time is not None and pictures[0].time_base is not None:
                shown = pictures[0].start_time * Fraction(pictures[0].time_base)
            start = (first or Fraction(0)) - shown if pictures else Fraction(0)
    except (av.FFmpegError, OSError) as error:
        raise InputError("its sound cannot be decoded", code="bad-audio", path=path, found=str(error)) from error
    samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    if not len(samples):
        raise Unscored("no-audio", f"the sound track of {path.name} is empty")
    return Sound(samples, start)


def _plain(frame: AudioFrame) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = np.asarray(frame.to_ndarray(), np.int16).reshape(-1)
    return samples


def from_second(sound: Sound, second: Fraction) -> NDArray[np.int16]:
    """(n,) the samples from a time of the pictures on (0 = the first picture): silence where the sound begins later."""
    skip = round((second - sound.start) * RATE)
    if skip >= 0:
        return sound.samples[skip:]
    return np.concatenate([np.zeros(-skip, np.int16), sound.samples])
