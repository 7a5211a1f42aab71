"""Cells that a scanner found become Arrow columns: the inverse of writing, a column at a time."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.catalog import Column
from vo.errors import VOError
from vo.votable.arrays import Mask, is_list, numpy_type
from vo.votable.binary import fixed_count
from vo.votable.heading import Field
from vo.votable.kernels import Bytes, Places
from vo.votable.tokens import MARKUP, gathered, until_nul

_WORDS = pa.array(["t", "true", "1", "f", "false", "0", "?", ""])
_FIRST_FALSE, _FIRST_NULL = 3, 6
# & comes last: what it makes is no reference any more.
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_MARKUP = re.compile(r"<!\[CDATA\[(.*?)\]\]>|<!--.*?-->|<\?.*?\?>|&(#?\w+);", re.DOTALL)


class CellError(VOError):
    """A cell that is not what its FIELD says; `row` counts from 0 within what was decoded."""

    status = 400
    code = "UsageFault"

    def __init__(self, column: Column, row: int, value: object) -> None:
        super().__init__(f"column {column.name}: {str(value)[:60]!r} is no {column.xtype or column.datatype}")
        self.row = row


def from_text(field: Field, data: Bytes, starts: Places, lengths: Places, kinds: Bytes) -> pa.Array:
    """A column of TABLEDATA; an empty TD is NULL (VOTable 1.4, 5.1)."""
    text = _strings(field.column, gathered(data, starts, lengths), lengths, lengths == 0)
    if kinds.any():
        text = _resolved(field.column, text, kinds)
    kind = field.column.arrow_type()
    if pa.types.is_string(kind):
        return text
    if is_list(kind):
        return _lists_of_text(field, text)
    return _with_null(field, _parsed(field.column, text, kind))


def _strings(column: Column, data: Bytes, lengths: Places, nulls: Mask) -> pa.StringArray:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    text = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid as error:
        rows = (row for row in range(len(lengths)) if not _is_utf8(data[offsets[row] : offsets[row + 1]]))
        row = next(rows, 0)
        raise CellError(column, row, data[offsets[row] : offsets[row + 1]].tobytes()) from error
    return pc.if_else(pa.array(nulls), pa.scalar(None, pa.string()), text) if nulls.any() else text


def _is_utf8(data: Bytes) -> bool:
    try:
        data.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def _resolved(column: Column, text: pa.StringArray, kinds: Bytes) -> pa.StringArray:
    """The characters that references, CDATA sections and comments stand for."""
    named = sum(_count(text, reference) for reference in _ENTITIES)
    if (kinds & MARKUP).any() or named < _count(text, "&"):
        cells = text.to_pylist()
        for row in np.flatnonzero(kinds).tolist():
            try:
                cells[row] = _MARKUP.sub(_character, cells[row])
            except (KeyError, ValueError, OverflowError) as error:
                raise CellError(column, row, cells[row]) from error
        return pa.array(cells, pa.string())
    for reference, character in _ENTITIES.items():
        text = pc.replace_substring(text, reference, character)
    return text


def _count(text: pa.StringArray, piece: str) -> int:
    return pc.sum(pc.count_substring(text, piece)).as_py() or 0


def _character(found: re.Match[str]) -> str:
    literal, reference = found.groups()
    if reference is None:
        return literal or ""
    if not reference.startswith("#"):
        return _ENTITIES[f"&{reference};"]
    digits = reference.removeprefix("#")
    return chr(int(f"0{digits}", 0) if digits.startswith("x") else int(digits))


def _parsed(column: Column, text: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Text as scalars; forms that Arrow does not take are mended first, if there are any."""
    if pa.types.is_boolean(kind):
        return _booleans(column, text)
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        mended = pc.ascii_trim_whitespace(text)
        mended = pc.if_else(pc.equal(mended, ""), pa.scalar(None, pa.string()), mended)
    for pattern, replacement in _MENDED["time" if pa.types.is_timestamp(kind) else "number"]:
        mended = pc.replace_substring_regex(mended, pattern, replacement)
    try:
        return mended.cast(kind)
    except pa.ArrowInvalid as error:
        row = _first_bad(mended, kind)
        raise CellError(column, row, text[row].as_py()) from error


_MENDED = {
    "number": ((r"^\+", ""),),
    # Arrow knows no zone here, and DALI no other than UTC; finer than microseconds is not kept.
    "time": ((r"Z$", ""), (r"(\.\d{6})\d+$", r"\1")),
}


def _first_bad(text: pa.StringArray, kind: pa.DataType) -> int:
    """The first row that cannot be cast, by halves."""
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            text.slice(low, middle - low).cast(kind)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _booleans(column: Column, text: pa.StringArray) -> pa.Array:
    """T, true, 1 and F, false, 0 in any case; ? and blank are NULL (VOTable 1.4, 6)."""
    index = pc.index_in(pc.utf8_lower(pc.ascii_trim_whitespace(text)), value_set=_WORDS)
    unknown = pc.and_(pc.is_null(index), pc.is_valid(text)).to_numpy(zero_copy_only=False)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise CellError(column, row, text[row].as_py())
    index = pc.if_else(pc.greater_equal(index, _FIRST_NULL), pa.scalar(None, pa.int32()), index)
    return pc.less(index, _FIRST_FALSE)


def _with_null(field: Field, array: pa.Array) -> pa.Array:
    """The column with the value that VALUES declares for NULL taken out."""
    if field.null is None or not field.column.is_numeric:
        return array
    try:
        null = pa.array([field.null.strip()]).cast(array.type)[0]
    except pa.ArrowInvalid:  # a value that the type cannot have is in no cell
        return array
    return pc.if_else(
        pc.fill_null(pc.equal(array, null), pa.scalar(value=False)), pa.scalar(None, array.type), array
    )


