"""What Oracle means to do with a statement: its own account, and the rows that its estimates add up to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vo.db.oracle_access import SETUP_S, Connection
from vo.db.oracle_faults import codes_of
from vo.result import Plan

_ACCOUNT = "SELECT PLAN_TABLE_OUTPUT FROM TABLE(DBMS_XPLAN.DISPLAY('PLAN_TABLE', :1, 'TYPICAL'))"
_STEPS = (
    "SELECT p.ID, p.PARENT_ID, p.OPERATION, p.OPTIONS, p.CARDINALITY, t.NUM_ROWS"
    " FROM PLAN_TABLE p LEFT JOIN ALL_TABLES t"
    " ON t.OWNER = p.OBJECT_OWNER AND t.TABLE_NAME = p.OBJECT_NAME"
    " WHERE p.STATEMENT_ID = :1 ORDER BY p.ID"
)

_FORBIDDEN: Mapping[str, str] = {
    "ORA-01031": "the account lacks a privilege",
    "ORA-01039": "the account may not read what lies under a view",
    "ORA-02402": "the account has no PLAN_TABLE",
    "ORA-00942": "the account sees no PLAN_TABLE, or not every table of the statement",
    "ORA-00904": "the account may not execute DBMS_XPLAN",
}
"""Errors that say that the account may not have plans; the statement itself may still run."""


@dataclass(frozen=True, slots=True)
class Step:
    """A row of PLAN_TABLE: what is done, the rows that come out of it, those of the table that it reads."""

    id: int
    parent: int | None
    operation: str
    options: str
    rows: int | None
    table_rows: int | None


def explained(driver: Any, connection: Connection, sql: str) -> Plan:  # noqa: ANN401  the module `oracledb`
    """The plan of a statement, which is not run; where the account may not have it, the text says why.

    PLAN_TABLE is a table of the session, and its rows are rolled back.
    """
    connection.call_timeout = SETUP_S * 1000
    mark = f"vo{secrets.token_hex(12)}"
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN PLAN SET STATEMENT_ID = '{mark}' FOR {sql}")
            lines = [line or "" for (line,) in cursor.execute(_ACCOUNT, [mark]).fetchall()]
            steps = [_step(row) for row in cursor.execute(_STEPS, [mark]).fetchall()]
    except driver.Error as error:
        reason = next((_FORBIDDEN[code] for code in codes_of(error) if code in _FORBIDDEN), None)
        if reason is None:
            raise
        return Plan(f"Oracle does not tell its plan: {reason} ({codes_of(error)[0]}).", rows=None)
    finally:
        if connection.is_healthy():
            connection.rollback()
    return Plan("\n".join(lines), rows_looked_at(steps))


def rows_looked_at(steps: Sequence[Step]) -> int | None:
    """The rows of stored tables that a plan reads; None: it estimates none.

    The inner side of nested loops is read once for every row of the outer one.

    >>> outer = Step(2, 1, "TABLE ACCESS", "FULL", 10, 1000)
    >>> inner = Step(3, 1, "INDEX", "RANGE SCAN", 5, None)
    >>> rows_looked_at([Step(1, None, "NESTED LOOPS", "", 50, None), outer, inner])
    1050
    """
    below: dict[int | None, list[Step]] = {}
    for step in steps:
        below.setdefault(step.parent, []).append(step)
    estimates: list[int] = []
    waiting = [(step, 1) for step in below.get(None, [])]
    while waiting:
        step, times = waiting.pop()
        read = _read(step)
        if read is not None:
            estimates.append(read * times)
        children = below.get(step.id, [])
        for place, child in enumerate(children):
            repeats = place > 0 and step.operation == "NESTED LOOPS"
            waiting.append((child, times * max(1, children[0].rows or 1) if repeats else times))
    return sum(estimates) if estimates else None


def _read(step: Step) -> int | None:
    """The rows that one step reads from storage: a whole table, or the entries taken from an index."""
    if step.operation == "INDEX":
        return step.rows
    if step.operation.endswith("TABLE ACCESS") and "FULL" in step.options:
        return step.rows if step.table_rows is None else step.table_rows
    return None


def _step(row: Sequence[Any]) -> Step:
    number, parent, operation, options, rows, table_rows = row
    counts = [None if count is None else int(count) for count in (rows, table_rows)]
    return Step(int(number), None if parent is None else int(parent), operation, options or "", *counts)
