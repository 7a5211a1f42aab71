"""What a column of a file is, as VOTable would declare it, told by the values it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from vo.catalog import Column
from vo.tablefiles.cast import BrokenValueError, converted

_TIME = Column("", "char", "*", xtype="timestamp")
_TEXT = Column("", "unicodeChar", "*")

_FROM_TEXT = (Column("", "long"), Column("", "double"), Column("", "boolean"), _TIME, _TEXT)
"""What a text may really be, the narrowest first; the last takes every text."""

_FROM_TYPE: Sequence[tuple[Any, Column]] = (
    (pt.is_boolean, Column("", "boolean")),
    (pt.is_uint8, Column("", "unsignedByte")),
    (lambda kind: pt.is_integer(kind) and kind.bit_width < 16, Column("", "short")),  # noqa: PLR2004
    (pt.is_int16, Column("", "short")),
    (lambda kind: pt.is_int32(kind) or pt.is_uint16(kind), Column("", "int")),
    (pt.is_integer, Column("", "long")),
    (lambda kind: pt.is_float16(kind) or pt.is_float32(kind), Column("", "float")),
    (lambda kind: pt.is_floating(kind) or pt.is_decimal(kind), Column("", "double")),
    (pt.is_temporal, _TIME),
    (lambda kind: pt.is_binary(kind) or pt.is_large_binary(kind), Column("", "unsignedByte", "*")),
)

_FEW = 100


def inferred(name: str, values: pa.Array) -> Column:
    """The column of that name that can hold `values`; of texts, the narrowest type that they all fit."""
    kind = values.type
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        size = str(kind.list_size) if pt.is_fixed_size_list(kind) else "*"
        return replace(inferred(name, pa.nulls(0, kind.value_type)), arraysize=size)
    if pt.is_dictionary(kind):
        return inferred(name, pa.nulls(0, kind.value_type))
    found = next((column for matches, column in _FROM_TYPE if matches(kind)), None)
    if found is None:
        choice = _FROM_TEXT if values.null_count < len(values) else (_TEXT,)
        found = next(column for column in choice if _fits(values, column))
    return replace(found, name=name)


def _fits(values: pa.Array, column: Column) -> bool:
    """Whether all values fit; the first few tell of most types that they do not."""
    try:
        for some in (values[:_FEW], values):
            converted(some, column)
    except BrokenValueError:
        return False
    return True
