"""A finished record of any size, written straight into its files: no clip behind it, but every rule of a true one (`validate` finds nothing, set metrics
apart, whose features it has not).

`python -m tests.benchmarks.large_record OUT` writes 20 methods x 1,000 clips x 15 variants x 100 frames. The same arguments give the same numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.data import canonical, plain
from benchmark.frame_tables import ROWS, value_schema
from benchmark.jobs import UnitResult
from benchmark.model import Unit
from benchmark.record import HEADER, JOURNAL, SCHEMA, SCORES, VALUES, Record, to_text
from benchmark.registry import registry
from benchmark.results import pool
from benchmark.runs import scores_json
from benchmark.scores import FEW, REHEARSAL

METHODS = (
    "AnimateAnyone", "MagicAnimate", "Champ", "MRAA", "DreamDance", "MimicMotion", "MusePose", "UniAnimate", "StableAnimator", "HumanVid",
    "Animate-X", "RealisDance", "DisCo", "DreamPose", "BDMM", "PIDM", "ControlNeXt", "VividPose", "TCAN", "DynamiCtrl",
)  # fmt: skip
PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "strict-1": (
        "l1@unit", "psnr@float", "ssim@gaussian", "lpips@alex", "lpips@vgg", "flicker@dis-warp", "iqa@niqe", "akd@mediapipe-px512",
        "psnr-face@mediapipe-box", "psnr-background@selfie-truth", "fvd@i3d16", "fid@clean",
    ),
    "disco-2024": ("l1@disco", "psnr@cap100", "ssim@disco", "lpips@disco", "psnr@uint8-wrap"),
}  # fmt: skip
"""15 variants with a value by frame; one with a value for the set; one that is not there."""
SETS = ("fvd@i3d16",)
UNAVAILABLE = {"fid@clean": ["weights-missing", "hvbench weights pull inception-2015-12-05"]}
NETWORKS = ("alexnet", "vgg16", "i3d-kinetics-400")
TYPICAL = {
    "l1": (0.06, 0.01),
    "psnr": (20.0, 2.0),
    "ssim": (0.78, 0.05),
    "lpips": (0.28, 0.05),
    "flicker": (4.0, 0.8),
    "iqa": (4.5, 0.6),
    "akd": (9.0, 2.5),
}
"""Centre and spread of a metric's clips; others as PSNR."""
VIEWS = {"strict-1": "72d6a839", "disco-2024": "4dd2d7cf"}
INFO: Mapping[str, Any] = {
    "kind": "video", "width": 512, "height": 512, "variable": False, "codec": "h264", "pix_fmt": "yuv420p", "matrix": "bt601",
    "color_range": "limited", "colour_assumed": True, "rotation": 0, "mirrored": False, "has_alpha": False, "has_audio": False, "bit_depth": 8,
    "fps": "25", "start": "0", "times": None, "notes": [],
}  # fmt: skip


