"""Keypoints that come with the data: files of every layout, through the product on exact keypoints with closed forms, and what is wrong with a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.api import run
from benchmark.errors import InputError
from benchmark.model import Unit
from benchmark.record import Record
from benchmark.validate import validate
from suites.people._given import placed, read
from suites.people._layout import dwpose, with_neck
from tests.make import movie, write

SIZE = (120, 80)


def points(n: int, seed: int = 0) -> NDArray[np.float64]:
    """(n, 133, 2) within the picture."""
    return np.random.default_rng(seed).uniform(5, 70, (n, 133, 2))


def packed(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def opened(size: tuple[int, int] = SIZE, **arrays: Any) -> NDArray[np.float64]:
    return read(Path("one.npz"), packed(**arrays), size)


def test_layouts_agree() -> None:
    """133 rows, 134 with the neck, DWPose's parts as fractions: the same points; DWPose has no feet."""
    here = points(4)
    plain = opened(keypoints=here)
    assert np.array_equal(plain[..., :2], here)
    assert plain[..., 2].all()
    neck, scores = with_neck(here, np.ones((4, 133)))
    assert opened(keypoints_with_neck=np.concatenate([neck, scores[..., None]], axis=2)) == pytest.approx(plain)
    made = [dwpose(frame[None], np.ones((1, 133)), SIZE[1], SIZE[0]) for frame in here]
    parts = opened(
        body_xy=np.stack([m["bodies"]["candidate"] for m in made]),
        body_subset=np.stack([m["bodies"]["subset"] for m in made]),
        hands_xy=np.stack([m["hands"] for m in made]),
        face_xy=np.stack([m["faces"] for m in made]),
    )
    rest = np.r_[0:17, 23:133]
    assert parts[:, rest] == pytest.approx(plain[:, rest])
    assert not parts[:, 17:23].any()


def test_what_is_not_seen() -> None:
    """By a score below 0.3, by visible = 0, by -1, by -1 in the subset: noughts."""
    here = points(2)
    scored = np.concatenate([here, np.where(np.arange(133) == 7, 0.2, 0.9)[None, :, None].repeat(2, 0)], axis=2)
    visible = np.arange(133)[None].repeat(2, 0) != 7
    for found in (opened(keypoints=scored), opened(keypoints=here, visible=visible)):
        assert not found[:, 7].any()
        assert found[:, np.arange(133) != 7, 2].all()
    body, subset = np.full((2, 18, 2), 0.5), np.zeros((2, 1, 18))
    subset[:, :, 4] = -1  # OpenPose's right wrist is row 10
    hands, face = np.full((2, 2, 21, 2), 0.5), np.full((2, 1, 68, 2), 0.5)
    hands[0, 1, 3] = -1  # the right hand begins at row 112
    found = opened(body_xy=body, body_subset=subset, hands_xy=hands, face_xy=face)
    assert np.argwhere(found[..., 2] == 0).tolist() == sorted([[k, p] for k in (0, 1) for p in (10, *range(17, 23))] + [[0, 115]])


NAN = points(3)
NAN[2, 5, 1] = np.nan
PARTS = {"body_xy": np.zeros((3, 18, 2)), "hands_xy": np.zeros((3, 2, 21, 2)), "face_xy": np.zeros((3, 1, 68, 2))}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"keypoints": np.zeros((3, 134, 2))}, "134 rows have DWPose's neck: name the array keypoints_with_neck"),
    ({"keypoints_with_neck": np.zeros((3, 133, 2))}, "133 rows have no neck: name the array keypoints"),
    ({"keypoints": np.zeros((3, 17, 2))}, r"expected: \(n, 133, 2\) or \(n, 133, 3\)"),
    ({"keypoints": NAN}, "1, the first is point 5 of frame 2"),
    ({"keypoints": np.concatenate([points(3), NAN[..., 1:]], axis=2)}, "the score of point 5 of frame 2 is NaN"),
    ({"keypoints": np.zeros((3, 133, 2)), "visible": np.ones((3, 134))}, r"found:    \(3, 134\)"),
    ({"body_xy": np.zeros((3, 18, 2)), "hands_xy": np.zeros((3, 4, 21, 2)), "face_xy": np.zeros((3, 2, 68, 2))}, "one person"),
    ({"poses": np.zeros((3, 133, 2))}, r"found:    poses \(3, 133, 2\)"),
    ({**PARTS, "body_xy": np.full((3, 18, 2), "x")}, r"body_xy \(3, 18, 2\) <U1"),
    ({**PARTS, "face_xy": np.array(1.0)}, r"face_xy \(\) float64"),
    ({**PARTS, "body_subset": np.zeros((2, 1, 18))}, r"expected: \(3, 1, 18\)"),
    ({**PARTS, "body_subset": np.zeros((7, 18))}, r"body_subset \(7, 18\)"),
    ({**PARTS, "body_subset": np.full((3, 1, 18), "x")}, "body_subset .* <U1"),
    ({"keypoints": np.zeros((3, 133, 2)), "visible": np.full((3, 133), "yes")}, "booleans or numbers"),
]


