"""L1: mean absolute difference of two pictures."""

from __future__ import annotations

from benchmark.model import Counted, Frames, FrameVariant, Metric, Values
from suites.metrics._frames import levels, mean_of_powers


def _unit(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    values: Values = mean_of_powers(generated, truth, counted, 1) / 255
    return values


def _disco(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    height, width = truth.shape[1:3]
    values: Values = mean_of_powers(levels(generated), levels(truth), counted, 1) / (height * width)
    return values


SPEC = Metric(
    name="l1",
    title="L1",
    higher_is_better=False,
    decimals=4,
    variants=(
        FrameVariant(
            id="unit",
            score=_unit,
            summary="mean of |generated - truth| / 255 over all counted pixels and the three RGB channels of a frame; 0 = equal, "
            "1 = black against white; a clip is the mean of its frames",
            source="mean absolute error, as HumANDiff and DreamPose print it",
            deviation="below 1e-15 from the frozen float64 values",
        ),
        FrameVariant(
            id="disco",
            score=_disco,
            unit="grey levels/(H*W)",
            decimals=-3,
            dtype="uint8",
            summary="mean of |generated - truth| in grey levels 0..255 over all counted pixels and the three RGB channels of a frame, "
            "divided by height * width of the whole picture (ignored pixels included): it falls as the picture grows, so only equal "
            "sizes compare; a clip is the mean of its frames",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/ssim_l1_lpips_psnr.py (mode L1)",
            deviation="below 1e-15 relative; the original averages the per-pixel maps of the whole folder instead of the frames' means",
        ),
    ),
)
