"""What every service does that answers with a table: from the statement to the bytes that are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from vo.config import Config
from vo.context import Context
from vo.dali import Params
from vo.db.base import Database
from vo.errors import TooCostlyError
from vo.formats import Format
from vo.result import Result, Statement
from vo.uws.job import SYNC_LANE, JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.document import Notes

RESULT_ID = "result"
"""The id of the one result (TAP 1.1, 2.2)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A table as a client wants it; no row is asked for where `maxrec` is 0.

    `query`, `standard_id` and `resources` are those of `Notes`; `way_out` says what to do when it is too
    costly to wait for.
    """

    statement: Statement
    format: Format
    maxrec: int
    query: str
    standard_id: str
    way_out: Callable[[], str]
    resources: tuple[str, ...] = ()


def maxrec_of(params: Params, config: Config) -> int:
    """The rows that may be sent: MAXREC, within the limits of the service (DALI 1.1, 3.4.4)."""
    asked = params.integer("MAXREC", minimum=0)
    return config.maxrec_default if asked is None else min(asked, config.maxrec_limit)


def deliver(
    asked: Asked, run: Run, context: Context, database: Database, sink: Sink
) -> tuple[JobResult, ...]:
    """Query and write; a client that waits is refused what costs too much."""
    run.note(sql=asked.statement.sql)
    if run.job.lane == SYNC_LANE and asked.maxrec:
        _refuse_costly(asked, database, context.config)
    run.enter(Stage.EXECUTE)
    with _result(asked, run, database) as result:
        result.byte_limit = context.config.output_bytes or None
        run.enter(Stage.WRITE)
        run.reach_first_row()
        run.count(lambda: result.rows)
        delivered = sink.deliver(
            JobResult(RESULT_ID, f"{RESULT_ID}.{asked.format.extension}", asked.format.media_type),
            asked.format.write(result, _notes(asked, run, context)),
            tells_errors=asked.format.tells_errors,
        )
    run.note(bytes=delivered.size, overflow=result.overflow)
    return (delivered,)


def _refuse_costly(asked: Asked, database: Database, config: Config) -> None:
    """TooCostlyError when the statement would read more rows than a client should wait for.

    The database is asked only where the tables are large enough for it to matter.
    """
    limit, statement = config.sync_scan_limit, asked.statement
    if not limit or sum(scan.table.nrows or limit for scan in statement.scans) <= limit:
        return
    rows = database.rows_read(statement)
    if rows is not None and rows > limit:
        raise TooCostlyError(
            f"The query would read about {rows:,} rows, and a sync query may read {limit:,}.",
            hint=asked.way_out(),
        )


def _result(asked: Asked, run: Run, database: Database) -> Result:
    """The rows; none are asked for when MAXREC is 0, where the metadata are the answer (TAP 1.1, 2.7.4)."""
    if asked.maxrec == 0:
        result = Result(asked.statement.columns, _no_rows())
        result.overflow = True
        return result
    return database.stream(asked.statement, maxrec=asked.maxrec, on_start=run.on_start)


def _no_rows() -> Iterator[pa.RecordBatch]:
    yield from ()


def _notes(asked: Asked, run: Run, context: Context) -> Notes:
    return Notes(
        query=asked.query,
        title=context.config.title,
        standard_id=asked.standard_id,
        requested=run.job.created,
        extra=(("job", run.job.id),),
        resources=asked.resources,
    )
