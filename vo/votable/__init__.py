"""VOTable 1.4: documents written from, and read into, Arrow batches."""

from __future__ import annotations

from typing import get_args

import pyarrow as pa

from vo.catalog import Column, Datatype, arrow_schema
from vo.votable.binary2 import BINARY2
from vo.votable.tabledata import TABLEDATA


def warm_up() -> None:
    """Compile, or load from the cache, all that writing needs: seconds after a fresh install, else little."""
    columns = tuple(Column(name, name, size) for name in get_args(Datatype) for size in (None, "*"))
    schema = arrow_schema(columns)
    nothing = [pa.nulls(1, field.type) for field in schema]
    batch = pa.RecordBatch.from_arrays(nothing, schema=schema)
    for serialisation in (BINARY2, TABLEDATA):
        serialisation.encoder(columns)(batch)
