"""Oracle through python-oracledb in thin mode: a pool of sessions, one of them for each statement."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from vo.catalog import Catalog, Column, arrow_schema
from vo.errors import CancelledError, ConfigError, TimeLimitError, TransientError, UsageError, VOError
from vo.result import Plan, Result, Statement

BATCH_ROWS = 8_192
"""Rows of an Arrow batch and of a fetch, which is one round trip."""

Connection = Any
"""`oracledb.Connection`; the driver is optional, so its types are not there for everyone."""

_SETUP_S = 15
"""Seconds that a round trip without work in it may take: settings, roll-back."""
_CLOSE_S = 5
"""Seconds that `close` waits for statements to stop."""

_SESSION_SETTINGS = (
    "ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,' NLS_COMP = BINARY NLS_SORT = BINARY"
    """ NLS_DATE_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS' NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.FF6'"""
)
"""Text compares by code point and times are written as in DALI 1.1 (3.3.3), whatever the server's locale."""


@dataclass(frozen=True, slots=True)
class OracleAccess:
    """Where the database is, who reads it, and how much of it one process takes.

    `connections` are sessions at the most; `wait_s` seconds are waited for a free one; `statement_s` seconds
    may pass from the start of a statement to its last row.
    """

    dsn: str
    user: str
    password: str = field(repr=False)
    connections: int = 4
    wait_s: int = 10
    statement_s: int = 3_600


