"""Rows in binary: as BINARY2 and BINARY (VOTable 1.4, 5.4 and 5.3), in base64, and as FITS has them.

A row of BINARY2 is its null flags, then the fields, the high byte first; the others have no flags, so there
a value of the type stands for NULL.

A `char` is written as one byte of UTF-8, its count being of bytes, as VOTable 1.6 will have it: the same as
every version before it for ASCII, which is what a column declared `char` should hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pybase64
from numpy.typing import NDArray

from vo.catalog import Column, Datatype, arrow_schema
from vo.errors import VOError
from vo.result import as_declared
from vo.votable.arrays import is_list, is_null, numpy_type, validity, values
from vo.votable.cells import Cells, elements, room, string_cells, time_cells
from vo.votable.document import Chunk, Field, Serialisation
from vo.votable.kernels import Bytes, Places, frozen, mark_nulls, put_block, put_counted, put_words

_TRIPLE = 3
"""Bytes that become four letters of base64."""
_BASE64 = 4 / 3
"""Letters of base64 for a byte."""
_SLICE = 32_768 * _TRIPLE
"""Bytes that become base64 at a time."""
_UTF16_UNITS = np.zeros(256, np.int64)
_UTF16_UNITS[:0x80] = 1
_UTF16_UNITS[0xC0:0xF0] = 1
_UTF16_UNITS[0xF0:] = 2
"""UTF-16 code units begun by each byte of UTF-8."""


@dataclass(frozen=True, slots=True)
class _Words:
    """Scalars of columns side by side; `held` is whatever the addresses of `sources` lie in."""

    sources: NDArray[np.int64]
    nulls: NDArray[np.int64]
    sizes: Places
    held: tuple[object, ...]

    def widths(self) -> int:
        return int(self.sizes.sum())

    def put(self, out: Bytes, at: Places) -> None:
        put_words(out.ctypes.data, at, self.sources, self.nulls, self.sizes)


@dataclass(frozen=True, slots=True)
class _Block:
    """Cells of one fixed size, a line of bytes a row."""

    rows: Bytes

    def widths(self) -> int:
        return int(self.rows.shape[1])

    def put(self, out: Bytes, at: Places) -> None:
        put_block(out, at, frozen(self.rows))


@dataclass(frozen=True, slots=True)
class _Counted:
    """Cells of any size, each behind its count of elements of `unit` bytes."""

    cells: Cells
    unit: int

    def widths(self) -> Places:
        return self.cells.lengths + 4

    def put(self, out: Bytes, at: Places) -> None:
        put_counted(out, at, self.cells.as_tuple(), self.unit)


_Part = _Words | _Block | _Counted


def rows_encoder(
    columns: Sequence[Column], absent: Sequence[int], *, flagged: bool
) -> Callable[[pa.RecordBatch], memoryview]:
    """A function from batches to their rows in binary.

    `absent`: for each column the bits of the number that stands where there is none; `flagged`: each row
    begins with the null flags of BINARY2.
    """
    makers = list(_makers(columns, absent))

    def encode(batch: pa.RecordBatch) -> memoryview:
        arrays = batch.columns
        parts: list[_Part] = [_Block(_null_flags(batch))] if flagged else []
        parts += [make(arrays[group]) for group, make in makers]
        widths = np.zeros(batch.num_rows, np.int64)
        for part in parts:
            widths += part.widths()
        out, at = room(widths)
        for part in parts:
            part.put(out, at)
        return out.data

    return encode


def stream(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The chunks as one stream in base64: what does not fill three bytes waits for the next chunk.

    In slices that stay in the processor's cache; a line break ends each chunk, so that no line has the
    length of the table.
    """
    rest = b""
    for chunk in chunks:
        data = memoryview(chunk)
        if rest:
            missing = _TRIPLE - len(rest)
            rest, data = rest + data[:missing], data[missing:]
            if len(rest) < _TRIPLE:
                continue
            yield pybase64.b64encode(rest)
        whole = len(data) - len(data) % _TRIPLE
        for start in range(0, whole, _SLICE):
            yield pybase64.b64encode(data[start : min(start + _SLICE, whole)])
        rest = bytes(data[whole:])
        yield b"\n"
    if rest:
        yield pybase64.b64encode(rest) + b"\n"


