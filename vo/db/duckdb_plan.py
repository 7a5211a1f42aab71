"""What DuckDB means to do with a statement: its EXPLAIN, and the rows that it will look at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import duckdb
import numpy as np

from vo.catalog import Table
from vo.result import Ranges, Statement

ROW_GROUP = 122_880
"""Rows of a DuckDB row group: the smallest piece that the minimum and maximum of a column can exclude."""

Zones = np.ndarray
"""A row for each row group of a table: minimum and maximum of the index, number of rows."""

_Node = Mapping[str, Any]
_STREAMING = ("PROJECTION", "FILTER", "HASH_JOIN")
"""Operators that stop reading their first child when those above them have enough."""

_FETCH = "rowid = rowid"
"""The condition of a join that fetches the other columns of the rows that its second child chose."""


def zones(cursor: duckdb.DuckDBPyConnection, table: Table) -> Zones:
    """The row groups of a table with a spatial index, as a reader of ranges sees them."""
    path = ".".join(quoted(name) for name in table.database_path)
    index = quoted(table.spatial.index if table.spatial is not None else "")
    found = cursor.execute(
        f"SELECT min({index}), max({index}), count(*) FROM {path} GROUP BY rowid // {ROW_GROUP}"
    ).fetchall()
    return np.array([row for row in found if None not in row], dtype=np.int64).reshape(-1, 3)


def rows_within(groups: Zones, ranges: Ranges) -> int:
    """The rows of the row groups that any of the ranges touches.

    >>> rows_within(np.array([[0, 9, 100], [10, 19, 100], [20, 29, 50]]), ((5, 7), (18, 22)))
    250
    """
    low, high = np.array(ranges, dtype=np.int64).T
    met = (groups[:, :1] <= high) & (groups[:, 1:2] >= low)
    return int(groups[met.any(axis=1), 2].sum())


def account(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The plan as DuckDB draws it."""
    return "\n".join(text for _, text in cursor.execute(f"EXPLAIN {sql}").fetchall())


def rows_read(
    cursor: duckdb.DuckDBPyConnection, statement: Statement, zones_of: Callable[[Table], Zones]
) -> int:
    """The rows of stored tables that the statement will look at.

    EXPLAIN tells which tables are left to read (COUNT(*) alone reads none) and where a limit stops the
    reading. Its numbers know nothing of row groups: those of scans with ranges are counted from `zones_of`.
    """
    sizes = _Sizes(statement, zones_of)
    if all(scan.ranges for scan in statement.scans):
        return sum(sizes.within(scan.table, scan.ranges) for scan in statement.scans)
    ((_, text),) = cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.sql}").fetchall()
    return sum(_read(node, None, sizes) for node in json.loads(text))


class _Sizes:
    """What is known of the tables of one statement."""

    def __init__(self, statement: Statement, zones_of: Callable[[Table], Zones]) -> None:
        self._zones_of = zones_of
        self.scans = {_bare(".".join(scan.table.database_path)): scan.table for scan in statement.scans}
        self.ranges = {
            _bare(".".join(scan.table.database_path)): scan.ranges for scan in statement.scans if scan.ranges
        }

    def within(self, table: Table, ranges: Ranges) -> int:
        return rows_within(self._zones_of(table), ranges)

    def of(self, node: _Node) -> int:
        """The rows that a scan without a limit looks at."""
        extra = node["extra_info"]
        name = _bare(str(extra.get("Table", "")))
        table = self.scans.get(name)
        if table is None:
            return _cardinality(node)
        if (
            name in self.ranges
            and table.spatial is not None
            and table.spatial.index in _text(extra, "Filters")
        ):
            return self.within(table, self.ranges[name])
        return table.nrows or _cardinality(node)


def _read(node: _Node, wanted: float | None, sizes: _Sizes) -> int:
    """The rows read below a node of which the nodes above want so many rows; None: all."""
    kind, children = node["name"], node["children"]
    if not children:
        return _scanned(node, wanted, sizes)
    if kind in ("LIMIT", "STREAMING_LIMIT"):
        extra = node["extra_info"]
        rows = sum(int(extra[name]) for name in ("Limit", "Offset") if str(extra.get(name, "")).isdigit())
        return _read(children[0], rows if wanted is None else min(rows, wanted), sizes)
    if node["extra_info"].get("Conditions") == _FETCH:
        return _read(children[1], wanted, sizes)
    first = None
    if wanted is not None and kind in _STREAMING:
        first = wanted * max(1.0, _cardinality(children[0]) / max(1, _cardinality(node)))
    return _read(children[0], first, sizes) + sum(_read(child, None, sizes) for child in children[1:])


def _scanned(node: _Node, wanted: float | None, sizes: _Sizes) -> int:
    if "SCAN" not in node["name"] or "Table" not in node["extra_info"]:
        return 0  # values, and results that are kept for a second use
    rows = sizes.of(node)
    if wanted is None:
        return rows
    # Of what a filter lets through DuckDB knows only a share of the whole.
    return min(rows, math.ceil(wanted * max(1, rows) / max(1, _cardinality(node))))


def _cardinality(node: _Node) -> int:
    return int(node["extra_info"].get("Estimated Cardinality", 0))


def _bare(path: str) -> str:
    """A path without its quotes, which EXPLAIN writes only where names need them."""
    return path.replace('"', "")


def _text(extra: Mapping[str, Any], name: str) -> str:
    return str(extra.get(name, ""))


def quoted(name: str) -> str:
    """`name` as an identifier of DuckDB, to the letter."""
    return '"' + name.replace('"', '""') + '"'