def _lists_of_text(field: Field, text: pa.StringArray) -> pa.Array:
    words = pc.utf8_split_whitespace(pc.ascii_trim_whitespace(text))
    nulls = text.is_null().to_numpy(zero_copy_only=False)
    counts = pc.list_value_length(words).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    kind = field.column.arrow_type().value_type
    try:
        flat = _parsed(field.column, words.flatten(), kind)
    except CellError as error:
        row = int(np.searchsorted(np.cumsum(counts), error.row, side="right"))
        raise CellError(field.column, row, text[row].as_py()) from error
    return _lists(field.column, flat, counts, nulls)


def _lists(column: Column, flat: pa.Array, counts: Places, nulls: Mask) -> pa.Array:
    """Arrays from their elements, none of which belong to a NULL row."""
    count, kind = fixed_count(column), column.arrow_type()
    wrong = (counts != count) & ~nulls if count is not None else np.zeros(0, np.bool_)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise CellError(column, row, f"an array of {counts[row]} elements, not {count}")
    missing = pa.array(nulls) if nulls.any() else None
    if not pa.types.is_fixed_size_list(kind):
        offsets = np.zeros(len(counts) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        return pa.ListArray.from_arrays(pa.array(offsets), flat, type=kind, mask=missing)
    if missing is not None:  # every row has its place in the values, NULL or not
        places = np.zeros((len(counts), kind.list_size), np.int64)
        places[~nulls] = np.arange(len(flat)).reshape(-1, kind.list_size)
        flat = flat.take(pa.array(places.ravel())) if len(flat) else pa.nulls(places.size, kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind, mask=missing)


def from_binary(field: Field, data: Bytes, starts: Places, lengths: Places, nulls: Mask | None) -> pa.Array:
    """A column of BINARY2 with its null flags, or of BINARY, which has none: there empty is NULL."""
    column = field.column
    kind = column.arrow_type()
    if column.is_string:
        text = _binary_text(column, data, starts, lengths, nulls)
        return text if pa.types.is_string(kind) else _parsed(column, text, kind)
    counted = is_list(kind) and fixed_count(column) is None
    missing = (lengths == 0 if counted else np.zeros(len(starts), np.bool_)) if nulls is None else nulls
    if is_list(kind):
        lengths = np.where(missing, 0, lengths)
        scalars = _scalars(column, gathered(data, starts, lengths), kind.value_type)
        return _lists(column, scalars, lengths // element_size(field), missing)
    cells = gathered(data, starts, lengths)
    # The one bit should be the highest (VOTable 1.4, 6), but writers differ.
    flat = pa.array(cells != 0) if field.is_bit else _scalars(column, cells, kind)
    if missing.any():
        flat = pc.if_else(pa.array(missing), pa.scalar(None, kind), flat)
    return _with_null(field, flat) if nulls is None else flat


def _binary_text(
    column: Column, data: Bytes, starts: Places, lengths: Places, nulls: Mask | None
) -> pa.Array:
    unit = 2 if column.datatype == "unicodeChar" else 1
    lengths = until_nul(data, starts, lengths, unit)
    missing = lengths == 0 if nulls is None else nulls
    text = gathered(data, starts, lengths)
    if unit == 2:  # noqa: PLR2004  UTF-16
        text, lengths = _utf8(column, text, lengths)
    return _strings(column, text, lengths, missing)


_SURROGATE, _LOW_SURROGATE, _AFTER_SURROGATES = 0xD800, 0xDC00, 0xE000


def _utf8(column: Column, data: Bytes, lengths: Places) -> tuple[Bytes, Places]:
    """UTF-16 as UTF-8, and the lengths of the texts in it."""
    units = data.view(">u2")
    sizes = np.searchsorted((0x80, 0x800), units, side="right") + 1
    pair = (units >= _SURROGATE) & (units < _AFTER_SURROGATES)
    sizes[pair] = np.where(units[pair] < _LOW_SURROGATE, 4, 0)
    ends = np.concatenate(([0], np.cumsum(sizes)))[np.concatenate(([0], np.cumsum(lengths // 2)))]
    try:
        text = data.tobytes().decode("utf-16-be").encode()
    except UnicodeDecodeError as error:
        row = int(np.searchsorted(np.cumsum(lengths), error.start, side="right"))
        raise CellError(column, row, "a lone surrogate") from error
    return np.frombuffer(text, np.uint8), np.diff(ends)


def _scalars(column: Column, data: Bytes, kind: pa.DataType) -> pa.Array:
    """Values, the high byte first; booleans as letters (VOTable 1.4, 6)."""
    if not pa.types.is_boolean(kind):
        native = numpy_type(kind)
        return pa.array(data.view(native.newbyteorder(">")).astype(native), kind)
    codes = _LETTERS[data]
    if (codes == _UNKNOWN).any():
        row = int(np.argmax(codes == _UNKNOWN))
        raise CellError(column, row, bytes([data[row]]))
    return pa.array(codes == _TRUE, mask=codes == _NULL)


_UNKNOWN, _FALSE, _TRUE, _NULL = range(4)
_LETTERS: NDArray[np.uint8] = np.zeros(256, np.uint8)
_LETTERS[list(b"Ff0")] = _FALSE
_LETTERS[list(b"Tt1")] = _TRUE
_LETTERS[list(b"? \0")] = _NULL


def element_size(field: Field) -> int:
    """The bytes of one element in binary rows."""
    if field.column.is_string:
        return 2 if field.column.datatype == "unicodeChar" else 1
    kind = field.column.arrow_type()
    return int(numpy_type(kind.value_type if is_list(kind) else kind).itemsize)
