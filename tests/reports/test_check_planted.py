"""The gate on ten drawn people in close view: faults planted in a noisy method are found where they are and nowhere else, and reseeding alone is no fault.

The family is fixed here, before anything is run: two numbers of the hands, two of the face (a region that holds no hand), one of time, two of the whole.
A method is the truth with grain and a shift of brightness, both drawn from its seed and the clip's name, as a generator's clips differ from seed to seed.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.stats

from adapters._faults import Frames, arrays, changed
from benchmark.api import run
from benchmark.generating import Adapter, Settings
from benchmark.model import Case
from benchmark.record import Record
from benchmark.registry import registry
from reports._baseline import of, update
from reports._gate import Finding, judge

pytestmark = [pytest.mark.slow, pytest.mark.real_weights]
HANDS = ("psnr-hand@given-box", "ssim-hand@given-box")
FACE = ("psnr-face@mediapipe-box", "ssim-face@mediapipe-box")
TIME = ("flicker@dis-warp",)
WHOLE = ("psnr@float", "l1@unit")
FAMILY = (*HANDS, *FACE, *TIME, *WHOLE)
ALPHA, SEEDS = 0.05, 15


def make(case: Case, settings: Settings, stem: Path, fault: str) -> Path:
    """Grain of 3 to 5 grey levels and a brightness of up to +-2, by seed and clip; then the fault."""
    rng = np.random.default_rng([settings.seed, zlib.crc32(case.id.encode())])
    grain, light = 4 + rng.uniform(-1, 1), rng.uniform(-2, 2)
    hands = None
    if fault == "hands":
        masks = arrays(case, "masks", "test")
        hands = (masks["left_hand"] != 0) | (masks["right_hand"] != 0)

    def noisy(first: int, frames: Frames) -> Frames:
        made = frames.astype(np.float64)
        for k, frame in enumerate(made):
            number = first + k
            if hands is not None:
                blurred = cv2.GaussianBlur(frame, (0, 0), 0.02 * frame.shape[0])
                frame[hands[number]] = blurred[hands[number]]
            if fault == "flicker":
                frame += 8 if number % 2 else -8
        return np.clip(np.rint(made + light + grain * rng.standard_normal(made.shape)), 0, 255).astype(np.uint8)

    return changed(case, stem, "test", noisy)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ten close views of `hand-bench-embedded`, drawn once: hands and a face in every one."""
    maker = registry().makers["hand-bench"].item
    folder = tmp_path_factory.mktemp("views") / f"{maker.id}-{maker.version}"
    maker.build(folder)
    return folder


@pytest.fixture
def ready(views: Path, register: Callable[..., None]) -> None:
    """The views in this test's cache, and three adapters that write to it."""
    suites = Path(os.environ["BENCHMARK_CACHE"]) / "suites"
    suites.mkdir(parents=True, exist_ok=True)
    (suites / views.name).symlink_to(views)
    for fault in ("none", "hands", "flicker"):
        name = f"grain-{fault}"
        register(Adapter(id=name, version=1, title=name, summary="grain", generate=partial(make, fault=fault), needs="a truth"))


def scored(folder: Path, fault: str, seed: int, weights: Path, names: tuple[str, ...] = FAMILY) -> Record:
    out = folder / f"{fault}-{seed}"
    return run(
        suite="hand-bench-embedded",
        adapters=(f"gen=grain-{fault}",),
        protocols=["strict-1"],
        metrics=list(names),
        seeds=[seed],
        weights_folder=weights,
        out=out,
    )


def judged(record: Record, base: Record, file: Path, names: tuple[str, ...] = FAMILY) -> dict[str, Finding]:
    file.unlink(missing_ok=True)
    update(file, base, "planted", "2026-01-01T00:00:00Z", names)
    findings, _ = judge(record, of(file, record))
    return {finding.name: finding for finding in findings}


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(("fault", "where"), [("hands", HANDS), ("flicker", TIME)])
def test_a_planted_fault_is_worse_where_it_is(fault: str, where: tuple[str, ...], weights_folder: Path, tmp_path: Path) -> None:
    """Ten clips that all agree give p = 2 / 2^10 = 0.00195, times the seven questions 0.0137: below 0.05. Blurred hands touch no face; flicker touches all."""
    base = scored(tmp_path, "none", 1, weights_folder / "mediapipe_tflite")
    found = judged(scored(tmp_path, fault, 2, weights_folder / "mediapipe_tflite"), base, tmp_path / "base.json")
    assert set(found) == set(FAMILY)
    assert {name: found[name].verdict for name in where} == dict.fromkeys(where, "worse")
    if fault == "hands":
        assert {found[name].verdict for name in (*FACE, *TIME)} <= {"same", "cannot tell", "better"}, found
    else:
        assert found["psnr@float"].verdict == "worse"


@pytest.mark.usefixtures("ready")
def test_reseeding_alone_is_rarely_called_worse(weights_folder: Path, tmp_path: Path) -> None:
    """All 105 pairs of 15 seeds, with the same family less the face's networks. Stated: `worse` for any of them in at most 5 % of the pairs. Pairs that share a
    seed are not independent, so the bound is wide: what 105 independent ones would pass once in 10,000 times."""
    names = (*HANDS, *TIME, *WHOLE)
    records = [scored(tmp_path, "none", seed, weights_folder / "mediapipe_tflite", names) for seed in range(SEEDS)]
    alarms = []
    for a, b in combinations(records, 2):
        found = judged(a, b, tmp_path / "base.json", names)
        if worse := {name: finding.adjusted for name, finding in found.items() if finding.verdict == "worse"}:
            alarms.append(worse)
    pairs = SEEDS * (SEEDS - 1) // 2
    assert pairs >= 100
    print(f"{len(alarms)} of {pairs} reseeded pairs: {alarms}")
    assert len(alarms) <= scipy.stats.binom.ppf(0.9999, pairs, ALPHA)
