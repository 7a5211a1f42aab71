"""Tables that a query brings to Oracle: the unmodified driver against a double of a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from votable_tables import record_batch

from vo.catalog import Catalog, Column, Table
from vo.db.base import Database, Incoming
from vo.db.oracle_run import BATCH_ROWS
from vo.errors import CancelledError, ConfigError, UsageError, VOError
from vo.result import Statement

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

from oracle_wire import double as wire

from vo.db.oracle import OracleDatabase
from vo.db.oracle_access import OracleAccess

COLUMNS = (Column("id", "long", db_name="u1"), Column("good", "boolean", db_name="u2"))
VALUES = [[2**63 - 1, None, 0], [True, False, None]]
COUNT = Statement("SELECT COUNT(*) C1 FROM t", (Column("n", "long"),))
PUBLISHED = Catalog(release="r1").to_json()


class Server:
    """A backend that keeps what it is told, and does `on_insert` when rows come."""

    def __init__(self, on_insert: Callable[[wire.Session], None] = lambda _: None) -> None:
        self._on_insert = on_insert
        self.rows: list[list[object]] = []
        self.told: list[tuple[wire.Session, str]] = []

    @property
    def made_in(self) -> wire.Session:
        """The session that made the first table."""
        return next(session for session, sql in self.told if sql.startswith("CREATE"))

    @property
    def asked_in(self) -> wire.Session:
        """The session of the last query."""
        return next(session for session, sql in reversed(self.told) if sql == COUNT.sql)

    def __call__(self, sql: str, binds: list[object], session: wire.Session) -> wire.Answer | None:
        """A catalogue without tables, a row for each query."""
        if "VO_CATALOG" in sql:
            text = "r1" if "RELEASE" in sql else PUBLISHED
            return wire.Answer((wire.Column("c1", "VARCHAR2"),), [(text,)])
        session.at_end_of_transaction = lambda keep: self.told.append(
            (session, "COMMIT" if keep else "ROLLBACK")
        )
        if not (sql.startswith("INSERT") and self.told[-1] == (session, sql)):
            self.told.append((session, sql))
        if sql.startswith("CREATE"):
            return None
        if sql.startswith("INSERT"):
            self._on_insert(session)
            self.rows.append(binds)
            return None
        return wire.Answer((wire.NUMBER("C1", 19, 0),), [(len(self.rows),)])


@pytest.fixture(autouse=True, scope="module", params=["19c", "23ai"])
def _personality(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test runs against both servers: answers end differently on the wire since 23ai."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire.OracleDouble, "personality", wire.PERSONALITIES[request.param])
        yield


@contextmanager
def served(server: wire.Backend, *, uploads: bool = True) -> Iterator[OracleDatabase]:
    """The database on a double that answers as `server` does, one connection wide."""
    with wire.OracleDouble(server) as double:
        access = OracleAccess(double.dsn, double.user, double.password, connections=1, uploads=uploads)
        database = OracleDatabase(access)
        try:
            yield database
        finally:
            database.close()


def incoming(columns: tuple[Column, ...] = COLUMNS, values: list[list[Any]] = VALUES) -> Incoming:
    """A table in one batch."""
    return Incoming(Table("TAP_UPLOAD", "mine", columns), [record_batch(columns, values)])


def count(database: Database) -> int:
    """The answer to COUNT."""
    with database.stream(COUNT) as result:
        return int(pa.Table.from_batches(list(result)).column(0)[0].as_py())


def test_all_happens_in_one_session_that_ends() -> None:
    """Made, filled and committed, then read and no more written; the next query has another session."""
    server = Server()
    with served(server) as database:
        with database.holding("TAP_UPLOAD", [incoming()]) as holding:
            table = holding.catalog().table("mine", "TAP_UPLOAD")
            assert table is not None
            assert (table.database_path, table.nrows) == (("ORA$PTT_1",), 3)
            assert count(holding) == count(holding) == 3
        first = server.made_in
        count(database)
        assert server.asked_in is not first
    definition = '("u1" NUMBER(19), "u2" NUMBER(1)) ON COMMIT PRESERVE DEFINITION'
    assert [sql for session, sql in server.told if session is first] == [
        f'CREATE PRIVATE TEMPORARY TABLE "ORA$PTT_1" {definition}',
        'INSERT INTO "ORA$PTT_1" VALUES (:1, :2)',
        "COMMIT",
        *(COUNT.sql, "ROLLBACK") * 2,
        "ROLLBACK",
    ]
    assert first.statements.count("SET TRANSACTION READ ONLY") >= 2
    assert server.rows == [[2**63 - 1, 1], [None, 0], [0, None]]


def test_many_rows_come_in_pieces() -> None:
    """Rows beyond a round trip follow in the next, in their order; empty batches cost none."""
    server, n = Server(), BATCH_ROWS + 5
    table = incoming(COLUMNS[:1], [list(range(n))])
    with served(server) as database:
        pieces = [record_batch(COLUMNS[:1], [[]]), *table.batches]
        with database.holding("TAP_UPLOAD", [Incoming(table.table, pieces)]) as holding:
            assert count(holding) == n
    assert server.rows == [[i] for i in range(n)]


def _fail(_session: wire.Session) -> None:
    raise wire.OraError(1652)


def _fail_in_the_block(database: OracleDatabase) -> None:
    with database.holding("TAP_UPLOAD", [incoming()]) as holding:
        count(holding)
        raise UsageError("Of the query.")


@pytest.mark.parametrize("on_insert", [_fail, lambda _: None])
def test_after_an_error_the_session_is_gone(on_insert: Callable[[wire.Session], None]) -> None:
    """Wherever the job fails, nobody gets the session that has its tables."""
    server = Server(on_insert)
    with served(server) as database:
        with pytest.raises(UsageError):
            _fail_in_the_block(database)
        count(database)
        assert server.asked_in is not server.made_in


def test_filling_is_stopped_from_another_thread() -> None:
    """`on_start` is handed what ends the insertion; the pool then gives another session."""
    began = threading.Event()

    def wait(session: wire.Session) -> None:
        began.set()
        session.until_broken()

    stops: list[Callable[[], None]] = []
    server = Server(wait)
    with served(server) as database:
        stopping = threading.Thread(target=lambda: (began.wait(10), stops[0]()))
        stopping.start()
        with (
            pytest.raises(CancelledError),
            database.holding("TAP_UPLOAD", [incoming()], on_start=stops.append),
        ):
            pass
        stopping.join()
        count(database)
        assert server.asked_in is not server.made_in


NOON = datetime(2016, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001  timestamps of VOTables have no zone
HELD: dict[str, tuple[Column, list[Any], str, list[Any]]] = {
    "bytes": (Column("x", "unsignedByte"), [255, None], "NUMBER(19)", [255, None]),
    "short": (Column("x", "short"), [-32_768, None], "NUMBER(19)", [-32_768, None]),
    "single": (Column("x", "float"), [0.5, None], "BINARY_FLOAT", [0.5, None]),
    "double": (Column("x", "double"), [float("-inf"), None], "BINARY_DOUBLE", [float("-inf"), None]),
    "text": (Column("x", "char", "*"), ["x" * 4000, "", None], "VARCHAR2(4000)", ["x" * 4000, None, None]),
    "letters": (Column("x", "unicodeChar", "*"), ["β" * 2000], "VARCHAR2(4000)", ["β" * 2000]),
    "time": (
        Column("x", "char", "*", "timestamp"),
        [NOON, NOON.replace(year=1), NOON.replace(year=9999), None],
        "TIMESTAMP",
        [NOON, NOON.replace(year=1), NOON.replace(year=9999), None],
    ),
}


@pytest.mark.parametrize("kind", HELD)
def test_every_type_is_bound_as_it_is(kind: str) -> None:
    """Values arrive in the type that the printer counts on; the empty string is NULL, as always in Oracle."""
    column, values, sql_type, bound = HELD[kind]
    server = Server()
    with served(server) as database, database.holding("TAP_UPLOAD", [incoming((column,), [values])]):
        assert f'("x" {sql_type})' in server.told[0][1]
    assert server.rows == [[value] for value in bound]


REFUSED: dict[str, tuple[tuple[Column, ...], list[list[Any]], str]] = {
    "array": ((Column("flux", "float", "3"),), [[[1.0, 2.0, 3.0]]], "'flux' holds arrays"),
    "point": ((Column("p", "double", "2", "point"),), [[[1.0, 2.0]]], "'p' holds arrays"),
    "text": ((Column("t", "char", "*"),), [["a", "β" * 2001]], "'t' holds a text of more than 4,000 bytes"),
    "columns": (tuple(Column(f"c{i}", "int") for i in range(1001)), [[1]] * 1001, "1,001 columns"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_held_is_refused_by_name(what: str) -> None:
    """The message names table and column, and no row is written."""
    columns, values, told = REFUSED[what]
    server = Server()
    with served(server) as database:
        with (
            pytest.raises(UsageError) as caught,
            database.holding("TAP_UPLOAD", [incoming(columns, values)]),
        ):
            pass
        assert told in caught.value.message
        assert "TAP_UPLOAD.mine" in caught.value.message
    assert server.rows == []


def test_times_beyond_the_years_of_oracle_are_refused() -> None:
    """Microseconds since 1970 reach further than the driver's dates."""
    column = Column("when", "char", "*", "timestamp")
    batch = pa.RecordBatch.from_arrays([pa.array([None, 2**62], pa.timestamp("us"))], names=["c1"])
    with served(Server()) as database:
        table = Incoming(Table("TAP_UPLOAD", "mine", (column,)), [batch])
        with pytest.raises(UsageError, match="years 1 to 9999"), database.holding("TAP_UPLOAD", [table]):
            pass


@pytest.mark.parametrize(("number", "mend"), [(1031, "CREATE TABLE"), (903, "PRIVATE_TEMP_TABLE_PREFIX")])
def test_a_missing_privilege_is_a_fault_of_the_setting(number: int, mend: str) -> None:
    """What Oracle forbids the account is told together with how to mend it."""

    def refuse(sql: str, binds: list[object], session: wire.Session) -> wire.Answer | None:
        if sql.startswith("CREATE"):
            raise wire.OraError(number)
        return server(sql, binds, session)

    server = Server()
    with served(refuse) as database, pytest.raises(ConfigError) as caught:
        _fail_in_the_block(database)
    assert f"ORA-{number:05d}" in caught.value.message
    assert mend in str(caught.value)


def test_uploads_are_off_unless_they_are_switched_on() -> None:
    """Nothing is advertised then, and nothing is sent to the server."""
    server = Server()
    with served(server, uploads=False) as database:
        assert database.takes_tables is False
        with pytest.raises(VOError, match="takes no tables"):
            _fail_in_the_block(database)
    assert server.told == []
