"""Columns as Oracle gives them, and as the service publishes them: shapes are joined from their numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column, arrow_schema
from vo.errors import UsageError


def requested_schema(columns: Sequence[Column], widths: Sequence[int] = ()) -> pa.Schema:
    """The Arrow types to ask of the driver: the declared ones, but 64 bits for every integer and boolean.

    The driver's own choice for NUMBER(19) is a double, which loses digits; narrow integers it does not check.
    `widths` are those of a `Statement`. UsageError: a column holds arrays, which no scalar column of Oracle
    gives.
    """
    fields = []
    declared_fields = arrow_schema(columns)
    for column, declared, width in zip(columns, declared_fields, widths or [1] * len(columns), strict=True):
        if width > 1:
            numbers = (f"{declared.name}_{i}" for i in range(1, width + 1))
            fields += [pa.field(name, pa.float64()) for name in numbers]
            continue
        if pa.types.is_nested(declared.type):
            raise UsageError(f"The column {column.name} holds arrays, which cannot be read from Oracle.")
        whole = pa.types.is_integer(declared.type) or pa.types.is_boolean(declared.type)
        fields.append(pa.field(declared.name, pa.int64() if whole else declared.type))
    return pa.schema(fields)


def joined(batch: pa.RecordBatch, columns: Sequence[Column], widths: Sequence[int]) -> pa.RecordBatch:
    """The batch with each shape in one column; one without any number is NULL.

    >>> numbers = pa.record_batch({"c1_1": [1.0, None], "c1_2": [2.0, None]})
    >>> joined(numbers, [Column("p", "double", "2", xtype="point")], [2]).column(0).to_pylist()
    [[1.0, 2.0], None]
    """
    arrays, start = [], 0
    for column, width in zip(columns, widths, strict=True):
        found = batch.columns[start : start + width]
        arrays.append(_shape(found, column.arrow_type()) if width > 1 else found[0])
        start += width
    return pa.RecordBatch.from_arrays(arrays, [f"c{i}" for i in range(1, len(columns) + 1)])


def _shape(numbers: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    known = np.stack([each.is_valid().to_numpy(zero_copy_only=False) for each in numbers], axis=1)
    filled = [pc.fill_null(each, np.nan).to_numpy(zero_copy_only=False) for each in numbers]
    elements = pa.array(np.stack(filled, axis=1).ravel(), kind.value_type, mask=~known.ravel())
    missing = pa.array(~known.any(axis=1))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(elements, type=kind, mask=missing)
    bounds = pa.array(np.arange(len(known) + 1, dtype=np.int32) * len(numbers), pa.int32())
    return pa.ListArray.from_arrays(bounds, elements, type=kind, mask=missing)
