"""Is a run better, the same or worse than its baseline? Every number of the baseline gets a verdict or the reason why it has none.

The question of a metric is paired by clip: the exact sign flip, or for a metric of the whole set the jackknife of the difference; of seconds it is a rank test
over runs of the same clip. All questions that could have an answer are one family under Holm's method, so that over repeated comparisons in which nothing
changed `worse` is said of any of them in at most alpha of the runs. A question that no outcome of its clips could answer (their differences are all 0, or the
smallest p so many can give is above alpha) is in no family: which these are depends on the differences' sizes alone, never on their signs (Tarone 1990).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmark import statistics
from benchmark.errors import InputError
from benchmark.record import Record
from reports._baseline import Baseline, case_meanings, key, meaning
from reports._pairs import deleted, replicate, set_comparison
from reports._profile import FILE as PROFILE
from reports._profile import Profile, read

VERDICTS = ("worse", "cannot tell", "better", "same")
SPEED_PARTS = ("device", "backend", "cpu", "cores", "gpus", "torch_threads", "tf32")
"""Facts of a machine that seconds depend on."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One number of the baseline. ours, theirs: the run's and the baseline's over the clips compared; of seconds the medians. difference: ours - theirs, of
    seconds the ratio. p: two-sided, alone; adjusted: within the family. reason: why it cannot be told. notes: what else must be known.
    """

    method: str
    protocol: str
    name: str
    unit: str
    decimals: int
    theirs: float
    tolerance: float
    verdict: str = "cannot tell"
    ours: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted: float | None = None
    smallest_p: float | None = None
    n: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()
    comparison: statistics.Comparison | None = field(default=None, repr=False)
    blocked: str = ""
    """A reason for which anything but `worse` becomes `cannot tell`."""

    @property
    def is_speed(self) -> bool:
        """Seconds, not a metric."""
        return self.protocol == "speed"

    @property
    def directed(self) -> bool:
        """Could be called worse."""
        return self.is_speed or (self.comparison is not None and self.comparison.higher_is_better is not None)

    @property
    def full_name(self) -> str:
        """protocol : method : metric@variant."""
        return f"{self.protocol} : {self.method} : {self.name}"


def judge(record: Record, baseline: Baseline) -> tuple[list[Finding], list[str]]:
    """Findings in the baseline's order, and what the baseline does not speak of.

    Raises InputError: `unfinished` run, `nothing-shared` where the run has not one of the baseline's numbers, and as the profile's reader.
    """
    if not record.scores and not (record.path / PROFILE).exists():
        raise InputError(
            "the run is not finished",
            code="unfinished",
            path=record.path,
            found=f"status {record.status}",
            hint=f"hvbench resume {record.path}",
        )
    rows = {(row["adapter"], row["protocol"], f"{row['metric']}@{row['variant']}"): row for row in record.scores}
    entries = baseline.section["entries"]
    findings = [_quality(record, baseline, entry, rows.get(key(entry))) for entry in entries]
    findings += _speed(record, baseline)
    if not any(finding.ours is not None for finding in findings):
        why = "; ".join(dict.fromkeys(f"{finding.full_name}: {finding.reason}" for finding in findings))
        raise InputError(
            "the run shares not one number with the baseline",
            code="nothing-shared",
            path=record.path,
            found=why[:400] or "an empty baseline",
            expected=f"what {baseline.label} holds",
            hint=f"hvbench check {record.path} --update --baseline {baseline.path} --reason TEXT",
        )
    known = {key(entry) for entry in entries}
    new = [" : ".join((at[1], at[0], at[2])) for at, row in rows.items() if at not in known and row["value"] is not None]
    notes = [f"not in the baseline, not judged: {', '.join(new)}"] if new else []
    return settle(findings, baseline.alpha), notes


def settle(findings: list[Finding], alpha: float) -> list[Finding]:
    """Holm over the questions that could have an answer, then verdicts."""
    asked = [i for i, f in enumerate(findings) if f.p is not None and f.directed and (f.smallest_p is None or f.smallest_p <= alpha)]
    adjusted = dict(zip(asked, statistics.holm([findings[i].p or 0.0 for i in asked]), strict=True)) if asked else {}
    return [_verdict(finding, adjusted.get(i), alpha) for i, finding in enumerate(findings)]


def _verdict(finding: Finding, p: float | None, alpha: float) -> Finding:
    f = replace(finding, adjusted=p)
    if f.ours is None:
        return f
    reason = ""
    if f.is_speed:
        verdict = _speed_verdict(f, p, alpha)
    elif (compared := f.comparison) is None:
        return f
    elif f.difference == 0 and f.low in (None, 0.0) and f.high in (None, 0.0) and f.p == 1:
        verdict = "same"
    else:
        verdict = statistics.verdict(compared, p, alpha)
        if not f.directed:
            reason = f"not known to be inside the tolerance (p alone {f.p:.3g}), and neither direction is better"
    if verdict.startswith("cannot tell"):
        what = f"{f.n} {'runs' if f.is_speed else 'clips'}"
        if f.smallest_p is not None and f.smallest_p > alpha:
            reason = reason or f"{what}: the smallest p they can give is {f.smallest_p:.3g}"
        elif f.p is not None and p is not None and f.p <= alpha < p:
            reason = reason or f"{what}: p {f.p:.3g} alone is {p:.3g} among all that is asked"
        reason = reason or f"{what}: neither apart nor within the tolerance"
        verdict = "cannot tell"
    else:
        reason = ""
    if f.blocked and verdict != "worse":
        verdict, reason = "cannot tell", f.blocked
    return replace(f, verdict=verdict, reason=reason, notes=(*f.notes, *([f.blocked] if f.blocked and verdict == "worse" else [])))


def _quality(record: Record, baseline: Baseline, entry: Mapping[str, Any], row: Mapping[str, Any] | None) -> Finding:
    found = Finding(
        method=entry["method"],
        protocol=entry["protocol"],
        name=entry["name"],
        unit=entry["unit"],
        decimals=entry["decimals"],
        theirs=entry["value"],
        tolerance=entry["tolerance"],
    )
    if row is None:
        return replace(found, reason=_absent(record, entry))
    if row["value"] is None:
        return replace(found, reason=f"unscored in the run, {row['reason']}" + (f": {row['detail']}" if row["detail"] else ""))
    if other := _other(record, baseline, entry, row):
        return replace(found, reason=other)
    notes = []
    if (flags := [flag for flag in row["flags"] if flag != "incomplete"]) != entry["flags"]:
        notes.append(f"flags: baseline {', '.join(entry['flags']) or 'none'}, run {', '.join(flags) or 'none'}")
    if record.header["spec"].get("seeds") != baseline.section.get("seeds"):
        notes.append(f"seeds: baseline {baseline.section.get('seeds')}, run {record.header['spec'].get('seeds')}")
    found = replace(found, notes=tuple(notes))
    cases = case_meanings(record)
    theirs_cases: Mapping[str, str] = baseline.section["cases"]
    margin = entry["tolerance"] or None
    if "replicates" in entry:
        return _of_set(record, found, entry, row, [case for case in theirs_cases if theirs_cases[case] != cases.get(case)], margin)
    theirs, ours = entry["clips"], record.clip_values(*key(entry))
    shared = [case for case in theirs if case in ours and cases.get(case) == theirs_cases.get(case)]
    blocked = _lost(record, theirs, ours, cases, theirs_cases)
    extra = [case for case in ours if case not in theirs]
    if extra:
        found = replace(found, notes=(*found.notes, f"clips without a baseline, left out: {_some(extra)}"))
    if not shared:
        return replace(found, reason=blocked or "no clip is scored on both sides")
    a, b = np.array([ours[case] for case in shared]), np.array([theirs[case] for case in shared])
    compared = statistics.paired(a, b, entry["higher_is_better"], margin=margin)
    # The sign of a zero is no pattern: so many clips can vote.
    floor = min(1.0, statistics.smallest_p(int(np.count_nonzero(a - b))))
    return _compared(found, compared, float(a.mean()), float(b.mean()), floor, blocked)


def _of_set(
    record: Record, found: Finding, entry: Mapping[str, Any], row: Mapping[str, Any], changed: list[str], margin: float | None
) -> Finding:
    ours = replicate(record, *key(entry))
    if changed:
        return replace(found, reason=f"other clips: {_some(changed)}")
    if ours is None:
        return replace(found, reason="the run kept no values without single clips: a metric of the whole set needs them")
    compared = set_comparison(ours, entry["replicates"], row["higher_is_better"], margin)
    if compared is None:
        return replace(found, reason=f"not the same clips: baseline {len(entry['replicates']['clips'])}, run {len(ours['clips'])}")
    return _compared(found, compared, deleted(ours)[()], deleted(entry["replicates"])[()], 1.0 if compared.p == 1 else None, "")


def _compared(found: Finding, c: statistics.Comparison, ours: float, theirs: float, floor: float | None, blocked: str) -> Finding:
    return replace(
        found,
        ours=ours,
        theirs=theirs,
        difference=c.difference,
        low=c.low,
        high=c.high,
        p=c.p,
        smallest_p=floor,
        n=c.n,
        comparison=c,
        blocked=blocked,
    )


def _absent(record: Record, entry: Mapping[str, Any]) -> str:
    methods = [method["name"] for method in record.header["spec"]["methods"]]
    protocols = [protocol["id"] for protocol in record.header["protocols"]]
    if entry["method"] not in methods:
        return f"the run has no method {entry['method']}; it has {_some(methods)}"
    if entry["protocol"] not in protocols:
        return f"the run has no protocol {entry['protocol']}; it has {_some(protocols)}"
    return "the run does not score it"


def _other(record: Record, baseline: Baseline, entry: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Why the two numbers do not mean the same; empty where they do."""
    before, now = entry["meaning"], meaning(record, row)
    parts = [("suite", f"version {baseline.section['suite_version']}", f"version {record.header['suite']['version']}")]
    parts += [(part, before.get(part), now[part]) for part in now if part != "networks"]
    # A network that one side alone ran belongs to another metric.
    parts += [(f"weights of {one}", before["networks"][one], now["networks"][one]) for one in before["networks"] if one in now["networks"]]
    parts.append(("better direction", entry["higher_is_better"], row["higher_is_better"]))
    return "; ".join(f"other {what}: baseline {one}, run {other}" for what, one, other in parts if one != other)


