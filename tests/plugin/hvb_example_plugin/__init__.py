"""Everything a plugin can bring, as small as it gets: frames are of one grey level, so every number follows from a subtraction."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmark.generating import Adapter, Settings
from benchmark.model import (
    Case,
    Counted,
    FrameRule,
    Frames,
    FrameVariant,
    Metric,
    ProtocolSpec,
    SizeRule,
    Source,
    Split,
    Suite,
    TimeRule,
    Values,
)
from benchmark.registry import Maker

LEVELS, FRAMES, STEP = (50, 90), 5, 7


def _brighter(generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
    """(n,) mean of generated - truth in grey levels."""
    values: Values = (generated.astype(np.float64) - truth).mean(axis=(1, 2, 3))
    return values


def _build(folder: Path) -> tuple[Case, ...]:
    """Clips of one level, two cases."""
    from benchmark.media import encode

    folder.mkdir(parents=True, exist_ok=True)
    for level in LEVELS:
        encode(folder / f"level-{level}.mkv", [np.full((FRAMES, 16, 16, 3), level, np.uint8)], Fraction(10))
    return tuple(Case(id=f"level-{level}", truth=Source(folder / f"level-{level}.mkv")) for level in LEVELS)


def _generate(case: Case, settings: Settings, stem: Path) -> Path:
    """The truth, STEP levels brighter, and as many more as the seed says."""
    from benchmark.media import decode, encode, probe

    assert case.truth is not None
    path = stem.with_name(stem.name + ".mkv")
    encode(path, (chunk + np.uint8(STEP + settings.seed) for chunk in decode(probe(case.truth.path))), Fraction(10))
    return path


SPECS = (
    Metric(
        name="example-brighter",
        title="Brighter",
        higher_is_better=None,
        unit="grey levels",
        variants=(FrameVariant(id="mean", score=_brighter, summary="mean of generated minus truth", source="hvb-example-plugin"),),
    ),
    ProtocolSpec(
        id="example-1",
        version=1,
        title="Frame by frame",
        frames=FrameRule(match="common"),
        size=SizeRule(to="truth", filter="bicubic"),
        time=TimeRule(rule="ignore"),
        pooling="clips",
        variants=("example-brighter@mean", "l1@unit"),
        primary=("l1@unit",),
        source="hvb-example-plugin",
        notes="none",
    ),
    Suite(
        id="example-levels",
        version=4,
        title="Grey clips",
        default_protocol="example-1",
        protocols=("example-1",),
        splits=(Split(id="both", summary="both clips"),),
        default_split="both",
        make="example-levels",
        adapters=("example-brighten",),
    ),
    Maker(id="example-levels", version=1, summary="two grey clips", build=_build),
)

ADAPTER = Adapter(id="example-brighten", version=1, title="brighten", summary=f"{STEP} levels brighter than the truth", generate=_generate)
