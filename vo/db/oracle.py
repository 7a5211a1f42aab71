"""Oracle through python-oracledb in thin mode: a pool of sessions, one of them for each statement."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from vo.catalog import Catalog, Schema
from vo.db.base import Database, Incoming
from vo.db.oracle_access import Connection, OracleAccess, installed_driver, pool_of
from vo.db.oracle_catalog import PublishedCatalog
from vo.db.oracle_columns import joined, requested_schema
from vo.db.oracle_faults import as_vo_error
from vo.db.oracle_plan import explained
from vo.db.oracle_run import OracleRun
from vo.db.oracle_uploads import stored
from vo.errors import UsageError
from vo.result import Plan, Result, Statement

OnStart = Callable[[Callable[[], None]], None]
"""Is handed what stops a statement, see `Database.stream`."""

_CLOSE_S = 5
"""Seconds that `close` waits for statements to stop."""

_CATALOG_S = 30
"""Seconds that reading the catalogue may take."""


class OracleDatabase:
    """Tables in Oracle, read through a pool; every statement in a read-only transaction of its own.

    The driver's synchronous side is used, in the thread that reads the result: its asynchronous data frames
    lose rows of servers before 23ai (python-oracledb issue 607). No connection is made before it is needed,
    so the object may be made while the database is away.
    """

    dialect = "oracle"

    def __init__(self, access: OracleAccess) -> None:
        self.takes_tables = access.uploads
        self._driver = installed_driver()
        self._statement_s = access.statement_s
        self._catalog = PublishedCatalog(
            access.catalog_path, lambda statement: self._opened(statement, limit_s=_CATALOG_S)
        )
        self._runs: set[OracleRun] = set()
        self._ended = threading.Condition()
        self._pool = pool_of(access)

    def catalog(self) -> Catalog:
        """What is published now; see `PublishedCatalog.current`."""
        return self._catalog.current()

    def stream(
        self,
        statement: Statement,
        *,
        maxrec: int | None = None,
        on_start: OnStart | None = None,
    ) -> Result:
        """Run `statement`; see `Database.stream`. TransientError: no connection became free in time."""
        return self._opened(statement, limit_s=self._statement_s, maxrec=maxrec, on_start=on_start)

    @contextmanager
    def holding(
        self,
        schema: str,
        incoming: Sequence[Incoming],
        *,
        on_start: OnStart | None = None,
    ) -> Iterator[Database]:
        """The tables, and in private ones of one session what comes in; see `Database.holding`.

        UsageError: uploads are not switched on, or hold what Oracle cannot. ConfigError: the account may not
        make such tables.
        """
        if not self.takes_tables:
            raise UsageError(f"{schema}: this database takes no tables.", hint="Leave UPLOAD out.")
        catalog = self.catalog()  # before a session is taken, as it takes one too
        run = self._begun(self._statement_s)
        try:
            if on_start is not None:
                on_start(run.stop)
            held = Schema(schema, stored(run, incoming))
            yield _Holding(self, self._driver, run, catalog.merged(Catalog((held,))))
        finally:
            self._give_back(run, keep=False)  # the tables end with the session, whatever state it is in

    def plan(self, statement: Statement) -> Plan:
        """The account of DBMS_XPLAN and what the estimates of PLAN_TABLE add up to; see `Database.plan`."""
        connection = self._acquired()
        try:
            return _plan(self._driver, connection, statement)
        finally:
            self._put_back(connection, is_sound=connection.is_healthy())

    def rows_read(self, statement: Statement) -> int | None:
        """The rows of `plan`."""
        return self.plan(statement).rows

    def close(self) -> None:
        """Stop what runs, and close the pool once its connections are back."""
        with self._ended:
            for run in self._runs:
                run.stop()
            self._ended.wait_for(lambda: not self._runs, _CLOSE_S)
        # Not by force: the driver would wait for calls that still run, and crash threads between two calls.
        with suppress(self._driver.Error):
            self._pool.close()

    def _opened(
        self,
        statement: Statement,
        *,
        limit_s: float,
        maxrec: int | None = None,
        on_start: OnStart | None = None,
    ) -> Result:
        schema = requested_schema(statement.columns, statement.widths)
        run = self._begun(limit_s)
        batches = _batches(run, statement, schema, on_start)
        return Result(statement.columns, batches, maxrec=maxrec, on_close=lambda: self._give_back(run))

    def _begun(self, limit_s: float) -> OracleRun:
        run = OracleRun(self._driver, self._acquired(), limit_s)
        with self._ended:
            self._runs.add(run)
        return run

    def _give_back(self, run: OracleRun, *, keep: bool = True) -> None:
        self._put_back(run.connection, is_sound=run.ended_cleanly() and keep)
        with self._ended:
            self._runs.discard(run)
            self._ended.notify_all()

    def _acquired(self) -> Connection:
        try:
            connection = self._pool.acquire()
        except (self._driver.Error, OSError) as error:
            raise as_vo_error(error) from error
        return connection

    def _put_back(self, connection: Connection, *, is_sound: bool) -> None:
        with suppress(self._driver.Error):  # of a pool that was closed meanwhile
            (self._pool.release if is_sound else self._pool.drop)(connection)


class _Holding:
    """The database as the one session sees it that has the tables of a job."""

    dialect = OracleDatabase.dialect
    takes_tables = False

    def __init__(self, database: OracleDatabase, driver: Any, run: OracleRun, catalog: Catalog) -> None:  # noqa: ANN401
        self._driver = driver
        self._run = run
        self._catalog = catalog
        self.holding = database.holding
        self.close = database.close

    def catalog(self) -> Catalog:
        """What is published, and what is held."""
        return self._catalog

    def stream(
        self, statement: Statement, *, maxrec: int | None = None, on_start: OnStart | None = None
    ) -> Result:
        """Run `statement`; see `Database.stream`. The session stays open."""
        batches = _batches(
            self._run, statement, requested_schema(statement.columns, statement.widths), on_start
        )
        return Result(statement.columns, batches, maxrec=maxrec, on_close=self._end)

    def plan(self, statement: Statement) -> Plan:
        """See `OracleDatabase.plan`."""
        return _plan(self._driver, self._run.connection, statement)

    def rows_read(self, statement: Statement) -> int | None:
        """See `OracleDatabase.rows_read`."""
        return self.plan(statement).rows

    def _end(self) -> None:
        self._run.ended_cleanly()  # the session goes at the end of the block, however this statement ended


def _batches(
    run: OracleRun, statement: Statement, schema: pa.Schema, on_start: OnStart | None
) -> Iterator[pa.RecordBatch]:
    if on_start is not None:
        on_start(run.stop)
    for batch in run.batches(statement.sql, schema):
        yield joined(batch, statement.columns, statement.widths) if statement.widths else batch


def _plan(driver: Any, connection: Connection, statement: Statement) -> Plan:  # noqa: ANN401  the module `oracledb`
    try:
        return explained(driver, connection, statement.sql)
    except (driver.Error, OSError) as error:
        raise as_vo_error(error) from error