@pytest.mark.parametrize(("arrays", "says"), BAD)
def test_bad_files(arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        opened(**arrays)
    assert error.value.code == "bad-keypoints"


def test_parts_of_no_frame() -> None:
    """A file of no frames is read; that its clip has some is told by whoever knows the clip."""
    assert opened(**{name: values[:0] for name, values in PARTS.items()}).shape == (0, 133, 3)


def test_files_that_are_none() -> None:
    """Other bytes, pickled objects, half a file."""
    whole = packed(keypoints=points(3))
    for content in (b"no archive", packed(keypoints=np.array([{}], object)), whole[: len(whole) // 2]):
        with pytest.raises(InputError) as error:
            read(Path("one.npz"), content, SIZE)
        assert error.value.code == "bad-keypoints"


def test_places_in_a_part_at_another_size() -> None:
    """Closed form: the right half at twice the size; what lies to the left is not seen."""
    here = np.zeros((1, 133, 3))
    here[0, 0], here[0, 1] = (100, 40, 1), (10, 40, 1)
    found = placed(here, SIZE, (60, 0, 60, 80), (120, 160))
    assert found[0, 0].tolist() == [80, 80, 1]
    assert found[0, 1].tolist() == [0, 0, 0]


# ---------------------------------------------------------------------------------------------------------- whole runs

N, SIDE = 24, 64


def hand(x: float, y: float) -> NDArray[np.float64]:
    """21 points of a hand 16 pixels wide."""
    k = np.arange(21)
    return np.stack([x + 4 * (k % 5), y + 4 * (k // 5)], axis=1).astype(np.float64)


def moving(n: int = N, swing: float = 3.0) -> NDArray[np.float64]:
    """A person whose left hand goes to and fro by `swing` pixels, the right one stays; shoulders 20 pixels apart."""
    found = np.full((n, 133, 2), 30.0)
    found[:, 5], found[:, 6] = (40, 20), (20, 20)
    for t in range(n):
        found[t, 91:112] = hand(8 + swing * (-1) ** t, 30)
        found[t, 112:133] = hand(40, 36)
    return found


def save(path: Path, keypoints: NDArray[np.float64], **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(keypoints=keypoints, **more))
    return path


def values(record: Record, case: str = "one") -> dict[str, Any]:
    found: dict[str, Any] = next(iter(record.journal[Unit("m", case)]["values"].values()))
    return found


def ready(tmp_path: Path, generated: NDArray[np.uint8] | None = None) -> dict[str, Any]:
    clip = movie(1, N, SIDE, SIDE)
    write(tmp_path / "truth" / "one.mkv", clip, rate=25)
    write(tmp_path / "m" / "one.mkv", clip if generated is None else generated, rate=25)
    return {"suite": "tiktok", "truth": tmp_path / "truth", "outputs": {"m": tmp_path / "m"}}


def test_closed_forms(tmp_path: Path) -> None:
    """hkv: a hand that goes +-3 pixels of 64 has a variance of 9 (8)^2, the other none; displacement 6 px; the fingers do not move against the wrist.
    akd: all points 3 right and 4 down are 5 pixels off, 0.25 shoulders."""
    request = ready(tmp_path)
    names = [
        "hkv@given-px512",
        "hkv@given-wrist",
        "hkv@given-displacement",
        "hand-rate@given-hand",
        "akd@given-px512",
        "akd@given-shoulder",
    ]
    save(tmp_path / "k" / "one.npz", moving() + np.array([3, 4]))
    save(tmp_path / "kt" / "one.npz", moving())
    record = run(**request, metrics=names, keypoints={"m": tmp_path / "k", "truth": tmp_path / "kt"}, out=tmp_path / "run")
    found = values(record)
    assert found["hkv@given-px512"]["value"] == pytest.approx((9 + 0) / 2 * 64, rel=1e-5)
    assert found["hkv@given-displacement"]["value"] == pytest.approx((6 + 0) / 2 * 8, rel=1e-5)
    assert found["hkv@given-wrist"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["hand-rate@given-hand"]["value"] == 1
    assert found["akd@given-px512"]["value"] == pytest.approx(5 * 8, rel=1e-5)
    assert found["akd@given-shoulder"]["value"] == pytest.approx(0.25, rel=1e-5)
    assert record.header["spec"]["cases"][0]["truth"]["keypoints"] != record.header["spec"]["cases"][0]["outputs"]["m"]["keypoints"]


def test_regions_need_the_truths_alone(tmp_path: Path) -> None:
    """A level added outside of the hands' boxes changes nothing there; inside, PSNR is 20 log10(255 / level). `union` needs both sides' files."""
    clip = movie(1, N, SIDE, SIDE) // 2 + 20
    near, far = clip.copy(), clip.copy()
    near[:, 20:64, 0:64] += 10
    far[:, :16] += 10
    names = ["psnr-hand@given-box", "ssim-hand@given-mask", "psnr-hand@given-union"]
    files = save(tmp_path / "kt" / "one.npz", moving(swing=0)).parent
    for name, changed in (("near", near), ("far", far)):
        request = ready(tmp_path / name, changed)
        write(tmp_path / name / "truth" / "one.mkv", clip, rate=25)
        found = values(run(**request, metrics=names, keypoints={"truth": files}, out=tmp_path / name / "run"))
        if name == "near":
            assert found[names[0]]["value"] == pytest.approx(20 * np.log10(25.5), abs=1e-9)
        else:
            assert found[names[0]]["reason"] == "no-hand-or-identical"
            assert found[names[1]]["value"] == pytest.approx(1, abs=1e-9)
        assert found[names[2]]["reason"] == "no-keypoints"
        assert "--keypoints m=DIR" in found[names[2]]["detail"]


def test_reasons_and_the_rest_scored(tmp_path: Path) -> None:
    """No file, one of another length, one with NaN: each by its reason, in one run with a metric that needs none; another file is another spec."""
    clip = movie(1, N, SIDE, SIDE)
    for case in ("short", "nan", "none", "good"):
        for side in ("truth", "m"):
            write(tmp_path / side / f"{case}.mkv", clip, rate=25)
    broken = moving()
    broken[3, 100] = np.nan
    save(tmp_path / "k" / "short.npz", moving(N - 1))
    save(tmp_path / "k" / "nan.npz", broken)
    save(tmp_path / "k" / "good.npz", moving())
    request: dict[str, Any] = {"suite": "tiktok", "truth": tmp_path / "truth", "outputs": {"m": tmp_path / "m"}}
    record = run(**request, metrics=["hkv@given-px512", "psnr@cap100"], keypoints={"m": tmp_path / "k"}, out=tmp_path / "run")
    reasons = {case: values(record, case)["hkv@given-px512"].get("reason") for case in ("short", "nan", "none", "good")}
    assert reasons == {"short": "bad-keypoints", "nan": "bad-keypoints", "none": "no-keypoints", "good": None}
    assert "found:    23" in values(record, "short")["hkv@given-px512"]["detail"]
    assert "point 100 of frame 3" in values(record, "nan")["hkv@given-px512"]["detail"]
    assert all("value" in values(record, case)["psnr@cap100"] for case in reasons)
    save(tmp_path / "k" / "good.npz", moving(swing=1))
    again = run(**request, metrics=["hkv@given-px512", "psnr@cap100"], keypoints={"m": tmp_path / "k"}, out=tmp_path / "again")
    assert again.header["spec_sha256"] != record.header["spec_sha256"]
    assert values(again, "good")["hkv@given-px512"]["value"] == pytest.approx(1 / 2 * 64, rel=1e-5)
    assert not validate(again.path)
    assert [line for line in validate(record.path) if "good.npz: has changed since it was scored" in line]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder of keypoints does not exist"):
        run(**ready(tmp_path), keypoints={"m": tmp_path / "nowhere"}, out=tmp_path / "run")


def test_drawn_people_by_their_exact_keypoints(drawn: Path, tmp_path: Path) -> None:
    """hkv of the drawn clips themselves against NumPy on the exact points that are seen; akd of equal clips is 0; blurred hands cost PSNR in the boxes of the
    exact hands and nothing beside them, which the re-encoded truth does not tell apart; the truth's own pose file is taken without being named."""
    names = ["hkv@given-px512", "akd@given-px512", "psnr-hand@given-box"]
    record = run(
        suite="tiktok",
        truth=drawn,
        outputs={"m": drawn},
        keypoints={"m": drawn, "truth": drawn},
        cases=("dance-00", "dance-01"),
        metrics=names,
        out=tmp_path / "run",
    )
    for case in ("dance-00", "dance-01"):
        with np.load(drawn / f"{case}.pose.npz") as file:
            points, visible = file["keypoints"].astype(np.float64) * 2, file["visible"]  # 256 pixels to 512
        found = values(record, case)
        spread = []
        for rows in (range(91, 112), range(112, 133)):
            kept = [row for row in rows if visible[:, row].sum() >= 8]
            if kept:
                spread.append(np.mean([points[visible[:, row], row].var(axis=0).sum() for row in kept]))
        assert found["hkv@given-px512"]["value"] == pytest.approx(np.mean(spread), rel=1e-4)
        assert found["akd@given-px512"]["value"] == 0
        assert found["psnr-hand@given-box"]["reason"] == "no-hand-or-identical"

    made = run(
        suite="tiktok-embedded",
        adapters=("blur-hands",),
        cases=("dance-00",),
        metrics=["psnr-hand@given-box", "psnr@float", "akd@given-px512"],
        out=tmp_path / "made",
    )
    (entry,) = made.journal.values()
    blurred = next(iter(entry["values"].values()))
    assert blurred["psnr-hand@given-box"]["value"] < blurred["psnr@float"]["value"] - 5
    assert blurred["akd@given-px512"]["reason"] == "no-keypoints"


@pytest.mark.parametrize("name", ["*", "real", "reencode"])
def test_only_finished_clips_have_keypoints(name: str, tmp_path: Path) -> None:
    """A clip that an adapter is yet to make has none beside it, and files of such a clip would not be part of the spec; one folder is not everybody's."""
    request = ready(tmp_path)
    files = save(tmp_path / "k" / "one.npz", moving()).parent
    with pytest.raises(InputError) as error:
        run(**request, adapters=["reencode"], metrics=["hkv@given-px512"], keypoints={name: files}, out=tmp_path / "run")
    assert error.value.code == "unknown-name"
    assert error.value.expected == "m, truth"


@pytest.mark.footage
def test_a_published_clip_with_its_keypoints(footage: Path, tmp_path: Path) -> None:
    """A UBC Fashion clip with DWPose's points: against NumPy on the file itself."""
    file = footage / "bodies" / "ubc_91-3003CN5S_dwpose.npz"
    with np.load(file) as arrays:
        hands = arrays["hands_xy"].astype(np.float64) * (960, 1254) * 512 / 960
    seen = (hands >= 0).all(axis=-1)
    per_hand = []
    for h in (0, 1):
        kept = [k for k in range(21) if seen[:, h, k].sum() >= 8]
        per_hand.append(np.mean([hands[seen[:, h, k], h, k].var(axis=0).sum() for k in kept]))
    output = f'{{ path = "{footage}/bodies/ubc_91-3003CN5S.mp4", keypoints = "{file}" }}'
    (tmp_path / "cases.toml").write_text(f'format = 1\nsuite = "ubc-fashion"\n[[case]]\nid = "one"\noutputs = {{ m = {output} }}\n')
    found = values(run(cases_file=tmp_path / "cases.toml", metrics=["hkv@given-px512", "hand-rate@given-hand"], out=tmp_path / "run"))
    assert found["hkv@given-px512"]["value"] == pytest.approx(np.mean(per_hand), rel=1e-4)
    assert found["hand-rate@given-hand"]["value"] == pytest.approx((seen.sum(axis=2) >= 11).any(axis=1).mean())
