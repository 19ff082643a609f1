"""FID-VID: Frechet distance of 3D ResNet-50 features, DisCo's second distance of clips (once called FID-FVD)."""

from __future__ import annotations

from benchmark.model import Metric, SetVariant
from suites.metrics._clips import frechet_over_n_minus_1

_NET = "less the mean colour (114.7748, 107.7354, 99.4750); 3D ResNet-50, 2,048 features; covariance / (N - 1)"
_SQUASH = "squashed to 112x112 without regard to aspect"

SPEC = Metric(
    name="fid-vid",
    title="FID-VID",
    higher_is_better=False,
    decimals=2,
    variants=(
        SetVariant(
            id="res16",
            extractor="resnet3d-16",
            distance=frechet_over_n_minus_1,
            summary=f"windows of 16 frames from frame 0, not overlapping, the tail dropped; {_SQUASH} by antialiased bicubic clipped to 0..255, {_NET}",
            source="this package, from DisCo's network and clean-fid's resize",
        ),
        SetVariant(
            id="disco-frames",
            extractor="resnet3d-disco-windows",
            distance=frechet_over_n_minus_1,
            summary="what DisCo gives for folders of frames: every 16 successive frames (stride 1) are an input; "
            f"{_SQUASH} by bicubic that is not clipped, {_NET}",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/metric_center.py compute_fid_video_scores(FVD-3DRN50), frames",
            deviation="distance at most 1e-4 relative from the exact one of its features; its own matrix root is up to 0.4 off at values of "
            "1e5; its rules on file names are not ours: clips are paired here by case",
        ),
        SetVariant(
            id="disco-video",
            extractor="resnet3d-disco-segments",
            distance=frechet_over_n_minus_1,
            summary="what DisCo gives for mp4 files: consecutive segments of 16 frames, the last one filled with the last frame, are an input each, and "
            f"a clip is the mean of their features; {_SQUASH} by bicubic that is not clipped, {_NET}",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/metric_center.py compute_fid_video_scores(FVD-3DRN50), mp4",
            deviation="as disco-frames",
        ),
    ),
)
