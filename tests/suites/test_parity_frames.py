"""Frame metrics against frozen numbers of the original code (tests/fixtures/, with commits and versions), frame by frame.

The inputs are the formula's clips (tests/formula.py), so nothing is downloaded. Tolerances are those stated in the fixture files.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.model import Frames, FrameVariant, Metric, Values
from benchmark.resize import cv2_bilinear
from suites.metrics import l1, psnr, ssim
from tests.deviations import Recorder
from tests.formula import frames

pytestmark = pytest.mark.parity

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SPECS: dict[str, Metric] = {"l1": l1.SPEC, "psnr": psnr.SPEC, "ssim": ssim.SPEC}


def fixture(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


DISCO = fixture("disco_frame_metrics")
PACKAGES = fixture("frame_metrics")
COMMON = fixture("common_metrics")

DISCO_HEAD = "DisCo c4fa48a"
DISCO_COLUMNS = {  # variant -> column of the file, what the row is called, tolerance, unit
    "l1@disco": ("L1", DISCO_HEAD, 1e-12, "relative"),
    "psnr@cap100": ("PSNR", DISCO_HEAD, 1e-10, "dB"),
    "psnr@uint8-wrap": ("PSNR before 6190108", "DisCo 20d87e8", 1e-10, "dB"),
    "ssim@disco": ("SSIM", DISCO_HEAD, 1e-9, ""),
}
PACKAGE_COLUMNS = {
    "l1@unit": [("l1 on [0,1]", "mean absolute difference in float64", 1e-12)],
    "psnr@float": [("psnr per frame", "scikit-image 0.26.0", 1e-10)],
    "ssim@disco": [("ssim grey 7x7 uniform", "scikit-image 0.26.0", 1e-9)],
    "ssim@gaussian": [
        ("ssim gaussian per channel", "scikit-image 0.26.0, per channel", 1e-9),
        ("ssim gaussian per channel, uint8 input", "scikit-image 0.26.0, per channel, uint8", 1e-9),
    ],
    "ssim@torchmetrics": [("torchmetrics SSIM", "torchmetrics 1.9.0 (float32)", 1e-4)],
}


def variant(name: str) -> FrameVariant:
    metric, _, id = name.partition("@")
    return cast(FrameVariant, SPECS[metric].variant(id))


def clip(call: str) -> NDArray[np.uint8]:
    """The clip of a call written as `frames('blur', 12, 40, 56)`."""
    name, *sizes = call.removeprefix("frames(").removesuffix(")").split(",")
    return frames(name.strip("' "), *(int(size) for size in sizes))


def distance(values: Values, expected: Any, unit: str) -> Values:
    wanted = np.asarray(expected, np.float64)
    if unit != "relative":
        return values - wanted
    return np.divide(values - wanted, wanted, out=np.where(values == wanted, 0.0, np.inf), where=wanted != 0)


def disco_pair(case: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Generated and truth as DisCo compares them: the generated picture is brought to the truth's size."""
    truth = clip(DISCO["truth"])
    generated = cv2_bilinear(clip(DISCO["cases"][case]["generated"]), truth.shape[1], truth.shape[2])
    return generated, truth


@pytest.mark.parametrize("case", DISCO["cases"])
@pytest.mark.parametrize("name", DISCO_COLUMNS)
def test_disco(name: str, case: str, record_deviation: Recorder) -> None:
    """The real tool/metrics/ssim_l1_lpips_psnr.py, run on the same frames: every frame and the mean."""
    column, against, tolerance, unit = DISCO_COLUMNS[name]
    expected = DISCO["cases"][case][column]
    values = variant(name).score(*disco_pair(case))
    record_deviation(name, against, distance(values, expected["per_frame"], unit), tolerance=tolerance, unit=unit)
    pooled = np.array([variant(name).pool(values)])
    record_deviation(name, against, distance(pooled, [expected["mean"]], unit), tolerance=tolerance, unit=unit)


def test_disco_stops_at_the_shorter_side(record_deviation: Recorder) -> None:
    """DisCo pairs 5 generated with 3 truth frames by zip: its value is that of the first 3."""
    values = variant("psnr@cap100").score(frames("blur", 5, 64, 64)[:3], frames("truth", 3, 64, 64))
    record_deviation("psnr@cap100", DISCO_HEAD, values.mean() - DISCO["unequal_counts"]["value"], tolerance=1e-10, unit="dB")


@pytest.mark.parametrize("case", [case for case in DISCO["cases"] if " at " in case])
def test_disco_resize(case: str) -> None:
    """The bytes that cv2.resize gave DisCo (frame 5, BGR), and their grey levels: the values above rest on them."""
    import cv2

    key = "cv2.resize of frame 5 to 64x64 (BGR uint8, default flag)"
    expected = DISCO["cases"][case][key]
    frame = disco_pair(case)[0][5]
    picture = np.ascontiguousarray(frame[..., ::-1])
    assert int(picture.sum()) == expected["sum"]
    assert hashlib.sha256(picture.tobytes()).hexdigest() == expected["sha256"]
    for row in (0, 31):
        assert picture[row, :8].ravel().tolist() == expected[f"row{row}_first8_pixels_BGR"]
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    assert grey[0].tolist() == DISCO["cases"][case]["gray of the resized frame 5 (BGR2GRAY), first row"]


