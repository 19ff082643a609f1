"""From faces to tracks' distances by recipe: which frames are cut, which sound lies beside them, and why there is no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import Unscored
from suites.metrics._sync import best
from suites.sync._content import changes, scores
from suites.sync._crop import crops
from suites.sync._faces import WIDTH, pack, unpack
from suites.sync._recipes import (
    CLEAN,
    LATENT,
    MOCHA,
    MP3_DELAY,
    PIPELINE_A,
    PIPELINE_B,
    Recipe,
    followed,
    measure,
    nearest,
    through_mp3,
    usual,
)
from suites.sync._retiming import Detector, scenes
from tests.formula import frames

Boxes = list[list[NDArray[np.float64]]]
BOX = np.array([40.0, 30.0, 160.0, 140.0])


def test_rows_of_faces() -> None:
    """There and back; more than sixteen lose the last ones; a row of another width is refused."""
    faces = np.arange(100.0).reshape(20, 5)
    (found,) = unpack(pack(faces)[None])
    assert np.array_equal(found, faces[:16, :4])
    assert [len(boxes) for boxes in unpack(np.stack([pack(faces[:2]), pack(faces[:0])]))] == [2, 0]
    with pytest.raises(ValueError, match=f"expected \\(n, {WIDTH}\\)"):
        unpack(np.zeros((2, 5)))


CLIP = {size: np.concatenate([frames("truth", 2, *size, 0), frames("truth", 2, *size, 1), 255 - frames("truth", 1, *size, 1)]) for size in
        ((60, 300), (90, 700), (600, 500))}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "size", "expected"),
    [
        ("0.5.1", (60, 300), [11.440407407407408, 47.515018518518524, 10.479592592592592, 49.47109259259259]),
        ("0.5.1", (90, 700), [11.358072174738842, 47.450902184235524, 10.51429249762583, 49.52483380816714]),
        ("0.5.1", (600, 500), [11.42684888888889, 47.48140444444444, 10.554924444444444, 49.48172]),
        ("0.6.1", (90, 700), [11.511195767195767, 47.52768253968254, 10.491746031746032, 49.45420105820106]),
        ("0.6.1", (600, 500), [11.413387777777777, 47.527884444444446, 10.552886666666666, 49.49849444444445]),
        ("0.6.6", (60, 300), [11.308925653594772, 47.20754187091504, 10.416666666666666, 48.997063929738566]),
        ("0.6.6", (90, 700), [11.305673926767676, 47.3972932449495, 10.470486111111112, 49.25548453282829]),
        ("0.6.6", (600, 500), [11.410535260172145, 47.428110328638496, 10.593823356807512, 49.41263815532081]),
    ],
)
def test_content_scores(version: Detector, size: tuple[int, int], expected: list[float]) -> None:
    """Numbers of PySceneDetect 0.5.1, 0.6.1 and 0.6.6 themselves on these frames, each after its own way to make them smaller."""
    assert list(scores(CLIP[size], version)) == pytest.approx(expected, rel=1e-5)
    assert changes(CLIP[size], version) == [2, 4]


@pytest.mark.parametrize(
    ("version", "at", "cuts"),
    [
        ("0.5.1", (8, 20), [8]),
        ("0.5.1", (14, 29), [14, 29]),
        ("0.5.1", (30, 40, 50, 60, 90), [30, 50, 90]),
        ("0.6.1", (8,), []),
        ("0.6.1", (8, 20), [20]),
        ("0.6.1", (8, 16, 30), [16]),
        ("0.6.1", (14, 29), [29]),
        ("0.6.1", (30, 40, 50, 60, 90), [30, 50, 90]),
        ("0.6.6", (8, 20), []),
        ("0.6.6", (14, 29), [29]),
        ("0.6.6", (30, 40, 50, 60, 90), [30, 60, 90]),
    ],
)
def test_cuts(version: Detector, at: tuple[int, ...], cuts: list[int]) -> None:
    """What the three versions' own detectors give for 120 frames that change there."""
    assert [first for first, _ in scenes(at, 120, version)][1:] == cuts


@pytest.mark.parametrize(("fps", "shown"), [(25, [0, 1, 2, 3]), (50, [0, 2]), (12.5, [0, 0, 1, 2, 2, 2, 3, 3]), (100, [0])])
def test_nearest(fps: float, shown: list[int]) -> None:
    """Closed form: at 12.5 a second places lie halfway between frames, and halves go to the even one."""
    assert nearest(4, fps).shown == shown


