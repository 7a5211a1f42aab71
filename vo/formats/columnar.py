"""Parquet and Arrow: the columns as they are, with what a VOTable says of them inside.

Parquet carries the VOTable without its data as the note "VOTable in Parquet" 1.0 has it; overflow is told in
that VOTable. The stream of Arrow tells it in the metadata of its last batch, which has no rows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vo.catalog import Column
from vo.formats.blocks import Chunks, measured
from vo.formats.format import cut_note
from vo.result import Result
from vo.votable.arrays import is_list
from vo.votable.document import Notes, without_data

_SAMPLE_ROWS = 8_192
_GROUP_BYTES = 16_777_216
"""Bytes of Arrow data in a row group: large enough for its columns to compress, small enough for memory."""


class _Sink(io.RawIOBase):
    """A file that hands on what was written since it was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  whatever has a buffer
        self._written.append(bytes(data))
        return len(self._written[-1])

    def taken(self) -> bytes:
        """Everything new."""
        written, self._written = self._written, []
        return b"".join(written)


def unique_names(columns: Sequence[Column]) -> list[str]:
    """The names of the columns; those that were there before, in any case, get a number behind.

    >>> unique_names([Column("ra", "double"), Column("RA", "double"), Column("ra_2", "double")])
    ['ra', 'RA_2', 'ra_2_2']
    """
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        name, count = column.name, 1
        while name.lower() in taken:
            count += 1
            name = f"{column.name}_{count}"
        taken.add(name.lower())
        names.append(name)
    return names


def described_schema(columns: Sequence[Column]) -> pa.Schema:
    """The schema of the file, unit, UCD and the rest with each field."""
    return pa.schema(
        [
            pa.field(name, column.arrow_type(), metadata=_metadata(column))
            for name, column in zip(unique_names(columns), columns, strict=True)
        ]
    )


def _metadata(column: Column) -> dict[str, str]:
    words = ("unit", "ucd", "utype", "xtype", "description")
    return {word: value for word in words if (value := getattr(column, word))}


def write_parquet(result: Result, notes: Notes) -> Chunks:
    """A Parquet file, a row group at a time."""
    schema, sink = described_schema(result.columns), _Sink()
    groups = _groups(result, schema)
    first = next(groups, schema.empty_table())
    with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=_repeating(first)) as writer:
        for group in chain((first,), groups):
            writer.write_table(group)
            yield sink.taken()
        status = {"status": "OVERFLOW", "message": cut_note(result)} if result.overflow else {}
        votable = without_data(result.columns, notes, **status)
        writer.add_key_value_metadata(
            {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": votable.decode()}
        )
    yield sink.taken()


def _repeating(table: pa.Table) -> list[str]:
    """The columns whose values come again and again, as the first rows show.

    Of the others, a dictionary is begun for each row group and given up: twice the time, and more bytes.
    """
    sample = table.slice(0, _SAMPLE_ROWS)
    return [
        name
        for name, column in zip(sample.column_names, sample.columns, strict=True)
        if not is_list(column.type) and 2 * pc.count_distinct(column).as_py() < sample.num_rows
    ]


def _groups(result: Result, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in measured(result):
        for start in range(0, batch.num_rows, step := _rows_of(batch)):
            waiting.append(batch.slice(start, step).rename_columns(schema.names))
            size += waiting[-1].nbytes
            if size >= _GROUP_BYTES:
                yield pa.Table.from_batches(waiting).cast(schema)
                waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting).cast(schema)


def _rows_of(batch: pa.RecordBatch) -> int:
    rows: int = _GROUP_BYTES * batch.num_rows // max(1, batch.nbytes)
    return max(1, rows)


def write_arrow(result: Result, notes: Notes) -> Chunks:
    """A stream of Arrow's interprocess format, a batch at a time."""
    schema, sink = described_schema(result.columns), _Sink()
    schema = schema.with_metadata({"votable": without_data(result.columns, notes).decode()})
    with pa.ipc.new_stream(sink, schema) as writer:
        yield sink.taken()
        for piece in measured(result):
            writer.write_batch(piece.rename_columns(schema.names).cast(schema))
            yield sink.taken()
        if result.overflow:
            last = pa.RecordBatch.from_pylist([], schema=schema)
            writer.write_batch(last, custom_metadata={"QUERY_STATUS": "OVERFLOW"})
    yield sink.taken()
