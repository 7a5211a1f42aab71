"""An image query from its parameters to its bytes."""

from __future__ import annotations

import pyarrow as pa

from vo.config import Config
from vo.context import Context
from vo.dali import Params
from vo.delivery import Asked, deliver
from vo.result import Recast
from vo.sia.statement import statement_of
from vo.sia.v1.fields import as_reply
from vo.sia.v1.pictures import with_pictures
from vo.sia.v1.published import obscore_of
from vo.sia.v1.query import IMAGE_FORMAT, INPUTS, ImageQuery
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.descriptor import input_param

QUERY_PATH = "/sia/v1/query"
"""The resource that searches."""

STANDARD_ID = "ivo://ivoa.net/std/SIA"
"""The identifier of what it does (SimpleDALRegExt 1.1, 3.2)."""


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, compile, query, write; a metadata query is answered by parameters, not rows (SIA 1.0, 7.1)."""
    run.enter(Stage.PARSE)
    database = context.database
    query = ImageQuery.from_params(Params(run.job.parameters), obscore_of(database.catalog()), context.config)
    asked = Asked(
        statement_of(query.adql, database, query.maxrec),
        query.format,
        query.maxrec,
        query=query.adql,
        standard_id=STANDARD_ID,
        way_out=lambda: "Send a smaller SIZE.",
        params=() if query.region else tuple(map(input_param, INPUTS)),
        recast=_recast(query, context.config),
    )
    return deliver(asked, run, context, database, sink)


def _recast(query: ImageQuery, config: Config) -> Recast:
    """The reply made of the rows of obscore."""

    def reply(batch: pa.RecordBatch) -> pa.RecordBatch:
        stored = dict(zip((*query.names, IMAGE_FORMAT), batch.columns, strict=True))
        told = query.service_type.told(stored, query.region, config)
        return as_reply(query.fields, {**stored, **with_pictures(stored, told)})

    return Recast(tuple(field.column for field in query.fields), reply)
