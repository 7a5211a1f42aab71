"""A VOTable as a stream of Arrow batches: versions 1.1 to 1.5, in TABLEDATA, BINARY or BINARY2.

The head is parsed by expat, the data by compiled scanners; neither is ever held whole. A document type
declaration is refused, and with it every entity but XML's own five. What comes behind the table is not read.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pybase64

from vo.catalog import Column, arrow_schema
from vo.errors import UsageError
from vo.votable.arrays import Mask
from vo.votable.binary import fixed_count
from vo.votable.decode import CellError, element_size, from_binary, from_text
from vo.votable.heading import Field, Heading, read_heading, utf8_chunks
from vo.votable.kernels import Bytes, Places, frozen
from vo.votable.tokens import DONE, STRAY, WRONG_COUNT, locate_rows, scan_rows

_BATCH_BYTES = 67_108_864
_CUT_OFF = "The VOTable ends within its table."


def read_votable(
    stream: BinaryIO, *, batch_rows: int = 65_536, table: int = 0
) -> tuple[tuple[Column, ...], Iterator[pa.RecordBatch]]:
    """The columns of a table, and its rows in batches of at most `batch_rows`; `table` counts from 0.

    NULL is what a flag (BINARY2) or VALUES says, and whatever is empty where there are no flags. All that
    is wrong is a UsageError naming row and column; that of a row comes when its batch is asked for.
    """
    chunks = utf8_chunks(stream)
    heading = read_heading(chunks, table)
    if heading.kind == "FITS":
        raise UsageError("The table is serialised as FITS.", hint="Send the FITS file itself.")
    columns = tuple(field.column for field in heading.fields)
    fixed = sum(element_size(field) * (fixed_count(field.column) or 1) for field in heading.fields)
    return columns, _batches(heading, chunks, min(batch_rows, max(1, _BATCH_BYTES // fixed)))


def fits_within(stream: BinaryIO) -> tuple[tuple[Column, ...], Iterator[bytes]] | None:
    """The columns of the first table and the FITS file with its rows (VOTable 1.4, 5.2); None: no FITS."""
    chunks = utf8_chunks(stream)
    heading = read_heading(chunks, 0)
    if heading.kind != "FITS":
        return None
    return tuple(field.column for field in heading.fields), _from_base64(chain((heading.rest,), chunks))


@dataclass(frozen=True, slots=True)
class _Found:
    """Whole rows at the front of some bytes; `ended` says that the table is over."""

    rows: int
    used: int
    arrays: list[pa.Array]
    ended: bool = False


def _batches(heading: Heading, chunks: Iterator[bytes], batch_rows: int) -> Iterator[pa.RecordBatch]:
    if heading.kind is None:
        return
    schema = arrow_schema([field.column for field in heading.fields])
    pieces = chain((heading.rest,), chunks)
    is_text = heading.kind == "TABLEDATA"
    scanner = _TextRows(heading) if is_text else _BinaryRows(heading)
    rest = b""
    for piece in pieces if is_text else _from_base64(pieces):
        data = np.frombuffer(rest + piece, np.uint8)
        while len(data):
            found = scanner.take(data, batch_rows)
            if found.rows:
                yield pa.RecordBatch.from_arrays(found.arrays, schema=schema)
            if found.ended:
                return
            data = data[found.used :]
            if not found.rows:
                break
        rest = data.tobytes()
    if is_text or rest:
        raise UsageError(_CUT_OFF, hint=f"{scanner.done} rows are whole.")


class _TextRows:
    """Rows of TABLEDATA, with a count of rows and lines for those who have to mend them."""

    def __init__(self, heading: Heading) -> None:
        self.done = 0
        self._fields = heading.fields
        self._line = heading.line

    def take(self, data: Bytes, batch_rows: int) -> _Found:
        """The rows that are whole, at most `batch_rows`."""
        shortest = len("<TR></TR>") + len(self._fields) * len("<TD/>")
        capacity = min(batch_rows, len(data) // shortest + 1)
        starts = np.empty((len(self._fields), capacity), np.int64)
        lengths, kinds = np.empty_like(starts), np.empty(starts.shape, np.uint8)
        how, rows, used, cells = scan_rows(frozen(data), starts, lengths, kinds)
        parts = zip(self._fields, starts[:, :rows], lengths[:, :rows], kinds[:, :rows], strict=True)
        try:
            arrays = [from_text(field, frozen(data), *part) for field, *part in parts] if rows else []
        except CellError as error:
            line = self._line_at(data, starts[0, error.row])
            raise UsageError(f"Row {self.done + error.row + 1} (line {line}), {error.message}.") from error
        self.done += rows
        place = f"Row {self.done + 1} (line {self._line_at(data, _next_mark(data, used))})"
        if how == WRONG_COUNT and not rows:
            raise UsageError(f"{place} has {cells} cells, but there are {len(self._fields)} columns.")
        if how == STRAY and not rows:
            raise UsageError(f"{place} holds an element that is neither TR nor TD.")
        self._line = self._line_at(data, used)
        return _Found(rows, used, arrays, ended=how == DONE)

    def _line_at(self, data: Bytes, place: int) -> int:
        return self._line + int(np.count_nonzero(data[:place] == ord("\n")))


def _next_mark(data: Bytes, place: int) -> int:
    """Where the white space behind `place` ends."""
    following = data[place : place + 10_000].tobytes()
    return place + len(following) - len(following.lstrip())


class _BinaryRows:
    """Rows of BINARY or BINARY2 out of base64."""

    def __init__(self, heading: Heading) -> None:
        self.done = 0
        self._fields = heading.fields
        self._flagged = heading.kind == "BINARY2"
        self._sizes = np.array([_size(field) for field in heading.fields], np.int64)

    def take(self, data: Bytes, batch_rows: int) -> _Found:
        """The rows that are whole, at most `batch_rows`."""
        flags = (len(self._fields) + 7) // 8 if self._flagged else 0
        shortest = flags + int(np.where(self._sizes < 0, 4, self._sizes).sum())
        capacity = min(batch_rows, len(data) // shortest)
        starts = np.empty((len(self._fields) + 1, capacity), np.int64)
        lengths = np.empty_like(starts)
        how, rows, used = locate_rows(frozen(data), self._sizes, flags, starts, lengths)
        if how == WRONG_COUNT and not rows:
            raise UsageError(
                f"Row {self.done + 1} has a cell of 2 GiB or more: the fields and the data do not fit."
            )
        try:
            arrays = [
                self._array(data, i, starts[:, :rows], lengths[:, :rows]) for i in range(len(self._fields))
            ]
        except CellError as error:
            raise UsageError(f"Row {self.done + error.row + 1}, {error.message}.") from error
        self.done += rows
        return _Found(rows, used, arrays)

    def _array(self, data: Bytes, i: int, starts: Places, lengths: Places) -> pa.Array:
        nulls: Mask | None = None
        if self._flagged:
            nulls = data[starts[-1] + i // 8] & (0x80 >> i % 8) != 0
        return from_binary(self._fields[i], frozen(data), starts[i], lengths[i], nulls)


def _size(field: Field) -> int:
    """The bytes of a field, negative those of an element of a counted one: see `locate_rows`."""
    count = fixed_count(field.column)
    return -element_size(field) if count is None else element_size(field) * count


def _from_base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of the STREAM; white space is anywhere."""
    rest = b""
    for piece in pieces:
        text, end, _ = piece.partition(b"<")
        rest += text.translate(None, b" \t\r\n")
        whole = len(rest) - len(rest) % 4
        try:
            yield pybase64.b64decode(rest[:whole], validate=True)
        except Base64Error as error:
            raise UsageError("The STREAM of the table is not base64.") from error
        rest = rest[whole:]
        if end:
            if rest:
                raise UsageError("The STREAM of the table ends within a group of base64.")
            return
    raise UsageError(_CUT_OFF)
