"""A run from request to record: resolve, plan, do what is missing, reduce once at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmark import batches, machine, making, paths, plan, scores, spec, weights, worker
from benchmark.data import canonical, plain
from benchmark.errors import InputError
from benchmark.execute import executor
from benchmark.jobs import NOT_APPLICABLE, CaseJob, UnitJob, UnitResult
from benchmark.loading import Networks
from benchmark.model import REAL, Case, Unit
from benchmark.record import HEADER, SCHEMA, SCORES, Record, Writer, load, to_text
from benchmark.registry import registry
from benchmark.request import Request, request_from_json, request_to_json
from benchmark.rows import extractors
from benchmark.spec import Clip, Spec
from benchmark.workers import Identity

OK, INTERNAL, USAGE, UNSCORED, GATE, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes: done; a bug; bad input or usage; something asked for is unscored; a gate said no; interrupted (resumable)."""


class Reporter(Protocol):
    """Where progress goes."""

    def note(self, text: str) -> None:
        """One line for the user."""
        ...

    def start(self, clips: int, done: int) -> None:
        """So many clips in all, so many done already."""
        ...

    def frames(self, count: int) -> None:
        """So many frames more were compared."""
        ...

    def clip(self, unit: Unit, error: str | None) -> None:
        """A clip is finished."""
        ...

    def stop(self) -> None:
        """No more progress."""
        ...


class Quiet:
    """No progress at all."""

    def note(self, text: str) -> None:
        """Nothing."""

    def start(self, clips: int, done: int) -> None:
        """Nothing."""

    def frames(self, count: int) -> None:
        """Nothing."""

    def clip(self, unit: Unit, error: str | None) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Outcome:
    """A finished run. exit_code as the command line returns it; complaints say why it is not 0."""

    record: Record
    exit_code: int
    complaints: tuple[str, ...] = ()


def run(request: Request, reporter: Reporter | None = None) -> Outcome:
    """Do the run, or what is missing of it. Raises InputError for input that makes the whole run impossible; KeyboardInterrupt leaves it resumable."""
    reporter = reporter or Quiet()
    request = spec.rooted_request(request)
    settled = spec.resolve(request, say=reporter.note)
    if request.pull and not request.offline:
        _pull(settled, reporter)
    todo = plan.build(settled, request.weights_folder)
    out = request.out or settled.default_out
    with Writer(out) as writer:
        header = _header(settled, todo, request)
        _same_run(out, header)
        finished = _finished(out, header)
        if finished is None:
            header["git"] = _revisions(out, header["git"])
            try:
                _work(settled, todo, request, writer, header, reporter)
            except BaseException as error:
                # On a full disk not even the status can be written: it then stays `started`, which resumes just as well.
                with contextlib.suppress(OSError):
                    writer.header({**header, "status": "interrupted" if isinstance(error, KeyboardInterrupt) else "error"})
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise InputError(
                        "the disk is full",
                        code="disk-full",
                        path=out,
                        found=str(error),
                        hint=f"free some space, then: hvbench resume {out}",
                    ) from error
                raise
            finally:
                reporter.stop()
                worker.stop()
    return _outcome(load(out), settled, request)


def resume(path: Path, request: Request, reporter: Reporter | None = None) -> Outcome:
    """Go on with a run from its own header. `request` brings what is not part of the spec: workers, device, pull, offline."""
    stored = request_from_json(load(path).header["request"])
    merged = dataclasses.replace(
        stored,
        out=path,
        workers=request.workers,
        pull=request.pull,
        offline=request.offline,
        require_all=request.require_all or stored.require_all,
    )
    return run(merged, reporter)


def _pull(settled: Spec, reporter: Reporter) -> None:
    known = registry()
    for name in dict.fromkeys(v for variants in settled.variants.values() for v in variants):
        needed = [one for one in extractors(known.variant(name)[1]) if one in known.extractors and settled.weights == "real"]
        for file in (file for one in needed for file in known.extractors[one].item.files):
            try:
                weights.pull(weights.entry(file), report=reporter.note)
            except InputError as error:
                reporter.note(str(error))


