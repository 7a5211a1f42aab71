"""Results as a FITS binary table (FITS 4.0, 7.3), with the VOTable without data in the first HDU.

NAXIS2 stands before the rows, so the rows wait in a nameless file until all are counted; what is counted on
the way gives each column of text its width and each column of integers a number that is free to be TNULL.
The first HDU is that of the convention "fits-plus", by which TOPCAT and STILTS find all metadata again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO

import numpy as np
import pyarrow as pa
from astropy.io.fits import Header

from vo.catalog import arrow_schema
from vo.errors import UsageError
from vo.formats.blocks import Chunks, measured
from vo.formats.columnar import unique_names
from vo.formats.fits_columns import FitsColumn, Measure, in_ascii
from vo.formats.format import cut_note
from vo.result import Result, as_declared
from vo.votable.binary import rows_encoder
from vo.votable.cells import elements
from vo.votable.document import Chunk, Notes, without_data

_BLOCK = 2_880
_MOST_COLUMNS = 999


def write(result: Result, notes: Notes) -> Chunks:
    """The whole file, once the last row is here."""
    if len(result.columns) > _MOST_COLUMNS:
        raise UsageError(
            f"A FITS table has at most {_MOST_COLUMNS} columns; this one has {len(result.columns)}.",
            hint="Select fewer columns, or ask for another format.",
        )
    with tempfile.TemporaryFile() as file:
        columns = _spooled(result, file)
        status = {"status": "OVERFLOW", "message": cut_note(result)} if result.overflow else {}
        yield _first_hdu(without_data(result.columns, notes, **status))
        yield _header(columns, result)
        yield from _padded(chain(_rows(columns, file), _heap(columns, file)))


def _spooled(result: Result, file: IO[bytes]) -> tuple[FitsColumn, ...]:
    """All rows in the file as Arrow has them, text in ASCII; how the columns are to be kept."""
    measures = [Measure(column) for column in result.columns]
    with pa.ipc.new_stream(file, result.schema) as spool:
        for piece in measured(result):
            arrays = [in_ascii(array) if pa.types.is_string(array.type) else array for array in piece.columns]
            for measure, array in zip(measures, arrays, strict=True):
                measure.see(array)
            spool.write_batch(pa.RecordBatch.from_arrays(arrays, schema=result.schema))
    return tuple(measure.result() for measure in measures)


def _first_hdu(votable: bytes) -> bytes:
    """STILTS knows the convention by these keywords in this order."""
    header = Header()
    header["SIMPLE"] = True
    header["BITPIX"] = 8
    header["NAXIS"] = 1
    header["NAXIS1"] = len(votable)
    header["VOTMETA"] = (True, "Table metadata in VOTable format")
    header["EXTEND"] = True
    return _bytes(header) + b"".join(_padded([votable]))


def _header(columns: Sequence[FitsColumn], result: Result) -> bytes:
    header = Header()
    header["XTENSION"] = ("BINTABLE", "binary table extension")
    header["BITPIX"] = 8
    header["NAXIS"] = 2
    header["NAXIS1"] = sum(column.size for column in columns)
    header["NAXIS2"] = result.rows
    header["PCOUNT"] = sum(column.heap for column in columns)
    header["GCOUNT"] = 1
    header["TFIELDS"] = len(columns)
    header["EXTNAME"] = "results"
    for number, (column, name) in enumerate(zip(columns, unique_names(result.columns), strict=True), 1):
        for word, value in column.cards(number, name):
            header[word] = value
    if result.overflow:
        header["OVERFLOW"] = (True, "cut at MAXREC; there are more rows")
    return _bytes(header)


def _bytes(header: Header) -> bytes:
    text: str = header.tostring()
    return text.encode()


def _batches(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    file.seek(0)
    with pa.ipc.open_stream(file) as spool:
        yield from spool


def _rows(columns: Sequence[FitsColumn], file: IO[bytes]) -> Iterator[Chunk]:
    stored = [column.stored for column in columns]
    schema = arrow_schema(stored)
    encode = rows_encoder(stored, [column.absent for column in columns], flagged=False)
    heap = 0
    for batch in _batches(file):
        arrays = list(batch.columns)
        for i, column in enumerate(columns):
            if column.is_variable:
                arrays[i], heap = _descriptors(column, arrays[i], heap)
        yield encode(as_declared(pa.RecordBatch.from_arrays(arrays, names=schema.names), schema))


def _descriptors(column: FitsColumn, array: pa.Array, start: int) -> tuple[pa.Array, int]:
    """For each row the number of its elements and their place in the heap (7.3.5); where the next begin."""
    ends, _ = elements(column.column, array)
    places = start + ends * column.element_size
    pairs = np.stack([np.diff(ends), places[:-1]], axis=1)
    return pa.FixedSizeListArray.from_arrays(pairs.ravel(), 2), int(places[-1])


def _heap(columns: Sequence[FitsColumn], file: IO[bytes]) -> Iterator[Chunk]:
    """The elements of variable arrays, in the order of `_rows`."""
    variable = [(i, column) for i, column in enumerate(columns) if column.is_variable]
    for batch in _batches(file) if variable else ():
        for i, column in variable:
            yield column.heap_bytes(batch.column(i))


def _padded(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The bytes, filled up to whole blocks."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield bytes(chunk)
    yield bytes(-size % _BLOCK)
