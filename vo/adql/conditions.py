"""Conditions: AND, OR, NOT, comparisons and the predicates of ADQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import coordinate_systems, kinds
from vo.adql.kinds import NUMBERS, ORDERED, Kind, kind_of
from vo.adql.nodes import Flag, call, describe, described
from vo.adql.problems import span_of
from vo.adql.times import timestamp

if TYPE_CHECKING:
    from vo.adql.reader import Reader

_NUMBERS_OR_NOT = NUMBERS | {Kind.BOOLEAN, Kind.NULL}


def connector(reader: Reader, node: exp.Expr) -> exp.Expr:
    """AND and OR."""
    for name in ("this", "expression"):
        node.set(name, reader.condition(node.args[name]))
    return describe(node, kinds.CONDITION)


def negation(reader: Reader, node: exp.Expr) -> exp.Expr:
    """NOT."""
    inner = reader.condition(node.this)
    if not isinstance(inner, exp.Paren):
        inner = describe(exp.Paren(this=inner), kinds.CONDITION)
    node.set("this", inner)
    return describe(node, kinds.CONDITION)


def comparison(reader: Reader, node: exp.Expr) -> exp.Expr:
    """= <> < <= > >=."""
    left, right = reader.arguments(node, "this", "expression")
    kind = kind_of(described(left))
    if kind in kinds.SHAPES and kind_of(described(right)) is kind and isinstance(node, exp.EQ | exp.NEQ):
        return _same_shape(reader, node, left, right)
    compare(reader, node, left, right)
    return describe(node, kinds.CONDITION)


def _same_shape(reader: Reader, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Equality of shapes: points are equal where they meet, others where all their numbers are equal."""
    left, right = coordinate_systems.agreeing(reader, [left, right])
    node.set("this", left)
    node.set("expression", right)
    if kind_of(described(left)) is Kind.POINT:
        meeting = describe(call("INTERSECTS", left, right), kinds.INT)
        node.set("this", meeting)
        node.set("expression", describe(exp.Literal.number(1), kinds.INT))
    return describe(node, kinds.CONDITION)


def between(reader: Reader, node: exp.Expr) -> exp.Expr:
    """BETWEEN, bounds included."""
    value, low, high = reader.arguments(node, "this", "low", "high")
    compare(reader, node, value, low)
    compare(reader, node, node.this, high)
    return describe(node, kinds.CONDITION)


def membership(reader: Reader, node: exp.Expr) -> exp.Expr:
    """IN a list of values or a sub-query."""
    (value,) = reader.arguments(node, "this")
    query = node.args.get("query")
    if query is None:
        options = [reader.value(option) for option in node.expressions]
        node.set("expressions", options)
        for option in options:
            compare(reader, node, node.this, option)
        return describe(node, kinds.CONDITION)
    bound, columns = reader.queries.subquery(query, reader.scope)
    node.set("query", bound)
    if len(columns) == 1:
        stand_in = describe(exp.Null(), columns[0])
        stand_in.meta["span"] = span_of(query)
        compare(reader, node, value, stand_in)
    else:
        reader.problems.add(
            f"The sub-query of IN must have one column, not {len(columns)}",
            span_of(query),
            rule="ADQL 2.1, appendix A, in_predicate",
        )
    return describe(node, kinds.CONDITION)


def likeness(reader: Reader, node: exp.Expr) -> exp.Expr:
    """LIKE and ILIKE."""
    for value in reader.arguments(node, "this", "expression"):
        kind = kind_of(described(value))
        if kind not in (Kind.TEXT, Kind.NULL):
            reader.problems.add(
                f"LIKE compares strings, not {kind.value}",
                span_of(value),
                rule="ADQL 2.1, appendix A, like_predicate",
                suggestion="Write CAST(x AS VARCHAR)." if kind in NUMBERS else None,
            )
    return describe(node, kinds.CONDITION)


def null_test(reader: Reader, node: exp.Expr) -> exp.Expr:
    """IS NULL."""
    reader.arguments(node, "this")
    return describe(node, kinds.CONDITION)


def existence(reader: Reader, node: exp.Expr) -> exp.Expr:
    """EXISTS."""
    bound, _ = reader.queries.subquery(node.this, reader.scope)
    node.set("this", bound.this if isinstance(bound, exp.Subquery) else bound)
    return describe(node, kinds.CONDITION)


def compare(reader: Reader, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
    """Judge two compared values, and give a literal the type of what it is compared with."""
    first, second = kind_of(described(left)), kind_of(described(right))
    if first is Kind.TIME and second is Kind.TEXT:
        _as_time(reader, right)
    elif second is Kind.TIME and first is Kind.TEXT:
        _as_time(reader, left)
    elif first is not second and Kind.BOOLEAN in (first, second) and {first, second} <= _NUMBERS_OR_NOT:
        # The language has no boolean literal: a boolean column is compared with 1 and 0.
        boolean = left if first is Kind.BOOLEAN else right
        _replace_child(node, boolean, describe(Flag(this=boolean), kinds.INT))
    elif not _comparable(first, second):
        reader.problems.add(
            f"{first.value[0].upper()}{first.value[1:]} cannot be compared with {second.value}",
            span_of(node) or span_of(left),
            rule="ADQL 2.1, appendix A, comparison_predicate",
            suggestion=_advice(first, second, right),
        )


def _as_time(reader: Reader, node: exp.Expr) -> None:
    if not isinstance(node, exp.Literal):
        reader.problems.add(
            "A timestamp cannot be compared with a string",
            span_of(node),
            rule="ADQL 2.1, 4.7",
            suggestion="Write CAST(x AS TIMESTAMP).",
        )
        return
    text = timestamp(node.this)
    if text is None:
        reader.problems.add(
            f"'{node.this}' is no timestamp",
            span_of(node),
            rule="DALI 1.1, 3.3.3",
            suggestion="Write 'YYYY-MM-DDThh:mm:ss'.",
        )
        return
    node.replace(describe(call("TIMESTAMP", exp.Literal.string(text)), kinds.TIME))


def _replace_child(node: exp.Expr, old: exp.Expr, new: exp.Expr) -> None:
    """Put `new`, which holds `old`, where `old` was; `Expr.replace` would follow the parent of `old`."""
    for name, child in list(node.args.items()):
        if child is old:
            node.set(name, new)
        elif isinstance(child, list):
            node.set(name, [new if item is old else item for item in child])


def _comparable(first: Kind, second: Kind) -> bool:
    if not {first, second} <= ORDERED:
        return False
    return first is second or {first, second} <= NUMBERS or Kind.NULL in (first, second)


def _advice(first: Kind, second: Kind, right: exp.Expr) -> str | None:
    if first in kinds.SHAPES or second in kinds.SHAPES:
        return "Compare shapes by CONTAINS, INTERSECTS or DISTANCE."
    if isinstance(right, exp.Literal) and first in NUMBERS:
        return "Leave out the quotes around the number."
    if isinstance(right, exp.Literal) and first is Kind.TEXT:
        return f"Write '{right.this}' between single quotes."
    return None
