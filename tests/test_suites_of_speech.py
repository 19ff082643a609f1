"""Suites of people who talk: their lists, where sounds come from, and what they fall back to."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmark.api import run
from benchmark.beside import one, sounds, stems
from benchmark.errors import InputError
from benchmark.registry import registry
from benchmark.request import Request
from benchmark.spec import resolve
from suites.embedded._speech import write_wav
from tests.make import movie, write

SUITES = Path(__file__).parents[1] / "suites"


def test_the_lists() -> None:
    """MoChaBench: 220 cases in eight categories, 201 of them monologues in English (of which its authors scored 199). EMTD: 110 pieces of 39 videos, each
    later than its start, named as in the file beside."""
    splits = {split.id: split.cases for split in registry().suites["mochabench"].item.splits}
    assert (len(splits["all"]), len(set(splits["all"])), len(splits["monologue"])) == (220, 220, 201)
    parts = [name for name in splits if name not in ("all", "monologue", "folder")]
    assert sorted(case for name in parts for case in splits[name]) == sorted(splits["all"])
    assert set(splits["all"]) - set(splits["monologue"]) == {*splits["dialogue"], *splits["chinese"]}
    with (SUITES / "emtd" / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    listed = next(split.cases for split in registry().suites["emtd"].item.splits if split.id == "list")
    assert [row["case"] for row in rows] == list(listed)
    assert (len(rows), len({row["video"] for row in rows})) == (110, 39)
    assert all(row["case"] == f"{k:03d}_{row['video']}" for k, row in enumerate(rows))
    assert all(row["start"] < row["end"] for row in rows)


def root(folder: Path, *cases: tuple[str, str]) -> Path:
    """A checkout of MoChaBench with some of its speech."""
    for category, case in cases:
        path = folder / "benchmark" / "speeches" / category / f"{case}_speech.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.arange(16_000, dtype=np.int16))
    return folder


CHINESE = ("1_man_facing_left_agent_tense", "2_man_facing_right_agent_tense", "3_man_man_agents", "4_man_man_agents_sunset")


def test_speech_of_a_published_layout(tmp_path: Path) -> None:
    """Every case has the sound of its category's folder; nothing is paired; a method's clips lie flat."""
    data = root(tmp_path / "data", *[("1p_generalize_chinese", case) for case in CHINESE])
    write(tmp_path / "m" / f"{CHINESE[2]}.mkv", movie(1, 30, 32, 32), rate=25)
    spec = resolve(Request(suite="mochabench", data=data, split="chinese", outputs={"m": tmp_path / "m"}))
    assert [case.id for case in spec.cases] == list(CHINESE)
    assert all(case.truth is None and case.audio is not None and case.audio.name == f"{case.id}_speech.wav" for case in spec.cases)
    assert set(spec.sounds) == set(CHINESE)
    assert spec.outputs["m", CHINESE[2]].error is None
    assert str(getattr(spec.outputs["m", CHINESE[0]].error, "code", "")) == "missing-clip"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    data = root(tmp_path / "data", *[("1p_generalize_chinese", case) for case in CHINESE[:3]])
    write(tmp_path / "m" / "a.mkv", movie(1, 30, 32, 32), rate=25)
    with pytest.raises(InputError, match="1 of 4 sounds missing: 4_man_man_agents_sunset") as error:
        resolve(Request(suite="mochabench", data=data, split="chinese", outputs={"m": tmp_path / "m"}))
    assert "benchmark/speeches/*/4_man_man_agents_sunset_speech.wav" in str(error.value)
    root(data, ("1p_emotion", CHINESE[0]))
    with pytest.raises(InputError, match="two files for one case"):
        one(data, "benchmark/speeches/*/{case}_speech.wav", CHINESE[0])
    assert stems(data, "benchmark/speeches/*/{case}_speech.wav") == sorted(CHINESE[:3])


def test_sounds_of_a_folder(tmp_path: Path) -> None:
    """By stem, of several formats; two of one stem, none, and no folder are refused."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    with pytest.raises(InputError, match="no sound in the folder"):
        sounds(folder)
    for name in ("a.wav", "b.FLAC", "notes.txt", ".hidden.wav"):
        (folder / name).write_bytes(b"")
    assert sounds(folder) == {"a": folder / "a.wav", "b": folder / "b.FLAC"}
    (folder / "a.mp3").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.mp3, a\.wav"):
        sounds(folder)
    with pytest.raises(InputError, match="is no folder of sounds"):
        sounds(tmp_path / "none")


def test_sound_beside_folders_of_clips(tmp_path: Path) -> None:
    """`--audio` gives a clip without sound its sound, and its hash is part of the spec."""
    write(tmp_path / "m" / "one.mkv", movie(1, 30, 32, 32), rate=25)
    (tmp_path / "s").mkdir()
    write_wav(tmp_path / "s" / "one.wav", (np.sin(np.arange(30 * 640) / 7) * 9000).astype(np.int16))
    name = "sync-offset@wav2lip-wholeframe"
    record = run(
        suite="fantasytalking", outputs={"m": tmp_path / "m"}, audio=tmp_path / "s", metrics=[name], weights="seeded", out=tmp_path / "run"
    )
    (row,) = record.scores
    assert row["value"] is not None
    assert record.header["spec"]["cases"][0]["sound"]
    without = run(suite="fantasytalking", outputs={"m": tmp_path / "m"}, metrics=[name], weights="seeded", out=tmp_path / "without")
    assert without.scores[0]["reason"] == "no-audio"


@pytest.mark.parametrize("name", ["fantasytalking", "halfbody", "emtd", "mochabench"])
def test_the_fallback(name: str) -> None:
    suite = registry().suites[name].item
    assert suite.fallback == "talking-embedded"
    assert all(protocol in registry().protocols for protocol in suite.protocols)
