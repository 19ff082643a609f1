"""Networks that look at a clip again, where another one has found something: through whole runs. Expected numbers: NumPy on the clips' own frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.api import run
from benchmark.errors import InputError, Unscored
from benchmark.media import decode, probe
from benchmark.model import Extractor, Metric
from benchmark.plan_text import describe
from benchmark.record import load
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.rows import Again, ClipExtractor, ClipVariant, Facts, Found, RegionVariant
from suites.embedded._speech import write_wav
from tests.clips import write_video
from tests.make import Study, movie, row, study, write

Register = Callable[..., None]
NAMES = ["zz@sum", "zz@count"]


@pytest.fixture
def two(tmp_path: Path) -> Study:
    return study(tmp_path / "study", cases=("one", "two"), methods=("a", "b"))


def level(frames: NDArray[Any]) -> NDArray[np.float32]:
    return frames.mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32)[:, None]


class Looker:
    """For every frame brighter than the clip's mean a row: its number, its red at the top left, the first sample heard."""

    def __init__(self) -> None:
        self.looks: list[Again] = []

    def __call__(self, state: Any, device: str) -> Callable[[Again], NDArray[np.float32]]:
        def look(again: Again) -> NDArray[np.float32]:
            self.looks.append(again)
            whole = np.concatenate(list(again.frames()))
            assert len(whole) == len(again.rows)
            assert np.array_equal(level(whole), again.rows)
            assert np.array_equal(whole, np.concatenate(list(again.frames())))
            bright = np.flatnonzero(again.rows[:, 0] > again.rows[:, 0].mean())
            if again.size == (4, 4):
                raise Unscored("no-face", "too small a picture")
            heard = 0 if again.sound is None else int(again.sound[0])
            return np.array([[i, whole[i, 0, 0, 0], heard] for i in bright], np.float32)

        return look


def total(found: Found) -> float:
    return float(found.generated[:, :2].sum(dtype=np.float64))


def tell(found: Found) -> Facts:
    return Facts(("many",) if len(found.generated) > 1 else (), {"rows": len(found.generated)})


@pytest.fixture
def looker(register: Register) -> Looker:
    made = Looker()
    common: dict[str, Any] = {"summary": "a test's", "source": "here"}
    below = Extractor(id="zz-level", version=1, dimension=1, batch=1, preprocess=lambda f: f, build=lambda state, device: level, **common)
    register(
        below,
        ClipExtractor(id="zz-bright", version=1, dimension=3, over="zz-level", build=made, **common),  # type: ignore[arg-type]  # takes Again, not a batch
        ClipExtractor(id="zz-heard", version=1, dimension=3, over="zz-level", sound="case", build=made, **common),  # type: ignore[arg-type]  # takes Again, not a batch
        Metric(
            name="zz",
            title="zz",
            higher_is_better=None,
            variants=(
                ClipVariant(id="sum", extractor="zz-bright", score=total, tell=tell, **common),
                ClipVariant(id="count", extractor="zz-bright", score=lambda found: float(len(found.generated)), **common),
                ClipVariant(id="level", extractor="zz-level", score=lambda found: float(found.generated.mean(dtype=np.float64)), **common),
                ClipVariant(id="heard", extractor="zz-heard", score=lambda found: float(found.generated[0, 2]), **common),
                ClipVariant(id="paired", extractor="zz-bright", score=total, paired=True, **common),
                RegionVariant(id="region", extractor="zz-bright", score=lambda *_: np.zeros(1), left_out="same", **common),
            ),
        ),
    )
    return made


def frames_of(folder: Path, name: str) -> NDArray[np.uint8]:
    (path,) = folder.glob(f"{name}.*")
    return np.concatenate(list(decode(probe(path))))


