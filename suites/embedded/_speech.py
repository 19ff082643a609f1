"""Speech without words: syllables of vowel-like formants over a pulsed voice, and the mouth that goes with them. 16 kHz, mono.

The mouth's opening is the master: loudness is its square times a constant, so that sound and lips belong together to the sample.
Formants of vowels: Peterson and Barney 1952, rounded.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suites.embedded._moves import draws

Floats = NDArray[np.float64]
RATE = 16000
VOWELS = (
    (730, 1090, 2440, 1.00),
    (530, 1840, 2480, 0.62),
    (390, 1990, 2550, 0.45),
    (570, 840, 2410, 0.80),
    (440, 1020, 2240, 0.50),
    (660, 1720, 2410, 0.85),
    (300, 870, 2240, 0.32),
)
"""(F1, F2, F3 in Hz, how far the mouth is open)."""


@dataclass(frozen=True)
class Speech:
    """seconds. times: (s,) starts of syllables and their lengths, vowels and stress; silence between phrases."""

    seconds: float
    starts: Floats
    lengths: Floats
    vowels: NDArray[np.int64]
    stress: Floats
    pitch: float

    def opening(self, times: Floats) -> Floats:
        """(n,) 0..1 how far the mouth is open at times in seconds: one smooth rise and fall a syllable."""
        total = np.zeros(len(times))
        for start, length, vowel, stress in zip(self.starts, self.lengths, self.vowels, self.stress, strict=True):
            t = (times - start) / length
            inside = (t > 0) & (t < 1)
            rise = np.where(t < 0.35, t / 0.35, (1 - t) / 0.65)
            rise = np.clip(rise, 0, 1)
            total = np.where(inside, np.maximum(total, VOWELS[int(vowel)][3] * stress * rise * rise * (3 - 2 * rise)), total)
        return total


def speech(seed: int, seconds: float) -> Speech:
    """A voice that speaks for so long: phrases of 3 to 7 syllables of 0.14 to 0.30 s, pauses of 0.2 to 0.5 s."""
    table = draws(seed, 300)
    starts, lengths, vowels, stress = [], [], [], []
    time, k = 0.15 + 0.2 * float(table[0]), 1
    while time < seconds - 0.2:
        for _ in range(3 + int(table[k] * 5)):
            length = 0.14 + 0.16 * float(table[k + 1])
            if time + length > seconds - 0.05:
                break
            starts.append(time)
            lengths.append(length)
            vowels.append(int(table[k + 2] * len(VOWELS)))
            stress.append(0.65 + 0.35 * float(table[k + 3]))
            time += length + 0.02 + 0.05 * float(table[k + 4])
            k = (k + 5) % 290
        time += 0.20 + 0.30 * float(table[k])
    return Speech(seconds, np.array(starts), np.array(lengths), np.array(vowels, np.int64), np.array(stress), 105 + 110 * float(table[299]))


def sound(spoken: Speech) -> NDArray[np.int16]:
    """(n,) samples: harmonics of the voice's pitch under three formants that glide from syllable to syllable; a hiss where a syllable begins."""
    n = round(spoken.seconds * RATE)
    t = np.arange(n) / RATE
    open_ = spoken.opening(t)
    middle = spoken.starts + spoken.lengths / 2
    formants = [np.interp(t, middle, [VOWELS[int(v)][k] for v in spoken.vowels]) for k in range(3)]
    pitch = spoken.pitch * (1 + 0.06 * np.sin(2 * np.pi * 0.7 * t) + 0.02 * np.sin(2 * np.pi * 5.1 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = np.zeros(n)
    for h in range(1, int(3800 / spoken.pitch)):
        frequency = h * pitch
        gain = sum(
            strength / (1 + ((frequency - f) / width) ** 2)
            for f, width, strength in zip(formants, (90, 120, 180), (1.0, 0.6, 0.3), strict=True)
        )
        voice += gain * np.sin(h * phase) / h**0.5
    voice /= max(float(np.abs(voice).max()), 1e-9)
    hiss = draws(77, n) * 2 - 1
    onset = np.zeros(n)
    for start in spoken.starts:
        k = np.clip(1 - np.abs(t - start - 0.015) / 0.015, 0, 1)
        onset = np.maximum(onset, k)
    made = 0.75 * open_ * voice + 0.02 * onset * hiss
    return np.rint(np.clip(made, -1, 1) * 32000).astype(np.int16)


def energy(samples: NDArray[np.int16], frames: int, fps: float) -> Floats:
    """(frames,) root mean square of the sound around each frame's time, one frame long."""
    half = RATE / fps / 2
    found = []
    for k in range(frames):
        a, b = round(k * RATE / fps - half), round(k * RATE / fps + half)
        piece = samples[max(0, a) : max(1, b)].astype(np.float64)
        found.append(float(np.sqrt((piece * piece).mean())) if len(piece) else 0.0)
    return np.array(found)


def shifted(samples: NDArray[np.int16], frames: int, fps: float) -> NDArray[np.int16]:
    """The sound so many frames later (earlier below 0), silence where nothing is, same length: a known offset."""
    by = round(frames * RATE / fps)
    made = np.zeros_like(samples)
    if by >= 0:
        made[by:] = samples[: len(samples) - by]
    else:
        made[:by] = samples[-by:]
    return made


def write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    """16-bit mono at 16 kHz, moved into place when whole."""
    temporary = path.with_name(f".{path.name}.tmp")
    with wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    temporary.replace(path)
