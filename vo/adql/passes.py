"""From ADQL to the SQL of one database: parse, then passes tree → tree, then a printer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from vo.adql import duckdb, oracle
from vo.adql.columns import Columns, Queries
from vo.adql.geometry import compile_geometry
from vo.adql.grammar import Grammar
from vo.adql.nodes import Call, call, collected, described, duplicate
from vo.adql.parts import parted_table, take_part
from vo.adql.problems import Problems, RefusalError, span_of
from vo.adql.scans import scans
from vo.adql.scopes import Source
from vo.adql.tokens import deepest
from vo.catalog import Catalog, Column
from vo.result import Statement

PRINTERS: Mapping[str, Callable[[exp.Expr], str]] = {"duckdb": duckdb.printed, "oracle": oracle.printed}
"""The databases, and what writes their SQL."""


@dataclass
class Query:
    """A query on its way: its tree, its columns, and what the passes need to know."""

    tree: exp.Query
    columns: Columns
    maxrec: int | None
    spatial_index: bool = False


def translate(
    query: str,
    catalog: Catalog,
    *,
    dialect: str = "duckdb",
    maxrec: int | None = None,
    rows: tuple[int, int] | None = None,
) -> Statement:
    """The statement that answers an ADQL 2.1 query on `catalog`, for at most `maxrec` + 1 rows.

    `rows` restricts it to a part of the rows of `Statement.parted`, from the first to before the second.
    QueryError tells everything that is wrong with the query.
    """
    try:
        state = _resolved(query, catalog, maxrec)
        for step in PASSES:
            step(state)
        parted = parted_table(state.tree, dialect)
        if rows is not None:
            take_part(state.tree, dialect, rows)
        read = scans(state.tree)
        sql = PRINTERS[dialect](state.tree)
    except RefusalError as refusal:
        raise refusal.placed(query) from None
    except RecursionError:
        problems = Problems(query)
        problems.add("The query is nested too deeply", deepest(query), rule="a limit of this service")
        raise problems.error() from None
    widths = state.tree.meta.get("widths", ())
    return Statement(sql, state.columns, state.spatial_index, read, widths, parted)


def check(query: str, catalog: Catalog) -> tuple[Column, ...]:
    """The columns that the query would return; QueryError tells everything that is wrong with it."""
    return translate(query, catalog).columns


def _resolved(query: str, catalog: Catalog, maxrec: int | None) -> Query:
    grammar = Grammar(query)
    tree = grammar.whole()
    columns = Queries(catalog, grammar.problems).whole(tree)
    grammar.problems.raise_any()
    published = tuple(_published(column) for column in columns)
    return Query(tree, published, maxrec)


def _published(column: Column) -> Column:
    """A column of the result; NULL alone is text."""
    return replace(column, xtype=None, datatype="char") if column.xtype == "null" else column


def _compile_geometry(query: Query) -> None:
    query.spatial_index = compile_geometry(query.tree)


def _drop_constant_terms(query: Query) -> None:
    """Leave out what tells no rows apart: databases take it for a column, or refuse it."""
    for group in collected(query.tree, exp.Group):
        terms = [term for term in group.expressions if _varies(term)]
        group.set("expressions", terms or [exp.Null()])
    for order in collected(query.tree, exp.Order):
        terms = [term for term in order.expressions if _varies(term.this)]
        order.set("expressions", terms)
        if not terms:
            order.pop()


def _varies(term: exp.Expr) -> bool:
    if term.meta.get("position"):
        return True
    leaves = collected(term, exp.Column, exp.Star, Call)
    return any(not isinstance(leaf, Call) or leaf.this == "RAND" for leaf in leaves)


def _cast_outputs(query: Query) -> None:
    """Give every output that is computed the type that its column declares."""
    waiting: list[exp.Expr] = [query.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.SetOperation):
            waiting += [node.this, node.expression]
        elif isinstance(node, exp.Subquery):
            waiting.append(node.this)
        else:
            for item, column in zip(node.expressions, query.columns, strict=True):
                if not _is_stored(item.this, column):
                    output = call("OUTPUT", item.this, _stand_in(column))
                    output.meta["span"] = span_of(item.this)
                    item.set("this", output)


def _is_stored(value: exp.Expr, column: Column) -> bool:
    if pa.types.is_fixed_size_list(column.arrow_type()):
        return False  # databases keep such arrays as they like
    return isinstance(value, exp.Column) and described(value).arrow_type() == column.arrow_type()


def _stand_in(column: Column) -> exp.Expr:
    node = exp.Null()
    node.meta["column"] = column
    return node


def _add_prefixes(query: Query) -> None:
    """Put in front of stored values what all values of their column begin with."""
    for node in collected(query.tree, exp.Column):
        source = node.meta.get("source")
        if isinstance(source, Source) and source.table is not None and described(node).prefix is not None:
            prefix = exp.Literal.string(described(node).prefix)
            node.replace(exp.Paren(this=exp.DPipe(this=prefix, expression=duplicate(node))))


def _limit_rows(query: Query) -> None:
    """Ask for one row more than MAXREC, so that an overflow is seen (TAP 1.1, 2.7.4)."""
    if query.maxrec is None:
        return
    limit = query.tree.args.get("limit")
    rows = query.maxrec + 1 if limit is None else min(query.maxrec + 1, int(limit.expression.this))
    query.tree.set("limit", exp.Limit(expression=exp.Literal.number(rows)))


PASSES: tuple[Callable[[Query], None], ...] = (
    _compile_geometry,
    _drop_constant_terms,
    _cast_outputs,
    _add_prefixes,
    _limit_rows,
)
"""What is done to a resolved query, in this order."""
