"""The run directory: header, append-only journal, per-frame values, scores. Everything printed is made from it.

run.json         header: spec, plan, protocol definitions, machine, packages, inputs, status
journal.jsonl    one line a finished unit, appended and flushed to the disk
values/*.parquet per-frame values of a unit, until compacted once into values.parquet
scores.json      the rows
clips/           what adapters made
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from benchmark.errors import InputError
from benchmark.frame_tables import ROWS, by_unit, parquet_options, row_groups, unit_table, value_schema
from benchmark.model import Unit
from benchmark.paths import write_atomic

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from benchmark.jobs import UnitResult

SCHEMA = 1
"""Version of the record's layout; schemas/*.json describe it."""
HEADER, JOURNAL, SCORES, VALUES, SHARDS, LOCK = "run.json", "journal.jsonl", "scores.json", "values.parquet", "values", ".lock"


def safe_name(text: str) -> str:
    """A file name for any id: percent-quoted; long ones end in 12 digits of their hash. Never `.`, `..` or a path."""
    name = quote(text, safe="-_.").replace(".", "%2E") if text.strip(".") == "" else quote(text, safe="-_.")
    return name if len(name) <= 120 else f"{name[:100]}~{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def to_text(value: object) -> str:
    """Indented JSON without NaN or infinity."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=False) + "\n"


@dataclass(frozen=True)
class Record:
    """A run read back. Nothing here computes a metric."""

    path: Path
    header: Mapping[str, Any]

    @property
    def status(self) -> str:
        """`started`, `success`, `interrupted` or `error`."""
        return str(self.header["status"])

    @cached_property
    def scores(self) -> list[dict[str, Any]]:
        """The rows of scores.json; empty while the run is not finished."""
        path = self.path / SCORES
        return list(json.loads(path.read_text(encoding="utf-8"))["scores"]) if path.exists() else []

    @cached_property
    def replicates(self) -> list[dict[str, Any]]:
        """Set metrics without some of their clips (see scores.Replicates)."""
        path = self.path / SCORES
        return list(json.loads(path.read_text(encoding="utf-8"))["replicates"]) if path.exists() else []

    @cached_property
    def journal(self) -> dict[Unit, dict[str, Any]]:
        """The last entry of every unit, in unit order."""
        collects = gc.isenabled()
        gc.disable()  # there is nothing to collect among new dictionaries, and looking for it takes as long as parsing
        try:
            entries = {Unit(e["adapter"], e["case"], e["seed"]): e for e in read_journal(self.path / JOURNAL)}
        finally:
            if collects:
                gc.enable()
        return dict(sorted(entries.items()))

    def clip_values(self, adapter: str, protocol: str, name: str) -> dict[str, float]:
        """{case: value} of `metric@variant` under a protocol, mean over seeds; unscored clips are absent."""
        view = self.view_of(protocol)
        values: dict[str, list[float]] = {}
        for case, entry in self._by_method.get(adapter, ()):
            found = entry.get("values", {}).get(view, {}).get(name, {})
            if "value" in found:
                values.setdefault(case, []).append(found["value"])
        # of one seed the value itself: the mean of one number is that number
        return {case: float(np.mean(v) if len(v := values[case]) > 1 else v[0]) for case in self._cases if case in values}

    @cached_property
    def _by_method(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """The journal by method, so that a table of many methods does not go through all of it for each."""
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for unit, entry in self.journal.items():
            found.setdefault(unit.adapter, []).append((unit.case, entry))
        return found

    @cached_property
    def _cases(self) -> list[str]:
        return [case["id"] for case in self.header["spec"]["cases"]]

    def view_of(self, protocol: str) -> str:
        """The id of the view a protocol's numbers come from."""
        for view, facts in self.header["plan"]["views"].items():
            if protocol in facts["protocols"]:
                return str(view)
        raise InputError("the run has no such protocol", code="unknown-name", path=self.path, found=protocol)

    def values(self) -> pa.Table:
        """Per-frame values: adapter, case, seed, view, metric (`metric@variant`), frame (of the truth), generated (frame of the output) and value
        (null = left out)."""
        import pyarrow as pa

        return pa.concat_tables([value_schema().empty_table(), *self.value_pieces()])

    def value_pieces(self) -> Iterator[pa.Table]:
        """The same rows, a few thousand at a time."""
        whole = self.path / VALUES
        for path in [whole] if whole.exists() else sorted((self.path / SHARDS).glob("*.parquet")):
            yield from row_groups(path)

    def to_pandas(self) -> pd.DataFrame:
        """The scores as a DataFrame, one row a score."""
        import pandas as pd

        return pd.DataFrame(self.scores)

    def clips_to_pandas(self) -> pd.DataFrame:
        """One row a clip value: adapter, case, seed, protocol, metric (`metric@variant`), value, n_frames, n_left_out, reason, detail.

        A clip without a value has NaN there and its reason; metrics of the whole set have no value a clip and no row.
        """
        import pandas as pd

        columns = ["adapter", "case", "seed", "protocol", "metric", "value", "n_frames", "n_left_out", "reason", "detail"]
        return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in self._clip_rows()], columns=columns)

    def _clip_rows(self) -> Iterator[tuple[Any, ...]]:
        """Units in order, then protocols and variants in the run's."""
        valued = {(view, name) for e in self.journal.values() for view, found in e["values"].items() for name in found}
        for unit, entry in self.journal.items():
            for protocol, names in self.header["spec"]["variants"].items():
                view = self.view_of(protocol)
                lost = entry.get("error") or entry["views"].get(view, {}).get("error")
                missing = {"reason": lost["code"], "detail": lost["what"]} if lost else {"reason": "not-run"}
                for name in (one for one in names if (view, one) in valued):
                    found = entry["values"].get(view, {}).get(name, missing)
                    numbers = found.get("value"), found.get("n_frames", 0), found.get("n_left_out", 0)
                    yield (unit.adapter, unit.case, unit.seed, protocol, name, *numbers, found.get("reason", ""), found.get("detail", ""))


