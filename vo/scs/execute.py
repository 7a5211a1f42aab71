"""A cone search from its parameters to its bytes."""

from __future__ import annotations

from dataclasses import replace

from vo.adql import translate
from vo.context import Context
from vo.dali import Params
from vo.delivery import Asked, deliver
from vo.result import Statement
from vo.scs.columns import selected
from vo.scs.query import TABLE, ConeSearch, table_named
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, compile, query, write."""
    run.enter(Stage.PARSE)
    params, database = Params(run.job.parameters), context.database
    table = table_named(params.single(TABLE) or "", database.catalog())
    search = ConeSearch.from_params(params, table, context.config)
    statement = translate(search.adql, database.catalog(), dialect=database.dialect, maxrec=search.maxrec)
    asked = Asked(
        _as_cone_search(statement, search),
        search.format,
        search.maxrec,
        query=search.adql,
        standard_id="ivo://ivoa.net/std/ConeSearch",
        way_out=lambda: "Send a smaller SR.",
    )
    return deliver(asked, run, context, database, sink)


def _as_cone_search(statement: Statement, search: ConeSearch) -> Statement:
    """The same statement, its columns described as SCS 1.03 (2) asks: by UCDs of the first generation."""
    columns = (
        replace(made, datatype=wanted.datatype, ucd=wanted.ucd, description=wanted.description)
        for made, wanted in zip(
            statement.columns,
            (each.column for each in selected(search.table, search.verb)),
            strict=True,
        )
    )
    return replace(statement, columns=tuple(columns))
