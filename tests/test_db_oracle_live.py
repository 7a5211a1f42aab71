"""Oracle: what the double promises, on a real server: VO_TEST_ORACLE_DSN=user/password@host:port/service."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
import pytest

from vo.catalog import Column
from vo.db.oracle import OracleDatabase
from vo.db.oracle_access import OracleAccess
from vo.errors import CancelledError, UsageError, VOError
from vo.result import Result, Statement

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

IDS = (Column("id", "long"),)
NOON = datetime(2016, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001  timestamps of VOTables have no zone


def all_of(result: Result) -> pa.Table:
    """Every row of a result, which is closed."""
    with result:
        return pa.Table.from_batches(list(result), schema=result.schema)


@pytest.fixture
def live() -> Iterator[OracleDatabase]:
    """A real Oracle server."""
    text = os.environ.get("VO_TEST_ORACLE_DSN", "")
    if not text:
        pytest.skip("VO_TEST_ORACLE_DSN names no server")
    login, _, dsn = text.rpartition("@")
    user, _, password = login.partition("/")
    database = OracleDatabase(OracleAccess(dsn, user, password, connections=1))
    yield database
    database.close()


def test_values_arrive_exactly(live: OracleDatabase) -> None:
    """Integers of 64 bits, NaN, infinity, NULL, text and times."""
    columns = (
        Column("id", "long"),
        Column("nan", "double"),
        Column("inf", "double"),
        Column("text", "char", arraysize="*"),
        Column("empty", "char", arraysize="*"),
        Column("time", "char", arraysize="*", xtype="timestamp"),
    )
    sql = (
        "SELECT CAST(9223372036854775807 AS NUMBER(19)) C1, BINARY_DOUBLE_NAN C2, -BINARY_DOUBLE_INFINITY C3,"
        " CAST(UNISTR('\\03B2') AS VARCHAR2(10)) C4, CAST('' AS VARCHAR2(10)) C5,"
        " TIMESTAMP '2016-01-01 12:30:15.123456' C6 FROM DUAL"
    )
    (row,) = all_of(live.stream(Statement(sql, columns))).to_pylist()
    assert math.isnan(row.pop("c2"))
    assert list(row.values()) == [2**63 - 1, -math.inf, "β", None, NOON]


def test_statements_stop_and_fail(live: OracleDatabase) -> None:
    """A long statement is stopped, errors are mapped, and the one connection survives it all."""
    slow = "SELECT COUNT(*) C1 FROM (SELECT LEVEL l FROM DUAL CONNECT BY LEVEL <= 100000) a, (SELECT LEVEL l"
    slow += " FROM DUAL CONNECT BY LEVEL <= 100000) b WHERE MOD(a.l * b.l, 7) = 3"
    with pytest.raises(CancelledError):
        all_of(live.stream(Statement(slow, IDS), on_start=lambda stop: threading.Timer(1, stop).start()))
    for sql, kind in [
        ("SELECT 1 / 0 C1 FROM DUAL", UsageError),
        ("SELECT TO_NUMBER('x') C1 FROM DUAL", UsageError),
        ("SELECT 1 C1 FROM no_such_table_anywhere", VOError),
    ]:
        with pytest.raises(kind):
            all_of(live.stream(Statement(sql, IDS)))
    rows = "SELECT LEVEL - 1 C1 FROM DUAL CONNECT BY LEVEL <= 50000"
    assert all_of(live.stream(Statement(rows, IDS)))["c1"].to_pylist() == list(range(50_000))
