"""Every generator from its checkpoint to a record, on tiny pipelines of the real classes: what is counted, what sections do, what is equal to what."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

import benchmark
from adapters import _generator, _parts
from adapters._bundle import FILE
from adapters._tiny_methods import GAIN, experts, linears, write_lora
from benchmark.errors import InputError
from benchmark.generating import Generating
from benchmark.media import decode, probe
from benchmark.model import Unit
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.validate import validate
from tests.adapters.cases import FRAMES, write_case

GENERATORS = tuple(
    name for name, entry in sorted(registry().adapters.items()) if isinstance(entry.item, Generating) and entry.item.passes is not None
)
SMALL = {"size": [32, 32], "steps": 2}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the tiny checkpoints are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Record]:
    """run(adapter, settings, ...) on the small case; each call is a run of its own."""
    monkeypatch.setenv("BENCHMARK_CACHE", str(cache))
    case = write_case(tmp_path / "case")

    def go(adapter: str, told: Mapping[str, Any] | None = None, *, case: Path = case, **more: Any) -> Record:
        number = len(list(tmp_path.glob("run-*")))
        asked = {"*": {"checkpoint": "tiny", **SMALL, **(told or {})}}
        return benchmark.run(cases_file=case, adapters=[adapter], settings=asked, out=tmp_path / f"run-{number}", **{"bare": True, **more})

    return go


def entry(record: Record, adapter: str, seed: int = 0) -> Mapping[str, Any]:
    found: Mapping[str, Any] = record.journal[Unit(adapter, "one", seed)]
    assert found["status"] == "scored", found.get("error")
    return found


def facts(record: Record, adapter: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = entry(record, adapter)["generation"]["facts"]
    return told


def frames(record: Record, adapter: str, seed: int = 0) -> NDArray[np.uint8]:
    return np.concatenate(list(decode(probe(record.path / entry(record, adapter, seed)["generated"]["path"]))))


def changed(cache: Path, tmp_path: Path, adapter: str, change: Callable[[Path, str], str]) -> dict[str, Any]:
    """Settings with a copy of an adapter's tiny checkpoint in which `change(folder, TOML) -> TOML` was at work; the pipeline stays where it is."""
    folder = tmp_path / f"changed-{len(list(tmp_path.glob('changed-*')))}"
    kept = cache / "checkpoints" / f"{adapter}-checkpoint-1"
    shutil.copytree(kept, folder)
    text = (folder / FILE).read_text().replace('"../', f'"{kept.parent}/')
    (folder / FILE).write_text(change(folder, text))
    return {"checkpoint": str(folder)}


@pytest.mark.parametrize("adapter", GENERATORS)
def test_from_a_checkpoint_to_a_record(run: Callable[..., Record], adapter: str) -> None:
    """A clip of the case's length, rate and of the size asked for; every evaluation counted as it is nominally; the same seed the same clip."""
    record = run(adapter, seeds=[0, 1])
    assert validate(record.path) == []
    clip = probe(record.path / entry(record, adapter)["generated"]["path"])
    side = 16 if "cogvideox" in record.header["spec"]["methods"][0]["generator"]["kind"] else 32  # its learned positions are of one size
    assert (clip.frames, clip.fps, clip.width, clip.height) == (FRAMES, 8, side, side)
    told = facts(record, adapter)
    assert told["cost"]["nfe"] == told["nominal_nfe"] > 0
    assert told["frames"]["kept"] == FRAMES
    assert told["frames"]["made"] - told["frames"]["cut"] == FRAMES
    assert told["rehearsal"] is True
    assert told["machine"]["cpu"]
    assert told["cost"]["seconds"]["total"] > 0
    assert (record.path / entry(record, adapter)["generated"]["path"]).with_suffix(".proxy.mp4").exists()
    generator = record.header["spec"]["methods"][0]["generator"]
    assert generator["rehearsal"] is True
    assert len(generator["base"]) == 64
    again = run(adapter, {"frames": FRAMES})  # another key, the same clip
    assert entry(again, adapter)["generation"]["reused"] is False
    assert entry(again, adapter)["generated"]["sha256"] == entry(record, adapter)["generated"]["sha256"]
    assert not np.array_equal(frames(record, adapter), frames(record, adapter, 1))


@pytest.mark.parametrize("adapter", GENERATORS)
def test_explained(adapter: str) -> None:
    """Paper, base, checkpoint, licence, limits; the listing says what is lacking here."""
    from benchmark.explain import explain, listing

    text = explain(adapter)
    for label in ("stands on", "checkpoint", "licence", "cannot", "source", "lacks here", "sections"):
        assert f"\n  {label}" in text
    line = next(line for line in listing("adapters") if line.split()[0] == adapter)
    assert "unrun" in line
    assert f"--checkpoint {adapter}=DIR" in line


