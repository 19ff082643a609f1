"""What every export hands over: scores of finished methods, and by name what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import InputError
from benchmark.record import Record
from reports._rows import name_of, why


@dataclass(frozen=True)
class Asked:
    """What the command line asks of an export. methods: in the run's order. to, project, uri, task, source: as typed, None where not."""

    record: Record
    rows: Sequence[Mapping[str, Any]]
    methods: Sequence[str]
    to: Path | None = None
    project: str | None = None
    uri: str | None = None
    task: str = "image-to-video"
    source: str | None = None
    step: int = 0

    def of(self, method: str) -> list[Mapping[str, Any]]:
        """The method's rows, each with a value."""
        return [row for row in self.rows if row["adapter"] == method]

    @property
    def title(self) -> str:
        """`suite/split`."""
        return f"{self.record.header['suite']['id']}/{self.record.header['split']['id']}"

    def facts(self, method: str) -> dict[str, Any]:
        """Where the numbers come from, as flat texts and numbers."""
        header = self.record.header
        return {
            "method": method,
            "suite": header["suite"]["id"],
            "suite_version": header["suite"]["version"],
            "split": header["split"]["id"],
            "clips": len(header["spec"]["cases"]),
            "protocols": ", ".join(dict.fromkeys(row["protocol"] for row in self.of(method))),
            "spec_sha256": header["spec_sha256"],
            "revision": header["git"]["revision"] or "unknown",
            "dirty": str(header["git"]["dirty"]),
            **({"units_of_other_code": before} if (before := other_code(header["git"])) else {}),
            "benchmark": header["packages"]["human-video-benchmark"],
            "device": header["machine"]["device"],
            **({"banner": header["suite"]["banner"]} if header["suite"]["banner"] else {}),
        }

    def clips(self, row: Mapping[str, Any]) -> dict[str, float]:
        """{case: value} of a row; empty for metrics of the whole set."""
        return self.record.clip_values(row["adapter"], row["protocol"], name_of(row))


def other_code(git: Mapping[str, Any]) -> str:
    """Revisions that made units which a resumed run kept; empty where there are none."""
    return ", ".join(f"{one['revision'] or 'unknown'}{' with changes' if one['dirty'] else ''}" for one in git.get("before", ()))


def choose(record: Record, methods: Sequence[str], protocols: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """(rows to export, what is left out and why). Raises InputError for a name the run has not, a run without scores, and where nothing is left."""
    if not record.scores:
        hint = f"hvbench resume {record.path}"
        raise InputError("the run is not finished", code="unfinished", path=record.path, found=f"status {record.status}", hint=hint)
    for option, asked, column in (("--method", methods, "adapter"), ("--protocol", protocols, "protocol")):
        known = list(dict.fromkeys(str(row[column]) for row in record.scores))
        for name in asked:
            if name not in known:
                raise InputError(f"{option} names what the run has not", code="unknown-name", found=name, expected=", ".join(known))
    rows: list[Mapping[str, Any]] = []
    left: dict[str, list[str]] = {}
    for row in record.scores:
        if row["adapter"] not in (methods or [row["adapter"]]) or row["protocol"] not in (protocols or [row["protocol"]]):
            continue
        reason = ""
        if row["value"] is None:
            reason = f"unscored, {why(row)}"
        elif "rehearsal" in row["flags"]:
            reason = "a rehearsal: a stand-in for the model made the clips"
        elif "seeded" in row["weights"]:
            reason = f"a rehearsal: weights {row['weights']}"
        if reason:
            left.setdefault(f"{row['protocol']} : {name_of(row)}: {reason}", []).append(row["adapter"])
        else:
            rows.append(row)
    told = [f"{number} ({', '.join(whose)})" for number, whose in left.items()]
    if not rows:
        raise InputError("nothing to export", code="unscored", path=record.path, found=f"not one result: {'; '.join(told)}"[:400])
    return rows, told


def missing(package: str, extra: str) -> InputError:
    """The error for a library that is not installed."""
    return InputError(
        f"the library {package} is not installed",
        code="missing-package",
        expected=package,
        hint=f"python -m pip install 'human-video-benchmark[{extra}]'",
    )


def folder(asked: Asked, usual: str) -> Path:
    """Where files go: `--to`, or a folder of that name."""
    return asked.to or Path(usual)
