"""A backend that runs the statements on H2 in its mode for Oracle: a connection of H2 for every session."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from oracle_wire.rows import NUMBER, Answer, Column, OraError, Row
from oracle_wire.session import STOPPED, Session

Java = Any
"""An object of Java, whose methods Python does not know."""

OWNER = "READER"
"""The account, and the schema of its tables."""

_DICTIONARY = (
    f'CREATE SCHEMA IF NOT EXISTS "{OWNER}"',
    f'SET SCHEMA "{OWNER}"',
    "CREATE ROLE VO_READER",
    """CREATE VIEW ALL_TAB_COLUMNS AS SELECT TABLE_SCHEMA AS OWNER, TABLE_NAME, COLUMN_NAME
    FROM INFORMATION_SCHEMA.COLUMNS""",
    """CREATE VIEW ALL_TABLES AS SELECT TABLE_SCHEMA AS OWNER, TABLE_NAME, ROW_COUNT_ESTIMATE AS NUM_ROWS
    FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE'""",
    """CREATE TABLE PLAN_TABLE (STATEMENT_ID VARCHAR2(30), ID NUMBER(10), PARENT_ID NUMBER(10),
    OPERATION VARCHAR2(30), OPTIONS VARCHAR2(255), CARDINALITY NUMBER(19), OBJECT_OWNER VARCHAR2(128),
    OBJECT_NAME VARCHAR2(128), ACCOUNT VARCHAR2(4000))""",
)
"""What H2 lacks of Oracle's dictionary, as far as the service asks for it."""

_EXPLAIN = re.compile(r"EXPLAIN PLAN SET STATEMENT_ID = '(\w+)' FOR (.*)", re.DOTALL)
_DISPLAY = "FROM TABLE(DBMS_XPLAN.DISPLAY('PLAN_TABLE', :1, 'TYPICAL'))"
_PRIVATE = re.compile(r"CREATE PRIVATE TEMPORARY (TABLE .*) ON COMMIT PRESERVE DEFINITION", re.DOTALL)
_BEYOND = re.compile(r" PARTITION BY RANGE .*| LOCAL$| PURGE$", re.DOTALL)
_ORA_NUMBERS: Mapping[int, int] = {
    42102: 942,
    42103: 942,
    42104: 942,
    42101: 955,
    42111: 955,
    90045: 2264,
    90017: 2260,
    42122: 904,
    42001: 900,
    42000: 900,
    22012: 1476,
    22018: 1722,
    22003: 1426,
    22001: 12899,
    57014: STOPPED,
}
"""The numbers of Oracle for those of H2; anything else is an application's error of Oracle."""

_WATCH_S = 0.02


class H2Backend:
    """Answers statements; `connect` makes another connection to one database of H2 in this process.

    With `makes_tables` off the account has lost the privilege CREATE TABLE.
    """

    makes_tables = True

    def __init__(self, connect: Callable[[], Java]) -> None:
        self._connect = connect
        self._connections: dict[int, Java] = {}
        first = connect()  # a database in memory lives as long as a connection to it
        self._first = first
        for sql in _DICTIONARY:
            _update(first, sql)

    def __call__(self, sql: str, binds: list[object], session: Session) -> Answer | None:
        """The answer of H2, whose errors get the numbers of Oracle."""
        if sql.startswith(("LOCK TABLE", "BEGIN DBMS_STATS.")):  # H2 has neither, and a test writes alone
            return None
        if sql.startswith("CREATE") and not self.makes_tables:
            raise OraError(1031, "insufficient privileges")
        connection = self._connection(session)
        try:
            explained = _EXPLAIN.match(sql)
            if explained:
                return self._explained(connection, *explained.groups())
            if _DISPLAY in sql:
                sql = "SELECT ACCOUNT FROM PLAN_TABLE WHERE STATEMENT_ID = :1 ORDER BY ID"
            return self._answer(connection, sql, binds, session)
        except _java_error() as error:
            raise _as_ora(error) from error

    def _connection(self, session: Session) -> Java:
        connection = self._connections.get(id(session))
        if connection is None:
            connection = self._connect()
            _update(connection, f'SET SCHEMA "{OWNER}"')
            connection.setAutoCommit(False)
            self._connections[id(session)] = connection
            session.at_end_of_transaction = lambda keep: (
                connection.commit() if keep else connection.rollback()
            )
            session.at_end = lambda: self._forget(session)
        return connection

    def _forget(self, session: Session) -> None:
        connection = self._connections.pop(id(session), None)
        if connection is not None:
            with suppress(_java_error()):
                connection.close()

    def _answer(self, connection: Java, sql: str, binds: list[object], session: Session) -> Answer | None:
        statement = connection.prepareStatement(_for_h2(sql))
        for place, value in enumerate(binds, 1):
            _bind(statement, place, value)
        with _stopping(statement, session):
            is_query = statement.execute()
        if not is_query:
            statement.close()
            return None
        result = statement.getResultSet()
        columns, getters = _described(result)
        return Answer(columns, _rows(statement, result, getters))

    def _explained(self, connection: Java, mark: str, sql: str) -> None:
        """A plan of two steps: the account of H2, and a look at all rows of some table."""
        statement = connection.prepareStatement(f"EXPLAIN {_for_h2(sql)}")
        result = statement.executeQuery()
        result.next()
        account = result.getString(1)[:4000]
        statement.close()
        insert = connection.prepareStatement("INSERT INTO PLAN_TABLE VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        for row in (
            (mark, 0, None, "SELECT STATEMENT", None, 7, None, None, account),
            (mark, 1, 0, "TABLE ACCESS", "FULL", 7, OWNER, "VO_TEST_STARS", ""),
        ):
            for place, value in enumerate(row, 1):
                insert.setObject(place, value)
            insert.executeUpdate()
        insert.close()


