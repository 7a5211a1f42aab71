"""A TAP query from its parameters to its bytes, the same for sync and async."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from vo.adql import translate
from vo.context import Context
from vo.dali import Params
from vo.db.base import Database
from vo.result import Result, Statement
from vo.tap.plan import refuse_costly
from vo.tap.query import TapQuery
from vo.tap.upload import with_uploads
from vo.uws.job import SYNC_LANE, JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.document import Notes

RESULT_ID = "result"
"""The id of the one result (TAP 1.1, 2.2)."""


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, compile, query, write."""
    run.enter(Stage.PARSE)
    request = TapQuery.from_params(Params(run.job.parameters), context.config)
    with with_uploads(request.uploads, run, context) as database:
        return _answer(request, run, context, database, sink)


def _answer(
    request: TapQuery, run: Run, context: Context, database: Database, sink: Sink
) -> tuple[JobResult, ...]:
    statement = translate(request.query, database.catalog(), dialect=database.dialect, maxrec=request.maxrec)
    run.note(sql=statement.sql)
    if run.job.lane == SYNC_LANE and request.maxrec:
        refuse_costly(statement, request, database, context.config)
    run.enter(Stage.EXECUTE)
    with _result(statement, request, run, database) as result:
        result.byte_limit = context.config.output_bytes or None
        run.enter(Stage.WRITE)
        run.reach_first_row()
        run.count(lambda: result.rows)
        delivered = sink.deliver(
            JobResult(RESULT_ID, f"{RESULT_ID}.{request.format.extension}", request.format.media_type),
            request.format.write(result, _notes(request, run, context)),
            tells_errors=request.format.tells_errors,
        )
    run.note(bytes=delivered.size, overflow=result.overflow)
    return (delivered,)


def _result(statement: Statement, request: TapQuery, run: Run, database: Database) -> Result:
    """The rows; none are asked for when MAXREC is 0, where the metadata are the answer (TAP 1.1, 2.7.4)."""
    if request.maxrec == 0:
        result = Result(statement.columns, _no_rows())
        result.overflow = True
        return result
    return database.stream(statement, maxrec=request.maxrec, on_start=run.on_start)


def _no_rows() -> Iterator[pa.RecordBatch]:
    yield from ()


def _notes(request: TapQuery, run: Run, context: Context) -> Notes:
    return Notes(
        query=request.query,
        title=context.config.title,
        standard_id="ivo://ivoa.net/std/TAP",
        requested=run.job.created,
        extra=(("job", run.job.id),),
    )
