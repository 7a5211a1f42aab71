"""Oracle: the unmodified driver against a double of a server."""

from __future__ import annotations

import gc
import math
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.catalog import Column
from vo.db.oracle import OracleDatabase
from vo.db.oracle_access import OracleAccess
from vo.db.oracle_columns import requested_schema
from vo.db.oracle_run import BATCH_ROWS
from vo.errors import (
    CancelledError,
    ConfigError,
    TimeLimitError,
    TransientError,
    UsageError,
    VOError,
)
from vo.result import Result, Statement

oracledb = pytest.importorskip("oracledb", reason="python-oracledb is not installed")

from oracle_wire import double as wire  # noqa: E402  it needs what the driver brings along

EVERYTHING = (
    Column("id", "long"),
    Column("mag", "double"),
    Column("err", "float"),
    Column("name", "char", arraysize="*"),
    Column("seen", "char", arraysize="*", xtype="timestamp"),
    Column("flags", "short"),
    Column("good", "boolean"),
)
EVERYTHING_IN_ORACLE = (
    wire.NUMBER("C1", 19, 0),
    wire.Column("C2", "BINARY_DOUBLE"),
    wire.Column("C3", "BINARY_FLOAT"),
    wire.Column("C4", "VARCHAR2"),
    wire.Column("C5", "TIMESTAMP", scale=6),
    wire.NUMBER("C6", 5, 0),
    wire.NUMBER("C7", 1, 0),
)
NOON = datetime(2016, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001  timestamps of VOTables have no zone
ROWS: list[tuple[Any, ...]] = [
    (9_223_372_036_854_775_807, math.pi, 0.5, "β Cen ☃ 🔭", NOON, -32_768, 1),
    (-9_223_372_036_854_775_808, math.inf, -math.inf, "'; DROP", NOON.replace(microsecond=0), 32_767, 0),
    (9_007_199_254_740_993, -math.inf, 0.0, "x" * 3_000, NOON.replace(year=1600), 0, 1),
    (9_007_199_254_740_993, -math.inf, 0.0, "x" * 3_000, NOON.replace(year=1600), 0, 1),
    (None, None, None, None, None, None, None),
    (0, 5e-324, 1e-45, "", NOON.replace(year=9999), 1, 0),
    (100, -1.7976931348623157e308, 3.4028234663852886e38, " ", NOON, 100, 1),
]
IDS = (Column("id", "long"),)
COUNT = Statement("SELECT id C1 FROM t", IDS)
COUNT_THEN = Statement("SELECT id C1 FROM t -- then", IDS)


@pytest.fixture(autouse=True, scope="module", params=["19c", "23ai"])
def _personality(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test runs against both servers: answers end differently on the wire since 23ai."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire.OracleDouble, "personality", wire.PERSONALITIES[request.param])
        yield


@contextmanager
def reading(double: wire.OracleDouble, **limits: Any) -> Iterator[OracleDatabase]:
    """The database of `double`, one connection wide."""
    access = OracleAccess(double.dsn, double.user, double.password, **{"connections": 1, **limits})
    database = OracleDatabase(access)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def served(backend: wire.Backend, **limits: Any) -> Iterator[tuple[OracleDatabase, wire.OracleDouble]]:
    """A double with that backend, and the database that reads it."""
    with wire.OracleDouble(backend) as double, reading(double, **limits) as database:
        yield database, double


def all_of(result: Result) -> pa.Table:
    """Every row of a result, which is closed."""
    with result:
        return pa.Table.from_batches(list(result), schema=result.schema)


def failure_of(database: OracleDatabase, statement: Statement = COUNT) -> VOError:
    """How the statement ends, by whatever stage."""
    with pytest.raises(VOError) as caught:
        all_of(database.stream(statement))
    return caught.value


@pytest.mark.parametrize("packet_bytes", [8192, 300])
@pytest.mark.parametrize("repeats", [True, False])
def test_values_arrive_exactly(packet_bytes: int, repeats: bool) -> None:  # noqa: FBT001
    """64-bit integers, infinities, NULL, text and times are what the server sent, however packets cut it."""
    backend = wire.giving(EVERYTHING_IN_ORACLE, ROWS)
    with (
        wire.OracleDouble(backend, packet_bytes=packet_bytes, repeats=repeats) as double,
        reading(double) as database,
    ):
        table = all_of(database.stream(Statement("SELECT everything", EVERYTHING)))
    single = [None if row[2] is None else float(np.float32(row[2])) for row in ROWS]
    wanted = [
        (*row[:2], error, row[3] or None, *row[4:6], None if row[6] is None else bool(row[6]))
        for row, error in zip(ROWS, single, strict=True)
    ]
    assert [tuple(row.values()) for row in table.to_pylist()] == wanted


def test_not_a_number_is_not_null() -> None:
    """NaN of BINARY_DOUBLE and BINARY_FLOAT stays NaN."""
    columns = (Column("a", "double"), Column("b", "float"))
    sent = (wire.Column("C1", "BINARY_DOUBLE"), wire.Column("C2", "BINARY_FLOAT"))
    with served(wire.giving(sent, [(math.nan, math.nan)])) as (database, _):
        table = all_of(database.stream(Statement("SELECT nan", columns)))
    assert [column.null_count for column in table.columns] == [0, 0]
    assert all(math.isnan(value) for value in table.to_pylist()[0].values())


SHAPES = (
    Column("id", "long"),
    Column("p", "double", "2", xtype="point"),
    Column("s", "double", "*", xtype="polygon"),
)


def test_shapes_are_joined() -> None:
    """Numbers of a shape become one list; without any number it is NULL, however packets cut them."""
    names = ("C1", "C2_1", "C2_2", *(f"C3_{i}" for i in range(1, 7)))
    sent = (wire.NUMBER("C1", 19, 0), *(wire.Column(name, "BINARY_DOUBLE") for name in names[1:]))
    rows = [(i, i / 3, -i / 7, *(i + 0.1 * k for k in range(6))) for i in range(20_000)]
    rows[5] = (5, None, None, *range(6))
    rows[6] = (6, 1.5, None, *[None] * 6)
    statement = Statement("SELECT shapes", SHAPES, widths=(1, 2, 6))
    with (
        wire.OracleDouble(wire.giving(sent, rows), packet_bytes=997) as double,
        reading(double) as database,
    ):
        table = all_of(database.stream(statement))
    wanted = [
        {"c1": row[0], "c2": [*row[1:3]], "c3": [*map(float, row[3:])] if row[3] is not None else None}
        for row in rows
    ]
    wanted[5]["c2"] = None
    assert table.to_pylist() == wanted


def test_expressions_without_precision_stay_exact() -> None:
    """A bare NUMBER, as COUNT and sums have it, is read with all its digits where an integer is declared."""
    columns = (Column("n", "long"), Column("x", "double"))
    sent = (wire.NUMBER("C1"), wire.NUMBER("C2"))
    with served(wire.giving(sent, [(9_223_372_036_854_775_807, "-12.345"), (1_000, "1e-20")])) as (
        database,
        _,
    ):
        table = all_of(database.stream(Statement("SELECT COUNT(*)", columns)))
    assert table["c1"].to_pylist() == [9_223_372_036_854_775_807, 1_000]
    assert table["c2"].to_pylist() == [-12.345, 1e-20]


def test_a_value_that_does_not_fit_is_an_error() -> None:
    """A number outside the declared type is never cut to size."""
    with (
        served(wire.giving((wire.NUMBER("C1", 19, 0),), [(300,)])) as (database, _),
        database.stream(Statement("SELECT 300", (Column("n", "unsignedByte"),))) as result,
        pytest.raises(pa.ArrowInvalid),
    ):
        list(result)
    with served(wire.giving((wire.NUMBER("C1"),), [("1e30",)])) as (database, _):
        assert isinstance(failure_of(database), UsageError)


def test_long_texts_come_whole() -> None:
    """CLOBs are read as text, beyond the 32767 bytes of a chunk too."""
    texts = ["short", None, "β" * 50_000, "x" * 100_000]
    backend = wire.giving((wire.Column("C1", "CLOB"),), [(text,) for text in texts])
    with served(backend) as (database, _):
        table = all_of(database.stream(Statement("SELECT note", (Column("note", "char", arraysize="*"),))))
        again = all_of(database.stream(Statement("SELECT note", (Column("note", "char", arraysize="*"),))))
    assert table["c1"].to_pylist() == again["c1"].to_pylist() == texts


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
        ),
        max_size=30,
    )
)
def test_any_rows_arrive(rows: list[tuple[Any, ...]]) -> None:
    """Whatever the values and their repetitions, in packets cut anywhere."""
    columns = (Column("id", "long"), Column("x", "double"), Column("s", "char", arraysize="*"))
    sent = (wire.NUMBER("C1", 19, 0), wire.Column("C2", "BINARY_DOUBLE"), wire.Column("C3", "VARCHAR2"))
    with wire.OracleDouble(wire.giving(sent, rows), packet_bytes=331) as double, reading(double) as database:
        table = all_of(database.stream(Statement("SELECT any", columns)))
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


