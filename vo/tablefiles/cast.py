"""Values of a data file made values of a published column: whole columns at once, nothing cut or guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from vo.catalog import Column

_EXACT_IN_DOUBLE = 2**53


class BrokenValueError(ValueError):
    """The value at `index` of an array does not fit its column, for the `reason` given."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


def converted(array: pa.Array, column: Column) -> pa.Array:
    """`array` in the Arrow type of `column`; the first value that has no equal there is a BrokenValueError.

    NaN becomes NULL where the column is of whole numbers; doubles are rounded to a float column.
    """
    target = column.arrow_type()
    if array.type.equals(target):
        return array
    try:
        return _cast(array, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        index = _first_broken(array, target)
        raise BrokenValueError(index, f"is not {_described(column)}") from error


def _described(column: Column) -> str:
    if column.xtype == "timestamp":
        return "a timestamp (ISO 8601, at most microseconds)"
    kind = {"unsignedByte": "byte (0 to 255)", "char": "text", "unicodeChar": "text"}.get(
        column.datatype, column.datatype
    )
    shape = "" if column.arraysize is None or column.is_string else f" array of size {column.arraysize}"
    return f"{'an' if kind.startswith('int') else 'a'} {kind}{shape}"


def _first_broken(array: pa.Array, target: pa.DataType) -> int:
    """The index of the first value that does not cast, by halving the array."""
    start, stop = 0, len(array)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            _cast(array.slice(start, middle - start), target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            stop = middle
        else:
            start = middle
    return start


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    array = _plain(array)
    source = array.type
    if pt.is_null(source) or source.equals(target):
        return array.cast(target)
    if pt.is_list(source) or pt.is_fixed_size_list(source):
        return _cast_list(array, target)
    for matches, cast in _CASTS.items():
        if matches(target):
            return cast(array, target)
    return array.cast(target)


def _plain(array: pa.Array) -> pa.Array:
    """The array without encodings that not every kernel knows."""
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pt.is_large_string(array.type) or pt.is_string_view(array.type):
        return array.cast(pa.string())
    if pt.is_large_list(array.type):
        return array.cast(pa.list_(array.type.value_type))
    return array


def _cast_integer(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pt.is_string(array.type):
        try:
            return array.cast(target)
        except pa.ArrowInvalid:
            array = array.cast(pa.float64())  # "31.0", as tables with gaps are often written
    if pt.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
        if pc.any(pc.greater(pc.abs(array), _EXACT_IN_DOUBLE)).as_py():
            raise pa.ArrowInvalid("A double of this size stands for several whole numbers.")
    return array.cast(target)


def _cast_floating(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pt.is_temporal(array.type):
        raise pa.ArrowInvalid("A time is no number.")
    wide = array.cast(pa.float64())
    narrow = wide.cast(target)
    # Arrow's cast makes an overflow infinite without a word.
    if pc.any(pc.and_(pc.is_inf(narrow), pc.is_finite(wide))).as_py():
        raise pa.ArrowInvalid("The number is too large.")
    return narrow


def _cast_boolean(array: pa.Array, target: pa.DataType) -> pa.Array:
    result = array.cast(target)
    if pt.is_integer(array.type) or pt.is_floating(array.type):
        array.cast(pa.uint8())  # NaN and fractions are no booleans
        if pc.any(pc.not_equal(array, result.cast(array.type))).as_py():
            raise pa.ArrowInvalid("Only 0 and 1 are booleans.")
    return result


def _cast_timestamp(array: pa.Array, target: pa.DataType) -> pa.Array:
    utc = pa.timestamp("us", "UTC")
    if pt.is_string(array.type):
        zoned = pc.match_substring_regex(array, r"(?:[Zz]|:\d\d[+-]\d\d:?\d\d)$")
        plain = pc.if_else(zoned, None, array).cast(target)
        return pc.if_else(zoned, pc.if_else(zoned, array, None).cast(utc).cast(target), plain)
    if pt.is_timestamp(array.type) and array.type.tz is not None:
        return array.cast(utc).cast(target)
    if not pt.is_temporal(array.type):
        raise pa.ArrowInvalid("A number is no time.")
    return array.cast(target)


def _cast_bytes(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Bytes as a list of bytes, which VOTable has instead; text is refused, as its encoding is not ours."""
    if not (pt.is_binary(array.type) or pt.is_large_binary(array.type)):
        raise pa.ArrowInvalid("A single value is no array.")
    array = array.cast(pa.binary())
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, np.int32)[array.offset : array.offset + len(array) + 1]
    values = pa.Array.from_buffers(pa.uint8(), 0 if data is None else data.size, [None, data])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=array.is_null()).cast(target)


def _cast_list(array: pa.Array, target: pa.DataType) -> pa.Array:
    if not (pt.is_list(target) or pt.is_fixed_size_list(target)):
        raise pa.ArrowInvalid("An array is no single value.")
    if pt.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    offsets = array.offsets.to_numpy()
    values = _cast(array.values.slice(offsets[0], offsets[-1] - offsets[0]), target.value_type)
    lists = pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), values, mask=array.is_null())
    return lists.cast(target)


_CASTS: Mapping[Callable[[pa.DataType], bool], Callable[[pa.Array, pa.DataType], pa.Array]] = {
    pt.is_integer: _cast_integer,
    pt.is_floating: _cast_floating,
    pt.is_boolean: _cast_boolean,
    pt.is_timestamp: _cast_timestamp,
    pt.is_nested: _cast_bytes,
}
"""How each class of target types is reached where Arrow's own cast is too kind."""
