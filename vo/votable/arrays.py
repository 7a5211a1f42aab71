"""What lies in Arrow's buffers, as NumPy sees it, without a copy and without its compute functions.

Results come in small pieces of many columns, where the fixed cost of a call counts more than its work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vo.votable.kernels import Nulls

Mask = NDArray[np.bool_]
NO_NULLS: Nulls = (0, 0)


def validity(array: pa.Array) -> Nulls:
    """Where the validity bits are, for compiled loops."""
    bits = array.buffers()[0]
    return (bits.address, array.offset) if array.null_count and bits is not None else NO_NULLS


def is_null(array: pa.Array) -> Mask:
    """The mask of NULLs; a NaN is a value."""
    bits = array.buffers()[0]
    if not array.null_count or bits is None:
        return np.zeros(len(array), np.bool_)
    return ~_bits(bits, array)


def numpy_type(kind: pa.DataType) -> np.dtype[Any]:
    """The NumPy type of a scalar of Arrow; that of times counts their microseconds."""
    return np.dtype(np.int64) if pa.types.is_timestamp(kind) else np.dtype(kind.to_pandas_dtype())


def values(array: pa.Array, kind: np.dtype[Any]) -> NDArray[Any]:
    """The scalars of a column, whose `numpy_type` is `kind`; what stands under a NULL is anything."""
    data = array.buffers()[1]
    if kind == np.bool_:
        return _bits(data, array)
    return np.frombuffer(data, kind, len(array), array.offset * kind.itemsize)


def is_list(kind: pa.DataType) -> bool:
    """Whether the values are arrays, of one size or of many."""
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))


def bounds(array: pa.StringArray) -> NDArray[np.int32]:
    """Where in the data each text begins, and behind the last where it ends."""
    return np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)


def _bits(data: pa.Buffer, array: pa.Array) -> Mask:
    first = array.offset // 8
    used = np.frombuffer(data, np.uint8, (array.offset + len(array) + 7) // 8 - first, first)
    skip = array.offset - first * 8
    return np.unpackbits(used, bitorder="little")[skip : skip + len(array)].view(np.bool_)