def test_sound_through_an_avi() -> None:
    """1,105 samples at 48 kHz earlier than the picture; whole MP3 frames."""
    made = through_mp3(np.ones(1000, np.int16))
    assert MP3_DELAY == 368
    assert np.flatnonzero(made)[0] == 368
    assert len(made) % 384 == 0
    assert made.sum() == 1000


class Listener:
    """Stands for SyncNet: distances that tell which crop and which sound came."""

    def __init__(self) -> None:
        self.came: list[tuple[NDArray[np.uint8], NDArray[np.int16], bool]] = []

    def __call__(self, crops_: NDArray[np.uint8], samples: NDArray[np.int16], padded: bool) -> NDArray[np.float32]:
        if len(samples) < 3840:
            raise Unscored("too-short", "no sound")
        self.came.append((crops_, samples, padded))
        return np.linspace(1, 2, 31, dtype=np.float32)[None] + np.float32(len(self.came))


def everywhere(n: int, *boxes: NDArray[np.float64]) -> Boxes:
    return [list(boxes) for _ in range(n)]


def steady(n: int, height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    """Frames that differ by a little, so that no cut is seen."""
    return (frames("truth", 1, height, width, 0) // 2 + np.arange(n, dtype=np.uint8)[:, None, None, None] % 8).astype(np.uint8)


def look(
    clip: NDArray[np.uint8], faces: Boxes, recipe: Recipe, fps: float = 25, seconds: float = 20
) -> tuple[Listener, NDArray[np.float32]]:
    listener = Listener()
    samples = np.arange(int(seconds * 16000)).astype(np.int16)
    return listener, measure(faces, fps, lambda: iter(clip), samples, recipe, listener)


@pytest.mark.parametrize("recipe", [CLEAN, LATENT, MOCHA, PIPELINE_A, PIPELINE_B])
def test_one_face_for_the_whole_clip(recipe: Recipe) -> None:
    """At 25 a second: one track; its crops are those of the boxes in the frames that the re-timing shows (an AVI's pictures come a place late)."""
    clip, faces = steady(120), everywhere(120, BOX)
    listener, rows = look(clip, faces, recipe)
    ((made, samples, padded),) = listener.came
    (track,) = followed(rows)
    shown = recipe.times(120, 25).shown
    late = recipe in (MOCHA, PIPELINE_A, PIPELINE_B)
    assert list(shown[:3]) == ([0, 0, 1] if late else [0, 1, 2])
    assert (track.seen.first, track.seen.frames, track.seen.size) == (0, 120, 120)
    assert np.array_equal(made, crops([clip[i] for i in shown[:120]], np.tile(BOX, (120, 1))))
    assert len(samples) == 120 * 640
    assert padded is (recipe is not CLEAN)
    delay = 368 if recipe in (PIPELINE_A, PIPELINE_B) else 0
    assert samples[-1] == np.arange(120 * 640).astype(np.int16)[120 * 640 - 1 - delay]
    assert track.sync.means == pytest.approx(np.linspace(2, 3, 31), rel=1e-6)


def test_half_the_rate_and_twice_the_rate() -> None:
    for fps, count, shown in ((12.5, 60, np.rint(np.arange(120) / 2)), (50, 240, np.arange(120) * 2)):
        clip = steady(count)
        listener, _ = look(clip, everywhere(count, BOX), CLEAN, fps)
        ((made, *_),) = listener.came
        expected = crops(clip[np.minimum(shown.astype(int), count - 1)], np.tile(BOX, (120, 1)))
        assert np.array_equal(made, expected)


def test_a_cut_parts_tracks_and_their_sound() -> None:
    clip = steady(120)
    clip[60:] = 255 - clip[60:]
    listener, rows = look(clip, everywhere(120, BOX), CLEAN)
    assert [(track.seen.first, track.seen.frames) for track in followed(rows)] == [(0, 60), (60, 60)]
    assert listener.came[1][1][0] == np.arange(60 * 640, 60 * 640 + 1).astype(np.int16)[0]


def test_two_faces_are_two_tracks() -> None:
    other = BOX + np.array([130.0, 10, 130, 10])
    _, rows = look(steady(60), everywhere(60, BOX, other), CLEAN)
    assert [track.seen.box for track in followed(rows)] == [pytest.approx(BOX), pytest.approx(other)]


@pytest.mark.parametrize(
    ("faces", "seconds", "reason", "says"),
    [
        (everywhere(60), 20, "no-face", "in none of 60 frames"),
        (everywhere(60, np.array([0.0, 0, 40, 30])), 20, "small-face", "40 pixels"),
        (everywhere(20, BOX) + everywhere(40), 20, "short-track", "seen in 20 frames at 25 a second, 25 are needed"),
        (everywhere(60, BOX), 0.2, "short-audio", "0.20 s of sound, the longest track lasts 2.40 s"),
        (everywhere(60, np.array([-500.0, -500, -380, -390])), 20, "bad-crop", "outside the frame"),
    ],
)
def test_why_there_is_no_number(faces: Boxes, seconds: float, reason: str, says: str) -> None:
    with pytest.raises(Unscored) as error:
        look(steady(60), faces, CLEAN, seconds=seconds)
    assert error.value.reason == reason
    assert says in error.value.detail


def test_the_original_needs_a_longer_track() -> None:
    """More than 100 detections, where LatentSync and MoChaBench need more than 50; a slow clip in an AVI of the older ffmpeg loses its tail."""
    for recipe, count in ((PIPELINE_A, 101), (LATENT, 51), (MOCHA, 51)):
        _, rows = look(steady(count), everywhere(count, BOX), recipe)
        assert len(rows) == 1
        with pytest.raises(Unscored, match="short-track"):
            look(steady(count - 1), everywhere(count - 1, BOX), recipe)
    slow = steady(81)
    with pytest.raises(Unscored, match="short-track"):
        look(slow, everywhere(81, BOX), PIPELINE_A, 16)
    _, rows = look(slow, everywhere(81, BOX), PIPELINE_B, 16)
    assert followed(rows)[0].seen.frames == 127


def test_the_clips_track() -> None:
    """Not the shortest, whose confidence is high by chance."""
    made: list[Any] = []
    for length, confidence in ((120, 1.0), (100, 2.0), (30, 9.0)):
        means = np.r_[np.full(30, 5.0), 5.0 - confidence]
        made.append(np.concatenate([[0, length, length, 100, 0, 0, 1, 1], means]))
    assert best(followed(np.stack(made))).confidence == pytest.approx(2.0)


RULES = [recipe.times for recipe in (PIPELINE_A, PIPELINE_B, LATENT, MOCHA, CLEAN)]


@pytest.mark.parametrize("fps", [15, 16, 24, 25, 29.97, 30, 50])
def test_even_times_change_nothing(fps: float) -> None:
    """Identity: k / fps said in seconds is what the rate says."""
    seconds = [k / fps for k in range(100)]
    for times in RULES:
        assert times(100, fps, seconds) == times(100, fps, None)


def test_a_frame_that_is_left_out() -> None:
    """An AVI at 25 a second without its second frame, as ffmpeg itself writes them: the frames behind stay at their own times, where the average rate would
    bring them up to a frame too early. Closed form: the hole is filled, by the frame before or behind it, and nothing else moves."""
    seconds = [0.0, *(k / 25 for k in range(2, 132))]
    assert usual(seconds, 24.8) == 25
    for times in RULES:
        shown = list(times(131, 25.0, seconds).shown)
        late = 1 if times not in (LATENT.times, CLEAN.times) else 0  # the AVI's picture comes a place late, its first frame twice
        assert shown[late] == 0
        assert shown[2 + late :] == list(range(1, 131))
        assert shown[1 + late] in (0, 1)
    with pytest.raises(ValueError, match="131 frames, 130 times"):
        PIPELINE_A.times(131, 25.0, seconds[:-1])


def test_a_network_that_fails_is_no_short_sound() -> None:
    """What a window's comparison refuses for another reason than its length is the clip's reason."""

    def broken(crops: NDArray[np.uint8], samples: NDArray[np.int16], padded: bool) -> NDArray[np.float32]:
        raise Unscored("nan-features", "no numbers")

    pictures = np.zeros((40, 200, 240, 3), np.uint8)
    with pytest.raises(Unscored) as error:
        measure([[BOX]] * 40, 25.0, lambda: iter(pictures), np.zeros(40 * 640, np.int16), CLEAN, broken)
    assert error.value.reason == "nan-features"


def test_faces_without_area() -> None:
    """Two of them have no overlap that could be told (0 / 0, where the originals fail): a reason, not the end of the run."""
    pictures = np.zeros((40, 200, 240, 3), np.uint8)
    with pytest.raises(Unscored) as error:
        measure(
            [[np.array([50.0, 50, 50, 50])]] * 40,
            25.0,
            lambda: iter(pictures),
            np.zeros(40 * 640, np.int16),
            CLEAN,
            lambda *_: np.zeros((1, 31)),
        )
    assert error.value.reason == "bad-crop"
