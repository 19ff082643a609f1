"""Scores recomputed without frames and features: what the engine computed with them is found again, and whatever was changed by hand is told.

Expected: the engine's own scores, made from frames and features (identity); findings where one number of a copy was changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.api import run
from benchmark.data import canonical
from benchmark.model import Extractor, Forward, Metric, SetVariant
from benchmark.record import load
from benchmark.recount import recount
from tests.make import movie, worse, write

CASES = ("a", "b", "c", "d", "e")


def clips(root: Path, lengths: tuple[int, ...]) -> dict[str, Any]:
    """Truth and one method `m`, clips of unequal length."""
    for i, (case, n) in enumerate(zip(CASES, lengths, strict=False)):
        write(root / "truth" / f"{case}.mkv", movie(i, n, 24, 24))
        write(root / "m" / f"{case}.mkv", worse(movie(i, n, 24, 24), 3 + 2 * i, i))
    return {"suite": "tiktok", "truth": root / "truth", "outputs": {"m": root / "m"}}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two protocols, one that pools over clips and one over frames; psnr@pooled pools frames by another formula than a mean."""
    root = tmp_path_factory.mktemp("recount")
    run(
        **clips(root, (16, 24, 40)),
        protocols=["strict-1", "disco-2023"],
        metrics=["psnr@float", "l1@unit", "ssim@gaussian", "psnr@pooled"],
        out=root / "run",
    )
    return root / "run"


def small(source: Path, to: Path) -> Path:
    """A copy with numbers only."""
    to.mkdir()
    for name in ("run.json", "scores.json", "journal.jsonl"):
        shutil.copy(source / name, to / name)
    return to


