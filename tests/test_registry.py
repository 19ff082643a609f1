"""The registry: what it refuses and how it says so, and that everything built in holds together."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import registry as module
from benchmark.commands.looking import KINDS
from benchmark.errors import InputError
from benchmark.generating import Adapter
from benchmark.model import FeatureVariant, FrameVariant, Metric, SetVariant, Suite, Variant
from benchmark.registry import Registry, find, registry
from benchmark.rows import ClipVariant, OpeningVariant, RegionVariant, extractors


def metric(name: str = "zz", *ids: str) -> Metric:
    variants = tuple(
        FrameVariant(id=id, summary="zeros", source="here", score=lambda g, t, c=None: np.zeros(len(g))) for id in ids or ("v",)
    )
    return Metric(name=name, title="Z", higher_is_better=True, variants=variants)


def adapter(id: str) -> Adapter:
    return Adapter(id=id, version=1, title="a", summary="a", generate=lambda case, settings, stem: stem)


def test_a_collision_names_both_origins() -> None:
    table = Registry()
    table.add(metric(), "first place")
    with pytest.raises(InputError) as error:
        table.add(metric(), "second place")
    assert error.value.code == "collision"
    assert "'zz'" in str(error.value)
    assert "second place" in str(error.value)
    assert "first place" in str(error.value)
    assert table.metrics["zz"].origin == "first place"


def test_one_name_may_serve_two_kinds() -> None:
    """Tables are by kind: a metric and an adapter are never looked up in one place."""
    table = Registry()
    table.add(metric("same"), "here")
    table.add(adapter("same"), "here")
    assert set(table.metrics) == set(table.adapters) == {"same"}


@pytest.mark.parametrize("name", ["LPIPS", "Über", "", "a b", "a@b", "a:b", "a/b", "a=b"])
def test_odd_names_are_refused(name: str) -> None:
    table = Registry()
    with pytest.raises(InputError) as error:
        table.add(metric(name), "a plugin")
    assert error.value.code == "bad-id"
    assert repr(name) in str(error.value)
    assert "a plugin" in str(error.value)
    assert not table.metrics


@pytest.mark.parametrize("ids", [("Gaussian",), ("a b",), ("a@b",), ("",), ("v", "v")], ids=repr)
def test_odd_and_repeated_variant_ids_are_refused(ids: tuple[str, ...]) -> None:
    """`metric@variant` is a number's name: lower case and unique like every other."""
    table = Registry()
    with pytest.raises(InputError) as error:
        table.add(metric("zz", *ids), "a plugin")
    assert error.value.code in ("bad-id", "collision")
    assert "a plugin" in str(error.value)
    assert not table.metrics


def test_an_object_of_no_kind_is_refused() -> None:
    with pytest.raises(InputError, match="spec this version knows") as error:
        Registry().add({"name": "x"}, "a plugin")
    assert error.value.found == "dict"
    assert error.value.path == "a plugin"


def test_unknown_names_list_what_there_is() -> None:
    for kind, table in (
        ("metric", registry().metrics),
        ("protocol", registry().protocols),
        ("suite", registry().suites),
        ("adapter", registry().adapters),
    ):
        with pytest.raises(InputError) as error:
            find(table, "no-such", kind)
        assert error.value.code == "unknown-name"
        assert error.value.expected == ", ".join(sorted(table))
        assert error.value.hint == f"hvbench ls {kind}s"


def test_an_unknown_weights_file_is_told_with_a_command_that_exists() -> None:
    from benchmark.weights import entry

    with pytest.raises(InputError) as error:
        entry("no-such")
    assert error.value.expected == ", ".join(sorted(registry().weights))
    assert str(error.value.hint).removeprefix("hvbench ls ") in KINDS


@pytest.mark.parametrize("name", ["psnr@none", "psnr", "psnr@"])
def test_an_unknown_variant_lists_its_metrics_variants(name: str) -> None:
    with pytest.raises(InputError) as error:
        registry().variant(name)
    assert error.value.code == "unknown-name"
    assert "psnr@float, psnr@pooled, psnr@cap100, psnr@uint8-wrap" in str(error.value)
    assert error.value.hint == "hvbench ls metrics"


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> str:
    """A package on sys.path with these modules; its name."""
    name = f"zz_{folder.name.replace('-', '_')}"
    root = folder / name
    root.mkdir()
    for stem, text in {"__init__": "", **files}.items():
        (root / f"{stem}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return name


def test_modules_with_an_underscore_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = package(
        tmp_path, monkeypatch, _helper="raise RuntimeError('never imported')", b="SPEC = 'b'", a="SPEC = ('a1', 'a2')\nVERB = 'verb'", c=""
    )
    assert list(module._specs_of(name)) == [("a1", f"{name}.a"), ("a2", f"{name}.a"), ("verb", f"{name}.a"), ("b", f"{name}.b")]
    assert f"{name}._helper" not in sys.modules


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="zz_missing") as error:
        module._folder("zz_missing")
    assert error.value.code == "foreign-package"


class Distribution:
    name = "some-plugin"


class EntryPoint:
    """What importlib.metadata hands out."""

    name = "spec"
    value = "some_plugin:SPECS"
    dist = Distribution()

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


