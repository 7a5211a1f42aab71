"""A column as text: each value in the form of DALI 1.1 (3.3), whole columns at a time.

TABLEDATA, CSV and TSV differ only in what stands between the cells and in how text is quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column
from vo.errors import VOError
from vo.votable.kernels import Bytes, Places, frozen, put_framed

NO_BYTES: Bytes = np.empty(0, np.uint8)
_FIRST_YEAR, _END_YEAR = -62_167_219_200_000_000, 253_402_300_800_000_000
"""0000-01-01 and 10000-01-01 in microseconds since 1970: the years DALI 1.1 (3.3.3) can write."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A column of byte strings: cell i is `data[starts[i] : starts[i] + lengths[i]]`; NULL has length 0."""

    starts: Places
    lengths: Places
    data: Bytes

    def as_tuple(self) -> tuple[Places, Places, Bytes]:
        """The form that compiled loops take."""
        return self.starts, self.lengths, frozen(self.data)


def string_cells(array: pa.StringArray) -> Cells:
    """The cells of a column of text, without copying its data."""
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    lengths = np.diff(bounds)
    if array.null_count:  # the bytes under a NULL are anything
        lengths[is_null(array)] = 0
    return Cells(bounds[:-1], lengths, NO_BYTES if data is None else np.frombuffer(data, np.uint8))


def is_null(array: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The mask of NULLs; a NaN is a value."""
    return array.is_null().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def holds_any(array: pa.StringArray, special: Bytes) -> bool:
    """Whether any byte of the text is marked in the table `special` of 256 entries."""
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return False
    bounds = np.frombuffer(offsets, np.int32)
    used = np.frombuffer(data, np.uint8)[bounds[array.offset] : bounds[array.offset + len(array)]]
    return bool(special[used].any())


def as_text(column: Column, array: pa.Array) -> pa.StringArray:
    """The values in the forms of DALI 1.1 (3.3), unescaped; NULL stays NULL.

    Numbers are the shortest that read back the same; arrays are numbers with blanks between.
    """
    if pa.types.is_string(array.type):
        return array
    if pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        return _joined(column, array)
    if pa.types.is_timestamp(array.type):
        return timestamps(column, array)
    return _plain(array)


def timestamps(column: Column, array: pa.Array) -> pa.StringArray:
    """Times as YYYY-MM-DDThh:mm:ss with microseconds where there are any (DALI 1.1, 3.3.3)."""
    ticks = array.cast(pa.int64())
    inside = pc.and_(pc.greater_equal(ticks, _FIRST_YEAR), pc.less(ticks, _END_YEAR))
    if pc.all(inside).as_py() is False:
        raise VOError(f"Column {column.name} holds a time that has no year of four digits.")
    text = pc.utf8_replace_slice(array.cast(pa.string()), 10, 11, "T")
    return pc.if_else(pc.ends_with(text, ".000000"), pc.utf8_slice_codeunits(text, 0, 19), text)


def _plain(array: pa.Array) -> pa.StringArray:
    text = array.cast(pa.string())
    if not pa.types.is_floating(array.type):
        return text
    if pc.all(pc.is_finite(array)).as_py() is not False:
        return text
    # The special values as VOTable 1.4 (6) spells them.
    for mask, spelling in (
        (pc.is_nan(array), "NaN"),
        (pc.equal(array, pa.scalar(np.inf, array.type)), "+Inf"),
        (pc.equal(array, pa.scalar(-np.inf, array.type)), "-Inf"),
    ):
        text = pc.if_else(mask, spelling, text)
    return text


def _joined(column: Column, array: pa.Array) -> pa.StringArray:
    offsets, values = elements(column, array)
    texts = _plain(values)
    lists = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), texts)
    joined = pc.binary_join(lists, " ")
    return pc.if_else(array.is_null(), pa.scalar(None, pa.string()), joined) if array.null_count else joined


def elements(column: Column, array: pa.Array) -> tuple[Places, pa.Array]:
    """The elements of a column of arrays, those of NULL rows left out, and the bounds of each row.

    A NULL within an array is NaN; integers have no such value, so there it is an error.
    """
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    values = array.flatten()
    if values.null_count:
        if not pa.types.is_floating(values.type):
            raise VOError(f"Column {column.name} holds an array with a NULL inside, which has no text form.")
        values = values.fill_null(np.nan)
    bounds = np.zeros(len(array) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds, values


def framed_rows(
    columns: Sequence[Column],
    batch: pa.RecordBatch,
    frames: Sequence[tuple[Bytes, Bytes]],
    escaped: Callable[[pa.StringArray], pa.StringArray],
) -> bytes:
    """The rows of `batch` as text; `frames` are the bytes before and after each column's cells.

    `escaped` is applied to columns of text, numbers need none.
    """
    parts = []
    for column, array in zip(columns, batch.columns, strict=True):
        text = as_text(column, array)
        parts.append(string_cells(escaped(text) if pa.types.is_string(array.type) else text))
    widths = np.full(batch.num_rows, sum(len(before) + len(after) for before, after in frames), np.int64)
    for cells in parts:
        widths += cells.lengths
    out, at = room(widths)
    for cells, (before, after) in zip(parts, frames, strict=True):
        put_framed(out, at, cells.as_tuple(), before, after)
    return out.tobytes()


def room(widths: Places) -> tuple[Bytes, Places]:
    """Empty bytes for rows of these widths, and where each row begins."""
    ends = np.cumsum(widths)
    return np.empty(int(ends[-1]) if len(ends) else 0, np.uint8), ends - widths


def raw(text: str) -> Bytes:
    """The UTF-8 bytes of `text` as an array."""
    return np.frombuffer(text.encode(), np.uint8)
