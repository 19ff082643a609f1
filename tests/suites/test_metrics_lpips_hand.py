"""LPIPS of hands: against the whole-picture path on the same cuts, identities, and a second network of a region through whole runs.

LPIPS's weights are by formula; rows of hands are made by hand, in runs by an extractor registered for the test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import evaluate
from benchmark.api import run
from benchmark.explain import explain
from benchmark.features import look
from benchmark.media import decode, probe
from benchmark.model import Extractor, Forward, Frames, Metric
from benchmark.plan_text import describe
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.resize import bicubic
from benchmark.rows import Look, RegionVariant
from benchmark.weights import users
from suites.metrics._hands import HAND_PART
from suites.metrics.lpips_hand import SPEC, over
from suites.people._mediapipe_rows import WIDTH, pack
from suites.people._regions import around, box
from tests.make import Study, header, row, study
from tests.suites.test_metrics_hands import SHAPE, rows
from tests.suites.test_metrics_lpips import extractor, score, seeded

Register = Callable[..., None]
Floats = NDArray[np.float64]
RNG = np.random.default_rng(8)
LEFT, RIGHT = SHAPE * 0.5 + np.array([40.0, 40.0]), SHAPE * 1.5 + np.array([100.0, 60.0])


@pytest.fixture(scope="module")
def networks() -> dict[str, Forward]:
    return {id: extractor(id).build(seeded(extractor(id)), "cpu") for id in ("alex", "vgg")}


@pytest.fixture(scope="module")
def pictures() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    truth = RNG.integers(0, 256, (3, 96, 128, 3)).astype(np.uint8)
    return np.clip(truth.astype(int) + RNG.integers(-60, 61, truth.shape), 0, 255).astype(np.uint8), truth


def sides() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(ours, theirs): the truth has both hands in two frames and none in the third; the generated frames have a left hand, 9 pixels off."""
    theirs = rows(np.stack([LEFT] * 40), np.stack([RIGHT] * 40))[:3]
    theirs[2] = rows()[0]
    return rows(np.stack([LEFT + 9] * 40), None)[:3], theirs


def hand(name: str) -> RegionVariant:
    found = SPEC.variant(name)
    assert isinstance(found, RegionVariant)
    return found


@pytest.mark.parametrize(("name", "trunk"), [("mediapipe-box", "alex"), ("mediapipe-union", "alex"), ("mediapipe-union-vgg", "vgg")])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_the_same_cuts_score_the_same_as_whole_pictures(
    name: str, trunk: str, kind: Any, networks: dict[str, Forward], pictures: tuple[Any, Any]
) -> None:
    """The cuts as whole pictures through lpips@alex and lpips@vgg, one at a time; each hand one sample."""
    generated, truth = (side.astype(kind) for side in pictures)
    expected = []
    for points, other in ((LEFT, LEFT + 9), (RIGHT, None)):
        x0, y0, x1, y1 = box(points, 128, 96) or (0, 0, 0, 0)
        if "union" in name and other is not None:
            u0, v0, u1, v1 = box(other, 128, 96) or (0, 0, 0, 0)
            x0, y0, x1, y1 = min(x0, u0), min(y0, v0), max(x1, u1), max(y1, v1)
        cuts = [bicubic(side[:1, y0:y1, x0:x1], 64, 64) for side in (generated, truth)]
        expected.append(score(networks, trunk, *cuts)[0])
    variant = hand(name)
    found = variant.score(generated, truth, *sides(), look(extractor(trunk), networks[trunk]))
    assert variant.network == f"lpips-{trunk}"
    assert found[:2][0] == pytest.approx(np.mean(expected), rel=1e-6)
    assert found[0] > 0
    assert np.isnan(found[2])  # the truth shows no hand


def test_identical_hands_have_no_distance(networks: dict[str, Forward], pictures: tuple[Any, Any]) -> None:
    """Exactly nought, wherever in a batch the two cuts lie, and whatever is around the hands."""
    truth = pictures[1]
    _, theirs = sides()
    for name, trunk in (("mediapipe-box", "alex"), ("mediapipe-box-vgg", "vgg")):
        other = truth.copy()
        seen = np.zeros(truth.shape[1:3], np.bool_)
        for points in (LEFT, RIGHT):
            x0, y0, x1, y1 = box(points, 128, 96) or (0, 0, 0, 0)
            seen[y0:y1, x0:x1] = True
        other[:, ~seen] = 255 - other[:, ~seen]
        shown = look(extractor(trunk), networks[trunk])
        assert hand(name).score(other, truth, theirs, theirs, shown)[:2].tolist() == [0, 0]
        other[:, int(LEFT[0, 1]), int(LEFT[0, 0])] ^= 128
        assert (hand(name).score(other, truth, theirs, theirs, shown)[:2] > 0).all()


def test_a_hand_at_the_edge_is_clipped_and_one_outside_is_none(networks: dict[str, Forward], pictures: tuple[Any, Any]) -> None:
    generated, truth = (side[:1] for side in pictures)
    variant, shown = hand("mediapipe-box"), look(extractor("alex"), networks["alex"])
    corner, gone = (rows(np.stack([SHAPE * 0.5 + at] * 40), None)[:1] for at in (np.array([2.0, 2.0]), np.array([-300.0, 9.0])))
    assert variant.score(generated, truth, corner, corner, shown)[0] > 0
    assert np.isnan(variant.score(generated, truth, gone, gone, shown)[0])