def load(path: Path | str) -> Record:
    """Open a run directory. Raises InputError when it is none, is half-written, or is of a newer schema."""
    path = Path(path)
    header = path / HEADER
    if not header.is_file():
        code, what = ("absent", "no such run") if not path.exists() else ("not-a-run", "is not a run directory")
        raise InputError(what, code=code, path=path, expected=f"a folder with {HEADER}", hint="hvbench run --suite tiktok")
    try:
        data = json.loads(header.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError("the header is damaged", code="damaged", path=header, found=str(error)) from None
    if data.get("schema", 0) > SCHEMA:
        raise InputError(
            "the record is of a newer version", code="newer", path=path, found=f"schema {data['schema']}", expected=f"schema <= {SCHEMA}"
        )
    return Record(path, data)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The journal's entries. A last line without its newline was being written when the run died; it is passed over, its unit is done again."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(
                    "the journal is damaged",
                    code="damaged",
                    path=path,
                    found=f"line {number}: {error}",
                    hint="delete the line; its unit is then done again",
                ) from None


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


class Writer:
    """The one process that writes a run. A context: the lock falls when it is left, or when the process dies."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self.path = path
        self._lock = FileLock(str(path / LOCK))

    def __enter__(self) -> Writer:
        from filelock import Timeout

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                "another process writes this run", code="locked", path=self.path, hint="wait for it, or name another --out"
            ) from None
        except OSError as error:
            raise InputError("cannot be written", code="unwritable", path=self.path, found=str(error), hint="name another --out") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def header(self, data: Mapping[str, Any]) -> None:
        """Write run.json."""
        write_atomic(self.path / HEADER, to_text(data))

    def mend(self) -> dict[Unit, dict[str, Any]]:
        """Make a run that died fit to go on, and return the units it had finished.

        Cuts an unfinished last journal line, so that the next entry starts on a line of its own; drops stray temporary files, and the frame values of
        units that have no journal line.
        """
        journal = self.path / JOURNAL
        if journal.exists():
            data = journal.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with journal.open("rb+") as file:
                    file.truncate(whole)
        for folder in (self.path, self.path / SHARDS):
            for stray in folder.glob(".*.tmp"):
                stray.unlink(missing_ok=True)
        done = {Unit(e["adapter"], e["case"], e["seed"]): e for e in read_journal(journal)}
        wanted = {self.shard(unit) for unit in done}
        for shard in (self.path / SHARDS).glob("*.parquet"):
            if shard not in wanted:
                shard.unlink()
        return done

    def keep(self, done: Mapping[Unit, Mapping[str, Any]]) -> None:
        """Leave one line a unit in the journal, of these units alone: the others are done again and must not stand there twice."""
        if sum(1 for _ in read_journal(self.path / JOURNAL)) > len(done):
            write_atomic(self.path / JOURNAL, "".join(map(_line, done.values())))

    def unit(self, result: UnitResult) -> None:
        """Store a unit: its frame values first, then its journal line; only the line makes it done."""
        import pyarrow.parquet as pq

        entry = result.entry
        if result.values:
            shard = self.shard(Unit(entry["adapter"], entry["case"], entry["seed"]))
            shard.parent.mkdir(exist_ok=True)
            temporary = shard.with_name(f".{shard.name}.{os.getpid()}.tmp")
            pq.write_table(unit_table(result), temporary, row_group_size=ROWS, **parquet_options())
            temporary.replace(shard)
        with (self.path / JOURNAL).open("a", encoding="utf-8") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())

    def shard(self, unit: Unit) -> Path:
        """Where a unit's frame values lie before compaction."""
        return self.path / SHARDS / f"{hashlib.sha256(json.dumps([unit.adapter, unit.case, unit.seed]).encode()).hexdigest()[:24]}.parquet"

    def compact(self) -> None:
        """All shards into values.parquet, rows in (adapter, case, seed, view, metric, frame) order; the shards go only when that file is in place.

        Units that values.parquet holds from an earlier time stay, unless they were done anew.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        units = sorted({Unit(e["adapter"], e["case"], e["seed"]) for e in read_journal(self.path / JOURNAL)})
        shards = {unit: shard for unit in units if (shard := self.shard(unit)).exists()}
        if not shards:
            with contextlib.suppress(OSError):
                (self.path / SHARDS).rmdir()
            return
        earlier = by_unit(pq.read_table(self.path / VALUES)) if (self.path / VALUES).exists() else {}
        plain = pa.schema([(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in value_schema()])
        temporary = self.path / f".{VALUES}.{os.getpid()}.tmp"
        with pq.ParquetWriter(temporary, value_schema(), **parquet_options()) as file:
            held: list[pa.Table] = []

            def write() -> None:
                # by way of plain text, so that dictionaries hold only what occurs, in the order of the rows
                file.write_table(pa.concat_tables(held).combine_chunks().cast(value_schema()))
                held.clear()

            for unit in units:
                if unit in shards:
                    pieces: Iterable[pa.Table] = row_groups(shards[unit])
                else:
                    old = earlier.get(unit, value_schema().empty_table())
                    pieces = (old.slice(start, ROWS) for start in range(0, len(old), ROWS))
                for piece in pieces:
                    held.append(piece.cast(plain))
                    if sum(map(len, held)) >= ROWS:
                        write()
            if held:
                write()
        temporary.replace(self.path / VALUES)
        for shard in shards.values():
            shard.unlink()
        with contextlib.suppress(OSError):
            (self.path / SHARDS).rmdir()
