"""FVD: Frechet distance of I3D logits. Six codes, six numbers: windows, resize, two settings of the network, covariance over N or N - 1."""

from __future__ import annotations

from benchmark.model import Metric, SetVariant
from suites.metrics._clips import frechet_over_n, frechet_over_n_minus_1

_MEMORY = "memory grows by about 6 MB a frame, and clips beyond --max-frames are refused"
_SQUASH = "squashed to 224x224 without regard to aspect"

SPEC = Metric(
    name="fvd",
    title="FVD",
    higher_is_better=False,
    decimals=2,
    variants=(
        SetVariant(
            id="i3d16",
            extractor="i3d-16",
            distance=frechet_over_n_minus_1,
            summary=f"windows of 16 frames from frame 0, not overlapping, the tail dropped; {_SQUASH} by antialiased bicubic clipped to 0..255, "
            "x/127.5-1; I3D with BatchNorm eps 1e-5 and pool (2, 7, 7); covariance / (N - 1)",
            source="this package, from VideoGPT's I3D and clean-fid's resize",
        ),
        SetVariant(
            id="disco-frames",
            extractor="i3d-disco-windows",
            distance=frechet_over_n_minus_1,
            summary=f"what DisCo gives for folders of frames: every 16 successive frames (stride 1) are an input; {_SQUASH} by bicubic that is "
            "not clipped, x/127.5-1; I3D with BatchNorm eps 1e-3 and pool (1, 7, 7); covariance / (N - 1)",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/metric_center.py compute_fid_video_scores(FVD-3DInception), frames",
            deviation="distance at most 1e-4 relative from the exact one of its features; its own matrix root is up to 4e-5 off; its rules on "
            "file names are not ours: clips are paired here by case",
        ),
        SetVariant(
            id="disco-video",
            extractor="i3d-disco-clip",
            distance=frechet_over_n_minus_1,
            summary=f"what DisCo gives for mp4 files: the whole clip is one input; {_SQUASH} by bicubic that is not clipped, x/127.5-1; I3D with "
            f"BatchNorm eps 1e-3 and pool (1, 7, 7); covariance / (N - 1); {_MEMORY}",
            source="Wangt-CN/DisCo@c4fa48a tool/metrics/metric_center.py compute_fid_video_scores(FVD-3DInception), mp4",
            deviation="as disco-frames",
        ),
        SetVariant(
            id="common-videogpt",
            extractor="i3d-common-clip",
            distance=frechet_over_n_minus_1,
            summary="the whole clip, at least 10 frames, is one input; levels cut off to whole ones, shorter side to 224 (longer one rounded up) by "
            "plain bilinear, centre crop, so what lies at the ends of the longer side is not seen; I3D with BatchNorm eps 1e-5 and pool (2, 7, 7); "
            f"covariance / (N - 1); the value over all frames, not one for each prefix; {_MEMORY}",
            source='JunyaoHu/common_metrics_on_video_quality@5f75173 calculate_fvd.py (method="videogpt", only_final=True)',
            deviation="distance at most 1e-4 relative from the exact one of its features; its float32 SVD is up to 6e-4 off; a single clip, for "
            "which it returns the mean's term alone, is unscored here",
        ),
        SetVariant(
            id="cdfvd",
            extractor="i3d-cdfvd",
            distance=frechet_over_n,
            summary=f"windows of 16 frames from frame 0, not overlapping, the tail dropped; {_SQUASH} by plain bilinear, 2x/255-1; I3D with "
            "BatchNorm eps 1e-5 and pool (2, 7, 7), features as float32; covariance / N; no clip is drawn twice to reach a count",
            source="songweige/content-debiased-fvd@a1e037a cdfvd/fvd.py compute_fvd",
            deviation="distance at most 1e-4 relative from the exact one of its features",
        ),
        SetVariant(
            id="styleganv-16f",
            extractor="i3d-styleganv",
            distance=frechet_over_n,
            unverified=True,
            summary="the first 16 frames of a clip, on 0..255 at their own size; the TorchScript network rescales and resizes; covariance / N; shorter "
            "clips are left out. Its true clips start at a random frame, ours at frame 0",
            source="universome/stylegan-v@3fecd69 metrics/frechet_video_distance.py fvd2048_16f",
            deviation="not measured: the network is a file of graph and weights that could not be run",
        ),
    ),
)
