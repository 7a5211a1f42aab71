"""Literals, arithmetic, strings and CASE: what kind of value each makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.kinds import NUMBERS, Kind, kind_of, told, united, wider
from vo.adql.nodes import call, describe, described, number
from vo.adql.problems import span_of
from vo.adql.units import product
from vo.catalog import Column

if TYPE_CHECKING:
    from vo.adql.reader import Reader

_INT_LIMIT, _LONG_LIMIT = 2**31, 2**63
SIGNS: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_SQL_TYPES: Mapping[str, str] = {"long": "BIGINT", "double": "DOUBLE", "float": "FLOAT"}


def literal(reader: Reader, node: exp.Expr) -> exp.Expr:  # noqa: ARG001  one signature for all readers
    """A number or string as written."""
    if node.args.get("is_string"):
        return describe(node, kinds.TEXT)
    text: str = node.this
    if text.isdigit() and int(text) < _LONG_LIMIT:
        node.set("this", str(int(text)))
        return describe(node, kinds.INT if int(text) < _INT_LIMIT else kinds.LONG)
    # A decimal literal of the database would be exact and slow; numbers of the language are doubles.
    return describe(number(float(text)), kinds.DOUBLE)


def null(reader: Reader, node: exp.Expr) -> exp.Expr:  # noqa: ARG001
    """NULL, which fits everywhere."""
    return describe(node, kinds.NULL)


def star(reader: Reader, node: exp.Expr) -> exp.Expr:  # noqa: ARG001
    """The star of COUNT(*)."""
    return describe(node, kinds.LONG)


def paren(reader: Reader, node: exp.Expr) -> exp.Expr:
    """Parentheses change nothing, nor does a plus in front of a number."""
    inner = reader.read(node.this)
    node.set("this", inner)
    if "sign" in node.meta and not _all_numbers(reader, node, [inner], node.meta["sign"]):
        return describe(node, kinds.NULL)
    return describe(node, described(inner))


def negated(reader: Reader, node: exp.Expr) -> exp.Expr:
    """Minus a number."""
    (value,) = reader.arguments(node, "this")
    if not _all_numbers(reader, node, [value], "-"):
        return describe(node, kinds.NULL)
    if isinstance(value, exp.Neg):
        node.set("this", describe(exp.Paren(this=value), described(value)))
    return describe(node, replace(described(value), name="", ucd=None, utype=None, description=None))


def arithmetic(reader: Reader, node: exp.Expr) -> exp.Expr:
    """Sum, difference, product or quotient, done in a width that loses nothing."""
    left, right = reader.arguments(node, "this", "expression")
    if not _all_numbers(reader, node, [left, right], SIGNS[type(node)]):
        return describe(node, kinds.NULL)
    first, second = described(left), described(right)
    unit = _unit(node, first.unit, second.unit)
    if Kind.REAL in (kind_of(first), kind_of(second)):
        known = {kind_of(first), kind_of(second)} <= NUMBERS
        width = wider(first.datatype, second.datatype) if known else "double"
        return describe(_widened(node, width), kinds.DOUBLE, datatype=width, unit=unit)
    if isinstance(node, exp.Div):
        # Integers divide to integers, towards zero, as the types of SQL-92 have it; by zero is no value.
        return describe(call("DIVIDE", left, right), kinds.LONG, unit=unit)
    return describe(_widened(node, "long"), kinds.LONG, unit=unit)


def _unit(node: exp.Expr, left: str | None, right: str | None) -> str | None:
    if isinstance(node, exp.Mul):
        return product(left, right)
    if isinstance(node, exp.Div):
        return product(left, right, -1.0)
    if isinstance(node.expression, exp.Literal) or isinstance(node.this, exp.Literal):
        return left or right
    return left if left == right else None


def bits(reader: Reader, node: exp.Expr) -> exp.Expr:  # noqa: ARG001  one signature for all functions
    """A function of the bits of integers, in 64 of them."""
    node.set("expressions", [_as(value, "long") for value in node.expressions])
    return describe(node, kinds.LONG)


def concatenated(reader: Reader, node: exp.Expr) -> exp.Expr:
    """Two strings joined; a number among them is written out (the grammar takes any primary)."""
    reader.arguments(node, "this", "expression")
    for name in ("this", "expression"):
        value = node.args[name]
        kind = kind_of(described(value))
        if kind in NUMBERS:
            node.set(name, describe(call("CAST_VARCHAR", value), kinds.TEXT))
        elif kind not in (Kind.TEXT, Kind.NULL):
            reader.problems.add(
                f"|| joins strings, not {kind.value}",
                span_of(value),
                rule="ADQL 2.1, appendix A, concatenation",
                suggestion="Write CAST(x AS VARCHAR)." if kind is Kind.TIME else None,
            )
    return describe(node, kinds.TEXT)


def case(reader: Reader, node: exp.Expr) -> exp.Expr:
    """CASE, which SQL-92 has and ADQL only reserves."""
    operand = reader.value(node.this) if node.this is not None else None
    node.set("this", operand)
    results = []
    for branch in node.args["ifs"]:
        if operand is None:
            branch.set("this", reader.condition(branch.this))
        else:
            branch.set("this", reader.value(branch.this))
            reader.compare(branch, operand, branch.this)
        results += reader.arguments(branch, "true")
    if node.args.get("default") is not None:
        results += reader.arguments(node, "default")
    return describe(node, common(reader, node, results, "CASE"))


def common(reader: Reader, node: exp.Expr, values: list[exp.Expr], what: str) -> Column:
    """The column that holds all of `values`; a problem where there is none.

    Literals have any unit; a unit or UCD that the others do not share is not that of the result.
    """
    nulls = [value for value in values if isinstance(value, exp.Null) and "unread" not in value.meta]
    if what == "COALESCE" and len(nulls) == len(values):
        reader.problems.add(
            "COALESCE needs a value that is not NULL in writing",
            span_of(node),
            rule="SQL-92, 6.9",
            suggestion="Write a column among its arguments.",
        )
    result = kinds.NULL
    for value in values:
        column = united(result, described(value))
        if column is None:
            reader.problems.add(
                f"The values of {what} differ in type: {told(result)} and {told(described(value))}",
                span_of(value) or span_of(node),
                rule="ADQL 2.1, 4.8",
            )
            return kinds.NULL
        result = column
    telling = [described(value) for value in values if _tells(value)]
    units, ucds = {column.unit for column in telling}, {column.ucd for column in telling}
    unit, ucd = (found.pop() if len(found) == 1 else None for found in (units, ucds))
    return replace(result, name="", unit=unit, ucd=ucd, utype=None, description=None)


def _tells(node: exp.Expr) -> bool:
    """Whether a value has metadata: neither a number in writing nor NULL has."""
    while isinstance(node, exp.Neg | exp.Paren):
        node = node.this
    return not isinstance(node, exp.Literal) and kind_of(described(node)) is not Kind.NULL


def _all_numbers(reader: Reader, node: exp.Expr, values: list[exp.Expr], what: str) -> bool:
    wrong = [value for value in values if kind_of(described(value)) not in NUMBERS | {Kind.NULL}]
    for value in wrong:
        reader.problems.add(
            f"{what} needs numbers, not {kind_of(described(value)).value}",
            span_of(value) or span_of(node),
            rule="ADQL 2.1, appendix A, numeric_value_expression",
            suggestion="Write a || b to join strings." if what == "+" else None,
        )
    return not wrong


def _as(node: exp.Expr, datatype: str) -> exp.Expr:
    """`node` as a number of `datatype`, cast where it is not already."""
    column = described(node)
    if kind_of(column) is Kind.NULL or column.datatype == datatype:
        return node
    cast = exp.Cast(this=node, to=exp.DataType(this=_SQL_TYPES[datatype]))
    return describe(cast, column, datatype=datatype)


def _widened(node: exp.Expr, datatype: str) -> exp.Expr:
    """An operation done in `datatype`: its first operand is cast unless an operand has the width already."""
    left, right = node.this, node.expression
    if datatype not in (described(left).datatype, described(right).datatype):
        node.set("this", _as(left, datatype))
    return node
