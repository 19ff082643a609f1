"""Submissions as tables: a suite and split, the clips that were scored, a protocol. What was not asked the same way stands in no table together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.data import canonical
from benchmark.record import Record
from benchmark.registry import registry, suite_of
from reports import _submission as submissions
from reports._baseline import RULES, case_meanings
from reports._rows import POOLING, arrow, half, intervals, mark, name_of, places, remarks, why, worth_a_column
from reports._submission import Submission
from reports._table import Cell, number

Networks = Mapping[str, Mapping[str, Any]]
"""{network: its weights' label and sha256} of those behind a number."""
Row = Mapping[str, Any]
"""A row of scores.json."""
Asked = tuple["Source", Mapping[str, Any]]
"""A submission and what its header says of the protocol."""
NOT_ASKED: Row = {"value": None, "reason": "not asked for in this run", "detail": ""}
ORDER = "complete rows first, then by {column}; the order is no verdict: hvbench compare says what the clips can tell apart"


@dataclass(frozen=True)
class Line:
    """A method of a submission: a cell a column, and where it comes from. url: of the method, may be empty. record: the folder's name."""

    method: str
    url: str
    cells: Sequence[Cell]
    clips: str
    failed: int
    complete: bool
    made: str
    code: str
    date: str
    record: str


@dataclass(frozen=True)
class Block:
    """A table: one protocol on one set of clips. columns: heads with arrows."""

    protocol: str
    title: str
    columns: Sequence[str]
    lines: Sequence[Line]
    notes: Sequence[str]


@dataclass(frozen=True)
class ClipSet:
    """The clips that were scored. digest: of their content, without what methods made of it. of: how many the published split has, 0 where it names none."""

    digest: str
    clips: int
    blocks: Sequence[Block]
    of: int = 0


@dataclass(frozen=True)
class Part:
    """A suite and split, in one version. banner: what must stand above its numbers (drawn people); empty for real ones."""

    name: str
    version: int
    title: str
    banner: str
    sets: Sequence[ClipSet]


@dataclass(frozen=True)
class Source:
    """A valid submission with what is asked of it often."""

    submission: Submission
    record: Record
    clips: str

    @property
    def clip_count(self) -> int:
        """Of the run."""
        return len(self.record.header["spec"]["cases"])

    @property
    def published(self) -> int:
        """Clips of the split as it was published, 0 where it names none."""
        return len(submissions.asked_for(self.record.header))

    @classmethod
    def of(cls, submission: Submission) -> Source:
        """Raises AssertionError for one that was refused."""
        record = submission.record
        assert record is not None
        assert not submission.problems
        spec = record.header["spec"]
        told = {"cases": case_meanings(record), "real": spec.get("real"), "frames at once": spec.get("max_frames")}
        return cls(submission, record, hashlib.sha256(canonical(told).encode()).hexdigest()[:8])


def below(folder: Path) -> list[Submission]:
    """Every folder below the records, by name, valid or not. A file beside them that is no README is told of as no submission."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            found.append(read(path))
        elif not path.name.startswith((".", "README")):
            found.append(Submission(path, problems=("is no folder: a submission is one folder",)))
    return found


def read(folder: Path) -> Submission:
    """A submission, refused too where no line can be made of it: fields that only the table reads are of another kind. It must not hide the others."""
    submission = submissions.read(folder)
    if submission.problems:
        return submission
    try:
        parts([submission])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        return Submission(folder, problems=(f"damaged: no line can be made of it: {type(error).__name__}: {error}"[:200],))
    return submission


def parts(valid: Sequence[Submission]) -> list[Part]:
    """Real suites first, then drawn ones, each by name, version and split."""
    groups: dict[tuple[str, str, int, str], list[Source]] = {}
    for source in map(Source.of, valid):
        suite, split = source.record.header["suite"], source.record.header["split"]["id"]
        groups.setdefault((suite["banner"], suite["id"], suite["version"], split), []).append(source)
    return [
        Part(f"{suite}/{split}", version, known.title if (known := suite_of(suite)) else "", banner, _sets(sources))
        for (banner, suite, version, split), sources in sorted(groups.items(), key=lambda item: item[0])
    ]


def _sets(sources: Sequence[Source]) -> list[ClipSet]:
    """Other clips are another question: a table of its own. The largest set first."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.clips, []).append(source)
    found = [ClipSet(digest, some[0].clip_count, list(_blocks(some)), some[0].published) for digest, some in groups.items()]
    return sorted(found, key=lambda one: (-one.clips, one.digest))


def _blocks(sources: Sequence[Source]) -> Iterator[Block]:
    groups: dict[tuple[str, int, str], list[Asked]] = {}
    for source in sources:
        for protocol in source.record.header["protocols"]:
            if any(row["protocol"] == protocol["id"] and row["value"] is not None for row in source.record.scores):
                groups.setdefault(_rules(protocol), []).append((source, protocol))
    suite = suite_of(sources[0].record.header["suite"]["id"])
    order = list(suite.protocols) if suite else []
    for key in sorted(groups, key=lambda key: (order.index(key[0]) if key[0] in order else len(order), key)):
        yield _block(key, groups[key])


def _rules(protocol: Mapping[str, Any]) -> tuple[str, int, str]:
    """(id, version, "" or digest of its rules): those of the version that is published here were compared with it, those of an older one are not."""
    told = {part: protocol.get(part) for part in (*RULES, "primary")}
    known = registry().protocols[protocol["id"]].item.version == protocol["version"]
    return protocol["id"], protocol["version"], "" if known else hashlib.sha256(canonical(told).encode()).hexdigest()[:8]


class _Grid:
    """Rows of one protocol: who (submission and method) against columns (metric@variant with its weights)."""

    def __init__(self, protocol: str, asked: Sequence[Asked]) -> None:
        from benchmark.recount import networks

        self.heads: dict[str, tuple[str, Networks]] = {}
        self.told: dict[str, tuple[Source, str]] = {}
        found: dict[tuple[str, str], Row] = {}
        for source, _ in asked:
            for row in (row for row in source.record.scores if row["protocol"] == protocol):
                used: Networks = {} if row["value"] is None else networks(source.record, name_of(row))
                column = f"{name_of(row)}\0{_digest(used)}"
                who = f"{source.submission.name}\0{row['adapter']}"
                self.heads.setdefault(column, (name_of(row), used))
                self.told[who] = (source, row["adapter"])
                found[who, column] = row
        # One that a run could not score has no weights to tell apart: it goes to the columns of those that could.
        for who, column in list(found):
            name, used = self.heads[column]
            if not used and (others := [one for one, (other, had) in self.heads.items() if other == name and had]):
                lost = found.pop((who, column))
                found |= {(who, one): lost for one in others if (who, one) not in found}
        columns = [column for column in self.heads if any(at == column for _, at in found)]
        everything = {(who, c): found.get((who, c), NOT_ASKED) for who in self.told for c in columns}
        self.columns, self.absent = worth_a_column(columns, list(self.told), everything)
        self.lines = {who: {c: everything[who, c] for c in self.columns} for who in self.told}
        self.shown = {c: next(some[c] for some in self.lines.values() if "higher_is_better" in some[c]) for c in self.columns}
        stated = asked[0][1]["primary"]
        self.primary = [c for name in stated for c in self.columns if self.heads[c][0] == name and self._scored(c)]
        # Part of a published split, or of what a protocol is about, is another, maybe easier question.
        part = {
            source.submission.name
            for source, _ in asked
            if source.clip_count < source.published or not set(stated) <= set(source.record.header["spec"]["variants"][protocol])
        }
        self.whole = {who: self.told[who][0].submission.name not in part and self._complete(some) for who, some in self.lines.items()}
        directed = [c for c in [*self.primary, *self.columns] if self.shown[c]["higher_is_better"] is not None]
        self.lead = next(iter(directed), None)

    def _scored(self, column: str) -> dict[str, float]:
        return {who: some[column]["value"] for who, some in self.lines.items() if some[column]["value"] is not None}

    def _complete(self, row: Mapping[str, Mapping[str, Any]]) -> bool:
        """Every clip scored wherever there is a value, and a value of each primary variant that anyone here has."""
        scored = [row[c] for c in self.columns if row[c]["value"] is not None]
        return bool(scored) and not any(one["n_failed"] for one in scored) and all(row[c]["value"] is not None for c in self.primary)

    def ranks(self, column: str) -> dict[str, int]:
        """Best and second of a column, among complete rows."""
        values = {who: value for who, value in self._scored(column).items() if self.whole[who]}
        return places(values, self.shown[column]["higher_is_better"])

    def order(self) -> list[str]:
        """Complete rows first, then by the lead, then by name."""

        def place(who: str) -> tuple[Any, ...]:
            value = self.lines[who][self.lead]["value"] if self.lead else None
            sign = -1 if self.lead and self.shown[self.lead]["higher_is_better"] else 1
            return (not self.whole[who], value is None, 0.0 if value is None else sign * value, self.told[who][1], who)

        return sorted(self.lines, key=place)

    def labels(self) -> list[str]:
        """Heads of the columns; the same variant with other weights says which."""
        names = [self.heads[c][0] for c in self.columns]
        return [
            f"{name}{arrow(self.shown[c])}" + (f" (weights {_digest(self.heads[c][1])})" if names.count(name) > 1 else "")
            for c, name in zip(self.columns, names, strict=True)
        ]


def _block(key: tuple[str, int, str], asked: Sequence[Asked]) -> Block:
    protocol, version, rules = key
    grid = _Grid(protocol, asked)
    ranks = {c: grid.ranks(c) for c in grid.columns}
    marks: dict[str, str] = {}
    lines = []
    for who in grid.order():
        (source, method), row = grid.told[who], grid.lines[who]
        stated = [f"{method} {protocol} {grid.heads[c][0]}" in source.submission.stated for c in grid.columns]
        cells = [_cell(row[c], ranks[c].get(who, 0), marks, kept) for c, kept in zip(grid.columns, stated, strict=True)]
        lines.append(_line(source, method, cells, list(row.values()), grid.whole[who]))
    rows = [row for some in grid.lines.values() for row in some.values() if row["value"] is not None]
    said = [POOLING[asked[0][1]["pooling"]], f"primary: {', '.join(asked[0][1]['primary'])}"]
    notes = ["; ".join(said), *intervals(rows)]
    notes += [f"{name}: {_weights(used)}" for name, used in map(grid.heads.__getitem__, grid.columns) if used]
    notes += [f"unscored by all: {', '.join(grid.heads[c][0] for c in some)} ({reason})" for reason, some in grid.absent.items()]
    notes += [f"{sign} {text}" for text, sign in marks.items()]
    notes += [f"{source.submission.name}: {text}" for source, _ in asked if (text := source.submission.manifest["note"])]
    notes += [ORDER.format(column=grid.heads[grid.lead][0])] if grid.lead and len(lines) > 1 else []
    # the published words, not a submission's: prose is no rule, and would stand above everybody's numbers
    title = str(asked[0][1].get("title", "")) if rules else registry().protocols[protocol].item.title
    return Block(f"{protocol} (version {version}{f', rules {rules}' if rules else ''})", title, grid.labels(), lines, notes)


def _digest(used: Networks) -> str:
    """Numbers of other weights are other numbers."""
    told = {one: [facts["weights"], facts["sha256"]] for one, facts in used.items()}
    return hashlib.sha256(canonical(told).encode()).hexdigest()[:8] if told else ""


def _weights(used: Networks) -> str:
    said = [
        f"{one} {facts['weights']}" + ("" if facts["sha256"] == "none" else f" sha256 {facts['sha256'][:12]}")
        for one, facts in used.items()
    ]
    return f"weights {', '.join(said)}"


def _cell(row: Mapping[str, Any], rank: int, marks: dict[str, str], stated: bool) -> Cell:
    if row["value"] is None:
        return Cell("-", note=mark(f"unscored, {why(row)}", marks))
    said = "; ".join(part for part in (remarks(row), "as the run states it: not recomputed from this folder" if stated else "") if part)
    return Cell(number(row["value"], row["decimals"]) + half(row), rank, mark(said, marks) if said else "", row["value"])


def _line(source: Source, method: str, cells: Sequence[Cell], rows: Sequence[Mapping[str, Any]], complete: bool) -> Line:
    header = source.record.header
    scored = [row for row in rows if row["value"] is not None] or [row for row in rows if "n_clips" in row]
    seeds = max(int(row.get("n_seeds", 1)) for row in scored)
    made = next(one for one in header["spec"]["methods"] if one["name"] == method)
    if model := made.get("generator"):
        content = {part: model.get(part) for part in ("base", "checkpoint")}
        says = f"model {hashlib.sha256(canonical(content).encode()).hexdigest()[:8]}"
    else:
        says = "finished clips" if made["kind"] == "outputs" else f"{made['kind']} v{made['version']}"
    return Line(
        method,
        str(source.submission.manifest["methods"].get(method, {}).get("url", "")),
        cells,
        "/".join(map(str, sorted({row["n_clips"] for row in scored}))) + (f" × {seeds} seeds" if seeds > 1 else ""),
        max(row["n_failed"] for row in scored),
        complete,
        says,
        str(header["git"]["revision"])[:8],
        max(entry["time"]["finished"] for entry in source.record.journal.values())[:10],
        source.submission.name,
    )