def test_many_rows_come_in_batches() -> None:
    """A large result is never held as a whole."""
    with served(wire.counting(50_000)) as (database, _), database.stream(COUNT) as result:
        batches = list(result)
    assert len(batches) > 50_000 // BATCH_ROWS
    assert max(batch.num_rows for batch in batches) <= BATCH_ROWS
    ids = np.concatenate([batch.column(0).to_numpy() for batch in batches])
    assert np.array_equal(ids, np.arange(50_000))


@pytest.mark.parametrize(
    ("rows", "maxrec", "given", "overflow"),
    [
        (10, 10, 10, False),
        (11, 10, 10, True),
        (0, 10, 0, False),
        (1, 0, 0, True),
        (20_001, 20_000, 20_000, True),
    ],
)
def test_maxrec_cuts_and_tells(rows: int, maxrec: int, given: int, overflow: bool) -> None:  # noqa: FBT001
    """One row beyond MAXREC is seen and not given (TAP 1.1, 2.7.4)."""
    with served(wire.counting(rows)) as (database, _), database.stream(COUNT, maxrec=maxrec) as result:
        assert sum(batch.num_rows for batch in result) == given
        assert result.overflow is overflow


def test_a_connection_serves_one_statement_after_the_other() -> None:
    """Read to the end or left in the middle, the connection goes back, its transaction over."""
    with served(wire.counting(30_000)) as (database, double):
        all_of(database.stream(COUNT))
        with database.stream(COUNT) as result:
            next(iter(result))
        assert all_of(database.stream(COUNT)).num_rows == 30_000
        assert len(double.sessions) == 1
        assert not double.sessions[0].in_transaction
        assert double.sessions[0].statements.count("SET TRANSACTION READ ONLY") == 3