def test_rows_of_the_second_look(two: Study, looker: Looker, tmp_path: Path) -> None:
    """One look a clip whoever asks; a second run takes the stored rows; flags reach the table and facts the journal."""
    request: dict[str, Any] = {"suite": "tiktok", "outputs": {m: two.root / m for m in two.methods}, "truth": two.root / "truth"}
    record = run(**request, metrics=[*NAMES, "zz@level"], out=tmp_path / "run")
    assert len(looker.looks) == 4
    for unit, entry in record.journal.items():
        clip = frames_of(two.root / unit.adapter, unit.case)
        levels = level(clip)
        bright = np.flatnonzero(levels[:, 0] > levels.mean())
        values = next(iter(entry["values"].values()))
        assert values["zz@count"]["value"] == len(bright)
        assert values["zz@sum"]["value"] == bright.sum() + clip[bright, 0, 0, 0].sum()
        assert values["zz@sum"]["facts"] == {"rows": len(bright)}
        assert next(iter(entry["features"].values()))["zz-bright"]["truth"] is None
    assert "many" in row(tmp_path / "run", "a", "zz@sum")["flags"]
    assert "many" not in row(tmp_path / "run", "a", "zz@count")["flags"]
    again = run(**request, metrics=NAMES[:1], out=tmp_path / "again")
    assert len(looker.looks) == 4
    assert row(again.path, "a", "zz@sum")["value"] == row(tmp_path / "run", "a", "zz@sum")["value"]
    load(tmp_path / "run")


def test_only_compared_frames_at_the_compared_size(looker: Looker, tmp_path: Path) -> None:
    clip = movie(3, 24, 48, 40)
    write(tmp_path / "truth" / "one.mkv", clip[4:, ::2, ::2], rate=25)
    write(tmp_path / "a" / "one.mkv", clip[:20], rate=25)
    run(suite="tiktok", truth=tmp_path / "truth", outputs={"a": tmp_path / "a"}, metrics=NAMES, out=tmp_path / "run")
    (look,) = looker.looks
    assert look.size == (20, 24)
    assert look.fps == 25
    assert len(look.rows) in (19, 20)  # without the reference where the protocol leaves it out


def test_reasons(looker: Looker, tmp_path: Path) -> None:
    """What the look refuses, what its sound lacks, and a missing rate: each by its own reason, the others go on."""
    for name, side in (("small", 4), ("whole", 32)):
        write(tmp_path / "a" / f"{name}.mkv", movie(1, 8, side, side), rate=25)
    write_wav(tmp_path / "whole.wav", np.arange(7, 7 + 8 * 640, dtype=np.int16))
    lines = ["format = 1", 'suite = "tiktok"']
    for name, sound in (("small", ""), ("whole", 'audio = "whole.wav"')):
        lines += ["[[case]]", f'id = "{name}"', sound, f'outputs = {{ a = {{ path = "a/{name}.mkv" }} }}']
    (tmp_path / "cases.toml").write_text("\n".join(lines))
    record = run(cases_file=tmp_path / "cases.toml", metrics=["zz@sum", "zz@heard"], out=tmp_path / "run")
    values = {unit.case: next(iter(entry["values"].values())) for unit, entry in record.journal.items()}
    assert values["small"]["zz@sum"]["reason"] == "no-face"
    assert values["small"]["zz@heard"]["reason"] == "no-audio"
    assert values["whole"]["zz@heard"]["value"] == 7
    assert "value" in values["whole"]["zz@sum"]


