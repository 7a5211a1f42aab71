"""A table that somebody sends: of any kind that `vo.tablefiles` reads, told by its first bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vo.catalog import Column, arrow_schema
from vo.errors import UsageError
from vo.tablefiles import DataFile
from vo.tablefiles.cast import BrokenValueError, converted
from vo.tablefiles.csv_file import CsvFile
from vo.tablefiles.fits_file import FitsFile
from vo.tablefiles.fits_in_votable import FitsInVOTable
from vo.tablefiles.inference import inferred
from vo.tablefiles.parquet_file import ParquetFile
from vo.votable.reader import read_votable

_SAMPLE_ROWS = 65_536
"""Rows by which the types of columns are told where the file does not declare them."""

_BATCH_ROWS = 16_384
_MAGIC_BYTES = 16


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """The columns of the table, and its rows in their types; `batches` may be called once."""

    columns: tuple[Column, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]


def incoming_file(path: Path) -> IncomingFile:
    """The table in the file; a UsageError says what is wrong with it, one of a row when it is reached."""
    with path.open("rb") as stream:
        magic = stream.read(_MAGIC_BYTES)
    if not magic.strip():
        raise UsageError("The file is empty.")
    if magic.startswith(b"SIMPLE  ="):
        return _of_types(FitsFile(path, ""))
    if magic.startswith(b"PAR1"):
        return _parquet(path)
    if magic.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" or magic[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _votable(path)
    if b"\0" in magic or magic.startswith(b"\x1f\x8b"):
        raise UsageError(
            "The file is of no kind that is read.", hint="Send VOTable, FITS, Parquet or CSV, not compressed."
        )
    return _of_types(CsvFile(path))


def _votable(path: Path) -> IncomingFile:
    embedded = FitsInVOTable.within(path)
    if embedded is not None:
        file = embedded
        return IncomingFile(file.columns, lambda: _converted(file, file.columns))
    with path.open("rb") as stream:
        columns, _ = read_votable(stream)

    def batches() -> Iterator[pa.RecordBatch]:
        with path.open("rb") as stream:
            yield from read_votable(stream, batch_rows=_BATCH_ROWS)[1]

    return IncomingFile(columns, batches)


def _parquet(path: Path) -> IncomingFile:
    """The columns are as the VOTable inside says (VOTable in Parquet 1.0), if there is one."""
    file = ParquetFile(path)
    with pq.ParquetFile(path) as opened:
        votable = (opened.metadata.metadata or {}).get(b"IVOA.VOTable-Parquet.content")
    if votable is not None:
        columns, _ = read_votable(io.BytesIO(votable))
        if len(columns) == len(file.names):
            return IncomingFile(columns, lambda: _converted(file, columns))
    return _of_types(file)


def _of_types(file: DataFile) -> IncomingFile:
    """The columns are told by the file's types, and those of text by its first rows."""
    sample = next(file.batches(file.names, _SAMPLE_ROWS), None)
    columns = tuple(
        replace(
            inferred(name, pa.nulls(0, pa.string()) if sample is None else sample.column(i)),
            unit=file.hints.get(name, {}).get("ivoa:unit"),
        )
        for i, name in enumerate(file.names)
    )
    return IncomingFile(columns, lambda: _converted(file, columns))


def _converted(file: DataFile, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(columns)
    done = 0
    for batch in file.batches(file.names, _BATCH_ROWS):
        arrays = [_column(array, column, done) for array, column in zip(batch.columns, columns, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        done += batch.num_rows


def _column(array: pa.Array, column: Column, done: int) -> pa.Array:
    try:
        return converted(array, column)
    except BrokenValueError as error:
        row = done + error.index + 1
        raise UsageError(f"Row {row}, column {column.name}: the value {error.reason}.") from error