def write(
    out: Path,
    methods: Sequence[str] = METHODS,
    cases: Sequence[str] | int = 1000,
    frames: int = 100,
    *,
    protocols: Mapping[str, Sequence[str]] = PROTOCOLS,
    failed: Sequence[tuple[str, str]] = (),
    rehearsed: Sequence[str] = (),
    seed: int = 0,
) -> Record:
    """Write the record into `out`, which is made. methods, cases: any names. failed: (method, case) that ended in an error. rehearsed: methods whose clips
    a stand-in made. protocols: variants by protocol; the first two are primary where the protocol does not say."""
    cases = [f"clip-{k:04d}" for k in range(cases)] if isinstance(cases, int) else list(cases)
    out.mkdir(parents=True)
    header = _header(methods, cases, frames, protocols, rehearsed)
    lines: list[str] = []
    with _Values(out / VALUES) as values:
        for unit, found in sorted(_units(methods, cases, frames, protocols, seed), key=lambda pair: pair[0]):
            entry = _entry(unit, frames, header)
            if (unit.adapter, unit.case) in failed:
                error = {
                    "code": "truncated",
                    "what": "the clip ends early",
                    "found": f"{frames // 2} frames",
                    "expected": f"{frames} frames",
                }
                entry |= {"status": "failed", "error": error, "views": {}, "values": {}}
            else:
                for (view, name), numbers in found.items():
                    entry["values"].setdefault(view, {})[name] = pool(numbers, registry().variant(name)[1])
                values.add(UnitResult(entry, values=found))
            lines.append(json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
    (out / JOURNAL).write_text("".join(lines), encoding="utf-8")
    (out / HEADER).write_text(to_text(header), encoding="utf-8")
    record = Record(out, header)
    scores = scores_json(record, out / "none")
    _sets(scores, [m for m in methods if not any(one == m for one, _ in failed)], cases, seed)
    (out / SCORES).write_text(to_text(scores), encoding="utf-8")
    return record


def _hash(*words: object) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _header(
    methods: Sequence[str], cases: Sequence[str], frames: int, protocols: Mapping[str, Sequence[str]], rehearsed: Sequence[str]
) -> dict[str, Any]:
    told = [plain(registry().protocols[name].item) for name in protocols]
    for one in told:
        one["primary"] = [name for name in one["primary"] if name in protocols[one["id"]]] or list(protocols[one["id"]][:2])
    suite = registry().suites["tiktok"].item
    spec = {
        "format": 1,
        "suite": {"id": suite.id, "version": suite.version},
        "split": "folder",
        "protocols": told,
        "variants": {name: list(variants) for name, variants in protocols.items()},
        "methods": [
            {"name": m, "kind": "outputs", "version": None, "view": {"offset": 0}, **({"generator": {"rehearsal": True}} if m in rehearsed else {})}
            for m in methods
        ],
        "seeds": [0],
        "weights": "real",
        "max_frames": 512,
        "device": "cpu",
        "cases": [
            {
                "id": case, "truth": {"sha256": _hash("truth", case), "offset": 0}, "reference": None, "reference_frame": None, "prompt": None,
                "outputs": {m: {"sha256": _hash(m, case), "offset": 0} for m in methods},
            }
            for case in cases
        ],
        "real": {},
    }  # fmt: skip
    known = {name: registry().variant(name) for variants in protocols.values() for name in variants}
    return {
        "schema": SCHEMA,
        "status": "success",
        "spec_sha256": hashlib.sha256(canonical(spec).encode()).hexdigest(),
        "spec": spec,
        "suite": {"id": suite.id, "version": suite.version, "title": suite.title, "banner": ""},
        "split": {"id": "folder", "summary": "numbers by formula, no clip behind them", "cases": [], "source": "", "released": True},
        "protocols": told,
        "plan": {
            "views": {
                VIEWS.get(name, _hash(name)[:8]): {
                    "protocols": [name],
                    "variants": [v for v in variants if v not in UNAVAILABLE and v not in SETS],
                    "rules": [one["frames"], one["size"], one["time"]],
                }
                for (name, variants), one in zip(protocols.items(), told, strict=True)
            },
            "networks": {name: {"weights": "real", "sha256": _hash(name), "backend": "torch", "batch": 8} for name in NETWORKS},
            "unavailable": {name: why for name, why in UNAVAILABLE.items() if name in known},
        },
        "metrics": {
            n: {"title": m.title, "summary": v.summary, "source": v.source, "deviation": v.deviation} for n, (m, v) in known.items()
        },
        "inputs": {f"/clips/{m}/{case}.mp4": _hash(m, case) for m in ("truth", *methods) for case in cases},
        "notes": [],
        "git": {"revision": "0" * 40, "dirty": False},
        "packages": {"numpy": "2.0.0"},
        "machine": {"python": "3.11", "system": "Linux", "cpu": "none: numbers by formula", "cores": 1, "device": "cpu", "gpus": []},
        "decoder": "none",
        "request": {"suite": suite.id, "truth": "/clips/truth", "outputs": {m: f"/clips/{m}" for m in methods}, "out": "/runs/large"},
    }


def _units(
    methods: Sequence[str], cases: Sequence[str], frames: int, protocols: Mapping[str, Sequence[str]], seed: int
) -> Iterator[tuple[Unit, dict[tuple[str, str], NDArray[np.float64]]]]:
    """Frame values: the clip's difficulty, which all methods share, the method's skill, how it does on this clip, and a curve over the frames. One draw
    moves all metrics of a clip, so that they correlate as metrics do."""
    names = [
        (VIEWS.get(p, _hash(p)[:8]), name)
        for p, variants in protocols.items()
        for name in variants
        if name not in UNAVAILABLE and name not in SETS
    ]
    hard = np.random.default_rng([seed, 1]).normal(size=len(cases))
    phase = np.arange(frames) / max(1, frames)
    for m, method in enumerate(methods):
        skill = 1.5 * (m / max(1, len(methods) - 1) - 0.5)
        for c, case in enumerate(cases):
            draw = np.random.default_rng([seed, 2, m, c])
            level = skill - 0.8 * hard[c] + 0.4 * draw.normal()
            own = level + 0.3 * draw.normal(size=len(names))
            bend = draw.normal(size=(3, 1))
            curve = 0.5 * bend[0] * np.sin(2 * np.pi * (phase + bend[1])) - 0.4 * phase + 0.1 * bend[2]
            noise = 0.15 * draw.normal(size=(len(names), frames))
            found = {}
            for k, key in enumerate(names):
                metric = registry().variant(key[1])[0]
                centre, spread = TYPICAL.get(key[1], TYPICAL.get(metric.name, TYPICAL["psnr"]))
                sign = -1.0 if metric.higher_is_better is False else 1.0
                # a saturating map: no draw can leave what the metric can take
                found[key] = centre + 2.5 * spread * np.tanh(sign * (own[k] + curve + noise[k]) / 2.5)
            yield Unit(method, case, 0), dict(sorted(found.items()))


def _entry(unit: Unit, frames: int, header: Mapping[str, Any]) -> dict[str, Any]:
    pairing = {"frames": frames, "truth": [0, frames - 1], "generated": [0, frames - 1], "rates": "equal", "reference_left_out": None}
    return {
        "adapter": unit.adapter,
        "case": unit.case,
        "seed": unit.seed,
        "generated": {
            "path": f"/clips/{unit.adapter}/{unit.case}.mp4",
            **INFO,
            "frames": frames,
            "sha256": _hash(unit.adapter, unit.case),
            "crop": None,
        },
        "truth": {"path": f"/clips/truth/{unit.case}.mp4", **INFO, "frames": frames, "sha256": _hash("truth", unit.case)},
        "notes": [],
        "time": {"seconds": 1.0, "finished": "2026-01-01T00:00:00Z"},
        "status": "scored",
        "views": {view: {"pairing": pairing, "size": [512, 512]} for view in header["plan"]["views"]},
        "values": {},
        "features": {},
    }


class _Values:
    """values.parquet as the engine leaves it: rows in order, row groups of a few thousand, dictionaries of what occurs. Laid out by hand: a Writer
    would take a file a unit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: list[tuple[Mapping[str, Any], Mapping[tuple[str, str], NDArray[np.float64]]]] = []

    def __enter__(self) -> _Values:
        import pyarrow as pa
        import pyarrow.parquet as pq

        texts = [f.name for f in value_schema() if pa.types.is_dictionary(f.type)]
        self.file = pq.ParquetWriter(self.path, value_schema(), compression="zstd", use_dictionary=texts)
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self.file.close()

    def add(self, result: UnitResult) -> None:
        self.held.append((result.entry, dict(result.values)))
        if sum(len(v) for _, found in self.held for v in found.values()) >= ROWS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        runs = [(e["adapter"], e["case"], view, name, values) for e, found in self.held for (view, name), values in found.items()]
        self.held.clear()
        if not runs:
            return
        lengths = [len(run[4]) for run in runs]

        def texts(column: int) -> Any:
            words = [run[column] for run in runs]
            known = list(dict.fromkeys(words))
            places = {word: k for k, word in enumerate(known)}
            codes = np.repeat(np.array([places[word] for word in words], np.int32), lengths)
            return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(known, pa.string()))

        at = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
        numbers = np.concatenate([run[4] for run in runs])
        columns = [
            texts(0),
            texts(1),
            pa.array(np.zeros(len(at), np.int32)),
            texts(2),
            texts(3),
            pa.array(at),
            pa.array(at),
            pa.array(numbers),
        ]
        self.file.write_table(pa.Table.from_arrays(columns, schema=value_schema()))


def _sets(scores: dict[str, Any], methods: Sequence[str], cases: Sequence[str], seed: int) -> None:
    """A Frechet-like distance of a formula: a value a clip, its mean, and a bias of one over the number of clips; intervals and bias by the same functions
    as measured ones."""
    for row in scores["scores"]:
        name = f"{row['metric']}@{row['variant']}"
        if name not in SETS or row["adapter"] not in methods:
            continue
        place = list(methods).index(row["adapter"])
        clips = 200 - 5 * place + 30 * np.random.default_rng([seed, 3, place]).normal(size=len(cases))
        calls: dict[tuple[int, ...], float] = {}

        def value(kept: NDArray[np.intp], clips: NDArray[np.float64] = clips, calls: dict[tuple[int, ...], float] = calls) -> float:
            found = calls[tuple(np.setdiff1d(np.arange(len(clips)), kept).tolist())] = float(clips[kept].mean() + 900 / len(kept))
            return found

        interval = statistics.jackknife(value, len(cases))
        replicates = [[list(gone), number] for gone, number in calls.items()]
        bias = statistics.small_sample_bias(value, len(cases))
        flags = ["few clips"] if len(cases) < FEW else []
        flags += [REHEARSAL] if REHEARSAL in row["flags"] else []
        row |= {
            "value": interval.value, "ci_low": interval.low, "ci_high": interval.high, "ci_method": interval.method, "weights": "real",
            "n_clips": len(cases), "n_frames": 6 * len(cases), "n_failed": 0, "reason": "", "detail": "", "flags": flags,
        }  # fmt: skip
        same = {key: row[key] for key in ("adapter", "protocol", "metric", "variant")}
        scores["replicates"].append({**same, "clips": list(cases), "values": replicates, "bias": plain(bias)})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", type=int, default=len(METHODS))
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=100)
    words = parser.parse_args()
    start = time.perf_counter()
    names = [METHODS[k] if k < len(METHODS) else f"method-{k}" for k in range(words.methods)]
    cases = [f"clip-{k:04d}" for k in range(words.clips)]
    write(words.out, names, cases, words.frames, failed=[(names[-1], cases[-1])])
    print(
        f"{words.out}: {words.methods} methods, {words.clips} clips, {words.frames} frames, {time.perf_counter() - start:.1f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
