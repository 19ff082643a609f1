"""How a record keeps values by frame: the columns, and units as Parquet tables in (view, metric, frame) order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.model import Unit

if TYPE_CHECKING:
    import pyarrow as pa

    from benchmark.jobs import UnitResult

ROWS = 1 << 13
"""Rows of frame values in a row group at most (a little more where units are short): what is held in memory when a record is compacted or read."""


def value_schema() -> pa.Schema:
    """Columns of the per-frame values."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("adapter", text),
            ("case", text),
            ("seed", pa.int32()),
            ("view", text),
            ("metric", text),
            ("frame", pa.int32()),
            ("generated", pa.int32()),
            ("value", pa.float64()),
        ]
    )


def parquet_options() -> dict[str, Any]:
    """How frame values are written: hardly two of them are equal, so only texts get a dictionary."""
    import pyarrow as pa

    return {"compression": "zstd", "use_dictionary": [f.name for f in value_schema() if pa.types.is_dictionary(f.type)]}


def row_groups(path: Path) -> Iterator[pa.Table]:
    """A file's rows, a group at a time. Raises InputError (`damaged`) where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "the values by frame are damaged", code="damaged", path=path, found=str(error)[:200], hint=f"hvbench validate {path.parent}"
        ) from error


def by_unit(table: pa.Table) -> dict[Unit, pa.Table]:
    """A sorted table of frame values, cut into its units."""
    keys = zip(*(table[name].to_pylist() for name in ("adapter", "case", "seed")), strict=True)
    found, start = {}, 0
    for key, rows in groupby(keys):
        stop = start + sum(1 for _ in rows)
        found[Unit(*key)] = table.slice(start, stop - start)
        start = stop
    return found


def unit_table(result: UnitResult) -> pa.Table:
    """Frame values of a unit, rows in (view, metric, frame) order.

    Arrays are laid out by hand: `pa.array` would import pandas, which costs more than a clip.
    """
    import pyarrow as pa

    entry = result.entry
    runs = sorted(result.values.items())
    lengths = [len(values) for _, values in runs]
    values = np.concatenate([values for _, values in runs])
    scored = ~np.isnan(values)

    def numbers(kind: pa.DataType, data: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> pa.Array:
        bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
        return pa.Array.from_buffers(kind, len(data), [bits, pa.py_buffer(np.ascontiguousarray(data))])

    def texts(words: Sequence[str]) -> pa.DictionaryArray:
        known = list(dict.fromkeys(words))
        data = [word.encode() for word in known]
        ends = np.cumsum([0, *map(len, data)], dtype=np.int32)
        codes = np.repeat(np.array([known.index(word) for word in words], np.int32), lengths)
        dictionary = pa.StringArray.from_buffers(len(known), pa.py_buffer(ends), pa.py_buffer(b"".join(data)))
        return pa.DictionaryArray.from_arrays(numbers(pa.int32(), codes), dictionary)

    def frames(side: int) -> pa.Array:
        return numbers(pa.int32(), np.concatenate([np.asarray(result.frames[view][side], np.int32) for (view, _), _ in runs]))

    columns = [
        texts([entry["adapter"]] * len(runs)),
        texts([entry["case"]] * len(runs)),
        numbers(pa.int32(), np.full(len(values), entry["seed"], np.int32)),
        texts([view for (view, _), _ in runs]),
        texts([metric for (_, metric), _ in runs]),
        frames(0),
        frames(1),
        numbers(pa.float64(), values, scored),
    ]
    return pa.Table.from_arrays(columns, schema=value_schema())