def test_passes_of_a_step(run: Callable[..., Record]) -> None:
    """Two under guidance, one without, one more where the sound is guided; batched or not; `nfe` is what the hooks saw."""
    for adapter, guidance, expected in (
        ("vace", 5.0, 4),
        ("vace", 1.0, 2),
        ("cogvideox-i2v", 6.0, 4),
        ("svd-i2v", 3.0, 4),
        ("svd-i2v", 1.0, 2),
        ("wan-animate", 1.0, 2),
        ("wan-animate", 3.0, 4),
        ("alignhuman", 5.0, 4),
        ("fantasytalking", 5.0, 6),
        ("fantasytalking2", 1.0, 4),
    ):
        told = facts(run(adapter, {"guidance": guidance}), adapter)
        assert (told["cost"]["nfe"], told["nominal_nfe"]) == (expected, expected), (adapter, guidance)


def test_one_lora_in_both_segments_is_that_lora(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """AlignHuman with one expert everywhere equals FantasyTalking's base with the same LoRA always on; two experts are another clip."""
    two = run("alignhuman")
    same = run(
        "alignhuman", changed(cache, tmp_path, "alignhuman", lambda _, text: text.replace('expert = "motion"', 'expert = "fidelity"'))
    )
    assert facts(same, "alignhuman")["parts"]["turns"]["experts"] == ["fidelity", "fidelity"]
    run("fantasytalking")

    def with_lora(folder: Path, text: str) -> str:
        shutil.copy(cache / "checkpoints" / "alignhuman-checkpoint-1" / "fidelity.safetensors", folder)
        return (
            "\n".join(line for line in text.splitlines() if not line.startswith("guidance")) + '\n[[lora]]\nfile = "fidelity.safetensors"\n'
        )

    always = run("fantasytalking", changed(cache, tmp_path, "fantasytalking", with_lora))
    assert np.array_equal(frames(same, "alignhuman"), frames(always, "fantasytalking"))
    assert not np.array_equal(frames(two, "alignhuman"), frames(same, "alignhuman"))


def test_segments_are_intervals_of_t(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """The same table for 2, 4 and 8 steps: an expert's share of the steps is its share of the schedule's timesteps above the bound, whatever their number."""
    for steps in (2, 4, 8):
        record = run("alignhuman", {"steps": steps})
        turns = facts(record, "alignhuman")["parts"]["turns"]
        assert len(turns["experts"]) == steps
        assert turns["segments"] == ["motion (800, 1000]", "fidelity (0, 800]"]
        assert sorted(turns["experts"], reverse=True) == turns["experts"]
        assert turns["experts"][0] == "motion"


def test_early_steps_can_be_skipped(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """Above the bound nothing is evaluated, and both counts know it. Where no timestep lies above it, the clip is the whole one's."""
    whole = run("alignhuman", {"steps": 4})
    skipped = run("alignhuman", {"steps": 4, **changed(cache, tmp_path, "alignhuman", lambda _, text: "skip_above = 800.0\n" + text)})
    told = facts(skipped, "alignhuman")
    left = 4 - told["parts"]["turns"]["skipped_steps"]
    assert 0 < left < 4
    assert told["cost"]["nfe"] == told["nominal_nfe"] == 2 * left
    assert set(told["parts"]["turns"]["experts"]) == {"fidelity"}
    assert not np.array_equal(frames(skipped, "alignhuman"), frames(whole, "alignhuman"))
    none = run("alignhuman", {"steps": 4, **changed(cache, tmp_path, "alignhuman", lambda _, text: "skip_above = 1000.0\n" + text)})
    assert np.array_equal(frames(none, "alignhuman"), frames(whole, "alignhuman"))


def test_experts_that_add_nothing_are_the_base(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """FantasyTalking2 with three zero LoRAs equals FantasyTalking to the bit; with its own it does not."""
    base, own = run("fantasytalking"), run("fantasytalking2")
    pipeline = cache / "checkpoints" / "wan-i2v-1"

    def zero(folder: Path, text: str) -> str:
        experts(folder, pipeline, ("motion", "lip", "visual"), gain=0.0)
        return text

    nothing = run("fantasytalking2", changed(cache, tmp_path, "fantasytalking2", zero))
    assert np.array_equal(frames(nothing, "fantasytalking2"), frames(base, "fantasytalking"))
    assert not np.array_equal(frames(own, "fantasytalking2"), frames(base, "fantasytalking"))


def test_ablations_are_checkpoints(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """Without a gate: constants. One that weighs a single expert with 1 is that expert's LoRA alone."""
    run("fantasytalking2")
    run("fantasytalking")

    def constants(folder: Path, text: str) -> str:
        head, _, rest = text.partition("[gate]\n")
        lines = rest.splitlines()[2:]
        return f'{head}[gate]\nlevel = "none"\nconstants = {{motion = 0.0, lip = 1.0, visual = 0.0}}\n' + "\n".join(lines) + "\n"

    def lip(folder: Path, text: str) -> str:
        shutil.copy(cache / "checkpoints" / "fantasytalking2-checkpoint-1" / "lip.safetensors", folder)
        return text + '[[lora]]\nfile = "lip.safetensors"\n'

    one = frames(run("fantasytalking2", changed(cache, tmp_path, "fantasytalking2", constants)), "fantasytalking2")
    other = frames(run("fantasytalking", changed(cache, tmp_path, "fantasytalking", lip)), "fantasytalking")
    # The same sums in another order: float32's rounding may move a value across the border of two grey levels.
    assert np.abs(one.astype(int) - other).max() <= 1


def test_merged_and_unmerged_loras(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """The same clip but for rounding; without the LoRA another one."""
    apart = frames(run("ipa"), "ipa").astype(int)
    merged = frames(run("ipa", changed(cache, tmp_path, "ipa", lambda _, text: text.replace("rank = 4", "rank = 4\nmerge = true"))), "ipa")
    assert np.abs(apart - merged).max() <= 1
    half = frames(run("ipa", changed(cache, tmp_path, "ipa", lambda _, text: text.replace("rank = 4", "rank = 4\nweight = 0.5"))), "ipa")
    assert not np.array_equal(half, merged)
    assert not np.array_equal(frames(run("vace"), "vace"), merged)


def test_a_lora_beside_experts_is_merged(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """An expert's turn switches all other adapters off: what is always on goes into the weights. A zero LoRA changes nothing, another one does."""
    plain = frames(run("alignhuman"), "alignhuman")
    pipeline = cache / "checkpoints" / "wan-i2v-1"

    def with_lora(gain: float) -> dict[str, Any]:
        def change(folder: Path, text: str) -> str:
            write_lora(folder / "more.safetensors", linears(pipeline, r"blocks\.\d+\.attn1\.to_q"), [5], gain=gain)
            return text + '[[lora]]\nfile = "more.safetensors"\n'

        return changed(cache, tmp_path, "alignhuman", change)

    assert np.array_equal(frames(run("alignhuman", with_lora(0.0)), "alignhuman"), plain)
    assert not np.array_equal(frames(run("alignhuman", with_lora(4 * GAIN)), "alignhuman"), plain)


def test_a_case_without_sound_gets_silence(run: Callable[..., Record], tmp_path: Path) -> None:
    """Recorded; another clip than with the sound."""
    loud = run("fantasytalking")
    quiet = run("fantasytalking", case=write_case(tmp_path / "quiet", audio=False))
    assert facts(loud, "fantasytalking")["parts"]["audio"]["audio"] == "case"
    assert facts(quiet, "fantasytalking")["parts"]["audio"]["audio"] == "silence"
    assert not np.array_equal(frames(loud, "fantasytalking"), frames(quiet, "fantasytalking"))


def test_noise_of_the_surface(run: Callable[..., Record], cache: Path, tmp_path: Path) -> None:
    """Another share of fresh noise is another clip; the record says which rule made it; a case without a surface is unscored with the reason."""
    own = run("humandiff")
    told = facts(own, "humandiff")["parts"]["noise"]
    assert (told["gamma"], told["rule"]) == (0.1, "stride")
    other = run(
        "humandiff", changed(cache, tmp_path, "humandiff", lambda _, text: text.replace("gamma = 0.1", 'gamma = 1.0\nrule = "gwtf"'))
    )
    assert facts(other, "humandiff")["parts"]["noise"]["rule"] == "nearest"
    assert not np.array_equal(frames(own, "humandiff"), frames(other, "humandiff"))
    case = write_case(tmp_path / "bare")
    case.write_text("\n".join(line for line in case.read_text().splitlines() if not line.startswith("uv")))
    record = run("humandiff", case=case)
    assert record.journal[Unit("humandiff", "one", 0)]["error"]["code"] == "no-uv"


def test_no_memory_is_an_unscored_unit(run: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason and what helps; the rest of the run goes on, and the next one tries again."""

    def full(self: Any, *given: Any, **named: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 60 GiB")

    from diffusers import WanVACETransformer3DModel

    with monkeypatch.context() as patch:
        patch.setattr(WanVACETransformer3DModel, "forward", full)
        record = run("vace", bare=False, metrics=["psnr@float"], seeds=[9])
    error = record.journal[Unit("vace", "one", 9)]["error"]
    assert error["code"] == "out-of-memory"
    assert "offload" in error["hint"]
    assert record.scores[0]["reason"] == "out-of-memory"


def test_one_pipeline_at_a_time(run: Callable[..., Record]) -> None:
    """After a run none is held: 60 GiB are given back before the next method's are loaded."""
    run("vace")
    assert not _generator._held


def test_fewer_frames_of_a_case(run: Callable[..., Record]) -> None:
    """`frames` keeps the first so many: made in the shortest length that the class has."""
    told = facts(run("vace", {"frames": 3}), "vace")
    assert told["frames"] == {"kept": 3, "made": 5, "cut": 2}


def test_the_journal_is_plain(run: Callable[..., Record]) -> None:
    assert json.loads(json.dumps(facts(run("fantasytalking2"), "fantasytalking2")))
    assert {part.name for part in _parts.PARTS} == {"lora", "turns", "fused", "audio", "noise"}


def test_unknown_checkpoints(run: Callable[..., Record], tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        run("ipa", {"checkpoint": str(tmp_path / "nowhere")})
    assert error.value.code == "checkpoint-missing"
