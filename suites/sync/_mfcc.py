"""Sound as SyncNet hears it: 13 mel cepstra every 10 ms, by the package that the original calls, with its defaults.

After joonson/syncnet_python@6efbb1c SyncNetInstance.py, SyncNetInstance.evaluate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suites.networks._syncnet import CEPSTRA, STEPS

RATE = 16_000
"""Samples a second."""
SAMPLES = 640
"""Samples of one frame at 25 frames a second."""
STEPS_A_FRAME = 4


def mfcc(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """(n,) int16 mono at 16 kHz -> (rows, 13) float64 cepstra, rows = 1 + ceil((n - 400) / 160); the tail is filled with zeros.

    Windows of 25 ms, rectangular, every 10 ms; pre-emphasis 0.97, 26 mel filters up to 8 kHz, lifter 22. Column 0 is the logarithm of a window's
    energy, so samples must be on the scale of int16: on -1..1 it would be 20.79 lower. Silence gives log(2.2e-16) there.

    TypeError for samples that are not int16, ValueError for an array that is not one-dimensional or is empty. Source:
    python_speech_features 0.6 base.py mfcc(signal, 16000).
    """
    if samples.dtype != np.int16:
        raise TypeError(f"sound must be int16, not {samples.dtype}: cepstrum 0 depends on the scale")
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"sound must be one channel with a sample at least, not an array of shape {samples.shape}")
    import python_speech_features

    rows: NDArray[np.float64] = python_speech_features.mfcc(samples, RATE)
    assert rows.shape[1] == CEPSTRA
    return rows


def windows_of(cepstra: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Cepstra (rows, 13) and the first frames (b,) of windows at 25 a second -> (b, 13, 20) float32: rows 4 * start to 4 * start + 19, transposed.

    IndexError where a window reaches beyond the last row.
    """
    steps = STEPS_A_FRAME * np.asarray(starts)[:, None] + np.arange(STEPS)
    picked: NDArray[np.float32] = cepstra[steps].transpose(0, 2, 1).astype(np.float32)
    return picked