def _java_error() -> type[Exception]:
    import jpype  # noqa: PLC0415  a tool of these tests alone

    found: type[Exception] = jpype.JClass("java.sql.SQLException")
    return found


def _as_ora(error: Exception) -> OraError:
    code = int(error.getErrorCode())  # type: ignore[attr-defined]  # an exception of Java
    return OraError(_ORA_NUMBERS.get(code, 20_000), " ".join(str(error.getMessage()).split()))  # type: ignore[attr-defined]


def _update(connection: Java, sql: str) -> None:
    statement = connection.createStatement()
    statement.execute(sql)
    statement.close()


def _for_h2(sql: str) -> str:
    """H2's own tables of a session, marks of binds as it writes them, and BITAND, which it has for BIGINT.

    It has neither partitions nor a recycle bin.
    """
    sql = _BEYOND.sub("", sql) if sql.startswith(("CREATE", "DROP")) else sql
    sql = _PRIVATE.sub(r"CREATE LOCAL TEMPORARY \1 NOT PERSISTENT", sql)
    sql = sql.replace("NUMBER(19)", "BIGINT") if "BITAND" in sql else sql
    return re.sub(r"(?<=[ (]):(\d+)\b", r"?\1", sql)


def _bind(statement: Java, place: int, value: object) -> None:
    import jpype  # noqa: PLC0415

    if isinstance(value, datetime):
        value = jpype.JClass("java.sql.Timestamp").valueOf(value.isoformat(" "))
    elif value is not None and not isinstance(value, float | str):
        value = jpype.JClass("java.math.BigDecimal")(str(value))
    statement.setObject(place, value)


@contextmanager
def _stopping(statement: Java, session: Session) -> Iterator[None]:
    """Cancel the statement as soon as the client breaks in or is gone."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_S):
            if session.is_broken:
                statement.cancel()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _described(result: Java) -> tuple[tuple[Column, ...], list[str]]:
    meta = result.getMetaData()
    found = [
        _column(
            meta.getColumnLabel(i), meta.getColumnTypeName(i).upper(), meta.getPrecision(i), meta.getScale(i)
        )
        for i in range(1, meta.getColumnCount() + 1)
    ]
    return tuple(column for column, _ in found), [getter for _, getter in found]


def _column(name: str, kind: str, precision: int, scale: int) -> tuple[Column, str]:
    if kind in ("NUMERIC", "DECIMAL", "DECFLOAT"):
        # A NUMBER without digits is that of an expression; H2 gives such a precision beyond 38.
        return (NUMBER(name, precision, scale) if precision <= 38 else NUMBER(name)), "getBigDecimal"
    if kind in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT"):
        return NUMBER(name), "getLong"
    simple = {
        "DOUBLE PRECISION": ("BINARY_DOUBLE", "getDouble"),
        "REAL": ("BINARY_FLOAT", "getFloat"),
        "TIMESTAMP": ("TIMESTAMP", "getTimestamp"),
        "CHARACTER LARGE OBJECT": ("CLOB", "getString"),
    }
    wire, getter = simple.get(kind, ("VARCHAR2", "getString"))
    return Column(name, wire, scale=6 if wire == "TIMESTAMP" else 0), getter


def _rows(statement: Java, result: Java, names: list[str]) -> Iterator[Row]:
    getters = [getattr(result, name) for name in names]
    try:
        while result.next():
            yield tuple(_value(result, getter, place) for place, getter in enumerate(getters, 1))
    finally:
        statement.close()


_TYPES: Mapping[str, Callable[[Any], object]] = {
    "getBigDecimal": str,
    "getLong": int,
    "getDouble": float,
    "getFloat": float,
    "getString": str,
    "getTimestamp": lambda value: datetime.fromisoformat(str(value)),
}


def _value(result: Java, getter: Java, place: int) -> object:
    value = getter(place)
    return None if value is None or result.wasNull() else _TYPES[getter.__name__](value)