def test_sessions_say_whose_they_are() -> None:
    """A DBA sees service, process and state of a session; text and times do not depend on the server."""
    with served(wire.counting(1)) as (database, double):
        with database.stream(COUNT):
            tags = dict(double.sessions[0].tags)
        assert (tags["module"], tags["action"]) == ("vo", "query")
        assert tags["client_identifier"] == f"{socket.gethostname()}:{os.getpid()}"
        assert double.sessions[0].tags["action"] == "idle"
        assert double.sessions[0].statements[0].startswith("ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,'")


@pytest.mark.parametrize("out_of_band", [False, True])
@pytest.mark.parametrize("rows", [0, 20_000])
def test_a_statement_is_stopped_from_another_thread(rows: int, out_of_band: bool) -> None:  # noqa: FBT001
    """Before the first row or between two, the stream ends with CancelledError; the connection works on."""
    timers: list[threading.Timer] = []

    def soon(stop: Callable[[], None]) -> None:
        timers.append(threading.Timer(0.2, stop))
        timers[0].start()

    with (
        wire.OracleDouble(wire.counting(rows, wire.Session.until_broken), out_of_band=out_of_band) as double,
        reading(double) as database,
    ):
        with pytest.raises(CancelledError):
            all_of(database.stream(COUNT_THEN, on_start=soon))
        timers[0].join()
        assert all_of(database.stream(COUNT)).num_rows == rows
        assert len(double.sessions) == 1


def test_stopping_between_two_fetches_breaks_nothing() -> None:
    """While no call runs, nothing is sent that could hit the next user of the connection."""
    stops: list[Callable[[], None]] = []
    with served(wire.counting(30_000)) as (database, double):
        with database.stream(COUNT, on_start=stops.append) as result:
            batches = iter(result)
            next(batches)
            stops[0]()
            with pytest.raises(CancelledError):
                list(batches)
        stops[0]()
        assert all_of(database.stream(COUNT)).num_rows == 30_000
        assert len(double.sessions) == 1


def test_a_statement_stopped_before_it_starts_does_not_run() -> None:
    """Whoever aborts at once is heard."""
    with served(wire.counting(1)) as (database, double):
        with pytest.raises(CancelledError):
            database.stream(COUNT, on_start=lambda stop: stop())
        assert COUNT.sql not in double.sessions[0].statements
        assert all_of(database.stream(COUNT)).num_rows == 1


