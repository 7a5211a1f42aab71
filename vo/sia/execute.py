"""An image search from its parameters to its bytes."""

from __future__ import annotations

from vo.context import Context
from vo.dali import Params
from vo.delivery import Asked, deliver
from vo.resources import check_images
from vo.sia.query import ImageSearch
from vo.sia.self_description import inputs
from vo.sia.statement import statement_of
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.descriptor import descriptor

QUERY_PATH = "/sia/v2/query"
"""The resource that searches."""

STANDARD_ID = "ivo://ivoa.net/std/SIA#query-2.0"
"""The identifier of what it does (SIA 2.0, 2.3)."""


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, compile, query, write; the service describes itself behind the rows (SIA 2.0, 3.1.2)."""
    run.enter(Stage.PARSE)
    database = context.database
    check_images(database.catalog())
    search = ImageSearch.from_params(Params(run.job.parameters), context.config)
    told = inputs(database, with_values=search.maxrec == 0)
    asked = Asked(
        statement_of(search.adql, database, search.maxrec),
        search.format,
        search.maxrec,
        query=search.adql,
        standard_id=STANDARD_ID,
        way_out=lambda: "Send a smaller POS.",
        resources=(descriptor("this", STANDARD_ID, context.config.public_url + QUERY_PATH, told),),
    )
    return deliver(asked, run, context, database, sink)
