"""Ways in which a generator could quietly do something else than it says, each of them shut: on tiny pipelines of the real classes."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from safetensors.numpy import load_file, save_file

import benchmark
from adapters import _generator, _parts
from adapters._bundle import FILE
from adapters._checkpoint import load, load_lora
from adapters._kinds import KINDS
from adapters._memory import is_full, told
from adapters._tiny import build, whole
from adapters._tiny_methods import linears, tiny, write_lora
from benchmark import cache
from benchmark.errors import InputError
from benchmark.generating import Generating, Settings
from benchmark.media import HashCache
from benchmark.model import Unit
from benchmark.profiling import profile
from benchmark.record import Record
from benchmark.registry import registry
from benchmark.request import Request, request_from_json, request_to_json
from tests.adapters.cases import write_case

SMALL = {"size": [32, 32], "steps": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VACE's tiny pipeline."""
    return build("vace", tmp_path_factory.mktemp("tiny"))


def spec(adapter: str) -> Generating:
    found = registry().adapters[adapter].item
    assert isinstance(found, Generating)
    return found


def identity(adapter: str, checkpoint: Path, folder: Path) -> Mapping[str, Any]:
    identify = spec(adapter).identify
    assert identify is not None
    return identify(Settings(checkpoint=str(checkpoint)), HashCache(folder))


def run(tmp_path: Path, adapter: str, told: Mapping[str, Any], **more: Any) -> Record:
    number = len(list(tmp_path.glob("run-*")))
    case = write_case(tmp_path / "case")
    settings = {"*": {"checkpoint": "tiny", **SMALL, **told}}
    return benchmark.run(cases_file=case, adapters=[adapter], settings=settings, out=tmp_path / f"run-{number}", **{"bare": True, **more})


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def weights(folder: Path, part: str) -> Path:
    return next((folder / part).glob("*.safetensors"))


def test_what_lies_behind_a_link_counts(base: Path, tmp_path: Path) -> None:
    """A part that several pipelines share by a link belongs to what a clip comes from; code behind it is seen."""
    shutil.copytree(base, tmp_path / "pipe")
    shutil.move(tmp_path / "pipe" / "transformer", tmp_path / "shared")
    (tmp_path / "pipe" / "transformer").symlink_to(tmp_path / "shared")
    (tmp_path / "pipe" / "loop").symlink_to(tmp_path / "pipe")
    before = identity("vace", tmp_path / "pipe", tmp_path)
    edit(weights(tmp_path / "pipe", "transformer"), lambda t: t.update({"proj_out.bias": t["proj_out.bias"] + 1}))
    assert identity("vace", tmp_path / "pipe", tmp_path) != before
    (tmp_path / "shared" / "more.py").write_text("raise SystemExit")
    with pytest.raises(InputError) as error:
        identity("vace", tmp_path / "pipe", tmp_path)
    assert error.value.code == "checkpoint-unsafe"


@pytest.mark.parametrize("part", ["text_encoder", "vae", "transformer"])
def test_no_part_may_lack_a_tensor(base: Path, tmp_path: Path, part: str) -> None:
    """Every one is refused by its name: the libraries would draw it at random."""
    shutil.copytree(base, tmp_path / "pipe")
    names: list[str] = []

    def drop(tensors: dict[str, Any]) -> None:
        names.append(next(name for name in sorted(tensors) if name.endswith("weight") and "shared" not in name))
        del tensors[names[0]]

    edit(weights(tmp_path / "pipe", part), drop)
    with pytest.raises(InputError) as error:
        load(tmp_path / "pipe", KINDS["vace"])
    assert error.value.code == "checkpoint-keys"
    assert names[0].rpartition(".")[0].rpartition(".")[2] in str(error.value)


def test_a_broken_configuration_is_named(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "pipe")
    (tmp_path / "pipe" / "transformer" / "config.json").write_text("{")
    with pytest.raises(InputError) as error:
        identity("vace", tmp_path / "pipe", tmp_path)
    assert (error.value.code, error.value.path) == ("checkpoint-missing", str(tmp_path / "pipe" / "transformer" / "config.json"))


