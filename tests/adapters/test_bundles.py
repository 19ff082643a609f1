"""Checkpoints on disk: what a checkpoint.toml may say, where one is found, what is hashed, and every way in which one is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from safetensors.numpy import load_file, save_file

import benchmark
from adapters import ipa, vace
from adapters._bundle import FILE, Bundle, content, digests, find
from adapters._tiny import build
from adapters._tiny_methods import ipa as parts
from adapters._tiny_methods import linears, tiny, write_lora
from benchmark.errors import InputError
from benchmark.generating import Settings
from benchmark.media import HashCache
from benchmark.model import Unit
from benchmark.registry import registry
from tests.adapters.cases import write_case


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint of ipa with VACE's pipeline beside it."""
    made = tmp_path_factory.mktemp("tiny")
    tiny("ipa", "vace", made, parts)
    return made


def toml(folder: Path, text: str, base: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(f'adapter = "ipa"\nbase = {json.dumps(str(base))}\n{text}')
    return folder


def base_of(folder: Path) -> Path:
    return build("vace", folder)


def identity(adapter: str, checkpoint: Path | str, cache: Path, **more: object) -> Mapping[str, object]:
    found = registry().adapters[adapter].item
    assert found.identify is not None  # type: ignore[attr-defined]
    told: Mapping[str, object] = found.identify(Settings(checkpoint=str(checkpoint), **more), HashCache(cache))  # type: ignore[attr-defined, arg-type]
    return told


def test_what_a_clip_comes_from_is_told_by_content(folder: Path, tmp_path: Path) -> None:
    """The same files elsewhere are the same checkpoint; one changed number, another setting are another one. No path is in it."""
    import shutil

    first = identity("ipa", folder / "ipa-checkpoint-1", tmp_path)
    shutil.copytree(folder, tmp_path / "copy")
    assert identity("ipa", tmp_path / "copy" / "ipa-checkpoint-1", tmp_path) == first
    assert identity("ipa", tmp_path / "copy" / "ipa-checkpoint-1" / FILE, tmp_path) == first
    assert str(tmp_path) not in json.dumps(first)
    assert str(folder) not in json.dumps(first)
    assert first["rehearsal"] is True
    assert identity("ipa", folder / "ipa-checkpoint-1", tmp_path, steps=3) != first
    lora = tmp_path / "copy" / "ipa-checkpoint-1" / "halo.safetensors"
    tensors = load_file(lora)
    tensors[next(iter(tensors))][0, 0] += 1
    save_file(tensors, lora)
    other = identity("ipa", tmp_path / "copy" / "ipa-checkpoint-1", tmp_path)
    assert other["checkpoint"] != first["checkpoint"]
    assert {key: value for key, value in other.items() if key != "checkpoint"} == {
        key: value for key, value in first.items() if key != "checkpoint"
    }


def test_where_a_checkpoint_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, then the configuration, then BENCHMARK_CHECKPOINTS; the listing says what is still missing."""
    base = base_of(folder)
    ls = {adapter.id: adapter for adapter in (vace.SPEC, ipa.SPEC)}
    assert "--checkpoint vace=DIR" in ls["vace"].lacks()
    monkeypatch.setenv("BENCHMARK_CHECKPOINTS", str(tmp_path))
    (tmp_path / "vace").symlink_to(base)
    assert ls["vace"].lacks() == ""
    (tmp_path / "config.toml").write_text(f'[checkpoints]\nvace = "{tmp_path / "nowhere"}"\n')
    monkeypatch.setenv("BENCHMARK_CONFIG", str(tmp_path / "config.toml"))
    assert "nowhere" in ls["vace"].lacks()
    with pytest.raises(InputError) as error:
        benchmark.run(cases_file=write_case(tmp_path / "case"), adapters=["vace"], out=tmp_path / "run")
    assert error.value.code == "checkpoint-missing"


def test_a_hubs_repository_that_is_on_this_machine(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the hub's own cache layout; nothing is fetched: what is not there is an error with the command that fetches it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    at = tmp_path / "hub" / "models--somebody--vace"
    (at / "snapshots").mkdir(parents=True)
    (at / "refs").mkdir()
    (at / "refs" / "main").write_text("abc123")
    (at / "snapshots" / "abc123").symlink_to(base_of(folder))
    bundle = find("vace", "somebody/vace")
    assert (bundle.base / "model_index.json").is_file()
    with pytest.raises(InputError) as error:
        find("vace", "somebody/other@v2")
    assert (error.value.code, error.value.hint) == ("checkpoint-missing", "hf download somebody/other --revision v2")


def test_pinned_files_must_hold(folder: Path, tmp_path: Path) -> None:
    """A [sha256] of the TOML that the file does not have is refused; one that it has passes."""
    write_lora(tmp_path / "c" / "a.safetensors", linears(base_of(folder), r"blocks\.0\.attn1\.to_q"), [1]) if (
        tmp_path / "c"
    ).mkdir() is None else None
    text = '[[lora]]\nfile = "a.safetensors"\n'
    hashes = HashCache(tmp_path)
    found = digests(find("ipa", str(toml(tmp_path / "c", text, base_of(folder)))), hashes)
    assert set(found) == {"a.safetensors"}
    good = f'base = "{content(base_of(folder), hashes)}"\n' + "".join(f'"{name}" = "{digest}"\n' for name, digest in found.items())
    assert digests(find("ipa", str(toml(tmp_path / "c", f"{text}[sha256]\n{good}", base_of(folder)))), hashes) == found
    for wrong in (f'base = "{"0" * 64}"', f'"b.safetensors" = "{"0" * 64}"'):
        with pytest.raises(InputError) as error:
            digests(find("ipa", str(toml(tmp_path / "c", f"{text}[sha256]\n{wrong}", base_of(folder)))), hashes)
        assert error.value.code == "hash-mismatch"


@pytest.mark.parametrize(
    ("adapter", "text", "code"),
    [
        ("ipa", "", "checkpoint-parts"),
        ("ipa", '[[lora]]\nfile = "absent.safetensors"', "checkpoint-missing"),
        ("ipa", '[[lora]]\nfile = "l.safetensors"\n[noise]\ngamma = 0.2', "checkpoint-parts"),
        ("ipa", '[[lora]]\nfile = "l.safetensors"\nranks = 4', "unknown-key"),
        ("ipa", 'kind = "wan-i2v"\n[[lora]]\nfile = "l.safetensors"', "checkpoint-class"),
        ("ipa", '[[lora]]\nfile = "l.safetensors"\n[settings]\nsize = [8, 8]', "too-small"),
        ("vace", '[[lora]]\nfile = "l.safetensors"', "checkpoint-adapter"),
    ],
)
def test_what_a_checkpoint_must_not_say(folder: Path, tmp_path: Path, adapter: str, text: str, code: str) -> None:
    base = base_of(folder)
    (tmp_path / "c").mkdir()
    write_lora(tmp_path / "c" / "l.safetensors", linears(base, r"blocks\.0\.attn1\.to_q"), [1])
    toml(tmp_path / "c", text, base)
    with pytest.raises(InputError) as error:
        identity(adapter, tmp_path / "c", tmp_path)
    assert error.value.code == code
    assert error.value.hint or error.value.expected or error.value.found


def test_another_base_another_rank_keys_of_no_lora(folder: Path, tmp_path: Path) -> None:
    """Found when it is loaded: each unit says it, by name of what is wrong, and no clip is made."""
    base = base_of(folder)
    (tmp_path / "c").mkdir()
    lora = tmp_path / "c" / "l.safetensors"
    modules = linears(base, r"blocks\.0\.attn1\.to_[qk]")
    case = write_case(tmp_path / "case")

    def outcome(rank: int) -> Mapping[str, str]:
        toml(tmp_path / "c", f'[settings]\nsize = [16, 16]\nsteps = 1\n[[lora]]\nfile = "l.safetensors"\nrank = {rank}\n', base)
        told = {"ipa": {"checkpoint": str(tmp_path / "c")}}
        record = benchmark.run(cases_file=case, adapters=["ipa"], settings=told, bare=True, out=tmp_path / f"r{rank}")
        error: Mapping[str, str] = record.journal[Unit("ipa", "one", 0)]["error"]
        return error

    write_lora(lora, modules, [1])
    assert outcome(8)["code"] == "lora-rank"
    write_lora(lora, {"blocks.77.attn1.to_q": (24, 24)}, [1], rank=5)
    error = outcome(5)
    assert error["code"] == "lora-keys"
    assert "blocks.77.attn1.to_q" in error["found"]
    write_lora(lora, dict.fromkeys(modules, (32, 24)), [1], rank=6)
    assert outcome(6)["code"] == "lora-keys"
    save_file({"transformer.blocks.0.attn1.to_q.weight": np.zeros((24, 24), np.float32)}, lora)
    assert outcome(7)["code"] == "lora-keys"


def test_bundles_know_their_paths(folder: Path) -> None:
    """Names are beside the TOML, absolute ones stay."""
    bundle = find("ipa", str(folder / "ipa-checkpoint-1"))
    assert isinstance(bundle, Bundle)
    assert bundle.path("halo.safetensors") == folder / "ipa-checkpoint-1" / "halo.safetensors"
    assert bundle.path("/elsewhere") == Path("/elsewhere")
    assert bundle.checkpoint.parts == ("lora",)
