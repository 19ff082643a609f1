"""The truth through a common H.264 setting: the ceiling that any method stored as such a file can reach."""

from __future__ import annotations

from pathlib import Path

from adapters._truth import truth_of
from benchmark.generating import Adapter, Settings
from benchmark.model import Case

CRF = "23"


def generate(case: Case, settings: Settings, stem: Path) -> Path:
    """Decode the truth and write it as H.264 (libx264, crf 23, preset medium, 4:2:0), at its own size and rate."""
    from benchmark.media import decode, encode

    source, truth, rate = truth_of(case, "reencode")
    path = stem.with_name(stem.name + ".mp4")
    encode(path, decode(truth, crop=source.crop), rate, codec="h264", options={"crf": CRF, "preset": "medium"})
    return path


SPEC = Adapter(
    id="reencode",
    version=1,
    title="reencode",
    summary="the truth through H.264 at crf 23: the codec's ceiling",
    generate=generate,
    needs="a truth",
    source="this project",
)
