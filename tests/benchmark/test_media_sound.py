"""Sound: one channel at 16 kHz whatever the file holds, and the part that belongs to the compared frames."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.media import from_second, read_sound
from benchmark.media.sound import RATE, Sound
from tests.make import movie, write


def tone(seconds: float, rate: int, hertz: float = 440) -> NDArray[np.int16]:
    return np.rint(8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def wav(path: Path, samples: NDArray[np.int16], rate: int) -> Path:
    """samples: (n,) or (n, channels)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def loudest(samples: NDArray[np.int16]) -> float:
    """Frequency of the strongest part."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


def test_what_is_16_khz_mono_comes_as_it_is(tmp_path: Path) -> None:
    samples = tone(0.5, RATE)
    found = read_sound(wav(tmp_path / "a.wav", samples, RATE))
    assert (found.samples == samples).all()
    assert found.samples.dtype == np.int16
    assert found.start == 0


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates(rate: int, tmp_path: Path) -> None:
    """As long, and the tone where it was."""
    found = read_sound(wav(tmp_path / "a.wav", tone(1.0, rate), rate)).samples
    assert abs(len(found) - RATE) <= 32
    assert loudest(found) == pytest.approx(440, abs=2)


def test_two_channels_are_averaged(tmp_path: Path) -> None:
    both = np.stack([tone(0.5, RATE), np.zeros(RATE // 2, np.int16)], axis=1)
    found = read_sound(wav(tmp_path / "a.wav", both, RATE)).samples
    assert np.abs(found.astype(int) - tone(0.5, RATE) // 2).max() <= 2


def test_no_sound(tmp_path: Path) -> None:
    silent = write(tmp_path / "a.mkv", movie(0, 4, 32, 32))
    with pytest.raises(Unscored) as reason:
        read_sound(silent)
    assert reason.value.reason == "no-audio"
    with pytest.raises(Unscored) as reason:
        read_sound(wav(tmp_path / "empty.wav", np.zeros(0, np.int16), RATE))
    assert reason.value.reason == "no-audio"
    (tmp_path / "bad.wav").write_bytes(b"RIFF no sound at all")
    with pytest.raises(InputError) as error:
        read_sound(tmp_path / "bad.wav")
    assert error.value.code == "bad-audio"
    assert "bad.wav" in str(error.value)


def test_a_late_track_says_by_how_much(tmp_path: Path) -> None:
    """A track whose first sample is stamped half a second after the first picture."""
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("ffv1", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "bgr0"
        sound = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for k, frame in enumerate(movie(0, 25, 32, 32)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = k
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        block = av.AudioFrame.from_ndarray(tone(0.4, RATE)[None], format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = RATE, RATE // 2, Fraction(1, RATE)
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    found = read_sound(path)
    assert float(found.start) == pytest.approx(0.5, abs=1e-3)
    assert (from_second(found, Fraction(0))[: RATE // 2 - 32] == 0).all()


def test_from_a_time_on() -> None:
    samples = np.arange(1, 1601, dtype=np.int16)
    assert from_second(Sound(samples, Fraction(0)), Fraction(1, 25))[0] == 641
    assert from_second(Sound(samples, Fraction(1, 100)), Fraction(0))[:161].tolist() == [0] * 160 + [1]
    assert len(from_second(Sound(samples, Fraction(0)), Fraction(2))) == 0