@pytest.mark.parametrize("deaf", [False, True])
def test_time_is_limited(deaf: bool) -> None:  # noqa: FBT001
    """A statement past its limit ends, even when the server ignores breaks; the next one runs."""
    with (
        wire.OracleDouble(wire.counting(0, wire.Session.until_broken), deaf=deaf) as double,
        reading(double, statement_s=1) as database,
    ):
        assert isinstance(failure_of(database, COUNT_THEN), TimeLimitError)
        assert all_of(database.stream(COUNT)).num_rows == 0


def test_a_server_that_dies_is_a_transient_fault() -> None:
    """The stream ends; stopping it afterwards is harmless, and the next statement gets a new connection."""
    stops: list[Callable[[], None]] = []
    with served(wire.counting(20_000, wire.Session.hang_up)) as (database, double):
        with database.stream(COUNT_THEN, on_start=stops.append) as result:
            with pytest.raises(TransientError):
                list(result)
            stops[0]()
        assert all_of(database.stream(COUNT)).num_rows == 20_000
        assert len(double.sessions) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1013, CancelledError),
        (1476, UsageError),
        (1722, UsageError),
        (1426, UsageError),
        (1428, UsageError),
        (1861, UsageError),
        (1652, UsageError),
        (1555, TransientError),
        (28, TransientError),
        (3113, TransientError),
        (12541, TransientError),
        (40, TimeLimitError),
        (942, VOError),
        (904, VOError),
        (600, TransientError),
    ],
)
def test_errors_of_the_database_have_their_place(code: int, kind: type[VOError]) -> None:
    """What the values of a query cause is the client's; what a translation should have prevented is ours."""
    with served(wire.failing(code)) as (database, _):
        error = failure_of(database)
    assert type(error) is kind
    assert "\n" not in error.message


def test_the_cause_inside_a_parallel_server_counts() -> None:
    """ORA-12801 wraps the error that matters."""
    message = "error signaled in parallel query server P003\nORA-01476: divisor is equal to zero"
    with served(wire.failing(12801, message)) as (database, _):
        assert isinstance(failure_of(database), UsageError)


def test_closing_stops_what_runs() -> None:
    """A statement that runs in another thread ends when the process gives the database up."""
    started = threading.Event()
    ends: list[VOError] = []

    def run(database: OracleDatabase) -> None:
        with pytest.raises(VOError) as caught:
            all_of(database.stream(COUNT_THEN, on_start=lambda _: started.set()))
        ends.append(caught.value)

    with served(wire.counting(20_000, wire.Session.until_broken)) as (database, _):
        thread = threading.Thread(target=run, args=[database])
        thread.start()
        started.wait(10)
        database.close()
        thread.join(10)
    assert [type(end) for end in ends] == [CancelledError]


def test_a_full_pool_is_a_transient_fault() -> None:
    """Who finds no free connection in time is told to come back; then it works."""
    with served(wire.counting(3), wait_s=1) as (database, _):
        with database.stream(COUNT), pytest.raises(TransientError):
            database.stream(COUNT)
        assert all_of(database.stream(COUNT)).num_rows == 3


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the driver leaves a refused socket open
def test_nobody_there() -> None:
    """A port without a server, and a listener that knows no such service, may be better later."""
    with wire.OracleDouble(wire.counting(1), refuse_with=12514) as double, reading(double) as database:
        error = failure_of(database)
        assert isinstance(error, TransientError)
        assert "its listener knows no such service (DPY-6001)" in str(error)
        double.kill()
        assert isinstance(failure_of(database), TransientError)
    gc.collect()


def test_a_wrong_password_is_a_fault_of_the_setting() -> None:
    """The message says what to mend and does not show the password."""
    with wire.OracleDouble(wire.counting(1)) as double:
        access = OracleAccess(double.dsn, double.user, "wrong secret")
        database = OracleDatabase(access)
        error = failure_of(database)
        database.close()
    assert isinstance(error, ConfigError)
    assert "wrong secret" not in f"{error} {access!r}"


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for Oracle without the driver learns how to install it."""
    monkeypatch.setitem(sys.modules, "oracledb", None)
    with pytest.raises(ConfigError, match=r"pip install 'vo\[oracle\]'"):
        OracleDatabase(OracleAccess("host/service", "reader", "secret"))


def test_arrays_are_refused() -> None:
    """A column that Oracle cannot give is named before anything runs."""
    with pytest.raises(UsageError, match="spectrum"):
        requested_schema((Column("spectrum", "float", arraysize="100"),))