def test_the_rectangle_around_two_boxes() -> None:
    a, b = np.array([[100.0, 100.0], [140.0, 120.0]]), np.array([[150.0, 100.0], [160.0, 190.0]])
    assert box(a, 640, 480) == (95, 85, 145, 135)
    assert box(b, 640, 480) == (98, 88, 212, 202)
    assert around("union", a, b, 640, 480) == (95, 85, 212, 202)
    assert around("union", a, None, 640, 480) == around("box", a, b, 640, 480) == (95, 85, 145, 135)
    assert around("union", a, b - 900, 640, 480) == (95, 85, 145, 135)
    assert around("union", a - 900, b, 640, 480) is None
    with pytest.raises(ValueError, match="rectangle"):
        around("mask", a, b, 640, 480)


# ------------------------------------------------------------------------------------------------- a second network in a run


def still(frames: Frames) -> NDArray[np.float32]:
    """(n, WIDTH): a hand in the middle of the picture wherever the frame's mean level is even."""
    height, width = frames.shape[1:3]
    body = np.zeros((33, 3))
    body[:, 2] = 0.9
    hands = SHAPE * 0.4 + np.array([width / 2, height / 2])
    return np.stack([pack((0.9, body), ((0.9, hands) if int(frame.mean()) % 2 == 0 else None, None)) for frame in frames])


@pytest.fixture
def made(register: Register) -> None:
    read = HAND_PART.by[0][2]
    register(
        Extractor(
            id="zz-still",
            version=1,
            summary="a hand",
            source="here",
            dimension=WIDTH,
            batch=1,
            preprocess=lambda frames: frames,
            build=lambda state, device: still,
        ),
        Metric(
            name="zz-lpips-hand",
            title="zz",
            higher_is_better=False,
            variants=(
                RegionVariant(
                    id="box",
                    extractor="zz-still",
                    network="lpips-alex",
                    score=partial(over, read, "box"),
                    left_out="no-hand",
                    summary="",
                    source="",
                ),
            ),
        ),
    )


def words(two: Study) -> dict[str, Any]:
    return {
        "suite": "tiktok",
        "truth": two.root / "truth",
        "outputs": {"a": two.root / "a"},
        "metrics": ["zz-lpips-hand@box", "lpips@alex"],
    }


def frames_of(two: Study, side: str, case: str) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(next((two.root / side).glob(f"{case}.*"))))))


def test_a_second_network_through_a_run(made: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are those of `over` on the decoded frames; the header names both networks; frames without a hand are counted; chunks change no bit."""
    two = study(tmp_path / "study", cases=("one", "two"), methods=("a",))
    run(**words(two), weights="seeded", out=tmp_path / "run")
    used = extractor("alex")
    shown: Look = look(used, used.build(seeded(used), "cpu"))
    read, left_out, clips = HAND_PART.by[0][2], 0, []
    for case in ("one", "two"):
        ours, theirs = frames_of(two, "a", case), frames_of(two, "truth", case)
        values = over(read, "box", ours, theirs, still(ours), still(theirs), shown)
        left_out += int(np.isnan(values).sum())
        clips.append(np.nanmean(values))
    found = row(tmp_path / "run", "a", "zz-lpips-hand@box")
    assert found["value"] == pytest.approx(np.mean(clips), rel=1e-9)
    assert found["n_left_out"] == left_out > 0
    assert found["weights"] == "seeded-1"
    assert "seeded-1" in found["flags"]
    networks = header(tmp_path / "run")["plan"]["networks"]
    assert {name: one["weights"] for name, one in networks.items()} == {"zz-still": "none", "lpips-alex": "seeded-1"}
    monkeypatch.setattr(evaluate, "LIVE_CHUNK", 3)
    run(**words(two), weights="seeded", out=tmp_path / "other")
    assert row(tmp_path / "other", "a", "zz-lpips-hand@box")["value"] == found["value"]


def test_without_its_second_networks_weights(made: None, tmp_path: Any) -> None:
    two = study(tmp_path / "study", cases=("one",), methods=("a",))
    run(**words(two), out=tmp_path / "run")
    found = row(tmp_path / "run", "a", "zz-lpips-hand@box")
    assert (found["value"], found["reason"]) == (None, "weights-missing")
    assert "alexnet-imagenet" in found["detail"]


def test_it_is_told_before_a_run(made: None, tmp_path: Any) -> None:
    two = study(tmp_path / "study", cases=("one",), methods=("a",))
    said = "\n".join(describe(Request(**words(two), weights="seeded")))
    assert "network zz-still: " in said
    assert "network lpips-alex: " in said
    assert "as many regions as are seen" in said
    assert "lpips-hand@mediapipe-box" in users("alexnet-imagenet")
    assert "lpips-hand@mediapipe-box" in users("mediapipe-hand-landmark-lite")
    text = explain("lpips-hand@mediapipe-box")
    assert "mediapipe-holistic v" in text
    assert "lpips-alex v" in text
    assert registry().variant("lpips-hand@dwpose-union")[1].summary