def _null_flags(batch: pa.RecordBatch) -> Bytes:
    flags = np.zeros((batch.num_rows, (batch.num_columns + 7) // 8), np.uint8)
    for i, array in enumerate(batch.columns):
        if array.null_count:
            mark_nulls(flags, validity(array), i // 8, 0x80 >> i % 8)
    return flags


def _makers(
    columns: Sequence[Column], absent: Sequence[int]
) -> Iterator[tuple[slice, Callable[[list[pa.Array]], _Part]]]:
    """How columns become fields: scalars side by side together, every other column by itself."""
    for is_scalar, numbered_columns in groupby(enumerate(columns), lambda numbered: _is_scalar(numbered[1])):
        members = list(numbered_columns)
        first = members[0][0]
        if is_scalar:
            kinds = [numpy_type(column.arrow_type()) for _, column in members]
            group = slice(first, first + len(members))
            yield group, _scalars(kinds, absent[group])
        else:
            yield from (
                (slice(place, place + 1), _part_of(column, absent[place])) for place, column in members
            )


def _is_scalar(column: Column) -> bool:
    kind = column.arrow_type()
    return not (pa.types.is_string(kind) or pa.types.is_timestamp(kind) or is_list(kind))


def _part_of(column: Column, absent: int) -> Callable[[list[pa.Array]], _Part]:
    """How the values of a column that are no scalars become its fields."""
    kind = column.arrow_type()
    if pa.types.is_string(kind):
        return lambda arrays: _text(column, string_cells(arrays[0]))
    if pa.types.is_timestamp(kind):
        return lambda arrays: _text(column, time_cells(column, arrays[0]))
    item = numpy_type(kind.value_type)
    return lambda arrays: _array(column, item, absent, arrays[0])


def _scalars(kinds: Sequence[np.dtype[Any]], absent: Sequence[int]) -> Callable[[list[pa.Array]], _Part]:
    """How columns of scalars become fields, straight from Arrow's memory."""
    sizes = np.array([kind.itemsize for kind in kinds], np.int64)
    missing = np.array(absent, "<u8")

    def words(arrays: list[pa.Array]) -> _Part:
        sources = np.empty((2, len(kinds)), np.int64)
        nulls = np.empty((2, len(kinds)), np.int64)
        held = []
        for k, (array, kind) in enumerate(zip(arrays, kinds, strict=True)):
            data = array.buffers()[1]
            if kind == np.bool_:
                letters = words_of(values(array, kind))
                held.append(letters)
                sources[0, k] = letters.ctypes.data
            else:
                address = 0 if data is None else data.address  # no rows: no data
                sources[0, k] = address + array.offset * kind.itemsize
            nulls[:, k] = validity(array)
        sources[1] = missing.ctypes.data + 8 * np.arange(len(kinds))
        return _Words(sources, nulls, sizes, (arrays, missing, held))

    return words


def _array(column: Column, kind: np.dtype[Any], absent: int, array: pa.Array) -> _Part:
    ends, flat = elements(column, array)
    words = words_of(values(flat, kind))
    size = words.dtype.itemsize
    limits = ends * size
    cells = Cells(limits[:-1], np.diff(limits), words.byteswap().view(np.uint8))
    count = fixed_count(column)
    if count is None:
        return _Counted(cells, size)
    missing = is_null(array)
    if np.any((cells.lengths != count * size) & ~missing):
        raise VOError(f"Column {column.name} holds an array that has not {count} elements.")
    rows = _padded(cells, count * size)
    rows[missing] = np.tile(np.frombuffer(absent.to_bytes(8, "big"), np.uint8)[-size:], count)
    return _Block(rows)


def fixed_count(column: Column) -> int | None:
    """The elements of every cell, or None where `arraysize` leaves them open (VOTable 1.4, 2.2).

    >>> fixed_count(Column("m", "double", "2x3")), fixed_count(Column("s", "char", "8*"))
    (6, None)
    """
    if column.arraysize is None:
        return 1
    if column.arraysize.endswith("*"):
        return None
    return math.prod(int(size) for size in column.arraysize.split("x"))


def words_of(numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers as unsigned words of their size, booleans as the letters T and F."""
    if numbers.dtype == np.bool_:
        return np.where(numbers, np.uint8(ord("T")), np.uint8(ord("F")))
    return numbers.view(f"u{numbers.dtype.itemsize}")


def missing_word(column: Column) -> int:
    """The bits of a number that says by itself that it is missing; 0 where the type has none."""
    return _MISSING.get(column.datatype, 0)


_MISSING = {
    "boolean": ord("?"),
    "float": int(np.float32(np.nan).view(np.uint32)),
    "double": int(np.float64(np.nan).view(np.uint64)),
}


def _text(column: Column, cells: Cells) -> _Part:
    unit = 1
    if column.datatype == "unicodeChar":
        cells, unit = _utf16(cells), 2
    check_lengths(column, cells.lengths // unit)
    count = fixed_count(column)
    return _Counted(cells, unit) if count is None else _Block(_padded(cells, count * unit))


def check_lengths(column: Column, lengths: Places) -> None:
    """Refuse text that is longer than its column declares: it is never cut silently."""
    limit = (column.arraysize or "1").rstrip("*")
    if limit and len(lengths) and lengths.max() > int(limit):
        raise VOError(
            f"Column {column.name} is declared with {limit} characters, but a value has {lengths.max()}."
        )


def _padded(cells: Cells, width: int) -> Bytes:
    """Cells of at most `width` bytes as lines of that width, filled up with NUL (VOTable 1.4, 2.3)."""
    rows = np.zeros((len(cells.lengths), width), np.uint8)
    filled = np.arange(width) < cells.lengths[:, None]
    places = cells.starts[:, None] + np.arange(width)
    rows[filled] = cells.data[places[filled]]
    return rows


def _utf16(cells: Cells) -> Cells:
    """The same text in UTF-16, the high byte first: VOTable's UCS-2 and what readers take it for."""
    if not len(cells.starts):
        return cells
    ends = cells.starts + cells.lengths
    low, high = int(cells.starts[0]), int(max(ends.max(), cells.starts[-1]))
    used = cells.data[low:high]
    units = np.zeros(len(used) + 1, np.int64)
    np.cumsum(_UTF16_UNITS[used], out=units[1:])
    starts, stops = units[cells.starts - low], units[ends - low]
    data = np.frombuffer(used.tobytes().decode("utf-8").encode("utf-16-be"), np.uint8)
    return Cells(starts * 2, (stops - starts) * 2, data)


def _flagged_encoder(columns: Sequence[Column]) -> Callable[[pa.RecordBatch], memoryview]:
    # What stands under a null flag is for readers that overlook the flag.
    return rows_encoder(columns, [missing_word(column) for column in columns], flagged=True)


BINARY2 = Serialisation(
    "BINARY2",
    '<BINARY2><STREAM encoding="base64">\n',
    "</STREAM></BINARY2>",
    _flagged_encoder,
    stream,
    growth=_BASE64,
)


def _with_nulls(columns: Sequence[Column]) -> list[Field]:
    """The fields as BINARY declares them: integers with the value that is NULL (VOTable 1.4, 3.5).

    The values of short types may all be in use, so these are widened. Of the others, the numbers of
    `_UNLIKELY` are hardly ever; where one occurs it is refused.
    """
    wide = [replace(column, datatype=_WIDER.get(column.datatype, column.datatype)) for column in columns]
    return [Field(column, _UNLIKELY.get(column.datatype)) for column in wide]


_WIDER: dict[Datatype, Datatype] = {"unsignedByte": "short", "short": "int"}
_UNLIKELY = {"short": -(2**15), "int": -2_147_110_999, "long": -9_222_110_999_110_999_110}


def _plain_encoder(columns: Sequence[Column]) -> Callable[[pa.RecordBatch], memoryview]:
    fields = _with_nulls(columns)
    schema = arrow_schema([field.column for field in fields])
    absent = [missing_word(field.column) if field.null is None else field.null % 2**64 for field in fields]
    encode = rows_encoder([field.column for field in fields], absent, flagged=False)
    taken = [(i, field) for i, field in enumerate(fields) if field.null is not None]

    def checked(batch: pa.RecordBatch) -> memoryview:
        batch = as_declared(batch, schema)
        for i, field in taken:
            array = batch.column(i)
            flat = array.flatten() if is_list(array.type) else array
            if field.column.datatype != "short" and pc.any(pc.equal(flat, field.null)).as_py():
                raise VOError(
                    f"Column {field.column.name} holds {field.null}, which BINARY has for NULL.",
                    hint="Ask for BINARY2: RESPONSEFORMAT=votable/b2.",
                )
        return encode(batch)

    return checked


BINARY = Serialisation(
    "BINARY",
    '<BINARY><STREAM encoding="base64">\n',
    "</STREAM></BINARY>",
    _plain_encoder,
    stream,
    _with_nulls,
)
