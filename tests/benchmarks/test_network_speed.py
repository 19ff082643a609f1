"""The network metrics against the peers' chain, against the bare forwards they are made of, and network by network: ratios on one machine."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmark import backends, machine
from benchmark.evaluate import evaluate
from benchmark.jobs import CaseJob, UnitJob
from benchmark.loading import Networks
from benchmark.media import decode, probe
from benchmark.model import Case, FeatureVariant, Source, Unit
from benchmark.plan import Network, View, rules_id
from benchmark.registry import registry
from tests.benchmarks import network_chain
from tests.benchmarks.chain import make_clips
from tests.benchmarks.network_chain import METRICS
from tests.benchmarks.process import python

pytestmark = [pytest.mark.speed, pytest.mark.peers]
TURNS = 2


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 pairs of 24 frames at 256x256."""
    folder = tmp_path_factory.mktemp("clips") / "set"
    make_clips(folder, 4, 24, 256, ("a", "b"))
    return folder


def test_table_against_peers(clips: Path, tmp_path: Path, benchmark: Any) -> None:
    """FID, FVD on DisCo's windows, LPIPS, SSIM, PSNR and L1, same weights, whole processes in turn. Never slower than the chain; within 1.25 times
    decoding and bare forwards; all that is no forward costs at most a third of the chain's. Values agree with the packages': FID and FVD within
    1e-4 (their matrix root), the others within 1e-5."""
    for package in ("skimage", "pytorch_fid", "lpips"):
        pytest.importorskip(package, reason="the chain calls it")
    truth, generated, words = clips / "truth", clips / "a", [w for name in METRICS for w in ("--metric", name)]
    chain: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    ours: list[float] = []

    def others() -> None:
        for name in ("png", "run", "cache"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        out = tmp_path / "out.json"
        whole = python(["-m", "tests.benchmarks.network_chain", truth, generated, tmp_path / "png", out], tmp_path).seconds
        told = json.loads(out.read_text())
        chain.append({"whole": whole, "rest": whole - told["seconds"]["forward"], **told["values"]})
        python(["-m", "tests.benchmarks.network_chain", "--bare", truth, generated, out], tmp_path)
        bare.append(json.loads(out.read_text()))

    def run() -> None:
        command = ["-m", "benchmark", "run", "--suite", "tiktok", "--truth", truth, "--outputs", f"a={generated}", "--weights", "seeded"]
        ours.append(python([*command, *words, "--out", tmp_path / "run"], tmp_path / "cache").seconds)

    benchmark.pedantic(run, setup=others, rounds=TURNS)
    for row in json.loads((tmp_path / "run" / "scores.json").read_text())["scores"]:
        name = f"{row['metric']}@{row['variant']}"
        assert row["value"] == pytest.approx(chain[0][name], rel=1e-4 if row["metric"] in ("fid", "fvd") else 1e-5), name
    whole = statistics.median(c["whole"] / o for c, o in zip(chain, ours, strict=True))
    needed = statistics.median(o / (b["decode"] + b["forward"]) for o, b in zip(ours, bare, strict=True))
    rest = statistics.median((o - b["forward"]) / c["rest"] for o, b, c in zip(ours, bare, chain, strict=True))
    benchmark.extra_info.update(
        chain_seconds=[round(c["whole"], 1) for c in chain],
        bare_seconds=[round(b["decode"] + b["forward"], 1) for b in bare],
        chain_rest_seconds=[round(c["rest"], 1) for c in chain],
        over_bare=round(needed, 2),
        rest=round(rest, 2),
        ratio=round(whole, 2),
        bar=">= 1",
    )
    assert whole >= 1, (chain, ours)
    assert needed <= 1.25, (bare, ours)
    assert rest <= 1 / 3, (chain, bare, ours)


# -------------------------------------------------------------------------------------------------------- a second method

SHARED = ("lpips@alex", "fid@tf")


def job(folder: Path, methods: tuple[str, ...], work: Path) -> CaseJob:
    rules = registry().protocols["strict-1"].item
    planned = {}
    for name in SHARED:
        extractor = registry().extractors[getattr(registry().variant(name)[1], "extractor")].item  # noqa: B009
        planned[extractor.id] = Network(extractor.id, "seeded-1", "seeded-1", "torch", extractor.batch)
    return CaseJob(
        case=Case(id="0000", truth=Source(folder / "truth" / "0000.mp4")),
        truth_sha256="0" * 64,
        truth_error=None,
        units=tuple(UnitJob(Unit(m, "0000", 0), Source(folder / m / "0000.mp4"), m * 64) for m in methods),
        views=(View(rules_id(rules), rules, (rules.id,), SHARED),),
        clips=work / "made",
        networks=Networks(planned, "seeded", None, work / "features"),
    )


def test_second_method_shares_the_truths_features(clips: Path, tmp_path: Path, benchmark: Any) -> None:
    """A second method costs at most 0.6 of the first, processor time: the truth's LPIPS trunk and its Inception features are there."""

    def cpu(*methods: str) -> float:
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        start = time.process_time()
        results = evaluate(job(clips, methods, tmp_path / "work"))
        assert all(result.entry["status"] == "scored" for result in results)
        return time.process_time() - start

    cpu("a")
    turns = [(cpu("a", "b") - first) / first for first in (cpu("a") for _ in range(3))]
    benchmark.pedantic(lambda: cpu("a", "b"), rounds=1)
    ratio = statistics.median(turns)
    benchmark.extra_info.update(ratio=round(ratio, 2), bar="<= 0.6")
    assert ratio <= 0.6, turns


# ------------------------------------------------------------------------------------------------------ network by network


@pytest.mark.parametrize(("name", "frames"), [("alex", 24), ("vgg", 3)])
def test_lpips_against_the_package(name: str, frames: int, clips: Path, benchmark: Any) -> None:
    """One method and its truth from decoded frames to values: not slower than the package's own module at its faster batch of one and four."""
    pytest.importorskip("lpips", reason="the peer")
    import torch

    variant = cast(FeatureVariant, registry().variant(f"lpips@{name}")[1])
    extractor = registry().extractors[variant.extractor].item
    network = backends.load(extractor, "seeded", None, "cpu")
    machine.settle_torch()
    module = network_chain.lpips_module(name)
    sides = [np.concatenate(list(decode(probe(clips / side / "0000.mp4"))))[:frames] for side in ("a", "truth")]
    size = extractor.batch

    def ours() -> Any:
        pieces = range(0, frames, size)
        return np.concatenate([variant.score(*(network(extractor.preprocess(side[k : k + size])) for side in sides)) for k in pieces])

    def theirs(at_once: int) -> Any:
        found = []
        for k in range(0, frames, at_once):
            pair = (torch.from_numpy(side[k : k + at_once]).permute(0, 3, 1, 2).float().contiguous() / 127.5 - 1 for side in sides)
            with torch.inference_mode():
                found.append(module(*pair).flatten().double().numpy())
        return np.concatenate(found)

    assert ours() == pytest.approx(theirs(1), rel=1e-5)
    turns = [min(seconds(lambda: theirs(1)), seconds(lambda: theirs(4))) / seconds(ours) for _ in range(5)]
    benchmark.pedantic(ours, rounds=2)
    ratio = statistics.median(turns)
    benchmark.extra_info.update(ratio=round(ratio, 2), bar=">= 1")
    assert ratio >= 1, turns


def test_onnxruntime_on_inception(tmp_path: Path, benchmark: Any) -> None:
    """Twice the pictures a second of pytorch-fid's own module in torch, at the same batch and threads, on the planes its loader makes; our torch,
    which keeps channels together and is faster than that, beside it."""
    for package in ("onnxruntime", "pytorch_fid"):
        pytest.importorskip(package, reason="one of the two sides")
    import torch

    extractor = registry().extractors["inception-tf"].item
    exact = backends.load(extractor, "seeded", None, "cpu")
    machine.settle_torch()
    quick = backends.behind(exact, extractor, "seeded-1", backends.ONNX, tmp_path)
    module = network_chain.inception()
    frames = backends.probe(extractor.batch)
    inputs = extractor.preprocess(frames)
    pictures = (torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255).contiguous()

    def theirs() -> None:
        with torch.inference_mode():
            module(pictures)

    for warm in (theirs, lambda: exact(inputs), lambda: quick(inputs)):
        warm()
    turns = [(seconds(theirs), seconds(lambda: exact(inputs)), seconds(lambda: quick(inputs))) for _ in range(7)]
    benchmark.pedantic(lambda: quick(inputs), rounds=2)
    ratio = statistics.median(peer / fast for peer, _, fast in turns)
    benchmark.extra_info.update(
        over_our_torch=round(statistics.median(own / fast for _, own, fast in turns), 2),
        deviation=backends.deviation(extractor, exact, quick, backends.ONNX),
        ratio=round(ratio, 2),
        bar=">= 2",
    )
    assert ratio >= 2, turns
