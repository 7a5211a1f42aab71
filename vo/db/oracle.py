"""Oracle through python-oracledb in thin mode: a pool of sessions, one of them for each statement."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress

import pyarrow as pa

from vo.catalog import Catalog
from vo.db.base import Database, Incoming
from vo.db.oracle_access import Connection, OracleAccess, installed_driver, pool_of
from vo.db.oracle_catalog import PublishedCatalog
from vo.db.oracle_faults import as_vo_error
from vo.db.oracle_plan import explained
from vo.db.oracle_run import OracleRun, requested_schema
from vo.errors import UsageError
from vo.result import Plan, Result, Statement

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
    takes_tables = False

    def __init__(self, access: OracleAccess) -> None:
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
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Result:
        """Run `statement`; see `Database.stream`. TransientError: no connection became free in time."""
        return self._opened(statement, limit_s=self._statement_s, maxrec=maxrec, on_start=on_start)

    def holding(
        self,
        schema: str,
        incoming: Sequence[Incoming],  # noqa: ARG002  of the protocol
        *,
        on_start: Callable[[Callable[[], None]], None] | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[Database]:
        """Refused: a session that only reads makes no tables."""
        raise UsageError(f"{schema}: this database takes no tables.", hint="Leave UPLOAD out.")

    def plan(self, statement: Statement) -> Plan:
        """The account of DBMS_XPLAN and what the estimates of PLAN_TABLE add up to; see `Database.plan`."""
        connection = self._acquired()
        try:
            return explained(self._driver, connection, statement.sql)
        except (self._driver.Error, OSError) as error:
            raise as_vo_error(error) from error
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
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Result:
        schema = requested_schema(statement.columns)
        run = OracleRun(self._driver, self._acquired(), limit_s)
        with self._ended:
            self._runs.add(run)

        def batches() -> Iterator[pa.RecordBatch]:
            if on_start is not None:
                on_start(run.stop)
            yield from run.batches(statement.sql, schema)

        return Result(statement.columns, batches(), maxrec=maxrec, on_close=lambda: self._give_back(run))

    def _give_back(self, run: OracleRun) -> None:
        self._put_back(run.connection, is_sound=run.ended_cleanly())
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