class OracleDatabase:
    """Tables in Oracle, read through a pool; every statement in a read-only transaction of its own.

    `catalog` is asked each time for what is published. The driver's synchronous side is used, in the thread
    that reads the result: its asynchronous data frames lose rows of servers before 23ai (python-oracledb
    issue 607).
    """

    dialect = "oracle"

    def __init__(self, access: OracleAccess, *, catalog: Callable[[], Catalog]) -> None:
        self._driver = _installed_driver()
        self._statement_s = access.statement_s
        self._catalog = catalog
        self._runs: set[_Run] = set()
        self._ended = threading.Condition()
        self._pool = self._driver.create_pool(
            dsn=access.dsn,
            user=access.user,
            password=access.password,
            min=0,
            max=access.connections,
            getmode=self._driver.POOL_GETMODE_TIMEDWAIT,
            wait_timeout=access.wait_s * 1000,
            timeout=300,
            ping_interval=60,
            ping_timeout=5_000,
            expire_time=1,
            tcp_connect_timeout=5,
            stmtcachesize=50,
            sdu=65_535,
            session_callback=_make_ready,
        )

    def catalog(self) -> Catalog:
        """What is published now."""
        return self._catalog()

    def stream(
        self,
        statement: Statement,
        *,
        maxrec: int | None = None,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Result:
        """Run `statement`; see `Database.stream`. TransientError: no connection became free in time."""
        schema = requested_schema(statement.columns)
        try:
            connection = self._pool.acquire()
        except self._driver.Error as error:
            raise as_vo_error(error) from error
        run = _Run(self._driver, connection, self._statement_s)
        with self._ended:
            self._runs.add(run)

        def batches() -> Iterator[pa.RecordBatch]:
            if on_start is not None:
                on_start(run.stop)
            yield from run.batches(statement.sql, schema)

        return Result(statement.columns, batches(), maxrec=maxrec, on_close=lambda: self._give_back(run))

    def plan(self, statement: Statement) -> Plan:
        """The account of DBMS_XPLAN; see `Database.plan`."""
        try:
            with self._pool.acquire() as connection, connection.cursor() as cursor:
                connection.call_timeout = _SETUP_S * 1000
                cursor.execute(f"EXPLAIN PLAN FOR {statement.sql}")
                cursor.execute("SELECT plan_table_output FROM TABLE(DBMS_XPLAN.DISPLAY)")
                lines = [line for (line,) in cursor.fetchall()]
                connection.rollback()  # the plan was rows of a table
        except self._driver.Error as error:
            raise as_vo_error(error) from error
        return Plan("\n".join(lines), rows=None)

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

    def _give_back(self, run: _Run) -> None:
        is_sound = run.ended_cleanly()
        with suppress(self._driver.Error):  # of a pool that was closed meanwhile
            (self._pool.release if is_sound else self._pool.drop)(run.connection)
        with self._ended:
            self._runs.discard(run)
            self._ended.notify_all()


class _Run:
    """One statement on one connection.

    Each round trip gets the time that is left as the driver's `call_timeout`, so the sum of them keeps the
    limit however many there are.
    """

    def __init__(self, driver: Any, connection: Connection, limit_s: float) -> None:  # noqa: ANN401
        self._driver = driver
        self.connection = connection
        self._deadline = time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._calling = False
        self._stopped = False
        self._break_unanswered = False
        self._frames: Generator[Any, None, None] | None = None

    def stop(self) -> None:
        """End the statement, from any thread; a second time does nothing."""
        with self._lock:
            is_first, self._stopped = not self._stopped, True
            # A break between two calls would hit whoever uses the connection next, and one on a connection
            # that is known to be dead makes the driver crash.
            if is_first and self._calling and self.connection.is_healthy():
                self._break_unanswered = True
                with suppress(self._driver.Error):
                    self.connection.cancel()

    def batches(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of `sql` in the types of `schema`."""
        self._call(self._begin)
        frames = self.connection.fetch_df_batches(sql, size=BATCH_ROWS, requested_schema=schema)
        self._frames = frames
        while (frame := self._call(lambda: next(frames, None))) is not None:
            yield from pa.RecordBatchReader.from_stream(frame)

    def ended_cleanly(self) -> bool:
        """Roll back; False: the connection is dead, or may still have a break coming, and must be dropped."""
        if self._frames is not None:
            self._frames.close()  # gives the cursor back before the connection goes to someone else
        if self._break_unanswered or not self.connection.is_healthy():
            return False
        try:
            self.connection.call_timeout = _SETUP_S * 1000
            self.connection.action = "idle"
            self.connection.rollback()
        except self._driver.Error:
            return False
        return True

    def _begin(self) -> None:
        self.connection.action = "query"
        with self.connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")

    def _call(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401  what the driver gives
        left_s = self._deadline - time.monotonic()
        with self._lock:
            if self._stopped:
                raise CancelledError("The query was stopped.")
            if left_s <= 0:
                raise _out_of_time()
            if not self.connection.is_healthy():  # setting the time limit would crash the driver
                raise TransientError("The database closed the connection.")
            self.connection.call_timeout = max(1, int(left_s * 1000))
            self._calling = True
        try:
            return work()
        except (self._driver.Error, OSError) as error:
            raise self._judged(error) from error
        finally:
            with self._lock:
                self._calling = False

    def _judged(self, error: Exception) -> VOError:
        if _STOPPED_CODE in _codes(error):
            self._break_unanswered = False
        if self._stopped:
            return CancelledError("The query was stopped.")
        return _out_of_time() if time.monotonic() >= self._deadline else as_vo_error(error)


def requested_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow types to ask of the driver: the declared ones, but 64 bits for every integer and boolean.

    The driver's own choice for NUMBER(19) is a double, which loses digits; narrow integers it does not check.
    UsageError: a column holds arrays, which no scalar column of Oracle gives.
    """
    fields = []
    for column, declared in zip(columns, arrow_schema(columns), strict=True):
        if pa.types.is_nested(declared.type):
            raise UsageError(f"The column {column.name} holds arrays, which cannot be read from Oracle.")
        whole = pa.types.is_integer(declared.type) or pa.types.is_boolean(declared.type)
        fields.append(pa.field(declared.name, pa.int64() if whole else declared.type))
    return pa.schema(fields)


def as_vo_error(error: Exception) -> VOError:
    """An error of the driver in the words of the service; its number stays in the message."""
    if isinstance(error, OSError):  # the driver lets some faults of the network through as they are
        return TransientError("The database cannot be reached.")
    for code in _codes(error):
        number = int(code.partition("-")[2])
        if code in _FAULTS:
            kind, text = _FAULTS[code]
            return kind(f"{text} ({code}).")
        if code.startswith("ORA") and number in _TNS_NUMBERS:
            return TransientError(f"The database cannot be reached ({code}).")
    first_line = str(error).partition("\n")[0]
    return VOError(f"The database failed: {first_line}")


def _installed_driver() -> Any:  # noqa: ANN401  a module that need not be there
    try:
        import oracledb  # noqa: PLC0415  an optional driver
    except ImportError as error:
        raise ConfigError(
            "Oracle is read with the driver python-oracledb, which is not installed.",
            hint="Install it with `pip install 'vo[oracle]'`.",
        ) from error
    oracledb.defaults.fetch_lobs = False
    return oracledb


def _make_ready(connection: Connection, _requested_tag: str) -> None:
    """Tell a new session how to behave, and its DBA whose it is (columns of V$SESSION)."""
    connection.call_timeout = _SETUP_S * 1000
    connection.module = "vo"
    connection.client_identifier = f"{socket.gethostname()}:{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(_SESSION_SETTINGS)


def _out_of_time() -> TimeLimitError:
    return TimeLimitError("The query used up its time.")


def _codes(error: Exception) -> list[str]:
    r"""Every number in the error's text, as errors of parallel servers and of connecting wrap their cause.

    >>> _codes(Exception("ORA-12801: error in parallel server P000\nORA-01476: divisor is equal to zero"))
    ['ORA-12801', 'ORA-01476']
    """
    return re.findall(r"\b(?:ORA-\d{5}|DPY-\d{4})\b", str(error))


_STOPPED_CODE = "ORA-01013"
_TNS_NUMBERS = range(12150, 12700)
"""The numbers of Oracle Net."""

_MEMORY = "The query needs more memory than one query may use"
_DATE = "The query met text that is not a timestamp"
_AWAY = "The database closed the connection"
_BUSY = "The database has no room for another query"
_LOGIN = "The database does not accept the service's account"

_FAULTS: Mapping[str, tuple[type[VOError], str]] = {
    _STOPPED_CODE: (CancelledError, "The query was stopped"),
    **dict.fromkeys(("DPY-4024", "ORA-00040"), (TimeLimitError, "The query used up its time")),
    "ORA-01476": (UsageError, "The query divides by zero"),
    "ORA-01722": (UsageError, "The query met text that is not a number"),
    **dict.fromkeys(
        ("ORA-01426", "ORA-01438", "DPY-4036", "DPY-4037", "DPY-4038", "DPY-4039", "DPY-4042"),
        (UsageError, "The query met a number that is too large for its type"),
    ),
    "ORA-01428": (UsageError, "The query calls a function with a number outside its domain"),
    "ORA-01489": (UsageError, "The query makes a text that is too long"),
    "ORA-01427": (UsageError, "A subquery that stands for one value gives several rows"),
    **dict.fromkeys(
        ("ORA-01830", "ORA-01839", "ORA-01841", "ORA-01843", "ORA-01847", "ORA-01858", "ORA-01861"),
        (UsageError, _DATE),
    ),
    **dict.fromkeys(("ORA-01652", "ORA-04030", "ORA-04036"), (UsageError, _MEMORY)),
    "ORA-01555": (TransientError, "The tables changed for longer than the database remembers"),
    **dict.fromkeys(
        ("DPY-4005", "ORA-00018", "ORA-00020", "ORA-02391", "ORA-04031"), (TransientError, _BUSY)
    ),
    **dict.fromkeys(
        ("DPY-1001", "DPY-4011", "DPY-4033", "ORA-00028", "ORA-01012", "ORA-03113", "ORA-03114", "ORA-03135"),
        (TransientError, _AWAY),
    ),
    **dict.fromkeys(
        ("ORA-01033", "ORA-01034", "ORA-01089", "ORA-01109"),
        (TransientError, "The database is starting or stopping"),
    ),
    **dict.fromkeys(
        ("ORA-01017", "ORA-01045", "ORA-28000", "ORA-28001", "DPY-4001", "DPY-3015"), (ConfigError, _LOGIN)
    ),
    "DPY-6005": (TransientError, "The database cannot be reached"),
}
"""What known numbers mean; anything else is a fault of the service (ORA-00904, ORA-00942, …)."""
