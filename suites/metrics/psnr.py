"""PSNR: peak signal-to-noise ratio of two pictures, peak 255."""

from __future__ import annotations

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Counted, Frames, FrameVariant, Metric, Values
from suites.metrics._frames import SQUARES, check, histogram, levels, mean_of_powers

_WRAPPED = SQUARES % 256
"""Square of a difference of 0..255 levels in uint8; (-d) squared wraps to the same value, so the sign is no matter."""


def _decibel(mse: Values, identical: float) -> Values:
    """20 log10(255 / sqrt(mse)); `identical` where mse is 0."""
    with np.errstate(divide="ignore"):
        values: Values = np.where(mse > 0, 20 * np.log10(255 / np.sqrt(mse)), identical)
    return values


def _mse(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    return mean_of_powers(generated, truth, counted, 2)


def _float(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    return _decibel(_mse(generated, truth, counted), np.nan)


def _cap100(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    return _decibel(_mse(levels(generated), levels(truth), counted), 100)


def _uint8_wrap(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    check(generated, truth, counted)
    counts = histogram(levels(generated), levels(truth), counted)
    return _decibel(counts @ _WRAPPED / counts.sum(axis=1), 100)


def _pool(mse: Values) -> float:
    """dB of the mean of (n,) squared errors; Unscored `identical` where every frame is."""
    value = _decibel(np.mean(mse, keepdims=True), np.nan)
    if np.isnan(value[0]):
        raise Unscored("identical", "no frame differs from the truth, so the ratio has no value")
    return float(value[0])


_OVER = "all counted pixels and the three RGB channels together"
_SCRIPT = "tool/metrics/ssim_l1_lpips_psnr.py (mode PSNR)"

SPEC = Metric(
    name="psnr",
    title="PSNR",
    higher_is_better=True,
    unit="dB",
    decimals=2,
    variants=(
        FrameVariant(
            id="float",
            score=_float,
            left_out="identical",
            summary=f"20 log10(255 / sqrt(MSE)) of every frame, MSE in float64 over {_OVER}; frames equal to the truth have no value and "
            "are left out; a clip is the mean of its frames' dB",
            source="scikit-image 0.26.0 skimage/metrics/simple_metrics.py peak_signal_noise_ratio(data_range=255), frame by frame",
            deviation="at most 8e-15 dB; scikit-image returns inf for equal frames",
        ),
        FrameVariant(
            id="pooled",
            score=_mse,
            pool=_pool,
            summary=f"20 log10(255 / sqrt(M)), M = mean over the clip's frames of the MSE in float64 over {_OVER} (the frame value is "
            "that MSE, in squared grey levels); a clip without any difference is unscored",
            source="torchmetrics 1.9.0 src/torchmetrics/image/psnr.py PeakSignalNoiseRatio(data_range=255), updated with one clip",
            deviation="at most 3e-6 dB: torchmetrics adds in float32; 0 from the same formula in float64",
        ),
        FrameVariant(
            id="cap100",
            score=_cap100,
            dtype="uint8",
            summary=f"20 log10(255 / sqrt(MSE)) of every frame, MSE on whole grey levels over {_OVER}; a frame equal to the truth counts "
            "as 100 dB, and nothing else is capped (one level in one sample of a large picture scores above 100); a clip is the mean "
            "of its frames' dB",
            source=f"Wangt-CN/DisCo@c4fa48a {_SCRIPT}; JunyaoHu/common_metrics_on_video_quality@5f75173 calculate_psnr.py",
            deviation="at most 8e-15 dB from DisCo; at most 5e-7 dB from common_metrics, which works in float32 on [0,1] and also gives "
            "100 dB to every MSE below 1e-10 on [0,1]: one sample one level off in a picture of more than 153,787 samples",
        ),
        FrameVariant(
            id="uint8-wrap",
            score=_uint8_wrap,
            dtype="uint8",
            summary="20 log10(255 / sqrt(W)) of every frame, W = mean of (generated - truth)^2 with difference and square both cut to 8 "
            f"bits (the square modulo 256) over {_OVER}; 100 dB where W is 0; large errors wrap round, so it tends to 27.9 dB; a clip "
            "is the mean of its frames' dB",
            source=f"Wangt-CN/DisCo@20d87e8 {_SCRIPT}, before the overflow was fixed in 6190108 (2024-04-10)",
            deviation="at most 8e-15 dB",
        ),
    ),
)
