"""CAST: which kinds of value become which (ADQL 2.1, 4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql.kinds import NUMBERS, SHAPE_TYPES, TYPES, Kind, kind_of
from vo.adql.nodes import Call, call, describe, described
from vo.adql.problems import span_of
from vo.adql.shapes import of_numbers
from vo.adql.stcs import numbers_of
from vo.adql.times import timestamp

if TYPE_CHECKING:
    from vo.adql.reader import Reader


_CASTS: dict[Kind, frozenset[Kind]] = {
    Kind.TEXT: frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.TIME, Kind.NULL}),
    Kind.INTEGER: frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.BOOLEAN, Kind.NULL}),
    Kind.REAL: frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.NULL}),
    Kind.TIME: frozenset({Kind.TEXT, Kind.TIME, Kind.NULL}),
}


def cast(reader: Reader, node: exp.Expr) -> exp.Expr:
    """CAST to one of the types of ADQL 2.1 (4.7.1)."""
    value = reader.value(node.this)
    node.set("this", value)
    target: exp.DataType = node.args["to"]
    name: str = target.meta["name"]
    if name in SHAPE_TYPES:
        return _shape(reader, node, value, name)
    column = TYPES[name].column
    kind = kind_of(described(value))
    if kind not in _CASTS[kind_of(column)]:
        reader.problems.add(
            f"{kind.value.capitalize()} cannot be cast to {name}", span_of(node), rule="ADQL 2.1, 4.7.1"
        )
    length = target.expressions
    if length:
        column = replace(column, arraysize=f"{length[0].name}*")
    if kind_of(column) in NUMBERS:
        column = replace(column, unit=described(value).unit)
    if isinstance(value, exp.Literal) and value.is_string and kind_of(column) is Kind.TIME:
        text = timestamp(value.this)
        if text is None:
            reader.problems.add(f"'{value.this}' is no timestamp", span_of(value), rule="DALI 1.1, 3.3.3")
            return describe(node, column)
        return describe(call("TIMESTAMP", exp.Literal.string(text)), column)
    if kind is Kind.REAL and kind_of(column) is Kind.INTEGER and not _is_whole(value):
        # Databases differ in what they do with a fraction; here it is rounded, halves away from zero.
        value = describe(call("ROUND", value), described(value))
    return describe(call(f"CAST_{name}", value, *length), column)


def _is_whole(value: exp.Expr) -> bool:
    return isinstance(value, Call) and value.this in ("FLOOR", "CEILING")


def _shape(reader: Reader, node: exp.Expr, value: exp.Expr, name: str) -> exp.Expr:
    """A shape of a string in the form of DALI (DALI 1.1, 3.3.5 to 3.3.7)."""
    column = SHAPE_TYPES[name]
    if isinstance(value, exp.Literal) and value.is_string:
        found = numbers_of(value.this)
        if found is None or found[0] != name:
            reader.problems.add(
                f"'{value.this[:_SHOWN]}' is no {name.lower()} in the form of DALI",
                span_of(value),
                rule="ADQL 2.1, 4.7.1",
                suggestion=f"Write {_FORMS[name]}.",
            )
            return describe(node, column)
        return of_numbers(reader, node, *found)
    kind = kind_of(described(value))
    if kind not in (Kind.TEXT, Kind.NULL, kind_of(column)):
        reader.problems.add(
            f"{kind.value.capitalize()} cannot be cast to {name}", span_of(node), rule="ADQL 2.1, 4.7.1"
        )
    if kind is kind_of(column):
        return value
    return describe(call(f"CAST_{name}", value), column)


_SHOWN = 40
_FORMS: Mapping[str, str] = {
    "POINT": "'longitude latitude'",
    "CIRCLE": "'longitude latitude radius'",
    "POLYGON": "'longitude latitude …' of three vertices or more",
}
