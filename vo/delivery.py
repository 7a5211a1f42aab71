"""What every service does that answers with a table: from the statement to the bytes that are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from vo.config import Config
from vo.context import Context
from vo.dali import Params
from vo.db.base import Database
from vo.errors import TooCostlyError
from vo.formats import Format
from vo.images.services import services_for
from vo.result import Recast, Result, Statement
from vo.uws.job import SYNC_LANE, JobResult
from vo.uws.outcome import outcome_link
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink, no_headers
from vo.votable.document import Notes

RESULT_ID = "result"
"""The id of the one result (TAP 1.1, 2.2)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A table as a client wants it; no row is asked for where `maxrec` is 0.

    `query`, `standard_id`, `params` and `resources` are those of `Notes`; `way_out` says what to do when it
    is too costly to wait for; `recast` makes the rows of the statement into those that are sent.
    """

    statement: Statement
    format: Format
    maxrec: int
    query: str
    standard_id: str
    way_out: Callable[[], str]
    params: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    recast: Recast | None = None


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
        refuse_costly(asked.statement, database, context.config, asked.way_out)
    run.enter(Stage.EXECUTE)
    with _result(asked, run, database) as result:
        return send(result, asked.format, _notes(asked, result, run, context), run, sink, context.config)


def send(
    result: Result, form: Format, notes: Notes, run: Run, sink: Sink, config: Config
) -> tuple[JobResult, ...]:
    """Write rows whose first are there."""
    result.byte_limit = config.output_bytes or None
    run.enter(Stage.WRITE)
    run.reach_first_row()
    run.count(lambda: result.rows)
    blocks = form.write(result, notes)
    delivered = sink.deliver(
        JobResult(RESULT_ID, f"{RESULT_ID}.{form.extension}", form.media_type),
        blocks if form.tells_overflow else _one_behind(blocks),
        tells_errors=form.tells_errors,
        headers=no_headers if form.tells_overflow else partial(_cut_headers, result, run, config),
    )
    run.note(bytes=delivered.size, overflow=result.overflow)
    return (delivered,)


def _one_behind(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Each block when the next is made: the first of a small result comes when all its rows are known."""
    waiting: bytes | None = None
    for block in blocks:
        if waiting is not None:
            yield waiting
        waiting = block
    if waiting is not None:
        yield waiting


def _cut_headers(result: Result, run: Run, config: Config) -> Mapping[str, str]:
    """Whether rows are missing, for a format that has no place to say so.

    A large result cannot know yet: what became of it is told afterwards, elsewhere.
    """
    told = {"vo-maxrec": str(result.maxrec or 0)}
    if result.overflow or result.is_over:
        return told | {"vo-overflow": str(result.overflow).lower()}
    return told | {"vo-overflow": "unknown", "link": outcome_link(config.public_url, run.job.id)}


def refuse_costly(
    statement: Statement, database: Database, config: Config, way_out: Callable[[], str]
) -> None:
    """TooCostlyError when the statement would read more rows than a client should wait for.

    The database is asked only where the tables are large enough for it to matter.
    """
    limit = config.sync_scan_limit
    if not limit or sum(scan.table.nrows or limit for scan in statement.scans) <= limit:
        return
    rows = database.rows_read(statement)
    if rows is not None and rows > limit:
        raise TooCostlyError(
            f"The query would read about {rows:,} rows, and a sync query may read {limit:,}.",
            hint=way_out(),
        )


def _result(asked: Asked, run: Run, database: Database) -> Result:
    """The rows; none are asked for when MAXREC is 0, where the metadata are the answer (TAP 1.1, 2.7.4)."""
    if asked.maxrec == 0:
        result = Result(asked.statement.columns, _no_rows())
        result.overflow = True
    else:
        result = database.stream(asked.statement, maxrec=asked.maxrec, on_start=run.on_start)
    if asked.recast is not None:
        result.recast(asked.recast)
    return result


def _no_rows() -> Iterator[pa.RecordBatch]:
    yield from ()


def _notes(asked: Asked, result: Result, run: Run, context: Context) -> Notes:
    """What is said of the result; images in it lead to their links and cutouts (DataLink 1.1, 4)."""
    referred, services = services_for(result.columns, context.config.public_url)
    return Notes(
        query=asked.query,
        title=context.config.title,
        standard_id=asked.standard_id,
        requested=run.job.created,
        origin=context.database.catalog().origin(scan.table.schema for scan in asked.statement.scans),
        extra=(("job", run.job.id),),
        params=asked.params,
        resources=(*asked.resources, *services),
        referred=referred,
    )