def test_a_pipeline_is_given_back(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for a collection: what one method holds must be gone before the next one's is loaded."""
    method = spec("vace").generate.keywords["method"]  # type: ignore[attr-defined]
    settings = Settings(checkpoint=str(base), steps=1, size=(32, 32))
    bundle = _generator.bundle_of(method, settings)
    held = _generator.hold(bundle, _generator.resolved(method, bundle, settings))
    with held.pipeline.transformer.cache_context("cond"):
        seen = weakref.ref(held.pipeline.transformer)
    del held
    gc.disable()
    try:
        _generator.free()
        assert seen() is None
    finally:
        gc.enable()


def test_memory_that_runs_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the GPU or of the machine, while loading or at work: one code, and what to type."""
    for words in ("CUDA out of memory. Tried", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"):
        assert is_full(RuntimeError(words))
        with pytest.raises(InputError) as error, told("a clip"):
            raise RuntimeError(words)
        assert (error.value.code, "--offload" in (error.value.hint or "")) == ("out-of-memory", True)
    assert not is_full(RuntimeError("a bug"))

    def full(*given: Any, **named: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 28 GiB")

    monkeypatch.setattr(_generator, "load", full)
    assert run(tmp_path, "vace", {}).journal[Unit("vace", "one", 0)]["error"]["code"] == "out-of-memory"


def test_what_cannot_be_loaded_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong LoRA is found at the first clip; the others say the same without the base being read again."""
    loads: list[Path] = []
    monkeypatch.setattr(_generator, "load", lambda folder, *given, **named: loads.append(folder) or load(folder, *given, **named))
    run(tmp_path, "ipa", {})
    folder = tmp_path / "c"
    kept = next(Path(str(path)) for path in (cache.paths.cache_dir() / "checkpoints").glob("ipa-*"))
    shutil.copytree(kept, folder)
    (folder / FILE).write_text((folder / FILE).read_text().replace('"../', f'"{kept.parent}/').replace("rank = 4", "rank = 5"))
    loads.clear()
    record = run(tmp_path, "ipa", {"checkpoint": str(folder)}, seeds=[0, 1, 2])
    assert [record.journal[Unit("ipa", "one", seed)]["error"]["code"] for seed in (0, 1, 2)] == ["lora-rank"] * 3
    assert len(loads) == 1


def test_a_lora_on_one_of_two_denoisers_is_refused(base: Path, tmp_path: Path) -> None:
    """Half of the steps would run without it, and nothing would say so."""
    pipeline = load(base, KINDS["vace"])
    pipeline.transformer_2 = pipeline.transformer
    write_lora(tmp_path / "a.safetensors", linears(base, r"blocks\.0\.attn1\.to_q"), [1])
    with pytest.raises(InputError) as error:
        load_lora(pipeline, tmp_path / "a.safetensors", "a")
    assert error.value.code == "two-denoisers"


def test_loras_merged_and_not_beside_each_other(base: Path, tmp_path: Path) -> None:
    """In either order of the file; the record says of each what became of it."""
    for first, second in ((True, False), (False, True)):
        folder = tmp_path / f"c-{first}"
        folder.mkdir()
        lines = ['adapter = "ipa"', f"base = {json.dumps(str(base))}"]
        for name, merge in (("a", first), ("b", second)):
            write_lora(folder / f"{name}.safetensors", linears(base, r"blocks\.0\.attn1\.to_q"), [ord(name)])
            lines += ["[[lora]]", f'file = "{name}.safetensors"', f"merge = {str(merge).lower()}"]
        (folder / FILE).write_text("\n".join(lines))
        record = run(tmp_path, "ipa", {"checkpoint": str(folder)})
        entry = record.journal[Unit("ipa", "one", 0)]
        assert entry["status"] == "scored", entry.get("error")
        said = {one["file"]: (one["merged"], one["rank"]) for one in entry["generation"]["facts"]["parts"]["lora"]["loras"]}
        assert said == {"a.safetensors": (first, 4), "b.safetensors": (second, 4)}


def test_a_rehearsals_pipeline_is_a_rehearsal_by_any_name(base: Path, tmp_path: Path) -> None:
    """Its folder itself, or a checkpoint.toml upon it that does not say so."""
    assert identity("vace", base, tmp_path)["rehearsal"] is True
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / FILE).write_text(f'adapter = "vace"\nbase = {json.dumps(str(base))}\n')
    assert identity("vace", tmp_path / "c", tmp_path)["rehearsal"] is True


def test_names_and_ways_of_saying_it_are_no_content(base: Path, tmp_path: Path) -> None:
    """A file under another name, a default said aloud: the same identity."""
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        write_lora(folder / f"{name}.safetensors", linears(base, r"blocks\.0\.attn1\.to_q"), [1])
        (folder / FILE).write_text(f'adapter = "ipa"\nbase = {json.dumps(str(base))}\n[[lora]]\nfile = "{name}.safetensors"\n')
        found.append(identity("ipa", folder, tmp_path))
    assert found[0] == found[1]
    identify = spec("vace").identify
    assert identify is not None
    said = [identify(Settings(checkpoint=str(base), **more), HashCache(tmp_path)) for more in ({}, {"guidance": 5.0, "dtype": "float32"})]
    assert said[0] == said[1]


