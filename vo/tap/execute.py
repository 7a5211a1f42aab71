"""A TAP query from its parameters to its bytes, the same for sync and async."""

from __future__ import annotations

from functools import partial

from vo.adql import translate
from vo.context import Context
from vo.dali import Params
from vo.delivery import Asked, deliver
from vo.tap.plan import way_to_a_job
from vo.tap.query import TapQuery
from vo.uploads import with_uploads
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, compile, query, write."""
    run.enter(Stage.PARSE)
    request = TapQuery.from_params(Params(run.job.parameters), context.config)
    with with_uploads(request.uploads, run, context) as database:
        asked = Asked(
            translate(request.query, database.catalog(), dialect=database.dialect, maxrec=request.maxrec),
            request.format,
            request.maxrec,
            query=request.query,
            standard_id="ivo://ivoa.net/std/TAP",
            way_out=partial(way_to_a_job, request, context.config),
        )
        return deliver(asked, run, context, database, sink)
