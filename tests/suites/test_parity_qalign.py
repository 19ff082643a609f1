"""Q-Align's arithmetic against frozen numbers of its repository and of IQA-PyTorch (tests/fixtures/qalign.json): logits to scores, prompts,
square padding, CLIP's preprocessing, sampled frames.

No language model runs. Tolerances are those stated in the fixture; what the originals give in half precision is met to the bit.
"""

from __future__ import annotations

import ast
import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suites.people import _qalign
from tests.deviations import Recorder
from tests.formula import frames

pytestmark = pytest.mark.parity

FROZEN = json.loads((Path(__file__).resolve().parent.parent / "fixtures" / "qalign.json").read_text(encoding="utf-8"))
LOGITS = np.array(FROZEN["inputs"]["logits_excellent_to_bad"], np.float64)
REPO, PYIQA = "Q-Align 14dfdff", "IQA-PyTorch 01ae427"
TOLERANCE = FROZEN["tolerance"]
SCORES_OF = {f"Q-Align {FROZEN['file'][1].split(':')[0]}": REPO, "IQA-PyTorch pyiqa/archs/q_align/modeling_mplug_owl2.py": PYIQA}
MODEL, IQA = (f"{code} score()" for code in SCORES_OF)
PROCESSOR = FROZEN["processor"]["check"]
LEVEL = 0.015
"""One grey level of the resize, as the fixture states it."""


def picture(size: str) -> NDArray[np.uint8]:
    """Frame 0 of the truth at a size written `HxW ...`."""
    height, width = (int(side) for side in size.split()[0].split("x"))
    return frames("truth", 1, height, width, 0)[0]


# -------------------------------------------------------------------------------------------------------------------- scores


def test_levels_and_weights() -> None:
    assert list(_qalign.LEVELS) == FROZEN["level_words"]
    assert list(_qalign.UNIT_WEIGHTS) == FROZEN["weights"]["repo scorers"]
    assert list(_qalign.OPINION_WEIGHTS) == FROZEN["weights"]["score() of the model and pyiqa"]


def test_scores_on_0_1(record_deviation: Recorder) -> None:
    frozen, ours = FROZEN["outputs"]["repo_scorer_0_1"], _qalign.unit_score(LOGITS)
    assert ours.shape == (len(LOGITS),)
    record_deviation("q-align, scorer", f"{REPO}, float32", ours - frozen["float32"], tolerance=TOLERANCE["float32"], unit="of 0..1")
    half = _qalign.unit_score(LOGITS, half=True)
    record_deviation("q-align, scorer, half", f"{REPO}, float16", half - frozen["float16"], tolerance=0, unit="of 0..1")
    assert np.abs(half - ours).max() == pytest.approx(TOLERANCE["float16_vs_float32_0_1"], abs=TOLERANCE["float32"])


@pytest.mark.parametrize("code", SCORES_OF)
def test_scores_on_1_5(code: str, record_deviation: Recorder) -> None:
    frozen, ours = FROZEN["outputs"]["score_1_5"][code], _qalign.opinion_score(LOGITS)
    head = SCORES_OF[code]
    record_deviation("q-align, score()", f"{head}, float32", ours - frozen["float32"], tolerance=TOLERANCE["float32"], unit="of 1..5")
    half = _qalign.opinion_score(LOGITS, half=True)
    record_deviation("q-align, score(), half", f"{head}, float16", half - frozen["float16"], tolerance=0, unit="of 1..5")
    assert np.abs(half - ours).max() == pytest.approx(TOLERANCE["float16_vs_float32_1_5"], abs=TOLERANCE["float32"])


def test_the_two_scales_are_one(record_deviation: Recorder) -> None:
    """4 x + 1, of ours in float64 and of the scorers' float32."""
    ours = _qalign.opinion_score(LOGITS)
    assert np.abs(4 * _qalign.unit_score(LOGITS) + 1 - ours).max() <= 1e-14
    record_deviation(
        "q-align, score()",
        "4 x + 1 of the scorers, float32",
        ours - FROZEN["outputs"]["4x+1_of_repo_float32"],
        tolerance=1e-6,
        unit="of 1..5",
    )


# ------------------------------------------------------------------------------------------------------------------- prompts


def test_prompts_of_the_scorers() -> None:
    """Letter by letter: the pinned strings, and those that `prompt` makes."""
    frozen = FROZEN["prompts"]["repo scorers"]
    assert frozen == _qalign.SCORER_PROMPTS
    made = [_qalign.prompt("scorer", *which) for which in (("quality", "image"), ("aesthetics", "image"), ("quality", "video"))]
    assert made == [frozen[name] for name in ("QAlignScorer", "QAlignAestheticScorer", "QAlignVideoScorer")]


