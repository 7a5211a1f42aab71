"""What a compiled tree becomes before it is printed for Oracle: tree → tree.

Oracle knows no boolean values, takes '' for NULL, sorts no sub-query of a condition, and its tables hold no
unit vectors. Everything here makes a tree say the same in terms that Oracle has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sqlglot import exp

from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Call, Flag, Joined, call, collected, described, duplicate, number
from vo.adql.oracle_regions import compute_regions
from vo.adql.oracle_shapes import split_shapes
from vo.adql.scopes import Source
from vo.catalog import Table

LONGEST_LIST = 1000
"""Values of one IN at the most (ORA-01795)."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_CONDITIONS = (*_COMPARISONS, exp.And, exp.Or, exp.Not, exp.Between, exp.In, exp.Like, exp.ILike, exp.Is)
_CONDITION_CALLS = frozenset({"HAS_WORD", "HAS_WORDS", "HASH_LIST_HAS"})
_DEGREE = math.pi / 180


def prepare(tree: exp.Expr) -> None:
    """Rewrite `tree` in place."""
    for step in _STEPS:
        step(tree)


# --- positions


def _compute_unit_vectors(tree: exp.Expr) -> None:
    """Unit vectors from the angles of the main position: tables of Oracle are as their owner made them."""
    keys = {
        leaf.alias: _axes(leaf.alias, leaf.meta["source"])
        for leaf in collected(tree, exp.Table)
        if "source" in leaf.meta
    }
    for column in collected(tree, exp.Column):
        axes = keys.get(column.text("table"), {})
        if column.name in axes and "column" not in column.meta:
            column.replace(exp.Paren(this=duplicate(axes[column.name])))


def _axes(alias: str, source: Source) -> Mapping[str, exp.Expr]:
    table = source.table
    if table is None or table.spatial is None:
        return {}
    lon, lat = (_stored(alias, table, name) for name in (table.spatial.lon, table.spatial.lat))
    across = _of("COS", lat)
    return {
        "unit_x": exp.Mul(this=across, expression=_of("COS", lon)),
        "unit_y": exp.Mul(this=duplicate(across), expression=_of("SIN", lon)),
        "unit_z": _of("SIN", lat),
    }


def _stored(alias: str, table: Table, name: str) -> exp.Column:
    column = table.column(name)
    physical = name if column is None else column.db_name or column.name
    return exp.Column(
        this=exp.Identifier(this=physical, quoted=True), table=exp.Identifier(this=alias, quoted=True)
    )


def _of(name: str, degrees: exp.Expr) -> Call:
    return call(name, exp.Mul(this=duplicate(degrees), expression=number(_DEGREE)))


# --- conditions


def _name_unknown(tree: exp.Expr) -> None:
    """Where a condition must stand and none does, the value is NULL: `1 = NULL` is unknown as well."""
    for node in collected(tree, exp.Where, exp.Having, exp.And, exp.Or, exp.Not, Flag, Joined, exp.Case):
        for name in ("on",) if isinstance(node, Joined) else ("this", "expression"):
            slot = node.args.get(name)
            if isinstance(slot, exp.Expr) and not isinstance(node, exp.Case):
                _make_condition(slot, stored=isinstance(node, Flag))
        if isinstance(node, exp.Case) and node.this is None:
            for branch in node.args["ifs"]:
                _make_condition(branch.this)


def _make_condition(node: exp.Expr, *, stored: bool = False) -> None:
    while isinstance(node, exp.Paren):
        node = node.this
    is_call = isinstance(node, Call) and (node.this in _CONDITION_CALLS or not _is_described(node))
    if isinstance(node, (*_CONDITIONS, exp.Exists)) or is_call or (stored and isinstance(node, exp.Column)):
        return
    node.replace(exp.EQ(this=exp.Literal.number(1), expression=exp.Null()))


def _is_described(node: exp.Expr) -> bool:
    return "column" in node.meta and kind_of(described(node)) is not Kind.CONDITION


def _ask_for_null(tree: exp.Expr) -> None:
    """`x = ''` asks for rows without a string: what was stored as '' is NULL."""
    for node in collected(tree, exp.EQ, exp.NEQ):
        sides = [node.this, node.expression]
        empty = [side for side in sides if _is_empty(side)]
        if empty:
            value = sides[1] if sides[0] is empty[0] else sides[0]
            missing = exp.Is(this=duplicate(value), expression=exp.Null())
            node.replace(missing if isinstance(node, exp.EQ) else exp.Not(this=exp.Paren(this=missing)))


def _is_empty(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and node.this == ""


def _cut_lists(tree: exp.Expr) -> None:
    """Lists of IN in pieces that Oracle takes, and without '', which would make NOT IN unknown."""
    for node in collected(tree, exp.In):
        values = [value for value in node.expressions if not _is_empty(value)]
        if len(values) == len(node.expressions) <= LONGEST_LIST:
            continue
        pieces: list[exp.Expr] = [
            exp.In(this=duplicate(node.this), expressions=values[start : start + LONGEST_LIST])
            for start in range(0, len(values), LONGEST_LIST)
        ]
        if len(values) < len(node.expressions):
            pieces.append(exp.Is(this=duplicate(node.this), expression=exp.Null()))
        whole = pieces[0]
        for piece in pieces[1:]:
            whole = exp.Or(this=whole, expression=piece)
        node.replace(exp.Paren(this=whole))


def _leave_order_out(tree: exp.Expr) -> None:
    """No ORDER BY in a sub-query of IN or EXISTS that takes all rows (ORA-00907)."""
    for node in collected(tree, exp.In, exp.Exists):
        query = node.args.get("query") if isinstance(node, exp.In) else node.this
        while isinstance(query, exp.Subquery) and not is_cut(query):
            query = query.this
        if query is not None and not (query.args.get("limit") or query.args.get("offset")):
            query.set("order", None)


def is_cut(query: exp.Expr) -> bool:
    """Whether the query sorts or limits its rows."""
    return any(query.args.get(name) for name in ("order", "limit", "offset"))


# --- numbers


def _keep_exact(tree: exp.Expr) -> None:
    """A number that a column is compared with stays as written: so an index of the column serves.

    Columns of single precision are the exception: Oracle would round the number to theirs.
    """
    for node in collected(tree, *_COMPARISONS, exp.Between, exp.In):
        values = [value for value in node.iter_expressions() if not isinstance(value, exp.Query)]
        columns = [value for value in values if isinstance(value, exp.Column)]
        if len(columns) == 1 and "column" in columns[0].meta and described(columns[0]).datatype != "float":
            for value in values:
                unsigned = value.this if isinstance(value, exp.Neg) else value
                if isinstance(unsigned, exp.Literal):
                    unsigned.meta["exact"] = True


_STEPS: tuple[Callable[[exp.Expr], None], ...] = (
    split_shapes,
    _compute_unit_vectors,
    compute_regions,
    _name_unknown,
    _ask_for_null,
    _cut_lists,
    _leave_order_out,
    _keep_exact,
)
