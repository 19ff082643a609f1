"""The lip-sync arithmetic beyond the frozen numbers: identities, closed forms, SciPy, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import Unscored
from suites.networks import _s3fd, _syncnet
from suites.sync import _aggregate
from suites.sync._aggregate import ClipSync
from suites.sync._crop import Rectangle, crops, cut, median_filter, rectangle
from suites.sync._distances import Sync, batches, count_windows, distances, embed, lip_windows, padded_share, summarise
from suites.sync._mfcc import mfcc, windows_of
from suites.sync._retiming import Version, avi, avi_samples, jpegs, mp4, scenes
from suites.sync._tracks import LATENTSYNC, MOCHABENCH, Rule, iou, tracks, tracks_of_shots
from tests.formula_audio import lagged_features, uniform, waveform

VERSIONS: tuple[Version, ...] = ("4.2", "5.1", "7.0")


# --------------------------------------------------------------------------------------------------------------- distances


@pytest.mark.parametrize(("count", "size"), [(1, 4), (4, 4), (9, 4), (20, 20)])
def test_batches_have_one_shape_and_cover_every_window_once(count: int, size: int) -> None:
    found = list(batches(count, size))
    assert {len(starts) for starts, _ in found} == {size}
    assert [start for starts, counted in found for start in starts[:counted]] == list(range(count))
    assert max(starts.max() for starts, _ in found) == count - 1


def test_windows_are_blue_first_and_in_order() -> None:
    """Closed form: a frame whose red, green, blue are its number, 100 and 200."""
    clip = np.zeros((9, 4, 4, 3), np.uint8) + np.array([0, 100, 200], np.uint8)
    clip[..., 0] += np.arange(9, dtype=np.uint8)[:, None, None]
    found = lip_windows(clip, np.array([0, 3]))
    assert found.shape == (2, 5, 4, 4, 3)
    assert found[1, 2, 0, 0].tolist() == [200, 100, 5]
    steps = windows_of(np.arange(40.0)[:, None] + np.zeros(13), np.array([1, 5]))
    assert steps.shape == (2, 13, 20)
    assert steps[:, 0, [0, -1]].tolist() == [[4, 23], [20, 39]]
    with pytest.raises(IndexError):
        lip_windows(clip, np.array([5]))


def test_embeddings_do_not_depend_on_the_batch() -> None:
    """Stub networks that return where a window begins; the padding of the last batch leaves no row behind."""

    def lip(batch: NDArray[Any]) -> NDArray[np.float32]:
        assert batch.shape == (4, 5, 2, 2, 3)
        return batch[:, 0, 0, 0, :1]

    def aud(batch: NDArray[Any]) -> NDArray[np.float32]:
        assert batch.shape == (4, 13, 20)
        return batch[:, 0, :1]

    clip = np.zeros((12, 2, 2, 3), np.uint8) + np.arange(12, dtype=np.uint8)[:, None, None, None]
    lips, sounds = embed(lip, aud, clip, np.arange(60.0)[:, None] + np.zeros(13), 7, 4)
    assert lips[:, 0].tolist() == list(range(7))
    assert sounds[:, 0].tolist() == list(range(0, 28, 4))


@pytest.mark.parametrize("padded", [True, False])
def test_distances_are_those_of_torch(padded: bool) -> None:
    torch = pytest.importorskip("torch")
    lips, sounds = lagged_features(20, 32, 2)
    found = distances(lips, sounds, 3, padded)
    around = torch.nn.functional.pad(torch.from_numpy(sounds), (0, 0, 3, 3))
    for row in range(20):
        wanted = torch.nn.functional.pairwise_distance(torch.from_numpy(lips[[row]]).repeat(7, 1), around[row : row + 7]).numpy()
        there = [padded or 0 <= row + shift < 20 for shift in range(-3, 4)]
        assert np.isnan(found[row]).tolist() == [not seen for seen in there]
        assert found[row][there] == pytest.approx(wanted[there], rel=1e-6)


@pytest.mark.parametrize("lag", [-5, 0, 4])
def test_a_lag_is_found_and_at_zero_it_costs(lag: int) -> None:
    """Sync-D does not see a constant lag; the distance at offset 0 does."""
    score = summarise(distances(*lagged_features(60, 64, lag)))
    assert score.offset == -lag
    assert score.distance == score.means.min()
    assert (score.at_zero == score.distance) == (lag == 0)
    assert score.at_zero == score.means[15]


@pytest.mark.parametrize("width", [5, 7, 31])
def test_the_median_is_torchs(width: int) -> None:
    torch = pytest.importorskip("torch")
    means = uniform("means", (width,)).astype(np.float32)
    score = summarise(means[None])
    assert score.confidence == pytest.approx(float(torch.median(torch.from_numpy(means))) - float(means.min()), abs=1e-7)
    assert score.offset == width // 2 - int(means.argmin())


def test_equal_minima_give_the_earlier_sound() -> None:
    assert summarise(np.array([[3.0, 1.0, 2.0, 1.0, 3.0]], np.float32)).offset == 1


@pytest.mark.parametrize("count", [1, 7, 15, 16, 76])
def test_padded_share_counts_what_is_missing(count: int) -> None:
    rows = np.ones((count, 2), np.float32)
    assert padded_share(count) == pytest.approx(np.isnan(distances(rows, rows, padded=False)).mean(), abs=1e-15)


def test_too_short_is_unscored_not_a_number() -> None:
    assert count_windows(6, 3840) == 1
    for frames, samples in ((5, 9999), (9999, 3839), (0, 0)):
        with pytest.raises(Unscored, match="too-short"):
            count_windows(frames, samples)
    rows = np.ones((15, 4), np.float32)
    with pytest.raises(Unscored, match="too-short"):
        summarise(distances(rows, rows, padded=False))
    with pytest.raises(Unscored, match="too-short"):
        summarise(distances(rows[:0], rows[:0]))
    with pytest.raises(ValueError, match="one shape"):
        distances(rows, rows[:3])


def test_sound_that_is_no_sound_is_refused() -> None:
    with pytest.raises(TypeError, match="int16"):
        mfcc(waveform(1600).astype(np.int32))  # type: ignore[arg-type]
    for wrong in (np.zeros((2, 1600), np.int16), np.zeros(0, np.int16)):
        with pytest.raises(ValueError, match="one channel"):
            mfcc(wrong)
    with pytest.raises(IndexError):
        windows_of(mfcc(waveform(16000)), np.array([20]))


# ------------------------------------------------------------------------------------------------------------ tracks, crops


def test_no_track_crosses_a_cut_and_short_shots_have_none() -> None:
    faces = [[[0.0, 0.0, 150.0, 150.0]]] * 140
    whole = tracks_of_shots(faces, [(0, 140)], LATENTSYNC)
    assert [len(track.frames) for track in whole] == [140]
    parts = tracks_of_shots(faces, [(0, 60), (60, 89), (89, 140)], LATENTSYNC)
    assert [(track.frames[0], track.frames[-1]) for track in parts] == [(0, 59), (89, 139)]
    assert tracks_of_shots(faces, [(0, 50)], LATENTSYNC) == []


def test_a_strangers_place_in_the_list_matters_to_mochabench_only() -> None:
    """By hand: after frame 0 the stranger comes first in every list. MoChaBench loses the other at once and finds it again as a third track,
    without frame 0; the first track, of one detection, is dropped."""
    stranger, other = [500.0, 0.0, 650.0, 150.0], [0.0, 0.0, 150.0, 150.0]
    faces = [[other, stranger], *[[stranger, other]] * 60]
    for rule, expected in ((LATENTSYNC, [(other, 0), (stranger, 0)]), (MOCHABENCH, [(stranger, 0), (other, 1)])):
        assert [(track.boxes[0].tolist(), track.frames[0]) for track in tracks(faces, rule)] == expected


def test_holes_are_on_the_line_between() -> None:
    faces: list[list[list[float]]] = [[[0.0, 0.0, 200.0, 200.0]], [], [], [[12.0, 24.0, 212.0, 224.0]]]
    (track,) = tracks(faces, Rule(min_track=1), first=7)
    assert track.frames.tolist() == [7, 8, 9, 10]
    assert track.detections == 2
    assert track.boxes[1] == pytest.approx([4, 8, 204, 208])


def test_iou_of_itself_and_of_nothing() -> None:
    assert iou([0, 0, 4, 4], [0, 0, 4, 4]) == 1
    with pytest.raises(ZeroDivisionError):
        iou([0, 0, 0, 0], [0, 0, 0, 0])
    assert iou([0, 0, 0, 0], [0, 0, 0, 0], MOCHABENCH.epsilon) == 0


@pytest.mark.filterwarnings("ignore:kernel_size exceeds")
@pytest.mark.parametrize("n", [1, 5, 13, 40])
def test_median_filter_is_scipys(n: int) -> None:
    signal = pytest.importorskip("scipy.signal")
    values = uniform("filtered", (n,)) * 300
    assert median_filter(values).tolist() == signal.medfilt(values, kernel_size=13).tolist()
    with pytest.raises(ValueError, match="odd"):
        median_filter(values, 12)


def test_a_crop_is_grey_outside_and_refused_far_outside() -> None:
    where = rectangle(0.0, 0.0, 10.0)
    assert where == Rectangle(18, 8, 36, 4, 32)
    found = cut(np.full((100, 100, 3), 7, np.uint8), where)
    assert found.shape == (28, 28, 3)
    assert (found[:10] == 110).all()
    assert (found[10:, 14:] == 7).all()
    for x, y in ((-30.0, 0.0), (0.0, -9.9), (300.0, 0.0)):
        with pytest.raises(ValueError, match="outside the frame"):
            cut(np.zeros((100, 100, 3), np.uint8), rectangle(x, y, 10.0))
    with pytest.raises(ValueError, match="3 frames and 4 boxes"):
        crops(np.zeros((3, 100, 100, 3), np.uint8), np.zeros((4, 4)))


# ---------------------------------------------------------------------------------------------------------- re-timing, scenes


@pytest.mark.parametrize("version", VERSIONS)
def test_a_clip_at_25_stays_as_it_is(version: Version) -> None:
    """But for the first JPEG of the AVI route, which comes twice."""
    assert avi(30, 25, version) == [(number, number) for number in range(30)]
    assert mp4(30, 25, version) == list(range(30))
    assert jpegs(30, 25, version) == [0, *range(30)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fps", [8, 12, 15, 16, 23.976, 24, 25, 29.97, 30, 50, 60])
def test_frames_stay_in_order_and_near_their_time(fps: float, version: Version) -> None:
    """No frame before its predecessor; below 25 a second none is lost, above none repeated inside; a place shows
    what was due less than a source frame and 0.085 s away."""
    for shown in (mp4(90, fps, version), jpegs(90, fps, version)):
        steps = np.diff(shown)
        assert (steps >= 0).all()
        assert (steps <= 1).all() or fps > 25
        assert (steps[1:] >= 1).all() or fps <= 25 or version == "7.0"
        assert np.abs(np.arange(len(shown)) / 25 - np.array(shown) / fps).max() < 1 / fps + 0.085
    places = [frame.place for frame in avi(90, fps, version)]
    assert (np.diff(places) == 1).all() or (fps < 25 and version != "7.0")
    assert len(places) == 90 or fps > 25 or version == "7.0"


def test_which_frames_16_a_second_show() -> None:
    """By hand: frame k is due at 1.5625 k. In 5.1 it lasts two places, in 7.0 1.5625, and is written round(due - next place + that) times."""
    assert mp4(81, 16, "5.1")[:7] == [0, 0, 1, 1, 2, 3, 3]
    assert mp4(81, 16, "7.0")[:8] == [0, 0, 1, 2, 2, 3, 4, 4]


def test_double_rate_drops_every_second_frame() -> None:
    """Closed form: at 50 a second a frame lasts half a place; after the first few, which are kept until they are late, every second goes."""
    for version in VERSIONS:
        assert set(np.diff(mp4(101, 50, version))[6:]) == {2}


def test_empty_and_impossible_clips() -> None:
    assert avi(0, 16, "7.0") == []
    assert mp4(0, 16, "5.1") == []
    for frames, fps in ((10, 0.0), (10, -1.0), (-1, 25.0)):
        with pytest.raises(ValueError, match="re-timed"):
            mp4(frames, fps, "7.0")
    with pytest.raises(ValueError, match="re-timed"):
        avi_samples(10, 0.0)


def test_bursts_of_changes() -> None:
    """By hand from the two rules: flashes at 40, 44, ..., 60 after a cut at 20."""
    burst = [20, *range(40, 61, 4)]
    assert scenes(burst, 100, "0.5.1") == [(0, 20), (20, 40), (40, 56), (56, 100)]
    assert scenes(burst, 100, "0.6.6") == [(0, 20), (20, 40), (40, 60), (60, 100)]
    assert scenes([20, 30, 32], 100, "0.6.6") == [(0, 20), (20, 100)]
    for wrong in (0, 100):
        with pytest.raises(ValueError, match=r"1\.\.99"):
            scenes([wrong], 100, "0.5.1")


# ------------------------------------------------------------------------------------------------------------------ clips


def of(distance: float, confidence: float, offset: int) -> Sync:
    return Sync(distance, confidence, offset, distance, np.zeros(31))


def test_three_tools_three_values() -> None:
    """By hand: one track has the best distance, the other the best confidence; the mean offset of -1 and 0 is cut off to 0, of -3 and 0 to -1."""
    both = [of(8.0, 5.0, -3), of(7.0, 4.0, 0)]
    assert _aggregate.syncnet_python(both) == [ClipSync(8.0, 5.0, -3), ClipSync(7.0, 4.0, 0)]
    assert _aggregate.latentsync(both) == ClipSync(None, 4.5, -1)
    assert _aggregate.latentsync([of(1, 1, -1), of(1, 1, 0)]).offset == 0
    assert _aggregate.mochabench(both) == ClipSync(7.0, 5.0, None)


@pytest.mark.parametrize("tool", [_aggregate.syncnet_python, _aggregate.latentsync, _aggregate.mochabench])
def test_no_track_is_unscored(tool: Any) -> None:
    with pytest.raises(Unscored, match="no-track"):
        tool([])


# --------------------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize(("h", "w"), [(32, 33), (90, 122), (97, 61)])
def test_priors_are_as_many_as_the_network_has_rows(h: int, w: int) -> None:
    pytest.importorskip("torch")
    state = {name: np.zeros(shape, np.float32) for name, shape in _s3fd.shapes().items()}
    rows = _s3fd.build(state, "cpu")(np.zeros((1, h, w, 3), np.float32))
    assert rows.shape == (1, len(_s3fd.priors(h, w)), 6)
    assert (rows[..., 4:] == 0.5).all()
    assert _s3fd.detect_faces(_s3fd.build(state, "cpu"), np.zeros((h, w, 3), np.uint8), scale=1.0).shape == (0, 5)


def test_a_picture_too_small_for_s3fd_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        _s3fd.feature_maps(31, 400)


def test_all_detections_above_the_threshold_are_read() -> None:
    """Where the original runs past the end of its list."""
    corner = np.arange(_s3fd.KEPT, dtype=np.float32)[:, None] * 2
    rows = np.concatenate([np.full_like(corner, 0.95), corner, corner, corner + 1, corner + 1], axis=1)
    assert len(_s3fd.faces_of(rows, 100, 100)) == _s3fd.KEPT


def test_a_missing_tensor_is_an_error() -> None:
    pytest.importorskip("torch")
    state = {name: np.zeros(shape, np.float32) for name, shape in _syncnet.shapes().items() if name != "netfcaud.3.bias"}
    with pytest.raises(KeyError):
        _syncnet.forward_aud(state, "cpu")(np.zeros((1, 13, 20), np.float32))