def _header(settled: Spec, todo: plan.Plan, request: Request) -> dict[str, Any]:
    inputs = {}
    for clip in (*settled.truths.values(), *settled.outputs.values(), *settled.real.values()):
        if clip.sha256:
            inputs[str(clip.source.path)] = clip.sha256
        if clip.keypoints:
            inputs[str(clip.source.keypoints)] = clip.keypoints
    inputs |= {str(case.audio): settled.sounds[case.id] for case in settled.cases if case.id in settled.sounds}
    return {
        "schema": SCHEMA,
        "status": "started",
        "spec_sha256": settled.sha256,
        "spec": settled.to_json(),
        "suite": {"id": settled.suite.id, "version": settled.suite.version, "title": settled.suite.title, "banner": settled.suite.banner},
        "split": plain(settled.split),
        "protocols": [plain(p) for p in settled.protocols],
        "plan": plan.header(todo),
        "metrics": {
            name: {"title": m.title, "summary": v.summary, "source": v.source, "deviation": v.deviation}
            for name in dict.fromkeys(v for variants in settled.variants.values() for v in variants)
            for m, v in [registry().variant(name)]
        },
        "inputs": inputs,
        "notes": list(settled.notes),
        "git": machine.git(),
        "packages": machine.packages(),
        "machine": machine.describe(settled.device, settled.backend),
        "decoder": machine.decoder(),
        "request": request_to_json(request),
    }


def _same_run(out: Path, header: Mapping[str, Any]) -> None:
    """An --out that holds another spec's run is refused with the difference."""
    if not (out / HEADER).exists():
        strangers = [p.name for p in out.iterdir() if not p.name.startswith(".")]
        if strangers:
            raise InputError(
                "is not empty and not a run", code="not-a-run", path=out, found=", ".join(sorted(strangers)[:3]), hint="name another --out"
            )
        return
    old = load(out).header
    # A worker that could not run before and now can is the same run, gone on with.
    grown = {**header["spec"].get("workers", {}), **old["spec"].get("workers", {})} == header["spec"].get("workers", {})
    if old["spec_sha256"] != header["spec_sha256"] and not (grown and _without(old["spec"]) == _without(header["spec"])):
        raise InputError(
            "holds another run",
            code="other-run",
            path=out,
            found=_difference(old["spec"], header["spec"]),
            expected=f"spec {header['spec_sha256'][:8]}, the folder has {old['spec_sha256'][:8]}",
            hint="name another --out, or leave it away: every spec has a folder of its own",
        )


def _without(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "workers"}


def _difference(old: Any, new: Any, where: str = "") -> str:
    """The first place where two specs differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(k for k in old if k not in new)]:
            if old.get(key) != new.get(key):
                return _difference(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"{where}: {len(old)} there, {len(new)} here"
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            if a != b:
                return _difference(a, b, f"{where}[{i}]")
    return f"{where}: {canonical(old)[:80]} there, {canonical(new)[:80]} here"


def _finished(out: Path, header: Mapping[str, Any]) -> Record | None:
    """The record, when it is complete and nothing would be computed anew."""
    if not (out / HEADER).exists():
        return None
    record = load(out)
    same_plan = record.header["plan"] == header["plan"]
    # What a worker's death or silence or a package that was not there left unscored is tried again when the command is, and so is a clip not made.
    again = any(
        (entry["status"] == "failed" and "made" in entry)
        or any(str(found.get("reason", "")).startswith(("worker-", "not-installed")) for found in _lacking(entry))
        for entry in record.journal.values()
    )
    return record if record.status == "success" and same_plan and not again and (out / SCORES).exists() else None


def _lacking(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Features and values of a journal entry, with their reasons where they lack."""
    return [found for views in (entry["features"], entry["values"]) for view in views.values() for found in view.values()]