def test_a_plugin_that_does_not_import_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> Any:
        raise ZeroDivisionError("its own fault")

    monkeypatch.setattr(module, "entry_points", lambda group: [EntryPoint(load)])
    with pytest.raises(InputError) as error:
        list(module._plugins())
    assert error.value.code == "plugin"
    assert error.value.path == "plugin some-plugin (some_plugin:SPECS)"
    assert error.value.found == "ZeroDivisionError: its own fault"


def test_plugins_give_one_spec_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = metric("one"), metric("two")
    monkeypatch.setattr(module, "entry_points", lambda group: [EntryPoint(lambda: one), EntryPoint(lambda: [one, two])])
    origin = "plugin some-plugin (some_plugin:SPECS)"
    assert list(module._plugins()) == [(one, origin), (one, origin), (two, origin)]


# ------------------------------------------------------------------------------------------------------- what is built in


def variants() -> list[tuple[str, Variant]]:
    return [(f"{name}@{v.id}", v) for name, e in registry().metrics.items() for v in e.item.variants]


def test_every_name_of_a_metric_family_is_there() -> None:
    """The table of the first frame metrics."""
    assert {name for name, _ in variants()} >= {
        "l1@unit", "l1@disco",
        "psnr@float", "psnr@pooled", "psnr@cap100", "psnr@uint8-wrap",
        "ssim@gaussian", "ssim@disco", "ssim@torchmetrics",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "variant"), variants(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_variant_says_what_it_is_and_where_from(name: str, variant: Variant) -> None:
    assert len(variant.summary.split()) >= 5
    assert len(variant.source) >= 10
    resting = FeatureVariant | SetVariant | ClipVariant | RegionVariant
    assert isinstance(variant, FrameVariant | OpeningVariant | resting)
    assert bool(extractors(variant)) == isinstance(variant, resting)
    for extractor in (registry().extractors[one].item for one in extractors(variant)):
        assert extractor.summary
        assert extractor.source
        assert set(extractor.files) <= set(registry().weights)
        assert not extractor.files or extractor.script or extractor.shapes is not None, "needed for --weights seeded"


@pytest.mark.parametrize("name", sorted(registry().protocols))
def test_every_protocol_holds_together(name: str) -> None:
    item = registry().protocols[name].item
    for variant in item.variants:
        registry().variant(variant)
    assert len(set(item.variants)) == len(item.variants) > 0
    assert set(item.primary) <= set(item.variants)
    assert 1 <= len(item.primary) <= 6
    for variant in item.primary:
        assert registry().variant(variant)[0].higher_is_better is not None, "a verdict needs a direction"
    assert item.source
    assert item.notes
    assert item.supersedes is None or item.supersedes in registry().protocols
    assert (item.size.width is not None and item.size.height is not None) == (item.size.to == "fixed")
    assert (item.size.side is not None) == (item.size.to == "short-side")


@pytest.mark.parametrize("name", sorted(registry().suites))
def test_every_suite_holds_together(name: str) -> None:
    item: Suite = registry().suites[name].item
    assert item.default_protocol in item.protocols
    assert set(item.protocols) <= set(registry().protocols)
    splits = [split.id for split in item.splits]
    assert len(set(splits)) == len(splits)
    assert item.default_split in splits
    assert item.fallback is None or registry().suites[item.fallback].item.make is not None, "a fallback needs no data"
    assert item.make is None or item.make in registry().makers
    assert set(item.adapters) <= set(registry().adapters)
    assert "{case}" in item.layout or "{case}" in item.audio or item.make
    for split in item.splits:
        assert split.summary
        assert len(set(split.cases)) == len(split.cases)


def test_the_tiktok_splits_are_the_published_ones() -> None:
    """disco-10 and ipa-6: sequences 335 to 340; humanvid-40: 301 to 340, five digits each."""
    splits = {split.id: split for split in registry().suites["tiktok"].item.splits}
    six = tuple(f"{n:05d}" for n in range(335, 341))
    assert splits["ipa-6"].cases == splits["disco-10"].cases == six
    assert not splits["disco-10"].released
    assert splits["humanvid-40"].cases == tuple(f"{n:05d}" for n in range(301, 341))


def test_every_weights_entry_can_be_checked() -> None:
    formats = {"safetensors", "torch", "torchscript", "onnx", "tflite", "mat"}
    for name, held in registry().weights.items():
        item = held.item
        assert item.format in formats, name
        assert item.licence, name
        assert item.source, name
        assert Path(item.file).name == item.file, name
        assert item.sha256 is None or (len(item.sha256) == 64 and int(item.sha256, 16) >= 0), name
        assert item.format != "torchscript" or item.sha256, f"{name}: code is run only where its hash is pinned"


def test_origins_are_places_one_can_open() -> None:
    """Built-ins: a module of one of the three packages, or a TOML file that exists."""
    known = registry()
    for table in (known.metrics, known.extractors, known.makers, known.adapters, known.verbs):
        for held in table.values():  # type: ignore[attr-defined]
            assert importlib.util.find_spec(held.origin) is not None
    for table in (known.protocols, known.suites, known.weights):
        for held in table.values():  # type: ignore[attr-defined]
            assert Path(held.origin).is_file()
