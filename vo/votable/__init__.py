"""VOTable 1.4: documents written from, and read into, Arrow batches."""

from __future__ import annotations

import io
from typing import get_args

import pyarrow as pa

from vo.catalog import Column, Datatype, arrow_schema
from vo.votable.binary import BINARY2
from vo.votable.document import Notes, head, plain_fields, tail
from vo.votable.reader import read_votable
from vo.votable.tabledata import TABLEDATA


def warm_up() -> None:
    """Compile, or load from the cache, all loops: ten seconds after a fresh install, later half of one."""
    columns = tuple(Column(name, name, size) for name in get_args(Datatype) for size in (None, "*"))
    schema = arrow_schema(columns)
    nothing = [pa.nulls(1, field.type) for field in schema]
    batch = pa.RecordBatch.from_arrays(nothing, schema=schema)
    for serialisation in (BINARY2, TABLEDATA):
        rows = serialisation.stream([serialisation.encoder(columns)(batch)])
        document = (
            head(plain_fields(columns), Notes(), serialisation.opening),
            *rows,
            tail(serialisation.closing),
        )
        for _ in read_votable(io.BytesIO(b"".join(document)))[1]:
            pass