def test_disco_grey() -> None:
    """RGB2GRAY of our frames is BGR2GRAY of the pictures DisCo reads."""
    import cv2

    expected = DISCO["grey_of_truth_frame0"]
    grey = cv2.cvtColor(clip(DISCO["truth"])[0], cv2.COLOR_RGB2GRAY)
    assert int(grey.sum()) == expected["sum"]
    assert hashlib.sha256(grey.tobytes()).hexdigest() == expected["sha256"]
    assert grey[0].tolist() == expected["row0"]


@pytest.mark.parametrize("case", PACKAGES["metrics"])
@pytest.mark.parametrize("name", PACKAGE_COLUMNS)
def test_packages(name: str, case: str, record_deviation: Recorder) -> None:
    """Frozen numbers of scikit-image and torchmetrics, one value a frame."""
    values = variant(name).score(frames(case.split()[0], 6, 72, 96), frames("truth", 6, 72, 96))
    unit = variant(name).unit or SPECS[name.partition("@")[0]].unit
    for column, against, tolerance in PACKAGE_COLUMNS[name]:
        expected = PACKAGES["metrics"][case][column]
        record_deviation(name, against, distance(values, expected["per_frame"], unit), tolerance=tolerance, unit=unit)
        if "skimage" in expected:
            record_deviation(name, against, distance(values, expected["skimage"], unit), tolerance=tolerance, unit=unit)


@pytest.mark.parametrize("case", PACKAGES["metrics"])
def test_pooled(case: str, record_deviation: Recorder) -> None:
    """torchmetrics' PeakSignalNoiseRatio adds the squared errors of the clip in float32; the closed form is the same in float64."""
    expected = PACKAGES["metrics"][case]["psnr pooled (torchmetrics PeakSignalNoiseRatio(data_range=255))"]
    pooled = variant("psnr@pooled")
    value = pooled.pool(pooled.score(frames(case.split()[0], 6, 72, 96), frames("truth", 6, 72, 96)))
    record_deviation("psnr@pooled", "torchmetrics 1.9.0 (float32)", value - expected["value"], tolerance=1e-4, unit="dB")
    record_deviation("psnr@pooled", "closed form in float64", value - expected["closed_form_float64"], tolerance=1e-10, unit="dB")


def common_table(name: str, case: str, convert: Any) -> Values:
    """(3, 12) values of three videos of twelve frames."""
    pairs = [(frames(case.split()[0], 12, 48, 64, scene), frames("truth", 12, 48, 64, scene)) for scene in range(3)]
    return np.array([variant(name).score(convert(generated), convert(truth)) for generated, truth in pairs])


def common_distance(table: Values, expected: dict[str, list[float]]) -> float:
    """Largest difference of the means and spreads over videos, frame by frame and altogether."""
    ours = (table.mean(axis=0), table.std(axis=0), np.array([table.mean(), table.std()]))
    theirs = (expected["per_frame_mean_over_videos"], expected["per_frame_std"], expected["only_final"])
    return max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("case", COMMON["frame_metrics"])
def test_common_metrics_psnr(case: str, record_deviation: Recorder) -> None:
    """common_metrics gives 100 where the MSE on [0,1] is below 1e-10, at this size only where frames are equal: the rule of cap100."""
    measured = common_distance(common_table("psnr@cap100", case, np.asarray), COMMON["frame_metrics"][case]["psnr"])
    record_deviation("psnr@cap100", "common_metrics 5f75173 (float32)", measured, tolerance=1e-4, unit="dB")


@pytest.mark.parametrize("case", COMMON["frame_metrics"])
def test_common_metrics_ssim(case: str, record_deviation: Recorder) -> None:
    """common_metrics averages the SSIM of each channel over the inner part: ssim@gaussian.

    It was given grey levels / 255 in float32. The same rounded numbers, widened and brought back to 0..255 in float64, reproduce it; the
    grey levels themselves, which are what is scored everywhere else, differ by that rounding of the input.
    """
    expected = COMMON["frame_metrics"][case]["ssim"]

    def rounded(clip: NDArray[np.uint8]) -> Frames:
        return cast(Frames, (clip / 255).astype(np.float32).astype(np.float64) * 255)

    same = common_distance(common_table("ssim@gaussian", case, rounded), expected)
    record_deviation("ssim@gaussian", "common_metrics 5f75173", same, tolerance=1e-9)
    levels = common_distance(common_table("ssim@gaussian", case, np.asarray), expected)
    record_deviation("ssim@gaussian", "common_metrics 5f75173, whose input is rounded to float32 on [0,1]", levels, tolerance=1e-8)
