"""A column as text: each value in the form of DALI 1.1 (3.3), whole columns at a time.

TABLEDATA, CSV and TSV differ only in what stands between the cells and in how text is quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.catalog import Column
from vo.errors import VOError
from vo.votable.arrays import NO_NULLS, bounds, is_list, is_null, numpy_type, validity, values
from vo.votable.digits import DOUBLE, INTEGER, SINGLE, TIME, written
from vo.votable.kernels import Bytes, Nulls, Places, frozen, put_framed

_FIRST_YEAR, _END_YEAR = -62_167_219_200_000_000, 253_402_300_800_000_000
"""0000-01-01 and 10000-01-01 in microseconds since 1970: the years that DALI 1.1 (3.3.3) can write."""

Escape = Callable[[pa.StringArray], pa.StringArray]


@dataclass(frozen=True, slots=True)
class Cells:
    """A column of byte strings: cell i is `data[starts[i] : starts[i] + lengths[i]]`; NULL has length 0."""

    starts: Places
    lengths: Places
    data: Bytes

    def as_tuple(self) -> tuple[Places, Places, Bytes]:
        """The form that compiled loops take."""
        return self.starts, self.lengths, frozen(self.data)


def raw(text: str) -> Bytes:
    """The UTF-8 bytes of `text` as an array."""
    return np.frombuffer(text.encode(), np.uint8)


_NO_BYTES, _FALSE_TRUE = np.empty(0, np.uint8), raw("falsetrue")
_TICKS = np.dtype(np.int64)


def cells_of(column: Column, escaped: Escape) -> Callable[[pa.Array], Cells]:
    """How a column becomes text in the forms of DALI 1.1 (3.3); `escaped` is applied to strings."""
    kind = column.arrow_type()
    if pa.types.is_string(kind):
        return lambda array: string_cells(escaped(array))
    if pa.types.is_timestamp(kind):
        return partial(time_cells, column)
    if is_list(kind):
        return partial(_joined, column, numpy_type(kind.value_type))
    return partial(_scalar_cells, numpy_type(kind))


def string_cells(array: pa.StringArray) -> Cells:
    """Text as it is, without copying its data."""
    ends = bounds(array).astype(np.int64)
    lengths = np.diff(ends)
    if array.null_count:  # the bytes under a NULL are anything
        lengths[is_null(array)] = 0
    return Cells(ends[:-1], lengths, _data(array))


def time_cells(column: Column, array: pa.Array) -> Cells:
    """Times as YYYY-MM-DDThh:mm:ss, with microseconds where there are any (DALI 1.1, 3.3.3)."""
    ticks = values(array, _TICKS)
    outside = (ticks < _FIRST_YEAR) | (ticks >= _END_YEAR)
    if outside.any() and (outside & ~is_null(array)).any():
        raise VOError(f"Column {column.name} holds a time whose year has not four digits.")
    return Cells(*written(frozen(ticks.view(np.uint64)), validity(array), TIME, 0))


def holds_any(array: pa.StringArray, special: Bytes) -> bool:
    """Whether any byte of the text is marked in the table `special` of 256 entries."""
    ends = bounds(array)
    return bool(special[_data(array)[ends[0] : ends[-1]]].any())


def _data(array: pa.StringArray) -> Bytes:
    data = array.buffers()[2]
    return np.frombuffer(data, np.uint8) if data is not None and data.size else _NO_BYTES


def _scalar_cells(kind: np.dtype[Any], array: pa.Array) -> Cells:
    scalars = values(array, kind)
    if kind == np.bool_:
        lengths = np.where(scalars, len("true"), len("false"))
        lengths[is_null(array)] = 0
        return Cells(np.where(scalars, len("false"), 0), lengths, _FALSE_TRUE)
    return _numbers(scalars, validity(array))


def _numbers(numbers: NDArray[Any], nulls: Nulls, gap: int = 0) -> Cells:
    """Numbers; behind each in the data stand `gap` blanks."""
    kind, words = _KINDS.get(numbers.dtype, (INTEGER, np.int64))
    bits = numbers.astype(words, copy=False)
    unsigned = bits.view(f"u{bits.dtype.itemsize}").astype(np.uint64, copy=False)
    return Cells(*written(frozen(unsigned), nulls, kind, gap))


_KINDS: dict[np.dtype[Any], tuple[int, type[np.generic]]] = {
    np.dtype(np.float64): (DOUBLE, np.float64),
    np.dtype(np.float32): (SINGLE, np.float32),
}


def _joined(column: Column, kind: np.dtype[Any], array: pa.Array) -> Cells:
    """Arrays as their elements with a blank between, booleans as 1 and 0 (VOTable 1.4, 5.1)."""
    ends, flat = elements(column, array)
    numbers = values(flat, kind).astype(np.int8 if kind == np.bool_ else kind, copy=False)
    single = _numbers(numbers, NO_NULLS, gap=1)
    limits = np.append(single.starts, single.starts[-1] + single.lengths[-1] + 1 if len(flat) else 0)
    starts = limits[ends[:-1]]
    return replace(single, starts=starts, lengths=np.maximum(limits[ends[1:]] - starts - 1, 0))


def elements(column: Column, array: pa.Array) -> tuple[Places, pa.Array]:
    """The bounds of each row's elements, and the elements, those under NULL rows left out.

    A NULL within an array is NaN; integers have no such value, so there it is an error.
    """
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    flat = array.flatten()
    if flat.null_count:
        if not pa.types.is_floating(flat.type):
            raise VOError(f"Column {column.name} holds an array with a NULL inside, which cannot be written.")
        flat = flat.fill_null(np.nan)
    ends = np.zeros(len(array) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends, flat


CellsOf = Callable[[pa.Array], Cells]


def framed_rows(
    makers: Sequence[CellsOf], frames: Sequence[tuple[Bytes, Bytes]], nothing: Bytes = _NO_BYTES
) -> Callable[[pa.RecordBatch], bytes]:
    """A function from batches to rows of text.

    `makers` make the columns' cells, `frames` are the bytes before and after them, and `nothing` stands
    for those that have none.
    """
    frame = sum(len(before) + len(after) for before, after in frames)

    def encode(batch: pa.RecordBatch) -> bytes:
        parts = [make(array) for make, array in zip(makers, batch.columns, strict=True)]
        widths = np.full(batch.num_rows, frame, np.int64)
        for part in parts:
            widths += np.where(part.lengths, part.lengths, len(nothing)) if len(nothing) else part.lengths
        out, at = room(widths)
        for part, (before, after) in zip(parts, frames, strict=True):
            put_framed(out, at, part.as_tuple(), (before, after, nothing))
        return out.tobytes()

    return encode


def room(widths: Places) -> tuple[Bytes, Places]:
    """Empty bytes for rows of these widths, and where each row begins."""
    ends = np.cumsum(widths)
    return np.empty(int(ends[-1]) if len(ends) else 0, np.uint8), ends - widths