def edit(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_what_the_engine_made_of_frames_follows_from_the_journal(both: Path, tmp_path: Path) -> None:
    """Clips of 16, 24 and 40 frames: a mean over frames is another number than a mean over clips, and both are found again."""
    findings, stated = recount(load(small(both, tmp_path / "small")))
    assert findings == []
    assert stated == ["m disco-2023 psnr@pooled"]  # the ratio of the pooled squared errors is no mean of clip values
    rows = {(row["protocol"], row["metric"], row["variant"]): row["value"] for row in load(both).scores}
    assert rows["strict-1", "l1", "unit"] != pytest.approx(rows["disco-2023", "l1", "unit"], rel=1e-3)


def change_row(**fields: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        row = next(row for row in data["scores"] if (row["protocol"], row["metric"], row["variant"]) == ("disco-2023", "l1", "unit"))
        row.update(fields)

    return change


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 0.01},
        {"ci_low": 0.0},
        {"ci_high": 1.0},
        {"n_clips": 4},
        {"n_frames": 81},
        {"n_failed": 1},
        {"higher_is_better": True},
        {"weights": "real"},
        {"primary": True},
        {"flags": ["incomplete"]},
        {"decimals": 1},
        {"unit": "dB"},
        {"sd_clips": 0.5},
        {"ci_method": "t"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_no_field_of_a_row_can_be_changed(both: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    copy = small(both, tmp_path / "small")
    edit(copy / "scores.json", change_row(**fields))
    (finding,) = recount(load(copy))[0]
    assert "m disco-2023 l1@unit" in finding
    assert f"{next(iter(fields))} is {next(iter(fields.values()))!r}" in finding


def test_a_change_in_the_seventh_digit_is_seen(both: Path, tmp_path: Path) -> None:
    copy = small(both, tmp_path / "small")

    def shift(data: Any) -> None:
        data["scores"][0]["value"] *= 1 + 1e-7

    edit(copy / "scores.json", shift)
    assert len(recount(load(copy))[0]) == 1


def lines(copy: Path, change: Callable[[list[Any]], list[Any]]) -> None:
    entries = [json.loads(line) for line in (copy / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    (copy / "journal.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in change(entries)), encoding="utf-8")


def other_value(entries: list[Any]) -> list[Any]:
    view = next(iter(entries[0]["values"]))
    entries[0]["values"][view]["l1@unit"]["value"] *= 0.5
    return entries


def other_clip(entries: list[Any]) -> list[Any]:
    entries[0]["generated"]["sha256"] = "0" * 64
    return entries


def no_clip(entries: list[Any]) -> list[Any]:
    """A line that does not say what it saw is tied to no input."""
    del entries[0]["generated"]
    return entries


def stranger(entries: list[Any]) -> list[Any]:
    return [*entries, {**entries[0], "case": "nobody"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_value, "the journal gives"),
        (lambda entries: entries[1:], "1 of the 3 lines that the spec asks for are not there, m a 0 the first"),
        (other_clip, "generated has sha256 000000000000..., the spec pins"),
        (no_clip, "generated has sha256 None..., the spec pins"),
        (stranger, "nobody 0 is not in the spec"),
        (lambda entries: [*entries, entries[0]], "stands twice"),
        (lambda entries: [{**entries[0], "more": 1}, *entries[1:]], "'more' was unexpected"),
    ],
    ids=["value", "clip-dropped", "other-clip", "no-clip", "stranger", "twice", "layout"],
)
def test_the_journal_cannot_be_changed(both: Path, tmp_path: Path, change: Callable[[list[Any]], list[Any]], said: str) -> None:
    copy = small(both, tmp_path / "small")
    lines(copy, change)
    findings, _ = recount(load(copy))
    assert findings
    assert said in findings[0]


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("spec", "seeds"), [1], "the spec hashes to"),
        (("spec_sha256",), "0" * 64, "the header says 00000000"),
        (("split", "id"), "test", "split: the header has another than the spec"),
        (("suite", "version"), 2, "suite: the header has another than the spec"),
        (("protocols", 0, "pooling"), "frames", "protocols: the header has another than the spec"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_header_cannot_be_changed(both: Path, tmp_path: Path, where: tuple[Any, ...], value: Any, said: str) -> None:
    copy = small(both, tmp_path / "small")

    def change(data: Any) -> None:
        for step in where[:-1]:
            data = data[step]
        data[where[-1]] = value

    edit(copy / "run.json", change)
    assert any(said in finding for finding in recount(load(copy))[0])


# ------------------------------------------------------------------------------------------------------------ metrics of a set


def colours() -> tuple[Extractor, Metric]:
    """A set metric on mean colours: the distance of two sets' means."""

    def build(state: Any, device: str) -> Forward:
        return lambda batch: batch.reshape(len(batch), -1, 3).mean(axis=1).astype(np.float32)

    def gap(ours: np.ndarray, theirs: np.ndarray) -> float:
        return float(np.abs(ours.astype(np.float64).mean(axis=0) - theirs.astype(np.float64).mean(axis=0)).sum())

    extractor = Extractor(
        id="test-mean-colour",
        version=1,
        summary="mean colour",
        source="this test",
        dimension=3,
        batch=8,
        preprocess=np.asarray,
        build=build,
    )
    variant = SetVariant(id="set", summary="distance of means", source="this test", extractor=extractor.id, distance=gap)
    return extractor, Metric(name="test-colours", title="colours", higher_is_better=False, unit="", variants=(variant,))


@pytest.fixture
def of_set(register: Callable[..., None], tmp_path: Path) -> Path:
    register(*colours())
    run(**clips(tmp_path, (16, 17, 18, 19, 20)), protocols=["strict-1"], metrics=["test-colours@set"], out=tmp_path / "run")
    return small(tmp_path / "run", tmp_path / "small")


def test_a_set_metric_follows_from_its_values_without_single_clips(of_set: Path) -> None:
    """The jackknife of the engine over features, and that over the stored values."""
    assert recount(load(of_set)) == ([], [])
    (row,) = [row for row in load(of_set).scores if row["metric"] == "test-colours"]
    assert (row["ci_method"], row["n_clips"]) == ("jackknife", 5)


def test_replicates_and_bias_cannot_be_changed(of_set: Path) -> None:
    text = (of_set / "scores.json").read_text(encoding="utf-8")

    def first_left_out(data: Any) -> None:
        data["replicates"][0]["values"][1][1] *= 2

    def limit(data: Any) -> None:
        data["replicates"][0]["bias"]["limit"] -= 1

    for change, said in ((first_left_out, "ci_low is"), (limit, "its bias is not what its own means give")):
        (of_set / "scores.json").write_text(text, encoding="utf-8")
        edit(of_set / "scores.json", change)
        (finding,) = recount(load(of_set))[0]
        assert said in finding
    (of_set / "scores.json").write_text(text, encoding="utf-8")
    edit(of_set / "scores.json", lambda data: data["replicates"].clear())
    (finding,) = recount(load(of_set))[0]
    assert "ci_method is 'jackknife', the journal gives 'none'" in finding
    # what the engine writes where no clip can be left out: a value, no interval, nothing kept
    edit(of_set / "scores.json", lambda data: data["scores"][-1].update(ci_low=None, ci_high=None, ci_method="none"))
    assert recount(load(of_set)) == ([], ["m strict-1 test-colours@set"])


def consistent(copy: Path, change: Callable[[Any], None]) -> None:
    """A header that was changed with the hashes of its spec: what somebody would do who wants to pass."""

    def both_sides(data: Any) -> None:
        change(data)
        data["spec_sha256"] = hashlib.sha256(canonical(data["spec"]).encode()).hexdigest()

    edit(copy / "run.json", both_sides)
    told = json.loads((copy / "run.json").read_text(encoding="utf-8"))["spec_sha256"]
    edit(copy / "scores.json", lambda data: data.update(spec_sha256=told))


def test_a_network_cannot_be_left_out_of_the_plan(of_set: Path) -> None:
    """Without its entry a number of seeded weights would be labelled as one that needs none."""
    edit(of_set / "run.json", lambda data: data["plan"]["networks"].clear())
    edit(of_set / "scores.json", lambda data: data["scores"][-1].update(weights="none"))
    assert [one.partition(": ")[2] for one in recount(load(of_set))[0]] == [
        "test-colours@set has a value and rests on test-mean-colour, of which the plan says nothing"
    ]


def test_a_network_with_files_has_weights(both: Path, tmp_path: Path) -> None:
    """AlexNet comes from a file: to say `none` of it hides which. What is said of real weights of several files is compared with the catalogue too."""
    copy = small(both, tmp_path / "small")
    network = {"weights": "none", "sha256": "none", "backend": "torch", "batch": 1}
    edit(copy / "run.json", lambda data: data["plan"]["networks"].update({"lpips-alex": network}))
    (finding,) = recount(load(copy))[0]
    assert "lpips-alex: weights none, it has files of weights" in finding
    edit(copy / "run.json", lambda data: data["plan"]["networks"].update({"lpips-alex": network | {"weights": "real", "sha256": "0" * 64}}))
    (finding,) = recount(load(copy))[0]
    assert "lpips-alex: real weights of sha256 000000000000..., the catalogue has" in finding


def test_a_protocol_cannot_take_another_view(both: Path, tmp_path: Path) -> None:
    """Numbers of frames at 256 x 256 are not those at the truth's size."""
    copy = small(both, tmp_path / "small")

    def swapped(data: Any) -> None:
        one, other = data["plan"]["views"].values()
        one["protocols"], other["protocols"] = other["protocols"], one["protocols"]

    edit(copy / "run.json", swapped)
    findings = recount(load(copy))[0]
    assert [finding.partition(": ")[2].partition(":")[0] for finding in findings] == ["strict-1", "disco-2023"]
    assert "its numbers come from view" in findings[0]


def test_no_seed_may_be_dropped(tmp_path: Path) -> None:
    """Two seeds were asked for; the better one alone is another number. Finished outputs beside an adapter have one seed, and that is well."""
    given = clips(tmp_path, (16, 17))
    run(**given, adapters=["still"], seeds=[3, 4], protocols=["strict-1"], metrics=["psnr@float"], out=tmp_path / "run")
    copy = small(tmp_path / "run", tmp_path / "small")
    assert recount(load(copy)) == ([], [])
    lines(copy, lambda entries: [entry for entry in entries if entry["seed"] != 4])
    findings, _ = recount(load(copy))
    assert "2 of the 6 lines that the spec asks for are not there, still a 4 the first" in findings[0]


def test_a_clip_counts_once(both: Path, tmp_path: Path) -> None:
    copy = small(both, tmp_path / "small")
    consistent(copy, lambda data: data["spec"]["cases"].append(data["spec"]["cases"][0]))
    assert any("cases: a stands twice" in finding for finding in recount(load(copy))[0])


# ------------------------------------------------------------------------------------------------------------ pandas


def test_every_clip_value_is_one_row(tmp_path: Path) -> None:
    """The journal's own values; a clip that cannot be read has NaN and its reason, never 0."""
    given = clips(tmp_path, (16, 17))
    (tmp_path / "m" / "b.mkv").write_bytes(b"no video")
    record = run(**given, protocols=["strict-1"], metrics=["l1@unit", "psnr@float"], out=tmp_path / "run")
    frame = record.clips_to_pandas()
    frame = frame[frame["metric"].isin(["l1@unit", "psnr@float"])].reset_index(drop=True)  # ssim@gaussian is primary: there in any case
    assert list(frame.columns) == ["adapter", "case", "seed", "protocol", "metric", "value", "n_frames", "n_left_out", "reason", "detail"]
    assert list(zip(frame["case"], frame["metric"], strict=True)) == [(c, m) for c in "ab" for m in ("l1@unit", "psnr@float")]
    assert frame["value"][0] == record.clip_values("m", "strict-1", "l1@unit")["a"]
    assert frame["value"].isna().tolist() == [False, False, True, True]
    assert frame["reason"].tolist()[:2] == ["", ""]
    assert set(frame["reason"][2:]) == {next(e["error"]["code"] for e in record.journal.values() if "error" in e)}
    assert frame["n_frames"].tolist() == [16, 16, 0, 0]
    assert len(record.to_pandas()) == len(record.scores)
