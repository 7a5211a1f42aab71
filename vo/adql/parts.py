"""A query answered in parts: from one row of its main table to another, so that several may work on it."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from sqlglot import exp

from vo.adql.grouping import has_aggregate
from vo.adql.nodes import Joined, number
from vo.adql.positions import stored_column
from vo.adql.scopes import Source
from vo.catalog import Table

ROW_NUMBERS: Mapping[str, str] = {"duckdb": "rowid"}
"""The column that counts the rows of a stored table from 0, by dialect; others answer queries as a whole."""

_WHOLE = ("group", "having", "distinct", "limit", "offset", "with_")
"""The clauses that need all rows at once."""

_SPLIT_JOINS = ("INNER", ",", "LEFT")


def parted_table(tree: exp.Expr, dialect: str) -> Table | None:
    """The stored table whose rows can be taken in parts, the answers to which are that to the whole query.

    None: the query groups, cuts or unites rows, or its first table is not one that counts its rows.
    """
    found = _main(tree)
    if found is None or dialect not in ROW_NUMBERS:
        return None
    return _counted(found[1].meta["source"], ROW_NUMBERS[dialect])


def take_part(tree: exp.Expr, dialect: str, rows: tuple[int, int]) -> None:
    """Restrict a compiled query with a `parted_table` to the `rows` of it, first to before second."""
    found = _main(tree)
    if found is None:
        raise ValueError("The query cannot be taken in parts.")
    select, table = found
    row = stored_column(table.meta["source"], ROW_NUMBERS[dialect])
    first = exp.GTE(this=row, expression=number(rows[0]))
    last = exp.LT(this=row.copy(), expression=number(rows[1]))
    condition = exp.And(this=first, expression=last)
    where = select.args.get("where")
    if where is not None:
        condition = exp.And(this=exp.Paren(this=where.this), expression=condition)
    select.set("where", exp.Where(this=condition))


def _main(tree: exp.Expr) -> tuple[exp.Select, exp.Table] | None:
    """The first table of the innermost SELECT, if every SELECT on the way gives a row for a row."""
    select, node = None, tree
    while not isinstance(node, exp.Table):
        match node:
            case exp.Subquery():
                node = node.this
            case Joined() if node.args["kind"] in _SPLIT_JOINS:
                node = node.this
            case exp.Select() if _row_by_row(node):
                select, node = node, node.args["from_"].this
            case _:
                return None
    return None if select is None or not isinstance(node.meta.get("source"), Source) else (select, node)


def _row_by_row(select: exp.Select) -> bool:
    return not (
        any(select.args.get(clause) for clause in _WHOLE) or any(map(has_aggregate, select.expressions))
    )


def _counted(source: Source, row_number: str) -> Table | None:
    table = source.table
    if table is None or table.kind != "table" or not table.nrows:
        return None
    # Arrays of fixed size are read through a sub-query (see `vo.adql.duckdb`), which counts no rows.
    arrays = any(pa.types.is_fixed_size_list(column.arrow_type()) for column in table.columns)
    return None if arrays or table.column(row_number) is not None else table
