"""The rows that DuckDB will read: whatever the names, each row group counts once that a range touches."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.catalog import Column, SpatialKey, Table
from vo.db.duckdb_plan import ROW_GROUP, rows_read, rows_within, zones
from vo.result import Ranges, Scan, Statement

ROWS = 2 * ROW_GROUP + 1000
PATH = ("memory", "dr2-x y", 'a.b "c')
NAME = '"dr2-x y"."a.b ""c"'
TABLE = Table("s", "t", (Column("ra", "double"),), nrows=ROWS, spatial=SpatialKey("ra", "dec"), db_name=PATH)


@pytest.fixture(scope="module")
def cursor() -> duckdb.DuckDBPyConnection:
    """A table of three row groups in the order of its index, under awkward names."""
    connection = duckdb.connect()
    connection.execute('CREATE SCHEMA "dr2-x y"')
    connection.execute(f"CREATE TABLE {NAME} AS SELECT i AS hpx29, i % 7 AS m FROM range({ROWS}) AS r(i)")
    return connection


def read(cursor: duckdb.DuckDBPyConnection, sql: str, ranges: Ranges = ()) -> int:
    """The rows that a statement on the table would read."""
    return rows_read(
        cursor, Statement(sql, (), scans=(Scan(TABLE, ranges),)), lambda table: zones(cursor, table)
    )


@pytest.mark.parametrize(
    ("condition", "ranges", "expected"),
    [
        ("", (), ROWS),
        ("WHERE m < 3 ORDER BY m LIMIT 5", (), ROWS),
        ("LIMIT 5", (), 5),
        ("", ((0, 5),), ROW_GROUP),
        ("", ((ROW_GROUP - 1, ROW_GROUP),), 2 * ROW_GROUP),
        ("", ((0, 5), (ROWS - 1, ROWS)), ROW_GROUP + 1000),
        ("", ((ROWS, ROWS + 5),), 0),
    ],
)
def test_rows_read(cursor: duckdb.DuckDBPyConnection, condition: str, ranges: Ranges, expected: int) -> None:
    """All rows, those before a limit, or those of the row groups in the ranges."""
    assert read(cursor, f"SELECT m FROM {NAME} {condition}", ranges) == expected


def test_a_count_reads_nothing(cursor: duckdb.DuckDBPyConnection) -> None:
    """The table knows its size; a count of some of its rows has to look."""
    assert read(cursor, f"SELECT COUNT(*) FROM {NAME}") == 0
    assert read(cursor, f"SELECT COUNT(*) FROM {NAME} WHERE m = 3") == ROWS


_pairs = st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda pair: (min(pair), max(pair)))


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.tuples(_pairs, st.integers(1, 9)), max_size=8),
    ranges=st.lists(_pairs, min_size=1, max_size=4),
)
def test_each_group_that_a_range_touches_counts_once(
    groups: list[tuple[tuple[int, int], int]], ranges: list[tuple[int, int]]
) -> None:
    """The same as by brute force over every value of the index."""
    array = np.array([(*ends, rows) for ends, rows in groups], dtype=np.int64).reshape(-1, 3)
    wanted = {value for low, high in ranges for value in range(low, high + 1)}
    expected = sum(rows for (low, high), rows in groups if wanted & set(range(low, high + 1)))
    assert rows_within(array, tuple(ranges)) == expected