@pytest.mark.parametrize(("wording", "code"), [("model", MODEL), ("pyiqa", IQA)])
def test_prompts_of_score(wording: _qalign.Wording, code: str) -> None:
    frozen = FROZEN["prompts"][code]
    assert len(frozen) == 6
    for which, text in frozen.items():
        task, medium = (part.split("=")[1] for part in which.split(", "))
        assert _qalign.prompt(wording, task, medium) == text


def test_prompts_that_nobody_asks() -> None:
    with pytest.raises(ValueError, match="no prompt"):
        _qalign.prompt("scorer", "aesthetics", "video")
    with pytest.raises(ValueError, match="no prompt"):
        _qalign.prompt("card", "quality", "image")
    with pytest.raises(ValueError, match="medium"):
        _qalign.prompt("model", "quality", "frame")


# ------------------------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("case", FROZEN["padding"]["results"])
def test_square(case: str) -> None:
    expected, given = FROZEN["padding"]["results"][case], picture(case)
    ours = _qalign.square(given)
    assert list(ours.shape) == expected["size"]
    assert ours[0, 0].tolist() == expected["corner"]
    assert ours[-1, -1].tolist() == expected["last"]
    top, left = expected["top"], expected["left"]
    assert np.array_equal(ours[top : top + given.shape[0], left : left + given.shape[1]], given)
    assert int(ours.sum(dtype=np.int64)) == expected["sum"]
    assert hashlib.sha256(ours.tobytes()).hexdigest() == expected["sha256"]


def test_fill_is_the_mean() -> None:
    assert tuple(int(255 * mean) for mean in _qalign.MEAN) == _qalign.FILL


@pytest.mark.parametrize("case", PROCESSOR["outputs"])
def test_processor(case: str, record_deviation: Recorder) -> None:
    """Probes within a grey level; mean and root mean square, which a level here and there barely moves, within 1e-4."""
    expected = PROCESSOR["outputs"][case]
    (ours,) = _qalign.preprocess(picture(case)[None])
    assert (list(ours.shape), str(ours.dtype)) == (expected["shape"], "float32")
    row = ours[0, 224, :16] - np.array(expected["first16_of_row_224"])
    probes = [ours[ast.literal_eval(at)] - value for at, value in expected["probes_c_y_x"].items()]
    record_deviation("q-align, pixels", "transformers 4.36.2, pillow 11.3.0", [*row, *probes], tolerance=LEVEL, unit="standard deviations")
    wide = ours.astype(np.float64)
    whole = [(wide.sum() - expected["sum"]) / ours.size, (np.linalg.norm(wide) - expected["l2"]) / np.sqrt(ours.size)]
    record_deviation("q-align, mean and root mean square of pixels", "transformers 4.36.2, pillow 11.3.0", whole, tolerance=1e-4)


def test_clip_pixels_crop_the_middle() -> None:
    """Closed form: of a picture that is grey in the middle 448 of 900 columns and black outside, at its own size, only grey is left."""
    wide = np.zeros((448, 900, 3), np.uint8)
    wide[:, 226:674] = 128
    for given in (wide, wide.transpose(1, 0, 2)):
        ours = _qalign.clip_pixels(np.ascontiguousarray(given))
        expected = (np.float64(128) / 255 - np.array(_qalign.MEAN)) / np.array(_qalign.STD)
        assert np.abs(ours - expected[:, None, None]).max() <= 1e-6
    assert _qalign.preprocess(np.zeros((0, 4, 4, 3), np.uint8)).shape == (0, 3, 448, 448)


# -------------------------------------------------------------------------------------------------------------------- frames


@pytest.mark.parametrize("case", FROZEN["video_frames"]["results"])
def test_sampled_frames(case: str) -> None:
    count, fps = int(case.split()[0]), float(case.split()[3])
    expected = FROZEN["video_frames"]["results"][case]
    assert _qalign.sampled(count, fps) == expected
    assert _qalign.sampled(count, Fraction(fps).limit_denominator(1001)) == expected


# ----------------------------------------------------------------------------------------------------- rules that are not frozen


def test_scores_do_not_depend_on_a_shift() -> None:
    """Identity of the softmax; and far logits do not overflow."""
    assert np.abs(_qalign.unit_score(LOGITS + 700) - _qalign.unit_score(LOGITS)).max() <= 1e-12
    assert _qalign.opinion_score([5000, 0, 0, 0, 0]) == 5
    assert _qalign.opinion_score(np.zeros((2, 3, 5))).shape == (2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: _qalign.unit_score([1, 2, 3, 4]),
        lambda: _qalign.opinion_score([1, 2, np.nan, 4, 5]),
        lambda: _qalign.opinion_score([1, 2, np.inf, 4, 5]),
        lambda: _qalign.square(np.zeros((4, 4), np.uint8)),
        lambda: _qalign.square(np.zeros((4, 4, 3), np.float32)),
        lambda: _qalign.sampled(10, 0),
        lambda: _qalign.sampled(10, float("nan")),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="not "):
        wrong()
