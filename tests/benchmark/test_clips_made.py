"""Clips made by models: each once for its key, in the run or in the cache, whatever happens in between. The generator here counts how often it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark.errors import InputError
from benchmark.generating import Generating, Settings, settings_of
from benchmark.media import decode, encode, probe
from benchmark.model import Case, Unit
from benchmark.record import load
from benchmark.registry import Entry, registry
from benchmark.request import Request, request_from_json, request_to_json
from benchmark.validate import validate
from tests.make import movie, study, worse


class Factory:
    """A generator whose clips are the truth with noise of its seed. made: what it was asked for. weights: the content of its `checkpoint`."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []
        self.weights = "one"
        self.fails: dict[tuple[str, int], BaseException] = {}
        self.freed = 0

    def generate(self, case: Case, settings: Settings, stem: Path) -> Path:
        self.made.append((case.id, settings.seed))
        if error := self.fails.pop((case.id, settings.seed), None):
            raise error
        assert case.truth is not None
        frames = np.concatenate(list(decode(probe(case.truth.path))))
        path = stem.with_name(stem.name + ".mkv")
        encode(path, [worse(frames, 2 + settings.seed + (settings.steps or 0), settings.seed)], Fraction(25))
        stem.with_name(stem.name + ".facts.json").write_text(json.dumps({"cost": {"nfe": settings.steps}}))
        return path

    def identify(self, settings: Settings, hashes: Any) -> Mapping[str, Any]:
        return {"weights": self.weights, "steps": settings.steps, "rehearsal": settings.checkpoint == "tiny"}

    def facts(self, clip: Path) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(clip.with_suffix(".facts.json").read_text())
        return found

    def free(self) -> None:
        self.freed += 1

    @property
    def spec(self) -> Generating:
        return Generating(
            id="factory",
            version=1,
            title="Factory",
            summary="noise",
            generate=self.generate,
            identify=self.identify,
            facts=self.facts,
            free=self.free,
        )


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Factory]:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    made = Factory()
    registry().adapters["factory"] = Entry("factory", "test", made.spec)
    yield made
    del registry().adapters["factory"]


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Any]:
    """Two cases, no other method."""
    made = study(tmp_path / "study", methods=())
    return {"suite": "tiktok", "truth": made.root / "truth", "adapters": ["factory"], "metrics": ["psnr@float"]}


EVERY = [("one", 0), ("one", 1), ("two", 0), ("two", 1)]


