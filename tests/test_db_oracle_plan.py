"""The plans of Oracle: its account, the rows that it will read, and what is said where it tells neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from vo.catalog import Column
from vo.db.oracle import OracleDatabase
from vo.db.oracle_access import OracleAccess
from vo.errors import VOError
from vo.result import Statement

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

from oracle_wire import double as wire

STATEMENT = Statement('SELECT "t1"."ID" AS "c1" FROM "SIM1"."STARS" "t1"', (Column("id", "long"),))
STEP_COLUMNS = (
    wire.NUMBER("ID"),
    wire.NUMBER("PARENT_ID"),
    wire.Column("OPERATION", "VARCHAR2"),
    wire.Column("OPTIONS", "VARCHAR2"),
    wire.NUMBER("CARDINALITY"),
    wire.NUMBER("NUM_ROWS"),
)
CONE = [
    (0, None, "SELECT STATEMENT", None, 40, None),
    (1, 0, "CONCATENATION", None, None, None),
    (2, 1, "TABLE ACCESS", "BY INDEX ROWID BATCHED", 10, 700_000_000),
    (3, 2, "INDEX", "RANGE SCAN", 25, None),
    (4, 1, "TABLE ACCESS", "BY INDEX ROWID BATCHED", 30, 700_000_000),
    (5, 4, "INDEX", "RANGE SCAN", 75, None),
]
SCAN = [(0, None, "SELECT STATEMENT", None, 5, None), (1, 0, "TABLE ACCESS", "FULL", 5, 700_000_000)]


@contextmanager
def explaining(steps: list[tuple[Any, ...]], fault: int = 0) -> Iterator[tuple[OracleDatabase, list[str]]]:
    """A database that plans those steps, or answers with an ORA number; and what it was asked."""
    asked: list[str] = []

    def answer(sql: str, binds: list[object], _session: wire.Session) -> wire.Answer | None:
        asked.append(" ".join([sql, *map(str, binds)]))
        if sql.startswith("EXPLAIN PLAN"):
            if fault:
                raise wire.OraError(fault)
            return None
        if "DBMS_XPLAN" in sql:
            return wire.Answer(
                (wire.Column("LINE", "VARCHAR2"),), [("Plan hash value: 1",), (None,), ("| Id |",)]
            )
        return wire.Answer(STEP_COLUMNS, steps)

    with wire.OracleDouble(answer) as double:
        database = OracleDatabase(OracleAccess(double.dsn, double.user, double.password, connections=1))
        try:
            yield database, asked
            assert not any(session.in_transaction for session in double.sessions)
        finally:
            database.close()


@pytest.mark.parametrize(("steps", "rows"), [(CONE, 100), (SCAN, 700_000_000), (SCAN[:1], None)])
def test_rows_read_are_those_of_storage(steps: list[tuple[Any, ...]], rows: int | None) -> None:
    """Ranges of an index count what they take from it, a full scan all rows, however few come out."""
    with explaining(steps) as (database, _):
        plan = database.plan(STATEMENT)
        assert plan.text.splitlines() == ["Plan hash value: 1", "", "| Id |"]
        assert plan.rows == database.rows_read(STATEMENT) == rows


def test_plans_of_others_are_not_mixed_up() -> None:
    """Each plan has a mark of its own, by which it is read back, and leaves nothing behind."""
    with explaining(SCAN) as (database, asked):
        database.plan(STATEMENT)
        database.plan(STATEMENT)
    marks = [text.split("'")[1] for text in asked if text.startswith("EXPLAIN")]
    assert len(set(marks)) == 2
    assert all(asked[at].endswith(marks[at // 3]) for at in (1, 2, 4, 5))
    assert asked[0].endswith(STATEMENT.sql)


@pytest.mark.parametrize("fault", [1039, 2402, 1031])
def test_missing_privileges_are_told(fault: int) -> None:
    """Who may not have plans reads why; the statement itself may still run."""
    with explaining(SCAN, fault) as (database, _):
        plan = database.plan(STATEMENT)
    assert plan.rows is None
    assert f"ORA-{fault:05d}" in plan.text


def test_other_faults_are_faults() -> None:
    """Anything else is an error of the database, as it is for a statement."""
    with explaining(SCAN, 1722) as (database, _), pytest.raises(VOError, match="ORA-01722"):
        database.plan(STATEMENT)