def _work(settled: Spec, todo: plan.Plan, request: Request, writer: Writer, header: dict[str, Any], reporter: Reporter) -> None:
    shards = paths.cache_dir() / "features"
    same = _same_networks(writer.path, header)
    done = {unit: entry for unit, entry in writer.mend().items() if same and _keep(entry, shards, todo)}
    if not done:
        header["git"].pop("before", None)
    writer.header(header)
    writer.keep(done)
    made = making.make_all(making.jobs(settled, set(done), writer.path), reporter.note)
    jobs = _jobs(settled, todo, request, writer.path, set(done), made)
    tight: set[str] = set()
    total = len(settled.units()) + len(settled.real)
    reporter.start(total, total - sum(len(job.units) for job in jobs))
    for results in executor(min(request.workers, len(jobs))).run(jobs, reporter.frames):
        for result in results:
            writer.unit(result)
            entry = result.entry
            reporter.clip(Unit(entry["adapter"], entry["case"], entry["seed"]), _complaint(result))
            tight |= {name for view in entry["features"].values() for name, found in view.items() if found.get("reason") == "out-of-memory"}
    reporter.stop()
    for name in sorted(tight):
        half = batches.remember(name, settled.device, todo.networks[name].batch)
        way = f"type the command again: the next run takes batches of {half}" if half else "a batch of one is the smallest there is"
        reporter.note(f"{name}: a batch of {todo.networks[name].batch} does not fit into memory; {way}")
    writer.compact()
    record = Record(writer.path, header)
    paths.write_atomic(writer.path / SCORES, to_text(scores_json(record, shards)))
    writer.header({**header, "status": "success"})


def _revisions(out: Path, now: Mapping[str, Any]) -> dict[str, Any]:
    """What a header says of the code where units of another revision may be kept: `before` holds each, the oldest first."""
    old = (load(out).header.get("git") or {}) if (out / HEADER).exists() else now
    others = [one for one in (*old.get("before", ()), {part: old.get(part) for part in ("revision", "dirty")}) if one != now]
    return {**now, **({"before": [one for i, one in enumerate(others) if one not in others[:i]]} if others else {})}


def scores_json(record: Record, shards: Path) -> dict[str, Any]:
    """The content of scores.json."""
    rows, replicates = scores.build(record, shards)
    return {"schema": SCHEMA, "spec_sha256": record.header["spec_sha256"], "scores": plain(rows), "replicates": plain(replicates)}


def _complaint(result: UnitResult) -> str | None:
    entry = result.entry
    if entry["status"] == "failed":
        return str(InputError(**{k: entry["error"].get(k) for k in ("what", "code", "path", "found", "expected", "hint")}))
    errors = [v["error"] for v in entry["views"].values() if "error" in v]
    if errors:
        return "\n".join(
            dict.fromkeys(str(InputError(**{k: e.get(k) for k in ("what", "code", "path", "found", "expected", "hint")})) for e in errors)
        )
    return "\n".join(entry["notes"]) or None


def _same_networks(out: Path, header: Mapping[str, Any]) -> bool:
    """True where no network of the run has other weights than when it was begun: features of two networks never meet in one score."""
    if not (out / HEADER).exists():
        return True
    before, now = load(out).header["plan"]["networks"], header["plan"]["networks"]
    return all(before[name] == now[name] for name in before if name in now)