@pytest.mark.parametrize("text", ["skip_above = 500.0", "rank = 99", "[settings]\nsteps = -3", "[settings]\nguidance = inf"])
def test_what_has_no_effect_or_cannot_be(base: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / FILE).write_text(f'adapter = "vace"\nbase = {json.dumps(str(base))}\n{text}\n')
    with pytest.raises(InputError) as error:
        identity("vace", tmp_path / "c", tmp_path)
    assert error.value.code in ("checkpoint-parts", "usage")


@pytest.mark.parametrize("adapter", ["fantasytalking", "svd-i2v", "wan-animate", "vace"])
def test_a_clip_of_one_frame(tmp_path: Path, adapter: str) -> None:
    """Made in the shortest length that the class has, and cut."""
    entry = run(tmp_path, adapter, {"frames": 1}).journal[Unit(adapter, "one", 0)]
    assert entry["status"] == "scored", entry.get("error")
    assert entry["generated"]["frames"] == 1


def test_a_pruned_cache_is_filled_again(tmp_path: Path) -> None:
    """The rehearsal is drawn anew, whatever part of it is gone, and is the same."""
    folder = cache.paths.cache_dir() / "checkpoints"
    made = tiny("vace", "vace", folder)
    pipeline = build("vace", folder)
    first = weights(pipeline, "transformer").read_bytes()
    cache.prune(0)
    assert not whole(pipeline)
    assert tiny("vace", "vace", folder) == made
    assert weights(build("vace", folder), "transformer").read_bytes() == first
    weights(pipeline, "vae").unlink()
    assert whole(build("vace", folder))


def test_a_recipe_takes_no_settings(tmp_path: Path) -> None:
    """`*` passes it by and is not said of it; by name it is refused."""
    case = write_case(tmp_path / "case")
    settings: dict[str, Any] = {"*": {"checkpoint": "tiny", **SMALL}}
    record = benchmark.run(cases_file=case, adapters=["vace", "mimicmotion"], settings=settings, bare=True, out=tmp_path / "run")
    recipe = next(method for method in record.header["spec"]["methods"] if method["name"] == "mimicmotion")
    assert "settings" not in recipe
    with pytest.raises(InputError, match="takes no such settings"):
        benchmark.run(cases_file=case, adapters=["mimicmotion"], settings={"mimicmotion": {"steps": 3}}, bare=True, out=tmp_path / "other")


def test_a_profile_sees_what_a_run_sees(tmp_path: Path) -> None:
    """A reference frame named for the method reaches its levels, in the run and while timing."""
    case = write_case(tmp_path / "case")
    case.write_text("\n".join(line for line in case.read_text().splitlines() if not line.startswith("reference")))
    request = Request(
        cases_file=case,
        adapters=("wan-i2v",),
        settings={"*": {"checkpoint": "tiny", "size": [32, 32]}},
        reference_frames={"wan-i2v": 2},
        out=tmp_path / "run",
    )
    record = profile(request, (2,), repeats=1, warm_up=0)
    told = json.loads((record.path / "profile.json").read_text())
    assert told["rows"][0]["runs"][0]["same_frames"] is True


def test_tiny_is_a_word_not_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where a folder of that name lies in the way."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    stored = request_to_json(Request(settings={"*": {"checkpoint": "tiny"}}))
    assert request_from_json(stored).settings == {"*": {"checkpoint": "tiny"}}


def test_nothing_is_left_on_the_pipeline_by_a_clip_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next clip is the same to the bit as one that nothing went before."""
    method = spec("alignhuman").generate.keywords["method"]  # type: ignore[attr-defined]
    from tests.benchmarks.test_generation_speed import small

    case = small(tmp_path / "case")
    settings = Settings(checkpoint="tiny", steps=2, size=(32, 32))
    before = _generator.generate(case, settings, tmp_path / "a", method).read_bytes()
    held = next(iter(_generator._held.values()))
    original = held.pipeline.transformer.forward
    count = 0

    def breaks(*given: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise RuntimeError("in the middle")
        return original(*given, **named)

    held.pipeline.transformer.forward = breaks
    with pytest.raises(RuntimeError, match="in the middle"):
        _generator.generate(case, settings, tmp_path / "b", method)
    held.pipeline.transformer.forward = original
    assert _generator.generate(case, settings, tmp_path / "c", method).read_bytes() == before
    _generator.free()
    assert np.array_equal(np.array(_parts.PARTS[0].sections), ["lora"])