def _lost(
    record: Record, theirs: Mapping[str, float], ours: Mapping[str, float], cases: Mapping[str, str], theirs_cases: Mapping[str, str]
) -> str:
    """Clips of the baseline that the run cannot answer for, with the reason."""
    absent = [case for case in theirs if case not in cases]
    changed = [case for case in theirs if case in cases and cases[case] != theirs_cases.get(case)]
    unscored = [case for case in theirs if case in cases and case not in changed and case not in ours]
    said = [("not in the run", absent), ("another clip under this name", changed), ("unscored in the run", unscored)]
    return "; ".join(f"{what}: {_some(found)}" for what, found in said if found)


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _speed(record: Record, baseline: Baseline) -> list[Finding]:
    section = baseline.section.get("speed")
    if section is None:
        return []
    profile = read(record.path) if (record.path / PROFILE).exists() else None
    return [_row(profile, section, row) for row in section["rows"]]


def _row(profile: Profile | None, section: Mapping[str, Any], row: Mapping[str, Any]) -> Finding:
    theirs = row["seconds"]
    found = Finding(
        method=row["name"],
        protocol="speed",
        name="seconds",
        unit="s",
        decimals=3,
        tolerance=row["tolerance"],
        theirs=float(np.median([second for seconds in theirs.values() for second in seconds])),
    )
    if profile is None:
        return replace(found, reason="the run has no profile")
    mine = next((one for one in profile.rows if one.name == row["name"]), None)
    if mine is None:
        return replace(found, reason=f"the run's profile has no such row; it has {_some([one.name for one in profile.rows])}")
    before, now = section["machine"], profile.facts["machine"]
    if other := [f"{part} {before.get(part)} against {now.get(part)}" for part in SPEED_PARTS if before.get(part) != now.get(part)]:
        return replace(found, reason=f"another machine (baseline against run): {'; '.join(other)}")
    if (made := sorted({run.made for run in mine.runs})) != row["made"] or mine.nfe != row["nfe"]:
        return replace(found, reason=f"other work: baseline {row['made']} frames, NFE {row['nfe']:g}; run {made} frames, NFE {mine.nfe:g}")
    ours: dict[str, list[float]] = {}
    for run in mine.runs:
        ours.setdefault(run.case, []).append(run.seconds["total"])
    shared = [case for case in theirs if case in ours]
    if not shared:
        return replace(found, reason="no clip was timed on both sides")
    lost = [case for case in theirs if case not in ours]
    ratio = statistics.slowdown({c: ours[c] for c in shared}, {c: theirs[c] for c in shared}, slack=1 + row["tolerance"])
    return replace(
        found,
        ours=float(np.median([second for case in shared for second in ours[case]])),
        theirs=float(np.median([second for case in shared for second in theirs[case]])),
        difference=ratio.ratio,
        low=ratio.low,
        high=ratio.high,
        p=min(1.0, 2 * min(ratio.p_slower, ratio.p_faster)),
        smallest_p=min(1.0, 2 * ratio.smallest_p),
        n=ratio.runs[0],
        blocked=f"not timed in the run: {_some(lost)}" if lost else "",
    )


def _speed_verdict(f: Finding, p: float | None, alpha: float) -> str:
    assert f.difference is not None
    slack = 1 + f.tolerance
    if f.low is not None and f.high is not None and 1 / slack < f.low and f.high < slack:
        return "same"
    if p is not None and p <= alpha:
        return "worse" if f.difference > 1 else "better"
    return "cannot tell"