def _keep(entry: Mapping[str, Any], shards: Path, todo: plan.Plan) -> bool:
    """True where a journal entry still stands: not a made clip that failed, its features still in the cache, its variants those of the plan."""
    if entry["status"] == "failed":
        return "made" not in entry
    from benchmark.features import Shards

    store = Shards(shards)
    lacking = _lacking(entry)
    if any(str(found.get("reason", "")).startswith(("weights-", "worker-", "not-installed")) for found in lacking):
        return False  # a file that could not be used may have been mended since, a package installed, a worker may live longer
    if any(found.get("reason") == "out-of-memory" for found in lacking):
        return False  # with a smaller batch it may fit
    for view in todo.views:
        for network in entry["features"].get(view.id, {}).values():
            if any(key and not store.has(key) for key in (network.get("generated"), network.get("truth"))):
                return False
    computed = {(view, name) for view, values in entry["values"].items() for name in values}
    from benchmark.model import SetVariant

    for view in todo.views:
        if "error" in entry["views"].get(view.id, {}):
            continue
        sets = {name for name, _ in view.of(SetVariant)}
        if entry["adapter"] != REAL and any((view.id, name) not in computed for name in view.variants if name not in sets):
            return False
        if any(getattr(v, "extractor", None) not in entry["features"].get(view.id, {}) for _, v in view.of(SetVariant)):
            return False
    return True


def _jobs(
    settled: Spec, todo: plan.Plan, request: Request, out: Path, done: set[Unit], made: Mapping[Unit, making.Made | InputError]
) -> list[CaseJob]:
    workers = {name: found for name, found in settled.workers.items() if isinstance(found, Identity)}
    networks = Networks(todo.networks, settled.weights, request.weights_folder, paths.cache_dir() / "features", settled.max_frames, workers)
    threads = max(1, min(4, (os.cpu_count() or 1) // max(1, request.workers)))
    jobs = []

    def job(case: Case, truth: Clip | None, units: Sequence[UnitJob]) -> None:
        if units:
            jobs.append(
                CaseJob(
                    case=case,
                    truth_sha256=truth.sha256 if truth else None,
                    truth_error=truth.error if truth else None,
                    units=tuple(units),
                    views=todo.views,
                    clips=out / "clips",
                    networks=networks,
                    device=settled.device,
                    threads=threads,
                )
            )

    for case in settled.cases:
        units = []
        for method in settled.methods:
            for seed in settled.seeds if method.adapter else (0,):
                unit = Unit(method.name, case.id, seed)
                if unit in done:
                    continue
                if method.adapter:
                    assert method.view is not None
                    got = made.get(unit)
                    error, ready = (got, None) if isinstance(got, InputError) else (None, got)
                    units.append(UnitJob(unit, method.view, None, method.adapter.id, error, method.settings, ready))
                else:
                    clip = settled.outputs[method.name, case.id]
                    units.append(UnitJob(unit, clip.source, clip.sha256, None, clip.error))
        job(case, settled.truths.get(case.id), units)
    for stem, clip in settled.real.items():
        unit = Unit(REAL, stem)
        if unit not in done:
            job(Case(id=stem), None, [UnitJob(unit, clip.source, clip.sha256, None, clip.error)])
    return jobs


def _outcome(record: Record, settled: Spec, request: Request) -> Outcome:
    complaints = []
    code = OK
    asked = set(request.metrics)
    for row in record.scores:
        name = f"{row['metric']}@{row['variant']}"
        # "not applicable" is no failure of a run that never had a truth, unless the metric was asked for by name.
        lacking = row["value"] is None and (name in asked or (request.require_all and row["reason"] != NOT_APPLICABLE))
        if lacking or (request.require_all and row["n_failed"]):
            code = UNSCORED
            why = f"{row['reason']} {row['detail']}".strip() if row["value"] is None else f"{row['n_failed']} clip(s) failed"
            complaints.append(f"{row['adapter']} {row['protocol']} {name}: {why}")
    for method in settled.methods:
        if not any(_usable(entry) for unit, entry in record.journal.items() if unit.adapter == method.name):
            code = USAGE
            complaints.append(f"{method.name}: no usable clip")
    return Outcome(record, code, tuple(complaints))


def _usable(entry: Mapping[str, Any]) -> bool:
    return entry["status"] == "scored" and (not entry["views"] or any("error" not in view for view in entry["views"].values()))