def test_what_lies_beneath_is_part_of_the_key(two: Study, looker: Looker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version underneath is another second look."""
    request: dict[str, Any] = {"suite": "tiktok", "outputs": {"a": two.root / "a"}, "truth": two.root / "truth", "metrics": NAMES}
    run(**request, out=tmp_path / "run")
    table = registry().extractors
    with monkeypatch.context() as patch:
        patch.setitem(table, "zz-level", replace(table["zz-level"], item=replace(table["zz-level"].item, version=2)))
        run(**request, out=tmp_path / "again")
    assert len(looker.looks) == 4


def test_the_plan_names_both(two: Study, looker: Looker, tmp_path: Path) -> None:
    request = Request(suite="tiktok", truth=two.root / "truth", outputs={"a": two.root / "a"}, metrics=("zz@sum",), out=tmp_path / "run")
    text = "\n".join(describe(request))
    assert "network zz-bright: 2 inputs" in text
    assert "network zz-level: " in text


@pytest.mark.parametrize("name", ["zz@paired", "zz@region"])
def test_only_for_clips(name: str, two: Study, looker: Looker, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        run(suite="tiktok", truth=two.root / "truth", outputs={"a": two.root / "a"}, metrics=[name], out=tmp_path / "run")
    assert error.value.code == "plugin"


# ------------------------------------------------------------------------------------------------- what goes wrong stays with its clip


Look = Callable[[Again], NDArray[np.float32]]


def watcher(register: Register, look: Look, **more: Any) -> None:
    """`zz@count` and `zz@told` rest on this look at every clip; what it starts from is each frame's level."""
    common: dict[str, Any] = {"summary": "a test's", "source": "here", "build": lambda state, device: level}
    mine: dict[str, Any] = {**common, "build": lambda state, device: look, **more}

    def refuse(found: Found) -> Facts:
        raise Unscored("not-told", "nothing to say")

    register(
        Extractor(id="zz-level", version=1, dimension=1, batch=1, preprocess=lambda f: f, **common),
        ClipExtractor(id="zz-look", version=1, dimension=3, over="zz-level", **mine),
        Metric(
            name="zz",
            title="zz",
            higher_is_better=None,
            variants=(
                ClipVariant(id="count", extractor="zz-look", score=lambda found: float(len(found.generated)), summary="s", source="s"),
                ClipVariant(id="told", extractor="zz-look", score=lambda found: 1.0, tell=refuse, summary="s", source="s"),
            ),
        ),
    )


def everything(again: Again) -> NDArray[np.float32]:
    whole = np.concatenate(list(again.frames()))
    return np.repeat(level(whole), 3, axis=1)


def units(two: Study, tmp_path: Path, *names: str) -> dict[tuple[str, str], dict[str, Any]]:
    request: dict[str, Any] = {"outputs": {m: two.root / m for m in two.methods}, "truth": two.root / "truth"}
    record = run(suite="tiktok", **request, metrics=[*names, "psnr@cap100"], out=tmp_path / "run")
    return {(unit.adapter, unit.case): dict(entry) for unit, entry in record.journal.items()}


def value(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(next(iter(entry["values"].values()))[name])


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_clip_that_cannot_be_read_again(how: str, two: Study, register: Register, tmp_path: Path) -> None:
    """Its file is taken away, or cut off, between the two readings: that clip has no score and says why, the others have theirs."""
    seen: list[None] = []

    def look(again: Again) -> NDArray[np.float32]:
        if not seen:
            (victim,) = (two.root / "a").glob("one.*")
            victim.unlink() if how == "gone" else victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
        seen.append(None)
        return everything(again)

    watcher(register, look)
    found = units(two, tmp_path, "zz@count")
    lost = found.pop(("a", "one"))
    assert lost["status"] == "failed"
    assert lost["error"]["path"].endswith("one.mkv")
    assert lost["values"] == {}
    assert {value(entry, "zz@count")["value"] for entry in found.values()} == {24.0}
    assert len(found) == 3
    assert row(tmp_path / "run", "a", "zz@count")["n_failed"] == 1


@pytest.mark.parametrize(
    "error", [MemoryError("100 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_memory_that_runs_out(error: Exception, two: Study, register: Register, tmp_path: Path) -> None:
    """As in the pass: a reason of that clip, tried again by the next run."""
    seen: list[None] = []

    def look(again: Again) -> NDArray[np.float32]:
        seen.append(None)
        if len(seen) == 1:
            raise error
        return everything(again)

    watcher(register, look)
    found = units(two, tmp_path, "zz@count")
    reasons = [value(entry, "zz@count").get("reason") for entry in found.values()]
    assert sorted(map(str, reasons)) == ["None", "None", "None", "out-of-memory"]
    assert all("value" in value(entry, "psnr@cap100") for entry in found.values())


def test_a_package_that_is_installed_later(two: Study, register: Register, tmp_path: Path) -> None:
    """The same command again, into the same folder, does what was left out; a third time nothing is done."""
    there: list[bool] = [False]
    looks: list[None] = []

    def look(again: Again) -> NDArray[np.float32]:
        looks.append(None)
        if not there[0]:
            raise Unscored("not-installed", "python -m pip install something")
        return everything(again)

    watcher(register, look)
    reasons = [value(entry, "zz@count").get("reason") for entry in units(two, tmp_path, "zz@count").values()]
    assert reasons == ["not-installed"] * 4
    there[0] = True
    assert all(value(entry, "zz@count")["value"] == 24 for entry in units(two, tmp_path, "zz@count").values())
    assert len(looks) == 8
    units(two, tmp_path, "zz@count")
    assert len(looks) == 8


def test_other_errors_are_bugs(two: Study, register: Register, tmp_path: Path) -> None:
    """Only what is known to be no fault of the code becomes a reason."""

    def look(again: Again) -> NDArray[np.float32]:
        raise RuntimeError("shapes do not fit")

    watcher(register, look)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        units(two, tmp_path, "zz@count")


def test_rows_of_another_width_leave_no_shard(two: Study, register: Register, tmp_path: Path) -> None:
    """A shard of such rows could never be read: none is kept, and every clip names the extractor."""
    watcher(register, lambda again: np.zeros((2, 4), np.float32))
    for entry in units(two, tmp_path, "zz@count").values():
        assert entry["error"]["code"] == "plugin"
        assert "zz-look" in entry["error"]["found"]


def test_no_rows_are_rows(two: Study, register: Register, tmp_path: Path) -> None:
    """Nothing found is a count of nought, also when it is read back."""
    watcher(register, lambda again: np.zeros((0, 3), np.float32))
    for folder in ("first", "second"):
        for entry in units(two, tmp_path / folder, "zz@count").values():
            assert value(entry, "zz@count")["value"] == 0


def test_what_is_told_may_refuse(two: Study, register: Register, tmp_path: Path) -> None:
    watcher(register, everything)
    for entry in units(two, tmp_path, "zz@told", "zz@count").values():
        assert value(entry, "zz@told")["reason"] == "not-told"
        assert value(entry, "zz@count")["value"] == 24
        assert next(iter(entry["features"].values()))["zz-look"]["rows"] == 24


# --------------------------------------------------------------------------------------------------------- when frames are shown


def test_uneven_frames_have_their_times(register: Register, tmp_path: Path) -> None:
    """Milliseconds as they were written, and another key than that of even frames; a rate that the user names makes them even."""
    stamps = [i * 40 + (i % 2) * 15 for i in range(12)]
    looks: list[Again] = []

    def look(again: Again) -> NDArray[np.float32]:
        looks.append(again)
        return everything(again)

    watcher(register, look)
    (tmp_path / "a").mkdir()
    write_video(tmp_path / "a" / "one.mp4", movie(1, 12), options={"crf": "8"}, stamps=stamps, time_base=Fraction(1, 1000))
    for folder, fps in (("uneven", {}), ("even", {"a": 25})):
        run(suite="tiktok", outputs={"a": tmp_path / "a"}, metrics=["zz@count"], fps=fps, out=tmp_path / folder)
    uneven, even = looks
    assert uneven.times == pytest.approx([stamp / 1000 for stamp in stamps], abs=1e-9)
    assert even.times is None
    assert even.fps == 25


@pytest.mark.parametrize("sound", ["clip", "case"])
def test_frame_by_frame_at_another_rate(sound: str, two: Study, register: Register, tmp_path: Path) -> None:
    """A protocol that ignores rates shows a clip of 30 a second at the truth's 25: sound that is the clip's own would run away from it, that of the case
    does not. With the rate corrected by hand both are heard."""
    watcher(register, everything, sound=sound)
    for case in two.cases:
        (source,) = (two.root / "a").glob(f"{case}.*")
        frames = np.concatenate(list(decode(probe(source))))
        source.unlink()
        write_video(two.root / "a" / f"{case}.mp4", frames, rate=Fraction(30), audio=True)
        (two.root / "sound").mkdir(exist_ok=True)
        write_wav(two.root / "sound" / f"{case}.wav", np.arange(24 * 640, dtype=np.int16))
    request: dict[str, Any] = {
        "suite": "tiktok",
        "outputs": {"a": two.root / "a"},
        "truth": two.root / "truth",
        "audio": two.root / "sound",
    }
    for folder, fps in (("as-it-is", {}), ("corrected", {"a": 25})):
        run(**request, protocols=["disco-2024"], metrics=["zz@count"], fps=fps, out=tmp_path / folder)
        said = row(tmp_path / folder, "a", "zz@count")
        if sound == "clip" and not fps:
            assert said["reason"] == "fps-mismatch"
        else:
            assert said["value"] == 24