def test_a_clip_is_made_once_for_its_key(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """Method, case, seed in order; another protocol or metric needs no new clip, another seed, setting, checkpoint or case does."""
    first = benchmark.run(**words, seeds=[0, 1], out=tmp_path / "a")
    assert factory.made == EVERY
    assert factory.freed == 1
    assert validate(tmp_path / "a") == []
    entry = first.journal[Unit("factory", "one", 1)]
    assert entry["generation"]["reused"] is False
    assert entry["generation"]["facts"] == {"cost": {"nfe": None}}
    folder = tmp_path / "a" / "clips" / "factory"
    assert sorted(path.name for path in folder.glob("one-1.*")) == [
        *("one-1.facts.json", "one-1.made.json", "one-1.mkv", "one-1.proxy.mp4"),
    ]
    assert probe(folder / "one-1.proxy.mp4").frames == probe(folder / "one-1.mkv").frames

    again = benchmark.run(**{**words, "metrics": ["l1@unit"]}, seeds=[0, 1], out=tmp_path / "b")
    assert factory.made == EVERY
    assert again.journal[Unit("factory", "one", 1)]["generation"] == {**entry["generation"], "reused": True}
    assert again.journal[Unit("factory", "one", 1)]["generated"]["sha256"] == entry["generated"]["sha256"]

    benchmark.run(**words, seeds=[0, 1, 2], out=tmp_path / "c")
    assert factory.made[4:] == [("one", 2), ("two", 2)]
    benchmark.run(**words, settings={"factory": {"steps": 9}}, out=tmp_path / "d")
    assert factory.made[6:] == [("one", 0), ("two", 0)]
    factory.weights = "other"
    benchmark.run(**words, out=tmp_path / "e")
    assert factory.made[8:] == [("one", 0), ("two", 0)]
    encode(Path(words["truth"]) / "two.mkv", [movie(7)], Fraction(25))
    benchmark.run(**words, out=tmp_path / "f")
    assert factory.made[10:] == [("two", 0)]


def test_a_value_is_the_mean_over_seeds(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """Against runs of one seed each: the value is their mean, the spreads are numpy's standard deviations over seeds and over clips."""
    whole = benchmark.run(**words, seeds=[0, 1, 2], out=tmp_path / "all").scores[0]
    alone = [
        benchmark.run(**words, seeds=[seed], out=tmp_path / str(seed)).clip_values("factory", "strict-1", "psnr@float") for seed in range(3)
    ]
    table = np.array([[values[case] for case in ("one", "two")] for values in alone])
    assert whole["value"] == pytest.approx(table.mean(), rel=1e-12)
    assert whole["n_seeds"] == 3
    assert whole["sd_clips"] == pytest.approx(table.mean(axis=0).std(ddof=1), rel=1e-12)
    assert whole["sd_seeds"] == pytest.approx(np.sqrt(table.var(axis=0, ddof=1).mean()), rel=1e-12)


def test_killed_between_two_clips_only_the_missing_one_is_made(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """KeyboardInterrupt stands for any death: what was made before stays, the run ends as an undisturbed one."""
    factory.fails["two", 0] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(**words, seeds=[0, 1], out=tmp_path / "a")
    assert load(tmp_path / "a").status == "interrupted"
    assert factory.freed == 1
    half = tmp_path / "a" / "clips" / "factory" / "two-0.mkv"
    half.write_bytes(b"half a clip")  # as if it had died while writing
    benchmark.run(**words, seeds=[0, 1], out=tmp_path / "a")
    assert factory.made == [*EVERY[:3], *EVERY[2:]]
    other = benchmark.run(**words, seeds=[0, 1], out=tmp_path / "b")
    assert (tmp_path / "a" / "scores.json").read_bytes() == (tmp_path / "b" / "scores.json").read_bytes()
    assert other.status == "success"


def test_a_damaged_clip_is_made_again(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """A clip whose content is not what its key's note says is none, in the cache as in the run."""
    benchmark.run(**words, out=tmp_path / "a")
    for path in (tmp_path / "cache" / "clips").glob("*/clip.mkv"):
        path.unlink()
        path.write_bytes(b"broken")
    benchmark.run(**words, out=tmp_path / "b")
    assert factory.made == [("one", 0), ("two", 0)] * 2
    benchmark.run(**words, out=tmp_path / "c")
    assert len(factory.made) == 4


def test_one_clip_that_fails_leaves_the_others(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """Its unit is unscored with the adapter's own code and hint; typed again, it alone is made."""
    factory.fails["one", 0] = InputError("the clip does not fit into memory", code="out-of-memory", hint="offload the pipeline's parts")
    record = benchmark.run(**words, out=tmp_path / "a")
    entry = record.journal[Unit("factory", "one", 0)]
    assert entry["status"] == "failed"
    assert (entry["error"]["code"], entry["error"]["hint"]) == ("out-of-memory", "offload the pipeline's parts")
    assert record.scores[0]["n_failed"] == 1
    assert validate(tmp_path / "a") == []
    assert benchmark.run(**words, out=tmp_path / "a").scores[0]["n_failed"] == 0
    assert factory.made == [("one", 0), ("two", 0), ("one", 0)]
    factory.fails["two", 1] = ZeroDivisionError("a bug of the adapter")
    record = benchmark.run(**words, seeds=[1], out=tmp_path / "b")
    assert record.journal[Unit("factory", "two", 1)]["error"]["code"] == "adapter-failed"


def test_one_adapter_under_two_names(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """Settings for all, and for one of them; equal settings are one clip."""
    record = benchmark.run(
        **{**words, "adapters": ["near=factory", "far=factory", "same=factory"]},
        settings={"*": {"steps": 1}, "far": {"steps": 8}},
        out=tmp_path / "a",
    )
    value = {row["adapter"]: row["value"] for row in record.scores}
    assert value["near"] == value["same"] > value["far"]
    assert factory.made == [("one", 0), ("two", 0)] * 2
    assert [method["generator"]["steps"] for method in record.header["spec"]["methods"]] == [1, 8, 1]
    assert not any("rehearsal" in row["flags"] for row in record.scores)


def test_a_rehearsal_is_marked_everywhere(
    factory: Factory, words: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the header's notes, in the spec, in every row, in the table."""
    from benchmark.cli import main

    record = benchmark.run(**words, settings={"factory": {"checkpoint": "tiny"}}, out=tmp_path / "a")
    assert record.header["spec"]["methods"][0]["generator"]["rehearsal"] is True
    assert any("rehearsal" in note for note in record.header["notes"])
    assert all("rehearsal" in row["flags"] for row in record.scores)
    assert main(["show", str(tmp_path / "a")]) == 0
    assert "rehearsal" in capfd.readouterr().out


def test_clips_alone(factory: Factory, words: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A bare run makes the clips and scores nothing; a later run finds them."""
    from benchmark.cli import main

    record = benchmark.run(**{**words, "metrics": []}, bare=True, out=tmp_path / "a")
    assert (record.status, record.scores) == ("success", [])
    assert validate(tmp_path / "a") == []
    assert main(["show", str(tmp_path / "a")]) == 0
    assert "nothing was to be scored" in capfd.readouterr().out
    benchmark.run(**words, out=tmp_path / "b")
    assert len(factory.made) == 2
    with pytest.raises(InputError, match="scores nothing"):
        benchmark.run(**words, bare=True, out=tmp_path / "c")


def test_unknown_content_stays_in_its_run(factory: Factory, words: dict[str, Any], tmp_path: Path) -> None:
    """An adapter that cannot say what its clips come from shares none with another run, and does share with its own."""
    registry().adapters["factory"] = Entry("factory", "test", replace(factory.spec, identify=None))
    factory.fails["two", 0] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(**words, out=tmp_path / "a")
    benchmark.run(**words, out=tmp_path / "a")
    assert factory.made == [("one", 0), ("two", 0), ("two", 0)]
    benchmark.run(**words, out=tmp_path / "b")
    assert factory.made[3:] == [("one", 0), ("two", 0)]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"other": {"steps": 3}}, "usage"),
        ({"factory": {"stepps": 3}}, "unknown-key"),
        ({"factory": {"steps": 0}}, "usage"),
        ({"factory": {"guidance": float("nan")}}, "usage"),
        ({"factory": {"size": [3]}}, "usage"),
        ({"factory": {"dtype": "int8"}}, "bad-input"),
    ],
)
def test_settings_that_cannot_be(factory: Factory, words: dict[str, Any], tmp_path: Path, asked: Any, code: str) -> None:
    with pytest.raises(InputError) as error:
        benchmark.run(**words, settings=asked, out=tmp_path / "a")
    assert error.value.code == code
    assert not factory.made


def test_settings_for_an_adapter_without_a_model(words: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes no such settings"):
        benchmark.run(**{**words, "adapters": ["still"]}, settings={"still": {"steps": 3}}, out=tmp_path / "a")


def test_settings_merge_and_travel(tmp_path: Path) -> None:
    """A method's own word wins over `*`; a request keeps them through its record, a checkpoint's path as an absolute one."""
    asked = {"*": {"steps": 4, "guidance": 2.0}, "a": {"steps": 9}}
    assert settings_of("a", asked, "cpu") == Settings(steps=9, guidance=2.0)
    assert settings_of("b", asked, "cpu") == Settings(steps=4, guidance=2.0)
    (tmp_path / "w").mkdir()
    request = Request(adapters=("a",), settings={"a": {"checkpoint": str(tmp_path / "w"), "size": (8, 8)}})
    back = request_from_json(json.loads(json.dumps(request_to_json(request))))
    assert settings_of("a", back.settings, "cpu") == Settings(checkpoint=str(tmp_path / "w"), size=(8, 8))
